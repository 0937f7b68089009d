"""Optimizers, schedules, initializers, regularizers and activations against the installed Keras.

Run with: KERAS_BACKEND=torch pytest -m peers tests/peers
"""

import pathlib
from typing import Any

import numpy as np
import pytest

from refnet import Variable, activations, initializers, models, optimizers, regularizers, saving, utils
from refnet.layers import Dense, Input
from refnet.optimizers import schedules
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

pytestmark = pytest.mark.peers

RANDOM = np.random.default_rng(0)
STARTS = RANDOM.standard_normal((3, 2)).astype("float32"), RANDOM.standard_normal(2).astype("float32")
GRADIENTS = [
    (RANDOM.standard_normal((3, 2)).astype("float32"), RANDOM.standard_normal(2).astype("float32")) for _ in range(6)
]

OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("RMSprop", {"momentum": 0.5}),
    ("RMSprop", {"centered": True, "epsilon": 1e-3}),
    ("Adagrad", {}),
    ("Adadelta", {"learning_rate": 1.0}),
    ("Ftrl", {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.1, "beta": 0.5}),
    ("Lion", {}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("Adamax", {}),
    ("Nadam", {}),
    ("Lamb", {}),
    ("ScheduleFreeAdamW", {"warmup_steps": 4}),
    ("Adafactor", {}),
    ("Adafactor", {"clip_threshold": 0.5, "relative_step": False}),
    ("Muon", {}),
    ("Muon", {"nesterov": False, "rms_rate": None, "exclude_layers": ["nothing"], "adam_lr_ratio": 0.5}),
]
OPTIONS: list[dict[str, Any]] = [
    {"clipnorm": 0.5},
    {"clipvalue": 0.3},
    {"global_clipnorm": 0.5},
    {"weight_decay": 0.1},
    {"use_ema": True, "ema_momentum": 0.8},
    {"use_ema": True, "ema_overwrite_frequency": 3},
    {"loss_scale_factor": 4.0},
    {"gradient_accumulation_steps": 2},
    {"gradient_accumulation_steps": 3, "use_ema": True, "clipnorm": 0.5},
]


def near(got: Any, due: Any, start: Any = 0.0) -> None:
    """Six steps, each of two dozen operations on what changes and a rounding of what it is added to, on both sides."""
    got, due = np.asarray(got), plain(due)
    change = abs(due - start).max(initial=0)
    close(got, due, 2, 6 * abs(due) + 6 * 24 * change, dtype="float32")


def plain(value: Any) -> Any:
    if hasattr(value, "numpy") and not hasattr(value, "detach"):
        value = value.numpy()
    return value.detach().numpy() if hasattr(value, "detach") else np.asarray(value)


def compared(ours: Any, theirs: Any) -> None:
    import keras

    weights = [Variable(w, name=name) for w, name in zip(STARTS, ("kernel", "bias"))]
    variables = [keras.Variable(w, name=name) for w, name in zip(STARTS, ("kernel", "bias"))]
    for gradients in GRADIENTS:
        ours.apply(gradients, weights)
        theirs.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
        for weight, variable in zip(weights, variables):
            near(weight.numpy(), variable, STARTS[["kernel", "bias"].index(weight.name)])
    assert len(ours.variables) == len(theirs.variables)
    for own, other in zip(ours.variables, theirs.variables):
        near(own.numpy(), other)


# On PyTorch Keras's ScheduleFreeAdamW reads the old iterate after it has overwritten it in place, so its steps are not the
# published ones; with KERAS_BACKEND=jax they are. The rule itself is in tests/library/test_optimizer_rules.py.
def steps_of_keras() -> list[Any]:
    import os

    spoiled = os.environ.get("KERAS_BACKEND") == "torch"
    return [entry for entry in OPTIMIZERS if not (spoiled and entry[0] == "ScheduleFreeAdamW")]


@pytest.mark.parametrize("name, settings", steps_of_keras(), ids=lambda x: x if isinstance(x, str) else "")
def test_steps_and_variables(name: str, settings: dict[str, Any]) -> None:
    import keras

    arguments = {"learning_rate": 0.1, **settings}
    compared(getattr(optimizers, name)(**arguments), getattr(keras.optimizers, name)(**arguments))


@pytest.mark.parametrize("options", OPTIONS, ids=lambda x: "-".join(x))
@pytest.mark.parametrize("name", ["SGD", "Nadam"])
def test_options(name: str, options: dict[str, Any]) -> None:
    import keras

    arguments = {"learning_rate": 0.1, **options}
    compared(getattr(optimizers, name)(**arguments), getattr(keras.optimizers, name)(**arguments))


def test_scaled_losses() -> None:
    import keras

    ours = optimizers.LossScaleOptimizer(optimizers.Adam(0.1), initial_scale=8.0, dynamic_growth_steps=2)
    theirs = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1), initial_scale=8.0, dynamic_growth_steps=2)
    compared(ours, theirs)


