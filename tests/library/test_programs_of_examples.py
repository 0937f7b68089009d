"""What programs in the style of keras.io's examples rely on: targets of one axis, names of one's own, comparisons, configs, words."""

from typing import Any

import numpy as np
import pytest

from refnet import Variable, layers, losses, metrics, ops, optimizers, regularizers, utils
from refnet.errors import ArgumentError, DtypeError, UsageError
from refnet.layers import Dense, Input, Layer
from refnet.models import Model, Sequential, load_model

# Small whole numbers: sums and means of them are exact, so they are compared exactly.
X = np.arange(8, dtype="float32").reshape(4, 2) - 3
Y = np.array([[1.0], [0.0], [2.0], [1.0]], "float32")


def test_a_loss_of_the_users_sees_targets_of_the_outputs_rank() -> None:
    seen: list[Any] = []

    def loss(y_true: Any, y_pred: Any) -> Any:
        seen.append((len(y_true.shape), len(y_pred.shape)))
        return ops.mean(ops.square(y_true - y_pred))

    model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.0), loss)
    wanted = np.mean((X.sum(1, keepdims=True) - Y) ** 2)
    assert model.evaluate(X, Y[:, 0], verbose=0) == wanted
    assert model.fit(X, Y[:, 0], verbose=0).history["loss"] == [wanted]
    assert set(seen) == {(2, 2)}


def test_a_loss_without_a_return() -> None:
    model = Sequential([Input((2,)), Dense(1)])

    def forgetful(y_true: Any, y_pred: Any) -> None:
        ops.mean(y_true - y_pred)

    model.compile("sgd", forgetful)
    with pytest.raises(ArgumentError, match="the loss forgetful gave None; it has to return one value for each sample"):
        model.fit(X, Y, verbose=0)
    with pytest.raises(ArgumentError, match="the loss forgetful gave None"):
        losses.LossFunctionWrapper(forgetful)(Y, Y)


def test_the_name_of_a_metric_that_is_a_function() -> None:
    def PSNR(y_true: Any, y_pred: Any) -> Any:  # as examples spell it
        return ops.mean(y_true - y_pred)

    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse", metrics=[PSNR])
    assert list(model.evaluate(X, Y, verbose=0, return_dict=True)) == ["loss", "psnr"]
    assert metrics.get(PSNR) is PSNR


# ---- the rest


def test_int_is_a_dtype() -> None:
    assert Variable([1, 2], dtype="int").dtype == "int32"
    assert ops.cast([1.0], "int").dtype == np.int32


def test_rows_of_an_output_at_right_angles() -> None:
    penalty = regularizers.OrthogonalRegularizer(1.0)
    assert float(penalty(np.array([[3.0, 4.0], [6.0, 8.0], [-4.0, 3.0]], "float32"))) == np.float32(1 / 3)
    a = Input((2,))
    model = Model(a, layers.Activation("linear", activity_regularizer=penalty)(a))
    model.compile(optimizers.SGD(0.0), "mse")
    rows = np.array([[3.0, 4.0], [6.0, 8.0]], "float32")
    assert model.evaluate(rows, rows, verbose=0) == 0.5  # 1 for the pair, divided by the batch size


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (lambda x, s: x, "returns (output, states); it returned"),
        (lambda x, s: (x, [s[0], s[0]]), "there are 1 states; `call` returned 2"),
    ],
)
def test_a_cell_that_returns_something_else(returned: Any, words: str) -> None:
    class Cell(Layer):
        state_size = output_size = 2

        def call(self, inputs: Any, states: Any) -> Any:
            return returned(inputs, states)

    with pytest.raises(ArgumentError) as error:
        layers.RNN(Cell())(np.zeros((2, 3, 2), "float32"))
    assert "Cell: " in str(error.value)
    assert words in str(error.value)


def test_steps_written_for_a_tape_are_told_what_to_write() -> None:
    class Steps(Model):
        def train_step(self, data: Any) -> Any:
            ops.mean(self(data[0])).backward()
            return {}

    a = Input((2,))
    model = Steps(a, Dense(1)(a))
    model.compile("sgd")
    with pytest.raises(AttributeError, match=r"gradients = ops.gradients\(loss, self.trainable_variables\)"):
        model.fit(X, Y, verbose=0)
    with pytest.raises(AttributeError, match="There is no zero_grad"):
        model.zero_grad()
    assert not hasattr(a, "backward")


@pytest.mark.parametrize("eagerly", [False, True])
def test_one_target_for_two_outputs_of_which_one_has_a_loss(eagerly: bool) -> None:
    a = Input((2,))
    b = Dense(1, kernel_initializer="ones")(a)
    model = Model(a, [b * 2.0, b])
    model.compile(optimizers.SGD(0.0), loss=[None, "mse"], run_eagerly=eagerly)
    wanted = np.mean((X.sum(1, keepdims=True) - Y) ** 2)
    assert model.fit(X, Y, verbose=0, validation_data=(X, Y)).history == {"loss": [wanted], "val_loss": [wanted]}
    assert model.evaluate(X, [X, Y], verbose=0) == wanted
    with pytest.raises(ArgumentError, match="has 2 outputs .* got 3 arrays of targets"):
        model.fit(X, [Y, Y, Y], verbose=0)


