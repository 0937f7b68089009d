"""Files of weights looked into, changed and written again: for weights of a model whose layers have been changed since."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, FileError, MissingFileError, did_you_mean, shown
from refnet.layers.base import Layer
from refnet.paths import as_path
from refnet.progress import tell
from refnet.saving import files, weights

# Of an object: its arrays by their names, and the objects in it by theirs.
Tree: TypeAlias = dict[str, Any]


class KerasFileEditor:
    """A file of weights as objects inside of objects, to be listed, compared, changed and saved.

    An object is a layer, named by its class and its place as `summary` shows, or what holds layers; its arrays are numbered. Where a
    method asks for an object, a path ("layers/dense_1") is taken, or a name ("dense_1") that occurs once.

    Args:
        filepath: of a file `.weights.h5` or `.keras`, of refnet's or of Keras's. It is read whole, and stays as it is.
    Attributes:
        weights_dict: the arrays, in a dict for each object.  object_metadata: what files say of objects beside, by path.
        config, metadata: of a `.keras` file the dicts in it; else None.
    Raises:
        ArgumentError: another ending.  MissingFileError.  FileError: a damaged file.
    Source: Keras 3 `saving.KerasFileEditor`, which leaves out the layers inside of a layer that has arrays of its own.

    >>> import tempfile, refnet
    >>> model = refnet.Sequential([refnet.Input((2,)), refnet.layers.Dense(3)])
    >>> path = tempfile.mkdtemp() + "/m.weights.h5"
    >>> model.save_weights(path)
    >>> editor = KerasFileEditor(path)  # doctest: +ELLIPSIS
    Keras model file '...m.weights.h5'
    >>> editor.summary()
    Weights structure
      layers
        dense
          0: shape=(2, 3), dtype=float32
          1: shape=(3,), dtype=float32
    >>> editor.rename_object("dense", "first")
    >>> sorted(editor.weights_dict["layers"])
    ['first']
    """

    def __init__(self, filepath: Any):
        path = as_path("KerasFileEditor", filepath)
        self.filepath, self.model = str(filepath), None
        self.config: dict[str, Any] | None = None
        self.metadata: dict[str, Any] | None = None
        if not str(path).endswith((".keras", ".weights.h5")):
            raise ArgumentError(
                f"KerasFileEditor: the file's name ends in '.keras' or '.weights.h5'; got {filepath!r}."
            )
        if not path.is_file():
            raise MissingFileError(f"there is no file {path}.")
        with files.reading(path):
            content = path.read_bytes()
            if path.suffix == ".keras":
                parts = files.members(content)
                content, self.config = parts["model.weights.h5"], files.parsed(parts["config.json"])
                self.metadata = files.parsed(parts["metadata.json"]) if "metadata.json" in parts else {}
            self.object_metadata: dict[str, dict[str, Any]] = {}
            with weights.Source(content) as source:
                source.elements(optimizer="")  # refuses groups that are nested too deep, and arrays that are too large
                self.weights_dict = _tree(source, "", self.object_metadata, set())
        tell(f"Keras model file {self.filepath!r}")
        if self.metadata:
            version, date = (self.metadata.get(key, "?") for key in ("keras_version", "date_saved"))
            tell(f"Saved with Keras {version} - date: {date}")

    def summary(self) -> None:
        """Shows the objects, each with its arrays."""
        tell("Weights structure")
        for depth, name, value in _lines(self.weights_dict, 1):
            told = "" if isinstance(value, dict) else f": shape={value.shape}, dtype={value.dtype}"
            tell(f"{'  ' * depth}{name}{told}")

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Tells what the file has otherwise than a model: objects and arrays that one of them lacks, shapes that differ.

        Args:
            reference_model: a model that is built; of a compiled one the optimizer counts too.
        Returns:
            {"status": "success" or "error", "error_count": ..., "match_count": the arrays that are alike}.
        Raises:
            ArgumentError: no model, or one that has no weights yet.
        """
        if not isinstance(reference_model, Layer) or not reference_model.built:
            raise ArgumentError(
                f"compare takes a model that has its weights: call it on data first; got {shown(reference_model)}."
            )
        errors, matches = _differences(self.weights_dict, weights.as_tree(reference_model), "")
        for error in errors:
            tell(f"...{error}")
        good = not errors
        tell(
            f"The file fits the model: {matches} arrays are alike."
            if good
            else f"The file does not fit the model: {len(errors)} differences."
        )
        return {"status": "success" if good else "error", "error_count": len(errors), "match_count": matches}

    # ---- changes

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Gives an object another name, without a path. Raises ArgumentError where the name is taken."""
        holder, name = self._place("rename_object", object_name)
        _check_name("rename_object", "new_name", new_name)
        if new_name in holder and new_name != name:
            raise ArgumentError(f"rename_object: there is an object {new_name!r} beside {object_name!r} already.")
        items = [(new_name if key == name else key, value) for key, value in holder.items()]
        holder.clear()
        holder.update(items)

    def delete_object(self, object_name: str) -> None:
        """Takes an object out, with all that is in it."""
        holder, name = self._place("delete_object", object_name)
        del holder[name]

    def add_object(self, object_path: str, weights: dict[str, Any]) -> None:
        """Puts a new object in.

        Args:
            object_path: its path; what it is in is there already.
            weights: {name: array}; the names are "0", "1" and so on, in the layer's order.
        """
        arrays = _checked("add_object", weights)
        path, _, name = (
            object_path.strip("/").rpartition("/") if isinstance(object_path, str) else ("", "", object_path)
        )
        _check_name("add_object", "the last part of object_path", name)
        holder = self._held("add_object", path) if path else self.weights_dict
        if name in holder:
            raise ArgumentError(f"add_object: there is an object {object_path!r} already; delete it first.")
        holder[name] = arrays

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Takes an array out of an object."""
        found = self._object("delete_weight", object_name)
        if not isinstance(found.get(weight_name), np.ndarray):
            raise ArgumentError(
                f"delete_weight: {object_name!r} has no array {weight_name!r}; it has {', '.join(_arrays(found)) or 'none'}."
            )
        del found[weight_name]

    def add_weights(self, object_name: str, weights: dict[str, Any]) -> None:
        """Puts arrays into an object, {name: array}; one of a name that is there takes its place."""
        arrays, found = _checked("add_weights", weights), self._object("add_weights", object_name)
        for name in arrays:
            if isinstance(found.get(name), dict):
                raise ArgumentError(f"add_weights: {name!r} in {object_name!r} is an object.")
        found.update(arrays)

    def save(self, filepath: Any) -> None:
        """Writes what there is now.

        Args:
            filepath: of a file `.weights.h5`; one that is there is replaced.
        Raises:
            ArgumentError: another ending, or something else than arrays in `weights_dict`.  MissingFileError: its folder is not there.  PlaceError: it takes no file.
        """
        if not str(filepath).endswith(".weights.h5"):
            raise ArgumentError(f"KerasFileEditor.save: the file's name ends in '.weights.h5'; got {str(filepath)!r}.")
        for _, name, value in _lines(self.weights_dict, 0):
            if not isinstance(value, (dict, np.ndarray)):
                raise ArgumentError(
                    f"KerasFileEditor.save: {name!r} in weights_dict is a {type(value).__name__}, where an array or a dict is needed. "
                    "add_weights makes arrays."
                )
        target = files.checked_target(filepath, overwrite=True)
        names = {path: known["name"] for path, known in self.object_metadata.items() if "name" in known}
        files.write_atomically(target, weights.tree_written(self.weights_dict, names))

    resave_weights = save

    # ---- where things are

    def _held(self, method: str, path: str) -> Tree:
        """The object at a path."""
        at = self.weights_dict
        for name in path.split("/"):
            if not isinstance(at.get(name), dict):
                near = did_you_mean(name, [key for key, value in at.items() if isinstance(value, dict)])
                raise ArgumentError(f"{method}: there is no object {path!r} in the file.{near}")
            at = at[name]
        return at

    def _place(self, method: str, name: str) -> tuple[Tree, str]:
        """What holds an object, and the object's name in it."""
        if not isinstance(name, str) or not name:
            raise ArgumentError(f"{method}: an object's name is a string; got {shown(name)}.")
        if "/" in name:
            path, _, last = name.strip("/").rpartition("/")
            self._held(method, name.strip("/"))
            return (self._held(method, path) if path else self.weights_dict), last
        holders = list(_holders(self.weights_dict, name))
        if len(holders) > 1:
            raise ArgumentError(
                f"{method}: {len(holders)} objects are called {name!r}; give the path of the one that is meant."
            )
        if not holders:
            names = [key for _, key, value in _lines(self.weights_dict, 0) if isinstance(value, dict)]
            raise ArgumentError(f"{method}: there is no object {name!r} in the file.{did_you_mean(name, names)}")
        return holders[0], name

    def _object(self, method: str, name: str) -> Tree:
        holder, last = self._place(method, name)
        found: Tree = holder[last]
        return found


