"""Hold-out, k-fold and iterated k-fold with shuffling: a new model for every part, in processes of their own if wanted."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from refnet import seeds
from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, ShapeError, shown
from refnet.evaluation import checks
from refnet.evaluation.samples import as_arrays, listed
from refnet.evaluation.splits import Pair, fold_indices, hold_out_indices
from refnet.structure import mapped


class Scores(NamedTuple):
    """What the parts scored.

    Attributes:
        folds: for each part a dict of what `evaluate` gave on the samples that were held out.
        histories: for each part the dict of the training's history, the held-out samples being its validation data.
    """

    folds: list[dict[str, float]]
    histories: list[dict[str, list[float]]]

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each score over the parts."""
        return {name: float(np.mean([fold[name] for fold in self.folds])) for name in self.folds[0]}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation of each score over the parts."""
        return {name: float(np.std([fold[name] for fold in self.folds])) for name in self.folds[0]}

    @property
    def history(self) -> dict[str, list[float]]:
        """The mean of the histories, epoch by epoch, as far as the shortest goes."""
        length = min(len(one["loss"]) for one in self.histories)
        names = self.histories[0]
        return {name: np.mean([one[name][:length] for one in self.histories], axis=0).tolist() for name in names}

    def __str__(self) -> str:
        mean, std = self.mean, self.std
        return ", ".join(f"{name} {mean[name]:.4f} +- {std[name]:.4f}" for name in mean) + f" ({len(self.folds)} parts)"


class Work(NamedTuple):
    """What every part does: all that a process needs."""

    build: Callable[[], Any]
    x: Any
    y: Any
    prepare: Callable[[Any, Any], tuple[Any, Any]] | None
    fit: dict[str, Any]
    engine: str
    fast: bool


def hold_out(
    build: Callable[[], Any],
    x: Any,
    y: Any,
    share: float = 0.25,
    shuffle: bool = True,
    prepare: Any = None,
    seed: int | None = None,
    **fit: Any,
) -> Scores:
    """Trains on a part of the samples, evaluates on the rest.

    Args:
        build, x, y, prepare, seed, fit: see `k_fold`.
        share: how much is held out.
        shuffle: whether samples are held out at random; False holds out the last ones, as the arrow of time demands.
    Returns:
        Scores of one part.
    Source: Chollet 4.2.1.
    """
    seed = seeds.next_seed() if seed is None else seeds.checked_seed(seed)
    parts = [hold_out_indices(_samples(x, y), share, shuffle, seed)]
    return _scores(build, x, y, parts, prepare, seed, 1, fit)


def k_fold(
    build: Callable[[], Any],
    x: Any,
    y: Any,
    k: int = 4,
    shuffle: bool = False,
    prepare: Any = None,
    seed: int | None = None,
    processes: int = 1,
    **fit: Any,
) -> Scores:
    """Trains k models, each on all folds but one, and evaluates each on the fold it has not seen.

    Args:
        build: makes a new compiled model; called once for each fold.
        x, y: an array each, or a list, tuple or dict of arrays for several inputs or outputs; samples first.
        k: how many folds.
        shuffle: whether the samples are put into folds at random.
        prepare: takes the inputs to train on and those of the fold, gives both back; so that statistics come from what is
            trained on alone. `standardized`, for example.
        seed: everything random in the folds follows from it; one from the global stream if None.
        processes: folds trained at the same time. Each in a process of its own that imports the program anew, so `build` and
            `prepare` are functions of a module, and a program begins under `if __name__ == "__main__":`. Results are the same.
        fit: what `model.fit` is given: epochs, batch_size, callbacks ...
    Returns:
        Scores.
    Raises:
        ArgumentError, DataError, ShapeError: before any model is made.
    Warns:
        EvaluationWarning: samples in a fold that are also among those trained on.
    Source: Chollet 4.2.1, 3.6.4.
    """
    seed = seeds.next_seed() if seed is None else seeds.checked_seed(seed)
    return _scores(build, x, y, fold_indices(_samples(x, y), k, shuffle, seed), prepare, seed, processes, fit)


def iterated_k_fold(
    build: Callable[[], Any],
    x: Any,
    y: Any,
    k: int = 4,
    iterations: int = 3,
    prepare: Any = None,
    seed: int | None = None,
    processes: int = 1,
    **fit: Any,
) -> Scores:
    """k-fold several times, with the samples shuffled anew each time: `iterations` x k models, for when there is little data.

    Args:
        iterations: how often.
        The rest: see `k_fold`.
    Returns:
        Scores of all parts.
    Source: Chollet 4.2.1.
    """
    if isinstance(iterations, bool) or not isinstance(iterations, (int, np.integer)) or iterations < 1:
        raise ArgumentError(f"iterated_k_fold: iterations is an integer, at least 1; got {iterations!r}.")
    seed = seeds.next_seed() if seed is None else seeds.checked_seed(seed)
    with seeds.seeded(seed):
        parts = [part for _ in range(iterations) for part in fold_indices(_samples(x, y), k, shuffle=True)]
    return _scores(build, x, y, parts, prepare, seed, processes, fit)


def _samples(x: Any, y: Any) -> int:
    """How many samples there are. Raises ShapeError where arrays disagree."""
    arrays = listed(x) + listed(y)
    if not arrays:
        raise DataError("there are no arrays to evaluate on.")
    if any(not array.ndim for array in arrays):
        raise ShapeError(f"x and y are arrays with a row for each sample; got {shown(x)} and {shown(y)}.")
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise ShapeError(f"all arrays must have the same number of samples; got {', '.join(map(str, lengths))}.")
    return lengths[0]


def _scores(
    build: Any, x: Any, y: Any, parts: list[Pair], prepare: Any, seed: int, processes: int, fit: dict[str, Any]
) -> Scores:
    from refnet.engine import current_engine

    if isinstance(processes, bool) or not isinstance(processes, (int, np.integer)) or processes < 1:
        raise ArgumentError(f"processes is an integer, at least 1; got {processes!r}.")
    for word in ("validation_data", "validation_split", "x", "y"):
        if word in fit:
            raise ArgumentError(f"{word} is the protocol's to choose: the samples held out are the validation data.")
    x, y = as_arrays(x), as_arrays(y)
    checks.check_repeats(*_two(x, *parts[0]), y=_two(y, *parts[0]), stacklevel=4)
    engine = current_engine()
    fast = type(engine).__module__.startswith("refnet_fast")
    work = Work(build, x, y, prepare, {"verbose": 0, **fit}, engine.name, fast)
    jobs = [(part, (seed + number) % 2**32) for number, part in enumerate(parts)]
    done = list(_in_processes(work, jobs, processes)) if processes > 1 else [_train(work, *job) for job in jobs]
    return Scores([scores for scores, _ in done], [history for _, history in done])


def _two(structure: Any, train: Array, test: Array) -> tuple[Any, Any]:
    return mapped(lambda a: a[train], structure), mapped(lambda a: a[test], structure)


def _train(work: Work, part: Pair, seed: int) -> tuple[dict[str, float], dict[str, list[float]]]:
    """One part: the scores and the history."""
    with seeds.seeded(seed):
        x, x_test = _two(work.x, *part)
        y, y_test = _two(work.y, *part)
        if work.prepare is not None:
            x, x_test = work.prepare(x, x_test)
        model = work.build()
        if not hasattr(model, "fit"):
            raise ArgumentError(f"build is a function that makes a new compiled model; it gave {shown(model)}.")
        history = model.fit(x, y, validation_data=(x_test, y_test), **work.fit).history
        scores = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
    return {name: float(value) for name, value in scores.items()}, history


# ---- in processes of their own

_given: list[Work] = []


def _begin(packed: bytes, engine: str, fast: bool, threads: int) -> None:
    """Makes a process ready: the engine of the one that started it, and its share of the processors."""
    import importlib
    import os

    from refnet.engine import use_engine

    os.environ.setdefault("REFNET_THREADS", str(threads))
    if fast:
        importlib.import_module("refnet_fast")
    use_engine(engine)
    _given.append(pickle.loads(packed))


def _do(job: tuple[Pair, int]) -> Any:
    return _train(_given[0], *job)


def _in_processes(work: Work, jobs: list[tuple[Pair, int]], processes: int) -> Iterator[Any]:
    import multiprocessing
    import os
    from concurrent.futures import ProcessPoolExecutor

    try:
        packed = pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ArgumentError(
            f"processes={processes}: build, prepare and callbacks must be known to other processes, so they must be functions and "
            f"classes of a module, not lambdas or local functions ({error}). Define them at the top of a file, or use processes=1."
        ) from None
    processes = min(processes, len(jobs))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = (packed, work.engine, work.fast, max(1, cores // processes))
    context = multiprocessing.get_context("spawn")  # a forked process would inherit threads that hold locks
    with ProcessPoolExecutor(processes, context, _begin, given) as pool:
        yield from pool.map(_do, jobs)
