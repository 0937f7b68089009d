"""What every test may rely on: it starts with the engine, the default dtype and its module's generators as they were."""

import gc

import numpy as np
import pytest

from refnet import dtypes, engine

# A compiler makes many objects that stay: with the usual 700 between two collections, these take 7% of its time.
gc.set_threshold(50_000, 20, 20)
imported: dict = {}  # {a module's bit generator: its state when the module had been imported}


@pytest.fixture(autouse=True)
def settings_come_back():
    """A test may switch the engine for good, or the default dtype; the next one does not see it."""
    before, floatx = list(engine._current), dtypes.floatx()
    yield
    engine._current[:] = before
    dtypes.set_floatx(floatx)


@pytest.fixture(autouse=True)
def draws_come_back(request):
    """A module's generators stand where its import left them: what a test draws depends on no other test, and on no worker."""
    for value in vars(request.module).values():
        if isinstance(value, np.random.Generator):
            bits = value.bit_generator
            bits.state = imported.setdefault(bits, bits.state)
