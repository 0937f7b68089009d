"""Dtype policies: what layers compute in, what their weights are, how losses are scaled."""

import numpy as np
import pytest

from refnet import layers, mixed_precision, models, optimizers, saving
from refnet.errors import ArgumentError, DtypeError
from refnet.mixed_precision import DTypePolicy


@pytest.fixture(autouse=True)
def own_policy():
    yield
    mixed_precision.set_global_policy(None)


def classifier():
    return models.Sequential(
        [
            layers.Input((2,)),
            layers.Dense(3, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(2),
            layers.Activation("softmax", dtype="float32"),
        ]
    )


X, LABELS = np.array([[0.5, -1.0], [2.0, 1.0], [-0.25, 0.5], [1.0, 1.5]], "float32"), np.array([0, 1, 1, 0])


@pytest.mark.parametrize("name, compute", [("mixed_float16", "float16"), ("mixed_bfloat16", "bfloat16")])
def test_layers_compute_short_on_float32_weights(name, compute):
    mixed_precision.set_global_policy(name)
    model = classifier()
    dense, _, _, softmax = model.layers
    assert dense.dtype_policy == DTypePolicy(name) and dense.compute_dtype == compute
    assert dense.dtype == dense.variable_dtype == "float32"
    assert {w.dtype for w in model.weights} == {"float32"} and {w.dtype.name for w in model.get_weights()} == {
        "float32"
    }
    assert dense.output.dtype == compute and softmax.output.dtype == "float32"
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = model.get_weights()
    losses = [model.train_on_batch(X, LABELS, return_dict=True)["loss"] for _ in range(3)]
    assert np.isfinite(losses).all() and {w.dtype.name for w in model.get_weights()} == {"float32"}
    assert any((a != b).any() for a, b in zip(before, model.get_weights()))


def test_weights_are_rounded_before_they_are_used():
    dense = layers.Dense(1, use_bias=False, dtype="mixed_float16")
    dense(np.ones((1, 1), "float32"))
    # above halfway between two numbers of float16
    dense.set_weights([np.array([[1 + 2.0**-11 + 2.0**-20]], "float32")])
    y = dense(np.array([[1.0]], "float32"))
    assert y.dtype == "float16" and y[0, 0] == 1 + 2.0**-10
    assert dense.get_weights()[0][0, 0] == np.float32(1 + 2.0**-11 + 2.0**-20)


def test_without_autocast_weights_and_inputs_are_as_they_are():
    dense = layers.Dense(1, dtype="mixed_float16", autocast=False)
    assert dense(np.ones((1, 2), "float32")).dtype == "float32"


def test_a_float32_layer_inside_a_mixed_one():
    class Both(layers.Layer):
        def __init__(self, **more):
            super().__init__(**more)
            self.inner = layers.Dense(2, dtype="float32")

        def build(self, input_shape):
            self.w = self.add_weight((2,), "ones", name="w")
            self.plain = self.add_weight((2,), "ones", autocast=False, name="plain")

        def call(self, x):
            assert (x.dtype, self.w.dtype, self.plain.dtype) == ("float16", "float16", "float32")
            assert self.inner(x).dtype == "float32" and self.w.dtype == "float16"
            return x * self.w

    assert Both(dtype="mixed_float16")(np.ones((1, 2), "float32")).dtype == "float16"


def test_assignments_keep_the_weights_dtype():
    class Counting(layers.Layer):
        def build(self, input_shape):
            self.seen = self.add_weight((), "zeros", trainable=False, name="seen")

        def call(self, x):
            self.seen.assign(self.seen + 1.0)
            return x

    layer = Counting(dtype="mixed_bfloat16")
    layer(np.ones(3, "float32"))
    layer(np.ones(3, "float32"))
    assert layer.seen.dtype == "float32" and float(layer.seen) == 2.0


def test_compile_scales_the_loss_of_float16_alone():
    mixed_precision.set_global_policy("mixed_float16")
    model = classifier()
    model.compile("adam", "sparse_categorical_crossentropy")
    assert isinstance(model.optimizer, mixed_precision.LossScaleOptimizer)
    assert isinstance(model.optimizer.inner_optimizer, optimizers.Adam)
    own = optimizers.LossScaleOptimizer(optimizers.SGD(), initial_scale=4.0)
    model.compile(own, "sparse_categorical_crossentropy")
    assert model.optimizer is own
    model.compile("adam", "sparse_categorical_crossentropy", auto_scale_loss=False)
    assert isinstance(model.optimizer, optimizers.Adam)
    mixed_precision.set_global_policy("mixed_bfloat16")
    model = classifier()
    model.compile("adam", "sparse_categorical_crossentropy")
    assert isinstance(model.optimizer, optimizers.Adam)


def test_policies_in_files(tmp_path):
    mixed_precision.set_global_policy("mixed_float16")
    model = classifier()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.train_on_batch(X, LABELS)
    model.save(tmp_path / "m.keras")
    mixed_precision.set_global_policy(None)
    again = saving.load_model(tmp_path / "m.keras")
    assert [layer.dtype_policy.name for layer in again.layers] == ["mixed_float16"] * 3 + ["float32"]
    assert again.dtype_policy.name == "mixed_float16" and isinstance(again.optimizer, optimizers.LossScaleOptimizer)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_the_global_policy():
    assert mixed_precision.global_policy() == DTypePolicy("float32")
    mixed_precision.set_global_policy(DTypePolicy("bfloat16"))
    assert DTypePolicy().name == layers.Dense(1).dtype == "bfloat16"
    with pytest.raises(DtypeError, match="mixed_flot16.*Did you mean 'mixed_float16'"):
        mixed_precision.set_global_policy("mixed_flot16")
    assert mixed_precision.dtype_policy().name == "bfloat16"
    assert mixed_precision.get({"class_name": "DTypePolicy", "config": {"name": "float16"}}) == DTypePolicy("float16")
    assert mixed_precision.get(np.float16).name == "float16"
    with pytest.raises(ArgumentError, match="must be that of a DTypePolicy"):
        mixed_precision.get({"class_name": "Dense", "config": {}})