def _tree(source: weights.Source, path: str, known: dict[str, dict[str, Any]], seen: set[int]) -> Tree:
    """What a file has at a path: the arrays in `vars`, and the objects beside that hold some."""
    place = files.h5py().h5o.get_info(source.get(path).id).addr
    if place in seen:
        raise FileError(f"{path or '/'} stands in it twice.")
    seen.add(place)
    result: Tree = {}
    arrays: Tree = {}
    told: dict[str, Any] = {}
    for name in source.names(path):
        inner = f"{path}/{name}"
        if not isinstance(source.get(inner), files.h5py().Group):
            result[name] = source.array(source.dataset(inner))
        elif name == "vars":
            arrays = source.store(path)
            # h5py hands out bytes that are no letters as what cannot be written again
            letters = str(source.get(inner).attrs.get("name", "")).encode("utf-8", "replace").decode()
            told = {"name": letters} if letters else {}
        else:
            found = _tree(source, inner, known, seen)
            if found:
                result[name] = found
    twice = arrays.keys() & result.keys()
    if twice:
        raise FileError(f"{path} has an array and an object of one name: {', '.join(sorted(twice))}.")
    result = {**arrays, **result}
    if result and told:
        known[path] = told
    return result


def _lines(tree: Tree, depth: int) -> Iterator[tuple[int, str, Any]]:
    for name, value in tree.items():
        yield depth, name, value
        if isinstance(value, dict):
            yield from _lines(value, depth + 1)


