"""Attention against the installed Keras: outputs with masks, causality and scores.

Run with: KERAS_BACKEND=torch pytest -m peers tests/peers
"""

from typing import Any

import numpy as np
import pytest

from refnet import layers as ours

pytestmark = pytest.mark.peers

RANDOM = np.random.default_rng(0)
QUERY = RANDOM.standard_normal((3, 5, 4)).astype("float32")
VALUE = RANDOM.standard_normal((3, 6, 4)).astype("float32")
KEY = RANDOM.standard_normal((3, 6, 4)).astype("float32")
QUERY_MASK = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 1, 1], [0, 0, 0, 0, 1]], bool)
VALUE_MASK = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 1, 1], [1, 0, 0, 0, 0, 1]], bool)  # every query sees something
SEEN = RANDOM.random((3, 5, 6)) > 0.3
SEEN[:, np.arange(5), np.arange(5)] = True
SEEN_BY_SOME = SEEN & (np.arange(5) != 2)[:, None]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"mask": [QUERY_MASK, VALUE_MASK]},
        {"mask": [None, VALUE_MASK], "use_causal_mask": True, "return_attention_scores": True},
        {"use_causal_mask": True},
    ],
    ids=["plain", "masks", "causal-scores", "causal"],
)
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("Attention", {}),
        ("Attention", {"use_scale": True, "dropout": 0.3}),
        ("Attention", {"score_mode": "concat"}),
        ("Attention", {"score_mode": "concat", "use_scale": True}),
        ("AdditiveAttention", {}),
        ("AdditiveAttention", {"use_scale": False}),
    ],
    ids=str,
)
def test_attention(keras: Any, compared: Any, name: str, more: dict[str, Any], given: dict[str, Any]) -> None:
    for args in ([QUERY, VALUE], [QUERY, VALUE, KEY]):
        compared(getattr(keras.layers, name)(**more), getattr(ours, name)(**more), [args], given)


@pytest.mark.parametrize(
    "given",
    [{}, {"return_attention_scores": True, "use_causal_mask": True}, {"mask": [QUERY_MASK, VALUE_MASK]}],
    ids=str,
)
@pytest.mark.parametrize(
    ("name", "more"),
    [("Attention", {"use_scale": True}), ("Attention", {"score_mode": "concat"}), ("AdditiveAttention", {})],
)
def test_one_sample_for_the_whole_batch(
    keras: Any, compared: Any, name: str, more: dict[str, Any], given: dict[str, Any]
) -> None:
    for args in ([QUERY[:1], VALUE], [QUERY, VALUE[:1]], [QUERY, VALUE, KEY[:1]]):
        compared(getattr(keras.layers, name)(**more), getattr(ours, name)(**more), [args], given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"attention_mask": SEEN},
        {"attention_mask": SEEN, "return_attention_scores": True},
        {"use_causal_mask": True},
        {"use_causal_mask": True, "return_attention_scores": True},
    ],
    ids=["plain", "mask", "mask-scores", "causal", "causal-scores"],
)
@pytest.mark.parametrize(
    "more",
    [{}, {"use_bias": False}, {"sliding_window": 2}, {"use_gate": True, "dropout": 0.3}],
    ids=str,
)
def test_attention_of_several_heads(keras: Any, compared: Any, more: dict[str, Any], given: dict[str, Any]) -> None:
    more = {**more, "bias_initializer": "random_normal"}
    args = [QUERY, VALUE, KEY]
    heads = {"num_heads": 2, "key_dim": 3}
    compared(keras.layers.MultiHeadAttention(**heads, **more), ours.MultiHeadAttention(**heads, **more), args, given)
    groups = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    their, own = keras.layers.GroupQueryAttention(**groups, **more), ours.GroupedQueryAttention(**groups, **more)
    compared(their, own, args, given)


def test_attention_of_other_shapes_and_axes(keras: Any, compared: Any) -> None:
    images = RANDOM.standard_normal((2, 3, 4, 5)).astype("float32")
    for more, args, given in (
        ({"value_dim": 5, "output_shape": 7}, [QUERY, VALUE], {"value_mask": VALUE_MASK, "use_causal_mask": True}),
        ({"value_dim": 5}, [QUERY, VALUE], {"key_mask": VALUE_MASK, "return_attention_scores": True}),
        ({}, [QUERY, VALUE], {"attention_mask": SEEN_BY_SOME, "return_attention_scores": True}),
        ({"dropout": 0.3}, [QUERY, VALUE], {"attention_mask": SEEN_BY_SOME}),
        ({}, [images, images], {}),
        ({"attention_axes": (2,)}, [images, images], {}),
        ({"attention_axes": 1, "output_shape": (2, 3)}, [images, images], {"return_attention_scores": True}),
    ):
        their = keras.layers.MultiHeadAttention(2, 3, **more)
        compared(their, ours.MultiHeadAttention(2, 3, **more), args, given)
