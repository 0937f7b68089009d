"""Control flow: which of two ways, how often, for every part; and how values enter and leave.

On arrays these are Python's own `if`, `for` and `while`. On symbolic tensors a graph has no loops: the steps are written out,
along an axis of open length when a program is planned, else while the graph is built; and a condition that is a tensor computes
both ways and picks.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from refnet import dtypes, ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError, ShapeError, called_as, shown
from refnet.graph import Tensor, as_tensor
from refnet.ops.arguments import as_dtype, converted, dtype_of, is_symbolic, shape_of
from refnet.ops.deferred import scan_open
from refnet.structure import flatten, mapped, packed
from refnet.tracing import trace


def cond(pred: TensorLike, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """One of two results.

        y = true_fn() if pred else false_fn()

    A symbolic `pred` computes both and picks: neither function may assign a variable or add a loss, and an infinity or NaN in
    the gradient of the one that is not picked becomes NaN, so keep its arguments where they are safe.

    Args:
        pred: one bool, number or tensor.
        true_fn, false_fn: functions without arguments; both give the same structure (tensors, lists, tuples, dicts).
    Returns:
        What the chosen function gives.
    Raises:
        ShapeError: a predicate with axes longer than 1.  ArgumentError: two structures, an assignment inside, no function.
    Source: Keras 3 `ops.cond`.

    >>> cond(np.array(2) > 1, lambda: "more", lambda: "less")
    'more'
    """
    must_be_function("cond", "true_fn", true_fn)
    must_be_function("cond", "false_fn", false_fn)
    pred = converted("cond", pred, "pred")
    if any_longer(shape_of(pred)):
        raise ShapeError(f"cond needs a single truth value; got shape {shape_of(pred)}. Use where for one per element.")
    if not isinstance(pred, Tensor):
        return true_fn() if bool(np.reshape(pred, ())) else false_fn()
    with trace.inside(pure=True):
        first, second = true_fn(), false_fn()
    same_structure("cond", first, second)
    truth = as_dtype(ops.reshape(pred, ()), "bool")
    return picked(truth, first, second)


def must_be_function(op: str, name: str, given: Any) -> None:
    """Raises ArgumentError unless it is one."""
    if not callable(given):
        raise ArgumentError(f"{op}: {name} must be a function; got {shown(given)}.")


def any_longer(shape: tuple[int | None, ...]) -> bool:
    return any(extent != 1 for extent in shape)


def same_structure(op: str, first: Any, second: Any) -> None:
    """Raises ArgumentError unless both are built alike."""
    if outline(first) != outline(second):
        raise ArgumentError(
            f"{op}: both functions must give the same structure; got {outline(first)} and {outline(second)}."
        )


def outline(structure: Any) -> str:
    """The structure with a dot for each leaf."""
    if isinstance(structure, dict):
        return "{" + ", ".join(f"{key}: {outline(part)}" for key, part in structure.items()) + "}"
    if isinstance(structure, (list, tuple)):
        inner = ", ".join(map_list(outline, structure))
        return f"[{inner}]" if isinstance(structure, list) else f"({inner})"
    return "."


def map_list(function: Callable[[Any], str], parts: Any) -> list[str]:
    return [function(part) for part in parts]


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """Repeats as long as a condition holds.

        while cond(*v) and fewer than maximum_iterations are done:  v = body(*v)

    If `cond` gives a symbolic tensor, `maximum_iterations` steps are written out, and each takes effect where the condition
    has held so far; a step that takes no effect is computed all the same, and may not assign or add losses.

    Args:
        cond: takes the loop variables, gives one truth value.
        body: takes them, gives the next ones: a tuple or list where `loop_vars` is one.
        loop_vars: a tuple or list of values, or a single value.
        maximum_iterations: the most steps; None for any number.
    Returns:
        The last values: a tuple where `loop_vars` is a tuple or list.
    Raises:
        ArgumentError: a symbolic condition without maximum_iterations, or another number of values than there were.
    Source: Keras 3 `ops.while_loop`.

    >>> while_loop(lambda i, total: i < 4, lambda i, total: (i + 1, total + i), (0, 0))
    (4, 6)
    """
    must_be_function("while_loop", "cond", cond)
    must_be_function("while_loop", "body", body)
    several = isinstance(loop_vars, (tuple, list))
    values = tuple(loop_vars) if several else (loop_vars,)
    done, going = 0, None
    while maximum_iterations is None or done < maximum_iterations:
        holds = cond(*values)
        if isinstance(holds, Tensor):
            if maximum_iterations is None:
                raise ArgumentError(
                    "while_loop: the condition is a symbolic tensor, so the number of steps is not known while the graph is "
                    "built; give maximum_iterations."
                )
            holds = as_dtype(ops.reshape(holds, ()), "bool")
            going = holds if going is None else ops.logical_and(going, holds)
            with trace.inside(pure=True):
                following = next_values(body, values)
            values = picked(going, following, values)
        elif not bool(holds):
            break
        else:
            values = next_values(body, values)
        done += 1
    return values if several else values[0]


def picked(truth: TensorLike, first: Any, second: Any) -> Any:
    """The leaves of one of two equal structures."""
    return mapped(lambda a, b: ops.where(truth, a, b), first, second)


def next_values(body: Callable[..., Any], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """One step of while_loop."""
    result = body(*values)
    if result is None:
        raise ArgumentError("while_loop: body returned None; it has to return the next values of loop_vars.")
    following = tuple(result) if isinstance(result, (tuple, list)) else (result,)
    if len(following) != len(values):
        raise ArgumentError(
            f"while_loop: body takes {len(values)} values and must give as many; it gave {len(following)}."
        )
    return following


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """Repeats a number of times.

        v = init_val;  for i = lower .. upper - 1:  v = body_fun(i, v)

    Args:
        lower, upper: whole numbers, known while the graph is built.
        body_fun: takes i and the value, gives the next value.
        init_val: the first value, any structure.
    Returns:
        The last value; init_val if upper <= lower.
    Raises:
        ArgumentError: bounds that are symbolic, or no whole numbers.
    Source: Keras 3 `ops.fori_loop`.

    >>> fori_loop(0, 4, lambda i, total: total + i, 0)
    6
    """
    value = init_val
    for i in range(whole_number("fori_loop", "lower", lower), whole_number("fori_loop", "upper", upper)):
        value = body_fun(i, value)
    return value


def whole_number(op: str, name: str, x: Any) -> int:
    """x as an int."""
    if not isinstance(x, Tensor):
        try:
            return int(np.asarray(x)[()].__index__())
        except (AttributeError, TypeError):
            pass
    raise ArgumentError(f"{op}: {name} must be a whole number that is known while the graph is built; got {x!r}.")


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Takes a step for every part of xs and carries a value along.

        carry = init;  for each x along the first axis of xs:  carry, y = f(carry, x);  ys stacks the y's

    The steps are written out, one after the other: `f` is called once for each, may draw random numbers (each step draws its
    own) and can be differentiated as often as one likes. It may not assign variables or add losses. Where the first axis of xs is
    open, `f` is called once, on tensors that stand for a part, and may not draw.

    Args:
        f: takes the carry and a part of xs, gives the next carry and y; y may be None.
        init: the first carry, any structure of arrays or tensors.
        xs: arrays or tensors in any structure, equal in their first axis; or None.
        length: the number of steps; needed if xs is None, else the first axis of xs must be that long.
        reverse: whether to go from the last part to the first; y's stand where their x's stood.
        unroll: accepted for Keras's sake; the steps are always written out.
    Returns:
        The last carry, and the y's stacked along a new first axis, None where they are None.
    Raises:
        ShapeError: no steps, first axes that differ.  ArgumentError: neither xs nor length, an assignment inside, a carry or y
        whose structure changes; a draw, or a carry whose dtype changes, where the number of steps is open.
    Source: Keras 3 `ops.scan`.

    >>> scan(lambda total, x: (total + x, total + x), np.array(0), np.array([1, 2, 3]))
    (np.int64(6), array([1, 3, 6]))
    """
    must_be_function("scan", "f", f)
    parts = [converted("scan", x, "xs") for x in flatten(xs)] if xs is not None else []
    count = steps_of("scan", parts, length)
    if count is None:
        return scan_open(f, init, xs, [as_tensor(x) for x in parts], reverse)
    ys: list[Any] = []
    carry = init
    for i in reversed(range(count)) if reverse else range(count):
        part = packed(xs, [x[i] for x in parts]) if xs is not None else None
        with trace.inside(pure=True):
            after, y = carry_and_part(f(carry, part))
        same_structure("scan", carry, after)
        if ys:
            same_structure("scan", ys[0], y)
        carry = after
        ys.append(y)
    return carry, stacked(ys[::-1] if reverse else ys)


