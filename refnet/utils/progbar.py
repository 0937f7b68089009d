"""Progress of a loop of one's own, shown as fit shows its own."""

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from refnet import progress
from refnet.errors import ArgumentError


class Progbar:
    """A progress bar with running means of values.

    Args:
        target: the number of steps; None if it is not known.
        width: of Keras; the bar has its own.
        verbose: 0 nothing, 1 a live bar (a line at the end where there is no screen), 2 a line at the end.
        interval: of Keras; the bar has its own.
        stateful_metrics: names of values that are shown as they are, not averaged over the steps.
        stateless_metrics: instead, the names of those that are averaged; all others are shown as they are.
        unit_name: of Keras.
    Source: Keras 3 `utils.Progbar`.

    >>> bar = Progbar(2, verbose=0)
    >>> bar.update(1, [("loss", 3.0)])
    >>> bar.add(1, [("loss", 1.0)])
    >>> bar.values()
    {'loss': 2.0}
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ArgumentError("Progbar: give stateful_metrics or stateless_metrics, not both.")
        self.target, self.width, self.verbose = target, width, verbose
        self.interval, self.unit_name = interval, unit_name
        self.shown_as_they_are = set(stateful_metrics or ())
        self.averaged = None if stateless_metrics is None else set(stateless_metrics)
        self.done, self.ended = 0, False
        self._sums: dict[str, tuple[Any, int]] = {}
        self._display = progress.display(verbose)
        self._display.begin(None, None, target)
        self.started = time.monotonic()

    def values(self) -> dict[str, Any]:
        """What is shown, by name."""
        return {name: float(np.mean(total / max(count, 1))) for name, (total, count) in self._sums.items()}

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """So many steps are done.

        Args:
            current: their number.
            values: (name, value) pairs of the steps since the last update.
            finalize: whether this is the end; if None, whether the target is reached.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            mean = name in self.averaged if self.averaged is not None else name not in self.shown_as_they_are
            steps = max(current - self.done, 1)
            total, count = self._sums.get(name, (0.0, 0)) if mean else (0.0, 0)
            self._sums[name] = (total + value * steps, count + steps) if mean else (value, 1)
        self.done = current
        self._display.update(current, self.values)
        if finalize and not self.ended:
            self.ended = True
            self._display.end(self.values())
            self._display.close()

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """n more steps are done; see `update`."""
        self.update(self.done + n, values)
