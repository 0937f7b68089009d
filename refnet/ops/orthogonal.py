"""Orthogonal factors, by Householder's reflections, and least squares."""

from typing import Any

from refnet import ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View
from refnet.errors import ArgumentError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import as_dtype, dtype_of, shape_of
from refnet.ops.linalg import batch_of, matrices, solved, transposed, triangular, wide
from refnet.scalars import divide, sqrt


def qr(x: TensorLike, mode: str = "reduced") -> tuple[TensorLike, TensorLike]:
    """Orthogonal and triangular factors: q r = x, the columns of q orthogonal and of length 1.

    In step k a reflection brings what stands in column k below the diagonal to 0:

        r = ... h1 h0 x,  q = h0 h1 ...,   hk = 1 - t v v',  v = (1, x[i, k] / (x[k, k] - s)),  t = (s - x[k, k]) / s,
        s the length of the column from k on, with the sign that x[k, k] has not

    Args:
        x: (..., m, n).
        mode: "reduced" (min(m, n) columns of q) or "complete" (m).
    Returns:
        (q, r), x's floating dtype; r is zero below the diagonal. The signs are LAPACK's.
    NaN: spreads. Empty: empty results.
    Raises:
        ShapeError: no matrices.  ArgumentError: another mode; a gradient of matrices with more columns than rows, or of complete
        factors with more rows than columns.
    Source: Keras 3 `ops.qr`; Golub and Van Loan 5.2; its gradient: Walter and Lehmann 2010.

    >>> q, r = qr([[3.0, 1.0], [4.0, 2.0]])
    >>> q.round(3), r.round(3)
    (array([[-0.6, -0.8],
           [-0.8,  0.6]], dtype=float32), array([[-5. , -2.2],
           [ 0. ,  0.4]], dtype=float32))
    """
    x = matrices("qr", x, square=False)
    if not isinstance(mode, str) or mode not in ("reduced", "complete"):
        raise ArgumentError(f"qr: mode must be 'reduced' or 'complete'; got {mode!r}.")
    m, n = shape_of(x)[-2:]
    q, r = qr_op(wide(x), columns=m if mode == "complete" else min(m, n))
    return as_dtype(q, dtype_of(x)), as_dtype(r, dtype_of(x))


def qr_loop(tasks: Tasks, x: Array, q: Array, r: Array, w: Array, p: Array) -> None:
    for (o,) in tasks:
        m, n = x.shape[1], x.shape[2]
        for i in range(m):
            for j in range(n):
                w[i, j] = x[o, i, j]
            for j in range(m):
                p[i, j] = 1.0 if i == j else 0.0
        for k in range(min(m - 1, n)):
            reflect(w, p, k)
        for i in range(m):
            for j in range(q.shape[2]):
                q[o, i, j] = p[i, j]
        for i in range(r.shape[1]):
            for j in range(n):
                r[o, i, j] = w[i, j] if i <= j else 0


def reflect(w: Array, p: Array, k: int) -> None:
    """One reflection, of all columns of w after k and of all rows of p; its vector is left below the diagonal.

    The column is divided by its largest magnitude first, so that no square over- or underflows.
    """
    below = 0.0
    for i in range(k + 1, w.shape[0]):
        size = -w[i, k] if w[i, k] < 0 else w[i, k]
        if size > below or size != size:
            below = size
    if below != 0:
        head = -w[k, k] if w[k, k] < 0 else w[k, k]
        largest = head if head > below else below
        head = divide(w[k, k], largest)
        squares = head * head
        for i in range(k + 1, w.shape[0]):
            w[i, k] = divide(w[i, k], largest)
            squares = squares + w[i, k] * w[i, k]
        length = sqrt(squares)
        s = -length if head > 0 else length
        t = divide(s - head, s)
        for i in range(k + 1, w.shape[0]):
            w[i, k] = divide(w[i, k], head - s)
        w[k, k] = s * largest
        for j in range(k + 1, w.shape[1]):
            part = w[k, j]
            for i in range(k + 1, w.shape[0]):
                part = part + w[i, k] * w[i, j]
            part = part * t
            w[k, j] = w[k, j] - part
            for i in range(k + 1, w.shape[0]):
                w[i, j] = w[i, j] - part * w[i, k]
        for row in range(p.shape[0]):
            part = p[row, k]
            for i in range(k + 1, w.shape[0]):
                part = part + p[row, i] * w[i, k]
            part = part * t
            p[row, k] = p[row, k] - part
            for i in range(k + 1, w.shape[0]):
                p[row, i] = p[row, i] - part * w[i, k]


