"""What the programs share: arguments, results beside the book's, pictures, packages that may be missing, errors as one line."""

import argparse
import importlib
import io
import json
import math
import os
import pathlib
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from refnet.errors import FileError, MissingPackageError, RefnetError
from refnet.progress import stop_printing

OUTPUT = pathlib.Path("output")
COMMAND = 'pip install -e ".[examples]"   (in the repository; elsewhere: pip install "refnet[examples]")'


def needed(module: str, package: str, extra: str = "examples") -> ModuleType:
    """The module. Raises MissingPackageError, naming the extra and the command, where its package is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise MissingPackageError(
            f"this example needs {package}, which is not installed. It belongs to the extra {extra!r}:\n"
            f"  {COMMAND.replace('examples', extra)}"
        ) from None


def run(main: Callable[[], None]) -> None:
    """Runs an example. What refnet raises on purpose is shown without a traceback."""
    try:
        main()
    except RefnetError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        stop_printing()
        sys.exit(1)


def folder(text: str) -> pathlib.Path:
    """An argument that is a folder to write to, there or not: told before a training of an hour, not after it."""
    path = pathlib.Path(text)
    there = next(place for place in (path, *path.absolute().parents) if os.path.exists(place))
    if not there.is_dir():
        raise argparse.ArgumentTypeError(f"{there} is a file; name a folder")
    if not os.access(there, os.W_OK):
        raise argparse.ArgumentTypeError(f"nothing can be written to the folder {there}")
    return path


def epochs(text: str) -> int:
    """An argument that is a number of epochs."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of epochs is 1 or more, got {text!r}")
    return int(text)


def save(figure: Any, path: pathlib.Path) -> None:
    """Writes a figure as a PNG file, whole or not at all. Raises FileError where it cannot be written."""
    from refnet.saving.files import write_atomically

    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110, format="png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, drawn.getvalue())
    except OSError as error:
        raise FileError(f"the picture {path} cannot be written: {error.strerror or error}.") from None


def shown(value: float) -> str:
    """A figure in a table: whole numbers whole."""
    return f"{value:,.0f}" if abs(value) < 1e15 and value == int(value) else f"{value:.4g}"


class Job:
    """One run of a program: what the user asked for, and what came out.

    Attributes:
        quick: whether to finish within a minute, on less data.
        seed: of weights, dropout and shuffling; it is set already.
        output: the folder for files.
    """

    def __init__(self, name: str, given: argparse.Namespace):
        from refnet.engine import current_engine

        self.name, self.quick, self.seed, self.output = name, given.quick, given.seed, given.output
        self.engine = current_engine().name
        self.results: dict[str, float] = {}
        self.book: dict[str, float] = {}
        self.notes: list[str] = []
        self.pictures: list[str] = []
        self._epochs, self._started = given.epochs, time.perf_counter()
        self._used = time.process_time()

    def pick(self, full: Any, quick: Any) -> Any:
        """One value for a full run, another for a quick one."""
        return quick if self.quick else full

    def epochs(self, full: int, quick: int) -> int:
        """How many epochs: as the user said, else as in the book, or few."""
        return self._epochs if self._epochs is not None else self.pick(full, quick)

    def say(self, text: str) -> None:
        """A line of progress."""
        print(f"[{time.perf_counter() - self._started:6.1f} s] {text}", flush=True)

    def result(self, name: str, value: Any, book: float | None = None) -> None:
        """A figure that came out, and the book's."""
        self.results[name] = float(value)
        if book is not None:
            self.book[name] = book
        self.say(f"  {name}: {shown(float(value))}" + (f" (book: {shown(book)})" if book is not None else ""))

    def note(self, text: str) -> None:
        """What a reader of the results must know: smaller data, another setting."""
        self.notes.append(text)

    def picture(self, name: str, figure: Any) -> None:
        """Saves a figure as OUTPUT/PROGRAM_NAME.png."""
        path = self.output / f"{self.name}_{name}.png"
        save(figure, path)
        self.pictures.append(str(path))

    def report(self) -> None:
        """The results beside the book's, as a table; then the notes and the pictures."""
        from rich.console import Console
        from rich.table import Table

        console = Console(highlight=False)
        table = Table(title=f"{self.name}, engine {self.engine}, seed {self.seed}", title_justify="left")
        for heading in ("result", "here", "book"):
            table.add_column(heading, justify="left" if heading == "result" else "right")
        for name, value in self.results.items():
            table.add_row(name, shown(value), shown(self.book[name]) if name in self.book else "")
        console.print(table)
        for text in self.notes + ["quick: less data and fewer epochs than the book"] * self.quick:
            console.print(f"note: {text}", soft_wrap=True)
        for path in self.pictures:
            console.print(f"picture: {path}", soft_wrap=True)
        console.print(f"{time.perf_counter() - self._started:.1f} s")

    def as_json(self) -> str:
        """The run as a line of JSON; a figure that is not finite is null. `processor_seconds` counts all threads."""
        words = ("name", "engine", "seed", "quick", "results", "book", "notes", "pictures")
        told = {word: getattr(self, word) for word in words}
        told["results"] = {name: value if math.isfinite(value) else None for name, value in self.results.items()}
        told["seconds"] = round(time.perf_counter() - self._started, 3)
        told["processor_seconds"] = round(time.process_time() - self._used, 3)
        return json.dumps(told, allow_nan=False)


def run_program(main: Callable[[Job], None]) -> None:
    """Runs a program of the book: reads its arguments, sets engine and seed, shows what it reported."""
    run(lambda: _run_program(main))


def _run_program(main: Callable[[Job], None]) -> None:
    from refnet_fast import use_engine, utils

    module = sys.modules[main.__module__]
    name = module.__spec__.name.rpartition(".")[2] if module.__spec__ else pathlib.Path(module.__file__ or "").stem
    parser = argparse.ArgumentParser(
        prog=f"python -m refnet_fast.examples.{name}", description=(module.__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="less data, fewer epochs: under a minute")
    parser.add_argument(
        "--engine", help="reference, derived, cpu (the default), cuda, cuda-cublas, cuda-tf32 or cuda-sim"
    )
    parser.add_argument("--seed", type=int, default=0, help="of weights, dropout and shuffling; 0 if not given")
    parser.add_argument("--epochs", type=epochs, help="other than the program's own")
    parser.add_argument("--json", action="store_true", help="the results in a last line for programs")
    parser.add_argument("--output", type=folder, default=OUTPUT, help="the folder for pictures; output")
    given = parser.parse_args()
    needed("matplotlib", "matplotlib")
    if given.engine:
        use_engine(given.engine)
    utils.set_random_seed(given.seed)
    job = Job(name, given)
    job.say(f"{parser.description} Engine {job.engine}, seed {job.seed}.")
    main(job)
    job.report()
    if given.json:
        print(job.as_json(), flush=True)
