"""Arguments of the wrong kind, found by hostile calls: each is refused in the op's words, or taken as NumPy takes it."""

import numpy as np
import pytest

from refnet import layers, ops, random
from refnet.engine import reference
from refnet.errors import ArgumentError, DataError, OutOfMemoryError, RefnetError, ShapeError
from refnet.graph import Tensor
from refnet.ops.indexing import take_x_gradient
from refnet.ops.segments import prepared
from refnet.ops.slicing import slice_inputs_gradient
from refnet.preprocessing import image
from refnet.program import Program, check_range
from refnet.testing.closeness import ELEMENTARY, close

ONE, ZERO, MATRIX = np.ones(1, "float32"), np.zeros(1, "float32"), np.ones((1, 1), "float32")
NOTHING = np.zeros((2, 0), "float32")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.lamb_update(ONE, ZERO, ZERO, ONE, 0.5, 1, beta_1="x"), "lamb_update: beta_1 must be a number; got 'x'"),
        (lambda: ops.adafactor_update(ONE, 0.0, 0.0, ZERO, ONE, 0.5, 1, beta_2_decay={}), "beta_2_decay must be a number"),
        (lambda: ops.schedule_free_adamw_update(ONE, ONE, ZERO, ONE, 0.5, 1, warmup_steps=None), "warmup_steps must be a"),
        (lambda: ops.muon_update(MATRIX, MATRIX, MATRIX, 0.5, steps=2**33), "steps must be 0..1000; got 8589934592"),
        (lambda: ops.muon_update(MATRIX, MATRIX, MATRIX, 0.5, polynomial=(1.0, 2.0)), "three numbers; got 2"),
        (lambda: ops.unstack(np.broadcast_to(np.float32(0), (1, 2**28)), axis=1), "65536 at most; axis 1 has 268435456"),
        (lambda: ops.unstack(np.ones((3, 1)), num=NOTHING), "unstack: num must be a number; got a ndarray"),
        (lambda: ops.unique([3, 1, 3], size=5, fill_value=np.inf), "fill_value must be a whole number; got inf"),
        (lambda: ops.unique([3, 1, 3], return_counts=NOTHING), "return_counts must be True or False"),
        (lambda: ops.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]], from_logits=NOTHING), "from_logits must be True"),
        (lambda: ops.hsplit(np.zeros(0), 2**33), "hsplit makes 1 to 65536 parts; got 8589934592"),
        (lambda: ops.group_normalization(np.ones((4, 2, 2)), groups=NOTHING), "groups must be a number; got a ndarray"),
        (lambda: slice_inputs_gradient([1.0, 2.0], np.zeros(5), (3,), (10**30,)), "lie outside of shape (5,)"),
        (lambda: slice_inputs_gradient([1.0, 2.0], np.zeros(5), (3,), (2,)), "lie outside of shape (5,)"),
        (lambda: ops.sparse_categorical_crossentropy([1], [[0.5, 0.5]], from_logits=NOTHING), "from_logits must be True"),
    ],
)  # fmt: skip
def test_refused_in_words(call, message):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert message in str(caught.value)


def test_a_noise_shape_of_rows_is_refused():
    with pytest.raises((ArgumentError, ShapeError)) as caught:
        random.dropout(np.ones((1, 6)), 0.5, noise_shape=np.zeros((2, 0)), seed=1)
    assert isinstance(caught.value, RefnetError) and "dropout" in str(caught.value)


def test_arrays_of_one_number_are_taken_for_the_number():
    three = np.array(3)
    assert random.normal(three, seed=1).tolist() == random.normal((3,), seed=1).tolist()
    assert [part.tolist() for part in ops.split([1, 2, 3], three)] == [[1], [2], [3]]


def test_counts_of_unsigned_integers():
    assert ops.bincount(np.array([3, 1], "uint8")).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("like", [np.zeros(0), Tensor((0,), "float64")], ids=["array", "tensor"])
def test_indices_into_nothing_are_refused_before_a_kernel_could_follow_them(like):
    with pytest.raises(ShapeError, match=r"take_x_gradient: indices of shape \(3,\) have nothing to point at"):
        take_x_gradient(np.array([1.0, 2.0, 3.0]), np.array([0, 2, 0]), like=like, axis=0)


def test_no_indices_into_nothing_are_fine():
    assert take_x_gradient(np.zeros(0), np.zeros(0, "int64"), like=np.zeros(0), axis=0).tolist() == []


def test_a_mask_that_no_memory_holds():
    with pytest.raises(OutOfMemoryError, match="slice_update: there is not enough memory"):
        ops.slice_update(np.broadcast_to(np.int32(1), (2**50,)), (2,), np.ones(4, "int32"))


