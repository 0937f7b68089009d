"""Calls of convolutions: every extent by itself, strides beyond the window, dilation, groups, padding before and after."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


class Slides:
    """A kernel over an image: the shapes of image, kernel and result, and the attributes."""

    def __init__(self, draw: Draw, rank: int):
        longest = 2 if rank == 3 else 3
        groups, sizes = draw.choice((1, 1, 2, 3)), draw.several(rank, longest)
        strides, dilation = draw.several(rank, 4), draw.several(rank, 2)
        within, filters = draw.integer(1, 3), groups * draw.integer(1, 2)
        before = tuple(draw.integer(0, (size - 1) * step) for size, step in zip(sizes, dilation))
        windows = draw.several(rank, longest)
        image = []
        for count, size, stride, step, ahead in zip(windows, sizes, strides, dilation, before):
            needed = (count - 1) * stride + (size - 1) * step + 1 - ahead
            image.append(max(1, needed + draw.integer(-1, stride - 1)))  # the last window may reach out, too
        batch = draw.extent(longest=2)
        self.x, self.kernel = (batch, *image, within * groups), (*sizes, within, filters)
        self.y = (batch, *windows, filters)
        self.attributes = {"groups": groups, "strides": strides, "dilation": dilation, "padding": before}

    def call(self, draw: Draw, dtype: str, a: Any, b: Any, extents: Any) -> Any:
        return [draw.array(a, dtype), draw.array(b, dtype)], {**self.attributes, "extents": tuple(extents)}


def rank_of(name: str) -> int:
    return 3 if "3d" in name else 2


for _name in ("conv2d", "conv3d"):

    @strategy(_name)
    def conv_calls(draw: Draw, rank: int = rank_of(_name)) -> Any:
        slides = Slides(draw, rank)
        return slides.call(draw, draw.real(), slides.x, slides.kernel, slides.y[1:-1])

    @strategy(f"{_name}_inputs_gradient")
    def conv_inputs_gradient_calls(draw: Draw, rank: int = rank_of(_name)) -> Any:
        slides = Slides(draw, rank)
        return slides.call(draw, draw.floating(), slides.y, slides.kernel, slides.x[1:-1])

    @strategy(f"{_name}_kernel_gradient")
    def conv_kernel_gradient_calls(draw: Draw, rank: int = rank_of(_name)) -> Any:
        slides = Slides(draw, rank)
        return slides.call(draw, draw.floating(), slides.x, slides.y, slides.kernel[:-2])


def slid(draw: Draw) -> Any:
    """Arguments that the public functions share: rank, spatial extents, kernel sizes, keywords."""
    rank = draw.choice((1, 2, 2, 3))
    sizes = draw.several(rank, 3)
    dilation = draw.several(rank, 2)
    padding = draw.choice(("valid", "same", "SAME"))
    spans = [(size - 1) * step + 1 for size, step in zip(sizes, dilation)]
    extents = tuple(draw.integer(span if padding == "valid" else 1, 5) for span in spans)
    keywords = {
        "strides": draw.choice((1, 2, draw.several(rank, 4))),
        "padding": padding,
        "data_format": draw.choice((None, "channels_last", "channels_first")),
        "dilation_rate": dilation,
    }
    return rank, extents, sizes, keywords


def image(draw: Draw, extents: tuple[int, ...], channels: int, keywords: dict[str, Any]) -> Any:
    batch = draw.extent(longest=2)
    first = keywords["data_format"] == "channels_first"
    return draw.array((batch, channels, *extents) if first else (batch, *extents, channels), "float32")


@usage("conv")
def conv_usages(draw: Draw) -> Any:
    rank, extents, sizes, keywords = slid(draw)
    if rank == 1 and draw.flag():
        keywords["padding"] = "causal"
    groups, channels = draw.choice((1, 2)), draw.integer(1, 2)
    kernel = draw.array((*sizes, channels, groups * draw.integer(1, 2)), "float32")
    return (image(draw, extents, channels * groups, keywords), kernel), keywords


@usage("depthwise_conv")
def depthwise_conv_usages(draw: Draw) -> Any:
    _, extents, sizes, keywords = slid(draw)
    channels = draw.integer(1, 3)
    return (image(draw, extents, channels, keywords), draw.array((*sizes, channels, 2), "float32")), keywords


@usage("separable_conv")
def separable_conv_usages(draw: Draw) -> Any:
    rank, extents, sizes, keywords = slid(draw)
    channels, each = draw.integer(1, 3), draw.integer(1, 2)
    kernels = draw.array((*sizes, channels, each), "float32"), draw.array((*(1,) * rank, channels * each, 3), "float32")
    return (image(draw, extents, channels, keywords), *kernels), keywords


@usage("conv_transpose")
def conv_transpose_usages(draw: Draw) -> Any:
    rank, extents, sizes, keywords = slid(draw)
    keywords["output_padding"] = draw.choice((None, 0, draw.several(rank, 2)))
    channels = draw.integer(1, 2)
    return (image(draw, extents, channels, keywords), draw.array((*sizes, 3, channels), "float32")), keywords


_image, _kernel = np.zeros((2, 5, 4, 4)), np.zeros((3, 2, 4, 6))
for _name, _wrong in (("conv", (3, 2, 3, 6)), ("depthwise_conv", (3, 2, 2, 6)), ("conv_transpose", (3, 2, 6, 3))):
    refuse(_name, _image, np.zeros(_wrong), error=ShapeError, words=f"{_name} needs")
    _right = _kernel if _name != "conv_transpose" else np.zeros((3, 2, 6, 4))
    refuse(_name, np.zeros((2, 4)), _right, error=ShapeError, words="1 to 3 spatial axes")
    refuse(_name, _image, _right[0], error=ShapeError, words=f"{_name} needs a kernel of 4 known axes")
    refuse(_name, _image, _right[:0], error=ShapeError, words=f"{_name} needs a kernel of 4 known axes")
    refuse(_name, _image, _right, strides=(2, 0), error=ArgumentError, words="strides must be at least 1")
    refuse(_name, _image, _right, strides=(1, 2, 3), error=ArgumentError, words="an integer or a tuple of 2")
    refuse(_name, _image, _right, strides=2**40, error=ArgumentError, words="below 2**31")
    refuse(_name, _image, _right, strides=1.5, error=ArgumentError, words="strides must be an integer")
    refuse(_name, _image, _right, dilation_rate=0, error=ArgumentError, words="dilation_rate must be at least 1; got 0")
    refuse(_name, _image, _right, padding="full", error=ArgumentError, words="'valid' or 'same'; got 'full'")
    refuse(_name, _image, _right, padding="causal", error=ArgumentError, words="'valid' or 'same'; got 'causal'")
    refuse(_name, _image, _right, data_format="NCHW", error=ArgumentError, words="data_format must be 'channels_last'")
    refuse(_name, _image != 0, _right != 0, error=DtypeError, words=f"{_name} needs numbers")
refuse(
    "conv",
    _image,
    np.zeros((3, 2, 2, 5)),
    error=ShapeError,
    words="2 groups, which must divide the number of filters; got 5",
)
refuse(
    "conv",
    _image[:, :2],
    _kernel,
    error=ShapeError,
    words="a window of (3, 2) does not fit into spatial axes of (2, 4)",
)
refuse(
    "conv", _image, _kernel, dilation_rate=(3, 1), error=ShapeError, words="((7, 2) with dilation (3, 1)) does not fit"
)
refuse("depthwise_conv", _image[:, :2], _kernel, error=ShapeError, words="depthwise_conv: a window of (3, 2)")
refuse(
    "separable_conv",
    _image,
    _kernel,
    np.zeros((3, 1, 24, 2)),
    error=ShapeError,
    words="separable_conv needs a pointwise kernel",
)
refuse(
    "separable_conv",
    _image,
    _kernel,
    np.zeros((1, 1, 23, 2)),
    error=ShapeError,
    words="gives 24 channels; got (1, 1, 23, 2)",
)
refuse(
    "separable_conv",
    _image,
    _kernel[:, :, :3],
    np.zeros((1, 1, 24, 2)),
    error=ShapeError,
    words="separable_conv needs a kernel",
)
refuse("conv_transpose", _image, np.zeros((3, 2, 6, 4)), output_padding=-1, error=ArgumentError, words="at least 0")
refuse("conv_transpose", _image, np.zeros((3, 2, 0, 6)), error=ShapeError, words="none empty")
