"""The numbers that proofs are made of: bounds hold for real float32 arithmetic, and are not wider than they need to be."""

import inspect
from fractions import Fraction

import numpy as np
import pytest
from drawing import Drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from refnet import scalars
from refnet.engine import get_engine
from refnet.scalars.bound import Bound
from refnet.scalars.choices import Undecided, every_choice
from refnet.scalars.dual import Dual
from refnet.scalars.exact import Exact, Irrational, exactly, mp
from refnet.scalars.recording import Recording
from refnet.scalars.rounding import FLOAT32, FLOAT64, arithmetic
from refnet.testing.certificates import hold, named

NOT_METHODS = {"plain", "divide", "floor_divide", "remainder", "isnan", "lowest", "power"}  # operators serve these


@pytest.mark.parametrize("number", [Bound, Dual, Exact, Recording])
def test_every_scalar_function_has_a_method(number):
    functions = [
        name for name, f in inspect.getmembers(scalars, inspect.isfunction) if f.__module__ == scalars.__name__
    ]
    missing = [n for n in functions if n not in NOT_METHODS and not n.startswith("_") and not hasattr(number, n)]
    assert not missing


OPERATIONS = ("add", "subtract", "multiply", "divide", "sqrt", "abs", "scaled sum")


def combined(draw, pairs):
    """One more (float32, Bound) pair from the pairs there are, by one random operation."""
    x, b = draw.choice(pairs)
    y, c = draw.choice(pairs)
    operation = draw.choice(OPERATIONS)
    if operation == "add":
        return x + y, b + c
    if operation == "subtract":
        return x - y, b - c
    if operation == "multiply":
        return x * y, b * c
    if operation == "divide":
        return x / y, b / c
    if operation == "sqrt":
        return np.sqrt(np.abs(x)), abs(b).sqrt()
    if operation == "abs":
        return np.abs(x), abs(b)
    z, d = draw.choice(pairs)
    return np.float32(x + y) + z * np.float32(3), c + (b + 3 * d)


@settings(max_examples=20 * settings.default.max_examples)
@given(data=st.data())
def test_float32_stays_within_its_bounds(data):
    """Random expressions, in float32 one rounding at a time: the result lies in the interval, whatever happened on the way."""
    draw = Drawn(data)
    values = draw.array((4,), "float32")
    with arithmetic(FLOAT32), np.errstate(all="ignore"):
        pairs = [(v, Bound.read(v)) for v in values]
        for _ in range(draw.integer(1, 8)):
            pairs.append(combined(draw, pairs))
            computed, bound = pairs[-1]
            if bound.free or bound.overflows:
                continue
            low, high = bound.interval
            if mp.isnan(bound.value):
                assert np.isnan(computed)
            else:
                assert low <= mp.mpf(float(computed)) <= high, (computed, bound)


def test_a_bound_is_tight_where_one_rounding_is_made():
    with arithmetic(FLOAT32):
        x, y = Bound.read(np.float32(1.1)), Bound.read(np.float32(2.3))
        for result in (x + y, x * y, x / y, x - y):
            assert result.radius <= mp.mpf(2) ** -24 * abs(result.value) * (1 + mp.mpf(2) ** -20) + mp.mpf(2) ** -148


def test_cancellation_keeps_the_error_of_the_terms():
    with arithmetic(FLOAT32):
        total = Bound.read(np.float32(1e8)) + Bound.read(np.float32(1.0)) + Bound.read(np.float32(-1e8))
        assert total.value == 1
        assert 1 <= total.radius <= 50


def whole_sum(values):
    total = 0
    for x in values:
        total = total + Bound.read(np.float32(x))
    return total


