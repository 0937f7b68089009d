"""What drawn programs write into variables: values, updates against gradients of their own, shared, or that nobody computes, exchanges."""

import math

import numpy as np

from refnet import ops
from refnet.graph import Constant, Variable, assignment

UNLIKE = [
    "nothing",
    "rate",
    "dtype",
    "momentum",
    "start",
    "shared gradient",
    "input",
    "constant",
    "variable",
    "one number",
]
KINDS = ["sgd", "sgd", "momentum", "momentum", "by hand"]


def counts(x):
    return math.prod(x.shape)


def alike(x, y):
    return (x.shape, x.dtype) == (y.shape, y.dtype)


class Updates:
    """The end of a drawn step."""

    @property
    def written(self):
        return {record.variable for record in self.records}

    def copied(self):
        """A variable takes what is made of it; others what it was, or the same; gives what of that is an output too."""
        random, free = self.random, [v for v in self.variables if v not in self.written]
        if random.random() < 0.5:
            return []
        one = random.choice(free) if free and random.random() < 0.5 else self.fresh((3, 4), "float32")
        inner = ops.tanh(one)
        new = ops.multiply(inner, ops.square(one))
        size = counts(one)
        others = [new, ops.reshape(new, (size, 1)), one, ops.reshape(one, (1, size)), ops.add(one, 1)]
        others += [ops.negative(ops.reshape(one, (size,))), ops.multiply(ops.square(one), 2)]
        pairs = [(self.fresh(y.shape, y.dtype), y) for y in others if random.random() < 0.2] + [(one, new)]
        random.shuffle(pairs)  # what is read was read before: each takes what `one` was
        self.records += [assignment(variable, y) for variable, y in pairs]
        return [y for y in (inner, new, ops.sum(inner)) if random.random() < 0.2]

    def fresh(self, shape, dtype):
        self.variables.append(Variable(self.numbers(shape), dtype=dtype))
        return self.variables[-1]

    def trained(self):
        """Gradients of a loss, some of which update what they belong to; gives those that are outputs too."""
        random, written = self.random, self.written
        ends = [self.values[-1], *(random.choice(self.values) for _ in range(3))]
        loss = sum((ops.sum(ops.cast(ops.tanh(y), "float32")) for y in ends), start=ops.sum(self.values[0]))
        asked = [*self.variables, self.values[0], random.choice(self.values)]
        found = [(v, g) for v, g in zip(asked, ops.gradients(loss, asked)) if g is not None]
        kind, rate = random.choice(KINDS), Variable(np.float32(0.25))
        for variable, gradient in found:
            if not isinstance(variable, Variable) or variable in written or random.random() < 0.1:
                continue
            if random.random() < self.odd:
                gradient = random.choice([s for v, s in found if alike(s, gradient)])
            self.records += self.updated(kind, variable, gradient, rate)
        return [gradient for _, gradient in found if random.random() < 0.4]

    def moved(self):
        """Updates of one kind, of which some are unlike the others in one thing."""
        random, thing = self.random, self.random.choice(UNLIKE)
        shapes = [(), (1,)] if thing == "one number" else [(3,), (3,), (2, 2)]
        total, alone = ops.sum(self.values[0]), random.random() < 0.5 and thing != "momentum"
        rates, held = [Variable(np.float32(rate)) for rate in (0.25, 0.5)], [self.fresh(s, "float32") for s in shapes]
        gradients: list = []
        for _ in range(random.randint(3, 6)):
            unlike = thing if random.random() < 0.5 else ""
            variable = self.fresh(random.choice(shapes), "float64" if unlike == "dtype" else "float32")
            gradient = ops.add(
                self.numbers(variable.shape).astype(variable.dtype), ops.cast(ops.tanh(total), variable.dtype)
            )
            others = {
                "shared gradient": gradients,
                "input": self.values[:2],
                "constant": [Constant(variable.numpy())],
                "variable": [self.fresh(variable.shape, variable.dtype)],
                "one number": held,
            }.get(unlike, [])
            gradients.append(random.choice([x for x in others if alike(x, variable)] or [gradient]))
            start, rate = ops.multiply(variable, 0.5) if unlike == "start" else variable, rates[unlike == "rate"]
            if alone:
                self.records.append(assignment(variable, ops.sgd_update(start, gradients[-1], rate)))
                continue
            velocity = self.fresh(variable.shape, variable.dtype)
            momentum = 0.25 if unlike == "momentum" else 0.5
            new = ops.sgd_momentum_update(start, velocity, gradients[-1], rate, momentum)
            self.records += [assignment(v, y) for v, y in zip((variable, velocity), new)]

    def updated(self, kind, variable, gradient, rate):
        """Assignments that move a variable against its gradient."""
        random, odd = self.random, self.odd
        if kind == "by hand":
            step = ops.cast(ops.multiply(gradient, 0.25), variable.dtype)
            new = ops.subtract(variable, step)
            if random.random() < odd:
                self.more.append(new)
            return [assignment(variable, new)]
        if kind == "sgd":
            if random.random() < odd:
                gradient = random.choice([v for v in self.variables if alike(v, variable)])
            elif (
                random.random() < odd
                and gradient.shape == self.values[0].shape
                and gradient.dtype == self.values[0].dtype
            ):
                gradient = self.values[0]
            start = ops.multiply(variable, 0.5) if random.random() < odd else variable
            return [assignment(variable, ops.sgd_update(start, gradient, rate))]
        velocity = Variable(np.zeros(variable.shape), dtype=variable.dtype)
        self.variables.append(velocity)
        momentum = random.choice([0.5, 0.25]) if random.random() < odd else 0.5
        new = ops.sgd_momentum_update(variable, velocity, gradient, rate, momentum)
        pair = (velocity, variable) if random.random() < odd else (variable, velocity)
        if random.random() < odd:  # one of the results is no new value, but read
            self.more.append(ops.sum(new[1]))
            pair = pair[:1]
        return [assignment(v, y) for v, y in zip(pair, new)]

    def seen_otherwise(self, outputs):
        """More outputs: a variable, a variable or an input in another shape, an output again."""
        known = [*self.variables, self.values[0]]
        choices = [
            lambda: self.random.choice(known),
            lambda: ops.reshape(self.random.choice(known), (-1,)),
            lambda: self.random.choice(outputs),
            lambda: ops.reshape(self.random.choice(outputs), (-1, 1)),
            lambda: self.random.choice([*(record.value for record in self.records), outputs[0]]),
        ]
        return [make() for make in choices if self.random.random() < 0.25]

    def exchange(self):
        """Two variables of a kind take each other's value, unless they were written; both are read before."""
        free = [v for v in self.variables if v not in self.written]
        for one in free[:1]:
            for other in [v for v in free[1:] if alike(v, one)][:1]:
                values = [ops.reshape(v, v.shape) for v in (other, one)]
                self.records += [assignment(v, value) for v, value in zip((one, other), values)]
