"""LoRA: adapters of layers, by hand; what they do to compiled models, lists, configs and files."""

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest

from refnet import Sequential, layers, ops, optimizers
from refnet.errors import ArgumentError, FileError, MissingNameError, ShapeError
from refnet.models import Model, clone_model, load_model, model_from_json
from refnet.testing.closeness import close
from refnet.utils import set_random_seed

X = np.array([[1, 2, 3], [-1, 0, 2], [4, -2, 1], [0, 3, -3]], "float32")
Y = np.array([[1, -1], [2, 0], [0, 3], [-2, 1]], "float32")
KERNEL, BIAS = np.array([[1, 0], [2, -1], [0, 3]], "float32"), np.array([1, -2], "float32")
A, B = np.array([[1], [0], [-2]], "float32"), np.array([[2, -1]], "float32")


def short(variables: Any) -> list[str]:
    return [v.name.rpartition("/")[2] for v in variables]


def adapted_dense(**more: Any) -> layers.Dense:
    """A Dense of whole numbers, with an adapter of rank 1 that counts four times."""
    layer = layers.Dense(2, name="fixed", **more)
    layer.build((None, 3))
    layer.enable_lora(1, lora_alpha=4)
    layer.set_weights([KERNEL, BIAS, A, B])
    return layer


def test_the_product_is_added_to_the_kernel() -> None:
    layer = adapted_dense()
    whole = np.array([[9, -4], [2, -1], [-16, 11]], "float32")
    np.testing.assert_array_equal(layer.kernel, whole)
    np.testing.assert_array_equal(layer(X), X @ whole + BIAS)
    assert (layer.lora_enabled, layer.lora_rank, layer.lora_alpha) == (True, 1, 4)
    assert short(layer.weights) == ["kernel", "bias", "lora_kernel_a", "lora_kernel_b"]
    assert short(layer.trainable_weights) == ["bias", "lora_kernel_a", "lora_kernel_b"]
    assert short(layer.non_trainable_weights) == ["kernel"]
    layer.trainable = False
    assert layer.trainable_weights == []
    layer.trainable = True
    assert short(layer.trainable_weights) == ["bias", "lora_kernel_a", "lora_kernel_b"]  # the kernel stays frozen


EACH: list[tuple[Any, Any, list[tuple[int, ...]]]] = [
    (lambda **more: layers.Dense(4, **more), (None, 3), [(3, 2), (2, 4)]),
    (lambda **more: layers.EinsumDense("abc,cde->abde", (None, 4, 5), **more), (None, 2, 3), [(3, 4, 2), (2, 5)]),
    (lambda **more: layers.Embedding(6, 4, **more), (None, 3), [(6, 2), (2, 4)]),
    (lambda **more: layers.ReversibleEmbedding(6, 4, **more), (None, 3), [(6, 2), (2, 4)]),
    (lambda **more: layers.Conv1D(4, 3, **more), (None, 5, 2), [(3, 2, 2), (2, 4)]),
    (lambda **more: layers.Conv2D(4, (3, 2), groups=2, **more), (None, 5, 5, 4), [(3, 2, 2, 2), (2, 4)]),
    (lambda **more: layers.Conv3D(4, 2, **more), (None, 3, 3, 3, 2), [(2, 2, 2, 2, 2), (2, 4)]),
]


@pytest.mark.parametrize("make, shape, shapes", EACH)
def test_the_layers_that_have_it(make: Any, shape: Any, shapes: Any) -> None:
    """Enabled by an argument or by the method, with the same weights and the same answers."""
    ways = make(lora_rank=2, lora_alpha=3), make()
    for layer in ways:
        layer.build(shape)
    assert ways[0].lora_enabled and not ways[1].lora_enabled
    ways[1].enable_lora(2, 3)
    assert [v.shape for v in ways[1].weights if "lora" in v.name] == shapes
    set_random_seed(5)
    weights = [np.random.default_rng(1).integers(-3, 4, w.shape).astype(w.dtype) for w in ways[0].get_weights()]
    x = np.random.default_rng(2).integers(0, 6, (2, *shape[1:])).astype("float32")
    name = next(n for n in ("kernel", "embeddings") if hasattr(ways[0], n))
    plain = make()
    plain.build(shape)
    for layer in ways:
        layer.set_weights(weights)
        again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
        assert (again.lora_rank, again.lora_alpha) == (2, 3)
        again.build(shape)
        again.set_weights(weights)
        np.testing.assert_array_equal(again(x), layer(x))
    a, b = (w for v, w in zip(ways[0].weights, weights) if "lora" in v.name)
    kept = [w for v, w in zip(ways[0].weights, weights) if "lora" not in v.name]
    plain.set_weights([kept[0] + np.float32(1.5) * (a @ b), *kept[1:]])
    np.testing.assert_array_equal(np.asarray(getattr(ways[0], name)), getattr(plain, name))
    np.testing.assert_array_equal(ways[0](x), plain(x))
    np.testing.assert_array_equal(ways[1](x), plain(x))


