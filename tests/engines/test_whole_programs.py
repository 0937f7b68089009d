"""Whole programs on the native engines against the reference: what a plan makes of nodes that are right one by one."""

import itertools
import os
from types import SimpleNamespace

import numpy as np
import pytest

import refnet_fast
from refnet import losses, ops
from refnet.definition import Op, size_of
from refnet.engine import Reference, get_engine
from refnet.graph import Constant, Mode, Tensor, Variable, assignment, trace
from refnet.program import Program, specialize
from refnet.testing.whole import hold_program, hold_step
from refnet_fast.fuse import unit_shape

RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((5, 4)).astype("float32"), RNG.standard_normal((4, 3)).astype("float32")


def reshaped(x):
    return ops.reshape(ops.multiply(ops.reshape(x, (-1,)), 1.0), (-1, 3))


FORMS = {
    "relu": lambda z: ops.square(ops.relu(z)),
    "tanh": lambda z: ops.square(ops.tanh(z)),
    "maximum": lambda z: ops.square(ops.maximum(ops.subtract(1.0, z), 0.0)),
    "there and back": lambda z: ops.multiply(ops.exp(z), reshaped(ops.exp(z))),
    "there and back, later": lambda z: ops.multiply(reshaped(ops.multiply(ops.tanh(z), 3.0)), ops.tanh(z)),
}


def updated(weights, gradients, kind):
    """Records of a step of an optimizer, and the variables that it keeps."""
    rate, records = Variable(np.float32(0.5), name="rate"), []
    for weight, gradient in zip(weights, gradients):
        if kind == "sgd":
            records.append(assignment(weight, ops.sgd_update(weight, gradient, rate)))
            continue
        velocity = Variable(np.full(weight.shape, 0.25, "float32"), name=f"velocity of {weight.name}")
        new, kept = ops.rmsprop_update(weight, velocity, gradient, rate, 0.9, 1e-3)
        records += [assignment(weight, new), assignment(velocity, kept)]
    return records


@pytest.mark.parametrize("engine", ["reference", "derived", "cpu"])
@pytest.mark.parametrize("form", FORMS)
def test_a_value_and_its_reshaped_form_in_one_step(form, engine):
    """A reshape that changes nothing may stand between nodes that become one fused kernel: both forms are written before they are read."""
    weight, x = Variable(W, name="weight"), Tensor((None, 4))
    with trace.inside(collecting=True):
        value = FORMS[form](ops.matmul(x, weight))
        gradients = ops.gradients(ops.sum(value), [weight])
        records = updated([weight], gradients, "sgd")
    assert 0 < hold_program(Program([x], [value, *gradients], records, Mode(True)), [X], engine) <= 1
    assert abs(weight.numpy() - W).max() > 0.1


@pytest.mark.parametrize("engine", ["derived", "cpu"])
def test_one_row_and_its_elements_without_their_row(engine):
    """A vector may stand beside the single row that it is made of: it is broadcast, which reads it from memory."""
    x = Tensor((1, 3))
    row = ops.exp(x)
    elements = ops.reshape(row, (3,))
    program = Program([x], [ops.add(ops.multiply(row, 2.0), elements), ops.add(elements, ops.square(row))])
    assert 0 < hold_program(program, [W[:1]], engine) <= 1


# What a drawn program is made of: from two (4, 6) tensors and a (6, 6) variable another (4, 6).
STEPS = {
    "tanh": lambda a, b, v: ops.tanh(a),
    "relu": lambda a, b, v: ops.relu(a),
    "add": lambda a, b, v: ops.add(a, b),
    "multiply": lambda a, b, v: ops.multiply(a, b),
    "same": lambda a, b, v: ops.reshape(ops.reshape(a, (24,)), (4, 6)),
    "there and back": lambda a, b, v: ops.multiply(ops.reshape(ops.tanh(ops.reshape(a, (8, 3))), (4, 6)), b),
    "times one": lambda a, b, v: ops.multiply(ops.tanh(a), ops.reshape(1.0 * ops.reshape(ops.tanh(a), (24,)), (4, 6))),
    "turned": lambda a, b, v: ops.transpose(ops.multiply(ops.transpose(a), ops.reshape(b, (6, 4)))),
    "product": lambda a, b, v: ops.matmul(a, v),
    "halves": lambda a, b, v: ops.concatenate([a[:, 3:], b[:, :3]], 1),
    "centred": lambda a, b, v: ops.subtract(a, ops.mean(b, 1, keepdims=True)),
    "summed": lambda a, b, v: ops.multiply(a, ops.sum(b, 0, keepdims=True)),
}


