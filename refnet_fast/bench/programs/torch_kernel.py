"""The same op in PyTorch: `torch_kernel.py WORK`. Images in the order in memory that is faster."""

import sys
import time

import torch
from kernels import KERNELS
from rounds import processors, serve

torch.set_num_threads(processors())
work = KERNELS[sys.argv[1]]


def call(channels_last: bool):
    """A function that computes the op once."""
    if work.kind == "product":
        rows, steps, columns = work.sizes
        a, b = map(torch.from_numpy, (work.normal(rows, steps), work.normal(steps, columns)))
        out = torch.empty(rows, columns)
        return lambda: torch.mm(a, b, out=out)
    if work.kind in ("convolution", "kernel gradient", "inputs gradient"):
        order = torch.channels_last if channels_last else torch.contiguous_format
        images, kernel, slope = map(torch.from_numpy, work.convolution())
        x, dy = (t.permute(0, 3, 1, 2).contiguous(memory_format=order) for t in (images, slope))
        k = kernel.permute(3, 2, 0, 1).contiguous(memory_format=order)
        padding = [work.sizes[-1]] * 2
        if work.kind == "convolution":
            return lambda: torch.nn.functional.conv2d(x, k, padding=padding)
        wanted = [work.kind == "inputs gradient", work.kind == "kernel gradient", False]
        backward = torch.ops.aten.convolution_backward
        return lambda: backward(dy, x, k, None, [1, 1], padding, [1, 1], False, [0, 0], 1, wanted)
    if work.kind == "lstm":
        batch, steps, features, units = work.sizes
        layer = torch.nn.LSTM(features, units, batch_first=True)
        x = torch.from_numpy(work.normal(batch, steps, features)).requires_grad_()
        slope = torch.from_numpy(work.normal(batch, steps, units))
        wanted = [x, *layer.parameters()]
        return lambda: torch.autograd.grad(layer(x)[0], wanted, slope)
    if work.kind == "fft":
        pairs = torch.view_as_complex(torch.from_numpy(work.normal(*work.sizes, 2)))
        return lambda: torch.fft.fft(pairs)
    x = torch.from_numpy(work.normal(*work.sizes)).abs()
    if work.kind == "softmax":
        return lambda: torch.softmax(x, -1)
    out = torch.empty_like(x)
    return lambda: getattr(torch, work.kind)(x, out=out)


def once(function) -> float:
    function()
    start = time.perf_counter()
    for _ in range(3):
        function()
    return time.perf_counter() - start


fastest = min((call(order) for order in (False, True)), key=once)


def train(times: int) -> None:
    with torch.set_grad_enabled(work.kind == "lstm"):
        for _ in range(times):
            fastest()


serve({"torch": torch.__version__}, 1, train)
