"""What the first edition of Keras called otherwise."""

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

import refnet
from refnet import backend, callbacks, initializers, layers, losses, metrics, optimizers, regularizers, utils
from refnet.errors import ArgumentError, MissingNameError
from refnet.layers import Dense, Input
from refnet.models import Model, Sequential
from refnet.testing.closeness import close

generator = np.random.default_rng(0)
X = generator.standard_normal((12, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


@pytest.fixture(autouse=True)
def no_noise() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.api("argument `lr`", "optimizers.RMSprop")
@pytest.mark.parametrize("kind", [optimizers.SGD, optimizers.RMSprop, optimizers.Adam])
def test_lr_and_decay(kind: Any) -> None:
    optimizer = kind(lr=0.25, decay=0.5)
    assert float(optimizer.learning_rate) == float(optimizer.lr) == 0.25
    optimizer.lr = 0.125
    assert float(optimizer.learning_rate) == 0.125
    again = kind.from_config(optimizer.get_config())
    assert float(again.lr) == 0.125 and again.decay == 0.5
    assert "decay" not in kind().get_config()
    with pytest.raises(ArgumentError, match="decay must be a number of at least 0"):
        kind(decay=-1)
    with pytest.raises(ArgumentError, match="lrr"):
        kind(lrr=0.1)


@pytest.mark.api("argument `decay`")
def test_decay_shrinks_the_rate_by_the_steps_done() -> None:
    model = Sequential([Input((1,)), Dense(1, use_bias=False)])
    model.set_weights([np.array([[0.0]], "float32")])
    model.compile(optimizers.SGD(lr=0.1, decay=0.5, clipvalue=1.0), "mse")
    ones, far = np.ones((1, 1), "float32"), np.full((1, 1), 100.0, "float32")
    steps = []
    for _ in range(4):
        before = model.get_weights()[0].item()
        model.train_on_batch(ones, far)  # the clipped gradient is -1
        steps.append(model.get_weights()[0].item() - before)
    close(steps, [0.1 / (1 + 0.5 * n) for n in range(4)], 2 * 6, 1)


@pytest.mark.api("History keys (legacy)", "History")
@pytest.mark.parametrize("names", [["accuracy", "mae", "mse"], ["acc", "mean_absolute_error", "mean_squared_error"]])
def test_history_finds_both_names_of_a_metric(names: list[str]) -> None:
    model = Sequential([Dense(3, activation="relu", input_shape=(4,)), Dense(1, activation="sigmoid")])
    model.compile("rmsprop", "binary_crossentropy", metrics=names)
    history = model.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y)).history
    assert set(history) == {"loss", "val_loss", *names, *(f"val_{name}" for name in names)}
    for old, new in (("acc", "accuracy"), ("mean_absolute_error", "mae"), ("mean_squared_error", "mse")):
        assert history[old] is history[new] and history["val_" + old] is history["val_" + new]
    assert len(history["acc"]) == 2 and history.get("val_acc") is history["val_accuracy"]
    assert history.get("precision") is None and history.get("precision", 3) == 3
    with pytest.raises(KeyError, match="precision.*the history has .*loss"):
        history["precision"]


@pytest.mark.api("History keys (legacy)", "metrics.binary_accuracy", "fit `nb_epoch`")
def test_a_metric_given_as_a_function_keeps_its_name() -> None:
    model = Sequential([Dense(1, activation="sigmoid", input_dim=4)])
    model.compile(optimizers.RMSprop(lr=0.001), "binary_crossentropy", metrics=[metrics.binary_accuracy])
    history = model.fit(X, Y, nb_epoch=3, verbose=0).history
    assert len(history["binary_accuracy"]) == 3
    with pytest.raises(KeyError, match="acc.*the history has .*binary_accuracy"):
        history["acc"]  # as in Keras


