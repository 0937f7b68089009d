"""Softmax cross-entropies, forward and backward, a row at a time."""

from refnet_fast.cpu.activation import exponentials, log, row_largest
from refnet_fast.cpu.rows import row_sum
from refnet_fast.kernels import kernel
from refnet_fast.tables import ELEMENT_NS


def _float_rows(call):
    dtypes = {s.dtype for s in call.inputs if s.dtype.startswith("float")} | {s.dtype for s in call.outputs}
    integers = all(
        s.dtype in ("int8", "int16", "int32", "int64", "uint8", "uint16")
        for s in call.inputs
        if not s.dtype.startswith("float")
    )
    return dtypes in ({"float32"}, {"float64"}) and integers


ROWS = {
    "when": _float_rows,
    "tasks": lambda call: call.form.domain[0],
    "cost": lambda call: 12 * ELEMENT_NS * call.outputs[-1].shape[-1] + 20,
    "rows": lambda call: tuple(range(len(call.inputs))),
}


@kernel("softmax_cross_entropy", **ROWS)
def softmax_cross_entropy_rows(x, t, loss, p, lo, hi):
    """Rows lo..hi; a row of logits stays in the first cache for all its passes."""
    for n in range(lo, hi):
        row, target, out = x[n], t[n], p[n]
        best = row_largest(row)
        exponentials(row, best, out)
        total = row_sum(out)
        height = log(total)
        waste = total - total
        for c in range(out.size):
            waste += target[c] * (height - (row[c] - best))
            out[c] = out[c] / total
        loss[n] = waste


@kernel("softmax_cross_entropy_gradient", **ROWS)
def softmax_cross_entropy_gradient_rows(dloss, p, t, dx, lo, hi):
    """Rows lo..hi."""
    for n in range(lo, hi):
        row, target, out = p[n], t[n], dx[n]
        scale, total = dloss[n], row_sum(target)
        for c in range(out.size):
            out[c] = scale * (row[c] * total - target[c])


@kernel("sparse_softmax_cross_entropy", **ROWS)
def sparse_softmax_cross_entropy_rows(x, labels, loss, p, lo, hi):
    """Rows lo..hi; the label's logit is picked by comparison, so that no label can read outside the row."""
    for n in range(lo, hi):
        row, out, label = x[n], p[n], labels[n]
        best = row_largest(row)
        exponentials(row, best, out)
        total = row_sum(out)
        chosen = best
        for c in range(out.size):
            out[c] = out[c] / total
            if c == label:
                chosen = row[c]
        loss[n] = log(total) - (chosen - best)


@kernel("sparse_softmax_cross_entropy_gradient", **ROWS)
def sparse_softmax_cross_entropy_gradient_rows(dloss, p, labels, dx, lo, hi):
    """Rows lo..hi."""
    for n in range(lo, hi):
        row, out, label = p[n], dx[n], labels[n]
        scale, one = dloss[n], row.dtype.type(1)
        for c in range(out.size):
            out[c] = scale * (row[c] - one) if c == label else scale * row[c]
