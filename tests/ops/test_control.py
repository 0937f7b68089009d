"""Control flow on arrays and on symbolic tensors."""

import re

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Tensor, Variable
from refnet.program import Program
from refnet.testing import close


def run(outputs, feeds):
    """The outputs of a graph on arrays: {tensor: array}."""
    return reference.prepare(Program(list(feeds), outputs)).run(list(feeds.values()))


def test_cond_calls_one_function_where_the_predicate_is_known():
    calls = []
    assert ops.cond(True, lambda: calls.append("yes") or 1, lambda: calls.append("no") or 2) == 1
    assert ops.cond(np.array([0.0]), lambda: 1, lambda: 2) == 2
    assert calls == ["yes"]


def test_cond_on_a_tensor_picks_every_leaf():
    p, x = Tensor((), "bool"), Tensor((2,))
    result = ops.cond(p, lambda: {"a": x, "b": [x + 1]}, lambda: {"a": -x, "b": [x]})
    outputs = [result["a"], result["b"][0]]
    for truth, expected in ((True, ([1, 2], [2, 3])), (False, ([-1, -2], [1, 2]))):
        np.testing.assert_array_equal(run(outputs, {p: truth, x: [1.0, 2.0]}), expected)


def test_cond_refuses_what_it_cannot_join():
    p, x = Tensor((), "bool"), Tensor((2,))
    with pytest.raises(ArgumentError, match=r"got \(., .\) and \."):
        ops.cond(p, lambda: (x, x), lambda: x)
    with pytest.raises(ShapeError, match="single truth value"):
        ops.cond(np.array([True, False]), lambda: 1, lambda: 2)


def test_nothing_is_assigned_in_a_branch_a_step_or_a_part():
    x, v = Tensor((3,)), Variable(0.0)
    for call in (
        lambda f: ops.cond(Tensor((), "bool"), f, lambda: x),
        lambda f: ops.scan(lambda carry, part: (carry, f()), x, x),
        lambda f: ops.map(lambda part: f(), x),
        lambda f: ops.while_loop(lambda y: ops.sum(y) < 1, lambda y: f(), x, maximum_iterations=2),
    ):
        with pytest.raises(ArgumentError, match="nothing may assign variables"):
            call(lambda: (v.assign(x[0]), x)[1])


def test_loops_on_arrays():
    assert ops.fori_loop(2, 5, lambda i, v: v * i, 1) == 24
    assert ops.fori_loop(5, 2, lambda i, v: v * i, 1) == 1
    assert ops.while_loop(lambda v: v < 100, lambda v: v * 3, 1) == 243
    assert ops.while_loop(lambda v: True, lambda v: v * 3, 1, maximum_iterations=2) == 9
    with pytest.raises(ArgumentError, match="takes 2 values and must give as many; it gave 1"):
        ops.while_loop(lambda a, b: True, lambda a, b: a, (1, 2))
    with pytest.raises(ArgumentError, match="upper must be a whole number"):
        ops.fori_loop(0, 1.5, lambda i, v: v, 0)


def test_a_while_loop_whose_end_depends_on_values():
    """Doubling until 10 is passed; after that the written-out steps change nothing."""
    x = Tensor(())
    steps, y = ops.while_loop(lambda n, v: v < 10, lambda n, v: (n + 1, v * 2), (0, x), maximum_iterations=6)
    (dx,) = ops.gradients(y, x)
    for value, expected in ((3.0, (2, 12, 4)), (11.0, (0, 11, 1)), (0.5, (5, 16, 32)), (0.01, (6, 0.64, 64))):
        close(run([steps, y, dx], {x: value}), expected, 1)
    with pytest.raises(ArgumentError, match="give maximum_iterations"):
        ops.while_loop(lambda v: v < 10, lambda v: v * 2, x)


def cell(carry, x):
    new = {"sum": carry["sum"] + x["a"] * x["b"], "steps": carry["steps"] + 1}
    return new, (new["sum"], None)


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_carries_a_structure(reverse):
    xs = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([1.0, 10.0, 100.0])}
    carry, (sums, nothing) = ops.scan(cell, {"sum": 0.0, "steps": 0}, xs, reverse=reverse)
    assert carry == {"sum": 321, "steps": 3} and nothing is None
    np.testing.assert_array_equal(sums, [321, 320, 300] if reverse else [1, 21, 321])


def test_scan_of_a_tensor_is_differentiated_twice():
    """y = x0 * x1 * x2: the second derivative by x0 and x1 is x2."""
    x = Tensor((3,), "float64")
    product, partial = ops.scan(lambda carry, part: (carry * part, carry * part), ops.ones((), "float64"), x)
    (dx,) = ops.gradients(product, x)
    (d2x,) = ops.gradients(dx[0], x)
    y, ys, first, second = run([product, partial, dx, d2x], {x: [2.0, 3.0, 5.0]})
    assert y == 30
    np.testing.assert_array_equal(ys, [2, 6, 30])
    np.testing.assert_array_equal(first, [15, 10, 6])
    np.testing.assert_array_equal(second, [0, 5, 3])


