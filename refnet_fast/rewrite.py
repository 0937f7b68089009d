"""Rewritings of a plan's instructions that change what is computed where, but no result."""

from refnet.program import Instruction


def pool_before_relu(plan):
    """max_pool(relu(z)) becomes relu(max_pool(z)): relu then has a quarter of the work, and its large result is never stored.

    The largest of rectified values is the largest value, rectified. Backwards, a window whose largest value is not above 0 gives
    nothing either way; in any other the same element wins.
    """
    readers: dict = {}
    for instruction in plan.instructions:
        for x in instruction.inputs:
            readers.setdefault(plan.base(x), []).append(instruction)
    kept = {plan.base(x) for x in [*plan.outputs, *plan.commits.values()]}
    replaced: dict = {}  # what to put in an instruction's place
    for instruction in plan.instructions:
        if instruction.op.name == "relu" and instruction.outputs[0] not in kept:
            replaced.update(_swapped(plan, instruction, readers, kept) or {})
    return [new for old in plan.instructions for new in replaced.get(id(old), [old])]


def _swapped(plan, relu, readers, kept):
    """{id of an instruction: what takes its place}, or None where relu's result is read by anything else."""
    (z,), (y,) = relu.inputs, relu.outputs
    pools, gradients, slopes = [], [], []
    for reader in readers.get(y, []):
        name, reads = reader.op.name, [plan.base(x) is y and x.shape == y.shape for x in reader.inputs]
        if name == "max_pool2d" and reads == [True]:
            pools.append(reader)
        elif name == "max_pool2d_inputs_gradient" and reads == [False, True]:
            gradients.append(reader)
        elif name == "relu_gradient" and reads == [False, True]:
            slopes.append(reader)
        else:
            return None
    if len(pools) != 1 or z.shape != y.shape:
        return None
    (pool,) = pools
    pooled = plan.added(pool.op, (z,), pool.attributes, pool)
    rectified = Instruction(relu.op, pooled.outputs, relu.attributes, pool.outputs, pool.node)
    result = {id(relu): [], id(pool): [pooled, rectified]}
    for gradient in gradients:
        (flowing,) = gradient.outputs
        after = [slope for slope in slopes if plan.base(slope.inputs[0]) is flowing]
        if len(after) != 1 or readers.get(flowing) != after or flowing in kept:
            return None
        if any(gradient.attributes[name] != pool.attributes[name] for name in ("pool", "strides", "padding")):
            return None
        (slope,) = after
        slopes.remove(slope)
        above, largest = gradient.inputs[0], pool.outputs[0]
        if above.shape != largest.shape:
            return None
        down = plan.added(slope.op, (above, largest), slope.attributes, gradient)
        inputs = (down.outputs[0], z)
        result[id(gradient)] = [down, Instruction(gradient.op, inputs, gradient.attributes, slope.outputs, slope.node)]
        result[id(slope)] = []
    return None if slopes else result
