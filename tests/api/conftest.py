"""Every test starts from one seed and runs on the reference engine, whatever is imported; names count from the beginning."""

from collections.abc import Iterator

import pytest

from refnet import engine, utils


@pytest.fixture(autouse=True)
def settled() -> Iterator[None]:
    utils.set_random_seed(1)
    utils.clear_session()
    with engine.use_engine("reference"):
        yield
