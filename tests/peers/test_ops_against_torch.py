"""A second opinion that shares no code: PyTorch against the reference in float64, for every op it has, gradients included.

Convolution, pooling, normalization and recurrent ops have files of their own beside this one.
"""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.gradients import gradients
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing.closeness import close

pytestmark = pytest.mark.peers

CALLS = 5  # of each op
WIDE, OPEN, UNIT, ABOVE_ONE, POSITIVE = (-3, 3), (-0.95, 0.95), (0.01, 0.99), (1.05, 4), (0.1, 4)

PAIR, ROWS = ((3, 4), (2, 1, 4)), ((5, 4),)


def same(*names, interval=WIDE, shapes=((3, 4),), owner=None, as_named=None):
    """Ops that have one name and one meaning: {name: (refnet's function, PyTorch's, shapes, interval)}"""
    import torch

    owner = owner or torch
    return {n: (getattr(ops, n), getattr(owner, (as_named or {}).get(n, n)), shapes, interval) for n in names}


def elementwise_cases():
    """One element at a time."""
    return {
        **same(
            "abs", "negative", "square", "exp", "exp2", "expm1", "sin", "cos", "sinc", "arctan", "sinh", "cosh", "tanh"
        ),
        **same("arcsinh", "erf", "erfc", "sigmoid", "sign", "floor", "ceil", "round", "trunc"),
        **same("sqrt", "rsqrt", "reciprocal", "log", "log1p", "log2", "log10", interval=POSITIVE),
        **same("tan", "arcsin", "arccos", "arctanh", "erfinv", interval=OPEN),
        **same("arccosh", interval=ABOVE_ONE),
        **same("add", "subtract", "multiply", "maximum", "minimum", "arctan2", "logaddexp", shapes=PAIR),
        **same("divide", "power", "fmod", shapes=PAIR, interval=POSITIVE, as_named={"power": "pow"}),
    }


def activation_cases():
    """Activations."""
    import torch.nn.functional as f

    return {
        **same("relu", "relu6", "elu", "selu", "celu", "silu", "softplus", "softsign", "mish", "glu", owner=f),
        "swish": (ops.swish, f.silu, ROWS, WIDE),
        "gelu": (lambda x: ops.gelu(x, approximate=False), f.gelu, ROWS, WIDE),
        "gelu by tanh": (lambda x: ops.gelu(x, approximate=True), lambda x: f.gelu(x, approximate="tanh"), ROWS, WIDE),
        "leaky_relu": (lambda x: ops.leaky_relu(x, 0.2), lambda x: f.leaky_relu(x, 0.2), ROWS, WIDE),
        "log_sigmoid": (ops.log_sigmoid, f.logsigmoid, ROWS, WIDE),
        "hard_sigmoid": (ops.hard_sigmoid, lambda x: f.relu6(x + 3) / 6, ROWS, WIDE),  # its own slope is float32's 1/6
        "hard_silu": (ops.hard_silu, f.hardswish, ROWS, WIDE),
        "hard_tanh": (ops.hard_tanh, f.hardtanh, ROWS, WIDE),
        "hard_shrink": (ops.hard_shrink, f.hardshrink, ROWS, WIDE),
        "soft_shrink": (ops.soft_shrink, f.softshrink, ROWS, WIDE),
        "tanh_shrink": (ops.tanh_shrink, f.tanhshrink, ROWS, WIDE),
        "threshold": (lambda x: ops.threshold(x, 0.1, 2.0), lambda x: f.threshold(x, 0.1, 2.0), ROWS, WIDE),
        "softmax": (lambda x: ops.softmax(x, -1), lambda x: f.softmax(x, -1), ROWS, WIDE),
        "log_softmax": (lambda x: ops.log_softmax(x, 0), lambda x: f.log_softmax(x, 0), ROWS, WIDE),
    }


