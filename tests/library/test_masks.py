"""Masks: where they come from, how they travel through layers and models, and what losses and metrics make of them."""

import math
import warnings
from typing import Any

import numpy as np
import pytest

from refnet import losses, metrics, ops
from refnet.errors import ArgumentError
from refnet.graph import Tensor
from refnet.layers import (
    LSTM,
    Activation,
    Add,
    Concatenate,
    Dense,
    Dot,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    Input,
    Lambda,
    Layer,
    Masking,
    Maximum,
    Minimum,
    Multiply,
    Softmax,
    TimeDistributed,
)
from refnet.models import Model, Sequential
from refnet.testing.closeness import ELEMENTARY, close

WORDS = np.array([[3, 1, 0, 0], [2, 0, 4, 1]], "int32")


def embedded() -> tuple[Tensor, Tensor]:
    """An input of words, and their vectors, whose mask is False at word 0."""
    words = Input((None,), dtype="int32")
    return words, Embedding(5, 3, mask_zero=True)(words)


def values(inputs: Any, output: Any, arrays: Any) -> Any:
    return Model(inputs, ops.cast(output, "float32")).predict(arrays, verbose=0)


def test_embedding_and_masking_make_masks() -> None:
    words, x = embedded()
    assert x.mask is not None and x.mask.dtype == "bool" and x.mask.shape == (None, None)
    assert np.array_equal(values(words, x.mask, WORDS), WORDS != 0)
    assert Embedding(5, 3)(words).mask is None
    steps = np.array([[[0, 0], [0, 1], [2, 2]]], "float32")
    marked = Masking(2.0)(Input((3, 2)))
    assert marked.mask is not None
    assert Masking(2.0)(steps).tolist() == [[[0, 0], [0, 1], [0, 0]]]
    assert Masking(2.0).compute_mask(steps).tolist() == [[True, True, False]]
    assert Masking().compute_mask(steps).tolist() == [[False, True, True]]
    with pytest.raises(ArgumentError, match="mask_value must be a number; got 'x'"):
        Masking("x")


def test_masks_pass_through_layers_that_keep_steps_apart() -> None:
    _, x = embedded()
    chain = (Dense(4), Dropout(0.5), Activation("tanh"), TimeDistributed(Dense(2)), LSTM(3, return_sequences=True))
    y = x
    for layer in chain:
        y = layer(y)
        assert y.mask is x.mask, layer.name
    assert LSTM(3)(x).mask is None
    outputs, h, c = LSTM(3, return_sequences=True, return_state=True)(x)
    assert outputs.mask is x.mask and h.mask is None and c.mask is None
    assert GlobalAveragePooling1D()(x).mask is None


def test_a_layer_without_masking_ends_a_mask_with_a_warning() -> None:
    _, x = embedded()
    with pytest.warns(UserWarning, match=r"ends here, and later layers take every step"):
        assert Flatten()(x).mask is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Flatten()(Input((3, 2))).mask is None


def test_merging_layers_join_masks() -> None:
    words, x = embedded()
    other = Input((4, 3))
    late = Masking()(other)
    arrays = [WORDS, np.eye(4, dtype="float32")[None, :, 1:].repeat(2, 0)]  # its first step is empty
    both = Add()([x, late])
    assert np.array_equal(values([words, other], both.mask, arrays), (WORDS != 0) | (np.arange(4) > 0))
    assert Add()([x, other]).mask is None
    joined = Concatenate()([x, late])
    assert np.array_equal(values([words, other], joined.mask, arrays), (WORDS != 0) | (np.arange(4) > 0))
    behind = Concatenate(1)([x, other])  # what has no mask counts whole
    assert np.array_equal(values([words, other], behind.mask, arrays), np.hstack([WORDS != 0, np.ones((2, 4))]))
    assert Dot(1)([x, late]).mask is None
    with pytest.raises(ArgumentError, match="takes a list of 2 masks"):
        Add().compute_mask([x, x], [None])


