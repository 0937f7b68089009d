"""A plan carried out in Python, by the definitions, in the plan's own memory: nothing is compiled.

What a plan decides is then all that can be wrong: which instructions stand for others, where everything lies, in what order units run
and write variables, which of them go block by block. Memory that no unit has written holds NaN.
"""

import ctypes

import numpy as np

from refnet import dtypes
from refnet.definition import Spec, size_of
from refnet.engine import get_engine
from refnet.graph import Constant
from refnet.program import specialize
from refnet_fast import kernels
from refnet_fast.chains import chains, rows_of
from refnet_fast.memory import Memory, bytes_of, merged_size
from refnet_fast.plan import Plan

BLOCK = 2  # rows of a chain at a time


def array_at(address, tensor):
    """The memory at an address as an array of a tensor's shape and dtype."""
    kind, size = dtypes.as_numpy(tensor.dtype), bytes_of(tensor)
    words = np.frombuffer((ctypes.c_char * size).from_address(address), kind) if size else np.zeros(0, kind)
    return words.reshape(tensor.shape)


def computed(node, inputs, shape=None):
    """What a node's definition makes of arrays; in a unit of a shape it repeats them: a plan leaves out repetitions there."""
    results = get_engine("reference").compute(node.op, inputs, node.attributes)
    if shape is not None:
        assert all(y.shape == shape for y in node.outputs), "a unit has one shape"
        results = [np.broadcast_to(result, shape) for result in results]
    for result, y in zip(results, node.outputs, strict=True):
        assert result.shape == y.shape, f"{node.op.name} gives {result.shape}"
    return results


class PlanInPython:
    """A program as the cpu engine plans it.

    Attributes:
        chained, merged: how many lists of units run block by block, and how many updates are one unit.
    """

    def __init__(self, program, feeds):
        kernels.load()
        self.concrete = specialize(program, [np.shape(a) for a in feeds])
        self.plan = Plan(self.concrete)
        self.groups = chains(self.plan)
        self.memory = Memory(self.plan, self.groups)
        self.memory.room[:] = 0xFF
        self.chained = sum(len(group) > 1 for group in self.groups)
        self.merged = sum(unit.merged for unit in self.plan.units)

    def run(self, feeds):
        """One run, commits included; returns the outputs."""
        for x, array in zip(self.concrete.inputs, feeds):
            self.place(x)[...] = array
        done = 0
        for group in self.groups:
            if done == self.plan.computing:
                self.check()
            assert not done < self.plan.computing < done + len(group), "what writes variables waits for the checks"
            done += len(group)
            if len(group) == 1:
                self.carry_out(group[0])
                continue
            rows = rows_of(group[0])[0]
            for first in range(0, rows, BLOCK):
                for unit in group:
                    self.carry_out(unit, (rows, first, first + BLOCK))
        before = [(variable, self.values(x)) for x, variable in self.plan.copies]
        for variable, values in before:
            variable.array[...] = values
        return [np.array(self.memory.array(y)) for y in self.plan.outputs]

    def check(self):
        """What is asked of integers before the first unit that writes variables: here they are in range."""
        for instruction, position, low, high in self.plan.checked():
            values = self.values(instruction.inputs[position])
            assert ((low <= values) & (values < high)).all(), f"{instruction.op.name} reads what is not there"

    def place(self, x):
        return array_at(self.memory.address(x), x)

    def values(self, x):
        base = self.plan.base(x)
        return base.value.reshape(x.shape) if isinstance(base, Constant) else self.place(x).copy()

    def carry_out(self, unit, block=None):
        """A unit, or the rows of it that a block (rows, first, end) names.

        Elementwise units write some of their elements before they read what the others are made of; others clear their results.
        """
        if unit.merged:
            self.update(unit)
            return
        parts = [slice(None)]
        if block is not None:
            rows, *ends = block
            parts = [slice(*(end * size_of(unit.shape) // rows for end in ends))]
        elif unit.fused:
            half = size_of(unit.shape) // 2
            parts = [slice(half, None), slice(half)]
        else:
            for y in unit.stored:
                self.place(y).reshape(-1).view("uint8")[...] = 255
        for part in parts:
            known = self.results(unit)
            for y in unit.stored:
                self.place(y).reshape(-1)[part] = known[y].reshape(-1)[part]

    def results(self, unit):
        """{tensor: array} of all that a unit computes from what lies in memory."""
        known = {x: self.values(x) for x in unit.reads()}
        for node in unit.nodes:
            inputs = [known[x] if x in known else np.zeros(x.shape, dtypes.as_numpy(x.dtype)) for x in node.inputs]
            known.update(zip(node.outputs, computed(node, inputs, unit.shape if unit.fused else None)))
        return known

    def update(self, unit):
        """Updates of one kind: one pass over blocks in which operands lie node after node, padding included."""
        head, operands = unit.nodes[0], self.memory.merged_operands(unit)
        flat = {
            x: array_at(y.address, Spec((merged_size(unit),) if y.strides[0] else x.shape, y.dtype))
            for x, y in operands.items()
        }
        results = get_engine("reference").compute(head.op, [flat[x].copy() for x in head.inputs], head.attributes)
        for y, values in zip(head.outputs, results, strict=True):
            flat[y][...] = values
