"""What the first edition of Keras called otherwise."""

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

import refnet
from refnet import backend, initializers, layers, losses, metrics, optimizers, regularizers, utils
from refnet.errors import ArgumentError, MissingNameError
from refnet.layers import Dense, Input
from refnet.models import Sequential
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
    with pytest.raises(KeyError):
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
