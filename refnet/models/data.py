"""The user's arrays: checked before anything changes, then brought to the shape and dtype that a program is fed."""

import ast
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from refnet import dtypes, losses
from refnet.annotations import Array, Shape
from refnet.arrays import PAD, as_array, no_numbers
from refnet.errors import ArgumentError, DataError, DtypeError, ShapeError, calls_below_the_user, shown
from refnet.graph import Tensor
from refnet.structure import flatten, keys, mapped, places


def arrays_of(
    value: Any, names: list[str] | None, what: str, method: str, every: list[str] | None = None
) -> dict[str, Array]:
    """The arrays of x, y or sample_weight by label ('x', or 'x[0]', 'x["image"]' where there are several).

    Args:
        value: an array, a list or tuple of arrays, or a dict of them by name. Inputs that the model has not are left out of a dict, as
            where the model is called: tables have columns that one model reads and another does not.
        names: those of the arrays that a dict has to have, in order; None if not known.
        what: 'x', 'y' or 'sample_weight'.
        method: as messages name it.
        every: the names that a dict may have, for messages, if there are more than `names`.
    """
    if isinstance(value, dict):
        order = names if names is not None else keys(value)
        missing, strange = [n for n in order if n not in value], [n for n in value if n not in order]
        if missing or (strange and what != "x"):
            lacks = f" Missing: {', '.join(map(repr, missing))}." if missing else ""
            beyond = f" Unknown: {', '.join(map(repr, strange))}." if strange and what != "x" else ""
            raise ArgumentError(
                f"{method}: {what} is a dict with the keys {list(value)}; the model's names are {every or order}.{lacks}{beyond}"
            )
        return {f"{what}[{name!r}]": _array(value[name], f"{what}[{name!r}]", method) for name in order}
    if _is_several(value):
        if len(value) == 1:
            return {what: _array(value[0], what, method)}
        return {f"{what}[{i}]": _array(part, f"{what}[{i}]", method) for i, part in enumerate(value)}
    return {what: _array(value, what, method)}


def unnested(value: Any, structure: Any, method: str) -> Any:
    """The arrays for inputs, which may be in lists and dicts inside of each other, as one list.

    Args:
        structure: the model's inputs.
    Raises:
        ArgumentError: arrays that are put together otherwise; or one for each sample of a single input.
    """
    if isinstance(structure, Tensor):
        if _is_several(value) and len(value) > 1 and {np.ndim(part) + 1 for part in value} == {len(structure.shape)}:
            raise ArgumentError(
                f"{method}: x is a list of {len(value)} arrays of shape {np.shape(value[0])}, one for each sample; np.stack(x) makes one "
                "array of them. A list of arrays is one array for each input, and the model has one input."
            )
        return value
    inner = structure.values() if isinstance(structure, dict) else structure
    by_name = isinstance(value, dict) and not isinstance(structure, dict)
    if by_name or not isinstance(value, (dict, list, tuple)) or all(isinstance(part, Tensor) for part in inner):
        return value
    whole = not isinstance(value, dict) and len(value) == len(flatten(structure))  # one for each input, side by side
    if whole and (len(value) != len(inner) or all(hasattr(part, "shape") for part in value)):
        return value
    return list(_leaves(value, structure, structure, method))


def _leaves(value: Any, structure: Any, whole: Any, method: str) -> Iterator[Any]:
    at = places(structure)
    if at is None:
        yield value
        return
    if isinstance(value, dict) and isinstance(structure, dict):
        fits = set(at) <= set(value)  # what it has beyond is not read
    else:
        fits = isinstance(value, (list, tuple)) and not isinstance(structure, dict) and len(value) == len(at)
    if not fits:
        shapes = mapped(lambda x: x.shape, whole)
        raise ArgumentError(
            f"{method}: x must be nested as the model's inputs are: {shapes}; got, for a part of it, {mapped(shown, value)}."
        )
    for place in at:
        yield from _leaves(value[place], structure[place], whole, method)


def arranged(labels: list[str], leaves: list[Any]) -> Any:
    """Leaves put together as the arrays were given, which the labels of `arrays_of` say: one alone, a list, or a dict by name."""
    if len(labels) != len(leaves) or "[" not in labels[0]:
        return leaves[0] if len(leaves) == 1 else leaves
    places = [ast.literal_eval(label[label.index("[") + 1 : -1]) for label in labels]
    return dict(zip(places, leaves)) if isinstance(places[0], str) else list(leaves)


def _is_several(value: Any) -> bool:
    """Whether a list or tuple holds arrays, one per input, and is not itself the rows of one."""
    if not isinstance(value, (list, tuple)):
        return False
    return any(hasattr(part, "shape") for part in value) and all(np.ndim(part) > 0 for part in value)


