"""A launch: blocks whose threads go through a kernel's instructions.

Of all threads that could go on those work first that are furthest behind in the text, together: where branches meet again, so do they.
Threads come to a barrier, or to a step of their warp, one group after the other, and wait there; who waits for somebody that never comes is
an error, and so is a warp that comes to a barrier at two places.
"""

import numpy as np

from refnet_fast.cuda.machine import (  # noqa: F401  (declare the instructions)
    conversions,
    floats,
    integers,
    moving,
    warps,
)
from refnet_fast.cuda.machine.errors import MachineError
from refnet_fast.cuda.machine.memory import Global
from refnet_fast.cuda.machine.program import End, Jump, Meeting, Plain, family, program
from refnet_fast.cuda.machine.races import Of
from refnet_fast.cuda.machine.threads import Threads

AT_ONCE = 4096  # threads, at most, unless a block has more
LONGEST = 50_000_000  # instructions of a launch, each of however many threads
ALL = slice(None)


@family("bra")
def jump(program, instruction):
    (target,) = instruction.operands
    return Jump(target)


@family("ret", "exit")
def end(program, instruction):
    return End()


@family("trap", "brkpt")
def trap(program, instruction):
    raise MachineError("it ends the whole program")


def launch(text, grid, block, arguments, regions, races=True):
    """Runs a kernel to its end.

    Args:
        text: PTX of the kernel.
        grid, block: blocks, and threads of a block, along up to three axes.
        arguments: the bytes of each parameter.
        regions: [(address, bytes)] that it may read and write: memory of the host.
        races: whether accesses without an order are looked for; takes about as long again.
    Returns:
        how many instructions were run, each by a group of threads.
    Raises:
        MachineError: the kernel does what no kernel may do.
    """
    ready = program(text)
    grid, block = ((*shape, 1, 1)[:3] for shape in (grid, block))
    memory = Global([*regions, *(kept[:2] for kept in ready.kept)])
    blocks, size = grid[0] * grid[1] * grid[2], block[0] * block[1] * block[2]
    step, count = max(1, AT_ONCE // size), 0
    shadow = Of(memory) if races else None
    for first in range(0, blocks, step):
        threads = Threads(ready, memory, grid, block, first, min(step, blocks - first), arguments, shadow)
        with np.errstate(all="ignore"):
            count += Run(threads).run()
    return count


class Run:
    """Threads on their way.

    Attributes:
        ready: {number of an instruction: threads that are to go on there}.
        waiting: the same of those that wait there for others.
    """

    def __init__(self, threads):
        self.threads, self.program = threads, threads.program
        self.ready, self.waiting, self.count = {0: ALL}, {}, 0

    def run(self):
        while self.ready or self.waiting:
            if not self.ready:
                self._release()
            at = min(self.ready)
            self._group(at, self.ready.pop(at))
        return self.count

    def _group(self, at, chosen):
        """Lets threads go on from an instruction, as long as no others are behind them."""
        steps, guards = self.program.steps, self.program.guards
        next_at = min(self.ready, default=len(steps) + 1)
        while True:
            if at >= next_at:
                self._put(self.ready, at, chosen)
                return
            if at >= len(steps):  # a body without a `ret` at its end
                self._end(chosen)
                return
            step, here = steps[at], chosen
            self.count += 1
            if self.count > LONGEST:
                raise MachineError(f"{self.program.name}: more than {LONGEST} instructions: a loop without an end?")
            if guards[at] is not None:
                here, others = self._guarded(chosen, *guards[at])
                if here is None:
                    at += 1
                    continue
            else:
                others = None
            if isinstance(step, Plain):
                self._make(at, step, here)
                at += 1
            elif isinstance(step, Jump):
                target = self.program.label(step.target)
                if others is None:
                    at = target
                else:
                    self._put(self.ready, target, here)
                    at, chosen = at + 1, others
                next_at = min(self.ready, default=len(steps) + 1)
            elif isinstance(step, Meeting):
                self._come(at, step, here)
                if others is not None:
                    self._put(self.ready, at + 1, others)
                return
            else:
                self._end(here)
                if others is None:
                    return
                at, chosen = at + 1, others

    def _make(self, at, step, chosen):
        try:
            step.run(self.threads, chosen)
        except MachineError as error:
            raise MachineError(
                f"{self.program.name[:80]}: `{self.program.kernel.instructions[at].text}`: {error}"
            ) from error

    def _guarded(self, chosen, number, negated):
        """(threads whose predicate holds, the others), None for nobody."""
        holds = self.threads.registers[number][chosen]
        holds = ~holds if negated else holds
        if holds.all():
            return chosen, None
        if not holds.any():
            return None, chosen
        numbers = self.threads.indices(chosen)
        return numbers[holds], numbers[~holds]

    def _put(self, groups, at, chosen):
        """Adds threads to those that are at an instruction."""
        if at in groups:
            both = np.sort(np.concatenate([self.threads.indices(groups[at]), self.threads.indices(chosen)]))
            chosen = ALL if len(both) == self.threads.count else both
        groups[at] = chosen

    def _end(self, chosen):
        self.threads.live[chosen] = False

    # ---- meetings

    def _come(self, at, step, chosen):
        """Threads have come to a meeting: whose warps are complete go on, the others wait."""
        self._put(self.waiting, at, chosen)
        if step.members is not None:
            self._meet(at, step)

    def _meet(self, at, step):
        """Lets the warps go on that are complete; whether there were any."""
        threads, chosen = self.threads, self.waiting[at]
        numbers = threads.indices(chosen)
        members = np.broadcast_to(step.members(threads, chosen), numbers.shape)
        if (members >> threads.lane[numbers].astype(np.uint32) & np.uint32(1) == 0).any():
            raise MachineError(f"{self._told(at)}: a lane takes part that its mask does not name")
        if isinstance(chosen, slice):
            complete = np.ones(len(numbers), bool)
        else:
            here, living = self._lanes(numbers), self._lanes(np.flatnonzero(threads.live))
            of = threads.warp_of[numbers]
            missing = members & living[of] & ~here[of] != 0
            complete = ~np.isin(of, of[missing])
        if not complete.any():
            return False
        del self.waiting[at]
        if not complete.all():
            self.waiting[at] = numbers[~complete]
            chosen = numbers[complete]
        self._make(at, step, chosen)
        self._put(self.ready, at + 1, chosen)
        return True

    def _lanes(self, numbers):
        """For each warp the word of its lanes among some threads."""
        threads = self.threads
        words = np.bincount(threads.warp_of[numbers], 2.0 ** threads.lane[numbers], threads.warps)
        return words.astype(np.uint64).astype(np.uint32)

    def _release(self):
        """Nobody can go on: warps whose other lanes have ended, and blocks that are complete at a barrier, go on."""
        steps = self.program.steps
        met = [self._meet(at, steps[at]) for at in list(self.waiting) if steps[at].members is not None]
        if any(met):
            return
        threads = self.threads
        here = {at: threads.indices(c) for at, c in self.waiting.items() if steps[at].members is None}
        arrived = np.zeros(threads.blocks, np.int64)
        for numbers in here.values():
            arrived += np.bincount(threads.block_of[numbers], minlength=threads.blocks)
        complete = (arrived == np.bincount(threads.block_of[threads.live], minlength=threads.blocks)) & (arrived > 0)
        if not complete.any():
            raise MachineError(self._stuck())
        self._one_place(here)
        for at, numbers in here.items():
            go = complete[threads.block_of[numbers]]
            if not go.any():
                continue
            chosen = ALL if go.all() and len(numbers) == threads.count else numbers[go]
            del self.waiting[at]
            if not go.all():
                self.waiting[at] = numbers[~go]
            self._make(at, steps[at], chosen)
            self._put(self.ready, at + 1, chosen)
        if threads.races:
            threads.races.passed(np.flatnonzero(complete))
        for at in here:
            barriers = {steps[other].barrier for other in here}
            if len(barriers) > 1:
                raise MachineError(f"{self._told(at)}: threads wait at barriers of different numbers")

    def _one_place(self, here):
        """A warp must come to a barrier at one place."""
        place = np.full(self.threads.warps, -1)
        for at, numbers in here.items():
            of = self.threads.warp_of[numbers]
            if ((place[of] != -1) & (place[of] != at)).any():
                raise MachineError(f"{self._told(at)}: lanes of a warp wait at two barriers")
            place[of] = at

    def _told(self, at):
        return f"{self.program.name[:80]}: `{self.program.kernel.instructions[at].text}`"

    def _stuck(self):
        places = []
        for at, chosen in self.waiting.items():
            numbers = self.threads.indices(chosen)
            places.append(f"{len(numbers)} threads ({self.threads.told(numbers[0])} among them) at {self._told(at)}")
        left = int(self.threads.live.sum())
        return f"of {left} threads that have not ended all wait for others that never come: {'; '.join(places)}"
