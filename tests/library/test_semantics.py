"""What calls, phases, state and trainability mean: each case against a computation by hand."""

from typing import Any

import numpy as np
import pytest

from refnet import ops, random
from refnet.engine import current_engine
from refnet.errors import ArgumentError, DataError, DtypeError, ShapeError
from refnet.graph import Mode, Tensor, Variable
from refnet.layers import Dense, Dropout, Input, Layer
from refnet.losses import binary_crossentropy
from refnet.metrics import BinaryAccuracy
from refnet.models import Model, Sequential
from refnet.optimizers import SGD
from refnet.program import Program
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

generator = np.random.default_rng(0)


def normal(*size: int) -> Any:
    return generator.standard_normal(size).astype("float32")


def values(layer: Layer) -> list[Any]:
    return layer.get_weights()


def moved(before: list[Any], layer: Layer) -> bool:
    return any(np.any(a != b) for a, b in zip(before, values(layer), strict=True))


def function(inputs: list[Any], outputs: list[Any]) -> Any:
    """K.function: inference unless `training`; assigns nothing."""
    counter = Variable(0, dtype="int64", trainable=False)
    made: dict[bool, Any] = {}

    def call(feeds: list[Any], training: bool = False) -> Any:
        if training not in made:
            made[training] = current_engine().prepare(Program(inputs, outputs, (), Mode(training), counter))
        return made[training].run(feeds)

    return call


def cross(y: Any, p: Any) -> Any:
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def steepness(p: Any) -> Any:
    """How much larger than a rounding of p, or of 1 - p, it is in their logarithms."""
    return 1 / np.minimum(p, 1 - p)


class Lambda(Layer):
    def __init__(self, function: Any):
        super().__init__()
        self.function = function

    def call(self, inputs: Any) -> Any:
        return self.function(inputs)


class BatchNormalization(Layer):
    """Enough of it to test state, phase and ownership."""

    inference_when_frozen = True

    def __init__(self, momentum: float = 0.99, epsilon: float = 1e-3):
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, input_shape: Any) -> None:
        self.gamma = self.add_weight(input_shape[-1:], "ones", name="gamma")
        self.beta = self.add_weight(input_shape[-1:], "zeros", name="beta")
        self.moving_mean = self.add_weight(input_shape[-1:], "zeros", trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(input_shape[-1:], "ones", trainable=False, name="moving_variance")

    def call(self, x: Any, training: Any = None) -> Any:
        average, variance = self.moving_mean, self.moving_variance
        if training:
            average, variance = ops.mean(x, 0), ops.var(x, 0)
            for moving, now in ((self.moving_mean, average), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + now * (1 - self.momentum))
        return (x - average) / ops.sqrt(variance + self.epsilon) * self.gamma + self.beta


@pytest.mark.api("layers.Layer subclass", "add_loss", "Kullback-Leibler term", "None")
def test_a_vae_closes_over_tensors_and_its_only_loss_comes_from_a_layer() -> None:
    image = Input((8,))
    h = Dense(6, "relu")(image)
    z_mean, z_log_var = Dense(2)(h), Dense(2)(h)

    def sampling(args: Any) -> Any:
        mean, log_var = args
        return mean + ops.exp(log_var) * random.normal((ops.shape(mean)[0], 2))

    z = Lambda(sampling)([z_mean, z_log_var])
    decoder_input = Input(z.shape[1:])
    decoder = Model(decoder_input, Dense(8, "sigmoid")(Dense(6, "relu")(decoder_input)))
    z_decoded = decoder(z)

    class CustomVariationalLayer(Layer):
        def call(self, inputs: Any) -> Any:
            x, decoded = inputs
            kl_loss = -5e-4 * ops.mean(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var), axis=-1)
            x_flat, decoded = ops.reshape(x, (-1,)), ops.reshape(decoded, (-1,))
            self.add_loss(ops.mean(binary_crossentropy(x_flat, decoded) + kl_loss), inputs=inputs)
            return x  # as in the book: not used

    vae = Model(image, CustomVariationalLayer()([image, z_decoded]))
    assert decoder in vae.layers and len(vae.weights) == 10
    x = (generator.random((50, 8)) > np.linspace(0.1, 0.9, 8)).astype("float32")
    vae.compile(optimizer=SGD(0.5), loss=None)
    history = vae.fit(x=x, y=None, epochs=12, batch_size=16, validation_data=(x, None), verbose=0).history  # 3 * 16 + 2
    assert history["loss"][-1] < history["loss"][0] - 0.02 and len(history["val_loss"]) == 12
    draw = function([image], [z])
    assert np.any(draw([x])[0] != draw([x])[0])  # the counter moves between runs
    m, v, sample, decoded = function([image], [z_mean, z_log_var, z, z_decoded])([x])
    p = np.clip(decoded, 1e-7, 1 - 1e-7)
    divergence = -5e-4 * np.array([1 + v, -(m**2), -np.exp(v)])
    hand = cross(x, p).mean() + divergence.sum(0).mean()
    assert vae.graph is not None
    loss = vae.graph.losses[0][0]
    size = (cross(x, p) + steepness(p)).mean() + abs(divergence).sum(0).mean()
    fed = function([image, z_decoded], [loss])([x, decoded])[0]  # at an inner tensor
    close(fed, hand, 2 * (x.size + ELEMENTARY + 8), size)
    np.testing.assert_array_equal(decoder.predict(sample), decoded)  # the copy shares the decoder's weights
    with pytest.raises(ArgumentError, match="closes over"):
        vae.get_config()
    other = Input((8,))
    nested = Model(other, vae(other))  # copying its nodes reads the new z_mean
    nested.compile(SGD(0.0), loss=None)
    # z is drawn anew: the loss lies among those of other draws
    draws = [float(function([image], [loss])([x])[0]) for _ in range(20)]
    assert abs(nested.train_on_batch(x) - np.mean(draws)) <= 6 * np.std(draws)
    assert nested.graph is not None and nested.graph.losses[0][0] is not loss


