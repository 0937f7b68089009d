"""Softmax cross-entropy over rows of logits, and its gradients: a warp or a block a row, bound by memory."""

from numba import cuda, float64

from refnet_fast.cuda import rows
from refnet_fast.cuda.kernels import kernel
from refnet_fast.cuda.rows import MOST, exp, largest_of, log, row_largest, row_sum, working


def shape_of_rows(call):
    """That of the logits or the probabilities, wherever they stand."""
    return next(view.shape for view in call.form.inputs if len(view.shape) == 2)


def worth_sharing(call):
    """Rows long enough to share among the threads of a warp."""
    count, classes = shape_of_rows(call)
    labels = [p for p, spec in enumerate(call.inputs) if not spec.dtype.startswith("int")]
    return rows.floating(call, *labels) and classes >= rows.WARP and count > 0


def blocks(call):
    return rows.grid(*shape_of_rows(call))


def threads(call):
    return rows.block(shape_of_rows(call)[1])


@kernel("softmax_cross_entropy", when=worth_sharing, grid=blocks, block=threads)
def softmax_cross_entropy_rows(x, t, loss, p):
    """The largest and the sum of exponentials; then probabilities and what the prediction wastes, in one pass."""
    room = cuda.shared.array(MOST, float64)
    row, thread = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.threadIdx.x
    here = min(row, x.shape[0] - 1)  # threads beyond the last row work on it, and store nothing
    best = largest_of(x[here], thread, cuda.blockDim.x)
    best = working(x, row_largest(best, room))
    total = float64(0)
    for c in range(thread, x.shape[1], cuda.blockDim.x):
        total += float64(exp(working(x, x[here, c]) - best))
    total = row_sum(total, room)
    logarithm, waste = log(total), float64(0)
    for c in range(thread, x.shape[1], cuda.blockDim.x):
        above = working(x, x[here, c]) - best
        waste += float64(t[here, c]) * (logarithm - float64(above))
        if row < x.shape[0]:
            p[row, c] = exp(above) / working(x, total)
    waste = row_sum(waste, room)
    if thread == 0 and row < x.shape[0]:
        loss[row] = waste


@kernel("softmax_cross_entropy_gradient", when=worth_sharing, grid=blocks, block=threads)
def softmax_cross_entropy_gradient_rows(dloss, p, t, dx):
    """The sum of the targets, then dloss * (p * sum - t)."""
    room = cuda.shared.array(MOST, float64)
    row, thread = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.threadIdx.x
    here = min(row, p.shape[0] - 1)
    total = float64(0)
    for c in range(thread, p.shape[1], cuda.blockDim.x):
        total += float64(t[here, c])
    total = row_sum(total, room)
    if row < p.shape[0]:
        for c in range(thread, p.shape[1], cuda.blockDim.x):
            dx[row, c] = float64(dloss[row]) * (float64(p[row, c]) * total - float64(t[row, c]))


@kernel("sparse_softmax_cross_entropy", when=worth_sharing, grid=blocks, block=threads)
def sparse_softmax_cross_entropy_rows(x, labels, loss, p):
    """The largest and the sum of exponentials; then the probabilities, and the loss by the label's own logit."""
    room = cuda.shared.array(MOST, float64)
    row, thread = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, cuda.threadIdx.x
    here = min(row, x.shape[0] - 1)
    best = largest_of(x[here], thread, cuda.blockDim.x)
    best = working(x, row_largest(best, room))
    total = float64(0)
    for c in range(thread, x.shape[1], cuda.blockDim.x):
        total += float64(exp(working(x, x[here, c]) - best))
    total = row_sum(total, room)
    if row < x.shape[0]:
        for c in range(thread, x.shape[1], cuda.blockDim.x):
            p[row, c] = exp(working(x, x[row, c]) - best) / working(x, total)
        if thread == 0:
            label = labels[row]
            chosen = float64(best)  # stands for a label outside the classes, which is reported elsewhere
            if 0 <= label < x.shape[1]:
                chosen = float64(x[row, label])
            loss[row] = log(total) - (chosen - float64(best))


@kernel("sparse_softmax_cross_entropy_gradient", when=worth_sharing, grid=blocks, block=threads)
def sparse_softmax_cross_entropy_gradient_rows(dloss, p, labels, dx):
    """dloss * p, less dloss at the label."""
    row = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
    if row < p.shape[0]:
        slope, label = float64(dloss[row]), labels[row]
        for c in range(cuda.threadIdx.x, p.shape[1], cuda.blockDim.x):
            dx[row, c] = slope * (float64(p[row, c]) - 1) if c == label else slope * float64(p[row, c])
