"""Names for annotations: what the definitions and the public functions pass around."""

from collections.abc import Iterable
from typing import Any, TypeAlias

Array: TypeAlias = Any  # a NumPy array; for proofs also an object array of exact or bound-carrying numbers
Number: TypeAlias = Any  # one element: a machine number, or anything that adds and multiplies like one
Tasks: TypeAlias = Iterable[tuple[int, ...]]  # the indices of the tasks a loop is asked to do
TensorLike: TypeAlias = Any  # an array, a number, a nested list, or a symbolic tensor
Shape: TypeAlias = tuple[Any, ...]  # ints; None where a dimension is open
