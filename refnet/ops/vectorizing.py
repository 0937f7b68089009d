"""A function of single numbers, or of arrays of a few axes, as one of arrays with any number of axes in front."""

import functools
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.definition import broadcast_shapes
from refnet.errors import ArgumentError, ShapeError, called_as, shown
from refnet.ops.arguments import converted, shape_of
from refnet.ops.control import must_be_function

Core = list[tuple[str, ...]]
LIST = r"\(\s*(?:\w+(?:\s*,\s*\w+)*)?\s*\)"
SIGNATURE = rf"\s*(?:{LIST}\s*(?:,\s*{LIST}\s*)*)?->\s*{LIST}\s*(?:,\s*{LIST}\s*)*"


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Collection[int] | None = None, signature: str | None = None
) -> Callable[..., Any]:
    """Makes a function of single numbers one of arrays: it is applied to every element, with broadcasting.

        y[i, j, ...] = pyfunc(x1[i, j, ...], x2[i, j, ...], ...)

    The applications are written out, as those of `map` are: use it for what ops do not do by themselves.

    Args:
        pyfunc: takes and gives arrays or tensors of the signature's axes; without a signature, single numbers. It may give a tuple.
        excluded: positions of arguments that are handed on as they are; so are arguments given by name, and None.
        signature: the axes that pyfunc sees, by name, such as "(m,n),(n)->(m)": the last ones of each argument and result.
    Returns:
        A function of arrays whose other axes broadcast.
    Raises:
        ArgumentError: pyfunc that is no function, a signature that cannot be read.  When called: ArgumentError, a number of
        arguments or results that is not the signature's;  ShapeError, axes that do not broadcast or fit the signature.
    Source: Keras 3 `ops.vectorize`; NumPy `vectorize`.

    >>> vectorize(lambda row, k: row[k], signature="(n),()->()")(np.arange(6).reshape(2, 3), np.array([2, 0]))
    array([2, 3])
    """
    must_be_function("vectorize", "pyfunc", pyfunc)
    given, made = (None, None) if signature is None else parsed(signature)
    kept = frozenset(excluded or ())

    @functools.wraps(pyfunc)
    @called_as("vectorize", "map", "scan")
    def vectorized(*args: Any, **keywords: Any) -> Any:
        whole = [i in kept or x is None for i, x in enumerate(args)]
        parts = [converted("vectorize", x, f"argument {i + 1}") for i, x in enumerate(args) if not whole[i]]

        def inner(given_parts: Sequence[Any]) -> Any:
            rest = iter(given_parts)
            return pyfunc(*(x if whole[i] else next(rest) for i, x in enumerate(args)), **keywords)

        cores: Core = [()] * len(parts) if given is None else given
        if len(cores) != len(parts):
            raise ArgumentError(
                f"vectorize: the signature {signature!r} is of {len(cores)} arguments; got {len(parts)} to vectorize over."
            )
        return applied(inner, parts, cores, made)

    return vectorized


def parsed(signature: str) -> tuple[Core, Core]:
    """The names of the axes of each argument and of each result."""
    if not isinstance(signature, str) or re.fullmatch(SIGNATURE, signature) is None:
        raise ArgumentError(f"vectorize: a signature is written like '(m,n),(n)->(m)'; got {shown(signature)}.")
    sides = signature.split("->")
    given, made = ([tuple(re.findall(r"\w+", names)) for names in re.findall(LIST, side)] for side in sides)
    return given, made


def applied(inner: Callable[[Any], Any], parts: list[TensorLike], cores: Core, made: Core | None) -> Any:
    """The function of every element of the axes in front of the cores."""
    sizes: dict[str, int | None] = {}
    shapes = [shape_of(x) for x in parts]
    for i, (shape, core) in enumerate(zip(shapes, cores)):
        if len(shape) < len(core):
            raise ShapeError(f"vectorize: argument {i + 1} has shape {shape}; its signature names the axes {core}.")
        check_sizes(f"argument {i + 1}", shape[len(shape) - len(core) :], core, sizes)
    outer = [shape[: len(shape) - len(core)] for shape, core in zip(shapes, cores)]
    common = broadcast_shapes("vectorize", *outer)
    if None in common:
        raise ShapeError(
            f"vectorize writes every application out, so it needs to know how many there are; got {common}."
        )

    def single(elements: Any) -> Any:
        return checked(inner(elements), made, sizes)

    if not common:
        return single(parts)
    rows = [
        ops.reshape(ops.broadcast_to(x, (*common, *shape[len(front) :])), (-1, *shape[len(front) :]))
        for x, shape, front in zip(parts, shapes, outer)
    ]
    results = ops.map(single, rows)
    several = results if isinstance(results, tuple) else (results,)
    shaped = tuple(ops.reshape(y, (*common, *shape_of(y)[1:])) for y in several)
    return shaped if isinstance(results, tuple) else shaped[0]


def checked(results: Any, made: Core | None, sizes: dict[str, int | None]) -> Any:
    """What the function gave, as arrays or tensors. Raises if the signature, or the lack of one, says something else."""
    several = list(results) if isinstance(results, (tuple, list)) else [results]
    cores: Core = [()] * len(several) if made is None else made
    if len(several) != len(cores):
        raise ArgumentError(f"vectorize: the signature names {len(cores)} results; pyfunc gave {len(several)}.")
    several = [converted("vectorize", y, "what pyfunc gives") for y in several]
    for i, (y, core) in enumerate(zip(several, cores)):
        what = f"result {i + 1} of pyfunc"
        if len(shape_of(y)) != len(core):
            axes = f"the axes {core}" if core else "a single number"
            raise ShapeError(f"vectorize: {what} must be {axes}; got shape {shape_of(y)}. A signature says its axes.")
        check_sizes(what, shape_of(y), core, sizes)
    return tuple(several) if isinstance(results, (tuple, list)) else several[0]


def check_sizes(what: str, shape: Sequence[int | None], core: Sequence[str], sizes: dict[str, int | None]) -> None:
    """Each name of a signature stands for one size."""
    for name, size in zip(core, shape):
        if sizes.setdefault(name, size) != size and None not in (size, sizes[name]):
            raise ShapeError(f"vectorize: axis {name} of {what} has size {size}; elsewhere it has {sizes[name]}.")
