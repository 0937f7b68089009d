"""Every optimizer against its published rule, written with ops."""

import math
from typing import Any

import numpy as np
import pytest

from refnet import Variable, ops, optimizers
from refnet.testing.closeness import close
from refnet.testing.conformance import agree

RANDOM = np.random.default_rng(0)
MATRIX, VECTOR = RANDOM.standard_normal((3, 2)), RANDOM.standard_normal(2)
GRADIENTS = RANDOM.standard_normal((4, 3, 2)), RANDOM.standard_normal((4, 2))
RATE = 0.125


def rms(x: Any) -> Any:
    return ops.sqrt(ops.mean(ops.square(x)))


def norm(x: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(x)))


def adam(w: Any, g: Any, t: int, s: dict[str, Any], amsgrad: bool = False, rate: float = RATE) -> Any:
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    s["h"] = ops.maximum(s.get("h", 0), s["v"])
    mean = s["m"] * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return w - rate * mean / (ops.sqrt(s["h"] if amsgrad else s["v"]) + 1e-7)


def adamax(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["u"] = ops.maximum(0.999 * s.get("u", 0), ops.abs(g))
    return w - RATE / (1 - 0.9**t) * s["m"] / (s["u"] + 1e-7)


def nadam(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    u, following = (0.9 * (1 - 0.5 * 0.96**k) for k in (t, t + 1))
    s["p"] = s.get("p", 1.0) * u
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    mean = following * s["m"] / (1 - s["p"] * following) + (1 - u) * g / (1 - s["p"])
    return w - RATE * mean / (ops.sqrt(s["v"] / (1 - 0.999**t)) + 1e-7)


def lamb(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    d = s["m"] / (1 - 0.9**t) / (ops.sqrt(s["v"] / (1 - 0.999**t)) + 1e-7)
    return w - RATE * norm(w) / norm(d) * d


def schedule_free(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    z = s.get("z", w)
    x = (w - 0.1 * z) / 0.9
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    s["z"] = z - RATE * min(t / 3, 1) * g / (ops.sqrt(s["v"] / (1 - 0.999**t)) + 1e-8)
    x = x + (s["z"] - x) / t
    return 0.1 * s["z"] + 0.9 * x


def adafactor(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    kept, square = 1 - t**-0.8, g**2 + 1e-30
    if len(w.shape) == 2:
        s["r"] = kept * s.get("r", 0) + (1 - kept) * ops.mean(square, 1)
        s["c"] = kept * s.get("c", 0) + (1 - kept) * ops.mean(square, 0)
        v = ops.outer(s["r"], s["c"]) / ops.mean(s["r"])
    else:
        v = s["v"] = kept * s.get("v", 0) + (1 - kept) * square
    u = g / ops.sqrt(v)
    return w - ops.maximum(1e-3, rms(w)) * min(RATE, t**-0.5) * u / ops.maximum(1.0, rms(u))


def muon(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    if len(w.shape) != 2:
        return adam(w - RATE * 0.004 * w, g, t, s)
    w = w - RATE * 0.004 * w
    s["m"] = 0.95 * s.get("m", 0) + g
    x = g + 0.95 * s["m"]
    x = ops.transpose(x) if x.shape[0] > x.shape[1] else x
    x = x / (norm(x) + 1e-7)
    for _ in range(5):
        a = x @ ops.transpose(x)
        x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
    x = ops.transpose(x) if w.shape[0] > w.shape[1] else x
    return w - RATE * x * 0.2 * math.sqrt(max(w.shape))


def rmsprop(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    s["v"] = 0.9 * s.get("v", 0) + 0.1 * g**2
    s["a"] = 0.9 * s.get("a", 0) + 0.1 * g
    s["m"] = 0.5 * s.get("m", 0) + RATE * g / ops.sqrt(s["v"] - s["a"] ** 2 + 1e-3)
    return w - s["m"]


def momentum(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    s["v"] = 0.75 * s.get("v", 0) - RATE * g
    return w + 0.75 * s["v"] - RATE * g


def adagrad(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    s["a"] = s.get("a", 0.1) + g**2
    return w - RATE * g / ops.sqrt(s["a"] + 1e-7)


def adadelta(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    s["v"] = 0.95 * s.get("v", 0) + 0.05 * g**2
    d = ops.sqrt(s.get("d", 0) + 1e-7) * g / ops.sqrt(s["v"] + 1e-7)
    s["d"] = 0.95 * s.get("d", 0) + 0.05 * d**2
    return w - RATE * d


def ftrl(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    before, s["n"] = s.get("n", 0.1), s.get("n", 0.1) + g**2
    s["z"] = s.get("z", 0) + g + 2 * 0.25 * w - (ops.sqrt(s["n"]) - ops.sqrt(before)) / RATE * w
    over = ops.clip(s["z"], -0.5, 0.5) - s["z"]
    return over / ((1.0 + ops.sqrt(s["n"])) / RATE + 2 * 0.125)


def lion(w: Any, g: Any, t: int, s: dict[str, Any]) -> Any:
    new = w - RATE * ops.sign(0.9 * s.get("m", 0) + 0.1 * g)
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
]


@pytest.mark.parametrize("name, settings, rule", RULES, ids=lambda x: x if isinstance(x, str) else "")
def test_four_steps_follow_the_rule(name: str, settings: dict[str, Any], rule: Any) -> None:
    starts, gradients = ([a.astype("float32") for a in arrays] for arrays in ((MATRIX, VECTOR), GRADIENTS))
    weights = [Variable(start) for start in starts]
    optimizer = getattr(optimizers, name)(RATE, **settings)
    for t in range(4):
        optimizer.apply([g[t] for g in gradients], weights)
    for got, start, given in zip(weights, starts, gradients):
        agree(steps(rule), got.numpy(), start, *given)
    assert int(optimizer.iterations) == 4


def steps(rule: Any) -> Any:
    """A weight after one step of a rule for each gradient."""

    def run(w: Any, *gradients: Any) -> Any:
        states: dict[str, Any] = {}
        for t, g in enumerate(gradients, 1):
            w = rule(w, g, t, states)
        return w

    return run


def test_muon_follows_the_rule() -> None:
    """In float64: five rounds of a polynomial make an interval of float32 as wide as anything."""
    vectors, gradients = [Variable(VECTOR, dtype="float32")], GRADIENTS[1].astype("float32")
    weights = [Variable(MATRIX, dtype="float64")]
    for kept, given in ((weights, GRADIENTS[0]), (vectors, gradients)):
        optimizer = optimizers.Muon(RATE)
        for g in given:
            optimizer.apply([g], kept)
    agree(steps(muon), vectors[0].numpy(), VECTOR.astype("float32"), *gradients)
    # A round makes an error up to 4 times larger, the polynomial's largest derivative, and adds 20 roundings of terms up to 5; four
    # steps follow each other, each of the size RATE * 0.2 * sqrt(3).
    roundings = 2 * 4 * 5 * 20 * 5 * 4**5
    close(weights[0].numpy(), steps(muon)(MATRIX, *GRADIENTS[0]), roundings, RATE * 0.2 * math.sqrt(3))


def test_every_optimizer_has_a_rule_here() -> None:
    wanted = {kind.__name__ for kind in optimizers._CLASSES}
    assert wanted == {name for name, *_ in RULES} | {"Muon"}


def test_configs_come_back() -> None:
    options = {"clipnorm": 1.0, "use_ema": True, "ema_overwrite_frequency": 5, "gradient_accumulation_steps": 3}
    for name, settings, _ in [*RULES, ("Muon", {}, muon)]:
        first = getattr(optimizers, name)(RATE, **settings, **options)
        again = optimizers.deserialize(optimizers.serialize(first))
        assert type(again) is type(first) and again.get_config() == first.get_config()
