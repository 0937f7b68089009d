"""Whole models in files: Keras 3's `.keras` archives, and models as JSON."""

import datetime
import io
import json
import zipfile
from typing import Any

from refnet import registration
from refnet.annotations import Array
from refnet.errors import ArgumentError, FileError, MissingFileError
from refnet.paths import as_path
from refnet.saving import files, frozen, inside, old, old_configs, own, weight_paths, weights
from refnet.saving.serialization import described, restored

FORMAT = "3.15.0"  # the Keras whose format this is
OLD = (".h5", ".hdf5")  # of the first edition's format


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None, include_optimizer: bool = True
) -> None:
    """Writes a model with its weights, what `compile` was told and the optimizer's state. A file is replaced whole or not at all.

    Args:
        model: a built Sequential or functional model, or a subclass with get_config.
        filepath: ends in `.keras`, or in `.h5` or `.hdf5` for the first edition's format.
        overwrite: whether a file may be replaced.
        zipped: False: a folder of that name, with the files that a `.keras` archive holds; its name has another ending.
        include_optimizer: whether an `.h5` file says how the model is compiled; a `.keras` file does.
    Raises:
        ArgumentError: another ending, a model that is not built or cannot be described.  FileExistsError.
        MissingFileError: the folder that the file would be in is not there.  PlaceError: it takes no file.
    Source: Keras 3 `saving.save_model`.
    """
    suffix = as_path(f"{model.name}.save", filepath).suffix
    if zipped is False and suffix == ".keras":
        raise ArgumentError(f"{model.name}.save: zipped=False makes a folder, whose name does not end in '.keras'.")
    if zipped is not False and suffix not in (".keras", *OLD) or str(filepath).endswith(".weights.h5"):
        raise ArgumentError(f"{model.name}.save: a model's file ends in '.keras' or '.h5'; got {str(filepath)!r}.")
    _refuse_unbuilt(model)
    target = files.checked_target(filepath, overwrite, folder=zipped is False)
    if suffix in OLD and zipped is not False:
        files.write_atomically(target, old.written_model(model, FORMAT, include_optimizer))
        return
    if zipped is False:
        files.write_folder(target, _parts(model))
        return
    files.write_atomically(target, content_of(model))


def _refuse_unbuilt(model: Any) -> None:
    if not model.weights and not model.built:
        raise ArgumentError(f"{model.name} is not built yet: call it once, or build(input_shape), before saving it.")


