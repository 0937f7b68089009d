"""`python -m refnet ops [--json] [NAME ...]`: every op, and how accurate each engine is (NUMBA_ENABLE_CUDASIM=1: CUDA kernels too).
`python -m refnet explain OP --at 0,1`: the terms that make up one element of a result.
`python -m refnet read [NAME]`: the definitions in the order of Chollet's book, or any one of them with its worked example."""

import argparse
import json
import sys
from typing import Any

from refnet.errors import ArgumentError
from refnet.progress import stop_printing


def main(arguments: list[str] | None = None) -> int:
    parser = parser_of_commands()
    given = parser.parse_args(arguments)
    if given.command is None:
        parser.print_help()
        return 0
    try:
        run(given)
        sys.stdout.flush()
    except ArgumentError as error:
        parser.error(str(error))
    except BrokenPipeError:
        stop_printing()
    return 0


def parser_of_commands() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m refnet", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command")
    ops = commands.add_parser("ops", help="the table of ops, measured now on fixed calls")
    ops.add_argument("names", nargs="*", help="only these ops")
    ops.add_argument("--json", action="store_true", help="a JSON list instead of a table")
    explain = commands.add_parser("explain", help="the terms of one element")
    explain.add_argument("op")
    explain.add_argument("--at", default=None, help="the element's index, as 0,1; if left out, one is chosen")
    explain.add_argument("--seed", type=int, default=0, help="which of the fixed calls")
    read = commands.add_parser("read", help="the definitions in the book's order, or one of them")
    read.add_argument("name", nargs="?", help="a definition; the list if left out")
    return parser


def run(given: argparse.Namespace) -> None:
    """Prints what the parsed command asks for."""
    if given.command == "read":
        from refnet.reading import listing, reading
        from refnet.testing.strategies import load

        load()
        print(reading(given.name) if given.name else listing())
    elif given.command == "explain":
        from refnet.explain import explain as explained

        print(explained(given.op, given.at, given.seed))
    else:
        from refnet.testing.measure import table

        rows = table(given.names)
        if given.json:
            print(json.dumps(rows, default=str).replace("Infinity", "1e999"))
        else:
            show(rows)


def show(rows: list[dict[str, Any]]) -> None:
    from refnet.testing.measure import ENGINES
    from refnet.testing.report import number, print_table

    lines = []
    for row in rows:
        cells = [
            row["name"],
            "primitive" if row["primitive"] else "composite",
            "yes" if row["differentiable"] else "no",
        ]
        for engine in ENGINES:
            result = row["engines"][engine]
            cells.append(
                "not run"
                if result is None
                else f"{result['kind']} {number(result['worst_error_over_bound'])} ({number(result['ulp'])} ULP)"
            )
        lines.append(cells)
    print_table(
        "ops: kind of kernel, worst error / bound (worst error in ULP)", ["op", "", "gradient", *ENGINES], lines
    )


if __name__ == "__main__":
    sys.exit(main())
