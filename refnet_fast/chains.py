"""Chains: units of a plan that run block by block over the same rows, so that what one wrote is in the cache for the next."""

from refnet.definition import size_of
from refnet_fast import kernels
from refnet_fast.fuse import unit_shape
from refnet_fast.kernels import KernelCall
from refnet_fast.tables import CHAIN_UNITS


def chains(plan):
    """The plan's units in lists that run together, in order."""
    groups: list = []
    open_rows = None
    for unit in plan.units:
        rows = rows_of(unit)
        made = {y for u in groups[-1] for node in u.nodes for y in node.outputs} if groups else set()
        fits = rows is not None and open_rows == rows[0] and len(groups[-1]) < CHAIN_UNITS
        if fits and aligned(plan, unit, made, rows):
            groups[-1].append(unit)
            continue
        groups.append([unit])
        open_rows = rows[0] if rows is not None and not unit.fused else None
    return groups


def rows_of(unit):
    """(number of rows, positions of inputs read row by row; None for all) of a unit that can be in a chain, else None.

    Units that write variables are in none: they wait for the checks.
    """
    if unit.merged or unit.commits:
        return None
    if unit.fused:
        joined, _ = unit_shape(unit.shape, [x.shape for x in unit.reads()] + [unit.shape])
        rows = unit.shape[0] if len(joined) == 1 and unit.shape else size_of(joined[:-1])
        return (rows, None) if unit.shape and rows == unit.shape[0] and size_of(unit.shape) else None
    node = unit.nodes[0]
    form = node.op.form(*node.inputs, **node.attributes)
    call = KernelCall(node.op, form, node.inputs, node.outputs, node.attributes)
    chosen = kernels.find(call)
    positions = chosen.rows(call) if chosen is not None else None
    return (chosen.tasks(call), positions) if positions is not None else None


def aligned(plan, unit, made, rows):
    """Whether all that a unit reads from the chain it reads row by row."""
    for node in unit.nodes:
        for position, x in enumerate(node.inputs):
            base = plan.base(x)
            if base not in made:
                continue
            whole_rows = (
                x.shape[:1] == (rows[0],)
                and base.shape[:1] == (rows[0],)
                and len(x.shape) == len(node.outputs[0].shape)
            )
            if unit.fused and not whole_rows:
                return False
            if not unit.fused and (position not in rows[1] or base.shape[:1] != (rows[0],)):
                return False
    return True
