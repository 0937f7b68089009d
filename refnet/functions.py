"""Plain functions of ops, compiled and differentiated: `jit`, `grad`, `value_and_grad`."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refnet import dtypes, ops, settings
from refnet.arrays import as_array, is_array_like
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Mode, Tensor, Variable, as_tensor, trace
from refnet.keeping import Kept, OnEngines, key_of
from refnet.layers.returned import identity
from refnet.models.traced import Traced
from refnet.structure import flatten, mapped, outline, packed
from refnet.tracing import building


class Jitted:
    """What `jit` makes of a function: call it like the function."""

    def __init__(self, function: Callable[..., Any]):
        functools.update_wrapper(self, function)
        self.function, self.name = function, str(getattr(function, "__name__", "function"))
        self._counter = Variable(0, dtype="int64", trainable=False, name=f"{self.name}/run_counter")
        self._calls = Kept()  # {kind of arguments: a Traced, and its program on engines}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        structure = [list(args), kwargs]
        leaves = [_number(x) for x in flatten(structure)]
        symbolic = any(isinstance(x, Tensor) and not isinstance(x, Variable) for x in leaves)
        if symbolic or trace.active:
            return self.function(*args, **kwargs)
        arrays = [x for x in leaves if isinstance(x, np.ndarray)]
        with building:
            key = (outline(structure, _unread), tuple(map(_kind, leaves)), trace.learning_phase, *settings.chosen())
            made = self._calls.found(key)
            if made is None or made[0].graph.outdated():
                self._calls[key] = made = self._traced(structure, leaves)
            traced, program = made
            executable = program.on_current()
        return traced.filled(executable.run(arrays))

    def _traced(self, structure: Any, leaves: list[Any]) -> tuple[Traced, OnEngines]:
        slots = [
            Tensor(x.shape, x.dtype, name=f"x{i}") if isinstance(x, np.ndarray) else x for i, x in enumerate(leaves)
        ]
        args, kwargs = packed(structure, slots)
        inputs = [s for s, x in zip(slots, leaves) if isinstance(x, np.ndarray)]
        traced = Traced(self, lambda: self.function(*args, **kwargs), inputs)
        return traced, OnEngines(traced.program(self._counter, Mode(False)))


def _number(x: Any) -> Any:
    """A leaf as a program takes it: arrays and floats as arrays; integers, names and the rest count as part of the function."""
    if isinstance(x, float):
        return np.asarray(x, dtypes.as_numpy(dtypes.floatx()))
    if isinstance(x, (np.ndarray, np.generic)):
        return np.asarray(x)
    if is_array_like(x) and not isinstance(x, Tensor):
        return as_array(x)
    return x


def _unread(x: Any) -> None:
    """A leaf in an outline that says of leaves only where they are."""


def _kind(x: Any) -> Any:
    return ("array", x.shape, x.dtype.name) if isinstance(x, np.ndarray) else key_of(x)


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of ops as one program, compiled for each new set of shapes.

    The function is called once for each kind of arguments, on tensors; what it does then is run on the current engine from
    there on. Variables it assigns, by an optimizer for instance, change with every run; random draws differ from run to run.

    Args:
        function: takes arrays and floats, in lists, tuples and dicts too, which become tensors; integers, strings and other
            objects are handed to it as they are. Layers inside behave as in inference unless called with `training=True`.
            An object counts by its value if it has one (`__eq__` and `__hash__`, a set too), else it counts as itself: another
            object is another kind of arguments, the same one is not looked into again. So what is changed in it after the first
            call is not seen, as by jax.jit: give another object, or give the number itself as a float. Layers are the exception:
            an argument of the constructor that is changed, as in `layer.activation = None`, is followed; `trainable` is not. Of 256
            kinds of arguments the programs are kept; the one that was not called for the longest time goes first.
    Returns:
        A function of the same arguments that gives arrays in the structure that `function` returned. On tensors, or inside
        a layer's call, it is the function itself.

    >>> from refnet import ops
    >>> double_sum = jit(lambda xs: ops.sum(xs["a"] * 2.0))
    >>> double_sum({"a": np.ones(3, "float32")})
    array(6., dtype=float32)
    """
    return Jitted(function)


def value_and_grad(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that gives a function's value and its gradient.

    Args:
        function: gives a scalar; with `has_aux` a pair of a scalar and anything else.
        argnums: the positions of the arguments to differentiate with respect to, each an array, a tensor, a float, a Variable, or a
            list, tuple or dict of those. One int gives one gradient, several give a tuple.
        has_aux: whether the function gives a pair; the value is that pair then.
    Returns:
        A function of the same arguments; it gives (value, gradient), the gradient built like the arguments, zero where the
        value does not depend on them. It may be differentiated again. On arrays it runs as one program, see `jit`.
    Raises:
        ShapeError: a value that is no scalar.  ArgumentError: an argument that holds no floating numbers.

    >>> from refnet import ops
    >>> value_and_grad(lambda x: ops.sum(x * x))(np.array([1.0, 3.0]))
    (array(10.), array([2., 6.]))
    """
    several = not isinstance(argnums, int)
    places = [argnums] if isinstance(argnums, int) else list(argnums)

    def differentiated(*args: Any, **kwargs: Any) -> Any:
        name = getattr(function, "__name__", "function")
        for place in places:
            if not -len(args) <= place < len(args):
                raise ArgumentError(f"{name} was called with {len(args)} arguments; argnums asks for number {place}.")
        given = list(args)
        for place in places:
            given[place] = mapped(lambda x: _independent(name, x), args[place])
        result = function(*given, **kwargs)
        value = result[0] if has_aux else result
        if np.shape(value) if not isinstance(value, Tensor) else value.shape:
            raise ShapeError(f"{name} must give a scalar to be differentiated; it gave shape {value.shape}.")
        chosen = [given[place] for place in places]
        leaves = flatten(chosen)
        gradients = ops.gradients(as_tensor(value), leaves)
        gradients = packed(chosen, [ops.zeros_like(x) if dx is None else dx for x, dx in zip(leaves, gradients)])
        return result, tuple(gradients) if several else gradients[0]

    functools.update_wrapper(differentiated, function)
    return jit(differentiated)


def _independent(name: str, x: Any) -> Tensor:
    """An argument as a tensor of its own, so that one that was computed from another counts by itself; a Variable is itself."""
    x = as_tensor(x)
    if not dtypes.is_floating(x.dtype):
        raise ArgumentError(f"{name}: gradients exist for floating numbers; an argument has dtype {x.dtype}.")
    return x if isinstance(x, Variable) else identity(x)


def grad(function: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives a function's gradient; with `has_aux` a pair of the gradient and what else the function gave.

    Args, Raises: see `value_and_grad`.

    >>> grad(lambda x: x * x * x)(2.0)
    array(12., dtype=float32)
    >>> grad(grad(lambda x: x * x * x))(2.0)
    array(12., dtype=float32)
    """
    both = value_and_grad(function, argnums, has_aux)

    def gradient_of(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    functools.update_wrapper(gradient_of, function)
    return jit(gradient_of)
