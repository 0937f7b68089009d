"""A training loop written by hand in PyTorch, as one would write it for speed: `torch_loop.py WORK`.

BENCH_DEVICE is cpu or cuda; BENCH_STEP says how a step is run: eager, compiled by torch.compile, or a captured CUDA graph.
"""

import os
import sys
import time

import torch
from rounds import processors, serve
from torch import nn
from torch.nn import functional
from workloads import LEARNING_RATE, WORKS

torch.set_num_threads(processors())
DEVICE, STEP = os.environ.get("BENCH_DEVICE", "cpu"), os.environ.get("BENCH_STEP", "eager")
work = WORKS[sys.argv[1]]
x, y = map(torch.from_numpy, work.data())
y = y.long() if work.loss == "softmax cross-entropy" else y
loss_of = {
    "squared error": functional.mse_loss,
    "absolute error": functional.l1_loss,
    "softmax cross-entropy": functional.cross_entropy,
    "sigmoid cross-entropy": functional.binary_cross_entropy_with_logits,
}[work.loss]


class Last(nn.Module):
    """A recurrent layer's last output, of (batch, time, features). PyTorch has no recurrent dropout, so there is none."""

    def __init__(self, kind: type, features: int, units: int, bidirectional: bool = False):
        super().__init__()
        self.layer = kind(features, units, batch_first=True, bidirectional=bidirectional)

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        states = self.layer(sequences)[1]
        state = states[0] if isinstance(states, tuple) else states
        return torch.cat(list(state), dim=-1)


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class Positions(nn.Module):
    """Adds a learned vector to each place of a sequence."""

    def __init__(self, length: int, features: int):
        super().__init__()
        self.vectors = nn.Parameter(torch.empty(length, features).uniform_(-0.05, 0.05))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.vectors


