"""What several layers ask of their arguments and inputs."""

from typing import Any

import numpy as np

from refnet.arrays import no_numbers
from refnet.dtypes import of_numbers
from refnet.errors import ArgumentError, DtypeError, ShapeError, shown
from refnet.settings import image_data_format


def data_format_of(layer: str, value: Any) -> str:
    """ "channels_last" or "channels_first"; the default one for None."""
    if value not in (None, "channels_last", "channels_first"):
        raise ArgumentError(f"{layer}: data_format is 'channels_last' or 'channels_first'; got {value!r}.")
    return value or image_data_format()


def behind_the_batch(axes: Any, rank: int | None) -> bool:
    """Whether none of these axes, one or several, is the batch's. Where the rank is not known, of those counted from the end only the
    last is taken for another one."""
    entries = axes if isinstance(axes, (list, tuple)) else [axes]
    first = -1 if rank is None else 1 - rank
    return all(isinstance(a, (int, np.integer)) and (a > 0 or first <= a < 0) for a in entries)


def must_be_initialized(layer: Any) -> None:
    """Raises ArgumentError for a layer of a user's own whose __init__ has not called ours: it has nothing that a layer has."""
    if "_programs" not in vars(layer):
        raise ArgumentError(f"{type(layer).__name__}.__init__ has to call super().__init__() first.")


def refuse_no_numbers(layer: str, leaves: Any) -> None:
    """Raises DtypeError for arrays among a call's arguments that hold something else than numbers."""
    for x in leaves:
        if isinstance(x, (np.ndarray, np.generic)) and not of_numbers(x.dtype):
            raise DtypeError(f"{layer} is called on arrays of numbers; got {no_numbers(x, np.asarray(x))}")


def refuse_several(layer: str, inputs: Any) -> None:
    """Raises ArgumentError for a list, tuple or dict where a layer takes one tensor."""
    if not isinstance(inputs, (list, tuple, dict)) or not inputs:
        return
    kind = type(inputs).__name__
    advice = (
        "layers.Concatenate() makes one of several; of a layer that returns several (return_state=True), take the one that is "
        "meant: y[0]."
    )
    if isinstance(inputs, dict):
        advice = f"Take the entry that is meant, of {', '.join(map(repr, inputs))}."
    elif len(inputs) == 1:
        advice = f"Take it out of the {kind}: x[0]."
    raise ArgumentError(f"{layer} takes one tensor; got a {kind} of {len(inputs)}. {advice}")


def check_rank(layer: str, inputs: Any, rank: int, axes: str) -> None:
    """Raises ShapeError unless the inputs (or their shape) have that many axes, whose names are in `axes`."""
    shape = tuple(getattr(inputs, "shape", inputs))
    if len(shape) != rank:
        advice = ""
        if len(shape) == rank - 1 and axes.endswith("channels"):
            given = (*shape[1:], 1)
            advice = (
                f" One channel (grey images, a single series) is an axis of length 1: x[..., None], and Input({given})."
            )
        raise ShapeError(f"{layer} expects inputs of {rank} axes ({axes}), got shape {shape}.{advice}")


def whole(layer: str, word: str, value: Any, least: int) -> int:
    """An integer argument of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ArgumentError(f"{layer}: {word} must be an integer of at least {least}; got {value!r}.")
    return int(value)


def share(layer: str, word: str, value: Any, one: bool = True) -> float:
    """A number from 0 to 1; without 1 itself if not `one`."""
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1 or (value == 1 and not one):
        raise ArgumentError(f"{layer}: {word} must be a number from 0 to {'1' if one else 'below 1'}; got {value!r}.")
    return float(value)


def above_zero(layer: str, word: str, value: Any) -> float:
    """A finite number above 0."""
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not 0 < value < float("inf"):
        raise ArgumentError(f"{layer}: {word} is a number above 0; got {shown(value)}.")
    return float(value)


def pairs(layer: str, word: str, value: Any, axes: int) -> tuple[tuple[int, int], ...]:
    """(before, after) for each axis, from one integer for all, one for each axis, or the pairs themselves."""
    if isinstance(value, (int, np.integer)):
        value = [value] * axes
    elif axes == 1 and isinstance(value, (tuple, list)) and len(value) == 2:
        value = [value]
    if not isinstance(value, (tuple, list)) or len(value) != axes:
        raise ArgumentError(f"{layer}: {word} is an integer or has an entry for each of {axes} axes; got {value!r}.")
    result = []
    for entry in value:
        both = (entry, entry) if isinstance(entry, (int, np.integer)) else entry
        if not isinstance(both, (tuple, list)) or len(both) != 2:
            raise ArgumentError(
                f"{layer}: {word} needs an integer or a pair (before, after) for an axis; got {entry!r}."
            )
        result.append((whole(layer, word, both[0], 0), whole(layer, word, both[1], 0)))
    return tuple(result)


def sizes(layer: str, word: str, value: Any, axes: int) -> tuple[int, ...]:
    """An integer of at least 1 for each axis, from one for all or a tuple of them."""
    entries = [value] * axes if isinstance(value, (int, np.integer)) else value
    if not isinstance(entries, (tuple, list)) or len(entries) != axes:
        raise ArgumentError(f"{layer}: {word} is an integer or has an entry for each of {axes} axes; got {value!r}.")
    return tuple(whole(layer, word, entry, 1) for entry in entries)


SPATIAL = {
    1: "batch, steps, channels",
    2: "batch, rows, columns, channels",
    3: "batch, depth, rows, columns, channels",
}