def test_shapes_on_first_layers_and_positional_input() -> None:
    assert Sequential([Dense(2, input_dim=4)]).input_shape == (None, 4)
    assert Sequential([Dense(2, input_shape=(4,))]).count_params() == 10
    assert Sequential([layers.Flatten(input_shape=(3, 4)), Dense(1)]).output_shape == (None, 1)
    assert Sequential([layers.Embedding(10, 2, input_length=5)]).output_shape == (None, 5, 2)
    assert Sequential([layers.Reshape((2, 2), input_shape=(4,))]).output_shape == (None, 2, 2)
    assert layers.Input((3,)).shape == (None, 3)


IMPORTS = """
from PACKAGE.layers.core import Activation, Dense, Dropout, Flatten, Lambda, Masking, Permute, RepeatVector, Reshape
from PACKAGE.layers.convolutional import Conv2D, Convolution2D, Deconvolution2D, UpSampling2D, ZeroPadding2D
from PACKAGE.layers.pooling import GlobalAveragePooling2D, MaxPooling2D
from PACKAGE.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from PACKAGE.layers.embeddings import Embedding
from PACKAGE.layers.normalization import BatchNormalization
from PACKAGE.layers.merge import Concatenate, add, concatenate
from PACKAGE.layers.advanced_activations import ELU, LeakyReLU, PReLU, ThresholdedReLU
from PACKAGE.layers.noise import GaussianNoise
from PACKAGE.layers.wrappers import Bidirectional, TimeDistributed
from PACKAGE.layers.convolutional_recurrent import ConvLSTM2D
from PACKAGE.layers.local import LocallyConnected1D
from PACKAGE.layers import CuDNNGRU, CuDNNLSTM
from PACKAGE.engine.topology import InputSpec, Layer, get_source_inputs
from PACKAGE.engine import Input, InputSpec, Layer, Model
from PACKAGE.engine.training import Model
from PACKAGE.utils.vis_utils import model_to_dot, plot_model
from PACKAGE.utils.data_utils import Sequence, get_file
from PACKAGE.utils.generic_utils import CustomObjectScope, Progbar, get_custom_objects
from PACKAGE.utils import multi_gpu_model, np_utils
from PACKAGE.backend.tensorflow_backend import set_session
from PACKAGE.objectives import categorical_crossentropy, cosine_proximity, mse
from PACKAGE import objectives
import PACKAGE as keras
assert keras.layers.convolutional.Conv2D is Conv2D is keras.layers.Conv2D and CuDNNLSTM is LSTM is keras.layers.LSTM
assert keras.layers.core.Reshape is keras.layers.Reshape and keras.utils.np_utils is np_utils
assert keras.engine.base_layer.Layer is Layer is keras.layers.Layer and objectives.mse is keras.losses.mean_squared_error
assert np_utils.to_categorical is keras.utils.to_categorical and keras.backend.backend() == "refnet"
"""


