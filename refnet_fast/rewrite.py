"""Rewritings of a plan's instructions that change what is computed where, but no result."""

from refnet.definition import Op
from refnet.graph import Constant, Node
from refnet.program import Instruction

SHORT = ("float16", "bfloat16")  # floats that the processor stores but does not compute with


def is_short_cast(instruction):
    """Whether this is a conversion between a 16-bit float and float64."""
    kinds = {instruction.inputs[0].dtype, instruction.outputs[0].dtype} if instruction.op.name == "cast" else set()
    return "float64" in kinds and len(kinds) == 2 and kinds - {"float64"} <= set(SHORT)


# ---- 16-bit floats


def without_short_floats(plan, instructions):
    """Every op computes on float64 where its arrays are 16-bit floats; casts, which have kernels, stand between."""
    if plan.on_device:
        return list(instructions)
    result = []
    for instruction in instructions:
        tensors = (*instruction.inputs, *instruction.outputs)
        if not any(x.dtype in SHORT for x in tensors) or is_short_cast(instruction):
            result.append(instruction)
            continue
        wide_inputs = []
        for x in instruction.inputs:
            if x.dtype in SHORT:
                result.append(plan.added(Op.named["cast"], (x,), {"dtype": "float64"}, instruction))
                x = result[-1].outputs[0]
            wide_inputs.append(x)
        node = Node(instruction.op, wide_inputs, instruction.attributes)
        outputs = [y if given.dtype in SHORT else given for given, y in zip(instruction.outputs, node.outputs)]
        result.append(instruction._replace(inputs=tuple(wide_inputs), outputs=tuple(outputs)))
        for given, y in zip(instruction.outputs, outputs):
            if y is not given:
                y.dtype = "float64"
                cast = {"dtype": given.dtype}
                result.append(Instruction(Op.named["cast"], (y,), cast, (given,), instruction.node))
    return result


# ---- equal, transposed and idle instructions


def exactly(attributes):
    """A call's attributes as a key: 0.0 and -0.0, which are equal, are two; nan, which equals nothing, is one."""
    return tuple(sorted((name, _exact(value)) for name, value in attributes.items()))


def _exact(value):
    if isinstance(value, tuple):
        return tuple(map(_exact, value))
    return float.hex(value) if isinstance(value, float) and (value == 0 or value != value) else value


def simplified(plan):
    """The instructions of a plan without reshapes, repetitions of what is known and products that change nothing.

    What stands for a tensor that goes is in `plan.replaced`, what a reshape reads in `plan.alias`.
    """
    seen: dict = {}
    result = []
    queue = list(reversed(plan.instructions))
    while queue:
        instruction = queue.pop()
        inputs = tuple(plan.now(x) for x in instruction.inputs)
        instruction = instruction._replace(inputs=inputs)
        if instruction.op.name == "reshape":
            y, source = instruction.outputs[0], inputs[0]
            while source.shape != y.shape and source in plan.alias:
                source = plan.alias[source]
            if source.shape == y.shape:  # nothing is reshaped, or a reshape is taken back
                plan.replaced[y] = source
                continue
            plan.alias[y] = inputs[0]
            plan.maker[y] = instruction
            continue
        key = (instruction.op, inputs, exactly(instruction.attributes))
        if key in seen:
            plan.replaced.update(zip(instruction.outputs, seen[key]))
            continue
        seen[key] = instruction.outputs
        rewritten = _rewritten(plan, instruction)
        if rewritten is not None:
            queue.extend(reversed(rewritten))
            continue
        if instruction.op.scalar is not None and (plan.on_device or not is_short_cast(instruction)):
            instruction = instruction._replace(inputs=tuple(_before_repeat(plan, x) for x in inputs))
        result.append(instruction)
        plan.maker.update(dict.fromkeys(instruction.outputs, instruction))
    return result


def _before_repeat(plan, x):
    """What an elementwise op may read instead: it repeats operands by itself."""
    while (made := plan.maker.get(x)) is not None and made.op.name == "broadcast_to":
        x = made.inputs[0]
    return x


