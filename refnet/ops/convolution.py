"""Convolution: each output element sums the products of a kernel with the window of the input that it lies on.

Three definitions belong together, each linear in both of its arguments: the convolution, and its gradients with respect to the
inputs and the kernel. Each one's gradients are the other two. One axis is convolved as an image of height 1.
"""

from collections.abc import Callable
from typing import Any

from refnet.annotations import Array, Shape, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, size_of, whole
from refnet.errors import DtypeError, ShapeError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import dtype_of, promoted, shape_of
from refnet.ops.shapes import expand_dims, squeeze
from refnet.ops.windows import (
    channels_as_given,
    channels_last,
    checked_data_format,
    checked_padding,
    extents_of_windows,
    for_each_axis,
    places_before,
    reach,
    spatial_rank,
)

Integers = tuple[int, ...]


def conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    """The convolution of 1, 2 or 3 spatial axes (the kernel is not flipped: strictly, a cross-correlation).

        y[n, i, j, f] = sum over p, q, c of  x[n, i*s0 + p*d0 - top, j*s1 + q*d1 - left, c] * kernel[p, q, c, f]

    Elements outside the image do not take part.

    Args:
        inputs: (batch, ..., channels), or (batch, channels, ...) with "channels_first"; any dtype but bool.
        kernel: (..., channels / groups, filters). Where it has fewer channels than the inputs, channels and filters fall into
            that many groups, and a filter sees only the channels of its group.
        strides: s0, s1: places from one window to the next; one integer, or one for each spatial axis.
        padding: "valid" (windows inside the image), "same" (ceil(size / stride) windows; an odd place goes to the end), or, on one
            axis, "causal" (all padding before the start, so that y[i] sees nothing after x[i]).
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
        dilation_rate: d0, d1: places from one kernel element to the next.
    Returns:
        (batch, ..., filters), or with the filters second; the promoted dtype. Integers wrap around.
    NaN: a window that holds one gives NaN, as does 0 * inf inside it; padding multiplies nothing. Empty: an empty batch gives
        an empty result.
    Raises:
        ShapeError: ranks, channels or filters that do not fit, no kernel element, a kernel larger than the image.
        ArgumentError: strides or dilation below 1, unknown padding or data format.  DtypeError: bool.
    Source: Chollet 5.1.1; Keras 3 `ops.conv`, whose dtype is the kernel's.

    >>> conv(np.arange(9.0).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1)))[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    x, kernel = operands("conv", inputs, kernel)
    rank = spatial_rank("conv", x)
    geometry = {
        "strides": for_each_axis("conv", "strides", strides, rank),
        "dilation": for_each_axis("conv", "dilation_rate", dilation_rate, rank),
        "padding": checked_padding("conv", padding, ("valid", "same", "causal") if rank == 1 else ("valid", "same")),
    }
    data_format = checked_data_format("conv", data_format)
    x = channels_last(x, data_format)
    groups = checked_groups("conv", shape_of(x), shape_of(kernel))
    return channels_as_given(conv_op(x, kernel, groups=groups, **geometry, caller="conv"), data_format)


def operands(op: str, inputs: TensorLike, kernel: TensorLike) -> list[TensorLike]:
    """Both in their common dtype. Raises DtypeError for bool, which has no sums."""
    x, kernel = promoted(op, inputs, kernel)
    if dtype_of(x) == "bool":
        raise DtypeError(f"{op} needs numbers; got inputs and kernel of dtype bool. Cast one of them, with ops.cast.")
    return [x, kernel]


def checked_groups(op: str, x: Shape, kernel: Shape) -> int:
    """How many groups the channels fall into. Raises ShapeError where channels and filters do not divide."""
    if len(kernel) != len(x) or None in kernel or 0 in kernel[:-1]:
        raise ShapeError(
            f"{op} needs a kernel of {len(x)} known axes (spatial, channels, filters), none but the last empty, "
            f"for inputs of rank {len(x)}; got shape {kernel}."
        )
    channels, of_kernel, filters = x[-1], kernel[-2], kernel[-1]
    if channels is None or channels % of_kernel or channels == 0:
        raise ShapeError(
            f"{op} needs inputs whose number of channels the kernel's {of_kernel} divide; got {channels} channels "
            f"(inputs with channels last {x}, kernel {kernel})."
        )
    groups = int(channels // of_kernel)
    if filters % groups:
        raise ShapeError(
            f"{op}: {channels} channels and a kernel of {of_kernel} make {groups} groups, which must divide "
            f"the number of filters; got {filters}."
        )
    return groups


# ---- at open shapes: ops that choose padding and extents when the program is planned.
# A third input, read for its shape only, says how long the spatial axes of the result are.


def conv_rule(x: Spec, kernel: Spec, *like: Spec, caller: str, groups: int, **geometry: Any) -> Spec:
    extents = like[0].shape[1:-1] if like else _extents(caller, x, kernel, **geometry)
    return Spec((x.shape[0], *extents, kernel.shape[-1]), x.dtype)


def _extents(caller: str, x: Spec, kernel: Spec, *, strides: Integers, dilation: Integers, padding: str) -> Shape:
    return extents_of_windows(caller, x.shape[1:-1], kernel.shape[:-2], strides, dilation, padding)


def before(x: Shape, sizes: Shape, *, strides: Integers, dilation: Integers, padding: str | Integers) -> Integers:
    """The padding before each spatial axis of an image of shape x: as given, or as its name says."""
    if not isinstance(padding, str):
        return padding
    spans = [reach(size, step) for size, step in zip(sizes, dilation)]
    return tuple(places_before(n, span, step, padding) for n, span, step in zip(x[1:-1], spans, strides))


def conv_expanded(
    x: TensorLike, kernel: TensorLike, *like: TensorLike, caller: str, groups: int, **a: Any
) -> TensorLike:
    specs = [Spec(shape_of(v), "") for v in (x, kernel, *like)]
    extents = conv_rule(*specs, caller=caller, groups=groups, **a).shape[1:-1]
    padding = before(shape_of(x), shape_of(kernel)[:-2], **a)
    return on_primitive("conv", x, kernel, groups, extents, **{**a, "padding": padding})


def inputs_gradient_rule(
    dy: Spec, kernel: Spec, *like: Spec, caller: str, groups: int, strides: Integers, tails: Shape = (), **_: Any
) -> Spec:
    """`tails`, where there is no third input: the places of the image from the last window's first one on."""
    extents = (None if n is None else (n - 1) * step + t for n, step, t in zip(dy.shape[1:-1], strides, tails))
    spatial = like[0].shape[1:-1] if like else tuple(extents)
    if any(n is not None and n < 0 for n in spatial):
        raise ShapeError(f"{caller}: inputs of shape {tuple(dy.shape)} have no element to spread along a spatial axis.")
    return Spec((dy.shape[0], *spatial, kernel.shape[-2] * groups), dy.dtype)


