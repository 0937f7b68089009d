"""The CPU engines: `derived` runs every definition as Numba compiles it, `cpu` the planned program with tuned kernels."""

import weakref

import numpy as np

from refnet.engine import Engine, Executable, as_fed, check_range, spec_of
from refnet.errors import in_memory
from refnet.graph import Node, Tensor, trace
from refnet.old_names import serve
from refnet.program import Concrete, Instruction, Program, specialize
from refnet_fast import kernels, lists
from refnet_fast.cpu import fourier_bound, winograd_bound
from refnet_fast.rewrite import SHORT, exactly
from refnet_fast.running import Running
from refnet_fast.tables import KEPT, KEPT_BYTES
from refnet_fast.vm import workers

OBJECTS_BYTES = 2**16  # that a small program takes beside its arena


class Recent:
    """The running programs of an engine, the last used last. Each has memory of its own, so those of long ago go where it becomes much.

    Attributes:
        sizes: {(weak reference to who holds it in `built`, its key there): bytes}.
    """

    def __init__(self):
        self.sizes: dict = {}

    def used(self, holder, key, build):
        """What a holder has built for a key; made by `build()` if there is none whose variables lie where they lay."""
        entry = (weakref.ref(holder), key)
        size = self.sizes.pop(entry, 0)
        running = holder.built.get(key)
        if running is None or not running.valid():
            holder.built.pop(key, None)
            running = None  # its memory goes before more is taken
            running = holder.built[key] = build()
            size = running.memory.size + OBJECTS_BYTES
            self.forget(size)
        self.sizes[entry] = size
        return running

    def forget(self, more):
        """Lets programs go that nobody has used for longest, until there is room for more, or few are left."""
        self.sizes = {entry: size for entry, size in self.sizes.items() if entry[0]() is not None}
        total = sum(self.sizes.values()) + more
        for entry in list(self.sizes)[: 1 - KEPT]:
            if total <= KEPT_BYTES:
                break
            total -= self.sizes.pop(entry)
            holder = entry[0]()
            if holder is not None:
                holder.built.pop(entry[1], None)


class PlannedEngine(Engine):
    """An engine that plans programs; a single call is a program of one instruction, built once."""

    def __init__(self, name):
        self.name = name
        self.recent = Recent()
        self.built: dict = {}  # of single calls

    def prepare(self, program):
        return PlannedExecutable(self, program)

    def compute(self, op, arrays, attributes):
        specs = tuple(spec_of(a) for a in arrays)
        key = (op, specs, exactly(attributes))
        with workers.lock:  # the rule refuses bad shapes before indices are looked at
            running = self.recent.used(self, key, lambda: self.build(single(op, specs, attributes)))
        if op.ranges is not None:
            for position, (low, high) in op.ranges(*specs, **attributes).items():
                check_range(op.spoken, arrays[position], low, high)
        return running.run(arrays)


class CpuEngine(PlannedEngine):
    """Runs programs natively on the processor's cores.

    Args:
        name: "cpu" or "derived".
        tuned: plan, fuse and use tuned kernels; else one derived kernel per instruction.
    """

    def __init__(self, name, tuned):
        super().__init__(name)
        self.tuned = tuned
        kernels.load()  # derived, too, needs the conversions of 16-bit floats

    def build(self, concrete):
        return Running(concrete, self.tuned)

    def prepare(self, program):
        return CpuExecutable(self, program)

    def bound_of(self, op, arrays, attributes):
        """How far a result may be off where the kernel of a call sums other terms than the definition: see refnet.testing.certificates."""
        specs = tuple(spec_of(a) for a in arrays)
        call = kernels.KernelCall(op, op.form(*specs, **attributes), specs, op.specs(*specs, **attributes), attributes)
        chosen = kernels.find(call) if self.tuned else None
        if chosen is None:
            return None
        if chosen.name == "dft_signals":
            return fourier_bound.bounds(arrays, attributes)
        return winograd_bound.bound_of(chosen.name, arrays, attributes)

    def kind_of(self, op):
        """How this engine computes an op: 'tuned' (a kernel of ours, or fused) or 'derived'."""
        return "tuned" if self.tuned and (op.scalar is not None or op.name in kernels.tuned) else "derived"


