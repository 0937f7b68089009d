"""A second opinion that shares no code: PyTorch and Keras on recurrent nets and connectionist temporal classification."""

import os

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers

BATCH, TIME, FEATURES, UNITS = 3, 6, 4, 5

# The order of the gates in PyTorch: i f g o as here for LSTM; r z n for GRU, where z and r change places here.
ORDERS = {"simple_rnn": [0], "lstm": [0, 1, 2, 3], "gru": [1, 0, 2]}
MODULES = {"simple_rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def near(ours, theirs):
    """Up to nine steps there and back, each of products of nine terms, five elementary functions and a dozen operations."""
    theirs = theirs.numpy()
    close(ours, theirs, 2 * 2 * 9 * (9 + 5 * ELEMENTARY + 12), max(1, abs(theirs).max()))


def reordered(weight, name):
    """PyTorch's rows of gates as columns in our order."""
    return torch.cat([weight.chunk(len(ORDERS[name]), dim=0)[g] for g in ORDERS[name]], dim=0).T


@pytest.mark.parametrize("name", MODULES)
def test_sequences_states_and_every_gradient(name):
    torch.manual_seed(0)
    module = MODULES[name](FEATURES, UNITS, batch_first=True, dtype=torch.float64)
    x = torch.randn(BATCH, TIME, FEATURES, dtype=torch.float64, requires_grad=True)
    states = [
        torch.randn(1, BATCH, UNITS, dtype=torch.float64, requires_grad=True) for _ in range(2 if name == "lstm" else 1)
    ]
    y, last = module(x, tuple(states) if name == "lstm" else states[0])
    results = [y, *(s[0] for s in (last if name == "lstm" else [last]))]
    factors = [torch.randn_like(r) for r in results]
    sum((r * f).sum() for r, f in zip(results, factors)).backward()

    in_bias, recurrent_bias = (
        reordered(module.bias_ih_l0[:, None], name)[0],
        reordered(module.bias_hh_l0[:, None], name)[0],
    )
    bias = torch.stack([in_bias, recurrent_bias]) if name == "gru" else in_bias + recurrent_bias
    weights = [reordered(module.weight_ih_l0, name), reordered(module.weight_hh_l0, name), bias]
    arrays = [t.detach().numpy() for t in (x, *weights, *(s[0] for s in states))]
    inputs = [Tensor(a.shape, "float64") for a in arrays]
    ours = getattr(ops, name)(*inputs[:4], inputs[4:] if name == "lstm" else inputs[4])
    loss = sum(ops.sum(ops.multiply(r, f.numpy())) for r, f in zip(ours, factors))
    got = reference.prepare(Program(inputs, [*ours, *ops.gradients(loss, inputs)])).run(arrays)

    dbias = reordered(module.bias_ih_l0.grad[:, None], name)[0]
    if name == "gru":
        dbias = torch.stack([dbias, reordered(module.bias_hh_l0.grad[:, None], name)[0]])
    dweights = [reordered(module.weight_ih_l0.grad, name), reordered(module.weight_hh_l0.grad, name), dbias]
    due = [*(r.detach() for r in results), x.grad, *dweights, *(s.grad[0] for s in states)]
    for a, b in zip(got, due, strict=True):
        near(a, b)


LAYERS = [("SimpleRNN", ops.simple_rnn, {}), ("LSTM", ops.lstm, {})]
LAYERS += [("GRU", ops.gru, {"reset_after": after}) for after in (True, False)]


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("name, function, keywords", LAYERS)
def test_keras_layers_with_masks(name, function, keywords, go_backwards):
    """Masks whose first step counts: before it Keras's backends differ among themselves."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(0)
    x, mask = rng.standard_normal((BATCH, TIME, FEATURES)).astype("float32"), rng.random((BATCH, TIME)) < 0.7
    mask[:, 0] = mask[:, -1] = True
    layer = getattr(keras.layers, name)(
        UNITS,
        return_sequences=True,
        return_state=True,
        go_backwards=go_backwards,
        bias_initializer="normal",
        **keywords,
    )
    theirs = [keras.ops.convert_to_numpy(y) for y in layer(x, mask=mask)]
    kernel, recurrent_kernel, bias = (keras.ops.convert_to_numpy(w.value) for w in layer.weights[:3])
    agree(function, theirs, x, kernel, recurrent_kernel, bias, mask=mask, go_backwards=go_backwards, **keywords)


@pytest.mark.parametrize("blank", [0, 3])
def test_ctc_loss_and_its_gradient(blank):
    rng = np.random.default_rng(blank)
    labels = [k for k in range(5) if k != blank]
    logits = rng.standard_normal((6, 9, 5))
    target = rng.choice(labels, (6, 4))
    target[1] = labels[0]  # needs blanks between its four equal labels
    counts, steps = np.array([4, 4, 3, 0, 1, 2]), np.array([9, 7, 5, 4, 1, 9])
    theirs = torch.from_numpy(logits).requires_grad_()
    factors = rng.standard_normal(6)
    log_probs = theirs.log_softmax(-1).transpose(0, 1)
    loss = torch.nn.functional.ctc_loss(
        log_probs, torch.from_numpy(target), torch.from_numpy(steps), torch.from_numpy(counts), blank, "none"
    )
    (loss * torch.from_numpy(factors)).sum().backward()
    x = Tensor(logits.shape, "float64")
    ours = ops.ctc_loss(target, x, counts, steps, blank)
    (dx,) = ops.gradients(ops.sum(ops.multiply(ours, factors)), x)
    got, gradient = reference.prepare(Program([x], [ours, dx])).run([logits])
    near(got, loss.detach())
    near(gradient, theirs.grad)
