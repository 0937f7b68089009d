"""A driver without a device for the whole process: what lies on it is given back at its very end."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_driver import install

FAKE = install(pytest.MonkeyPatch())


@pytest.fixture
def driver():
    """The FakeDriver, which has noted nothing yet."""
    FAKE.done.clear()
    return FAKE
