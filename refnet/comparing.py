"""What `==` and `!=` mean for symbolic tensors, which are also keys of dicts and members of lists; and who asks for an operator."""

import dis
import sys
from typing import Any

import numpy as np

from refnet.errors import ShapeError


class Compared:
    """Compares element by element in a user's code, and by identity in the library's own, where tensors are keys.

    A comparison of two tensors has a truth value: whether they are one tensor. So `x in tensors` finds x, as in Keras.
    """

    same: bool | None = None

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return compared("equal", self, other) if elementwise(other) else self is other

    def __ne__(self, other: object) -> Any:
        return compared("not_equal", self, other) if elementwise(other) else self is not other


def elementwise(other: object) -> bool:
    return isinstance(other, (Compared, np.ndarray, np.generic, int, float)) and not asked_by_refnet(2)


def asked_by_refnet(calls: int) -> bool:
    """Whether the code so many calls above the one that asks is the library's own; its examples are a user's."""
    module = str(sys._getframe(calls + 1).f_globals.get("__name__", ""))
    return module.partition(".")[0] in ("refnet", "refnet_fast") and ".examples" not in module


def written_as_operator(calls: int) -> bool:
    """Whether the code so many calls above the one that asks writes an operator there, such as `+=`, and calls no function."""
    frame = sys._getframe(calls + 1)
    return frame.f_code.co_code[frame.f_lasti] == dis.opmap["BINARY_OP"]


def compared(op: str, a: Compared, b: Any) -> Any:
    """ops.equal or ops.not_equal; of two tensors whose shapes do not fit, whether they are (not) one."""
    from refnet import ops

    same = (a is b) == (op == "equal")
    if not isinstance(b, Compared):
        return getattr(ops, op)(a, b)
    try:
        result = getattr(ops, op)(a, b)
    except ShapeError:
        return same
    result.same = same
    return result
