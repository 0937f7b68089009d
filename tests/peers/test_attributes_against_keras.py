"""Every public attribute of Keras's layers, models and the like is here, but for those that are listed with the reason."""

from typing import Any

import numpy as np
import pytest

import refnet

pytestmark = pytest.mark.peers

QUANTIZATION = "of layers of one's own that are quantized, or of GPTQ and AWQ: neither is here"
COMPILERS = "of Keras's backends: an engine compiles every program, and has no other switch"
TORCH = "of Keras's layers as modules of PyTorch"
DEVICES = "one device trains a model here"
FLOAT8 = "of float8 training, which is not here"
SPARSE = "there are no sparse or ragged tensors here"
STATES = "of steps written for JAX, in which a program hands states from step to step"
LEFT_OUT = {
    **dict.fromkeys(("quantized_build", "quantized_call", "get_quantization_layer_structure"), QUANTIZATION),
    **dict.fromkeys(("supports_jit", "jit_compile", "steps_per_execution", "rematerialized_call"), COMPILERS),
    **dict.fromkeys(("make_train_function", "make_test_function", "make_predict_function"), COMPILERS),
    **dict.fromkeys(("train_function", "test_function", "predict_function"), COMPILERS),
    **dict.fromkeys(("torch_params", "named_parameters", "forward", "training"), TORCH),
    **dict.fromkeys(("stateless_compute_loss", "get_state_tree", "set_state_tree"), STATES),
    "variable_serialization_spec": QUANTIZATION,
    "overwrite_with_gradient": FLOAT8,
    "add_metric": "Keras 3 has the name, and refuses every call",
    "call_signature_parameters": "`call_parameters` tells them",
    "operations": "of Keras's graph of operations; `layers` are here",
    "seed_generator": "a layer's draws have their keys from its program",
    "backend": "a generator's numbers are the same on every engine",
}


def objects(lib: Any) -> dict[str, Any]:
    x = np.ones((2, 3), "float32")
    start = lib.layers.Input((3,))
    model = lib.Model(start, lib.layers.Dense(2)(start))
    model.compile("adam", "mse", metrics=["mae"])
    history = model.fit(x, x[:, :2], verbose=0)
    return {
        **{"model": model, "Sequential": lib.Sequential([lib.layers.Dense(2)]), "Dense": model.layers[1]},
        **{"variable": model.weights[0], "optimizer": model.optimizer, "history": history},
        **{"metric": lib.metrics.Mean(), "loss": lib.losses.MeanSquaredError(), "seed": lib.random.SeedGenerator(1)},
        "callback": lib.callbacks.Callback(),
    }


def test_every_attribute_is_here_or_listed(keras: Any) -> None:
    backends = {
        name for kind in type(keras.layers.Dense(1)).__mro__ if "torch" in kind.__module__ for name in dir(kind)
    }
    own = {
        name
        for kind in type(keras.layers.Dense(1)).__mro__
        if kind.__module__.startswith("keras.")
        for name in vars(kind)
    }
    ours, missing = objects(refnet), dict[str, set[str]]()
    for what, their in objects(keras).items():
        names = {name for name in dir(their) if not name.startswith("_")} - (backends - own)
        missing[what] = names - set(dir(ours[what])) - set(LEFT_OUT)
    assert {what: names for what, names in missing.items() if names} == {}
