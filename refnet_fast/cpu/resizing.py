"""Images of another size, along one axis: the weights of a place are found once for all lines that are mixed by them.

By its definition each element finds them again, in some hundred operations for four products. The sums are the definition's: in
float64, term after term.
"""

import math

import numpy as np

from refnet.ops import resizing
from refnet_fast.cpu.rows import copy_row, fill_row
from refnet_fast.cpu.windows import floats
from refnet_fast.derive import compiled
from refnet_fast.kernels import kernel
from refnet_fast.native import Separate, njit
from refnet_fast.outcomes import scratch

position, weight_at, total_weight = map(compiled, (resizing.position, resizing.kernel, resizing.total_weight))

PLACES = 64  # whose weights are kept at a time
WIDEST = 64  # terms of a sum, at most, whose weights are kept
WEIGHT_NS = 20  # to find one, roughly


def terms(call):
    """Of the longest sum: the four pixels around a place; of a gradient, all places within two pixels."""
    if not call.op.name.endswith("gradient"):
        return 4
    return math.ceil(4 * call.form.inputs[0].shape[1] / call.form.outputs[0].shape[1]) + 5


def worth_keeping(call):
    """Floats, and each weight is read several times."""
    outer, _, inner = call.form.inputs[0].shape
    return floats(call) and outer * inner >= 8 and call.form.outputs[0].shape[1] > 0 and terms(call) <= WIDEST


CALLS = {
    "when": worth_keeping,
    "tasks": lambda call: -(-call.form.outputs[0].shape[1] // PLACES) * call.form.outputs[0].shape[0],
    "cost": lambda call: PLACES * (WEIGHT_NS + terms(call) * (2 + call.form.outputs[0].shape[2] / 4)),
    "arguments": lambda call, inputs, outputs: [*inputs, call.attributes["cubic"], terms(call), *outputs],
}


@njit(error_model="numpy", fastmath={"contract"}, pipeline_class=Separate)
def add_weighted(row, weight, total):
    for i in range(total.size):
        total[i] += weight * np.float64(row[i])


@njit(error_model="numpy")
def weigh_places(first, count, n, m, cubic, firsts, weights):
    """Of some places of m: the first of the four pixels of n around each, and the share of each pixel, 0 where one takes no part."""
    for k in range(count):
        p = position(first + k, n, m)
        firsts[k], whole = int(math.floor(p)) - 1, total_weight(p, n, cubic)
        for t in range(4):
            r = firsts[k] + t
            weights[k, t] = weight_at(p - r, cubic) / whole if 0 <= r < n else 0.0


@njit(error_model="numpy")
def weigh_pixels(first, count, n, m, cubic, firsts, weights):
    """Of some pixels of n: the first place of m that may have a share of each, and the share of each place from there on."""
    for k in range(count):
        r = first + k
        firsts[k] = max(int(math.floor((r - 1.5) * m / n - 0.5)) - 1, 0)
        for t in range(weights.shape[1]):
            p = position(firsts[k] + t, n, m)
            weight = weight_at(p - r, cubic) if firsts[k] + t < m else 0.0
            weights[k, t] = weight / total_weight(p, n, cubic) if weight != 0 else 0.0


@njit(error_model="numpy")
def mix_lines(back, x, cubic, width, y, lo, hi):
    """Tasks lo..hi, each some places of a line; of all lines before the next places, so that weights are found once.

    back: whether y is the gradient, in pixels, of places x.
    """
    firsts, weights, total = (
        scratch(PLACES, np.int64),
        scratch((PLACES, width), np.float64),
        scratch(y.shape[2], np.float64),
    )
    found = -1
    for task in range(lo, hi):
        first, o = task // y.shape[0] * PLACES, task % y.shape[0]
        count = min(PLACES, y.shape[1] - first)
        if first != found:
            if back:
                weigh_pixels(first, count, y.shape[1], x.shape[1], cubic, firsts, weights)
            else:
                weigh_places(first, count, x.shape[1], y.shape[1], cubic, firsts, weights)
            found = first
        for k in range(count):
            fill_row(total, 0)
            for t in range(width):
                if weights[k, t] != 0:
                    add_weighted(x[o, firsts[k] + t], weights[k, t], total)
            copy_row(total, y[o, first + k])


@kernel("resize_axis", **CALLS)
def resize_axis_lines(x, cubic, width, y, lo, hi):
    """Each place is a sum of four rows of pixels at most. Bound: a row read for each weight."""
    mix_lines(False, x, cubic, width, y, lo, hi)


@kernel("resize_axis_gradient", **CALLS)
def resize_axis_gradient_lines(dy, cubic, width, dx, lo, hi):
    """Each pixel gathers from the places that it has a share in."""
    mix_lines(True, dy, cubic, width, dx, lo, hi)
