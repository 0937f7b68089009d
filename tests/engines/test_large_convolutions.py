"""Convolutions whose kernels are larger than what is kept at hand, or have few filters, or go in tiles: on small whole numbers, which
do not round, and in any number of parts."""

import numpy as np
import pytest

from refnet.definition import Op
from refnet.engine import get_engine, spec_of
from refnet_fast import kernels, vm

NAMES = ("conv2d", "conv2d_inputs_gradient", "conv2d_kernel_gradient")
# Images, kernels, then strides, dilation, and places before the image and behind it. A panel of 64 filters takes 128 KB or more,
# another one less; and where filters are few, channels may fill vectors or not.
CASES = {
    "padded on all sides": ((2, 24, 24, 64), (5, 5, 64, 80), (1, 1), (1, 1), ((2, 2), (2, 2))),
    "strides and a rest": ((3, 12, 9, 96), (4, 4, 96, 64), (2, 2), (1, 1), ((1, 1), (0, 1))),
    "few whole windows": ((2, 5, 4, 64), (3, 3, 64, 64), (1, 1), (1, 1), ((2, 2), (2, 2))),
    "taps apart": ((2, 9, 11, 128), (3, 3, 128, 70), (1, 2), (2, 3), ((0, 1), (3, 2))),
    "no window reaches a corner": ((1, 3, 2, 320), (2, 2, 320, 64), (1, 1), (1, 1), ((3, 2), (4, 3))),
    "tiles, the last ones in part": ((4, 19, 17, 32), (3, 3, 32, 80), (1, 1), (1, 1), ((1, 1), (1, 1))),
    "tiles of images that are padded on one side": ((4, 18, 17, 48), (3, 3, 48, 32), (1, 1), (1, 1), ((2, 0), (0, 2))),
    "tiles of more channels than are added up in a row": (
        (16, 8, 8, 528),
        (3, 3, 528, 32),
        (1, 1),
        (1, 1),
        ((1, 1), (1, 1)),
    ),
    "tiles of 5x5 taps": ((5, 15, 17, 32), (5, 5, 32, 80), (1, 1), (1, 1), ((2, 2), (2, 2))),
    "tiles of many taps down and some across": ((5, 18, 17, 48), (7, 4, 48, 32), (1, 1), (1, 1), ((3, 5), (0, 4))),
    "tiles of few taps down and many across": ((4, 18, 20, 32), (2, 6, 32, 48), (1, 1), (1, 1), ((0, 0), (5, 0))),
    "more taps than are transformed at a time": ((4, 16, 17, 304), (5, 5, 304, 144), (1, 1), (1, 1), ((2, 2), (4, 1))),
    "taps beyond all sides of an image": ((16, 4, 5, 32), (7, 6, 32, 32), (1, 1), (1, 1), ((6, 6), (5, 5))),
    "three filters": ((2, 10, 10, 128), (7, 7, 128, 3), (1, 1), (1, 1), ((3, 3), (3, 3))),
    "one filter, taps apart": ((2, 9, 20, 32), (3, 4, 32, 1), (2, 1), (1, 3), ((3, 1), (0, 5))),
    "two filters, channels that fill no vector": ((3, 8, 7, 11), (3, 3, 11, 2), (1, 2), (1, 1), ((1, 1), (1, 2))),
}
FEW = [case for case in CASES if "filter" in case]
TILES = [case for case in CASES if "tiles" in case]
LARGE = "more taps than are transformed at a time"  # and in float64 than there is room for
IN_BOTH = [(case, "float32") for case in CASES] + [(case, "float64") for case in FEW + TILES]


def drawn(case, whole, dtype="float32"):
    """Image, kernel, the result's gradient, and the ops' attributes; of whole numbers no sum reaches 2**24."""
    image, kernel, strides, dilation, padding = CASES[case]
    reach = zip(image[1:3], padding, kernel, strides, dilation)
    windows = [(n + sum(around) - (size - 1) * step - 1) // apart + 1 for n, around, size, apart, step in reach]
    rng = np.random.default_rng(1)
    shapes = image, kernel, (image[0], *windows, kernel[3])
    arrays = [rng.integers(-3, 4, shape) if whole else rng.standard_normal(shape) for shape in shapes]
    before = tuple(first for first, _ in padding)
    attributes = {"groups": 1, "strides": strides, "dilation": dilation, "padding": before}
    return [a.astype(dtype) for a in arrays], attributes


def computed(name, arrays, attributes):
    x, k, dy = arrays
    read, extents = {
        "conv2d": ((x, k), dy.shape[1:3]),
        "conv2d_inputs_gradient": ((dy, k), x.shape[1:3]),
        "conv2d_kernel_gradient": ((x, dy), k.shape[:2]),
    }[name]
    (result,) = get_engine("cpu").compute(Op.named[name], read, {**attributes, "extents": extents})
    return result


def tap_by_tap(name, case, arrays):
    """What is due: a product of matrices in float64 for each tap, on the padded image."""
    (sh, sw), (dh, dw), around = CASES[case][2:]
    x, k, dy = (a.astype("float64") for a in arrays)
    padded = np.pad(x, ((0, 0), *around, (0, 0)))
    y, dx, dk = np.zeros_like(dy), np.zeros_like(padded), np.zeros_like(k)
    _, rows, columns, _ = dy.shape
    for p, q in np.ndindex(k.shape[:2]):
        seen = (slice(None), slice(p * dh, p * dh + rows * sh, sh), slice(q * dw, q * dw + columns * sw, sw))
        part = padded[seen][:, :rows, :columns]
        y += part @ k[p, q]
        dx[seen][:, :rows, :columns] += dy @ k[p, q].T
        dk[p, q] = np.tensordot(part, dy, ((0, 1, 2), (0, 1, 2)))
    (top, _), (left, _) = around
    return {
        "conv2d": y,
        "conv2d_inputs_gradient": dx[:, top : top + x.shape[1], left : left + x.shape[2]],
        "conv2d_kernel_gradient": dk,
    }[name]


@pytest.mark.parametrize("case, dtype", IN_BOTH)
@pytest.mark.parametrize("name", NAMES)
def test_whole_numbers_are_added_up_exactly(name, case, dtype):
    arrays, attributes = drawn(case, True, dtype)
    np.testing.assert_array_equal(computed(name, arrays, attributes), tap_by_tap(name, case, arrays))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES[:2])
