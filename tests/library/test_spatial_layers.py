"""Convolution and pooling layers: by hand, in models, the book's shapes and numbers of parameters, and their errors."""

from typing import Any

import numpy as np
import pytest

from refnet import layers, ops
from refnet.errors import ArgumentError, ShapeError
from refnet.layers import Dense, Flatten, Input, LeakyReLU, Reshape
from refnet.models import Model, Sequential
from refnet.testing.conformance import agree

IMAGE = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
STEPS = np.arange(6, dtype="float32").reshape(1, 6, 1)


def ones(kind: Any, *arguments: Any, **more: Any) -> Any:
    """A layer whose kernels are all 1."""
    names = [
        n for n in ("kernel", "depthwise", "pointwise") if n + "_initializer" in kind.__init__.__code__.co_varnames
    ]
    return kind(*arguments, **{n + "_initializer": "ones" for n in names}, **more)


def row(y: Any) -> list[float]:
    return [float(v) for v in np.ravel(y)]


@pytest.mark.api("Conv1D", "Conv2D")
def test_convolutions_by_hand() -> None:
    layer = ones(layers.Conv2D, 1, 2, strides=2, bias_initializer="ones")
    assert np.array_equal(layer(IMAGE)[0, :, :, 0], [[11, 19], [43, 51]])  # 0 + 1 + 4 + 5, and the bias
    assert [v.name for v in layer.weights] == [f"{layer.name}/kernel", f"{layer.name}/bias"]
    assert layer.kernel.shape == (2, 2, 1, 1) and layer.count_params() == 5
    assert row(ones(layers.Conv1D, 1, 3, padding="causal")(STEPS)) == [0, 1, 3, 6, 9, 12]
    assert row(ones(layers.Conv1D, 1, 3, padding="same", dilation_rate=2)(STEPS)) == [2, 4, 6, 9, 6, 8]
    assert row(ones(layers.Conv1D, 1, 2, activation=ops.negative)(STEPS)) == [-1, -3, -5, -7, -9]
    assert ones(layers.Conv3D, 2, 2)(np.ones((1, 2, 2, 3, 5), "float32")).tolist() == [[[[[40, 40], [40, 40]]]]]


def test_groups_see_their_own_channels() -> None:
    x = np.array([[[1.0, 2.0, 10.0, 20.0]]], "float32")
    assert row(ones(layers.Conv1D, 2, 1, groups=2)(x)) == [3, 30]
    assert ones(layers.Conv1D, 4, 1, groups=2)(x).tolist() == [[[3, 3, 30, 30]]]
    assert row(ones(layers.DepthwiseConv1D, 1, depth_multiplier=2)(x)) == [1, 1, 2, 2, 10, 10, 20, 20]


@pytest.mark.api("Conv2DTranspose", "SeparableConv2D")
def test_transposed_depthwise_and_separable_convolutions_by_hand() -> None:
    assert row(ones(layers.Conv1DTranspose, 1, 3, strides=2)(STEPS[:, 1:3])) == [1, 1, 3, 2, 2]
    longer = ones(layers.Conv1DTranspose, 1, 3, strides=2, output_padding=1)
    assert row(longer(STEPS[:, 1:3])) == [1, 1, 3, 2, 2, 0]
    assert ones(layers.Conv2DTranspose, 1, 2, strides=2)(IMAGE[:, :1, :2])[0, :, :, 0].tolist() == [[0, 0, 1, 1]] * 2
    x = np.stack([IMAGE[..., 0], 100 * IMAGE[..., 0]], -1)
    assert ones(layers.DepthwiseConv2D, 3)(x)[0, 0, 0].tolist() == [45, 4500]
    layer = ones(layers.SeparableConv2D, 3, 3)
    assert layer(x)[0, 0, 0].tolist() == [4545] * 3
    names = [v.name.partition("/")[2] for v in layer.weights]
    assert names == ["depthwise_kernel", "pointwise_kernel", "bias"] and layer.count_params() == 18 + 6 + 3


@pytest.mark.api("MaxPooling1D", "MaxPooling2D", "AveragePooling2D")
def test_pooling_by_hand() -> None:
    assert row(layers.MaxPooling2D()(IMAGE)) == [5, 7, 13, 15]
    assert row(layers.MaxPooling2D(3, strides=1)(IMAGE)) == [10, 11, 14, 15]
    assert row(layers.AveragePooling2D(3, strides=2, padding="same")(IMAGE)) == [5, 6.5, 11, 12.5]
    assert row(layers.MaxPooling1D(4)(STEPS)) == [3] and row(layers.AveragePooling1D(2, 3)(STEPS)) == [0.5, 3.5]
    assert row(layers.MaxPooling3D((1, 2, 1))(IMAGE[..., None])) == [1, 3, 5, 7, 9, 11, 13, 15]
    assert row(layers.AdaptiveAveragePooling1D(4)(STEPS)) == [0.5, 1.5, 3.5, 4.5]
    assert row(layers.AdaptiveMaxPooling2D((1, 3))(IMAGE)) == [13, 14, 15]


