"""What programs in notebooks do: tables of pandas, variables looked at, layers unfrozen between two runs."""

import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, Sequential, Variable, layers, ops
from refnet.errors import ArgumentError, DtypeError, NoValueError

X = np.linspace(-1, 1, 32).astype("float32").reshape(8, 4)
Y = X[:, :1]


# ---- tables


class Column:
    def __init__(self, values: Any):
        self.values = np.asarray(values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values.astype(dtype or self.values.dtype)


class Table:
    """What pandas does: columns of several dtypes are one array of objects."""

    def __init__(self, **columns: Any):
        self.held = {name: Column(values) for name, values in columns.items()}
        self.columns = list(columns)

    def __getitem__(self, name: str) -> Column:
        return self.held[name]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        columns = [column.values for column in self.held.values()]
        if len({c.dtype for c in columns}) > 1:
            columns = [c.astype(object) for c in columns]
        return np.stack(columns, axis=1)


def test_columns_of_several_dtypes_are_numbers_together() -> None:
    """As get_dummies makes them: a column of floats beside columns of bools. Keras makes floats of all, too."""
    table = Table(age=X[:, 0].astype("float64"), red=X[:, 1] > 0, count=np.arange(8))
    numbers = np.stack([X[:, 0], X[:, 1] > 0, np.arange(8)], axis=1)
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    np.testing.assert_array_equal(model.predict(table, verbose=0), model.predict(numbers, verbose=0))
    np.testing.assert_array_equal(ops.sum(table, axis=0), ops.sum(numbers.astype("float64"), axis=0))
    model.fit(table, Y, verbose=0)


class Joined(Table):
    """Two tables side by side, as `pd.concat(axis=1)` makes them: a name stands for several columns, a place for one."""

    def __init__(self, *tables: Table):
        self.held = {(name, i): column for i, table in enumerate(tables) for name, column in table.held.items()}
        self.columns = [name for name, _ in self.held]

    def __getitem__(self, name: str) -> Any:
        raise AssertionError("a table")

    @property
    def iloc(self) -> Any:
        held = list(self.held.values())
        return type(
            "Places", (), {"__getitem__": lambda _, place: held[place[1]] if place[0] == slice(None) else None}
        )()


def test_columns_of_one_name_are_told_apart_by_their_places() -> None:
    table = Joined(Table(age=X[:, 0], red=X[:, 1] > 0), Table(age=X[:, 2], red=X[:, 3] > 0))
    numbers = np.stack([X[:, 0], X[:, 1] > 0, X[:, 2], X[:, 3] > 0], axis=1)
    model = Sequential([Input((4,)), layers.Dense(1)])
    np.testing.assert_array_equal(model.predict(table, verbose=0), model.predict(numbers, verbose=0))
    words = Joined(Table(age=X[:, 0]), Table(age=np.array(["x"] * 8)))
    with pytest.raises(DtypeError, match="in the column 'age'"):
        model.predict(words, verbose=0)


# ---- what a cell shows


def test_a_variable_shows_its_value() -> None:
    step = Variable(0.25, name="step")
    assert repr(step) == "<Variable 'step' shape=() dtype=float32 value=0.25>"
    assert repr(Variable(np.eye(2), name="eye")).endswith("dtype=float32 value=[[1. 0.] [0. 1.]]>")
    large = repr(Variable(np.zeros((300, 200)), name="large"))
    assert large.endswith("value=[[0. ... 0.] ... [0. ... 0.]]>")
    assert f"{step:.3f}, {step}" == f"0.250, {step!r}"
    with pytest.raises(TypeError, match="only one number"):
        f"{Variable(np.eye(2)):.3f}"


# ---- layers unfrozen after compile


def frozen_base(trainable: bool = False) -> Any:
    base = Sequential([Input((4,)), layers.Dense(3, name="inner")], name="base")
    base.trainable = trainable
    model = Sequential([base, layers.Dense(1)])
    model.compile("sgd", "mse")
    return base, model


def test_layers_that_were_unfrozen_after_compile_are_warned_of() -> None:
    base, model = frozen_base()
    model.fit(X, Y, verbose=0)
    base.trainable = True
    before = base.get_weights()
    message = "fit: not trained, because not trainable when compile was called: inner. Call compile again"
    with pytest.warns(UserWarning, match=message) as caught:
        model.fit(X, Y, verbose=0)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(base.get_weights()[0], before[0])


def test_what_is_frozen_after_compile_is_not_warned_of() -> None:
    """As a discriminator is, before it stands in a second model."""
    base, model = frozen_base(trainable=True)
    base.trainable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y, verbose=0)
        model.compile("sgd", "mse")
        model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("late", [False, True])
