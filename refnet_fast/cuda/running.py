"""From a plan to a running program: one launch for each unit, in order, on memory that stays on the device."""

import functools
import threading
import weakref

import numpy as np

from refnet import dtypes
from refnet.definition import size_of
from refnet.errors import OutOfMemoryError, in_words
from refnet.graph import Variable
from refnet.program import place_of
from refnet_fast.cuda import casting, derive, epilogue, epoch, joining, kernels, services
from refnet_fast.cuda.device import download, upload
from refnet_fast.cuda.feeding import feed
from refnet_fast.cuda.memory import DeviceMemory
from refnet_fast.cuda.replay import Replay
from refnet_fast.derive import Placed
from refnet_fast.fuse import Operand, unit_shape
from refnet_fast.memory import bytes_of, merged_size
from refnet_fast.plan import Plan

lock = threading.RLock()  # programs run one at a time: they share the variables


class CudaRunning:
    """A concrete program on the device.

    Args:
        residence: where variables lie.
        library: a Cublas that is asked for products first, or None.
        rounds: whether products may round what they read.
    """

    def __init__(self, concrete, residence, library=None, rounds=False):
        self.concrete, self.residence, self.library, self.rounds = concrete, residence, library, rounds
        self.plan = Plan(concrete, tuned=True, on_device=True, lies_at=residence.lies_at)
        self.checks = self.plan.checked()
        try:
            self.groups = casting.together(self.plan, epilogue.groups(self.plan, library))
            self.plan.units = [unit for group in self.groups for unit in group]
            self.memory = DeviceMemory(self.plan, residence, self.groups)
            self.flag = services.new_words(self.memory, [derive.CLEAR])
            self.guard = self.flag if self.checks else None
            self.launches = self._launches()
            self.homes = {v: residence.home(v) for v in concrete.program.variables}
        except OutOfMemoryError as error:
            raise too_large(self.plan, error) from error
        self.step = Replay(self.launches, residence.stream)
        self.epochs = weakref.WeakKeyDictionary()  # data -> {(batch size, whether outputs are wanted): Epoch}

    def valid(self):
        """Whether the variables still have the places that the launches name."""
        return all(self.residence.home(v) == address for v, address in self.homes.items())

    def run(self, feeds):
        """One run; the outputs are new arrays."""
        with lock, self.residence.current():
            self._bring()
            for x, array in zip(self.concrete.inputs, feeds):
                upload(np.ascontiguousarray(array, dtypes.as_numpy(x.dtype)), self.memory.address(x))
            self.step()
            self.residence.written(self.plan.commits)
            self.check()
            return [self.memory.array(y) for y in self.plan.outputs]

    def run_batches(self, data, order, batch_size, start, stop, outputs=None, duration=None):
        """Steps start..stop of an epoch, or as many as take about `duration` seconds (epoch.SLICE); gives the number of the next.

        Args: as of Executable.run_batches; this program's batch may be smaller than batch_size.
        """
        with lock, self.residence.current():
            try:
                self._bring()
                source = feed(self.residence, data, order, batch_size, self.concrete.inputs)
                ready = self._epoch(source, batch_size, bool(outputs))
            except OutOfMemoryError as error:
                raise too_large(self.plan, error) from error
            self.residence.written(self.plan.commits)
            return ready.run(start, stop, outputs, duration or epoch.SLICE)

    def _epoch(self, source, *key):
        """The Epoch of a Resident or Windows, made once for each batch size, with outputs wanted and without."""
        epochs = self.epochs.setdefault(source, {})
        if key not in epochs:
            epochs[key] = epoch.Epoch(weakref.proxy(self), weakref.proxy(source), *key)
        return epochs[key]

    def _bring(self):
        for variable in self.homes:
            self.residence.bring(variable)

    def check(self, words=None):
        """Raises the DataError of the check that was violated since the last time.

        Args:
            words: of an epoch, whose first is the number of the step.
        """
        if not self.checks:
            return
        flag, step = np.empty(1, np.int64), np.empty(1, np.int64)
        download(self.flag.address, flag)
        if flag[0] != derive.CLEAR:
            upload(np.array([derive.CLEAR]), self.flag.address)
            where = ""
            if words is not None:
                download(words.address, step)
                where = f" of batch {step[0]}"
            raise self.plan.violation(int(flag[0]), self.memory.array, where)

    def report(self):
        """[(ops, threads)] for every launch."""
        return [(launch.what, launch.threads) for launch in self.launches]

    # ---- launches

    def _launches(self):
        """Units that compute, checks, units that commit in place, copies: what commits does so only if no check was violated."""
        units = self.plan.units
        computing = self.groups[: len(self.groups) - len(units) + self.plan.computing]
        launches = [launch for group in computing for launch in self._group(group)]
        for number, (instruction, position, low, high) in enumerate(self.checks):
            launches.append(
                services.check_range(self._flat(instruction.inputs[position]), low, high, number, self.flag)
            )
        launches += [launch for unit in units[self.plan.computing :] for launch in self._unit(unit, self.guard)]
        early, late = [], []
        for value, variable in self.plan.copies:
            source = self._flat(value)
            if isinstance(self.plan.base(value), Variable) and self.plan.base(value) in self.plan.commits:
                room = self.memory.room_for(bytes_of(variable))
                early.append(services.copy(source, room))
                source = services.flat(room, source.size, source.dtype)
            late.append(services.copy(source, self.residence.home(variable), self.guard))
        return launches + early + late

    def _group(self, group):
        """The launches of a unit that computes, of a product and the unit that it finishes, or of casts of weights."""
        if len(group) == 1:
            return self._unit(group[0], None)
        if group[0].fused:
            launch = casting.launch([unit.nodes[0] for unit in group], self.memory.address)
            launch.what = " ".join(["cast"] * len(group))
            return [launch]
        product, unit = group
        (node,), others = product.nodes, [u for u in self.plan.units if u is not unit]
        finish = epilogue.epilogue_of(self.plan, unit, node, others, self.memory.address)
        launches = self._single(node, finish)
        for launch in launches:
            launch.what = " ".join(n.op.name for n in (node, *unit.nodes))
        return launches

    def _unit(self, unit, guard):
        if unit.merged:
            operands, joined = self.memory.merged_operands(unit), (merged_size(unit),)
            launches = [derive.fuse(unit.nodes[:1], operands, joined, guard)]
        elif unit.fused:
            tensors = unit.reads() + unit.stored
            joined, strides = unit_shape(unit.shape, [t.shape for t in tensors])
            operands = {t: Operand(self.memory.address(t), t.dtype, s) for t, s in zip(tensors, strides)}
            launches = [derive.fuse(unit.nodes, operands, joined, guard)]
        else:
            launches = self._single(unit.nodes[0])
        for launch in launches:
            launch.what = " ".join(node.op.name for node in unit.nodes)
        return launches

    def _single(self, node, finish=None):
        call = epilogue.call_of(node)
        form = call.form
        unread = self.memory.start  # what is read for its shape alone has no place
        inputs = [
            Placed(unread if i in node.op.shape_only else self.memory.address(x), view, x.dtype)
            for i, (x, view) in enumerate(zip(node.inputs, form.inputs))
        ]
        outputs = [Placed(self.memory.address(y), view, y.dtype) for y, view in zip(node.outputs, form.outputs)]
        product = self.library and not finish and self.library.launch(call, inputs, outputs)
        if product:
            return [product]
        launches, room = [], functools.partial(services.room, self.memory)
        for part, reads, writes in joining.portions(call, inputs, outputs):
            chosen = kernels.find(part, self.rounds)
            if chosen is not None:
                launches += chosen.launches(part, reads, writes, room, finish)
            else:
                scratch = services.scratch(self.memory, part.form)
                launches.append(derive.derive(node.op, part.form, reads, writes, scratch))
        return launches

    def _flat(self, x):
        return services.flat(self.memory.address(x), size_of(x.shape), x.dtype)


def too_large(plan, error):
    """The OutOfMemoryError of a program: what was needed and free, and its largest buffers by layer."""
    buffers = {
        y: place_of(node) for unit in plan.units for node in unit.nodes for y in node.outputs if y in unit.stored
    }
    buffers |= {v: v.name for v in plan.concrete.program.variables}
    largest = sorted(buffers, key=bytes_of, reverse=True)[:5]
    lines = [f"{buffers[y]} {tuple(y.shape)} {y.dtype}, {in_words(bytes_of(y))}" for y in largest]
    return OutOfMemoryError(
        f"the device has no room for the steps of this program: {in_words(error.needed)} are needed at once, "
        f"{in_words(error.free)} are free. The largest of its buffers: {'; '.join(lines)}. "
        "Use a smaller batch, or another engine for this model (refnet_fast.use_engine('cpu')); nothing was changed."
    )
