"""Convolutions by hand; open shapes and second derivatives against the same call at known shapes."""

import itertools

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ShapeError
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.program import Program

RNG = np.random.default_rng(0)


def run(inputs, outputs, *feeds):
    return reference.prepare(Program(inputs, outputs)).run(feeds)


def lane(*values):
    return np.array(values, float).reshape(1, -1, 1)


def kernel(*values):
    return np.array(values, float).reshape(-1, 1, 1)


def whole(*shape):
    return RNG.integers(-3, 4, shape).astype("float64")


def test_the_kernel_is_not_flipped():
    assert ops.conv(lane(1, 2, 3, 4), kernel(1, 10, 100))[0, :, 0].tolist() == [321, 432]


@pytest.mark.parametrize(
    "padding, strides, dilation, expected",
    [
        ("same", 1, 1, [210, 321, 432, 543, 54]),
        ("same", 2, 1, [210, 432, 54]),
        ("same", 4, 1, [210, 54]),
        ("same", 1, 2, [310, 420, 531, 42, 53]),
        ("valid", 3, 1, [321]),
        ("valid", 1, 2, [531]),
        ("causal", 1, 1, [100, 210, 321, 432, 543]),
        ("causal", 2, 2, [100, 310, 531]),
    ],
)
def test_padding_strides_and_dilation(padding, strides, dilation, expected):
    y = ops.conv(lane(1, 2, 3, 4, 5), kernel(1, 10, 100), strides, padding, dilation_rate=dilation)
    assert y[0, :, 0].tolist() == expected


def test_an_odd_place_of_padding_goes_to_the_end():
    assert ops.conv(lane(1, 2, 3), kernel(1, 10), padding="same")[0, :, 0].tolist() == [21, 32, 3]


def test_padding_is_absent_rather_than_zero():
    assert np.isfinite(ops.conv(lane(1, 2), kernel(np.inf, 1, 1), padding="same")[0, 0, 0])


def test_groups_see_their_own_channels():
    x = np.array([1.0, 2, 3, 4]).reshape(1, 1, 4)
    weights = np.array([[1, 10, 100, 1000, 1, 1], [1, 1, 1, 1, 10, 100]], float).reshape(1, 2, 6)
    assert ops.conv(x, weights)[0, 0].tolist() == [3, 12, 102, 3004, 43, 403]


def test_depthwise_filters_of_a_channel_are_neighbours():
    y = ops.depthwise_conv(np.array([[[1.0, 2.0]]]), np.array([[[1, 10, 100], [3, 30, 300]]], float))
    assert y[0, 0].tolist() == [1, 10, 100, 6, 60, 600]


@pytest.mark.parametrize(
    "padding, strides, more, expected",
    [
        ("valid", 1, None, [1, 12, 120, 200]),
        ("valid", 2, None, [1, 10, 102, 20, 200]),
        ("valid", 4, None, [1, 10, 100, 0, 2, 20, 200, 0]),
        ("valid", 2, 1, [1, 10, 102, 20, 200, 0]),
        ("same", 1, None, [12, 120]),
        ("same", 2, None, [1, 10, 102, 20]),
        ("same", 2, 0, [10, 102, 20]),
        ("same", 2, 1, [1, 10, 102, 20]),
    ],
)
def test_transposed_sizes(padding, strides, more, expected):
    y = ops.conv_transpose(lane(1, 2), kernel(1, 10, 100), strides, padding, more)
    assert y[0, :, 0].tolist() == expected


def test_transposed_of_no_place_says_so():
    with pytest.raises(ShapeError, match="conv_transpose: inputs of shape"):
        ops.conv_transpose(np.zeros((1, 0, 1)), kernel(1), strides=3, output_padding=1)


def test_integers_stay_integers_and_wrap_around():
    y = ops.conv(np.full((1, 2, 1), 100, "int8"), np.ones((2, 1, 1), "int8"))
    assert y.dtype == np.int8 and y.item() == -56


