"""Every optimizer against its published rule, written in NumPy; the options of all; steps at once and within fit."""

from typing import Any

import numpy as np
import pytest

from refnet import Variable, callbacks, ops, optimizers
from refnet.errors import ArgumentError
from refnet.layers import Dense, Input
from refnet.models import Sequential
from refnet.optimizers import schedules

RANDOM = np.random.default_rng(0)
MATRIX, VECTOR = RANDOM.standard_normal((3, 2)), RANDOM.standard_normal(2)
SLOPES = RANDOM.standard_normal((4, 3, 2)), RANDOM.standard_normal((4, 2))
RATE = 0.125


def rms(x: Any) -> Any:
    return np.sqrt(np.mean(np.square(x)))


def adam(w: Any, g: Any, t: int, s: dict[str, Any], amsgrad: bool = False, rate: float = RATE) -> Any:
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    s["h"] = np.maximum(s.get("h", 0), s["v"])
    mean = s["m"] * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return w - rate * mean / (np.sqrt(s["h"] if amsgrad else s["v"]) + 1e-7)


def adamax(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["u"] = np.maximum(0.999 * s.get("u", 0), abs(g))
    return w - RATE / (1 - 0.9**t) * s["m"] / (s["u"] + 1e-7)


def nadam(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    u, following = (0.9 * (1 - 0.5 * 0.96**k) for k in (t, t + 1))
    s["p"] = s.get("p", 1.0) * u
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    mean = following * s["m"] / (1 - s["p"] * following) + (1 - u) * g / (1 - s["p"])
    return w - RATE * mean / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-7)


def lamb(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    d = s["m"] / (1 - 0.9**t) / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-7)
    return w - RATE * np.linalg.norm(w) / np.linalg.norm(d) * d


def schedule_free(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    z = s.get("z", w)
    x = (w - 0.1 * z) / 0.9
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    s["z"] = z - RATE * min(t / 3, 1) * g / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-8)
    x = x + (s["z"] - x) / t
    return 0.1 * s["z"] + 0.9 * x


def adafactor(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    kept, square = 1 - t**-0.8, g**2 + 1e-30
    if w.ndim == 2:
        s["r"] = kept * s.get("r", 0) + (1 - kept) * square.mean(1)
        s["c"] = kept * s.get("c", 0) + (1 - kept) * square.mean(0)
        v = np.outer(s["r"], s["c"]) / s["r"].mean()
    else:
        v = s["v"] = kept * s.get("v", 0) + (1 - kept) * square
    u = g / np.sqrt(v)
    return w - max(1e-3, rms(w)) * min(RATE, t**-0.5) * u / max(1, rms(u))


def muon(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    if w.ndim != 2:
        return adam(w - RATE * 0.004 * w, g, t, s)
    w = w - RATE * 0.004 * w
    s["m"] = 0.95 * s.get("m", 0) + g
    x = g + 0.95 * s["m"]
    x = x.T if x.shape[0] > x.shape[1] else x
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
    x = x.T if w.shape[0] > w.shape[1] else x
    return w - RATE * x * 0.2 * np.sqrt(max(w.shape))


def rmsprop(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    s["v"] = 0.9 * s.get("v", 0) + 0.1 * g**2
    s["a"] = 0.9 * s.get("a", 0) + 0.1 * g
    s["m"] = 0.5 * s.get("m", 0) + RATE * g / np.sqrt(s["v"] - s["a"] ** 2 + 1e-3)
    return w - s["m"]


def momentum(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    s["v"] = 0.75 * s.get("v", 0) - RATE * g
    return w + 0.75 * s["v"] - RATE * g


def adagrad(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    s["a"] = s.get("a", 0.1) + g**2
    return w - RATE * g / np.sqrt(s["a"] + 1e-7)


def adadelta(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    s["v"] = 0.95 * s.get("v", 0) + 0.05 * g**2
    d = np.sqrt(s.get("d", 0) + 1e-7) * g / np.sqrt(s["v"] + 1e-7)
    s["d"] = 0.95 * s.get("d", 0) + 0.05 * d**2
    return w - RATE * d


def ftrl(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    before, s["n"] = s.get("n", 0.1), s.get("n", 0.1) + g**2
    s["z"] = s.get("z", 0) + g + 2 * 0.25 * w - (np.sqrt(s["n"]) - np.sqrt(before)) / RATE * w
    over = np.clip(s["z"], -0.5, 0.5) - s["z"]
    return over / ((1.0 + np.sqrt(s["n"])) / RATE + 2 * 0.125)


def lion(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    new = w - RATE * np.sign(0.9 * s.get("m", 0) + 0.1 * g)
    s["m"] = 0.99 * s.get("m", 0) + 0.01 * g
    return new


STRENGTHS = {
    "l1_regularization_strength": 0.5,
    "l2_regularization_strength": 0.125,
    "l2_shrinkage_regularization_strength": 0.25,
    "beta": 1.0,
}
RULES: list[tuple[str, dict[str, Any], Any]] = [
    ("SGD", {}, lambda w, g, t, s: w - RATE * g),
    ("SGD", {"momentum": 0.75, "nesterov": True}, momentum),
    ("RMSprop", {"momentum": 0.5, "centered": True, "epsilon": 1e-3}, rmsprop),
    ("Adagrad", {}, adagrad),
    ("Adadelta", {}, adadelta),
    ("Ftrl", STRENGTHS, ftrl),
    ("Lion", {}, lion),
    ("Adam", {}, adam),
    ("Adam", {"amsgrad": True}, lambda w, g, t, s: adam(w, g, t, s, amsgrad=True)),
    ("AdamW", {"weight_decay": 0.25}, lambda w, g, t, s: adam(w - RATE * 0.25 * w, g, t, s)),
    ("Adamax", {}, adamax),
    ("Nadam", {}, nadam),
    ("Lamb", {}, lamb),
    ("ScheduleFreeAdamW", {"warmup_steps": 3}, schedule_free),
    ("Adafactor", {}, adafactor),
    ("Muon", {}, muon),
]


def variables(dtype: str = "float64") -> list[Variable]:
    return [Variable(MATRIX, dtype=dtype, name="dense/kernel"), Variable(VECTOR, dtype=dtype, name="dense/bias")]


@pytest.mark.parametrize("name, settings, rule", RULES, ids=lambda x: x if isinstance(x, str) else "")
def test_four_steps_follow_the_rule(name: str, settings: dict[str, Any], rule: Any) -> None:
    weights, due, states = variables(), [MATRIX, VECTOR], [dict[str, Any](), dict[str, Any]()]
    optimizer = getattr(optimizers, name)(RATE, **settings)
    for t in range(4):
        slopes = [g[t] for g in SLOPES]
        optimizer.apply(slopes, weights)
        due = [rule(w, g, t + 1, s) for w, g, s in zip(due, slopes, states)]
    for got, wanted in zip(weights, due):
        # The weights are float64; rates and their powers are float32, with a relative error of 6e-8 each.
        np.testing.assert_allclose(got.numpy(), wanted, rtol=2e-6, atol=2e-7)
    assert int(optimizer.iterations) == 4


def test_every_optimizer_has_a_rule_here() -> None:
    wanted = {kind.__name__ for kind in optimizers._CLASSES}
    assert wanted == {name for name, *_ in RULES}


def after(optimizer: Any, steps: int = 4) -> list[Any]:
    weights = variables()
    for t in range(steps):
        optimizer.apply([g[t] for g in SLOPES], weights)
    return [w.numpy() for w in weights]


def test_gradients_of_several_batches_make_one_step() -> None:
    """The mean of two gradients, clipped after it was taken; between steps nothing moves."""
    together = optimizers.Adam(RATE, gradient_accumulation_steps=2, clipvalue=0.5)
    weights = variables()
    together.apply([g[0] for g in SLOPES], weights)
    assert np.array_equal(weights[0].numpy(), MATRIX) and int(together.iterations) == 0
    for t in (1, 2, 3):
        together.apply([g[t] for g in SLOPES], weights)
    alone, others = optimizers.Adam(RATE, clipvalue=0.5), variables()
    for t in (0, 2):
        alone.apply([(g[t] + g[t + 1]) / 2 for g in SLOPES], others)
    for a, b in zip(weights, others):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert int(together.iterations) == 2 and not together.slot(weights[0], "gradient_accumulator").numpy().any()


def test_moving_averages() -> None:
    optimizer, weights = optimizers.SGD(RATE, use_ema=True, ema_momentum=0.75), variables()
    due = None
    for t in range(3):
        optimizer.apply([g[t] for g in SLOPES], weights)
        due = weights[0].numpy() if due is None else 0.75 * due + 0.25 * weights[0].numpy()
    np.testing.assert_allclose(optimizer.slot(weights[0], "average").numpy(), due, rtol=1e-7)
    optimizer.finalize_variable_values(weights)
    np.testing.assert_allclose(weights[0].numpy(), due, rtol=1e-7)


def test_averages_overwrite_the_weights_after_so_many_steps() -> None:
    optimizer, weights = optimizers.SGD(RATE, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2), variables()
    w = MATRIX
    for t in range(2):
        w = w - RATE * SLOPES[0][t]
        optimizer.apply([g[t] for g in SLOPES], weights)
    first = MATRIX - RATE * SLOPES[0][0]
    np.testing.assert_array_equal(weights[0].numpy(), (first + w) / 2)


def test_fit_ends_with_the_averages() -> None:
    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones")])
    optimizer = optimizers.SGD(0.125, use_ema=True, ema_momentum=0.5)
    model.compile(optimizer, "mse")
    model.fit(x, y, epochs=2, batch_size=2, verbose=0)
    for weight in model.trainable_weights:
        assert np.array_equal(weight.numpy(), optimizer.slot(weight, "average").numpy())


def test_a_scaled_loss_gives_the_same_steps() -> None:
    scaled = optimizers.SGD(RATE, loss_scale_factor=8.0)
    assert float(scaled.scale_loss(np.float32(2))) == 16
    weights = variables()
    scaled.apply([8 * g[0] for g in SLOPES], weights)
    np.testing.assert_array_equal(weights[0].numpy(), MATRIX - RATE * SLOPES[0][0])


def test_loss_scale_optimizer_leaves_out_steps_that_overflow() -> None:
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(RATE), initial_scale=4.0, dynamic_growth_steps=2)
    weights = variables()
    optimizer.apply([4 * g[0] for g in SLOPES], weights)
    first = MATRIX - RATE * SLOPES[0][0]
    np.testing.assert_array_equal(weights[0].numpy(), first)
    optimizer.apply([np.full((3, 2), np.inf), SLOPES[1][1]], weights)
    np.testing.assert_array_equal(weights[0].numpy(), first)
    assert float(optimizer.dynamic_scale) == 2 and int(optimizer.iterations) == 1
    for t in (1, 2):
        optimizer.apply([2 * g[t] for g in SLOPES], weights)
    assert float(optimizer.dynamic_scale) == 4 and int(optimizer.iterations) == 3 and int(optimizer.step_counter) == 0
    np.testing.assert_allclose(weights[0].numpy(), first - RATE * (SLOPES[0][1] + SLOPES[0][2]), rtol=1e-12)


def test_a_model_trains_with_a_scaled_loss() -> None:
    x, y = RANDOM.standard_normal((6, 2)).astype("float32"), np.ones((6, 1), "float32")
    trained = []
    for wrap in (lambda o: o, lambda o: optimizers.LossScaleOptimizer(o, initial_scale=8.0)):
        model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones")])
        model.compile(wrap(optimizers.SGD(0.125)), "mse")
        history = model.fit(x, y, epochs=2, batch_size=6, verbose=0)
        trained.append((model.get_weights(), history.history["loss"]))
    for a, b in zip(trained[0][0], trained[1][0]):
        np.testing.assert_array_equal(a, b)
    assert trained[0][1] == trained[1][1]


def test_weight_decay_leaves_some_weights_alone() -> None:
    still = [np.zeros((3, 2)), np.zeros(2)]
    optimizer, weights = optimizers.SGD(0.5, weight_decay=0.5), variables()
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply(still, weights)
    np.testing.assert_array_equal(weights[0].numpy(), 0.75 * MATRIX)
    assert np.array_equal(weights[1].numpy(), VECTOR)
    with pytest.raises(ArgumentError, match="before the first step"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])
    other, weights = optimizers.SGD(0.5, weight_decay=0.5), variables()
    other.exclude_from_weight_decay(var_list=[weights[0]])
    other.apply(still, weights)
    assert np.array_equal(weights[0].numpy(), MATRIX) and not np.array_equal(weights[1].numpy(), VECTOR)


def test_weights_without_a_gradient_stay() -> None:
    optimizer, weights = optimizers.Adam(RATE), variables()
    optimizer.apply([None, SLOPES[1][0]], weights)
    assert np.array_equal(weights[0].numpy(), MATRIX) and not np.array_equal(weights[1].numpy(), VECTOR)
    assert int(optimizer.apply_gradients([(SLOPES[0][0], weights[0])])) == 2


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: optimizers.SGD(-1.0), "learning_rate must be a number of at least 0"),
        (lambda: optimizers.Adam(clipnorm=1.0, clipvalue=1.0), "at most one of clipnorm"),
        (lambda: optimizers.Adam(use_ema=True, ema_momentum=2.0), "ema_momentum lies in 0..1"),
        (lambda: optimizers.Adam(gradient_accumulation_steps=1), "at least 2, or None"),
        (lambda: optimizers.AdamW(weight_decay=None), "without decay use Adam"),
        (lambda: optimizers.Ftrl(learning_rate_power=1.0), "learning_rate_power must not be above 0"),
        (lambda: optimizers.Lion(beta_1=0.0), "beta_1 lies in 0..1"),
        (lambda: optimizers.LossScaleOptimizer("sgd"), "inner_optimizer must be another optimizer"),
        (lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), clipnorm=1.0), "give clipnorm to the inner"),
        (lambda: optimizers.SGD().apply([np.zeros(2)]), "Call build"),
        (lambda: optimizers.get("adamm"), "Did you mean 'adam"),
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "decay_steps must be above 0"),
        (lambda: schedules.PiecewiseConstantDecay([1], [1.0]), "one value more than boundaries"),
    ],
)
def test_errors(make: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


# ---- schedules


def test_schedules_by_hand() -> None:
    halving = schedules.ExponentialDecay(1.0, decay_steps=2, decay_rate=0.5, staircase=True)
    assert [float(halving(t)) for t in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    inverse = schedules.InverseTimeDecay(1.0, 1, 1.0)
    assert [float(inverse(t)) for t in (0, 1, 3)] == [1, 0.5, 0.25]
    line = schedules.PolynomialDecay(1.0, 4, end_learning_rate=0.5, cycle=True)
    assert [float(line(t)) for t in (0, 2, 4, 6, 8)] == [1, 0.75, 0.5, 0.625, 0.5]
    warm = schedules.CosineDecay(0.0, 4, alpha=0.5, warmup_target=1.0, warmup_steps=2)
    np.testing.assert_array_equal([float(warm(t)) for t in (0, 1, 2, 4, 6, 9)], [0, 0.5, 1, 0.75, 0.5, 0.5])
    again = schedules.CosineDecayRestarts(1.0, 2, t_mul=1.0, m_mul=0.5)
    np.testing.assert_allclose([float(again(t)) for t in (0, 1, 2, 3, 4)], [1, 0.5, 0.5, 0.25, 0.25], rtol=1e-6)


class Own(schedules.LearningRateSchedule):
    def __call__(self, step: Any) -> Any:
        return ops.divide(0.5, ops.add(ops.cast(step, "float32"), 1.0))


@pytest.mark.parametrize("schedule", [Own(), lambda step: 0.5 / (ops.cast(step, "float32") + 1.0)])
def test_the_rate_follows_the_steps_within_the_program(schedule: Any) -> None:
    optimizer = optimizers.SGD(schedule)
    (w, _) = after(optimizer, steps=3)
    np.testing.assert_allclose(w, MATRIX - sum(SLOPES[0][t] * 0.5 / (t + 1) for t in range(3)), rtol=1e-6)
    assert float(optimizer.learning_rate) == 0.125
    with pytest.raises(ArgumentError, match="a schedule cannot be set"):
        optimizer.learning_rate = 0.1


def test_the_rate_stands_in_the_logs() -> None:
    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    schedule = callbacks.LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1))
    history = model.fit(x, y, epochs=2, verbose=0, callbacks=[schedule])
    assert history.history["learning_rate"] == [0.5, 0.25] == history.history["lr"]
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0)
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[plateau])
    assert history.history["learning_rate"] == [0.25, 0.25, 0.125]


