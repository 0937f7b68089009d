"""Programs of the table in the form they are printed: low-level K programs, and models built on inner tensors."""

from typing import Any

import numpy as np
import pytest

import refnet
import refnet_fast
from refnet import losses
from refnet.testing.closeness import ELEMENTARY, close

generator = np.random.default_rng(0)


@pytest.fixture(params=[refnet, refnet_fast], ids=["refnet", "refnet_fast"])
def keras(request: Any) -> Any:
    return request.param


@pytest.mark.api("tf 1.x symbols", "K.placeholder", "K.variable", "K.function", "K.gradients")
def test_linear_regression_with_placeholders_and_variables(keras: Any) -> None:
    """What the slides write with tf.placeholder, tf.Variable and a GradientDescentOptimizer, on 17 points."""
    K = keras.backend
    train_x = np.linspace(0.0, 3.2, 17).astype("float32")
    train_y = 0.4 * train_x + 0.7
    x, y = K.placeholder(shape=(17,)), K.placeholder(shape=(17,))
    w, b = K.variable(0.0), K.variable(0.0)
    prediction = x * w + b
    cost = K.sum(K.pow(prediction - y, 2)) / (2 * 17)
    gradients = K.gradients(cost, [w, b])
    step = K.function([x, y], [cost], updates=[(v, v - 0.2 * g) for v, g in zip([w, b], gradients)])
    costs = [float(step([train_x, train_y])[0]) for _ in range(300)]
    assert costs[-1] < 1e-6 * costs[0]
    # The cost is e' H e / 2 of the error e in (w, b), with H = [[mean x^2, mean x], [mean x, 1]]: it bounds e by H's least eigenvalue.
    least = np.linalg.eigvalsh([[np.mean(train_x**2), train_x.mean()], [train_x.mean(), 1.0]])[0]
    assert np.hypot(K.get_value(w) - 0.4, K.get_value(b) - 0.7) <= np.sqrt(2e-6 * costs[0] / least)


class Evaluator:
    """Loss and gradients from one run, as the book keeps them for L-BFGS."""

    def __init__(self, fetch: Any, shape: Any):
        self.fetch, self.shape = fetch, shape
        self.loss_value: Any = None

    def loss(self, x: Any) -> Any:
        assert self.loss_value is None
        loss, gradients = self.fetch([x.reshape(self.shape)])
        self.loss_value, self.grad_values = loss, gradients.flatten().astype("float64")
        return self.loss_value

    def grads(self, x: Any) -> Any:
        assert self.loss_value is not None
        grads = np.copy(self.grad_values)
        self.loss_value = self.grad_values = None
        return grads


@pytest.mark.api(
    "scipy L-BFGS", "VGG19(input_tensor=)", "K.concatenate", "K.constant", "layer.output, layer.name, layer.input"
)
def test_pixels_are_moved_by_scipy_through_a_model_built_on_a_tensor(keras: Any) -> None:
    """Style transfer's frame: constants and a placeholder joined, a model on the joined tensor, its layers' outputs by name."""
    from scipy.optimize import fmin_l_bfgs_b

    K, layers, Model = keras.backend, keras.layers, keras.models.Model
    shape = (1, 4, 4, 3)
    target = K.constant(generator.random(shape))
    style = K.constant(generator.random(shape))
    combination = K.placeholder(shape)
    input_tensor = K.concatenate([target, style, combination], axis=0)
    features = layers.Dense(5, activation="tanh", name="block1")(input_tensor)
    model = Model(input_tensor, layers.Dense(4, name="block2")(features))
    outputs = {layer.name: layer.output for layer in model.layers}
    content, mixed = outputs["block1"][0, :, :, :], outputs["block1"][2, :, :, :]
    loss = K.variable(0.0)
    loss = loss + 0.5 * K.sum(K.square(mixed - content))
    deep = outputs["block2"]
    flat = [K.batch_flatten(K.permute_dimensions(deep[i, :, :, :], (2, 0, 1))) for i in (1, 2)]
    grams = [K.dot(part, K.transpose(part)) for part in flat]
    loss += K.sum(K.square(grams[0] - grams[1])) / (4.0 * 9 * 16**2)
    fetch = K.function([combination], [loss, K.gradients(loss, combination)[0]])
    x = generator.random(shape).flatten()
    evaluator = Evaluator(fetch, shape)
    first = fetch([x.reshape(shape)])[0]
    x, value, _ = fmin_l_bfgs_b(evaluator.loss, x, fprime=evaluator.grads, maxfun=20)
    assert value < 0.5 * first and x.shape == (48,)