def single(op, specs, attributes):
    """A concrete program of one call."""
    with trace.inside(call=None, collecting=True):
        inputs = [Tensor(s.shape, s.dtype) for s in specs]
        node = Node(op, inputs, attributes)
    outputs = node.outputs
    program = Program([], [])
    return Concrete(program, inputs, list(outputs), [Instruction(op, tuple(inputs), attributes, outputs, node)], {})


class PlannedExecutable(Executable):
    """A program on a planned engine; programs whose variables were moved by another are built again.

    One lock is held from the look at the variables' places to the end of the run: no other thread's program may move them.
    """

    def __init__(self, engine, program):
        super().__init__(engine, program)
        self.built: dict = {}

    def run(self, feeds):
        with workers.lock:
            return super().run(feeds)

    @in_memory("a program")
    def run_batches(self, data, order, batch_size, start, stop, outputs=None):
        with workers.lock:
            return super().run_batches(data, order, batch_size, start, stop, outputs)

    def at(self, shapes):
        key = tuple(map(tuple, shapes))
        return self.engine.recent.used(self, key, lambda: self.engine.build(specialize(self.program, key)))


def shapes_of(data, batch_size):
    return tuple((batch_size, *a.shape[1:]) for a in data)


def as_gathered(array, dtype):
    """An array as batches are gathered from it for an input of a dtype: row-major, its bytes in the machine's order; where one of the
    two is a 16-bit float, in that dtype."""
    if isinstance(array, lists.IndexLists):
        return array
    if array.dtype.name != dtype and {array.dtype.name, dtype} & set(SHORT):
        return as_fed(array, dtype)
    return array if array.flags.c_contiguous and array.dtype.isnative else as_fed(array, array.dtype.name)


class CpuExecutable(PlannedExecutable):
    """A program on a CPU engine: whole epochs run natively."""

    def __init__(self, engine, program):
        super().__init__(engine, program)
        self._converted = (None, [])  # the last list of arrays that could not be gathered from, and what was made of it

    def _gathered(self, data):
        """The arrays as batches are gathered from them: see `as_gathered`.

        They are converted once for the arrays of one call of fit, evaluate or predict (`refnet.models.batches.Arrays`); other lists may
        hold something else the next time.
        """
        given, made = self._converted
        if given is None or given() is not data:
            made = [as_gathered(array, x.dtype) for x, array in zip(self.program.inputs, data)]
            if all(one is array for one, array in zip(made, data)):
                return data
            if hasattr(data, "__weakref__"):
                self._converted = (weakref.ref(data), made)
        return made

    def fed(self, data, batch_size):
        return self._with_lists(data, shapes_of(data, batch_size)) if len(data[0]) >= batch_size else data

    def _with_lists(self, data, shapes):
        return lists.fed(self.program, data, shapes) if self.engine.tuned else data

    def _built_for(self, data, shapes):
        """The program at these shapes, for data of which some may be index lists."""
        listed = tuple(number for number, a in enumerate(data) if isinstance(a, lists.IndexLists))
        if not listed:
            return self.at(shapes)
        return self.engine.recent.used(
            self, (*shapes, listed), lambda: Running(specialize(self.program, shapes), True, listed)
        )

    def run_arrays(self, arrays):
        shapes = tuple(a.shape for a in arrays)
        data = self._with_lists(arrays, shapes)
        return self._built_for(data, shapes).run(data)

    @in_memory("a program")
    def run_batches(self, data, order, batch_size, start, stop, outputs=None):
        data = self._gathered(data)
        order = None if order is None else np.ascontiguousarray(order, np.int64)
        samples = len(data[0]) if order is None else len(order)
        full = samples // batch_size
        if start < min(full, stop):
            with workers.lock:
                built = self._built_for(data, shapes_of(data, batch_size))
                return built.run_batches(data, order, batch_size, start, min(full, stop), outputs)
        dense = [a.dense if isinstance(a, lists.IndexLists) else a for a in data]
        return super().run_batches(dense, order, batch_size, start, stop, outputs)


serve(__name__)
