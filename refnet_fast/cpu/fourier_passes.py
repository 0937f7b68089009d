"""The passes of a Fourier transform: one for each factor of its length (Stockham's order: no result has to be moved afterwards).

A pass of the factor r reads numbers (r, m, inner) and writes (m, r, inner),

    y[p, k, q] = w[p, k] * sum over l of  x[l, p, q] e**(-2 pi i l k / r)

so that after the last one `inner` transforms lie in order, side by side, and all loops over q run in vectors. Real and imaginary parts are
arrays of their own. x's rows may be longer than `inner`: they are those of a matrix of which only some columns are transformed.
"""

from refnet_fast.cpu.intrinsics import turn_four
from refnet_fast.cpu.rows import MACHINE
from refnet_fast.native import njit

HALF_ROOT_3 = 0.8660254037844386
COS_1, COS_2 = 0.30901699437494745, -0.8090169943749475  # of one and two fifths of a turn
ROOT_HALF = 0.7071067811865476
SIN_1, SIN_2 = 0.9510565162951535, 0.5877852522924731


@njit(error_model="numpy", fastmath={"contract"})
def times(re, im, c, s):
    return re * c - im * s, re * s + im * c


@njit(**MACHINE)
def last_pass_of_two(x_re, x_im, y_re, y_im):
    """A pass of two comes last, where m is 1 and there is nothing to multiply by."""
    for q in range(y_re.shape[2]):
        a_re, a_im, b_re, b_im = x_re[0, 0, q], x_im[0, 0, q], x_re[1, 0, q], x_im[1, 0, q]
        y_re[0, 0, q], y_im[0, 0, q] = a_re + b_re, a_im + b_im
        y_re[0, 1, q], y_im[0, 1, q] = a_re - b_re, a_im - b_im


@njit(error_model="numpy", fastmath={"contract"})
def of_three(a_re, a_im, b_re, b_im, c_re, c_im):
    sum_re, sum_im = b_re + c_re, b_im + c_im
    off_re, off_im = HALF_ROOT_3 * (b_im - c_im), HALF_ROOT_3 * (b_re - c_re)
    mid_re, mid_im = a_re - 0.5 * sum_re, a_im - 0.5 * sum_im
    return a_re + sum_re, a_im + sum_im, mid_re + off_re, mid_im - off_im, mid_re - off_re, mid_im + off_im


@njit(**MACHINE)
def pass_of_three(x_re, x_im, w, y_re, y_im):
    for p in range(y_re.shape[0]):
        c1, s1, c2, s2 = w[p, 0, 0], w[p, 0, 1], w[p, 1, 0], w[p, 1, 1]
        for q in range(y_re.shape[2]):
            re0, im0, re1, im1, re2, im2 = of_three(
                x_re[0, p, q], x_im[0, p, q], x_re[1, p, q], x_im[1, p, q], x_re[2, p, q], x_im[2, p, q]
            )
            y_re[p, 0, q], y_im[p, 0, q] = re0, im0
            y_re[p, 1, q], y_im[p, 1, q] = times(re1, im1, c1, s1)
            y_re[p, 2, q], y_im[p, 2, q] = times(re2, im2, c2, s2)


@njit(error_model="numpy", fastmath={"contract"})
def of_four(a_re, a_im, b_re, b_im, c_re, c_im, d_re, d_im):
    even_re, even_im, odd_re, odd_im = a_re + c_re, a_im + c_im, b_re + d_re, b_im + d_im
    off_re, off_im, side_re, side_im = a_re - c_re, a_im - c_im, b_re - d_re, b_im - d_im
    return (
        even_re + odd_re, even_im + odd_im, off_re + side_im, off_im - side_re,
        even_re - odd_re, even_im - odd_im, off_re - side_im, off_im + side_re,
    )  # fmt: skip


@njit(**MACHINE)
def pass_of_four(x_re, x_im, w, y_re, y_im):
    for p in range(y_re.shape[0]):
        c1, s1, c2, s2, c3, s3 = w[p, 0, 0], w[p, 0, 1], w[p, 1, 0], w[p, 1, 1], w[p, 2, 0], w[p, 2, 1]
        for q in range(y_re.shape[2]):
            re0, im0, re1, im1, re2, im2, re3, im3 = of_four(
                x_re[0, p, q], x_im[0, p, q], x_re[1, p, q], x_im[1, p, q],
                x_re[2, p, q], x_im[2, p, q], x_re[3, p, q], x_im[3, p, q],
            )  # fmt: skip
            y_re[p, 0, q], y_im[p, 0, q] = re0, im0
            y_re[p, 1, q], y_im[p, 1, q] = times(re1, im1, c1, s1)
            y_re[p, 2, q], y_im[p, 2, q] = times(re2, im2, c2, s2)
            y_re[p, 3, q], y_im[p, 3, q] = times(re3, im3, c3, s3)