@pytest.mark.api("gradient ascent by hand", "Symbolic tensor operators", "K.mean", "K.sqrt")
def test_an_image_that_excites_a_filter(keras: Any) -> None:
    K, layers = keras.backend, keras.layers
    model = keras.models.Sequential([keras.Input((None, None, 3)), layers.Dense(4, activation="softplus", name="conv")])
    layer_output = model.get_layer("conv").output
    loss = K.mean(layer_output[:, :, :, 2])
    grads = K.gradients(loss, model.input)[0]
    grads /= K.sqrt(K.mean(K.square(grads))) + 1e-5
    iterate = K.function([model.input], [loss, grads])
    image = generator.random((1, 6, 6, 3)) * 0.2
    first, _ = iterate([image])
    for _ in range(10):
        _, gradients = iterate([image])
        image += gradients
    assert iterate([image])[0] > first
    picture = image[0]
    picture -= picture.mean()
    picture /= picture.std() + 1e-5


@pytest.mark.api("NumPy definitions", "mse / mean_squared_error", "mae / mean_absolute_error")
def test_losses_written_out_in_numpy(keras: Any) -> None:
    y, p = generator.random((5, 3)).astype("float32"), generator.random((5, 3)).astype("float32")
    close(np.mean(losses.mean_absolute_error(y, p)), np.mean(np.abs(y - p)), 2 * (y.size + 2))
    close(np.mean(losses.mean_squared_error(y, p)), np.mean((y - p) ** 2), 2 * (y.size + 3))
    labels = np.eye(3, dtype="float32")[[0, 2, 1, 1, 0]]
    shares = p / p.sum(1, keepdims=True)
    log_loss = -np.sum(labels * np.log(shares), 1)
    close(losses.categorical_crossentropy(labels, shares), log_loss, 2 * (2 * ELEMENTARY + 4), 1 + log_loss)
    close(losses.categorical_crossentropy(np.eye(3)[:1], [[0.8, 0.1, 0.1]]), [-np.log(0.8)], 2 * 10, 1)


