"""The names that the first edition of the book has for training on generators."""

from collections.abc import Callable
from typing import Any

from refnet.errors import ArgumentError


class GeneratorNames:
    """fit_generator, evaluate_generator and predict_generator: `fit`, `evaluate` and `predict`, which take generators too.

    `max_queue_size`, `workers` and `use_multiprocessing` are not read.
    """

    fit: Callable[..., Any]
    evaluate: Callable[..., Any]
    predict: Callable[..., Any]

    def fit_generator(self, generator: Any, steps_per_epoch: int | None = None, epochs: int = 1, **more: Any) -> Any:
        """`fit(generator, ...)`.

        Raises:
            ArgumentError: what fit refuses; a generator, which has no length, without the number of its batches.
        """
        _counted("fit_generator", "steps_per_epoch", generator, steps_per_epoch)
        _counted("fit_generator", "validation_steps", more.get("validation_data"), more.get("validation_steps"))
        return self.fit(generator, steps_per_epoch=steps_per_epoch, epochs=epochs, **_without_queue(more))

    def evaluate_generator(self, generator: Any, steps: int | None = None, **more: Any) -> Any:
        """`evaluate(generator, steps=steps)`."""
        _counted("evaluate_generator", "steps", generator, steps)
        return self.evaluate(generator, steps=steps, **_without_queue(more))

    def predict_generator(self, generator: Any, steps: int | None = None, **more: Any) -> Any:
        """`predict(generator, steps=steps)`."""
        _counted("predict_generator", "steps", generator, steps)
        return self.predict(generator, steps=steps, **_without_queue(more))


def _counted(method: str, word: str, data: Any, count: int | None) -> None:
    """Raises unless it is known how many batches are meant."""
    if count is None and hasattr(data, "__next__") and not hasattr(data, "__len__"):
        raise ArgumentError(f"{method}: {word} is needed with a generator: it has no length, and may never end.")


def _without_queue(more: dict[str, Any]) -> dict[str, Any]:
    unread = ("max_queue_size", "max_q_size", "workers", "use_multiprocessing")
    return {word: value for word, value in more.items() if word not in unread}
