"""Arrays put together, taken apart and turned: what is written with concatenate, split, transpose and flip."""

from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.arguments import checked_axis, converted, dtype_of, entries, integer, promoted, shape_of
from refnet.ops.resizing import channels_last as is_channels_last

# ---- put together


def append(x1: TensorLike, x2: TensorLike, axis: int | None = None) -> TensorLike:
    """One array after another. See `concatenate`.

    Args:
        x1, x2: arrays or tensors of any dtype.
        axis: along which axis; None appends x2.ravel() to x1.ravel().
    Returns:
        The promoted dtype.
    NaN: copied. Empty: an empty part adds nothing.
    Raises:
        ShapeError: other axes of different lengths.  ArgumentError: no such axis.
    Source: Keras 3 `ops.append`.

    >>> append([1, 2], [[3, 4]])
    array([1, 2, 3, 4])
    """
    a, b = promoted("append", converted("append", x1, "x1"), converted("append", x2, "x2"))
    if axis is None:
        return ops.concatenate([ops.ravel(a), ops.ravel(b)])
    return ops.concatenate([a, b], axis)


def parts(op: str, xs: Any) -> list[TensorLike]:
    """The arrays of a list, or the slices of an array; at least one."""
    given = entries(op, xs, "xs") if not hasattr(xs, "shape") else ops.unstack(converted(op, xs, "xs"))
    if not given:
        raise ArgumentError(f"{op} needs at least one array.")
    return [converted(op, x, f"xs[{k}]") for k, x in enumerate(given)]


def hstack(xs: Any) -> TensorLike:
    """Arrays side by side: along the second axis, those with one axis along it.

    Args:
        xs: arrays or tensors of any dtype; single numbers count as arrays of one.
    Returns:
        The promoted dtype.
    NaN: copied. Empty: an empty part adds nothing.
    Raises:
        ShapeError: other axes of different lengths.  ArgumentError: no array at all.
    Source: Keras 3 `ops.hstack`.

    >>> hstack([[1, 2], [3]])
    array([1, 2, 3])
    """
    given = [ops.expand_dims(x, 0) if not len(shape_of(x)) else x for x in parts("hstack", xs)]
    return ops.concatenate(given, 0 if len(shape_of(given[0])) == 1 else 1)


def vstack(xs: Any) -> TensorLike:
    """Arrays below one another: along the first axis, those with one axis as rows.

    Args:
        xs: arrays or tensors of any dtype.
    Returns:
        The promoted dtype.
    NaN: copied. Empty: an empty part adds nothing.
    Raises:
        ShapeError: other axes of different lengths.  ArgumentError: no array at all.
    Source: Keras 3 `ops.vstack`.

    >>> vstack([[1, 2], [3, 4]])
    array([[1, 2],
           [3, 4]])
    """
    return ops.concatenate([with_axes(x, 2) for x in parts("vstack", xs)], 0)


def dstack(xs: Any) -> TensorLike:
    """Arrays behind one another: along the third axis, which those with fewer get.

    Args:
        xs: arrays or tensors of any dtype.
    Returns:
        The promoted dtype.
    NaN: copied. Empty: an empty part adds nothing.
    Raises:
        ShapeError: other axes of different lengths.  ArgumentError: no array at all.
    Source: Keras 3 `ops.dstack`.

    >>> dstack([[1, 2], [3, 4]])
    array([[[1, 3],
            [2, 4]]])
    """
    return ops.concatenate([with_axes(x, 3) for x in parts("dstack", xs)], 2)


def with_axes(x: TensorLike, rank: int) -> TensorLike:
    """x with 2 or 3 axes at least: new ones before a row, and one after a matrix."""
    if len(shape_of(x)) == 0:
        x = ops.expand_dims(x, 0)
    if len(shape_of(x)) == 1:
        x = ops.expand_dims(x, 0)
    return ops.expand_dims(x, 2) if rank == 3 and len(shape_of(x)) == 2 else x


# ---- taken apart