def test_configs_come_back() -> None:
    options = {"clipnorm": 1.0, "use_ema": True, "ema_overwrite_frequency": 5, "gradient_accumulation_steps": 3}
    for name, settings, _ in RULES:
        first = getattr(optimizers, name)(RATE, **settings, **options)
        again = optimizers.deserialize(optimizers.serialize(first))
        assert type(again) is type(first) and again.get_config() == first.get_config()
    first = optimizers.LossScaleOptimizer(optimizers.Adam(schedules.CosineDecay(0.1, 10)))
    again = optimizers.deserialize(optimizers.serialize(first))
    assert again.inner_optimizer.schedule.get_config() == first.inner_optimizer.schedule.get_config()
    old = optimizers.RMSprop(lr=0.5, decay=0.25)
    assert float(old.lr) == 0.5 and optimizers.RMSprop.from_config(old.get_config()).decay == 0.25


def test_evaluation_with_the_averages() -> None:
    x, y = RANDOM.standard_normal((6, 2)).astype("float32"), np.ones((6, 1), "float32")
    model = Sequential([Input((2,)), Dense(1)])
    optimizer = optimizers.SGD(0.125, use_ema=True, ema_momentum=0.5)
    model.compile(optimizer, "mse")
    model.train_on_batch(x, y)
    model.train_on_batch(x, y)
    kernel, bias = model.get_weights()
    averages = [optimizer.slot(w, "average").numpy() for w in model.trainable_weights]
    swap = callbacks.SwapEMAWeights()
    loss = model.evaluate(x, y, verbose=0, callbacks=[swap])
    assert loss == pytest.approx(np.mean((x @ averages[0] + averages[1] - y) ** 2), rel=1e-5)
    assert np.array_equal(model.get_weights()[0], kernel) and np.array_equal(model.get_weights()[1], bias)
    seen: list[Any] = []
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()[0]))
    model.fit(x, y, epochs=2, batch_size=6, shuffle=False, verbose=0, callbacks=[callbacks.SwapEMAWeights(True), look])
    kernels = [kernel, averages[0]]
    w, b = kernel, bias
    for _ in range(2):
        error = x @ w + b - y
        w, b = w - 0.125 / 3 * x.T @ error, b - 0.125 / 3 * error.sum(0)
        kernels.append(0.5 * kernels[-1] + 0.5 * w)
    np.testing.assert_allclose(seen, kernels[2:], rtol=1e-4)
    np.testing.assert_allclose(model.get_weights()[0], kernels[-1], rtol=1e-4)  # as every fit with averages ends
    plain = Sequential([Input((2,)), Dense(1)])
    plain.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match="use_ema=True"):
        plain.evaluate(x, y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
