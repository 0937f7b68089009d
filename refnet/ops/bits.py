"""Bits: integers as rows of bits, element by element."""

from refnet import dtypes
from refnet.annotations import Array, Number, TensorLike
from refnet.errors import DtypeError
from refnet.ops.arguments import as_dtype, dtype_of, promoted
from refnet.ops.elementwise import elementwise


def whole(op: str, x1: TensorLike, x2: TensorLike) -> list[TensorLike]:
    """The operands in their common dtype, which must have bits to work on."""
    together = promoted(op, x1, x2)
    if dtypes.is_floating(dtype_of(together[0])):
        raise DtypeError(
            f"{op} works on integers and bools; got {dtype_of(x1)} and {dtype_of(x2)}. Cast with ops.cast."
        )
    return together


def counted(op: str, x1: TensorLike, x2: TensorLike) -> list[TensorLike]:
    """The operands of a shift: bool counts as int32."""
    return [as_dtype(x, "int32") if dtype_of(x) == "bool" else x for x in whole(op, x1, x2)]


def bitwise_and(x: TensorLike, y: TensorLike) -> Array:
    """The and of each pair of bits.

        z[i] = x[i] & y[i], with broadcasting

    Args:
        x, y: integer or bool arrays, tensors or numbers; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype. Negative integers count as two's complement. There is no gradient.
    Empty: an empty result.
    Raises:
        DtypeError: a floating operand.  ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.bitwise_and`.

    >>> bitwise_and([3, 5], 2)
    array([2, 0])
    """
    return bitwise_and_op(*whole("bitwise_and", x, y))


def bitwise_and_scalar(x1: Number, x2: Number) -> Number:
    return x1 & x2


def bitwise_or(x: TensorLike, y: TensorLike) -> Array:
    """The or of each pair of bits.

        z[i] = x[i] | y[i], with broadcasting

    Args:
        x, y: integer or bool arrays, tensors or numbers; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype. Negative integers count as two's complement. There is no gradient.
    Empty: an empty result.
    Raises:
        DtypeError: a floating operand.  ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.bitwise_or`.

    >>> bitwise_or([3, 5], 2)
    array([3, 7])
    """
    return bitwise_or_op(*whole("bitwise_or", x, y))


def bitwise_or_scalar(x1: Number, x2: Number) -> Number:
    return x1 | x2


def bitwise_xor(x: TensorLike, y: TensorLike) -> Array:
    """The exclusive or of each pair of bits.

        z[i] = x[i] ^ y[i], with broadcasting

    Args:
        x, y: integer or bool arrays, tensors or numbers; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype. Negative integers count as two's complement. There is no gradient.
    Empty: an empty result.
    Raises:
        DtypeError: a floating operand.  ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.bitwise_xor`.

    >>> bitwise_xor([3, 5], 2)
    array([1, 7])
    """
    return bitwise_xor_op(*whole("bitwise_xor", x, y))


def bitwise_xor_scalar(x1: Number, x2: Number) -> Number:
    return x1 ^ x2


def left_shift(x: TensorLike, y: TensorLike) -> Array:
    """x's bits moved up by y places.

        z[i] = x[i] * 2**y[i], modulo the dtype's range, with broadcasting

    Args:
        x, y: integer arrays, tensors or numbers; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype; bool gives int32. 0 where y is negative or not below the number of bits. There
        is no gradient.
    Empty: an empty result.
    Raises:
        DtypeError: a floating operand.  ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.left_shift`; NumPy.

    >>> left_shift([1, 3], 2)
    array([ 4, 12])
    """
    return left_shift_op(*counted("left_shift", x, y))


def left_shift_scalar(x1: Number, x2: Number) -> Number:
    if x2 < 0 or x2 > 63:
        return x1 - x1
    return x1 << x2


def right_shift(x: TensorLike, y: TensorLike) -> Array:
    """x's bits moved down by y places; the sign stays.

        z[i] = floor(x[i] / 2**y[i]), with broadcasting

    Args:
        x, y: integer arrays, tensors or numbers; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype; bool gives int32. Where y is negative or not below the number of bits: 0, or -1
        for negative x. There is no gradient.
    Empty: an empty result.
    Raises:
        DtypeError: a floating operand.  ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.right_shift`; NumPy.

    >>> right_shift([12, -1], 2)
    array([ 3, -1])
    """
    return right_shift_op(*counted("right_shift", x, y))


def right_shift_scalar(x1: Number, x2: Number) -> Number:
    if x2 < 0 or x2 > 63:
        return (x1 >> 63) >> 1
    return x1 >> x2


bitwise_and_op = elementwise("bitwise_and", bitwise_and_scalar)
bitwise_or_op = elementwise("bitwise_or", bitwise_or_scalar)
bitwise_xor_op = elementwise("bitwise_xor", bitwise_xor_scalar)
left_shift_op = elementwise("left_shift", left_shift_scalar)
right_shift_op = elementwise("right_shift", right_shift_scalar)