def array_split(x: TensorLike, indices_or_sections: Any, axis: int = 0) -> list[TensorLike]:
    """An array in pieces, of which the first may be longer by one than the last. See `split`.

    Args:
        x: an array or tensor of any dtype; the axis has a known length.
        indices_or_sections: how many pieces, or where to cut.
        axis: along which axis.
    Returns:
        A list of arrays.
    NaN: copied. Empty: pieces may be empty.
    Raises:
        ArgumentError: no piece at all, no such axis.
    Source: Keras 3 `ops.array_split`.

    >>> array_split([1, 2, 3], 2)
    [array([1, 2]), array([3])]
    """
    x = converted("array_split", x)
    axis = checked_axis("array_split", axis, len(shape_of(x)))
    if not isinstance(indices_or_sections, (int, np.integer)):
        return ops.split(x, indices_or_sections, axis)
    count, length = integer("array_split", indices_or_sections, "indices_or_sections"), shape_of(x)[axis]
    if count < 1 or count > 65536:
        raise ArgumentError(f"array_split: there must be 1 to 65536 pieces; got {count}.")
    if length is None:
        raise ShapeError(f"array_split: axis {axis} must have a known length; got shape {tuple(shape_of(x))}.")
    size, longer = divmod(length, count)
    return ops.split(x, [k * size + min(k, longer) for k in range(1, count)], axis)


def split_along(op: str, x: TensorLike, indices_or_sections: Any, axis: int, least: int) -> list[TensorLike]:
    x = converted(op, x)
    if len(shape_of(x)) < least:
        raise ShapeError(f"{op} needs an array with {least} axes or more; got shape {tuple(shape_of(x))}.")
    return ops.split(x, indices_or_sections, axis)


def hsplit(x: TensorLike, indices_or_sections: Any) -> list[TensorLike]:
    """An array in pieces along its second axis, or its only one. See `split`.

    Args:
        x: an array or tensor of any dtype.
        indices_or_sections: how many equal pieces, or where to cut.
    Returns:
        A list of arrays.
    NaN: copied. Empty: pieces may be empty.
    Raises:
        ShapeError: no axis.  ArgumentError: what `split` refuses.
    Source: Keras 3 `ops.hsplit`.

    >>> hsplit([[1, 2, 3, 4]], 2)
    [array([[1, 2]]), array([[3, 4]])]
    """
    return split_along("hsplit", x, indices_or_sections, 0 if len(shape_of(converted("hsplit", x))) == 1 else 1, 1)


def vsplit(x: TensorLike, indices_or_sections: Any) -> list[TensorLike]:
    """An array with two axes or more in pieces along its first axis. See `split`.

    Args:
        x: an array or tensor of any dtype.
        indices_or_sections: how many equal pieces, or where to cut.
    Returns:
        A list of arrays.
    NaN: copied. Empty: pieces may be empty.
    Raises:
        ShapeError: less than two axes.  ArgumentError: what `split` refuses.
    Source: Keras 3 `ops.vsplit`.

    >>> vsplit([[1, 2], [3, 4]], 2)
    [array([[1, 2]]), array([[3, 4]])]
    """
    return split_along("vsplit", x, indices_or_sections, 0, 2)


def dsplit(x: TensorLike, indices_or_sections: Any) -> list[TensorLike]:
    """An array with three axes or more in pieces along its third axis. See `split`.

    Args:
        x: an array or tensor of any dtype.
        indices_or_sections: how many equal pieces, or where to cut.
    Returns:
        A list of arrays.
    NaN: copied. Empty: pieces may be empty.
    Raises:
        ShapeError: less than three axes.  ArgumentError: what `split` refuses.
    Source: Keras 3 `ops.dsplit`.

    >>> dsplit([[[1, 2]]], 2)
    [array([[[1]]]), array([[[2]]])]
    """
    return split_along("dsplit", x, indices_or_sections, 2, 3)


# ---- turned


def fliplr(x: TensorLike) -> TensorLike:
    """An array with its second axis the other way round. See `flip`.

    Args:
        x: an array or tensor with two axes or more.
    Returns:
        x's shape and dtype.
    NaN: copied. Empty: an empty result.
    Raises:
        ShapeError: less than two axes.
    Source: Keras 3 `ops.fliplr`.

    >>> fliplr([[1, 2], [3, 4]])
    array([[2, 1],
           [4, 3]])
    """
    x = converted("fliplr", x)
    if len(shape_of(x)) < 2:
        raise ShapeError(f"fliplr needs an array with two axes or more; got shape {tuple(shape_of(x))}.")
    return ops.flip(x, 1)


