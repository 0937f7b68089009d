"""The graph: tensors, variables and the nodes between them, and how layers leave their mark on it.

A node is one call of an op. Nodes, assignments and layer calls are numbered by one clock, so their order is the order of the
program they were written in. Nothing is computed here.
"""

import itertools
from contextlib import contextmanager

import numpy as np

from refnet import dtypes
from refnet.definition import Op, Spec, size_of
from refnet.errors import ArgumentError, DtypeError, ShapeError

clock = itertools.count()


class Tensor:
    """A value that does not exist yet: what an op will give, or (without a node) what a program will be fed.

    Args:
        shape: a tuple; None where a dimension is open.
        dtype: a dtype's name.
    """

    __array_ufunc__ = None  # NumPy leaves `array + tensor` to us
    origin: object = None  # the InputLayer that made it, if one did

    def __init__(self, shape, dtype="float32", node=None, name=""):
        self.shape, self.dtype, self.node, self.name = tuple(shape), dtypes.standardize(dtype), node, name

    @property
    def ndim(self):
        return len(self.shape)

    def __repr__(self):
        label = f" {self.name!r}" if self.name else ""
        made = f" by {self.node.op.name}" if self.node else ""
        return f"<{type(self).__name__}{label} shape={self.shape} dtype={self.dtype}{made}>"

    def __bool__(self):
        raise DtypeError(
            f"a symbolic tensor (shape {self.shape}) has no truth value yet, so it cannot steer `if` or `while`. "
            "Use ops.where, ops.cond or a layer's `training` argument."
        )

    def __array__(self, dtype=None, copy=None):
        raise DtypeError(
            f"a symbolic tensor (shape {self.shape}) has no values yet. Call a model's predict, or K.function, to compute it."
        )

    def __len__(self):
        if not self.shape or self.shape[0] is None:
            raise DtypeError(f"a symbolic tensor of shape {self.shape} has no known length")
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __hash__(self):
        return id(self)

    def __eq__(self, other):
        return self is other  # tensors are keys; ops.equal compares values


def _operator(name, swapped=False):
    def method(self, other):
        from refnet import ops

        function = getattr(ops, name)
        return function(other, self) if swapped else function(self, other)

    return method


for _symbol, _name in {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "mod",
    "pow": "power",
    "matmul": "matmul",
}.items():
    setattr(Tensor, f"__{_symbol}__", _operator(_name))
    setattr(Tensor, f"__r{_symbol}__", _operator(_name, swapped=True))
for _symbol, _name in {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}.items():
    setattr(Tensor, f"__{_symbol}__", _operator(_name))


def _unary(name):
    def method(self, *args):
        from refnet import ops

        return getattr(ops, name)(self, *args)

    return method


Tensor.__neg__ = _unary("negative")
Tensor.__abs__ = _unary("abs")
Tensor.__getitem__ = _unary("get_item")


class Constant(Tensor):
    """A value known when the graph is built."""

    def __init__(self, value, dtype=None):
        value = np.asarray(value)
        dtype = dtypes.standardize(dtype if dtype is not None else value.dtype)
        self.value = value.astype(dtypes.as_numpy(dtype))
        super().__init__(self.value.shape, dtype)


