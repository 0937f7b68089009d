"""Arguments that Keras 3 has and that are easily forgotten: each does what it does there."""

import pathlib
from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, Sequential, Variable, callbacks, layers, models, ops, optimizers, saving, utils
from refnet.errors import ArgumentError, FileError, ShapeError

X, Y = np.ones((6, 2), "float32"), np.ones((6, 1), "float32")


def small() -> Sequential:
    model = Sequential([Input((2,)), layers.Dense(1, name="only")], name="small")
    model.compile("sgd", "mse")
    return model


def test_a_variable_is_made_of_a_value_or_of_an_initializer() -> None:
    assert Variable("ones", shape=(2,)).numpy().tolist() == [1, 1]
    assert Variable(lambda shape, dtype: np.full(shape, 3, dtype), (1,), "int32", False).numpy().tolist() == [3]
    assert Variable(initializer=[1.0], name="here").name == "here" and Variable(2.0).shape == ()
    with pytest.raises(ShapeError, match="needs a shape for its initializer, 'ones'"):
        Variable("ones")
    with pytest.raises(ShapeError, match=r"has shape \(1,\); the shape given for it is \(2,\)"):
        Variable([1.0], shape=(2,))


def test_weights_refuse_what_is_for_float8() -> None:
    layer = layers.Layer()
    assert layer.add_weight((1,), aggregation="mean").aggregation == "mean"
    with pytest.raises(ArgumentError, match="overwrite_with_gradient is for float8"):
        layer.add_weight((1,), overwrite_with_gradient=True)


def test_an_input_may_be_a_tensor_and_must_be_dense() -> None:
    inner = layers.Dense(3)(Input((2,)))
    assert Model(Input(tensor=inner), layers.Dense(1)(inner)).predict(np.ones((2, 3)), verbose=0).shape == (2, 1)
    with pytest.raises(ArgumentError, match="sparse=True is not supported"):
        Input((2,), sparse=True)
    with pytest.raises(ArgumentError, match="optional=True is not supported"):
        Input((2,), optional=True)


def test_a_model_is_saved_as_a_folder(tmp_path: pathlib.Path) -> None:
    model, folder = small(), tmp_path / "saved"
    model.fit(X, Y, verbose=0)
    for _ in range(2):  # the second time it replaces the first
        model.save(folder, zipped=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved"]
    again = models.load_model(folder)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    assert int(again.optimizer.iterations) == 1
    with pytest.raises(FileExistsError):
        model.save(folder, overwrite=False, zipped=False)
    with pytest.raises(ArgumentError, match="does not end in '.keras'"):
        model.save(tmp_path / "a.keras", zipped=False)
    (folder / "model.weights.h5").unlink()
    with pytest.raises(FileError, match="the folder has no model.weights.h5"):
        models.load_model(folder)
    with pytest.raises(FileExistsError, match="is no folder of a model"):
        model.save(tmp_path, zipped=False)


def test_a_summary_shows_what_is_asked_for() -> None:
    model = Sequential([Input((2,)), small(), layers.Dense(1, name="last"), layers.ReLU(name="end")], name="outer")
    model.layers[1].trainable = False
    lines: list[str] = []
    model.summary(print_fn=lines.append, expand_nested=True, show_trainable=True)
    table = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert [row[0] for row in table[1:]] == ["small (Sequential)", "└ only (Dense)", "last (Dense)", "end (ReLU)"]
    assert [row[-1] for row in table] == ["Trainable", "Y", "Y", "N", "-"]
    lines.clear()
    model.summary(print_fn=lines.append, layer_range=("last", "e.*"), positions=[0.5, 0.8, 1.0], line_length=60)
    assert [line[2:6] for line in lines if line.startswith("│")] == ["Laye", "last", "end "]
    assert lines[1].index("┬") == 30
    with pytest.raises(ArgumentError, match="no layer's name fits 'none'"):
        model.summary(layer_range=("none", "end"))


def test_training_may_end_with_an_error_at_a_loss_that_is_no_number() -> None:
    with pytest.warns(UserWarning), pytest.raises(RuntimeError, match="after batch 0 the loss is nan"):
        small().fit(X * np.nan, Y, verbose=0, callbacks=[callbacks.TerminateOnNaN(raise_error=True)])


class Mine(callbacks.ModelCheckpoint):
    """A checkpoint of the user's."""


@pytest.mark.parametrize("kind", [callbacks.ModelCheckpoint, Mine])
def test_checkpoints_count_batches_wherever_save_freq_is_said(kind: Any, tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "{batch}.keras")
    small().fit(X, Y, batch_size=2, verbose=0, callbacks=[kind(path, "loss", 0, False, False, "auto", 2)])
    assert [p.name for p in tmp_path.iterdir()] == ["2.keras"]


def test_hooks_may_be_given_by_place() -> None:
    seen: list[Any] = []
    small().fit(X, Y, verbose=0, callbacks=[callbacks.LambdaCallback(lambda epoch, logs: seen.append(epoch))])
    assert seen == [0]


def test_configs_name_custom_objects() -> None:
    class Fourth(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.multiply(x, 0.25)

    model = Sequential([Input((2,)), Fourth()])
    again = Sequential.from_config(model.get_config(), custom_objects={"Fourth": Fourth})
    assert type(again.layers[0]) is Fourth
    assert optimizers.SGD.from_config({"learning_rate": 0.5}, custom_objects={}).name == "sgd"
    assert saving.serialize_keras_object(obj=0.5) == 0.5
    utils.clear_session(free_memory=False)


def test_labels_as_one_vector_need_their_number() -> None:
    with pytest.raises(ArgumentError, match="multi_hot needs num_classes"):
        ops.multi_hot([1])


def test_ops_are_found_in_keras_s_modules() -> None:
    assert ops.linalg.det is ops.det and ops.nn.relu is ops.relu and ops.numpy.matmul is ops.matmul
    with pytest.raises(AttributeError, match="Did you mean 'relu'"):
        _ = ops.nn.rellu


def test_a_history_says_where_its_values_are() -> None:
    with pytest.raises(TypeError, match=r"history\.history\['loss'\]"):
        _ = small().fit(X, Y, verbose=0)["loss"]