def _holders(tree: Tree, name: str) -> Iterator[Tree]:
    """All objects that hold an object of this name."""
    if isinstance(tree.get(name), dict):
        yield tree
    for value in tree.values():
        if isinstance(value, dict):
            yield from _holders(value, name)


def _arrays(found: Tree) -> list[str]:
    return [name for name, value in found.items() if not isinstance(value, dict)]


def _differences(held: Tree, due: Tree, path: str) -> tuple[list[str], int]:
    """What differs, in sentences, and how many arrays do not."""
    errors, matches = [], 0
    for name in dict.fromkeys([*due, *held]):
        inner, a, b = f"{path}/{name}", held.get(name), due.get(name)
        if a is None or b is None:
            there, missing = ("the model", "the file") if a is None else ("the file", "the model")
            errors.append(f"{inner} is in {there}, and not in {missing}.")
        elif isinstance(a, dict) and isinstance(b, dict):
            more, alike = _differences(a, b, inner)
            errors, matches = errors + more, matches + alike
        elif isinstance(a, dict) or isinstance(b, dict):
            errors.append(f"{inner} is an array in one of the two, and an object in the other.")
        elif a.shape != b.shape:
            errors.append(f"{inner} has shape {a.shape} in the file, {b.shape} in the model.")
        else:
            matches += 1
    return errors, matches


def _check_name(method: str, word: str, name: Any) -> None:
    if not isinstance(name, str) or not name or "/" in name or name in (".", "vars"):
        raise ArgumentError(f"{method}: {word} is a name without '/', and not 'vars'; got {shown(name)}.")


def _checked(method: str, given: Any) -> dict[str, Array]:
    """{name: array}, copied. Raises ArgumentError for anything else."""
    if not isinstance(given, dict):
        raise ArgumentError(f"{method}: weights is a dict {{name: array}}; got {type(given).__name__}.")
    arrays: dict[str, Array] = {}
    for name, value in given.items():
        _check_name(method, "a weight's name", name)
        try:
            arrays[name] = np.array(value)
        except ValueError as error:
            raise ArgumentError(
                f"{method}: {name!r} must be an array of numbers; got {shown(value)}. {error}"
            ) from None
        if arrays[name].dtype.kind not in "biuf" and arrays[name].dtype.name != "bfloat16":
            raise ArgumentError(f"{method}: {name!r} must be an array of numbers; got dtype {arrays[name].dtype}.")
    return arrays
