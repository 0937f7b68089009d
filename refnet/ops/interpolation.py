"""One axis read between its places, with weights that fall off with the distance."""

import numpy as np

from refnet import ops
from refnet.annotations import TensorLike
from refnet.ops.arguments import as_dtype, dtype_of, shape_of

KERNELS = {
    **dict.fromkeys(("linear", "bilinear", "trilinear", "triangle"), "linear"),
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), "cubic"),
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}


def scaled_along(
    x: TensorLike, axis: int, m: int, scale: TensorLike, shift: TensorLike, kernel: str, smooth: bool
) -> TensorLike:
    """x, float32 or float64, with m places along an axis whose length is known."""
    weights = weights_between(shape_of(x)[axis], m, scale, shift, kernel, smooth, dtype_of(x))
    return ops.moveaxis(ops.tensordot(x, weights, [[axis], [0]]), -1, axis)


def weights_between(
    n: int, m: int, scale: TensorLike, shift: TensorLike, kernel: str, smooth: bool, dtype: str
) -> TensorLike:
    """(n, m): how much of each of n places each of m new ones takes."""
    step = ops.divide(1.0, scale)
    points = ops.subtract(ops.multiply(ops.subtract(np.arange(m, dtype=dtype) + 0.5, shift), step), 0.5)
    width = ops.maximum(step, 1.0) if smooth else 1.0
    apart = ops.divide(ops.abs(ops.subtract(points, np.arange(n, dtype=dtype)[:, None])), width)
    weights = fall(apart, kernel)
    total = ops.sum(weights, 0, keepdims=True)
    enough = ops.greater(ops.abs(total), 1000 * float(np.finfo(np.float32).eps))
    inside = ops.logical_and(ops.greater_equal(points, -0.5), ops.less_equal(points, n - 0.5))
    share = ops.divide(weights, ops.where(enough, total, 1.0))
    return ops.where(ops.logical_and(enough, inside), share, 0.0)


def mixed(a: TensorLike, b: TensorLike, share: TensorLike) -> TensorLike:
    """a * (1 - share) + b * share, in the dtype of a."""
    share = as_dtype(share, dtype_of(a))
    return ops.add(ops.multiply(ops.subtract(1, share), a), ops.multiply(share, b))


def fall(t: TensorLike, kernel: str) -> TensorLike:
    """How a kernel falls off with the distance t.

    What "linear" and "cubic" mean is said by `resizing.kernel`, one distance at a time within a loop; here it is the same of many.
    tests/ops/test_image.py holds the two together, to the bit.
    """
    if kernel == "linear":
        return ops.maximum(ops.subtract(1, t), 0.0)
    if kernel == "cubic":
        near = ops.add(ops.multiply(ops.multiply(ops.subtract(ops.multiply(t, 1.5), 2.5), t), t), 1)
        far = ops.add(ops.multiply(ops.subtract(ops.multiply(ops.subtract(2.5, ops.multiply(t, 0.5)), t), 4), t), 2)
        return ops.where(ops.greater_equal(t, 2), 0.0, ops.where(ops.greater_equal(t, 1), far, near))
    radius = 3 if kernel == "lanczos3" else 5
    return ops.where(ops.greater(t, radius), 0.0, ops.multiply(ops.sinc(t), ops.sinc(ops.divide(t, float(radius)))))