def reduction_cases():
    """Along axes."""
    import torch

    return {
        **same("sum", "prod", "mean", "max", "min"),
        "var": (lambda x: ops.var(x, 0), lambda x: torch.var(x, 0, correction=0), ROWS, WIDE),
        "std": (lambda x: ops.std(x, 0), lambda x: torch.std(x, 0, correction=0), ROWS, WIDE),
        "logsumexp": (lambda x: ops.logsumexp(x, 1), lambda x: torch.logsumexp(x, 1), ROWS, WIDE),
        "norm": (lambda x: ops.norm(x, 3, 1), lambda x: torch.linalg.vector_norm(x, 3, 1), ROWS, WIDE),
        "norm of a matrix": (lambda x: ops.norm(x, 1), lambda x: torch.linalg.matrix_norm(x, 1), ROWS, WIDE),
        "cumsum": (lambda x: ops.cumsum(x, 1), lambda x: torch.cumsum(x, 1), ROWS, WIDE),
        "cumprod": (lambda x: ops.cumprod(x, 1), lambda x: torch.cumprod(x, 1), ROWS, WIDE),
        "median": (lambda x: ops.median(x, 0), lambda x: torch.quantile(x, 0.5, 0), ROWS, WIDE),
        "quantile": (lambda x: ops.quantile(x, 0.3, 1), lambda x: torch.quantile(x, 0.3, 1), ROWS, WIDE),
    }


def product_cases():
    """Sums of products."""
    import torch

    return {
        **same("matmul", shapes=((2, 3, 4), (4, 5))),
        **same("outer", shapes=((3,), (4,))),
        **same("inner", shapes=((2, 3), (4, 3))),
        **same("vdot", shapes=((5,), (5,))),
        "tensordot": (
            lambda a, b: ops.tensordot(a, b, 2),
            lambda a, b: torch.tensordot(a, b, 2),
            ((2, 3, 4), (3, 4, 5)),
            WIDE,
        ),
        "einsum": (
            lambda a, b: ops.einsum("bij,kj->ikb", a, b),
            lambda a, b: torch.einsum("bij,kj->ikb", a, b),
            ((2, 3, 4), (5, 4)),
            WIDE,
        ),
    }


def arranging_cases():
    """The same numbers elsewhere."""
    import torch
    import torch.nn.functional as f

    return {
        "transpose": (lambda x: ops.transpose(x, (2, 0, 1)), lambda x: x.permute(2, 0, 1), ((2, 3, 4),), WIDE),
        "concatenate": (
            lambda a, b: ops.concatenate([a, b], 1),
            lambda a, b: torch.cat([a, b], 1),
            ((3, 2), (3, 4)),
            WIDE,
        ),
        "stack": (lambda a, b: ops.stack([a, b], 1), lambda a, b: torch.stack([a, b], 1), ((3, 4), (3, 4)), WIDE),
        "tile": (lambda x: ops.tile(x, (2, 3)), lambda x: x.tile(2, 3), ROWS, WIDE),
        "repeat": (lambda x: ops.repeat(x, 2, 1), lambda x: x.repeat_interleave(2, 1), ROWS, WIDE),
        "roll": (lambda x: ops.roll(x, 3, 1), lambda x: torch.roll(x, 3, 1), ROWS, WIDE),
        "flip": (lambda x: ops.flip(x, 1), lambda x: torch.flip(x, (1,)), ROWS, WIDE),
        "pad": (lambda x: ops.pad(x, ((0, 0), (1, 2)), "reflect"), lambda x: f.pad(x, (1, 2), "reflect"), ROWS, WIDE),
        **same("tril", "triu", "diag"),
    }


