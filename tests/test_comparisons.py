"""What tests compare with must itself refuse: `close` one rounding too much, `agree` what no evaluation of the definition gives."""

import numpy as np
import pytest

from refnet import ops, optimizers, use_engine
from refnet.layers import Dense, Input
from refnet.models import Sequential
from refnet.testing.closeness import close
from refnet.testing.conformance import agree
from refnet.testing.whole import hold_step

X = np.array([[0.1, 0.2, 0.3]], "float32")
U = 2.0**-24


def test_close_counts_roundings():
    close(np.float32(1 + 2 * U), 1.0, 2)
    with pytest.raises(AssertionError, match=r"\[\] is 1.0000001\d+; 1.0 is due. That is 2 times what 1 roundings"):
        close(np.float32(1 + 2 * U), 1.0, 1)
    close(np.array([3 * U], "float32"), [0.0], 3, 1)  # what terms of size 1 leave when they cancel
    with pytest.raises(AssertionError, match="That is .* times what 3 roundings of 0.0 can make"):
        close(np.array([3 * U], "float32"), [0.0], 3)
    with pytest.raises(AssertionError, match="times what"):
        close(np.float64(1 + 2 * U), 1.0, 2)  # two roundings of float64


def test_close_takes_no_other_shape_and_nothing_that_is_not_finite():
    with pytest.raises(AssertionError, match=r"shape \(2,\); \(1,\) is due"):
        close(np.ones(2, "float32"), np.ones(1), 1)
    for got, due in ((np.nan, 1.0), (1.0, np.nan), (np.inf, 1e38), (np.inf, -np.inf)):
        with pytest.raises(AssertionError):
            close(np.float32(got), due, 1e6)
    close(np.array([np.nan, np.inf], "float32"), [np.nan, np.inf], 0)


def test_agree_refuses_theirs_and_ours():
    with use_engine("reference"):
        due = X.astype("float64").sum(1)
        assert agree(lambda x: ops.sum(x, 1), due, X) <= 1
        with pytest.raises(AssertionError, match=r"theirs\[0\] is 0.6000011"):
            agree(lambda x: ops.sum(x, 1), due * (1 + 32 * U), X)
        with pytest.raises(AssertionError, match=r"theirs is float32 \(\); float32 \(1,\) is due"):
            agree(lambda x: ops.sum(x, 1), due[0], X)

        def other(x):  # another function for arrays than for the tensors that its certificate comes from
            return ops.sum(x, 1) * (1.00001 if isinstance(x, np.ndarray) else 1)

        with pytest.raises(AssertionError, match=r"ours\[0\]"):
            agree(other, due, X)
        with pytest.raises(AssertionError, match="ours is float64"):
            agree(lambda x: ops.sum(x, 1) if not isinstance(x, np.ndarray) else x.astype("float64").sum(1), due, X)


def test_agree_refuses_a_certificate_that_says_nothing():
    with (
        use_engine("reference"),
        pytest.raises(AssertionError, match="the certificate says nothing of 1 of 1 elements"),
    ):
        agree(lambda x: 1 / (ops.sum(x) - 0.5999), 1e4, np.full((1, 6000), 1e-4, "float32"))  # the divisor may be 0


def test_a_step_refuses_the_loss_and_the_weights_of_another_step():
    """One step of y = w x with w = 1 on the mean of (w - 3)**2 and 9 (w - 1)**2: the slope is 2 (w - 3) / 2, the loss 2."""
    x, y = np.array([[1.0], [3.0]], "float32"), np.array([[3.0], [3.0]], "float32")
    with use_engine("reference"):
        for loss, weight, refusal in (
            (2.0, 1.2, None),
            (2.0, 1.2 * (1 + 64 * U), r"theirs: dense\w*/kernel\[0, 0\] is 1.20000\d*;"),
            (2.0 * (1 + 64 * U), 1.2, r"theirs: loss/total\[\] is 4.0000\d*;"),
        ):
            model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
            model.compile(optimizers.SGD(0.1), "mse")
            if refusal is None:
                assert hold_step(model, x, y, theirs=(loss, [[[weight]]])) <= 1
                close(model.get_weights()[0], [[1.2]], 4)
            else:
                with pytest.raises(AssertionError, match=refusal):
                    hold_step(model, x, y, theirs=(loss, [[[weight]]]))
