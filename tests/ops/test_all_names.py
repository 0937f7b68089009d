"""Every op that refnet promises is there, under the name that Keras gives it."""

import pytest

import refnet.ops
import refnet.random
import refnet_fast.ops
import refnet_fast.random

NAMES = {
    "elementwise, one argument": """abs negative sign square sqrt cbrt rsqrt reciprocal exp exp2 expm1 log log1p log2 log10
        sin cos tan sinc arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh erf erfc erfinv floor ceil round trunc
        isfinite isinf isnan logical_not cast nan_to_num""",
    "elementwise, more arguments": """add subtract multiply divide true_divide divide_no_nan floor_divide mod power maximum
        minimum fmod arctan2 logaddexp equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor
        bitwise_and bitwise_or bitwise_xor left_shift right_shift where clip""",
    "activation": """relu relu6 leaky_relu elu selu celu gelu silu swish sigmoid log_sigmoid softplus softsign hard_sigmoid
        hard_silu hard_swish hard_tanh hard_shrink soft_shrink tanh_shrink mish squareplus threshold glu softmax log_softmax
        sparsemax""",
    "reduction": """sum prod mean var std moments max min argmax argmin any all logsumexp count_nonzero norm cumsum cumprod
        average median quantile""",
    "contraction": "matmul dot tensordot einsum outer inner vdot",
    "shape": """reshape transpose swapaxes moveaxis expand_dims squeeze broadcast_to concatenate stack split unstack repeat tile
        flip roll pad slice get_item meshgrid tri tril triu eye diag arange linspace zeros ones full zeros_like ones_like
        full_like""",
    "index": """take take_along_axis scatter scatter_update slice_update one_hot multi_hot segment_sum segment_max bincount sort
        argsort top_k in_top_k searchsorted digitize unique nonzero""",
    "convolution": "conv conv_transpose depthwise_conv separable_conv",
    "pooling": "max_pool average_pool adaptive_average_pool adaptive_max_pool",
    "normalization": """batch_normalization layer_normalization group_normalization instance_normalization rms_normalization
        normalize""",
    "recurrent": "simple_rnn lstm gru scan",
    "attention": "dot_product_attention",
    "loss": "binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy ctc_loss ctc_decode",
    "random": """random.uniform random.normal random.truncated_normal random.randint random.bernoulli random.categorical
        random.shuffle random.permutation random.gamma random.binomial random.dropout""",
    "image": """image.resize image.affine_transform image.extract_patches image.crop_images image.pad_images
        image.rgb_to_grayscale image.rgb_to_hsv image.hsv_to_rgb""",
    "optimizer": """sgd_update sgd_momentum_update rmsprop_update adagrad_update adadelta_update adam_update adamw_update
        adamax_update nadam_update ftrl_update lion_update clip_by_value clip_by_norm clip_by_global_norm""",
    "beyond the list": """nansum nanprod nancumsum nancumprod nanmax nanmin nanargmax nanargmin nanmean nanvar nanstd nanmedian
        nanquantile nanpercentile percentile isclose allclose isin isneginf isposinf isreal signbit real imag conj conjugate angle
        fabs fmax fmin hypot heaviside ldexp logaddexp2 deg2rad rad2deg saturate_cast gcd lcm i0 append hstack vstack dstack
        array_split hsplit vsplit dsplit fliplr flipud rot90 depth_to_space space_to_depth rearrange size ndim unravel_index
        diagonal trace diagflat diff ptp trapezoid vander cross kron correlate cdist corrcoef histogram geomspace bartlett
        blackman hamming hanning kaiser unfold fold extract_sequences select switch amax amin bitwise_invert bitwise_not
        bitwise_left_shift bitwise_right_shift array copy empty empty_like is_tensor argpartition segment_min segment_prod
        associative_scan nextafter vectorize identity cholesky cholesky_inverse
        det slogdet logdet inv solve solve_triangular lu_factor qr lstsq fft fft2
        ifft2 rfft irfft stft istft psnr image.ssim image.gaussian_blur image.sobel_edges
        image.map_coordinates image.perspective_transform image.elastic_transform image.scale_and_translate
        image.extract_patches_3d""",
    "control": """stop_gradient cond while_loop fori_loop map vectorized_map shape dtype convert_to_tensor
        convert_to_numpy""",
}
ALL = [(family, name) for family, names in NAMES.items() for name in names.split()]


def found(package, name):
    for part in name.split("."):
        package = getattr(package, part)
    return package


@pytest.mark.parametrize("family, name", ALL, ids=[name for _, name in ALL])
def test_the_op_is_there_in_both_packages(family, name):
    pair = (refnet.random, refnet_fast.random) if family == "random" else (refnet.ops, refnet_fast.ops)
    for package in pair:
        assert callable(found(package, name.removeprefix("random.")))


def test_nothing_is_listed_twice():
    assert len(ALL) == len({name for _, name in ALL})
