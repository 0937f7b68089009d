"""Deep learning whose ops are defined by plain Python loops, with a complete Keras-style library on top.

    from refnet import layers, models

    model = models.Sequential([layers.Dense(16, activation="relu"), layers.Dense(10, activation="softmax")])
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=5)

Modules load when they are first used.
"""

import importlib
import sys
from typing import Any

from refnet import old_names

__version__ = "0.1.0"

_MODULES = (
    *(
        "activations",
        "applications",
        "backend",
        "callbacks",
        "config",
        "constraints",
        "datasets",
        "dtypes",
        "engine",
        "ensemble",
        "errors",
        "evaluation",
        "export",
        "initializers",
        "layers",
        "losses",
        "metrics",
        "mixed_precision",
        "models",
    ),
    *(
        "ops",
        "optimizers",
        "preprocessing",
        "quantizers",
        "random",
        "regularizers",
        "saving",
        "tree",
        "utils",
        "visualize",
        "wrappers",
    ),
)
_NAMES = {
    "DTypePolicy": "refnet.mixed_precision",
    "Initializer": "refnet.initializers",
    "Input": "refnet.layers",
    "InputSpec": "refnet.layers",
    "KerasTensor": "refnet.tensors",
    "Layer": "refnet.layers",
    "Loss": "refnet.losses",
    "Metric": "refnet.metrics",
    "Model": "refnet.models",
    "Optimizer": "refnet.optimizers",
    "Quantizer": "refnet.quantizers",
    "Regularizer": "refnet.regularizers",
    "Sequential": "refnet.models",
    "Variable": "refnet.graph",
    "grad": "refnet.functions",
    "jit": "refnet.functions",
    "name_scope": "refnet.tracing",
    "value_and_grad": "refnet.functions",
    "use_engine": "refnet.engine",
}

__all__ = [*_MODULES, *_NAMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"refnet.{name}")
    if name in _NAMES:
        value = globals()[name] = getattr(importlib.import_module(_NAMES[name]), name)
        return value
    raise AttributeError(f"module 'refnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


old_names.serve(__name__)
sys.meta_path.append(old_names.OldModules(__name__))
