"""What the official examples of keras.io do: blocks, losses and steps as they are written there, on a few small numbers."""

from typing import Any

import numpy as np
import pytest

from refnet import (
    Input,
    Model,
    Sequential,
    Variable,
    callbacks,
    initializers,
    layers,
    losses,
    metrics,
    ops,
    optimizers,
    regularizers,
    utils,
)
from refnet.models import load_model
from refnet.testing.closeness import ELEMENTARY, close

X = np.arange(8, dtype="float32").reshape(4, 2) - 3
Y = np.array([[1.0], [0.0], [2.0], [1.0]], "float32")


# ---- blocks with a `build` that takes nothing: gated residual networks


class Gate(layers.Layer):
    def __init__(self, units: int = 2, **more: Any):
        super().__init__(**more)
        self.linear, self.open = layers.Dense(units, kernel_initializer="ones"), layers.Dense(units, "hard_sigmoid")

    def build(self) -> None:
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.linear(inputs) * self.open(inputs * 0.0)


def test_a_build_that_takes_no_shape(tmp_path: Any) -> None:
    model = Sequential([Input((2,)), Gate()])
    wanted = X.sum(1, keepdims=True).repeat(2, 1) / 2
    np.testing.assert_array_equal(model.predict(X, verbose=0), wanted)
    model.save(tmp_path / "gate.keras")
    again = load_model(tmp_path / "gate.keras", custom_objects={"Gate": Gate})
    np.testing.assert_array_equal(again.predict(X, verbose=0), wanted)


def test_a_build_that_is_given_to_a_layer() -> None:
    class Same(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    shapes: list[Any] = []
    layer = Same()
    layer.build = lambda input_shape: shapes.append(input_shape)  # type: ignore[method-assign]  # what this is about
    layer(X)
    assert [tuple(shape)[1:] for shape in shapes] == [X.shape[1:]]


# ---- knowledge distillation: the loss of a step, from a frozen teacher


class Distiller(Model):
    def __init__(self, student: Model, teacher: Model):
        super().__init__()
        self.student, self.teacher = student, teacher

    def compile(
        self, optimizer: Any, metrics: Any, student_loss_fn: Any, distillation_loss_fn: Any, alpha: float
    ) -> None:
        super().compile(optimizer=optimizer, metrics=metrics)
        self.student_loss_fn, self.distillation_loss_fn, self.alpha = student_loss_fn, distillation_loss_fn, alpha

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, allow_empty: bool = False
    ) -> Any:
        away = self.distillation_loss_fn(self.teacher(x, training=False), y_pred)
        return self.alpha * self.student_loss_fn(y, y_pred) + (1 - self.alpha) * away

    def call(self, x: Any) -> Any:
        return self.student(x)


def test_a_student_is_trained_by_a_loss_that_takes_no_training() -> None:
    teacher, student = (
        Sequential([Input((2,)), layers.Dense(1, kernel_initializer=start)]) for start in ("ones", "zeros")
    )
    teacher.trainable = False
    model = Distiller(student, teacher)
    model.compile(
        optimizers.SGD(0.125), [metrics.MeanAbsoluteError()], losses.MeanSquaredError(), losses.MeanSquaredError(), 0.25
    )
    taught = X.sum(1, keepdims=True)
    wanted = 0.25 * np.mean(Y**2) + 0.75 * np.mean(taught**2)
    assert model.evaluate(X, Y, verbose=0, return_dict=True) == {"loss": wanted, "mean_absolute_error": 1.0}
    assert model.fit(X, Y, verbose=0, batch_size=4).history["loss"] == [wanted]
    gradients = 2 * X.T @ (0.25 * -Y + 0.75 * -taught) / 4
    np.testing.assert_array_equal(student.get_weights()[0], -0.125 * gradients)
    np.testing.assert_array_equal(teacher.get_weights()[0], [[1], [1]])


# ---- steps whose data is not what `call` takes


