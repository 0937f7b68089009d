"""Callbacks of the moving averages that an optimizer keeps of the weights."""

from typing import Any

from refnet.callbacks.base import Callback
from refnet.errors import ArgumentError


class SwapEMAWeights(Callback):
    """Evaluates and predicts with the moving averages of the weights; needs an optimizer with use_ema=True.

    Args:
        swap_on_epoch: whether callbacks that come after it find the averages in the model at the end of each epoch: to save them,
            for example.
    Raises:
        ArgumentError: an optimizer without averages.
    Source: Keras 3 `callbacks.SwapEMAWeights`.

    >>> SwapEMAWeights(swap_on_epoch=True).swap_on_epoch
    True
    """

    def __init__(self, swap_on_epoch: bool = False):
        self.swap_on_epoch = swap_on_epoch

    @property
    def optimizer(self) -> Any:
        """The optimizer that keeps the averages."""
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if optimizer is None:
            raise ArgumentError("SwapEMAWeights needs an optimizer with use_ema=True; the model has none.")
        if not optimizer.use_ema:
            raise ArgumentError(
                f"SwapEMAWeights needs an optimizer with use_ema=True; the model's is {optimizer.name}."
            )
        return optimizer

    def _swap(self) -> None:
        self.optimizer.swap_averages(self.model.trainable_weights)

    def on_train_begin(self, logs: Any = None) -> None:
        _ = self.optimizer  # an optimizer without averages is refused before a step is made

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.optimizer.averages_swapped:
            self._swap()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.swap_on_epoch and not self.optimizer.averages_swapped:
            self._swap()

    def on_test_begin(self, logs: Any = None) -> None:
        self._swap()

    def on_test_end(self, logs: Any = None) -> None:
        self._swap()

    def on_predict_begin(self, logs: Any = None) -> None:
        self._swap()

    def on_predict_end(self, logs: Any = None) -> None:
        self._swap()
