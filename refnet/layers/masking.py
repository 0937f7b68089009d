"""Masking: steps of nothing but one value count as empty."""

from typing import Any

import numpy as np

from refnet import ops
from refnet.errors import ArgumentError
from refnet.layers.base import Layer


class Masking(Layer):
    """Marks the steps whose features all equal a value: the layers behind take them as empty. They are set to 0.

        mask[n, t] = any over f of  x[n, t, f] != mask_value

    Args:
        mask_value: what an empty step is filled with.

    >>> import numpy as np
    >>> Masking()(np.array([[[1.0], [0.0], [2.0]]], "float32"))[0, :, 0]
    array([1., 0., 2.], dtype=float32)
    >>> Masking().compute_mask(np.array([[[1.0], [0.0], [2.0]]], "float32"))
    array([[ True, False,  True]])
    """

    one_tensor = True

    supports_masking = True

    def __init__(self, mask_value: Any = 0.0, **more: Any):
        super().__init__(**more)
        if isinstance(mask_value, bool) or not isinstance(mask_value, (int, float, np.number)):
            raise ArgumentError(f"{self.name}: mask_value must be a number; got {mask_value!r}.")
        self.mask_value, self.built = mask_value, True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Any:
        full = ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return ops.multiply(inputs, ops.cast(full, inputs.dtype))
