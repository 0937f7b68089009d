"""Questions about tensors and dtypes."""

from typing import Any

from refnet import dtypes
from refnet.graph import Constant, Tensor, Variable, sorted_nodes
from refnet.structure import flatten


def is_keras_tensor(x: Any) -> bool:
    """Whether x is symbolic: an Input, or what a layer or an op gave of one.

    >>> from refnet import Input
    >>> is_keras_tensor(Input((3,))), is_keras_tensor([1.0])
    (True, False)
    """
    return isinstance(x, Tensor) and not isinstance(x, (Constant, Variable))


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype, however it is given; floatx for None.

    Raises:
        DtypeError: what is no dtype of refnet's.

    >>> import numpy as np
    >>> standardize_dtype(np.int32), standardize_dtype(None)
    ('int32', 'float32')
    """
    return dtypes.standardize(dtype)


def get_source_inputs(tensor: Any) -> list[Tensor]:
    """The Inputs that tensors are made from, each once.

    Args:
        tensor: a tensor, or a list or dict of them.

    >>> from refnet import Input
    >>> a, b = Input((3,), name="a"), Input((3,), name="b")
    >>> [x.name for x in get_source_inputs(a + b)]
    ['a', 'b']
    """
    tensors = [x for x in flatten(tensor) if isinstance(x, Tensor)]
    read = [x for node in sorted_nodes(tensors) for x in node.inputs]
    return list(
        dict.fromkeys(x for x in [*read, *tensors] if x.node is None and is_keras_tensor(x) and x.origin is not None)
    )
