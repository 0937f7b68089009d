"""Axes taken apart and put together otherwise: blocks of pixels as channels, and patterns of axes."""

from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.arguments import converted, integer, shape_of
from refnet.ops.arranging import product
from refnet.ops.resizing import channels_last as is_channels_last

# ---- blocks of pixels


def blocks(op: str, x: TensorLike, block_size: Any, data_format: Any) -> tuple[TensorLike, int, bool]:
    """A batch of images, the side of a block, and whether channels are last."""
    x, side = converted(op, x), integer(op, block_size, "block_size")
    last = is_channels_last(op, data_format)
    if len(shape_of(x)) != 4 or None in shape_of(x)[1:]:
        raise ShapeError(f"{op} takes a batch of images of known size; got shape {tuple(shape_of(x))}.")
    if side < 1:
        raise ArgumentError(f"{op}: block_size must be at least 1; got {block_size!r}.")
    return x, side, last


def depth_to_space(x: TensorLike, block_size: int, data_format: str | None = "channels_last") -> TensorLike:
    """Channels laid out as blocks of pixels.

        y[n, i B + p, j B + q, c] = x[n, i, j, (p B + q) C + c]              with channels last, C channels in the result
        y[n, c, i B + p, j B + q] = x[n, (c B + p) B + q, i, j]              with channels first

    Args:
        x: a batch of images of known size, of any dtype.
        block_size: B.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        x's dtype; height and width times B, the channels divided by B * B.
    NaN: copied. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: another number of axes, channels that B * B does not divide.  ArgumentError: a B below 1.
    Source: Keras 3 `ops.depth_to_space`.

    >>> depth_to_space(np.arange(4).reshape(1, 1, 1, 4), 2)[0, :, :, 0]
    array([[0, 1],
           [2, 3]])
    """
    x, b, last = blocks("depth_to_space", x, block_size, data_format)
    count, given = ops.shape(x)[0], tuple(shape_of(x))
    channels, height, width = (given[3], given[1], given[2]) if last else given[1:]
    if channels % (b * b):
        raise ShapeError(f"depth_to_space: {channels} channels do not make blocks of {b} x {b} pixels.")
    c = channels // (b * b)
    if last:
        parts = ops.transpose(ops.reshape(x, (count, height, width, b, b, c)), (0, 1, 3, 2, 4, 5))
        return ops.reshape(parts, (count, height * b, width * b, c))
    parts = ops.transpose(ops.reshape(x, (count, c, b, b, height, width)), (0, 1, 4, 2, 5, 3))
    return ops.reshape(parts, (count, c, height * b, width * b))