def test_it_computes_at_first_what_it_did() -> None:
    layer = layers.Dense(3)
    before = layer(X)  # a program is kept for it
    layer.enable_lora(2)
    assert layer.lora_alpha == 2 and layer.get_config()["lora_alpha"] == 2
    np.testing.assert_array_equal(layer(X), before)
    assert np.any(layer.lora_kernel_a.numpy()) and not np.any(layer.lora_kernel_b.numpy())
    layer.lora_kernel_b.assign(np.ones((2, 3)))
    assert np.any(layer(X) != before)


def test_initializers_of_the_adapter_are_told() -> None:
    layer = layers.Dense(2)
    layer.build((None, 3))
    layer.enable_lora(1, a_initializer="ones", b_initializer=lambda shape, dtype=None: np.full(shape, 2.0))
    np.testing.assert_array_equal(layer.lora_kernel_a, np.ones((3, 1)))
    np.testing.assert_array_equal(layer.lora_kernel_b, [[2, 2]])


@pytest.mark.parametrize(
    "words, use",
    [
        ("narrow.enable_lora: it is not built yet: call it once", lambda layer: layer.enable_lora(2)),
        ("narrow: rank must be an integer of at least 1; got 0", lambda layer: built(layer).enable_lora(0)),
        ("narrow: lora_alpha is a number, or None for the rank; got 'a'", lambda layer: built(layer).enable_lora(1, "a")),
        ("it has an adapter, of rank 3; it can have one", lambda layer: enabled(layer).enable_lora(2)),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(words: str, use: Any) -> None:
    layer = layers.Dense(2, name="narrow")
    with pytest.raises(ArgumentError, match=words):
        use(layer)
    before = 4 if layer.lora_enabled else 2 if layer.built else 0
    assert len(layer.weights) == before and (layer.lora_rank is None) == (before < 4)


def test_initializers_that_refuse_leave_no_half_of_an_adapter() -> None:
    layer = built(layers.Dense(2, name="narrow"))
    with pytest.raises(
        ShapeError, match="the initializer of the weight lora_kernel_b gave shape .1,.; .1, 2. was asked"
    ):
        layer.enable_lora(1, b_initializer=lambda shape, dtype=None: np.zeros(1))
    assert short(layer.weights) == ["kernel", "bias"] and not hasattr(layer, "lora_kernel_a")
    layer.enable_lora(1)
    assert short(layer.weights) == ["kernel", "bias", "lora_kernel_a", "lora_kernel_b"]


def test_a_factor_of_numpy_is_a_number() -> None:
    layer = built(layers.Dense(2))
    with pytest.raises(ArgumentError, match="lora_alpha is a number"):
        layer.enable_lora(1, np.complex64(2))
    layer.enable_lora(1, np.float32(2))
    assert json.loads(json.dumps(layer.get_config()))["lora_alpha"] == 2


def built(layer: Any) -> Any:
    layer.build((None, 3))
    return layer


def enabled(layer: Any) -> Any:
    built(layer).enable_lora(3)
    return layer


def test_what_cannot_be_together() -> None:
    layer = built(layers.Dense(2, kernel_constraint="non_neg"))
    with pytest.raises(ArgumentError, match="an adapter is added to its kernel, so kernel_constraint could not hold"):
        layer.enable_lora(1)
    assert short(layer.trainable_weights) == ["kernel", "bias"]
    with pytest.raises(ArgumentError, match="embeddings_constraint could not hold"):
        layers.Embedding(3, 2, embeddings_constraint="non_neg", lora_rank=1)(np.zeros((1, 2), int))
    with pytest.raises(ArgumentError, match="adds an adapter .LoRA. to its own. Leave one of the two out"):
        layers.SpectralNormalization(layers.Dense(2, lora_rank=1))(X)
    with pytest.raises(ArgumentError, match="lora_rank must be an integer of at least 1; got 2.5"):
        layers.Dense(2, lora_rank=2.5)
    with pytest.raises(MissingNameError, match="normalization.*.enable_lora: Dense, EinsumDense, Embedding, Conv1D"):
        layers.LayerNormalization().enable_lora(2)
    assert not hasattr(layers.Conv2DTranspose(2, 2), "enable_lora")
    assert not hasattr(layers.Dense(2), "kernel")  # before it is built


def test_a_table_that_is_given_is_what_the_adapter_adds_to() -> None:
    table = np.arange(6.0, dtype="float32").reshape(3, 2)
    layer = layers.Embedding(3, 2, weights=table, lora_rank=1)
    np.testing.assert_array_equal(layer(np.array([2, 0])), table[[2, 0]])
    with pytest.raises(ShapeError, match="embeddings has shape .3, 2.; got an array of shape .2, 3, 2."):
        layers.Embedding(3, 2, weights=[table, table], lora_rank=1)


# ---- training


def step_by_hand(rate: float) -> list[Any]:
    """A step of SGD against the mean squared error, for the layer of `adapted_dense`."""
    slope = 2 * (X @ (KERNEL + 4 * A @ B) + BIAS - Y) / Y.size
    whole = X.T @ slope
    return [KERNEL, BIAS - rate * slope.sum(0), A - rate * 4 * whole @ B.T, B - rate * 4 * A.T @ whole]


def test_a_step_trains_the_adapter_and_the_bias() -> None:
    """All numbers are whole or have few digits, so the step is exact."""
    model = Sequential([layers.Input((3,)), adapted_dense()])
    model.compile(optimizers.SGD(2**-6), "mse")
    model.fit(X, Y, batch_size=4, verbose=0)
    for got, due in zip(model.get_weights(), step_by_hand(2**-6), strict=True):
        np.testing.assert_array_equal(got, due)


class OwnStep(Model):
    """A model that writes its training step."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        self.optimizer.apply(ops.gradients(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


class OwnCall(Model):
    """A model with a `call` of its own."""

    def __init__(self, layer: Any):
        super().__init__()
        self.layer = layer

    def call(self, inputs: Any) -> Any:
        return self.layer(inputs)


def functional(layer: Any, kind: Any = Model) -> Any:
    start = layers.Input((3,))
    return kind(start, layer(start))


HOLDERS = {
    "sequential": lambda layer: Sequential([layers.Input((3,)), layer]),
    "functional": functional,
    "inner": lambda layer: functional(functional(layer)),
    "own step": lambda layer: functional(layer, OwnStep),
    "own call": OwnCall,
    "deferred": lambda layer: Sequential([layer]),
}


@pytest.mark.parametrize("used", [False, True], ids=["new optimizer", "used optimizer"])
@pytest.mark.parametrize("holder", HOLDERS)
def test_a_compiled_model_trains_an_adapter_that_came_later(holder: str, used: bool) -> None:
    layer = layers.Dense(2, name="fixed")
    model = HOLDERS[holder](layer)
    model.compile(optimizers.SGD(2**-6), "mse")
    if used:
        model.fit(X, Y, batch_size=4, verbose=0)
        model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    layer.enable_lora(1, 4)
    layer.set_weights([KERNEL, BIAS, A, B])
    due = X @ (KERNEL + 4 * A @ B) + BIAS
    np.testing.assert_array_equal(model.predict(X, verbose=0), due)
    assert model.evaluate(X, Y, verbose=0) == np.square(due - Y).mean()
    model.fit(X, Y, batch_size=4, verbose=0)
    for got, expected in zip(layer.get_weights(), step_by_hand(2**-6), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_an_optimizer_with_slots_goes_on() -> None:
    layer = layers.Dense(2)
    model = Sequential([layers.Input((3,)), layer])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    layer.enable_lora(1)
    kernel, bias = layer.get_weights()[:2]
    a = layer.lora_kernel_a.numpy()
    model.fit(X, Y, epochs=2, verbose=0)
    assert np.array_equal(layer.get_weights()[0], kernel)
    assert np.all(layer.bias.numpy() != bias) and np.all(layer.lora_kernel_b.numpy() != 0)
    assert np.all(layer.lora_kernel_a.numpy() != a)  # in the second step: b was zero in the first
    assert int(model.optimizer.iterations) == 3


def test_a_frozen_layer_with_an_adapter_stays_frozen() -> None:
    layer = adapted_dense()
    layer.trainable = False
    model = Sequential([layers.Input((3,)), layer, layers.Dense(2)])
    model.compile(optimizers.SGD(2**-6), "mse")
    model.fit(X, Y, verbose=0)
    for got, due in zip(layer.get_weights(), [KERNEL, BIAS, A, B], strict=True):
        np.testing.assert_array_equal(got, due)


def test_penalties_are_those_of_what_is_trained() -> None:
    model = Sequential([layers.Input((3,)), adapted_dense(kernel_regularizer="l2")])
    model.compile("sgd", "mse")
    due = np.square(X @ (KERNEL + 4 * A @ B) + BIAS - Y).mean() + 0.01 * (np.square(A).sum() + np.square(B).sum())
    close(model.evaluate(X, Y, verbose=0), due, roundings=8)


def test_attention_is_adapted_at_its_projections() -> None:
    layer, x = layers.MultiHeadAttention(2, 3), np.arange(24.0, dtype="float32").reshape(2, 3, 4) / 8
    before = layer(x, x)
    for dense in (layer.query_dense, layer.value_dense):
        dense.enable_lora(2)
    np.testing.assert_array_equal(layer(x, x), before)
    assert sum("lora" in v.name for v in layer.trainable_weights) == 4
    layer.value_dense.lora_kernel_b.assign(np.ones((2, 3)))
    assert np.any(layer(x, x) != before)


def test_masks_and_rows_of_an_adapted_table() -> None:
    layer = layers.Embedding(4, 2, mask_zero=True, lora_rank=1)
    words = np.array([[1, 3, 0]])
    model = Sequential([layers.Input((3,), dtype="int32"), layer, layers.LSTM(2)])
    model.compile("sgd", "mse")
    layer.set_weights([np.zeros((4, 2)), np.arange(4.0)[:, None], [[1.0, 2.0]]])
    np.testing.assert_array_equal(layer(words), [[[1, 2], [3, 6], [0, 0]]])
    model.fit(words, np.ones((1, 2)), verbose=0)
    table, a, _ = layer.get_weights()
    assert not np.any(table) and a[2, 0] == 2 and a[1, 0] != 1 and a[3, 0] != 3


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_adapters_are_float32_whatever_the_layer_computes_in(policy: str) -> None:
    layer = layers.Dense(2, dtype=policy, lora_rank=1, lora_alpha=4)
    layer.build((None, 3))
    layer.set_weights([KERNEL, BIAS, A, B])
    assert layer.lora_kernel_a.dtype == layer.lora_kernel_b.dtype == "float32"
    y = layer(X)
    assert y.dtype.name == layer.compute_dtype == layer.kernel.dtype
    np.testing.assert_array_equal(y.astype("float32"), X @ (KERNEL + 4 * A @ B) + BIAS)


# ---- lists, configs, copies, files


def test_summary_counts_the_frozen_kernel() -> None:
    lines: list[str] = []
    Sequential([layers.Input((3,)), adapted_dense()]).summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert "Total params: 13 " in text and "Trainable params: 7 " in text and "Non-trainable params: 6 " in text


def test_configs_tell_of_an_adapter_only_where_there_is_one() -> None:
    for kind in (layers.Dense(2), layers.Conv2D(2, 2), layers.Embedding(3, 2), layers.Dense(2, lora_alpha=3)):
        assert not {"lora_rank", "lora_alpha"} & set(kind.get_config())
    model = Sequential([layers.Input((3,)), adapted_dense()])
    for made in (clone_model(model), model_from_json(model.to_json()), Sequential.from_config(model.get_config())):
        layer = made.layers[0]
        assert (layer.lora_enabled, layer.lora_rank, layer.lora_alpha) == (True, 1, 4)
        made.set_weights(model.get_weights())
        np.testing.assert_array_equal(made.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize("how", [copy.deepcopy, copy.copy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_a_layer_have_its_adapter(how: Any) -> None:
    layer = adapted_dense()
    again = how(layer)
    for own, other in zip(again.get_weights(), layer.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    again.lora_kernel_b.assign([[0.0, 0.0]])
    np.testing.assert_array_equal(again(X), X @ KERNEL + BIAS)
    np.testing.assert_array_equal(layer.lora_kernel_b, B)


class Doubled(layers.Dense):
    """A Dense of a user's own, which makes its kernel and calls it by the attribute."""

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], self.units), "ones", name="kernel")

    def call(self, inputs: Any) -> Any:
        return ops.matmul(inputs, self.kernel) * 2