def picking_cases():
    """Elements picked."""
    import torch

    return {
        "clip": (lambda x: ops.clip(x, -1, 1), lambda x: torch.clamp(x, -1, 1), ROWS, WIDE),
        "where": (
            lambda a, b: ops.where(ops.greater(a, 0), a, b),
            lambda a, b: torch.where(a > 0, a, b),
            ((3, 4), (3, 4)),
            WIDE,
        ),
        "take": (lambda x: ops.take(x, [2, 0, 2], 0), lambda x: x[[2, 0, 2]], ROWS, WIDE),
        "get_item": (lambda x: ops.get_item(x, ([0, 2, 2], [1, 3, 3])), lambda x: x[[0, 2, 2], [1, 3, 3]], ROWS, WIDE),
        "sort": (lambda x: ops.sort(x, 1), lambda x: torch.sort(x, 1)[0], ROWS, WIDE),
        "top_k": (lambda x: ops.top_k(x, 2)[0], lambda x: torch.topk(x, 2)[0], ROWS, WIDE),
        "scatter": (
            lambda x: ops.scatter([[1], [3], [1], [0], [3]], x, (6, 4)),
            lambda x: torch.zeros(6, 4, dtype=torch.float64).index_add(0, torch.tensor([1, 3, 1, 0, 3]), x),
            ROWS,
            WIDE,
        ),
    }


def whole_cases():
    """Losses, attention, images."""
    import torch
    import torch.nn.functional as f

    labels = torch.tensor([0, 3, 1, 1, 2])
    return {
        "normalize": (lambda x: ops.normalize(x, -1, 2), lambda x: f.normalize(x, 2.0, -1), ROWS, WIDE),
        "dot_product_attention": (
            ops.dot_product_attention,
            lambda q, k, v: f.scaled_dot_product_attention(*(a.transpose(1, 2) for a in (q, k, v))).transpose(1, 2),
            ((2, 3, 2, 4), (2, 5, 2, 4), (2, 5, 2, 4)),
            WIDE,
        ),
        "sparse_categorical_crossentropy": (
            lambda x: ops.sparse_categorical_crossentropy(labels.numpy(), x, from_logits=True),
            lambda x: f.cross_entropy(x, labels, reduction="none"),
            ROWS,
            WIDE,
        ),
        "binary_crossentropy": (
            lambda x: ops.binary_crossentropy(np.eye(5, 4), x, from_logits=True),
            lambda x: f.binary_cross_entropy_with_logits(x, torch.eye(5, 4, dtype=torch.float64), reduction="none"),
            ROWS,
            WIDE,
        ),
        "affine_transform": (
            lambda x: ops.affine_transform(x, np.array([0.9, 0.2, 0.3, -0.1, 1.1, 0.4, 0, 0])),
            lambda x: sampled(torch, f, x, [[0.9, 0.2, 0.3], [-0.1, 1.1, 0.4]]),
            ((2, 5, 4, 3),),
            WIDE,
        ),
        "resize": (
            lambda x: ops.resize(x, (7, 3)),
            lambda x: f.interpolate(x.movedim(-1, 1), (7, 3), mode="bilinear").movedim(1, -1),
            ((2, 5, 4, 3),),
            WIDE,
        ),
    }


