"""Several threads that run a program: how many, Ctrl-C meanwhile, processes forked meanwhile. What comes after runs as ever."""

import multiprocessing
import os
import sys
import threading

import numpy as np
import pytest

from refnet import ops, tracing
from refnet.engine import get_engine
from refnet.errors import ArgumentError
from refnet.graph import Mode, Tensor, Variable, assignment, trace
from refnet.layers import Activation, Input
from refnet.models import Sequential
from refnet.program import Program
from refnet_fast import machine_rows, running, vm

X = np.random.default_rng(0).standard_normal((64, 4)).astype("float32")


@pytest.fixture(autouse=True)
def on_three_threads(monkeypatch):
    monkeypatch.setattr(machine_rows, "PARALLEL_NS", 0.0)
    monkeypatch.setattr(running, "WAKE_NS", 0.0)
    vm.set_threads(3)
    yield
    vm.set_threads(None)


def counting():
    """A program on the cpu engine that several threads run, and a variable that counts its runs."""
    x, count = Tensor(X.shape), Variable(np.float32(0))
    with trace.inside(collecting=True):
        y = ops.softmax(ops.exp(ops.tanh(x)))
        program = Program([x], [y], [assignment(count, ops.add(count, 1.0))], Mode(True))
    return get_engine("cpu").prepare(program), count


class Interrupt:
    """Ctrl-C before the instruction of this number of the machine's Python code, as `sys.settrace` counts them."""

    def __init__(self, number):
        self.left = number
        sys._getframe().f_trace_opcodes = True  # Python 3.12 counts where a frame, any, has asked before settrace

    def __call__(self, frame, event, argument):
        if frame.f_code.co_filename != vm.__file__:
            return None
        frame.f_trace = self.each  # first: Python 3.13 counts only in a frame that is traced
        frame.f_trace_opcodes = True
        return self.each

    def each(self, frame, event, argument):
        if event == "opcode":
            self.left -= 1
            if self.left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self.each


def within_half_a_minute(call):
    results = []
    thread = threading.Thread(target=lambda: results.append(call()), daemon=True)
    thread.start()
    thread.join(30)
    assert results, "it waits for a thread that does not come"
    return results[0]


def test_an_interrupt_at_any_instruction_leaves_all_threads_ready():
    executable, count = counting()
    (due,) = executable.run([X])
    assert len(vm.workers.threads) >= 2
    for number in range(10_000):
        before, usual = float(count), sys.gettrace()
        sys.settrace(Interrupt(number))
        try:
            executable.run([X])
            break
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(usual)
        assert float(count) - before in (0, 1)
        assert np.array_equal(within_half_a_minute(lambda: executable.run([X]))[0], due)
    assert 50 < number < 5_000


def answer_of_a_child(call):
    """What a forked process makes of a call, within half a minute."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=lambda: theirs.send(call()), daemon=True)
    child.start()
    try:
        assert ours.poll(30), "the child waits for what nobody will do"
        return ours.recv()
    finally:
        child.kill()
        child.join()


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")


@forks
@pytest.mark.parametrize("lock", [lambda: vm.workers.lock, lambda: tracing.building], ids=["a program", "what builds"])
def test_a_child_forked_while_another_thread_runs(lock):
    executable, _ = counting()
    (due,) = executable.run([X])
    holding, leave = threading.Event(), threading.Event()

    def hold():
        with lock():
            holding.set()
            leave.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    try:
        assert np.array_equal(answer_of_a_child(lambda: executable.run([X])[0]), due)
        model = Sequential([Input((4,)), Activation("relu")])
        assert np.array_equal(answer_of_a_child(lambda: model.predict(X, verbose=0)), np.maximum(X, 0))
    finally:
        leave.set()
        thread.join()
    assert np.array_equal(executable.run([X])[0], due)


@forks
def test_a_child_forked_by_the_thread_that_builds():
    """It goes on, and leaves what it entered."""

    def left_and_entered_again():
        tracing.building.release()
        return tracing.building.acquire(blocking=False)

    with tracing.building:
        assert answer_of_a_child(left_and_entered_again)


@forks
def test_a_child_forked_while_a_thread_waits_for_others():
    """At a barrier, where it is counted: of those that will come, none is in the child."""
    executable, _ = counting()
    (due,) = executable.run([X])
    (program,) = executable.built.values()
    program.control[vm.MEET] = 1  # as memory stands then
    assert np.array_equal(answer_of_a_child(lambda: executable.run([X])[0]), due)


@pytest.mark.parametrize("count", [0, -1, 2.0, True, "2"])
def test_a_number_of_threads_that_is_none(count, monkeypatch):
    with pytest.raises(ArgumentError, match="set_threads: the count must be an integer of at least 1, or None; got"):
        vm.set_threads(count)
    assert vm.thread_count() == 3
    vm.set_threads(None)
    monkeypatch.setenv("REFNET_THREADS", "0" if count == 0 else "two")
    with pytest.raises(ArgumentError, match="REFNET_THREADS must be a number of threads, at least 1; it is '"):
        vm.thread_count()
