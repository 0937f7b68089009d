"""What every test may rely on: it starts with the engine, the default dtype and the seeds as they were."""

import gc

import pytest

from refnet import dtypes, engine

# A compiler makes many objects that stay: with the usual 700 between two collections, these take 7% of its time.
gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True)
def settings_come_back():
    """A test may switch the engine for good, or the default dtype; the next one does not see it."""
    before, floatx = list(engine._current), dtypes.floatx()
    yield
    engine._current[:] = before
    dtypes.set_floatx(floatx)
