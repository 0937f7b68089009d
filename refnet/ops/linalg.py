"""Linear equations: triangular ones, the factors of Cholesky, Gauss and Householder, and what follows from them."""

from typing import Any

from refnet import ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, SpecLike, View, broadcast_shapes, size_of
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import as_dtype, dtype_of, flag, floating, promoted, shape_of
from refnet.scalars import divide, sqrt

# ---- calls in canonical form: a batch of matrices; the sums of a task are kept wide in its scratch


def matrices(op: str, x: TensorLike, name: str = "x", square: bool = True) -> TensorLike:
    """x as floating matrices of known size; 16 bits are refused by none, they are computed in float32."""
    x = floating(op, x, name)
    given = tuple(shape_of(x))
    if len(given) < 2 or None in given[-2:] or (square and given[-1] != given[-2]):
        kind = "square matrices" if square else "matrices"
        raise ShapeError(f"{op} takes {kind} of known size, on the last two axes of {name}; got shape {given}.")
    return x


def wide(x: TensorLike) -> TensorLike:
    return x if dtype_of(x) == "float64" else as_dtype(x, "float32")


def batch_of(x: SpecLike) -> View:
    return View((size_of(x.shape[:-2]), *x.shape[-2:]))


def transposed(x: TensorLike) -> TensorLike:
    return ops.swapaxes(x, -1, -2)


# ---- triangular equations


def solve_triangular(a: TensorLike, b: TensorLike, lower: bool = False) -> TensorLike:
    """The solution of equations with a triangular matrix.

        x[i] = (b[i] - sum over k < i of  a[i, k] x[k]) / a[i, i]   if lower, else the sum over k > i, from the last on

    Args:
        a: (..., n, n); what lies beyond the triangle is not read.
        b: (..., n) or (..., n, m), with one axis less than `a` or as many; the leading axes broadcast.
        lower: whether the triangle lies below the diagonal.
    Returns:
        b's shape, broadcast; the promoted floating dtype.
    NaN: spreads to what is solved after it; a 0 on the diagonal gives infinities or NaN. Empty: an empty result.
    Raises:
        ShapeError: no square matrices, sizes that do not fit.
    Source: Keras 3 `ops.solve_triangular`.

    >>> solve_triangular([[2.0, 0.0], [1.0, 4.0]], [2.0, 9.0], lower=True)
    array([1., 2.], dtype=float32)
    """
    return solved("solve_triangular", a, b, lambda p, q: triangular(p, q, flag("solve_triangular", lower, "lower")))


def solved(op: str, a: TensorLike, b: TensorLike, solution: Any, square: bool = True) -> TensorLike:
    """A solution for right sides that are vectors or matrices, in their common dtype, batches broadcast."""
    a, b = promoted(op, matrices(op, a, "a", square), floating(op, b, "b"))
    dtype, rank = dtype_of(a), len(shape_of(a))
    vector = len(shape_of(b)) == rank - 1
    right = ops.expand_dims(b, -1) if vector else b
    rows = tuple(shape_of(right))[-2:]
    if len(shape_of(right)) != rank or rows[0] != shape_of(a)[-2] or None in rows:
        raise ShapeError(
            f"{op} needs a right side b with {shape_of(a)[-2]} rows, with as many axes as a or one less; "
            f"got shapes {tuple(shape_of(a))} and {tuple(shape_of(b))}."
        )
    a, right = together(op, wide(a), wide(right))
    x = as_dtype(solution(a, right), dtype)
    return ops.squeeze(x, -1) if vector else x


def together(op: str, a: TensorLike, b: TensorLike) -> tuple[TensorLike, TensorLike]:
    """Two batches of matrices with the same leading axes."""
    lead = broadcast_shapes(op, tuple(shape_of(a))[:-2], tuple(shape_of(b))[:-2])
    if tuple(shape_of(a))[:-2] == tuple(shape_of(b))[:-2]:
        return a, b
    if None in lead:
        raise ShapeError(f"{op}: leading axes that are open must be the same; got {shape_of(a)} and {shape_of(b)}.")
    return ops.broadcast_to(a, (*lead, *shape_of(a)[-2:])), ops.broadcast_to(b, (*lead, *shape_of(b)[-2:]))


def triangular(a: TensorLike, b: TensorLike, lower: bool) -> TensorLike:
    return triangular_op(a, b, lower=lower)


def triangular_rule(a: Spec, b: Spec, *, lower: bool) -> Spec:
    return Spec(tuple(b.shape), b.dtype)


def triangular_form(a: Spec, b: Spec, *, lower: bool) -> Form:
    """A task is a column of b."""
    view, n = batch_of(b), b.shape[-2]
    domain = (view.shape[0], view.shape[2])
    return Form((batch_of(a), view), (lower,), (view,), domain, cost=n * n / 2, scratch=((n,),))


