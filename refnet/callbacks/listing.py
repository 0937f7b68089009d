"""Several callbacks as one, for training loops of one's own."""

from typing import Any

from refnet.callbacks.base import Callback, History, checked
from refnet.callbacks.telling import ProgbarLogger


class CallbackList(Callback):
    """Several callbacks as one: every hook calls that hook of each, in order.

    Args:
        callbacks: a list of callbacks.
        add_history: whether a History is put at the end, if there is none.
        add_progbar: whether a ProgbarLogger is put at the end, if there is none.
        model: given to each with set_model.
        params: given to each with set_params, for instance epochs=3, steps=100.
    Source: Keras 3 `callbacks.CallbackList`.

    >>> hooks = CallbackList([], add_history=True, epochs=1, steps=1)
    >>> hooks.on_train_begin()
    >>> hooks.on_epoch_end(0, {"loss": 0.5})
    >>> hooks.callbacks[0].history
    {'loss': [0.5]}
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ):
        self.callbacks = list(checked(callbacks, 0))
        for wanted, kind in ((add_history, History), (add_progbar, ProgbarLogger)):
            if wanted and not any(isinstance(callback, kind) for callback in self.callbacks):
                self.callbacks.append(kind())
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def append(self, callback: Callback) -> None:
        """Puts another at the end."""
        self.callbacks += checked(callback, 0)

    def hears(self, hook: str) -> bool:
        return any(callback.hears(hook) for callback in self.callbacks)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        self.model = model
        if any(isinstance(callback, History) for callback in self.callbacks):
            model.history = next(callback for callback in self.callbacks if isinstance(callback, History))
        for callback in self.callbacks:
            callback.set_model(model)


def _forwarded(hook: str) -> Any:
    def call(self: CallbackList, *args: Any, **kwargs: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*args, **kwargs)

    call.__name__ = hook
    return call


for _hook in [name for name in dir(Callback) if name.startswith("on_")]:
    setattr(CallbackList, _hook, _forwarded(_hook))
