"""Shape rules agree with results, open dimensions too; invalid calls raise what they should, eager and symbolic alike."""

import re

import numpy as np
import pytest
from drawing import Drawn
from hypothesis import given
from hypothesis import strategies as st

from refnet.definition import Op, Spec
from refnet.engine import get_engine, reference, spec_of
from refnet.errors import DataError
from refnet.testing.evaluate import program_of
from refnet.testing.strategies import case, load, primitives, refusals
from refnet.testing.usages import function_named

load()


def refusal_name(refusal):
    shapes = [getattr(a, "shape", a) for a in refusal.arguments]
    return f"{refusal.name}{shapes}{refusal.keywords or ''}"


@pytest.mark.parametrize("refusal", refusals, ids=refusal_name)
def test_invalid_calls_raise(refusal):
    with pytest.raises(refusal.error) as caught:
        function_named(refusal.name)(*refusal.arguments, **refusal.keywords)
    assert refusal.words in str(caught.value)
    name = refusal.name.rpartition(".")[2]
    assert re.search(rf"\b{name}\b", str(caught.value)), "the message names another op than the one that was called"


def numeric(argument):
    parts = argument if isinstance(argument, (list, tuple)) else [argument]
    return all(part.dtype.kind in "biuf" for part in parts if isinstance(part, np.ndarray))


@pytest.mark.parametrize("refusal", [r for r in refusals if all(map(numeric, r.arguments))], ids=refusal_name)
def test_invalid_calls_raise_while_the_graph_is_built(refusal):
    """What shapes and dtypes show is refused at once; values (DataError) when the program runs."""
    with pytest.raises(refusal.error) as caught:
        program, feeds = program_of(function_named(refusal.name), refusal.arguments, refusal.keywords)
        assert refusal.error is DataError, "the graph was built, although shapes and dtypes show the mistake"
        reference.prepare(program).run(feeds)
    assert refusal.words in str(caught.value)


@pytest.mark.parametrize("refusal", [r for r in refusals if r.error is DataError], ids=refusal_name)
def test_engines_refuse_bad_values(engine, refusal):
    with pytest.raises(DataError) as caught:  # values of lists are known while the graph is built
        program, feeds = program_of(function_named(refusal.name), refusal.arguments, refusal.keywords)
        get_engine(engine).prepare(program).run(feeds)
    assert refusal.words in str(caught.value)


@pytest.mark.parametrize("name", primitives())
@given(data=st.data())
def test_rules_know_the_shape_before_the_result(name, data):
    """With open dimensions a rule promises None or the right extent; with known ones exactly what comes out."""
    drawn = case(name, Drawn(data))
    op, attributes = Op.named[name], drawn.attributes
    specs = [spec_of(a) for a in drawn.arrays]
    promised = op.specs(*specs, **attributes)
    results = reference.compute(op, drawn.arrays, attributes)
    assert [(y.shape, y.dtype.name) for y in results] == [(tuple(s.shape), s.dtype) for s in promised]
    if op.expand is not None or not specs:
        return
    batch = [Spec((None, *s.shape[1:]), s.dtype) if s.shape else s for s in specs]
    for open_spec, known in zip(op.specs(*batch, **attributes), promised):
        assert open_spec.dtype == known.dtype
        assert len(open_spec.shape) == len(known.shape)
        assert all(a is None or a == b for a, b in zip(open_spec.shape, known.shape))
