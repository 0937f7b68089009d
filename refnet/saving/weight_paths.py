"""The paths of weights in files. A model inside of another is made alone when it is read, so that its weights would have shorter ones,
and optimizers that choose weights by their paths would choose others."""

from typing import Any

ENTRY = "weight_paths"


def of(model: Any) -> list[str]:
    """The paths, in the order of the weights."""
    return [variable.path for variable in model.weights]


def without_entry(model: Any) -> list[str]:
    """What the paths were where a file of refnet's has none: the names of the weights, by which its optimizers chose them."""
    return [variable.name for variable in model.weights]


def give(model: Any, paths: Any) -> None:
    """Gives the weights of a model that was read or cloned the paths that they had; those of another model's weights are left out."""
    weights = model.weights
    if isinstance(paths, list) and list(map(_last, paths)) == [_last(variable.path) for variable in weights]:
        for variable, path in zip(weights, paths):
            variable.path = path


def _last(path: Any) -> str | None:
    return path.rpartition("/")[2] if isinstance(path, str) else None