class Pairs(utils.PyDataset):
    """Two batches at once: anchors, and an image of the same class for each."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return np.stack([np.eye(4, 2) + index, np.eye(4, 2) * 2])


class EmbeddingModel(Model):
    def train_step(self, data: Any) -> Any:
        anchors, positives = data[0], data[1]
        alike = ops.einsum("ae,pe->ap", self(anchors, training=True), self(positives, training=True))
        labels = ops.arange(4)
        loss = self.compute_loss(y=labels, y_pred=alike)
        gradients = ops.gradients(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(labels, alike)
        return {metric.name: metric.result() for metric in self.metrics}


def test_metric_learning_takes_pairs_of_batches() -> None:
    a = Input((2,))
    model = EmbeddingModel(a, layers.Dense(2, use_bias=False, kernel_initializer="identity")(a))
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizers.SGD(0.0), loss)
    history = model.fit(Pairs(), verbose=0, shuffle=False).history
    alike = [(np.eye(4, 2) + i) @ (np.eye(4, 2) * 2).T for i in range(2)]
    wanted = np.mean([float(loss(np.arange(4), part.astype("float32"))) for part in alike])
    assert list(history) == ["loss"]
    close(history["loss"][0], wanted, 2)  # the sum of two batches, and its half
    assert model.predict(X, verbose=0).tolist() == X.tolist()


class OneGraph(Model):
    """Is called on nodes and edges, which it holds; its steps get numbers of nodes and their classes."""

    def __init__(self, nodes: Any, edges: Any):
        super().__init__()
        self.nodes, self.edges = ops.convert_to_tensor(nodes), ops.convert_to_tensor(edges)
        self.dense = layers.Dense(2, kernel_initializer="identity")

    def call(self, inputs: Any) -> Any:
        nodes, edges = inputs
        gathered = ops.take(self.dense(nodes), edges[:, 1], axis=0)
        return ops.segment_sum(gathered, edges[:, 0], num_segments=len(nodes))

    def of(self, indices: Any) -> Any:
        return ops.take(self([self.nodes, self.edges]), indices, axis=0)

    def train_step(self, data: Any) -> Any:
        indices, classes = data
        outputs = self.of(indices)
        loss = self.compute_loss(y=classes, y_pred=outputs)
        gradients = ops.gradients(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
        return {**self.compute_metrics(None, classes, outputs), "loss": loss}

    def predict_step(self, data: Any) -> Any:
        return self.of(data)


def test_the_nodes_of_one_graph_are_the_samples() -> None:
    edges = np.array([[0, 1], [1, 2], [1, 3], [2, 0], [3, 3]])
    model = OneGraph(X, edges)
    model([X, edges])
    model.compile(optimizers.SGD(0.5), "mse", metrics=["mae"])
    summed = np.stack([X[1], X[2] + X[3], X[0], X[3]])
    np.testing.assert_array_equal(model.predict(np.array([3, 1]), verbose=0), summed[[3, 1]])
    history = model.fit(np.arange(4), np.zeros((4, 2)), verbose=0).history
    assert history == {"loss": [np.mean(summed**2)], "mae": [np.mean(np.abs(summed))]}
    np.testing.assert_array_equal(model.dense.get_weights()[0], np.eye(2) - 0.5 * summed.T @ summed / 4)


# ---- layers of ours with a part of the user's


class StandardizedConv(layers.Conv2D):
    """Weight standardization, as big transfer has it; here the kernel's mean alone."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, kernel - ops.mean(kernel, axis=(0, 1, 2), keepdims=True))


def test_a_convolution_lays_the_kernel_that_a_subclass_gives_it() -> None:
    layer = StandardizedConv(1, (1, 2), activation="relu")
    images = np.arange(8, dtype="float32").reshape(1, 1, 4, 2) ** 2
    layer.build(images.shape)
    kernel = np.array([1.0, -2, 3, 6], "float32").reshape(1, 2, 2, 1)
    layer.set_weights([kernel, np.ones(1, "float32")])
    windows = np.stack([images[0, 0, i : i + 2].ravel() for i in range(3)])
    wanted = np.maximum(windows @ (kernel.ravel() - kernel.mean()) + 1, 0)
    np.testing.assert_array_equal(np.asarray(layer(images)).ravel(), wanted)


class LocalAttention(layers.MultiHeadAttention):
    """Of small vision transformers: a temperature that is learned, and no place sees itself."""

    def __init__(self, **more: Any):
        super().__init__(**more)
        self.tau = Variable(float(self._key_dim) ** 0.5, trainable=True)

    def _compute_attention(
        self, query: Any, key: Any, value: Any, attention_mask: Any = None, training: Any = None
    ) -> Any:
        query = ops.multiply(query, 1.0 / self.tau)
        scores = self._masked_softmax(ops.einsum(self._dot_product_equation, key, query), attention_mask)
        scores = self._dropout_layer(scores, training=training)
        return ops.einsum(self._combine_equation, scores, value), scores


