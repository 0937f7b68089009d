"""Several optimizers for one model, each for some of its weights."""

import re
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Tensor, Variable
from refnet.optimizers.base import Optimizer
from refnet.optimizers.scaling import LossScaleOptimizer


class OptimizerMap(MutableMapping[str, Optimizer]):
    """Which optimizer a weight takes: by a regular expression that its whole path matches.

    Args:
        default_optimizer: for paths that nothing matches.
        optimizer_map: {regular expression: optimizer}.
    Raises:
        ArgumentError: what is no optimizer; a path that two expressions match.
    Source: Keras 3 `optimizers.OptimizerMap`.

    >>> from refnet import optimizers
    >>> chosen = OptimizerMap(optimizers.SGD(), {".*/kernel": optimizers.Adam()})
    >>> chosen["dense/kernel"], chosen["dense/bias"]
    (<Adam name=adam>, <SGD name=sgd>)
    """

    def __init__(self, default_optimizer: Optimizer, optimizer_map: dict[str, Optimizer] | None = None):
        self.default_optimizer = self._checked(default_optimizer)
        self.optimizer_map: dict[str, Optimizer] = {}
        for key, optimizer in (optimizer_map or {}).items():
            self[key] = optimizer

    def _checked(self, optimizer: Any) -> Optimizer:
        if not isinstance(optimizer, Optimizer) or isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
            raise ArgumentError(f"OptimizerMap takes optimizers that stand for themselves; got {optimizer!r}.")
        return optimizer

    def __getitem__(self, key: str) -> Optimizer:
        if key in self.optimizer_map:
            return self.optimizer_map[key]
        found = [pattern for pattern in self.optimizer_map if re.fullmatch(pattern, key)]
        if len(found) > 1:
            raise ArgumentError(f"OptimizerMap: {key!r} is matched by {' and '.join(map(repr, found))}.")
        return self.optimizer_map[found[0]] if found else self.default_optimizer

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if not isinstance(key, str) or key in self.optimizer_map:
            raise ArgumentError(f"OptimizerMap: a new regular expression is needed; got {key!r}.")
        self.optimizer_map[key] = self._checked(optimizer)

    def __delitem__(self, key: str) -> None:
        del self.optimizer_map[key]

    def __len__(self) -> int:
        return len(self.optimizer_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self.optimizer_map)

    def __call__(self, variable: Variable) -> Optimizer:
        return self[variable.path]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"default_optimizer": self.default_optimizer, "optimizer_map": self.optimizer_map}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "OptimizerMap":
        """A new map from what get_config gave; the optimizers may be configs."""
        from refnet.saving.serialization import restored

        return cls(**restored(config))


class MultiOptimizer(Optimizer):
    """Each weight is changed by the optimizer that a map gives for it.

    Args:
        optimizer_map: an OptimizerMap.
        loss_scale_factor: of all of them: see Optimizer.
        name: of the optimizer.
    Raises:
        ArgumentError: another map.
    Source: Keras 3 `optimizers.MultiOptimizer`.

    >>> from refnet import Variable, optimizers
    >>> weights = [Variable([1.0], name="kernel"), Variable([1.0], name="bias")]
    >>> chosen = OptimizerMap(optimizers.SGD(0.5), {"bias": optimizers.SGD(0.25)})
    >>> MultiOptimizer(chosen).apply([[1.0], [1.0]], weights)
    >>> [float(w.numpy()[0]) for w in weights]
    [0.5, 0.75]
    """

    def __init__(self, optimizer_map: Any, loss_scale_factor: float | None = None, name: str | None = None):
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        if not isinstance(optimizer_map, OptimizerMap):
            raise ArgumentError(f"{self.name}: optimizer_map must be an OptimizerMap; got {optimizer_map!r}.")
        self.optimizer_map = optimizer_map
        self.optimizers = list(dict.fromkeys([*optimizer_map.values(), optimizer_map.default_optimizer]))
        for optimizer in self.optimizers:
            optimizer.loss_scale_factor = loss_scale_factor

    @property
    def learning_rate(self) -> Any:
        raise AttributeError(f"{self.name} has no learning rate; each of its `optimizers` has one.")

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        raise AttributeError(f"{self.name} has no learning rate; set that of one of its `optimizers`.")

    def _shares(self, weights: Sequence[Variable]) -> list[tuple[Optimizer, list[int]]]:
        """Each optimizer with the places of its weights."""
        chosen = [self.optimizer_map(w) for w in weights]
        return [(o, [i for i, c in enumerate(chosen) if c is o]) for o in self.optimizers]

    def own_variables(self) -> list[Variable]:
        inner = [v for optimizer in self.optimizers for v in optimizer.own_variables()]
        return [self._iterations, self._rate, *inner]

    def saved_variables(self, weights: Sequence[Variable]) -> list[Variable]:
        result = [self._iterations, self._rate]
        for optimizer, places in self._shares(weights):
            own = [weights[i] for i in places]
            result += optimizer.saved_variables(own) if own else optimizer.own_variables()
        return result

    def saved_count(self, weights: Sequence[Variable]) -> int:
        counts = 2
        for optimizer, places in self._shares(weights):
            own = [weights[i] for i in places]
            counts += optimizer.saved_count(own) if own else len(optimizer.own_variables())
        return counts

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        for optimizer, places in self._shares(variables):
            optimizer.build([variables[i] for i in places])

    def new_values(
        self, weights: Sequence[Variable], gradients: Sequence[Tensor | None]
    ) -> list[tuple[Variable, TensorLike]]:
        self.build(weights)
        values: list[tuple[Variable, TensorLike]] = []
        for optimizer, places in self._shares(weights):
            if places:
                values += optimizer.new_values([weights[i] for i in places], [gradients[i] for i in places])
        return [*values, (self._iterations, ops.add(self._iterations, 1))]

    def finalize_variable_values(self, var_list: Any) -> None:
        for optimizer in self.optimizers:
            optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        return {
            "optimizer_map": self.optimizer_map,
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }
