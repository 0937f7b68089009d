"""Gauss's elimination: the factors, and determinants, solutions and inverses by them."""

from refnet import ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View
from refnet.errors import ArgumentError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import as_dtype, dtype_of, shape_of
from refnet.ops.linalg import batch_of, identities, matrices, solved, transposed, triangular, wide
from refnet.scalars import divide


def lu_factor(x: TensorLike) -> tuple[TensorLike, TensorLike]:
    """The factors that Gauss's elimination finds, rows exchanged so that each pivot is the largest that is left.

        l u = p x:   l[i, k] = w[i, k] / w[k, k],   w[i, j] -= l[i, k] w[k, j]  for i, j > k,   k = 0, 1, ...

    Args:
        x: (..., m, n).
    Returns:
        (factors, pivots). factors: x's shape and floating dtype, u on and above the diagonal, l below it (ones on it).
        pivots: (..., min(m, n)) int32: in step k row k was exchanged with row pivots[k].
    Ties: of pivots of one size the first. NaN: spreads. Empty: an empty result. A column of zeros is left as it is.
    Raises:
        ShapeError: no matrices.  ArgumentError: a gradient of matrices that are not square.
    Source: Keras 3 `ops.lu_factor`; its gradient: Walter and Lehmann 2010.

    >>> lu_factor([[1.0, 2.0], [2.0, 8.0]])
    (array([[ 2. ,  8. ],
           [ 0.5, -2. ]], dtype=float32), array([1, 1], dtype=int32))
    """
    x = matrices("lu_factor", x, square=False)
    factors, pivots, _ = lu_op(wide(x))
    return as_dtype(factors, dtype_of(x)), pivots


def lu_loop(tasks: Tasks, x: Array, y: Array, pivots: Array, order: Array, w: Array) -> None:
    for (o,) in tasks:
        m, n = x.shape[1], x.shape[2]
        for i in range(m):
            order[o, i] = i
            for j in range(n):
                w[i, j] = x[o, i, j]
        for k in range(min(m, n)):
            best = k
            for i in range(k + 1, m):
                if abs(w[i, k]) > abs(w[best, k]):
                    best = i
            pivots[o, k] = best
            if best != k:
                exchange(w, order, o, k, best)
            if w[k, k] != 0:
                eliminate(w, k)
        for i in range(m):
            for j in range(n):
                y[o, i, j] = w[i, j]


def exchange(w: Array, order: Array, o: int, k: int, best: int) -> None:
    for j in range(w.shape[1]):
        w[k, j], w[best, j] = w[best, j], w[k, j]
    order[o, k], order[o, best] = order[o, best], order[o, k]


def eliminate(w: Array, k: int) -> None:
    for i in range(k + 1, w.shape[0]):
        w[i, k] = divide(w[i, k], w[k, k])
        for j in range(k + 1, w.shape[1]):
            w[i, j] = w[i, j] - w[i, k] * w[k, j]


def lu_rule(x: Spec) -> tuple[Spec, Spec, Spec]:
    lead, (m, n) = tuple(x.shape[:-2]), x.shape[-2:]
    return Spec(tuple(x.shape), x.dtype), Spec((*lead, min(m, n)), "int32"), Spec((*lead, m), "int32")


def lu_form(x: Spec) -> Form:
    view = batch_of(x)
    count, m, n = view.shape
    outputs = (view, View((count, min(m, n))), View((count, m)))
    return Form((view,), (), outputs, (count,), cost=m * n * min(m, n) / 2, scratch=((m, n),))


def lu_gradient(node: Node, dy: Tensor | None, *others: Tensor | None) -> list[TensorLike]:
    """p' l'-1 (strictly lower triangle of l' dl, upper triangle of du u') u-1'."""
    (x,), (y, _, order) = node.inputs, node.outputs
    if x.shape[-1] != x.shape[-2]:
        raise ArgumentError(f"lu_factor has a gradient for square matrices alone; got shape {tuple(x.shape)}.")
    if dy is None:
        return [None]
    lower, upper = halves(y)
    below = ops.tril(ops.matmul(transposed(lower), ops.tril(dy, -1)), -1)
    above = ops.triu(ops.matmul(ops.triu(dy), transposed(upper)))
    left = triangular(transposed(lower), ops.add(below, above), False)
    rows = transposed(triangular(upper, transposed(left), False))
    return [ops.take_along_axis(rows, ops.expand_dims(ops.argsort(order, -1), -1), -2)]


def halves(y: TensorLike) -> tuple[TensorLike, TensorLike]:
    """The lower and the upper factor of square matrices."""
    return ops.add(ops.tril(y, -1), identities(y)), ops.triu(y)


lu_op: Op = Op("lu", lu_rule, loop=lu_loop, form=lu_form, gradient=lu_gradient)


