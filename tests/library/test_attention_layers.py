"""Attention layers by hand: what they average, their masks, their parts, their errors."""

from typing import Any

import numpy as np
import pytest

from refnet import ops, optimizers
from refnet.errors import ArgumentError, ShapeError
from refnet.layers import (
    AdditiveAttention,
    Attention,
    Dense,
    Embedding,
    GlobalAveragePooling1D,
    GroupedQueryAttention,
    Input,
    MultiHeadAttention,
)
from refnet.models import Model, Sequential
from refnet.testing.conformance import agree

DRAWS = np.random.default_rng(4)
QUERY = DRAWS.standard_normal((2, 3, 4)).astype("float32")
VALUE = DRAWS.standard_normal((2, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 0, 0, 0], [1, 0, 1, 1, 0]], bool)


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.api("ConvLSTM / attention / masking")
def test_attention_is_a_weighted_mean() -> None:
    weights = softmax(np.einsum("ntf,nsf->nts", QUERY, VALUE))
    agree(Attention(), weights @ VALUE, [QUERY, VALUE])
    agree(Attention(), [weights @ VALUE, weights], [QUERY, VALUE], return_attention_scores=True)
    key = VALUE[:, ::-1].copy()
    agree(Attention(), weights[:, :, ::-1] @ VALUE, [QUERY, VALUE, key])
    summed = np.tanh(QUERY[:, :, None] + VALUE[:, None]).sum(-1)
    agree(AdditiveAttention(use_scale=False), softmax(summed) @ VALUE, [QUERY, VALUE])
    agree(Attention(score_mode="concat"), softmax(summed) @ VALUE, [QUERY, VALUE])


class Pooled(Attention):
    """Attention from queries of its own, the same for every sample."""

    def build(self, input_shape: Any) -> None:
        super().build([input_shape, input_shape])
        self.queries = self.add_weight((1, 3, 4), lambda shape, dtype: QUERY[:1])

    def call(self, inputs: Any) -> Any:
        return super().call([self.queries, inputs])


@pytest.mark.parametrize("kind", [Attention, AdditiveAttention])
def test_one_sample_stands_for_each_of_the_batch(kind: Any) -> None:
    layer = kind()
    whole = layer([QUERY[:1].repeat(2, 0), VALUE])
    np.testing.assert_array_equal(layer([QUERY[:1], VALUE]), whole)
    np.testing.assert_array_equal(layer(inputs=(QUERY[:1], VALUE)), whole)
    np.testing.assert_array_equal(layer([QUERY, VALUE[:1]]), layer([QUERY, VALUE[:1].repeat(2, 0)]))
    one, many = Input(batch_shape=(1, 3, 4)), Input((5, 4))
    assert kind()([one, many]).shape == (None, 3, 4)
    assert kind()([one, one]).shape == (1, 3, 4)


def test_queries_that_are_weights() -> None:
    model = Sequential([Input((5, 4)), Pooled(use_scale=True)])
    agree(model, Attention()([QUERY[:1].repeat(2, 0), VALUE]), VALUE)
    model.compile("sgd", "mse")
    model.fit(VALUE, np.zeros((2, 3, 4)), verbose=0)
    assert not np.array_equal(model.layers[0].queries.numpy(), QUERY[:1])


def test_masks_leave_values_out_and_queries_empty() -> None:
    short = Attention()([QUERY[:1], VALUE[:1, :2]])
    np.testing.assert_array_equal(Attention()([QUERY, VALUE], mask=[None, MASK])[0], short[0])
    first = np.array([[True, False, True]] * 2)
    y = Attention()([QUERY, VALUE], mask=[first, None])
    assert not np.any(y[:, 1]) and np.all(y[:, 0])
    causal = Attention()([VALUE, VALUE], use_causal_mask=True)
    np.testing.assert_array_equal(causal[:, 0], VALUE[:, 0])
    scores = Attention()([VALUE, VALUE], use_causal_mask=True, return_attention_scores=True)[1]
    assert np.array_equal(scores != 0, np.tril(np.ones((5, 5), bool))[None].repeat(2, 0))


@pytest.mark.parametrize("more", [{"return_attention_scores": True}, {}], ids=["scores", "dropout"])
@pytest.mark.parametrize("kind", [MultiHeadAttention, GroupedQueryAttention])
def test_a_query_that_sees_nothing_takes_nothing_where_weights_are_kept(kind: Any, more: dict[str, Any]) -> None:
    seen = np.ones((2, 3, 5), bool)
    seen[0, 1] = False
    layer = kind(2, 4, 2, dropout=0.0 if more else 0.5, bias_initializer="ones")
    result = layer(QUERY, VALUE, attention_mask=seen, **more)
    y, weights = result if more else (result, None)
    np.testing.assert_array_equal(y[0, 1], np.ones(4))  # the last bias
    if weights is not None:
        assert not weights[0, :, 1].any()
        assert weights[1].all()


