"""What export says where it cannot: the peers' tests run what it writes (tests/peers/test_onnx.py)."""

import pathlib
import sys
from typing import Any

import pytest

from refnet import Input, Model, Sequential, layers
from refnet.errors import ArgumentError, MissingPackageError, PlaceError


def small() -> Any:
    return Sequential([Input((4,)), layers.Dense(2, name="only")], name="small")


def test_a_missing_package_is_named_with_its_extra(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingPackageError, match=r'pip install -e "\.\[onnx\]"'):
        small().export(tmp_path / "small.onnx", format="onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_op_without_onnx_form_is_named_with_its_layer_before_a_file_is_made(tmp_path: pathlib.Path) -> None:
    made = Sequential([Input((4,)), layers.Activation("sparsemax", name="sparse")], name="small")
    with pytest.raises(ArgumentError, match=r"small\.export: sparse: the op 'sparsemax' has no ONNX form here"):
        made.export(tmp_path / "small.onnx", format="onnx")
    for start, layer in (
        (Input((None, 2)), layers.RNN(Sums(), name="open")),
        (Input((None, None, 1)), layers.Resizing(2, 2, name="open")),
    ):
        with pytest.raises(
            ArgumentError, match="open: what waits for the length of an axis has no ONNX form here. Give Input"
        ):
            Sequential([start, layer]).export(tmp_path / "small.onnx", format="onnx")
    assert list(tmp_path.iterdir()) == []


class Sums:
    """A cell of a user's own."""

    state_size = 2

    def call(self, inputs: Any, states: Any) -> Any:
        return inputs + states[0], [inputs + states[0]]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, r"small\.export writes format='onnx'; got 'tf_saved_model'"),
        ({"format": "onnx", "opset": 3}, r"no argument 'opset'\. Did you mean 'opset_version'"),
        ({"format": "onnx", "opset_version": 9}, "opset_version must be an integer from 18 to 22; got 9"),
    ],
)
def test_arguments(tmp_path: pathlib.Path, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        small().export(tmp_path / "small.onnx", **more)


def test_models_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ArgumentError, match="not built yet"):
        Sequential([layers.Dense(2)]).export(tmp_path / "m.onnx", format="onnx")
    start = Input(batch_shape=(2, 3, 4))
    stateful = Model(start, layers.LSTM(2, stateful=True, name="memory")(start), name="whole")
    with pytest.raises(ArgumentError, match=r"whole\.export: .* inference changes memory/"):
        stateful.export(tmp_path / "m.onnx", format="onnx")
    noisy = Sequential([Input((4,)), Noise()], name="noisy")
    with pytest.raises(ArgumentError, match="inference draws random numbers"):
        noisy.export(tmp_path / "m.onnx", format="onnx")


class Noise(layers.Layer):
    def call(self, inputs: Any) -> Any:
        return layers.GaussianNoise(0.1)(inputs, training=True)


class Own(Model):
    def __init__(self) -> None:
        super().__init__(name="own")
        self.dense = layers.Dense(2)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


def test_a_folder_and_no_path_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(PlaceError, match="is a folder; give the name of a file"):
        small().export(tmp_path, format="onnx")
    with pytest.raises(ArgumentError, match="a path is needed.* got None"):
        small().export(None, format="onnx")
    folder = tmp_path / "model.keras"
    folder.mkdir()
    with pytest.raises(PlaceError, match="is a folder; give the name of a file"):
        small().save(folder)


def test_signatures_that_cannot_be_read(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "m.onnx"
    with pytest.raises(ArgumentError, match=r"layers\.Input.*got \[\(None, 2\)\]"):
        Own().export(target, format="onnx", input_signature=[(None, 2)])
    with pytest.raises(
        ArgumentError, match=r"small\.export: .*begins with shapes \[\(None, 4\)\].* got \[\(None, 5\)\]"
    ):
        small().export(target, format="onnx", input_signature=[Input((5,))])
    with pytest.raises(ArgumentError, match=r"own\.export: .*not built yet.*input_signature"):
        Own().export(target, format="onnx")
    assert list(tmp_path.iterdir()) == []
