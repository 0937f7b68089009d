"""Arrays of other packages, read as NumPy's."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import DtypeError, shown

INTERFACES = ("__array__", "__array_interface__", "__array_struct__")


def is_array_like(x: Any) -> bool:
    """Whether x offers its numbers by one of the protocols: NumPy's, or DLPack's. Lists and numbers do not."""
    return any(hasattr(type(x), name) or hasattr(x, name) for name in (*INTERFACES, "__dlpack__"))


def as_array(x: Any, what: str = "an argument") -> Array:
    """x as a NumPy array: the same memory where x is an array on the host whose dtype NumPy has, else a copy.

    Args:
        x: a NumPy array, a number or nested lists of them; or what has `__array__`, `__array_interface__` or `__dlpack__`: a
            PyTorch tensor on the CPU, a JAX array, a column of a table. A sparse matrix of SciPy is written out, zeros and all.
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
        return np.asarray(x)
    except (RuntimeError, TypeError, ValueError, BufferError) as error:
        if not foreign or isinstance(error, DtypeError):
            raise
        raise DtypeError(f"{what} cannot be read as a NumPy array: {shown(x)}. {error}") from error
