"""Objects as Keras 3's configs and back: {"module", "class_name", "config", "registered_name"}.

No name in a config is ever imported: a class comes from refnet, from `register_keras_serializable` or from `custom_objects`.
"""

import inspect
import json
from typing import Any

import numpy as np

from refnet import dtypes, registration
from refnet.annotations import Array
from refnet.errors import ArgumentError, FileError, did_you_mean
from refnet.saving import sharing

# What Keras 3.15 writes into configs though refnet has no such argument, and the value that means "not used".
UNUSED: dict[str, Any] = {
    "quantization_config": None,
    "sparse": False,
    "ragged": False,
    "optional": False,
    "gptq_unpacked_column_size": None,
    "rms_scaling": False,
    "input_axes": None,
    "output_axes": None,
    "use_ema": False,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
IGNORED = ("ema_momentum",)  # says nothing without use_ema

MODULES = (
    "layers",
    "initializers",
    "regularizers",
    "constraints",
    "losses",
    "metrics",
    "optimizers",
    "models",
    "utils",
)
NETS = "applications"
BY_NAME = (NETS, "quantizers")  # nets' own layers, quantizers: looked for only where a file says that they are theirs


def classes(module: str) -> dict[str, Any]:
    """refnet's own classes of one of Keras's modules, by name."""
    import importlib

    from refnet.layers.base import Layer

    if module == "models":
        from refnet.models import Model, Sequential

        return {"Sequential": Sequential, "Functional": Model, "Model": Model}
    if module == "layers":
        return dict(Layer.built_in)
    if module == "utils":
        from refnet.utils import FeatureSpace

        return {"FeatureSpace": FeatureSpace}
    try:
        found = importlib.import_module(f"refnet.{module}")
    except ModuleNotFoundError:
        return {}
    known = {**getattr(found, "parts", {}), **getattr(found, "known", {})}
    return {name: kind for name, kind in known.items() if isinstance(kind, type)}


def functions(module: str) -> dict[str, Any]:
    """refnet's own functions of one of Keras's modules, by name."""
    import importlib

    found = importlib.import_module(f"refnet.{module}")
    known = {name: f for name, f in getattr(found, "known", {}).items() if not isinstance(f, type)}
    return {**known, **getattr(found, "functions", {})}


# ---- to configs


def described(model: Any) -> Any:
    """A model's config for a file, in which layers that stand in several places say so."""
    with sharing.numbering():
        return sharing.only_shared(serialized(model))


def serialized(obj: Any, keep: bool = False) -> Any:
    """A value as a config holds it, made of what JSON can say.

    Args:
        keep: whether functions of the user's stay as they are, in a config that goes into no file.

    Raises:
        ArgumentError: a lambda or an object that cannot be named in a file.
    """
    if obj is None or isinstance(obj, (str, bool, int, float)):
        return obj
    if isinstance(obj, (list, tuple)):
        return [serialized(v, keep) for v in obj]
    if isinstance(obj, dict):
        obj = obj if keep else _with_code(obj)
        return {str(key): serialized(v, keep) for key, v in obj.items()}
    if isinstance(obj, np.ndarray) and obj.ndim:
        return _array(obj, keep)
    if isinstance(obj, (np.ndarray, np.generic)):
        return obj.item()
    if isinstance(obj, slice):
        parts = {"start": obj.start, "stop": obj.stop, "step": obj.step}
        return {"class_name": "__slice__", "config": serialized(parts)}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, type):
        return serialized(obj(), keep)
    if hasattr(obj, "get_config"):
        return _object(obj, keep)
    if callable(obj) and hasattr(obj, "__name__"):
        return _function(obj, keep)
    raise ArgumentError(
        f"{obj!r} cannot be saved: it has no get_config. A layer or model that takes such an argument says in a get_config and a "
        "from_config of its own how it is made again."
    )


def _array(array: Array, keep: bool) -> Any:
    if dtypes.of_numbers(array.dtype):
        return {"class_name": "__numpy__", "config": {"value": array.tolist(), "dtype": array.dtype.name}}
    if keep:
        return array
    raise ArgumentError(
        f"an array of dtype {array.dtype} cannot be saved, since files have arrays of numbers only. Give a list, as its tolist() does."
    )


def _function(function: Any, keep: bool) -> Any:
    name = function.__name__
    for module in ("activations", "losses", "metrics"):
        names = [known for known, own in functions(module).items() if own is function]
        if names:
            return name if name in names else names[0]
    if keep:
        return function
    if name == "<lambda>":
        raise ArgumentError(
            "a lambda cannot be saved: files hold no code. Write a named function, register it with "
            "refnet.saving.register_keras_serializable(), or name it in custom_objects when loading."
        )
    registered = registration.get_registered_name(function)
    return {"module": None, "class_name": "function", "config": name, "registered_name": registered}


