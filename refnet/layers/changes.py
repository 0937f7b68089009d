"""Arguments of a layer's constructor that are given other values later: `layer.activation = None`, `layer.rate = 0.2`."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from refnet.activations import linear
from refnet.layers.weights import Weighted
from refnet.tracing import changes, clock, trace


class Changing(Weighted):
    """The part of a layer that notes such changes. What was traced before one is traced again, and configs have the new value."""

    changed_at = -1  # by the clock that numbers calls; before all of them if nothing was changed
    _changes: dict[str, Any] | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        held = vars(self)
        if name in held and held.get("built") and trace.call is None and name in _arguments(type(self).__init__):
            if value is None and held[name] is not None and name.endswith("activation"):
                value = linear
            if held[name] is not value:
                held["_changes"] = {**(self._changes or {}), name: value}
                self._note_change()
        super().__setattr__(name, value)

    def _note_change(self) -> None:
        """The layer computes something else from here on."""
        self.changed_at = changes.last = next(clock)


@functools.cache
def _arguments(constructor: Callable[..., Any]) -> frozenset[str]:
    """The names of what a constructor takes, `name` apart: it changes no numbers."""
    return frozenset(inspect.signature(constructor).parameters) - {"self", "name"}
