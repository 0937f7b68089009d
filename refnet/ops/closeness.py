"""Questions about elements: how close two are, whether one is among others, which kind of number it is."""

from typing import Any

from refnet import dtypes, ops
from refnet.annotations import Array, TensorLike
from refnet.definition import broadcast_shapes
from refnet.ops.arguments import as_dtype, converted, dtype_of, flag, number, promoted, shape_of, together_as_floats


def isclose(x1: TensorLike, x2: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Array:
    """Whether elements are equal but for a little.

        y[i] = |x1[i] - x2[i]| <= atol + rtol * |x2[i]|, with broadcasting

    Args:
        x1, x2: arrays, tensors or numbers; integers and bools take the default floating dtype.
        rtol, atol: how much of |x2|, and how much besides.
        equal_nan: whether NaN is close to NaN.
    Returns:
        bool, the common shape. An infinity is close to itself alone.
    NaN: close to nothing, unless `equal_nan`. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.  ArgumentError: tolerances that are no numbers.
    Source: Keras 3 `ops.isclose`; NumPy.

    >>> isclose([1.0, 2.0, 3.0], [1.0, 2.00001, 3.1])
    array([ True,  True, False])
    """
    a, b = together_as_floats("isclose", x1, x2)
    broadcast_shapes("isclose", shape_of(a), shape_of(b))
    relative, absolute = number("isclose", rtol, "rtol"), number("isclose", atol, "atol")
    room = ops.add(ops.multiply(ops.abs(b), relative), absolute)
    near = ops.logical_and(ops.less_equal(ops.abs(ops.subtract(a, b)), room), ops.isfinite(b))
    near = ops.logical_or(near, ops.equal(a, b))
    if flag("isclose", equal_nan, "equal_nan"):
        near = ops.logical_or(near, ops.logical_and(ops.isnan(a), ops.isnan(b)))
    return near


def allclose(x1: TensorLike, x2: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Array:
    """Whether all elements are equal but for a little: see `isclose`.

    Args:
        x1, x2, rtol, atol, equal_nan: as in `isclose`.
    Returns:
        One bool.
    NaN: as in `isclose`. Empty: True.
    Raises: as `isclose`.
    Source: Keras 3 `ops.allclose`.

    >>> allclose([1.0, 2.0], [1.0, 2.1])
    array(False)
    """
    return ops.all(isclose(x1, x2, rtol, atol, equal_nan))


def isin(x1: TensorLike, x2: TensorLike, assume_unique: bool = False, invert: bool = False) -> Array:
    """Whether elements are among others.

        y[i] = some x2[j] == x1[i]

    Args:
        x1, x2: arrays or tensors of any dtype.
        assume_unique: changes nothing.
        invert: whether to ask for what is not among them.
    Returns:
        bool, x1's shape.
    NaN: is among nothing. Empty: nothing is among nothing.
    Source: Keras 3 `ops.isin`.

    >>> isin([1, 2, 3], [3, 1, 9])
    array([ True, False,  True])
    """
    a, b = promoted("isin", converted("isin", x1, "x1"), converted("isin", x2, "x2"))
    flag("isin", assume_unique, "assume_unique")
    if shape_of(b) != () and 0 in shape_of(b):
        found = ops.zeros_like(a, "bool")
    else:
        a, b = ((as_dtype(v, "int32") if dtype_of(v) == "bool" else v) for v in (a, b))
        row = ops.sort(ops.ravel(b))
        place = ops.minimum(ops.searchsorted(row, a), ops.subtract(ops.shape(row)[0], 1))
        found = ops.equal(ops.take(row, place), a)
    return ops.logical_not(found) if flag("isin", invert, "invert") else found


def isneginf(x: TensorLike) -> Array:
    """Whether elements are -inf.

    Args:
        x: an array, tensor or number.
    Returns:
        bool, x's shape.
    NaN: is not. Empty: an empty result.
    Source: Keras 3 `ops.isneginf`.

    >>> isneginf([1.0, -float("inf")])
    array([False,  True])
    """
    return infinite("isneginf", ops.less, x)


def isposinf(x: TensorLike) -> Array:
    """Whether elements are inf.

    Args:
        x: an array, tensor or number.
    Returns:
        bool, x's shape.
    NaN: is not. Empty: an empty result.
    Source: Keras 3 `ops.isposinf`.

    >>> isposinf([1.0, float("inf")])
    array([False,  True])
    """
    return infinite("isposinf", ops.greater, x)


def infinite(op: str, side: Any, x: TensorLike) -> Array:
    x = converted(op, x)
    return ops.logical_and(ops.isinf(x), side(x, 0))


def isreal(x: TensorLike) -> Array:
    """Whether elements are real numbers: all are, there are no others here.

    Args:
        x: an array, tensor or number.
    Returns:
        bool, x's shape: True.
    NaN: is one too, as in NumPy. Empty: an empty result.
    Source: Keras 3 `ops.isreal`.

    >>> isreal([1.0, 2.0])
    array([ True,  True])
    """
    return ops.ones_like(converted("isreal", x), "bool")


def signbit(x: TensorLike) -> Array:
    """Whether elements bear a minus sign: those below 0, and -0.0.

    Args:
        x: an array, tensor or number.
    Returns:
        bool, x's shape.
    NaN: False, whatever its sign. Empty: an empty result.
    Source: Keras 3 `ops.signbit`.

    >>> signbit([-1.0, -0.0, 0.0])
    array([ True,  True, False])
    """
    x = converted("signbit", x)
    below = ops.less(x, 0)
    if not dtypes.is_floating(dtype_of(x)):
        return below
    zero = ops.equal(x, 0)
    return ops.logical_or(below, ops.logical_and(zero, ops.less(ops.divide(1.0, ops.where(zero, x, 1.0)), 0)))


# ---- the parts of complex numbers, of which reals have one


def real(x: TensorLike) -> Array:
    """The real part of real numbers: x itself.

    Args:
        x: an array, tensor or number. There are no complex dtypes here; `fft` and its kin take and give pairs of real arrays.
    Returns:
        x.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.real`.

    >>> real([1.0, -2.0])
    array([ 1., -2.], dtype=float32)
    """
    return ops.unary.same(converted("real", x))


def imag(x: TensorLike) -> Array:
    """The imaginary part of real numbers: 0.

    Args:
        x: an array, tensor or number; see `real`.
    Returns:
        Zeros of x's shape and dtype.
    NaN: gives 0. Empty: an empty result.
    Source: Keras 3 `ops.imag`.

    >>> imag([1.0, -2.0])
    array([0., 0.], dtype=float32)
    """
    return ops.zeros_like(converted("imag", x))


def conjugate(x: TensorLike) -> Array:
    """The complex conjugate of real numbers: x itself.

    Args:
        x: an array, tensor or number; see `real`.
    Returns:
        x.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.conjugate`.

    >>> conjugate([1.0, -2.0])
    array([ 1., -2.], dtype=float32)
    """
    return ops.unary.same(converted("conjugate", x))


def conj(x: TensorLike) -> Array:
    """Another name of `conjugate`.

    Args:
        x: as in `conjugate`.
    Returns:
        x.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.conj`.

    >>> conj([1.0])
    array([1.], dtype=float32)
    """
    return conjugate(x)


def angle(x: TensorLike) -> Array:
    """The angle of real numbers in the complex plane: 0, and pi of those that bear a minus sign.

    Args:
        x: an array, tensor or number; integers and bools take the default floating dtype.
    Returns:
        x's shape and dtype.
    NaN: stays. Empty: an empty result.
    Source: Keras 3 `ops.angle`.

    >>> angle([1.0, -2.0])
    array([0.       , 3.1415927], dtype=float32)
    """
    x = ops.arguments.floating("angle", x)
    return ops.arctan2(ops.where(ops.isnan(x), x, 0.0), x)
