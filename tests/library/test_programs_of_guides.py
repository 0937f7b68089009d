"""What programs in the style of Keras's guides rely on: metrics and losses that layers hold, the order of results, data in order."""

import pathlib
from typing import Any

import numpy as np
import pytest

from refnet import metrics, ops, optimizers, utils
from refnet.callbacks import Callback, EarlyStopping
from refnet.errors import ArgumentError, DtypeError, FileError
from refnet.layers import Dense, Input, Layer, Normalization, TextVectorization
from refnet.losses import Loss, MeanSquaredError
from refnet.models import Model, Sequential, load_model
from refnet.regularizers import L2

# Small whole numbers, in counts that are powers of two: sums, means and gradients of them are exact, so they are compared exactly.
generator = np.random.default_rng(5)
X = generator.integers(-4, 5, (8, 4)).astype("float32")
Y = generator.integers(-4, 5, (8, 1)).astype("float32")


class Sum(Layer):
    """Adds the sum of its inputs to the loss, and measures their mean."""

    def __init__(self, **more: Any):
        super().__init__(**more)
        self.seen = metrics.Mean("seen")

    def call(self, inputs: Any) -> Any:
        self.add_loss(ops.sum(inputs))
        self.seen.update_state(inputs)
        return inputs


def line(kind: Any = Model) -> Any:
    """inputs -> Sum -> Dense of ones."""
    a = Input((4,))
    return kind(a, Dense(1, kernel_initializer="ones", kernel_regularizer=L2(0.25))(Sum()(a)))


# ---- metrics that layers and models hold


def test_the_metric_of_a_layer_is_in_histories_and_results() -> None:
    model = line()
    model.compile(optimizers.SGD(0.0), "mse", metrics=["mae"])
    history = model.fit(X, Y, batch_size=4, epochs=2, validation_data=(X[:2], Y[:2]), verbose=0).history
    assert list(history) == ["loss", "mae", "seen", "val_loss", "val_mae", "val_seen"]
    np.testing.assert_array_equal(history["seen"], [X.mean()] * 2)
    np.testing.assert_array_equal(history["val_seen"], [X[:2].mean()] * 2)
    assert list(model.evaluate(X, Y, verbose=0, return_dict=True)) == model.metrics_names == ["loss", "mae", "seen"]


def test_a_callback_may_watch_the_metric_of_a_layer() -> None:
    model = line()
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0, callbacks=[EarlyStopping("seen", mode="min")])
    with pytest.raises(ArgumentError, match="the logs have loss, seen"):
        model.fit(X, Y, verbose=0, callbacks=[EarlyStopping("sen", mode="min")])


def test_a_model_that_lists_its_metrics_shows_those() -> None:
    class Listing(Model):
        def __init__(self, *ends: Any):
            super().__init__(*ends)
            self.mine = metrics.Mean("mine")

        def compute_loss(
            self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
        ) -> Any:
            loss = ops.mean(ops.square(y - y_pred)) + sum(self.losses)
            self.mine.update_state(loss)
            return loss

        @property
        def metrics(self) -> list[metrics.Metric]:
            return [self.mine]

    model = line(Listing)
    model.compile(optimizers.SGD(0.0))
    history = model.fit(X, Y, verbose=0).history
    assert list(history) == model.metrics_names == ["mine"]
    wanted = np.mean((X.sum(1, keepdims=True) - Y) ** 2) + X.sum() + 0.25 * 4
    np.testing.assert_array_equal(history["mine"], [wanted])


