"""What layers of a user's own put into a file beside their variables: numbers, and files of any kind (`assets`)."""

import pathlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError
from refnet.graph import Variable
from refnet.layers.base import Layer

FOLDER = "assets"  # in a `.keras` archive


def overrides(layer: Layer, *methods: str) -> bool:
    """Whether the layer's class has one of these methods of its own."""
    return any(getattr(type(layer), name) is not getattr(Layer, name) for name in methods)


def has_numbers(layer: Layer) -> bool:
    """Whether the layer says itself what stands for its variables in a file."""
    return overrides(layer, "save_own_variables", "load_own_variables")


def numbers(layer: Layer) -> dict[str, Variable | Array]:
    """What stands for a layer in a file, by name: its variables, numbered, unless it has something else to say."""
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    return {name: _checked(layer, name, value) for name, value in store.items()}


def _checked(layer: Layer, name: Any, value: Any) -> Variable | Array:
    if not isinstance(name, str) or not name or "/" in name or name == ".":
        raise ArgumentError(
            f"{layer.name}.save_own_variables: a name in the store is a string without '/'; got {name!r}."
        )
    if isinstance(value, Variable):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise ArgumentError(
            f"{layer.name}.save_own_variables: {name!r} must be an array of numbers; got dtype {array.dtype}. "
            "What is no number goes into a file of save_assets, or into get_config."
        )
    return array


# ---- files


def assets(places: list[tuple[str, Layer]]) -> dict[str, bytes]:
    """The files that layers write in their `save_assets`, by their paths in an archive."""
    found: dict[str, bytes] = {}
    for path, layer in places:
        if overrides(layer, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                layer.save_assets(folder)
                for file in sorted(pathlib.Path(folder).rglob("*")):
                    if file.is_file():
                        name = file.relative_to(folder).as_posix()
                        found[f"{FOLDER}{path}/{name}"] = file.read_bytes()
    return found


def load_assets(places: list[tuple[str, Layer]], parts: Mapping[str, bytes]) -> None:
    """Gives every layer that has a `load_assets` a folder with the files that it wrote."""
    for path, layer in places:
        if overrides(layer, "load_assets"):
            with tempfile.TemporaryDirectory() as folder:
                for name, content in _below(f"{FOLDER}{path}/", parts):
                    target = pathlib.Path(folder, name)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
                layer.load_assets(folder)


def _below(start: str, parts: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The files below a path, by the rest of theirs, of which `files.members` has seen that none leads out."""
    for name, content in parts.items():
        if name.startswith(start) and not name.endswith("/"):
            yield name.removeprefix(start), content
