"""From a plan to a running program: kernels chosen, frames written, rows ordered."""

import time

import numpy as np

from refnet.definition import View, size_of
from refnet.errors import EngineError, OutOfMemoryError, in_words
from refnet.graph import Variable
from refnet.program import place_of
from refnet_fast import kernels, vm
from refnet_fast.chains import chains
from refnet_fast.cpu import batches, index_lists
from refnet_fast.derive import Placed, derive, itemsize
from refnet_fast.fuse import Operand, fuse, unit_shape
from refnet_fast.kernels import KernelCall
from refnet_fast.lists import IndexLists, uses
from refnet_fast.machine_rows import Row, assemble, copy_row, flat, plain_row
from refnet_fast.memory import Memory, bytes_of, merged_size
from refnet_fast.native import address_of
from refnet_fast.outcomes import MOST_KB, exception_in
from refnet_fast.plan import Plan
from refnet_fast.rewrite import SHORT, is_short_cast
from refnet_fast.tables import ELEMENT_NS, LISTED_SHARE, TASK_NS, TURN_SECONDS, WAKE_NS


class Running:
    """A concrete program on the CPU.

    Args:
        concrete: the program at known shapes.
        tuned: whether it is planned and runs tuned kernels; else each node is a row with its derived kernel.
        listed: numbers of the inputs that are given as index lists: see `lists.py`.
    Attributes:
        groups_of_rows: the rows of the program, in lists of those that run together, block by block.
        machine: the machine of a single run. That of an epoch has rows before these, which gather a batch, and behind them.
        inputs, outputs: their memory as arrays.
        held: {variable: the array that it had when the frames were written}.
    """

    def __init__(self, concrete, tuned=True, listed=()):
        self.concrete, self.tuned = concrete, tuned
        self.plan = Plan(concrete, tuned)
        self.lists = {concrete.inputs[number]: np.zeros(index_lists.WORDS, np.int64) for number in listed}
        self.rests: dict = {}  # {weights: the row of their products with 0}
        self.held_lists: dict = {}
        self.groups = chains(self.plan) if tuned else [[unit] for unit in self.plan.units]
        self.memory = Memory(self.plan, self.groups)
        self.control = vm.new_control()
        self.checks = self.plan.checked()
        self.groups_of_rows: list = []
        self._emit()
        self.machine = self._machine([], [])
        self.inputs = [self.memory.array(x) for x in concrete.inputs]
        for variable in concrete.program.variables:
            variable.come_home()
        self.outputs = [self.memory.array(y) for y in self.plan.outputs]
        self.moves = Variable.moves
        self.held = {v: v.array for v in concrete.program.variables}
        self._epoch: tuple = (None, None)

    def valid(self):
        """Whether the variables still lie where the frames say."""
        if self.moves == Variable.moves:
            return True
        for variable in self.held:
            variable.come_home()
        self.moves = Variable.moves
        return all(v.array is array for v, array in self.held.items())

    # ---- running

    def run(self, feeds):
        """One run; the outputs are new arrays."""
        with vm.workers.lock:
            for x, buffer, given in zip(self.concrete.inputs, self.inputs, feeds):
                if x in self.lists:
                    self.lists[x][:] = self._list_words(x, given, None, len(given))
                else:
                    buffer[...] = given
            threads = None if self.machine.ns > WAKE_NS else 1
            self._checked(self.machine, self.machine.run(0, 1, threads), 1, None)
            return [array.copy() for array in self.outputs]

    def run_batches(self, data, order, batch_size, start, stop, outputs=None, budget=TURN_SECONDS):
        """Batches start..stop, or as many as fit into about `budget` seconds; returns the next one's number."""
        with vm.workers.lock:
            machine = self._epoch_machine(data, order, batch_size, outputs)
            began, done, count = time.perf_counter(), start, 1
            while done < stop:
                end = min(stop, done + count)
                self._checked(machine, machine.run(done, end), end, batch_size)
                passed = time.perf_counter() - began
                done = end
                if passed > budget:
                    break
                count = max(1, min(8 * count, int(count * (budget - passed) / max(passed, 1e-6))))
            return done

    def _checked(self, machine, reached, wanted, batch_size):
        """Raises what kept the machine from going on."""
        for word in (vm.FAILED, vm.FAILED_LATE):
            if self.control[word]:
                row, ended = machine.described[self.control[word + 1]], int(self.control[word + 2])
                raise failure(row, ended, word == vm.FAILED_LATE)
        if reached == wanted:
            return
        flag = int(self.control[vm.FLAG])
        raise self.plan.violation(flag, self.memory.array, "" if batch_size is None else f" of batch {reached}")

    def _epoch_machine(self, data, order, batch_size, outputs):
        """The machine with rows that gather a batch before, and rows that keep the outputs after."""
        arrays = [part for a in data for part in ([a.starts, a.places] if isinstance(a, IndexLists) else [a])]
        parts = arrays, [] if order is None else [order], outputs or []
        key = tuple(tuple((address_of(a), a.shape, a.dtype.str) for a in part) for part in parts)
        pairs = list(zip(self.concrete.inputs, data))
        for x, given in pairs:  # anew, for other data may have come since the machine was made
            if x in self.lists:
                self.lists[x][:] = self._list_words(x, given, order, batch_size)
        if self._epoch[0] != key:
            before = [self._gather(x, array, order, batch_size) for x, array in pairs if x not in self.lists]
            after = [self._keep(y, array) for y, array in zip(self.plan.outputs, outputs or [])]
            self._epoch = (key, self._machine(before, after))
        return self._epoch[1]

    def _list_words(self, x, given, order, batch_size):
        """What kernels of `cpu.index_lists` are to know of an epoch's data."""
        order = np.zeros(0, np.int64) if order is None else order
        self.held_lists[x] = arrays = given.starts, given.places, order  # as long as words point there
        addresses = [address_of(a) for a in arrays]
        sizes = [len(given), given.places.size, order.size, batch_size]
        return [*addresses, vm.word_address(self.control, vm.STEP), *sizes]

    def _gather(self, x, array, order, batch_size):
        width = size_of(array.shape[1:])
        kind, target = array.dtype.name, self._flat(x)
        if x.dtype in SHORT:  # as patterns; `as_fed` has seen to it that the data have the input's dtype
            kind = target.dtype = "uint16"
        order = np.zeros(0, np.int64) if order is None else order
        arguments = [
            flat(address_of(array), array.size, kind),
            flat(address_of(order), order.size, "int64"),
            flat(vm.word_address(self.control, vm.STEP), 1, "int64"),
            batch_size,
            width,
            target,
        ]
        ns = size_of(x.shape) * (itemsize(x.dtype) + array.itemsize) * ELEMENT_NS / 4
        return plain_row(batches.gather_rows, arguments, x.shape[0], ns, [], [self._interval(x)])

    def _keep(self, y, array):
        size = bytes_of(y)
        arguments = [
            flat(self.memory.address(y), size, "uint8"),
            flat(vm.word_address(self.control, vm.STEP), 1, "int64"),
            flat(address_of(array), array.nbytes, "uint8"),
        ]
        return plain_row(batches.copy_out, arguments, size, size * ELEMENT_NS / 4, [self._interval(y)], [])

    # ---- rows

    def _emit(self):
        """Rows of every unit, in order; checks before the first that writes a variable."""
        done, self.first_commit_group = 0, -1
        for number, check in enumerate(self.checks):
            if self.plan.base(check[0].inputs[check[1]]).node is not None:
                continue
            self.groups_of_rows.append([self._check_row(number, check)])
        for w in dict.fromkeys(w for x in self.lists for w in self._weights_of(x)):
            self.groups_of_rows.append([self._rest_row(w)])
        pending = [(n, c) for n, c in enumerate(self.checks) if self.plan.base(c[0].inputs[c[1]]).node is not None]
        for group in self.groups:
            if done >= self.plan.computing and self.first_commit_group < 0:
                self._before_commits(pending)
            rows = [self._row(unit, group) for unit in group]
            self.groups_of_rows.append(rows)
            done += len(group)
        if self.first_commit_group < 0:
            self._before_commits(pending)
        staged = [self._staged(value, variable) for value, variable in self.plan.copies]
        self.groups_of_rows += [[row] for rows in staged for row in rows[:-1]] + [[rows[-1]] for rows in staged]

    def _before_commits(self, pending):
        self.groups_of_rows += [[self._check_row(number, check)] for number, check in pending]
        self.first_commit_group = len(self.groups_of_rows)

    def _check_row(self, number, check):
        instruction, position, low, high = check
        x = instruction.inputs[position]
        arguments = [self._flat(x), low, high, number, flat(vm.word_address(self.control, vm.FLAG), 1, "int64")]
        row = plain_row(batches.check_range, arguments, size_of(x.shape), size_of(x.shape), [self._interval(x)], [])
        row.serial, row.what, row.kind = True, f"check {instruction.op.name}", "machine"
        return row

    def _staged(self, value, variable):
        """Rows that copy a value into a variable; through a buffer if the value is a variable that is committed too."""
        size = bytes_of(variable)
        base = self.plan.base(value)
        target = address_of(variable.array)
        source = self.memory.address(value)
        if not (isinstance(base, Variable) and base in self.plan.commits):
            return [copy_row(source, target, size)]
        room = np.zeros(size, np.uint8)
        self.memory.kept.append(room)
        return [copy_row(source, address_of(room), size), copy_row(address_of(room), target, size)]

    def _row(self, unit, group):
        if unit.merged:
            row = self._merged_row(unit)
        elif unit.fused:
            row = self._fused_row(unit, group)
        else:
            row = self._single_row(unit.nodes[0])
        row.what = " ".join(node.op.name for node in unit.nodes[:6]) + (" ..." if len(unit.nodes) > 6 else "")
        row.first = unit.nodes[0]
        return row

    def _fused_row(self, unit, group):
        reads = unit.reads()
        joined, strides = unit_shape(unit.shape, [x.shape for x in reads + unit.stored])
        operand_of = {t: Operand(self.memory.address(t), t.dtype, s) for t, s in zip(reads + unit.stored, strides)}
        size = size_of(joined)
        width = 1
        if len(group) > 1 and len(joined) == 1:
            width = size // unit.shape[0]
        kernel, frame, tasks, per_task = fuse(unit.nodes, operand_of, joined, width)
        ns = size * ELEMENT_NS * (1 + len(unit.nodes)) + (tasks * TASK_NS if len(joined) > 1 else 0)
        quantum = 16 if len(joined) == 1 and width == 1 else 1
        row = Row(
            kernel,
            frame,
            tasks,
            ns,
            [self._interval(x) for x in reads],
            [self._interval(y) for y in unit.stored],
            quantum,
        )
        row.kind = "fused"
        return row

    def _merged_row(self, unit):
        """One flat pass over all parameters, padding included."""
        node, total = unit.nodes[0], merged_size(unit)
        operand_of = self.memory.merged_operands(unit)
        extent = {t: (total if o.strides[0] else 1) * itemsize(o.dtype) for t, o in operand_of.items()}
        reads, writes = (
            [(operand_of[t].address, operand_of[t].address + extent[t]) for t in tensors]
            for tensors in (node.inputs, node.outputs)
        )
        kernel, frame, tasks, _ = fuse([node], operand_of, (total,))
        row = Row(kernel, frame, tasks, total * 3 * ELEMENT_NS, reads, writes, 16)
        row.kind = "fused"
        return row

    def _weights_of(self, x):
        """The variables that a listed input is multiplied with."""
        return [product.inputs[1] for product in uses(self.plan, x)[0]]

    def _rest_row(self, w):
        self.rests[w] = rest = np.zeros(w.shape[1], np.float32)
        arguments = [Placed(self.memory.address(w), View(w.shape), w.dtype), flat(address_of(rest), rest.size, w.dtype)]
        return plain_row(
            index_lists.zero_products,
            arguments,
            1,
            size_of(w.shape) * ELEMENT_NS,
            [self._interval(w)],
            [(address_of(rest), address_of(rest) + rest.nbytes)],
        )

    def _listed_row(self, node):
        """A product with an input of index lists, or the gradient of one."""
        x, other = node.inputs
        (y,) = node.outputs
        words = flat(address_of(self.lists[x]), index_lists.WORDS, "int64")
        arrays = [Placed(self.memory.address(t), View(t.shape), t.dtype) for t in (other, y)]
        reads, writes = [self._interval(other)], [self._interval(y)]
        ns = max(size_of(x.shape) * LISTED_SHARE * y.shape[1], size_of(y.shape)) * ELEMENT_NS
        if node.attributes["transpose1"]:
            function, arguments = index_lists.listed_gradient, [words, *arrays]
        else:
            rest = self.rests[other]
            function, arguments = (
                index_lists.listed_product,
                [words, arrays[0], flat(address_of(rest), rest.size, y.dtype), arrays[1]],
            )
            reads.append((address_of(rest), address_of(rest) + rest.nbytes))
        return plain_row(function, arguments, y.shape[0], ns, reads, writes)

    def _single_row(self, node):
        if node.op.name == "matmul" and node.inputs[0] in self.lists:
            return self._listed_row(node)
        form = node.op.form(*node.inputs, **node.attributes)
        call = KernelCall(node.op, form, node.inputs, node.outputs, node.attributes)
        inputs = [
            Placed(self.memory.address(x) if i not in node.op.shape_only else 0, view, x.dtype)
            for i, (x, view) in enumerate(zip(node.inputs, form.inputs))
        ]
        outputs = [Placed(self.memory.address(y), view, y.dtype) for y, view in zip(node.outputs, form.outputs)]
        reads = [self._interval(x) for i, x in enumerate(node.inputs) if i not in node.op.shape_only]
        writes = [self._interval(y) for y in node.outputs]
        chosen = kernels.find(call) if self.tuned or is_short_cast(node) else None
        if chosen is None:
            kernel, frame = derive(node.op, form, inputs, outputs)
            tasks = size_of(form.domain)
            row = Row(kernel, frame, tasks, tasks * (form.cost + 2.0), reads, writes)
        else:
            kernel, frame, owners = chosen.emit(call, inputs, outputs)
            self.memory.kept += owners
            tasks = chosen.tasks(call)
            row = Row(kernel, frame, tasks, tasks * chosen.cost(call), reads, writes, chosen.quantum)
        row.kind = "derived" if chosen is None else "tuned"
        return row

    def _interval(self, x):
        start = self.memory.address(x)
        return start, start + bytes_of(x)

    def _flat(self, x):
        return flat(self.memory.address(x), size_of(x.shape), x.dtype)

    # ---- the machine

    def _machine(self, before, after):
        groups = [[row] for row in before] + self.groups_of_rows + [[row] for row in after]
        uncommitted = groups[: len(before) + self.first_commit_group]
        first_commit_group = sum(group[0].tasks > 0 for group in uncommitted)
        return assemble([group for group in groups if group[0].tasks > 0], self.control, first_commit_group)

    def report(self):
        """[(ops, kind of kernel, tasks, estimated ns)] for every row."""
        return [(row.what, row.kind, row.tasks, row.ns) for group in self.groups_of_rows for row in group]


def failure(row, ended, late):
    """The error of a kernel that failed.

    Args:
        row: the machine's.
        ended: how it ended, as `outcomes.py` says.
        late: whether variables may have been written before.
    """
    where = row.what if row.first is None else place_of(row.first)
    if late:
        changed = "Variables were being written meanwhile: give them their values again."
    else:
        changed = "This step changed nothing."
    kind, words = (MemoryError, "") if ended < 0 else exception_in(ended)
    if kind is MemoryError:
        size = f"the {in_words(-ended * 1024)}{' or more' if -ended == MOST_KB else ''}" if ended < 0 else "what"
        return OutOfMemoryError(
            f"{where}: there is no memory for {size} that a thread's kernel works in, beside its operands. {changed} Use a smaller "
            f"batch, or fewer threads than {vm.thread_count()} (REFNET_THREADS)."
        )
    return EngineError(f"{where}: its kernel failed with {words}; this is a fault of refnet's. {changed}")
