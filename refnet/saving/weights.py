"""Weights in Keras 3's HDF5 layout: a group for each layer, by its class and its place, with its variables numbered in `vars`."""

import io
import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.errors import FileError
from refnet.graph import Variable
from refnet.layers.base import Layer
from refnet.naming import snake_case
from refnet.saving import own
from refnet.saving.files import FREE_SIZE, h5py

# (variable, array), and (layer, {name: array}) of layers that read for themselves
Pairs: TypeAlias = list[tuple[Any, Any]]
EXPANSION = 1000  # a file's arrays, if larger than FREE_SIZE, may be so many times what they take in it
DEEPEST = 256  # groups inside one another; a model in a model in a model has two for each


# ---- where everything stands


def ordered_layers(model: Any) -> list[Layer]:
    """A model's layers as Keras lists them."""
    return list(model.layers)


def places(layer: Layer) -> list[tuple[str, Layer]]:
    """Every layer inside, itself first, each once, with its path in a file."""
    found: dict[Layer, str] = {}
    _visit(layer, "", found)
    return [(path, inner) for inner, path in found.items()]


def _visit(layer: Layer, path: str, found: dict[Layer, str]) -> None:
    from refnet.models.model import Model

    if layer in found:
        return
    found[layer] = path
    if isinstance(layer, Model) and layer.graph is not None:
        _visit_all(ordered_layers(layer), f"{path}/layers", found)
    for name in sorted(vars(layer), key=lambda word: f"~{word}" if word.startswith("_") else word):
        if name in ("_calls_made", "_own", "_programs", "_arguments", "_stack", "_captured"):
            continue
        value = vars(layer)[name]
        if isinstance(value, Layer):
            _visit(value, f"{path}/{name}", found)
        elif isinstance(value, (list, tuple, dict)):
            _visit_all(value, f"{path}/{name}", found)


def _visit_all(held: Any, path: str, found: dict[Layer, str]) -> None:
    """Layers in a list, tuple or dict: named by their class, numbered where it returns."""
    used: dict[str, int] = {}
    for value in held.values() if isinstance(held, dict) else held:
        if not isinstance(value, (Layer, list, tuple, dict)):
            continue
        name = snake_case(_class_name(value)) if isinstance(value, Layer) else "container"
        number = used[name] = used.get(name, -1) + 1
        inner = f"{path}/{name}_{number}" if number else f"{path}/{name}"
        if isinstance(value, Layer):
            _visit(value, inner, found)
        else:
            _visit_all(value, inner, found)


def _class_name(layer: Layer) -> str:
    from refnet.models.model import Model

    return "Functional" if type(layer) is Model else layer._kind()


def trained(model: Any) -> list[Variable]:
    """The variables that the optimizer of a compiled model changes, in Keras's order."""
    captured, found = model._captured, dict[Layer, None]()
    _track(model, found)
    held = [layer for layer in found if captured.get(layer, layer.trainable)]
    return list(dict.fromkeys(v for layer in held for v in layer._own_weights if v.trainable))


def _track(layer: Layer, found: dict[Layer, None]) -> None:
    """Every layer inside, outer before inner, in the order in which they were made parts of it."""
    from refnet.models.model import Model

    if layer in found:
        return
    found[layer] = None
    graph = isinstance(layer, Model) and layer.graph is not None
    for inner in [*(ordered_layers(layer) if graph else []), *layer._held_layers()]:
        _track(inner, found)


# ---- writing


def written(model: Any) -> bytes:
    """An HDF5 file's bytes with the weights of a model, and its optimizer's state if it is compiled."""
    buffer = io.BytesIO()
    with h5py().File(buffer, "w") as file:
        for path, name, values in contents(model):
            _write(file, path, name, values)
    return buffer.getvalue()


def contents(model: Any) -> Iterator[tuple[str, str, Mapping[str, Variable | Array]]]:
    """Path, name and numbers of all that a file of a model's weights holds."""
    for path, layer in places(model):
        yield path, layer.name, own.numbers(layer)
    if getattr(model, "optimizer", None) is not None:  # a FeatureSpace has none
        saved = model.optimizer.saved_variables(trained(model))
        yield "/optimizer", model.optimizer.name, {str(i): v for i, v in enumerate(saved)}


def as_tree(model: Any) -> dict[str, Any]:
    """The same as dicts in each other, by the parts of the paths; without what holds no numbers."""
    tree: dict[str, Any] = {}
    for path, _, values in contents(model):
        if values:
            at = tree
            for part in path.split("/")[1:]:
                at = at.setdefault(part, {})
            at.update(values)
    return tree


