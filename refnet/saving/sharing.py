"""Which layers of a configuration are one: a layer that stands in several places has the same `shared_object_id` in all of them.

The entry is Keras's. Without it a layer inside of two others, or in a model and in a wrapper, would be two layers when it is read.
A file has one set of numbers. What `get_config` of a model gives outside of a file has a set of its own, and says so: a layer of the user's
may keep such a configuration, and make several models of it.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from refnet import registration
from refnet.errors import FileError

ENTRY = "shared_object_id"
OWN = "own_shared_object_ids"  # beside the first layer of a configuration whose numbers mean nothing outside of it


class _State(threading.local):
    numbers: dict[int, tuple[int, Any]] | None = None  # by id: the number, and the layer, so that no other takes its id


_state = _State()


@contextmanager
def numbering() -> Iterator[None]:
    """Within it layers are numbered in the order in which they are described first."""
    before = _state.numbers
    _state.numbers = {}
    try:
        yield
    finally:
        _state.numbers = before


def described(describe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A model's configuration, which has numbers of its own where it is no part of another."""
    if _state.numbers is not None:
        return describe()
    with numbering():
        config: dict[str, Any] = only_shared(describe())
    if any(True for _ in _numbers(config)):
        config["layers"][0][OWN] = True
    return config


def making(config: dict[str, Any]) -> AbstractContextManager[None]:
    """While a model is made of its configuration: what has the same number in it becomes one layer."""
    first = config["layers"][0] if config["layers"] else {}
    part = registration.shared_layers() is not None and OWN not in first
    return nullcontext() if part else registration.making_once()


def numbered(layer: Any, config: dict[str, Any]) -> dict[str, Any]:
    """A layer's configuration, with its number where layers are numbered."""
    if _state.numbers is None:
        return config
    number, _ = _state.numbers.setdefault(id(layer), (len(_state.numbers), layer))
    return {**config, ENTRY: number}


def only_shared(config: Any) -> Any:
    """A configuration without the numbers that stand in one place alone."""
    counts: Counter[int] = Counter(_numbers(config))

    def cleaned(value: Any) -> Any:
        if isinstance(value, list):
            return [cleaned(part) for part in value]
        if not isinstance(value, dict):
            return value
        alone = _is_numbered(value) and counts[value[ENTRY]] == 1
        return {key: cleaned(part) for key, part in value.items() if not (alone and key == ENTRY)}

    return cleaned(config)


def _is_numbered(value: dict[str, Any]) -> bool:
    """Whether a dict is what `numbered` gives: a layer of the user's may have entries of any name."""
    return isinstance(value.get(ENTRY), int) and "class_name" in value and "config" in value


def _numbers(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        if _is_numbered(value):
            yield value[ENTRY]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _numbers(part)


def known(config: dict[str, Any], kind: Any) -> Any:
    """The layer that was made before from a configuration of the same number; None if there is none.

    Raises:
        FileError: the entry is no integer, or belongs to a layer of another class.
    """
    made = registration.shared_layers()
    if ENTRY not in config or made is None:
        return None
    number = config[ENTRY]
    if not isinstance(number, int):
        raise FileError(f"{ENTRY} must be an integer; got {number!r}.")
    first, layer = made.get(number, (kind, None))
    if first is not kind:
        raise FileError(f"layers of two classes, {first.__name__} and {kind.__name__}, have the same {ENTRY} {number}.")
    return layer


def remember(config: dict[str, Any], kind: Any, layer: Any) -> None:
    """Keeps a layer that a class made, for the next configuration of its number."""
    made = registration.shared_layers()
    if ENTRY in config and made is not None:
        made[config[ENTRY]] = kind, layer