def space_to_depth(x: TensorLike, block_size: int, data_format: str | None = "channels_last") -> TensorLike:
    """Blocks of pixels laid out as channels: the reverse of `depth_to_space`.

        y[n, i, j, (p B + q) C + c] = x[n, i B + p, j B + q, c]              with channels last, C channels in x
        y[n, (c B + p) B + q, i, j] = x[n, c, i B + p, j B + q]              with channels first

    Args:
        x: a batch of images of known size, of any dtype.
        block_size: B.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        x's dtype; height and width divided by B, the channels times B * B.
    NaN: copied. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: another number of axes, a height or width that B does not divide.  ArgumentError: a B below 1.
    Source: Keras 3 `ops.space_to_depth`.

    >>> space_to_depth(np.arange(4).reshape(1, 2, 2, 1), 2)[0, 0]
    array([[0, 1, 2, 3]])
    """
    x, b, last = blocks("space_to_depth", x, block_size, data_format)
    count, given = ops.shape(x)[0], tuple(shape_of(x))
    channels, height, width = (given[3], given[1], given[2]) if last else given[1:]
    if height % b or width % b:
        raise ShapeError(f"space_to_depth: images of {height} x {width} pixels are not made of blocks of {b} x {b}.")
    if last:
        parts = ops.reshape(x, (count, height // b, b, width // b, b, channels))
        return ops.reshape(ops.transpose(parts, (0, 1, 3, 2, 4, 5)), (count, height // b, width // b, channels * b * b))
    parts = ops.reshape(x, (count, channels, height // b, b, width // b, b))
    return ops.reshape(ops.transpose(parts, (0, 1, 3, 5, 2, 4)), (count, channels * b * b, height // b, width // b))


# ---- einops


def rearrange(tensor: TensorLike, pattern: str, **axes_lengths: int) -> TensorLike:
    """Axes taken apart, put in another order and joined, as a pattern says.

    Args:
        tensor: an array or tensor of any dtype.
        pattern: names of axes, "->", and the same names; those in parentheses are parts of one axis, the first varying slowest.
        axes_lengths: the lengths of parts; of each axis one may be left out.
    Returns:
        tensor's dtype.
    NaN: copied. Empty: an empty result.
    Raises:
        ArgumentError: a pattern that is none, other names on the two sides.  ShapeError: lengths that do not fit.
    Source: Keras 3 `ops.rearrange`; Rogozhnikov 2022 (einops).

    >>> rearrange(np.arange(4), "(a b) -> b a", a=2)
    array([[0, 2],
           [1, 3]])
    """
    x = converted("rearrange", tensor, "tensor")
    sides = pattern.split("->") if isinstance(pattern, str) else []
    if len(sides) != 2:
        raise ArgumentError(f"rearrange: a pattern reads like 'b h w c -> b (h w) c'; got {pattern!r}.")
    before, after = (grouped(pattern, side) for side in sides)
    names, wanted = ([n for group in side for n in group] for side in (before, after))
    if sorted(names) != sorted(wanted) or len(set(names)) != len(names):
        raise ArgumentError(f"rearrange: both sides of {pattern!r} must have the same names, each once.")
    if len(before) != len(shape_of(x)):
        raise ShapeError(f"rearrange: {pattern!r} describes {len(before)} axes; x has shape {tuple(shape_of(x))}.")
    lengths: dict[str, Any] = {k: integer("rearrange", v, k) for k, v in axes_lengths.items()}
    strange = set(lengths) - set(names)
    if strange:
        raise ArgumentError(f"rearrange: {pattern!r} has no axis called {sorted(strange)[0]!r}.")
    for group, extent in zip(before, ops.shape(x)):
        left_over(pattern, group, extent, lengths)
    apart = ops.reshape(x, [lengths[n] for n in names])
    moved = ops.transpose(apart, [names.index(n) for n in wanted]) if names else apart
    return ops.reshape(moved, [product([lengths[n] for n in group]) for group in after])


def grouped(pattern: str, side: str) -> list[list[str]]:
    """The names on one side of a pattern, axis by axis."""
    groups: list[list[str]] = []
    inside = False
    for word in side.replace("(", " ( ").replace(")", " ) ").split():
        if word in "()":
            if inside == (word == "("):
                raise ArgumentError(f"rearrange: the parentheses of {pattern!r} do not go together.")
            inside = word == "("
            groups += [[]] if inside else []
        elif not word.isidentifier():
            raise ArgumentError(f"rearrange: {word!r} in {pattern!r} is no name of an axis.")
        elif inside:
            groups[-1].append(word)
        else:
            groups.append([word])
    if inside:
        raise ArgumentError(f"rearrange: the parentheses of {pattern!r} do not go together.")
    return groups


def left_over(pattern: str, group: list[str], extent: Any, lengths: dict[str, Any]) -> None:
    """Fills in the one length of an axis's parts that is not given."""
    open_ = [n for n in group if n not in lengths]
    known = product([lengths[n] for n in group if n in lengths])
    if len(open_) > 1:
        raise ArgumentError(f"rearrange: give the length of {open_[0]} or of {open_[1]} in {pattern!r}.")
    if isinstance(extent, int) and isinstance(known, int):
        if known < 0 or (extent % known if known and open_ else known != extent and not open_):
            raise ShapeError(f"rearrange: an axis of length {extent} does not have parts {tuple(group)} of {lengths}.")
        if open_:
            lengths[open_[0]] = extent // known if known else 0
    elif open_:
        lengths[open_[0]] = extent if known == 1 else ops.floor_divide(extent, known)
