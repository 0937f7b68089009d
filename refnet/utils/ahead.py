"""Making things before they are asked for, in a thread."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def ahead(things: Iterable[Any], count: int) -> Iterator[Any]:
    """The same things in the same order, made by a thread that is at most `count` of them ahead.

    The thread begins with the first `next` and ends with the things, with an error, which is raised here, or when the iterator
    is closed or forgotten.

    >>> list(ahead(range(3), 2))
    [0, 1, 2]
    """
    waiting: queue.Queue[tuple[str, Any]] = queue.Queue(max(count, 1))
    stopped = threading.Event()

    def put(kind: str, thing: Any = None) -> bool:
        while not stopped.is_set():
            try:
                waiting.put((kind, thing), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    threading.Thread(target=_produce, args=(things, put), daemon=True, name="refnet-ahead").start()
    try:
        while True:
            kind, thing = waiting.get()
            if kind == "end":
                return
            if kind == "error":
                raise thing
            yield thing
    finally:
        stopped.set()  # not waited for: it may need what the one who forgets the iterator holds


def _produce(things: Iterable[Any], put: Callable[..., bool]) -> None:
    try:
        for thing in things:
            if not put("thing", thing):
                return
    except BaseException as error:  # whatever it is, the one who asks for the thing has to hear of it
        put("error", error)
    else:
        put("end")