def _with_code(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a Lambda layer whose function is a lambda, with the lambda as code; any other as it is."""
    inner: dict[str, Any] = config.get("config") or {}
    if config.get("class_name") != "Lambda" or getattr(inner.get("function"), "__name__", "") != "<lambda>":
        return config
    from refnet.saving import code

    return {**config, "config": {**inner, "function": code.described(inner["function"])}}


def function_config(function: Any) -> Any:
    """A function of refnet's as the config of an object that holds it, in Keras's form; one of the user's as itself."""
    if not str(getattr(function, "__module__", "")).startswith("refnet."):
        return function
    name = function.__name__
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}


def _object(value: Any, keep: bool) -> dict[str, Any]:
    from refnet.layers.base import Layer

    kind = type(value)
    name = kind.__name__
    own = {"class_name": name, "config": value.get_config()}
    own = own if keep else _with_code(own)
    config = {
        "module": None,
        "class_name": name,
        "config": _entries(value, own["config"], keep),
        "registered_name": None,
    }
    if not kind.__module__.startswith("refnet."):
        config["registered_name"] = registration.get_registered_name(kind)
    elif kind.__module__.startswith("refnet.models"):
        whole = name == "Model"
        config["module"] = "keras.src.models.functional" if whole else "keras"
        config["class_name"], config["registered_name"] = ("Functional", "Functional") if whole else (name, None)
    elif kind.__module__.startswith(f"refnet.{NETS}."):
        config["module"], config["registered_name"] = kind.__module__.replace("refnet.", "keras.src.", 1), name
    else:
        parts = kind.__module__.split(".")[1:]
        config["module"] = "keras." + ".".join(parts if parts[-1] == "schedules" else parts[:1])
    if config["registered_name"] is not None and hasattr(value, "get_build_config"):
        built = value.get_build_config()
        if built is not None:
            config["build_config"] = serialized(built, keep)
    if hasattr(value, "get_compile_config"):
        config["compile_config"] = value.get_compile_config()
    return sharing.numbered(value, config) if isinstance(value, Layer) else config


def _entries(value: Any, config: Any, keep: bool) -> Any:
    """The config of an object, serialized. Where an entry cannot be, the message names the object and the entry."""
    if not isinstance(config, dict):
        return serialized(config, keep)
    result = {}
    for key, entry in (config if keep else _with_code(config)).items():
        try:
            result[str(key)] = serialized(entry, keep)
        except ArgumentError as error:
            if not error.placed:  # the innermost object is the one that holds it
                error.args = (f"{getattr(value, 'name', None) or type(value).__name__}: {key} in its config: {error}",)
                error.placed = True
            raise
    return result


# ---- from configs


def deserialized(config: Any, custom_objects: dict[str, Any] | None = None, safe_mode: bool = True) -> Any:
    """The object that a config describes, if it is one of refnet's, registered, or among custom_objects.

    Args:
        config: what `serialized` gave, or Keras.
        custom_objects: {name: class or function}.
        safe_mode: whether Lambda layers are refused.
    Raises:
        FileError: a class that is not known, or what only code in the file could make.
    """
    with registration.custom_object_scope(custom_objects), registration.reading_file(safe_mode, part=True):
        return restored(config)