def test_weights_that_no_memory_holds():
    with pytest.raises(OutOfMemoryError, match="scale_and_translate: there is not enough memory"):
        ops.image.scale_and_translate(np.zeros(3), (2**50,), np.ones(1), np.ones(1), (0,), "cubic")


BYTES = np.array([1, 5], "uint8")


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("divide", 300, [1 / 300, 5 / 300]),
        ("divide", -2, [-0.5, -2.5]),
        ("divide_no_nan", -2, [-0.5, -2.5]),
        ("arctan2", -2, np.arctan2([1.0, 5.0], -2.0)),
        ("hypot", 300, np.hypot([1.0, 5.0], 300.0)),
        ("heaviside", -2, [1.0, 1.0]),
        ("logaddexp", 300, [300.0, 300.0]),
    ],
)
def test_a_number_that_an_integer_dtype_does_not_hold_where_the_result_is_floating(name, number, expected):
    result = getattr(ops, name)(BYTES, number)
    close(result, expected, roundings=3 * ELEMENTARY)  # logaddexp has an exp, a log1p and a sum


@pytest.mark.parametrize("kind", [np.asarray, lambda x: Tensor(x.shape, x.dtype.name)], ids=["array", "tensor"])
@pytest.mark.parametrize(
    ("array", "number", "above"),
    [
        (BYTES, -2, False),
        (BYTES, 300, True),
        (np.array([True, False]), 2**40, True),
        (np.array([2**63 - 1, 0]), 2**63, True),
        (np.array([2**64 - 1, 0], "uint64"), -1, False),
    ],
)
def test_a_number_beyond_all_integers_of_a_dtype_is_compared_as_what_it_is(kind, array, number, above):
    x = kind(array)
    both = {
        f: getattr(ops, f)(x, number) for f in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
    }
    both["turned"] = ops.less(number, x)
    if isinstance(x, Tensor):
        both = dict(zip(both, reference.prepare(Program([x], list(both.values()))).run([array])))
    expected = {"equal": False, "not_equal": True, "less": above, "less_equal": above}
    expected |= {"greater": not above, "greater_equal": not above, "turned": not above}
    assert {name: result.tolist() for name, result in both.items()} == {name: [e, e] for name, e in expected.items()}


def test_bounds_beyond_the_dtype_of_what_is_clipped_do_not_wrap_around():
    assert ops.clip(BYTES, -2, 10).tolist() == [1, 5]
    assert ops.clip(BYTES, 3, 300).tolist() == [3, 5]
    assert ops.clip(BYTES, np.array([-2, 3]), np.int64(300)).tolist() == [1, 5]
    assert ops.clip(np.array([2**64 - 1], "uint64"), 0, 2**70).tolist() == [2**64 - 1]


def test_no_integer_is_close_to_a_number_beyond_its_dtype():
    assert ops.isclose(BYTES, -2).tolist() == [False, False]


IMAGE = np.ones((1, 3, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.image.gaussian_blur(IMAGE, (3, 1), (np.zeros((2, 0)), 1.0)),
            "gaussian_blur: sigma must be a number",
        ),
        (lambda: ops.image.resize(IMAGE, np.array(3)), r"resize: size must be \(height, width\)"),
        (lambda: ops.split(BYTES, (np.zeros((2, 0)), 1)), "split: indices_or_sections must be a number"),
        (lambda: layers.RandomBrightness(0.1, value_range=np.array(3)), "value_range is a pair of numbers"),
        (lambda: image.ImageDataGenerator(zoom_range=np.array(0.3)), "zoom_range is a pair of numbers"),
    ],
)
def test_arrays_of_no_axes_and_rows_of_unequal_length_are_told_in_words(call, message):
    """NumPy counts the axes of neither, nor goes through the first."""
    with pytest.raises(ArgumentError, match=message):
        call()


def test_numbers_that_stand_for_a_whole_axis_are_looked_at_once():
    """2**40 indices without the memory for them: to read each takes an hour, and then there is no room for them."""
    ids = np.broadcast_to(np.int32(0), (2**40,))
    check_range("take", ids, 0, 1)
    with pytest.raises(DataError, match=r"take: indices must lie in 1..1; the one at \[0\] is 0"):
        check_range("take", ids, 1, 2)
    with pytest.raises(DataError, match=r"the one at \[1, 0\] is 7"):
        check_range("take", np.broadcast_to([[1], [7]], (2, 2**40)), 0, 3)
    data, _, segments = prepared("segment_sum", np.broadcast_to(np.float32(0), (2**40,)), ids, None)
    assert segments == 1 and data.shape == (2**40,)