def test_whole_numbers_do_not_round_below_the_precision():
    """2**24 less 1, in whatever order it was summed, and in steps of any power of two; one more and an order may round."""
    for step in (1.0, 0.125, 2.0**90, 2.0**-149):
        with arithmetic(FLOAT32):
            below, at = (whole_sum([step * (2**23 - 1), step * 2**22, step * (2**22 - more)]) for more in (0, -1))
            assert below.value == mp.mpf(step) * (2**24 - 1) and below.interval == (below.value, below.value)
            assert at.radius > 0
    with arithmetic(FLOAT64):
        assert whole_sum([2.0**30, 1.0, 2.0**40, 0.0, -3.0]).radius == 0


def test_whole_products_do_not_round_and_others_do():
    with arithmetic(FLOAT32):
        a, b = whole_sum([3, 5, 9]), whole_sum([-7, 2.5, 1])
        product = a * b - 8
        assert product.interval == (17 * -3.5 - 8,) * 2
        assert (product / 4).interval == (product.value / 4,) * 2 and abs(product).radius == (-product).radius == 0
        assert (product / 3).radius > 0 and (product + 0.1).radius > 0 and (abs(product).sqrt() + 1).radius > 0
        assert (a * 2.0**-150).radius > 0  # it underflows
        assert (whole_sum([2.0**127] * 3) - 2.0**127).overflows
    read_in_tf32 = Bound(mp.mpf(3), error=mp.mpf(2) ** -10)
    with arithmetic(FLOAT32):
        assert (read_in_tf32 + Bound.read(np.float32(1))).radius >= mp.mpf(2) ** -10


@pytest.mark.parametrize("sign", [1, -1])
def test_what_overflows_on_a_grid_may_be_infinite(sign):
    """A sum of two, whose value alone counts; and such a sum times a number by which its value would be small again."""
    largest = np.full(1, sign * 2.0**127, "float32")
    engine, infinite = get_engine("reference"), np.full(1, sign * np.inf, "float32")
    assert hold(named("add"), engine, [largest, largest], {}, [infinite]) == 0
    with arithmetic(FLOAT32):
        total = whole_sum([*largest, *largest])
        for smaller in (total * Bound.read(np.float32(2.0**-20)), total / Bound.read(np.float32(2.0**20))):
            assert not smaller.unrounded and sign * mp.inf in smaller.interval


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_no_term_of_a_long_sum_can_be_missing(dtype):
    """16-bit floats are summed in float32, so their sum is rounded once, when it is stored."""
    attributes = {"start": 0, "count": 1, "keepdims": False}
    op, engine, length = named("sum"), get_engine("reference"), 2047 if dtype == "float16" else 8192
    x = np.ones(length, dtype)
    assert hold(op, engine, [x], attributes, [np.array(length, dtype)]) == 0
    for wrong in (length - 1, length - 2):
        with pytest.raises(AssertionError, match=f"is {wrong}.0; exactly {length}.0"):
            hold(op, engine, [x], attributes, [np.array(wrong, dtype)])


def test_zeros_keep_their_sign_under_division():
    with arithmetic(FLOAT32):
        one, zero, minus = (Bound.read(np.float32(v)) for v in (1.0, 0.0, -0.0))
        assert (one / zero).value == mp.mpf("inf")
        assert (one / minus).value == mp.mpf("-inf")
        assert (one / (-zero)).value == mp.mpf("-inf")
        assert mp.isnan((zero / minus).value)


def test_both_answers_are_tried_where_rounding_decides():
    with arithmetic(FLOAT32):
        third = Bound.read(np.float32(1.0)) / 3

        def larger():
            return "above" if third > Bound.read(np.float32(1 / 3)) else "below"

        assert set(every_choice(larger)) == {"above", "below"}
        assert list(every_choice(lambda: third > Bound.read(np.float32(0.3)))) == [True]