def test_a_discriminator_that_learns_by_itself_is_not_warned_of(late: bool) -> None:
    """It is frozen in the model of both networks alone, whatever `trainable` says when that is trained."""
    inner = Sequential([Input((4,)), layers.Dense(1, name="inner")], name="discriminator")
    if not late:
        inner.compile("sgd", "mse")
    inner.trainable = False
    both = Sequential([Input((4,)), layers.Dense(4), inner])
    both.compile("sgd", "mse")
    inner.trainable = True
    if late:
        inner.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="not trained, because not trainable when compile was called: inner"):
        both.fit(X, Y, verbose=0)  # it has not learned yet: compile may have been forgotten
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            inner.train_on_batch(X, Y)
            before = inner.get_weights()
            both.fit(X, Y, verbose=0)
            np.testing.assert_array_equal(inner.get_weights()[0], before[0])
    both.compile("sgd", "mse")
    inner.trainable = False
    both.compile("sgd", "mse")
    inner.trainable = True
    with pytest.warns(UserWarning, match="Call compile again"):
        both.fit(X, Y, verbose=0)


# ---- several outputs


def two_outputs(**told: Any) -> Any:
    inputs = Input((4,))
    last = layers.Dense(1)(inputs)
    model = Model(inputs, {"seen": last, "shown": last * 2.0, "other": last + 1.0})
    model.compile("sgd", **told)
    return model


def test_a_dict_of_targets_needs_none_for_an_output_without_a_loss() -> None:
    """As in Keras: what is looked at in predictions alone has no target."""
    model = two_outputs(loss={"seen": "mse", "other": "mae"})
    whole = {"seen": Y, "shown": Y, "other": Y}
    wanted = model.evaluate(X, whole, verbose=0)
    assert model.evaluate(X, {"other": Y, "seen": Y}, verbose=0) == wanted
    assert model.evaluate(X, {"other": Y, "shown": Y, "seen": Y}, verbose=0) == wanted
    assert model.evaluate(X, [Y, Y], verbose=0) == wanted
    assert "val_loss" in model.fit(X, {"seen": Y, "other": Y}, validation_split=0.5, verbose=0).history


def test_an_output_with_a_loss_or_a_metric_needs_a_target() -> None:
    model = two_outputs(loss={"seen": "mse"}, metrics={"shown": ["mae"]})
    with pytest.raises(
        ArgumentError, match=r"keys \['seen'\]; .* names are \['other', 'seen', 'shown'\]. Missing: 'shown'."
    ):
        model.fit(X, {"seen": Y}, verbose=0)
    with pytest.raises(ArgumentError, match=r"y is a dict with the keys \['seen', 'wrong'\]"):
        model.fit(X, {"seen": Y, "wrong": Y}, verbose=0)
    with pytest.raises(ArgumentError, match="has 3 outputs .* got 1 arrays of targets"):
        model.fit(X, Y, verbose=0)  # there would be nothing that the metric is told of
    assert model.fit(X, {"seen": Y, "shown": Y}, verbose=0).history["shown_mae"][0] > 0


def test_a_dict_for_the_only_output() -> None:
    inputs = Input((4,))
    model = Model(inputs, {"seen": layers.Dense(1)(inputs)})
    model.compile("sgd", "mse", metrics=["mae", "mse"])
    assert len(model.fit(X, {"seen": Y}, verbose=0).history) == 3
    with pytest.raises(ArgumentError, match="the model's names are"):
        model.fit(X, {"shown": Y}, verbose=0)


# ---- inputs in lists and dicts


def nested_inputs() -> Any:
    inputs = {"one": Input((2,)), "rest": [Input((3,)), (Input((1,)),)]}
    first, (second, (third,)) = inputs["one"], inputs["rest"]
    model = Model(inputs, layers.Dense(1)(layers.Concatenate()([first, second, third])))
    model.compile("sgd", "mse")
    return model


def test_arrays_are_nested_as_the_inputs_are(tmp_path: Any) -> None:
    from refnet import saving

    model = nested_inputs()
    arrays = {"rest": [X[:, :3], (X[:, 3:],)], "one": X[:, 1:3]}
    wanted = np.asarray(model(arrays))
    np.testing.assert_array_equal(model.predict(arrays, verbose=0), wanted)
    flat = [X[:, 1:3], X[:, :3], X[:, 3:]]
    np.testing.assert_array_equal(model.predict(flat, verbose=0), wanted)
    with_more = {**arrays, "rows": X}  # what a table has beyond the inputs
    np.testing.assert_array_equal(model.predict(with_more, verbose=0), wanted)
    model.fit(arrays, Y, verbose=0)
    model.fit(iter([(arrays, Y)]), verbose=0)
    model.save(tmp_path / "model.keras")
    again = saving.load_model(tmp_path / "model.keras")
    assert again.evaluate(arrays, Y, verbose=0) == model.evaluate(flat, Y, verbose=0)