def drawn_program(seed):
    """A training step of steps drawn by a seed, its feed, and the variables that it trains."""
    random = np.random.Generator(np.random.Philox(seed))
    normal = lambda *shape: random.standard_normal(shape).astype("float32") / np.float32(2)
    weights = [Variable(normal(*shape), name=name) for name, shape in (("w", (6, 6)), ("b", (6,)), ("v", (6, 6)))]
    w, bias, v = weights
    x = Tensor((4, 6))
    with trace.inside(collecting=True):
        values = [ops.add(ops.matmul(x, w), bias)]
        for name in random.permutation(list(STEPS))[:8]:
            first, second = (values[max(0, len(values) - int(back))] for back in random.integers(1, 4, 2))
            values.append(STEPS[name](first, second, v))
        loss = ops.sum(ops.square(values[-1]))
        pairs = [pair for pair in zip(weights, ops.gradients(loss, weights)) if pair[1] is not None]
        trained, gradients = zip(*pairs)
        records = updated(trained, gradients, "sgd" if seed % 2 else "rmsprop")
        outputs = [values[-1], ops.reshape(values[-2], (24,)), loss, gradients[0], w]
    return Program([x], outputs, records, Mode(True)), [normal(4, 6)], trained


@pytest.mark.parametrize("seed", range(60 if os.environ.get("REFNET_PROFILE") == "deep" else 5))
def test_drawn_training_steps_hold_what_their_nodes_certify(seed):
    """Fused, in shared memory and with updates in place, a step stays inside what its nodes may answer one after the other."""
    program, feeds, trained = drawn_program(seed)
    before = [variable.numpy() for variable in trained]
    assert 0 < hold_program(program, feeds, "cpu") <= 1
    assert all(abs(variable.numpy() - old).max() > 1e-3 for variable, old in zip(trained, before))


def test_reshapes_that_change_nothing_of_inputs_and_variables():
    one, two = Variable(W), Variable(np.zeros_like(W))
    x = Tensor((4, 3))
    with trace.inside(collecting=True):
        same = ops.reshape(ops.reshape(x, (12,)), (4, 3))
        records = [assignment(two, ops.reshape(one, (4, 3))), assignment(one, ops.add(one, 1.0))]
    feed = W * 2
    (got,) = get_engine("cpu").prepare(Program([x], [same], records, Mode(True))).run([feed])
    assert np.array_equal(got, feed) and not np.shares_memory(got, feed)
    assert np.array_equal(two.numpy(), W) and np.array_equal(one.numpy(), W + 1)


@pytest.mark.parametrize("engine", ["derived", "cpu"])
def test_variables_that_take_each_others_values(engine):
    """Around a circle, one of them reshaped: each takes what another held before the step."""
    held = [W, W * 2, W.reshape(3, 4) * 3]
    variables, x = [Variable(value) for value in held], Tensor((1,))
    with trace.inside(collecting=True):
        values = [ops.reshape(variables[i - 1], v.shape) for i, v in enumerate(variables)]
        records = [assignment(variable, value) for variable, value in zip(variables, values)]
    get_engine(engine).prepare(Program([x], [], records, Mode(True))).run([np.zeros(1)])
    for i, variable in enumerate(variables):
        assert np.array_equal(variable.numpy().reshape(-1), held[i - 1].reshape(-1))


@pytest.mark.parametrize("loss", ["circle", "kl_divergence", "mean_squared_logarithmic_error", "squared_hinge"])
def test_a_step_on_a_loss_holds_what_its_nodes_certify(loss):
    refnet_fast.utils.set_random_seed(1)
    model = refnet_fast.Sequential([refnet_fast.Input((4,)), refnet_fast.layers.Dense(3, activation="softmax")])
    model.compile("sgd", loss)
    y = np.array([0, 1, 2, 0, 1])
    y = y if losses.get(loss) in losses.CLASS_NUMBERS else np.eye(3)[y]
    before = model.get_weights()
    assert 0 < hold_step(model, X, y, "cpu") <= 1
    assert all(abs(new - old).max() > 1e-4 for new, old in zip(model.get_weights(), before, strict=True))