def inputs_gradient_expanded(
    dy: TensorLike, kernel: TensorLike, *like: TensorLike, caller: str, groups: int, tails: Shape = (), **a: Any
) -> TensorLike:
    specs = [Spec(shape_of(v), "") for v in (dy, kernel, *like)]
    image = inputs_gradient_rule(*specs, caller=caller, groups=groups, tails=tails, **a).shape
    padding = before(image, shape_of(kernel)[:-2], **a)
    return on_primitive("inputs_gradient", dy, kernel, groups, image[1:-1], **{**a, "padding": padding})


def kernel_gradient_rule(x: Spec, dy: Spec, *, groups: int, sizes: Integers, **_: Any) -> Spec:
    return Spec((*sizes, x.shape[-1] // groups, dy.shape[-1]), x.dtype)


def kernel_gradient_expanded(
    x: TensorLike, dy: TensorLike, *, caller: str, groups: int, sizes: Integers, **a: Any
) -> TensorLike:
    padding = before(shape_of(x), sizes, **a)
    return on_primitive("kernel_gradient", x, dy, groups, sizes, **{**a, "padding": padding})


def on_primitive(
    what: str,
    a: TensorLike,
    b: TensorLike,
    groups: int,
    extents: Shape,
    *,
    strides: Integers,
    dilation: Integers,
    padding: Integers,
) -> TensorLike:
    """The primitive for 2 or 3 spatial axes; one axis is the width of an image of height 1."""
    from refnet.ops import convolution3d as volumes

    images = {
        "conv": conv2d_op,
        "inputs_gradient": conv2d_inputs_gradient_op,
        "kernel_gradient": conv2d_kernel_gradient_op,
    }
    a_height, b_height, height = HEIGHT[what]
    flat = len(strides) == 1
    if flat:
        a, b = expand_dims(a, a_height), expand_dims(b, b_height)
        strides, dilation, padding, extents = (1, *strides), (1, *dilation), (0, *padding), (1, *extents)
    op = (volumes.conv3d if len(strides) == 3 else images)[what]
    y = op(a, b, groups=groups, strides=strides, dilation=dilation, padding=padding, extents=tuple(extents))
    return squeeze(y, height) if flat else y


# Which axis is the height of the first array, the second and the result.
HEIGHT = {"conv": (1, 0, 1), "inputs_gradient": (1, 0, 1), "kernel_gradient": (1, 1, 0)}


def conv_gradient(node: Node, dy: Tensor) -> list[TensorLike]:
    x, kernel, *like = node.inputs
    dx = inputs_gradient_op(dy, kernel, x, **node.attributes)
    return [dx, kernel_gradient_op(x, dy, sizes=kernel.shape[:-2], **node.attributes), *[None] * len(like)]


def inputs_gradient_gradient(node: Node, d: Tensor) -> list[TensorLike]:
    dy, kernel, *like = node.inputs
    a = {name: value for name, value in node.attributes.items() if name != "tails"}
    of_kernel = kernel_gradient_op(d, dy, sizes=kernel.shape[:-2], **a)
    return [conv_op(d, kernel, dy, **a), of_kernel, *[None] * len(like)]


def kernel_gradient_gradient(node: Node, d: Tensor) -> list[TensorLike]:
    x, dy = node.inputs
    a = {name: value for name, value in node.attributes.items() if name != "sizes"}
    return [inputs_gradient_op(dy, d, x, **a), conv_op(x, d, dy, **a)]


conv_op: Op = Op("conv", conv_rule, expand=conv_expanded, gradient=conv_gradient, shape_only=(2,))
inputs_gradient_op: Op = Op(
    "conv_inputs_gradient",
    inputs_gradient_rule,
    expand=inputs_gradient_expanded,
    gradient=inputs_gradient_gradient,
    shape_only=(2,),
)
kernel_gradient_op: Op = Op(
    "conv_kernel_gradient",
    kernel_gradient_rule,
    expand=kernel_gradient_expanded,
    gradient=kernel_gradient_gradient,
)


# ---- the definitions. `padding` is the number of places before the first row and column of the image.


def conv2d_loop(
    tasks: Tasks, x: Array, kernel: Array, strides: Integers, dilation: Integers, padding: Integers, y: Array
) -> None:
    for n, i, j, f in tasks:
        first = group_of(f, y.shape[3], x.shape[3] // kernel.shape[2]) * kernel.shape[2]
        total = 0
        for p in range(kernel.shape[0]):
            for q in range(kernel.shape[1]):
                row = i * strides[0] + p * dilation[0] - padding[0]
                col = j * strides[1] + q * dilation[1] - padding[1]
                if 0 <= row < x.shape[1] and 0 <= col < x.shape[2]:
                    for c in range(kernel.shape[2]):
                        total += x[n, row, col, first + c] * kernel[p, q, c, f]
        y[n, i, j, f] = total


def conv2d_inputs_gradient_loop(
    tasks: Tasks, dy: Array, kernel: Array, strides: Integers, dilation: Integers, padding: Integers, dx: Array
) -> None:
    # Gathers: each pixel asks every kernel element for the window in which that element lies on it.
    for n, row, col, c in tasks:
        groups = dx.shape[3] // kernel.shape[2]
        filters = dy.shape[3] // groups
        first = group_of(c, dx.shape[3], groups) * filters
        total = 0
        for p in range(kernel.shape[0]):
            for q in range(kernel.shape[1]):
                i = (row + padding[0] - p * dilation[0]) // strides[0]
                j = (col + padding[1] - q * dilation[1]) // strides[1]
                met = i * strides[0] + p * dilation[0] == row + padding[0]
                met = met and j * strides[1] + q * dilation[1] == col + padding[1]
                if met and 0 <= i < dy.shape[1] and 0 <= j < dy.shape[2]:
                    for f in range(filters):
                        total += dy[n, i, j, first + f] * kernel[p, q, c % kernel.shape[2], first + f]
        dx[n, row, col, c] = total


def conv2d_kernel_gradient_loop(
    tasks: Tasks, x: Array, dy: Array, strides: Integers, dilation: Integers, padding: Integers, dkernel: Array
) -> None:
    for p, q, c, f in tasks:
        first = group_of(f, dy.shape[3], x.shape[3] // dkernel.shape[2]) * dkernel.shape[2]
        total = 0
        for n in range(dy.shape[0]):
            for i in range(dy.shape[1]):
                for j in range(dy.shape[2]):
                    row = i * strides[0] + p * dilation[0] - padding[0]
                    col = j * strides[1] + q * dilation[1] - padding[1]
                    if 0 <= row < x.shape[1] and 0 <= col < x.shape[2]:
                        total += x[n, row, col, first + c] * dy[n, i, j, f]
        dkernel[p, q, c, f] = total


def group_of(member: int, members: int, groups: int) -> int:
    """The group that a channel or a filter belongs to: equal runs of neighbours."""
    return member // (members // groups)


def check_groups(groups: int, channels: int | None, depth: int | None, filters: int | None) -> None:
    """Raises ShapeError unless the channels are `depth` of each group, and each group has as many of the filters.

    The public functions say it more kindly, with the names of their arguments.
    """
    divided = groups >= 1 and (filters is None or filters % groups == 0)
    if not divided or (channels is not None and depth is not None and channels != depth * groups):
        raise ShapeError(
            f"convolution: {groups} groups do not share {channels} channels, {depth} of each, and {filters} filters."
        )


def image_rule(x: Spec, kernel: Spec, *, groups: int, extents: Integers, **_: Any) -> Spec:
    check_groups(groups, x.shape[-1], *kernel.shape[-2:])
    return Spec((x.shape[0], *extents, kernel.shape[-1]), x.dtype)


def image_gradient_rule(dy: Spec, kernel: Spec, *, groups: int, extents: Integers, **_: Any) -> Spec:
    check_groups(groups, None, *kernel.shape[-2:])
    return Spec((dy.shape[0], *extents, kernel.shape[-2] * groups), dy.dtype)


def image_kernel_rule(x: Spec, dy: Spec, *, groups: int, extents: Integers, **_: Any) -> Spec:
    check_groups(groups, x.shape[-1], x.shape[-1] // max(groups, 1), dy.shape[-1])
    return Spec((*extents, x.shape[-1] // groups, dy.shape[-1]), x.dtype)


def _form(a: Spec, b: Spec, result: Spec, terms: int, given: dict[str, Any]) -> Form:
    attributes = (given["strides"], given["dilation"], given["padding"])
    return Form((whole(a), whole(b)), attributes, (whole(result),), tuple(result.shape), cost=terms)


def image_form(x: Spec, kernel: Spec, **a: Any) -> Form:
    return _form(x, kernel, image_rule(x, kernel, **a), size_of(kernel.shape[:-1]), a)


def image_gradient_form(dy: Spec, kernel: Spec, **a: Any) -> Form:
    terms = size_of(kernel.shape[:-2]) * kernel.shape[-1] // a["groups"]
    return _form(dy, kernel, image_gradient_rule(dy, kernel, **a), terms, a)


def image_kernel_form(x: Spec, dy: Spec, **a: Any) -> Form:
    return _form(x, dy, image_kernel_rule(x, dy, **a), size_of(dy.shape[:-1]), a)


def gradients_among(family: Callable[[], tuple[Op, Op, Op]]) -> tuple[Callable[..., list[TensorLike]], ...]:
    """The gradients of a convolution, of its inputs gradient and of its kernel gradient, each by the other two.

    family: gives the three ops once they exist.
    """

    def shared(node: Node) -> dict[str, Any]:
        return {name: value for name, value in node.attributes.items() if name != "extents"}

    def of_conv(node: Node, dy: Tensor) -> list[TensorLike]:
        (x, kernel), a = node.inputs, shared(node)
        _, to_inputs, to_kernel = family()
        return [to_inputs(dy, kernel, extents=x.shape[1:-1], **a), to_kernel(x, dy, extents=kernel.shape[:-2], **a)]

    def of_inputs_gradient(node: Node, d: Tensor) -> list[TensorLike]:
        (dy, kernel), a = node.inputs, shared(node)
        convolve, _, to_kernel = family()
        return [convolve(d, kernel, extents=dy.shape[1:-1], **a), to_kernel(d, dy, extents=kernel.shape[:-2], **a)]

    def of_kernel_gradient(node: Node, d: Tensor) -> list[TensorLike]:
        (x, dy), a = node.inputs, shared(node)
        convolve, to_inputs, _ = family()
        return [to_inputs(dy, d, extents=x.shape[1:-1], **a), convolve(x, d, extents=dy.shape[1:-1], **a)]

    return of_conv, of_inputs_gradient, of_kernel_gradient


_of_conv, _of_inputs_gradient, _of_kernel_gradient = gradients_among(
    lambda: (conv2d_op, conv2d_inputs_gradient_op, conv2d_kernel_gradient_op)
)
conv2d_op: Op = Op(
    "conv2d",
    image_rule,
    loop=conv2d_loop,
    form=image_form,
    gradient=_of_conv,
    axes="images height width channels, rows columns depth filters",
)
conv2d_inputs_gradient_op: Op = Op(
    "conv2d_inputs_gradient",
    image_gradient_rule,
    loop=conv2d_inputs_gradient_loop,
    form=image_gradient_form,
    gradient=_of_inputs_gradient,
    axes="images down across filters, rows columns depth filters",
)
conv2d_kernel_gradient_op: Op = Op(
    "conv2d_kernel_gradient",
    image_kernel_rule,
    loop=conv2d_kernel_gradient_loop,
    form=image_kernel_form,
    gradient=_of_kernel_gradient,
    axes="images height width channels, images down across filters",
)
