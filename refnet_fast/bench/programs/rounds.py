"""What every program does around its training: answers each line on stdin with one round's time, as a line of JSON."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable

ROUND = 0.3  # seconds that a round should last at least


def processors() -> int:
    """Processors that this process may use: as many threads as refnet takes are given to its peers."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def serve(
    versions: dict[str, str], steps: int, train: Callable[[int], object], facts: Callable[[], dict] | None = None
) -> None:
    """Answers until stdin ends.

    Args:
        versions: of the libraries, for the report.
        steps: in an epoch.
        train: `train(epochs)` trains so many epochs and returns when they are done.
        facts: `facts()` says after the first epoch what else the report should hold.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints must not be taken for an answer
    start = time.perf_counter()
    train(1)
    first = time.perf_counter() - start
    more = facts() if facts else {}
    start = time.perf_counter()
    train(1)
    epochs = max(1, round(ROUND / (time.perf_counter() - start)))
    train(epochs)
    started = {"versions": versions, "epochs": epochs, "first_epoch": first, **more}
    print(json.dumps(started), file=answers, flush=True)
    for _ in sys.stdin:
        used, start = sum(os.times()[:2]), time.perf_counter()
        train(epochs)
        seconds = time.perf_counter() - start
        answer = {
            "microseconds": seconds / (epochs * steps) * 1e6,
            "processor": sum(os.times()[:2]) - used,
            "steps": epochs * steps,
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
        print(json.dumps(answer), file=answers, flush=True)