@pytest.mark.parametrize("is_causal", [False, True])
def test_attention_of_ones_own_between_the_projections(is_causal: bool) -> None:
    own, plain = LocalAttention(num_heads=2, key_dim=4), layers.MultiHeadAttention(num_heads=2, key_dim=4)
    x = (np.arange(30, dtype="float32").reshape(2, 5, 3) % 7 - 3) / 4
    away = ~np.eye(5, dtype=bool)
    away[0, 0] = True
    told = {"attention_mask": away[None], "use_causal_mask": is_causal, "return_attention_scores": True}
    plain(x, x)
    own(x, x)
    for here, there in zip(own.projections(), plain.projections()):
        here.set_weights(there.get_weights())
    for found, wanted in zip(own(x, x, **told), plain(x, x, **told)):
        np.testing.assert_array_equal(found, wanted)
    own.tau.assign(2.0**40)  # all scores are so near to 0 that their exponentials are 1
    seen = away & np.tri(5, dtype=bool) if is_causal else away
    weights = np.asarray(own(x, x, **told)[1])[0, 0]
    np.testing.assert_array_equal(weights, seen / seen.sum(1, keepdims=True, dtype="float32"))


# ---- what is added to the loss, and rates


class Orthogonal(regularizers.Regularizer):
    """Of PointNet: how far a learned transformation is from a rotation."""

    def __init__(self, features: int, factor: float = 0.5):
        self.features, self.factor, self.eye = features, factor, ops.eye(features)

    def __call__(self, x: Any) -> Any:
        x = ops.reshape(x, (-1, self.features, self.features))
        squares = ops.reshape(ops.tensordot(x, x, axes=(2, 2)), (-1, self.features, self.features))
        return ops.sum(self.factor * ops.square(squares - self.eye))


def test_a_transformation_is_kept_near_to_a_rotation() -> None:
    a, points = Input((2,)), Input((3, 2))
    start = initializers.Constant(np.array([0.0, 2, 1, 0]))
    turn = layers.Dense(4, kernel_initializer="zeros", bias_initializer=start, activity_regularizer=Orthogonal(2))(a)
    model = Model([a, points], layers.Dot(axes=(2, 1))([points, layers.Reshape((2, 2))(turn)]))
    model.compile("sgd", "mse")
    x = np.arange(6, dtype="float32").reshape(1, 3, 2)
    turned = x @ np.array([[0, 2], [1, 0]])
    np.testing.assert_array_equal(model.predict([X[:1], x], verbose=0), turned)
    assert model.evaluate([X[:1], x], turned, verbose=0) == 0.5 * 3**2


class WarmUp(optimizers.schedules.LearningRateSchedule):
    def __init__(self, highest: float, steps: int):
        super().__init__()
        self.highest, self.steps, self.zero = highest, steps, ops.array(0.0)

    def __call__(self, step: Any) -> Any:
        rate = self.highest * ops.cast(step, self.zero.dtype) / self.steps
        return ops.where(step > self.steps, self.zero, ops.where(step < self.steps, rate, self.highest))


def test_a_schedule_of_ones_own() -> None:
    seen: list[float] = []
    model = Sequential([Input((2,)), layers.Dense(1)])
    model.compile(optimizers.SGD(WarmUp(0.5, 2)), "mse")
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(float(model.optimizer.learning_rate)))
    model.fit(X, Y, epochs=4, verbose=0, callbacks=[look])
    assert seen == [0.25, 0.5, 0, 0]


class EndOfPaths(layers.Layer):
    """Of captchas: a layer that is given the labels too, and adds the loss."""

    def call(self, labels: Any, outputs: Any) -> Any:
        samples, steps = ops.shape(outputs)[0], ops.shape(outputs)[1]
        length = ops.cast(ops.shape(labels)[1], "int32") * ops.ones((samples,), dtype="int32")
        whole = ops.cast(steps, "int32") * ops.ones((samples,), dtype="int32")
        self.add_loss(ops.mean(ops.nn.ctc_loss(ops.cast(labels, "int32"), outputs, length, whole, mask_index=2)))
        return outputs


def test_labels_are_an_input_and_the_loss_a_layer() -> None:
    images, labels = Input((2, 3), name="image"), Input((None,), name="label")
    model = Model([images, labels], EndOfPaths(name="loss")(labels, layers.Dense(3, name="dense")(images)))
    model.compile(optimizers.SGD(0.125))
    model.get_layer("dense").set_weights([np.zeros((3, 3)), np.zeros(3)])
    x = {"image": np.ones((2, 2, 3), "float32"), "label": np.array([[0.0], [0.0]], "float32")}
    loss = model.fit(x, verbose=0).history["loss"][0]
    # Of nine paths three are the label: with a blank behind or before it, or said twice. Each of two softmaxes and of two sums of
    # paths has an exp and a log.
    close(loss, np.log(9 / 3), 8 * ELEMENTARY, size=2 * np.log(3))
    part = Model(model.input[0], model.get_layer("dense").output)
    scores = part.predict(x["image"], verbose=0)
    assert model.evaluate(x, verbose=0) < loss and np.ptp(scores) > 0