def carry_and_part(result: Any) -> tuple[Any, Any]:
    """What a step of scan gave. Raises ArgumentError unless it is a pair."""
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise ArgumentError(
            f"scan: f has to return a pair, the next carry and y (which may be None); got {shown(result)}."
        )
    return result[0], result[1]


def steps_of(op: str, parts: list[TensorLike], length: int | None) -> int | None:
    """How many steps there are; None while that is open."""
    if any(shape_of(x) == () for x in parts):
        raise ShapeError(f"{op} goes along the first axis of xs, and a single number has none.")
    counts = {shape_of(x)[0] for x in parts}
    if length is not None:
        counts = {n for n in counts if n is not None} | {whole_number(op, "length", length)}
    if not counts:
        raise ArgumentError(f"{op} needs xs, or the number of steps as length.")
    known = sorted(n for n in counts if n is not None)
    if len(known) > 1:
        raise ShapeError(f"{op} needs parts of one length along the first axis; got {', '.join(map_list(str, known))}.")
    if not known:
        return None
    if known[0] < 1:
        raise ShapeError(f"{op} needs at least one step; got {known[0]}.")
    return int(known[0])


def stacked(ys: list[Any]) -> Any:
    """The leaves of equal structures, each stacked along a new first axis."""
    if all_none(ys):
        return None
    return mapped(lambda *leaves: None if all_none(leaves) else ops.stack(list(leaves)), *ys)


