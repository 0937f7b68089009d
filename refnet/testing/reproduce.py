"""A failing call as code that can be pasted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.definition import Op
from refnet.engine import Engine

LONGEST = 4000  # elements; larger arrays are described instead


def reproduction(op: Op, engine: Engine, arrays: Sequence[Array], attributes: dict[str, Any]) -> str:
    """The check as a few lines of Python."""
    package = "refnet" if engine.name == "reference" else "refnet_fast"
    return "\n".join(
        [
            "    import numpy as np",
            f"    import {package}",
            "    from numpy import array, inf, nan",
            "    from refnet.testing import check",
            f"    check({op.name!r}, {engine.name!r}, [{', '.join(array_text(a) for a in arrays)}], {attributes!r})",
        ]
    )


def array_text(a: Array) -> str:
    """The array as an expression, to the last bit."""
    if a.size > LONGEST:
        return f"<{a.dtype.name} array of shape {a.shape}>"
    values = a.tolist() if a.dtype.name != "bfloat16" else a.astype(np.float32).tolist()
    dtype = repr(a.dtype.name) if a.dtype.name != "bfloat16" else "__import__('ml_dtypes').bfloat16"
    if a.size == 0:
        return f"np.empty({a.shape}, {dtype})"
    text = f"array({values!r}, {dtype})"
    if a.flags.c_contiguous:
        return text
    steps = tuple(s // a.itemsize for s in a.strides)
    return text + f"  # seen through strides {steps}: try np.asfortranarray or [::-1] too\n       "
