"""Gradients are the adjoints of their ops where those are linear, and agree with dual numbers elsewhere."""

import pytest
from drawing import Drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from refnet.testing.gradients import check_function, check_gradient, differentiable
from refnet.testing.strategies import case, load, usages, use

load()


@pytest.mark.parametrize("op", differentiable())
@settings(max_examples=2 * settings.default.max_examples)
@given(data=st.data())
def test_gradient_follows_from_the_definition(op, data):
    draw = Drawn(data, calm=True)
    check_gradient(case(op, draw), seed=draw.integer(0, 2**16))


@pytest.mark.parametrize("name", sorted(usages))
@given(data=st.data())
def test_gradients_of_whole_functions(name, data):
    """Through every op that a public function stands on, broadcasting and casts included."""
    draw = Drawn(data, calm=True)
    check_function(use(name, draw), seed=draw.integer(0, 2**16))