@pytest.mark.api("`trainable` captured at compile", "train_on_batch", "layer.trainable, model.trainable")
def test_a_gan_trains_the_generator_and_leaves_the_frozen_discriminator() -> None:
    generator_input = Input((3,))
    maker = Model(generator_input, Dense(4)(Dense(5, "relu")(generator_input)))
    sample = Input((4,))
    hidden = BatchNormalization()(Dense(6, "relu")(sample))
    discriminator = Model(sample, Dense(1, "sigmoid")(Dropout(0.4)(hidden)))
    discriminator.compile(optimizer=SGD(0.1), loss="binary_crossentropy")
    discriminator.trainable = False
    gan_input = Input((3,))
    gan = Model(gan_input, discriminator(maker(gan_input)))
    gan.compile(optimizer=SGD(0.1), loss="binary_crossentropy")
    noise, real, ones = normal(10, 3), normal(10, 4), np.ones((10, 1))
    g, d = values(maker), values(discriminator)
    gan.train_on_batch(noise, ones)
    assert moved(g, maker) and not moved(d, discriminator)  # moving averages rest too
    g = values(maker)
    discriminator.train_on_batch(real, ones)  # compiled before it was frozen: it learns
    assert not moved(g, maker) and all(np.any(a != b) for a, b in zip(d, values(discriminator)))


def test_a_shared_layer_with_state_chains_its_updates() -> None:
    bn, a = BatchNormalization(momentum=0.9), Input((3,))
    twice = Model(a, bn(bn(a) * 2 + 1))
    outer_input = Input((3,))
    outer = Model(outer_input, twice(outer_input))
    x = normal(20, 3) + 4
    outer.compile(SGD(0.0), "mse")
    outer.train_on_batch(x, x)

    def moving_mean(x: Any) -> Any:
        first = ops.mean(x, 0)
        middle = (x - first) / ops.sqrt(ops.var(x, 0) + 1e-3) * 2 + 1
        return 0.9 * (0.1 * first) + 0.1 * ops.mean(middle, 0)

    def predicted(x: Any, m: Any, v: Any) -> Any:
        step = lambda x: (x - m) / ops.sqrt(v + 1e-3)
        return step(step(x) * 2 + 1)

    agree(moving_mean, bn.moving_mean.numpy(), x)
    agree(predicted, outer.predict(x), x, bn.moving_mean.numpy(), bn.moving_variance.numpy())
    bn.trainable = False  # counts from the next compile
    before = values(bn)
    outer.train_on_batch(x, x)
    assert moved(before, bn)
    before = values(bn)
    outer.compile(SGD(0.1), "mse")
    loss = outer.train_on_batch(x, x)
    assert not moved(before, bn)
    close(loss, np.mean((outer.predict(x) - x) ** 2), 2 * (x.size + 3))  # inference mode inside training


def test_a_read_sees_the_assignments_made_before_it_in_the_same_program() -> None:
    class Count(Layer):
        def build(self, input_shape: Any) -> None:
            self.n = self.add_weight((), "zeros", trainable=False)

        def call(self, x: Any) -> Any:
            self.n.assign(self.n + 1)
            return x * self.n

    count, ones = Count(), np.ones((1, 1), "float32")
    b = Input((1,))
    model = Model(b, count(count(b)))
    other = Model(b, count(b))
    assert [float(m.predict(ones)[0, 0]) for m in (model, other, model)] == [1 * 2, 3, 4 * 5]
    assert float(function([b], [model.output])([ones])[0][0, 0]) == 25  # no updates asked for: none seen, none made


