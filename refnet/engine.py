"""Engines: what runs a program. Here is the protocol, the choice of engine, and the reference engine.

The reference engine interprets the definitions: every loop in plain Python, every task, every value wide. The others live in
`refnet_fast` and in packages that register the entry point group `refnet.engines`.
"""

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from refnet import dtypes
from refnet.annotations import Array, Shape, Tasks, TensorLike
from refnet.arrays import as_array
from refnet.definition import Op, Spec, View
from refnet.errors import DtypeError, EngineError, in_memory, shown
from refnet.graph import Constant, Tensor, Variable
from refnet.old_names import serve
from refnet.program import Concrete, Program, check_range, check_ranges, specialize

Bounds = Callable[[tuple[int, ...]], float]
SLICE = 0.1  # seconds after which run_batches returns, so that progress is shown and Ctrl-C heard


class Running(Protocol):
    """A concrete program on an engine."""

    def run(self, feeds: Sequence[Array]) -> list[Array]:
        """Runs once and commits. The outputs are new arrays."""


class Engine(ABC):
    """Takes programs and gives back something that runs. An engine implements `compute` and `build`.

    Where its kernels do something else than the definition, done in its dtype in whatever order, it says so: `rounding_of` and
    `bound_of` are what a certificate asks (`refnet.testing.certificates`).

    Attributes:
        name: as in `use_engine(name)`.
    """

    name = "engine"

    @abstractmethod
    def compute(self, op: Op, arrays: Sequence[Array], attributes: dict[str, Any]) -> list[Array]:
        """The results of one call of an op on arrays: a list of new arrays."""

    @abstractmethod
    def build(self, concrete: Concrete) -> Running:
        """An object with `run(feeds) -> list of arrays`, which commits, for a Concrete program."""

    def prepare(self, program: Program) -> "Executable":
        """An Executable for a program."""
        return Executable(self, program)

    def rounding_of(self, op: Op) -> float:
        """The unit roundoff of what an op reads in float32 before it multiplies; 0 where it reads it as it is."""
        return 0.0

    def bound_of(
        self, op: Op, arrays: Sequence[Array], attributes: dict[str, Any]
    ) -> Bounds | tuple[Bounds, ...] | None:
        """How far the elements of a call's result may be off, by index, where the kernel sums other terms than the definition; of several
        results, a tuple of these.

        None where it does not. It does not count for elements where it, or the exact result, is not finite.
        """
        return None

    def kind_of(self, op: Op) -> str:
        """How the engine computes an op: 'tuned' (by a kernel of its own, or fused) or 'derived' (as the definition stands)."""
        return "derived"


class Executable:
    """A program on an engine. Shapes are met when it runs; each new set of shapes is built once and kept."""

    def __init__(self, engine: Engine, program: Program):
        self.engine, self.program = engine, program
        self._built: dict[tuple[Shape, ...], Running] = {}

    def at(self, shapes: Iterable[Shape]) -> Running:
        """What `engine.build` made for these input shapes."""
        key = tuple(map(tuple, shapes))
        if key not in self._built:
            self._built[key] = self.engine.build(specialize(self.program, key))
        return self._built[key]

    def run(self, feeds: Sequence[TensorLike]) -> list[Array]:
        """Runs once and commits.

        Args:
            feeds: one array per input of the program; cast to the input's dtype.
        Returns:
            The outputs, as new arrays that belong to the caller.
        """
        with in_memory("a program"):
            arrays = [as_fed(a, x.dtype) for a, x in zip(feeds, self.program.inputs, strict=True)]
            return self.run_arrays(arrays)

    def run_arrays(self, arrays: list[Array]) -> list[Array]:
        """`run` on arrays of the inputs' dtypes, row-major."""
        return self.at([a.shape for a in arrays]).run(arrays)

    def fed(self, data: Sequence[Array], batch_size: int) -> Sequence[Any]:
        """The arrays as `run_batches` is to be given them until they change: an engine may look at them once and keep more.

        Args:
            data: one array per input, each with all samples first.
            batch_size: of the batches to come.
        """
        return data

    def run_batches(
        self,
        data: Sequence[Any],
        order: Array | None,
        batch_size: int,
        start: int,
        stop: int,
        outputs: Sequence[Array] | None = None,
    ) -> int:
        """Runs batches start..stop of an epoch; stops early, so that Ctrl-C is heard, where a batch takes long.

        Args:
            data: one array per input, each with all samples first; or what `fed` made of them.
            order: int64, the sample at each place of the epoch; None for 0, 1, 2 ...
            batch_size: samples in a batch; the last batch may have fewer.
            start, stop: batch numbers.
            outputs: arrays with all samples first, into which the program's outputs are written; or None.
        Returns:
            The number of the next batch to run; `stop` when all have run.
        """
        samples = len(data[0]) if order is None else len(order)
        until = time.monotonic() + SLICE
        for number in range(start, stop):
            low, high = number * batch_size, min((number + 1) * batch_size, samples)
            rows = slice(low, high) if order is None else order[low:high]
            results = self.run([array[rows] for array in data])
            for target, result in zip(outputs or (), results):
                target[low:high] = result
            if time.monotonic() > until:
                return number + 1
        return stop


