"""What the pictures have in common: matplotlib when it is wanted, colours, axes, saving."""

import importlib
import pathlib
from typing import Any

from refnet.errors import ArgumentError, MissingPackageError
from refnet.saving.files import writing

BLUE, ORANGE, GREEN, RED, GREY = "#1f5fa8", "#d9730d", "#2f8f4e", "#b3373f", "#6b7280"
COLOURS = (BLUE, ORANGE, GREEN, RED, "#7a4fa3", "#0f8b8d", GREY, "#a8741a")
DPI = 110


def matplotlib(module: str) -> Any:
    """A module of matplotlib. Raises MissingPackageError, naming the extra, where it is not installed."""
    try:
        return importlib.import_module(f"matplotlib.{module}")
    except ModuleNotFoundError as error:
        if error.name is None or not f"matplotlib.{module}".startswith(error.name):
            raise
        raise MissingPackageError(
            "refnet.visualize draws with matplotlib, which is not installed: pip install 'refnet[viz]'"
        ) from None


def colour_map(name: str) -> Any:
    """One of matplotlib's colour maps."""
    matplotlib("cm")
    return importlib.import_module("matplotlib").colormaps[name]


def new_figure(width: float, height: float, title: str | None) -> Any:
    """An empty Figure that depends on no window system."""
    figure = matplotlib("figure").Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    if title:
        figure.suptitle(title, fontsize=13, fontweight="bold")
    return figure


def plain(axis: Any) -> Any:
    """Axes for curves: a light grid, no box."""
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    return axis


def saved(figure: Any, to_file: Any) -> Any:
    """The figure; in a file too unless `to_file` is None."""
    if to_file is not None:
        path = pathlib.Path(to_file)
        known = figure.canvas.get_supported_filetypes()
        if path.suffix[1:].lower() not in known:
            raise ArgumentError(
                f"to_file: {str(to_file)!r} does not end in a kind of picture: {', '.join('.' + k for k in sorted(known))}."
            )
        with writing(path):
            figure.savefig(path, dpi=DPI)
    return figure
