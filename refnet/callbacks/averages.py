"""A callback that evaluates with the moving averages of the weights."""

from typing import Any

from refnet.callbacks.base import Callback
from refnet.errors import ArgumentError
from refnet.graph import Variable
from refnet.models.steps import trained_variables
from refnet.optimizers.base import EMA


class SwapEMAWeights(Callback):
    """Evaluation and prediction use the weights' moving averages, which an optimizer with `use_ema=True` keeps; training does not.

    At the end of fit the weights are their averages.

    Args:
        swap_on_epoch: whether the averages are in place at the end of each epoch too, for callbacks that follow, such as
            ModelCheckpoint; training goes on with the weights.
    Raises:
        ArgumentError: when it would swap, for an optimizer that keeps no averages.
    Source: Keras 3 `callbacks.SwapEMAWeights`.
    """

    def __init__(self, swap_on_epoch: bool = False):
        self.swap_on_epoch = swap_on_epoch
        self.swapped = False

    def _pairs(self) -> list[tuple[Variable, Variable]]:
        optimizer = self.model.optimizer
        if not getattr(optimizer, "use_ema", False):
            name = "none" if optimizer is None else optimizer.name
            raise ArgumentError(f"SwapEMAWeights needs an optimizer with use_ema=True; the model's is {name}.")
        if not optimizer.built:
            return []  # no step was made: there are no averages yet
        return [(w, optimizer.slot(w, EMA)) for w in trained_variables(self.model._captured)]

    def _swap(self, averages: bool) -> None:
        """Puts the averages in place of the weights, or the weights back."""
        if self.swapped == averages:
            return
        for weight, average in self._pairs():
            value = weight.numpy()
            weight.set(average.value)
            average.set(value)
        self.swapped = averages

    def on_train_begin(self, logs: Any = None) -> None:
        self._pairs()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.swap_on_epoch:
            self._swap(True)
            if epoch == self.params["epochs"] - 1 or self.model.stop_training:
                # fit ends with the weights becoming their averages: they are in place already
                for weight, average in self._pairs():
                    average.set(weight.value)

    def on_test_begin(self, logs: Any = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Any = None) -> None:
        self._swap(False)

    def on_predict_begin(self, logs: Any = None) -> None:
        self._swap(True)

    def on_predict_end(self, logs: Any = None) -> None:
        self._swap(False)
