"""Where in the layers we are while a graph is being built, and which of two ways is being traced.

Nodes, assignments and layer calls are numbered by one clock, so their order is the order of the program they were written in.
"""

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from refnet.errors import ArgumentError

if TYPE_CHECKING:
    from refnet.eager import Eager
    from refnet.graph import Assignment, Node, Tensor
    from refnet.layers.base import Layer
    from refnet.metrics import Metric

clock = itertools.count()
building = threading.RLock()  # held while a call may build layers or make a model's programs


def _in_a_child() -> None:
    """Frees the lock where another thread held it: a forked process has none of its parent's other threads."""
    if building.acquire(blocking=False):  # it is free, or this thread's
        building.release()
    else:
        building._at_fork_reinit()  # type: ignore[attr-defined]  # as the standard library does with its locks


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)


class Changes:
    """When, by the clock, an argument of any layer's constructor was last given another value; before all calls if none was."""

    last = -1


changes = Changes()


class Condition:
    """True in training (or as given), and, with an owner, only while the owner was trainable at compile.

    `default` is what holds where nobody says whether it is training: in calls on arrays.
    """

    def __init__(self, training: bool | None = None, owner: "Layer | None" = None, default: bool = False):
        self.training, self.owner, self.default = training, owner, default


Guard: TypeAlias = tuple[tuple[Condition, bool], ...]  # conditions, and what each must be


class Mode:
    """What a program is made for: training or not, and which layers were trainable when the model was compiled.

    training=None leaves it to each condition's default.
    """

    def __init__(self, training: bool | None, trainable: "dict[Layer, bool] | None" = None):
        self.training, self.trainable = training, trainable or {}

    def true(self, condition: Condition) -> bool:
        said = self.training if condition.training is None else condition.training
        training = condition.default if said is None else said
        owner = condition.owner
        return bool(training and (owner is None or self.trainable.get(owner, owner.trainable)))

    def holds(self, guard: Guard) -> bool:
        return all(self.true(condition) == branch for condition, branch in guard)

    def pick(self, node: "Node") -> "Tensor":
        """The input of a phase node that this mode follows."""
        return node.inputs[0 if self.true(node.attributes["condition"]) else 1]


class Call:
    """One call of a layer. Beside the nodes it made (node.call is the innermost) it holds their losses and assignments."""

    def __init__(self, layer: "Layer | Metric", inputs: Any, arguments: dict[str, Any], parent: "Call | None"):
        self.layer, self.inputs, self.arguments, self.parent = layer, inputs, arguments, parent
        self.number = next(clock)
        self.outputs: Any = None
        self.masks: list[Tensor] = []  # those that its arguments carry: it may read them too
        self.losses: list[tuple[Tensor, Guard]] = []
        self.assignments: list[Assignment] = []
        self.inner: list[Call] = []  # the calls made in it
        if parent is not None:
            parent.inner.append(self)


class Trace(threading.local):
    """The innermost layer call, the training mode handed down, the guard of the branch being traced; of each thread its own."""

    call: Call | None = None
    training: bool | None = None
    learning_phase: bool | None = None  # `backend.set_learning_phase`: what training means where nothing else says
    guard: Guard = ()
    autocast: str | None = None  # the dtype in which nodes read floating weights; their own if None
    pure = False  # inside a cell that must not leave a mark
    reading: int | None = None  # the time at which new nodes read variables; their own if None
    collecting = False  # assignments are records even outside a call
    captured: "dict[Layer, bool] | None" = None  # in a training step: which layers were trainable at compile
    eager: "Eager | None" = None  # computes every node at once
    path = ""  # of the layer that is being built or called; that of what is made there begins with it
    composite: str | None = None  # the op that is being written with others, where it has said so: for messages
    # While a model's step is being called: what it was given, what it is for.
    step: "tuple[list[Tensor], Mode] | None" = None

    @property
    def active(self) -> bool:
        """Whether a graph is being built: assignments are records then, and variables stand for themselves, not for their values."""
        return self.call is not None or self.collecting

    @contextmanager
    def inside(self, **changes: Any) -> Iterator[None]:
        before = {name: getattr(self, name) for name in changes}
        vars(self).update(changes)
        try:
            yield
        finally:
            vars(self).update(before)

    def effect(self, kind: str, record: Any) -> None:
        """Books a loss or an assignment to the current call."""
        if self.pure:
            raise ArgumentError(
                "inside ops.scan, map, cond and while_loop nothing may assign variables or add losses: return what is to "
                "be kept as a state or an output."
            )
        if self.eager is not None and kind == "assignments":
            self.eager.take(record)
        if self.call is not None:
            getattr(self.call, kind).append(record)

    def path_to(self, name: str) -> str:
        """The path of what is made here under this name."""
        return f"{self.path}/{name}" if self.path else name


trace = Trace()


def name_scope(
    name: str, caller: Any = None, deduplicate: bool = True, override_parent: str | None = None
) -> AbstractContextManager[None]:
    """A `with` block: paths of what is made in it have this name before their own, after those of the layers around.

    Args:
        name: the name.
        caller, deduplicate: of Keras, whose layers open such blocks themselves; not read.
        override_parent: a path that stands in the place of the layers' around.
    Source: Keras 3 `name_scope`.

    >>> from refnet import Variable
    >>> with name_scope("block"):
    ...     Variable(1.0, name="scale").path
    'block/scale'
    """
    return _Scope(name, override_parent)


class _Scope(AbstractContextManager[None]):
    """The block of `name_scope`, which may be entered again."""

    def __init__(self, name: str, parent: str | None):
        self._name, self._parent = name, parent
        self._before: list[str] = []

    def __enter__(self) -> None:
        self._before.append(trace.path)
        parent = trace.path if self._parent is None else self._parent
        trace.path = f"{parent}/{self._name}".lstrip("/")

    def __exit__(self, *error: Any) -> None:
        trace.path = self._before.pop()
