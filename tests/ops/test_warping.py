"""Images read at other points: by hand, fill modes against NumPy's padding, gradients with respect to the map."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ShapeError
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing import close

KEEP = [1, 0, 0, 0, 1, 0, 0, 0]
PADS = {"constant": "constant", "nearest": "edge", "wrap": "wrap", "mirror": "reflect", "reflect": "symmetric"}


def moved(down, right):
    return [1, 0, right, 0, 1, down, 0, 0]


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("mode", PADS)
def test_whole_steps_show_what_is_outside(mode, interpolation):
    x = np.arange(12.0).reshape(3, 4, 1)
    around = np.pad(x[..., 0], 7, mode=PADS[mode])
    for down, right in [(0, 0), (2, -3), (-7, 5), (3, 7)]:
        y = ops.affine_transform(x, moved(down, right), interpolation, mode)
        np.testing.assert_array_equal(y[..., 0], around[7 + down : 10 + down, 7 + right : 11 + right])


def test_between_pixels_by_hand():
    x = np.array([[0.0, 1.0], [2.0, 4.0]])[..., None]
    y = ops.affine_transform(x, moved(0.25, 0.5), fill_value=8)
    # row 0.25, col 0.5:  3/4 * (0 + 1) / 2 + 1/4 * (2 + 4) / 2
    assert y[0, 0, 0] == 1.125
    assert y[0, 1, 0] == 0.75 * 4.5 + 0.25 * 6


def test_a_quarter_turn():
    x = np.arange(9.0).reshape(3, 3, 1)
    turn = [0, 1, 0, -1, 0, 2, 0, 0]  # col = i, row = 2 - j
    np.testing.assert_array_equal(ops.affine_transform(x, turn)[..., 0], np.rot90(x[..., 0], -1))


def test_a_projection_divides():
    x = np.arange(5.0).reshape(1, 5, 1)
    y = ops.affine_transform(x, [4, 0, 0, 0, 1, 0, 1, 0], fill_mode="nearest")  # col = 4 j / (j + 1)
    close(y[0, :, 0], [0, 2, 8 / 3, 3, 3.2], 8)


def test_integers_are_rounded_and_kept():
    x = np.array([0, 255, 254], "uint8").reshape(1, 3, 1)
    y = ops.affine_transform(x, moved(0, 0.5), fill_mode="nearest")
    assert y.dtype == "uint8" and y[0, :, 0].tolist() == [128, 254, 254]  # 127.5, 254.5, 254
    large = np.array([2**60 + 1, 3], "int64").reshape(1, 2, 1)
    assert ops.affine_transform(large, KEEP, "nearest")[0, :, 0].tolist() == [2**60 + 1, 3]


def test_channels_first_and_one_map_each():
    x = np.random.default_rng(0).random((2, 4, 5, 3))
    maps = np.array([moved(1, 0), moved(0, -1)])
    y = ops.affine_transform(x, maps)
    np.testing.assert_array_equal(y[0], ops.affine_transform(x[0], maps[0]))
    first = ops.affine_transform(np.moveaxis(x, -1, 1), maps, data_format="channels_first")
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), y)


def test_points_that_are_nowhere():
    x = np.ones((1, 2, 1))
    for point in (np.inf, np.nan, 1e30):
        for how in ("nearest", "bilinear"):
            assert (ops.affine_transform(x, moved(0, point), how, "wrap", fill_value=7) == 7).all()
    far = np.array([[[np.inf], [1.0]]])
    assert ops.affine_transform(far, moved(0, 1), fill_mode="nearest")[0, :, 0].tolist() == [1, 1]  # inf weighs nothing


def test_gradient_with_respect_to_the_map():
    x = np.arange(6.0).reshape(1, 2, 3, 1) ** 2  # 0 1 4 / 9 16 25
    images, maps = Tensor(x.shape, "float64"), Tensor((8,), "float64")
    y = ops.affine_transform(images, maps, fill_mode="nearest")
    executable = reference.prepare(Program([images, maps], gradients(ops.get_item(y, (0, 0, 0, 0)), [images, maps])))
    dx, dt = executable.run([x, np.array(moved(0.25, 0.5))])
    np.testing.assert_array_equal(dx[0, ..., 0], [[0.375, 0.375, 0], [0.125, 0.125, 0]])
    # At the origin only a2 (col) and b2 (row) move anything: 3/4 * (1 - 0) + 1/4 * (16 - 9), and (9 + 16) / 2 - (0 + 1) / 2
    np.testing.assert_array_equal(dt, [0, 0, 2.5, 0, 0, 12, 0, 0])


def test_an_open_batch():
    images = Tensor((None, 2, 3, 1), "float64")
    y = ops.affine_transform(images, moved(0, 1), fill_mode="wrap")
    assert y.shape == (None, 2, 3, 1)
    x = np.arange(12.0).reshape(2, 2, 3, 1)
    (result,) = reference.prepare(Program([images], [y])).run([x])
    np.testing.assert_array_equal(result, np.roll(x, -1, 2))
    with pytest.raises(ShapeError, match="must be known"):
        ops.affine_transform(Tensor((None, None, 3, 1), "float64"), KEEP)
