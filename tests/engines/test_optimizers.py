"""Every form of the optimizers: each node of a step certified on every engine, and the merged step equal to its nodes, to the bit."""

import numpy as np
import pytest

import refnet_fast
from refnet import ops, optimizers
from refnet.engine import get_engine, use_engine
from refnet.graph import Constant, Mode, Tensor, Variable, assignment, trace
from refnet.program import Program, specialize
from refnet.testing.replay import replay, replay_step
from refnet.testing.whole import hold_program

FORMS = {
    "sgd": lambda: optimizers.SGD(0.1),
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True, clipvalue=1.0),
    "rmsprop": lambda: optimizers.RMSprop(0.01),
    "centered": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "adam": lambda: optimizers.Adam(0.01),
    "amsgrad with weight decay": lambda: optimizers.Adam(0.01, amsgrad=True, weight_decay=0.1),
    "clipped by norm": lambda: optimizers.Adam(0.01, clipnorm=0.1),
    "clipped together": lambda: optimizers.Adam(0.01, global_clipnorm=0.1),
    "gradients of several batches": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "moving averages": lambda: optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=2),
    "scaled loss": lambda: optimizers.LossScaleOptimizer(optimizers.SGD(0.1), initial_scale=4.0),
    "nadam on a schedule": lambda: optimizers.Nadam(optimizers.schedules.CosineDecay(0.1, 10)),
    "lamb": lambda: optimizers.Lamb(0.01),
    "adafactor": lambda: optimizers.Adafactor(0.01),
    "muon": lambda: optimizers.Muon(0.01),
}
COMPILED = ("momentum", "amsgrad with weight decay", "clipped together", "gradients of several batches")


def step_of(optimizer):
    """A program that takes gradients for a matrix and a vector, and makes one step; and the variables it changes."""
    rng = np.random.default_rng(0)
    weights = [Variable(rng.standard_normal(shape).astype("float32")) for shape in ((5, 4), (4,))]
    slots = [Tensor(w.shape, "float32", name="gradient") for w in weights]
    with trace.inside(call=None, guard=(), training=None):
        records = optimizer.updates(weights, slots)
    return Program(slots, [], records, Mode(True))


def node_by_node(program, feeds, engine):
    """What a program would commit if the engine ran each of its nodes by itself."""
    concrete = specialize(program, [a.shape for a in feeds])
    values = dict(zip(concrete.inputs, feeds))

    def read(x):
        return values[x] if x in values else np.asarray(x.value if isinstance(x, (Constant, Variable)) else x)

    for instruction in concrete.instructions:
        arrays = [read(x) for x in instruction.inputs]
        values.update(zip(instruction.outputs, engine.compute(instruction.op, arrays, instruction.attributes)))
    return {variable: np.array(read(x)) for variable, x in concrete.commits.items()}


def gradients(step):
    rng = np.random.default_rng(step)
    return [rng.standard_normal(shape).astype("float32") for shape in ((5, 4), (4,))]


@pytest.mark.parametrize("form", FORMS)
def test_two_steps_are_certified_node_by_node(form):
    """The second step starts from slots that are no longer zeros."""
    program = step_of(FORMS[form]())
    for step in range(2):
        found = replay(program, gradients(step), ("reference",))
        assert 0 < found.worst <= 1
        get_engine("reference").prepare(program).run(gradients(step))


@pytest.mark.parametrize("engine", ["derived", "cpu"])
@pytest.mark.parametrize("form", COMPILED)
def test_a_merged_step_is_its_nodes_to_the_bit(form, engine):
    chosen = get_engine(engine)
    program = step_of(FORMS[form]())
    running = chosen.prepare(program)
    for step in range(3):
        feeds = gradients(step)
        assert replay(program, feeds, ("reference", chosen)).worst <= 1
        due = node_by_node(program, feeds, chosen)
        running.run(feeds)
        for variable, value in due.items():
            assert variable.numpy().tobytes() == value.tobytes(), variable.name


def test_a_models_step_is_certified_on_every_engine():
    """Loss, penalty, dropout, gradients and update, from a state that two steps have reached."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 5)).astype("float32"), rng.integers(0, 3, 8)
    refnet_fast.utils.set_random_seed(1)
    dense = refnet_fast.layers.Dense(4, "relu", kernel_regularizer="l2")
    model = refnet_fast.Sequential(
        [refnet_fast.Input((5,)), dense, refnet_fast.layers.Dropout(0.5), refnet_fast.layers.Dense(3, "softmax")]
    )
    model.compile(FORMS["amsgrad with weight decay"](), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=4, verbose=0)
    assert 0 < replay_step(model, x, y, ("reference", "derived", "cpu")).worst <= 1


def test_updates_that_run_as_one_may_begin_with_that_of_a_bias():
    """The first kernel's update does not: its constraint stands behind it. A bias's gradient is a sum under another shape."""
    x = np.random.default_rng(0).standard_normal((4, 5)).astype("float32")
    refnet_fast.utils.set_random_seed(1)
    first = refnet_fast.layers.Dense(4, kernel_constraint="non_neg")
    model = refnet_fast.Sequential([refnet_fast.Input((5,)), first, refnet_fast.layers.Dense(2)])
    model.compile("sgd", "mse")
    with use_engine("cpu"):
        batches = model._fed("train_on_batch", {"x": x}, {"y": x[:, :2]})
        program, before = model._executable("train", batches).program, model.get_weights()
        assert 0 < hold_program(program, batches.arrays, "cpu") <= 1
    assert all(abs(new - old).max() > 1e-4 for new, old in zip(model.get_weights(), before, strict=True))


@pytest.mark.parametrize("engine", ["reference", "derived", "cpu"])
def test_weights_with_one_gradient_and_gradients_from_outside(engine):
    """Updates of one kind run as one over blocks of memory; a gradient that two weights share, or that is fed, is in no block."""
    a, b, c, d = (Variable(np.ones(3, "float32")) for _ in range(4))
    x, y, rate = Tensor((3,), "float32"), Tensor((3,), "float32"), Variable(np.float32(0.5))
    with trace.inside(collecting=True):
        shared = ops.exp(x)
        pairs = [(a, shared), (b, shared), (c, x), (d, y)]
        records = [assignment(v, ops.sgd_update(v, g, rate)) for v, g in pairs]
    with use_engine(engine) as running:
        step = running.prepare(Program([x, y], [], records))
        for _ in range(2):
            step.run([np.zeros(3, "float32"), np.ones(3, "float32")])
    assert [v.numpy().tolist() for v in (a, b, c, d)] == [[0.0] * 3, [0.0] * 3, [1.0] * 3, [0.0] * 3]
