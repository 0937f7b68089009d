"""Convolution and its gradients as products of matrices that are never laid out: a's elements are found in the image itself."""

import functools

from refnet.definition import size_of
from refnet.ops.convolution import conv2d_inputs_gradient_loop, conv2d_kernel_gradient_loop, conv2d_loop
from refnet_fast.cuda.contraction import Product, declare, numpy_type, real
from refnet_fast.cuda.target import simulated

FEWEST = 8  # filters of a group for which a tile pays


def index4(at, shape):
    pixel = at // shape[3]
    row = pixel // shape[2]
    return row // shape[1], row % shape[1], pixel % shape[2], at % shape[3]


def window_rows(call, definition, index_of):
    """conv: a row for each window, a term for each tap and channel; b is the kernel as it lies."""
    x, kernel = (view.shape for view in call.form.inputs)
    (y,) = (view.shape for view in call.form.outputs)
    strides, dilation, padding = call.form.attributes
    channels, filters = kernel[-2:]
    groups = x[-1] // channels
    ones, zeros = (1,) * len(strides), (0,) * len(strides)
    return Product(
        rows=size_of(y[:-1]),
        columns=filters // groups,
        terms=size_of(kernel[:-1]),
        lead=groups,
        leads=(channels, filters // groups, filters // groups),
        steps=(filters, 1, x[-1]),
        rows_of=(1, strides, tuple(-p for p in padding), size_of(x[1:]), 0, 0),
        terms_of=(channels, dilation, zeros, 0, channels * filters, filters),
        image=(y[1:-1], x[1:-1], ones, kernel[:-2]),
        given=(strides, dilation, padding),
        options=options(len(strides), definition, index_of, RIGHT_ACROSS=True),
        real=numpy_type(call),
    )


def pixel_rows(call, definition, index_of):
    """conv_inputs_gradient: a row for each pixel, a term for each tap and filter; taps whose window is none give 0."""
    dy, kernel = (view.shape for view in call.form.inputs)
    (dx,) = (view.shape for view in call.form.outputs)
    strides, dilation, padding = call.form.attributes
    channels, filters = kernel[-2:]
    groups = dx[-1] // channels
    ones, zeros = (1,) * len(strides), (0,) * len(strides)
    return Product(
        rows=size_of(dx[:-1]),
        columns=channels,
        terms=size_of(kernel[:-2]) * (filters // groups),
        lead=groups,
        leads=(filters // groups, filters // groups, channels),
        steps=(dx[-1], filters, filters),
        rows_of=(1, ones, padding, size_of(dy[1:]), 0, 0),
        terms_of=(filters // groups, tuple(-d for d in dilation), zeros, 0, channels * filters, 1),
        image=(dx[1:-1], dy[1:-1], strides, kernel[:-2]),
        given=(strides, dilation, padding),
        options=options(len(strides), definition, index_of, STRIDED=strides != ones),
        real=numpy_type(call),
    )


def tap_rows(call, definition, index_of):
    """conv_kernel_gradient: a row for each tap and channel, a term for each window; b is the output gradient as it lies."""
    x, dy = (view.shape for view in call.form.inputs)
    (dkernel,) = (view.shape for view in call.form.outputs)
    strides, dilation, padding = call.form.attributes
    channels, filters = dkernel[-2:]
    groups = x[-1] // channels
    ones, zeros = (1,) * len(strides), (0,) * len(strides)
    return Product(
        rows=size_of(dkernel[:-1]),
        columns=filters // groups,
        terms=size_of(dy[:-1]),
        lead=groups,
        leads=(channels, filters // groups, filters // groups),
        steps=(filters, 1, x[-1]),
        rows_of=(channels, dilation, tuple(-p for p in padding), 0, 0, 0),
        terms_of=(1, strides, zeros, size_of(x[1:]), filters, 0),
        image=(dkernel[:-2], x[1:-1], ones, dy[1:-1]),
        given=(strides, dilation, padding),
        options=options(len(strides), definition, index_of, LEFT_DOWN=True, RIGHT_ACROSS=True),
        real=numpy_type(call),
    )


def options(axes, definition, index_of, **given):
    """The constants of `product` for an image of so many axes: how neighbouring threads read a and b, how it is done again."""
    return {
        **{"AXES": axes, "STRIDED": False, "LEFT_DOWN": False, "RIGHT_ACROSS": False, "AGAIN": True},
        **{"definition": definition, "index_of": index_of},
        **given,
    }


def products(name, definitions, index_of):
    """{op: `product_of`, as `declare` takes it} of a convolution, its inputs gradient and its kernel gradient."""
    makers = {"": window_rows, "_inputs_gradient": pixel_rows, "_kernel_gradient": tap_rows}
    return {
        name + suffix: functools.partial(maker, definition=definition, index_of=index_of)
        for (suffix, maker), definition in zip(makers.items(), definitions)
    }


def worth_tiles(call, product_of):
    """Whether there is something to do, and the filters of a group fill a good part of a tile."""
    if 0 in (*call.inputs[0].shape, *call.inputs[1].shape, *call.outputs[0].shape):
        return False
    return simulated() or call.attributes["groups"] == 1 or product_of(call).columns >= FEWEST


IMAGES = products("conv2d", (conv2d_loop, conv2d_inputs_gradient_loop, conv2d_kernel_gradient_loop), index4)
for name, product_of in IMAGES.items():
    declare(name, f"{name}_tiled", product_of, lambda call, of=product_of: real(call) and worth_tiles(call, of))
