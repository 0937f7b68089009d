"""Every test of files starts from the same seed."""

import pytest

from refnet import utils


@pytest.fixture(autouse=True)
def seeded() -> None:
    utils.set_random_seed(1)