def test_attention_reads_the_masks_its_inputs_carry() -> None:
    words = Input((None,), dtype="int32")
    x = Embedding(5, 4, mask_zero=True)(words)
    for layer, call in (
        (Attention(), lambda layer: layer([x, x])),
        (MultiHeadAttention(2, 3), lambda layer: layer(x, x)),
        (GroupedQueryAttention(3, 4, 2), lambda layer: layer(x, x)),
    ):
        y = call(layer)
        assert y.mask is x.mask or y.mask is not None
        model = Model(words, y)
        long, short = np.array([[3, 1, 2, 0, 0]]), np.array([[3, 1, 2]])
        np.testing.assert_array_equal(model.predict(long, verbose=0)[:, :3], model.predict(short, verbose=0))
    mean = Model(words, GlobalAveragePooling1D()(MultiHeadAttention(1, 2)(x, x)))
    longer = mean.predict(np.array([[3, 1, 0, 0]]), verbose=0)
    np.testing.assert_array_equal(longer, mean.predict(np.array([[3, 1]]), verbose=0))


def test_heads_are_attention_between_projections() -> None:
    layer = MultiHeadAttention(2, 3, value_dim=5)
    layer(QUERY, VALUE)
    names = ["query", "key", "value", "attention_output"]
    assert [v.name for v in layer.weights] == [f"{name}/{w}" for name in names for w in ("kernel", "bias")]
    kq, bq, kk, bk, kv, bv, ko, bo = layer.get_weights()
    q, k, v = (np.einsum("ntf,fhd->nhtd", x, w) for x, w in ((QUERY, kq), (VALUE, kk), (VALUE, kv)))
    expected = softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(3))
    due = np.einsum("nhtd,hdf->ntf", expected @ v, ko) + bo
    agree(layer, [due, expected], QUERY, VALUE, return_attention_scores=True)
    agree(layer, due, QUERY, VALUE)
    assert layer.count_params() == 2 * (4 * 6 + 6) + (4 * 10 + 10) + (10 * 4 + 4)
    assert layer.query_dense.kernel.shape == (4, 2, 3) and layer.output_dense.kernel.shape == (2, 5, 4)
    assert not np.array_equal(kq, kk)  # each projection draws its own start


def test_groups_share_keys_and_values() -> None:
    grouped = GroupedQueryAttention(3, 4, 2)
    y, weights = grouped(QUERY, VALUE, return_attention_scores=True)
    assert y.shape == (2, 3, 4) and weights.shape == (2, 4, 3, 5)
    agree(grouped, y, QUERY, VALUE)
    full = MultiHeadAttention(4, 3)
    full(QUERY, VALUE)
    kq, bq, kk, bk, kv, bv, ko, bo = grouped.get_weights()
    full.set_weights([kq, bq, *(np.repeat(w, 2, axis=-2) for w in (kk, bk, kv, bv)), ko, bo])
    agree(full, y, QUERY, VALUE)


def test_windows_masks_and_causality_together() -> None:
    layer = MultiHeadAttention(1, 2, sliding_window=2)
    seen = layer(VALUE, VALUE, use_causal_mask=True, return_attention_scores=True)[1][0, 0] > 0
    assert np.array_equal(seen, np.tril(np.ones((5, 5), bool)) & ~np.tril(np.ones((5, 5), bool), -2))
    wide = np.ones((2, 5, 5), bool)
    wide[:, :, 3] = False
    plain = MultiHeadAttention(1, 2)
    scores = plain(VALUE, VALUE, attention_mask=wide, return_attention_scores=True)[1]
    assert np.array_equal(scores[0, 0] > 0, wide[0])
    by_values = plain(VALUE, VALUE, value_mask=wide[:, 0])
    np.testing.assert_array_equal(plain(VALUE, VALUE, attention_mask=wide), by_values)


