"""Rows of the API table that are about everything: how modules are imported, names, layouts, dtypes, engines."""

import pathlib
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import refnet
import refnet_fast
from refnet import dtypes, ops
from refnet.errors import EngineError
from refnet.testing import close

generator = np.random.default_rng(0)
LIBRARIES = [refnet, refnet_fast]
ROOT = pathlib.Path(__file__).parent.parent.parent

IMPORTS = """
import keras
from keras import backend as K
from keras import initializers, layers, losses, metrics, models, optimizers, preprocessing, regularizers
from keras.layers import Dense, Input
from keras.models import Model, Sequential, load_model
from keras.utils import to_categorical
from keras.utils.np_utils import to_categorical as also
from keras.callbacks import EarlyStopping
assert isinstance(keras.__version__, str) and also is to_categorical
model = keras.models.Sequential()
model.add(keras.layers.Dense(2, activation="relu", input_shape=(3,)))
model.compile(optimizer=keras.optimizers.RMSprop(lr=0.001), loss=keras.losses.mean_squared_error)
assert keras.Input is Input and keras.Model is Model and layers.Input is Input and callable(keras.datasets.mnist.load_data)
assert K.image_data_format() == "channels_last" and keras.callbacks.EarlyStopping is EarlyStopping
assert callable(load_model) and callable(metrics.binary_accuracy) and callable(regularizers.l2(0.1))
"""


@pytest.mark.api("Import forms")
@pytest.mark.parametrize("library", ["refnet", "refnet_fast"])
def test_the_ways_in_which_programs_import(library: str) -> None:
    program = re.sub(r"\bkeras\b", library, IMPORTS)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.api("Default layer names (first edition; ours are Keras 3's `conv2d`, `conv2d_1`)", "K.clear_session")