NAMES = [
    "input_names",
    "output_names",
    "extra_losses",
    "own_layers",
    "all_layers",
    "own_weights",
    "calls_made",
    "losses_at_once",
    "seen_inputs",
    "inputs_structure",
    "outputs_structure",
    "keyed_outputs",
    "built_graph",
    "has_call",
    "own_targets",
    "shown_names",
    "graph_for",
    "knows_batch",
    "first_shape",
    "first_batch",
    "shuffler",
    "busy",
    "told",
    "steps",
    "resume",
]


@pytest.mark.parametrize("base", [Layer, Model])
def test_a_class_of_the_users_may_use_any_name(base: Any, tmp_path: Any) -> None:
    class Mine(base):  # type: ignore[misc]  # either base
        def __init__(self, **more: Any):
            super().__init__(**more)
            for number, name in enumerate(NAMES):
                setattr(self, name, [number])
            self.dense = Dense(1, kernel_initializer="ones")

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs) * self.own_layers[0]

    model: Any = Mine() if base is Model else Sequential([Mine()])
    model.compile(optimizers.SGD(0.0), "mse", metrics=["mae"])
    outputs = X.sum(1, keepdims=True) * NAMES.index("own_layers")
    assert model.fit(X, Y, verbose=0).history["loss"] == [np.mean((outputs - Y) ** 2)]
    np.testing.assert_array_equal(model.predict(X, verbose=0), outputs)
    model.summary(print_fn=lambda line: None)
    model.save(tmp_path / "mine.keras")
    found = load_model(tmp_path / "mine.keras", custom_objects={"Mine": Mine})
    np.testing.assert_array_equal(found.predict(X, verbose=0), outputs)
    mine = model if base is Model else model.layers[0]
    assert [getattr(mine, name) for name in NAMES] == [[number] for number in range(len(NAMES))]