class Variable(Tensor):
    """A value that lasts: a weight, an optimizer's slot, a counter, a metric's total.

    The value lives in one block of host memory for good (programs hold its address), unless an engine has taken it to a
    device: then `residence` names the holder, and `value` asks it for a copy.
    """

    moves = 0  # how often any variable's memory moved: programs that hold addresses look whether theirs are among them

    def __init__(self, value, dtype=None, trainable=True, name="variable", regularizer=None, constraint=None):
        value = np.asarray(value)
        if dtype is None:
            dtype = dtypes.floatx() if value.dtype.kind == "f" else value.dtype
        dtype = dtypes.standardize(dtype)
        super().__init__(value.shape, dtype, name=name)
        self.array = np.array(value, dtypes.as_numpy(dtype), order="C", copy=True)
        self.trainable, self.regularizer, self.constraint = trainable, regularizer, constraint
        self.residence = None

    @property
    def value(self):
        """The current value: an array that must not be written to. Use `assign`."""
        if self.residence is not None:
            self.residence.fetch(self)
        view = self.array.view()
        view.flags.writeable = False
        return view

    def numpy(self):
        """A copy of the current value."""
        return np.array(self.value)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value, dtype)

    def __float__(self):
        return float(self.value)

    def __int__(self):
        return int(self.value)

    def place(self, array):
        """Moves the value into `array`: an engine lays variables side by side."""
        self.come_home()
        array[...] = self.array
        self.array = array
        Variable.moves += 1

    def come_home(self):
        """Ends a device's hold on the variable: from here on the host's memory has its value."""
        if self.residence is not None:
            self.residence.fetch(self)
            self.residence.release(self)
            self.residence = None
            Variable.moves += 1

    def set(self, value):
        """Writes a new value now, in place. Raises ShapeError if the shape differs."""
        value = np.asarray(value)
        if value.shape != self.shape:
            raise ShapeError(f"{self.name} has shape {self.shape}; cannot be set to a value of shape {value.shape}.")
        if self.residence is not None:
            self.residence.release(self)
            self.residence = None
        self.array[...] = value

    def assign(self, value):
        """Sets the variable: at once outside a layer's call; inside, when the program that contains the call has run.

        Args:
            value: an array, a number or a tensor of the variable's shape.
        Returns:
            The variable outside a call, else the record of the assignment.
        """
        if not isinstance(value, Tensor) and trace.call is None and not trace.collecting:
            self.set(np.broadcast_to(np.asarray(value), self.shape))
            return self
        value = value if isinstance(value, Tensor) else Constant(value, self.dtype)
        if value.dtype != self.dtype:
            from refnet import ops

            value = ops.cast(value, self.dtype)
        record = Assignment(self, value, trace.guard, next(clock))
        trace.effect("assignments", record)
        return record

    def assign_add(self, value):
        """`assign(self + value)`."""
        return self.assign((self if self._symbolic(value) else self.value) + value)

    def assign_sub(self, value):
        """`assign(self - value)`."""
        return self.assign((self if self._symbolic(value) else self.value) - value)

    def _symbolic(self, value):
        return isinstance(value, Tensor) or trace.call is not None or trace.collecting


class Assignment:
    """A record: when its program has run, `variable` takes `value`, if the guard's conditions hold in the program's mode."""

    def __init__(self, variable, value, guard, number):
        self.variable, self.value, self.guard, self.number = variable, value, guard, number


class Node:
    """One call of an op: the inputs and attributes it was given, the outputs it promises, the layer call it belongs to."""

    def __init__(self, op, inputs, attributes):
        self.op, self.inputs, self.attributes = op, tuple(inputs), attributes
        self.outputs = tuple(Tensor(s.shape, s.dtype, self) for s in op.specs(*inputs, **attributes))
        self.number, self.call = next(clock), trace.call


# What a program counts its runs by. Random nodes read it; a program puts its own counter variable in its place.
run_counter = Tensor((), "int64", name="run counter")


def as_tensor(x, dtype=None):
    """x itself if symbolic, else a Constant."""
    return x if isinstance(x, Tensor) else Constant(x, dtype)


def call(op, inputs, attributes):
    """What calling an op means: a node if something symbolic goes in, else the result of the current engine, at once."""
    if any(isinstance(x, Tensor) for x in inputs) or (op.random and trace.call is not None):
        return node_of(op, tuple(as_tensor(x) for x in inputs), attributes)
    from refnet import engine

    results = engine.compute(op, inputs, attributes)
    return results[0] if len(results) == 1 else tuple(results)


def node_of(op, inputs, attributes):
    """A node's outputs, or something simpler where the shapes already decide."""
    if op.takes_shape:
        inputs, attributes = with_known_dimensions(inputs, attributes)
    read = [x for i, x in enumerate(inputs) if i not in op.shape_only]
    if op.expand is not None and all(None not in x.shape for x in inputs):
        return op.expand(*inputs, **attributes)
    if read and all(isinstance(x, Constant) and x.dtype in FOLDED for x in read) and op.primitive and small(op, inputs, attributes):
        from refnet import engine

        arrays = [x.value for x in inputs if isinstance(x, Constant)]
        if len(arrays) == len(inputs):
            results = engine.reference.compute(op, arrays, attributes)
            return Constant(results[0]) if len(results) == 1 else tuple(Constant(r) for r in results)
    outputs = Node(op, inputs, attributes).outputs
    return outputs[0] if len(outputs) == 1 else outputs


def small(op, inputs, attributes):
    """Whether what goes in and what comes out is at most as long as a shape."""
    specs = (*inputs, *op.specs(*inputs, **attributes))
    return all(None not in s.shape and size_of(s.shape) <= 16 for s in specs)


FOLDED = dtypes.SIGNED + dtypes.UNSIGNED + dtypes.BOOLEAN  # small integer arithmetic on shapes is done while planning


