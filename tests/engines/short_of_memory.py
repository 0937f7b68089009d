"""Calls on the cpu engine with less and less memory: `short_of_memory.py COUNT` makes so many kinds of calls and prints a line for each.

A line is JSON: the call's name, whether its kernel takes much scratch, and what came: "right" (the same bits as with all memory),
"wrong", or the error's class and words. The process must keep nothing that it freed, so that what is asked for again needs memory
again: test_short_of_memory.py says how it is started.
"""

import gc
import json
import pathlib
import resource
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import refnet_fast
from refnet import ops
from refnet.definition import Op
from refnet.engine import compute, get_engine, use_engine
from refnet.graph import Mode, Tensor, Variable, assignment, trace
from refnet.program import Program

LEFT = [0, *(2**k for k in range(16, 27))]
Given = tuple[Callable[[np.ndarray], Any], np.ndarray]  # a call of one array, and that array
rng = np.random.default_rng(0)


def drawn(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    return [rng.standard_normal(shape).astype("float32") for shape in shapes]


def of(op: str, arrays: list[np.ndarray], **attributes: Any) -> Given:
    return lambda first: compute(Op.named[op], [first, *arrays[1:]], attributes), arrays[0]


def convolution(kind: str, size: int, channels: int, filters: int, pixels: int = 24) -> Given:
    """conv2d, or one of its gradients, on an image of so many pixels a side, padded so that these remain."""
    x, k, dy = (1, pixels, pixels, channels), (size, size, channels, filters), (1, pixels, pixels, filters)
    calls = {"": ((x, k), dy[1:3]), "_inputs_gradient": ((dy, k), x[1:3]), "_kernel_gradient": ((x, dy), k[:2])}
    shapes, extents = calls[kind]
    slides = {"strides": (1, 1), "dilation": (1, 1), "padding": ((size - 1) // 2,) * 2}
    return of("conv2d" + kind, drawn(*shapes), groups=1, extents=extents, **slides)


def recurrent(layer: Callable[..., Any], columns: int, units: int = 160) -> Given:
    """The gradient of a recurrent layer's states by its inputs."""
    x, kernel, again = drawn((3, 4, 5), (5, columns * units), (units, columns * units))
    return refnet_fast.grad(lambda x: ops.sum(layer(x, kernel, again)[0])), x


def step_with_a_sort() -> Given:
    """A program that sorts and counts its runs in a variable; a run that fails must not count."""
    x, count = Tensor((1, 200_000)), Variable(np.float32(0))
    with trace.inside(collecting=True):
        y = ops.argsort(x)
        program = Program([x], [y], [assignment(count, ops.add(count, 1.0))], Mode(True))
    executable = get_engine("cpu").prepare(program)

    def run(first: np.ndarray) -> Any:
        before = float(count)
        try:
            results = executable.run([first])
        except MemoryError:
            assert float(count) == before, "a step that failed counts"
            raise
        assert float(count) == before + 1
        return results

    return run, drawn((1, 200_000))[0]


CALLS: dict[str, Callable[[], Given]] = {
    "5x5": lambda: convolution("", 5, 512, 96, 48),
    "tiles": lambda: convolution("", 3, 128, 128),
    "a step with a sort": step_with_a_sort,
    "lstm": lambda: recurrent(ops.lstm, 4),
    "gru": lambda: recurrent(ops.gru, 3),
    "tiles, the inputs' gradient": lambda: convolution("_inputs_gradient", 3, 128, 128),
    "tiles, the kernel's gradient": lambda: convolution("_kernel_gradient", 3, 128, 128),
    "5x5, the inputs' gradient": lambda: convolution("_inputs_gradient", 5, 128, 96),
    "5x5, the kernel's gradient": lambda: convolution("_kernel_gradient", 5, 128, 96),
    "few filters": lambda: convolution("", 7, 512, 3),
    "lu, derived": lambda: of("lu", drawn((1, 200, 200))),
    "the gradient of rows": lambda: of("take_x_gradient", [*drawn((5, 3)), np.arange(5)], axis=0, length=100_000),
    # these take no scratch of 64 KB or more
    "a product": lambda: of("matmul", drawn((200, 300), (300, 200)), transpose1=False, transpose2=False),
    "a product, transposed": lambda: of("matmul", drawn((300, 200), (200, 300)), transpose1=True, transpose2=True),
}
WITHOUT = ("a product", "a product, transposed")


def outcome(call: Callable[[], Any], due: list[np.ndarray], left: int) -> str:
    """What comes of a call where so many bytes are left."""
    gc.collect()  # what went meanwhile would be left too
    held = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + left, resource.RLIM_INFINITY))
    try:
        results = call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return "right" if all(map(np.array_equal, results, due)) else "wrong"


def attempts(name: str) -> None:
    call, first = CALLS[name]()
    due = call(first)
    for left in LEFT:
        call(-first)  # no part of the result lies where it belongs from before
        print(json.dumps([name, name not in WITHOUT, outcome(lambda: call(first), due, left)]), flush=True)


if __name__ == "__main__":
    with use_engine("cpu"):
        for asked in list(CALLS)[: int(sys.argv[1])]:
            attempts(asked)
