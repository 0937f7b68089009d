"""Piecewise and smooth activations, gates and sparsemax: by hand, and against PyTorch."""

import numpy as np
import pytest

from refnet import activations, ops
from refnet.engine import reference
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing.closeness import ELEMENTARY, close

X = np.array([-4.0, -3.0, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0, 3.0, 4.0])


def value_and_gradient(function, x):
    t = Tensor(x.shape, "float64")
    y = function(t)
    return reference.prepare(Program([t], [y, *gradients(y, [t])])).run([x])


def test_sparsemax_by_hand():
    np.testing.assert_array_equal(ops.sparsemax(np.array([0.5, 1.0, -3.0])), [0.25, 0.75, 0])
    np.testing.assert_array_equal(ops.sparsemax(np.array([2.0, 2.0, 1.0])), [0.5, 0.5, 0])
    np.testing.assert_array_equal(ops.sparsemax(np.array([7.0, 1.0])), [1, 0])
    np.testing.assert_array_equal(ops.sparsemax(np.array([-np.inf, 3.0])), [0, 1])
    assert np.isnan(ops.sparsemax(np.array([[np.nan, 0.0], [np.inf, 0.0]]))).all()


def test_sparsemax_is_the_nearest_probability():
    """No other point of the simplex is nearer to the scores."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.normal(0, 1.5, 6)
        y = np.asarray(ops.sparsemax(x))
        close(y.sum(), 1, 3 * x.size, 1 + abs(x).sum())
        assert (y >= 0).all()
        for other in rng.dirichlet(np.full(6, 0.5), 50):
            # y's own roundings, and those of both sums
            room = 2 * (3 * x.size + 8) * 2.0**-53 * ((abs(x) + 1) ** 2).sum()
            assert ((x - y) ** 2).sum() <= ((x - other) ** 2).sum() + room


def test_shrinking_on_the_threshold():
    np.testing.assert_array_equal(ops.hard_shrink(X)[[3, 7, 8]], [0, 0, 1])
    np.testing.assert_array_equal(ops.soft_shrink(X)[[2, 3, 7, 8]], [-0.5, 0, 0, 0.5])
    np.testing.assert_array_equal(ops.threshold(X, 0.5, 9.0)[[5, 7, 8]], [9, 9, 1])


def test_limits_do_not_overflow():
    far = np.array([-1e4, 1e4])
    np.testing.assert_array_equal(ops.log_sigmoid(far), [-1e4, 0])
    np.testing.assert_array_equal(ops.mish(far), [0, 1e4])
    value, gradient = value_and_gradient(ops.celu, far)
    assert value.tolist() == [-1, 1e4] and gradient.tolist() == [0, 1]


def test_every_activation_has_its_name():
    for name in [
        "celu",
        "hard_silu",
        "hard_swish",
        "hard_tanh",
        "log_sigmoid",
        "mish",
        "soft_shrink",
        "sparsemax",
        "squareplus",
        "tanh_shrink",
    ]:
        assert activations.get(name) is getattr(ops, name)


@pytest.mark.peers
def test_values_and_gradients_are_pytorchs():
    import torch

    F = torch.nn.functional
    smooth = X + 0.01  # away from the kinks, where conventions differ
    pairs = {
        "celu": lambda x: F.celu(x),
        "log_sigmoid": F.logsigmoid,
        "mish": F.mish,
        "tanh_shrink": F.tanhshrink,
        "hard_tanh": F.hardtanh,
        "hard_silu": F.hardswish,
        "hard_shrink": F.hardshrink,
        "soft_shrink": F.softshrink,
    }
    for name, theirs in pairs.items():
        t = torch.tensor(smooth, requires_grad=True)
        y = theirs(t)
        y.sum().backward()
        value, gradient = value_and_gradient(getattr(ops, name), smooth)
        close(value, y.detach().numpy(), 2 * (4 * ELEMENTARY + 8), 1 + abs(smooth))
        close(gradient, t.grad.numpy(), 2 * (4 * ELEMENTARY + 8), 1 + abs(smooth))
    both = np.concatenate([smooth, smooth[::-1]])
    close(ops.glu(both), F.glu(torch.tensor(both)).numpy(), 2 * (ELEMENTARY + 4))
    print(f"{len(pairs) + 1} activations compared with PyTorch")
