"""What a plan writes into variables: at the end, in place where nothing else needs the old value, updates of one kind at once."""

from refnet.definition import size_of
from refnet.graph import Constant, Variable
from refnet_fast.memory import padded
from refnet_fast.rewrite import exactly
from refnet_fast.units import Unit


def arrange(plan, units):
    """Puts the units in order: those that only compute, then those that write variables in place; the rest is copied at the very end.

    Sets the plan's units, computing and copies, and what each unit stores and commits.
    """
    outputs = {plan.base(y) for y in plan.outputs}
    home = {y: unit for unit in units for node in unit.nodes for y in node.outputs}
    direct: dict = {}  # a set that keeps its order
    plan.copies = []
    wanted: dict = {}
    for variable, value in plan.commits.items():
        wanted.setdefault(plan.base(value), []).append((variable, value))
    for source, targets in wanted.items():
        unit = home.get(source)
        variable, value = targets[0]
        final = (
            plan.tuned
            and unit is not None
            and unit.fused
            and len(targets) == 1
            and source not in plan.readers
            and source not in outputs
            and source.shape == variable.shape
            and source.dtype == variable.dtype
        )
        if final:
            unit.commits[source] = variable
            direct[unit] = None
        else:
            plan.copies += [(value, v) for v, value in targets]
    last = _writing_in_place(plan, direct, outputs)
    for unit in units:
        if unit not in last:
            plan.copies += [(y, v) for y, v in unit.commits.items()]
            unit.commits = {}
    computing = [unit for unit in units if unit not in last]
    plan.units, plan.computing = computing + _merged(plan, last), len(computing)
    needed = (
        outputs | {plan.base(x) for unit in plan.units for x in unit.reads()} | {plan.base(x) for x, _ in plan.copies}
    )
    for unit in plan.units:
        made = [y for node in unit.nodes for y in node.outputs]
        unit.stored = [y for y in made if y in needed or y in unit.commits] if unit.fused else made


def _writing_in_place(plan, direct, outputs):
    """Units of which every output that matters commits, and nothing that runs as late reads what they write."""
    copied = {plan.base(x) for x, _ in plan.copies}
    reads = {unit: {plan.base(x) for x in unit.reads()} for unit in direct}
    readers: dict = {}
    for unit in direct:
        for x in reads[unit]:
            readers[x] = readers.get(x, 0) + 1

    def may(unit):
        made = [y for node in unit.nodes for y in node.outputs]
        if any(y not in unit.commits and (y in plan.readers or y in outputs) for y in made):
            return False
        return not any(v in copied or readers.get(v, 0) > (v in reads[unit]) for v in unit.commits.values())

    return {unit: None for unit in direct if may(unit)}


def _merged(plan, direct):
    """Updates of one kind (same op, same numbers, same shared scalars) become one unit."""
    kinds: dict = {}
    placed: set = set(plan.concrete.inputs)  # what has a place of its own cannot lie beside the others
    for unit in direct:
        kind = _kind(plan, unit)
        node = unit.nodes[0]
        own = [plan.base(x) for x in node.inputs if x.shape == node.outputs[0].shape]
        own = [x for x in own if not isinstance(x, Variable)]
        if kind is not None and (placed & set(own) or len(set(own)) < len(own)):
            kind = None
        if kind is not None:
            placed.update(own)
        kinds.setdefault(kind, []).append(unit)
    result = []
    for kind, alike in kinds.items():
        for members in _runs(plan, alike) if kind is not None else [[unit] for unit in alike]:
            result.append(_whole(members) if len(members) > 1 else members[0])
    return result


def _whole(members):
    """One unit of many updates."""
    whole = Unit([member.nodes[0] for member in members], True)
    whole.merged = True
    for member in members:
        whole.commits.update(member.commits)
    return whole


def _runs(plan, units):
    """Updates of one kind, as they are to be merged: together if no variable of theirs lies in a block, else as far as they lie
    one behind the other. For the program that laid them so may live: moved here, they would be moved back by its next run.
    """
    lying = {u: [plan.lies_at(u.commits[y]) for y in u.nodes[0].outputs] for u in units}
    free = [unit for unit in units if not any(lying[unit])]
    runs: list = [free] if free else []
    after: list = []
    for unit in sorted(filter(lambda u: any(lying[u]), units), key=lambda u: [at or 0 for at in lying[u]]):
        if lying[unit] == after:
            runs[-1].append(unit)
        else:
            runs.append([unit])
        written = [unit.commits[y] for y in unit.nodes[0].outputs]
        after = [None if at is None else at + padded(v) for at, v in zip(lying[unit], written)]
    return runs


def _kind(plan, unit):
    """What updates must share to be merged; None where a unit cannot be.

    Each operand is a variable that is written, a value that is computed, or one number that all updates read.
    """
    node = unit.nodes[0]
    if len(unit.nodes) != 1 or len(node.outputs) < 2 and not node.op.name.endswith("_update"):
        return None
    shape = node.outputs[0].shape
    # With weight decay, say, the variable that is written is not what the update reads.
    if size_of(shape) == 0 or any(unit.commits.get(y) not in node.inputs for y in node.outputs):
        return None
    written, shared = [unit.commits[y] for y in node.outputs], []
    for x in node.inputs:
        source = plan.base(x)
        if x.shape == shape and source in written:
            shared.append(written.index(source))  # which result takes its place
        elif x.shape == shape != () and not isinstance(source, (Variable, Constant)):
            shared.append(None)
        elif size_of(x.shape) == 1 and x.shape != shape:
            shared.append(source)
        else:
            return None
    return node.op, exactly(node.attributes), tuple(shared), tuple(x.dtype for x in node.inputs)
