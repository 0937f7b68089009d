"""Convolution of volumes: `cuda/convolution.py` with one spatial axis more."""

from refnet.ops.convolution3d import conv3d_inputs_gradient_loop, conv3d_kernel_gradient_loop, conv3d_loop
from refnet_fast.cuda.convolution import declare_family


def index5(at, shape):
    pixel = at // shape[4]
    row = pixel // shape[3]
    layer = row // shape[2]
    return layer // shape[1], layer % shape[1], row % shape[2], pixel % shape[3], at % shape[4]


declare_family("conv3d", (conv3d_loop, conv3d_inputs_gradient_loop, conv3d_kernel_gradient_loop), index5)
