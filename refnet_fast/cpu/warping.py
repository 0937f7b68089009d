"""Images read at any points: a point's pixels and weights are found once for all channels, which lie side by side."""

import numpy as np

from refnet.definition import size_of
from refnet.ops import warping
from refnet_fast.cpu.rows import fill_row
from refnet_fast.cpu.windows import floats
from refnet_fast.derive import compiled
from refnet_fast.kernels import kernel
from refnet_fast.native import njit

folded, near, whole_place = compiled(warping.folded), compiled(warping.near), compiled(warping.whole_place)
nearest_place = compiled(warping.nearest_place)

LIGHT = 1e-30  # weights below it are met in float64: even the lightest one spreads an infinity

ROWS = {
    "tasks": lambda call: size_of(call.form.domain[:2]),
    "cost": lambda call: call.form.domain[2] * (20 + 4 * call.outputs[0].shape[3]),
}


@njit(error_model="numpy")
def add_pixel(x, n, r, s, weight, fill, out):
    """out += weight times the pixel (r, s), or times the fill value where there is none; nothing where the weight is 0."""
    if weight != 0:
        for c in range(out.size):
            out[c] += weight * (x[n, r, s, c] if r >= 0 and s >= 0 else fill)


@njit(error_model="numpy", fastmath={"contract"})
def mix(x, n, r, s, f, g, out):
    """out = the four pixels from (r, s) on, all of which there are, and all of which take part."""
    one = x.dtype.type(1)
    w00, w01, w10, w11 = (one - f) * (one - g), (one - f) * g, f * (one - g), f * g
    for c in range(out.size):
        upper = w00 * x[n, r, s, c] + w01 * x[n, r, s + 1, c]
        out[c] = upper + (w10 * x[n, r + 1, s, c] + w11 * x[n, r + 1, s + 1, c])


@kernel(
    "sample_bilinear",
    when=floats,
    **ROWS,
)
def sample_bilinear_rows(x, rows, cols, mode, fill, y, lo, hi):
    """Rows lo..hi of the results of all images: for each point four pixels, added where the result will stand."""
    kind, (_, height, width, _) = x.dtype.type, x.shape
    for task in range(lo, hi):
        n, i = task // y.shape[1], task % y.shape[1]
        for j in range(y.shape[2]):
            row, col, out = np.float64(rows[n, i, j]), np.float64(cols[n, i, j]), y[n, i, j]
            if not (near(row) and near(col)):
                fill_row(out, fill)
                continue
            r0, s0 = whole_place(row), whole_place(col)
            r1, s1, f, g = r0 + 1, s0 + 1, row - r0, col - s0
            if r0 >= 0 and r1 < height and s0 >= 0 and s1 < width and min(f, 1 - f) * min(g, 1 - g) > LIGHT:
                mix(x, n, r0, s0, kind(f), kind(g), out)
                continue
            if r0 < 0 or r1 >= height:
                r0, r1 = folded(r0, height, mode), folded(r1, height, mode)
            if s0 < 0 or s1 >= width:
                s0, s1 = folded(s0, width, mode), folded(s1, width, mode)
            fill_row(out, 0)
            add_pixel(x, n, r0, s0, (1 - f) * (1 - g), fill, out)
            add_pixel(x, n, r0, s1, (1 - f) * g, fill, out)
            add_pixel(x, n, r1, s0, f * (1 - g), fill, out)
            add_pixel(x, n, r1, s1, f * g, fill, out)


@kernel("sample_nearest", **ROWS)
def sample_nearest_rows(x, rows, cols, mode, fill, y, lo, hi):
    """Rows lo..hi of the results of all images: whole pixels are copied."""
    for task in range(lo, hi):
        n, i = task // y.shape[1], task % y.shape[1]
        for j in range(y.shape[2]):
            row, col, r, s = np.float64(rows[n, i, j]), np.float64(cols[n, i, j]), -1, -1
            if near(row) and near(col):
                r, s = folded(nearest_place(row), x.shape[1], mode), folded(nearest_place(col), x.shape[2], mode)
            for c in range(y.shape[3]):
                # as a statement: one type for both would be float64, which rounds large whole numbers
                if r >= 0 and s >= 0:
                    y[n, i, j, c] = x[n, r, s, c]
                else:
                    y[n, i, j, c] = x.dtype.type(fill)
