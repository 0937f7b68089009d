"""Layers over axes of space, and normalizations, against the installed Keras: outputs, shapes, training steps, files both ways.

Run with: KERAS_BACKEND=torch pytest -m peers tests/peers
"""

import pathlib
from typing import Any

import numpy as np
import pytest

import refnet
from refnet.testing.closeness import close
from refnet.testing.conformance import agree
from refnet.testing.whole import hold_step

pytestmark = pytest.mark.peers
keras = pytest.importorskip("keras")
pytest.importorskip("h5py")

random = np.random.default_rng(0)
STEPS = random.standard_normal((4, 9, 4)).astype("float32")
IMAGES = random.standard_normal((2, 7, 8, 4)).astype("float32")
VOLUMES = random.standard_normal((2, 5, 4, 5, 4)).astype("float32")
ROWS = random.standard_normal((6, 4)).astype("float32")
FIRST = {"data_format": "channels_first"}

CASES: list[tuple[str, dict[str, Any], Any]] = [
    ("Conv1D", {"filters": 3, "kernel_size": 3}, STEPS),
    ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2, "activation": "relu"}, STEPS),
    ("Conv1D", {"filters": 4, "kernel_size": 2, "strides": 3, "padding": "same", "groups": 2}, STEPS),
    ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal", "strides": 2}, STEPS),
    ("Conv1D", {"filters": 3, "kernel_size": 3, **FIRST}, STEPS),
    ("Conv2D", {"filters": 3, "kernel_size": (3, 2)}, IMAGES),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "tanh"}, IMAGES),
    ("Conv2D", {"filters": 3, "kernel_size": 4, "strides": (3, 2), "padding": "same", "use_bias": False}, IMAGES),
    ("Conv2D", {"filters": 6, "kernel_size": 2, "groups": 2, "dilation_rate": (2, 1)}, IMAGES),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "padding": "same", **FIRST}, IMAGES),
    (
        "Conv2D",
        {
            "filters": 2,
            "kernel_size": 3,
            "kernel_regularizer": "l2",
            "bias_regularizer": "l1",
            "activity_regularizer": "l2",
            "kernel_constraint": "max_norm",
            "bias_constraint": "non_neg",
            "kernel_initializer": "he_normal",
            "bias_initializer": "ones",
        },
        IMAGES,
    ),
    ("Conv3D", {"filters": 2, "kernel_size": 2, "strides": (1, 2, 1), "padding": "same"}, VOLUMES),
    ("Conv3D", {"filters": 2, "kernel_size": (1, 2, 3), **FIRST}, VOLUMES),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2}, STEPS),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "same", "output_padding": 1}, STEPS),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}, IMAGES),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": (2, 4), "strides": (1, 3), "activation": "relu"}, IMAGES),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "output_padding": (0, 1)}, IMAGES),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, IMAGES),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "use_bias": False, **FIRST}, IMAGES),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, VOLUMES),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2}, STEPS),
    ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same", "depthwise_regularizer": "l2"}, IMAGES),
    ("DepthwiseConv2D", {"kernel_size": (2, 3), "strides": 2, "depth_multiplier": 3, "activation": "relu"}, IMAGES),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, **FIRST}, IMAGES),
    ("SeparableConv1D", {"filters": 3, "kernel_size": 3, "depth_multiplier": 2, "padding": "same"}, STEPS),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 3, "activation": "relu"}, IMAGES),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", **FIRST}, IMAGES),
    (
        "SeparableConv2D",
        {"filters": 3, "kernel_size": 2, "dilation_rate": 2, "pointwise_constraint": "unit_norm"},
        IMAGES,
    ),
    ("MaxPooling1D", {}, STEPS),
    ("MaxPooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, STEPS),
    ("MaxPooling2D", {}, IMAGES),
    ("MaxPooling2D", {"pool_size": (2, 3), "strides": 2, "padding": "same"}, IMAGES),
    ("MaxPooling2D", {"pool_size": 3, "strides": 1, **FIRST}, IMAGES),
    ("MaxPooling3D", {}, VOLUMES),
    ("AveragePooling1D", {"pool_size": 2}, STEPS),
    ("AveragePooling2D", {"pool_size": 3, "strides": 2}, IMAGES),
    ("AveragePooling2D", {"pool_size": 3, "strides": 2, **FIRST}, IMAGES),
    ("AveragePooling3D", {"pool_size": (1, 2, 3)}, VOLUMES),
    ("AdaptiveAveragePooling1D", {"output_size": 4}, STEPS),
    ("AdaptiveAveragePooling2D", {"output_size": (3, 5)}, IMAGES),
    ("AdaptiveAveragePooling3D", {"output_size": 2, **FIRST}, VOLUMES),
    ("AdaptiveMaxPooling1D", {"output_size": 4}, STEPS),
    ("AdaptiveMaxPooling2D", {"output_size": (3, 5), **FIRST}, IMAGES),
    ("AdaptiveMaxPooling3D", {"output_size": (1, 2, 3)}, VOLUMES),
    ("GlobalMaxPooling2D", {"keepdims": True, **FIRST}, IMAGES),
    ("GlobalAveragePooling3D", {**FIRST}, VOLUMES),
    ("UpSampling2D", {}, IMAGES),
    ("UpSampling2D", {"size": (1, 3), **FIRST}, IMAGES),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, IMAGES),
    ("UpSampling2D", {"size": 2, "interpolation": "bilinear", **FIRST}, IMAGES),
    ("UpSampling1D", {"size": 3}, STEPS),
    ("UpSampling3D", {"size": 2, **FIRST}, VOLUMES),
    ("ZeroPadding1D", {"padding": (1, 2), **FIRST}, STEPS),
    ("ZeroPadding3D", {"padding": (1, 2, 0), **FIRST}, VOLUMES),
    ("Cropping3D", {"cropping": ((0, 1), (1, 0), (2, 1)), **FIRST}, VOLUMES),
    ("BatchNormalization", {}, ROWS),
    ("BatchNormalization", {"momentum": 0.7, "epsilon": 0.01}, IMAGES),
    ("BatchNormalization", {"axis": 1, "center": False}, IMAGES),
    ("BatchNormalization", {"scale": False, "beta_regularizer": "l2"}, VOLUMES),
    ("BatchNormalization", {"renorm": True, "momentum": 0.8, "renorm_momentum": 0.6}, IMAGES),
    (
        "BatchNormalization",
        {"renorm": True, "center": False, "renorm_clipping": {"rmin": 0.5, "rmax": 1.1, "dmax": 0.2}},
        ROWS,
    ),
    ("LayerNormalization", {}, STEPS),
    ("LayerNormalization", {"axis": [1, 2], "epsilon": 0.1}, STEPS),
    ("LayerNormalization", {"axis": [1, 2, 3], "center": False, "scale": False}, IMAGES),
    ("GroupNormalization", {"groups": 2}, IMAGES),
    ("GroupNormalization", {"groups": -1, "scale": False}, IMAGES),
    ("GroupNormalization", {"groups": 4, "axis": 2, "epsilon": 0.1}, IMAGES),
    ("RMSNormalization", {}, STEPS),
    ("RMSNormalization", {"axis": [1, 2], "epsilon": 0.1}, STEPS),
    ("UnitNormalization", {"axis": 1}, STEPS),
    (
        "EinsumDense",
        {"equation": "abc,cd->abd", "output_shape": (None, 5), "bias_axes": "d", "activation": "relu"},
        STEPS,
    ),
    ("EinsumDense", {"equation": "...x,xy->...y", "output_shape": 5, "bias_axes": "y"}, IMAGES),
    ("EinsumDense", {"equation": "abc,cde->abde", "output_shape": (9, 2, 3), "bias_axes": "de"}, STEPS),
    ("EinsumDense", {"equation": "ab...,bc->ac...", "output_shape": 3, "bias_axes": "c"}, STEPS),
    ("EinsumDense", {"equation": "abcd,cde->abe", "output_shape": (None, 3), "kernel_constraint": "non_neg"}, IMAGES),
]
NAMES = sorted({case[0] for case in CASES} | {"SpectralNormalization"})