def _parts(model: Any) -> dict[str, bytes]:
    """The files that a `.keras` archive holds."""
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    ours = {entry.ENTRY: entry.of(model) for entry in (weight_paths, frozen, inside)}
    config = {**described(model), **ours}
    return {
        "metadata.json": json.dumps({"keras_version": FORMAT, "date_saved": now, "written_by": "refnet"}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": weights.written(model),
        **own.assets(weights.places(model)),
    }


def content_of(model: Any) -> bytes:
    """The content of a model's `.keras` file. Raises ArgumentError for a model that is not built or cannot be described."""
    _refuse_unbuilt(model)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in _parts(model).items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def model_from_content(content: bytes, values: list[Array] | None = None) -> Any:
    """The model in the content of a `.keras` file, with these values of its weights, where the file has others.

    Raises:
        FileError: as `load_model` does.
    """
    with files.reading("the copy or pickle of a model"):
        model = _loaded_parts(files.members(content), None, compile=True, safe_mode=True)
    if values is not None:
        model.set_weights(values)
    return model


def load_model(
    filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """The model in a `.keras` file of refnet's or Keras's, or in an older `.h5` file, with its weights; compiled as it was.

    Nothing in the file is run: classes are refnet's, registered, or given here, and everything is checked before it is used.

    Args:
        filepath: ends in `.keras`, `.h5` or `.hdf5`; or a folder that was saved with zipped=False.
        custom_objects: {name: class or function} of yours that the file names.
        compile: whether the model is compiled as it was, with the optimizer's state.
        safe_mode: whether Lambda layers are refused.
    Raises:
        MissingFileError: there is no such file.  ArgumentError: another ending.
        FileError: a file that is damaged, of another format, or names what is not known.
    Source: Keras 3 `saving.load_model`.

    >>> import tempfile
    >>> from refnet import Sequential, layers
    >>> model = Sequential([layers.Input((3,)), layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/model.keras")
    ...     again = load_model(f"{folder}/model.keras")
    >>> x = np.ones((4, 3))
    >>> np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    True
    """
    path = as_path("load_model", filepath)
    if (path / "config.json").is_file():
        with files.reading(path):
            return _loaded_parts(files.folder_members(path), custom_objects, compile, safe_mode)
    if path.suffix not in (".keras", *OLD):
        raise ArgumentError(f"load_model reads files that end in '.keras' or '.h5'; got {str(filepath)!r}.")
    if not path.is_file():
        raise MissingFileError(f"there is no file {path}.")
    with files.reading(path):
        content = path.read_bytes()
        if path.suffix == ".keras":
            return _loaded_parts(files.members(content), custom_objects, compile, safe_mode)
        with weights.Source(content) as source, registration.custom_object_scope(custom_objects):
            return _loaded_old(source, compile, safe_mode)


def _loaded_parts(
    parts: dict[str, bytes], custom_objects: dict[str, Any] | None, compile: bool, safe_mode: bool
) -> Any:
    scope = registration.custom_object_scope(custom_objects)
    with weights.Source(parts["model.weights.h5"]) as source, scope:
        config = files.parsed(parts["config.json"])
        ours = files.parsed(parts.get("metadata.json", b"{}")).get("written_by") == "refnet"
        model = _loaded(source, config, compile, safe_mode, ours)
        own.load_assets(weights.places(model), parts)
        return model


def _loaded(source: weights.Source, config: dict[str, Any], compile: bool, safe_mode: bool, ours: bool) -> Any:
    older = ours and weight_paths.ENTRY not in config
    compiled, paths = config.pop("compile_config", None), config.pop(weight_paths.ENTRY, None)
    then, inner = config.pop(frozen.ENTRY, None), config.pop(inside.ENTRY, None)
    with registration.reading_file(safe_mode, source.elements()):
        model = _built(config)
        if getattr(model, "holds_all_in_config", False):
            return model
        inside.give(model, inner)
        weight_paths.give(model, weight_paths.without_entry(model) if older else paths)
        pairs = weights.layer_values(source, model)
        if compile and compiled:
            model.compile_from_config(compiled)
            frozen.give(model, then)
            pairs += weights.optimizer_values(
                source, model, strict=ours
            )  # Keras does not tell of adapters inside layers
    weights.put(pairs)
    return model


def _loaded_old(source: weights.Source, compile: bool, safe_mode: bool) -> Any:
    text = old.text(source, "model_config")
    if text is None:
        raise FileError("the file has weights only: make the model, and call its load_weights.")
    told = old.text(source, "training_config")
    with registration.reading_file(safe_mode, source.elements("optimizer_weights")):
        model = _built(old_configs.modern(files.parsed(text)))
        paths, ours = old.text(source, weight_paths.ENTRY), old.text(source, "backend") == "refnet"
        inside.give(model, files.parsed(old.text(source, inside.ENTRY) or "{}"))
        without = weight_paths.without_entry(model) if ours else None
        weight_paths.give(model, without if paths is None else json.loads(paths))
        pairs = old.values(source, model)
        if compile and told is not None:
            model.compile_from_config(old_configs.compile_config(files.parsed(told)))
            frozen.give(model, files.parsed(old.text(source, frozen.ENTRY) or "{}"))
            pairs += old.optimizer_values(source, model)
    weights.put(pairs)
    return model


def _described(config: dict[str, Any]) -> Any:
    from refnet.models import Model
    from refnet.utils import FeatureSpace

    model = restored(config)
    if not isinstance(model, (Model, FeatureSpace)):
        raise FileError(f"the configuration describes a {config.get('class_name')!r}, not a model.")
    return model


def _built(config: dict[str, Any]) -> Any:
    model = _described(config)
    if not model.built:
        shape = (config.get("build_config") or {}).get("input_shape")
        if shape is None:
            raise FileError("the configuration does not say for which inputs the model was built.")
        model.build_from_config({"input_shape": shape})
    return model


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Writes the weights of a model, and its optimizer's state if it is compiled.

    Args:
        filepath: ends in `.weights.h5`; or in `.h5` or `.hdf5` for the first edition's layout, which has the weights alone.
        overwrite: whether a file may be replaced.
    Raises:
        ArgumentError: another ending, a model that is not built.  FileExistsError.
        MissingFileError: the folder that the file would be in is not there.  PlaceError: it takes no file.
    Source: Keras 3 `Model.save_weights`.
    """
    if not str(filepath).endswith(OLD):
        raise ArgumentError(f"{model.name}.save_weights: the file's name ends in '.weights.h5'; got {str(filepath)!r}.")
    if not model.built:
        raise ArgumentError(
            f"{model.name} has no weights yet: call it once, or build(input_shape), before saving them."
        )
    target = files.checked_target(filepath, overwrite)
    today = str(filepath).endswith(".weights.h5")
    files.write_atomically(target, weights.written(model) if today else old.written_weights(model))


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Sets the weights of a model from a file, and its optimizer's state if it is compiled and the file has one that fits.

    Everything is checked before anything is set.

    Args:
        filepath: `.weights.h5` or `.keras`; or an `.h5` of the first edition's Keras, whose layers are taken in their order.
        skip_mismatch: whether weights of another number or shape stay as they are, with a warning.
        by_name: whether an older `.h5` file's layers are taken by name: what the file has not stays as it is.
    Raises:
        FileError: a damaged file; another number of layers or variables, or other shapes.
    Source: Keras 3 `Model.load_weights`.
    """
    path = as_path(f"{model.name}.load_weights", filepath)
    if not str(path).endswith((".keras", *OLD)):
        raise ArgumentError(
            f"{model.name}.load_weights reads '.weights.h5', '.keras' and '.h5'; got {str(filepath)!r}."
        )
    if by_name and str(path).endswith((".weights.h5", ".keras")):
        raise ArgumentError(f"{model.name}.load_weights: only older '.h5' files are read by name, with by_name=True.")
    if not model.built:
        raise ArgumentError(
            f"{model.name} has no weights yet: call it once, or build(input_shape), before loading them."
        )
    if not path.is_file():
        raise MissingFileError(f"there is no file {path}.")
    with files.reading(path):
        content = path.read_bytes()
        if path.suffix == ".keras":
            content = files.members(content)["model.weights.h5"]
        with weights.Source(content) as source:
            if old.is_old(source):
                pairs = (old.values_by_name if by_name else old.values)(source, model, skip_mismatch)
            elif by_name:
                raise ArgumentError(
                    f"{model.name}.load_weights: only older '.h5' files are read by name, with by_name=True."
                )
            else:
                pairs = weights.layer_values(source, model, skip_mismatch)
                pairs += weights.optimizer_values(source, model, strict=False) if model.compiled else []
        weights.put(pairs)


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """The model that `to_json` described, with new weights, not compiled."""
    with (
        files.reading("the JSON text"),
        registration.custom_object_scope(custom_objects),
        registration.reading_file(True),
    ):
        config = files.parsed(json_string)
        config.pop("compile_config", None)
        return _described(config)
