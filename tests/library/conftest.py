"""Every test starts from the same seed, so that none passes or fails by its draws, and on the reference engine."""

from collections.abc import Iterator

import pytest

from refnet import use_engine, utils


@pytest.fixture(autouse=True)
def seeded() -> None:
    utils.set_random_seed(1)


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    """Whatever else the process has imported: nothing is compiled here that a test does not ask for."""
    with use_engine("reference"):
        yield