def test_a_model_without_a_call_has_a_loss_tracker_for_its_steps() -> None:
    class Steps(Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = Dense(1, kernel_initializer="ones")
            self.mine = metrics.Mean("mine")

        @property
        def metrics(self) -> list[metrics.Metric]:
            return [*super().metrics, self.mine] if self.mine not in super().metrics else super().metrics

        def train_step(self, data: Any) -> Any:
            loss = ops.mean(ops.square(self.dense(data[0]) - data[1]))
            for metric in self.metrics:
                metric.update_state(loss)
            return {metric.name: metric.result() for metric in self.metrics}

    model = Steps()
    model.compile(optimizers.SGD(0.0))
    wanted = np.mean((X.sum(1, keepdims=True) - Y) ** 2)
    for _ in range(2):
        assert model.fit(X, Y, verbose=0).history == {"loss": [wanted], "mine": [wanted]}


def test_sizes_in_configs_have_an_entry_for_each_axis() -> None:
    made = [
        layers.Conv2D(2, 3, 2),
        layers.Conv1D(2, 3),
        layers.MaxPooling2D(2),
        layers.ZeroPadding2D(1),
        layers.ZeroPadding1D(1),
        layers.UpSampling1D(2),
        layers.Reshape([2, 3]),
        layers.ConvLSTM2D(2, 3),
    ]
    found = [layer.get_config() for layer in made]
    assert (found[0]["kernel_size"], found[0]["strides"], found[0]["dilation_rate"]) == ((3, 3), (2, 2), (1, 1))
    assert (found[0]["data_format"], found[1]["kernel_size"]) == ("channels_last", (3,))
    assert (found[2]["pool_size"], found[2]["strides"], found[3]["padding"]) == ((2, 2), (2, 2), ((1, 1), (1, 1)))
    assert (found[4]["padding"], found[5]["size"], found[6]["target_shape"]) == ((1, 1), 2, (2, 3))
    assert found[7]["kernel_size"] == (3, 3)
    for layer, config in zip(made, found):
        assert type(layer).from_config(config).get_config() == config


def test_what_normalization_has_learned() -> None:
    layer = layers.Normalization()
    with pytest.raises(AttributeError, match="has no mean and variance yet: call adapt"):
        layer.mean  # noqa: B018  # reading it is what is tested
    layer.adapt(np.array([[1.0, 0.0], [3.0, 4.0]], "float32"))
    np.testing.assert_array_equal(np.asarray(layer.mean), [[2, 2]])
    np.testing.assert_array_equal(np.asarray(layer.variance), [[1, 4]])
    given = layers.Normalization(mean=3.0, variance=4.0)
    given.build((None, 2))
    np.testing.assert_array_equal(np.asarray(given.mean), [[3]])


def test_images_keep_their_proportions_before_they_are_filled_up(tmp_path: Any) -> None:
    pixels = np.arange(8, dtype="uint8").reshape(2, 4, 1).repeat(3, 2) * 8
    utils.save_img(tmp_path / "wide.png", pixels, scale=False)
    data = utils.image_dataset_from_directory(
        tmp_path, labels=None, image_size=(2, 2), interpolation="nearest", pad_to_aspect_ratio=True, verbose=False
    )
    (batch,) = list(data)
    np.testing.assert_array_equal(batch[0, :, :, 0], [pixels[1, [1, 3], 0], [0, 0]])


@pytest.mark.parametrize("eagerly", [False, True])
def test_equality_of_tensors_is_that_of_their_elements(eagerly: bool) -> None:
    class Compared(Layer):
        def call(self, x: Any) -> Any:
            tens = (x == 0) * 10.0 + (x != 1) * 100.0 + (x == x[:1]) * 1000.0
            tens = ops.where(x == x, tens, 0.0)
            return tens + (np.float32(2) == x) * 1e4 + (np.ones(2, "float32") == x) * 1e5

    row = X[:1]
    wanted = (X == 0) * 10.0 + (X != 1) * 100.0 + (row == X) * 1000.0 + (X == 2) * 1e4 + (X == 1) * 1e5
    layer = Compared()
    np.testing.assert_array_equal(layer(X), wanted)
    a = Input((2,))
    model = Model(a, layer(a))
    model.compile(loss=lambda y, p: ops.max(ops.where(y == p, 0.0, 1.0)), run_eagerly=eagerly)
    np.testing.assert_array_equal(model.predict(X, verbose=0), wanted)
    assert model.evaluate(X, wanted, verbose=0) == 0
    variable = Variable([1.0, 2.0])
    np.testing.assert_array_equal(np.asarray(variable == 2.0), [False, True])
    with pytest.raises(DtypeError, match="has no truth value yet"):
        bool(a == 1)
    assert a != "a" and {a: 1}[a] == 1 and a in [a]  # with what is no number: which object it is


def test_the_identity_matrix_of_a_batch() -> None:
    class Similar(Layer):
        def call(self, x: Any) -> Any:
            return ops.matmul(ops.eye(ops.shape(x)[0], k=1) + ops.eye(ops.shape(x)[0], ops.shape(x)[0]), x)

    a = Input((2,))
    wanted = X + np.vstack([X[1:], np.zeros((1, 2))])
    np.testing.assert_array_equal(Model(a, Similar()(a)).predict(X, verbose=0), wanted)
    np.testing.assert_array_equal(Similar()(X), wanted)


def test_a_layer_with_a_config_of_its_own_keeps_its_activity_regularizer(tmp_path: Any) -> None:
    class Doubled(Layer):
        def __init__(self, factor: float = 2.0, **more: Any):
            super().__init__(**more)
            self.factor = factor

        def call(self, x: Any) -> Any:
            return x * self.factor

        def get_config(self) -> Any:
            return {**super().get_config(), "factor": self.factor}

    assert "activity_regularizer" not in Doubled().get_config()
    a = Input((2,))
    model = Model(a, Doubled(activity_regularizer=regularizers.L2(0.5))(a))
    model.compile(optimizers.SGD(0.0), "mse")
    model.save(tmp_path / "doubled.keras")
    loaded = load_model(tmp_path / "doubled.keras", custom_objects={"Doubled": Doubled})
    wanted = np.mean(np.square(X)) + 0.5 * np.sum(np.square(2 * X)) / len(X)
    for found in (model, loaded):
        assert found.evaluate(X, X, verbose=0) == wanted
    loaded.compile("sgd", "mae")
    assert loaded.evaluate(X, X, verbose=0) == np.mean(np.abs(X)) + 0.5 * np.sum(np.square(2 * X)) / len(X)


def test_a_tensor_is_found_among_others_whatever_their_shapes() -> None:
    first, second, other = layers.Input((3,)), layers.Input((3,)), layers.Input((2,))
    assert second in [first, second] and second in (other, second)
    assert other not in [first, second]
    assert [first, other, second].index(second) == 2
    assert first != second


class BothWays(Layer):
    """Adds a loss whichever way it goes."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        self.add_loss(ops.sum(inputs))
        return inputs


def test_a_model_lists_a_loss_of_a_layer_with_two_ways_once() -> None:
    x = Input((2,))
    layer = BothWays()
    model = Model(x, layer(x))
    assert (len(model.losses), len(layer.losses)) == (1, 1)


def test_a_model_without_call_says_what_to_write() -> None:
    class OnlySteps(Model):
        def train_step(self, data: Any) -> Any:
            return {"loss": ops.sum(data[0])}

    model = OnlySteps(name="steps")
    model.compile("sgd")
    model.fit(np.ones((2, 2)), np.ones(2), verbose=0)
    for ask in (model, model.predict):
        with pytest.raises(UsageError, match="steps: OnlySteps has no `call`"):
            ask(np.ones((2, 2)))
