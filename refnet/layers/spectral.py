"""Spectral normalization: a layer whose kernel is kept at a largest singular value of 1."""

from typing import Any

from refnet import dtypes, initializers, ops
from refnet.errors import ArgumentError
from refnet.graph import Variable
from refnet.layers.checks import whole
from refnet.layers.lora import Adaptable
from refnet.layers.wrappers import Wrapper

MOST = 1000  # iterations: a few are enough, and a file may ask for any number of them


class SpectralNormalization(Wrapper):
    """A layer whose kernel is divided, in each call in training, by its largest singular value.

        v = normalize(u W^T),  u = normalize(v W),  sigma = v W u^T,  kernel = kernel / sigma

    W is the kernel as a matrix of columns, one for each output. u is kept from call to call, so that it comes closer to the
    singular vector. A kernel of zeros stays.

    Args:
        layer: a layer with a `kernel` (Dense, Conv2D, ...) or `embeddings`.
        power_iterations: how often v and u are computed in turns at each call, at most 1000.
    Raises:
        ArgumentError: something that is no layer, or has no kernel.
    Source: Miyato et al. 2018; Keras 3 `SpectralNormalization`.

    >>> from refnet.layers import Dense
    >>> SpectralNormalization(Dense(5)).compute_output_shape((None, 3))
    (None, 5)
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **more: Any):
        super().__init__(layer, **more)
        self.power_iterations = whole(self.name, "power_iterations", power_iterations, 1)
        if self.power_iterations > MOST:
            raise ArgumentError(
                f"{self.name}: power_iterations must be at most {MOST}, as each is a part of the graph; got {power_iterations}."
            )

    def build(self, input_shape: Any) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True
        kernel = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if kernel is None:
            raise ArgumentError(
                f"{self.name} wraps a layer with a kernel or with embeddings; {self.layer.name} has neither."
            )
        if not isinstance(kernel, Variable):
            raise ArgumentError(
                f"{self.name} normalizes a kernel that is a weight; {self.layer.name} adds an adapter (LoRA) to its own. Leave one of "
                "the two out."
            )
        if not dtypes.is_floating(kernel.dtype):
            raise ArgumentError(
                f"{self.name} normalizes a kernel of floats; that of {self.layer.name} is {kernel.dtype}. Leave one of the two out."
            )
        if isinstance(self.layer, Adaptable):
            self.layer.normalized_by = self.name
        self.kernel = kernel  # and so one of this layer's own weights too, as in Keras, in files and lists
        start = initializers.TruncatedNormal(stddev=0.02)
        self.vector_u = self.add_weight(
            (1, kernel.shape[-1]), start, dtype=kernel.dtype, trainable=False, name="vector_u"
        )

    def samples_apart(self, rank: int | None) -> bool:
        return False

    def call(self, inputs: Any, training: Any = None) -> Any:
        if training:
            self.normalize_kernel()
        return self.layer(inputs)

    def normalize_kernel(self) -> None:
        """Assigns the kernel divided by its largest singular value, and the vector that found it."""
        matrix = ops.reshape(self.kernel, (-1, self.kernel.shape[-1]))
        u, v = self.vector_u, None
        for _ in range(self.power_iterations):
            v = ops.normalize(ops.matmul(u, ops.transpose(matrix)))
            u = ops.normalize(ops.matmul(v, matrix))
        sigma = ops.reshape(ops.matmul(ops.matmul(v, matrix), ops.transpose(u)), ())
        empty = ops.all(ops.equal(self.kernel, 0.0))
        kernel = ops.where(empty, self.kernel, ops.divide(self.kernel, sigma))
        self.vector_u.assign(ops.where(empty, self.vector_u, u))
        self.kernel.assign(kernel)
