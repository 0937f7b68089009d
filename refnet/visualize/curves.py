"""Curves of training, series, bars and points."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, ShapeError, did_you_mean
from refnet.visualize.paper import BLUE, COLOURS, GREEN, GREY, ORANGE, colour_map, matplotlib, new_figure, plain, saved


def training_curves(
    history: Any,
    metrics: Sequence[str] | None = None,
    smooth: float = 0.0,
    title: str | None = None,
    baseline: Mapping[str, float] | None = None,
    to_file: Any = None,
) -> Any:
    """The loss and the metrics of a training by epoch; or those of several trainings, to compare them.

    Args:
        history: what `fit` returned, or its dict; or a dict of several by name, of which the validation values are drawn (the
            training values where there are none).
        metrics: which values, without "val_"; all that are there if None.
        smooth: 0 draws the values as they are; between 0 and 1 each point is that share of the last point drawn plus the rest
            of the value, as in the book's section 5.2.
        baseline: a level to draw beside a metric, by its name: {"mae": 0.29}.
        to_file: a file to save the picture in.
    Returns:
        The matplotlib Figure.
    Raises:
        ArgumentError: no epochs, a metric that is not there, a `smooth` outside [0, 1).
    Source: Chollet 3.4.4, 5.2.3.
    """
    if not 0 <= smooth < 1:
        raise ArgumentError(f"training_curves: smooth lies in [0, 1); got {smooth!r}.")
    trainings = _trainings(history)
    wanted = _wanted(trainings, metrics)
    aside = 2.4 if len(trainings) >= 4 else 0.0  # inches for a legend
    figure = new_figure(6.2 * min(len(wanted), 3) + aside, 3.9 * -(-len(wanted) // 3), title)
    grid = figure.subplots(-(-len(wanted) // 3), min(len(wanted), 3), squeeze=False)
    for axis in grid.flat[len(wanted) :]:
        axis.set_axis_off()
    for axis, name in zip(grid.flat, wanted):
        _draw_metric(plain(axis), trainings, name, smooth)
        if name in (baseline or {}):
            axis.axhline((baseline or {})[name], color="black", linestyle="--", label="baseline")
        axis.set_xlabel("epoch")
        axis.set_title(name, loc="left", fontsize=11)
        axis.xaxis.set_major_locator(matplotlib("ticker").MaxNLocator(integer=True))
        if len(trainings) < 4:
            axis.legend(frameon=False)
    if len(trainings) >= 4:
        figure.legend(*grid.flat[0].get_legend_handles_labels(), frameon=False, loc="outside right center")
    return saved(figure, to_file)


def _trainings(history: Any) -> dict[str, dict[str, list[float]]]:
    """{name: {metric: values}}; the name is "" for a training alone."""
    plain_history = getattr(history, "history", history)
    if not isinstance(plain_history, Mapping) or not plain_history:
        raise ArgumentError(
            f"training_curves takes a History of at least one epoch, its dict, or a dict of several; got {history!r}."
        )
    several: dict[str, Any] = {name: getattr(one, "history", one) for name, one in plain_history.items()}
    if all(isinstance(one, Mapping) for one in several.values()):
        return {str(name): dict(one) for name, one in several.items()}
    return {"": dict(plain_history)}


def _wanted(trainings: dict[str, dict[str, list[float]]], metrics: Sequence[str] | None) -> list[str]:
    known = list(dict.fromkeys(name.removeprefix("val_") for one in trainings.values() for name in one))
    known = [name for name in known if name not in ("lr", "learning_rate")]
    known.sort(key=lambda name: (name != "loss", name))
    for name in metrics or ():
        if name not in known:
            raise ArgumentError(f"training_curves: the history has no {name!r}.{did_you_mean(name, known)}")
    return list(metrics) if metrics else known


def _draw_metric(axis: Any, trainings: dict[str, dict[str, list[float]]], name: str, smooth: float) -> None:
    alone = "" in trainings
    for number, (label, one) in enumerate(trainings.items()):
        both = (("training", name, BLUE), ("validation", f"val_{name}", ORANGE))
        best = f"val_{name}" if f"val_{name}" in one else name
        lines = both if alone else ((label, best, COLOURS[number % len(COLOURS)]),)
        for text, key, colour in lines:
            if key in one:
                values = smoothed(one[key], smooth)
                marker = "o" if len(values) < 25 else None
                axis.plot(np.arange(1, len(values) + 1), values, color=colour, marker=marker, markersize=4, label=text)


def smoothed(values: Sequence[float], factor: float) -> list[float]:
    """Each value pulled towards the one drawn before it.

    >>> smoothed([1.0, 2.0, 2.0], 0.5)
    [1.0, 1.5, 1.75]
    """
    points: list[float] = []
    for value in values:
        points.append(points[-1] * factor + value * (1 - factor) if points else float(value))
    return points


def series(
    lines: Mapping[str, Any],
    x: Any = None,
    title: str | None = None,
    x_label: str = "",
    y_label: str = "",
    to_file: Any = None,
    log: bool = False,
) -> Any:
    """Several rows of numbers as curves over one axis.

    Args:
        lines: {name: (n,)}.
        x: (n,), where they are; 0, 1, ... if None.
        log: whether the axis of values is logarithmic; values that are not positive are not drawn then.
    Returns:
        The matplotlib Figure.
    Raises:
        ShapeError: another number of places.
    """
    figure = new_figure(9, 4.2, title)
    axis = plain(figure.subplots())
    for number, (name, values) in enumerate(lines.items()):
        row = np.asarray(values)
        if x is not None and len(x) != len(row):
            raise ShapeError(f"series: x has {len(x)} places, but {name!r} {len(row)} values.")
        at = np.arange(len(row)) if x is None else x
        axis.plot(at, row, color=COLOURS[number % len(COLOURS)], linewidth=1.4, label=name)
    axis.set(xlabel=x_label, ylabel=y_label, yscale="log" if log else "linear")
    axis.legend(frameon=False)
    return saved(figure, to_file)


def bars(
    values: Mapping[str, float],
    title: str | None = None,
    x_label: str = "",
    baseline: float | None = None,
    to_file: Any = None,
) -> Any:
    """Numbers by name as bars, in the order given; `baseline` is drawn as a line across.

    Returns:
        The matplotlib Figure.
    """
    figure = new_figure(8, 0.9 + 0.42 * max(len(values), 2), title)
    axis = plain(figure.subplots())
    names, numbers = list(values), list(values.values())
    drawn = axis.barh(names, numbers, color=BLUE, height=0.62)
    axis.bar_label(drawn, labels=[f"{number:.4g}" for number in numbers], padding=4, fontsize=10)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set_xlabel(x_label)
    if baseline is not None:
        axis.axvline(baseline, color=GREEN, linestyle="--", label=f"baseline {baseline:.4g}")
        axis.legend(frameon=False)
    return saved(figure, to_file)


def scatter_2d(
    points: Any,
    labels: Any = None,
    names: Sequence[str] | None = None,
    title: str | None = None,
    to_file: Any = None,
) -> Any:
    """Points of the plane, coloured by label: codes of an autoencoder, word vectors, principal components.

    Args:
        points: (n, 2).
        labels: (n,) integers, a colour each; or n strings, which are written beside the points.
        names: what the integer labels mean.
    Returns:
        The matplotlib Figure.
    Raises:
        ShapeError: points that are no pairs; another number of labels.
        DataError: labels that are no whole numbers, or have no name.
    """
    at: Array = np.asarray(points)
    if at.ndim != 2 or at.shape[1] != 2:
        raise ShapeError(f"scatter_2d: points must have shape (n, 2); got {at.shape}. Choose two columns.")
    figure = new_figure(7.4, 6.2, title)
    axis = plain(figure.subplots())
    kinds = None if labels is None else np.asarray(labels)
    if kinds is not None and kinds.shape != at.shape[:1]:
        raise ShapeError(f"scatter_2d: a label for each of {len(at)} points is needed; got shape {kinds.shape}.")
    most = np.inf if names is None else len(names)
    numbers: Array = kinds if kinds is not None and kinds.dtype.kind not in "OUS" else np.zeros(0)
    if not ((numbers == np.floor(numbers)) & (numbers < most)).all():
        below = "" if names is None else f" below {len(names)}, the number of names"
        raise DataError(f"scatter_2d: labels are whole numbers{below}, or strings; got up to {numbers.max()}.")
    if kinds is None or kinds.dtype.kind in "OUS":
        axis.scatter(*at.T, s=14, color=BLUE if kinds is None else GREY, alpha=0.7)
        words: Any = [] if kinds is None else kinds
        keep_apart(
            figure,
            [
                axis.annotate(str(w), p, xytext=(3, 3), textcoords="offset points", fontsize=9)
                for w, p in zip(words, at)
            ],
        )
    else:
        colours = colour_map("tab10")
        for kind in np.unique(kinds):
            label = names[int(kind)] if names is not None else str(kind)
            axis.scatter(*at[kinds == kind].T, s=9, alpha=0.6, color=colours(int(kind) % 10), label=label)
        axis.legend(frameon=False, markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5))
    return saved(figure, to_file)


def keep_apart(figure: Any, texts: Sequence[Any]) -> None:
    """Puts each annotation at the first corner of its point where it covers none before it; where there is none, at the first."""
    corners = [("left", "bottom"), ("left", "top"), ("right", "bottom"), ("right", "top")]
    figure.draw_without_rendering()  # places the axes
    taken: list[Any] = []
    for text in texts:
        for across, along in [*corners, corners[0]]:
            text.set(ha=across, va=along)
            text.xyann = (3 if across == "left" else -3, 3 if along == "bottom" else -3)
            box = text.get_window_extent()
            if not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)