def test_a_subclass_reads_kernel_and_adapter_by_the_attribute() -> None:
    layer = Doubled(2)
    layer.build((None, 3))
    assert layer.kernel is layer.weights[0]
    layer.enable_lora(1, 4)
    layer.set_weights([KERNEL, A, B])
    np.testing.assert_array_equal(layer(X), 2 * X @ (KERNEL + 4 * A @ B))


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
def test_a_file_has_kernel_and_adapter_in_one(name: str, tmp_path: Any) -> None:
    pytest.importorskip("h5py")
    model = Sequential([layers.Input((3,)), adapted_dense()])
    model.compile(optimizers.SGD(2**-6), "mse")
    model.save(tmp_path / name) if name == "m.keras" else model.save_weights(tmp_path / name)
    due = model.predict(X, verbose=0)
    plain, other = (Sequential([layers.Input((3,)), layers.Dense(2, lora_rank=rank)]) for rank in (None, 2))
    first = other.layers[0].lora_kernel_a.numpy()
    for reader in (plain, other, model):
        reader.load_weights(tmp_path / name)
        np.testing.assert_array_equal(reader.predict(X, verbose=0), due)
        np.testing.assert_array_equal(reader.get_weights()[0], KERNEL + 4 * A @ B)
    np.testing.assert_array_equal(other.layers[0].lora_kernel_a, first)
    assert not np.any(other.layers[0].lora_kernel_b.numpy()) and not np.any(model.layers[0].lora_kernel_b.numpy())


