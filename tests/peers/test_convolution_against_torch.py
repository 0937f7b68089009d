"""A second opinion that shares no code: PyTorch's convolutions and poolings, gradients included, in float64."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing.closeness import close
from refnet.testing.draw import Seeded

pytestmark = pytest.mark.peers

CALLS = 30  # of each function


class Torch:
    """The functions of refnet.ops written with torch.nn.functional, on tensors with channels second."""

    def __init__(self):
        import torch

        self.torch, self.functional = torch, torch.nn.functional

    def padded(self, x, sizes, strides, dilation, padding, value=0.0):
        if padding == "valid":
            return x
        widths = []
        for n, size, step, wide in zip(x.shape[2:], sizes, strides, dilation):
            total = max((-(-n // step) - 1) * step + (size - 1) * wide + 1 - n, 0)
            if padding == "causal":
                widths.append(((size - 1) * wide, 0))
            else:
                widths.append((total // 2, total - total // 2))
        flat = [w for pair in widths[::-1] for w in pair]
        return self.functional.pad(x, flat, value=value)

    def conv(self, x, k, *, strides, padding, dilation_rate):
        rank, groups = x.ndim - 2, x.shape[1] // k.shape[-2]
        weight = k.permute(rank + 1, rank, *range(rank))
        x = self.padded(x, k.shape[:-2], strides, dilation_rate, padding)
        function = getattr(self.functional, f"conv{rank}d")
        return function(x, weight, stride=strides, dilation=dilation_rate, groups=groups)

    def depthwise_conv(self, x, k, **a):
        return self.conv(x, k.reshape(*k.shape[:-2], 1, k.shape[-2] * k.shape[-1]), **a)

    def conv_transpose(self, x, k, *, strides, padding, dilation_rate):
        rank = x.ndim - 2
        function = getattr(self.functional, f"conv_transpose{rank}d")
        y = function(x, k.permute(rank + 1, rank, *range(rank)), stride=strides, dilation=dilation_rate)
        missing = [max(step - (size - 1) * wide - 1, 0) for size, step, wide in zip(k.shape, strides, dilation_rate)]
        return self.functional.pad(y, [w for n in missing[::-1] for w in (0, n)])

    def max_pool(self, x, *, pool_size, strides, padding):
        x = self.padded(x, pool_size, strides, (1,) * len(strides), padding, value=-np.inf)
        return getattr(self.functional, f"max_pool{x.ndim - 2}d")(x, pool_size, strides)

    def average_pool(self, x, *, pool_size, strides, padding):
        mean = getattr(self.functional, f"avg_pool{x.ndim - 2}d")
        there = self.padded(self.torch.ones_like(x), pool_size, strides, (1,) * len(strides), padding)
        x = self.padded(x, pool_size, strides, (1,) * len(strides), padding)
        return mean(x, pool_size, strides) / mean(there, pool_size, strides)

    def adaptive_max_pool(self, x, *, output_size):
        return getattr(self.functional, f"adaptive_max_pool{x.ndim - 2}d")(x, output_size)

    def adaptive_average_pool(self, x, *, output_size):
        return getattr(self.functional, f"adaptive_avg_pool{x.ndim - 2}d")(x, output_size)


def drawn(name, draw):
    """Arrays (channels second) and keywords of one call."""
    rank = draw.integer(1, 3)
    sizes, strides, dilation = draw.several(rank, 3), draw.several(rank, 4), draw.several(rank, 2)
    padding = draw.choice(("valid", "same"))
    extents = [(size - 1) * wide + draw.integer(1, 3) for size, wide in zip(sizes, dilation)]
    groups, channels = draw.choice((1, 2)), draw.integer(1, 2)
    rng = np.random.default_rng(draw.integer(0, 2**30))
    if "pool" in name:
        # distinct, so that the winner does not depend on the order; ties are the other tests' business
        shape = (2, channels, *extents)
        x = rng.permutation(np.prod(shape)).reshape(shape) / 8
        if name.startswith("adaptive"):
            return [x], {"output_size": draw.several(rank, 5)}
        return [x], {"pool_size": sizes, "strides": strides, "padding": padding}
    a = {"strides": strides, "padding": padding, "dilation_rate": dilation}
    if name == "conv":
        if rank == 1 and draw.flag():
            a["padding"] = "causal"
        shape = (*sizes, channels, groups * draw.integer(1, 2))
    elif name == "depthwise_conv":
        shape = (*sizes, groups * channels, draw.integer(1, 3))
    else:
        a["padding"], shape = "valid", (*sizes, 3, groups * channels)
    return [rng.standard_normal((2, groups * channels, *extents)), rng.standard_normal(shape)], a


@pytest.mark.parametrize(
    "name",
    [
        *("conv", "depthwise_conv", "conv_transpose", "max_pool", "average_pool"),
        *("adaptive_max_pool", "adaptive_average_pool"),
    ],
)
def test_results_and_gradients_agree(name, record_property):
    peer = Torch()
    for number in range(CALLS):
        arrays, a = drawn(name, Seeded((name, number)))
        theirs = [peer.torch.tensor(v, requires_grad=True) for v in arrays]
        expected = getattr(peer, name)(*theirs, **a)
        dy = np.random.default_rng(number).standard_normal(tuple(expected.shape))
        expected.backward(peer.torch.tensor(dy))
        inputs = [Tensor(v.shape, "float64") for v in [*arrays, dy]]
        y = getattr(ops, name)(*inputs[:-1], data_format="channels_first", **a)
        program = Program(inputs, [y, *gradients(ops.multiply(y, inputs[-1]), inputs[:-1])])
        got = reference.prepare(program).run([*arrays, dy])
        for ours, other in zip(got, [expected.detach(), *[v.grad for v in theirs]], strict=True):
            assert ours.shape == tuple(other.shape), (name, a)
            # the terms of each sum are as many as the kernel has, or the results that a kernel's element has a part in
            close(ours, other.numpy(), 2 * max(np.size(v) for v in (*arrays, dy)), max(1, float(abs(other).max())))
    print(f"{name}: {CALLS} calls and their gradients compared with PyTorch {peer.torch.__version__}")
    record_property("calls", CALLS)
