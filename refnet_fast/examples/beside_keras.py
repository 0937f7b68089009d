"""How long the book's programs train here and under Keras: the same files, with another library behind their imports.

    python -m refnet_fast.examples.beside_keras [NAME ...] [--backends jax torch tensorflow] [--seconds 3] [--save FILE]

Each program runs in full size in a process of its own, on one processor core. Its `fit` trains two batches to warm up, then as many as
fill a few seconds, and returns; the time of the whole training follows from epochs, steps and validation steps. `train_on_batch` and
`predict_on_batch` likewise. Times are processor seconds, so that other processes on the machine disturb them little. What surrounds
training (reading files, pictures) is left out; compiling and the first two batches stand apart.
"""

import argparse
import contextlib
import datetime
import importlib
import io
import json
import math
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time
import types
from collections.abc import Callable
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
BACKENDS = ("jax", "torch", "tensorflow")
PROGRAMS = (
    *("mnist_dense", "imdb_dense", "reuters", "boston", "pima", "mnist_convnet", "cats_dogs", "imdb_recurrent", "jena"),
    *("imdb_conv1d", "question_answering", "multi_output", "convnet_blocks", "shared_lstm", "selu_net"),
    *("text_generation", "vae", "gan", "ctc_digits", "autoencoder", "next_frame", "segmentation", "policy_gradient"),
    *("word_vectors", "hyperparameter_search", "ensembles", "pretrained_features"),
)
ACTING = ("policy_gradient",)  # what they do next follows from what the network answers: every call is made
OURS = ("datasets", "evaluation", "ensemble", "preprocessing", "errors")  # on both sides


