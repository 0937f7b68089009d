"""A training loop written by hand in PyTorch, as one would write it for speed on the CPU: `torch_loop.py WORK`."""

import os
import sys

import torch
from rounds import serve
from torch.nn import functional
from workloads import LEARNING_RATE, WORKS

torch.set_num_threads(os.cpu_count() or 1)
torch.manual_seed(0)
work = WORKS[sys.argv[1]]
x, y = map(torch.from_numpy, work.data())
y = y.long() if work.loss == "softmax cross-entropy" else y
loss_of = {
    "squared error": functional.mse_loss,
    "softmax cross-entropy": functional.cross_entropy,
    "sigmoid cross-entropy": functional.binary_cross_entropy_with_logits,
}[work.loss]
parts: list[torch.nn.Module] = []
for size, following in zip(work.sizes, work.sizes[1:]):
    parts += [torch.nn.Linear(size, following), torch.nn.ReLU()]
model = torch.nn.Sequential(*parts[:-1])
optimizer = torch.optim.RMSprop(model.parameters(), lr=LEARNING_RATE, alpha=0.9, eps=1e-7)


def train(epochs: int) -> None:
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for step in range(work.steps):
            rows = order[step * work.batch : (step + 1) * work.batch]
            optimizer.zero_grad()
            loss_of(model(x[rows]), y[rows]).backward()
            optimizer.step()


serve({"torch": torch.__version__}, work.steps, train)
