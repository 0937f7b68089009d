"""Classes and functions of the user's that files may name: registered for good, or in a scope. Nothing else of theirs is found."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from refnet.errors import ArgumentError, FileError

Registered = TypeVar("Registered", bound=Callable[..., Any])

SPARE = 1 << 20  # elements that a model made from a file may have beside the file's, however few these are

_objects: dict[str, Any] = {}
_names: dict[Any, str] = {}


class _State(threading.local):
    scope: dict[str, Any] = {}
    file: bool = False  # whether a file is being read: then only what was registered or given may be made
    safe: bool = True
    room: int | None = None  # how many more elements of weights a file has values for
    spare = 0  # how many more a model that is made from it may have beside them
    shared: dict[int, Any] | None = None  # layers made from a file, by the number that says where else they stand


_state = _State()
_unsafe = False


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Registered], Registered]:
    """A decorator: files may name this class (with `get_config`) or function, as `package>name`.

    Args:
        package: keeps the names of several libraries apart.
        name: the class's own if None.
    Raises:
        ArgumentError: a class without get_config; a package that is no str, as where the parentheses are missing.
    Source: Keras 3 `saving.register_keras_serializable`.
    """

    if not isinstance(package, str):
        raise ArgumentError(
            f"register_keras_serializable: package is a str; got {package!r}. Write @register_keras_serializable()."
        )

    def decorator(target: Registered) -> Registered:
        if isinstance(target, type) and not hasattr(target, "get_config"):
            raise ArgumentError(f"{target.__name__} cannot be registered: it needs a get_config method to be saved.")
        key = f"{package}>{name or target.__name__}"
        _objects[key], _names[target] = target, key
        return target

    return decorator


def get_registered_name(obj: Any) -> str:
    """`package>name` of a registered class or function, else its own name."""
    return _names[obj] if obj in _names else str(obj.__name__)


def get_registered_object(
    name: str, custom_objects: dict[str, Any] | None = None, module_objects: dict[str, Any] | None = None
) -> Any:
    """What was put in a scope, registered or given (in one dict or the other) under a name; None if nothing was."""
    for known in (_state.scope, _objects, custom_objects or {}, module_objects or {}):
        if name in known:
            return known[name]
    return None


def get_custom_objects() -> dict[str, Any]:
    """The dict of what is registered, by `package>name`."""
    return _objects


@contextmanager
def custom_object_scope(custom_objects: dict[str, Any] | None) -> Iterator[None]:
    """Within it files may name these classes and functions.

    Args:
        custom_objects: {name: class or function}.
    """
    if custom_objects is not None and not isinstance(custom_objects, dict):
        raise ArgumentError(f"custom_objects is a dict {{name: class or function}}; got {custom_objects!r}.")
    before = _state.scope
    _state.scope = {**before, **(custom_objects or {})}
    try:
        yield
    finally:
        _state.scope = before


CustomObjectScope = custom_object_scope


@contextmanager
def reading_file(safe: bool, room: int | None = None, part: bool = False) -> Iterator[None]:
    """While a model is made from a file.

    Args:
        safe: whether what could run the file's own code is refused.
        room: how many elements of weights the file has; a model that wants more is refused before it takes the memory.
        part: whether this is a part of the file being read, if one is: a layer of the user's asks for what it holds by itself. The
            numbers of shared layers mean the same there; in another file they mean others.
    """
    before = _state.file, _state.safe, _state.room, _state.spare, _state.shared
    _state.file, _state.safe, _state.room, _state.spare = True, safe, room, max(SPARE, room or 0)
    _state.shared = before[-1] if part and before[-1] is not None else {}
    try:
        yield
    finally:
        _state.file, _state.safe, _state.room, _state.spare, _state.shared = before


def from_file() -> bool:
    """Whether a file is being read."""
    return _state.file


@contextmanager
def making_once() -> Iterator[None]:
    """Within it configurations that have the same number, which says that they are one layer's, give one layer."""
    before = _state.shared
    _state.shared = {}
    try:
        yield
    finally:
        _state.shared = before


def shared_layers() -> dict[int, Any] | None:
    """The layers made so far of what is being read, by number; None where nothing is read, so that numbers mean nothing."""
    return _state.shared


def safe_mode() -> bool:
    """Whether what could run a file's own code is refused."""
    return _state.safe and not _unsafe


def enable_unsafe_deserialization() -> None:
    """Files may hold Lambda layers from here on, whose functions are code, as if every load were told `safe_mode=False`.

    Only for programs whose files are all trusted: there is no way back within the process.
    Source: Keras 3 `config.enable_unsafe_deserialization`.
    """
    global _unsafe
    _unsafe = True


def take_room(name: str, size: int) -> bool:
    """Counts a weight against what the file being read has values for; whether its first value does not matter.

    Raises:
        FileError: the file has no values for so many weights.
    """
    if _state.room is None:
        return False
    _state.room -= size
    _refuse_below_zero(_state.room, name, size)
    return True


@contextmanager
def beside_file(name: str, size: int) -> Iterator[None]:
    """Within it a weight is made that no file has a value for: though one is being read, its first value matters.

    Raises:
        FileError: the model would have more of such weights than what the file has, and than is little anyway.
    """
    before = _state.room
    if before is not None:
        _state.spare -= size
        _refuse_below_zero(_state.spare, name, size)
        _state.room = None
    try:
        yield
    finally:
        _state.room = before


def _refuse_below_zero(left: int, name: str, size: int) -> None:
    if left < 0:
        raise FileError(f"the configuration asks for more weights than the file has: {name} takes {size} elements.")
