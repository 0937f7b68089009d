"""Definitions, and graphs of them, on other kinds of number than machine floats."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refnet import dtypes
from refnet.annotations import Array, Number, Tasks
from refnet.definition import Op, Spec
from refnet.engine import interpret, seen, spec_of, widened
from refnet.errors import ArgumentError, DtypeError
from refnet.graph import Constant, Mode, Tensor, Variable
from refnet.program import Concrete, Program, specialize

Reader = Callable[[Any], Number]  # makes a number of a machine float


class Lazy:
    """An array whose elements become numbers when they are read: sampled tasks of a large call touch few of them."""

    dtype = np.dtype(object)

    def __init__(self, array: Array, read: Reader):
        self.array, self.read, self.shape = array, read, array.shape
        self.known: dict[Any, Number] = {}

    def __getitem__(self, index: Any) -> Number:
        x = float(self.array[index])
        key = x or str(x)  # 0.0 and -0.0 are equal, but not the same
        if key not in self.known:
            self.known[key] = self.read(x)
        return self.known[key]


def is_floating(array: Array) -> bool:
    return dtypes.is_floating(array.dtype.name)


def evaluate(
    op: Op, arrays: Sequence[Array], attributes: dict[str, Any], read: Reader | None, tasks: Tasks | None = None
) -> list[Array]:
    """One definition with its floating inputs read as numbers of another kind; as machine numbers if `read` is None.

    Returns:
        Object arrays, one per output; None where no task wrote.
    """
    specs = [spec_of(a) for a in arrays]
    form = op.form(*specs, **attributes)
    inputs: list[Any] = []
    for array, view in zip(arrays, form.inputs):
        wide = seen(widened(array), view)
        inputs.append(Lazy(wide, read) if read is not None and is_floating(array) else wide)
    if op.variadic:
        inputs = [tuple(inputs)]
    outputs = [np.full(s.shape, None, object) for s in op.specs(*specs, **attributes)]
    written = [y.reshape(view.shape) for y, view in zip(outputs, form.outputs)]
    chosen = np.ndindex(*form.domain) if tasks is None else tasks
    with np.errstate(all="ignore"):
        if op.scalar is not None:
            for task in chosen:
                results = op.scalar(*[x[task] for x in inputs], *form.attributes)
                for y, result in zip(written, results if len(written) > 1 else (results,)):
                    y[task] = result
        elif op.loop is not None:
            scratch = [np.zeros(shape, object if read is not None else float) for shape in form.scratch]
            op.loop(chosen, *inputs, *form.attributes, *written, *scratch)
        else:
            raise TypeError(f"{op.name} has no loop of its own: it is written with other ops")
    return outputs


def numbers(array: Array, read: Reader) -> Array:
    """An array's elements as numbers of another kind; integers and bools stay."""
    if array.dtype == object or not is_floating(array):
        return array
    result = np.empty(array.shape, object)
    result.reshape(-1)[:] = [read(x) for x in array.reshape(-1)]
    return result


def refuse_other_calls(op: Op, arrays: Sequence[Array], attributes: dict[str, Any]) -> None:
    """Raises for what is no call of the op, before a kernel is given it.

    Raises:
        DtypeError: arrays of something else than numbers.  ArgumentError: other attributes than the op's, another number of arrays,
        an op without a definition of its own.
    """
    for number, a in enumerate(arrays):
        if not dtypes.of_numbers(a.dtype):
            raise DtypeError(f"op {op.name}: arrays hold numbers; arrays[{number}] has dtype {a.dtype}.")
    function = op.scalar or op.loop
    if function is None:
        raise ArgumentError(f"op {op.name} has no definition of its own: it is written with other ops.")
    rule = inspect.signature(op.rule)
    try:
        rule.bind(*arrays, **attributes)
    except TypeError as error:
        words = [p.name for p in rule.parameters.values() if p.kind is p.KEYWORD_ONLY]
        raise ArgumentError(f"op {op.name} takes the attributes {', '.join(words) or '(none)'}: {error}.") from None
    form = op.form(*[spec_of(a) for a in arrays], **attributes)
    others = len(form.attributes) + (0 if op.scalar else 1 + len(form.outputs) + len(form.scratch))
    wanted = len(inspect.signature(function).parameters) - others
    if not op.variadic and wanted != len(arrays):
        raise ArgumentError(f"op {op.name} takes {wanted} arrays; got {len(arrays)}.")


# ---- graphs


def program_of(
    function: Callable[..., Any], arguments: Sequence[Any], keywords: dict[str, Any] | None = None
) -> tuple[Program, list[Array]]:
    """A public function's call as a program, and the arrays to feed it: every array among the arguments becomes an input."""
    feeds: list[Array] = []
    inputs: list[Tensor] = []

    def symbolic(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            feeds.append(x)
            inputs.append(Tensor(x.shape, x.dtype.name, name=f"x{len(feeds)}"))
            return inputs[-1]
        if isinstance(x, (list, tuple)) and any(isinstance(part, np.ndarray) for part in x):
            return type(x)(symbolic(part) for part in x)
        return x

    given = [symbolic(x) for x in arguments]
    named = {name: symbolic(x) for name, x in (keywords or {}).items()}
    result = function(*given, **named)
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    tensors = [y if isinstance(y, Tensor) else Constant(y) for y in outputs]
    return Program(inputs, tensors, mode=Mode(False)), feeds


def run_concrete(
    concrete: Concrete, feeds: Sequence[Array], read: Reader, store: Callable[[Any, str], Any] | None = None
) -> list[Array]:
    """A program's outputs in another kind of number. Feeds may already hold such numbers.

    Floating results become numbers even where a loop wrote a literal; `store(number, dtype)` says what the next node reads of one.
    """
    values: dict[Any, Array] = {x: numbers(np.asarray(a), read) for x, a in zip(concrete.inputs, feeds)}

    def value_of(x: Any) -> Array:
        if x not in values:
            if isinstance(x, (Constant, Variable)):
                values[x] = numbers(np.asarray(x.value), read)
            else:
                values[x] = np.broadcast_to(np.zeros(1, dtypes.as_numpy(x.dtype)), x.shape)  # read for its shape only
        return values[x]

    def as_number(x: Any, dtype: str) -> Number:
        number = read(x) if isinstance(x, (int, float, np.generic)) else x
        return number if store is None else store(number, dtype)

    for instruction in concrete.instructions:
        arrays = [value_of(x) for x in instruction.inputs]
        outputs = []
        for y in instruction.outputs:
            outputs.append(np.empty(y.shape, object if dtypes.is_floating(y.dtype) else dtypes.as_numpy(y.dtype)))
        interpret(instruction.op, arrays, instruction.attributes, outputs)
        for y, result in zip(instruction.outputs, outputs):
            if result.dtype == object:
                result.reshape(-1)[:] = [as_number(x, y.dtype) for x in result.reshape(-1)]
            values[y] = result
    return [value_of(y) for y in concrete.outputs]


def run_program(program: Program, feeds: Sequence[Array], read: Reader) -> list[Array]:
    """A program's outputs, at the feeds' shapes, in another kind of number."""
    return run_concrete(specialize(program, [np.shape(a) for a in feeds]), feeds, read)


def specs_of(op: Op, arrays: Sequence[Array], attributes: dict[str, Any]) -> tuple[Spec, ...]:
    """What the op promises to give for these arrays."""
    return tuple(op.specs(*[spec_of(a) for a in arrays], **attributes))
