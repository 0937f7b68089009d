"""An ONNX graph being written: names, constants, nodes, and the table of what each op of ours becomes."""

import hashlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from refnet import dtypes
from refnet.annotations import Array, Shape
from refnet.definition import Op
from refnet.errors import ArgumentError, MissingPackageError
from refnet.graph import Constant, Tensor, Variable

OPSET = 18  # reductions take their axes as inputs from here on
NEWEST_OPSET = 22
FAR = 2**63 - 1  # where a slice ends that goes to the end


def onnx() -> ModuleType:
    """The package that knows the format."""
    try:
        return importlib.import_module("onnx")
    except ImportError:
        raise MissingPackageError(
            'exporting to ONNX needs the package onnx. Install it with: pip install -e ".[onnx]"'
        ) from None


class Exported(NamedTuple):
    """One call of an op that is being written: the names of what it reads, the tensors, its attributes."""

    op: Op
    names: tuple[str, ...]
    inputs: tuple[Tensor, ...]
    attributes: dict[str, Any]
    outputs: tuple[Tensor, ...]


# What an op is written as: a function of the writer and the call that gives the name of each output; None for outputs that only
# gradients read.
Rule: TypeAlias = Callable[["Writer", Exported], Any]
RULES: dict[str, Rule] = {}


def writes(*ops: str) -> Callable[[Rule], Rule]:
    """Registers a function as what these ops are written as."""

    def registered(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, rule))
        return rule

    return registered