def test_up_sampling_between_pixels_with_open_axes() -> None:
    layer = layers.UpSampling2D((1, 2), interpolation="bilinear")
    slot = Input((None, None, 1))
    model = Model(slot, layer(slot))
    assert model.output_shape == (None, None, None, 1)
    assert row(model.predict(IMAGE[:, :1], verbose=0)) == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]
    assert row(layer(np.array([[[[0], [4]]]], "int32"))) == [0, 1, 3, 4]
    (dx,) = ops.gradients(ops.sum(ops.square(model.output)), model.inputs)
    np.testing.assert_array_equal(
        Model(model.inputs, dx).predict(IMAGE[:, :1], verbose=0)[0, 0, :, 0], [0.75, 4, 8, 11.25]
    )


def test_lanczos_windows_learn_how_large_images_are():
    x = np.random.default_rng(0).random((1, 3, 4, 2)).astype("float32")
    layer = layers.UpSampling2D((2, 3), interpolation="lanczos3")
    np.testing.assert_array_equal(layer(x), ops.resize(x, (6, 12), "lanczos3"))
    images = Input((None, 4, 2))
    larger = layer(images)
    assert larger.shape == (None, None, 12, 2)
    np.testing.assert_array_equal(Model(images, larger).predict(x, verbose=0), layer(x))


CHANNELS = [
    (layers.Conv1D, (2, 3), 1),
    (layers.Conv2D, (2, 3), 2),
    (layers.Conv3D, (2, 2), 3),
    (layers.Conv1DTranspose, (2, 3), 1),
    (layers.Conv2DTranspose, (2, 3, 2), 2),
    (layers.DepthwiseConv2D, (3,), 2),
    (layers.SeparableConv1D, (2, 3), 1),
    (layers.MaxPooling2D, (), 2),
    (layers.AveragePooling3D, (2,), 3),
    (layers.AdaptiveMaxPooling1D, (2,), 1),
    (layers.UpSampling2D, (2, None, "bilinear"), 2),
]


@pytest.mark.api("Batch axis first; channels last")
@pytest.mark.parametrize(("kind", "arguments", "axes"), CHANNELS, ids=lambda v: getattr(v, "__name__", ""))
def test_channels_first_is_channels_last_moved(kind: Any, arguments: Any, axes: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, *(4, 5, 4)[:axes], 3)).astype("float32")
    last = kind(*arguments)
    expected = np.moveaxis(last(x), -1, 1)
    words = {} if kind is layers.UpSampling2D else {"data_format": "channels_first"}
    given = (2, "channels_first", "bilinear") if kind is layers.UpSampling2D else arguments
    first = kind(*given, **words)
    moved = np.moveaxis(x, -1, 1).copy()
    first(moved)
    if last.weights:
        weights = last.get_weights()
        weights[-1] = np.arange(len(weights[-1]), dtype="float32")  # a bias, so that it has to reach its own channel
        expected = expected + np.moveaxis(np.broadcast_to(weights[-1], np.moveaxis(expected, 1, -1).shape), -1, 1)
        first.set_weights(weights)
    agree(first, expected, moved)


def test_names_of_the_first_keras() -> None:
    for n in "123":
        assert vars(layers)[f"Convolution{n}D"] is vars(layers)[f"Conv{n}D"]
        assert vars(layers)[f"Convolution{n}DTranspose"] is vars(layers)[f"Conv{n}DTranspose"]
        assert vars(layers)[f"MaxPool{n}D"] is vars(layers)[f"MaxPooling{n}D"]
        assert vars(layers)[f"AvgPool{n}D"] is vars(layers)[f"AveragePooling{n}D"]
    assert layers.SeparableConvolution2D is layers.SeparableConv2D


# ---- the book's networks


def lazily(shape: Any, dtype: Any = None) -> Any:
    """Zeros whose memory nobody touches: these networks are only measured."""
    return np.zeros(shape, dtype)


FREE = {"kernel_initializer": lazily}


def sides(model: Any) -> list[int]:
    """The first axis of space after each layer that changes it."""
    found = [layer.output.shape[1] for layer in model.layers if len(layer.output.shape) > 2]
    return [n for i, n in enumerate(found) if i == 0 or n != found[i - 1]]


