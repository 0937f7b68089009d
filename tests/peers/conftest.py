"""Every comparison is on the reference engine, whatever else the process has imported; a test may ask for another."""

from collections.abc import Iterator

import pytest

from refnet import use_engine


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with use_engine("reference"):
        yield