def restored(value: Any) -> Any:
    """A value from what `serialized` gave."""
    if isinstance(value, (list, tuple)):
        return [restored(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "class_name" not in value or "config" not in value:
        return {key: restored(v) for key, v in value.items()}
    name, config = value["class_name"], value["config"]
    if not isinstance(name, str):
        raise FileError(f"a class is named by a string; got {name!r}.")
    if name.startswith("__"):
        return _plain(name, config)
    if name in ("DTypePolicy", "Policy"):
        return config["name"]
    if name == "QuantizedDTypePolicy":
        return f"{config['mode']}_from_{config['source_name']}"
    if name == "function":
        return _function_named(value)
    if not isinstance(config, dict):
        raise FileError(f"the configuration of {name} must be a dict; got {type(config).__name__}.")
    kind = class_named(value)
    if name == "Lambda" and registration.safe_mode() and registration.from_file():
        raise FileError(
            "the file has a Lambda layer, whose function is code. Load it with safe_mode=False only if you trust its source."
        )
    from refnet.layers.base import Layer

    before = sharing.known(value, kind) if issubclass(kind, Layer) else None
    if before is not None:
        return before
    made = kind.from_config(config) if issubclass(kind, Layer) else _made(kind, config)
    built = value.get("build_config")
    if (
        isinstance(built, dict)
        and getattr(kind, "build_from_config", Layer.build_from_config) is not Layer.build_from_config
    ):
        made.build_from_config(restored(built))
    compiled = value.get("compile_config")
    if compiled and hasattr(made, "compile_from_config"):
        made.compile_from_config(compiled)
    if isinstance(made, Layer):
        sharing.remember(value, kind, made)
    return made


def _plain(name: str, config: Any) -> Any:
    if name in ("__numpy__", "__tensor__"):
        try:
            dtype = dtypes.as_numpy(str(config["dtype"]))
        except TypeError:  # no dtype at all
            dtype = np.dtype(object)
        if not dtypes.of_numbers(dtype):
            raise FileError(f"an array in the configuration has dtype {config['dtype']}; only numbers are read.")
        array = np.asarray(config["value"])
        if array.dtype.kind not in "biuf":
            raise FileError("an array in the configuration holds something else than numbers.")
        return array.astype(dtype)
    if name == "__slice__":
        return slice(config["start"], config["stop"], config["step"])
    if name == "__ellipsis__":
        return Ellipsis
    if name == "__lambda__":
        from refnet.saving import code

        return code.made(config)
    raise FileError(f"the configuration holds a {name}, which refnet cannot read.")


def _function_named(value: dict[str, Any]) -> Any:
    name, registered = value["config"], value.get("registered_name")
    for key in (registered, name):
        found = registration.get_registered_object(key) if isinstance(key, str) else None
        if found is not None:
            return found
    for module in ("activations", "losses", "metrics"):
        if name in functions(module):
            return functions(module)[name]
    raise FileError(
        f"the file names a function {name!r}, which is not known. Register it with refnet.saving.register_keras_serializable(), "
        f"or load with custom_objects={{{name!r}: ...}}."
    )


def class_named(value: dict[str, Any]) -> Any:
    """The class a config names. Raises FileError if nobody registered or gave it and it is none of refnet's."""
    from refnet.layers.base import Layer

    name, registered, module = value["class_name"], value.get("registered_name"), value.get("module")
    for key in (registered, name):
        found = registration.get_registered_object(key) if isinstance(key, str) else None
        if isinstance(found, type):
            return found
    parts = module.split(".") if isinstance(module, str) else []
    if not parts and not registration.from_file() and name in Layer.kinds:
        return Layer.kinds[name]  # of a class of the user's, which has no module
    if not parts or parts[0] == "keras":
        wanted = [m for m in (*MODULES, *BY_NAME) if m in parts] or list(MODULES)
        for group in wanted:
            known = classes(group)
            if name in known:
                return known[name]
    if not registration.from_file() and name in Layer.kinds:
        return Layer.kinds[name]
    every = sorted({known for group in MODULES for known in classes(group) if known[0].isupper()})
    near = did_you_mean(name, every)
    hint = near if near.startswith(" Did") else ""
    raise FileError(
        f"the configuration names a class {name!r}, which is not known.{hint} If it is your own, register "
        f"it with refnet.saving.register_keras_serializable(), or load with custom_objects={{{name!r}: {name}}}."
    )


def _made(kind: Any, config: dict[str, Any]) -> Any:
    arguments = {key: restored(v) for key, v in accepted(kind, config).items()}
    try:
        return kind.from_config(arguments)
    except TypeError as error:
        if kind.__module__.partition(".")[0] in ("refnet", "refnet_fast"):
            raise
        raise FileError(
            f"{kind.__name__} cannot be made from its config, which has {', '.join(arguments) or 'nothing'}: {error}. Its __init__ has "
            "to take what get_config returns; with **kwargs it takes name, dtype and the like, and hands them to super().__init__."
        ) from error


def accepted(kind: Any, config: dict[str, Any], base: Any = None) -> dict[str, Any]:
    """A config without the arguments of Keras's that refnet has no need of.

    Raises:
        FileError: one of them is used, so that refnet would compute something else.
    """
    known: set[str] = set()
    own = kind
    while own is not None:
        parameters = inspect.signature(own.__init__).parameters.values()
        known |= {p.name for p in parameters}
        own = base if own is not base and any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters) else None
    result = {}
    for key, value in config.items():
        if key in known or key not in (*UNUSED, *IGNORED):
            result[key] = value
        elif key in UNUSED and value != UNUSED[key]:
            raise FileError(f"{kind.__name__} with {key}={json.dumps(value)[:60]} is something refnet does not have.")
    return result