@pytest.mark.parametrize(
    "arrays",
    [
        {"one": X[:, :2], "rest": [X[:, :3]]},
        {"one": X[:, :2], "rest": X[:, :3]},
        {"one": X[:, :2]},
        {"one": X[:, :2], "rest": {"a": X[:, :3], "b": (X[:, 3:],)}},
    ],
)
def test_arrays_that_are_nested_otherwise(arrays: Any) -> None:
    with pytest.raises(
        ArgumentError, match=r"predict: x must be nested as the model's inputs are: \{'one': .*\[.*\(.*,\)\]\}"
    ):
        nested_inputs().predict(arrays, verbose=0)


def test_nested_lists_may_be_given_by_the_inputs_names() -> None:
    inputs = [Input((4,), name="a"), [Input((4,), name="b"), Input((4,), name="c")]]
    model = Model(inputs, layers.Concatenate()([inputs[0], *inputs[1]]))
    due = np.concatenate([X, X, X], axis=1)
    for given in ({"a": X, "b": X, "c": X}, [X, X.tolist(), X], [X, [X, X]]):
        np.testing.assert_array_equal(model.predict(given, verbose=0), due)
    with pytest.raises(ArgumentError, match="got None"):
        model.predict(None)


def test_samples_in_a_list() -> None:
    """A list of arrays is one array for each input, as in Keras: eight samples of one input are eight arrays too many."""
    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    for call in (lambda: model.fit(list(X), list(Y), verbose=0), lambda: model.predict(list(X), verbose=0)):
        with pytest.raises(
            ArgumentError, match=r"x is a list of 8 arrays of shape \(4,\), one for each sample; np.stack\(x\)"
        ):
            call()


# ---- numbers made of variables, outside of models


def test_numpy_computes_with_variables() -> None:
    weight = Variable(np.array([[1.0, -2.0], [3.0, 4.0]]), name="weight")
    assert np.sum(weight) == 6 and np.max(np.abs(weight)) == 4
    np.testing.assert_array_equal(np.sqrt(weight * weight), np.abs(weight.numpy()))
    assert np.linalg.norm(weight) == pytest.approx(np.sqrt(30), rel=2**-20)  # two roundings of float32


def test_python_decides_by_variables() -> None:
    rate = Variable(0.25, name="rate")
    assert rate > 0.1 and not rate * 2 > 1.0 and bool(rate)
    with pytest.raises(ValueError, match="more than one element is ambiguous"):
        bool(Variable(np.ones(2)))


class Looking(layers.Layer):
    """What a program may not do with a variable, nor with a tensor, while it is traced."""

    def __init__(self, look: Any):
        super().__init__()
        self.look, self.level = look, self.add_weight(shape=(), initializer="ones")

    def call(self, inputs: Any) -> Any:
        self.look(self.level)
        return inputs


@pytest.mark.parametrize("look", [np.sqrt, bool, np.sum, lambda level: level > 0.5 and 1])
def test_a_variable_has_no_value_in_a_call(look: Any) -> None:
    with pytest.raises(NoValueError):
        Sequential([Input((4,)), Looking(look)])
    with pytest.raises(NoValueError):
        look(Input(()))


def test_a_word_is_no_value() -> None:
    with pytest.raises(DtypeError, match="the value of rate must hold numbers; got 'zeros'"):
        Variable(0.25, name="rate").assign("zeros")


# ---- what is refused, because it would be lost


def test_numpy_does_not_write_into_variables() -> None:
    variable = Variable([1.0, 2.0, 3.0])
    for call in (
        lambda: np.add.at(variable, [0], 5.0),
        lambda: np.add(np.ones(3), np.ones(3), out=variable),
        lambda: np.sum(np.ones(3), where=variable),
    ):
        with pytest.raises(NoValueError):
            call()
    assert variable.numpy().tolist() == [1, 2, 3]


def test_a_variable_takes_numbers_of_any_class() -> None:
    variable = Variable([0.0, 0.0])
    assert variable.assign([Fraction(1, 2), Fraction(1, 4)]).numpy().tolist() == [0.5, 0.25]
    assert variable.assign(np.array([1.0, 2], object)).numpy().tolist() == [1, 2]


def test_layers_that_have_nothing_to_train_are_not_warned_of() -> None:
    plain = layers.BatchNormalization(center=False, scale=False, trainable=False)
    model = Sequential([Input((4,)), plain, layers.Dense(1)])
    model.compile("sgd", "mse")
    plain.trainable = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y, verbose=0)
