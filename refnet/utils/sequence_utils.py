"""Sequences of unequal lengths as one array."""

import operator
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, DtypeError, ShapeError, shown


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> Array:
    """Sequences cut and filled up to one length.

    Args:
        sequences: a list of sequences of numbers, or of arrays of one shape.
        maxlen: the length; that of the longest if None.
        dtype: of the result; "str" for words as long as the longest.
        padding: where `value` is put: "pre" (in front) or "post".
        truncating: where what is too long is cut: "pre" (in front) or "post".
        value: what fills up.
    Returns:
        (number of sequences, maxlen, ...).
    Raises:
        ArgumentError: padding or truncating, or what are no sequences.  ShapeError: elements of different shapes.
    Source: Keras 3 `utils.pad_sequences`.

    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
    array([[0, 1],
           [2, 3],
           [5, 6]], dtype=int32)
    """
    for word, given in (("padding", padding), ("truncating", truncating)):
        if given not in ("pre", "post"):
            raise ArgumentError(f"pad_sequences: {word} is 'pre' or 'post'; got {given!r}.")
    if not hasattr(sequences, "__len__"):
        raise ArgumentError(f"pad_sequences takes a list of sequences; got {shown(sequences)}.")
    for i, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise ArgumentError(f"pad_sequences takes a list of sequences; sequences[{i}] is {shown(sequence)}.")
    if maxlen is None:
        maxlen = max((len(sequence) for sequence in sequences), default=0)
    asked = maxlen
    try:
        maxlen = -1 if isinstance(maxlen, bool) else operator.index(maxlen)
    except TypeError:  # no whole number
        maxlen = -1
    if maxlen < 0:
        raise ArgumentError(f"pad_sequences: maxlen is an integer of at least 0, or None; got {asked!r}.")
    try:
        kind = np.dtype(dtype)
    except TypeError:
        raise ArgumentError(f"pad_sequences: dtype is one of NumPy's, such as 'int32'; got {dtype!r}.") from None
    if kind.kind in "US" and not kind.itemsize:  # as long as the longest word: NumPy would keep one letter of each
        kind = np.result_type(np.asarray(value, kind), *(_row(i, s, kind) for i, s in enumerate(sequences) if len(s)))
    if isinstance(value, str) and kind.kind not in "USO":
        raise ArgumentError(f"pad_sequences: value {value!r} is no {kind}; give dtype=object for strings.")
    shape = next((np.shape(sequence)[1:] for sequence in sequences if len(sequence)), ())
    try:
        padded = np.full((len(sequences), maxlen, *shape), value, kind)
    except (ValueError, TypeError, OverflowError):
        raise ArgumentError(f"pad_sequences: value {shown(value)} is no {kind}; give another value or dtype.") from None
    for i, sequence in enumerate(sequences):
        kept = sequence[max(len(sequence) - maxlen, 0) :] if truncating == "pre" else sequence[:maxlen]
        if not len(kept):
            continue
        row = _row(i, kept, kind)
        if row.shape[1:] != shape:
            raise ShapeError(
                f"pad_sequences: the elements of sequences[{i}] have shape {row.shape[1:]}, those before it {shape}."
            )
        where = slice(maxlen - len(row), None) if padding == "pre" else slice(len(row))
        padded[i, where] = row
    return padded


def _row(i: int, sequence: Any, kind: np.dtype[Any]) -> Array:
    """sequences[i] as an array."""
    try:
        return np.asarray(sequence, kind)
    except OverflowError:
        raise DtypeError(
            f"pad_sequences: sequences[{i}] holds a number that {kind} has no room for; give a wider dtype."
        ) from None
    except (ValueError, TypeError):
        nested = [part for part in sequence if isinstance(part, (list, tuple, np.ndarray))]
        if nested:
            raise ShapeError(
                f"pad_sequences: sequences[{i}] holds sequences, such as {nested[0]!r}, but not all of one length. "
                "Each of `sequences` is one sequence: pad the inner ones first."
            ) from None
        wrong = [part for part in sequence if not isinstance(part, (int, float, np.number))]
        raise DtypeError(
            f"pad_sequences: sequences[{i}] holds {(wrong or sequence)[0]!r}, which is no {kind}. Number words first (TextVectorization, "
            "StringLookup), or give dtype=object."
        ) from None
