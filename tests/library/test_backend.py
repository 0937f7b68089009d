"""`backend` (K): every function of it that the book's programs use, on arrays and in graphs."""

from typing import Any

import numpy as np
import pytest

from refnet import backend as K
from refnet import layers, ops
from refnet.errors import ArgumentError
from refnet.graph import Variable
from refnet.layers import Dense, Dropout, Input, Lambda, Layer
from refnet.models import Model, Sequential
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

generator = np.random.default_rng(0)


def normal(*size: int) -> Any:
    return generator.standard_normal(size).astype("float32")


X = normal(3, 4)
POSITIVE = np.abs(X) + 0.1
CUBE = normal(2, 3, 4)


@pytest.mark.api(
    "K.mean",
    "K.sum",
    "K.prod",
    "K.square",
    "K.sqrt",
    "K.abs",
    "K.exp",
    "K.pow",
    "K.maximum",
    "K.dot",
    "K.transpose",
    "K.permute_dimensions",
    "K.batch_flatten",
    "K.flatten",
    "K.cast",
    "K.concatenate",
    "NumPy in, writable NumPy out",
)
@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (K.mean, CUBE, CUBE.mean()),
        (lambda x: K.mean(x, axis=(0, 1)), CUBE, CUBE.mean((0, 1))),
        (lambda x: K.mean(x, axis=-1), CUBE, CUBE.mean(-1)),
        (lambda x: K.mean(x, axis=[0, 2], keepdims=True), CUBE, CUBE.mean((0, 2), keepdims=True)),
        (K.sum, X, X.sum()),
        (K.prod, X, X.prod()),
        (K.square, X, X**2),
        (K.sqrt, POSITIVE, np.sqrt(POSITIVE)),
        (K.abs, X, np.abs(X)),
        (K.exp, X, np.exp(X)),
        (lambda x: K.pow(x, 1.25), POSITIVE, POSITIVE**1.25),
        (lambda x: K.maximum(x, 1e-7), X, np.maximum(X, 1e-7)),
        (lambda x: K.dot(x, K.transpose(x)), X, X @ X.T),
        (lambda x: K.dot(x, CUBE.transpose(0, 2, 1)), X, np.tensordot(X, CUBE.transpose(0, 2, 1), (1, 1))),
        (lambda x: K.permute_dimensions(x, (2, 0, 1)), CUBE, CUBE.transpose(2, 0, 1)),
        (K.batch_flatten, CUBE, CUBE.reshape(2, 12)),
        (K.flatten, CUBE, CUBE.reshape(-1)),
        (lambda x: K.cast(x, "int32"), X * 10, (X * 10).astype("int32")),
        (lambda x: K.concatenate([x, x]), X, np.hstack([X, X])),
        (lambda x: K.concatenate([x, x], axis=0), X, np.vstack([X, X])),
        (K.expand_dims, X, X[..., None]),
        (lambda x: K.stack([x, x]), X, np.stack([X, X])),
        (K.argmax, X, X.argmax(-1)),
        (lambda x: K.l2_normalize(x, axis=1), X, X / np.linalg.norm(X, axis=1, keepdims=True)),
        (lambda x: K.clip(x, -0.5, 0.5), X, X.clip(-0.5, 0.5)),
        (lambda x: K.switch(x > 0, x, lambda: -x), X, np.abs(X)),
        (lambda x: K.gather(x, np.array([1, 1])), X, X[[1, 1]]),
    ],
)
def test_functions_on_arrays_and_in_graphs(function: Any, x: Any, expected: Any) -> None:
    agree(function, expected, x)
    slot = K.placeholder(x.shape)
    np.testing.assert_array_equal(K.function([slot], [function(slot)])([x])[0], function(x))
    open_slot = K.placeholder(ndim=x.ndim)
    (value,) = K.function([open_slot], [function(open_slot)])([x])
    np.testing.assert_array_equal(value, function(x))
    value -= 1  # belongs to the caller


@pytest.mark.api(
    "K.variable", "K.constant", "K.placeholder", "K.int_shape", "K.shape", "K.image_data_format", "K.concatenate"
)
def test_values_and_shapes() -> None:
    v = K.variable(0.0)
    assert isinstance(v, Variable) and K.get_value(v) == 0 and K.dtype(v) == "float32"
    K.set_value(v, 2.0)
    assert K.eval(v) == 2 and K.eval(K.constant(X[0]) + v).tolist() == (X[0] + 2).tolist()
    assert K.eval(K.constant(1.0, shape=(2, 2))).shape == (2, 2) and K.dtype(K.constant([1, 2])) == "float32"
    p = K.placeholder((1, 5, 6, 3))
    assert K.int_shape(p) == (1, 5, 6, 3) and K.shape(p) == (1, 5, 6, 3) and K.ndim(p) == 4
    assert K.int_shape(Input((3,))) == (None, 3) and K.int_shape(X) == (3, 4)
    assert K.image_data_format() == "channels_last" and K.epsilon() == 1e-7 and K.floatx() == "float32"
    joined = K.concatenate(
        [K.constant(normal(1, 2, 2, 3)), K.constant(normal(1, 2, 2, 3)), K.placeholder((1, 2, 2, 3))], axis=0
    )
    assert K.int_shape(joined) == (3, 2, 2, 3)
    assert K.count_params(K.zeros((2, 3))) == 6 and K.eval(K.ones((2,))).tolist() == [1, 1]
    with pytest.raises(ArgumentError, match="give `shape` or `ndim`"):
        K.placeholder()


