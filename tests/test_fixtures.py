"""What `conftest.py` promises every test."""

import numpy as np
import pytest

GENERATOR = np.random.default_rng(0)
FIRST = GENERATOR.random()


@pytest.mark.parametrize("time", [1, 2])
def test_a_test_draws_what_it_would_draw_alone(time: int) -> None:
    following = np.random.default_rng(0).random(2)
    assert [FIRST, GENERATOR.random()] == following.tolist()
