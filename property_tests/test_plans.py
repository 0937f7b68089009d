"""What a plan makes of any program: carried out in Python by the definitions, it gives the reference's bits.

Drawn programs share values, read and write variables between their nodes, take gradients and update, with several outputs.
"""

import math
import os
from random import Random

import numpy as np
import pytest
from plan_in_python import PlanInPython

from refnet import ops
from refnet.engine import get_engine
from refnet.graph import Mode, Tensor, Variable, assignment, trace
from refnet.program import Program

FLOATS = ("float32", "float16", "float64")


def counts(x):
    return math.prod(x.shape)


def broadcastable(x, y):
    """Whether y, repeated, has x's shape."""
    pairs = zip(x.shape[::-1], y.shape[::-1])
    return len(y.shape) <= len(x.shape) and y.dtype == x.dtype and all(m in (1, n) for n, m in pairs)


class Drawn:
    """A program of drawn steps, the same for the same decisions.

    Args:
        random: makes the decisions.
    Attributes:
        program, feeds, variables.
    """

    def __init__(self, random):
        self.random, self.variables, self.records = random, [], []
        shapes = [random.choice([(4, 6), (6,), (2, 3, 4), (1, 4), (3, 1), (2, 4, 4, 1)]) for _ in range(2)]
        inputs = [Tensor(shape) for shape in shapes]
        self.feeds = [self.numbers(shape) for shape in shapes]
        with trace.inside(collecting=True):
            self.values = list(inputs)
            for _ in range(random.randint(4, 12)):
                step = getattr(self, random.choice(STEPS))
                made = step(random.choice(self.values[-4:]))
                if made is not None and 0 < counts(made) <= 200:
                    self.values.append(made)
            outputs = [y for y in self.values if random.random() < 0.3] + [self.values[-1]]
            if random.random() < 0.8:
                outputs += self.trained()
            if self.variables and random.random() < 0.5:
                outputs.append(random.choice(self.variables))
            self.exchange()
        self.program = Program(inputs, outputs, self.records, Mode(True))

    def numbers(self, shape):
        return np.array([self.random.randint(-8, 8) / 4 for _ in range(math.prod(shape))], "float32").reshape(shape)

    def variable(self, shape, dtype):
        """A new variable, or one that the program has used already."""
        fitting = [v for v in self.variables if (v.shape, v.dtype) == (shape, dtype)]
        if not fitting or self.random.random() < 0.5:
            fitting = [Variable(self.numbers(shape), dtype=dtype)]
            self.variables += fitting
        return fitting[0]

    # ---- steps: from a value another, or None where it does not fit

    def function(self, x):
        return self.random.choice([ops.tanh, ops.relu, ops.square, ops.negative])(x)

    def idle(self, x):
        return self.random.choice([ops.multiply, ops.divide])(x, ops.ones(x.shape, x.dtype))

    def together(self, x):
        other = self.random.choice([y for y in self.values if broadcastable(x, y)] or [x])
        return self.random.choice([ops.add, ops.multiply, ops.maximum, ops.subtract])(x, other)

    def repeated(self, x):
        return ops.broadcast_to(x, (2, *x.shape))

    def reshaped(self, x):
        size = counts(x)
        parts = [n for n in range(1, size + 1) if size % n == 0]
        first = self.random.choice(parts)
        return ops.reshape(x, self.random.choice([(first, size // first), (size,), (1, *x.shape), (*x.shape, 1)]))

    def there_and_back(self, x):
        return ops.reshape(ops.tanh(ops.reshape(x, (-1,))), x.shape)

    def turned(self, x):
        return ops.transpose(x)

    def dense(self, x):
        if len(x.shape) != 2:
            return None
        way, units = self.random.randint(0, 3), self.random.choice([1, 3, 16])
        x = ops.transpose(x) if way % 2 else x
        if way < 2:
            return ops.relu(ops.add(ops.matmul(x, self.variable((x.shape[1], units), x.dtype)), 0.5))
        return ops.tanh(ops.matmul(x, ops.transpose(self.variable((units, x.shape[1]), x.dtype))))

    def products_of_itself(self, x):
        return ops.tanh(ops.matmul(x, ops.transpose(x))) if len(x.shape) == 2 else None

    def scaled(self, x):
        return ops.multiply(x, self.variable(x.shape[-1:], x.dtype))

    def reduced(self, x):
        if not x.shape:
            return None
        axis, kept = self.random.randrange(len(x.shape)), self.random.random() < 0.5
        return self.random.choice([ops.sum, ops.max, ops.mean])(x, axis=axis, keepdims=kept)

    def softened(self, x):
        return ops.softmax(x, axis=-1) if x.shape else None

    def pooled(self, x):
        if len(x.shape) < 2:
            return None
        image = ops.relu(ops.reshape(x, (1, x.shape[0], -1, 1)))
        return ops.max_pool(image, 2, strides=self.random.choice([1, 2]), padding="same")

    def joined(self, x):
        same = [y for y in self.values if (y.shape, y.dtype) == (x.shape, x.dtype)]
        return ops.concatenate([x, self.random.choice(same)], axis=-1) if x.shape else None

    def cut(self, x):
        return x[..., 1:] if x.shape and x.shape[-1] > 1 else None

    def converted(self, x):
        return ops.cast(x, self.random.choice(FLOATS))

    def kept(self, x):
        """The value is assigned to a variable, which is read at once."""
        variable = self.variable(x.shape, x.dtype)
        self.records.append(assignment(variable, x))
        return ops.add(variable, 1.0)

    # ---- the end of a step

    def trained(self):
        """Gradients of a loss, some of which update what they belong to; gives those that are outputs too."""
        random, written = self.random, {record.variable for record in self.records}
        ends = [self.values[-1], *(random.choice(self.values) for _ in range(3))]
        loss = sum((ops.sum(ops.cast(ops.tanh(y), "float32")) for y in ends), start=ops.sum(self.values[0]))
        asked = [*self.variables, self.values[0]]
        found = [(v, g) for v, g in zip(asked, ops.gradients(loss, asked)) if g is not None]
        kind, rate = random.choice(["sgd", "momentum", "by hand"]), Variable(np.float32(0.25))
        for variable, slope in found:
            if not isinstance(variable, Variable) or variable in written or random.random() < 0.2:
                continue
            if kind == "by hand":
                step = ops.cast(ops.multiply(slope, 0.25), variable.dtype)
                self.records.append(assignment(variable, ops.subtract(variable, step)))
            elif kind == "sgd":
                like = [v for v in self.variables if (v.shape, v.dtype) == (variable.shape, variable.dtype)]
                slope = slope if random.random() < 0.6 else random.choice(like)
                self.records.append(assignment(variable, ops.sgd_update(variable, slope, rate)))
            else:
                velocity = Variable(np.zeros(variable.shape), dtype=variable.dtype)
                self.variables.append(velocity)
                new = ops.sgd_momentum_update(variable, velocity, slope, rate, 0.5)
                pair = (velocity, variable) if random.random() < 0.2 else (variable, velocity)
                self.records += map(assignment, pair, new)
        return [slope for _, slope in found if random.random() < 0.4]

    def exchange(self):
        """Two variables of a kind take each other's value, unless they were written."""
        written = {record.variable for record in self.records}
        free = [v for v in self.variables if v not in written]
        for one in free[:1]:
            for other in [v for v in free[1:] if (v.shape, v.dtype) == (one.shape, one.dtype)][:1]:
                self.records += [assignment(one, other), assignment(other, one)]


STEPS = [
    "function",
    "function",
    "together",
    "together",
    "together",
    "idle",
    "repeated",
    "reshaped",
    "there_and_back",
    "turned",
    "dense",
    "dense",
    "dense",
    "products_of_itself",
    "scaled",
    "scaled",
    "reduced",
    "softened",
    "pooled",
    "pooled",
    "joined",
    "cut",
    "converted",
    "kept",
]


@pytest.mark.parametrize("seed", range(10_000 if os.environ.get("REFNET_PROFILE") == "deep" else 300))
def test_a_plan_gives_the_bits_of_its_program(seed):
    drawn = Drawn(Random(seed))
    feeds, variables = drawn.feeds, drawn.variables
    before, run = [v.numpy() for v in variables], get_engine("reference").prepare(drawn.program).run
    due = [*run(feeds), *run(feeds), *(v.numpy() for v in variables)]
    for variable, value in zip(variables, before):
        variable.array[...] = value
    planned = PlanInPython(drawn.program, feeds)
    got = [*planned.run(feeds), *planned.run(feeds), *(v.numpy() for v in variables)]
    for number, (one, other) in enumerate(zip(due, got, strict=True)):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        assert np.array_equal(one, other, equal_nan=True), f"result {number}"


def test_drawn_programs_hold_what_plans_are_made_of():
    """Chains, merged updates and values written in place are among those that the test above draws."""
    drawn = [Drawn(Random(seed)) for seed in range(100)]
    found = [PlanInPython(d.program, d.feeds) for d in drawn]
    assert sum(plan.chained > 0 for plan in found) >= 5
    assert sum(plan.merged > 0 for plan in found) >= 5
    assert sum(any(unit.commits for unit in plan.plan.units) for plan in found) >= 20
