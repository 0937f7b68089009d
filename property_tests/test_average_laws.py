"""Laws of normalizations, attention, running totals and products over axes; on every engine."""

import numpy as np
from drawing import Drawn
from hypothesis import given
from hypothesis import strategies as st

from refnet import ops
from refnet.engine import use_engine
from refnet.testing.closeness import ELEMENTARY, close

U = 2.0**-24


def floats(draw, shape):
    """float32 values of ordinary size: the laws hold up to rounding where nothing overflows or cancels."""
    return np.random.default_rng(draw.integer(0, 2**16)).standard_normal(shape).astype("float32")


def whole(draw, shape):
    """Small whole numbers: their sums and products do not round."""
    return draw.array(shape, "int32", low=-9, high=9).astype("float32")


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b)


@given(data=st.data())
def test_a_normalized_batch_has_mean_0_and_variance_1(engine, data):
    draw = Drawn(data)
    x = floats(draw, (draw.integer(2, 9), draw.integer(1, 4), draw.integer(2, 5))) * 4 + 2
    with use_engine(engine):
        y, mean, variance = ops.batch_normalization_training(x, 1, epsilon=0.0)
    rows = x.swapaxes(0, 1).reshape(x.shape[1], -1).astype("float64")
    normal = y.swapaxes(0, 1).reshape(rows.shape).astype("float64")
    hold_standardized(normal, rows)
    # A mean's n roundings are those of its sum and its quotient. Around it a square is rounded three times, and then as the mean is; it is
    # the larger for the mean's error squared.
    n, largest = rows.shape[1], np.abs(rows).max(1)
    off = gamma(n) * largest
    assert np.all(np.abs(mean - rows.mean(1)) <= off)
    assert np.all(np.abs(variance - rows.var(1)) <= gamma(n + 3) * (rows.var(1) + off**2) + off**2)


@given(data=st.data())
def test_a_normalized_row_has_mean_0_and_variance_1(engine, data):
    draw = Drawn(data)
    x = floats(draw, (draw.integer(1, 5), draw.integer(2, 20)))
    with use_engine(engine):
        y = ops.layer_normalization(x, epsilon=0.0)
    hold_standardized(y.astype("float64"), x.astype("float64"))


def hold_standardized(y, x):
    """Each row of y has mean 0 and variance 1, as far as n numbers x of float32 can be given them.

    Let m be the mean and v the variance as they are computed: m is off by n roundings of the largest number. With any m, v is the mean
    of (x - m)**2 but for n + 3 roundings, for all terms are positive. Then y = (x - m) / sqrt(v), where the distance, the root, its
    inverse and the product round.
    """
    n = x.shape[1]
    reach = np.abs(x).max(1) / x.std(1)
    # m's error beside the deviation, which is the root but for less than a rounding of that error; and four roundings of each y
    assert np.all(np.abs(y.mean(1)) <= gamma(n + 1) * reach + gamma(5) * np.abs(y).mean(1))
    # the squares of the same four, and those of v
    assert np.all(np.abs((y**2).mean(1) - 1) <= gamma(2 * 4 + n + 3 + 1))


def gamma(k):
    """What k roundings of float32 can make of 1; those of the float64 in which the tests add up are less than one."""
    return k * U / (1 - k * U)


@given(data=st.data())
def test_training_is_inference_with_the_batch_s_own_moments(engine, data):
    draw = Drawn(data)
    x = floats(draw, (draw.integer(1, 7), draw.integer(1, 5)))
    offset, scale = floats(draw, x.shape[1:]), floats(draw, x.shape[1:])
    with use_engine(engine):
        y, mean, variance = ops.batch_normalization_training(x, -1, offset, scale, 0.1)
        again = ops.batch_normalization(x, mean, variance, -1, offset, scale, 0.1)
    # moments of n numbers, then six operations, on both sides; the root is more than 0.3, an element less its mean at most 2 max
    close(y, again, 2 * (2 * len(x) + 6), np.abs(offset) + np.abs(scale) * 2 * np.abs(x).max(initial=1) / 0.3)


@given(data=st.data())
def test_a_whole_shift_of_a_row_changes_nothing(engine, data):
    """Rows of 4 whole numbers have exact means; so have they after a shift by a whole number."""
    draw = Drawn(data)
    x = whole(draw, (draw.integer(1, 5), 4)) * 4
    with use_engine(engine):
        assert same(ops.layer_normalization(x), ops.layer_normalization(x + np.float32(64)))


