"""What a layer says about its inputs, checked when it is called."""

from typing import Any

from refnet import dtypes
from refnet.annotations import Shape
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.graph import Tensor
from refnet.structure import flatten


class InputSpec:
    """What an input of a layer must be like; a layer's `input_spec` is one, or a list with one for each input.

    Args:
        dtype: its dtype.
        shape: its shape, None where a length is free.
        ndim, max_ndim, min_ndim: its number of axes, the largest, the smallest.
        axes: {axis: length}.
        allow_last_axis_squeeze: whether a last axis of 1 may be missing, or be there without need.
        name: a name for it.
        optional: whether None may stand in its place.
    Source: Keras 3 `layers.InputSpec`.

    >>> InputSpec(ndim=3, axes={-1: 4})
    InputSpec(ndim=3, axes={-1: 4})
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ):
        self.dtype = None if dtype is None else dtypes.standardize(dtype)
        self.shape: Shape | None = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim, self.name, self.optional = max_ndim, min_ndim, name, optional
        if axes is not None and not isinstance(axes, dict):
            raise ArgumentError(f"InputSpec: axes is a dict {{axis: length}}; got {axes!r}.")
        self.axes = {int(axis): length for axis, length in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze

    def __repr__(self) -> str:
        words = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        told = [f"{word}={getattr(self, word)!r}" for word in words if getattr(self, word) not in (None, {})]
        return f"InputSpec({', '.join(told)})"

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        words = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        return {word: getattr(self, word) for word in words}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "InputSpec":
        """An InputSpec from what get_config gave."""
        return cls(**config)


def check_inputs(layer: Any, given: Any) -> None:
    """Raises ArgumentError, ShapeError or DtypeError unless the inputs are as the layer's `input_spec` says."""
    specs, tensors = flatten(layer.input_spec), flatten(given)
    if len(specs) != len(tensors):
        raise ArgumentError(f"{layer.name} takes {len(specs)} inputs; got {len(tensors)}.")
    for number, (spec, x) in enumerate(zip(specs, tensors)):
        if not isinstance(spec, InputSpec):
            continue
        what = f"input {spec.name or number} of {layer.name}" if len(specs) > 1 else f"the input of {layer.name}"
        if x is None and spec.optional:
            continue
        if not isinstance(x, Tensor):
            raise ArgumentError(f"{what} must be a tensor; got {x!r}.")
        _check(spec, x, what)


def _check(spec: InputSpec, x: Tensor, what: str) -> None:
    shape = x.shape
    if spec.allow_last_axis_squeeze and spec.shape:
        if len(shape) == len(spec.shape) + 1 and shape[-1] == 1:
            shape = shape[:-1]
        elif len(shape) + 1 == len(spec.shape) and spec.shape[-1] == 1:
            shape = (*shape, 1)
    for wanted, word, holds in (
        (spec.ndim, "", len(shape) == spec.ndim),
        (spec.max_ndim, "at most ", len(shape) <= (spec.max_ndim or 0)),
        (spec.min_ndim, "at least ", len(shape) >= (spec.min_ndim or 0)),
    ):
        if wanted is not None and not holds:
            raise ShapeError(f"{what} must have {word}{wanted} axes, the batch counted; got shape {tuple(shape)}.")
    if spec.dtype is not None and x.dtype != spec.dtype:
        raise DtypeError(f"{what} must have dtype {spec.dtype}; got {x.dtype}.")
    lengths = {**dict(enumerate(spec.shape or ())), **spec.axes}
    for axis, length in lengths.items():
        if not -len(shape) <= axis < len(shape):
            raise ShapeError(f"{what} must have an axis {axis}; got shape {tuple(shape)}.")
        if length is not None and shape[axis] not in (length, None):
            raise ShapeError(f"{what} must have length {length} along axis {axis}; got shape {tuple(shape)}.")
