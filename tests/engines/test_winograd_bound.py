"""The bound that the results of tiles have of their own: 0 where whole numbers do not round, and otherwise as counted by hand."""

from fractions import Fraction

import numpy as np
import pytest

from refnet.definition import Op
from refnet.engine import get_engine
from refnet_fast.cpu import winograd_bound

NAMES = ("conv2d", "conv2d_inputs_gradient", "conv2d_kernel_gradient")
DIGITS = {"float32": 24, "float64": 53}


def computed(name, arrays, taps=3):
    """The result of a convolution of so many taps on a side (16 x 16 places), or of one of its gradients, and its bound by index."""
    attributes = {"groups": 1, "strides": (1, 1), "dilation": (1, 1), "padding": (taps // 2, taps // 2)}
    attributes["extents"] = (taps, taps) if name == "conv2d_kernel_gradient" else (16, 16)
    engine, op = get_engine("cpu"), Op.named[name]
    (result,) = engine.compute(op, arrays, attributes)
    return result, engine.bound_of(op, arrays, attributes)


def one_tap(name, size, dtype, least=None, taps=3):
    """Whole numbers, +size and -size or from `least` on, met by one 1, so that each result is one of them; and these results.

    Of 3x3 taps: transformed, a tile of them has sums of 4; the 1 in the middle of a kernel meets 4 of these by 1/4, so that the absolute
    values of a result's terms add up to 4 * size. A slope at the first place of a tile meets 16 of them by 1, 1/2 or 1/4 to give the
    first tap of the kernel's gradient: 16 * size.

    Of 5 taps in a row, the one in the middle is among the even ones, alone and with the odd ones. By 1/2 it meets two sums of 4 (of
    places whose neighbour was taken off) and two of 2, which make 6 * size of an even result, and 36 * size on both sides. A slope at the
    first place meets three sums of 4 and three of 2, by 1, 1/2 and 1/2: 12 * size, and 144 * size on both sides.
    """
    random, shape = np.random.default_rng(1), (4, 16, 16, 32)
    x = (random.choice([-1, 1], shape) * random.integers(size if least is None else least, size + 1, shape)).astype(
        dtype
    )
    if name == "conv2d_kernel_gradient":
        dy, due = np.zeros((4, 16, 16, 32), dtype), np.zeros((taps, taps, 32, 32), dtype)
        dy[2, 8, 8, 5], first = 1, 8 - taps // 2
        due[..., 5] = x[2, first : first + taps, first : first + taps]
        return [x, dy], due
    k, due = np.zeros((taps, taps, 32, 32), dtype), np.zeros_like(x)
    k[taps // 2, taps // 2, 3, 20] = 1
    given, made = (3, 20) if name == "conv2d" else (20, 3)
    due[..., made] = x[..., given]
    return [x, k], due


@pytest.mark.parametrize("dtype", DIGITS)
@pytest.mark.parametrize("taps, terms", [(3, (4, 16)), (5, (36, 144))])
@pytest.mark.parametrize("name", NAMES)
def test_whole_numbers_are_exact_below_a_limit(name, taps, terms, dtype):
    most = (2 ** DIGITS[dtype] - 1) // (4 * terms[name == "conv2d_kernel_gradient"])
    index = {"conv2d": (1, 6, 8, 20), "conv2d_inputs_gradient": (1, 6, 8, 3), "conv2d_kernel_gradient": (0, 0, 7, 5)}[
        name
    ]
    arrays, due = one_tap(name, most, dtype, taps=taps)
    result, bound = computed(name, arrays, taps)
    np.testing.assert_array_equal(result, due)
    assert bound(index) == 0
    _, bound = computed(name, one_tap(name, most + 1, dtype, taps=taps)[0], taps)
    assert 0 < bound(index) < most / 2


@pytest.mark.parametrize("taps", [2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("name", NAMES)
def test_large_whole_numbers_round_within_the_bound(name, taps):
    """As those of the definition do not, whose every sum is one of these numbers."""
    arrays, due = one_tap(name, 2**24 - 1, "float32", 2**23, taps)
    result, bound = computed(name, arrays, taps)
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


# What a place or a result of a tile weighs, by its number: of 5 taps, where they alternate, an even one has terms of two kinds.
WEIGHTS = {3: (1, 1, 1), 5: (2, 1, 2, 1, 2)}


@pytest.mark.parametrize("taps, around", [(3, 10), (5, 16)])
@pytest.mark.parametrize("channels, added_up", [(1, 1), (512, 512), (513, 513), (1025, 514)])
def test_the_bound_of_one_tap_by_hand(channels, added_up, taps, around):
    """3/2 in the second row and column of a 3x3 kernel's tile and a tap of 5 in the middle: four of the transformed taps are 5/4, and
    meet 3/2. So all four results of the tile have the bound of 15/2, though the first alone has a term.

    Of 5 taps in a row, the fourth place is the second odd one. It lies in the even places less the odd ones and in the odd ones; the tap is
    among the even ones, and among those with the odd ones added: so even results have two times the terms, and odd ones once.

    A number passes through 1 + 1 additions of an image's transform, 2 + 2 of a kernel's, those of the channels, 512 in a row, and 2 + 2
    of a result's; where taps alternate, through one more on each side of each.
    """
    x, k = np.zeros((1, 8, 8, channels), "float32"), np.zeros((taps, taps, channels, 2), "float32")
    tile, place = {3: ((2, 4), (2, 4)), 5: ((0, 4), (1, 5))}[taps]
    x[0, *place, -1], k[taps // 2, taps // 2, -1, 1] = 1.5, 5
    attributes = {"padding": (taps // 2, taps // 2), "extents": (8, 8)}
    bound = winograd_bound.bound_of("conv2d_in_tiles", [x, k], attributes)
    for i, j in np.ndindex(taps - 1, taps - 1):
        due = gamma(added_up + around) * Fraction(15, 2) * WEIGHTS[taps][i] * WEIGHTS[taps][j]
        assert_slightly_above(bound((0, tile[0] + i, tile[1] + j, 1)), due)
    assert bound((0, 4, 3, 1)) < 1e-30  # another tile: products that underflow


@pytest.mark.parametrize(
    "taps, images, channels, added_up, around",
    [(3, 1, 1, 16, 8), (3, 20, 64, 48 + 3 + 1, 8), (5, 1, 1, 4, 14), (5, 80, 64, 48 + 3 + 1, 14)],
)
def test_the_bound_of_a_kernels_gradient_by_hand(monkeypatch, taps, images, channels, added_up, around):
    """3/2 in the second row and column of a tile and a slope of 5 at its first place: four of the products are 15/2, and each tap takes
    a quarter of these. Of 5 taps 3/2 is in the fourth row and column, and even taps have two such sums.

    A number passes through 1 + 1 additions of either transform, 2 + 2 of the result's, those of the 16 tiles of each image, here 48 in a
    row, those of 4 blocks of 48 in a row, and that of the 3 blocks behind them. Where taps alternate, one more on each side of each
    transform.
    """
    monkeypatch.setattr(winograd_bound, "BLOCKS", 4)
    x, dy = np.zeros((images, 8, 8, channels), "float32"), np.zeros((images, 8, 8, channels), "float32")
    tile, place = {3: ((2, 4), (2, 4)), 5: ((0, 4), (1, 5))}[taps]
    x[0, *place, 0], dy[0, *tile, 0] = 1.5, 5
    attributes = {"padding": (taps // 2, taps // 2), "extents": (taps, taps)}
    bound = winograd_bound.bound_of("conv2d_kernel_gradient_in_tiles", [x, dy], attributes)
    for p, q in np.ndindex(taps, taps):
        due = gamma(added_up + around) * Fraction(15, 2) * WEIGHTS[taps][p] * WEIGHTS[taps][q]
        assert_slightly_above(bound((p, q, 0, 0)), due)


@pytest.mark.parametrize("taps", [2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("name", NAMES)
def test_what_underflows_stays_within_the_bound(name, taps):
    """Halves of the least numbers, of odd multiples, are not numbers. Here every sum of the definition is one."""
    random, least = np.random.default_rng(taps), np.finfo("float32").smallest_subnormal
    x, dy = random.integers(-3, 4, (2, 4, 16, 16, 32)).astype("float32")
    k = random.integers(-3, 4, (taps, taps, 32, 32)).astype("float32")
    arrays = {"conv2d": [x, k * least], "conv2d_inputs_gradient": [dy, k * least]}.get(name, [x, dy * least])
    whole = {"conv2d": [x, k], "conv2d_inputs_gradient": [dy, k]}.get(name, [x, dy])
    (result, bound), (due, _) = computed(name, arrays, taps), computed(name, whole, taps)
    off = np.abs(result.astype("float64") - due * float(least))
    for index in map(tuple, np.argwhere(off >= np.sort(off, axis=None)[-20])[:40]):
        assert off[index] <= bound(index)


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
