"""What is made once for a kind of arguments and kept for the next time: the key of an argument, a store that lets the oldest go, and
what engines have made of a program."""

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from refnet.comparing import Compared

if TYPE_CHECKING:
    from refnet.engine import Executable
    from refnet.program import Program


class Same:
    """An object as a part of a key: it is only itself. While the key is kept so is the object, and no other gets its id."""

    __slots__ = ("object",)

    def __init__(self, object: Any):
        self.object = object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.object is other.object

    def __hash__(self) -> int:
        return id(self.object)


def key_of(x: Any) -> Any:
    """The key of an argument that is no array: its type and value if it has a value, else the object itself, which is not looked into.

    1, True and 1.0 have three keys, 0.0 and -0.0 two: a function can tell them apart.
    """
    if isinstance(x, float):
        return type(x), float.hex(x)
    if isinstance(x, complex):
        return type(x), float.hex(x.real), float.hex(x.imag)
    if isinstance(x, (set, frozenset)):
        return type(x), frozenset(map(key_of, x))
    if isinstance(x, slice):
        return slice, key_of(x.start), key_of(x.stop), key_of(x.step)
    hashed: Any = type(x).__hash__
    if isinstance(x, Compared) or hashed in (None, object.__hash__):
        return Same(x)
    try:
        hash(x)
    except TypeError:  # it holds something that has no value
        return Same(x)
    return type(x), x


class Kept(OrderedDict[Any, Any]):
    """A dict of so many entries at most: one more, and the one that `found` gave the longest time ago goes.

    Args:
        gone: is called with the key and the value that went.
    """

    most = 256  # each may hold a program and the memory of its run; more kinds than these one program hardly meets

    def __init__(self, gone: Callable[[Any, Any], None] | None = None):
        super().__init__()
        self._gone = gone

    def found(self, key: Any) -> Any:
        """What is kept under the key, from now on the last to go; None if nothing is."""
        value = self.get(key)
        if value is not None:
            self.move_to_end(key)
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self.most:
            first = next(iter(self))
            value = self.pop(first)
            if self._gone is not None:
                self._gone(first, value)


class OnEngines:
    """A program, with the executable of each engine on which it was run."""

    def __init__(self, program: "Program"):
        self.program = program
        self._executables: dict[Any, Executable] = {}

    def on_current(self) -> "Executable":
        """The current engine's executable, made once. Of threads that share it one at a time may ask: see `tracing.building`."""
        from refnet.engine import current_engine

        engine = current_engine()
        if engine not in self._executables:
            self._executables[engine] = engine.prepare(self.program)
        return self._executables[engine]