def several(module: Any) -> Any:
    chosen = module.OptimizerMap(module.SGD(0.1, momentum=0.5), {".*kernel": module.Adam(0.1)})
    return module.MultiOptimizer(chosen)


def test_several_optimizers() -> None:
    import keras

    compared(several(optimizers), several(keras.optimizers))


def test_every_optimizer_and_its_arguments_are_keras() -> None:
    import inspect

    import keras

    theirs = {n for n in dir(keras.optimizers) if isinstance(getattr(keras.optimizers, n), type)} - {"Optimizer"}
    assert theirs <= set(dir(optimizers))
    assert theirs - {"LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"} == {name for name, _ in OPTIMIZERS}
    for name in theirs:
        signatures = [inspect.signature(getattr(m, name).__init__).parameters for m in (optimizers, keras.optimizers)]
        given, wanted = ([p for p in s.values() if p.kind is p.POSITIONAL_OR_KEYWORD] for s in signatures)
        assert [p.name for p in given] == [p.name for p in wanted], name
        assert [p.default for p in given] == [p.default for p in wanted], name


@pytest.mark.parametrize("name, settings", OPTIMIZERS, ids=lambda x: x if isinstance(x, str) else "")
def test_files_with_an_optimizer_state_go_both_ways(
    name: str, settings: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    import keras

    utils.set_random_seed(1)
    x, y = RANDOM.standard_normal((8, 3)).astype("float32"), RANDOM.standard_normal((8, 2)).astype("float32")
    options = {"learning_rate": 0.1, "use_ema": True, **settings}
    ours = models.Sequential([Input((3,)), Dense(4, activation="tanh"), Dense(2)])
    ours.compile(getattr(optimizers, name)(**options), "mse")
    for _ in range(2):
        ours.train_on_batch(x, y)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.saving.load_model(tmp_path / "ours.keras")
    assert len(theirs.optimizer.variables) == len(ours.optimizer.variables)
    for own, other in zip(ours.optimizer.variables, theirs.optimizer.variables):
        assert np.array_equal(own.numpy(), plain(other))
    theirs.train_on_batch(x, y)
    theirs.save(tmp_path / "theirs.keras")
    again = saving.load_model(tmp_path / "theirs.keras")
    for other, third in zip(theirs.optimizer.variables, again.optimizer.variables):
        assert np.array_equal(third.numpy(), plain(other))
    if (name, settings) not in steps_of_keras():
        return
    ours.train_on_batch(x, y)
    for own, other in zip(ours.optimizer.variables, theirs.optimizer.variables):
        near(own.numpy(), other)
    for own, other in zip(ours.get_weights(), theirs.get_weights()):
        near(own, other)


SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [5, 9, 20], "values": [1.0, 0.5, 0.25, 0.125]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "power": 2.0}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "cycle": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "alpha": 0.1}),
    ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 9, "warmup_target": 0.1, "warmup_steps": 6}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 5, "m_mul": 0.8, "alpha": 0.01}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 5, "t_mul": 1.0}),
]


@pytest.mark.parametrize("name, arguments", SCHEDULES, ids=lambda x: x if isinstance(x, str) else "")
def test_schedules(name: str, arguments: dict[str, Any]) -> None:
    import keras

    theirs = getattr(keras.optimizers.schedules, name)(**arguments)
    ours = getattr(schedules, name)(**arguments)
    read = schedules.deserialize(keras.optimizers.schedules.serialize(theirs))
    back = keras.optimizers.schedules.deserialize(schedules.serialize(ours))
    largest = max(float(plain(theirs(step))) for step in range(30))
    for step in range(30):
        due = plain(theirs(step))
        for schedule in (ours, read, back):
            close(plain(schedule(step)), due, 2 * (2 * ELEMENTARY + 8), largest, dtype="float32")


def test_every_schedule_is_there() -> None:
    import keras

    theirs = {n for n in dir(keras.optimizers.schedules) if n[0].isupper()}
    assert theirs - {"LearningRateSchedule"} == {name for name, _ in SCHEDULES} and theirs <= set(dir(schedules))


INITIALIZERS: list[tuple[str, dict[str, Any]]] = [
    ("Zeros", {}),
    ("Ones", {}),
    ("Constant", {"value": 0.25}),
    ("Identity", {"gain": 2.0}),
    ("RandomNormal", {"mean": 0.5, "stddev": 0.1}),
    ("RandomUniform", {"minval": -0.5, "maxval": 0.25}),
    ("TruncatedNormal", {"stddev": 0.5}),
    ("VarianceScaling", {"scale": 2.0, "mode": "fan_out", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"mode": "fan_avg", "distribution": "uniform", "input_axes": [0], "output_axes": [1]}),
    *((name, {}) for name in ("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal")),
    ("Orthogonal", {"gain": 1.5}),
]


