"""Layers against the installed Keras: same arguments, same weights, same inputs, equal outputs.

Run with: KERAS_BACKEND=torch pytest -m peers tests/peers
"""

from typing import Any

import numpy as np
import pytest

from refnet import layers as ours
from refnet.models import Model
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

pytestmark = pytest.mark.peers

RANDOM = np.random.default_rng(0)
STEPS = RANDOM.standard_normal((3, 6, 4)).astype("float32")
ROWS = RANDOM.standard_normal((3, 5)).astype("float32")
IMAGES = RANDOM.standard_normal((2, 5, 6, 3)).astype("float32")
VOLUMES = RANDOM.standard_normal((2, 4, 5, 3, 2)).astype("float32")

ONE_INPUT: list[tuple[str, dict[str, Any], Any]] = [
    ("Dense", {"units": 3, "activation": "relu"}, STEPS),
    ("Activation", {"activation": "softmax"}, ROWS),
    ("Flatten", {}, IMAGES),
    ("Flatten", {"data_format": "channels_first"}, IMAGES),
    ("Rescaling", {"scale": 0.5, "offset": 1.0}, IMAGES),
    ("Dropout", {"rate": 0.5}, ROWS),
    ("Identity", {}, ROWS),
    ("Reshape", {"target_shape": (4, 6)}, STEPS),
    ("Reshape", {"target_shape": (-1, 3, 2)}, STEPS),
    ("Permute", {"dims": (3, 1, 2)}, IMAGES),
    ("RepeatVector", {"n": 3}, ROWS),
    ("ReLU", {}, STEPS),
    ("ReLU", {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.3}, STEPS),
    ("ReLU", {"max_value": 0.5}, STEPS),
    ("ReLU", {"negative_slope": 0.25}, STEPS),
    ("LeakyReLU", {}, STEPS),
    ("LeakyReLU", {"negative_slope": 0.1}, STEPS),
    ("ELU", {}, STEPS),
    ("ELU", {"alpha": 0.5}, STEPS),
    ("PReLU", {"alpha_initializer": "random_normal"}, STEPS),
    ("PReLU", {"alpha_initializer": "random_normal", "shared_axes": [1, 2]}, IMAGES),
    ("Softmax", {}, STEPS),
    ("Softmax", {"axis": 1}, STEPS),
    ("Softmax", {"axis": [1, 2]}, STEPS),
    ("GaussianNoise", {"stddev": 0.1}, STEPS),
    ("GaussianDropout", {"rate": 0.3}, STEPS),
    ("AlphaDropout", {"rate": 0.3}, STEPS),
    ("SpatialDropout1D", {"rate": 0.3}, STEPS),
    ("SpatialDropout2D", {"rate": 0.3}, IMAGES),
    ("SpatialDropout3D", {"rate": 0.3}, VOLUMES),
    ("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, STEPS),
    ("UnitNormalization", {}, STEPS),
    ("UnitNormalization", {"axis": [1, 2]}, STEPS),
    ("Cropping1D", {}, STEPS),
    ("Cropping1D", {"cropping": (0, 2)}, STEPS),
    ("Cropping2D", {"cropping": ((1, 0), (2, 1))}, IMAGES),
    ("Cropping2D", {"cropping": (1, 2)}, IMAGES),
    ("Cropping2D", {}, IMAGES),
    ("Cropping3D", {}, VOLUMES),
    ("ZeroPadding1D", {}, STEPS),
    ("ZeroPadding1D", {"padding": (0, 2)}, STEPS),
    ("ZeroPadding2D", {}, IMAGES),
    ("ZeroPadding2D", {"padding": ((1, 0), (2, 1))}, IMAGES),
    ("ZeroPadding3D", {"padding": 2}, VOLUMES),
    ("UpSampling1D", {"size": 3}, STEPS),
    ("UpSampling3D", {"size": (2, 1, 3)}, VOLUMES),
    ("GlobalAveragePooling1D", {}, STEPS),
    ("GlobalMaxPooling1D", {"keepdims": True}, STEPS),
    ("GlobalAveragePooling2D", {"keepdims": True}, IMAGES),
    ("GlobalMaxPooling2D", {}, IMAGES),
    ("GlobalAveragePooling3D", {}, VOLUMES),
    ("GlobalMaxPooling3D", {}, VOLUMES),
]

SEVERAL: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("Add", {}, [STEPS, STEPS * 2, STEPS[:, :1]]),
    ("Subtract", {}, [STEPS, STEPS[:, :, :1]]),
    ("Multiply", {}, [STEPS, STEPS + 1]),
    ("Multiply", {}, [STEPS, ROWS[:, :4]]),
    ("Average", {}, [STEPS, STEPS * 2, STEPS * 5]),
    ("Maximum", {}, [STEPS, -STEPS]),
    ("Minimum", {}, [STEPS, -STEPS]),
    ("Concatenate", {}, [STEPS, STEPS[:, :, :2]]),
    ("Concatenate", {"axis": 1}, [STEPS, STEPS[:, :2]]),
    ("Dot", {"axes": 1}, [ROWS, ROWS[::-1].copy()]),
    ("Dot", {"axes": -1, "normalize": True}, [ROWS, ROWS + 1]),
    ("Dot", {"axes": (2, 2)}, [STEPS, STEPS[:, :3]]),
    ("Dot", {"axes": (1, 2)}, [STEPS, STEPS[:, :2].repeat(2, 2)[:, :, :6]]),
    ("Dot", {"axes": (1, 2)}, [ROWS, np.tile(ROWS[:, None], (1, 2, 1))]),
    ("Dot", {"axes": (3, 2)}, [IMAGES, STEPS[:2, :, :3]]),
]


