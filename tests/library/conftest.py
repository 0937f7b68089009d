"""Every test starts from the same seed, so that none passes or fails by its draws, and on the reference engine."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from refnet import use_engine, utils
from refnet.layers import Dense, Input
from refnet.models import Sequential


@pytest.fixture(autouse=True)
def seeded() -> None:
    utils.set_random_seed(1)


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    """Whatever else the process has imported: nothing is compiled here that a test does not ask for."""
    with use_engine("reference"):
        yield


@pytest.fixture
def no_files(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For nets with published weights: folders without a file, and no network."""
    from refnet.applications import building, files, imagenet_utils

    monkeypatch.setenv("REFNET_DATA_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(files, "ORIGIN", f"file://{tmp_path}/web/")
    monkeypatch.setattr(building, "ORIGIN", f"file://{tmp_path}/web/")
    monkeypatch.setattr(imagenet_utils, "CLASSES", ("imagenet_class_index.json", f"file://{tmp_path}/web/"))


@pytest.fixture
def classifier() -> Callable[..., Sequential]:
    """Makes a compiled classifier of four features in three classes; `deferred`: its first data build it."""

    def made(loss: Any = "sparse_categorical_crossentropy", deferred: bool = False) -> Sequential:
        first = [] if deferred else [Input((4,))]
        model = Sequential(
            [*first, Dense(5, activation="relu", name="hidden"), Dense(3, activation="softmax", name="out")], name="net"
        )
        model.compile("sgd", loss, metrics=["accuracy"])
        return model

    return made


@pytest.fixture
def refuses() -> Callable[..., None]:
    """The call raises with this text, and leaves weights, optimizer, metrics and builtness as they were."""

    def check(model: Any, kind: type[Exception], message: str, call: Callable[[], Any]) -> None:
        before = [w.copy() for w in model.get_weights()]
        built, steps = model.built, int(model.optimizer.iterations) if model.optimizer else 0
        states = [v.numpy() for metric in (model.metrics if model.compiled else []) for v in metric.variables]
        with pytest.raises(kind) as caught:
            call()
        assert message in str(caught.value)
        assert model.built == built and len(model.get_weights()) == len(before)
        assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
        assert not model.optimizer or int(model.optimizer.iterations) == steps
        after = [v.numpy() for metric in (model.metrics if model.compiled else []) for v in metric.variables]
        assert all(np.array_equal(a, b) for a, b in zip(states, after))

    return check
