"""The switches of keras.config: what each changes, and those that cannot be changed."""

import logging
import os
import warnings
from typing import Any

import numpy as np
import pytest

from refnet import Sequential, callbacks, config, layers, models, registration, utils
from refnet.errors import ArgumentError, FileError
from refnet.testing import close

X, Y = np.arange(10, dtype="float32").reshape(10, 1), np.zeros((10, 1), "float32")


@pytest.fixture
def limits() -> Any:
    config.set_max_epochs(2)
    config.set_max_steps_per_epoch(3)
    yield
    config.set_max_epochs(None)
    config.set_max_steps_per_epoch(None)


def compiled() -> Any:
    model = Sequential([layers.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class Batches(callbacks.Callback):
    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append(("train", batch))

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append(("test", batch))


class Pairs:
    """Batches that can be begun again, of a number that is not told."""

    def __init__(self, count: int):
        self.count = count

    def __iter__(self) -> Any:
        return iter([(X[i : i + 1], Y[i : i + 1]) for i in range(self.count)])


@pytest.mark.parametrize("text", ["\u00b2", "two", "-1", "0", "1.5"])
def test_a_limit_of_the_environment_that_is_no_number(monkeypatch: Any, text: str) -> None:
    monkeypatch.setitem(os.environ, "KERAS_MAX_EPOCHS", text)
    monkeypatch.setattr("refnet.limits._set", {})
    with pytest.raises(
        ArgumentError, match="the environment variable KERAS_MAX_EPOCHS must be an integer of at least 1"
    ):
        config.max_epochs()


@pytest.mark.parametrize("source", [False, True])
def test_training_is_cut_short(limits: None, source: bool) -> None:
    model, seen = compiled(), Batches()
    data: Any = (Pairs(5),) if source else (X, Y, 2)
    with pytest.warns(UserWarning, match="fit: at most 2 epochs, 3 steps in each, as config.set_max_epochs"):
        history = model.fit(
            *data, epochs=7, verbose=0, callbacks=[seen], validation_data=(X, Y), validation_batch_size=2
        )
    first, second = (
        [*zip(["train"] * count, range(5)), *zip(["test"] * 3, range(3))] for count in (3, 2 if source else 3)
    )
    # the second goes on where the first stopped; without a known length it ends with the data
    assert seen.seen == first + second
    assert len(history.history["loss"]) == 2
    with pytest.warns(UserWarning, match="predict: at most 3 steps in each"):
        assert model.predict(Pairs(5) if source else X, batch_size=None if source else 2, verbose=0).shape == (
            3 if source else 6,
            1,
        )
    with pytest.warns(UserWarning, match="evaluate: at most"):
        loss = model.evaluate(X, Y, batch_size=2, verbose=0)
    # A square, the mean of two, and that of three batches: times their sizes, added up, divided.
    close(loss, (np.asarray(model(X[:6]), "float64") ** 2).mean(), 1 + 2 + 1 + 3 + 1)


def test_limits_above_what_is_asked_change_nothing(limits: None) -> None:
    seen = Batches()
    with pytest.warns(UserWarning, match="at most"):
        compiled().fit(Pairs(2), epochs=2, verbose=0, callbacks=[seen])
        compiled().fit(X, Y, 5, epochs=1, verbose=0, callbacks=[seen])
    assert seen.seen == [("train", 0), ("train", 1)] * 3


def test_limits_of_the_environment(monkeypatch: Any) -> None:
    monkeypatch.setattr("refnet.limits._set", {})
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "4")
    assert config.max_epochs() == 4 and config.max_steps_per_epoch() is None
    config.set_max_epochs(None)
    assert config.max_epochs() is None
    monkeypatch.setenv("KERAS_MAX_STEPS_PER_EPOCH", "few")
    with pytest.raises(ArgumentError, match="the environment variable KERAS_MAX_STEPS_PER_EPOCH must be an integer"):
        compiled().fit(X, Y, verbose=0)
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(ArgumentError, match="set_max_epochs: max_epochs must be an integer of at least 1"):
            config.set_max_epochs(wrong)  # type: ignore[arg-type]


def test_what_is_told_goes_to_the_log(capsys: Any, caplog: Any) -> None:
    config.disable_interactive_logging()
    try:
        assert not utils.is_interactive_logging_enabled()
        with caplog.at_level(logging.INFO, "refnet"):
            compiled().fit(X, Y, verbose=1)
            compiled().summary()
    finally:
        utils.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    assert "Epoch 1/1" in caplog.text and "Total params" in caplog.text
    compiled().fit(X, Y, verbose=2)
    assert "Epoch 1/1" in capsys.readouterr().out


def test_files_with_code_may_be_allowed_for_good(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(registration, "_unsafe", False)
    path = tmp_path / "code.keras"
    Sequential([layers.Input((1,)), layers.Lambda(lambda x: x * 2)]).save(path)
    with pytest.raises(FileError, match="Lambda"):
        models.load_model(path)
    config.enable_unsafe_deserialization()
    assert models.load_model(path)(X[1:2])[0, 0] == 2


def test_what_cannot_be_switched() -> None:
    assert config.is_nnx_enabled() is config.is_traceback_filtering_enabled() is False
    config.disable_traceback_filtering()
    config.set_backend(config.backend())
    for switch, message in (
        (config.enable_traceback_filtering, "tracebacks show every frame"),
        (lambda: config.set_backend("jax"), "got 'jax'. use_engine chooses"),
    ):
        with pytest.raises(ArgumentError, match=message):
            switch()  # type: ignore[operator]
    assert config.is_flash_attention_enabled() is None
    config.disable_flash_attention()
    assert config.is_flash_attention_enabled() is False
    config.enable_flash_attention()


def test_without_limits_nothing_is_said() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled().fit(X, Y, verbose=0)
