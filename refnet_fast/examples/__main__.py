"""`python -m refnet_fast.examples` lists the programs, each by the first line that it says of itself."""

import ast
import pathlib
import sys

from refnet_fast.errors import did_you_mean
from refnet_fast.progress import stop_printing

HERE = pathlib.Path(__file__).parent


def programs() -> dict[str, str]:
    """The first line of each file that is a program, by its name; nothing is imported."""
    told = {}
    for path in sorted(HERE.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.stem != "__main__" and any(isinstance(part, ast.If) for part in tree.body):  # if __name__ == "__main__"
            told[path.stem] = (ast.get_docstring(tree) or "").split("\n")[0]
    return told


def main() -> None:
    found = programs()
    if len(sys.argv) > 1:
        name = sys.argv[1]
        run = f"python -m refnet_fast.examples.{name}"
        hint = f"Run it as  {run}" if name in found else f"No program {name!r}.{did_you_mean(name, list(found))}"
        sys.exit(hint)
    print("python -m refnet_fast.examples.NAME [--quick] [--help], where NAME is\n")
    for name, line in found.items():
        print(f"  {name:21} {line}")


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:
        stop_printing()
