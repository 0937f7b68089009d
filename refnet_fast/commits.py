"""What a plan writes into variables: at the end, in place where nothing else needs the old value, updates of one kind at once."""

from refnet.definition import size_of
from refnet.graph import Constant, Variable
from refnet_fast.rewrite import exactly
from refnet_fast.units import Unit


def arrange(plan, units):
    """Puts the units in order: those that only compute, then those that write variables in place; the rest is copied at the very end.

    Sets the plan's units, computing and copies, and what each unit stores and commits.
    """
    outputs = {plan.base(y) for y in plan.outputs}
    home = {y: unit for unit in units for node in unit.nodes for y in node.outputs}
    direct: list = []
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
            if unit not in direct:
                direct.append(unit)
        else:
            plan.copies += [(value, v) for v, value in targets]
    direct = [u for u in direct if _may_write_in_place(plan, u, direct)]
    for unit in units:
        if unit not in direct:
            plan.copies += [(y, v) for y, v in unit.commits.items()]
            unit.commits = {}
    direct = _merged(plan, direct)
    computing = [u for u in units if not u.commits and not any(u.nodes[0] in d.nodes for d in direct)]
    plan.units, plan.computing = computing + direct, len(computing)
    needed = (
        outputs | {plan.base(x) for unit in plan.units for x in unit.reads()} | {plan.base(x) for x, _ in plan.copies}
    )
    for unit in plan.units:
        made = [y for node in unit.nodes for y in node.outputs]
        unit.stored = [y for y in made if y in needed or y in unit.commits] if unit.fused else made


def _may_write_in_place(plan, unit, direct):
    """Every output that matters commits, and nothing that runs as late reads what this unit writes."""
    made = {y for node in unit.nodes for y in node.outputs}
    outputs = {plan.base(y) for y in plan.outputs}
    if any(y not in unit.commits and (y in plan.readers or y in outputs) for y in made):
        return False
    mine = set(unit.commits.values())
    if any(plan.base(x) in mine for x, _ in plan.copies):
        return False
    return not any(x in mine for other in direct if other is not unit for x in map(plan.base, other.reads()))


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
    for kind, members in kinds.items():
        if kind is None or len(members) < 2:
            result += members
            continue
        whole = Unit([m.nodes[0] for m in members], True)
        whole.merged = True
        for member in members:
            whole.commits.update(member.commits)
        result.append(whole)
    return result


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
