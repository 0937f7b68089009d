"""Every deep-learning op. The loops in the files beside this are the definitions.

On arrays an op computes at once; on symbolic tensors it adds a node to the graph. Names, argument order and meaning are those
of Keras 3's `keras.ops`.
"""

from refnet.gradients import gradients
from refnet.ops.contraction import matmul
from refnet.ops.elementwise import add, multiply
from refnet.ops.reduction import sum
from refnet.ops.shapes import broadcast_to, expand_dims, reshape, shape, squeeze, transpose
