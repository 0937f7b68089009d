"""Tables for people: by rich where it is installed, else plain text."""

from collections.abc import Sequence


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows of words under headings."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        widths = [max(len(str(cell)) for cell in column) for column in zip(columns, *rows)]
        print(title)
        for row in [columns, ["-" * w for w in widths], *rows]:
            print("  ".join(str(cell).ljust(w) for cell, w in zip(row, widths)).rstrip())
        return
    shown = Table(*columns, title=title, title_justify="left")
    for row in rows:
        shown.add_row(*row)
    Console(markup=False).print(shown)


def number(x: float | None) -> str:
    """A measurement in few letters; a dash where there is none."""
    return "-" if x is None else f"{x:.3g}"