def tree_written(tree: Mapping[str, Any], names: Mapping[str, str]) -> bytes:
    """The bytes of an HDF5 file of such dicts.

    Args:
        names: of objects that have one, by path.
    """
    buffer = io.BytesIO()
    with h5py().File(buffer, "w") as file:
        todo = [("", tree)]
        while todo:
            path, held = todo.pop()
            inside = [(f"{path}/{key}", value) for key, value in held.items() if isinstance(value, dict)]
            values = {key: value for key, value in held.items() if not isinstance(value, dict)}
            todo += inside
            if values or path in names:
                _write(file, path, names.get(path, path.rpartition("/")[2]), values)
    return buffer.getvalue()


def _write(file: Any, path: str, name: str, values: Mapping[str, Variable | Array]) -> None:
    group = file.create_group(f"{path}/vars")
    group.attrs["name"] = name
    for key, value in values.items():
        put_array(group, key, value)


def put_array(group: Any, key: str, value: Variable | Array) -> None:
    """A dataset in a group. HDF5 does not have bfloat16: its bits are stored, and an attribute says what they are."""
    array = value.numpy() if isinstance(value, Variable) else value
    dataset = group.create_dataset(key, data=array)
    if array.dtype.name == "bfloat16":
        dataset.attrs["dtype"] = "bfloat16"


# ---- reading


HEAP = b"GCOL\1\0\0\0"  # how a collection of texts begins in HDF5


def check_heaps(content: bytes) -> None:
    """Raises FileError for a collection of texts that does not add up: libhdf5 2.0 loops for ever over an empty free part."""
    start = content.find(HEAP)
    while start >= 0:
        end = start + int.from_bytes(content[start + 8 : start + 16], "little")
        at = start + 16
        while at + 16 <= min(end, len(content)):
            number = int.from_bytes(content[at : at + 2], "little")
            size = int.from_bytes(content[at + 8 : at + 16], "little")
            step = 16 + (size + 7) // 8 * 8 if number else size
            if step < 16 or at + step > end:
                raise FileError("its texts are damaged.")
            at += step
        start = content.find(HEAP, start + 8)