def test_an_image_gives_the_same_bits_alone_and_among_others(name, case):
    """However many rows a kernel is asked for at once, and whether it copies the filters for them."""
    arrays, attributes = drawn(case, whole=False)
    x, k, dy = arrays
    together = computed(name, arrays, attributes)
    for n in range(x.shape[0]):
        alone = computed(name, (x[n : n + 1], k, dy[n : n + 1]), attributes)
        assert alone.tobytes() == together[n : n + 1].tobytes()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_two_threads_give_the_bits_of_one(name, case):
    arrays, attributes = drawn(case, whole=False)
    results, before = [], vm.thread_count()
    try:
        for count in (1, 2):
            vm.set_threads(count)
            results.append(computed(name, arrays, attributes).tobytes())
    finally:
        vm.set_threads(before)
    assert results[0] == results[1]


def serving(name, arrays, attributes):
    """The name of the kernel that serves a call."""
    kernels.load()
    op, specs = Op.named[name], tuple(spec_of(a) for a in arrays)
    form, promised = op.form(*specs, **attributes), op.specs(*specs, **attributes)
    return kernels.find(kernels.KernelCall(op, form, specs, promised, attributes)).name


@pytest.mark.parametrize("case, dtype", [(LARGE, "float32"), *(both for both in IN_BOTH if both[0] in TILES)])
@pytest.mark.parametrize("name", NAMES)
def test_tiles_serve(name, case, dtype):
    """Or the tests of these cases test something else."""
    arrays, attributes = drawn(case, True, dtype)
    read, extents = {
        "conv2d": ((0, 1), arrays[2].shape[1:3]),
        "conv2d_inputs_gradient": ((2, 1), arrays[0].shape[1:3]),
        "conv2d_kernel_gradient": ((0, 2), CASES[case][1][:2]),
    }[name]
    read = [arrays[place] for place in read]
    assert serving(name, read, {**attributes, "extents": extents}) == f"{name}_in_tiles"


@pytest.mark.parametrize("channels, kernel", [(512, "conv2d_in_tiles"), (1024, "conv2d_rows")])
def test_tiles_do_not_serve_where_their_taps_take_much_memory(channels, kernel):
    """However large the image is."""
    arrays = np.empty((1, 40, 40, channels), "float32"), np.empty((3, 3, channels, channels), "float32")
    attributes = {"groups": 1, "strides": (1, 1), "dilation": (1, 1), "padding": (1, 1), "extents": (40, 40)}
    assert serving("conv2d", arrays, attributes) == kernel


@pytest.mark.parametrize("case", [TILES[0], "tiles of 5x5 taps"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_finite_stays_where_it_is(name, case):
    """In tiles a number spreads; the definition's results are infinite or nan where their own terms are."""
    arrays, attributes = drawn(case, whole=True)
    for a in arrays:
        a[a == 0] = 1  # times infinity it would be nan
    x, k, dy = arrays
    x[1, 5, 6, 3], dy[0, -1, 16, 20] = np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        due = tap_by_tap(name, case, [np.where(np.isfinite(a), a, 0) for a in arrays])
        reached = tap_by_tap(
            name, case, [(~np.isfinite(x)).astype("f"), np.ones_like(k), (~np.isfinite(dy)).astype("f")]
        )
        if name == "conv2d_kernel_gradient":  # a product of two: what the one reaches, and what the other
            ones = [np.ones_like(x), k, (~np.isfinite(dy)).astype("f")]
            others = [(~np.isfinite(x)).astype("f"), k, np.ones_like(dy)]
            reached = tap_by_tap(name, case, ones) + tap_by_tap(name, case, others)
    result = computed(name, arrays, attributes)
    np.testing.assert_array_equal(~np.isfinite(result), reached > 0)
    np.testing.assert_array_equal(result[reached == 0], due[reached == 0])
