"""What export says where it cannot: the peers' tests run what it writes (tests/peers/test_onnx.py)."""

import pathlib
import sys
from typing import Any

import pytest

from refnet import Input, Model, Sequential, layers
from refnet.errors import ArgumentError, MissingPackageError


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
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, r"small\.export writes format='onnx'; got 'tf_saved_model'"),
        ({"format": "onnx", "opset": 3}, r"no argument 'opset'\. Known: opset_version"),
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