def triangular_loop(tasks: Tasks, a: Array, b: Array, lower: bool, x: Array, found: Array) -> None:
    for o, j in tasks:
        n = a.shape[1]
        for step in range(n):
            i = step if lower else n - 1 - step
            rest = b[o, i, j]
            for before in range(step):
                k = before if lower else n - 1 - before
                rest = rest - a[o, i, k] * found[k]
            found[i] = divide(rest, a[o, i, i])
        for i in range(n):
            x[o, i, j] = found[i]


def triangular_gradient(node: Node, dx: Tensor) -> list[TensorLike]:
    (a, _), (x,), lower = node.inputs, node.outputs, node.attributes["lower"]
    db = triangular(transposed(a), dx, not lower)
    da = ops.negative(ops.matmul(db, transposed(x)))
    return [ops.tril(da) if lower else ops.triu(da), db]


triangular_op: Op = Op(
    "triangular", triangular_rule, loop=triangular_loop, form=triangular_form, gradient=triangular_gradient
)


# ---- Cholesky's factor


def cholesky(x: TensorLike, upper: bool = False) -> TensorLike:
    """The triangular factor of symmetric, positive definite matrices: l l' = x.

        l[i, j] = (x[i, j] - sum over k < j of  l[i, k] l[j, k]) / l[j, j],  i > j;   l[j, j] the root of such a difference

    Args:
        x: (..., n, n); read as (x + x') / 2.
        upper: whether to give the other triangle, l'.
    Returns:
        x's shape and floating dtype; zeros beyond the triangle.
    NaN: spreads; matrices that are not positive definite give NaN (NumPy raises). Empty: an empty result.
    Raises:
        ShapeError: no square matrices.
    Source: Keras 3 `ops.cholesky`; its gradient: Murray 2016.

    >>> cholesky([[4.0, 2.0], [2.0, 5.0]])
    array([[2., 0.],
           [1., 2.]], dtype=float32)
    """
    x = matrices("cholesky", x)
    y = as_dtype(cholesky_op(wide(x)), dtype_of(x))
    return transposed(y) if flag("cholesky", upper, "upper") else y


def cholesky_loop(tasks: Tasks, x: Array, y: Array, l: Array) -> None:  # noqa: E741
    for (o,) in tasks:
        n = x.shape[1]
        for i in range(n):
            for j in range(i + 1):
                rest = (x[o, i, j] + x[o, j, i]) * 0.5
                for k in range(j):
                    rest = rest - l[i, k] * l[j, k]
                if i == j:
                    l[i, i] = sqrt(rest)
                else:
                    l[i, j] = divide(rest, l[j, j])
        for i in range(n):
            for j in range(n):
                y[o, i, j] = l[i, j] if j <= i else 0


def cholesky_form(x: Spec) -> Form:
    view, n = batch_of(x), x.shape[-1]
    return Form((view,), (), (view,), view.shape[:1], cost=n**3 / 6, scratch=((n, n),))


def cholesky_gradient(node: Node, dy: Tensor) -> list[TensorLike]:
    """l'-1 phi(l' dl) l-1, symmetric; phi is the lower triangle with half the diagonal."""
    (y,) = node.outputs
    inside = ops.tril(ops.matmul(transposed(y), ops.tril(dy)))
    half = ops.subtract(inside, ops.multiply(inside, as_dtype(ops.eye(y.shape[-1]) * 0.5, dtype_of(y))))
    left = triangular(transposed(y), half, False)
    whole = transposed(triangular(transposed(y), transposed(left), False))
    return [ops.multiply(ops.add(whole, transposed(whole)), 0.5)]


cholesky_op: Op = Op(
    "cholesky",
    lambda x: Spec(tuple(x.shape), x.dtype),
    loop=cholesky_loop,
    form=cholesky_form,
    gradient=cholesky_gradient,
)


def cholesky_inverse(x: TensorLike, upper: bool = False) -> TensorLike:
    """The inverse of the matrices that have these triangular factors.

        y = (l l')-1

    Args:
        x: (..., n, n), factors as `cholesky` gives them.
        upper: whether they are upper ones.
    Returns:
        x's shape and floating dtype.
    NaN: spreads. Empty: an empty result.
    Raises:
        ShapeError: no square matrices.
    Source: Keras 3 `ops.cholesky_inverse`.

    >>> cholesky_inverse([[2.0, 0.0], [0.0, 4.0]])
    array([[0.25  , 0.    ],
           [0.    , 0.0625]], dtype=float32)
    """
    x = matrices("cholesky_inverse", x)
    given = wide(x)
    factor = transposed(given) if flag("cholesky_inverse", upper, "upper") else given
    inverse = triangular(factor, identities(factor), True)
    return as_dtype(ops.matmul(transposed(inverse), inverse), dtype_of(x))


def identities(x: TensorLike) -> TensorLike:
    """A batch of identity matrices like x."""
    one = as_dtype(ops.eye(shape_of(x)[-1]), dtype_of(x))
    return ops.add(ops.zeros_like(x), one)


# ---- Gauss's factors


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