@given(data=st.data())
def test_one_group_is_layer_normalization_and_single_channels_are_instances(engine, data):
    draw = Drawn(data)
    x = floats(draw, (draw.integer(1, 3), draw.integer(1, 4), draw.integer(1, 3)))
    with use_engine(engine):
        whole_sample = ops.layer_normalization(x.swapaxes(1, 2), axis=(1, 2), epsilon=1e-3).swapaxes(1, 2)
        assert np.array_equal(ops.group_normalization(x, 1), whole_sample)
        assert same(ops.group_normalization(x, x.shape[-1]), ops.instance_normalization(x))


def attended(draw, keys=None):
    """query, key and value with whole heads of equal number."""
    b, t, s, n, h = (draw.integer(1, 3) for _ in range(5))
    s = s if keys is None else keys
    return floats(draw, (b, t, n, h)), floats(draw, (b, s, n, h)), floats(draw, (b, s, n, h))


def attention_roundings(query, key):
    """Of two evaluations of attention, each a mean of values: what the roundings of a logit do to a weight, and to the sum of weights,
    an exp, and the sums over keys."""
    keys, depth = key.shape[1], query.shape[3]
    logits = np.einsum("bqnh,bknh->bnqk", np.abs(query), np.abs(key)).max() * depth**-0.5
    return 2 * (2 * (depth + 2) * logits + ELEMENTARY + 2 * keys + 2)


@given(data=st.data())
def test_attention_to_one_key_is_its_value(engine, data):
    query, key, value = attended(Drawn(data), keys=1)
    with use_engine(engine):
        y = ops.dot_product_attention(query, key, value)
    assert np.array_equal(y, np.broadcast_to(value, query.shape))


@given(data=st.data())
def test_masked_keys_are_as_good_as_gone(engine, data):
    draw = Drawn(data)
    query, key, value = attended(draw)
    more = floats(draw, (key.shape[0], draw.integer(1, 3), *key.shape[2:]))
    mask = np.arange(key.shape[1] + more.shape[1]) < key.shape[1]
    longer = [np.concatenate([x, more], axis=1) for x in (key, value)]
    with use_engine(engine):
        short, long = ops.dot_product_attention(query, key, value), ops.dot_product_attention(query, *longer, mask=mask)
    close(short, long, attention_roundings(query, longer[0]), np.abs(value).max())


@given(data=st.data())
def test_causal_is_a_lower_triangle(engine, data):
    query, key, value = attended(Drawn(data))
    lower = np.tril(np.ones((query.shape[1], key.shape[1]), bool))
    with use_engine(engine):
        causal = ops.dot_product_attention(query, key, value, is_causal=True)
        masked = ops.dot_product_attention(query, key, value, mask=lower)
    close(causal, masked, attention_roundings(query, key), np.abs(value).max())


@given(data=st.data())
def test_einsum_is_matmul(engine, data):
    draw = Drawn(data)
    a, b = (whole(draw, (2, draw.integer(1, 5), 3)) for _ in range(2))
    with use_engine(engine):
        assert same(ops.einsum("bij,bkj->bik", a, b), ops.matmul(a, b.swapaxes(1, 2)))
        assert same(ops.einsum("ij,jk->ik", a[0], b[0].T), ops.matmul(a[0], b[0].T))
        assert same(ops.einsum("ij,kj->ki", a[0], b[0]), ops.matmul(b[0], a[0].T))
        assert np.array_equal(ops.tensordot(a, b, [[0, 2], [0, 2]]), np.einsum("bij,bkj->ik", a, b))


@given(data=st.data())
def test_the_last_running_total_is_the_sum_and_differences_undo_it(engine, data):
    draw = Drawn(data)
    x = whole(draw, draw.shape(2, 3, 1, 6))
    axis = draw.integer(0, x.ndim - 1)
    with use_engine(engine):
        total = ops.cumsum(x, axis)
        assert np.array_equal(np.take(total, -1, axis), ops.sum(x, axis))
        assert np.array_equal(np.diff(total, axis=axis, prepend=0), x)
        assert np.array_equal(np.take(ops.cumprod(np.sign(x), axis), -1, axis), ops.prod(np.sign(x), axis))


@given(data=st.data())
def test_logsumexp_is_what_log_softmax_takes_off(engine, data):
    draw = Drawn(data)
    x = floats(draw, (draw.integer(1, 4), draw.integer(1, 9)))
    with use_engine(engine):
        taken_off = x - ops.log_softmax(x)
        found = ops.logsumexp(x, 1, keepdims=True)
    # An exp of numbers up to 2 max, a sum of n <= 9 whose log is below 3, and two additions, on both sides; one subtraction.
    close(
        np.broadcast_to(found, x.shape), taken_off, 2 * (2 * ELEMENTARY + x.shape[1] + 3) + 1, 3 + 2 * np.abs(x).max()
    )
