"""The arguments that layers are made with: what is missing or too much, and those of the first edition."""

import functools
import inspect
from typing import Any

from refnet.annotations import Shape
from refnet.errors import MissingArgumentError


@functools.cache
def signature_of(kind: type) -> inspect.Signature:
    return inspect.signature(kind.__init__)  # type: ignore[misc]  # of a class that is about to be made


def check_arguments(kind: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raises MissingArgumentError unless __init__ takes these arguments."""
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
    """`input_shape=`, `input_dim=` or `batch_input_shape=`, the first edition's way to say what a Sequential starts with: the
    shape of one sample, and the batch size if it is fixed."""
    shape, batch = arguments.pop("input_shape", None), None
    dim, whole = arguments.pop("input_dim", None), arguments.pop("batch_input_shape", None)
    if whole is not None:
        batch, *shape = whole
    if dim is not None:
        shape = (dim,)
    return None if shape is None else tuple(shape) if isinstance(shape, (tuple, list)) else (shape,), batch
