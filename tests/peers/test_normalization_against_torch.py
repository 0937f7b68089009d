"""A second opinion that shares no code: PyTorch on normalization, attention, running totals and products over axes."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing.closeness import ELEMENTARY, close

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers
F = torch.nn.functional


def values(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def compare(ours, theirs, *arrays):
    """Results, gradients of a weighted sum of them, and gradients of a weighted sum of those: equal to 9 digits."""
    xs = [Tensor(a.shape, "float64") for a in arrays]
    results = ours(*xs)
    results = list(results) if isinstance(results, tuple) else [results]
    weights = [values(100 + i, *y.shape) for i, y in enumerate(results)]
    loss = sum_of([ops.sum(ops.multiply(y, w)) for y, w in zip(results, weights)])
    first = ops.gradients(loss, xs)
    factors = [values(200 + i, *a.shape) for i, a in enumerate(arrays)]
    second = ops.gradients(sum_of([ops.sum(ops.multiply(g, w)) for g, w in zip(first, factors)]), xs)
    got = reference.prepare(Program(xs, [*results, *first, *(g for g in second if g is not None)])).run(list(arrays))

    ts = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected = theirs(*ts)
    expected = list(expected) if isinstance(expected, tuple) else [expected]
    total = sum((y * torch.tensor(w)).sum() for y, w in zip(expected, weights))
    grads = torch.autograd.grad(total, ts, create_graph=True)
    total = sum((g * torch.tensor(w)).sum() for g, w in zip(grads, factors))
    if total.requires_grad:
        again = torch.autograd.grad(total, ts, allow_unused=True)
    else:
        again = [None] * len(ts)
    again = [torch.zeros_like(t) if g is None else g for t, g, ours in zip(ts, again, second) if ours is not None]
    for a, b in zip(got, [*expected, *grads, *again], strict=True):
        due = b.detach().numpy()
        # three passes over sums of up to 144 terms; those that cancel are no larger than the largest result
        close(a, due, 2 * 3 * 144, max(1, abs(due).max()))


def sum_of(tensors):
    total = tensors[0]
    for x in tensors[1:]:
        total = ops.add(total, x)
    return total


def test_batch_normalization():
    x, mean, variance, offset, scale = values(0, 4, 3, 5), values(1, 3), values(2, 3) ** 2, values(3, 3), values(4, 3)

    def theirs(x, mean, variance, offset, scale):
        column = (1, 3, 1)
        normal = (x - mean.reshape(column)) / torch.sqrt(variance.reshape(column) + 1e-3)
        return normal * scale.reshape(column) + offset.reshape(column)

    compare(lambda x, m, v, o, s: ops.batch_normalization(x, m, v, 1, o, s), theirs, x, mean, variance, offset, scale)
    given = [torch.tensor(a) for a in (x, mean, variance, scale, offset)]
    expected = F.batch_norm(*given, training=False, eps=1e-3)
    got = ops.batch_normalization(x, mean, variance, 1, offset, scale)
    close(got, expected.numpy(), 2 * (ELEMENTARY + 8), abs(expected.numpy()).max())


def test_batch_normalization_in_training():
    def theirs(x, offset, scale):
        y = F.batch_norm(x.movedim(-1, 1), None, None, scale, offset, training=True, eps=1e-2).movedim(1, -1)
        return y, x.mean((0, 1)), x.var((0, 1), correction=0)

    def ours(x, offset, scale):
        return ops.batch_normalization_training(x, -1, offset, scale, epsilon=1e-2)

    compare(ours, theirs, values(0, 4, 5, 3), values(1, 3), values(2, 3))


@pytest.mark.parametrize("axis, shape", [(-1, (4,)), ((1, 2), (3, 4))])
def test_layer_normalization(axis, shape):
    compare(
        lambda x, gamma, beta: ops.layer_normalization(x, gamma, beta, axis, epsilon=1e-5),
        lambda x, gamma, beta: F.layer_norm(x, shape, gamma, beta, 1e-5),
        values(0, 2, 3, 4),
        values(1, *shape),
        values(2, *shape),
    )


def test_group_and_instance_normalization():
    x, gamma, beta = values(0, 2, 6, 3, 2), values(1, 6), values(2, 6)
    compare(
        lambda x, gamma, beta: ops.group_normalization(x, 3, gamma, beta, axis=1),
        lambda x, gamma, beta: F.group_norm(x, 3, gamma, beta, 1e-3),
        x,
        gamma,
        beta,
    )
    compare(
        lambda x, gamma, beta: ops.instance_normalization(x, gamma, beta, axis=1),
        lambda x, gamma, beta: F.instance_norm(x, None, None, gamma, beta, eps=1e-3),
        x,
        gamma,
        beta,
    )


def test_rms_normalization_and_normalize():
    compare(
        lambda x, scale: ops.rms_normalization(x, scale, epsilon=1e-5),
        lambda x, scale: F.rms_norm(x, (4,), scale, 1e-5),
        values(0, 3, 4),
        values(1, 4),
    )
    for order in (1, 2, 3):
        compare(
            lambda x, order=order: ops.normalize(x, 0, order),
            lambda x, order=order: F.normalize(x, order, 0, 1e-7),
            values(2, 3, 4),
        )


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shared", [1, 2, 4])
def test_attention(causal, shared):
    q, k, v = values(0, 2, 5, 4, 3), values(1, 2, 6, shared, 3), values(2, 2, 6, shared, 3)
    bias, mask = values(3, 2, 4, 5, 6), values(4, 2, 1, 1, 6) > -0.5
    mask[:, :, :, 0] = True  # PyTorch has NaN where a row sees nothing

    def theirs(q, k, v, bias):
        added = bias.masked_fill(~torch.tensor(mask), float("-inf"))
        if causal:
            added = added.masked_fill(~torch.ones(5, 6, dtype=torch.bool).tril(), float("-inf"))
        heads = [x.transpose(1, 2) for x in (q, k, v)]
        heads[1:] = [x.repeat_interleave(4 // shared, 1) for x in heads[1:]]
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            return F.scaled_dot_product_attention(*heads, attn_mask=added).transpose(1, 2)

    compare(lambda q, k, v, b: ops.dot_product_attention(q, k, v, b, mask, is_causal=causal), theirs, q, k, v, bias)


def test_running_totals():
    x = values(0, 3, 4)
    x[1, 2] = 0
    compare(lambda x: ops.cumsum(x, 1), lambda x: torch.cumsum(x, 1), x)
    compare(lambda x: ops.cumprod(x, 1), lambda x: torch.cumprod(x, 1), x)
    compare(lambda x: ops.cumprod(x, 0), lambda x: torch.cumprod(x, 0), x)


def test_statistics():
    x = values(0, 3, 4)
    compare(lambda x: ops.logsumexp(x, 0), lambda x: torch.logsumexp(x, 0), x)
    for order in (None, 1, 2, 3, np.inf):
        theirs = 2 if order is None else order
        compare(
            lambda x, order=order: ops.norm(x, order, axis=1),
            lambda x, order=theirs: torch.linalg.vector_norm(x, order, 1),
            x,
        )
    for order in ("fro", 1, -1, np.inf, -np.inf):
        compare(
            lambda x, order=order: ops.norm(x, order, axis=(0, 1)),
            lambda x, order=order: torch.linalg.matrix_norm(x, order, (0, 1)),
            x,
        )


@pytest.mark.parametrize("subscripts", ["ij,jk->ik", "bij,bkj->bik", "...ij,jk->...k", "ii->i", "iij,j->", "i,j,j->ij"])
def test_einsum(subscripts):
    extents = dict(zip("bijk", (2, 3, 4, 5)))
    parts = subscripts.split("->")[0].split(",")
    arrays = [values(i, *(extents[k] for k in part.replace("...", "b"))) for i, part in enumerate(parts)]
    compare(lambda *xs: ops.einsum(subscripts, *xs), lambda *ts: torch.einsum(subscripts, *ts), *arrays)


def test_tensordot_and_inner():
    compare(
        lambda a, b: ops.tensordot(a, b, [[0, 2], [1, 0]]),
        lambda a, b: torch.tensordot(a, b, dims=([0, 2], [1, 0])),
        values(0, 2, 3, 4),
        values(1, 4, 2, 5),
    )
    compare(ops.inner, torch.inner, values(2, 2, 4), values(3, 3, 4))
