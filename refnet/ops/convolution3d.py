"""Convolution of volumes: the definitions of `refnet.ops.convolution` with one spatial axis more."""

from refnet.annotations import Array, Tasks
from refnet.definition import Op
from refnet.ops.convolution import (
    Integers,
    gradients_among,
    group_of,
    image_form,
    image_gradient_form,
    image_gradient_rule,
    image_kernel_form,
    image_kernel_rule,
    image_rule,
)


def conv3d_loop(
    tasks: Tasks, x: Array, kernel: Array, strides: Integers, dilation: Integers, padding: Integers, y: Array
) -> None:
    for n, h, i, j, f in tasks:
        first = group_of(f, y.shape[4], x.shape[4] // kernel.shape[3]) * kernel.shape[3]
        total = 0
        for o in range(kernel.shape[0]):
            for p in range(kernel.shape[1]):
                for q in range(kernel.shape[2]):
                    layer = h * strides[0] + o * dilation[0] - padding[0]
                    row = i * strides[1] + p * dilation[1] - padding[1]
                    col = j * strides[2] + q * dilation[2] - padding[2]
                    if inside(x, layer, row, col):
                        for c in range(kernel.shape[3]):
                            total += x[n, layer, row, col, first + c] * kernel[o, p, q, c, f]
        y[n, h, i, j, f] = total


def conv3d_inputs_gradient_loop(
    tasks: Tasks, dy: Array, kernel: Array, strides: Integers, dilation: Integers, padding: Integers, dx: Array
) -> None:
    # Gathers: each place asks every kernel element for the window in which that element lies on it.
    for n, layer, row, col, c in tasks:
        groups = dx.shape[4] // kernel.shape[3]
        filters = dy.shape[4] // groups
        first = group_of(c, dx.shape[4], groups) * filters
        total = 0
        for o in range(kernel.shape[0]):
            for p in range(kernel.shape[1]):
                for q in range(kernel.shape[2]):
                    h = (layer + padding[0] - o * dilation[0]) // strides[0]
                    i = (row + padding[1] - p * dilation[1]) // strides[1]
                    j = (col + padding[2] - q * dilation[2]) // strides[2]
                    met = h * strides[0] + o * dilation[0] == layer + padding[0]
                    met = met and i * strides[1] + p * dilation[1] == row + padding[1]
                    met = met and j * strides[2] + q * dilation[2] == col + padding[2]
                    if met and inside(dy, h, i, j):
                        for f in range(filters):
                            total += dy[n, h, i, j, first + f] * kernel[o, p, q, c % kernel.shape[3], first + f]
        dx[n, layer, row, col, c] = total


def conv3d_kernel_gradient_loop(
    tasks: Tasks, x: Array, dy: Array, strides: Integers, dilation: Integers, padding: Integers, dkernel: Array
) -> None:
    for o, p, q, c, f in tasks:
        first = group_of(f, dy.shape[4], x.shape[4] // dkernel.shape[3]) * dkernel.shape[3]
        total = 0
        for n in range(dy.shape[0]):
            for h in range(dy.shape[1]):
                for i in range(dy.shape[2]):
                    for j in range(dy.shape[3]):
                        layer = h * strides[0] + o * dilation[0] - padding[0]
                        row = i * strides[1] + p * dilation[1] - padding[1]
                        col = j * strides[2] + q * dilation[2] - padding[2]
                        if inside(x, layer, row, col):
                            total += x[n, layer, row, col, first + c] * dy[n, h, i, j, f]
        dkernel[o, p, q, c, f] = total


def inside(x: Array, layer: int, row: int, col: int) -> bool:
    found: bool = 0 <= layer < x.shape[1] and 0 <= row < x.shape[2] and 0 <= col < x.shape[3]
    return found


_of_conv, _of_inputs_gradient, _of_kernel_gradient = gradients_among(
    lambda: (conv3d_op, conv3d_inputs_gradient_op, conv3d_kernel_gradient_op)
)
conv3d_op: Op = Op(
    "conv3d",
    image_rule,
    loop=conv3d_loop,
    form=image_form,
    gradient=_of_conv,
    axes="volumes height width length channels, layers rows columns depth filters",
)
conv3d_inputs_gradient_op: Op = Op(
    "conv3d_inputs_gradient",
    image_gradient_rule,
    loop=conv3d_inputs_gradient_loop,
    form=image_gradient_form,
    gradient=_of_inputs_gradient,
    axes="volumes down across along filters, layers rows columns depth filters",
)
conv3d_kernel_gradient_op: Op = Op(
    "conv3d_kernel_gradient",
    image_kernel_rule,
    loop=conv3d_kernel_gradient_loop,
    form=image_kernel_form,
    gradient=_of_kernel_gradient,
    axes="volumes height width length channels, volumes down across along filters",
)
conv3d = {
    "conv": conv3d_op,
    "inputs_gradient": conv3d_inputs_gradient_op,
    "kernel_gradient": conv3d_kernel_gradient_op,
}
