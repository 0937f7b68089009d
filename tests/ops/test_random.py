"""The generator against its published vectors, the draws against their distributions, and the rules of seeds."""

import math
from collections import Counter

import mpmath
import numpy as np
import pytest
from scipy import stats

from refnet import ops, random
from refnet.definition import Op
from refnet.engine import interpret, reference
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.graph import Tensor, Variable
from refnet.philox import inner_fraction, log_below_one, normal_quantile, philox4x32, product_words, whole_below
from refnet.program import Program

ONES = 0xFFFFFFFF
ALMOST_NEVER = 1e-4  # the seeds are fixed: these tests do not fail by chance


@pytest.mark.parametrize(
    "words, expected",
    [
        ((0, 0, 0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 6, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_published_vectors_of_random123(words, expected):
    assert philox4x32(*words) == expected


def test_products_stay_within_int64_and_are_exact():
    with np.errstate(over="raise"):
        for a in (1, 0xD2511F53, ONES, 2**32):
            for b in (0, 1, 0x10000, 0xFFFF, ONES):
                high, low = product_words(np.int64(a), np.int64(b))
                assert int(high) * 2**32 + int(low) == a * b
        for bound in (1, 10, 2**32 - 1, 2**32, 2**62 + 12345, 2**63 - 1):
            for w in (0, 1, 2**63, 2**64 - 1, 0x9E3779B97F4A7C15):
                got = whole_below(np.int64(bound), np.int64(w >> 32), np.int64(w & ONES))
                assert int(got) == (bound * w) >> 64 < bound


class Counted:
    """A float64, and for each rounding on the way to it how far it would be moved by one of size 1."""

    def __init__(self, value, moves=None):
        """A number that is read; a constant, where no moves are given, is rounded once from its decimals."""
        self.value, self.moves = value, Counter({object(): value}) if moves is None else moves

    def __neg__(self):
        return Counted(-self.value, Counter({rounding: -move for rounding, move in self.moves.items()}))

    def __add__(self, other):
        other = counted(other)
        return rounded(self.value + other.value, (1.0, self), (1.0, other))

    def __sub__(self, other):
        return self + -counted(other)

    def __rsub__(self, other):
        return counted(other) + -self

    def __mul__(self, other):
        other = counted(other)
        return rounded(self.value * other.value, (other.value, self), (self.value, other))

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other):
        quotient = self.value / other.value
        return rounded(quotient, (1 / other.value, self), (-quotient / other.value, other))

    def sqrt(self):
        root = math.sqrt(self.value)
        return rounded(root, (0.5 / root, self))

    def __lt__(self, bound):
        return self.value < bound

    def __le__(self, bound):
        return self.value <= bound

    def __ge__(self, bound):
        return self.value >= bound


def counted(x):
    return x if isinstance(x, Counted) else Counted(x)


def rounded(value, *operands):
    """The result of an operation: what moved its operands, by the slope towards each, and a rounding of its own."""
    moves = Counter({object(): value})
    for slope, x in operands:
        moves.update({rounding: slope * move for rounding, move in x.moves.items()})
    return Counted(value, moves)


def test_logarithm_and_quantile_against_mpmath():
    mpmath.mp.dps = 40
    points = [2.0**-k * m for k in range(1, 53) for m in (1.0, 1.1, 1.5, 1.99)]
    points += [1 - p for p in points if p < 0.5] + [inner_fraction(0, 0), inner_fraction(ONES, ONES), 0.5 + 1e-9]
    for p in (p for p in points if p < 1):
        exact = mpmath.log(p)
        assert abs(log_below_one(p) - exact) <= 2 * math.ulp(float(exact))
        exact = mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(p) - 1)
        got = normal_quantile(Counted(p, Counter()))
        assert got.value == normal_quantile(p)
        # Wichura's quotients are right to 1e-16, the logarithm's series to 2**-58 (fdlibm); the root halves the latter, the quotient
        # no more than doubles that. Squares of roundings are as small beside these as these beside 1.
        room = 2.0**-53 * sum(map(abs, got.moves.values())) + (1e-16 + 2.0**-58) * abs(exact)
        assert abs(got.value - exact) <= room
    assert normal_quantile(0.5) == 0 and inner_fraction(0, 0) > 0 and inner_fraction(ONES, ONES) < 1


@pytest.mark.parametrize(
    "dtype, unit", [("float32", 2**-24), ("float64", 2**-53), ("float16", 2**-11), ("bfloat16", 2**-8)]
)
def test_uniform_is_even_in_every_dtype(dtype, unit):
    y = random.uniform((4001,), dtype=dtype, seed=5)
    wide = y.astype(np.float64)
    assert y.dtype.name == dtype and wide.min() >= 0 and wide.max() < 1
    np.testing.assert_array_equal(wide / unit, np.floor(wide / unit))
    assert stats.kstest(wide + unit / 2, "uniform").pvalue > ALMOST_NEVER
    z = random.uniform((4001,), -3.0, 5.0, dtype="float64", seed=5)
    assert stats.kstest((z + 3) / 8, "uniform").pvalue > ALMOST_NEVER


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_and_truncated_normal_have_their_distributions(dtype):
    y = random.normal((4001,), 1.0, 2.0, dtype=dtype, seed=9).astype(float)
    assert stats.kstest((y - 1) / 2, "norm").pvalue > ALMOST_NEVER
    z = random.truncated_normal((4001,), 1.0, 2.0, dtype=dtype, seed=9).astype(float)
    assert stats.kstest((z - 1) / 2, stats.truncnorm(-2, 2).cdf).pvalue > ALMOST_NEVER
    assert abs(z - 1).max() <= 4


def test_randint_hits_every_number_equally():
    y = random.randint((6000,), -3, 3, seed=2)
    assert y.dtype == np.int32
    values, counts = np.unique(y, return_counts=True)
    assert values.tolist() == [-3, -2, -1, 0, 1, 2]
    assert stats.chisquare(counts).pvalue > ALMOST_NEVER
    assert random.randint((3,), 7, 8, "uint8", seed=1).tolist() == [7, 7, 7]
    wide = random.randint((2000,), -(2**62), 2**62 - 1, "int64", seed=1).astype(float)
    assert stats.kstest(wide / 2**63 + 0.5, "uniform").pvalue > ALMOST_NEVER


def test_dropout_keeps_the_stated_part_and_scales_it():
    y = random.dropout(np.full((100, 50), 2.0, np.float32), 0.2, seed=1)
    assert y.dtype == np.float32 and set(np.unique(y)) == {0.0, np.float32(2.5)}
    assert stats.binomtest(int((y == 0).sum()), 5000, 0.2).pvalue > ALMOST_NEVER
    rows = random.dropout(np.ones((20, 5), np.float32), 0.5, noise_shape=(None, 1), seed=1)
    assert all(len(set(row)) == 1 for row in rows.tolist()) and len(set(rows[:, 0])) == 2
    x = np.ones((3, 2), np.float32)
    assert random.dropout(x, 0, seed=1).tolist() == x.tolist() and not random.dropout(x, 1, seed=1).any()


def test_every_order_comes_equally_often():
    orders = [tuple(random.permutation(4, seed)) for seed in range(2400)]
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 24 and stats.chisquare(counts).pvalue > ALMOST_NEVER
    assert sorted(random.permutation(101, 3)) == list(range(101)) and random.permutation(0, 3).shape == (0,)
    x = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(random.shuffle(x, 1, seed=8), x[:, random.permutation(4, 8)])


def test_tasks_may_be_cut_anywhere():
    call = {"shape": (11,), "dtype": "float32", "seed": 3, "place": 2, "mean": 0.0, "stddev": 1.0}
    whole, pieces = np.empty(11, np.float32), np.empty(11, np.float32)
    op = Op.named["random_normal"]
    interpret(op, [np.int64(7)], call, [whole])
    for block in (2, 0, 1):
        interpret(op, [np.int64(7)], call, [pieces], tasks=[(block,)])
    assert whole.tobytes() == pieces.tobytes()


def test_a_seed_gives_the_same_numbers_and_a_generator_others_each_time():
    draw = lambda seed: random.normal((8,), seed=seed).tolist()
    assert draw(4) == draw(4) != draw(5)
    generator, twin = random.SeedGenerator(4), random.SeedGenerator(4)
    first, second = draw(generator), draw(generator)
    assert first == draw(4) != second and [draw(twin), draw(twin)] == [first, second]
    assert generator.state.numpy().tolist() == [4, 2]
    random.set_random_seed(11)
    drawn = [draw(None), random.next_seed()]
    random.set_random_seed(11)
    assert drawn == [draw(None), random.next_seed()]
    assert draw(None) != draw(None)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "1", True])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(ArgumentError, match="a seed is an integer in 0..4294967295"):
        random.uniform((2,), seed=seed)