@pytest.mark.api(
    "K.variable",
    "K.shape",
    "K.cast",
    "K.prod",
    "K.function",
    "K.gradients",
    "Dynamic spatial / time axes",
    "Symbolic tensor operators",
    "gradient ascent by hand",
)
def test_the_product_of_an_open_shape_scales_a_loss() -> None:
    """Deep dream's loss: K.prod(K.cast(K.shape(x), 'float32')) and a variable that grows by +=."""
    slot = Input((None, None, 3))
    features = Dense(2)(slot)
    loss = K.variable(0.0)
    scaling = K.prod(K.cast(K.shape(features), "float32"))
    loss += 0.5 * K.sum(K.square(features[:, 2:-2, 2:-2, :])) / scaling
    grads = K.gradients(loss, slot)[0]
    grads /= K.maximum(K.mean(K.abs(grads)), 1e-7)
    fetch = K.function([slot], [loss, grads])
    f = K.function([slot], [features])
    for rows, columns in ((6, 7), (9, 5)):
        x = normal(1, rows, columns, 3)
        value, gradient = fetch([x])
        y = f([x])[0]
        inner = y[:, 2:-2, 2:-2]
        close(value, 0.5 * (inner**2).sum() / y.size, 2 * (inner.size + 4))
        assert gradient.shape == x.shape
        close(np.mean(np.abs(gradient)), 1, 2 * (x.size + 2))  # a mean of so many, and what is divided by it
        x += 0.01 * gradient
        assert fetch([x])[0] > value


@pytest.mark.api(
    "K.gradients",
    "K.function",
    "layer.output, layer.name, layer.input",
    "model.input, model.output",
    "NumPy in, writable NumPy out",
)
def test_gradients_with_respect_to_inner_tensors() -> None:
    """Grad-CAM: of a slice of the output with respect to an inner feature map, pooled."""
    image = Input((None, None, 3))
    features = Dense(4, activation="relu")(image)
    pooled = layers.GlobalAveragePooling2D()(Dropout(0.5)(features))
    model = Model(image, Dense(5)(pooled))
    layer, last = model.layers[1], model.layers[-1]
    grads = K.gradients(model.output[:, 2], layer.output)[0]
    iterate = K.function([model.input], [K.mean(grads, axis=(0, 1, 2)), layer.output[0]])
    x = normal(1, 5, 6, 3)
    weights, maps = iterate([x])
    close(weights, last.get_weights()[0][:, 2] / 30, 2 * (30 + 2))
    assert maps.shape == (5, 6, 4)
    for i in range(4):
        maps[:, :, i] *= weights[i]  # in place, as the book does
    again = K.function([layer.output], [model.output])([K.function([image], [layer.output])([x])[0]])
    np.testing.assert_array_equal(again[0], model.predict(x, verbose=0))
    dropped = K.function([model.input], [model.layers[2].output])
    assert np.mean(dropped([x], training=True)[0] == 0) > np.mean(dropped([x])[0] == 0)
    with pytest.raises(ArgumentError, match="reads the input"):
        K.function([last.output], [layer.output])
    with pytest.raises(ArgumentError, match="has 1 inputs; called with 2 arrays"):
        dropped([x, x])
    assert K.gradients(K.sum(image), last.output) == [None]


def test_function_updates_and_structures() -> None:
    count, slot = K.variable(0.0), K.placeholder((2,))
    step = K.function([slot], slot * count, updates=[(count, count + K.sum(slot))])
    one = step([np.ones(2)])
    assert one.tolist() == [0, 0] and float(count) == 2  # outputs see the value before
    assert step([np.ones(2)]).tolist() == [2, 2] and float(count) == 4
    add = K.function([slot], [slot], updates=[K.update_add(count, 1.0)])
    add([np.zeros(2)])
    assert float(count) == 5
    named = K.function([slot], {"double": slot * 2})
    assert named([np.ones(2)])["double"].tolist() == [2, 2]


@pytest.mark.api("K.random_normal", "K.shape", "Lambda")
def test_a_sampling_layer_draws_for_as_many_rows_as_come() -> None:
    mean, spread = Input((2,)), Input((2,))

    def sampling(args: Any) -> Any:
        z_mean, z_log_var = args
        epsilon = K.random_normal(shape=(K.shape(z_mean)[0], 2), mean=0.0, stddev=1.0)
        return z_mean + K.exp(z_log_var) * epsilon

    model = Model([mean, spread], Lambda(sampling)([mean, spread]))
    for rows in (3, 400):
        zeros = np.zeros((rows, 2), "float32")
        first, second = model.predict([zeros, zeros], 400, verbose=0), model.predict([zeros, zeros], 400, verbose=0)
        assert first.shape == (rows, 2) and np.any(first != second)
    assert abs(first.std() - 1) < 6 / np.sqrt(2 * first.size)  # six standard errors
    assert np.asarray(K.random_uniform((5,), 1.0, 2.0)).min() >= 1