def numbered(cases: list[Any]) -> list[Any]:
    return [pytest.param(*case, id=f"{case[0]}-{i}") for i, case in enumerate(cases)]


def net(k: Any, layer: Any, shape: tuple[Any, ...]) -> Any:
    """A layer behind a Dense one, whose weights move by the gradient that comes through the layer."""
    slot = k.Input(shape)
    model = k.Model(slot, layer(k.layers.Dense(shape[-1], name="before")(slot)))
    model.compile(k.optimizers.SGD(0.05), "mse")
    return model


def made(k: Any, name: str, more: dict[str, Any]) -> Any:
    if name == "SpectralNormalization":
        return k.layers.SpectralNormalization(getattr(k.layers, more["kind"])(**more["inner"]), more.get("times", 1))
    return getattr(k.layers, name)(**more)


def pair(name: str, more: dict[str, Any], inputs: Any) -> tuple[Any, Any]:
    """Keras's model and ours, with equal weights, none of them at its usual start."""
    theirs, ours = (net(k, made(k, name, more), inputs.shape[1:]) for k in (keras, refnet))
    start = [
        (np.abs(w) if "variance" in v.path else w).astype("float32")
        for v, w in ((v, random.standard_normal(v.shape) * 0.5 + 0.1) for v in theirs.weights)
    ]
    theirs.set_weights(start)
    ours.set_weights(start)
    return theirs, ours