def test_the_convnet_of_5_1() -> None:
    model = Sequential([layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1))])
    for filters in (64, 64):
        model.add(layers.MaxPooling2D((2, 2)))
        model.add(layers.Conv2D(filters, (3, 3), activation="relu", **FREE))
    assert model.count_params() == 55_744 and sides(model) == [26, 13, 11, 5, 3]
    assert model.output_shape == (None, 3, 3, 64)
    model.add(Flatten())
    model.add(Dense(64, activation="relu", **FREE))
    model.add(Dense(10, activation="softmax"))
    assert model.count_params() == 93_322 and model.layers[0].name.startswith("conv2d")


def test_the_convnet_of_5_2() -> None:
    model = Sequential([Input((150, 150, 3))])
    for filters in (32, 64, 128, 128):
        model.add(layers.Conv2D(filters, 3, activation="relu", **FREE))
        model.add(layers.MaxPooling2D(2))
    assert sides(model) == [148, 74, 72, 36, 34, 17, 15, 7]
    for layer in (Flatten(), Dense(512, "relu", **FREE), Dense(1, "sigmoid")):
        model.add(layer)
    assert model.count_params() == 3_453_121


def test_the_networks_of_8_5() -> None:
    generator = Sequential([Input((32,)), Dense(128 * 16 * 16, **FREE), LeakyReLU(), Reshape((16, 16, 128))])
    for layer in (
        layers.Conv2D(256, 5, padding="same", **FREE),
        layers.Conv2DTranspose(256, 4, strides=2, padding="same", **FREE),
        layers.Conv2D(256, 5, padding="same", **FREE),
        layers.Conv2D(256, 5, padding="same", **FREE),
        layers.Conv2D(3, 7, activation="tanh", padding="same", **FREE),
    ):
        generator.add(layer)
    assert generator.count_params() == 6_264_579 and generator.output_shape == (None, 32, 32, 3)
    discriminator = Sequential([Input((32, 32, 3)), layers.Conv2D(128, 3, **FREE)])
    for _ in range(3):
        discriminator.add(layers.Conv2D(128, 4, strides=2, **FREE))
    assert sides(discriminator) == [30, 14, 6, 2]
    discriminator.add(Flatten())
    discriminator.add(Dense(1, activation="sigmoid"))
    assert discriminator.count_params() == 790_913


def test_the_variational_autoencoder_of_8_4() -> None:
    image = x = Input((28, 28, 1))
    for filters, strides in ((32, 1), (64, (2, 2)), (64, 1), (64, 1)):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", strides=strides, **FREE)(x)
    assert x.shape == (None, 14, 14, 64)
    x = Dense(32, activation="relu", **FREE)(Flatten()(x))
    encoder = Model(image, [Dense(2)(x), Dense(2)(x)])
    code = Input((2,))
    x = Reshape((14, 14, 64))(Dense(14 * 14 * 64, activation="relu", **FREE)(code))
    x = layers.Conv2DTranspose(32, 3, padding="same", activation="relu", strides=(2, 2), **FREE)(x)
    decoder = Model(code, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))
    assert decoder.count_params() == 56_385 and decoder.output_shape == (None, 28, 28, 1)
    assert encoder.count_params() + decoder.count_params() == 550_629


def test_the_sequence_convnet_of_6_4() -> None:
    table = layers.Embedding(10000, 128, embeddings_initializer=lazily, input_length=500)
    model = Sequential([table, layers.Conv1D(32, 7, activation="relu", **FREE), layers.MaxPooling1D(5)])
    model.add(layers.Conv1D(32, 7, activation="relu", **FREE))
    assert sides(model)[1:] == [494, 98, 92]
    model.add(layers.GlobalMaxPooling1D())
    model.add(Dense(1))
    assert model.count_params() == 1_315_937


def test_convolutions_without_pooling_of_the_notes() -> None:
    model = Sequential([Input((28, 28, 1))])
    for filters in (32, 64, 64):
        model.add(layers.Conv2D(filters, 3, activation="relu", **FREE))
    assert sides(model) == [26, 24, 22]
    model.add(Flatten())
    assert model.output_shape == (None, 22 * 22 * 64) == (None, 30_976)
    model.add(Dense(512, activation="relu", **FREE))
    assert model.layers[-1].count_params() == 15_860_224


