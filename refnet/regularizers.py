"""Penalties on weights and outputs, added to the loss."""

from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.naming import resolved


class Regularizer:
    """A function of a tensor whose value is added to the loss; a subclass writes `__call__` and `get_config`."""

    def __call__(self, x: TensorLike) -> TensorLike:
        return 0.0

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Regularizer":
        return cls(**config)


def _factor(kind: str, name: str, value: Any) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        and not hasattr(value, "__float__")
        or not value >= 0
    ):
        raise ArgumentError(f"{kind}: {name} must be a number of at least 0; got {value!r}.")
    return float(value)


class L1L2(Regularizer):
    """l1 * sum |x| + l2 * sum x^2."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1, self.l2 = _factor("L1L2", "l1", l1 or 0.0), _factor("L1L2", "l2", l2 or 0.0)

    def __call__(self, x: TensorLike) -> TensorLike:
        terms = []
        if self.l1:
            terms.append(ops.multiply(ops.sum(ops.abs(x)), self.l1))
        if self.l2:
            terms.append(ops.multiply(ops.sum(ops.square(x)), self.l2))
        if not terms:
            return 0.0
        return terms[0] if len(terms) == 1 else ops.add(*terms)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """l1 * sum |x|."""

    def __init__(self, l1: float = 0.01):
        super().__init__(l1=_factor("L1", "l1", 0.01 if l1 is None else l1))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(L1L2):
    """l2 * sum x^2."""

    def __init__(self, l2: float = 0.01):
        super().__init__(l2=_factor("L2", "l2", 0.01 if l2 is None else l2))

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


l1, l2 = L1, L2


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """The first edition's spelling of L1L2."""
    return L1L2(l1, l2)


known: dict[str, Any] = {"l1": L1, "l2": L2, "l1_l2": l1_l2, "L1": L1, "L2": L2, "L1L2": L1L2}


def get(identifier: Any) -> Any:
    """A regularizer by name, config or as itself; None stays None.

    Raises:
        ArgumentError: an unknown name, with the near ones.
    """
    return l1_l2() if identifier == "l1_l2" else resolved("regularizer", identifier, known)
