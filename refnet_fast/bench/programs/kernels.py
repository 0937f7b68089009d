"""Single ops that are measured against PyTorch's: `python -m refnet_fast.bench --kernels`. No peer loads refnet through it."""

from typing import NamedTuple

import numpy as np


class KernelWork(NamedTuple):
    """One op on random float32.

    Attributes:
        kind: 'product' (rows, steps, columns); 'convolution', 'kernel gradient' or 'inputs gradient' (images, extent, channels,
            filters, padding) of a 3x3 convolution; 'lstm' (batch, time, features, units), forwards and backwards; 'fft' (signals, places)
            of complex numbers; else an elementwise function or 'softmax' of (rows, columns).
    """

    name: str
    kind: str
    sizes: tuple[int, ...]

    def normal(self, *shape: int) -> np.ndarray:
        return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)

    def convolution(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Images, kernel, and the gradient of the result."""
        images, extent, channels, filters, padding = self.sizes
        width = extent + 2 * padding - 2
        return (
            self.normal(images, extent, extent, channels),
            self.normal(3, 3, channels, filters),
            self.normal(images, width, width, filters),
        )


def _convolutions(label: str, *sizes: int, first: bool = False) -> list[KernelWork]:
    kinds = ["convolution", "kernel gradient"] + ["inputs gradient"] * (not first)
    return [KernelWork(f"{label}, {kind}", kind, sizes) for kind in kinds]


KERNELS = {
    work.name: work
    for work in (
        KernelWork("product 128x784x512", "product", (128, 784, 512)),
        KernelWork("product 512x10000x16", "product", (512, 10000, 16)),
        KernelWork("product 1024x1024x1024", "product", (1024, 1024, 1024)),
        KernelWork("product 128x512x512", "product", (128, 512, 512)),
        *_convolutions("3x3 on 64 x 28x28x1 to 32", 64, 28, 1, 32, 0, first=True),
        *_convolutions("3x3 on 64 x 13x13x32 to 64", 64, 13, 32, 64, 0),
        *_convolutions("3x3 on 64 x 56x56x64 to 64", 64, 56, 64, 64, 1),
        KernelWork("LSTM 128 units, 128 x 100 x 32, both ways", "lstm", (128, 100, 32, 128)),
        KernelWork("LSTM 32 units, 128 x 100 x 32, both ways", "lstm", (128, 100, 32, 32)),
        *[
            KernelWork(f"Fourier's transform, {signals} x {places}", "fft", (signals, places))
            for signals, places in ((64, 512), (8, 4096), (8, 4099), (1, 65536))
        ],
        *[KernelWork(f"{kind} of 4 million", kind, (4000, 1000)) for kind in ("exp", "tanh", "log", "erf", "softmax")],
    )
}