def _array(value: Any, label: str, method: str) -> Array:
    if isinstance(value, Tensor) or hasattr(value, "__next__") or value is None:
        kind = "None" if value is None else f"a {type(value).__name__}"
        raise ArgumentError(f"{method}: {label} must be an array with one row per sample; got {kind}.")
    try:
        array = as_array(value, f"{method}: {label}")
    except ValueError:
        raise ShapeError(f"{method}: {label} must be an array; its rows have different lengths.{PAD}") from None
    if not dtypes.of_numbers(array.dtype):
        raise DtypeError(f"{method}: {label} must hold numbers; got {no_numbers(value, array)}")
    if array.ndim == 0:
        raise ShapeError(
            f"{method}: {label} must have one row per sample; got a single number. One sample is a batch of one, x[None]; a data set "
            "that gives single samples is batched first."
        )
    return array


def check_lengths(arrays: dict[str, Array], method: str) -> int:
    """The number of samples. Raises unless all arrays have the same, and at least one."""
    (first, array), *others = arrays.items()
    for label, other in others:
        if len(other) != len(array):
            raise ShapeError(
                f"{method}: {first} has {len(array)} samples (shape {array.shape}), {label} has {len(other)} "
                f"(shape {other.shape}); they must have the same number."
            )
    if len(array) == 0:
        raise ArgumentError(f"{method}: {first} holds no samples (shape {array.shape}).")
    return len(array)


def check_fixed_batch(graph: Any, samples: int, size: int, method: str) -> None:
    """Raises ShapeError if an input has a fixed batch size (a layer keeps a state for each sample) and a batch would have another."""
    for tensor in [] if graph is None else graph.inputs:
        fixed = tensor.shape[0] if tensor.shape else None
        if fixed is not None and (min(size, samples) != fixed or samples % fixed):
            raise ShapeError(
                f"{method}: {tensor.name} takes batches of exactly {fixed} samples; got {samples} samples in batches of {size}. "
                f"Give batch_size={fixed} and a multiple of {fixed} samples."
            )


def check_sample_weight(array: Array, loss: losses.Loss | None, output: Tensor, name: str, method: str) -> None:
    """Raises unless there is a weight for each value that a loss of ours has, one per sample."""
    sparse = losses.sparse_categorical_crossentropy
    if loss is None or not losses.is_among(getattr(loss, "fn", None), (*losses.OUTPUT_SHAPED, sparse)):
        return
    axis = getattr(loss, "arguments", {}).get("axis", -1) % len(output.shape)
    values = output.shape[:axis] + output.shape[axis + 1 :]
    shape = array.shape[:-1] if array.ndim == len(values) + 1 and array.shape[-1] == 1 else array.shape
    if len(shape) != len(values) or any(d not in (1, v) and v is not None for d, v in zip(shape, values)):
        raise ShapeError(
            f"{method}: sample_weight has shape {array.shape}; the loss of {name} has one value per sample, "
            f"shape {values}, and its weights must fit them."
        )


def warn_of_strange_numbers(arrays: dict[str, Array], method: str) -> None:
    """One warning for the first NaN or infinity, naming its place."""
    for label, array in arrays.items():
        if array.dtype.kind != "f":
            continue
        with np.errstate(all="ignore"):
            if np.isfinite(np.sum(array, dtype=np.float64)):
                continue
        strange = np.argwhere(~np.isfinite(array))
        if len(strange):
            place = ", ".join(str(i) for i in strange[0])
            value = array[tuple(strange[0])]
            warnings.warn(
                f"{method}: {label}[{place}] is {value}, the first of {len(strange)} values that are not finite. "
                + (
                    "Predictions will be nan or infinite"
                    if method == "predict"
                    else "Losses and weights will turn into nan"
                )
                + " where they are used.",
                stacklevel=calls_below_the_user(),
            )
            return


def fed(array: Array, tensor: Tensor, who: str, label: str, method: str) -> Array:
    """The array as the input `tensor` takes it: a last axis of 1 put in or dropped, cast, row-major."""
    wanted, given = tensor.shape, array.shape
    if len(wanted) == array.ndim + 1 and wanted[-1] == 1:
        array = array[..., None]
    elif len(wanted) == array.ndim - 1 and array.shape[-1] == 1:
        array = array[..., 0]
    if len(wanted) != array.ndim or any(w not in (None, d) for w, d in zip(wanted[1:], array.shape[1:])):
        raise ShapeError(
            f"{method}: {who} expects inputs of shape {wanted}, got {label} of shape {given}.{_advice(given, wanted, label)}"
        )
    advice = f"An Input(..., dtype='int64') takes whole numbers up to {np.iinfo(np.int64).max}."
    return _cast(array, tensor.dtype, label, method, advice)


