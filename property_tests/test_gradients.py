"""Gradients are the adjoints of their ops where those are linear, and agree with dual numbers elsewhere."""

import pytest
from drawing import Drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from refnet.testing.gradients import check_gradient, differentiable
from refnet.testing.strategies import case


@pytest.mark.parametrize("op", differentiable())
@settings(max_examples=2 * settings.default.max_examples)
@given(data=st.data())
def test_gradient_follows_from_the_definition(op, data):
    draw = Drawn(data, calm=True)
    check_gradient(case(op, draw), seed=draw.integer(0, 2**16))
