"""Drawn programs: values that are shared, reshaped and overwritten, gradients and updates, several outputs; the same for the same decisions."""

import math

import numpy as np
from drawn_updates import Updates, alike, counts

from refnet import ops
from refnet.graph import Constant, Mode, Tensor, Variable, assignment, trace
from refnet.program import Program

FLOATS = ("float32", "float16", "float64")
SHAPES = [(4, 6), (4, 6), (3, 4), (6,), (2, 3, 4), (1, 4), (3, 1), (2, 4, 4, 1), (1, 1), (2, 16, 3), (0, 3), (1, 17, 2)]


def broadcastable(x, y):
    """Whether y, repeated, has x's shape."""
    pairs = zip(x.shape[::-1], y.shape[::-1])
    return len(y.shape) <= len(x.shape) and y.dtype == x.dtype and all(m in (1, n) for n, m in pairs)


class Drawn(Updates):
    """A program of drawn steps.

    Args:
        random: makes the decisions.
    Attributes:
        program, feeds, variables.
    """

    def __init__(self, random):
        self.random, self.variables, self.records, self.more = random, [], [], []
        self.odd = random.choice([0, 0, 0, 0.3])  # how often an update is not what an optimizer would write
        many = random.random() < 0.15  # a program that is mostly updates
        shapes = [(3,), (2, 2)] if many else [random.choice(SHAPES) for _ in range(2)]
        inputs = [Tensor(shape) for shape in shapes]
        self.feeds = [self.numbers(shape) for shape in shapes]
        with trace.inside(collecting=True):
            self.values = list(inputs)
            for _ in range(2 if many else random.randint(4, 14)):
                step = getattr(self, random.choice(STEPS))
                made = step(random.choice(self.values[-4:]))
                if made is not None and counts(made) <= 200:
                    self.values.append(made)
            outputs = [y for y in self.values if random.random() < 0.3] + [self.values[-1]]
            outputs += self.copied()
            if many:
                self.moved()
            if random.random() < 0.9:
                outputs += self.trained()
            outputs += self.seen_otherwise(outputs) + self.more
            self.exchange()
        self.program = Program(inputs, outputs, self.records, Mode(True))

    def numbers(self, shape):
        numbers = np.array([self.random.randint(-8, 8) / 4 for _ in range(math.prod(shape))], "float32").reshape(shape)
        return np.where(numbers == 2, np.float32(np.nan), numbers) if self.random.random() < 0.1 else numbers

    def variable(self, shape, dtype):
        """A new variable, or one that the program has used already."""
        fitting = [v for v in self.variables if (v.shape, v.dtype) == (shape, dtype)]
        if not fitting or self.random.random() < 0.5:
            fitting = [Variable(self.numbers(shape), dtype=dtype)]
            self.variables += fitting
        return fitting[0]

    def ones(self, shape, dtype):
        """A single one, repeated."""
        return ops.broadcast_to(Constant(np.ones((), dtype)), shape)

    def like(self, x):
        """A value of the same shape and dtype, perhaps x itself."""
        return self.random.choice([y for y in self.values if alike(x, y)] or [x])

    # ---- steps: from a value another, or None where it does not fit

    def function(self, x):
        return self.random.choice([ops.tanh, ops.relu, ops.square, ops.negative])(x)

    def idle(self, x):
        """Products and quotients with ones, some of which change something."""
        one, mixed = self.ones(x.shape, x.dtype), np.ones(x.shape, "float32")
        mixed.flat[1:] = 2
        return self.random.choice(
            [
                lambda: ops.multiply(x, one),
                lambda: ops.multiply(one, x),
                lambda: ops.divide(x, one),
                lambda: ops.divide(one, x),
                lambda: ops.multiply(x, self.ones((2, *x.shape), x.dtype)),
                lambda: ops.multiply(x, Constant(mixed.astype(x.dtype))),
                lambda: ops.multiply(x, Constant(np.asarray(1, x.dtype))),
                lambda: ops.multiply(x, Constant(np.asarray(2, x.dtype))),
            ]
        )()

    def whole_numbers(self, x):
        """Integers on the way: divided by ones they become floats."""
        numbers = ops.cast(ops.multiply(x, 4), "int32")
        one = self.ones(x.shape, "int32")
        result = self.random.choice([ops.divide, ops.multiply, ops.floor_divide])(numbers, one)
        self.values.append(ops.cast(result, "float32"))
        return ops.cast(ops.add(numbers, one), "float32")

    def signs_of_zero(self, x):
        """The same padding with zeros of both signs."""
        if not x.shape:
            return None
        widths = [(1, 0), *[(0, 0)] * (len(x.shape) - 1)]
        padded = [ops.pad(x, widths, constant_values=zero) for zero in self.random.choice([(0.0, -0.0), (-0.0, 0.0)])]
        return ops.add(padded[0], ops.divide(1.0, padded[1]))

    def together(self, x):
        other = self.random.choice([y for y in self.values if broadcastable(x, y)] or [x])
        return self.random.choice([ops.add, ops.multiply, ops.maximum, ops.subtract])(x, other)

    def repeated(self, x):
        y = ops.broadcast_to(ops.cast(x, "float16") if self.random.random() < 0.3 else x, (2, *x.shape))
        return ops.square(y) if self.random.random() < 0.5 else y

    def reshaped(self, x):
        size = counts(x)
        parts = [n for n in range(1, size + 1) if size % n == 0]
        first = self.random.choice(parts or [1])
        return ops.reshape(x, self.random.choice([(first, size // first), (size,), (1, *x.shape), (*x.shape, 1)]))

    def there_and_back(self, x):
        return ops.reshape(ops.tanh(ops.reshape(x, (-1,))), x.shape)

    def rows_apart(self, x):
        """Neighbouring units of as many rows, between which rows are cut otherwise."""
        if not x.shape or x.shape[0] < 2 or counts(x) > 100:
            return None
        soft = ops.softmax(x, axis=-1)
        turned = ops.reshape(ops.reshape(soft, (-1,)), (x.shape[0], -1) if len(x.shape) != 2 else (*x.shape[::-1],))
        self.values += [soft, turned]
        way = self.random.choice(["one row", "one of each", "tanh", "softmax"])
        if way == "one row" or way == "one of each" and len(x.shape) != 2:  # all of them, repeated
            rows = ops.softmax(self.variable((x.shape[0], counts(x)), x.dtype), axis=-1)
            return ops.add(ops.reshape(ops.softmax(ops.negative(soft), axis=-1), (1, -1)), rows)
        if way == "one of each":  # repeated along the other axis
            rows = ops.softmax(self.variable((x.shape[0], x.shape[0]), x.dtype), axis=-1)
            each = ops.matmul(ops.softmax(ops.negative(soft), axis=-1), self.variable((x.shape[1], 1), x.dtype))
            return ops.add(ops.reshape(each, (-1,)), rows)
        return {"tanh": ops.tanh, "softmax": ops.softmax}[way](turned)

    def first_axis_of_one(self, x):
        """A result and the same without its first axis."""
        y = ops.tanh(x)
        return ops.add(y, ops.reshape(y, x.shape[1:])) if x.shape[:1] == (1,) else ops.add(y, ops.square(y))

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
        if len(x.shape) == 2:
            return ops.tanh(ops.matmul(x, ops.transpose(x)))
        if len(x.shape) != 3:
            return None
        x = ops.transpose(x, self.random.choice([(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)]))
        turned = ops.transpose(x, (0, 2, 1))
        others = self.variable((x.shape[0], x.shape[2], 2), x.dtype)
        product = ops.tanh(ops.matmul(*self.random.choice([(x, turned), (turned, ops.tanh(x)), (x, others)])))
        if self.random.random() < 0.5:
            self.more += ops.gradients(ops.sum(product), [x])
        return product

    def scaled(self, x):
        return ops.multiply(x, self.variable(x.shape[-1:], x.dtype))

    def scaled_twice(self, x):
        """By two variables whose gradients are one."""
        one, other = (self.fresh(x.shape[-1:], x.dtype) for _ in range(2))
        return ops.multiply(x, ops.add(one, other))

    def reduced(self, x):
        if not x.shape:
            return None
        axis, kept = self.random.randrange(len(x.shape)), self.random.random() < 0.5
        return self.random.choice([ops.sum, ops.max, ops.mean] if counts(x) else [ops.sum])(x, axis=axis, keepdims=kept)

    def looked_up(self, x):
        """Rows of a variable, at places that are computed."""
        places = ops.cast(ops.multiply(ops.square(ops.tanh(x)), 2.5), "int32")
        places = ops.where(ops.equal(x, x), places, ops.zeros_like(places))
        found = ops.take(self.variable((3, 2), x.dtype), places, axis=0)
        return ops.add(found, ops.expand_dims(ops.cast(places, x.dtype), -1))

    def softened(self, x):
        return ops.softmax(x, axis=-1) if x.shape else None

    def pooled(self, x):
        """A rectified image's windows, the image read by others too, in one form or another."""
        if len(x.shape) < 2 or not counts(x):
            return None
        image = ops.reshape(x, (1, x.shape[0], -1, 1))
        if self.random.random() < 0.2:
            image = ops.broadcast_to(image, (2, *image.shape[1:]))
        y = ops.relu(image)
        extent, strides = self.random.choice([(2, 2), (2, 1), (3, 2)])
        pooled = ops.max_pool(y, extent, strides=strides, padding="same")
        more = self.random.choice(
            ["nothing", "nothing", "itself", "flat", "pool", "reshaped", "gradients", "weighed", "flow"]
        )
        if more == "itself":
            self.values.append(y)
        elif more == "flat":
            self.values.append(ops.reshape(y, (-1,)))
        elif more == "pool":
            self.values.append(ops.max_pool(y, 1, strides=2, padding="same"))
        elif more == "reshaped":
            turned = ops.reshape(y, (y.shape[0], y.shape[2], y.shape[1], 1))
            return ops.max_pool(turned, 2, strides=2, padding="same")
        elif more in ("gradients", "weighed", "flow"):
            self.values += self.gradients(x, y, pooled, more)
        return pooled

    def gradients(self, x, y, pooled, kind):
        """Gradients of the pooling alone, or beside those of the image by itself, or that of the rectified image too."""
        asked = [x, y] if kind == "flow" else [x]
        found = ops.gradients(ops.sum(ops.tanh(pooled)), asked)
        if kind == "weighed":
            found += ops.gradients(ops.sum(ops.multiply(y, 0.5)), [x])
        if kind == "flow" and self.random.random() < 0.5:
            self.more.append(found.pop())
        return [self.random.choice([ops.tanh, ops.negative, lambda flow: flow])(gradient) for gradient in found]

    def woven(self, x):
        """Units that could be joined to one, but one at a time only: else they would wait for each other."""
        a, b = ops.tanh(x), ops.square(self.like(x))
        if x.shape and self.random.random() < 0.5:  # each in a unit of its own
            a, b = ops.tanh(ops.softmax(x)), ops.square(self.variable(x.shape, x.dtype))
            self.more += [ops.add(a, b), ops.maximum(b, ops.sum(a, axis=-1, keepdims=True))]
        total = ops.sum(a, axis=-1, keepdims=True) if x.shape else ops.sum(a)
        self.values += [ops.add(a, b), ops.maximum(b, total)] if self.random.random() < 0.7 else [ops.add(a, total)]
        return ops.multiply(b, ops.negative(a))

    def joined(self, x):
        return ops.concatenate([x, self.like(x)], axis=-1) if x.shape else None

    def cut(self, x):
        return x[..., 1:] if x.shape and x.shape[-1] > 1 else None

    def converted(self, x):
        return ops.cast(x, self.random.choice(FLOATS))

    def kept(self, x):
        """The value is assigned to a variable, or to two, which are read at once, as they are or reshaped."""
        variable = self.variable(x.shape, x.dtype)
        self.records.append(assignment(variable, x))
        if self.random.random() < 0.3:
            self.records.append(assignment(self.variable(x.shape, x.dtype), x))
        return ops.add(ops.reshape(variable, (-1,)) if self.random.random() < 0.3 else variable, 1.0)


STEPS = [
    *(
        "function",
        "function",
        "together",
        "together",
        "together",
        "idle",
        "idle",
        "whole_numbers",
        "signs_of_zero",
        "signs_of_zero",
    ),
    *("repeated", "repeated", "reshaped", "there_and_back", "rows_apart", "first_axis_of_one", "turned"),
    *("dense",) * 8,
    *("products_of_itself", "products_of_itself", "scaled", "scaled", "scaled", "scaled_twice"),
    *(
        "reduced",
        "softened",
        "pooled",
        "pooled",
        "pooled",
        "woven",
        "woven",
        "joined",
        "cut",
        "converted",
        "kept",
        "looked_up",
    ),
]