def equation_cases():
    """Linear equations and factors."""
    import torch

    eye = np.eye(4)
    sound = lambda x: ops.add(x, 4 * eye)
    theirs = lambda x: x + 4 * torch.eye(4, dtype=torch.float64)
    square, right = ((2, 4, 4),), ((2, 4, 4), (2, 4, 3))
    symmetric = lambda x: ops.add(ops.matmul(x, ops.swapaxes(x, -1, -2)), eye)
    return {
        "solve": (lambda a, b: ops.solve(sound(a), b), lambda a, b: torch.linalg.solve(theirs(a), b), right, WIDE),
        "solve_triangular": (
            lambda a, b: ops.solve_triangular(sound(a), b, lower=True),
            lambda a, b: torch.linalg.solve_triangular(theirs(a), b, upper=False),
            right,
            OPEN,
        ),
        "inv": (lambda x: ops.inv(sound(x)), lambda x: torch.linalg.inv(theirs(x)), square, OPEN),
        "det": (lambda x: ops.det(sound(x)), lambda x: torch.linalg.det(theirs(x)), square, WIDE),
        "logdet": (lambda x: ops.logdet(sound(x)), lambda x: torch.linalg.slogdet(theirs(x))[1], square, WIDE),
        "lu_factor": (lambda x: ops.lu_factor(x)[0], lambda x: torch.linalg.lu_factor(x)[0], square, WIDE),
        "q of qr": (lambda x: ops.qr(x)[0], lambda x: torch.linalg.qr(x)[0], ((2, 5, 3),), WIDE),
        "r of qr": (lambda x: ops.qr(x)[1], lambda x: torch.linalg.qr(x)[1], ((2, 5, 3),), WIDE),
        "lstsq": (ops.lstsq, lambda a, b: torch.linalg.lstsq(a, b)[0], ((2, 5, 3), (2, 5, 2)), WIDE),
        "cholesky": (
            lambda x: ops.cholesky(symmetric(x)),
            lambda x: torch.linalg.cholesky(x @ x.mT + torch.eye(4, dtype=torch.float64)),
            square,
            WIDE,
        ),
    }


def signal_cases():
    """Fourier's transforms, pieces of images and signals."""
    import torch
    import torch.nn.functional as f

    both, hann = ((3, 6), (3, 6)), torch.hann_window(8, dtype=torch.float64)
    return {
        "fft, real": (
            lambda a, b: ops.fft((a, b))[0],
            lambda a, b: torch.fft.fft(torch.complex(a, b)).real,
            both,
            WIDE,
        ),
        "fft, imaginary": (
            lambda a, b: ops.fft((a, b))[1],
            lambda a, b: torch.fft.fft(torch.complex(a, b)).imag,
            both,
            WIDE,
        ),
        "ifft2": (
            lambda a, b: ops.ifft2((a, b))[0],
            lambda a, b: torch.fft.ifft2(torch.complex(a, b)).real,
            both,
            WIDE,
        ),
        "rfft": (lambda x: ops.rfft(x, 9)[1], lambda x: torch.fft.rfft(x, 9).imag, ((3, 7),), WIDE),
        "irfft": (lambda a, b: ops.irfft((a, b)), lambda a, b: torch.fft.irfft(torch.complex(a, b)), both, WIDE),
        "stft": (
            lambda x: ops.stft(x, 8, 2, 8)[0],
            lambda x: torch.stft(x, 8, 2, window=hann, return_complex=True).real.mT,
            ((2, 20),),
            WIDE,
        ),
        "unfold": (
            lambda x: ops.unfold(x, (2, 3), 1, (1, 0), (2, 1)),
            lambda x: f.unfold(x, (2, 3), 1, (1, 0), (2, 1)),
            ((2, 3, 4, 5),),
            WIDE,
        ),
        "fold": (
            lambda x: ops.fold(x, (4, 5), (2, 3), 1, (1, 0), (2, 1)),
            lambda x: f.fold(x, (4, 5), (2, 3), 1, (1, 0), (2, 1)),
            ((2, 18, 9),),
            WIDE,
        ),
        "depth_to_space": (
            lambda x: ops.depth_to_space(x, 2, "channels_first"),
            lambda x: f.pixel_shuffle(x, 2),
            ((2, 8, 3, 2),),
            WIDE,
        ),
        "space_to_depth": (
            lambda x: ops.space_to_depth(x, 2, "channels_first"),
            lambda x: f.pixel_unshuffle(x, 2),
            ((2, 3, 4, 6),),
            WIDE,
        ),
    }