def diagonal_and_parity(x: TensorLike) -> tuple[TensorLike, TensorLike]:
    """The pivots' values, and 1 or -1 as the exchanges of rows are even or odd in number."""
    y, pivots, _ = lu_op(wide(x))
    swapped = ops.not_equal(pivots, ops.arange(shape_of(x)[-1]))
    parity = ops.prod(ops.where(swapped, as_dtype(-1, dtype_of(y)), as_dtype(1, dtype_of(y))), -1)
    return ops.diagonal(y, 0, -2, -1), parity


def det(x: TensorLike) -> TensorLike:
    """The determinant of matrices: the product of the pivots of `lu_factor`, times -1 for each exchange of rows.

    Args:
        x: (..., n, n).
    Returns:
        The leading axes, x's floating dtype. Where it is 0, the gradient is NaN.
    NaN: spreads. Empty: 1 for a matrix without rows.
    Raises:
        ShapeError: no square matrices.
    Source: Keras 3 `ops.det`.

    >>> det([[1.0, 2.0], [3.0, 4.0]])
    array(-2., dtype=float32)
    """
    x = matrices("det", x)
    pivots, parity = diagonal_and_parity(x)
    return as_dtype(ops.multiply(ops.prod(pivots, -1), parity), dtype_of(x))


def slogdet(x: TensorLike) -> tuple[TensorLike, TensorLike]:
    """The sign of determinants, and the logarithm of their size.

    Args:
        x: (..., n, n).
    Returns:
        (1, -1 or 0; the logarithm of |det|), the leading axes, x's floating dtype; (0, -inf) for a determinant of 0.
    NaN: spreads. Empty: (1, 0) for a matrix without rows.
    Raises:
        ShapeError: no square matrices.
    Source: Keras 3 `ops.slogdet`.

    >>> slogdet([[0.0, 1.0], [1.0, 0.0]])
    (array(-1., dtype=float32), array(0., dtype=float32))
    """
    x = matrices("slogdet", x)
    pivots, parity = diagonal_and_parity(x)
    sign = ops.multiply(ops.prod(ops.sign(pivots), -1), parity)
    size = ops.sum(ops.log(ops.abs(pivots)), -1)
    return as_dtype(sign, dtype_of(x)), as_dtype(size, dtype_of(x))


def logdet(x: TensorLike) -> TensorLike:
    """The logarithm of the determinants' size: the second part of `slogdet`.

    Args:
        x: (..., n, n).
    Returns:
        The leading axes, x's floating dtype; -inf for a determinant of 0.
    NaN: spreads. Empty: 0 for a matrix without rows.
    Raises:
        ShapeError: no square matrices.
    Source: Keras 3 `ops.logdet`.

    >>> logdet([[1.0, 0.0], [0.0, -1.0]])
    array(0., dtype=float32)
    """
    return slogdet(matrices("logdet", x))[1]


def solve(a: TensorLike, b: TensorLike) -> TensorLike:
    """The solution of linear equations, by the factors of `lu_factor`.

        sum over k of  a[i, k] x[k, j] = b[i, j]

    Args:
        a: (..., n, n).
        b: (..., n) or (..., n, m), with one axis less than `a` or as many; the leading axes broadcast.
    Returns:
        b's shape, broadcast; the promoted floating dtype.
    NaN: spreads; singular matrices give infinities or NaN (NumPy raises). Empty: an empty result.
    Raises:
        ShapeError: no square matrices, sizes that do not fit.
    Source: Keras 3 `ops.solve`.

    >>> solve([[0.0, 2.0], [4.0, 0.0]], [2.0, 8.0])
    array([2., 1.], dtype=float32)
    """
    return solved("solve", a, b, by_elimination)


def by_elimination(a: TensorLike, b: TensorLike) -> TensorLike:
    y, _, order = lu_op(a)
    lower, upper = halves(y)
    rows = ops.take_along_axis(b, ops.expand_dims(order, -1), -2)
    return triangular(upper, triangular(lower, rows, True), False)


def inv(x: TensorLike) -> TensorLike:
    """The inverse of matrices: the solution of x y = 1.

    Args:
        x: (..., n, n).
    Returns:
        x's shape and floating dtype.
    NaN: spreads; singular matrices give infinities or NaN (NumPy raises). Empty: an empty result.
    Raises:
        ShapeError: no square matrices.
    Source: Keras 3 `ops.inv`.

    >>> inv([[0.0, 2.0], [4.0, 0.0]])
    array([[0.  , 0.25],
           [0.5 , 0.  ]], dtype=float32)
    """
    x = matrices("inv", x)
    given = wide(x)
    return as_dtype(by_elimination(given, identities(given)), dtype_of(x))
