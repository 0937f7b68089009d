"""Arrays of other packages, read as NumPy's."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.dtypes import of_numbers
from refnet.errors import ArgumentError, DtypeError, ShapeError, shown

INTERFACES = ("__array__", "__array_interface__", "__array_struct__")
PAD = " utils.pad_sequences brings sequences to one length."


def is_array_like(x: Any) -> bool:
    """Whether x offers its numbers by one of the protocols: NumPy's, or DLPack's. Lists and numbers do not."""
    return any(hasattr(type(x), name) or hasattr(x, name) for name in (*INTERFACES, "__dlpack__"))


TRACED = (
    "A function that JAX or TensorFlow traces cannot call refnet. refnet.grad, value_and_grad and jit stand for those of jax; the data sets "
    "of refnet.utils have a map of their own. "
)


def as_array(x: Any, what: str = "an argument") -> Array:
    """x as a NumPy array: the same memory where x is an array on the host whose dtype NumPy has, else a copy.

    Args:
        x: a NumPy array, a number or nested lists of them; or what has `__array__`, `__array_interface__` or `__dlpack__`: a
            PyTorch tensor on the CPU, a JAX array, a table of numbers or a column of one. A sparse matrix of SciPy is written out,
            zeros and all.
        what: as messages name it.
    Raises:
        DtypeError: an array of another package that NumPy cannot read: on a device, part of a graph, or of a dtype it lacks.

    >>> as_array(memoryview(b"ab"))
    array([97, 98], dtype=uint8)
    """
    if type(x) is np.ndarray:
        return x
    if hasattr(x, "toarray") and hasattr(x, "nnz"):
        return np.asarray(x.toarray())
    foreign = is_array_like(x)
    try:
        if foreign and not any(hasattr(x, name) for name in INTERFACES):
            return np.from_dlpack(x)
        array = np.asarray(x)
        return array if array.dtype != object else _of_columns(x, array)
    except (RuntimeError, TypeError, ValueError, BufferError) as error:
        if not foreign or isinstance(error, DtypeError):
            raise
        traced = type(x).__name__.endswith("Tracer") or "symbolic" in str(error).lower()
        raise DtypeError(
            f"{what} cannot be read as a NumPy array: {shown(x)}. {TRACED if traced else ''}{error}"
        ) from error


def _of_columns(table: Any, array: Array) -> Array:
    """The numbers of a table whose columns have several dtypes (floats beside bools), in the dtype that holds all. NumPy makes objects
    of them, and they stay that where a column holds something else."""
    names = getattr(table, "columns", ()) if hasattr(table, "__getitem__") else ()
    by_place = getattr(table, "iloc", None)  # two columns of pandas may have one name
    if array.ndim != 2 or len(names) != array.shape[1] or (by_place is None and len(set(names)) != len(names)):
        return array
    columns = [np.asarray(table[name] if by_place is None else by_place[:, i]) for i, name in enumerate(names)]
    return np.stack(columns, axis=1) if all(c.dtype.kind in "biuf" for c in columns) else array


def no_numbers(value: Any, array: Array) -> str:
    """What an array holds in place of numbers, and what to do."""
    if isinstance(value, str) or callable(value):
        call = f" Call it: {value.__name__}()." if hasattr(value, "__name__") else ""
        return f"{shown(value)}.{call}"
    kind = f"an array of dtype {array.dtype}"
    if array.dtype.kind in "US":
        return f"{kind}. Of class names, np.unique(names, return_inverse=True)[1] makes numbers; of texts, layers.TextVectorization."
    if array.dtype != object:
        return f"{kind}. Turn it into floats or integers first."
    if any(isinstance(row, (list, tuple, np.ndarray)) for row in array.ravel()[:10]):
        return f"{kind}, whose elements are sequences.{PAD}"
    for place, part in np.ndenumerate(array):
        if not isinstance(part, (bool, int, float, np.number, np.bool_)):
            columns = getattr(value, "columns", None)
            where = f", in the column {columns[place[-1]]!r}" if columns is not None and array.ndim == 2 else ""
            return f"{kind}: the element {list(place)} is {part!r}{where}. Turn strings and objects into numbers first."
    return f"{kind}, whose elements are numbers all the same: astype('float32') makes floats of them."


def values_for(variables: Sequence[Any], values: Iterable[Any], what: str, order: str, hint: str = "") -> list[Array]:
    """Arrays that variables may be set to, one after the other: whoever sets them in turn is not stopped halfway.

    Args:
        variables: what is to be set.
        values: an array for each.
        what: as messages name the call.  order: as they name the variables' order.  hint: what follows a wrong number of arrays.
    Raises:
        ArgumentError: another number of arrays, or none of numbers.  ShapeError: an array of another shape.
    """
    try:
        arrays = [as_array(value, f"{what}: an array") for value in values]
    except DtypeError:
        raise
    except (TypeError, ValueError):  # no iterable, or rows of different lengths
        raise ArgumentError(f"{what} takes a list of arrays, in the order of {order}; got {values!r}.") from None
    if len(arrays) != len(variables):
        needs = ", ".join(f"{v.name} {v.shape}" for v in variables) or "none"
        raise ArgumentError(f"{what} needs {len(variables)} arrays ({needs}); got {len(arrays)}.{hint}")
    for variable, array in zip(variables, arrays):
        if array.shape != variable.shape:
            raise ShapeError(
                f"{what}: {variable.name} has shape {variable.shape}; got an array of shape {array.shape}."
            )
        if not of_numbers(array.dtype):
            raise ArgumentError(f"{what}: {variable.name} needs numbers; got dtype {array.dtype}.")
    return arrays


def read_once(array: Array) -> Array:
    """The array without the repetitions of numbers that stand for a whole axis: as it is, it may be larger than anybody could read.

    >>> read_once(np.broadcast_to(np.array([[1], [7]]), (2, 2**40)))
    array([[1],
           [7]])
    """
    return np.asarray(array[tuple(slice(1) if stride == 0 else slice(None) for stride in array.strides)])