@pytest.mark.api("K.learning_phase", "K.set_learning_phase", "K.clear_session")
def test_the_learning_phase() -> None:
    x = np.ones((50, 4), "float32")
    slot = Input((4,))
    y = Dropout(0.5)(slot)
    f = K.function([slot, K.learning_phase()], [y])
    assert np.all(f([x, 0])[0] == 1) and np.any(f([x, 1])[0] == 0)
    choice = K.in_train_phase(slot * 2, lambda: slot)
    g = K.function([slot], [choice, K.in_test_phase(slot * 2, slot)])
    assert [v[0, 0] for v in g([x])] == [1, 2] and [v[0, 0] for v in g([x], training=True)] == [2, 1]
    layer = Dropout(0.5)
    assert np.all(layer(x) == 1)
    try:
        K.set_learning_phase(1)
        assert K.learning_phase() == 1 and np.any(layer(x) == 0)
        K.set_learning_phase(0)
        model = Sequential([Input((4,)), Dropout(0.5)])
        model.compile("sgd", "mse")
        assert model.train_on_batch(x, x) == 0  # built in the inference phase: nothing is dropped in fit either
        assert np.any(Dropout(0.5)(x, training=True) == 0)  # the argument comes first
        with pytest.raises(ArgumentError, match="takes 0 .inference. or 1 .training.; got 2"):
            K.set_learning_phase(2)
    finally:
        K.clear_session()
    assert not isinstance(K.learning_phase(), int) and Dense(1).name == "dense"


@pytest.mark.api(
    "custom style/content/total-variation losses", "K.placeholder", "K.constant", "Symbolic tensor operators"
)
def test_style_transfer_over_constants_and_a_placeholder() -> None:
    """Gram matrices of inner features; loss and gradient flattened to float64 for an optimizer from outside."""
    target, style = K.constant(normal(1, 4, 5, 3)), K.constant(normal(1, 4, 5, 3))
    combination = K.placeholder((1, 4, 5, 3))
    tensor = K.concatenate([target, style, combination], axis=0)
    features = Dense(2)(tensor)

    def gram(x: Any) -> Any:
        flat = K.batch_flatten(K.permute_dimensions(x, (2, 0, 1)))
        return K.dot(flat, K.transpose(flat))

    loss = K.variable(0.0)
    loss = loss + 0.5 * K.sum(K.square(features[2, :, :, :] - features[0, :, :, :]))
    loss = loss + K.sum(K.square(gram(features[1, :, :, :]) - gram(features[2, :, :, :]))) / 400.0
    a = K.square(combination[:, :3, :4, :] - combination[:, 1:, :4, :])
    b = K.square(combination[:, :3, :4, :] - combination[:, :3, 1:, :])
    loss = loss + 1e-4 * K.sum(K.pow(a + b, 1.25))
    fetch = K.function([combination], [loss, K.gradients(loss, combination)[0]])
    x = normal(1, 4, 5, 3)
    value, gradient = fetch([x])
    flat = gradient.flatten().astype("float64")
    step = fetch([x - 1e-3 * flat.reshape(x.shape) / np.abs(flat).max()])[0]
    assert step < value


class CustomLoss(Layer):
    """`add_loss(inputs=)`, inside a layer that returns its input."""

    def call(self, inputs: Any) -> Any:
        x, decoded = inputs
        self.add_loss(K.mean(K.binary_crossentropy(K.flatten(x), K.flatten(decoded))), inputs=inputs)
        return x


@pytest.mark.api("add_loss", "None", "layers.Layer subclass")
def test_a_layer_whose_only_loss_is_its_own() -> None:
    slot = Input((3,))
    decoded = Dense(3, activation="sigmoid")(slot)
    model = Model(slot, CustomLoss()([slot, decoded]))
    model.compile("rmsprop", loss=None)
    x = (generator.random((20, 3)) > 0.5).astype("float32")
    losses = model.fit(x, None, epochs=5, verbose=0, validation_data=(x, None)).history
    assert losses["loss"][-1] < losses["loss"][0] and len(losses["val_loss"]) == 5
    p = K.function([slot], [decoded])([x])[0]
    cross = -(x * np.log(p) + (1 - x) * np.log(1 - p))
    steep = 1 / np.minimum(p, 1 - p)  # how much larger than a rounding of p, or of 1 - p, it is in their logarithms
    close(
        model.evaluate(x, verbose=0),
        cross.mean(),
        2 * (x.size + ELEMENTARY + 4),
        (cross + steep).mean(),
    )
    assert ops.shape(x) == (20, 3)