class Writer:
    """Collects the nodes of an ONNX graph.

    Attributes:
        nodes: those of the graph, or of the body of a loop while that is written.
        initializers: constants and weights, which bodies see too.
        place: the layer whose nodes are written, for their names.
    """

    def __init__(self) -> None:
        self.onnx = onnx()
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.place = ""
        self._names: dict[Tensor, str | None] = {}
        self._used: set[str] = set()
        self._constants: dict[Any, str] = {}
        self._moved: dict[str, tuple[str, tuple[int, ...]]] = {}  # what a Transpose was made of

    # ---- names

    def fresh(self, wanted: str) -> str:
        """A name that nothing has yet."""
        name, number = wanted, 1
        while name in self._used:
            name, number = f"{wanted}_{number}", number + 1
        self._used.add(name)
        return name

    def bind(self, tensor: Tensor, name: str | None) -> None:
        self._names[tensor] = name

    def name_of(self, tensor: Tensor) -> str:
        """What a tensor is called; constants and variables are written when they are first asked for."""
        if tensor not in self._names:
            if isinstance(tensor, Constant):
                return self.constant(tensor.value)
            if not isinstance(tensor, Variable):
                raise ArgumentError("it reads a tensor that only a run of refnet's knows")
            name = self._names[tensor] = self.fresh(tensor.name)
            self.initializers.append(self.onnx.numpy_helper.from_array(np.array(tensor.value), name))
        found = self._names[tensor]
        if found is None:
            raise ArgumentError("it reads a result of the op before it that is there for gradients only")
        return found

    def constant(self, value: Any, dtype: Any = None) -> str:
        """The name of a constant; equal ones are one."""
        array = np.asarray(value, dtypes.as_numpy(dtype) if isinstance(dtype, str) else dtype)
        key = array.dtype.name, array.shape, hashlib.sha256(array.tobytes()).digest()
        if key not in self._constants:
            name = self._constants[key] = self.fresh("constant")
            self.initializers.append(
                self.onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
            )
        return self._constants[key]

    def ints(self, *values: int) -> str:
        """A row of int64."""
        return self.constant(np.array(values, np.int64).reshape(-1))

    # ---- nodes

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The name of the one output of a new node."""
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """The names of the outputs of a new node."""
        base = f"{self.place}/{kind}" if self.place else kind
        outputs = [self.fresh(base) for _ in range(count)]
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), outputs, name=outputs[0], **attributes))
        return outputs

    def cast(self, x: str, dtype: str) -> str:
        return self.node("Cast", x, to=self.type_of(dtype))

    def type_of(self, dtype: str) -> int:
        """ONNX's number of a dtype."""
        return int(self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtypes.as_numpy(dtype))))

    def transpose(self, x: str, order: Sequence[int]) -> str:
        """x with its axes in another order; two transposes in a row become one, or none."""
        axes = tuple(order)
        if x in self._moved:
            source, before = self._moved[x]
            x, axes = source, tuple(before[a] for a in axes)
        if axes == tuple(range(len(axes))):
            return x
        y = self.node("Transpose", x, perm=axes)
        self._moved[y] = x, axes
        return y

    def channels_first(self, x: str, rank: int) -> str:
        return self.transpose(x, (0, rank - 1, *range(1, rank - 1)))

    def channels_last(self, x: str, rank: int) -> str:
        return self.transpose(x, (0, *range(2, rank), 1))

    def unsqueeze(self, x: str, *axes: int) -> str:
        return self.node("Unsqueeze", x, self.ints(*axes))

    def shape(self, call: Exported) -> str:
        """The attribute `shape` of an op that takes one, its open entries from the call's last inputs."""
        shape = call.attributes["shape"]
        if None not in shape:
            return self.ints(*shape)
        dims = iter(call.names[len(call.names) - shape.count(None) :])
        parts = [self.unsqueeze(next(dims), 0) if d is None else self.ints(d) for d in shape]
        return self.node("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]

    # ---- loops

    def value_info(self, name: str, dtype: str, shape: Sequence[Any] | None) -> Any:
        return self.onnx.helper.make_tensor_value_info(name, self.type_of(dtype), shape)

    @contextmanager
    def body(self) -> Iterator[list[Any]]:
        """Inside, nodes go into the list that is given: a loop's body."""
        outer, self.nodes = self.nodes, []
        moved, self._moved = self._moved, {}
        try:
            yield self.nodes
        finally:
            self.nodes, self._moved = outer, moved

    def scan(
        self,
        states: Sequence[tuple[str, str]],
        sequences: Sequence[tuple[str, str]],
        step: Callable[[list[str], list[str]], list[str]],
    ) -> list[str]:
        """The states after every step over the second axis of sequences: (batch, time, n) each.

        Args:
            states: names of what there is before the first step, (batch, n), and their dtypes.
            sequences: names of (batch, time, ...), and their dtypes.
            step: writes one step: from the states before it and the sequences' entries to the states after it.
        """
        make = self.onnx.helper
        before = [self.fresh("state") for _ in states]
        entries = [self.fresh("step") for _ in sequences]
        with self.body() as nodes:
            after = [self.node("Identity", y) for y in step(before, entries)]
            shown = [self.node("Identity", y) for y in after]
        given = [self.value_info(n, d, None) for n, (_, d) in zip([*before, *entries], [*states, *sequences])]
        results = [self.value_info(n, d, None) for n, (_, d) in zip([*after, *shown], [*states, *states])]
        body = make.make_graph(nodes, self.fresh("one_step"), given, results)
        outputs = self.several(
            "Scan",
            2 * len(states),
            *[name for name, _ in [*states, *sequences]],
            body=body,
            num_scan_inputs=len(sequences),
            scan_input_axes=[1] * len(sequences),
            scan_output_axes=[1] * len(states),
        )
        return outputs[len(states) :]


def known(shape: Shape, axis: int, what: str) -> int:
    """The length of an axis. Raises ArgumentError where it is open."""
    extent = shape[axis]
    if extent is None:
        raise ArgumentError(f"{what} needs to know the length of axis {axis} of shape {tuple(shape)}; give it to Input")
    return int(extent)


def value_of(tensor: Tensor) -> Array | None:
    """The value of a constant; None of what is worked out."""
    return tensor.value if isinstance(tensor, Constant) else None