@pytest.mark.parametrize(
    ("kind", "nothing", "both", "one"),
    [
        (Multiply, 100, [-10, -7, 0], [6, -4, 5]),
        (Maximum, 100, [2, -7, 100], [3, -4, 5]),
        (Minimum, -100, [-5, -7, -100], [2, -4, 5]),
    ],
)
def test_a_step_that_an_input_leaves_out_takes_no_part_in_a_product_or_a_choice(
    kind: Any, nothing: int, both: list[int], one: list[int]
) -> None:
    """As in Keras 3.15. Words 1, 0, 0 stand for 2, -, - and 2, 3, 0 for -5, -7, -, because 0 is no word."""
    a, b, whole = Input((3,), dtype="int32"), Input((3,), dtype="int32"), Input((3, 1))
    words = Embedding(4, 1, mask_zero=True)
    merged = [kind()([words(a), words(b)]), kind()([words(a), whole]), kind()([whole, words(a)])]
    assert merged[0].mask is not None and merged[1].mask is None and merged[2].mask is None
    model = Model([a, b, whole], merged)
    words.set_weights([np.array([[nothing], [2.0], [-5], [-7]])])
    results = model.predict([np.array([[1, 0, 0]]), np.array([[2, 3, 0]]), np.array([[[3.0], [-4], [5]]])], verbose=0)
    assert [y.ravel().tolist() for y in results] == [both, one, one]


def test_layers_of_ones_own_get_and_make_masks() -> None:
    class Counted(Layer):
        """How many steps hold something; its output has one step more, at the front."""

        def call(self, inputs: Any, mask: Any = None) -> Any:
            count = ops.sum(ops.cast(mask, "float32"), axis=1, keepdims=True)
            return ops.concatenate([ops.expand_dims(count, -1), inputs[:, :, :1]], axis=1)

        def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
            return ops.concatenate([ops.ones_like(mask[:, :1]), mask], axis=1)

    words, x = embedded()
    y = Counted()(x)
    assert values(words, y, WORDS)[:, 0, 0].tolist() == [2, 3]
    assert values(words, y.mask, WORDS).tolist() == [[1, 1, 1, 0, 0], [1, 1, 0, 1, 1]]
    given = np.ones((2, 4), bool)
    assert Counted()(np.zeros((2, 4, 3), "float32"), mask=given)[:, 0, 0].tolist() == [4, 4]
    own = Lambda(lambda v, mask: ops.where(ops.expand_dims(mask, -1), v * 0 + 1.0, 0.0), mask=lambda v, m: m)(x)
    assert own.mask is x.mask and values(words, own, WORDS)[..., 0].tolist() == (WORDS != 0).tolist()


def test_several_arguments_take_masks_by_name_and_warn_where_one_is_left_out() -> None:
    class Pair(Layer):
        def call(self, left: Any, right: Any, left_mask: Any = None, right_mask: Any = None) -> Any:
            assert left_mask is left.mask and right_mask is None
            return left

    _, x = embedded()
    Pair()(x, Input((4, 3)))
    state = Input((3,))
    with pytest.warns(UserWarning, match="does not read the mask that sequences carries, as in Keras 3"):
        LSTM(3)(x, initial_state=[state, state])


def test_masked_steps_do_not_change_a_state() -> None:
    words, x = embedded()
    layer = LSTM(3)
    model = Model(words, layer(x))
    long, short = np.array([[3, 1, 0, 0]], "int32"), np.array([[3, 1]], "int32")
    np.testing.assert_array_equal(model.predict(long, verbose=0), model.predict(short, verbose=0))
    gaps = np.array([[0, 3, 0, 1]], "int32")
    np.testing.assert_array_equal(model.predict(gaps, verbose=0), model.predict(short, verbose=0))


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_models_bring_masks_into_their_layers_and_out_again(kind: str) -> None:
    words, x = embedded()
    if kind == "sequential":
        inner: Any = Sequential([Input((None, 3)), Dense(4), LSTM(3, return_sequences=True), Dropout(0.5), LSTM(2)])
    else:
        a = Input((None, 3))
        b = Dense(4)(a) * 1.0  # an op between the layers carries no mask on
        inner = Model(a, LSTM(2)(Add()([LSTM(4, return_sequences=True)(Dense(4)(a)), b])))
    model = Model(words, inner(x))
    direct: Any = x
    for layer in inner.layers if kind == "sequential" else ():
        direct = layer(direct)
    long, short = np.array([[3, 1, 0, 0]], "int32"), np.array([[3, 1]], "int32")
    if kind == "sequential":
        np.testing.assert_array_equal(model.predict(WORDS, verbose=0), Model(words, direct).predict(WORDS, verbose=0))
        np.testing.assert_array_equal(model.predict(long, verbose=0), model.predict(short, verbose=0))
    else:
        assert not np.array_equal(model.predict(long, verbose=0), model.predict(short, verbose=0))
    encoder = Sequential([Embedding(5, 3, mask_zero=True), LSTM(3, return_sequences=True)])
    assert encoder(words).mask is not None and np.array_equal(values(words, encoder(words).mask, WORDS), WORDS != 0)