@njit(**MACHINE)
def last_pass_of_four(x_re, x_im, y_re, y_im):
    for q in range(y_re.shape[2]):
        (
            y_re[0, 0, q], y_im[0, 0, q], y_re[0, 1, q], y_im[0, 1, q],
            y_re[0, 2, q], y_im[0, 2, q], y_re[0, 3, q], y_im[0, 3, q],
        ) = of_four(
            x_re[0, 0, q], x_im[0, 0, q], x_re[1, 0, q], x_im[1, 0, q],
            x_re[2, 0, q], x_im[2, 0, q], x_re[3, 0, q], x_im[3, 0, q],
        )  # fmt: skip


@njit(error_model="numpy", fastmath={"contract"})
def of_eight(
    a_re, a_im, b_re, b_im, c_re, c_im, d_re, d_im, e_re, e_im, f_re, f_im, g_re, g_im, h_re, h_im
):  # fmt: skip
    """Those of the even places, and those of the odd ones turned by eighths."""
    re0, im0, re1, im1, re2, im2, re3, im3 = of_four(a_re, a_im, c_re, c_im, e_re, e_im, g_re, g_im)
    odd_re, odd_im, p_re, p_im, q_re, q_im, r_re, r_im = of_four(b_re, b_im, d_re, d_im, f_re, f_im, h_re, h_im)
    p_re, p_im = ROOT_HALF * (p_re + p_im), ROOT_HALF * (p_im - p_re)
    r_re, r_im = ROOT_HALF * (r_im - r_re), ROOT_HALF * (r_re + r_im)
    return (
        re0 + odd_re, im0 + odd_im, re1 + p_re, im1 + p_im, re2 + q_im, im2 - q_re, re3 + r_re, im3 - r_im,
        re0 - odd_re, im0 - odd_im, re1 - p_re, im1 - p_im, re2 - q_im, im2 + q_re, re3 - r_re, im3 + r_im,
    )  # fmt: skip


@njit(**MACHINE)
def pass_of_eight(x_re, x_im, w, y_re, y_im):
    for p in range(y_re.shape[0]):
        c1, s1, c2, s2, c3, s3, c4, s4 = (
            w[p, 0, 0], w[p, 0, 1], w[p, 1, 0], w[p, 1, 1], w[p, 2, 0], w[p, 2, 1], w[p, 3, 0], w[p, 3, 1],
        )  # fmt: skip
        c5, s5, c6, s6, c7, s7 = w[p, 4, 0], w[p, 4, 1], w[p, 5, 0], w[p, 5, 1], w[p, 6, 0], w[p, 6, 1]
        for q in range(y_re.shape[2]):
            re0, im0, re1, im1, re2, im2, re3, im3, re4, im4, re5, im5, re6, im6, re7, im7 = of_eight(
                x_re[0, p, q], x_im[0, p, q], x_re[1, p, q], x_im[1, p, q], x_re[2, p, q], x_im[2, p, q], x_re[3, p, q], x_im[3, p, q],
                x_re[4, p, q], x_im[4, p, q], x_re[5, p, q], x_im[5, p, q], x_re[6, p, q], x_im[6, p, q], x_re[7, p, q], x_im[7, p, q],
            )  # fmt: skip
            y_re[p, 0, q], y_im[p, 0, q] = re0, im0
            y_re[p, 1, q], y_im[p, 1, q] = times(re1, im1, c1, s1)
            y_re[p, 2, q], y_im[p, 2, q] = times(re2, im2, c2, s2)
            y_re[p, 3, q], y_im[p, 3, q] = times(re3, im3, c3, s3)
            y_re[p, 4, q], y_im[p, 4, q] = times(re4, im4, c4, s4)
            y_re[p, 5, q], y_im[p, 5, q] = times(re5, im5, c5, s5)
            y_re[p, 6, q], y_im[p, 6, q] = times(re6, im6, c6, s6)
            y_re[p, 7, q], y_im[p, 7, q] = times(re7, im7, c7, s7)