def test_the_metrics_inside_a_model_inside_are_its_own() -> None:
    class Holding(Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.tracker = Dense(1), metrics.Mean("tracker")

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Sequential([Holding()])
    model.compile("sgd", "mse")
    assert list(model.fit(X, Y, verbose=0).history) == ["loss"]


# ---- losses that layers add


class Adding(Model):
    """A step that adds `losses` itself; `times` says how often it calls the model first."""

    times = 1

    def train_step(self, data: Any) -> Any:
        x, y = data
        for _ in range(self.times):
            y_pred = self(x, training=True)
        added = sum(self.losses)
        loss = ops.mean(ops.square(y - y_pred)) + added
        variables = self.trainable_variables
        self.optimizer.apply(ops.gradients(loss, variables), variables)
        return {"loss": loss, "added": added, "count": len(self.losses)}


class AddingTwice(Adding):
    times = 2


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("kind", [Adding, AddingTwice])
def test_a_step_finds_what_its_last_call_added(kind: Any, eagerly: bool) -> None:
    plain, own = line(), line(kind)
    for model in (plain, own):
        model.compile(optimizers.SGD(0.125), "mse", run_eagerly=eagerly)
    first = plain.fit(X, Y, verbose=0).history
    second = own.fit(X, Y, verbose=0).history
    np.testing.assert_array_equal(second["added"], [X.sum() + 1])
    np.testing.assert_array_equal(second["loss"], first["loss"])
    assert second["count"] == [2]
    for a, b in zip(plain.get_weights(), own.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_a_step_finds_the_losses_of_layers_that_it_calls_one_after_the_other() -> None:
    class Pair(Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Sum(name="first"), Sum(name="second")

        def train_step(self, data: Any) -> Any:
            x, _ = data
            self.second(self.first(x) * 2)
            return {"first": sum(self.first.losses), "second": sum(self.second.losses), "both": sum(self.losses)}

    model = Pair()
    model.compile("sgd")
    history = model.fit(X, Y, verbose=0).history
    np.testing.assert_array_equal(
        [history[key][0] for key in ("first", "second", "both")], X.sum() * np.array([1, 2, 3])
    )


@pytest.mark.parametrize("ends", ["functional", "subclass"])
def test_a_model_called_on_arrays_has_the_values_that_were_added(ends: str) -> None:
    class Calling(Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Sum()

        def call(self, x: Any) -> Any:
            return self.inner(x)

    model = line() if ends == "functional" else Calling()
    model(X)
    np.testing.assert_array_equal(float(model.losses[0]), X.sum())
    model(X[:2])
    np.testing.assert_array_equal(float(model.losses[0]), X[:2].sum())
    assert len(model.losses) == (2 if ends == "functional" else 1)


# ---- orders


def test_the_losses_of_a_dict_of_outputs_come_in_the_order_of_compile() -> None:
    a = Input((4,))
    model = Model(
        a, {"later": Dense(1, "relu", kernel_initializer="ones")(a), "earlier": Dense(1, kernel_initializer="ones")(a)}
    )
    model.compile("sgd", loss={"later": "mse", "earlier": "mae"}, metrics={"later": ["mae"]})
    values = model.evaluate(X, {"later": Y, "earlier": Y}, verbose=0)
    assert model.metrics_names == ["loss", "later_loss", "earlier_loss", "later_mae"]
    later, earlier = (np.asarray(model.predict(X, verbose=0)[key]) for key in ("later", "earlier"))
    np.testing.assert_array_equal(values[1:3], [np.mean((later - Y) ** 2), np.mean(np.abs(earlier - Y))])


def test_fit_takes_the_batches_of_a_data_set_of_ours_as_they_come() -> None:
    seen: list[float] = []

    class Looking(Model):
        def train_step(self, data: Any) -> Any:
            return {"first": data[0][0, 0, 0]}

    class Keeping(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(float(logs["first"]))

    a = Input((2, 1))
    model = Looking(a, Dense(1)(a))
    model.compile("sgd", "mse")
    series = np.arange(21.0, dtype="float32")[:, None]
    data = utils.timeseries_dataset_from_array(series, series[1:], sequence_length=2, batch_size=2)
    model.fit(data, epochs=2, verbose=0, callbacks=[Keeping()])
    assert seen == [*np.arange(0.0, 20.0, 2.0)] * 2


# ---- arguments and hooks


def test_validation_data_may_be_inputs_alone() -> None:
    model = Adding(*(lambda a: (a, Sum()(a)))(Input((4,))))
    model.compile("sgd")
    history = model.fit(X, X, verbose=0, validation_data=(X,)).history
    np.testing.assert_array_equal(history["val_loss"], [X.sum()])


def test_the_end_of_an_evaluation_has_its_results() -> None:
    class Ends(Callback):
        logs: Any = None

        def on_test_end(self, logs: Any = None) -> None:
            self.logs = logs

    model, ends = line(), Ends()
    model.compile("sgd", "mse")
    assert model.evaluate(X, Y, verbose=0, callbacks=[ends], return_dict=True) == ends.logs
    assert list(ends.logs) == ["loss", "seen"]


# ---- tensors and layers


def test_operators_of_truth_values() -> None:
    a = Input((4,))
    low, high = X < 1, X > -1
    outputs = [(a < 1) & (a > -1), (a < 1) | (a > -1), (a < 1) ^ (a > -1), ~(a < 1)]
    found = Model(a, outputs).predict(X, verbose=0)
    for y, wanted in zip(found, [low & high, low | high, low ^ high, ~low]):
        assert y.dtype == bool
        np.testing.assert_array_equal(y, wanted)
    mask = np.array([True, False, True, False])
    np.testing.assert_array_equal(Model(a, mask & (a > 0)).predict(X, verbose=0), mask & (X > 0))


def test_texts_that_are_not_split_are_one_number_each() -> None:
    layer = TextVectorization(split=None, vocabulary=["a b", "c"])
    assert layer(np.array(["c", "a b", "d"])).tolist() == [3, 2, 1]
    assert layer(np.array([["c"], ["a b"]])).tolist() == [[3], [2]]


def test_one_mean_for_all_places_needs_no_lengths() -> None:
    np.testing.assert_array_equal(Normalization(mean=3.0, variance=4.0)(np.array([1.0, 5.0])), [-1, 1])


# ---- names of the user's own


def test_a_model_may_keep_a_loss_and_counts_in_attributes() -> None:
    class Counting(Layer):
        def __init__(self) -> None:
            super().__init__()
            self.calls, self.dense = 0, Dense(1, kernel_initializer="ones")

        def call(self, x: Any) -> Any:
            self.calls += 1
            return self.dense(x)

    class Telling(Model):
        def __init__(self) -> None:
            super().__init__()
            self.layer = Counting()

        def call(self, x: Any) -> Any:
            return self.layer(x)

        def compile(self, optimizer: Any, loss: Any) -> None:
            super().compile(optimizer=optimizer)
            self.loss = loss

        def train_step(self, data: Any) -> Any:
            return {"loss": self.loss(data[1], self(data[0]))}

    model = Telling()
    model.compile(optimizers.SGD(0.0), loss=lambda y, p: ops.mean(ops.abs(y - p)))
    wanted = model.fit(X, Y, verbose=0).history["loss"]
    np.testing.assert_array_equal(wanted, [np.mean(np.abs(model.predict(X, verbose=0) - Y))])


def test_a_graph_of_ones_own_is_refused_by_name() -> None:
    class Nodes(Model):
        def __init__(self) -> None:
            super().__init__()
            self.graph = [(0, 1)]

    with pytest.raises(ArgumentError, match="Nodes: `graph` is .* another name"):
        Nodes()


def test_a_metric_without_a_name_is_called_lambda() -> None:
    model = line()
    model.compile("sgd", "mse", metrics=[lambda y, p: ops.abs(y - p)])
    assert "lambda" in model.fit(X, Y, verbose=0).history


# ---- what errors say


def test_a_dict_that_lacks_an_input() -> None:
    a, b = Input((4,), name="a"), Input((1,), name="b")
    for inputs in ([a, b], {"a": a, "b": b}):
        model = Model(inputs, Dense(1)(a) + b)
        with pytest.raises(
            ArgumentError, match=r"dict with the keys \['a'\]; its inputs are \['a', 'b'\]: \['b'\] missing"
        ):
            model({"a": X})
        np.testing.assert_array_equal(model({"a": X, "b": Y}), model.predict({"a": X, "b": Y}, verbose=0))


def test_a_step_that_wants_targets_which_nobody_gave() -> None:
    model = line(Adding)
    model.compile("sgd")
    with pytest.raises(
        DtypeError, match=r"shape \(None, 4\) cannot be gone through .* data is x alone where no y was given"
    ):
        model.fit(X, verbose=0)


def test_validation_data_of_four_parts() -> None:
    model = line()
    model.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match="got a tuple of 4"):
        model.fit(X, Y, validation_data=(X, Y, Y, Y), verbose=0)


# ---- a loss of one's own, in a file


class Scaled(Loss):
    """As Keras's guide writes a loss: no `dtype` among the arguments of the constructor."""

    def __init__(self, scale: float = 2.0, reduction: str = "sum_over_batch_size", name: str = "scaled"):
        super().__init__(reduction=reduction, name=name)
        self.scale = scale

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.scale * ops.mean(ops.abs(y_true - y_pred), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


def test_a_model_with_a_loss_of_ones_own_is_saved_and_loaded(tmp_path: pathlib.Path) -> None:
    model = Sequential([Input((4,)), Dense(1, kernel_initializer="ones")])
    model.compile("sgd", Scaled(4.0))
    model.save(tmp_path / "m.keras")
    loaded = load_model(tmp_path / "m.keras", custom_objects={"Scaled": Scaled})
    assert loaded.loss.scale == 4.0
    assert loaded.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


def test_the_dtype_of_a_loss_is_in_its_config_where_it_is_not_floatx() -> None:
    assert MeanSquaredError().get_config() == {"name": "mean_squared_error", "reduction": "sum_over_batch_size"}
    again = MeanSquaredError.from_config(MeanSquaredError(dtype="float64").get_config())
    assert again.dtype == "float64"


class Renamed(Scaled):
    """A mistake: the config has another name for what the constructor takes."""

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.scale}


def test_a_class_that_does_not_take_its_config_is_told_so(tmp_path: pathlib.Path) -> None:
    model = Sequential([Input((4,)), Dense(1)])
    model.compile("sgd", Renamed(4.0))
    model.save(tmp_path / "m.keras")
    with pytest.raises(
        FileError, match=r"Renamed cannot be made from its config, which has factor: .*__init__ has to take"
    ):
        load_model(tmp_path / "m.keras", custom_objects={"Renamed": Renamed})