def test_a_mask_cannot_come_into_a_model_whose_layer_closes_over_its_tensors() -> None:
    _, x = embedded()
    a = Input((None, 3))
    inner = Model(a, Lambda(lambda y: y + a, name="closing")(Dense(3)(a)))
    with pytest.raises(
        ArgumentError, match="closing closes over tensors of the model, so masks cannot be brought into it"
    ):
        inner(x)


def test_a_loss_is_a_mean_over_the_steps_that_count() -> None:
    words, x = embedded()
    model = Model(words, TimeDistributed(Dense(1, kernel_initializer="zeros", bias_initializer="ones"))(x))
    model.compile("sgd", "mse", metrics=["mae", metrics.MeanSquaredError()])
    target = np.array([[[0.0], [0], [9], [9]], [[4], [9], [0], [0]]], "float32")
    loss, mae, mse = model.evaluate(WORDS, target, verbose=0)
    close(loss, (1 + 1 + 9 + 1 + 1) / 5, 2 * 5)
    close([mse, mae], [(1 + 1 + 9 + 1 + 1) / 5, (1 + 1 + 3 + 1 + 1) / 5], 2 * 5)
    weights = np.array([[1, 2, 5, 5], [0, 5, 1, 1]], "float32")
    np.testing.assert_array_equal(
        model.evaluate(WORDS, target, sample_weight=weights, verbose=0)[0], (1 + 2 + 1 + 1) / 5
    )


class TellsHalves(Layer):
    """Its outputs are its inputs, and masked where they begin with 1/2."""

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs[..., 0], 0.5)


class OwnLoss(Model):
    def compute_loss(self, **given: Any) -> Any:
        return super().compute_loss(**given)


@pytest.mark.parametrize("kind", [Model, OwnLoss])
def test_a_loss_is_a_mean_over_what_neither_a_mask_nor_the_loss_leaves_out(kind: Any) -> None:
    """Of four places the mask leaves out the first, the loss the third: probabilities of 1/2 and 1/8 are left."""
    x = Input((4, 3))
    model = kind(x, TellsHalves()(Activation("linear")(x)))
    model.compile("sgd", losses.SparseCategoricalCrossentropy(ignore_class=0))
    given = np.array([[[4, 2, 2], [2, 4, 2], [2, 2, 4], [1, 6, 1]]], "float32") / 8
    loss = model.evaluate(given, np.array([[1, 1, 0, 2]]), verbose=0)
    close(loss, (math.log(2) + math.log(8)) / 2, 2 * (2 + 2 * ELEMENTARY + 4))


def test_apply_mask_by_hand() -> None:
    mask = Tensor((2, 2), "bool")

    def weighed(weight: Any, reduction: Any) -> Any:
        out = losses.apply_mask(weight, mask, "float32", reduction)
        return Model(mask, ops.add(out, 0.0)).predict(np.array([[True, False], [True, True]]), verbose=0)

    assert losses.apply_mask(3.0, None, "float32", "sum") == 3.0
    assert weighed(None, "sum").tolist() == [[1, 0], [1, 1]]
    close(weighed(None, "sum_over_batch_size"), [[4 / 3, 0], [4 / 3, 4 / 3]], 2 * 3)
    assert weighed(np.array([[2.0], [3.0]]), "sum").tolist() == [[2, 0], [3, 3]]
    empty = Model(mask, losses.apply_mask(None, mask, "float32", "mean")).predict(np.zeros((2, 2), bool), verbose=0)
    assert empty.tolist() == [[0, 0], [0, 0]]  # nothing counts: the loss is 0


