"""Every deep-learning op. The loops in the files beside this are the definitions.

On arrays an op computes at once; on symbolic tensors it adds a node to the graph. Names, argument order and meaning are those
of Keras 3's `keras.ops`.
"""

from refnet.gradients import gradients
from refnet.ops import image, linalg, nn, numpy
from refnet.ops.accumulation import cumprod, cumsum
from refnet.ops.activation import (
    elu,
    gelu,
    linear,
    log_softmax,
    relu,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    swish,
)
from refnet.ops.adaptive import adaptive_average_pool, adaptive_max_pool
from refnet.ops.arithmetic import (
    deg2rad,
    fabs,
    fmax,
    fmin,
    gcd,
    heaviside,
    hypot,
    i0,
    lcm,
    ldexp,
    logaddexp2,
    rad2deg,
    saturate_cast,
)
from refnet.ops.arranging import (
    append,
    array_split,
    dsplit,
    dstack,
    fliplr,
    flipud,
    hsplit,
    hstack,
    ndim,
    rot90,
    size,
    unravel_index,
    vsplit,
    vstack,
)
from refnet.ops.attention import dot_product_attention
from refnet.ops.bits import bitwise_and, bitwise_or, bitwise_xor, left_shift, right_shift
from refnet.ops.blocks import depth_to_space, rearrange, space_to_depth
from refnet.ops.choosing import (
    amax,
    amin,
    argpartition,
    array,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_not,
    bitwise_right_shift,
    copy,
    empty,
    empty_like,
    is_tensor,
    segment_min,
    segment_prod,
    select,
    switch,
)
from refnet.ops.clipping import clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
from refnet.ops.closeness import (
    allclose,
    angle,
    conj,
    conjugate,
    imag,
    isclose,
    isin,
    isneginf,
    isposinf,
    isreal,
    real,
    signbit,
)
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
    logical_xor,
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
from refnet.ops.convolution import conv
from refnet.ops.ctc import ctc_loss
from refnet.ops.ctc_decoding import ctc_decode
from refnet.ops.custom_gradient import custom_gradient, jvp
from refnet.ops.cutting import slice
from refnet.ops.depthwise import depthwise_conv, separable_conv
from refnet.ops.differences import diff, ptp, trapezoid
from refnet.ops.division import divide, divide_no_nan, floor_divide, fmod, mod, power, reciprocal, true_divide
from refnet.ops.elementwise import abs, absolute, add, maximum, minimum, multiply, negative, sign, square, subtract
from refnet.ops.elimination import det, inv, logdet, lu_factor, slogdet, solve
from refnet.ops.extremum import argmax, argmin, max, min
from refnet.ops.filling import arange, eye, full, full_like, identity, ones, ones_like, zeros, zeros_like
from refnet.ops.filtering import gaussian_blur, psnr, sobel_edges, ssim
from refnet.ops.fourier import fft, fft2, ifft2, irfft, istft, rfft, stft
from refnet.ops.grids import diag, linspace, logspace, meshgrid, tri, tril, triu
from refnet.ops.grouping import group_normalization, instance_normalization, normalize, rms_normalization
from refnet.ops.image import (
    crop_images,
    extract_patches,
    extract_patches_3d,
    hsv_to_rgb,
    pad_images,
    rgb_to_grayscale,
    rgb_to_hsv,
)
from refnet.ops.indexing import one_hot, take, take_along_axis, take_x_gradient
from refnet.ops.intervals import geomspace, histogram
from refnet.ops.joining import concatenate, split, stack
from refnet.ops.linalg import (
    cholesky,
    cholesky_inverse,
    solve_triangular,
)
from refnet.ops.loss import binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy
from refnet.ops.mapping import elastic_transform, map_coordinates, perspective_transform, scale_and_translate
from refnet.ops.matrices import (
    cdist,
    corrcoef,
    correlate,
    cross,
    diagflat,
    diagonal,
    kron,
    trace,
    vander,
)
from refnet.ops.nans import (
    nanargmax,
    nanargmin,
    nancumprod,
    nancumsum,
    nanmax,
    nanmean,
    nanmedian,
    nanmin,
    nanpercentile,
    nanprod,
    nanquantile,
    nanstd,
    nansum,
    nanvar,
)
from refnet.ops.normalization import batch_normalization, batch_normalization_training
from refnet.ops.optimizer import adam_rate, adam_update, rmsprop_update, sgd_momentum_update, sgd_update
from refnet.ops.optimizer_adam import adamax_rate, adamax_update, adamw_update, nadam_rates, nadam_update
from refnet.ops.optimizer_adaptive import adadelta_update, adagrad_update, ftrl_update, lion_update
from refnet.ops.optimizer_normed import adafactor_update, lamb_update, muon_update, schedule_free_adamw_update
from refnet.ops.orthogonal import lstsq, qr
from refnet.ops.padding import pad
from refnet.ops.piecewise import (
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    leaky_relu,
    relu6,
    soft_shrink,
    sparse_plus,
    sparse_sigmoid,
    threshold,
)
from refnet.ops.pooling import average_pool, max_pool
from refnet.ops.quantiles import median, percentile, quantile
from refnet.ops.recurrent_gru import gru
from refnet.ops.recurrent_lstm import lstm
from refnet.ops.recurrent_simple import simple_rnn
from refnet.ops.reduction import all, any, count_nonzero, prod, sum
from refnet.ops.repeating import repeat, roll, tile, unstack
from refnet.ops.resizing import resize
from refnet.ops.rounding import ceil, floor, nan_to_num, round, trunc
from refnet.ops.row_normalization import layer_normalization
from refnet.ops.scanning import associative_scan
from refnet.ops.scattering import scatter, scatter_update, slice_update
from refnet.ops.segments import bincount, multi_hot, segment_max, segment_sum
from refnet.ops.shapes import broadcast_to, expand_dims, moveaxis, ravel, reshape, shape, squeeze, swapaxes, transpose
from refnet.ops.slicing import flip, get_item, slice_inputs_gradient
from refnet.ops.smooth import celu, glu, log_sigmoid, mish, squareplus, tanh_shrink
from refnet.ops.sorting import argsort, digitize, in_top_k, nonzero, searchsorted, sort, top_k, unique
from refnet.ops.spacing import nextafter
from refnet.ops.sparsemax import sparsemax
from refnet.ops.special import cbrt, erfc, erfinv, exp2, log2, log10, logaddexp
from refnet.ops.statistics import average, logsumexp, mean, moments, norm, std, var
from refnet.ops.tapers import bartlett, blackman, extract_sequences, fold, hamming, hanning, kaiser, unfold
from refnet.ops.tensor_products import dot, einsum, inner, outer, tensordot, vdot
from refnet.ops.transposed import conv_transpose
from refnet.ops.trigonometry import (
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    cos,
    cosh,
    sin,
    sinc,
    sinh,
    tan,
)
from refnet.ops.unary import cast, erf, exp, expm1, log, log1p, rsqrt, sqrt, stop_gradient, tanh
from refnet.ops.vectorizing import vectorize
from refnet.ops.warping import affine_transform
