"""Contractions: products summed over shared axes."""

from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, broadcast_shapes, broadcast_strides, join_axes, size_of
from refnet.errors import ShapeError
from refnet.graph import Node
from refnet.ops.arguments import as_dtype, dtype_of, promoted, shape_of
from refnet.ops.elementwise import sum_like


def matmul(x1: TensorLike, x2: TensorLike) -> Array:
    """The matrix product of the last two axes; leading axes broadcast.

        y[n, i, j] = sum over k of  x1[n, i, k] * x2[n, k, j]

    A one-dimensional x1 is a row, a one-dimensional x2 a column; that axis is missing in the result.

    Args:
        x1: (..., rows, inner) or (inner,), any dtype.
        x2: (..., inner, columns) or (inner,), any dtype.
    Returns:
        (..., rows, columns) in the promoted dtype; int8 alone gives int32.
    NaN: in a row or column gives NaN wherever it takes part; so does 0 * inf. Empty: inner = 0 gives zeros.
    Raises:
        ShapeError: scalars, unequal inner axes, leading axes that do not broadcast.
    Source: Keras 3 `ops.matmul`; Chollet 2.3.3.

    >>> matmul([[1.0, 2.0]], [[3.0], [4.0]])
    array([[11.]], dtype=float32)
    """
    from refnet.ops import shapes

    x1, x2 = summable(*promoted("matmul", x1, x2))
    rank1, rank2 = len(shape_of(x1)), len(shape_of(x2))
    if rank1 == 0 or rank2 == 0:
        raise ShapeError(
            f"matmul needs arrays with axes; got shapes {shape_of(x1)} and {shape_of(x2)}. Use multiply for numbers."
        )
    a = shapes.expand_dims(x1, 0) if rank1 == 1 else x1
    b = shapes.expand_dims(x2, 1) if rank2 == 1 else x2
    y = _batched(a, b)
    if rank1 == 1:
        y = shapes.squeeze(y, -2)
    return shapes.squeeze(y, -1) if rank2 == 1 else y


def summable(*xs: TensorLike) -> tuple[TensorLike, ...]:
    """Operands of one dtype, int8 widened to int32: sums of its products hardly ever fit."""
    return tuple(as_dtype(x, "int32") if dtype_of(x) == "int8" else x for x in xs)


def _batched(a: TensorLike, b: TensorLike) -> TensorLike:
    """matmul_op after the leading axes have been made one, or equal."""
    from refnet.ops import shapes

    lead1, lead2 = shape_of(a)[:-2], shape_of(b)[:-2]
    if lead1 and all(d == 1 for d in lead2):  # one matrix for all: the rows of every batch are rows of one product
        *before, inner = shape_of(a)
        # with no columns, -1 is any number
        rows = shapes.reshape(a, (-1 if None in before else size_of(before), inner))
        columns = shape_of(b)[-1]
        y = matmul_op(rows, shapes.reshape(b, shape_of(b)[-2:]), transpose1=False, transpose2=False)
        return shapes.reshape(y, (*shapes.shape(a)[:-1], columns))
    if lead1 != lead2 and lead1 and lead2:
        lead = broadcast_shapes("matmul", lead1, lead2)
        a = shapes.broadcast_to(a, (*shapes.common_shape(a, b, lead), *shape_of(a)[-2:]))
        b = shapes.broadcast_to(b, (*shapes.common_shape(a, b, lead), *shape_of(b)[-2:]))
    return matmul_op(a, b, transpose1=False, transpose2=False)


def matmul_rule(a: Spec, b: Spec, *, transpose1: bool, transpose2: bool) -> Spec:
    if min(len(a.shape), len(b.shape)) < 2:
        raise ShapeError(f"matmul multiplies matrices; got shapes {tuple(a.shape)} and {tuple(b.shape)}.")
    rows, inner1 = (a.shape[-1], a.shape[-2]) if transpose1 else (a.shape[-2], a.shape[-1])
    inner2, columns = (b.shape[-1], b.shape[-2]) if transpose2 else (b.shape[-2], b.shape[-1])
    if inner1 is not None and inner2 is not None and inner1 != inner2:
        raise ShapeError(
            f"matmul needs the last axis of x1 and the last but one of x2 to be equal; got shapes {a.shape} and {b.shape}, "
            f"that is {inner1} and {inner2}."
        )
    return Spec(broadcast_shapes("matmul", a.shape[:-2], b.shape[:-2]) + (rows, columns), a.dtype)


def matmul_form(a: Spec, b: Spec, *, transpose1: bool, transpose2: bool) -> Form:
    """Three axes each, the matrices seen transposed where asked; leading axes that both have are joined."""
    lead = broadcast_shapes("matmul", a.shape[:-2], b.shape[:-2])
    rows, inner = a.shape[-2:][::-1] if transpose1 else a.shape[-2:]
    columns = b.shape[-2] if transpose2 else b.shape[-1]
    steps = [[s * size_of(x.shape[-2:]) for s in broadcast_strides(x.shape[:-2], lead)] for x in (a, b)]
    joined, (lead_a, lead_b) = join_axes(lead, steps) if lead else ((1,), ([0], [0]))
    step_a = (1, rows) if transpose1 else (inner, 1)
    step_b = (1, inner) if transpose2 else (columns, 1)
    views = View((*joined, rows, inner), (*lead_a, *step_a)), View((*joined, inner, columns), (*lead_b, *step_b))
    y = View((*joined, rows, columns))
    return Form(views, (), (y,), y.shape, cost=inner)


def matmul_loop(tasks: Tasks, a: Array, b: Array, y: Array) -> None:
    for n, i, j in tasks:
        total = 0
        for k in range(a.shape[2]):
            total += a[n, i, k] * b[n, k, j]
        y[n, i, j] = total


def matmul_gradient(node: Node, dy: TensorLike) -> list[TensorLike]:
    a, b = node.inputs
    t1, t2 = node.attributes["transpose1"], node.attributes["transpose2"]
    da = (
        matmul_op(b, dy, transpose1=t2, transpose2=True)
        if t1
        else matmul_op(dy, b, transpose1=False, transpose2=not t2)
    )
    db = (
        matmul_op(dy, a, transpose1=True, transpose2=t1)
        if t2
        else matmul_op(a, dy, transpose1=not t1, transpose2=False)
    )
    return [sum_like(da, a), sum_like(db, b)]


matmul_op = Op("matmul", matmul_rule, loop=matmul_loop, form=matmul_form, gradient=matmul_gradient)