@pytest.mark.parametrize("package", ["refnet", "refnet_fast"])
def test_modules_of_keras_2_are_found_and_not_listed(package: str) -> None:
    listed = (
        "import PACKAGE as keras; found = {*dir(keras), *dir(keras.layers), *dir(keras.backend), *dir(keras.utils)}"
    )
    program = listed + "\nassert not found & {'objectives', 'CuDNNLSTM', 'np_utils', 'tf'}" + IMPORTS
    done = subprocess.run([sys.executable, "-c", program.replace("PACKAGE", package)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_names_that_are_nowhere_are_not_found() -> None:
    for statement, message in (
        ("from refnet.layers.core import Dens", "cannot import name 'Dens' from 'refnet.layers.core'"),
        ("from refnet.layers.embeddings import Embeding", "cannot import name 'Embeding'"),
        ("import refnet.layers.embedings", "No module named 'refnet.layers.embedings'"),
        ("import refnet_fast.engine.topologie", "No module named 'refnet_fast.engine.topologie'"),
    ):
        with pytest.raises(ImportError, match=message):
            exec(statement)
    assert not hasattr(layers, "Dens") and not hasattr(refnet, "objective")
    with pytest.raises(TypeError, match="refnet.objectives is a module"):
        refnet.objectives()


def test_names_that_are_others_today() -> None:
    assert initializers.normal(stddev=0.01).stddev == 0.01 and initializers.zero is initializers.Zeros
    assert regularizers.l1l2(l1=0.5, l2=0.25).get_config() == {"l1": 0.5, "l2": 0.25}
    assert metrics.mse is losses.mean_squared_error and losses.mae is losses.mean_absolute_error
    assert losses.kullback_leibler_divergence is losses.kl_divergence and metrics.logcosh is losses.log_cosh
    assert metrics.cosine_proximity([[3.0, 4.0]], [[6.0, 8.0]]).tolist() == [-1]  # a loss, in Keras 2
    model = Sequential([Dense(2, input_dim=4)])
    model.compile("sgd", "cosine_proximity", metrics=["cosine_proximity", "logcosh"])
    seen = model.fit(X, np.ones((12, 2)), verbose=0).history
    assert set(seen) == {"loss", "cosine_proximity", "logcosh"}
    assert layers.ThresholdedReLU(0.5)(np.array([-1, 0.5, 2], "float32")).tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("use", "advice"),
    [
        (lambda: layers.LocallyConnected1D(3, 2), "Take Conv1D"),
        (lambda: backend.local_conv1d(X, X, [1], [1]), "Take conv1d"),
        (lambda: layers.merge([X, X], mode="sum"), "one for each mode"),
        (lambda: layers.AtrousConvolution2D(3, 2, 2), r"Conv2D\(..., dilation_rate=\)"),
        (lambda: backend.set_session(None), "refnet.use_engine"),
        (lambda: backend.tf.reduce_mean(X), "refnet.ops"),
        (lambda: utils.multi_gpu_model(None, gpus=2), "the model itself"),
    ],
)
def test_what_has_no_meaning_here_says_what_to_do(use: Any, advice: str) -> None:
    with pytest.raises(MissingNameError, match=f"of Keras 2 has no meaning in refnet.*{advice}"):
        use()


@pytest.mark.parametrize(
    ("make", "today"),
    [
        (
            lambda: Dense(output_dim=3, init="uniform", W_regularizer="l2"),
            "output_dim= is units=, init= is kernel_init",
        ),
        (
            lambda: layers.Convolution2D(64, 3, 3, border_mode="same", subsample=(2, 2)),
            "border_mode= is padding=, subs",
        ),
        (
            lambda: layers.Convolution2D(nb_filter=3, nb_row=3, nb_col=3),
            "nb_filter= is filters=, nb_row= is kernel_size=",
        ),
        (lambda: layers.MaxPooling1D(pool_length=2), "pool_length= is pool_size="),
        (lambda: layers.LSTM(3, dropout_W=0.2, inner_activation="relu"), "inner_activation= is recurrent_activation="),
        (lambda: layers.Dropout(p=0.5), "p= is rate="),
    ],
)
def test_arguments_of_keras_1_are_told_today_s_names(make: Any, today: str) -> None:
    with pytest.raises(ArgumentError, match=f"Keras 1 had other names for its arguments. Today .*{today}"):
        make()


def test_a_layer_of_the_user_s_may_have_arguments_of_those_names() -> None:
    class Own(layers.Layer):
        def __init__(self, p: float, W_regularizer: Any = None, **more: Any):
            super().__init__(**more)
            self.p, self.output_shape = p, "mine"

        def call(self, inputs: Any) -> Any:
            return inputs * self.p

    layer = Own(p=2.0, W_regularizer="l2")
    assert layer(X).shape == X.shape and layer.output_shape == "mine"


def test_arguments_that_keras_2_takes_for_a_first_layer() -> None:
    table, bias = np.ones((4, 2), "float32"), np.array([1, 2], "float32")
    model = Sequential([Dense(2, weights=[table, bias], input_dim=4)])
    assert np.array_equal(model.get_weights()[0], table) and np.array_equal(model.get_weights()[1], bias)
    assert "weights" not in model.layers[0].get_config() and model.layers[0].get_config()["input_shape"] == [4]
    direct = Dense(2, weights=[table, bias])
    direct.build((None, 4))
    assert np.array_equal(direct.get_weights()[1], bias)
    with pytest.raises(ValueError, match=r"kernel has shape \(4, 2\); got an array of shape \(2, 4\)"):
        Sequential([Dense(2, weights=[table.T, bias], input_dim=4)])
    for made, shape in (
        (layers.LSTM(2, input_dim=4, input_length=5), (None, 5, 4)),
        (layers.LSTM(2, input_dim=4), (None, None, 4)),
        (layers.Conv1D(2, 3, input_dim=4, input_length=5), (None, 5, 4)),
        (layers.LSTM(2, input_shape=(5, 4), batch_size=3, stateful=True), (3, 5, 4)),
    ):
        assert Sequential([made]).input_shape == shape == made.input_shape
        assert not {"input_dim", "input_length", "batch_size"} & {*made.get_config()}
        assert type(made).from_config(made.get_config()).name == made.name


def test_what_a_layer_can_be_asked() -> None:
    shared, starts = Dense(3), [Input((4,)), Input((4,))]
    for start in starts:
        shared(start)
    assert shared.get_input_at(1) is starts[1] and shared.get_output_shape_at(0) == (None, 3)
    assert shared.get_input_shape_at(0) == (None, 4) and starts[0]._keras_shape == (None, 4)
    with pytest.raises(AttributeError, match="called 2 times"):
        _ = shared.output_shape


def test_classes_of_a_sequential() -> None:
    model = Sequential([Dense(3, input_dim=4, activation="softmax")])
    assert np.array_equal(model.predict_proba(X), model.predict(X, verbose=0))
    assert np.array_equal(model.predict_classes(X), model.predict(X, verbose=0).argmax(1))
    model.add(Dense(1, activation="sigmoid"))
    classes = model.predict_classes(X, batch_size=5, verbose=0)
    assert classes.shape == (12, 1) and classes.dtype == "int32"
    assert np.array_equal(classes, model.predict(X, verbose=0) > 0.5)


def test_a_model_s_states_begin_anew() -> None:
    model = Sequential([layers.LSTM(2, batch_input_shape=(1, 1, 4), stateful=True)])
    first, second = (model.predict(X[:1, None], verbose=0) for _ in range(2))
    assert (first != second).all()
    model.reset_states()
    assert np.array_equal(model.predict(X[:1, None], verbose=0), first)


@pytest.mark.parametrize("kind", ["SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam"])
def test_optimizers_without_an_epsilon(kind: str) -> None:
    made = getattr(optimizers, kind.lower())
    assert made is getattr(optimizers, kind)
    if kind != "SGD":
        assert made(epsilon=None).epsilon == made().epsilon == 1e-7
        with pytest.raises(ArgumentError, match="epsilon must be a number"):
            made(epsilon="small")
    with pytest.raises(MissingNameError, match="Take the optimizer of that name"):
        optimizers.TFOptimizer(None)


def test_arguments_of_training_and_callbacks(tmp_path: Any) -> None:
    model = Sequential([layers.LSTM(2, return_sequences=True, input_shape=(3, 4))])
    model.compile("sgd", "mse", sample_weight_mode="temporal")
    x, y, none = np.ones((4, 3, 4)), np.ones((4, 3, 2)), np.zeros((4, 3))
    assert model.fit(x, y, sample_weight=none, verbose=0).history["loss"] == [0]
    with pytest.raises(ArgumentError, match="compile has no argument 'sample_weight_mode'"):
        model.compile("sgd", "mse", sample_weight_mode="spatial")
    saved = callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.h5"), save_weights_only=True, period=2)
    slower = callbacks.ReduceLROnPlateau("loss", epsilon=100.0, patience=1)
    model.fit_generator(iter([(x, y)] * 9), 1, 5, callbacks=[saved, slower], pickle_safe=False, nb_worker=2, verbose=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.h5", "4.h5"]
    assert float(model.optimizer.lr) < 1e-3 and slower.min_delta == 100
    with pytest.raises(ArgumentError, match="samples_per_epoch counted samples, in Keras 1. Give steps_per_epoch"):
        model.fit_generator(iter([(x, y)]), samples_per_epoch=4)
    with pytest.raises(ArgumentError, match="period is a number of epochs"):
        callbacks.ModelCheckpoint("a.h5", period=0)


def test_a_model_reads_numbers_of_words_that_stand_in_floats() -> None:
    inner = Sequential([layers.Embedding(5, 2)])
    inner.build((None, 3))
    words = Input((3,))
    model = Model(words, Dense(1)(layers.Flatten()(inner(words))))
    model.compile("sgd", "mse")
    before = inner.get_weights()[0]
    numbers = np.array([[1.0, 2.0, 2.0]], "float32")
    model.fit(numbers, np.ones((1, 1)), verbose=0)
    changed = (inner.get_weights()[0] != before).any(1)
    assert changed.tolist() == [False, True, True, False, False]


def test_updates_of_a_layer_take_effect_in_training() -> None:
    class Centers(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.mean = self.add_weight(name="mean", shape=(4,), initializer="zeros", trainable=False)
            self.count = self.add_weight(name="count", shape=(), initializer="zeros", trainable=False)

        def call(self, inputs: Any) -> Any:
            self.add_update([backend.moving_average_update(self.mean, backend.mean(inputs, 0), 0.5)], inputs)
            self.add_update((self.count, self.count + 1), inputs)
            return inputs - self.mean

    layer = Centers()
    model = Sequential([layer, Dense(1)])
    model.build((None, 4))
    model.compile("sgd", "mse")
    ones = np.ones((2, 4), "float32")
    model.predict(ones, verbose=0)
    model.evaluate(ones, ones[:, :1], verbose=0)
    assert float(layer.count) == 0 and layer.mean.numpy().tolist() == [0, 0, 0, 0]
    model.fit(ones, ones[:, :1], epochs=2, verbose=0)
    assert float(layer.count) == 2 and layer.mean.numpy().tolist() == [0.75] * 4


def test_the_name_of_a_weight_may_come_first() -> None:
    """As TensorFlow's guide to layers has it, and the first edition's Keras: add_weight(name, shape, dtype, initializer, ...)."""

    class Guide(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.kernel = self.add_weight("kernel", shape=[int(input_shape[-1]), 2], initializer="ones")
            self.bias = self.add_weight("bias", (2,), None, "zeros", trainable=False)
            self.scale = self.add_weight((2,), "ones", name="scale")

        def call(self, inputs: Any) -> Any:
            return backend.dot(inputs, self.kernel) * self.scale + self.bias

    layer = Guide(name="guide")
    np.testing.assert_array_equal(layer(np.ones((1, 3), "float32")), [[3.0, 3.0]])
    assert [w.name for w in layer.weights] == ["guide/kernel", "guide/scale", "guide/bias"]
    assert [w.trainable for w in layer.weights] == [True, True, False]
    with pytest.raises(
        TypeError, match="add_weight: 'other' comes first, which is the name; name='kernel' is given too"
    ):
        layer.add_weight("other", (2,), name="kernel")


def test_the_name_of_a_metric_s_weight_may_come_first() -> None:
    class Hits(metrics.Metric):
        def __init__(self) -> None:
            super().__init__(name="hits")
            self.total = self.add_weight("total", initializer="zeros")
            self.by_class = self.add_weight("by_class", shape=(3,), initializer="zeros")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.total.assign_add(backend.sum(y_true))

        def result(self) -> Any:
            return self.total

    metric = Hits()
    metric.update_state([1.0, 2.0], [0.0, 0.0])
    assert float(metric.result()) == 3
    assert metric.by_class.shape == (3,) and metric.total.name.endswith("total")
