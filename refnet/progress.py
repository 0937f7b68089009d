"""What training shows: a live bar in a terminal or notebook, a line per epoch in a log, or nothing."""

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from refnet.errors import ArgumentError

INTERVAL = 0.1  # seconds between updates of the bar
WIDTH = 20

_interactive = True


def enable_interactive_logging() -> None:
    """What training, callbacks and data sets tell is printed. This is how it begins."""
    global _interactive
    _interactive = True


def disable_interactive_logging() -> None:
    """What training, callbacks and data sets tell goes to Python's logger "refnet", at level INFO, instead of being printed.

    Where nobody has set up logging, it is not seen at all. Bars become lines.

    >>> disable_interactive_logging()
    >>> is_interactive_logging_enabled()
    False
    >>> enable_interactive_logging()
    """
    global _interactive
    _interactive = False


def is_interactive_logging_enabled() -> bool:
    """Whether what is told is printed."""
    return _interactive


def tell(message: str) -> None:
    """Shows a line: on the screen, or in the log under `disable_interactive_logging`."""
    if _interactive:
        print(message, flush=True)
    else:
        logging.getLogger("refnet").info("%s", message)


class Silent:
    """Shows nothing; the base of what shows something. The number of steps is None while it is not known."""

    in_epoch = False

    def begin(self, epoch: int | None, epochs: int | None, steps: int | None) -> None:
        """An epoch begins (epoch counts from 0), or an evaluation or prediction (epoch is None)."""
        self.in_epoch = epoch is not None

    def update(self, step: int, read: Callable[[], dict[str, Any]]) -> None:
        """So many steps are done. `read` gives the metrics."""

    def end(self, logs: dict[str, Any]) -> None:
        """It ended with these values."""

    def close(self) -> None:
        """Nothing more will come, perhaps because of an error."""


class Lines(Silent):
    """One line per epoch."""

    def begin(self, epoch: int | None, epochs: int | None, steps: int | None) -> None:
        super().begin(epoch, epochs, steps)
        self.steps, self.done, self.started = steps, 0, time.monotonic()
        if epoch is not None:
            tell(f"Epoch {epoch + 1}/{epochs}")

    def update(self, step: int, read: Callable[[], dict[str, Any]]) -> None:
        self.done = step

    def end(self, logs: dict[str, Any]) -> None:
        steps = self.done if self.steps is None else self.steps
        tell(text(steps, steps, time.monotonic() - self.started, logs, finished=True))


class Bar(Silent):
    """A live bar, by rich."""

    def __init__(self) -> None:
        self.live: Any = None

    def begin(self, epoch: int | None, epochs: int | None, steps: int | None) -> None:
        from rich.console import Console
        from rich.live import Live

        super().begin(epoch, epochs, steps)
        self.steps, self.done, self.logs = steps, 0, dict[str, Any]()
        self.started = self.shown = time.monotonic()
        console = Console(highlight=False)
        if epoch is not None:
            console.print(f"Epoch {epoch + 1}/{epochs}")
        self.live = Live(self._line(), console=console, auto_refresh=False)
        self.live.start()

    def update(self, step: int, read: Callable[[], dict[str, Any]]) -> None:
        self.done = step
        now = time.monotonic()
        if now - self.shown >= INTERVAL and self.live is not None:
            self.shown, self.logs = now, read()
            self.live.update(self._line(), refresh=True)

    def end(self, logs: dict[str, Any]) -> None:
        self.steps = self.done if self.steps is None else self.steps
        self.done, self.logs = self.steps, logs
        if self.live is not None:
            self.live.update(self._line(finished=True), refresh=True)
        self.close()

    def close(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _line(self, finished: bool = False) -> Any:
        from rich.text import Text

        filled = 0 if self.steps is None else WIDTH * self.done // max(self.steps, 1)
        line = Text.assemble(
            (f"{self.done}/{'?' if self.steps is None else self.steps} ", "bold"),
            ("━" * filled, "green"),
            ("━" * (WIDTH - filled), "dim"),
        )
        rest = text(self.done, self.steps, time.monotonic() - self.started, self.logs, finished)
        return line.append(rest[rest.index(" ") :].replace(" - ", " ", 1))


def text(done: int, steps: int | None, seconds: float, logs: dict[str, Any], finished: bool) -> str:
    """'12/60 - 3s - 5ms/step - accuracy: 0.9000 - loss: 0.3000'; before the end the time is what is left, if that is known."""
    each = seconds / max(done, 1)
    shown = seconds if finished or steps is None else each * (steps - done)
    parts = [f"{done}/{'?' if steps is None else steps}", duration(shown), f"{step_time(each)}/step"]
    return " - ".join(parts + [f"{name}: {number(value)}" for name, value in logs.items()])


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def step_time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def number(value: Any) -> str:
    average = float(np.mean(value))
    return f"{average:.4f}" if abs(average) > 1e-3 else f"{average:.4e}"


def display(verbose: Any) -> Silent:
    """What `verbose` asks for: 0 nothing, 1 or "auto" a live bar (lines where there is no screen), 2 lines.

    Raises:
        ArgumentError: anything else.
    """
    if verbose not in ("auto", 0, 1, 2):
        raise ArgumentError(f"verbose is 'auto', 0, 1 or 2; got {verbose!r}.")
    if verbose == 0:
        return Silent()
    return Bar() if verbose != 2 and live() else Lines()


def live() -> bool:
    """Whether the output is a screen that lines can be redrawn on: a terminal or a notebook, unless all goes to the log."""
    if not _interactive:
        return False
    if "ipykernel" in sys.modules:
        return True
    return hasattr(sys.stdout, "isatty") and sys.stdout.isatty()


def stop_printing() -> None:
    """For a command whose reader has read enough, as `head` has (BrokenPipeError): what is left to print is written nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
