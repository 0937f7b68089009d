"""jit, grad and value_and_grad of plain functions, and gradients written by hand."""

import gc
import weakref
from collections import OrderedDict, deque
from typing import Any

import numpy as np
import pytest

from refnet import activations, grad, jit, ops, optimizers, random, value_and_grad
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Tensor, Variable
from refnet.keeping import Kept
from refnet.layers import BatchNormalization, Dense, Input, Layer
from refnet.models import Sequential

X = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)


def test_gradients_of_nested_arguments_by_hand() -> None:
    def f(parameters: Any, x: Any, scale: float = 1.0) -> Any:
        return scale * ops.sum(ops.square(ops.matmul(x, parameters["w"]) + parameters["b"][0]))

    w, b = np.arange(3, dtype="float32").reshape(3, 1), np.array([0.5], "float32")
    value, gradient = value_and_grad(f)({"w": w, "b": [b]}, X, scale=2.0)
    y = X @ w + b
    np.testing.assert_array_equal(value, 2 * np.sum(y**2))
    np.testing.assert_array_equal(gradient["w"], 4 * X.T @ y)
    np.testing.assert_array_equal(gradient["b"][0], 4 * y.sum(0))
    to_x, to_parameters = grad(f, argnums=(1, 0))({"w": w, "b": [b]}, X)
    np.testing.assert_array_equal(to_x, 2 * y @ w.T)
    np.testing.assert_array_equal(to_parameters["w"], 2 * X.T @ y)


def test_gradients_again_and_of_what_does_not_matter() -> None:
    cube = lambda x: x * x * x
    assert [float(g(2.0)) for g in (grad(cube), grad(grad(cube)), grad(grad(grad(cube))))] == [12.0, 12.0, 6.0]
    assert grad(lambda x, y: ops.sum(x), argnums=1)(X, X).tolist() == np.zeros((2, 3)).tolist()
    assert grad(lambda x, y: ops.sum(x * y), argnums=0)(X, X).tolist() == X.tolist()  # one array twice: each by itself
    (value, extra), gradient = value_and_grad(lambda x: (ops.sum(x), {"double": x * 2}), has_aux=True)(X)
    assert value == 0 and extra["double"].tolist() == (2 * X).tolist() and np.all(gradient == 1)
    gradient, extra = grad(lambda x: (ops.sum(x), None), has_aux=True)(X)
    assert extra is None and np.all(gradient == 1)
    wide = grad(lambda x: ops.sum(x * x))(X.astype("float64"))
    assert wide.dtype == np.float64 and np.array_equal(wide, 2 * X.astype("float64"))


def test_what_cannot_be_differentiated_says_so() -> None:
    with pytest.raises(ShapeError, match=r"must give a scalar to be differentiated; it gave shape \(2, 3\)"):
        grad(lambda x: x * 2)(X)
    with pytest.raises(ArgumentError, match="gradients exist for floating numbers; an argument has dtype int64"):
        grad(ops.sum)(np.arange(3))
    with pytest.raises(ArgumentError, match="was called with 1 arguments; argnums asks for number 1"):
        grad(ops.sum, argnums=1)(X)


def test_jit_calls_a_function_once_for_each_kind_of_arguments() -> None:
    calls: list[Any] = []

    @jit
    def f(x: Any, power: int, names: Any = ()) -> Any:
        """Its documentation."""
        calls.append(x)
        return {"power": x**power, "count": len(names), "sum": (ops.sum(x), None)}

    for _ in range(3):
        result = f(X, 2, names=["a"])
    assert len(calls) == 1 and isinstance(calls[0], Tensor)
    np.testing.assert_array_equal(result["power"], X**2)
    assert result["count"] == 1 and result["sum"][1] is None
    f(X, 3), f(X[:1], 2)
    assert len(calls) == 3
    assert f.__name__ == "f" and f.__doc__ == "Its documentation."
    result["power"] += 1  # belongs to the caller


def test_a_function_draws_and_assigns_anew_in_every_run() -> None:
    count = Variable(np.float32(0))

    @jit
    def draw(x: Any) -> Any:
        count.assign_add(ops.sum(x))
        return random.normal((4,)), count

    first, second = draw(np.ones(2, "float32")), draw(np.ones(2, "float32"))
    assert np.any(first[0] != second[0]) and float(count) == 4 and (first[1], second[1]) == (2, 4)


class Centered(Layer):
    """Takes the batch's mean off in training, and keeps a running mean of it."""

    def build(self, input_shape: Any) -> None:
        self.moving_mean = self.add_weight((input_shape[-1],), "zeros", trainable=False)

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training:
            return inputs - self.moving_mean
        mean = ops.mean(inputs, axis=0)
        self.moving_mean.assign(self.moving_mean * 0.9 + mean * 0.1)
        return inputs - mean


def test_a_training_loop_of_ones_own() -> None:
    """Gradients with respect to a model's variables; an optimizer inside jit, and one applied to arrays."""
    model = Sequential([Input((3,)), Dense(2, "tanh"), Centered(), Dense(1)])
    x, y = np.concatenate([X, -X, X * 2]), np.ones((6, 1), "float32")
    optimizer = optimizers.SGD(0.1)

    def loss(weights: Any, x: Any, y: Any) -> Any:
        return ops.mean(ops.square(model(x, training=True) - y))

    @jit
    def step(x: Any, y: Any) -> Any:
        value, gradients = value_and_grad(loss)(model.trainable_variables, x, y)
        optimizer.apply(gradients, model.trainable_variables)
        return value

    values = [float(step(x, y)) for _ in range(20)]
    assert values[-1] < 0.5 * values[0] and int(optimizer.iterations) == 20
    assert not np.all(np.asarray(model.layers[1].moving_mean) == 0)
    before = model.trainable_variables[0].numpy()
    value, gradients = value_and_grad(loss)(model.trainable_variables, x, y)
    assert value <= values[-1] and isinstance(gradients, list)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    np.testing.assert_array_equal(model.trainable_variables[0].numpy(), before - 0.1 * gradients[0])
    with pytest.raises(ArgumentError, match="got 1 gradients for 4 variables"):
        optimizer.apply(gradients[:1], model.trainable_variables)