def flipud(x: TensorLike) -> TensorLike:
    """An array with its first axis the other way round. See `flip`.

    Args:
        x: an array or tensor with an axis.
    Returns:
        x's shape and dtype.
    NaN: copied. Empty: an empty result.
    Raises:
        ShapeError: no axis.
    Source: Keras 3 `ops.flipud`.

    >>> flipud([1, 2, 3])
    array([3, 2, 1])
    """
    x = converted("flipud", x)
    if not len(shape_of(x)):
        raise ShapeError("flipud needs an array with an axis; got a single number.")
    return ops.flip(x, 0)


def rot90(array: TensorLike, k: int = 1, axes: Any = (0, 1)) -> TensorLike:
    """An array turned by quarters of a turn, from the first of two axes to the second.

    Args:
        array: an array or tensor with two axes or more.
        k: how many quarters; negative ones turn back.
        axes: the two axes.
    Returns:
        array's dtype; the two axes exchanged if k is odd.
    NaN: copied. Empty: an empty result.
    Raises:
        ShapeError: less than two axes.  ArgumentError: axes that array does not have, or one twice.
    Source: Keras 3 `ops.rot90`.

    >>> rot90([[1, 2], [3, 4]])
    array([[2, 4],
           [1, 3]])
    """
    x, given = converted("rot90", array, "array"), entries("rot90", axes, "axes")
    if len(shape_of(x)) < 2:
        raise ShapeError(f"rot90 needs an array with two axes or more; got shape {tuple(shape_of(x))}.")
    if len(given) != 2:
        raise ArgumentError(f"rot90 turns two axes; got {axes!r}.")
    first, second = (checked_axis("rot90", a, len(shape_of(x))) for a in given)
    if first == second:
        raise ArgumentError(f"rot90: axes {axes!r} names an axis twice.")
    turns = integer("rot90", k, "k") % 4
    if turns == 2:
        return ops.flip(x, (first, second))
    if turns == 1:
        return ops.swapaxes(ops.flip(x, second), first, second)
    return ops.flip(ops.swapaxes(x, first, second), second) if turns else ops.identity(x)


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
        data_format: "channels_last" (also None) or "channels_first".
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
        data_format: "channels_last" (also None) or "channels_first".
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


def product(lengths: list[Any]) -> Any:
    """The product of lengths, of which some may be tensors."""
    total: Any = 1
    for n in lengths:
        total = total * n if isinstance(total, int) and isinstance(n, int) else ops.multiply(total, n)
    return total


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


def size(x: TensorLike) -> Any:
    """How many elements an array has.

    Args:
        x: an array, tensor or number.
    Returns:
        An int; a tensor where an axis is open.
    Source: Keras 3 `ops.size`.

    >>> size([[1, 2, 3], [4, 5, 6]])
    6
    """
    return product(list(ops.shape(converted("size", x))))


def ndim(x: TensorLike) -> int:
    """How many axes an array has.

    Args:
        x: an array, tensor or number.
    Returns:
        An int.
    Source: Keras 3 `ops.ndim`.

    >>> ndim([[1, 2, 3]])
    2
    """
    return len(shape_of(converted("ndim", x)))


def unravel_index(indices: TensorLike, shape: Any) -> tuple[TensorLike, ...]:
    """The places that row-major numbers of elements mean.

        y_k[i] = indices[i] // (the product of the lengths after axis k) mod (the length of axis k)

    Args:
        indices: integers; negative ones count from the end.
        shape: the shape of the array that is numbered, integers.
    Returns:
        An array for each axis, of the indices' shape and dtype.
    Empty: no indices give empty results.
    Raises:
        DtypeError: no integers.  ArgumentError: a shape that is none.  DataError: an index outside, where it is known.
    Source: Keras 3 `ops.unravel_index`.

    >>> unravel_index([5, 1], (2, 3))
    (array([1, 0]), array([2, 1]))
    """
    x = ops.indexing.whole_numbers("unravel_index", indices)
    lengths = ops.arguments.dimensions("unravel_index", shape)
    if any(not isinstance(n, int) for n in lengths):
        raise ArgumentError("unravel_index: the shape must be made of integers, not tensors.")
    dtype, count = dtype_of(x), product(list(lengths))
    ops.indexing.inside("unravel_index", x, count, 0, "indices")
    x = ops.cast(x, "int64")
    x = ops.where(ops.less(x, 0), ops.add(x, count), x)
    found: list[TensorLike] = []
    for n in reversed(lengths):
        found.append(ops.cast(ops.mod(x, max(n, 1)), dtype))
        x = ops.floor_divide(x, max(n, 1))
    return tuple(reversed(found))