def with_known_dimensions(inputs, attributes):
    """Constant dimension inputs go into the `shape` attribute; those still unknown stay inputs."""
    open_axes = [axis for axis, extent in enumerate(attributes["shape"]) if extent is None]
    first = len(inputs) - len(open_axes)
    shape, kept = list(attributes["shape"]), list(inputs[:first])
    for axis, tensor in zip(open_axes, inputs[first:]):
        if isinstance(tensor, Constant):
            shape[axis] = int(tensor.value)
        else:
            kept.append(tensor)
    return tuple(kept), {**attributes, "shape": tuple(shape)}


def call_with_shape(op, inputs, shape, **attributes):
    """Calls an op that takes a shape, some of whose entries may be tensors (from `ops.shape`)."""
    if isinstance(shape, (int, np.integer, Tensor)):
        shape = (shape,)
    entries = [d if isinstance(d, Tensor) else dimension_argument(op, d) for d in shape]
    dims = [d for d in entries if isinstance(d, Tensor)]
    static = tuple(None if isinstance(d, Tensor) else d for d in entries)
    return op(*inputs, *dims, shape=static, **attributes)


def dimension_argument(op, d):
    try:
        return int(d.__index__())
    except (AttributeError, TypeError):
        raise ArgumentError(f"{op.name}: a shape is made of integers; got {d!r}. For an open dimension use ops.shape(x)[i].") from None


# ---- phase: which of two ways runs is decided by a Mode, when a program is made


class Condition:
    """True in training (or as given), and, with an owner, only while the owner was trainable at compile."""

    def __init__(self, training=None, owner=None):
        self.training, self.owner = training, owner


class Mode:
    """What a program is made for: training or not, and which layers were trainable when the model was compiled."""

    def __init__(self, training, trainable=None):
        self.training, self.trainable = training, trainable or {}

    def true(self, condition):
        training = self.training if condition.training is None else condition.training
        owner = condition.owner
        return bool(training and (owner is None or self.trainable.get(owner, owner.trainable)))

    def holds(self, guard):
        return all(self.true(condition) == branch for condition, branch in guard)

    def pick(self, node):
        """The input of a phase node that this mode follows."""
        return node.inputs[0 if self.true(node.attributes["condition"]) else 1]


def _phase_rule(a, b, *, condition):
    if len(a.shape) != len(b.shape) or a.dtype != b.dtype:
        raise ShapeError(
            f"a layer's call must return the same rank and dtype with training=True and training=False; "
            f"got {a.shape} {a.dtype} and {b.shape} {b.dtype}."
        )
    return Spec(tuple(p if p == q else None for p, q in zip(a.shape, b.shape)), a.dtype)


phase = Op("phase", _phase_rule)


# ---- where in the layers we are while the graph is being built


class Call:
    """One call of a layer. Beside the nodes it made (node.call is the innermost) it holds their losses and assignments."""

    def __init__(self, layer, inputs, arguments, parent):
        self.layer, self.inputs, self.arguments, self.parent = layer, inputs, arguments, parent
        self.number = next(clock)
        self.outputs, self.losses, self.assignments = None, [], []


class Trace:
    """The innermost layer call, the training mode handed down, the guard of the branch being traced."""

    call, training, guard, pure, collecting = None, None, (), False, False

    @contextmanager
    def inside(self, **changes):
        before = {name: getattr(self, name) for name in changes}
        vars(self).update(changes)
        try:
            yield
        finally:
            vars(self).update(before)

    def effect(self, kind, record):
        """Books a loss or an assignment to the current call."""
        if self.pure:
            raise ArgumentError("a cell inside scan cannot assign variables or add losses: return them as states or outputs.")
        if self.call is not None:
            getattr(self.call, kind).append(record)


trace = Trace()


def sorted_nodes(targets, mode=None, stop=()):
    """Every node the targets need, each after what it reads; with a mode only the branch that runs, else both.

    Iterative: a thousand chained layers must not overflow the stack.
    """
    order, state = [], {}
    stack = [t.node for t in reversed(list(targets)) if t.node is not None and t not in stop]
    while stack:
        node = stack[-1]
        if state.get(node) == "done":
            stack.pop()
            continue
        if state.get(node) == "open":
            state[node] = "done"
            order.append(node)
            stack.pop()
            continue
        state[node] = "open"
        sources = [mode.pick(node)] if mode is not None and node.op is phase else node.inputs
        for x in reversed(sources):
            if x.node is not None and x not in stop and state.get(x.node) is None:
                stack.append(x.node)
    return order