def test_bad_arguments_are_refused():
    with pytest.raises(DtypeError, match="randint"):
        random.uniform((2,), dtype="int32")
    with pytest.raises(DtypeError, match="uniform"):
        random.randint((2,), 0, 2, dtype="float32")
    with pytest.raises(ArgumentError, match="minval must lie below maxval"):
        random.randint((2,), 3, 3)
    with pytest.raises(ArgumentError, match="within uint8"):
        random.randint((2,), 0, 257, "uint8")
    with pytest.raises(ArgumentError, match=r"in 0..1; got 1.5"):
        random.dropout(np.ones(2), 1.5)
    with pytest.raises(ShapeError, match="noise_shape"):
        random.dropout(np.ones((2, 3)), 0.5, noise_shape=(2, 2))
    with pytest.raises(ShapeError, match="negative"):
        random.normal((2, -1))


def test_in_a_program_a_draw_depends_on_run_and_place():
    x = Tensor((None, 4))
    a, b = random.dropout(x, 0.5, seed=6), random.dropout(x, 0.5, seed=6)
    counter = Variable(0, dtype="int64", trainable=False)
    program = reference.prepare(Program([x], [a, b], counter=counter))
    ones = np.ones((5, 4), np.float32)
    (a0, b0), (a1, b1) = program.run([ones]), program.run([ones])
    assert int(counter) == 2
    assert len({v.tobytes() for v in (a0, b0, a1, b1)}) == 4
    np.testing.assert_array_equal(a0, random.dropout(ones, 0.5, seed=6))  # place 0, run 0
    resumed = reference.prepare(Program([x], [a, b], counter=Variable(1, dtype="int64", trainable=False)))
    np.testing.assert_array_equal(resumed.run([ones])[1], b1)


def test_shuffle_and_open_shapes_in_a_program():
    x = Tensor((None, 2))
    n = ops.shape(x)[0]
    outputs = [random.shuffle(x, seed=1), random.normal((n, 3), seed=2), random.permutation(n, 3)]
    shuffled, drawn, order = reference.prepare(Program([x], outputs)).run([np.arange(12.0).reshape(6, 2)])
    assert sorted(shuffled[:, 0]) == [0, 2, 4, 6, 8, 10] and (shuffled[:, 1] == shuffled[:, 0] + 1).all()
    assert drawn.shape == (6, 3) and sorted(order) == list(range(6))