@pytest.mark.parametrize(("name", "more", "inputs"), numbered(CASES))
def test_outputs_shapes_and_training_steps(name: str, more: dict[str, Any], inputs: Any) -> None:
    theirs, ours = pair(name, more, inputs)
    assert [v.shape for v in ours.weights] == [tuple(v.shape) for v in theirs.weights]
    assert [v.name.split("/")[-1] for v in ours.weights] == [v.name for v in theirs.weights]
    assert ours.count_params() == theirs.count_params()
    before = ours.predict(inputs, verbose=0)
    if name == "EinsumDense":  # Keras says what its output_shape argument says: fewer, and sometimes other, lengths
        assert ours.output_shape == (None, *before.shape[1:])
    else:
        assert ours.output_shape == tuple(theirs.output_shape)
    expected = theirs.predict(inputs, verbose=0)
    if more.get("interpolation") == "bilinear":  # PyTorch rounds coordinates, up to 8 pixels, which here are exact
        close(before, expected, 2 * 8, 8 * 2 * abs(before).max())
    else:
        agree(ours, expected, inputs)
    if name == "BatchNormalization":
        agree(ours, keras.ops.convert_to_numpy(theirs(inputs, training=True)), inputs, training=True)
    targets = random.standard_normal(before.shape).astype("float32")
    hold_step(ours, inputs, targets, theirs=(theirs.train_on_batch(inputs, targets), theirs.get_weights()))


@pytest.mark.parametrize(("size", "step"), [(2, 2), (3, 2), (3, 1)])
def test_means_of_windows_over_the_border_leave_out_what_is_outside(size: int, step: int) -> None:
    """As Keras does on TensorFlow and JAX; on PyTorch it repeats the border instead, so JAX is asked."""
    from jax import lax

    def summed(x: Any) -> Any:
        return lax.reduce_window(x, 0.0, lax.add, (1, size, size, 1), (1, step, step, 1), "SAME")

    expected = np.asarray(summed(IMAGES)) / np.asarray(summed(np.ones_like(IMAGES)))
    layer = refnet.layers.AveragePooling2D(size, strides=step, padding="same")
    agree(layer, expected, IMAGES)


OPEN = [case for case in CASES if case[0] not in ("LayerNormalization", "RMSNormalization", "EinsumDense")]


@pytest.mark.parametrize(
    ("name", "more", "inputs"),
    numbered([c for c in OPEN if "data_format" not in c[1] and c[1].get("axis", -1) == -1]),
)
def test_open_axes_of_space(name: str, more: dict[str, Any], inputs: Any) -> None:
    shape = (*(None,) * (inputs.ndim - 2), inputs.shape[-1])
    theirs, ours = (net(k, made(k, name, more), shape) for k in (keras, refnet))
    ours.set_weights(theirs.get_weights())
    assert ours.output_shape == tuple(theirs.output_shape)
    fixed = net(refnet, made(refnet, name, more), inputs.shape[1:])
    fixed.set_weights(theirs.get_weights())
    np.testing.assert_array_equal(ours.predict(inputs, verbose=0), fixed.predict(inputs, verbose=0))
    targets = np.ones_like(fixed.predict(inputs, verbose=0))
    for model in (ours, fixed):
        model.train_on_batch(inputs, targets)
    for own, other in zip(ours.get_weights(), fixed.get_weights()):
        np.testing.assert_array_equal(own, other)


SPECTRAL = [
    ("SpectralNormalization", {"kind": "Dense", "inner": {"units": 3}}, ROWS),
    ("SpectralNormalization", {"kind": "Conv2D", "inner": {"filters": 3, "kernel_size": 2}, "times": 3}, IMAGES),
]