class Encoder(nn.Module):
    """A Transformer's encoder block; queries, keys and values come of one product."""

    def __init__(self, features: int, heads: int, units: int):
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(features, eps=1e-3), nn.LayerNorm(features, eps=1e-3)
        self.seen, self.out = nn.Linear(features, 3 * features), nn.Linear(features, features)
        self.dense = nn.Sequential(nn.Linear(features, units), nn.ReLU(), nn.Linear(units, features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, features = x.shape
        parts = self.seen(self.before(x)).view(batch, length, 3, self.heads, features // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.out(found.transpose(1, 2).reshape(batch, length, features))
        return x + self.dense(self.between(x))


class Residual(nn.Module):
    """Two 3x3 convolutions beside their input."""

    def __init__(self, channels: int, filters: int, stride: int):
        super().__init__()
        self.first, self.second = normalized(channels, filters, 3, stride), normalized(filters, filters, 3, 1)
        changed = channels != filters or stride != 1
        self.beside = normalized(channels, filters, 1, stride) if changed else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.beside(x) + self.second(functional.relu(self.first(x))))


def normalized(channels: int, filters: int, size: int, stride: int) -> nn.Module:
    """A convolution, normalized."""
    made = nn.Conv2d(channels, filters, size, stride, padding=size // 2, bias=False)
    return nn.Sequential(made, nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01))


def module(kind: str, given: list, shape: torch.Size) -> list[nn.Module]:
    """The modules of one layer that is fed that shape; channels are PyTorch's axis 1."""
    channels = shape[1]
    if kind == "dense":
        return [nn.Linear(shape[-1], given[0])] + [nn.ReLU()] * (given[1] == "relu")
    if kind in ("conv2d", "conv1d"):
        made = (nn.Conv2d if kind == "conv2d" else nn.Conv1d)(channels, *given[:2])
        return [made] + [nn.ReLU()] * (given[2] == "relu")
    if kind == "separable_conv2d":
        filters, size = given
        depthwise = nn.Conv2d(channels, channels, size, padding=size // 2, groups=channels, bias=False)
        return [depthwise, nn.Conv2d(channels, filters, 1)]
    if kind == "embedding":  # what follows it here is a Conv1d, channels first, or something that has features last
        return [nn.Embedding(*given)]
    return {
        "batch_normalization": lambda: [nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)],
        "activation": lambda name: [nn.ReLU()],
        "max_pool2d": lambda size: [nn.MaxPool2d(size)],
        "max_pool1d": lambda size: [nn.MaxPool1d(size)],
        "flatten": lambda: [nn.Flatten()],
        "global_average_pool2d": lambda: [Apply(lambda x: x.mean((2, 3)))],
        "global_max_pool1d": lambda: [Apply(lambda x: x.amax(2))],
        "lstm": lambda units: [Last(nn.LSTM, shape[-1], units)],
        "bidirectional_lstm": lambda units: [Last(nn.LSTM, shape[-1], units, bidirectional=True)],
        "gru": lambda units, *dropouts: [Last(nn.GRU, shape[-1], units)],
        "positions": lambda: [Positions(*shape[1:])],
        "encoder": lambda heads, units: [Encoder(shape[-1], heads, units)],
        "global_average_pool1d": lambda: [Apply(lambda x: x.mean(1))],  # behind an encoder features are last
        "residual": lambda filters, stride: [Residual(channels, filters, stride)],
    }[kind](*given)


def built(sample: torch.Tensor) -> nn.Sequential:
    model = nn.Sequential()
    for number, (kind, *given) in enumerate(work.layers):
        if kind == "conv1d" and number == 1:  # after the embedding
            model.append(Apply(lambda x: x.transpose(1, 2)))
        with torch.no_grad():
            shape = model(sample).shape
        model.extend(module(kind, given, shape))
    return model


class Training:
    """The loop, with images in one of PyTorch's two orders in memory."""

    def __init__(self, channels_last: bool):
        torch.manual_seed(0)
        order = torch.channels_last if channels_last else torch.contiguous_format
        self.x = x.permute(0, 3, 1, 2).contiguous(memory_format=order) if IMAGES else x
        self.model = built(self.x[:2]).to(DEVICE)
        self.x, self.y = self.x.to(DEVICE), y.to(DEVICE)
        if IMAGES:
            self.model = self.model.to(memory_format=order)
        capturable = {"capturable": True} if STEP == "graph" else {}
        self.optimizer = torch.optim.RMSprop(
            self.model.parameters(), lr=LEARNING_RATE, alpha=0.9, eps=1e-7, **capturable
        )
        self.forward = torch.compile(self.model) if STEP == "compiled" else self.model
        self.step = self.captured() if STEP == "graph" else self.eager

    def __call__(self, epochs: int) -> None:
        for _ in range(epochs):
            order = torch.randperm(len(self.x), device=DEVICE)
            for step in range(work.steps):
                self.step(order[step * work.batch : (step + 1) * work.batch])
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    def eager(self, rows: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        loss_of(self.forward(self.x[rows]), self.y[rows]).backward()
        self.optimizer.step()

    def captured(self):
        """A function that replays a step, captured as PyTorch's notes on CUDA graphs say: three steps on another stream first."""
        batch = torch.arange(work.batch, device=DEVICE)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                self.eager(batch)
        torch.cuda.current_stream().wait_stream(aside)
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss_of(self.model(self.x[batch]), self.y[batch]).backward()
            self.optimizer.step()

        def replay(rows: torch.Tensor) -> None:
            batch.copy_(rows)
            graph.replay()

        return replay

    def time(self) -> float:
        """Of the fastest of three epochs, after one to get warm."""
        self(1)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            self(1)
            times.append(time.perf_counter() - start)
        return min(times)


IMAGES = len(work.shape) == 3
candidates = [Training(order) for order in ((False, True) if IMAGES else (False,))]
train = min(candidates, key=Training.time)  # which order is faster depends on the network
serve({"torch": torch.__version__}, work.steps, train)