def as_fed(array: TensorLike, dtype: str) -> Array:
    """The array as a program takes it: its dtype, row-major."""
    array = as_array(array, "an input")
    if not dtypes.of_numbers(array.dtype):
        raise DtypeError(
            f"expected an array of numbers, got dtype {array.dtype}. Turn strings or objects into numbers first."
        )
    return np.asarray(array, dtypes.as_numpy(dtype), order="C")


# ---- which engine


_registered: dict[str, Engine | Callable[[], Engine]] = {}
_of_devices: dict[str, Callable[[int], Engine]] = {}
_current: list[Engine] = []  # the innermost `use_engine`, last
_default = "reference"


def register_engine(name: str, make: Callable[[], Engine]) -> None:
    """Makes an engine known by name; `make()` is called when it is first used."""
    _registered[name] = make


def register_devices(name: str, make: Callable[[int], Engine]) -> None:
    """Makes the engines `name:0`, `name:1` ... known, of each device one; `make(number)` is called when one is first used."""
    _of_devices[name] = make


def get_engine(name: str | Engine) -> Engine:
    """The engine of that name. Raises EngineError if there is none, or if it cannot run here."""
    if isinstance(name, Engine):
        return name
    if not isinstance(name, str):
        raise EngineError(f"an engine is named by a string, such as 'cpu'; got {shown(name)}.")
    found = _registered.get(name) or _from_entry_points(name)
    base, colon, device = name.partition(":")
    if found is None and colon and base in _of_devices:
        if not device.isdecimal():
            raise EngineError(f"unknown engine {name!r}: after the colon comes a device's number, as in '{base}:0'.")
        found = _registered[name] = _of_devices[base](int(device))
    if found is None:
        hint = (
            ""
            if "cpu" in _registered
            else " The engines derived, cpu, cuda, cuda-cublas, cuda-tf32, cuda-sim and auto come with `import refnet_fast`."
        )
        raise EngineError(f"unknown engine {name!r}. Known: {', '.join(_registered)}.{hint}")
    if not isinstance(found, Engine):
        found = _registered[name] = found()
    return found


def _from_entry_points(name: str) -> Engine | Callable[[], Engine] | None:
    from importlib.metadata import entry_points

    for entry in entry_points(group="refnet.engines"):
        if entry.name == name:
            register_engine(name, entry.load())
            return _registered[name]
    return None


def set_default_engine(name: str) -> None:
    """The engine for models when neither `use_engine` nor REFNET_ENGINE says otherwise."""
    global _default
    _default = name


def current_engine() -> Engine:
    """The engine that models run on now: `use_engine`'s, else REFNET_ENGINE, else the default of the imported package."""
    if _current:
        return _current[-1]
    return get_engine(os.environ.get("REFNET_ENGINE") or _default)


class use_engine:
    """Switches the engine: a call sets it from here on, `with use_engine(name):` for a block.

    >>> with use_engine("reference") as engine:
    ...     engine.name
    'reference'
    """

    def __init__(self, name: str | Engine):
        self.before = list(_current)
        self.engine = get_engine(name)
        _current.append(self.engine)

    def __enter__(self) -> Engine:
        return self.engine

    def __exit__(self, *_: object) -> None:
        _current[:] = self.before


# Eager calls (ops on arrays): `refnet.ops` runs the definition unless inside `use_engine`; `refnet_fast.ops` the current engine.
class _Eager(threading.local):
    on_current = False


_eager = _Eager()


class eager_on_current:
    """Inside, this thread's ops on arrays run on the current engine even outside `use_engine`."""

    def __enter__(self) -> None:
        self.before, _eager.on_current = _eager.on_current, True

    def __exit__(self, *_: object) -> None:
        _eager.on_current = self.before


def compute(op: Op, arrays: Sequence[TensorLike], attributes: dict[str, Any]) -> list[Array]:
    """One eager call: on the reference engine, or on the current one (see above)."""
    chosen = current_engine() if _current or _eager.on_current else reference
    if op.expand is not None:
        return _as_list(op.expand(*map(np.asarray, arrays), **attributes))
    with in_memory(op.name):
        return chosen.compute(op, [np.asarray(a) for a in arrays], attributes)


def _as_list(results: Array) -> list[Array]:
    return list(results) if isinstance(results, (tuple, list)) else [results]


# ---- the reference engine


def spec_of(array: Array) -> Spec:
    return Spec(array.shape, dtypes.name_of(array.dtype))


