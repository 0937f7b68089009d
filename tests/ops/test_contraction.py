"""Products over named axes, worked by hand."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Tensor
from refnet.program import Program

A = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
B = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])


def same(result, expected):
    np.testing.assert_array_equal(result, expected)


def test_letters_say_what_is_multiplied_and_summed():
    same(ops.einsum("ij,jk->ik", A, B), [[4, 7], [10, 16]])
    same(ops.einsum("ij,jk->ki", A, B), [[4, 10], [7, 16]])
    same(ops.einsum("ij,ij->", A, A), 91)
    same(ops.einsum("ij,ij->ij", A, A), A * A)
    same(ops.einsum("i,j->ij", [1, 2], [3, 4]), [[3, 4], [6, 8]])
    same(ops.einsum("ij->j", A), [5, 7, 9])
    same(ops.einsum("ij,kl->", A, A), 441)


def test_without_an_arrow_letters_that_occur_once_are_kept_in_order():
    same(ops.einsum("ba", A), A.T)
    same(ops.einsum("ij,jk", A, B), A @ B)
    same(ops.einsum("ii", [[1, 2], [3, 4]]), 5)
    same(ops.einsum("...j", A), A)


def test_diagonals():
    x = np.arange(18).reshape(3, 2, 3)
    same(ops.einsum("iji->ij", x), [[x[i, j, i] for j in range(2)] for i in range(3)])
    same(ops.einsum("iji,j->i", x, [1, 10]), [x[i, 0, i] + 10 * x[i, 1, i] for i in range(3)])
    same(ops.einsum("iii->i", np.arange(8).reshape(2, 2, 2)), [0, 7])
    same(ops.einsum("ii->i", np.zeros((0, 0))), np.zeros(0))


def test_an_ellipsis_broadcasts_from_its_end():
    x, y = np.arange(12.0).reshape(2, 3, 1, 2), np.arange(8.0).reshape(4, 2)
    same(ops.einsum("...k,...k->...", x, y), (x * y).sum(-1))
    same(ops.einsum("...k,...k->k...", x, y), np.moveaxis(x * y, -1, 0))


def test_a_product_of_three():
    c = [1.0, 10.0]
    same(ops.einsum("ij,jk,k->i", A, B, c), A @ B @ c)
    same(ops.einsum("ij,jk,k->ijk", A, B, c), A[:, :, None] * B * np.array(c))


def test_sums_over_nothing():
    same(ops.einsum("ij,jk->ik", np.zeros((2, 0)), np.zeros((0, 3))), np.zeros((2, 3)))
    same(ops.tensordot(np.zeros((2, 0)), np.zeros((0, 3)), 1), np.zeros((2, 3)))
    same(ops.matmul(np.zeros((2, 4, 0)), np.zeros((0, 3))), np.zeros((2, 4, 3)))
    same(ops.matmul(np.zeros((2, 4, 0)), np.zeros((1, 0, 3))), np.zeros((2, 4, 3)))
    assert ops.vdot(np.zeros((0, 2)), np.zeros(0)) == 0


def test_small_integers_are_summed_as_int32():
    x = np.full((1, 3), 100, "int8")
    for result in (ops.einsum("ij,kj->ik", x, x), ops.matmul(x, x.T), ops.dot(x, x.T), ops.inner(x, x)):
        assert result.dtype == "int32" and result == 30000
    assert ops.einsum("ij,kj->ik", x.astype("int16"), x).dtype == "int16"


def test_open_dimensions():
    x = Tensor((None, None, 3), "float64")
    array = np.arange(24.0).reshape(2, 4, 3)
    y = ops.einsum("bth,bsh->bts", x, x)
    assert y.shape == (None, None, None)
    same(reference.prepare(Program([x], [y])).run([array])[0], np.einsum("bth,bsh->bts", array, array))
    flat = ops.tensordot(x, np.ones((3, 2, 2)), 1)
    same(reference.prepare(Program([x], [flat])).run([array])[0], np.tensordot(array, np.ones((3, 2, 2)), 1))


def test_named_products():
    same(ops.dot(A, [1.0, 1.0, 0.0]), [3, 9])
    same(ops.dot(2, [1, 2]), [2, 4])
    same(ops.dot(A, np.stack([B, 2 * B])), np.dot(A, np.stack([B, 2 * B])))
    same(ops.inner(A, A), A @ A.T)
    same(ops.outer(B[:2], [1.0, 10.0]), np.outer(B[:2], [1, 10]))
    same(ops.vdot(A, A), 91)
    same(ops.tensordot(A, B, [[1, 0], [0, 1]]), 4 + 16)
    same(ops.tensordot(A, B, 0).shape, (2, 3, 3, 2))
    same(ops.tensordot(A, B, (-1, 0)), A @ B)


def test_errors_quote_the_subscripts():
    with pytest.raises(ArgumentError, match=r"names 'k', which no operand has; got 'ij->ik' for operands with 2 axes"):
        ops.einsum("ij->ik", A)
    with pytest.raises(ShapeError, match=r"'ij,jk->ik' needs axis 'j' to be equal .* got shapes \(2, 3\) and \(2, 3\)"):
        ops.einsum("ij,jk->ik", A, A)
    with pytest.raises(ShapeError, match="an axis within '...'"):
        ops.einsum("...j,...j->...", np.zeros((2, 3)), np.zeros((4, 3)))


@pytest.mark.parametrize(
    "axes", [np.array(1), np.int64(1), np.array([1, 0]), [np.array([1]), np.array([0])], np.array([[1], [0]])]
)
def test_axes_of_tensordot_may_come_in_arrays(axes):
    x, y = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(ops.tensordot(x, y, axes), x @ y)  # whole numbers


def test_axes_of_tensordot_in_an_array_are_refused_like_others():
    with pytest.raises(ArgumentError, match=r"tensordot: axes must lie in 0..1 for operands with"):
        ops.tensordot(np.ones(2), np.ones(2), np.array(3))
