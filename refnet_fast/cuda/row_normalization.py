"""Layer normalization of rows, and its gradient: a warp or a block a row, in float64, bound by memory."""

from numba import cuda, float64

from refnet_fast.cuda import rows
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.rows import MOST, inverse_root, row_sum


def worth_sharing(call):
    """Rows long enough to share among the threads of a warp."""
    count, features = call.form.inputs[0].shape
    return rows.floating(call) and features >= rows.WARP and count > 0


def blocks(call):
    return rows.grid(*call.form.inputs[0].shape)


def threads(call):
    return rows.block(call.form.inputs[0].shape[1])


@kernel("layer_normalization", when=worth_sharing, grid=blocks, block=threads)
def layer_normalization_rows(x, gamma, beta, epsilon, y, mean, variance):
    """A pass for the mean, one for the variance, one for the result; the second and the third find the row in the cache."""
    room = cuda.shared.array(MOST, float64)
    row, thread = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.threadIdx.x
    here = min(row, x.shape[0] - 1)  # threads beyond the last row work on it, and store nothing
    total = float64(0)
    for f in range(thread, x.shape[1], cuda.blockDim.x):
        total += float64(x[here, f])
    center = row_sum(total, room) / x.shape[1]
    total = float64(0)
    for f in range(thread, x.shape[1], cuda.blockDim.x):
        distance = float64(x[here, f]) - center
        total += distance * distance
    square = row_sum(total, room) / x.shape[1]
    slope = inverse_root(square + epsilon)
    if row < x.shape[0]:
        for f in range(thread, x.shape[1], cuda.blockDim.x):
            y[row, f] = (float64(x[row, f]) - center) * slope * float64(gamma[f]) + float64(beta[f])
        if thread == 0:
            mean[row] = center
            variance[row] = square


@kernel("layer_normalization_gradient", when=worth_sharing, grid=blocks, block=threads)
def layer_normalization_gradient_rows(dy, x, mean, variance, gamma, epsilon, dx):
    """What flows back through mean and variance, in one pass; then the result."""
    room = cuda.shared.array(MOST, float64)
    row, thread = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.threadIdx.x
    here = min(row, x.shape[0] - 1)
    center, slope = float64(mean[here]), inverse_root(float64(variance[here]) + epsilon)
    total, product = float64(0), float64(0)
    for f in range(thread, x.shape[1], cuda.blockDim.x):
        above = float64(dy[here, f]) * float64(gamma[f])
        total += above
        product += above * (float64(x[here, f]) - center)
    total = row_sum(total, room) / x.shape[1]
    product = row_sum(product, room) * slope / x.shape[1]
    if row < x.shape[0]:
        for f in range(thread, x.shape[1], cuda.blockDim.x):
            normal = (float64(x[row, f]) - center) * slope
            dx[row, f] = (float64(dy[row, f]) * float64(gamma[f]) - total - normal * product) * slope
