"""Parts of `refnet.ops` under the names of Keras's modules."""

from collections.abc import Callable, Iterable
from typing import Any

from refnet.errors import did_you_mean


def lookup(module: str, names: str) -> tuple[Callable[[str], Any], Callable[[], Iterable[str]]]:
    """A module's `__getattr__` and `__dir__`, which give these functions of `refnet.ops`."""
    known = names.split()

    def found(name: str) -> Any:
        from refnet import ops

        if name not in known:
            close = "" if name.startswith("__") else did_you_mean(name, known)
            raise AttributeError(f"{module} has no {name!r}.{close}")
        return getattr(ops, name)

    return found, lambda: known
