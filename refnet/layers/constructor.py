"""The arguments that layers are made with: what is missing or too much, and those of the first edition."""

import functools
import inspect
from typing import Any

from refnet.annotations import Shape
from refnet.errors import ArgumentError, MissingArgumentError

# What Keras 1 called otherwise.
TODAY = {
    **{"output_dim": "units", "nb_filter": "filters", "init": "kernel_initializer", "bias": "use_bias", "p": "rate"},
    **{f"W_{word}": f"kernel_{word}" for word in ("regularizer", "constraint")},
    **{f"b_{word}": f"bias_{word}" for word in ("regularizer", "constraint")},
    **{f"U_{word}": f"recurrent_{word}" for word in ("regularizer", "constraint")},
    **dict.fromkeys(("nb_row", "nb_col", "filter_length", "kernel_dim1", "kernel_dim2", "kernel_dim3"), "kernel_size"),
    **{"border_mode": "padding", "subsample": "strides", "subsample_length": "strides", "dim_ordering": "data_format"},
    **{"pool_length": "pool_size", "stride": "strides", "atrous_rate": "dilation_rate", "dims": "target_shape"},
    **{"inner_init": "recurrent_initializer", "inner_activation": "recurrent_activation", "dropout_W": "dropout"},
    **{"dropout_U": "recurrent_dropout", "forget_bias_init": "unit_forget_bias"},
}


def _check_spellings(kind: type, kwargs: dict[str, Any]) -> None:
    """Raises ArgumentError for arguments of Keras 1 where a layer has those that took their place."""
    taken = signature_of(kind).parameters
    old = [word for word in kwargs if word in TODAY and word not in taken and TODAY[word] in taken]
    told = [f"{word}= is {TODAY[word]}=" for word in old]
    if told:
        raise ArgumentError(f"{kind.__name__}: Keras 1 had other names for its arguments. Today {', '.join(told)}.")


@functools.cache
def signature_of(kind: type) -> inspect.Signature:
    return inspect.signature(kind.__init__)  # type: ignore[misc]  # of a class that is about to be made


def check_arguments(kind: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raises MissingArgumentError unless __init__ takes these arguments; ArgumentError for those of Keras 1."""
    if not TODAY.keys().isdisjoint(kwargs):
        _check_spellings(kind, kwargs)
    try:
        signature_of(kind).bind(None, *args, **kwargs)
    except TypeError as error:
        parameters = list(signature_of(kind).parameters.values())[1:]
        needed = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        missing = [name for name in needed[len(args) :] if name not in kwargs]
        if missing:
            example = ", ".join(
                [
                    *map(repr, args),
                    *(f"{key}={value!r}" for key, value in kwargs.items()),
                    *(f"{n}=..." for n in missing),
                ]
            )
            raise MissingArgumentError(
                f"{kind.__name__} needs {' and '.join(missing)}: {kind.__name__}({example})."
            ) from None
        told = ", ".join(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD) or "none"
        raise MissingArgumentError(f"{kind.__name__}: {error}. Its arguments: {told}.") from None


def first_shape(arguments: dict[str, Any]) -> tuple[Shape | None, int | None]:
    """`input_shape=`, `input_dim=` (of sequences with `input_length=`) or `batch_input_shape=`, the first edition's way to say what
    a Sequential starts with: the shape of one sample, and the batch size if it is fixed (`batch_size=` too)."""
    shape, batch = arguments.pop("input_shape", None), arguments.pop("batch_size", None)
    dim, whole = arguments.pop("input_dim", None), arguments.pop("batch_input_shape", None)
    if whole is not None:
        batch, *shape = whole
    steps = (arguments.pop("input_length"),) if "input_length" in arguments else ()
    if dim is not None:
        shape = (*steps, dim)
    return None if shape is None else tuple(shape) if isinstance(shape, (tuple, list)) else (shape,), batch


def lasting(layer: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Further arguments as a config keeps them, in Keras 3's words: without weights, and with one word for the shape."""
    old = (
        "batch_input_shape",
        "batch_size",
        "input_dim",
        "input_length",
        *(["weights"] if layer._first_weights is not None else []),
    )
    kept = {word: value for word, value in arguments.items() if word not in old}
    if "input_dim" in arguments and layer._first_shape is not None:
        kept["input_shape"] = layer._first_shape
    return kept


EXTENTS = ("kernel_size", "strides", "dilation_rate", "pool_size", "size", "padding", "cropping", "target_shape")


def with_extents(layer: Any, config: dict[str, Any]) -> dict[str, Any]:
    """A config in which sizes of ours are tuples with an entry for each axis, as Keras's are: (3, 3) where 3 was given."""
    if not type(layer).__module__.startswith("refnet."):
        return config
    held = {name: getattr(layer, name, None) for name in EXTENTS if name in config}
    extents = {name: value for name, value in held.items() if isinstance(value, tuple)}
    for name in ("size", "padding", "cropping"):
        if len(extents.get(name, ())) == 1:  # of series: the entry itself
            extents[name] = extents[name][0]
    if config.get("data_format", "") is None and isinstance(getattr(layer, "data_format", None), str):
        extents["data_format"] = layer.data_format
    return {**config, **extents}