@pytest.mark.parametrize(("name", "more", "inputs"), numbered(CASES + SPECTRAL))
def test_files_both_ways(name: str, more: dict[str, Any], inputs: Any, tmp_path: pathlib.Path) -> None:
    theirs, ours = pair(name, more, inputs)
    expected = ours.predict(inputs, verbose=0)
    ours.save(str(tmp_path / "ours.keras"))
    theirs.save(str(tmp_path / "theirs.keras"))
    ours.save_weights(str(tmp_path / "ours.weights.h5"))
    theirs.save_weights(str(tmp_path / "theirs.weights.h5"))
    theirs_expected = theirs.predict(inputs, verbose=0)
    read = keras.saving.load_model(tmp_path / "ours.keras")
    np.testing.assert_array_equal(read.predict(inputs, verbose=0), theirs_expected)
    read = refnet.saving.load_model(tmp_path / "theirs.keras")
    np.testing.assert_array_equal(read.predict(inputs, verbose=0), expected)
    other_theirs, other_ours = pair(name, more, inputs)
    other_theirs.load_weights(tmp_path / "ours.weights.h5")
    other_ours.load_weights(tmp_path / "theirs.weights.h5")
    np.testing.assert_array_equal(other_theirs.predict(inputs, verbose=0), theirs_expected)
    np.testing.assert_array_equal(other_ours.predict(inputs, verbose=0), expected)
    for own, their in zip(other_ours.get_weights(), other_theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(own, their)


@pytest.mark.parametrize(("name", "more", "inputs"), numbered(SPECTRAL))
def test_spectral_normalization(name: str, more: dict[str, Any], inputs: Any) -> None:
    theirs, ours = pair(name, more, inputs)
    assert [v.shape for v in ours.weights] == [tuple(v.shape) for v in theirs.weights]
    targets = np.ones_like(ours.predict(inputs, verbose=0))
    for _ in range(2):
        step = theirs.train_on_batch(inputs, targets), theirs.get_weights()
        hold_step(ours, inputs, targets, theirs=step)
        ours.set_weights(step[1])
    agree(ours, theirs.predict(inputs, verbose=0), inputs)


def test_batch_normalization_with_masks_when_frozen_and_shared() -> None:
    mask = np.array([[True] * 6 + [False] * 3, [True, False, True] * 3, [False] * 8 + [True], [True] * 9])
    layers = [k.layers.BatchNormalization(momentum=0.5) for k in (refnet, keras)]
    expected = layers[1](STEPS, training=True, mask=mask)
    agree(layers[0], keras.ops.convert_to_numpy(expected), STEPS, training=True, mask=mask)
    seen = STEPS[mask]  # half of the moving statistics are the batch's, of as many numbers
    for own, their in zip(layers[0].get_weights(), layers[1].get_weights()):
        close(own, their, 2 * 2 * len(seen), 1 + (seen**2).mean(0))
    layers[0].set_weights(layers[1].get_weights())
    for layer in layers:
        layer.trainable = False
    expected = layers[1](STEPS, training=True)
    agree(layers[0], keras.ops.convert_to_numpy(expected), STEPS, training=True)
    for own, their in zip(layers[0].get_weights(), layers[1].get_weights()):
        np.testing.assert_array_equal(own, their)
    models = []
    for k in (refnet, keras):
        a, shared = k.Input((4,)), k.layers.BatchNormalization(momentum=0.5)
        model = k.Model(a, shared(shared(a) * 3.0 + 1.0))
        model.compile("sgd", "mse")
        models.append(model)
    step = models[1].train_on_batch(ROWS, np.zeros_like(ROWS)), models[1].get_weights()
    hold_step(models[0], ROWS, np.zeros_like(ROWS), theirs=step)


def every_layer(k: Any) -> Any:
    """A net in which most of these layers stand once; those that compare, by which a certificate would branch, stand alone above."""
    slot, layers = k.Input((4, 6, 2)), k.layers
    x = layers.DepthwiseConv2D(2, padding="same", depth_multiplier=2)(slot)
    x = layers.GroupNormalization(2)(layers.SeparableConv2D(4, 3, padding="same", activation="tanh")(x))
    x = layers.LayerNormalization()(layers.AveragePooling2D(2)(x))
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.SpectralNormalization(layers.Conv2D(3, 2))(x)
    x = layers.RMSNormalization()(layers.Conv2DTranspose(4, 2, strides=2)(x))
    x = layers.BatchNormalization()(layers.AveragePooling2D(2)(x))
    x = layers.EinsumDense("abcd,cde->abe", (None, 2), bias_axes="e")(x)
    model = k.Model(slot, layers.GlobalAveragePooling1D()(x))
    model.compile(k.optimizers.SGD(0.01), "mse")
    return model


def test_three_steps_on_the_compiled_engine() -> None:
    import refnet_fast  # registers the engine

    generator = np.random.default_rng(1)
    keras.utils.set_random_seed(1)
    theirs, ours = every_layer(keras), every_layer(refnet)
    ours.set_weights(theirs.get_weights())
    with refnet_fast.use_engine("cpu"):
        for _ in range(3):
            x, targets = (generator.standard_normal(shape).astype("float32") for shape in ((2, 4, 6, 2), (2, 2)))
            step = theirs.train_on_batch(x, targets), theirs.get_weights()
            assert hold_step(ours, x, targets, theirs=step) > 0  # 0 if the limits were infinite
            ours.set_weights(step[1])


def test_every_alias_of_keras_is_here() -> None:
    for name in NAMES:
        for alias, kind in vars(keras.layers).items():
            if kind is getattr(keras.layers, name):
                assert getattr(refnet.layers, alias) is getattr(refnet.layers, name)
