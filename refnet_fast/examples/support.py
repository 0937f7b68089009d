"""What the examples share: packages that may be missing, errors as one line, the file an example writes."""

import importlib
import pathlib
import sys
from collections.abc import Callable
from types import ModuleType

from refnet.errors import MissingPackageError, RefnetError

OUTPUT = pathlib.Path("output")
COMMAND = 'pip install -e ".[examples]"   (in the repository; elsewhere: pip install "refnet[examples]")'


def needed(module: str, package: str) -> ModuleType:
    """The module. Raises MissingPackageError, naming the extra and the command, where its package is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise MissingPackageError(
            f"this example needs {package}, which is not installed. It belongs to the extra 'examples':\n  {COMMAND}"
        ) from None


def output_file(name: str) -> pathlib.Path:
    """output/NAME in the current folder, which is made."""
    OUTPUT.mkdir(exist_ok=True)
    return OUTPUT / name


def run(main: Callable[[], None]) -> None:
    """Runs an example. What refnet raises on purpose is shown without a traceback."""
    try:
        main()
    except RefnetError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
