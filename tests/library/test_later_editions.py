"""What programs of the second and third edition of the book write, which those of the first do not."""

import importlib
from typing import Any

import numpy as np
import pytest

import refnet
import refnet_fast
from refnet import Model, Variable, grad, jit, layers, missing_names, ops, optimizers
from refnet.errors import ArgumentError, DtypeError, MissingNameError, NoValueError
from refnet.graph import Tensor
from refnet.models import load_model

X = np.arange(8, dtype="float32").reshape(4, 2) - 3


def test_a_loss_begins_as_an_array_of_zeros_and_is_added_to() -> None:
    """As in deep dreams and style transfer: `loss = ops.zeros(shape=())`, then `loss += ...` for each layer."""

    def loss(image: Any) -> Any:
        total = ops.zeros(shape=())
        start = total
        for power in (1, 2):
            total += ops.sum(image**power)
        assert isinstance(start, np.ndarray) and isinstance(total, Tensor) and start == 0
        return total

    np.testing.assert_array_equal(grad(loss)(X), 1 + 2 * X)
    assert jit(loss)(X) == np.sum(X + X**2)


@pytest.mark.parametrize("out", [None, np.ones((4, 2), "float32")])
def test_a_function_that_is_told_where_to_write_is_refused(out: Any) -> None:
    a, t = np.ones((4, 2), "float32"), layers.Input((2,))
    with pytest.raises(NoValueError, match="np.add computes with arrays; a symbolic tensor"):
        np.add(a, t, out=a if out is None else out)


def test_all_operators_that_change_an_array_make_a_tensor_of_it() -> None:
    def changed(t: Any) -> Any:
        a = b = c = d = np.full((4, 2), 6.0, "float32")
        a -= t
        b *= t
        c /= t
        d **= t
        e = np.full((4, 2), 7, "float32")
        e //= t
        f = np.full((4, 2), 7, "float32")
        f %= t
        g = np.full((3, 4), 2, "float32")
        g @= t
        return a, b, c, d, e, f, g

    t = np.abs(X) % 3 + 1
    six, seven = np.float32(6), np.float32(7)
    wanted = six - t, six * t, six / t, six**t, seven // t, seven % t, np.full((3, 4), np.float32(2)) @ t
    for found, value in zip(jit(changed)(t), wanted):
        np.testing.assert_array_equal(found, value)


def test_a_part_of_an_array_takes_no_tensor() -> None:
    def write(t: Any) -> Any:
        a = np.zeros((4, 2), "float32")
        a[:2] += t[:2]
        return a

    with pytest.raises(NoValueError, match="has no values yet"):
        jit(write)(X)


def test_a_variable_added_to_an_array_outside_of_calls_is_added_in_place() -> None:
    total = whole = np.zeros(2, "float32")
    total += Variable(np.ones(2), dtype="float32")
    assert total is whole and whole.tolist() == [1, 1]


class Net(Model):
    def __init__(self, **more: Any):
        super().__init__(**more)
        self.first, self.second = layers.Dense(2, kernel_initializer="ones"), layers.Dense(2, kernel_initializer="ones")

    def call(self, inputs: Any) -> Any:
        return self.second(self.first(inputs))


@pytest.mark.parametrize("how", ["load", "build"])
@pytest.mark.parametrize("method", ["predict", "fit"])
def test_a_subclass_that_was_called_on_arrays_alone_has_an_optimizer_with_states(
    how: str, method: str, tmp_path: Any
) -> None:
    """The states are kept by weights, which are no keys that can be sorted."""
    model = Net()
    model(X)
    model.compile(optimizers.Adam(0.5), "mse")
    if how == "build":
        model.optimizer.build(model.trainable_variables)
    else:
        pytest.importorskip("h5py", reason="files need the extra `files`")
        model.fit(X, X, verbose=0)
        model.save(tmp_path / "net.keras")
        model = load_model(tmp_path / "net.keras", custom_objects={"Net": Net})
    first = np.asarray(model(X))
    if method == "predict":
        np.testing.assert_array_equal(model.predict(X, verbose=0), first)
    else:
        assert model.fit(X, X, verbose=0).history["loss"] == [np.mean((first - X) ** 2)]
        assert model.optimizer.iterations.numpy() == (2 if how == "load" else 1)


