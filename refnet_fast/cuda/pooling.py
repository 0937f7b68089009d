"""Pooling of images by windows that do not overlap, one window a thread; neighbouring threads work on neighbouring channels."""

from numba import cuda, float64

from refnet.definition import size_of
from refnet_fast.cuda import rows
from refnet_fast.cuda.kernels import kernel

THREADS = 128


def apart(call):
    """Windows side by side."""
    return rows.floating(call) and call.attributes["pool"] == call.attributes["strides"]


def blocks_of_windows(call):
    """Enough for every window that holds an element of the image, of the results or not."""
    image, pool, before = call.form.outputs[0].shape, call.attributes["pool"], call.attributes["padding"]
    windows = [-(-(n + p) // size) for n, size, p in zip(image[1:3], pool, before)]
    return (-(-image[0] * size_of(windows) * image[3] // THREADS),)


@kernel("max_pool2d_inputs_gradient", when=apart, grid=blocks_of_windows, block=(THREADS,))
def max_pool2d_inputs_gradient_windows(dy, x, pool, strides, padding, dx):
    """Finds the window's first largest element again, gives it the gradient and the others zero: each is written once."""
    down = (x.shape[1] + padding[0] + pool[0] - 1) // pool[0]
    across = (x.shape[2] + padding[1] + pool[1] - 1) // pool[1]
    rest = cuda.grid(1)
    c, rest = rest % x.shape[3], rest // x.shape[3]
    j, rest = rest % across, rest // across
    i, n = rest % down, rest // down
    if n < x.shape[0]:
        top, bottom = max(i * pool[0] - padding[0], 0), min((i + 1) * pool[0] - padding[0], x.shape[1])
        left, right = max(j * pool[1] - padding[1], 0), min((j + 1) * pool[1] - padding[1], x.shape[2])
        best, best_row, best_col = float64(0), -1, -1
        if i < dy.shape[1] and j < dy.shape[2]:
            best, best_row, best_col = float64(x[n, top, left, c]), top, left
            for row in range(top, bottom):
                for col in range(left, right):
                    value = float64(x[n, row, col, c])
                    if value > best or (value != value and best == best):
                        best, best_row, best_col = value, row, col
        for row in range(top, bottom):
            for col in range(left, right):
                if row == best_row and col == best_col:
                    dx[n, row, col, c] = dy[n, i, j, c]
                else:
                    dx[n, row, col, c] = 0


@kernel("average_pool2d_inputs_gradient", when=apart, grid=blocks_of_windows, block=(THREADS,))
def average_pool2d_inputs_gradient_windows(dy, pool, strides, padding, dx):
    """Each element of the window gets an equal share; those of no window get zero."""
    down = (dx.shape[1] + padding[0] + pool[0] - 1) // pool[0]
    across = (dx.shape[2] + padding[1] + pool[1] - 1) // pool[1]
    rest = cuda.grid(1)
    c, rest = rest % dx.shape[3], rest // dx.shape[3]
    j, rest = rest % across, rest // across
    i, n = rest % down, rest // down
    if n < dx.shape[0]:
        top, bottom = max(i * pool[0] - padding[0], 0), min((i + 1) * pool[0] - padding[0], dx.shape[1])
        left, right = max(j * pool[1] - padding[1], 0), min((j + 1) * pool[1] - padding[1], dx.shape[2])
        share = float64(0)
        if i < dy.shape[1] and j < dy.shape[2]:
            share = float64(dy[n, i, j, c]) / ((bottom - top) * (right - left))
        for row in range(top, bottom):
            for col in range(left, right):
                dx[n, row, col, c] = share