@njit(**MACHINE)
def last_pass_of_eight(x_re, x_im, y_re, y_im):
    for q in range(y_re.shape[2]):
        (
            y_re[0, 0, q], y_im[0, 0, q], y_re[0, 1, q], y_im[0, 1, q], y_re[0, 2, q], y_im[0, 2, q], y_re[0, 3, q], y_im[0, 3, q],
            y_re[0, 4, q], y_im[0, 4, q], y_re[0, 5, q], y_im[0, 5, q], y_re[0, 6, q], y_im[0, 6, q], y_re[0, 7, q], y_im[0, 7, q],
        ) = of_eight(
            x_re[0, 0, q], x_im[0, 0, q], x_re[1, 0, q], x_im[1, 0, q], x_re[2, 0, q], x_im[2, 0, q], x_re[3, 0, q], x_im[3, 0, q],
            x_re[4, 0, q], x_im[4, 0, q], x_re[5, 0, q], x_im[5, 0, q], x_re[6, 0, q], x_im[6, 0, q], x_re[7, 0, q], x_im[7, 0, q],
        )  # fmt: skip


@njit(error_model="numpy", fastmath={"contract"})
def of_five(a, b, c, d, e):
    """One part of the sums of five numbers that are not turned, and what the other part of the differences adds to it."""
    near, far, near_off, far_off = b + e, c + d, b - e, c - d
    return (
        a + (near + far), a + COS_1 * near + COS_2 * far, a + COS_2 * near + COS_1 * far,
        SIN_1 * near_off + SIN_2 * far_off, SIN_2 * near_off - SIN_1 * far_off,
    )  # fmt: skip


@njit(**MACHINE)
def pass_of_five(x_re, x_im, w, y_re, y_im):
    for p in range(y_re.shape[0]):
        c1, s1, c2, s2 = w[p, 0, 0], w[p, 0, 1], w[p, 1, 0], w[p, 1, 1]
        c3, s3, c4, s4 = w[p, 2, 0], w[p, 2, 1], w[p, 3, 0], w[p, 3, 1]
        for q in range(y_re.shape[2]):
            re, near_re, far_re, off_re, side_re = of_five(
                x_re[0, p, q], x_re[1, p, q], x_re[2, p, q], x_re[3, p, q], x_re[4, p, q]
            )
            im, near_im, far_im, off_im, side_im = of_five(
                x_im[0, p, q], x_im[1, p, q], x_im[2, p, q], x_im[3, p, q], x_im[4, p, q]
            )
            y_re[p, 0, q], y_im[p, 0, q] = re, im
            y_re[p, 1, q], y_im[p, 1, q] = times(near_re + off_im, near_im - off_re, c1, s1)
            y_re[p, 2, q], y_im[p, 2, q] = times(far_re + side_im, far_im - side_re, c2, s2)
            y_re[p, 3, q], y_im[p, 3, q] = times(far_re - side_im, far_im + side_re, c3, s3)
            y_re[p, 4, q], y_im[p, 4, q] = times(near_re - off_im, near_im + off_re, c4, s4)


# ---- between the passes


@njit(**MACHINE)
def met_by_roots(x_re, x_im, w_re, w_im, columns):
    """x[k, j] = x[k, j] w[k, j] for the first columns."""
    for k in range(x_re.shape[0]):
        for j in range(columns):
            x_re[k, j], x_im[k, j] = times(x_re[k, j], x_im[k, j], w_re[k, j], w_im[k, j])


@njit(error_model="numpy")
def turned(x, y):
    """y[j, k] = x[k, j] for all rows j of y and k of x, in blocks of 4 by 4; the rows may be longer on both sides."""
    rows, columns = x.shape[0], y.shape[0]
    source, step, target, apart = x.ctypes.data, 8 * x.shape[1], y.ctypes.data, 8 * y.shape[1]
    whole_rows, whole_columns = rows // 4 * 4, columns // 4 * 4
    for j in range(0, whole_columns, 4):
        for k in range(0, whole_rows, 4):
            turn_four(source + k * step + 8 * j, step, target + j * apart + 8 * k, apart)
    for j in range(columns):
        for k in range(whole_rows if j < whole_columns else 0, rows):
            y[j, k] = x[k, j]