def _is_one(plan, x):
    """Whether x is known to be 1 everywhere."""
    x = _before_repeat(plan, x)
    while plan.maker.get(x) is not None and plan.maker[x].op.name in ("reshape", "broadcast_to"):
        x = plan.maker[x].inputs[0]
    return isinstance(x, Constant) and x.value.size == 1 and x.value.reshape(()) == 1


def _rewritten(plan, instruction):
    """Instructions to use instead of one, or None."""
    name, inputs, y = instruction.op.name, instruction.inputs, instruction.outputs[0]
    if name in ("multiply", "divide"):
        for one, other in ((1, 0), (0, 1)) if name == "multiply" else ((1, 0),):
            if _is_one(plan, inputs[one]) and inputs[other].shape == y.shape and inputs[other].dtype == y.dtype:
                plan.replaced[y] = inputs[other]
                return []
    if name == "matmul":
        return _plain_matmul(plan, instruction)
    return None


def _plain_matmul(plan, instruction):
    """A product whose operands are transposes takes their source; a transposed second operand of many rows is copied."""
    flags = ["transpose1", "transpose2"]
    inputs, attributes, changed = list(instruction.inputs), dict(instruction.attributes), False
    few = plan.on_device or instruction.outputs[0].shape[-2] < 16
    for position, flag in enumerate(flags):
        if position == 1 and not attributes[flag] and not few:
            continue  # a transposed second operand would only be copied again below
        made = plan.maker.get(inputs[position])
        rank = len(inputs[position].shape)
        swapped = (*range(rank - 2), rank - 1, rank - 2)
        if made is not None and made.op.name == "transpose" and made.attributes["axes"] == swapped:
            inputs[position], attributes[flag], changed = made.inputs[0], not attributes[flag], True
    if attributes["transpose2"] and not few and len(inputs[1].shape) == 2:
        turned = plan.added(Op.named["transpose"], (inputs[1],), {"axes": (1, 0)}, instruction)
        inputs[1], attributes["transpose2"] = turned.outputs[0], False
        return [turned, _same(plan, instruction, inputs, attributes)]
    return [_same(plan, instruction, inputs, attributes)] if changed else None


def _same(plan, instruction, inputs, attributes):
    """An instruction with other inputs or attributes, which gives what it gave."""
    made = plan.added(instruction.op, inputs, attributes, instruction)
    plan.replaced.update(zip(instruction.outputs, made.outputs))
    return made


# ---- pooling


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


# ---- attention

# The gradients of one attention that are made of the same slopes of its logits. Of three, the queries' goes with the bias's.
PAIRS = {
    "dot_product_attention_query_and_bias_gradient": (
        "dot_product_attention_query_gradient",
        "dot_product_attention_bias_gradient",
    ),
    "dot_product_attention_query_and_key_gradient": (
        "dot_product_attention_query_gradient",
        "dot_product_attention_key_gradient",
    ),
}
KEYS = "dot_product_attention_query_and_key_gradient"
ENOUGH_HEADS = 32  # of a batch: a kernel that takes whole heads leaves threads idle if there are fewer


def heads_of_keys(key_gradient):
    """In the whole batch."""
    batch, _, heads, _ = key_gradient.outputs[0].shape
    return batch * heads


def attention_gradients_in_pairs(plan):
    """The gradients of one attention's queries and bias, or queries and keys, become one instruction."""
    if plan.on_device:  # where they have a kernel each
        return plan.instructions
    found: dict = {}
    single = {name for pair in PAIRS.values() for name in pair}
    for instruction in plan.instructions:
        if instruction.op.name in single:
            of_one = found.setdefault((instruction.inputs, exactly(instruction.attributes)), {})
            of_one[instruction.op.name] = instruction
    replaced: dict = {}  # what to put in an instruction's place
    for of_one in found.values():  # in the order of the plan
        for name, pair in PAIRS.items():
            if all(part in of_one for part in pair) and (
                name != KEYS or heads_of_keys(of_one[pair[1]]) >= ENOUGH_HEADS
            ):
                earlier, later = (instruction for part, instruction in of_one.items() if part in pair)
                first, second = (of_one.pop(part) for part in pair)
                both = first._replace(op=Op.named[name], outputs=(*first.outputs, *second.outputs))
                replaced |= {id(earlier): [both], id(later): []}
    return [new for old in plan.instructions for new in replaced.get(id(old), [old])]