def composite_cases():
    """What is written with other ops."""
    import torch

    return {
        **same("fmax", "fmin", "hypot", shapes=PAIR),
        "logaddexp2": (ops.logaddexp2, torch.logaddexp2, PAIR, WIDE),
        **same("i0", "trace", "diff", "nansum", "nanmean", "deg2rad", shapes=((4, 4),)),
        "kron": (ops.kron, torch.kron, ((2, 3), (3, 2)), WIDE),
        "cross": (ops.cross, lambda a, b: torch.linalg.cross(a, b), ((4, 3), (4, 3)), WIDE),
        "diagonal": (lambda x: ops.diagonal(x, 1), lambda x: torch.diagonal(x, 1), ((4, 5),), WIDE),
        "rot90": (ops.rot90, torch.rot90, ((3, 4),), WIDE),
        "trapezoid": (ops.trapezoid, lambda y, x: torch.trapezoid(y, x), ((3, 5), (5,)), WIDE),
        "cdist": (ops.cdist, torch.cdist, ((2, 4, 3), (2, 5, 3)), WIDE),
        "corrcoef": (ops.corrcoef, torch.corrcoef, ((3, 6),), WIDE),
        "vander": (lambda x: ops.vander(x, 4), lambda x: torch.stack([x**3, x**2, x, x**0], 1), ((5,),), WIDE),
        "nanmedian": (lambda x: ops.nanmedian(x, 1), lambda x: torch.nanquantile(x, 0.5, 1), ROWS, WIDE),
        "hstack": (lambda a, b: ops.hstack([a, b]), lambda a, b: torch.hstack([a, b]), ((2, 3), (2, 4)), WIDE),
        "dstack": (lambda a, b: ops.dstack([a, b]), lambda a, b: torch.dstack([a, b]), ((2, 3), (2, 3)), WIDE),
    }


def cases():
    """name: (refnet's function, PyTorch's, shapes, interval)"""
    families = (
        *(elementwise_cases, activation_cases, reduction_cases, product_cases, arranging_cases, picking_cases),
        *(whole_cases, equation_cases, signal_cases, composite_cases),
    )
    return {name: case for family in families for name, case in family().items()}


def sampled(torch, f, x, rows):
    """grid_sample, told in its own coordinates: -1 and 1 are the outer borders of the first and the last pixel."""
    height, width = x.shape[1:3]
    i, j = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    col, row = (a * j.double() + b * i.double() + c for a, b, c in rows)
    grid = torch.stack([(2 * col + 1) / width - 1, (2 * row + 1) / height - 1], -1)
    y = f.grid_sample(x.movedim(-1, 1), grid.expand(len(x), -1, -1, -1), align_corners=False)
    return y.movedim(1, -1)


def compare(function, theirs, shapes, interval, seed):
    import torch

    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(*interval, shape) for shape in shapes]
    xs = [Tensor(a.shape, "float64") for a in arrays]
    y = function(*xs)
    dy = rng.normal(size=y.shape)
    found = gradients(ops.sum(ops.multiply(y, dy)), xs)
    slopes = [ops.zeros_like(x) if dx is None else dx for x, dx in zip(xs, found)]
    ours = reference.prepare(Program(xs, [y, *slopes])).run(arrays)
    inputs = [torch.tensor(a, requires_grad=True) for a in arrays]
    result = theirs(*inputs)
    result.backward(torch.tensor(dy).reshape(result.shape))
    expected = [result.detach(), *(x.grad for x in inputs)]
    for a, b in zip(ours, expected, strict=True):
        due = b.numpy()  # sums of up to 128 terms; those that cancel are no larger than the largest result
        close(a, due, 2 * 128, max(1, abs(due).max(initial=0)))


def test_torch_agrees(capsys):
    found = cases()
    refused = {}
    for name, (function, theirs, shapes, interval) in found.items():
        for seed in range(CALLS):
            try:
                compare(function, theirs, shapes, interval, seed)
            except AssertionError as error:
                refused[name] = str(error)
    with capsys.disabled():
        print(f"\nPyTorch: {len(found)} ops, {CALLS * len(found)} calls compared, gradients included")
    assert not refused, refused
    assert len(found) >= 145