def test_a_whole_part_is_any_that_rounding_allows():
    with arithmetic(FLOAT32):
        near, far = Bound.read(np.float32(2.7)) / 2.7 * 3, Bound.read(np.float32(2.5)) * 3.25
        assert set(every_choice(near.truncate)) == {2, 3} and set(every_choice((-near).truncate)) == {-2, -3}
        assert list(every_choice(far.truncate)) == [8] and list(every_choice((far * 8 / 8).floor().truncate)) == [8]
        assert (whole_sum([3, 5]) * 2.5).truncate() == 20  # nothing is rounded
        with pytest.raises(Undecided, match="anywhere in"):
            (near * 1e12).truncate()
        with pytest.raises(Undecided, match="infinite"):
            (near * 1e38 * 1e2).truncate()


def test_a_whole_number_that_an_op_has_written_is_rounded():
    with arithmetic(FLOAT32):
        assert Bound.read(2**24 + 1).radius > 0 and Bound.read(np.int32(2**24 + 1)).radius > 0
        assert Bound.read(2**24 + 2).exact


def test_the_difference_of_equals_is_zero_whatever_is_rounded():
    with arithmetic(FLOAT32):
        x = Bound.read(np.float32(3.0))
        assert x - x.floor() == 0
        assert list(every_choice(lambda: x / 3 - Bound.read(np.float32(1.0)) == 0)) == [True, False]


def test_zero_times_a_rounded_number_is_zero():
    with arithmetic(FLOAT32):
        zero, third = Bound.read(np.float32(0.0)), Bound.read(np.float32(1.0)) / 3
        assert (zero * third).exact and (third * zero).exact and zero * third == 0
        assert (zero * -third).negative_zero and not (zero * third).negative_zero
        unsure = third - Bound.read(np.float32(1 / 3))  # its sign decides the sign of the product
        assert not (zero * unsure).exact


@pytest.mark.parametrize("name", ["exp", "expm1", "sinh", "cosh", "tanh"])
def test_exponentials_of_exponentials_end(name):
    """Three steps of a recurrent layer with an exponential, on a large input; the exact value has no digits to be had."""
    with arithmetic(FLOAT32):
        x = Bound.read(np.float32(3e38)).exp().exp()
        assert getattr(x, name)().interval[1] >= (1 if name == "tanh" else mp.inf)


def test_a_comparison_that_rounding_decides_needs_a_decision():
    with arithmetic(FLOAT32):
        x = Bound.read(np.float32(1.0)) / 3
        assert (x <= x) and not x < x and x == x  # one number, whatever its rounding was
    with arithmetic(FLOAT32), pytest.raises(RuntimeError, match="every_choice"):
        third = Bound.read(np.float32(1.0)) / 3
        assert third > Bound.read(np.float32(1 / 3))


@pytest.mark.parametrize(
    "name", ["exp", "expm1", "log", "log1p", "sqrt", "tanh", "erf", "erfc", "sin", "cos", "tan", "sinh", "cosh"]
)
def test_duals_differentiate_elementary_functions(name):
    """Against mpmath's own numerical derivative, which shares no code with ours."""
    x = mp.mpf("0.7")
    function = getattr(mp, name)
    ours = getattr(Dual(x, mp.mpf(1)), name)()
    assert ours.value == function(x)
    # mpmath doubles its 240 bits for it, and returns to them
    assert abs(ours.change - mp.diff(function, x)) < mp.mpf(2) ** -200


def test_exact_numbers_stay_exact_and_refuse_the_rest():
    third = exactly(1) / 3
    assert third * 3 == 1 and isinstance(third + 0.1, Exact)
    assert third + 0.1 == Fraction(1, 3) + Fraction(0.1)
    with pytest.raises(Irrational):
        third.exp()


def test_recordings_compute_what_they_say():
    x, y = Recording(2.0, "x"), Recording(3.0, "y")
    total = 0
    total = total + x * y
    total = total + (x - y) / (x + 1)
    assert total.text == "x * y + (x - y) / (x + 1)"
    assert total.value == 2 * 3 + (2 - 3) / (2 + 1)  # the same operations in the same order