def test_masks_survive_training_configs_and_copies() -> None:
    model = Sequential([Input((None,), dtype="int32"), Embedding(5, 3, mask_zero=True), LSTM(4), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(WORDS, np.ones((2, 1), "float32"), verbose=0)
    words, x = embedded()
    functional = Model(words, Dense(1)(LSTM(4)(Dense(3)(x))))
    for one in (model, functional):
        again = type(one).from_config(one.get_config())
        again.set_weights(one.get_weights())
        np.testing.assert_array_equal(again.predict(WORDS, verbose=0), one.predict(WORDS, verbose=0))
        padded = np.hstack([WORDS, np.zeros_like(WORDS)])
        np.testing.assert_array_equal(again.predict(padded, verbose=0), one.predict(WORDS, verbose=0))


def test_softmax_takes_an_explicit_mask() -> None:
    mask = np.array([[True, False, True]])
    np.testing.assert_array_equal(Softmax()(np.zeros((1, 3), "float32"), mask=mask), [[0.5, 0, 0.5]])
    nothing = np.array([[False, False, False], [True, False, True]])
    for taking in (nothing, nothing.astype("float32"), np.where(nothing, 0.6, 0.4)):
        y = Softmax()(np.array([[1.0, 2.0, 3.0], [1.0, np.nan, 1.0]], "float32"), mask=taking)
        np.testing.assert_array_equal(y, [[0, 0, 0], [0.5, 0, 0.5]])


def test_op_by_op_masks_travel_too() -> None:
    words, x = embedded()
    shift = Input((None, 3))  # a layer that closes over a tensor: its nodes are copied, the other layers called again
    closing = Lambda(lambda y: y + shift, mask=lambda y, m: m)
    model = Model([words, shift], Dense(1)(LSTM(3)(closing(TimeDistributed(Dense(3))(x)))))
    weights, losses_of = model.get_weights(), []
    for eagerly in (False, True):
        model.set_weights(weights)
        model.compile("sgd", "mse", run_eagerly=eagerly)
        moved = np.ones((2, 4, 3), "float32")
        losses_of.append(model.fit([WORDS, moved], np.ones((2, 1), "float32"), epochs=2, verbose=0).history["loss"])
    assert losses_of[0] == losses_of[1]


def test_a_model_that_begins_at_a_tensor_with_a_mask_gets_arrays_which_have_none() -> None:
    """As the decoder of Keras's example of translation does, which is made of tensors of the whole model."""
    words, x = embedded()
    dense, mean = Dense(2, kernel_initializer="ones"), GlobalAveragePooling1D()
    ends = [dense(x), mean(dense.output)]
    whole, part = Model(words, ends), Model(x, ends)
    vectors = np.arange(24, dtype="float32").reshape(2, 4, 3)
    found, means = part.predict(vectors, verbose=0)
    np.testing.assert_array_equal(found, vectors.sum(2, keepdims=True).repeat(2, 2))
    np.testing.assert_array_equal(means, found.mean(1))
    assert part.output[0].mask is None and part.input_shape == (None, None, 3)
    assert part.layers[1:] == whole.layers[2:]
    assert mean.output is ends[1]  # the call of the whole model is the one that counts
    whole.layers[1].set_weights([vectors.reshape(8, 3)[:5]])
    first, means = whole.predict(WORDS, verbose=0)
    np.testing.assert_array_equal(means[0], first[0, :2].mean(0))


def test_a_mask_that_is_given_to_a_layer_alone_is_not_warned_of() -> None:
    """As the windows of a Swin transformer get theirs, which is for attention and not for steps."""

    class Windows(Layer):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            return inputs + ops.cast(mask, "float32")

    a, mask = Input((2,)), np.array([True, False])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = Windows()(a, mask=ops.convert_to_tensor(mask))
    assert y.mask is None
    np.testing.assert_array_equal(Model(a, y).predict(np.ones((1, 2)), verbose=0), [[2, 1]])


def test_a_model_that_begins_at_a_tensor_whose_mask_nobody_reads_is_as_it_was() -> None:
    one, embeddings = embedded()
    doubled = Lambda(lambda x: x + embeddings)
    with pytest.warns(UserWarning, match="does not support masks"):
        y = doubled(embeddings)
    model = Model(embeddings, y)
    assert model.input is embeddings and model.output is y
    given = np.ones((2, 4, 3), "float32")
    np.testing.assert_array_equal(model.predict(given, verbose=0), 2 * given)