class InFloat32(Reference):
    """The reference engine, whose outputs are rounded to float32 before they are given."""

    name = "float32 in the place of float64"

    def build(self, concrete):
        built = super().build(concrete)
        return SimpleNamespace(run=lambda feeds: [y.astype("float32").astype(y.dtype) for y in built.run(feeds)])


def test_float64_is_held_to_float64():
    x = Tensor((3, 4), "float64")
    program, feeds = Program([x], [ops.exp(ops.multiply(x, x))]), [np.random.default_rng(1).standard_normal((3, 4))]
    assert 0 < hold_program(program, feeds, "derived") <= 1
    with pytest.raises(AssertionError, match="output 0"):
        hold_program(program, feeds, InFloat32())


@pytest.mark.parametrize("shape", [(2, 3, 4), (4,)])
@pytest.mark.parametrize("asked", ["query and bias", "bias", "query"])
def test_attention_whose_bias_learns(shape, asked):
    """Where queries and bias are both asked for, one kernel gives both; each alone has its own."""
    rng = np.random.default_rng(1)
    normal = lambda *extents: rng.standard_normal(extents).astype("float32")
    query, bias = Variable(normal(1, 3, 2, 4), name="query"), Variable(normal(*shape), name="bias")
    key, value = Tensor((1, 4, 1, 4)), Tensor((1, 4, 1, 2))
    wanted = [v for v in (query, bias) if v.name in asked]
    with trace.inside(collecting=True):
        y = ops.dot_product_attention(query, key, value, bias, is_causal=True)
        gradients = ops.gradients(ops.sum(ops.square(y)), wanted)
    program, feeds = Program([key, value], gradients, [], Mode(True)), [normal(1, 4, 1, 4), normal(1, 4, 1, 2)]
    assert 0 < hold_program(program, feeds, "cpu") <= 1
    plan = get_engine("cpu").build(specialize(program, [a.shape for a in feeds])).plan
    found = {instruction.op.name for instruction in plan.instructions if "_gradient" in instruction.op.name}
    assert found == {f"dot_product_attention_{asked.replace(' ', '_')}_gradient"}


@pytest.mark.parametrize(("batch", "kernel"), [(16, {"query_and_key"}), (15, {"query", "key"})])
def test_attention_of_many_heads_has_one_kernel_for_queries_and_keys(batch, kernel):
    """One that takes a head of the keys at once, where 32 of them or more give threads enough to do."""
    rng = np.random.default_rng(1)
    normal = lambda *extents: rng.standard_normal(extents).astype("float32")
    shapes = [(batch, 3, 4, 2), (batch, 4, 2, 2), (batch, 4, 2, 3)]
    query, key, value = (Variable(normal(*shape)) for shape in shapes)
    with trace.inside(collecting=True):
        y = ops.dot_product_attention(query, key, value)
        gradients = ops.gradients(ops.sum(ops.square(y)), [query, key, value])
    program = Program([], gradients, [], Mode(True))
    assert 0 < hold_program(program, [], "cpu") <= 1
    plan = get_engine("cpu").build(specialize(program, [])).plan
    found = {instruction.op.name for instruction in plan.instructions if "_gradient" in instruction.op.name}
    assert found == {f"dot_product_attention_{name}_gradient" for name in kernel}


