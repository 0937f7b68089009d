"""Models that share layers, trained in turns: one's programs do not move the variables of the other's."""

import numpy as np

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import Input, Model, Sequential, layers, optimizers
from refnet.engine import use_engine
from refnet.utils import set_random_seed
from refnet_fast import commits
from refnet_fast.memory import LINE
from refnet_fast.native import aligned_zeros
from refnet_fast.running import Running

X = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
LABELS = np.arange(8) % 3


def models():
    set_random_seed(0)
    encoder = Sequential([Input((6,)), layers.Dense(16, "relu"), layers.Dense(4, "relu")])
    seen, read = Input((6,)), Input((6,))
    again = Model(seen, layers.Dense(6)(encoder(seen)))
    kind = Model(read, layers.Dense(3, "softmax")(encoder(read)))
    again.compile("adam", "mse")
    kind.compile("adam", "sparse_categorical_crossentropy")
    return again, kind


def trained(rounds, after_each=lambda: None):
    again, kind = models()
    for _ in range(rounds):
        again.train_on_batch(X, X)
        kind.train_on_batch(X, LABELS)
        after_each()
    return [np.array(v.value) for model in (again, kind) for v in (*model.variables, *model.optimizer.variables)]


def test_no_program_is_built_twice(monkeypatch):
    built, counts, build = [], [], Running.__init__

    def counted(self, *given, **more):
        built.append(self)
        build(self, *given, **more)

    monkeypatch.setattr(Running, "__init__", counted)
    with use_engine("cpu"):
        trained(4, lambda: counts.append(len(built)))
    assert counts[0] >= 2 and counts[1:] == counts[:1] * 3


def test_updates_that_could_not_be_merged_give_the_same_bits(monkeypatch):
    with use_engine("cpu"):
        found = trained(5)
        monkeypatch.setattr(commits, "_kind", lambda plan, unit: None)
        for a, b in zip(found, trained(5), strict=True):
            np.testing.assert_array_equal(a, b)


def test_variables_that_lie_side_by_side_are_merged_where_they_lie():
    with use_engine("cpu"):
        again, kind = models()
        again.train_on_batch(X, X)
        at = [v.array.ctypes.data for v in again.trainable_variables]
        assert all(v.placed for v in again.trainable_variables)
        kind.train_on_batch(X, LABELS)
        again.compile("rmsprop", "mse")
        again.train_on_batch(X, X)
        assert [v.array.ctypes.data for v in again.trainable_variables] == at


def test_what_was_built_before_training_sees_the_weights_where_training_laid_them():
    with use_engine("cpu"):
        again, kind = models()
        for model in (again, kind):
            model.predict(X, verbose=0)
            model.evaluate(X, X if model is again else LABELS, verbose=0)
        again.train_on_batch(X, X)
        kind.train_on_batch(X, LABELS)
        for model, y in ((again, X), (kind, LABELS)):
            other = models()[0 if model is again else 1]
            other.set_weights(model.get_weights())
            assert np.array_equal(model.predict(X, verbose=0), other.predict(X, verbose=0))
            assert model.evaluate(X, y, verbose=0) == other.evaluate(X, y, verbose=0)


def test_what_lies_between_variables_that_are_neighbours_by_chance_is_left_alone():
    """One pass over all weights goes over what pads them, too. Small arrays of NumPy's may lie a line apart, and then others lie between."""
    with use_engine("cpu"):
        model = Sequential([Input((1,)), layers.Dense(2)])
        model.compile(optimizers.SGD(0.1, momentum=0.9), "mse")
        model.optimizer.build(model.trainable_variables)
        velocities = [v for v in model.optimizer.variables if v.shape]
        room = aligned_zeros(4 * LINE).view(np.float32).reshape(4, -1)
        room[:] = 7
        variables = [*model.trainable_variables, *velocities]
        for line, variable in zip(room, variables, strict=True):
            home = line[: variable.array.size].reshape(variable.shape)
            home[...] = variable.array
            variable.array = home
        model.train_on_batch(np.ones((3, 1), np.float32), np.ones((3, 2), np.float32))
        assert (room[:, 2:] == 7).all()