def all_none(values: Any) -> bool:
    return all(v is None for v in values)


@called_as("map", "scan")
def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """Applies a function to every part of xs along the first axis.

        y[i] = f(x[i])

    The applications are written out, as the steps of `scan` are.

    Args:
        f: takes a part of xs, gives any structure of arrays or tensors; it may not assign variables or add losses.
        xs: arrays or tensors in any structure, equal in their first axis.
    Returns:
        f's structure, each leaf stacked along a new first axis.
    Raises:
        ShapeError: no parts, first axes that differ.  ArgumentError: an assignment inside; a draw, where their number is open.
    Source: Keras 3 `ops.map`.

    >>> map(lambda x: x * x, np.array([1, 2, 3]))
    array([1, 4, 9])
    """
    must_be_function("map", "f", f)
    return scan(lambda carry, x: (carry, f(x)), 0, xs)[1]


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """As `map`: Keras promises that the applications may run side by side, and here nothing is in their way.

    >>> vectorized_map(lambda xs: xs[0] + xs[1], [np.array([1, 2]), np.array([10, 20])])
    array([11, 22])
    """
    return map(function, elements)


# ---- how values enter and leave


def dtype(x: TensorLike) -> str:
    """The name of the dtype of an array, tensor, variable or number.

    Args:
        x: an array, tensor or number.
    Returns:
        The name, such as "float32".
    Source: Keras 3 `ops.dtype`.

    >>> dtype(np.zeros(2, "int8"))
    'int8'
    """
    return dtype_of(converted("dtype", x))


def convert_to_tensor(x: TensorLike, dtype: DTypeLike | None = None) -> TensorLike:
    """x as an array, or the tensor it is.

    Python floats take the default floating dtype, alone and in lists. A Python integer is int32 (int64 where it needs that), a list of
    them int64, as in NumPy; Keras 3 makes the list int32.

    Args:
        x: an array, tensor, number or nested list.
        dtype: the dtype wanted; x's own if None.
    Returns:
        A NumPy array, or a tensor if x is one.
    Raises:
        DtypeError: something that holds no numbers, or no such dtype.
    Source: Keras 3 `ops.convert_to_tensor`.

    >>> convert_to_tensor([1, 2], dtype="float32")
    array([1., 2.], dtype=float32)
    >>> convert_to_tensor([1, 2]).dtype.name, convert_to_tensor(1).dtype.name, convert_to_tensor([1.0]).dtype.name
    ('int64', 'int32', 'float32')
    """
    x = converted("convert_to_tensor", x)
    return x if dtype is None else as_dtype(x, dtypes.standardize(dtype))


def convert_to_numpy(x: TensorLike) -> Array:
    """The values of an array, variable, number or nested list as a NumPy array; a symbolic tensor has none and raises.

    Args:
        x: an array, number or nested list; or a tensor whose value is known.
    Returns:
        A NumPy array.
    NaN: stays. Empty: an empty array.
    Source: Keras 3 `ops.convert_to_numpy`.

    >>> convert_to_numpy([1.0, 2.0])
    array([1., 2.], dtype=float32)
    """
    x = converted("convert_to_numpy", x)
    return np.asarray(x) if is_symbolic(x) else np.array(x)
