"""`python -m refnet.testing MODULE [NAME ...]`: holds a module's functions to refnet's definitions of the same names.

MODULE is a module's name or a path to a .py file. Its functions (matmul, softmax, ...) are called with NumPy arrays, as
refnet.ops' functions would be, on fixed cases from the strategies; every element must stay within the definition's certificate.
Functions of refnet.ops of which the kit draws no calls are named at the end.
A call of which rounding decides too much has no certificate; it is not counted, and the reason is printed. The exit status is 1 if
a function fails or none of its calls has a certificate, or if no function has a name that is known.
"""

import argparse
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from refnet.testing.report import number, print_table


def main(arguments: list[str] | None = None) -> int:
    from refnet.testing.conformance import examine, known_names, unknown_names

    parser = argparse.ArgumentParser(
        prog="python -m refnet.testing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("module", help="a module's name, or a path to a .py file")
    parser.add_argument("names", nargs="*", help="only these functions")
    parser.add_argument("--examples", type=int, default=40, help="calls of each function (40)")
    given = parser.parse_args(arguments)
    if given.examples < 1:
        parser.error(f"--examples must be at least 1; got {given.examples}")
    if given.module.endswith(".py") and not Path(given.module).is_file():
        parser.error(f"there is no file {given.module}")
    try:
        module = loaded(given.module)
    except ModuleNotFoundError as error:
        parser.error(str(error))
    for name in given.names:
        if not callable(getattr(module, name, None)):
            parser.error(f"{given.module} has no function {name!r}")
        if name not in known_names():
            parser.error(f"{name} is no function that the kit draws calls of. It knows {', '.join(known_names())}.")
    names = given.names or [name for name in known_names() if callable(getattr(module, name, None))]
    if not names:
        print(f"{given.module} has no function that refnet defines; known: {', '.join(known_names())}")
        return 1
    left = [] if given.names else sorted(name for name in unknown_names() if callable(getattr(module, name, None)))
    reports = [examine(name, getattr(module, name), given.examples) for name in names]
    rows = [[r.name, str(r.calls), number(r.worst), number(r.ulp), r.verdict] for r in reports]
    print_table(f"{given.module} against refnet", ["function", "calls", "error / bound", "ULP", "certificate"], rows)
    for r in reports:
        if r.refusal:
            print(f"\n{r.name}: {r.refusal}")
        if r.uncertain:
            print(f"\n{r.name}: {r.uncertain} calls without a certificate: {r.reason}")
    if left:
        print(f"\nNot examined, for the kit draws no calls of them: {', '.join(left)}")
    return 1 if any(r.refusal or not r.calls for r in reports) else 0


def loaded(name: str) -> ModuleType:
    """The module of that name, or in that file."""
    if not name.endswith(".py"):
        sys.path.insert(0, "")
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot read {name}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
