"""What every test may rely on: it starts with the engine, the default dtype and the seeds as they were."""

import pytest

from refnet import dtypes, engine


@pytest.fixture(autouse=True)
def settings_come_back():
    """A test may switch the engine for good, or the default dtype; the next one does not see it."""
    before, floatx = list(engine._current), dtypes.floatx()
    yield
    engine._current[:] = before
    dtypes.set_floatx(floatx)
