"""The names that the first edition of the book has for training on generators, and Keras 2 for states and classes."""

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
    _flatten_layers: Callable[..., Any]

    def reset_states(self) -> None:
        """`reset_state()` of every layer that is stateful."""
        for layer in self._flatten_layers():
            if getattr(layer, "stateful", False):
                layer.reset_state()

    def fit_generator(self, generator: Any, steps_per_epoch: int | None = None, epochs: int = 1, **more: Any) -> Any:
        """`fit(generator, ...)`.

        Raises:
            ArgumentError: what fit refuses; a generator, which has no length, without the number of its batches.
        """
        more = _without_queue(more)
        _counted("fit_generator", "steps_per_epoch", generator, steps_per_epoch)
        _counted("fit_generator", "validation_steps", more.get("validation_data"), more.get("validation_steps"))
        return self.fit(generator, steps_per_epoch=steps_per_epoch, epochs=epochs, **more)

    def evaluate_generator(self, generator: Any, steps: int | None = None, **more: Any) -> Any:
        """`evaluate(generator, steps=steps)`."""
        more = _without_queue(more)
        _counted("evaluate_generator", "steps", generator, steps)
        return self.evaluate(generator, steps=steps, **more)

    def predict_generator(self, generator: Any, steps: int | None = None, **more: Any) -> Any:
        """`predict(generator, steps=steps)`."""
        more = _without_queue(more)
        _counted("predict_generator", "steps", generator, steps)
        return self.predict(generator, steps=steps, **more)


class ClassNames:
    """What a Sequential of Keras 2 has for classes."""

    predict: Callable[..., Any]

    def predict_proba(self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: Any = None) -> Any:
        """`predict(x, ...)`."""
        return self.predict(x, batch_size=batch_size, verbose=verbose, steps=steps)

    def predict_classes(self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: Any = None) -> Any:
        """The number of the largest output, (batch, ...); of one output whether it is above 0.5, 0 or 1 in int32, (batch, ..., 1)."""
        outputs = self.predict(x, batch_size=batch_size, verbose=verbose, steps=steps)
        return outputs.argmax(-1) if outputs.shape[-1] > 1 else (outputs > 0.5).astype("int32")


def _counted(method: str, word: str, data: Any, count: int | None) -> None:
    """Raises unless it is known how many batches are meant."""
    if count is None and hasattr(data, "__next__") and not hasattr(data, "__len__"):
        raise ArgumentError(f"{method}: {word} is needed with a generator: it has no length, and may never end.")


def _without_queue(more: dict[str, Any]) -> dict[str, Any]:
    """What fit is given; arguments that counted samples are refused."""
    today = {"samples_per_epoch": "steps_per_epoch", "nb_val_samples": "validation_steps", "val_samples": "steps"}
    for word in today:
        if word in more:
            raise ArgumentError(f"{word} counted samples, in Keras 1. Give {today[word]}, the number of batches.")
    unread = ("max_queue_size", "max_q_size", "workers", "nb_worker", "use_multiprocessing", "pickle_safe")
    return {word: value for word, value in more.items() if word not in unread}
