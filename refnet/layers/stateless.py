"""A layer's call as a function of its variables' values."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from refnet.errors import ArgumentError, shown
from refnet.graph import Mode, Tensor, trace
from refnet.keeping import Kept
from refnet.layers.weights import Weighted
from refnet.structure import flatten
from refnet.tracing import building


class Stateless(Weighted):
    """The part of a layer that is called on values. See `refnet.stateless`."""

    _programs: Kept

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's outputs for its inputs: `Layer.__call__`."""

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> Any:
        """The call with other values of the variables, which stay as they are; on tensors it can be differentiated.

        Args:
            trainable_variables, non_trainable_variables: values, in the order of these attributes.
            args, kwargs: those of the call; `training` False if it is not given.
            return_losses: whether the losses that the call and regularizers add are returned too.
        Returns:
            (outputs, non_trainable_variables), the latter as the call leaves them; and a list of losses.
        Random layers: their seeds are no variables here, and a count of the draws is kept beside the call; so two calls with
            the same values drop other elements, where Keras, whose seeds are variables, needs the new ones to be passed on.
        Raises:
            ArgumentError: a layer without weights yet, another number of values.  ShapeError: a value of another shape.
        Source: Keras 3 `Layer.stateless_call`.
        """
        from refnet.stateless import Pure

        if not self.built:
            raise ArgumentError(
                f"{self.name}.stateless_call: it is not built yet: call it once, or build(input_shape)."
            )
        for word, given in (("trainable", trainable_variables), ("non_trainable", non_trainable_variables)):
            if not isinstance(given, (list, tuple)):
                raise ArgumentError(
                    f"{self.name}.stateless_call: {word}_variables is a list of values; got {shown(given)}."
                )
        trained, kept = self.trainable_variables, self.non_trainable_variables
        if (len(trainable_variables), len(non_trainable_variables)) != (len(trained), len(kept)):
            raise ArgumentError(
                f"{self.name}.stateless_call: it has {len(trained)} trainable and {len(kept)} other variables; got "
                f"{len(trainable_variables)} and {len(non_trainable_variables)} values."
            )

        def called(*inner: Any, **more: Any) -> Any:
            outputs = self(*inner, **more)
            return outputs, self._losses_of([inner, more], outputs) if return_losses else []

        key = ("stateless", bool(kwargs.get("training")), return_losses, *trained, None, *kept)
        with building:
            pure = self._programs.found(key)
            if pure is None:
                self._programs[key] = pure = Pure(self, called, [*trained, *kept], bool(kwargs.get("training")))
        values = [*trainable_variables, *non_trainable_variables]
        (outputs, losses), new = pure(values, *args, **kwargs)
        rest = new[len(trained) :]
        return (outputs, rest, losses) if return_losses else (outputs, rest)

    def _losses_of(self, inputs: Any, outputs: Any) -> list[Any]:
        """What the call from these inputs to these outputs, and the regularizers, add to the loss."""
        from refnet.models.functional import Graph

        mode, given = Mode(bool(trace.training), trace.captured), [x for x in flatten(inputs) if isinstance(x, Tensor)]
        added = [loss for loss, guard in Graph(given, flatten(outputs)).losses if mode.holds(guard)]
        return added + [v.regularizer(v) for v in self.trainable_variables if v.regularizer is not None]