@pytest.mark.parametrize("first", ["query", "key"])
def test_attention_whose_gradient_is_read_before_the_other_is_asked_for(first):
    """The two become one where the earlier stands, whoever reads it before the later."""
    rng = np.random.default_rng(2)
    normal = lambda *extents: rng.standard_normal(extents).astype("float32")
    shapes = [(32, 2, 1, 3), (32, 2, 1, 2), (32, 3, 1, 2), (32, 3, 1, 3), (32, 1, 2), (32, 1, 2)]
    feeds = [normal(*shape) for shape in shapes]
    inputs, shared = [Tensor(a.shape) for a in feeds], {"scale": 0.5, "is_causal": True}
    back = {name: Op.named[f"dot_product_attention_{name}_gradient"] for name in ("query", "key")}
    later = "key" if first == "query" else "query"
    with trace.inside(collecting=True):
        given = [*inputs[:4], Constant(np.float32(0)), Constant(True), *inputs[4:]]
        one = back[first](*given, **shared)
        read = ops.tanh(one[0] if first == "key" else one)
        both = {first: one, later: back[later](*given, **shared)}
        program = Program(inputs, [read, ops.negative(both["query"]), *both["key"]], [], Mode(False))
    assert 0 < hold_program(program, feeds, "cpu") <= 1
    plan = get_engine("cpu").build(specialize(program, [a.shape for a in feeds])).plan
    assert "dot_product_attention_query_and_key_gradient" in {i.op.name for i in plan.instructions}


LYING = {
    "column by column": np.asfortranarray,
    "backwards": lambda a: a[::-1].copy()[::-1],
    "in every other place": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "the other byte first": lambda a: a.astype(a.dtype.newbyteorder()),
    "one number for all": lambda a: np.broadcast_to(a[:1], a.shape),
}


@pytest.mark.parametrize("engine", ["derived", "cpu"])
@pytest.mark.parametrize("lying", LYING)
def test_batches_are_gathered_from_arrays_however_they_lie(lying, engine):
    x = Tensor((None, 3))
    with trace.inside(collecting=True):
        program = Program([x], [ops.multiply(x, 2.0)], [], Mode(False))
    data = LYING[lying](np.arange(24, dtype="float32").reshape(8, 3))
    executable, y = get_engine(engine).prepare(program), np.zeros((8, 3), "float32")
    for order in (None, np.arange(8)[::-1], np.arange(8, dtype="int32")):
        done = 0
        while done < 4:
            done = executable.run_batches([data], order, 2, done, 4, [y])
        assert np.array_equal(y, 2 * (data if order is None else data[order]))


@pytest.mark.parametrize("engine", ["derived", "cpu"])
def test_an_epoch_is_made_again_where_one_of_its_arrays_is_another(engine):
    """One that lies in the same place, too: as where memory was given back and taken again."""
    x = Tensor((None, 3))
    with trace.inside(collecting=True):
        program = Program([x], [ops.multiply(x, 2.0)], [], Mode(False))
    executable, room = get_engine(engine).prepare(program), np.full((8, 3), 1.5, "float32")
    order = np.array([3, 1, 0, 2, 5, 4])
    usual = {"array": room, "order": order, "y": np.zeros((8, 3), "float32")}
    others = [("array", room * 3), ("array", room.view("int32")), ("array", room.view("uint32")), ("array", room[2:])]
    others += [("order", None), ("order", order[::-1].copy()), ("order", order[:3]), ("y", np.zeros((8, 3), "float32"))]
    room += np.arange(8, dtype="float32")[:, None]
    for name, other in others:
        for given in (usual, usual | {name: other}, usual):
            array, order, y = given["array"], given["order"], given["y"]
            count, done = (len(array) if order is None else len(order)), 0
            y[:] = 0
            while done < -(-count // 2):
                done = executable.run_batches([array], order, 2, done, -(-count // 2), [y])
            assert np.array_equal(y[:count], 2 * (array if order is None else array[order]).astype("float32")), name
            assert not y[count:].any(), name


def test_what_a_fused_kernel_reads_lies_side_by_side_or_is_repeated():
    """Every way to bring two arrays of up to three axes to one shape: kernels know no other strides along the last axis."""
    for shape in itertools.chain.from_iterable(itertools.product((0, 1, 2, 3), repeat=rank) for rank in (1, 2, 3)):
        parts = [shape[first:] for first in range(len(shape) + 1)]
        sources = {s for part in parts for s in itertools.product(*({1, extent} for extent in part))}
        for pair in itertools.product(sources, repeat=2):
            _, strides = unit_shape(shape, [*pair, shape])
            assert all(steps[-1] in (0, 1) for steps in strides), (shape, pair, strides)
            assert strides[-1][-1] == 1 or size_of(shape) == 0
