"""Every deep-learning op. The loops in the files beside this are the definitions.

On arrays an op computes at once; on symbolic tensors it adds a node to the graph. Names, argument order and meaning are those
of Keras 3's `keras.ops`.
"""

from refnet.gradients import gradients
from refnet.ops.contraction import matmul
from refnet.ops.elementwise import add, multiply
from refnet.ops.filling import arange, eye, full, full_like, ones, ones_like, zeros, zeros_like
from refnet.ops.joining import concatenate, stack
from refnet.ops.reduction import sum
from refnet.ops.shapes import broadcast_to, expand_dims, moveaxis, ravel, reshape, shape, squeeze, swapaxes, transpose
from refnet.ops.slicing import flip, get_item, pad, slice, slice_inputs_gradient, split
from refnet.ops.indexing import one_hot, take, take_along_axis, take_x_gradient
from refnet.ops.optimizer import adam_rate, adam_update, rmsprop_update, sgd_momentum_update, sgd_update