def qr_rule(x: Spec, *, columns: int) -> tuple[Spec, Spec]:
    lead, (m, n) = tuple(x.shape[:-2]), x.shape[-2:]
    if m is not None and not 0 <= columns <= m:
        raise ArgumentError(f"qr: {m} rows have factors of at most as many columns; got {columns}.")
    return Spec((*lead, m, columns), x.dtype), Spec((*lead, columns, n), x.dtype)


def qr_form(x: Spec, *, columns: int) -> Form:
    view = batch_of(x)
    count, m, n = view.shape
    outputs = View((count, m, columns)), View((count, columns, n))
    return Form((view,), (), outputs, (count,), cost=2 * m * n * (m + n), scratch=((m, n), (m, m)))


def qr_gradient(node: Node, dq: Tensor | None, dr: Tensor | None) -> list[TensorLike]:
    """(dq + q s) r-1', s the lower triangle of r dr' - dq' q, mirrored to the upper one."""
    (x,), (q, r) = node.inputs, node.outputs
    m, n = x.shape[-2:]
    if m < n or q.shape[-1] > n:
        raise ArgumentError(
            f"qr has a gradient for as many rows as columns, or for more and mode 'reduced'; got shape {tuple(x.shape)}."
        )
    dq = ops.zeros_like(q) if dq is None else dq
    dr = ops.zeros_like(r) if dr is None else ops.triu(dr)
    inside = ops.subtract(ops.matmul(r, transposed(dr)), ops.matmul(transposed(dq), q))
    mirrored = ops.add(ops.tril(inside), transposed(ops.tril(inside, -1)))
    whole = ops.add(dq, ops.matmul(q, mirrored))
    return [transposed(triangular(r, transposed(whole), False))]


qr_op: Op = Op("qr", qr_rule, loop=qr_loop, form=qr_form, gradient=qr_gradient, axes="* m n")


def lstsq(a: TensorLike, b: TensorLike, rcond: Any = None) -> TensorLike:
    """The x for which a x comes closest to b; of several the shortest.

        a = q r:  x = r-1 q' b    for as many rows as columns, or more
        a' = q r:  x = q r'-1 b   for fewer

    Args:
        a: (..., m, n), whose rows, or columns, are independent: singular values are not computed here, so that no rank is found.
        b: (..., m) or (..., m, k), with one axis less than `a` or as many; the leading axes broadcast.
        rcond: must be None.
    Returns:
        (..., n) or (..., n, k), the promoted floating dtype.
    NaN: spreads; dependent columns give infinities, NaN, or large numbers. Empty: an empty result.
    Raises:
        ShapeError: no matrices, sizes that do not fit.  ArgumentError: an rcond.
    Source: Keras 3 `ops.lstsq`; Golub and Van Loan 5.3.

    >>> lstsq([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1.0, 3.0, 5.0]).round(4)
    array([1., 2.], dtype=float32)
    """
    if rcond is not None:
        raise ArgumentError(
            "lstsq: rcond is not supported; a must have independent columns (or rows, if it has fewer)."
        )
    return solved("lstsq", a, b, closest, square=False)


def closest(a: TensorLike, b: TensorLike) -> TensorLike:
    m, n = shape_of(a)[-2:]
    if m >= n:
        q, r = qr_op(a, columns=n)
        return triangular(r, ops.matmul(transposed(q), b), False)
    q, r = qr_op(transposed(a), columns=m)
    return ops.matmul(q, triangular(transposed(r), b, True))
