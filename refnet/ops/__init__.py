"""Every deep-learning op. The loops in the files beside this are the definitions.

On arrays an op computes at once; on symbolic tensors it adds a node to the graph. Names, argument order and meaning are those
of Keras 3's `keras.ops`.
"""

from refnet.gradients import gradients
from refnet.ops.accumulation import cumprod, cumsum
from refnet.ops.activation import (
    elu,
    gelu,
    hard_sigmoid,
    leaky_relu,
    linear,
    log_softmax,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
)
from refnet.ops.attention import dot_product_attention
from refnet.ops.comparison import (
    clip,
    equal,
    greater,
    greater_equal,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    not_equal,
    where,
)
from refnet.ops.contraction import matmul
from refnet.ops.control import (
    cond,
    convert_to_numpy,
    convert_to_tensor,
    dtype,
    fori_loop,
    map,
    scan,
    vectorized_map,
    while_loop,
)
from refnet.ops.ctc import ctc_decode, ctc_loss
from refnet.ops.division import divide, floor_divide, mod, power, reciprocal, true_divide
from refnet.ops.elementwise import abs, absolute, add, maximum, minimum, multiply, negative, sign, square, subtract
from refnet.ops.extremum import argmax, argmin, max, min
from refnet.ops.filling import arange, eye, full, full_like, ones, ones_like, zeros, zeros_like
from refnet.ops.grouping import group_normalization, instance_normalization, normalize, rms_normalization
from refnet.ops.indexing import one_hot, take, take_along_axis, take_x_gradient
from refnet.ops.joining import concatenate, stack
from refnet.ops.loss import binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy
from refnet.ops.normalization import batch_normalization, batch_normalization_training
from refnet.ops.optimizer import adam_rate, adam_update, rmsprop_update, sgd_momentum_update, sgd_update
from refnet.ops.padding import pad
from refnet.ops.recurrent_gru import gru
from refnet.ops.recurrent_lstm import lstm
from refnet.ops.recurrent_simple import simple_rnn
from refnet.ops.reduction import all, any, count_nonzero, prod, sum
from refnet.ops.row_normalization import layer_normalization
from refnet.ops.shapes import broadcast_to, expand_dims, moveaxis, ravel, reshape, shape, squeeze, swapaxes, transpose
from refnet.ops.slicing import flip, get_item, slice, slice_inputs_gradient, split
from refnet.ops.statistics import average, logsumexp, mean, moments, norm, std, var
from refnet.ops.tensor_products import dot, einsum, inner, outer, tensordot, vdot
from refnet.ops.unary import cast, erf, exp, expm1, identity, log, log1p, rsqrt, sqrt, stop_gradient, tanh