@pytest.mark.api("None", "compile")
def test_a_compile_without_a_loss_needs_one_from_a_layer(keras: Any) -> None:
    model = keras.models.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer="rmsprop", loss=None)
    with pytest.raises(ValueError, match="nothing to minimise"):
        model.fit(generator.random((4, 3)), None, verbose=0)
    again = keras.models.Sequential([keras.Input((3,)), keras.layers.Dense(1, activity_regularizer="l2")])
    again.compile(optimizer="rmsprop", loss=None)
    history = again.fit(generator.random((4, 3)), None, epochs=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.api("model.trainable_weights", "layer.trainable, model.trainable", "`trainable` captured at compile")
def test_freezing_a_base_and_opening_its_last_block(keras: Any) -> None:
    layers = keras.layers
    names = [f"block{b}_conv{c}" for b in range(1, 6) for c in range(1, 3)]
    base = keras.models.Sequential([keras.Input((4,))] + [layers.Dense(4, name=name) for name in names], name="vgg16")
    model = keras.models.Sequential()
    model.add(base)
    model.add(layers.Dense(3, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    assert len(model.trainable_weights) == 24
    base.trainable = False
    assert len(model.trainable_weights) == 4
    base.trainable = True
    set_trainable = False
    for layer in base.layers:
        if layer.name == "block5_conv1":
            set_trainable = True
        layer.trainable = set_trainable
    model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.RMSprop(lr=1e-2), metrics=["acc"])
    before = [w.copy() for w in base.get_weights()]
    base.trainable = True  # after compile: has no effect until the next
    model.fit(generator.random((8, 4)), generator.integers(0, 2, 8), epochs=2, verbose=0)
    moved = [not np.array_equal(a, b) for a, b in zip(before, base.get_weights())]
    assert moved == [False] * 16 + [True] * 4


@pytest.mark.api("fit", "fit_generator", "evaluate_generator", "evaluate", "predict_generator", "History")
def test_endless_generators_and_a_validation_set_that_wraps_around(keras: Any) -> None:
    model = keras.models.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("rmsprop", "mae")

    def endless(samples: int) -> Any:
        x = generator.random((samples, 3))
        while True:
            for i in range(0, samples, 4):
                yield x[i : i + 4], x[i : i + 4, 0]

    history = model.fit_generator(
        endless(12), steps_per_epoch=5, epochs=2, validation_data=endless(8), validation_steps=7, verbose=2
    )
    assert len(history.history["val_loss"]) == 2 and history.epoch == [0, 1]
    assert isinstance(model.evaluate_generator(endless(8), steps=3), float)
    assert model.predict_generator(endless(8), steps=3).shape == (12, 1)
    x = generator.random((6, 3))
    for verbose in (0, 1, 2):
        model.fit(x=x, y=x[:, 0], batch_size=4, epochs=1, verbose=verbose, validation_data=(x, x[:, 0]), shuffle=False)
    model.fit(x, x[:, 0], epochs=2, batch_size=4, validation_split=0.2, verbose=0)


@pytest.mark.api("multi-input / multi-output / DAG / shared layers", "per-output losses", "fit", "Model")
def test_lists_and_dicts_by_name(keras: Any) -> None:
    layers, Input, Model = keras.layers, keras.Input, keras.models.Model
    text, question = Input(shape=(4,), name="text"), Input(shape=(3,), name="question")
    shared = layers.concatenate([layers.Dense(5)(text), layers.Dense(5)(question)], axis=-1)
    age = layers.Dense(1, name="age")(shared)
    income = layers.Dense(3, activation="softmax", name="income")(shared)
    gender = layers.Dense(1, activation="sigmoid", name="gender")(shared)
    model = Model([text, question], [age, income, gender])
    x = {"text": generator.random((8, 4)), "question": generator.random((8, 3))}
    y = {
        "age": generator.random(8),
        "income": np.eye(3)[generator.integers(0, 3, 8)],
        "gender": generator.integers(0, 2, 8),
    }
    model.compile(optimizer="rmsprop", loss=["mse", "categorical_crossentropy", "binary_crossentropy"])
    model.fit(list(x.values()), list(y.values()), epochs=1, batch_size=4, verbose=0)
    model.compile(
        optimizer="rmsprop",
        loss={"age": "mse", "income": "categorical_crossentropy", "gender": "binary_crossentropy"},
        loss_weights={"age": 0.25, "income": 1.0, "gender": 10.0},
    )
    model.fit(x, y, epochs=1, batch_size=4, verbose=0)
    values = model.evaluate(x, y, verbose=0)
    close(values[0], 0.25 * values[1] + values[2] + 10 * values[3], 8)
    assert len(values) == 4
    assert [p.shape for p in model.predict(x, verbose=0)] == [(8, 1), (8, 3), (8, 1)]


@pytest.mark.api("GlobalMaxPooling1D", "GlobalAveragePooling2D", "LeakyReLU")
def test_pooling_over_everything_and_a_leak(keras: Any) -> None:
    layers = keras.layers
    series, images = generator.normal(size=(2, 5, 3)).astype("float32"), generator.normal(size=(2, 3, 4, 2))
    np.testing.assert_array_equal(layers.GlobalMaxPooling1D()(series), series.max(1))
    close(layers.GlobalAveragePooling2D()(images), images.mean((1, 2)), 2 * images[0, :, :, 0].size)
    leaked = layers.LeakyReLU()(series)
    np.testing.assert_array_equal(leaked, np.where(series > 0, series, np.float32(0.3) * series))


@pytest.mark.api("noise addition, denoising autoencoder, dataset augmentation, early stopping")
def test_a_denoising_autoencoder_that_stops_early(keras: Any) -> None:
    layers = keras.layers
    model = keras.models.Sequential(
        [keras.Input((4,)), layers.GaussianNoise(0.1), layers.Dense(2, "tanh"), layers.Dense(4)]
    )
    model.compile("rmsprop", "mse")
    x = generator.normal(size=(16, 4)).astype("float32")
    both = np.concatenate([x, -x])  # a data set made larger by what the task does not mind
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=1, min_delta=1e3)
    history = model.fit(both, both, epochs=9, validation_split=0.25, callbacks=[stop], verbose=0)
    assert len(history.epoch) == 2