@pytest.mark.api("Dynamic spatial / time axes")
def test_one_network_for_images_of_every_size() -> None:
    slot = Input((None, None, 1))
    x = layers.Conv2D(2, 3, padding="same", activation="relu")(slot)
    x = layers.SeparableConv2D(3, 2)(layers.MaxPooling2D(2)(x))
    x = layers.BatchNormalization()(layers.Conv2DTranspose(2, 2, strides=2)(x))
    model = Model(slot, layers.GlobalAveragePooling2D()(layers.AveragePooling2D(2, padding="same")(x)))
    assert model.output_shape == (None, 2)
    model.compile("sgd", "mse")
    for size in ((6, 7), (4, 4)):
        images = np.ones((2, *size, 1), "float32")
        assert model.predict(images, verbose=0).shape == (2, 2)
        model.train_on_batch(images, np.zeros((2, 2), "float32"))
    with pytest.raises(ShapeError, match=r"separable_conv2d(_\d+)?: .*a window of \(2, 2\) does not fit.*\(1, 1\)"):
        model.predict(np.ones((1, 2, 2, 1), "float32"), verbose=0)


# ---- errors


def test_wrong_arguments_name_the_layer_and_say_what_is_needed() -> None:
    for make, message in (
        (lambda: layers.Conv2D(0, 3, name="c"), "c: filters must be an integer of at least 1; got 0."),
        (
            lambda: layers.Conv2D(2, (3, 3, 3), name="c"),
            "c: kernel_size is an integer or has an entry for each of 2 axes",
        ),
        (lambda: layers.Conv2D(2, 0, name="c"), "c: kernel_size must be an integer of at least 1; got 0."),
        (
            lambda: layers.Conv1D(2, 3, padding="casual", name="c"),
            "c: padding must be 'valid' or 'same' or 'causal'; got",
        ),
        (
            lambda: layers.Conv2D(2, 3, padding="causal", name="c"),
            "c: padding must be 'valid' or 'same'; got 'causal'.",
        ),
        (lambda: layers.Conv2D(3, 3, groups=2, name="c"), "c: groups must divide the 3 filters; got 2."),
        (lambda: layers.Conv2D(3, 3, data_format="first", name="c"), "c: data_format is 'channels_last' or"),
        (lambda: layers.Conv2D(3, 3, filter=2, name="c"), "Conv2D has no argument 'filter'. Did you mean 'filters'?"),
        (
            lambda: layers.Conv2DTranspose(3, 3, strides=2, output_padding=2, name="c"),
            "c: output_padding must be below the strides (2, 2) on each axis; got 2.",
        ),
        (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0, name="c"), "c: depth_multiplier must be an integer of"),
        (
            lambda: layers.MaxPooling2D((2, 2, 2), name="c"),
            "c: pool_size is an integer or has an entry for each of 2 axes",
        ),
        (lambda: layers.AdaptiveMaxPooling2D(0, name="c"), "c: output_size must be an integer of at least 1; got 0."),
        (
            lambda: layers.UpSampling2D(2, None, "lanczos", name="c"),
            "c: interpolation is one of nearest, bilinear, bicubic, lanczos3, lanczos5; got 'lanczos'.",
        ),
    ):
        with pytest.raises(ArgumentError) as caught:
            make()
        assert str(caught.value).startswith(message)


def test_wrong_inputs_name_the_layer_and_build_nothing() -> None:
    x = np.ones((2, 5, 5, 4), "float32")
    for layer, inputs, message in (
        (
            layers.Conv2D(2, 6, name="c"),
            x,
            "c: a window of (6, 6) does not fit into spatial axes of (5, 5). Use padding='same'",
        ),
        (
            layers.Conv1D(2, 3, name="c"),
            x,
            "c expects inputs of 3 axes (batch, steps, channels), got shape (None, 5, 5, 4).",
        ),
        (layers.Conv2D(3, 2, groups=3, name="c"), x, "c has 3 groups, which must divide the number of channels; got 4"),
        (
            layers.Conv2D(3, 2, name="c"),
            Input((5, 5, None)),
            "c needs to know its number of channels (axis 3); got shape",
        ),
        (
            layers.MaxPooling2D(6, name="c"),
            x,
            "c: max_pool: a window of (6, 6) does not fit into spatial axes of (5, 5).",
        ),
        (layers.AveragePooling1D(2, name="c"), x, "c expects inputs of 3 axes (batch, steps, channels)"),
    ):
        with pytest.raises(ShapeError) as caught:
            layer(inputs)
        assert str(caught.value).startswith(message) and layer.weights == []


def test_inputs_with_other_channels_are_refused_though_they_would_make_groups() -> None:
    layer = layers.Conv2D(4, 2, name="c")
    layer(np.ones((1, 3, 3, 2), "float32"))
    with pytest.raises(ShapeError) as caught:
        layer(np.ones((1, 3, 3, 4), "float32"))
    assert str(caught.value) == (
        "c expects inputs with 2 channels (axis 3), got shape (None, 3, 3, 4). Its kernel was built for 2 in an earlier call; "
        "make a new layer for other inputs."
    )