def _cast(array: Array, dtype: str, label: str, method: str, advice: str) -> Array:
    """The array in a dtype, row-major. Raises DataError for a number that an integer dtype does not reach: it would wrap round."""
    wanted = dtypes.as_numpy(dtype)
    if wanted.kind in "iu" and array.size and not np.can_cast(array.dtype, wanted):
        least, most = np.iinfo(wanted).min, np.iinfo(wanted).max
        # The cast cuts fractions off. In this form nan is outside, too.
        if not (least - 1 < array.min().item() and array.max().item() < most + 1):
            place, value = next((p, x) for p, x in np.ndenumerate(array) if not least - 1 < x.item() < most + 1)
            raise DataError(
                f"{method}: {label}[{', '.join(map(str, place))}] is {value}; {dtype} holds whole numbers in {least}..{most}. {advice}"
            )
    return np.ascontiguousarray(array, wanted)


def _advice(given: Shape, wanted: Shape, label: str) -> str:
    """What may have been forgotten: a batch axis, or reshape."""
    if len(wanted) == len(given) + 1 and _fits(given, wanted[1:]):
        return f" One sample is a batch of one: {label}[None]."
    if None not in wanted[1:] and len(given) > 1 and np.prod(given[1:]) == np.prod(wanted[1:]):
        return f" {label}.reshape({', '.join(str(d) for d in (given[0], *wanted[1:]))}) has it."
    return ""


def _fits(given: Shape, wanted: Shape) -> bool:
    return all(w in (None, d) for w, d in zip(wanted, given))


def target_of(array: Array, loss: losses.Loss | None, label: str, method: str) -> Array:
    """A target as a program takes it: class numbers as int32, everything else as floats."""
    numbers = losses.is_among(getattr(loss, "fn", None), losses.CLASS_NUMBERS)
    dtype = "int32" if numbers or (loss is None and array.dtype.kind in "iu") else dtypes.floatx()
    return _cast(array, dtype, label, method, "Larger ones can be given as floats, astype('float64').")


def check_target(array: Array, loss: losses.Loss | None, output: Tensor, label: str, method: str) -> None:
    """Raises unless a target fits the output and holds what the loss can take. Losses of the user's own are not checked."""
    function = getattr(loss, "fn", None)
    if loss is None:
        return
    arguments = getattr(loss, "arguments", {})
    axis = arguments.get("axis", -1)
    if losses.is_among(
        function, (losses.sparse_categorical_crossentropy, losses.categorical_generalized_cross_entropy)
    ):
        _check_classes(array, loss.name, output.shape, axis, label, method, arguments.get("ignore_class"))
    if not losses.is_among(function, losses.OUTPUT_SHAPED):
        return
    extra = array.ndim == len(output.shape) + 1 and array.shape[-1] == 1
    if not extra and not _same(array.shape, output.shape) and not _same((*array.shape, 1), output.shape):
        raise ShapeError(
            f"{method}: {loss.name} needs targets of the output's shape {output.shape}; got {label} of shape "
            f"{array.shape}.{_what_to_do(function, array.shape, output.shape)}"
        )
    if function is losses.binary_crossentropy and array.dtype.kind in "iu":
        _check_binary(array, loss.name, label, method)
    if function is losses.categorical_crossentropy:
        rows = array if array.ndim >= len(output.shape) else array[..., np.newaxis]
        _check_rows(rows, loss.name, axis, label, method, single=output.shape[axis] == 1)


def _what_to_do(function: Any, given: Shape, output: Shape) -> str:
    """Advice where a target has another shape than the output: the usual mistakes."""
    if _same(given, output[:-1]) and function is losses.categorical_crossentropy:
        return " For class numbers use sparse_categorical_crossentropy, or utils.to_categorical."
    if _same(given, output[:-1]) and function is losses.binary_crossentropy:
        return " Class numbers of one class in several go to sparse_categorical_crossentropy, with a softmax."
    if len(output) > 2 and len(given) < len(output):
        return (
            " The output has a row for each place or step: a Flatten or global pooling layer before the last Dense, or "
            "return_sequences=False in the last recurrent layer, makes one row of a sample."
        )
    if function is losses.binary_crossentropy and len(given) == len(output) == 2 and output[-1] == 1:
        return (
            " One-hot rows go to categorical_crossentropy, with as many outputs; one output needs one number 0 or 1 "
            "(class_mode='binary' from a directory)."
        )
    return ""


def _same(a: Shape, b: Shape) -> bool:
    return len(a) == len(b) and all(q is None or p == q for p, q in zip(a[1:], b[1:]))


