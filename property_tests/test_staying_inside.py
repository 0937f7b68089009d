"""A call that an op accepts keeps its loop inside its arrays, whatever shapes and attributes it came with.

Compiled loops do not look: an index outside is foreign memory. So the loops run here on arrays that look.
"""

import contextlib

import numpy as np
import pytest
from drawing import Drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from refnet.definition import Op, size_of
from refnet.engine import seen, spec_of, widened
from refnet.errors import RefnetError
from refnet.testing.strategies import case, primitives

MOST = 4_000  # multiply-adds of a call in plain Python
WITH_LOOPS = [name for name in primitives() if Op.named[name].loop is not None]


class Watched:
    """An array that takes no index from outside, not even a negative one or one too few."""

    def __init__(self, array):
        self.array, self.shape, self.ndim, self.dtype = array, array.shape, array.ndim, array.dtype

    def inside(self, index):
        index = index if isinstance(index, tuple) else (index,)
        assert len(index) <= len(self.shape), f"{len(index)} indices for an array of shape {self.shape}"
        assert all(0 <= i < extent for i, extent in zip(index, self.shape)), (
            f"{index} in an array of shape {self.shape}"
        )
        return index

    def __getitem__(self, index):
        found = self.array[self.inside(index)]
        return Watched(found) if isinstance(found, np.ndarray) else found

    def __setitem__(self, index, value):
        self.array[self.inside(index)] = value


def spoiled_attribute(draw, value):
    """Another value of the same kind, likely a wrong one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return draw.choice((-3, -1, 0, 1, 2, 3, 9, value + 1, value - 1))
    if isinstance(value, float):
        return draw.choice((-1.0, 0.0, 2.0, 1e9))
    if isinstance(value, tuple) and value:
        k = draw.integer(0, len(value))
        if k == len(value):
            return draw.choice((value[:-1], (*value, value[-1])))
        return (*value[:k], spoiled_attribute(draw, value[k]), *value[k + 1 :])
    return value


def spoiled_array(draw, x):
    """The array with an axis that is shorter or longer, or with an axis less or more."""
    how = draw.choice(("shorter", "shorter", "longer", "longer", "less", "more"))
    if how == "more" or x.ndim == 0:
        return x[..., None]
    axis = draw.integer(0, x.ndim - 1)
    if how == "less":
        return x.take(0, axis) if x.shape[axis] else np.zeros(x.shape[:axis] + x.shape[axis + 1 :], x.dtype)
    return np.take(x, range(x.shape[axis] - 1), axis) if how == "shorter" else np.repeat(x, 2, axis)


def spoiled(draw, drawn):
    """A valid call with one array or up to two attributes changed."""
    arrays, attributes = list(drawn.arrays), dict(drawn.attributes)
    if arrays and (not attributes or draw.flag()):
        position = draw.integer(0, len(arrays) - 1)
        arrays[position] = spoiled_array(draw, arrays[position])
        return arrays, attributes
    for _ in range(draw.integer(1, 2) if attributes else 0):
        name = draw.choice(sorted(attributes))
        attributes[name] = spoiled_attribute(draw, attributes[name])
    return arrays, attributes


def accepted(op, arrays, attributes):
    """The form and the results' specs; None where the call is refused, its values are, or it takes long."""
    specs = [spec_of(a) for a in arrays]
    try:
        form, results = op.form(*specs, **attributes), op.specs(*specs, **attributes)
        ranges = op.ranges(*specs, **attributes) if op.ranges is not None else {}
        views = [seen(widened(x), view) for x, view in zip(arrays, form.inputs)]
    except RefnetError:
        return None
    if any(
        arrays[k].size and not (low <= arrays[k].min() <= arrays[k].max() < high) for k, (low, high) in ranges.items()
    ):
        return None
    sizes = [size_of(shape) for shape in (*(s.shape for s in results), *form.scratch)]
    if max(sizes, default=0) > MOST or size_of(form.domain) * max(form.cost, 1) > MOST:
        return None
    return form, results, views


@pytest.mark.parametrize("name", WITH_LOOPS)
@settings(max_examples=max(settings.default.max_examples // 2, 1))
@given(data=st.data())
def test_an_accepted_call_stays_inside_its_arrays(name, data):
    draw = Drawn(data)
    op = Op.named[name]
    arrays, attributes = spoiled(draw, case(name, draw))
    taken = accepted(op, arrays, attributes)
    if taken is None:
        return
    form, results, views = taken
    inputs = [Watched(view) for view in views]
    outputs = [Watched(np.zeros(spec.shape).reshape(view.shape)) for spec, view in zip(results, form.outputs)]
    scratch = [Watched(np.zeros(shape)) for shape in form.scratch]
    # Division by 0 gives infinities and NaN in compiled loops, and tuples of another length than a loop takes do not compile:
    # both are no concern of memory.
    with np.errstate(all="ignore"), contextlib.suppress(ArithmeticError, IndexError, ValueError):
        op.loop(
            np.ndindex(*form.domain),
            *([tuple(inputs)] if op.variadic else inputs),
            *form.attributes,
            *outputs,
            *scratch,
        )
