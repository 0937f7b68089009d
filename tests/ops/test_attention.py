"""Attention, worked by hand."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ShapeError
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing import closeness as counted
from refnet.testing.closeness import ELEMENTARY


def close(result, expected):
    """Sums of at most 4 terms, an exponential and a division, twice, in float64; where it is stored shorter, rounded once more."""
    kind = np.asarray(result).dtype.name
    counted.close(
        result, expected, 2 if kind != "float64" else 4 * (4 + ELEMENTARY), np.maximum(abs(np.asarray(expected)), 1)
    )


def one_head(rows):
    """(places, features) as (1, places, 1, features)."""
    return np.array(rows, float)[None, :, None, :]


def test_weights_are_a_softmax_of_scaled_products():
    query, key, value = one_head([[1.0, 0.0]]), one_head([[np.log(9.0), 5.0], [0.0, 7.0]]), one_head([[0.0], [10.0]])
    close(ops.dot_product_attention(query, key, value, scale=1.0).ravel(), [1])
    close(ops.dot_product_attention(query, key, value, scale=0.5).ravel(), [2.5])
    close(ops.dot_product_attention(query[..., :1], key[..., :1], value).ravel(), [1])


def test_bias_is_added_after_the_scale():
    zeros, value = one_head([[0.0]]), one_head([[0.0], [10.0]])
    bias = np.log([[9.0, 1.0]])
    close(ops.dot_product_attention(zeros, np.zeros((1, 2, 1, 1)), value, bias, scale=7.0).ravel(), [1])


def test_causal_rows_see_themselves_and_what_is_before():
    zeros, value = np.zeros((1, 3, 1, 1)), one_head([[1.0], [3.0], [8.0]])
    close(ops.dot_product_attention(zeros, zeros, value, is_causal=True).ravel(), [1, 2, 4])


def test_masked_keys_are_not_read():
    zeros, value = np.zeros((1, 2, 1, 1)), one_head([[np.nan], [3.0]])
    mask = np.array([False, True])
    close(ops.dot_product_attention(zeros, zeros, value, mask=mask).ravel(), [3, 3])


def test_a_row_that_sees_nothing_averages_all_and_sends_no_gradient_to_its_logits():
    arrays = one_head([[1.0], [2.0]]), one_head([[3.0], [5.0]]), one_head([[2.0], [4.0]])
    mask = np.array([[False, False], [True, True]])
    xs = [Tensor(a.shape, "float64") for a in arrays]
    y = ops.dot_product_attention(*xs, mask=mask)
    program = Program(xs, [y, *ops.gradients(ops.sum(y), xs)])
    result, dq, dk, dv = reference.prepare(program).run(arrays)
    close(result[0, 0], [[3]])
    close(dq[0, 0], [[0]])
    share = 1 / (1 + np.exp([4.0, -4.0]))  # of the second row
    close(dv.ravel(), 0.5 + share)
    close(dk.ravel(), 2 * share[0] * share[1] * np.array([-2, 2]))


def test_neighbouring_heads_share_a_key():
    rng = np.random.default_rng(0)
    query, key, value = (
        rng.standard_normal((2, 3, 4, 5)),
        rng.standard_normal((2, 6, 2, 5)),
        rng.standard_normal((2, 6, 2, 5)),
    )
    repeated = np.repeat(key, 2, axis=2), np.repeat(value, 2, axis=2)
    close(ops.dot_product_attention(query, key, value), ops.dot_product_attention(query, *repeated))


def test_large_logits_do_not_overflow():
    query, key, value = one_head([[1e4]]), one_head([[1e4], [-1e4]]), one_head([[1.0], [2.0]])
    close(ops.dot_product_attention(query, key, value).ravel(), [1])


def test_half_precision_is_computed_in_single():
    x = np.full((1, 2, 1, 4), 200.0, "float16")
    assert ops.dot_product_attention(x, x, x).dtype == "float16"
    close(ops.dot_product_attention(x, x, x), x)


def test_an_open_batch():
    x = Tensor((None, None, 2, 3), "float64")
    y = ops.dot_product_attention(x, x, x, is_causal=True)
    array = np.random.default_rng(0).standard_normal((2, 4, 2, 3))
    program = Program([x], [y, *ops.gradients(ops.sum(ops.square(ops.gradients(ops.sum(ops.square(y)), x)[0])), x)])
    close(reference.prepare(program).run([array])[0], ops.dot_product_attention(array, array, array, is_causal=True))


def test_shapes_that_do_not_fit():
    x = np.zeros((1, 2, 3, 4))
    with pytest.raises(ShapeError, match=r"multiple of the key's; got query \(1, 2, 3, 4\), key \(1, 2, 2, 4\)"):
        ops.dot_product_attention(x, x[:, :, :2], x[:, :, :2])
    with pytest.raises(ShapeError, match=r"broadcasts to \(batch, heads, queries, keys\), here \(1, 3, 2, 2\)"):
        ops.dot_product_attention(x, x, x, mask=np.ones((1, 2, 2, 2), bool))
