"""A model's predictions as a plain function of arrays, for programs that ask for one sample at a time."""

from typing import Any

import numpy as np

from refnet.engine import current_engine
from refnet.errors import ArgumentError
from refnet.settings import chosen
from refnet.structure import packed
from refnet.tracing import Trace, changes


class ModelFunction:
    """What `Model.function` makes: call it with an array for each of the model's inputs."""

    def __init__(self, model: Any):
        self.model = model

    def __call__(self, *inputs: Any) -> Any:
        """The outputs for one batch, as new arrays.

        Args:
            inputs: one array for each input of the model, batch first, in the inputs' order. Quick where dtype and shape are the
                model's own; anything else that `predict_on_batch` takes is converted as it does.
        Returns:
            What `predict_on_batch` returns.
        Raises:
            ArgumentError, ShapeError, DtypeError: as `predict_on_batch`, before anything runs.
        """
        arrays = [np.asarray(x) for x in inputs]
        known = self.model._lean.get(_key(arrays))
        if known is None or not len(arrays[0]) or any(len(a) != len(arrays[0]) for a in arrays):
            return self._checked(arrays)
        step, structure, seen = known
        if seen != changes.last:
            return self._checked(arrays)  # a layer was changed since, perhaps the model's
        return packed(structure, step.run(arrays))

    def _checked(self, arrays: list[Any]) -> Any:
        """A call that is looked at closely; what has nothing to be converted is quick from the next time on."""
        model, seen = self.model, changes.last
        if not arrays:
            raise ArgumentError(f"function: {model.name} needs an array for each of its inputs; got none.")
        parts = model._checked("function", arrays[0] if len(arrays) == 1 else arrays)
        with model._preparing():
            batches = model._fed("function", parts[0])
            step = model._executable("predict", batches)
            structure = model._structure(step, batches)
            if [(a.shape, a.dtype) for a in arrays] == [(a.shape, a.dtype) for a in batches.arrays]:
                model._lean[_key(arrays)] = step, structure, seen
        return packed(structure, step.run(batches.arrays))


def _key(arrays: list[Any]) -> tuple[Any, ...]:
    # the phase of the class, where it is fixed for all threads: reading it there is the quicker way
    return (current_engine(), Trace.learning_phase, *chosen(), *[(a.ndim, a.shape[1:], a.dtype) for a in arrays])
