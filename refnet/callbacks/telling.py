"""Callbacks that tell someone how training goes: a server, or a screen."""

import json
import warnings
from typing import Any

import numpy as np

from refnet import progress
from refnet.callbacks.base import Callback
from refnet.errors import ArgumentError

SECONDS = 10.0  # that a server is waited for


class RemoteMonitor(Callback):
    """Sends the logs of each epoch to a server, as a POST request. A server that does not answer is warned of, once an epoch.

    Args:
        root: the server's address.
        path: appended to it.
        field: of the form, that has the logs as JSON text; not used if they are sent as JSON.
        headers: further headers, a dict.
        send_as_json: whether the request's body is JSON, and not a form.
    Source: Keras 3 `callbacks.RemoteMonitor`.
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ):
        if not isinstance(root, str) or not root.startswith(("http://", "https://")):
            raise ArgumentError(f"RemoteMonitor: root begins with http:// or https://; got {root!r}.")
        self.root, self.path, self.field, self.headers, self.send_as_json = root, path, field, headers, send_as_json

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        import urllib.error
        import urllib.parse
        import urllib.request  # it takes a while to load

        text = json.dumps({"epoch": epoch, **{key: np.asarray(value).tolist() for key, value in (logs or {}).items()}})
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = text if self.send_as_json else urllib.parse.urlencode({self.field: text})
        headers = {"Content-Type": kind, **(self.headers or {})}
        request = urllib.request.Request(self.root + self.path, body.encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS):
                pass
        except (urllib.error.URLError, OSError) as error:
            warnings.warn(f"RemoteMonitor: the server at {self.root} cannot be reached ({error}).", stacklevel=2)


class ProgbarLogger(Callback):
    """Shows progress as `verbose=1` does, whatever `verbose` says. fit shows it without being asked; it costs speed.

    Source: Keras 3 `callbacks.ProgbarLogger`.
    """

    def __init__(self) -> None:
        self.display: progress.Silent = progress.Silent()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.display = progress.display(1)
        self.display.begin(epoch, self.params["epochs"], self.params["steps"])

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.display.update(batch + 1, lambda: dict(logs or {}))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.display.end(logs or {})

    def on_run_failed(self, logs: Any = None) -> None:
        self.display.close()
