"""Callbacks of the moving averages that an optimizer keeps of the weights."""

from typing import Any

from refnet.callbacks.base import Callback
from refnet.errors import ArgumentError


class SwapEMAWeights(Callback):
    """Evaluates and predicts with the moving averages of the weights; needs an optimizer with use_ema=True, or one in a MultiOptimizer.

    A run that ends by an error leaves the model as it found it: weights or averages.

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
        self.found: list[
            bool
        ] = []  # for each run under way, outermost first: whether the averages were in the model before

    @property
    def keepers(self) -> list[Any]:
        """The optimizers that keep averages: the model's, or of a MultiOptimizer those of its own that do."""
        optimizer = self.model.optimizer
        if optimizer is None:
            raise ArgumentError("SwapEMAWeights needs an optimizer with use_ema=True; the model has none.")
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        keepers = [part for part in getattr(inner, "optimizers", [inner]) if part.use_ema]
        if not keepers:
            raise ArgumentError(f"SwapEMAWeights needs an optimizer with use_ema=True; the model's is {inner.name}.")
        return keepers

    @property
    def averages_are_in(self) -> bool:
        """Whether the model holds the averages."""
        return bool(self.keepers[0].averages_swapped)

    def _put(self, averages: bool) -> None:
        """Brings the averages into the model, or the weights back."""
        for optimizer in self.keepers:
            if optimizer.averages_swapped != averages:
                optimizer.swap_averages(self.model.trainable_weights)

    def _begin(self) -> None:
        self.found.append(self.averages_are_in)
        self._put(True)

    def _end(self) -> None:
        self._put(self.found.pop() if self.found else False)

    def on_train_begin(self, logs: Any = None) -> None:
        # an optimizer without averages is refused before a step is made
        self.found = [self.averages_are_in]

    def on_train_end(self, logs: Any = None) -> None:
        self.found = []

    def on_run_failed(self, logs: Any = None) -> None:
        if self.found:
            self._put(self.found[0])
        self.found = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._put(False)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.swap_on_epoch:
            self._put(True)

    def on_test_begin(self, logs: Any = None) -> None:
        self._begin()

    def on_test_end(self, logs: Any = None) -> None:
        self._end()

    def on_predict_begin(self, logs: Any = None) -> None:
        self._begin()

    def on_predict_end(self, logs: Any = None) -> None:
        self._end()
