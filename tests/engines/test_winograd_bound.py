"""The bound that the results of tiles have of their own: 0 where whole numbers do not round, and otherwise as counted by hand."""

from fractions import Fraction

import numpy as np
import pytest

from refnet.definition import Op
from refnet.engine import get_engine
from refnet_fast.cpu import winograd_bound

NAMES = ("conv2d", "conv2d_inputs_gradient", "conv2d_kernel_gradient")
PADDED = {"padding": (1, 1)}
DIGITS = {"float32": 24, "float64": 53}


def computed(name, arrays):
    """The result of a convolution padded by 1 (16 x 16 places), or of one of its gradients, and its bound by index."""
    attributes = {"groups": 1, "strides": (1, 1), "dilation": (1, 1), "padding": (1, 1)}
    attributes["extents"] = (3, 3) if name == "conv2d_kernel_gradient" else (16, 16)
    engine, op = get_engine("cpu"), Op.named[name]
    (result,) = engine.compute(op, arrays, attributes)
    return result, engine.bound_of(op, arrays, attributes)


def one_tap(name, size, dtype, least=None):
    """Whole numbers, +size and -size or from `least` on, met by one 1, so that each result is one of them; and these results.

    Transformed, a tile of them has sums of 4; the 1 in the middle of a kernel meets 4 of these by 1/4, so that the absolute values of a
    result's terms add up to 4 * size. A slope at the first place of a tile meets 16 of them by 1, 1/2 or 1/4 to give the first tap of
    the kernel's gradient: 16 * size.
    """
    random, shape = np.random.default_rng(1), (4, 16, 16, 32)
    x = (random.choice([-1, 1], shape) * random.integers(size if least is None else least, size + 1, shape)).astype(
        dtype
    )
    if name == "conv2d_kernel_gradient":
        dy, due = np.zeros((4, 16, 16, 32), dtype), np.zeros((3, 3, 32, 32), dtype)
        dy[2, 6, 8, 5] = 1
        due[..., 5] = x[2, 5:8, 7:10]
        return [x, dy], due
    k, due = np.zeros((3, 3, 32, 32), dtype), np.zeros_like(x)
    k[1, 1, 3, 20] = 1
    given, made = (3, 20) if name == "conv2d" else (20, 3)
    due[..., made] = x[..., given]
    return [x, k], due


@pytest.mark.parametrize("dtype", DIGITS)
@pytest.mark.parametrize("name", NAMES)
def test_whole_numbers_are_exact_below_a_limit(name, dtype):
    limit = 2 ** (DIGITS[dtype] - (6 if name == "conv2d_kernel_gradient" else 4))
    index = {"conv2d": (1, 6, 8, 20), "conv2d_inputs_gradient": (1, 6, 8, 3), "conv2d_kernel_gradient": (0, 0, 7, 5)}[
        name
    ]
    arrays, due = one_tap(name, limit - 1, dtype)
    result, bound = computed(name, arrays)
    np.testing.assert_array_equal(result, due)
    assert bound(index) == 0
    _, bound = computed(name, one_tap(name, limit, dtype)[0])
    assert 0 < bound(index) < limit / 2


@pytest.mark.parametrize("name", NAMES)
def test_large_whole_numbers_round_within_the_bound(name):
    """As those of the definition do not, whose every sum is one of these numbers."""
    arrays, due = one_tap(name, 2**24 - 1, "float32", 2**23)
    result, bound = computed(name, arrays)
    off = np.abs(result.astype("float64") - due)
    wrong = np.argwhere(off > 0)
    assert len(wrong)
    for index in map(tuple, wrong[:: len(wrong) // 40 + 1]):
        assert off[index] <= bound(index)


def test_fractions_have_a_bound_however_small_they_are():
    arrays, _ = one_tap("conv2d", 8, "float32")
    arrays[0][0, 0, 0, 0] = 0.5
    assert computed("conv2d", arrays)[1]((1, 6, 8, 20)) > 0


def gamma(roundings, digits=24):
    share = Fraction(roundings, 2**digits)
    return share / (1 - share)


def assert_slightly_above(bound, due):
    assert due <= Fraction(float(bound)) < due * (1 + Fraction(1, 2**24))


@pytest.mark.parametrize("channels, added_up", [(1, 1), (512, 512), (513, 513), (1025, 514)])
def test_the_bound_of_one_tap_by_hand(channels, added_up):
    """3/2 in the second row and column of a tile and a tap of 5 in the middle: four of the transformed taps are 5/4, and meet 3/2.

    So all four results of the tile have the bound of 15/2, though the first alone has a term. A number passes through 1 + 1 additions
    of an image's transform, 2 + 2 of a kernel's, those of the channels, 512 in a row, and 2 + 2 of a result's.
    """
    x, k = np.zeros((1, 8, 8, channels), "float32"), np.zeros((3, 3, channels, 2), "float32")
    x[0, 2, 4, -1], k[1, 1, -1, 1] = 1.5, 5
    bound = winograd_bound.bound_of("conv2d_in_tiles", [x, k], PADDED)
    for i, j in ((2, 4), (2, 5), (3, 4), (3, 5)):
        assert_slightly_above(bound((0, i, j, 1)), gamma(added_up + 10) * Fraction(15, 2))
    assert bound((0, 4, 5, 1)) < 1e-30  # another tile: products that underflow


@pytest.mark.parametrize("images, channels, added_up", [(1, 1, 16), (20, 64, 48 + 3 + 1)])
def test_the_bound_of_a_kernels_gradient_by_hand(monkeypatch, images, channels, added_up):
    """3/2 in the second row and column of a tile and a slope of 5 at its first place: four of the products are 15/2.

    Each tap takes a quarter of these. A number passes through 1 + 1 additions of either transform, 2 + 2 of the result's, those of the
    16 tiles of each image, here 48 in a row, those of 4 blocks of 48 in a row, and that of the 3 blocks behind them.
    """
    monkeypatch.setattr(winograd_bound, "BLOCKS", 4)
    x, dy = np.zeros((images, 8, 8, channels), "float32"), np.zeros((images, 8, 8, channels), "float32")
    x[0, 2, 4, 0], dy[0, 2, 4, 0] = 1.5, 5
    bound = winograd_bound.bound_of("conv2d_kernel_gradient_in_tiles", [x, dy], PADDED)
    for p, q in ((0, 0), (1, 1), (2, 0)):
        assert_slightly_above(bound((p, q, 0, 0)), gamma(added_up + 8) * Fraction(15, 2))


def test_results_come_near_their_bound():
    """Of one channel among 32 and one tap, a result passes through 11 roundings of the 42 that are counted, and of both signs."""
    random = np.random.default_rng(1)
    x, k = np.zeros((4, 16, 16, 32), "float32"), np.zeros((3, 3, 32, 32), "float32")
    x[..., 3], k[1, 1, 3] = random.uniform(1, 2, (4, 16, 16)), random.uniform(1, 2, 32)
    result, bound = computed("conv2d", [x, k])
    off = np.abs(result - x[..., 3:4].astype("float64") * k[1, 1, 3])
    worst = np.argsort(off, axis=None)[-200:]
    shares = [off[index] / bound(index) for index in zip(*np.unravel_index(worst, off.shape))]
    assert 0.02 < max(shares) < 1
