"""What a loss is: a function of one value per sample, and how the values become one number."""

from collections.abc import Callable, Iterable
from typing import Any

from refnet import dtypes, ops
from refnet.annotations import TensorLike
from refnet.definition import broadcast_shapes
from refnet.errors import ArgumentError, told_by
from refnet.graph import Tensor
from refnet.naming import snake_case
from refnet.ops.arguments import as_dtype, converted, dtype_of, shape_of

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def same_rank(a: TensorLike, b: TensorLike, expand: bool = True) -> tuple[TensorLike, TensorLike]:
    """Two arrays whose ranks differ by a last axis of 1, brought to one rank.

    Args:
        expand: whether an array with one axis gets a second one; else the other loses its own.
    """
    for _ in range(2):
        a, b = b, a  # twice: whichever has the extra axis comes first once
        shape_a, shape_b = shape_of(a), shape_of(b)
        if len(shape_a) == len(shape_b) + 1 and shape_a[-1] == 1:
            if len(shape_b) == 1 and expand:
                b = ops.expand_dims(b, -1)
            else:
                a = ops.squeeze(a, -1)
    return a, b


def floats(name: str, y_true: TensorLike, y_pred: TensorLike, alike: bool = True) -> tuple[TensorLike, TensorLike]:
    """Targets and predictions in the predictions' floating dtype, of one rank.

    Args:
        name: of the loss, for messages.
        alike: whether their shapes have to fit element by element.
    Raises:
        ShapeError: shapes that do not.  DtypeError: what holds no numbers.
    """
    y_pred = converted(name, y_pred, "y_pred")
    if not dtypes.is_floating(dtype_of(y_pred)):
        y_pred = as_dtype(y_pred, dtypes.floatx())
    y_true, y_pred = same_rank(as_dtype(converted(name, y_true, "y_true"), dtype_of(y_pred)), y_pred)
    if alike:
        broadcast_shapes(name, shape_of(y_true), shape_of(y_pred))
    return y_true, y_pred