def test_dropout_and_training() -> None:
    layer = MultiHeadAttention(2, 3, dropout=0.5, seed=1)
    assert np.array_equal(layer(QUERY, VALUE), layer(QUERY, VALUE))
    assert np.any(layer(QUERY, VALUE, training=True) != layer(QUERY, VALUE, training=True))
    plain = Attention(dropout=0.5, seed=1)
    assert np.any(plain([QUERY, VALUE], training=True) != plain([QUERY, VALUE]))
    x = Input((5, 4))
    y = GlobalAveragePooling1D()(MultiHeadAttention(2, 3, dropout=0.1)(x, x, use_causal_mask=True))
    model = Model(x, Dense(1)(y))
    model.compile(optimizers.Adam(0.05), "mse")
    inputs = DRAWS.standard_normal((16, 5, 4)).astype("float32")
    losses = model.fit(inputs, inputs[:, :, 0].sum(1), epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_several_axes_open_lengths_and_gates() -> None:
    images = DRAWS.standard_normal((2, 3, 4, 5)).astype("float32")
    all_axes = MultiHeadAttention(2, 3)
    flat = MultiHeadAttention(2, 3)
    y = all_axes(images, images)
    rows = images.reshape(2, 12, 5)
    flat(rows, rows)
    flat.set_weights(all_axes.get_weights())
    agree(flat, y.reshape(2, 12, 5), rows, rows)
    one = MultiHeadAttention(2, 3, attention_axes=2)
    y = one(images, images)
    flat.set_weights(one.get_weights())
    agree(flat, y[1:, 2], images[1:, 2], images[1:, 2])
    assert MultiHeadAttention(2, 3, output_shape=7)(Input((None, 4)), Input((None, 4))).shape == (None, None, 7)
    gated = MultiHeadAttention(2, 3, use_gate=True)
    gated(QUERY, VALUE)
    assert gated.count_params() == MultiHeadLike(QUERY, VALUE).count_params() + 4 * 6 + 6


def MultiHeadLike(query: Any, value: Any) -> Any:
    layer = MultiHeadAttention(2, 3)
    layer(query, value)
    return layer


@pytest.mark.parametrize(
    "layer",
    [
        Attention(use_scale=True, score_mode="concat", dropout=0.2),
        AdditiveAttention(),
        MultiHeadAttention(2, 3, value_dim=2, kernel_regularizer="l2", sliding_window=2),
        GroupedQueryAttention(3, 2, 1, use_bias=False),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_come_back_from_their_configs_and_in_models(layer: Any) -> None:
    both = isinstance(layer, Attention)

    def call(one: Any, q: Any, v: Any) -> Any:
        return one([q, v]) if both else one(q, v)

    again = type(layer).from_config(layer.get_config())
    expected = call(layer, QUERY, VALUE)
    call(again, QUERY, VALUE)
    again.set_weights(layer.get_weights())
    assert np.array_equal(call(again, QUERY, VALUE), expected) and again.get_config() == layer.get_config()
    q, v = Input((3, 4)), Input((5, 4))
    model = Model([q, v], call(layer, q, v))
    twin = Model.from_config(model.get_config())
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict([QUERY, VALUE], verbose=0), expected)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Attention(score_mode="sum"), ArgumentError, "score_mode is 'dot' or 'concat'; got 'sum'"),
        (lambda: Attention()(QUERY), ArgumentError, r"is called on a list \[query, value\] or \[query, value, key\]"),
        (lambda: Attention()([QUERY, VALUE], mask=MASK), ArgumentError, "takes a list of masks"),
        (lambda: Attention()([QUERY[0], VALUE]), ShapeError, r"needs a query of shape \(batch, steps, features\)"),
        (lambda: MultiHeadAttention(0, 3), ArgumentError, "num_heads must be an integer of at least 1; got 0"),
        (
            lambda: MultiHeadAttention(2, 3)(QUERY, VALUE, VALUE[:, :2]),
            ShapeError,
            "a value and a key of the same steps",
        ),
        (lambda: MultiHeadAttention(2, 3)(QUERY), ArgumentError, "is called on a query and a value"),
        (lambda: MultiHeadAttention(2, 3)(QUERY, VALUE[0]), ShapeError, "a query and a value of as many axes"),
        (
            lambda: MultiHeadAttention(2, 3, dropout=0.1, flash_attention=True),
            ArgumentError,
            "keeps no weights to drop",
        ),
        (
            lambda: GroupedQueryAttention(3, 3, 2),
            ArgumentError,
            "must be a multiple of num_key_value_heads; got 3 and 2",
        ),
    ],
)
def test_errors_say_what_is_needed(make: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


def test_a_subclass_may_build_with_a_shape_for_each_argument() -> None:
    from refnet.layers import Layer

    class Bilinear(Layer):
        def build(self, left_shape: Any, right_shape: Any) -> None:  # type: ignore[override]  # a shape for each input
            self.kernel = self.add_weight((left_shape[-1], right_shape[-1]), name="kernel")

        def call(self, left: Any, right: Any) -> Any:
            return ops.einsum("nf,fg,ng->n", left, self.kernel, right)

    layer = Bilinear()
    left, right = QUERY[:, 0], VALUE[:, 0, :3]
    layer(left, right=right)
    agree(layer, np.einsum("nf,fg,ng->n", left, layer.get_weights()[0], right), left, right=right)
    assert Sequential([Dense(2)])(QUERY[:, 0]).shape == (2, 2)
