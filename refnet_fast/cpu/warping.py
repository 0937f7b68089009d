"""Images read at any points: a point's pixels and weights are found once for all channels, which lie side by side.

In the gradients the points may lead anywhere, so a thread visits all points of an image, in the definition's order, and adds to those
rows of pixels that are its own. The sums are the definition's: in float64, point after point.
"""

import numpy as np

from refnet.definition import size_of
from refnet.ops import warping
from refnet_fast.cpu.intrinsics import rint, round_down, select
from refnet_fast.cpu.rows import MACHINE, add_row, copy_row, fill_row
from refnet_fast.cpu.windows import floats
from refnet_fast.derive import compiled
from refnet_fast.kernels import kernel
from refnet_fast.native import njit, row_at
from refnet_fast.outcomes import cleared_scratch, scratch

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


# ---- gradients

MOST = 2**22  # sums in float64 that a thread keeps at once, 32 MB; an image that has more goes in bands of rows

SUMS = {
    "when": lambda call: call.outputs[0].dtype in ("float32", "float64"),
    "tasks": lambda call: size_of(call.form.outputs[0].shape[:2]),
    "cost": lambda call: (
        size_of(call.form.inputs[1].shape[1:]) * _point_ns(call) / max(1, call.form.outputs[0].shape[1])
    ),
}


def _point_ns(call):
    """Of a point, by what was measured: the pixels around it, and a channel."""
    return 6 + call.form.inputs[0].shape[3] if "nearest" in call.op.name else 10 + 2 * call.form.inputs[0].shape[3]


@njit(error_model="numpy")
def band_of(task, hi, dx):
    """(image, first row, end) of the rows of pixels, from a task on, whose sums are made together; a task is a row."""
    n, first = task // dx.shape[1], task % dx.shape[1]
    most = max(1, MOST // max(1, dx.shape[2] * dx.shape[3]))
    return n, first, min(dx.shape[1], first + hi - task, first + most)


@njit(**MACHINE)
def add_weighted(above, weight, pixel):
    for c in range(above.size):
        pixel[c] += weight * np.float64(above[c])


@njit(**MACHINE)
def add_to_four(above, f, g, upper, lower):
    """Adds a point's slopes to the four pixels around it: two side by side in the row above, and two below."""
    w00, w01, w10, w11, count = (1 - f) * (1 - g), (1 - f) * g, f * (1 - g), f * g, above.size
    for c in range(count):
        slope = np.float64(above[c])
        upper[c] += w00 * slope
        upper[count + c] += w01 * slope
        lower[c] += w10 * slope
        lower[count + c] += w11 * slope


@njit(error_model="numpy")
def add_across(above, row, s0, s1, g, weight):
    """Adds a point's slopes to its two pixels of a row of sums, where they are in the image and take part."""
    count = above.size
    if s0 >= 0:
        add_weighted(above, weight * (1 - g), row[s0 * count : (s0 + 1) * count])
    if s1 >= 0 and g != 0:
        add_weighted(above, weight * g, row[s1 * count : (s1 + 1) * count])


@njit(**MACHINE)
def corners_at(rows, cols, first, end, width, f, g, at):
    """How far each point of a line lies from the pixel before it, and which one that is, counted from row `first` on: -1 unless
    rows first..end hold all four pixels around the point, and all take part."""
    for j in range(at.size):
        r, s = round_down(np.float64(rows[j])), round_down(np.float64(cols[j]))
        f[j], g[j] = rows[j] - r, cols[j] - s
        inside = (r >= first) & (r < end - 1) & (s >= 0) & (s < width - 1) & (f[j] != 0) & (g[j] != 0)
        at[j] = np.int64(select(inside, (r - first) * width + s, -1.0))


@njit(**MACHINE)
def pixels_at(rows, cols, first, end, width, at):
    """Which pixel is next to each point of a line, counted from row `first` on: -1 unless rows first..end hold it."""
    for j in range(at.size):
        r, s = rint(np.float64(rows[j])), rint(np.float64(cols[j]))
        inside = (r >= first) & (r < end) & (s >= 0) & (s < width)
        at[j] = np.int64(select(inside, (r - first) * width + s, -1.0))


@kernel("sample_bilinear_x_gradient", **SUMS)
def sample_bilinear_x_gradient_rows(dy, rows, cols, mode, dx, lo, hi):
    """Rows lo..hi of the pixels of all images: each point adds to four pixels, or to those of them that are in these rows."""
    height, width, channels = dx.shape[1:]
    line, count = width * channels, rows.shape[2]
    f, g, at = scratch(count, np.float64), scratch(count, np.float64), scratch(count, np.int64)
    while lo < hi:
        n, first, end = band_of(lo, hi, dx)
        room = cleared_scratch((end - first) * line, np.float64)
        sums = row_at(room.ctypes.data, room.size, np.float64)  # parts of `room` itself would be counted, each of them
        for i in range(rows.shape[1]):
            corners_at(rows[n, i], cols[n, i], float(first), float(end), float(width), f, g, at)
            for j in range(count):
                above, place = dy[n, i, j], at[j] * channels
                if place >= 0:
                    upper, lower = sums[place:], sums[place + line :]
                    add_to_four(above, f[j], g[j], upper[: 2 * channels], lower[: 2 * channels])
                    continue
                row, col = np.float64(rows[n, i, j]), np.float64(cols[n, i, j])
                if near(row) and near(col):
                    r0, s0 = whole_place(row), whole_place(col)
                    r0, r1 = folded(r0, height, mode), folded(r0 + 1, height, mode)
                    s0, s1 = folded(s0, width, mode), folded(s0 + 1, width, mode)
                    if first <= r0 < end:
                        add_across(above, sums[(r0 - first) * line :], s0, s1, g[j], 1 - f[j])
                    if first <= r1 < end and f[j] != 0:
                        add_across(above, sums[(r1 - first) * line :], s0, s1, g[j], f[j])
        copy_row(room, dx[n, first:end].ravel())
        lo += end - first


@kernel("sample_nearest_x_gradient", **SUMS)
def sample_nearest_x_gradient_rows(dy, rows, cols, mode, dx, lo, hi):
    """Rows lo..hi of the pixels of all images: each point adds to its pixel, if that is in these rows."""
    height, width, channels = dx.shape[1:]
    at = scratch(rows.shape[2], np.int64)
    while lo < hi:
        n, first, end = band_of(lo, hi, dx)
        room = cleared_scratch((end - first) * width * channels, np.float64)
        sums = row_at(room.ctypes.data, room.size, np.float64)
        for i in range(rows.shape[1]):
            pixels_at(rows[n, i], cols[n, i], float(first), float(end), float(width), at)
            for j in range(at.size):
                place = at[j]
                if place < 0 and mode != 0 and near(rows[n, i, j]) and near(cols[n, i, j]):
                    r = folded(nearest_place(np.float64(rows[n, i, j])), height, mode)
                    s = folded(nearest_place(np.float64(cols[n, i, j])), width, mode)
                    place = (r - first) * width + s if first <= r < end else -1
                if place >= 0:
                    add_row(dy[n, i, j], sums[place * channels : (place + 1) * channels])
        copy_row(room, dx[n, first:end].ravel())
        lo += end - first