def seen(array: Array, view: View) -> Array:
    """The array as the loop sees it."""
    if view.strides is None:
        return array.reshape(view.shape)
    flat = np.ascontiguousarray(array).reshape(-1)[view.offset :]
    strides = [s * flat.itemsize for s in view.strides]
    return np.lib.stride_tricks.as_strided(flat, view.shape, strides, writeable=False)


def widened(array: Array) -> Array:
    """The array with the dtype that definitions compute in; object arrays (exact numbers) stay."""
    if array.dtype == object:
        return array
    return array.astype(dtypes.as_numpy(dtypes.wide(array.dtype.name)))


def interpret(
    op: Op, arrays: Sequence[Array], attributes: dict[str, Any], outputs: Sequence[Array], tasks: Tasks | None = None
) -> None:
    """Runs a definition in plain Python.

    Args:
        op: a primitive.
        arrays: the inputs; object arrays of any kind of number are allowed.
        attributes: the call's, complete.
        outputs: arrays to be written, of the result's shapes (of dtype object for other kinds of number).
        tasks: the tasks to run, indices of the form's domain; all if None.
    """
    names = [x.dtype.name if x.dtype != object else "float64" for x in arrays]
    form = op.form(*(Spec(x.shape, name) for x, name in zip(arrays, names)), **attributes)
    inputs = [seen(widened(x), view) for x, view in zip(arrays, form.inputs)]
    if op.variadic:
        inputs = [tuple(inputs)]
    stored = [y.astype(np.int64) if narrow_integer(y) else y for y in outputs]
    written = [y.reshape(view.shape) for y, view in zip(stored, form.outputs)]
    tasks = np.ndindex(*form.domain) if tasks is None else tasks
    with np.errstate(all="ignore"):
        if op.scalar is not None:
            apply_scalar(op.scalar, tasks, inputs, form.attributes, written)
        else:
            scratch = [
                np.zeros(shape, object if any(x.dtype == object for x in inputs) else float) for shape in form.scratch
            ]
            assert op.loop is not None, f"{op.name} has no definition of its own: it is written with other ops"
            op.loop(tasks, *inputs, *form.attributes, *written, *scratch)
    for y, wide in zip(outputs, stored):
        if wide is not y:
            y[...] = wide.astype(y.dtype)


def narrow_integer(array: Array) -> bool:
    """Whether values are to wrap around when they are stored: NumPy refuses to store an integer that does not fit."""
    return array.dtype.kind in "iu" and array.itemsize < 8


def apply_scalar(
    scalar: Callable[..., Any],
    tasks: Tasks,
    inputs: Sequence[Array],
    attributes: Sequence[Any],
    outputs: Sequence[Array],
) -> None:
    """The definition of every elementwise op: the scalar function, everywhere."""
    for task in tasks:
        results = scalar(*[x[task] for x in inputs], *attributes)
        if len(outputs) == 1:
            outputs[0][task] = results
        else:
            for y, result in zip(outputs, results):
                y[task] = result


class Reference(Engine):
    """Interprets the definitions."""

    name = "reference"

    def compute(self, op: Op, arrays: Sequence[Array], attributes: dict[str, Any]) -> list[Array]:
        specs = [spec_of(a) for a in arrays]
        outputs = [np.empty(s.shape, dtypes.as_numpy(s.dtype)) for s in op.specs(*specs, **attributes)]
        if op.ranges is not None:
            for position, (low, high) in op.ranges(*specs, **attributes).items():
                check_range(op.spoken, arrays[position], low, high)
        interpret(op, arrays, attributes, outputs)
        return outputs

    def build(self, concrete: Concrete) -> "Interpreted":
        return Interpreted(concrete)


class Interpreted:
    """A concrete program, run node by node."""

    def __init__(self, concrete: Concrete):
        self.concrete = concrete

    def run(self, feeds: Sequence[Array]) -> list[Array]:
        values: dict[Tensor, Array] = dict(zip(self.concrete.inputs, feeds))

        def read(x: Tensor) -> Array:
            if x in values:
                return values[x]
            return x.value if isinstance(x, (Constant, Variable)) else np.broadcast_to(np.zeros(1, x.dtype), x.shape)

        for instruction in self.concrete.instructions:
            arrays = [read(x) for x in instruction.inputs]
            check_ranges(instruction, arrays)
            results = [np.empty(y.shape, dtypes.as_numpy(y.dtype)) for y in instruction.outputs]
            interpret(instruction.op, arrays, instruction.attributes, results)
            values.update(zip(instruction.outputs, results))
        outputs = [np.array(read(y)) for y in self.concrete.outputs]
        updates = {v: np.array(read(x)) for v, x in self.concrete.commits.items()}
        for variable, value in updates.items():  # nothing is committed unless everything was computed
            variable.set(value)
        return outputs


reference = Reference()
register_engine("reference", lambda: reference)

serve(__name__)
