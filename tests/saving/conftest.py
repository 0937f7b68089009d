"""Every test of files starts from the same seed, on the reference engine, and needs h5py."""

import pytest

from refnet import engine, utils

pytest.importorskip("h5py")


@pytest.fixture(autouse=True)
def seeded() -> None:
    utils.set_random_seed(1)
    engine.use_engine("reference")
