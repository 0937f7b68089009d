"""Linear equations: triangular ones, and Cholesky's factor. See `elimination` and `orthogonal` for the others."""

from typing import Any

from refnet import ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, SpecLike, View, broadcast_shapes, size_of
from refnet.errors import ShapeError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import as_dtype, converted, dtype_of, flag, floating, promoted, shape_of
from refnet.ops.namespaces import lookup
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
    a, b = promoted(op, converted(op, a, "a"), converted(op, b, "b"))
    a, b = matrices(op, a, "a", square), floating(op, b, "b")
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
    "triangular",
    triangular_rule,
    loop=triangular_loop,
    form=triangular_form,
    gradient=triangular_gradient,
    axes="* n n, * n columns",
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


def cholesky_loop(tasks: Tasks, x: Array, y: Array, lower: Array) -> None:
    for (o,) in tasks:
        n = x.shape[1]
        for i in range(n):
            for j in range(i + 1):
                rest = (x[o, i, j] + x[o, j, i]) * 0.5
                for k in range(j):
                    rest = rest - lower[i, k] * lower[j, k]
                if i == j:
                    lower[i, i] = sqrt(rest)
                else:
                    lower[i, j] = divide(rest, lower[j, j])
        for i in range(n):
            for j in range(n):
                y[o, i, j] = lower[i, j] if j <= i else 0


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
    axes="* n n",
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


__getattr__, _ = lookup(__name__, "det inv jvp lstsq lu_factor norm qr solve")