class OldStep(Model):
    """A step as the second edition ends it, but for the tape."""

    def train_step(self, data: Any) -> Any:
        inputs, targets = data
        predictions = self(inputs, training=True)
        loss = self.compiled_loss(targets, predictions, regularization_losses=self.losses)
        gradients = ops.gradients(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
        self.compiled_metrics.update_state(targets, predictions)
        return {metric.name: metric.result() for metric in self.metrics}


def test_a_step_with_compiled_loss_and_compiled_metrics() -> None:
    histories = []
    for kind in (Model, OldStep):
        a = layers.Input((2,))
        model = kind(a, layers.Dense(2, kernel_initializer="ones", kernel_regularizer="l2")(a))
        model.compile(optimizers.SGD(0.125), "mse", metrics=["mae"])
        histories.append(model.fit(X, 2 * X, batch_size=2, epochs=2, shuffle=False, verbose=0).history)
    assert histories[0] == histories[1] and list(histories[0]) == ["loss", "mae"]


def test_outputs_without_names_are_shown_by_their_losses_names() -> None:
    class Heads(Model):
        def call(self, inputs: Any) -> Any:
            return inputs, inputs * 2, inputs * 3

    model = Heads()
    model.compile("sgd", ["mse", "mae", "mse"], metrics=[["mae"], None, ["mae"]])
    found = model.evaluate(X, [X * 0, X * 0, X * 0], verbose=0, return_dict=True)
    one, square = np.abs(X).mean(), np.square(X).mean()
    assert found == {
        "loss": 10 * square + 2 * one,
        "mae": one,
        "mae_1": 3 * one,
        "mse_loss": square,
        "mae_loss": 2 * one,
        "mse_loss_1": 9 * square,
    }


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: refnet.distribution.DataParallel(), "refnet has no distribution. One device trains a model here"),
        (
            lambda: refnet.quantizers.pack_int4,
            "refnet has no quantizers.pack_int4. Dense, EinsumDense and Embedding can keep",
        ),
        (
            lambda: layers.Conv2D(2, 2).quantize("int8"),
            "conv2d.*.quantize: Dense, EinsumDense and Embedding can keep their kernels as int8",
        ),
        (
            lambda: layers.Conv2DTranspose(2, 2).enable_lora(4),
            "conv2d_transpose.*enable_lora: Dense, .* have it. Of a model",
        ),
        (lambda: layers.TFSMLayer("saved"), "refnet has no layers.TFSMLayer. Layers of other frameworks"),
        (lambda: refnet.callbacks.OrbaxCheckpoint("."), "Take ModelCheckpoint"),
        (lambda: refnet.losses.Reduction.NONE, "Write reduction='none'"),
        (lambda: refnet.export.ExportArchive(), "format='onnx'"),
    ],
)
def test_what_is_left_out_says_what_to_do(use: Any, words: str) -> None:
    with pytest.raises(MissingNameError, match=words):
        use()


def test_names_that_are_left_out_are_not_there() -> None:
    """For programs that look whether they are; a name that is there by now has nothing to be told."""
    for place, names in missing_names.MISSING.items():
        owner = importlib.import_module(f"refnet.{place}".removesuffix("."))
        assert [name for name in names if hasattr(owner, name)] == []
    assert not hasattr(refnet, "distribution") and not hasattr(refnet_fast, "distribution")
    assert not hasattr(layers, "TFSMLayer") and not hasattr(layers.Conv2D(2, 2), "quantize")
    with pytest.raises(MissingNameError, match="refnet has no distribution"):
        refnet_fast.distribution  # noqa: B018  # what this is about

    class Own(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.quantize = self.enable_lora = 3

    assert Own().quantize == Own().enable_lora == 3


def test_names_that_were_experimental_once() -> None:
    from refnet.layers.experimental import preprocessing

    assert preprocessing.Rescaling is layers.experimental.preprocessing.Rescaling is layers.Rescaling
    assert optimizers.experimental.AdamW is optimizers.AdamW and optimizers.legacy.Adam is optimizers.Adam


def test_strings_stand_before_a_model() -> None:
    with pytest.raises(
        DtypeError, match=r"numbers alone. Make numbers of strings before it: x = layers.TextVectorization"
    ):
        layers.Input((1,), dtype="string")


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_step_for_jax_is_told_what_a_step_is_called_with(eagerly: bool) -> None:
    class Stateful(Model):
        def train_step(self, state: Any, data: Any) -> Any:
            return {}, state

    a = layers.Input((2,))
    model = Stateful(a, layers.Dense(2)(a))
    model.compile("sgd", "mse", run_eagerly=eagerly)
    with pytest.raises(ArgumentError, match=r"train_step is called with the data alone.*'data'.*ops.gradients"):
        model.fit(X, X, verbose=0)


def test_the_formats_that_keras_2_was_told(tmp_path: Any) -> None:
    pytest.importorskip("h5py", reason="files need the extra `files`")
    model = Net()
    model(X)
    model.save(tmp_path / "net.keras", save_format="keras")
    assert (tmp_path / "net.keras").exists()
    with pytest.raises(ArgumentError, match=r"save_format is 'keras' or 'h5'.*got 'tf'. .* call save\('name.keras'\)"):
        model.save(tmp_path / "net", save_format="tf")