def test_a_gradient_reads_what_its_op_read_and_not_what_was_assigned_since() -> None:
    class Growing(Layer):
        def build(self, input_shape: Any) -> None:
            self.kernel = self.add_weight((), "ones", name="kernel")
            self.factor = self.add_weight((), "ones", trainable=False, name="factor")

        def call(self, inputs: Any) -> Any:
            y = inputs * (self.kernel * self.factor)
            self.factor.assign(self.factor * 10.0)
            return y

    a = Input((1,))
    model = Model(a, Growing()(a))
    model.compile(SGD(1.0), lambda y_true, y_pred: y_pred)
    x = np.full((1, 1), 2.0, "float32")
    for factor, kernel in ((10, 1 - 2), (100, 1 - 2 - 20)):  # the gradient is 2 times the factor before the step
        model.train_on_batch(x, x)
        assert [float(w) for w in model.get_weights()] == [kernel, factor]


class Block(Layer):
    """No `training` argument of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.drop, self.dense = Dropout(0.5), Dense(4)

    def call(self, x: Any) -> Any:
        return self.drop(self.dense(x))


def test_the_training_argument() -> None:
    x = np.ones((60, 4), "float32")
    a = Input((4,))
    always = Model(a, Dropout(0.5)(a, training=True))
    one, two = always.predict(x, 60), always.predict(x, 60)
    assert 0.3 < np.mean(one == 0) < 0.7 and np.any(one != two)  # on in predict, fresh every time
    block = Block()
    model, forced = Model(a, block(a)), Model(a, block(a, training=True))
    assert np.all(model.predict(x) != 0) and np.mean(forced.predict(x) == 0) > 0.3
    off = Model(a, model(a, training=False))
    off.compile(SGD(0.0), "mse")
    inference = np.mean((model.predict(x) - x) ** 2)
    close(off.train_on_batch(x, x), inference, 2 * (x.size + 3))  # a nested model, fixed to inference
    on = Model(a, model(a, training=True))
    assert np.mean(on.predict(x) == 0) > 0.3


def test_a_subclass_branches_on_training_and_its_call_runs_once_each_way() -> None:
    class Net(Model):
        def __init__(self) -> None:
            super().__init__()
            self.block, self.bn, self.seen = Block(), BatchNormalization(), list[Any]()

        def call(self, x: Any, training: Any = None) -> Any:
            self.seen.append(training)
            h = self.bn(self.block(x))
            if training:
                self.add_loss(ops.mean(h) * 0 + 5.0)
            return h

    x = np.ones((20, 4), "float32")
    net = Net()
    net.compile(SGD(0.01), "mse")
    assert net.fit(x, x, batch_size=8, verbose=0).history["loss"][0] > 5  # its training branch alone adds 5
    assert net.seen == [True, False] and len(net.weights) == 6
    close(net.evaluate(x, x, verbose=0), np.mean((net.predict(x) - x) ** 2), 2 * (x.size + 3))
    block = net.block
    agree(block, x @ block.dense.kernel.value + block.dense.bias.value, x)  # called on arrays: computes at once
    with pytest.raises(DtypeError, match="truth value"):
        Lambda(lambda t: t if ops.mean(t) else -t)(Input((4,)))
    with pytest.raises(DtypeError, match="cannot be gone through by `for`"):
        Lambda(lambda t: ops.stack([row * 2 for row in t]))(Input((4,)))


def test_losses_regularizers_and_metrics_through_two_levels() -> None:
    class Penalty(Layer):
        def call(self, x: Any) -> Any:
            self.add_loss(ops.mean(ops.square(x)))
            return x

    a, b = Input((3,)), Input((3,))
    from refnet.regularizers import L2

    dense = Dense(2, kernel_regularizer=L2(0.1))
    inner = Model(a, Penalty()(dense(a)))
    outer = Model(b, Dense(1, "sigmoid")(Sequential([inner])(b)))
    x, y = normal(10, 3), (generator.random((10, 1)) > 0.5).astype("float32")
    outer.compile(SGD(0.1), "binary_crossentropy", metrics=[BinaryAccuracy(name="accuracy")])
    p, h = outer.predict(x), inner.predict(x)
    penalty = 0.1 * np.sum(dense.kernel.value**2)
    due = lambda p, h: (cross(y, p).mean() + np.mean(h**2), 2 * (h.size + 2 * ELEMENTARY + 8), steepness(p).mean())
    hand, roundings, size = due(p, h)
    for _ in range(2):  # reset: the second result is not a mixture
        result = outer.evaluate(x, y, batch_size=4, return_dict=True, verbose=0)  # 4 + 4 + 2
        close(result["accuracy"], np.mean((p > 0.5) == y), 2)
    close(outer.evaluate(x, y, batch_size=10, verbose=0)[0], hand + penalty, roundings, hand + penalty + size)
    dense.trainable = False
    before = values(dense)
    outer.train_on_batch(x, y)
    assert moved(before, dense)  # captured at compile
    outer.compile(SGD(0.1), "binary_crossentropy")
    before = values(dense)
    outer.train_on_batch(x, y)
    assert not moved(before, dense)
    after = outer.evaluate(x, y, verbose=0)
    p, h = outer.predict(x), inner.predict(x)
    hand, roundings, size = due(p, h)
    close(after, hand, roundings, hand + size)  # a frozen layer has no regularizer loss


@pytest.mark.api("Dynamic spatial / time axes")
def test_dimensions_that_are_only_known_when_a_batch_comes() -> None:
    a = Input((4, 6))
    rows = ops.shape(a)[0]
    half = ops.reshape(a, (rows * 2, -1))
    assert half.shape[0] is None and ops.shape(a)[1] == 4
    scaled = ops.reshape(half, (ops.shape(a)[0], -1)) / rows
    model = Model(a, ops.reshape(scaled, (-1, 24)))
    x = normal(5, 4, 6)
    np.testing.assert_array_equal(model.predict(x, 5), x.reshape(5, 24) / 5)
    np.testing.assert_array_equal(model.predict(x, 2)[4], x.reshape(5, 24)[4])  # the last batch has one row
    (out,) = function([a], [half])([x])
    assert out.shape == (10, 12)
    with pytest.raises(ShapeError, match=r"expects inputs of shape \(None, 4, 6\)"):
        model.predict(normal(5, 4, 7))
    (dx,) = function([a], ops.gradients(ops.sum(model.output), a))([x])
    np.testing.assert_array_equal(dx, np.full(x.shape, 1 / 5, "float32"))


def test_a_gradient_with_an_open_phase_follows_the_mode_it_runs_in() -> None:
    a = Input((4,))
    dropped = Dropout(0.5)(a)
    gradient = ops.gradients(ops.sum(dropped * 3), a)[0]
    run, x = function([a], [gradient]), np.ones((40, 4), "float32")
    np.testing.assert_array_equal(run([x])[0], np.full((40, 4), 3.0))
    assert set(np.unique(run([x], training=True)[0])) == {0.0, 6.0}


def canonical(model: Any) -> Any:
    place: dict[Tensor, Any] = {x: ("in", i) for i, x in enumerate(model.graph.inputs)}
    lines = []
    for node in model.graph.nodes:
        simple = {k: v for k, v in node.attributes.items() if k not in ("condition", "seed")}
        lines.append((node.op.name, str(simple), [place.get(x, (type(x).__name__, x.shape)) for x in node.inputs]))
        place.update({y: (len(lines), i) for i, y in enumerate(node.outputs)})
    return lines, [place[y] for y in model.graph.outputs], len(model.graph.losses), len(model.graph.assignments)


def test_a_functional_model_comes_back_from_its_config() -> None:
    a, b = Input((4,)), Input((4,))
    inner = Sequential([Input((4,)), Dense(4, "relu"), Dropout(0.3), BatchNormalization()])
    shared = Dense(4, name="shared")
    join = shared(a) * 2 + Dropout(0.5, seed=3)(shared(b), training=True) / ops.shape(a)[0]
    model = Model([a, b], inner(inner(join)))
    again = Model.from_config(model.get_config())
    assert canonical(again) == canonical(model) and [x.name for x in again.layers] == [x.name for x in model.layers]
    assert len(again.weights) == len(model.weights) and not set(again.weights) & set(model.weights)
    again.set_weights(model.get_weights())
    x = [normal(6, 4), normal(6, 4)]
    np.testing.assert_array_equal(again.predict(x), model.predict(x))  # the same draws too


def test_nothing_is_committed_when_a_step_fails() -> None:
    a = Input((2,))
    model = Model(a, BatchNormalization()(Dense(2)(a)))
    fail = lambda y, p: ops.take(p, ops.cast(y[:, 0] * 0 + 9, "int32"), axis=0)
    model.compile(SGD(0.1), fail)
    before = values(model)
    with pytest.raises(DataError, match="indices must lie"):
        model.train_on_batch(normal(4, 2), normal(4, 2))
    assert not moved(before, model)
