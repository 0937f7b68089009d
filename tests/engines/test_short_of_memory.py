"""A kernel that gets no memory for its scratch, or raises anything else, stops its program with an error: no result is silently
wrong, and no variable is written."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

import refnet_fast
from refnet import ops
from refnet.definition import Op
from refnet.engine import compute, get_engine, use_engine
from refnet.errors import EngineError, OutOfMemoryError
from refnet.graph import Mode, Tensor, Variable, assignment, trace
from refnet.program import Program
from refnet_fast import kernels, machine_rows, running, vm
from refnet_fast.bench.profile import row_times
from refnet_fast.derive import frame_of, kernel_text

HERE, CPU = Path(__file__).parent, Path(refnet_fast.__file__).parent / "cpu"
DEEP = os.environ.get("REFNET_PROFILE") == "deep"
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
X = np.random.default_rng(0).standard_normal((64, 40)).astype("float32")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not hold a process to RLIMIT_AS")
@pytest.mark.parametrize("threads", [1, 2, 5] if DEEP else [2])
def test_with_less_and_less_memory_a_call_is_right_or_says_what_was_needed(threads):
    run = subprocess.run(
        [sys.executable, HERE / "short_of_memory.py", "100" if DEEP else "3"],
        env={**os.environ, **MALLOC, "REFNET_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Exception ignored" not in run.stderr
    found: dict = {}
    for name, takes, came in map(json.loads, run.stdout.splitlines()):
        found.setdefault((name, takes), []).append(came)
    assert len(found) == 14 if DEEP else 3
    for (name, takes), all_ in found.items():
        errors = [came for came in all_ if came != "right"]
        assert len(all_) >= 10 and all_[-1] == "right", name
        assert all(came.startswith("OutOfMemoryError: ") for came in errors), (name, all_)
        needed = [came for came in errors if "that a thread's kernel works in" in came]
        assert bool(needed) == takes, (name, all_)
        assert all("no memory for the " in came for came in needed), (name, all_)


class Failing:
    """A tuned kernel of 64 tasks whose body is a line."""

    name, quantum, rows = "failing", 1, staticmethod(lambda call: None)

    def __init__(self, line):
        self.line = line

    def when(self, call):
        return True

    def tasks(self, call):
        return 64

    def cost(self, call):
        return 1e4

    def emit(self, call, inputs, outputs):
        arguments = [*inputs, *outputs]
        imports = "from refnet_fast.outcomes import scratch\n"
        text = kernel_text(imports, arguments, ["for i in range(lo, hi):", f"    {self.line}"])
        return text, frame_of(arguments), []


@pytest.fixture(params=[1, 3])
def threads(request, monkeypatch):
    get_engine("cpu")  # loads the kernels, in whose place others are put here
    monkeypatch.setattr(machine_rows, "PARALLEL_NS", 0.0)
    monkeypatch.setattr(running, "WAKE_NS", 0.0)
    vm.set_threads(request.param)
    yield request.param
    vm.set_threads(None)


def counting():
    """A program that sorts rows and counts its runs in a variable."""
    x, count = Tensor(X.shape), Variable(np.float32(0))
    with trace.inside(collecting=True):
        y = ops.argsort(x)
        program = Program([x], [y], [assignment(count, ops.add(count, 1.0))], Mode(True))
    return get_engine("cpu").prepare(program), count


SHORT = "there is no memory for {} that a thread's kernel works in, beside its operands. This step changed nothing. Use a smaller batch"
FAULT = "its kernel failed with {}"
LINES = {
    "if i == 50: scratch(2**47, np.uint8)[i] = 0": (OutOfMemoryError, SHORT.format("the 2,048.0 GB or more")),
    "if i == 50: np.empty(2**47, np.uint8)[i] = 0": (OutOfMemoryError, SHORT.format("what")),
    "if i == 50: raise IndexError('row', 50)": (EngineError, FAULT.format("IndexError('row', 50) in work, ")),
    "if i > 5: raise ValueError(i)": (EngineError, FAULT.format("ValueError(...) in work, ")),
}


@pytest.mark.parametrize("line", LINES)
def test_a_kernel_that_fails_stops_the_program_before_variables_change(line, threads, monkeypatch):
    kind, words = LINES[line]
    with monkeypatch.context() as patch:
        patch.setitem(kernels.tuned, "argsort", [Failing(line)])
        executable, count = counting()
        for _ in range(3):
            with pytest.raises(kind) as caught:
                executable.run([X])
            assert str(caught.value).startswith(f"argsort: {words}")
            assert "This step changed nothing." in str(caught.value)
            assert float(count) == 0
    patched, _ = counting()
    assert np.array_equal(patched.run([X])[0], X.argsort(-1, kind="stable"))


def test_a_profile_tells_of_a_kernel_that_fails(monkeypatch):
    get_engine("cpu")
    monkeypatch.setitem(kernels.tuned, "argsort", [Failing("if i > 5: raise IndexError('row', 6)")])
    executable, _ = counting()
    with pytest.raises(EngineError):
        executable.run([X])
    (program,) = executable.built.values()
    with pytest.raises(EngineError, match=r"^argsort: its kernel failed with IndexError\('row', 6\) in work, "):
        row_times(program)


@pytest.fixture
def taken():
    """What Numba has allocated and not freed, in pieces: `taken()`."""
    _nrt_python.memsys_enable_stats()

    def pieces():
        stats = rtsys.get_allocation_stats()
        return stats.alloc - stats.free, stats.mi_alloc - stats.mi_free

    yield pieces
    _nrt_python.memsys_disable_stats()


SCRATCH = {  # empty, cleared, of helpers that give theirs to a kernel
    "argsort": lambda: ops.argsort(X),
    "lu": lambda: compute(Op.named["lu"], [X[None, :40]], {}),
    "take_x_gradient": lambda: compute(Op.named["take_x_gradient"], [X, np.arange(64) % 9], {"axis": 0, "length": 900}),
}


@pytest.mark.parametrize("name", SCRATCH)
def test_a_kernel_that_ends_gives_its_scratch_back(name, threads, taken):
    call, before = SCRATCH[name], taken()
    with use_engine("cpu"):
        call()
        allocated = rtsys.get_allocation_stats().mi_alloc
        call()
    assert rtsys.get_allocation_stats().mi_alloc > allocated  # it takes some
    assert taken() == before


def test_a_program_goes_on_after_a_step_in_which_a_kernel_failed(threads, monkeypatch):
    """Of an epoch's five batches the third fails, in one thread's share; the two before are kept, and again from there it fails again."""
    monkeypatch.setitem(kernels.tuned, "argsort", [Failing("if i == 50 and a0[0, 0, 0] == 2: raise IndexError")])
    executable, count = counting()
    data = np.repeat(np.arange(5, dtype="float32"), 64)[:, None] * np.ones((1, 40), "float32")
    for start, due in ((0, 2), (2, 2), (3, 4)):
        try:
            done = start
            while done < 5:
                done = executable.run_batches([data], None, 64, done, 5)
            assert start == 3
        except EngineError as error:
            assert "IndexError()" in str(error) and start < 3
        assert float(count) == due


@pytest.mark.parametrize("kind", ["a kernel that failed", "a violated check"])
def test_an_interrupt_before_a_run_s_end_was_read_leaves_nothing_for_the_next(kind, threads, monkeypatch):
    monkeypatch.setitem(kernels.tuned, "argsort", [Failing("if a0[0, 0, 0] == 2: raise IndexError")])
    if kind == "a kernel that failed":
        (executable, count), bad, good = counting(), np.full_like(X, 2), X
    else:
        labels, count = Tensor((4,), "int32"), Variable(np.float32(0))
        with trace.inside(collecting=True):
            y = ops.take(X, labels, axis=0)
            program = Program([labels], [y], [assignment(count, ops.add(count, 1.0))], Mode(True))
        executable, bad, good = get_engine("cpu").prepare(program), np.full(4, 64, "int32"), np.arange(4, dtype="int32")
    with monkeypatch.context() as patch:
        patch.setattr(running.Running, "_checked", interrupted)
        with pytest.raises(KeyboardInterrupt):
            executable.run([bad])
    executable.run([good])
    assert float(count) == 1


def interrupted(*given):
    raise KeyboardInterrupt


def test_a_kernel_that_fails_while_variables_are_written_is_told(threads, monkeypatch):
    fuse = running.fuse

    def failing(nodes, operand_of, joined, width=1):
        _, frame, tasks, per_task = fuse(nodes, operand_of, joined, width)
        return kernel_text("", [], ["if hi > lo: raise ValueError"]), frame, tasks, per_task

    monkeypatch.setattr(running, "fuse", failing)
    executable, _ = counting()
    with pytest.raises(
        EngineError, match=r"add: its kernel failed with ValueError\(\).* Variables were being written meanwhile"
    ):
        executable.run([X])


TAKES = {"empty", "zeros", "ones", "full", "empty_like", "zeros_like", "ones_like", "full_like", "copy", "astype", "concatenate",
         "stack", "array", "arange", "repeat", "tile", "where", "dot", "sort", "argsort", "cumsum", "ascontiguousarray", "flatten",
         "nonzero", "flatnonzero", "unique"}  # fmt: skip


def compiled_functions():
    """[(file, its function that is compiled)] of the CPU kernels."""
    for path in sorted(CPU.glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                words = " ".join(map(ast.unparse, function.decorator_list))
                if "njit(" in words or "kernel(" in words or function.name.endswith("_rows"):
                    yield path.name, function


def test_kernels_take_memory_as_scratch_only():
    """What they take otherwise would be missing from the error's words."""
    checked, found = 0, []
    for file, function in compiled_functions():
        checked += 1
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TAKES:
                found.append(f"{file}:{node.lineno}: {ast.unparse(node)}")
    assert checked > 200 and not found