def test_dtypes_meet_in_the_wider():
    assert ops.conv(np.zeros((1, 2, 1), "int32"), np.zeros((2, 1, 1), "float32")).dtype == np.float32


def test_an_empty_batch_gives_an_empty_result_and_a_kernel_gradient_of_zeros():
    x, k = Tensor((None, 3, 3, 1), "float64"), Tensor((2, 2, 1, 1), "float64")
    y = ops.conv(x, k)
    values = run([x, k], [y, *gradients(y, [x, k])], np.zeros((0, 3, 3, 1)), np.ones((2, 2, 1, 1)))
    assert [v.shape for v in values] == [(0, 2, 2, 1), (0, 3, 3, 1), (2, 2, 1, 1)]
    assert not values[2].any()


def test_no_filter_gives_no_channel():
    assert ops.conv(np.ones((2, 3, 1)), np.ones((2, 1, 0))).shape == (2, 2, 0)


def calls(rank):
    extents = (4, 5, 3)[:rank]
    image, sizes = (2, *extents, 4), (2, 3, 2)[:rank]
    for padding, strides, dilation in [("valid", 1, 1), ("same", 2, 1), ("same", 3, 2), ("valid", 2, 1)]:
        a = {"strides": strides, "padding": padding, "dilation_rate": dilation if padding == "same" else 1}
        yield ops.conv, image, (*sizes, 2, 4), a
        yield ops.conv_transpose, image, (*sizes, 3, 4), {**a, "output_padding": 1 if strides == 2 else None}
    yield ops.depthwise_conv, image, (*sizes, 4, 2), {"padding": "same", "strides": 2}
    if rank == 1:
        yield ops.conv, image, (*sizes, 4, 1), {"padding": "causal", "strides": 2}


@pytest.mark.parametrize("first", [False, True], ids=["channels_last", "channels_first"])
@pytest.mark.parametrize("function, image, shape, a", list(itertools.chain(*map(calls, (1, 2, 3)))))
def test_open_batch_and_spatial_axes_give_what_known_ones_give(function, image, shape, a, first):
    """The result, both gradients, and the gradients of a number made of the gradients."""
    channels, image = image[-1], image[:-1]
    if first:
        image, opened = (image[0], channels, *image[1:]), (None, channels, *[None] * (len(image) - 1))
    else:
        image, opened = (*image, channels), (*[None] * len(image), channels)
    a = {**a, "data_format": "channels_first" if first else "channels_last"}
    feeds = [whole(*image), whole(*shape)]

    def all_of(x_shape):
        x, k = Tensor(x_shape, "float64"), Tensor(shape, "float64")
        y = function(x, k, **a)
        dx, dk = gradients(ops.multiply(y, ops.square(y)), [x, k])
        assert dx.shape == x.shape and dk.shape == k.shape
        second = gradients(ops.add(ops.sum(ops.square(dx)), ops.sum(ops.square(dk))), [x, k])
        return [y.shape], run([x, k], [y, dx, dk, *second], *feeds)

    (promised,), known = all_of(image)
    (opened,), open_ones = all_of(opened)
    assert promised == known[0].shape
    assert all(p in (None, n) for p, n in zip(opened, promised)) and None in opened
    for p, q in zip(known, open_ones):
        np.testing.assert_array_equal(p, q)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_is_the_gradient_of_the_convolution(rank):
    """y = conv(x, k); then d<y, dy>/dx == conv_transpose(dy, k)."""
    sizes = (2, 3, 1)[:rank]
    x, k = Tensor((2, *(5, 6, 3)[:rank], 3), "float64"), Tensor((*sizes, 3, 2), "float64")
    y = ops.conv(x, k, strides=1)
    dy = Tensor(y.shape, "float64")
    (dx,) = gradients(ops.multiply(y, dy), [x])
    feeds = whole(*x.shape), whole(*k.shape), whole(*dy.shape)
    np.testing.assert_array_equal(run([x, k, dy], [dx], *feeds)[0], ops.conv_transpose(feeds[2], feeds[1]))
