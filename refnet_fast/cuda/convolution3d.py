"""Convolution of volumes: `cuda/convolution.py` with one spatial axis more."""

from refnet.ops.convolution3d import conv3d_inputs_gradient_loop, conv3d_kernel_gradient_loop, conv3d_loop
from refnet_fast.cuda.contraction import declare, real
from refnet_fast.cuda.convolution import products, worth_tiles


def index5(at, shape):
    pixel = at // shape[4]
    row = pixel // shape[3]
    layer = row // shape[2]
    return layer // shape[1], layer % shape[1], row % shape[2], pixel % shape[3], at % shape[4]


VOLUMES = products("conv3d", (conv3d_loop, conv3d_inputs_gradient_loop, conv3d_kernel_gradient_loop), index5)
for name, product_of in VOLUMES.items():
    declare(name, f"{name}_tiled", product_of, lambda call, of=product_of: real(call) and worth_tiles(call, of))