def test_a_gradient_written_by_hand() -> None:
    @ops.custom_gradient
    def clipped(x: Any, y: Any) -> Any:
        def gradient(*args: Any, upstream: Any = None) -> Any:
            if upstream is None:
                (upstream,) = args
            return ops.clip(upstream, -1.0, 1.0), None

        return x * y, gradient

    assert clipped(2.0, 3.0) == 6.0
    to_x, to_y = grad(lambda x, y: ops.sum(clipped(x, y) * 5.0), argnums=(0, 1))(X, X)
    assert np.all(to_x == 1) and np.all(to_y == 0)
    a = Input(batch_shape=(2, 3))
    inner = Sequential([a, Dense(3)])  # known shapes, and copied into another model: the mark stays
    assert inner(X).shape == (2, 3)
    wrong = ops.custom_gradient(lambda x, y: (x, lambda upstream: upstream))
    with pytest.raises(ArgumentError, match="the function has 2 arguments; its gradient gave 1"):
        grad(lambda x: ops.sum(wrong(x, x)))(X)


class Holder:
    def __init__(self, k: float):
        self.k = k


def test_objects_that_come_and_go_are_told_apart() -> None:
    """A freed object's id is given to the next one, whose program must not be the old one's."""
    x = np.zeros(1, "float32")
    apply, scale = jit(lambda a, function: function(a)), jit(lambda a, holder: a * holder.k)
    assert [apply(x, lambda v: v + 1)[0], apply(x, lambda v: v + 2)[0], apply(x, lambda v: v + 3)[0]] == [1, 2, 3]
    assert [scale(x + 1, Holder(k))[0] for k in (2.0, 3.0, 4.0)] == [2, 3, 4]
    gradient = grad(lambda a, function: ops.sum(function(a)))
    assert [gradient(x, lambda v: v * 2)[0], gradient(x, lambda v: v * 3)[0]] == [2, 3]


def test_what_has_a_value_counts_by_it() -> None:
    calls: list[Any] = []

    @jit
    def f(x: Any, option: Any) -> Any:
        calls.append(option)
        return x + len(calls)

    x = np.zeros(1, "float32")
    chosen = {0}
    same = [chosen, {0}, slice(0, 2), slice(0, 2), 1j, 1j, frozenset([2]), frozenset([2]), b"a", b"a"]
    assert [f(x, option)[0] for option in same] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    chosen.add(1)
    others = [chosen, {1}, {True}, {1.0}, 1, True, 0j, complex(0.0, -0.0), (1,), [1]]
    assert [f(x, option)[0] for option in others] == list(range(6, 6 + len(others)))
    assert f(x, chosen)[0] == 6


def test_containers_that_are_read_in_another_order_are_told_apart() -> None:
    f = jit(lambda d: d["a"] - 2 * d["b"])
    a, b = np.array([5.0]), np.array([1.0])
    assert f(OrderedDict(b=b, a=a))[0] == f({"b": b, "a": a})[0] == f({"a": a, "b": b})[0] == 3
    g = jit(lambda first, second: len(first) - len(second) if isinstance(first, deque) else ops.sum(first))
    assert g(deque([a, b]), [a]) == 1 and g([a, b], deque([a])) == 6


def test_an_object_is_looked_into_once_and_a_layer_followed() -> None:
    x, holder, layer = np.full(1, -2.0, "float32"), Holder(3.0), Dense(1, activation="relu", kernel_initializer="ones")
    scale, through = jit(lambda a, held: a * held.k), jit(lambda a: layer(a))
    assert scale(x, holder)[0] == -6 and through(x[None]).tolist() == [[0.0]]
    holder.k = 4.0
    assert scale(x, holder)[0] == -6  # as the docstring says
    for name, expected in ((None, -2.0), ("relu", 0.0), ("relu", 0.0), (None, -2.0)):
        layer.activation = activations.get(name)
        assert through(x[None]).tolist() == [[expected]]
    norm = BatchNormalization(momentum=0.0)
    step = jit(lambda a: norm(a, training=True))
    for value, trainable in ((1.0, True), (2.0, False), (3.0, True)):
        norm.trainable = trainable
        step(np.full((2, 1), value, "float32"))
        assert norm.moving_mean.numpy() == value  # `trainable` is what it was at first, as the docstring says too


def test_only_so_many_programs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"Of {Kept.most} kinds" in " ".join(str(jit.__doc__).split())
    monkeypatch.setattr(Kept, "most", 3)
    calls: list[int] = []
    f, x = jit(lambda a, k: calls.append(k) or a + k), np.zeros(1, "float32")
    for k in (0, 1, 2, 0, 3, 0, 1):  # 3 lets 1 go, which was asked for the longest time ago, and not 0
        assert f(x, k)[0] == k
    assert calls == [0, 1, 2, 3, 1]
    held, scale = weakref.WeakSet[Holder](), jit(lambda a, holder: a * holder.k)
    for k in range(5):
        holder = Holder(float(k))
        held.add(holder)
        scale(x, holder)
    gc.collect()
    assert sorted(holder.k for holder in held) == [2.0, 3.0, 4.0]