class Silent(types.ModuleType):
    """Stands for `visualize`: takes every call, draws nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *given: Any, **more: Any) -> Any:
        return self

    def __getitem__(self, key: Any) -> Any:
        return self


def put_keras_behind() -> None:
    """From here on `refnet_fast` is Keras; data sets, evaluation and preprocessing stay ours, and compute on our engine as ever."""
    import keras

    import refnet
    import refnet_fast

    # for photos that are turned and numbers that are drawn: the definitions would take minutes
    refnet_fast.use_engine("cpu")
    sys.meta_path[:] = [finder for finder in sys.meta_path if not type(finder).__module__.startswith("refnet")]
    for name in (*OURS, "preprocessing.image", "preprocessing.sequence", "preprocessing.text"):
        importlib.import_module(f"refnet.{name}")
    package, examples = types.ModuleType("refnet_fast"), types.ModuleType("refnet_fast.examples")
    # the engine goes on to import its parts
    package.__path__, examples.__path__ = list(refnet_fast.__path__), [str(HERE)]
    theirs = {name: getattr(keras, name) for name in dir(keras) if not name.startswith("__")}
    package.__dict__.update(theirs)
    known = {f"refnet_fast.{name}": part for name, part in theirs.items() if isinstance(part, types.ModuleType)}
    known.update({"refnet_fast": package, "refnet_fast.examples": examples})
    for name, module in list(sys.modules.items()):
        if name.startswith(tuple(f"refnet.{ours}" for ours in OURS)):
            known[name.replace("refnet.", "refnet_fast.", 1)] = module
    known["refnet_fast.random"] = drawing(keras.random, refnet.random)
    known.update(with_random_weights(keras.applications))
    sys.modules.update(known)
    for name, module in known.items():
        if name.count(".") == 1:
            setattr(package, name.partition(".")[2], module)


def with_random_weights(theirs: Any) -> dict[str, types.ModuleType]:
    """Keras's `applications` for programs that ask for ImageNet's weights: their files are not there, so they go on without."""
    from refnet.applications import files, vgg16
    from refnet.errors import MissingFileError

    def VGG16(weights: Any = None, **more: Any) -> Any:
        if weights is not None:
            raise MissingFileError("the nets are compared with random weights.")
        return theirs.VGG16(weights=None, **more)

    package, net = types.ModuleType("refnet_fast.applications"), types.ModuleType("refnet_fast.applications.vgg16")
    net.__dict__.update(VGG16=VGG16, PUBLISHED=vgg16.PUBLISHED)
    package.__dict__.update(vgg16=net, files=files)
    return {package.__name__: package, net.__name__: net, f"{package.__name__}.files": files}


def drawing(theirs: Any, ours: Any) -> types.ModuleType:
    """Random numbers: in a model by Keras; of data, which draw from a generator of ours, the same numbers for both libraries."""
    both = types.ModuleType("refnet_fast.random")
    both.SeedGenerator = ours.SeedGenerator  # type: ignore[attr-defined]
    both.permutation = ours.permutation  # type: ignore[attr-defined]

    def either(name: str) -> Callable[..., Any]:
        def draw(*given: Any, seed: Any = None, **more: Any) -> Any:
            library = ours if isinstance(seed, ours.SeedGenerator) else theirs
            return getattr(library, name)(*given, seed=seed, **more)

        return draw

    for name in ("normal", "uniform", "randint"):
        setattr(both, name, either(name))
    return both


def tree(value: Any, function: Callable[[Any], Any]) -> Any:
    """The function of every array in lists and dicts."""
    if isinstance(value, dict):
        return {name: tree(part, function) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(tree(part, function) for part in value)
    return None if value is None else function(value)


class Batches:
    """What fit or evaluate was given; a part of it, in whole batches, for a call that takes less long."""

    def __init__(self, x: Any, y: Any, batch: int | None, steps: int | None, word: str):
        self.x, self.y, self.batch, self.word = x, y, batch or 32, word
        self.arrays = isinstance(x, (list, tuple, dict)) or hasattr(x, "shape")
        if self.arrays:
            lengths: list[int] = []
            tree(x, lambda array: lengths.append(len(array)))
            self.steps = math.ceil(lengths[0] / self.batch)
        else:
            self.steps = steps if steps is not None else len(x)
            if not hasattr(x, "__getitem__") or hasattr(x, "samples"):
                self.x = (pair for pair in endless(x))

    def part(self, steps: int) -> dict[str, Any]:
        """Arguments of a call on so many batches."""
        if not self.arrays:
            return {"x": self.x, self.word: steps}
        rows = steps * self.batch
        both = {"x": tree(self.x, lambda a: a[:rows]), "y": tree(self.y, lambda a: a[:rows])}
        return {**both, "batch_size": self.batch}


def endless(source: Any) -> Any:
    """Batches of an iterator, without end."""
    while True:
        yield next(source)


class Clock:
    """Takes the place of what trains in a class of models, and adds up what the whole run would take."""

    def __init__(self, model: type, seconds: float, every_call: bool = False):
        self.seconds, self.total, self.first, self.every_call = seconds, 0.0, 0.0, every_call
        self.known: dict[str, Any] = {}
        self.own_fit, self.own_evaluate = model.fit, model.evaluate
        clock = self
        model.fit = lambda self, *given, **more: clock.fit(self, *given, **more)  # type: ignore[method-assign]
        model.evaluate = lambda self, *given, **more: clock.evaluate(self, *given, **more)  # type: ignore[method-assign]
        for name in ("train_on_batch", "predict_on_batch"):
            setattr(model, name, self.repeated(name, getattr(model, name)))

    def timed(self, run: Callable[[int, int], Any], limit: int, epochs: int) -> tuple[float, Any]:
        """Processor seconds of a step, and what the last `run(steps, epochs)` returned.

        The first two steps are counted as the first. Where an epoch is too short to be timed, so many as `epochs` are run.
        """
        began = time.process_time()
        result = run(min(2, limit), 1)
        self.first += time.process_time() - began
        steps = min(4, limit)
        while True:
            began = time.process_time()
            times = max(1, steps // limit)
            result = run(min(steps, limit), times)
            used, done = time.process_time() - began, min(steps, limit) * times
            if used > 0.7 * self.seconds or done >= limit * epochs:
                return used / done, result
            steps = min(limit * epochs, max(done + 1, int(done * 1.1 * self.seconds / max(used, 1e-3))))
            steps = steps if steps < limit else -(-steps // limit) * limit

    def fit(
        self, model: Any, x: Any = None, y: Any = None, batch_size: Any = None, epochs: int = 1, **more: Any
    ) -> Any:
        """Trains for a little while; a model like one that was timed before, not at all."""
        train = Batches(x, y, batch_size, more.get("steps_per_epoch"), "steps_per_epoch")
        validation = validation_of(train, more)
        layers = [layer.get_config() for layer in model.layers]
        key = json.dumps([{k: v for k, v in c.items() if "name" not in k} for c in layers] + [train.batch], default=str)
        if key not in self.known:
            one, history = self.timed(
                lambda n, times: self.own_fit(model, **train.part(n), epochs=times, verbose=0).history,
                train.steps,
                epochs,
            )
            held = 0.0
            if validation is not None:

                def held_out(steps: int, times: int) -> Any:
                    return self.own_evaluate(model, **validation.part(steps), verbose=0, return_dict=True)

                held, values = self.timed(held_out, validation.steps, 1)
                history = {**history, **{f"val_{name}": [value] for name, value in values.items()}}
            self.known[key] = one, held, history
        one, held, history = self.known[key]
        self.total += epochs * (train.steps * one + (validation.steps * held if validation else 0))
        repeated = {name: [float(values[-1])] * epochs for name, values in history.items()}
        return types.SimpleNamespace(history=repeated, epoch=list(range(epochs)))

    def evaluate(
        self, model: Any, x: Any = None, y: Any = None, batch_size: Any = None, steps: int | None = None, **more: Any
    ) -> Any:
        """Evaluates on everything, which is not counted; iterators that Keras does not know are generators to it."""
        data = Batches(x, y, batch_size, steps, "steps")
        return self.own_evaluate(model, **data.part(data.steps), **more)

    def repeated(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """A method that is called often: the first calls are timed, the others get the last answer again.

        With `every_call` all are made and timed.
        """

        def call(model: Any, *given: Any, **more: Any) -> Any:
            seen = self.known.setdefault(f"{name} {id(model)}", {"calls": 0, "used": 0.0})
            if self.every_call or seen["calls"] < 3 or seen["used"] < self.seconds / 3:
                began = time.process_time()
                seen["answer"] = method(model, *given, **more)
                used = time.process_time() - began
                seen["calls"] += 1
                if seen["calls"] == 1:
                    self.first += used
                else:
                    seen["used"] += used
            mean = seen["used"] / max(seen["calls"] - 1, 1)
            self.total += used if self.every_call and seen["calls"] > 1 else mean
            return seen["answer"]

        return call


def validation_of(train: Batches, more: dict[str, Any]) -> Batches | None:
    """What fit validates on: the last part of the training data, which loses it, or what was given."""
    share, given = more.get("validation_split", 0.0), more.get("validation_data")
    if share:
        rows: list[int] = []
        tree(train.x, lambda array: rows.append(len(array)))
        kept = int(rows[0] * (1 - share))
        held = Batches(tree(train.x, lambda a: a[kept:]), tree(train.y, lambda a: a[kept:]), train.batch, None, "steps")
        train.x, train.y = tree(train.x, lambda a: a[:kept]), tree(train.y, lambda a: a[:kept])
        train.steps = math.ceil(kept / train.batch)
        return held
    if given is None:
        return None
    x, y = given if isinstance(given, (tuple, list)) else (given, None)
    return Batches(x, y, train.batch, more.get("validation_steps"), "steps")


def measure(name: str, library: str, seconds: float) -> dict[str, Any]:
    """One program on one library, in this process."""
    if library != "refnet_fast":
        put_keras_behind()
    silent = Silent("refnet_fast.visualize")
    curves = importlib.import_module("refnet.visualize.curves")
    sys.modules.update({"refnet_fast.visualize": silent, "refnet_fast.visualize.curves": curves})
    import refnet_fast

    refnet_fast.visualize = silent  # type: ignore[assignment]
    refnet_fast.utils.set_random_seed(0)
    clock = Clock(refnet_fast.models.Model, seconds, every_call=name in ACTING)
    program = importlib.import_module(f"refnet_fast.examples.{name}")
    support = importlib.import_module("refnet_fast.examples.support")
    given = argparse.Namespace(quick=False, seed=0, output=pathlib.Path("unused"), epochs=None)
    job = support.Job(name, given)
    job.picture = lambda *given: None
    program.main(job)
    return {"program": name, "library": library, "seconds": clock.total, "first": clock.first}


def in_a_process(name: str, library: str, seconds: float) -> dict[str, Any]:
    """`measure` in a process of its own, pinned to one core. Raises RuntimeError with the last line that it printed."""
    core = min(os.sched_getaffinity(0))
    environment = {
        **os.environ,
        "KERAS_BACKEND": library,
        "PYTHONPATH": str(HERE.parents[1]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, str(HERE / "beside_keras.py"), "--child", name, library, str(seconds)]
    done = subprocess.run(["taskset", "-c", str(core), *command], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} on {library}: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def child(name: str, library: str, seconds: str) -> None:
    """Prints what `measure` returns as one line."""
    sys.path[0] = str(HERE.parents[1])
    with contextlib.redirect_stdout(io.StringIO()):
        found = measure(name, library, float(seconds))
    print(json.dumps(found))


def report_in(path: pathlib.Path | None) -> dict[str, Any]:
    """The report of earlier measurements, or a new one."""
    if path is not None and path.exists():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    machine = {"processors": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
    today = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {
        "date": today,
        "machine": machine,
        "unit": "processor seconds of a whole training, on one core",
        "programs": {},
    }


def as_table(programs: dict[str, dict[str, Any]]) -> str:
    """Minutes by program and library, in Markdown; last, what ours takes of the fastest Keras."""
    backends = [name for name in BACKENDS if any(name in row for row in programs.values())]
    lines = [" | ".join(["| program", "here", *(f"Keras on {name}" for name in backends), "to the fastest |"])]
    lines.append("|---" * (3 + len(backends)) + "|")
    for program, row in programs.items():
        found = [row[name]["seconds"] for name in backends if name in row]
        if found and "refnet_fast" in row:
            cells = [f"{row[name]['seconds'] / 60:.2f}" if name in row else "" for name in ("refnet_fast", *backends)]
            share = row["refnet_fast"]["seconds"] / min(found)
            lines.append(" | ".join([f"| `{program}`", *cells, f"{share:.2f} |"]))
    return "\n".join(lines)


def main() -> None:
    """Measures the programs named, in turns, shows a table of them, and keeps it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all of {', '.join(PROGRAMS)} if none")
    parser.add_argument("--backends", nargs="+", default=["jax"], choices=BACKENDS, help="of Keras")
    parser.add_argument("--seconds", type=float, default=3.0, help="that a measurement should last")
    parser.add_argument("--save", type=pathlib.Path, help="a file for the report, as JSON; other programs stay in it")
    given = parser.parse_args()
    from refnet.saving.files import write_atomically

    if not hasattr(os, "sched_getaffinity") or shutil.which("taskset") is None:
        parser.error(
            "a measurement keeps to one processor core, which takes Linux and its program taskset (util-linux)"
        )
    report = report_in(given.save)
    for name in given.names or PROGRAMS:
        row = report["programs"].setdefault(name, {})
        for library in ("refnet_fast", *given.backends):
            try:
                found = in_a_process(name, library, given.seconds)
            except RuntimeError as error:
                print(error, flush=True)
                continue
            row[library] = {word: round(found[word], 3) for word in ("seconds", "first")}
            print(f"{name}, {library}: {found['seconds']:.1f} s, first {found['first']:.1f} s", flush=True)
        if given.save:
            write_atomically(given.save, (json.dumps(report, indent=1) + "\n").encode())
    print(as_table(report["programs"]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main()