@pytest.mark.parametrize("name, arguments", INITIALIZERS, ids=lambda x: x if isinstance(x, str) else "")
def test_initializers(name: str, arguments: dict[str, Any]) -> None:
    """The constant ones to the bit; of the random ones mean, spread and limits of 40,000 numbers."""
    import keras

    more = {} if name in ("Zeros", "Ones", "Constant", "Identity") else {"seed": 3}
    theirs, ours = (getattr(m.initializers, name)(**arguments, **more) for m in (keras, __import__("refnet")))
    read = initializers.deserialize(keras.initializers.serialize(theirs))
    assert keras.initializers.deserialize(initializers.serialize(ours)).get_config() == theirs.get_config()
    due, got = plain(theirs((100, 400))), np.asarray(ours((100, 400)))
    kept = name != "Identity"  # whose gain Keras leaves out of the config
    assert np.array_equal(np.asarray(read((100, 400))) * (1 if kept else arguments["gain"]), got)
    if not more:
        assert np.array_equal(got, due)
        return
    error = due.std() / np.sqrt(due.size)
    assert abs(got.mean() - due.mean()) < 6 * error and abs(got.std() - due.std()) < 6 * error
    if "niform" in name or "runcated" in name or arguments.get("distribution") == "uniform":
        # of 40,000 numbers some lie in the outermost fiftieth: that a truncated normal has none there has a chance below e**-80
        assert np.all(abs(np.array([got.min() - due.min(), got.max() - due.max()])) < abs(due).max() / 50)
    if name == "Orthogonal":
        gain = arguments.get("gain", 1.0) ** 2
        close(got @ got.T, gain * np.eye(100), 400 + 2, gain)  # products of 400 numbers rounded once


def test_every_initializer_and_regularizer_and_activation_is_there() -> None:
    import keras

    for theirs, ours in (
        (keras.initializers, initializers),
        (keras.regularizers, regularizers),
        (keras.activations, activations),
    ):
        public = {name for name in dir(theirs) if callable(getattr(theirs, name)) and not name.startswith("_")}
        assert public <= set(dir(ours))


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("L1", {"l1": 0.1}),
        ("L2", {"l2": 0.1}),
        ("L1L2", {"l1": 0.1, "l2": 0.2}),
        ("OrthogonalRegularizer", {"factor": 0.5}),
        ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
    ],
)
def test_regularizers(name: str, arguments: dict[str, Any]) -> None:
    import keras

    theirs, ours = getattr(keras.regularizers, name)(**arguments), getattr(regularizers, name)(**arguments)
    x = STARTS[0]
    due = plain(theirs(keras.ops.convert_to_tensor(x)))
    for regularizer in (ours, regularizers.deserialize(keras.regularizers.serialize(theirs))):
        agree(regularizer, due, x)
    read = keras.regularizers.deserialize(regularizers.serialize(ours))
    np.testing.assert_array_equal(plain(read(keras.ops.convert_to_tensor(x))), due)


ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "relu": [{}, {"negative_slope": 0.1}, {"max_value": 0.5}, {"threshold": 0.3}, {"max_value": 6}],
    "leaky_relu": [{}, {"negative_slope": 0.3}],
    "elu": [{}, {"alpha": 0.5}],
    "celu": [{}, {"alpha": 0.5}],
    "gelu": [{}, {"approximate": True}],
    "glu": [{"axis": 1}],
    "softmax": [{}, {"axis": 0}],
    "log_softmax": [{}, {"axis": 0}],
    "sparsemax": [{}],
    "squareplus": [{}, {"b": 2}],
    "threshold": [{"threshold": 0.2, "default_value": -1.0}],
    "hard_shrink": [{}, {"threshold": 0.2}],
    "soft_shrink": [{}, {"threshold": 0.2}],
}


def activation_names() -> list[str]:
    return sorted(set(activations.known))


@pytest.mark.parametrize("name", activation_names())
def test_activations(name: str) -> None:
    import keras

    x = 2 * RANDOM.standard_normal((5, 4)).astype("float32")
    x[0] = [-1.0, 0.0, 1.0, 3.0]
    for arguments in ARGUMENTS.get(name, [{}]):
        due = plain(getattr(keras.activations, name)(keras.ops.convert_to_tensor(x), **arguments))
        # Keras 3.15 gives rows that do not sum to one where several entries stay; ours always do
        if name == "sparsemax":
            right = np.isclose(due.sum(1), 1)
            got = np.asarray(activations.sparsemax(x))
            close(got.sum(1), 1, 2 * 4 * 4, 1 + abs(x).sum(1))
            assert right.any()
            close(got[right], due[right], 2 * 4 * 4, abs(x[right]).sum(1, keepdims=True))
        else:
            agree(lambda x, arguments=arguments: getattr(activations, name)(x, **arguments), due, x)