def test_scan_of_an_open_number_of_steps_is_differentiated_twice():
    """As above, for any number of factors; a factor from outside of the steps has a gradient too."""
    x, scale, unused = Tensor((None,), "float64"), Tensor((), "float64"), Tensor((), "float64")

    def step(carry, part):
        return (carry[0] * part[0] * scale, carry[1]), (None, carry[0])

    (product, _), (nothing, before) = ops.scan(step, (ops.ones((), "float64"), unused), (x, x))
    assert nothing is None and before.shape == (None,)
    dx, dscale = ops.gradients(product, [x, scale])
    (d2x,) = ops.gradients(dx[0], x)
    results = run([product, before, dx, dscale, d2x], {x: [2.0, 3.0, 5.0], scale: 1.0, unused: 0.0})
    for got, due in zip(results, (30, [1, 2, 6], [15, 10, 6], 90, [0, 5, 3]), strict=True):
        np.testing.assert_array_equal(got, due)
    assert run([product], {x: [2.0, 7.0], scale: 0.5, unused: 0.0})[0] == 3.5
    with pytest.raises(ShapeError, match="at least one step"):
        run([product], {x: [], scale: 1.0, unused: 0.0})


def test_the_carry_of_an_open_number_of_steps_stays_what_it_is():
    x = Tensor((None, 2))
    with pytest.raises(ArgumentError, match=r"begins as int32, and a step makes it float32. Begin with ops.cast\(init"):
        ops.scan(lambda carry, part: (carry + part, None), ops.zeros((2,), "int32"), x)
    with pytest.raises(ShapeError, match=r"begins with \(1,\), and a step makes it \(2,\)"):
        ops.scan(lambda carry, part: (carry + part, None), ops.zeros((1,)), x)


def test_scan_counts_its_steps():
    assert ops.scan(lambda carry, x: (carry + 1, None), 0, length=4) == (4, None)
    for arguments, error, words in (
        ((None,), ArgumentError, "xs, or the number of steps"),
        (([np.ones(2), np.ones(3)],), ShapeError, "one length"),
        ((np.ones(2), 3), ShapeError, "one length"),
        ((np.ones(0),), ShapeError, "at least one step"),
    ):
        with pytest.raises(error, match=words):
            ops.scan(lambda carry, x: (carry, x), 0, *arguments)
    carry, ys = ops.scan(lambda carry, x: (carry + x, x), 0.0, Tensor((None,)), length=2)
    assert ys.shape == (2,)
    with pytest.raises(ArgumentError, match="same structure"):
        ops.scan(lambda carry, x: ((carry, x), x), 0, np.ones(2))


def test_map_over_several_arrays():
    xs = [np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 20.0])]
    doubled, total = ops.map(lambda parts: (parts[0] * 2, ops.sum(parts[0]) + parts[1]), xs)
    np.testing.assert_array_equal(doubled, [[2, 4], [6, 8]])
    np.testing.assert_array_equal(total, [13, 27])
    x = Tensor((2, 2))
    np.testing.assert_array_equal(run([ops.vectorized_map(ops.sum, x)], {x: xs[0]})[0], [3, 7])


def test_values_in_and_out():
    x = Tensor((2,), "float16")
    assert ops.dtype(x) == "float16" and ops.dtype(1.5) == "float32" and ops.dtype(True) == "bool"
    assert ops.convert_to_tensor(x) is x and ops.convert_to_tensor(x, "int8").dtype == "int8"
    array = ops.convert_to_tensor([[1, 2]], "float64")
    assert array.dtype == np.float64
    copy = ops.convert_to_numpy(array)
    copy[0, 0] = 7
    assert array[0, 0] == 1
    np.testing.assert_array_equal(ops.convert_to_numpy(Variable([3.0])), [3])
    with pytest.raises(TypeError, match="no values yet"):
        ops.convert_to_numpy(x)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ops.cond(True, 1, lambda: 2), ArgumentError, "cond: true_fn must be a function; got 1."),
        (lambda: ops.while_loop(lambda i: i < 3, None, 0), ArgumentError, "while_loop: body must be a function"),
        (lambda: ops.while_loop(lambda i: i < 3, lambda i: None, 0), ArgumentError, "body returned None"),
        (lambda: ops.scan(lambda c, x: (c,), 0, np.array([1, 2])), ArgumentError, "f has to return a pair"),
        (lambda: ops.scan(lambda c, x: c, 0, Tensor((None,), "float32")), ArgumentError, "f has to return a pair"),
        (lambda: ops.map(1, np.array([1, 2])), ArgumentError, "map: f must be a function"),
        (lambda: ops.map(lambda x: x, 2), ShapeError, "map goes along the first axis of xs, and a single number has"),
        (lambda: ops.flip(3.0, 0), ArgumentError, "flip: there is no axis 0: a single number has no axes."),
    ],
)
def test_what_is_refused_is_named(call, error, words):
    with pytest.raises(error, match=re.escape(words)):
        call()