def apply_mask(sample_weight: TensorLike, mask: TensorLike, dtype: str, reduction: str | None) -> TensorLike:
    """The sample weights with a mask in them: 0 where it is False; None if there is neither.

    Where the reduction divides by the number of all values, those that count weigh so much more that it is a mean over them.
    """
    if mask is None:
        return sample_weight
    weight = as_dtype(converted("loss", mask, "mask"), dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        weight = ops.multiply(weight, ops.divide_no_nan(1.0, ops.mean(weight)))
    if sample_weight is None:
        return weight
    weight, given = same_rank(weight, as_dtype(converted("loss", sample_weight, "sample_weight"), dtype))
    return ops.multiply(given, weight)


def reduced(
    values: TensorLike, sample_weight: TensorLike, mask: TensorLike, reduction: str | None, dtype: str
) -> TensorLike:
    """Values, one for each sample (or each place), weighted and brought to one number as `reduction` says."""
    values = as_dtype(converted("loss", values, "values"), dtype)
    weight = apply_mask(sample_weight, mask, dtype, reduction)
    if weight is not None:
        values, weight = same_rank(values, as_dtype(converted("loss", weight, "sample_weight"), dtype))
        values = ops.multiply(values, weight)
    shape = shape_of(values)
    if reduction in (None, "none") or shape in ((), (0,)):
        return values
    if reduction == "sum":
        return ops.sum(values)
    if reduction == "mean_with_sample_weight" and weight is not None:
        return ops.divide_no_nan(ops.sum(values), ops.sum(weight))
    return ops.mean(values)


class Loss:
    """Base of losses: a subclass writes `call(y_true, y_pred)`, one value per sample.

    Args:
        name: as progress and history show it; the class's in snake case if None.
        reduction: "sum_over_batch_size" (the mean over all values; "mean" is the same), "sum", "mean_with_sample_weight"
            (divided by the sum of the weights), or "none".
        dtype: of the computation; floatx if None.
    Raises:
        ArgumentError: another reduction.
    Source: Keras 3 `losses.Loss`.

    >>> class Excess(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return ops.mean(ops.relu(ops.subtract(y_pred, y_true)), axis=-1)
    >>> Excess()([[1.0, 1.0]], [[0.0, 5.0]])
    array(2., dtype=float32)
    """

    keeps_integers = False  # whether integer targets stay integers: they are class numbers

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None):
        if reduction not in REDUCTIONS:
            raise ArgumentError(f"reduction is one of {', '.join(map(repr, REDUCTIONS))}; got {reduction!r}.")
        self.name = name or snake_case(type(self).__name__)
        self.reduction, self.dtype = reduction, dtypes.standardize(dtype)

    def call(self, y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
        """One value for each sample; written with ops."""
        raise NotImplementedError(f"{type(self).__name__} has no `call`")

    def mask(self, y_true: TensorLike, y_pred: TensorLike, values: TensorLike) -> TensorLike:
        """Which values count; None for all."""
        return None

    def __call__(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None, mask: TensorLike = None
    ) -> TensorLike:
        """The loss of a batch, reduced.

        Args:
            y_true, y_pred: targets and predictions, or lists or dicts of them.
            sample_weight: a factor for each value.
            mask: which values count; the mask that y_pred carries if None.
        """
        if mask is None and isinstance(y_pred, Tensor):
            mask = y_pred.mask
        y_true = self._prepared(y_true, "y_true", self.keeps_integers)
        y_pred = self._prepared(y_pred, "y_pred")
        with told_by(f"the loss {self.name}"):
            values = self.call(y_true, y_pred)
        if values is None:
            raise ArgumentError(
                f"the loss {self.name} gave None; it has to return one value for each sample, or their mean."
            )
        own = self.mask(y_true, y_pred, values)
        if own is not None:
            mask = own if mask is None else ops.logical_and(mask, own)
        return reduced(values, sample_weight, mask, self.reduction, self.dtype)

    def _prepared(self, x: Any, what: str, integers: bool = False) -> Any:
        if isinstance(x, dict):
            return {key: self._prepared(part, what, integers) for key, part in x.items()}
        if isinstance(x, (list, tuple)) and any(hasattr(part, "shape") for part in x):
            return type(x)(self._prepared(part, what, integers) for part in x)
        x = converted(self.name, x, what)
        return x if integers and dtypes.is_integer(dtype_of(x)) else as_dtype(x, self.dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; dtype where it is not floatx, since a subclass may not take it."""
        dtype = {} if self.dtype == dtypes.standardize(None) else {"dtype": self.dtype}
        return {"name": self.name, "reduction": self.reduction, **dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Loss":
        """A new loss from what get_config gave."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def show_arguments(thing: Any, arguments: dict[str, Any]) -> None:
    """Makes the arguments of a loss's or a metric's function attributes of it (`loss.from_logits`), to be read; no other loses its name."""
    vars(thing).update((word, value) for word, value in arguments.items() if not hasattr(thing, word))


class LossFunctionWrapper(Loss):
    """A function (y_true, y_pred) as a loss.

    Args:
        fn: gives one value for each sample. Labels or outputs get an axis of length 1, or lose it, where it is all that differs.
        reduction, name, dtype: see Loss; the function's name if None.
        arguments: further keywords, which go to the function.

    >>> from refnet import losses
    >>> LossFunctionWrapper(losses.huber, delta=2.0)([[0.0]], [[4.0]])
    array(6., dtype=float32)
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **arguments: Any,
    ):
        super().__init__(name or getattr(fn, "__name__", None), reduction, dtype)
        self.fn, self.arguments = fn, arguments
        show_arguments(self, arguments)
        self.keeps_integers = is_among(fn, CLASS_NUMBERS)

    def call(self, y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
        # labels (n,) beside outputs (n, 1) would make n by n differences
        if not any(isinstance(y, (list, tuple, dict)) for y in (y_true, y_pred)):
            y_true, y_pred = same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        from refnet.saving.serialization import function_config

        wraps = {"fn": function_config(self.fn)} if type(self) is LossFunctionWrapper else {}
        return {**super().get_config(), **wraps, **self.arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Loss":
        """A new loss from what get_config gave; the function may be a config."""
        from refnet.saving.serialization import restored

        return cls(**restored(config))


class NamedLoss(LossFunctionWrapper):
    """Base of the losses that are a function and nothing else.

    Args:
        reduction, name, dtype: see Loss.
    """

    function: Callable[..., Any]

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None):
        super().__init__(type(self).function, reduction, name, dtype)


CLASS_NUMBERS: set[Callable[..., Any]] = set()  # the functions whose targets are numbers of classes


def is_among(fn: Any, functions: Iterable[Callable[..., Any]]) -> bool:
    """Whether fn is one of our functions; a callable of the user's own need have no hash."""
    return any(fn is function for function in functions)
