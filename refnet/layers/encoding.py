"""Class numbers as rows: what several layers do with the numbers they find."""

import math
from typing import Any

from refnet import dtypes, ops
from refnet.errors import ArgumentError, ShapeError, did_you_mean
from refnet.layers.base import Layer

MODES = ("int", "one_hot", "multi_hot", "count")


def output_mode_of(layer: str, given: Any, known: tuple[str, ...] = MODES) -> str:
    """The output mode; "binary" is an old name of "multi_hot", "tf-idf" of "tf_idf"."""
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(given, given)
    if mode not in known:
        raise ArgumentError(f"{layer}: unknown output_mode {given!r}.{did_you_mean(given, known)}")
    return str(mode)


def no_sparse(layer: str, sparse: Any) -> None:
    if sparse:
        raise ArgumentError(f"{layer}: sparse must be False; there are no sparse tensors here.")


def encoded(numbers: Any, mode: str, depth: int, dtype: Any, weights: Any = None) -> Any:
    """Numbers 0..depth-1 as the mode says; numbers outside are left out.

        int: themselves
        one_hot: a row for each, with a 1 at its place; a last axis of 1 is dropped first
        multi_hot: a row for each sample (last axis), with a 1 at the place of each of its numbers
        count: the same, with how often each occurs, or the sum of its weights

    Args:
        numbers: integers of any shape.
        depth: the length of a row.
        weights: of "count", of the numbers' shape.
    """
    if mode == "int":
        return ops.cast(numbers, dtype)
    rank = len(numbers.shape)
    if mode == "one_hot":
        numbers = ops.squeeze(numbers, -1) if rank > 1 and numbers.shape[-1] == 1 else numbers
        return ops.one_hot(numbers, depth, dtype=dtype)
    if rank == 0:
        numbers, weights = ops.reshape(numbers, (1,)), None if weights is None else ops.reshape(weights, (1,))
    if mode == "count":
        return _counts(numbers, depth, dtype, weights)
    wide = dtype if dtypes.is_floating(dtype) else "int32"  # 256 of a kind are 0 in uint8
    return ops.cast(ops.minimum(_counts(numbers, depth, wide, None), ops.ones((), wide)), dtype)


def _counts(numbers: Any, depth: int, dtype: Any, weights: Any) -> Any:
    """For each row of numbers (last axis) how often each occurs. Counted, not added up from rows of `one_hot`: of texts with a large
    vocabulary these would take a thousand times the result."""
    if numbers.dtype not in ("int32", "int64"):  # others may not reach the depth
        numbers = ops.cast(numbers, "int64")
    inside = ops.logical_and(ops.greater_equal(numbers, 0), ops.less(numbers, depth))
    places = ops.where(inside, numbers, ops.zeros((), numbers.dtype))
    amounts = ops.cast(inside, dtype)
    if weights is not None:
        amounts = ops.where(inside, ops.cast(weights, dtype), ops.zeros((), dtype))
    lead = ops.shape(numbers)[:-1]
    if len(lead) > 1:
        places, amounts = _as_rows(places), _as_rows(amounts)
    counts = ops.cast(ops.bincount(places, amounts, depth), dtype)
    return ops.reshape(counts, (*lead, depth)) if len(lead) > 1 else counts


def _as_rows(x: Any) -> Any:
    """(..., words) as (rows, words)."""
    *lead, words = ops.shape(x)
    open_rows = None in x.shape[:-1] and x.shape[-1] not in (None, 0)
    return ops.reshape(x, (-1 if open_rows else math.prod(lead), words))


class CategoryEncoding(Layer):
    """Class numbers as rows of zeros and ones, or of counts.

    Args:
        num_tokens: classes are numbered 0..num_tokens-1.
        output_mode: "multi_hot" (a row for each sample), "one_hot" (a row for each number) or "count".
        sparse: must be False.
    The call takes, with "count", `count_weights` of the inputs' shape.

    >>> CategoryEncoding(3, output_mode="multi_hot")(np.array([[0, 2]]))
    array([[1., 0., 1.]], dtype=float32)
    """

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **more: Any
    ):
        super().__init__(**more)
        if num_tokens is None or isinstance(num_tokens, bool) or int(num_tokens) != num_tokens or num_tokens < 1:
            raise ArgumentError(
                f"{self.name}: num_tokens must be an integer of at least 1; got {num_tokens!r}. "
                "If the classes are not known beforehand, use IntegerLookup."
            )
        no_sparse(self.name, sparse)
        self.num_tokens, self.sparse = int(num_tokens), sparse
        self.output_mode = output_mode_of(self.name, output_mode, ("multi_hot", "one_hot", "count"))
        self.built = True

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        if count_weights is not None and self.output_mode != "count":
            raise ArgumentError(f"{self.name}: count_weights goes with output_mode='count'.")
        if count_weights is not None and len(count_weights.shape) != len(inputs.shape):
            raise ShapeError(
                f"{self.name}: count_weights has shape {count_weights.shape}, the inputs {inputs.shape}; they must be alike."
            )
        numbers = inputs if dtypes.is_integer(inputs.dtype) else ops.cast(inputs, "int32")
        return encoded(numbers, self.output_mode, self.num_tokens, self.compute_dtype, count_weights)