@pytest.mark.parametrize("policy", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
def test_a_kernel_of_16_bits_is_in_files_with_its_adapter(policy: str, name: str, tmp_path: Any) -> None:
    pytest.importorskip("h5py")
    model = Sequential([layers.Input((3,)), layers.Dense(2, dtype=policy, lora_rank=1, lora_alpha=4)])
    model.set_weights([KERNEL, BIAS, A, B])
    model.save(tmp_path / name) if name == "m.keras" else model.save_weights(tmp_path / name)
    model.load_weights(tmp_path / name)
    kernel = model.get_weights()[0]
    assert kernel.dtype.name == policy
    np.testing.assert_array_equal(kernel.astype("float32"), KERNEL + 4 * A @ B)


def test_a_model_from_a_file_can_be_trained_on(tmp_path: Any) -> None:
    pytest.importorskip("h5py")
    model = Sequential([layers.Input((3,)), adapted_dense()])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.keras")
    read = load_model(tmp_path / "m.keras")
    layer = read.layers[0]
    np.testing.assert_array_equal(read.predict(X, verbose=0), model.predict(X, verbose=0))
    assert layer.lora_alpha == 4 and np.all(layer.lora_kernel_a.numpy() != 0)
    for own, saved in zip(read.optimizer.variables[2:], model.optimizer.variables[2:], strict=True):
        np.testing.assert_array_equal(own, saved)
    kernel = layer.get_weights()[0]
    read.fit(X, Y, epochs=2, verbose=0)
    assert np.array_equal(layer.get_weights()[0], kernel) and np.all(layer.lora_kernel_b.numpy() != 0)


def test_an_old_file_has_the_adapter_itself(tmp_path: Any) -> None:
    pytest.importorskip("h5py")
    model = Sequential([layers.Input((3,)), adapted_dense()])
    model.save(tmp_path / "m.h5")
    read = load_model(tmp_path / "m.h5")
    for own, saved in zip(read.get_weights(), [KERNEL, BIAS, A, B], strict=True):
        np.testing.assert_array_equal(own, saved)


def test_a_file_cannot_ask_for_an_adapter_that_takes_the_memory(tmp_path: Any) -> None:
    h5py = pytest.importorskip("h5py")
    assert h5py
    import zipfile

    Sequential([layers.Input((3,)), layers.Dense(2, lora_rank=7)]).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = parts["config.json"].replace(b'"lora_rank": 7', b'"lora_rank": 70000000000')
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(FileError, match="more weights than the file has: dense.*/lora_kernel_a takes 210000000000"):
        load_model(tmp_path / "m.keras")
