"""Which rows of the table of the API that the book's programs use are exercised by a test that names them.

    python tests/api/coverage.py

prints, for each section, rows covered / rows, and the rows that no test names. The rows stand in `rows.txt`: the number of the section,
a tab, the first column as printed. A test names rows with `@pytest.mark.api("K.mean", ...)`; nothing is imported to find that out.
"""

import ast
import pathlib
from collections.abc import Iterator

HERE = pathlib.Path(__file__).parent
TESTS = HERE.parent


def rows() -> list[tuple[int, str]]:
    """(section, first column) of every row."""
    pairs = [line.split("\t") for line in (HERE / "rows.txt").read_text(encoding="utf-8").splitlines()]
    return [(int(section), name) for section, name in pairs]


def marks() -> Iterator[tuple[str, str]]:
    """(row's name, where) for every mark in the tests."""
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.api":
                for name in node.args:
                    yield ast.literal_eval(name), f"{path.relative_to(TESTS)}:{node.lineno}"


def main() -> None:
    named = {name for name, _ in marks()}
    wanted = rows()
    for section in sorted({section for section, _ in wanted}):
        names = [name for number, name in wanted if number == section]
        missing = [name for name in names if name not in named]
        print(f"{section:2d}  {len(names) - len(missing)} / {len(names)}")
        for name in missing:
            print(f"      {name}")
    print(f"all {sum(name in named for _, name in wanted)} / {len(wanted)}")


if __name__ == "__main__":
    main()
