"""Constraints against the installed Keras: equal weights, names, defaults, configs both ways, and an equal training step."""

import inspect
from typing import Any

import numpy as np
import pytest

from refnet import constraints
from refnet.testing.conformance import agree
from refnet.testing.whole import hold_step

pytestmark = pytest.mark.peers

KERNEL = np.random.default_rng(0).standard_normal((3, 3, 2, 4)).astype("float32")
CASES: list[tuple[str, dict[str, Any]]] = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 1, "axis": [0, 1, 2]}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": 3}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 0.8, "rate": 0.3, "axis": [0, 1, 2]}),
]


@pytest.mark.parametrize(("name", "more"), CASES)
def test_a_constraint(keras: Any, name: str, more: dict[str, Any]) -> None:
    their, own = getattr(keras.constraints, name)(**more), getattr(constraints, name)(**more)
    agree(own, keras.ops.convert_to_numpy(their(KERNEL)), KERNEL)
    assert own.get_config() == their.get_config()
    assert keras.constraints.deserialize(constraints.serialize(own)).get_config() == own.get_config()
    assert constraints.deserialize(keras.constraints.serialize(their)).get_config() == own.get_config()
    listed = [
        [(p.name, p.default) for p in inspect.signature(kind).parameters.values()] for kind in (type(own), type(their))
    ]
    assert listed[0] == listed[1]


def test_names_that_keras_knows(keras: Any) -> None:
    for name in ("max_norm", "non_neg", "unit_norm", "min_max_norm", "MaxNorm", "NonNeg"):
        assert type(keras.constraints.get(name)).__name__ == type(constraints.get(name)).__name__
        assert hasattr(keras.constraints, name) and hasattr(constraints, name)


def test_three_training_steps(keras: Any) -> None:
    from refnet import Sequential, layers

    x, y = KERNEL.reshape(12, 6), KERNEL.reshape(12, 6)[:, :1].copy()
    models = []
    for k, kind in ((keras, keras.Sequential), (None, Sequential)):
        made = k.layers if k is not None else layers
        first = made.Dense(4, kernel_constraint="unit_norm", bias_constraint="non_neg")
        model = kind([made.Input((6,)), first, made.Dense(1, kernel_constraint="max_norm")])
        model.compile("sgd", "mse")
        models.append(model)
    theirs, ours = models
    ours.set_weights(theirs.get_weights())
    for _ in range(3):
        step = theirs.train_on_batch(x, y), theirs.get_weights()
        hold_step(ours, x, y, theirs=step)
        ours.set_weights(step[1])