def _check_classes(
    array: Array, loss: str, output: Shape, axis: int, label: str, method: str, ignored: int | None = None
) -> None:
    rest = tuple(d for i, d in enumerate(output) if i != axis % len(output))
    if not _same(array.shape, rest) and not (_same(array.shape[:-1], rest) and array.shape[-1] == 1):
        hint = " One-hot rows go to categorical_crossentropy." if _same(array.shape, output) else ""
        raise ShapeError(
            f"{method}: {loss} needs one class number per sample, shape {rest}; got {label} of shape {array.shape}."
            f"{hint or _what_to_do(None, array.shape, output)}"
        )
    classes = output[axis]
    if classes is None:
        return
    if ignored is not None:
        array = np.where(array == ignored, 0, array)
    strange = (array < 0) | (array >= classes) | (array != np.floor(array)) if array.dtype.kind == "f" else None
    if strange is None:
        if array.dtype.kind == "b" or (array.min() >= 0 and array.max() < classes):
            return
        strange = (array < 0) | (array >= classes)
    where = np.argwhere(strange)
    if len(where):
        place = ", ".join(str(i) for i in where[0])
        raise DataError(
            f"{method}: labels must be whole numbers in 0..{classes - 1} for {classes} classes; "
            f"{label}[{place}] is {array[tuple(where[0])]}."
        )


def _check_binary(array: Array, loss: str, label: str, method: str) -> None:
    """Of whole numbers only: floats a little outside 0..1 are labels with noise, a known trick."""
    where = np.argwhere((array < 0) | (array > 1))
    if len(where):
        place = ", ".join(str(i) for i in where[0])
        raise DataError(
            f"{method}: {loss} needs labels 0 and 1 (or probabilities); {label}[{place}] is {array[tuple(where[0])]}."
        )


def _check_rows(array: Array, loss: str, axis: int, label: str, method: str, single: bool = False) -> None:
    """Raises where a row has entries that are no probabilities; warns where its sum is not 1, which the loss can take."""
    total = array.sum(axis=axis, dtype=np.float64)
    outside = ((array < 0) | (array > 1)).any(axis=axis) if array.dtype.kind != "b" else np.zeros(total.shape, bool)
    where = np.argwhere((abs(total - 1) > 1e-3) | outside)
    if not len(where):
        return
    place = tuple(np.argwhere(outside)[0] if outside.any() else where[0])
    row = np.moveaxis(array, axis, -1)[place]
    shown = np.array2string(row, threshold=10, edgeitems=4, precision=4)
    hint = " The model has one output: binary_crossentropy takes 0 and 1 for it." if single else ""
    said = (
        f"{loss} needs one-hot targets (or probabilities): every row in 0..1 with the sum 1; "
        f"{label}[{', '.join(map(str, place))}] is {shown}, its sum {total[place]:.4g}.{hint}"
    )
    if outside.any() or single:
        raise DataError(f"{method}: {said}")
    warnings.warn(f"{method}: {said} Other rows weigh as much as their sum.", stacklevel=calls_below_the_user())


def class_weights(class_weight: dict[float, float], y: Array, method: str) -> Array:
    """One weight per sample, by its class: of a number, rounded, or of the largest entry of a row; 1 for a class without an entry."""
    if not isinstance(class_weight, dict):
        raise ArgumentError(f"{method}: class_weight is a dict {{class: weight}}; got {shown(class_weight)}.")
    for entry in class_weight.items():
        if not all(np.ndim(part) == 0 and np.asarray(part).dtype.kind in "biuf" for part in entry):
            raise ArgumentError(
                f"{method}: class_weight has the entry {{{entry[0]!r}: {entry[1]!r}}}; a class and its weight are numbers."
            )
    labels = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y), -1)[:, 0]
    if y.ndim > 2:
        raise ShapeError(f"{method}: class_weight needs one class per sample; y has shape {y.shape}.")
    kinds, places = np.unique(np.rint(labels), return_inverse=True)
    return np.array([class_weight.get(float(kind), 1.0) for kind in kinds], np.float32)[places]


def split(arrays: dict[str, Array], share: float, method: str) -> tuple[dict[str, Array], dict[str, Array]]:
    """The first and the last part of every array; the last holds `share` of the samples."""
    count = len(next(iter(arrays.values())))
    at = int(np.floor(count * (1 - share)))
    if at == 0 or at == count:
        raise ArgumentError(
            f"{method}: validation_split={share} of {count} samples leaves {at} for training and {count - at} for validation; "
            "both need at least one."
        )
    return {k: a[:at] for k, a in arrays.items()}, {k: a[at:] for k, a in arrays.items()}
