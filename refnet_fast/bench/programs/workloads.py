"""What is measured. Imported by each program from its own folder, so that no peer loads refnet."""

from typing import NamedTuple

import numpy as np


class Work(NamedTuple):
    """A network, and an epoch of it.

    Attributes:
        sizes: of the input and of each Dense layer; relu between them.
        loss: 'squared error', 'softmax cross-entropy' (integer labels) or 'sigmoid cross-entropy'.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    steps: int
    loss: str

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Random samples, the same for every program."""
        random = np.random.default_rng(1)
        count = self.batch * self.steps
        x = random.standard_normal((count, self.sizes[0]), dtype=np.float32)
        if self.loss == "squared error":
            return x, random.standard_normal((count, 1), dtype=np.float32)
        if self.loss == "sigmoid cross-entropy":
            return x, random.integers(0, 2, (count, 1)).astype(np.float32)
        return x, random.integers(0, self.sizes[-1], count).astype(np.int32)


WORKS = {
    work.name: work
    for work in (
        Work("13-64-64-1 batch 1", (13, 64, 64, 1), 1, 1000, "squared error"),
        Work("784-512-10 batch 128", (784, 512, 10), 128, 60, "softmax cross-entropy"),
        Work("10000-16-16-1 batch 512", (10000, 16, 16, 1), 512, 10, "sigmoid cross-entropy"),
    )
}
LEARNING_RATE = 1e-3
