"""Every test of files starts from the same seed, and needs h5py."""

import pytest

from refnet import utils

pytest.importorskip("h5py")


@pytest.fixture(autouse=True)
def seeded() -> None:
    utils.set_random_seed(1)