class Source:
    """An HDF5 file being read. Links to other files, shapes larger than what is stored, and dtypes that are no numbers are refused.

    Args:
        content: the whole file.
    """

    def __init__(self, content: bytes):
        check_heaps(content)
        self.size, self.taken = len(content), 0
        self.room = max(FREE_SIZE, EXPANSION * self.size)  # bytes that its arrays may take, all of them together
        self.file = h5py().File(io.BytesIO(content), "r")

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *error: Any) -> None:
        self.file.id.close()  # File.close asks again and again for what is open, which in a damaged file may not end

    def get(self, path: str) -> Any:
        """The group or dataset at a path; None if there is none."""
        package, at = h5py(), self.file
        for name in [part for part in path.split("/") if part]:
            if not isinstance(at, package.Group) or name not in at:
                return None
            at = self._held(at, name, path)
        return at

    def _held(self, group: Any, name: str, path: str) -> Any:
        if group.get(name, getclass=True, getlink=True) is not h5py().HardLink:
            raise FileError(f"{path} is a link to elsewhere; such files are not read.")
        return group[name]

    def names(self, path: str) -> list[str]:
        group = self.get(path)
        return sorted(group, key=lambda name: (len(name), name)) if isinstance(group, h5py().Group) else []

    def dataset(self, path: str) -> Any:
        """A dataset of numbers that is stored in the file itself."""
        return self._checked(self.get(path), path)

    def _checked(self, found: Any, path: str) -> Any:
        if not isinstance(found, h5py().Dataset):
            raise FileError(f"{path} is not in the file as an array.")
        if found.external or found.is_virtual:
            raise FileError(f"{path} is stored in another file; such files are not read.")
        bits = "dtype" in found.attrs and found.attrs["dtype"] == "bfloat16"
        if not (found.dtype.kind in "biuf" or bits and found.dtype.itemsize == 2):
            raise FileError(f"{path} holds {found.dtype}, not numbers.")
        declared = math.prod(found.shape or ()) * found.dtype.itemsize
        if found.shape is None or declared > self.room:
            raise FileError(f"{path} says it has {declared} bytes; the file has {self.size}.")
        return found

    def values(self, path: str, variables: list[Variable], owner: str) -> list[Array]:
        """The arrays that stand for variables: as many, of their shapes. Raises FileError for others, before reading them."""
        names = self.names(f"{path}/vars")
        needs = ", ".join(f"{v.name} {v.shape}" for v in variables) or "none"
        if names != [str(i) for i in range(len(variables))]:
            raise FileError(
                f"{owner} has {len(variables)} variables ({needs}); the file has {len(names)} at {path or '/'}/vars."
            )
        found = [self.dataset(f"{path}/vars/{name}") for name in names]
        for variable, dataset in zip(variables, found):
            if dataset.shape != variable.shape:
                raise FileError(f"{variable.name} has shape {variable.shape}; the file has shape {dataset.shape}.")
        return [self.array(dataset) for dataset in found]

    def store(self, path: str) -> dict[str, Array]:
        """The arrays at a path, by name."""
        return {name: self.array(self.dataset(f"{path}/vars/{name}")) for name in self.names(f"{path}/vars")}

    def array(self, dataset: Any) -> Array:
        self.taken += dataset.size * dataset.dtype.itemsize
        self._check_room(self.taken)
        if dataset.dtype.kind == "V":
            return np.asarray(dataset[()]).view(dtypes.as_numpy("bfloat16"))
        return np.asarray(dataset[()])

    def _check_room(self, size: int) -> None:
        if size > self.room:
            raise FileError(f"its arrays say they have {size} bytes and more; the file has {self.size}.")

    def elements(self, optimizer: str = "optimizer") -> int:
        """How many elements all of the layers' datasets have, for the limit on a model that is made for this file.

        Raises:
            FileError: links to elsewhere, more than the file can hold, groups that are nested too deep.
        """
        total, size, seen = 0, 0, set[int]()
        todo = [(self.file, name, name, 0) for name in self.names("/") if name != optimizer]
        while todo:
            group, name, path, depth = todo.pop()
            found = self._held(group, name, path)
            place = h5py().h5o.get_info(found.id).addr
            if place in seen:  # a second name of the same: a group may even hold itself
                continue
            seen.add(place)
            if isinstance(found, h5py().Group):
                if depth == DEEPEST:
                    raise FileError(f"its groups are nested deeper than {DEEPEST}: {path[:80]}...")
                todo += [(found, inner, f"{path}/{inner}", depth + 1) for inner in found]
            elif isinstance(found, h5py().Dataset):
                dataset = self._checked(found, path)
                total, size = total + dataset.size, size + dataset.size * dataset.dtype.itemsize
                self._check_room(size)
        return total


def layer_values(source: Source, model: Any, skip_mismatch: bool = False) -> Pairs:
    """Every weight with its value from a file; nothing is set yet.

    Args:
        skip_mismatch: whether a layer of other weights than the file's stays as it is, with a warning.
    """
    pairs: Pairs = []
    for path, layer in places(model):
        if own.has_numbers(layer):
            pairs.insert(0, (layer, source.store(path)))
            continue
        try:
            variables = [variable for variable, _ in layer._in_files()]
            pairs += [*zip(variables, source.values(path, variables, layer.name)), *layer._beside_files()]
        except FileError as error:
            if not skip_mismatch:
                raise
            warnings.warn(f"{error} {layer.name} stays as it is.", stacklevel=4)
    return pairs


def optimizer_values(source: Source, model: Any, strict: bool = True) -> Pairs:
    """Every variable of the optimizer with its value from a file; without slots if the file was written before they existed.

    Args:
        strict: whether the state of another optimizer is an error; else it is left out, with a warning.
    """
    optimizer, variables = model.optimizer, trained(model)
    count, needs = len(source.names("/optimizer/vars")), optimizer.saved_count(variables)
    unused = count == len(optimizer.own_variables())
    if not unused and count != needs:
        text = f"the file has {count} variables of an optimizer, {optimizer.name} has {needs}"
        if strict and count:
            raise FileError(f"{text}.")
        if count:
            warnings.warn(f"{text}: its state stays as it is.", stacklevel=4)
        return []
    if not unused:
        optimizer.build(variables)
    owned = optimizer.own_variables() if unused else optimizer.saved_variables(variables)
    return list(zip(owned, source.values("/optimizer", owned, optimizer.name)))


def put(pairs: Pairs) -> None:
    """Sets variables, once everything has been read; layers that read for themselves, which may refuse, come first."""
    for target, value in pairs:
        if isinstance(target, Layer):
            target.load_own_variables(value)
        else:
            target.set(value)