def numbered(cases: list[Any]) -> list[Any]:
    return [pytest.param(*case, id=f"{case[0]}-{i}") for i, case in enumerate(cases)]


def compared(keras: Any, name: str, more: dict[str, Any], inputs: Any) -> None:
    their = getattr(keras.layers, name)(**more)
    expected = np.asarray(keras.ops.convert_to_numpy(their(inputs)))
    layer = getattr(ours, name)(**more)
    got = layer(inputs)
    if their.weights:
        layer.set_weights(their.get_weights())
        got = layer(inputs)
    agree(layer, expected, inputs)
    assert got.dtype == expected.dtype
    shapes = [x.shape for x in inputs] if isinstance(inputs, list) else inputs.shape
    assert tuple(layer.compute_output_shape(shapes)) == expected.shape
    again = type(layer).from_config(layer.get_config())
    again(inputs)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(inputs), got)
    slots = [ours.Input(x.shape[1:]) for x in inputs] if isinstance(inputs, list) else ours.Input(inputs.shape[1:])
    symbolic = Model(slots, layer(slots))
    their_slots = [keras.Input(s.shape[1:]) for s in slots] if isinstance(slots, list) else keras.Input(slots.shape[1:])
    assert symbolic.output_shape == tuple(their(their_slots).shape)  # None where the batch is open
    np.testing.assert_array_equal(symbolic.predict(inputs, verbose=0), got)


@pytest.mark.parametrize(("name", "more", "inputs"), numbered(ONE_INPUT))
def test_a_layer(keras: Any, name: str, more: dict[str, Any], inputs: Any) -> None:
    compared(keras, name, more, inputs)


@pytest.mark.parametrize(("name", "more", "inputs"), numbered(SEVERAL))
def test_a_layer_of_several_inputs(keras: Any, name: str, more: dict[str, Any], inputs: list[Any]) -> None:
    compared(keras, name, more, inputs)


SPATIAL = ("Cropping2D", "ZeroPadding2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "SpatialDropout2D")


@pytest.mark.parametrize(("name", "more", "inputs"), numbered([c for c in ONE_INPUT if c[0] in SPATIAL]))
def test_channels_first(keras: Any, name: str, more: dict[str, Any], inputs: Any) -> None:
    moved = np.moveaxis(inputs, -1, 1).copy()
    expected = getattr(ours, name)(**more)(inputs)
    layer = getattr(ours, name)(**more, data_format="channels_first")
    their = keras.ops.convert_to_numpy(getattr(keras.layers, name)(**more, data_format="channels_first")(moved))
    agree(layer, np.asarray(their), moved)
    if expected.ndim == 4:
        np.testing.assert_array_equal(np.moveaxis(layer(moved), 1, -1), expected)


def test_embedding(keras: Any) -> None:
    their = keras.layers.Embedding(7, 3)
    numbers = np.array([[0, 6, 3], [2, 2, 1]])
    expected = keras.ops.convert_to_numpy(their(numbers))
    layer = ours.Embedding(7, 3, weights=their.get_weights())
    np.testing.assert_array_equal(layer(numbers), expected)
    np.testing.assert_array_equal(layer(numbers.astype("float32")), expected)


def test_masks_given_to_a_layer(keras: Any) -> None:
    mask = np.array([[True] * 4 + [False] * 2, [True, False] * 3, [False] * 5 + [True]])
    expected = keras.ops.convert_to_numpy(keras.layers.GlobalAveragePooling1D()(STEPS, mask=mask))
    agree(ours.GlobalAveragePooling1D(), expected, STEPS, mask=mask)
    wide = np.broadcast_to(mask[:, :, None], STEPS.shape).copy()
    expected = keras.ops.convert_to_numpy(keras.layers.Softmax(axis=1)(STEPS, mask=wide))
    largest = abs(STEPS).max()  # a rounding of which is as many of e to its power
    close(ours.Softmax(axis=1)(STEPS, mask=wide), expected, 2 * (2 * ELEMENTARY + 6 + 2 * largest))


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate"])
def test_lower_case_functions(keras: Any, name: str) -> None:
    pair = [STEPS, STEPS[::-1].copy()]
    expected = keras.ops.convert_to_numpy(getattr(keras.layers, name)(pair))
    agree(getattr(ours, name), expected, pair)


def test_alpha_dropout_keeps_mean_and_variance_and_noise_has_its_spread() -> None:
    def spread(values: Any, mean: float, deviation: float) -> None:
        """Within six standard errors; that of a deviation is below that of a mean where no tail is heavier than the normal one."""
        error = deviation / np.sqrt(values.size)
        assert abs(values.mean() - mean) < 6 * error and abs(values.std() - deviation) < 6 * error

    x = RANDOM.standard_normal((200, 100)).astype("float32")
    spread(ours.AlphaDropout(0.4, seed=1)(x, training=True), 0, 1)
    spread(ours.GaussianNoise(0.5, seed=1)(x, training=True) - x, 0, 0.5)
    spread(ours.GaussianDropout(0.2, seed=1)(np.ones_like(x), training=True), 1, 0.5)