def test_default_names_count_by_class_until_the_session_is_cleared() -> None:
    from refnet import backend as K
    from refnet.layers import Dense, Embedding, Lambda, Layer

    class CustomVariationalLayer(Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    kinds = [lambda: Dense(1), lambda: Embedding(2, 2), lambda: Lambda(ops.exp), CustomVariationalLayer]
    names = [kind().name for kind in kinds for _ in range(2)]
    bases = ["dense", "embedding", "lambda", "custom_variational_layer"]
    assert names == [name for base in bases for name in (base, f"{base}_1")]
    K.clear_session()
    assert Dense(1).name == "dense" and Dense(1, name="own").name == "own"
    a = refnet.Input((2,))
    assert refnet.Model(a, a * 2.0).name == "functional" and refnet.Sequential().name == "sequential"


@pytest.mark.api("Batch axis first; channels last")
def test_layouts() -> None:
    from refnet import backend as K
    from refnet.layers import Embedding, Flatten, GlobalAveragePooling2D, Input

    image = Input((6, 5, 3))
    assert image.shape == (None, 6, 5, 3) and K.image_data_format() == "channels_last"
    assert GlobalAveragePooling2D()(image).shape == (None, 3) and Flatten()(image).shape == (None, 90)
    assert Embedding(9, 4)(Input((7,), dtype="int32")).shape == (None, 7, 4)
    x = generator.random((2, 6, 5, 3)).astype("float32")
    model = refnet.Sequential([Input((6, 5, 3)), GlobalAveragePooling2D()])
    close(model.predict(x, verbose=0), x.mean((1, 2)), 2 * x[0].size)


@pytest.mark.api("float32 default", "NumPy in, writable NumPy out")
@pytest.mark.parametrize("dtype", ["uint8", "float64", "int64", "bool", "float16", "int8"])
def test_what_is_fed_is_cast_to_float32(dtype: str) -> None:
    from refnet.layers import Dense, Input

    model = refnet.Sequential([Input((3,)), Dense(2)])
    assert [w.dtype for w in model.weights] == ["float32", "float32"]
    x = (generator.random((4, 3)) * 3).astype(dtype)
    y = model.predict(x, verbose=0)
    kernel, bias = model.get_weights()
    close(y, x.astype("float32") @ kernel + bias, 2 * (x.shape[-1] + 1), abs(x) @ abs(kernel) + abs(bias))
    assert y.dtype == np.float32
    y -= 1
    y[0, :] *= 2
    model.compile("sgd", "categorical_crossentropy")
    model.fit(x, np.eye(2, dtype="bool")[[0, 1, 0, 1]], verbose=0)


@pytest.mark.api("tf dtypes list")
def test_the_dtypes_that_tensors_have() -> None:
    names = ["float16", "float32", "float64", "bfloat16", "bool"]
    names += [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
    for name in names:
        value = ops.cast(np.array([0, 1, 1]), name)
        assert dtypes.standardize(value.dtype) == name and ops.dtype(value) == name


@pytest.mark.api("relu / dot / + on NumPy")
def test_naive_loops_and_the_ops_agree() -> None:
    def naive_relu(x: Any) -> Any:
        x = x.copy()
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                x[i, j] = max(x[i, j], 0)
        return x

    def naive_dot(x: Any, y: Any) -> Any:
        z = np.zeros((x.shape[0], y.shape[1]), "float32")
        for i in range(x.shape[0]):
            for j in range(y.shape[1]):
                z[i, j] = sum(x[i, k] * y[k, j] for k in range(x.shape[1]))
        return z

    x, y = generator.normal(size=(3, 4)).astype("float32"), generator.normal(size=(4, 2)).astype("float32")
    np.testing.assert_array_equal(ops.relu(x), naive_relu(x))
    close(ops.dot(x, y), naive_dot(x, y), 2 * x.shape[1], abs(x) @ abs(y))
    np.testing.assert_array_equal(ops.add(x, y[:, 0]), x + y[:, 0])
    np.testing.assert_array_equal(ops.maximum(generator.normal(size=(2, 3, 4)), np.zeros(4)).shape, (2, 3, 4))
    assert ops.reshape(x, (6, 2)).shape == (6, 2) and ops.transpose(x).shape == (4, 3)


@pytest.mark.api("Input / keras.Input / layers.Input")
@pytest.mark.parametrize("keras", LIBRARIES)
def test_the_forms_of_input(keras: Any) -> None:
    assert keras.Input(shape=(64,)).shape == keras.layers.Input((64,)).shape == (None, 64)
    text = keras.layers.Input(shape=(None,), dtype="int32", name="text")
    assert text.shape == (None, None) and text.dtype == "int32" and text.name == "text"


@pytest.mark.api("multi-GPU, CPU/GPU switch")
def test_engines_are_switched_without_changing_the_program() -> None:
    from refnet.layers import Dense, Input

    model = refnet_fast.Sequential([Input((3,)), Dense(2, activation="relu")])
    x = generator.normal(size=(4, 3)).astype("float32")
    results = []
    for name in ("reference", "cpu"):
        with refnet_fast.use_engine(name):
            results.append(model.predict(x, verbose=0))
    kernel, bias = model.get_weights()
    size = abs(x) @ abs(kernel) + abs(bias)
    close(*results, 2 * (3 + 1), size)
    try:
        with refnet_fast.use_engine("cuda"):
            close(model.predict(x, verbose=0), results[0], 2 * (3 + 1), size)
    except EngineError as error:
        assert "cuda" in str(error).lower()


@pytest.mark.api("Side effects of the book code")
def test_folders_that_a_program_makes_and_files_it_leaves(tmp_path: pathlib.Path) -> None:
    """The programs make folders by os.mkdir and save into them; nothing is written anywhere else."""
    import os

    os.mkdir(tmp_path / "gan_images")
    model = refnet.Sequential([refnet.Input((3,)), refnet.layers.Dense(1)])
    model.save_weights(str(tmp_path / "gan_images" / "gan.h5"))
    assert [p.name for p in (tmp_path / "gan_images").iterdir()] == ["gan.h5"]
    with pytest.raises(FileNotFoundError, match="does not exist; make it"):
        model.save(str(tmp_path / "missing" / "m.h5"))
