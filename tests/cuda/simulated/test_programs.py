"""Programs in the simulator: training, commits, data errors, and variables that move between engines."""

import numpy as np
import pytest

import refnet_fast
from refnet import graph, ops
from refnet.definition import Op, size_of
from refnet.engine import get_engine, use_engine
from refnet.errors import DataError
from refnet.graph import Tensor, Variable
from refnet.layers import Dense, Dropout, Input
from refnet.models import Model, Sequential
from refnet.program import Program
from refnet.testing.certificates import check
from refnet.testing.whole import hold_step
from refnet_fast.cuda.engine import CudaEngine
from refnet_fast.cuda.running import CudaRunning

generator = np.random.default_rng(3)
X = generator.standard_normal((6, 4)).astype("float32")
LABELS = np.array([0, 2, 1, 1, 0, 2])


def compiled(optimizer):
    refnet_fast.utils.set_random_seed(1)
    model = Sequential([Input((4,)), Dense(6, activation="relu"), Dropout(0.3), Dense(3, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_training_holds_what_its_nodes_certify_and_fit_is_those_steps(optimizer):
    """Two epochs of two batches, the second one smaller, each step from where the one before has left the model."""
    with use_engine("cuda-sim"):
        model, fitted = compiled(optimizer), compiled(optimizer)
        for rows in (slice(4), slice(4, 6)) * 2:
            assert 0 < hold_step(model, X[rows], LABELS[rows]) <= 1
        fitted.fit(X, LABELS, batch_size=4, epochs=2, shuffle=False, verbose=0)
        for got, due in zip(fitted.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(got, due)
        assert 0 < hold_step(fitted, X) <= 1


def test_models_that_share_a_layer_do_not_build_each_others_programs_again(monkeypatch):
    built, counts, build = [], [], CudaRunning.__init__

    def counted(self, *given, **more):
        built.append(self)
        build(self, *given, **more)

    monkeypatch.setattr(CudaRunning, "__init__", counted)
    with use_engine("cuda-sim"):
        shared = Dense(4, activation="relu")
        x = Input((4,))
        first, second = Model(x, Dense(2)(shared(x))), Model(x, Dense(1)(shared(x)))
        for model in (first, second):
            model.compile("adam", "mse")
        for _ in range(3):
            first.train_on_batch(X, X[:, :2])
            second.train_on_batch(X, X[:, :1])
            counts.append(len(built))
    assert counts[0] >= 2 and counts[1:] == counts[:1] * 2


def stepping(v):
    """A program that adds 1 to a variable and gives the sum from before."""
    with graph.trace.inside(collecting=True):
        before = ops.sum(v)
        return Program([], [before], [v.assign(ops.add(v, 1.0))])


def test_a_variable_moves_between_engines():
    v = Variable(np.zeros(3, "float32"))
    simulated, native = (get_engine(name).prepare(stepping(v)) for name in ("cuda-sim", "cpu"))
    for k, executable in enumerate([simulated, native, native, simulated, simulated, native]):
        assert executable.run([])[0] == 3.0 * k
    simulated.run([])
    assert v.residence is get_engine("cuda-sim").residence
    np.testing.assert_array_equal(v.numpy(), [7.0] * 3)  # a copy; the device keeps the variable
    assert v.residence is not None
    v.set(np.full(3, 20.0, "float32"))
    assert v.residence is None
    assert simulated.run([])[0] == 60.0 and v.numpy()[0] == 21.0


@pytest.mark.parametrize("engine", ["reference", "derived", "cpu", "cuda-sim"])
def test_what_is_overwritten_is_kept_for_who_reads_it(engine):
    a, b = Variable(np.array([1.0, 2.0], "float32")), Variable(np.array([3.0, 4.0], "float32"))
    with graph.trace.inside(collecting=True):
        old = ops.unary.same(a)
        swap = [a.assign(b), b.assign(old)]
        shift = [b.assign(a), a.assign(ops.add(a, 1.0))]
    get_engine(engine).prepare(Program([], [], swap)).run([])
    np.testing.assert_array_equal([a.numpy(), b.numpy()], [[3, 4], [1, 2]])
    (before,) = get_engine(engine).prepare(Program([], [a], shift)).run([])
    np.testing.assert_array_equal([before, a.numpy(), b.numpy()], [[3, 4], [4, 5], [3, 4]])


@pytest.mark.parametrize("engine", ["derived", "cpu", "cuda-sim"])
def test_an_operand_is_read_before_a_result_takes_its_place(engine):
    x = Tensor((6, 4))
    turned = ops.transpose(x)
    positive = ops.relu(turned)
    results = get_engine(engine).prepare(Program([x], [positive, ops.add(positive, turned)])).run([X])
    np.testing.assert_array_equal(results, [np.maximum(X.T, 0), np.maximum(X.T, 0) + X.T])


@pytest.mark.parametrize("shape", [(5, 33), (9, 17), (2, 16), (33, 64)])
def test_rows_of_threads(shape):
    """Elements of two axes, of which the second is spread over a block's threads: a bias, rectified; a table's small gradient."""
    x, bias = generator.standard_normal(shape).astype("float32"), generator.standard_normal(shape[1]).astype("float32")
    a, b = Tensor(shape), Tensor(shape[1:])
    y = ops.relu(ops.add(a, b))
    (got,) = get_engine("cuda-sim").prepare(Program([a, b], [y])).run([x, bias])
    np.testing.assert_array_equal(got, np.maximum(x + bias, 0))
    indices = generator.integers(0, 3, min(shape[0], 100))
    op, arrays, attributes = Op.named["take_x_gradient"], [x[: len(indices)], indices], {"axis": 0, "length": 3}
    assert check(op, "cuda-sim", arrays, attributes) <= 1


def test_bad_indices_commit_nothing_and_are_named():
    table, count = Variable(np.arange(6, dtype="float32").reshape(3, 2)), Variable(np.zeros((), "float32"))
    indices = Tensor((None,), "int32")
    with graph.trace.inside(collecting=True):
        picked = ops.take(table, indices, axis=0)
        records = [count.assign(ops.add(count, ops.sum(picked)))]
    executable = get_engine("cuda-sim").prepare(Program([indices], [picked], records))
    executable.run([np.array([0, 1], "int32")])
    before = float(count)
    with pytest.raises(DataError, match=r"take: indices must lie in -3..2; the one at \[1\] is 7."):
        executable.run([np.array([2, 7], "int32")])
    assert float(count) == before
    np.testing.assert_array_equal(executable.run([np.array([2, -1], "int32")])[0], [[4, 5], [4, 5]])


def test_updates_of_one_kind_are_one_launch():
    shapes = [(4, 5), (5,), (5, 3)]
    weights = [Variable(np.ones(shape, "float32")) for shape in shapes]
    slots = [Variable(np.zeros(shape, "float32")) for shape in shapes]
    rate, records = Variable(np.float32(0.5)), []
    with graph.trace.inside(collecting=True):
        for w, slot in zip(weights, slots):
            results = ops.sgd_momentum_update(w, slot, ops.multiply(w, 0.5), rate, momentum=0.9, nesterov=False)
            records += [w.assign(results[0]), slot.assign(results[1])]
    executable = get_engine("cuda-sim").prepare(Program([], [], records))
    executable.run([])
    padded = sum(-(-4 * size_of(shape) // 64) * 16 for shape in shapes)  # each on cache lines of its own
    assert [n for what, n in executable.at([]).report() if what.startswith("sgd_momentum_update")] == [padded]
    for w, slot in zip(weights, slots):
        np.testing.assert_array_equal([w.numpy(), slot.numpy()], [np.full(w.shape, 0.75), np.full(w.shape, -0.25)])


def test_an_engine_of_a_numbered_device():
    engine = CudaEngine("cuda-sim", 0)
    v = Variable(np.zeros(3, "float32"))
    executable = engine.prepare(stepping(v))
    executable.run([])
    assert engine.name == "cuda-sim:0" and v.residence is engine.residence
    np.testing.assert_array_equal(v.numpy(), np.ones(3))
