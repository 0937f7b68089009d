"""Tuned kernels broken on purpose, one line each: see `refnet.testing.mutants` for definitions and gradients.

`broken_kernels` runs them.
"""

import importlib.util
from pathlib import Path
from typing import NamedTuple


class KernelMutant(NamedTuple):
    """One broken line of refnet_fast/<place>/<file>.py, which holds the kernel, or of a file beside it from which the kernel
    takes what is broken; and the op it serves."""

    name: str
    place: str
    file: str
    op: str
    kernel: str
    old: str
    new: str
    helpers: str = ""

    @property
    def broken(self):
        return self.helpers or self.file


CPU_MUTANTS = [
    KernelMutant("a logarithm that is added", "cpu", "activation", "log_softmax", "log_softmax_lanes", "(row[c] - best) - total", "(row[c] - best) + total"),
    KernelMutant("the gradient without its shift", "cpu", "row_normalization", "layer_normalization_gradient", "layer_normalization_gradient_rows", "weighted_sum(above, gamma) / count", "weighted_sum(above, gamma) * 0"),
    KernelMutant("the end of a share forgotten", "cpu", "reduction", "sum", "sum_rows", "range(lo, hi)", "range(lo, hi - 1)"),
    KernelMutant("half of a row", "cpu", "reduction", "sum", "sum_rows", "total += row[i]", "total += row[i] if i < 2 else 0", "rows"),
    KernelMutant("exponentials without the largest taken off", "cpu", "activation", "softmax", "softmax_lanes", "exponentials(row, row_largest(row), out)", "exponentials(row, row.dtype.type(0), out)"),
    KernelMutant("a mean in the place of a total", "cpu", "activation", "softmax", "softmax_lanes", "out[c] = out[c] / total", "out[c] = out[c] / out.size"),
    KernelMutant("the dot product without its product", "cpu", "activation", "softmax_gradient", "softmax_gradient_lanes", "total += a[i] * b[i]", "total += a[i]", "rows"),
    KernelMutant("the total of the wrong array", "cpu", "activation", "log_softmax_gradient", "log_softmax_gradient_lanes", "total = row_sum(above)", "total = row_sum(row)"),
    KernelMutant("a query that sees its successor", "cpu", "attention", "dot_product_attention", "attention_blocks", "min(max(s - first, 0), lanes)", "min(max(s - first - 1, 0), lanes)"),
    KernelMutant("slopes of logits without their mean", "cpu", "attention_gradients", "dot_product_attention_query_gradient", "attention_query_gradient_blocks", "(slopes[i, j] - shift[j])", "slopes[i, j]"),
    KernelMutant("a key that hears masked queries", "cpu", "attention_gradients", "dot_product_attention_key_gradient", "attention_key_gradient_blocks", "hide(part, mask[b, n, t, first:end], kind(0))", "pass"),
    KernelMutant("slopes of a bias that are not turned around", "cpu", "attention_gradients", "dot_product_attention_query_and_bias_gradient", "attention_query_and_bias_gradient_blocks", "out[lane, place] = slopes[place, lane]", "out[lane, place] = slopes[min(lane, slopes.shape[0] - 1), lane]"),
    KernelMutant("later places left as they were", "cpu", "attention_gradients", "dot_product_attention_query_and_bias_gradient", "attention_query_and_bias_gradient_blocks", "fill_row(dbias[b, n, t, keys:], kind(0))", "pass"),
    KernelMutant("queries that do not hear the last key of a block", "cpu", "attention_gradients", "dot_product_attention_query_and_key_gradient", "attention_query_and_key_gradient_heads", "x.shape[3], lanes, places, 1)", "x.shape[3], lanes - 1, places, 1)", "attention_lanes"),
    KernelMutant("masked keys that are not finite meet queries that do not see them", "cpu", "attention_gradients", "dot_product_attention_query_and_key_gradient", "attention_query_and_key_gradient_heads", "finite = finite and all_finite(k, b, head)", "pass"),
    KernelMutant("a query's slopes of one key row by row that are lost", "cpu", "attention_gradients", "dot_product_attention_query_and_key_gradient", "attention_query_and_key_gradient_heads", "add_scaled(key, slope, dq[b, t, n])", "pass", "attention_rows"),
    KernelMutant("queries of heads that share a key, of which the first is scaled", "cpu", "attention_gradients", "dot_product_attention_query_and_key_gradient", "attention_query_and_key_gradient_heads", "scale_by(dq[b, t, n], kind(scale))", "scale_by(dq[b, t, head * group], kind(scale))"),
    KernelMutant("a bias whose masked places learn", "cpu", "attention_gradients", "dot_product_attention_bias_gradient", "attention_bias_gradient_blocks", "hide(slope, mask[b, n, t, first:end], kind(0))", "pass"),
    KernelMutant("weights in the place of their slopes", "cpu", "attention_gradients", "dot_product_attention_bias_gradient", "attention_bias_gradient_blocks", "copy_row(slope, dbias", "copy_row(logits[t - start, :lanes], dbias"),
    KernelMutant("a bias that learns of the next place", "cpu", "attention_gradients", "dot_product_attention_bias_gradient", "attention_bias_gradient_blocks", "max(t + 1 - first, 0)", "max(t + 2 - first, 0)"),
    KernelMutant("a key that stays the same in all rounds", "cpu", "random", "dropout_mask", "dropout_masks", "(k0 + 0x9E3779B9)", "(k0 + 0)"),
    KernelMutant("the second matrix always its first row", "cpu", "contraction", "matmul", "matmul_dots", "row_dot(a[n, i], b[n, j])", "row_dot(a[n, i], b[n, 0])"),
    KernelMutant("every batch the first", "cpu", "contraction", "matmul", "matmul_dots", "n, i = task // y.shape[1], task % y.shape[1]\n        for j", "n, i = 0, task % y.shape[1]\n        for j"),
    KernelMutant("a mean over one less", "cpu", "row_normalization", "layer_normalization", "layer_normalization_rows", "row_sum(row) / row.size", "row_sum(row) / max(row.size - 1, 1)"),
    KernelMutant("the gradient without its tilt", "cpu", "row_normalization", "layer_normalization_gradient", "layer_normalization_gradient_rows", " / root * tilt", " / root * 0"),
    KernelMutant("the taps of remainder 0 for all pixels", "cpu", "convolution", "conv2d_inputs_gradient", "conv2d_inputs_gradient_rows", "first * dilation % stride != remainder", "first * dilation % stride != 0"),
    KernelMutant("the kernel turned around in one axis only", "cpu", "convolution", "conv2d_inputs_gradient", "conv2d_inputs_gradient_rows", "q_first + (q_count - 1 - q) * q_step", "q_first + q * q_step"),
    KernelMutant("each layer of the kernel overwrites the last", "cpu", "convolution3d", "conv3d", "conv3d_rows", "False, o - o0, first, end", "False, 0, first, end"),
    KernelMutant("a layer of dy without its place", "cpu", "convolution3d", "conv3d_kernel_gradient", "conv3d_kernel_gradient_rows", "(n * layers + h0) * above", "n * layers * above"),
    KernelMutant("a kernel row's taps all the first", "cpu", "depthwise", "conv2d_kernel_gradient", "depthwise_kernel_gradient_panels", "a * sw + q * dw - left", "a * sw - left"),
    KernelMutant("every tied element takes the slope", "cpu", "pooling", "max_pool2d_inputs_gradient", "max_pool2d_inputs_gradient_images", "left[j, c] = select(wins, nothing, slope)", "left[j, c] = slope"),
    KernelMutant("means over the whole window at the edge too", "cpu", "pooling", "average_pool2d", "average_pool2d_rows", "row_count * (end - first)", "row_count * pool[1]"),
    KernelMutant("shares one pixel further", "cpu", "pooling", "average_pool2d_inputs_gradient", "average_pool2d_inputs_gradient_images", "pixels[place + j * step, c] += shares[j, c]", "pixels[max(place, 0) + j * step, c] += shares[j, c]"),
    KernelMutant("the fourth of four rows left out", "cpu", "normalization", "batch_normalization_training", "batch_normalization_training_columns", "(d2 * d2 + d3 * d3)", "d2 * d2"),
    KernelMutant("what moves the mean not taken off", "cpu", "normalization", "batch_normalization_training_gradient", "batch_normalization_training_gradient_columns", "above[c] - shift[c]", "above[c] + 0 * shift[c]"),
    KernelMutant("the right column weighted as the left", "cpu", "warping", "sample_bilinear", "sample_bilinear_rows", "w01 * x[n, r, s + 1, c]", "w00 * x[n, r, s + 1, c]"),
    KernelMutant("points outside read pixel 0", "cpu", "warping", "sample_nearest", "sample_nearest_rows", "y[n, i, j, c] = x.dtype.type(fill)", "y[n, i, j, c] = x[n, max(r, 0), max(s, 0), c]"),
    KernelMutant("the right column left out beside the border", "cpu", "warping", "sample_bilinear_x_gradient", "sample_bilinear_x_gradient_rows", "if s1 >= 0 and g != 0:", "if s1 >= 0 and g > 1:"),
    KernelMutant("the pixels below given what those above are", "cpu", "warping", "sample_bilinear_x_gradient", "sample_bilinear_x_gradient_rows", "lower[c] += w10 * slope", "lower[c] += w00 * slope"),
    KernelMutant("rows of another share taken for the first", "cpu", "warping", "sample_nearest_x_gradient", "sample_nearest_x_gradient_rows", "place = (r - first) * width + s if", "place = r * width + s if"),
    KernelMutant("a column beside the image", "cpu", "warping", "sample_nearest_x_gradient", "sample_nearest_x_gradient_rows", "(s >= 0) & (s < width)", "(s >= 0)"),
    KernelMutant("points outside that lead nowhere", "cpu", "warping", "sample_nearest_x_gradient", "sample_nearest_x_gradient_rows", "place < 0 and mode != 0", "place < 0 and mode > 1"),
    KernelMutant("all pixels weighted as the first", "cpu", "resizing", "resize_axis", "resize_axis_lines", "weights[k, t], total)", "weights[k, 0], total)"),
    KernelMutant("shares that do not add up to one", "cpu", "resizing", "resize_axis_gradient", "resize_axis_gradient_lines", "weight / total_weight(p, n, cubic) if", "weight if"),
    KernelMutant("weights of the first places kept for all", "cpu", "resizing", "resize_axis", "resize_axis_lines", "if first != found:", "if found < 0:"),
    KernelMutant("states let through by the update gate", "cpu", "recurrent_gru", "gru", "gru_rows_reset_before", "scale_row(seen[n], z[units:])", "scale_row(seen[n], z[:units])"),
    KernelMutant("the reset gate's slope without its state", "cpu", "recurrent_gru", "gru_gradient", "gru_gradient_rows_reset_before", "add_products(back[n], before, outer", "add_products(back[n], back[n], outer"),
    KernelMutant("the cell's slope by the gates' activation", "cpu", "recurrent_lstm", "lstm_gradient", "lstm_gradient_rows_of_any", "slope_row(into_cell, shown, activation)", "slope_row(into_cell, shown, recurrent_activation)"),
    KernelMutant("a sum of picks without its last", "cpu", "indexing", "take_x_gradient", "take_x_gradient_columns", "min(block + CHAIN, starts[r + 1])", "min(block + CHAIN, starts[r + 1] - 1)"),
    KernelMutant("layers of dy all met by the first of the kernel", "cpu", "convolution3d", "conv3d_inputs_gradient", "conv3d_inputs_gradient_rows", "strips, at, k[o], to", "strips, at, k[0], to"),
    KernelMutant("nothing behind what is spread", "cpu", "slicing", "spread", "spread_rows", "range(end, y.shape[1])", "range(end, y.shape[1] - 1)"),
    KernelMutant("the least bits of a word, not the highest", "cpu", "random", "random_uniform", "random_uniforms", "np.float64(words[1, j] >> dropped)", "np.float64(words[1, j] & np.uint32(0xFF))"),
    KernelMutant("the second half of a long fraction left out", "cpu", "random", "random_uniform", "random_uniforms", "np.int32(words[3, j] >> six)", "np.int32(words[2, j] >> six)"),
    KernelMutant("the far end taken for the middle", "cpu", "random", "random_normal", "random_normals", "np.int64(abs(q) > 0.425)", "np.int64(q > 0.425)"),
    KernelMutant("mantissas not halved above the root of 2", "cpu", "random", "random_truncated_normal", "random_normals", "0.5 * m[i] if high else m[i]", "m[i]"),
    KernelMutant("the outer numbers all on one side", "cpu", "random", "random_normal", "random_normals", "math.copysign(value, p[places[i]] - 0.5)", "value"),
    KernelMutant("the lower word without its carry", "cpu", "random", "random_integers", "random_wholes", "((bound * np.uint64(low)) >> half)", "(bound * np.uint64(low) * np.uint64(0))"),
    KernelMutant("an odd number's last left as it was", "cpu", "random", "random_integers", "random_wholes", "if y.size % 2:", "if False:"),
    KernelMutant("an exchange with what was there before", "cpu", "shuffling", "permutation", "permutation_in_order", "y[i], y[j] = y[j], y[i]", "y[i] = y[j]"),
    KernelMutant("every draw from all numbers", "cpu", "shuffling", "permutation", "permutation_in_order", "whole_below(bound - 2 * j - 1, words[2, j]", "whole_below(bound - 2 * j, words[2, j]"),
    KernelMutant("every element that equals the largest takes its slope", "cpu", "extremum", "max_gradient", "max_gradient_columns", "left[i] = select(wins, nothing, left[i])", "pass"),
    KernelMutant("no slope for what is no number", "cpu", "extremum", "min_gradient", "min_gradient_columns", "| ((best[i] != best[i]) & (row[i] != row[i]))", ""),
    KernelMutant("the largest without its last row", "cpu", "extremum", "max_gradient", "max_gradient_columns", "meet(x[o, r, first:end], best, largest)\n        copy_row(dy", "meet(x[o, r - 1, first:end], best, largest)\n        copy_row(dy"),
    KernelMutant("what stood there stays", "cpu", "extremum", "min_gradient", "min_gradient_rows", "fill_row(dx[o], 0)", "pass"),
    KernelMutant("labels below 0 counted from the end", "cpu", "indexing", "one_hot", "one_hot_rows", "if 0 <= x[o, 0] < classes:", "if -classes <= x[o, 0] < classes:"),
    KernelMutant("classes of the first place only", "cpu", "indexing", "one_hot", "one_hot_planes", "o, c = task // classes, task % classes\n        plane", "o, c = 0, task % classes\n        plane"),
    KernelMutant("a short lane's last number not compared", "cpu", "sorting", "argsort", "argsort_lanes", "for i in range(n):", "for i in range(n - 1):"),
    KernelMutant("equal numbers in any order", "cpu", "sorting", "argsort", "argsort_lanes", " | np.uint64(r)", " | np.uint64(n - 1 - r)"),
    KernelMutant("picks of one element that begin anew in every share", "cpu", "indexing", "take", "take_elements", "indices[first:end]", "indices[: end - first]"),
    KernelMutant("picks of one element all from the first row", "cpu", "indexing", "take", "take_elements", "pick_elements(x[o],", "pick_elements(x[0],"),
    KernelMutant("one element in the first places alone", "cpu", "shapes", "broadcast_to", "fill_with_one", "fill_row(y[lo:hi], x[0])", "fill_row(y[: hi - lo], x[0])"),
    KernelMutant("every lane reads the first", "cpu", "indexing", "take_along_axis", "take_along_lanes", "row, picks, out = x[o]", "row, picks, out = x[0]"),
    KernelMutant("columns that are turned and not those beside them", "cpu", "shapes", "transpose", "transpose_matrices", "x[column : column + 16, first:last]", "x[0:16, first:last]"),
    KernelMutant("every matrix the first one turned", "cpu", "shapes", "transpose", "transpose_matrices", "turn(x[n], y[n], first, end)", "turn(x[0], y[n], first, end)"),
    KernelMutant("a candidate that is not reset", "cpu", "recurrent_gru", "gru", "gru_rows_of_any", "multiply_rows(z[units : 2 * units], inner, z[2 * units :])", "copy_row(inner, z[2 * units :])"),
]  # fmt: skip
# Kernels that want whole vectors of channels, which calls drawn at random seldom have.
CPU_MUTANTS += [
    KernelMutant("a sum that goes on from pixel to pixel", "cpu", "convolution", "conv2d", "conv2d_few_filters", "sums[:] = 0", "sums[1:] = 0"),
    KernelMutant("all filters the first", "cpu", "convolution", "conv2d", "conv2d_few_filters", "turned[f] = taps[:, f]", "turned[f] = taps[:, 0]"),
    KernelMutant("a row above the image that is read", "cpu", "convolution", "conv2d", "conv2d_few_filters", "tap = ((f * p_count + p0) * q_count + q) * channels", "tap = (f * p_count * q_count + q) * channels"),
    KernelMutant("few filters whose sums are not turned around", "cpu", "convolution", "conv2d_kernel_gradient", "conv2d_kernel_gradient_rows", "matrix[row, f] += transposed[f, row]", "matrix[row, f] += part[row, f]"),
]  # fmt: skip
TILE_MUTANTS = [
    KernelMutant("tiles that begin in the image", "cpu", "winograd", "conv2d", "transformed_tiles", "broad * j - padding[1]", "broad * j"),
    KernelMutant("all filters met by the first panel of taps", "cpu", "winograd", "conv2d", "multiply_planes", "((element * filters + f) * channels + c * panel)", "(element * filters * channels + c * panel)"),
    KernelMutant("the last channels alone", "cpu", "winograd", "conv2d", "multiply_planes", "panel, c)", "panel, 0)"),
    KernelMutant("both rows of a part of a tile the first", "cpu", "winograd", "conv2d", "results_of_tiles", "edge + size * (broad * p + q) * some", "edge + size * q * some"),
    KernelMutant("what is not finite spreads in its tile", "cpu", "winograd", "conv2d", "convolve_tiles_here", "if odd[row - lo]:", "if False:"),
    KernelMutant("places beside the image left as they were", "cpu", "winograd", "conv2d", "tile_of", "clear_rows(size, room, broad * channels, i, i + 1)", "pass"),
    KernelMutant("filters met by the taps of the first ones", "cpu", "winograd", "conv2d", "transformed_taps", "(c * filters + first + f)", "(c * filters + f)"),
    KernelMutant("rows of taps two taps apart", "cpu", "winograd", "conv2d", "transformed_taps", "across * row, row, to", "2 * row, row, to"),
    KernelMutant("results of all filters in the place of the first", "cpu", "winograd", "conv2d", "results_of_tiles", "broad * j) * filters + lo)", "broad * j) * filters)"),
    KernelMutant("tiles that are as high as they are broad", "cpu", "winograd", "conv2d", "transformed_tiles", "high * i - padding[0]", "broad * i - padding[0]"),
    KernelMutant("a tile turned over its diagonal", "cpu", "winograd", "conv2d", "transformed_tiles", "step, apart, to, products * plane, plane", "step, apart, to, plane, products * plane"),
    KernelMutant("two of a tile's rows computed again", "cpu", "winograd", "conv2d", "convolve_tiles_here", "n * rows + min(i + high, rows)", "n * rows + min(i + 2, rows)"),
    KernelMutant("sums of earlier tiles forgotten", "cpu", "winograd_gradient", "conv2d_kernel_gradient", "add_tiles", "to, panel, panel, 1)", "to, panel, panel, 0)"),
    KernelMutant("all slopes the first panel's", "cpu", "winograd_gradient", "conv2d_kernel_gradient", "add_tiles", "(element * plane[1] + f * at_once)", "element * plane[1]"),
    KernelMutant("tiles of earlier blocks added again", "cpu", "winograd_gradient", "conv2d_kernel_gradient", "kernel_of_channels", "fill_row(part.ravel(), 0)", "pass"),
    KernelMutant("the last blocks alone added", "cpu", "winograd_gradient", "conv2d_kernel_gradient", "kernel_of_channels", "add_row(part.ravel(), total.ravel())", "total[:] = part"),
    KernelMutant("the channels of the first share for all", "cpu", "winograd_gradient", "conv2d_kernel_gradient", "kernel_of_channels", "first_channel, first_channel + some, across", "0, some, across"),
    KernelMutant("channels of the first block for all", "cpu", "winograd_gradient", "conv2d_kernel_gradient", "kernel_of_tiles", "padding, group, end, at_once", "padding, lo, lo + end - group, at_once"),
    KernelMutant("a kernel that is nan where a term was infinite", "cpu", "winograd_gradient", "conv2d_kernel_gradient", "kernel_of_channels", "p_count * q_count if odd else 0", "0"),
    KernelMutant("taps counted in rows of three", "cpu", "winograd_gradient", "conv2d_kernel_gradient", "sum_of_tap", "tap // window[1], tap % window[1]", "tap // 3, tap % 3"),
]  # fmt: skip
CPU_MUTANTS += TILE_MUTANTS
# Files whose functions serve programs, not calls of their own: x is given as lists, see refnet_fast/cpu/index_lists.py.
CPU_MUTANTS += [
    KernelMutant("samples as they are stored", "cpu", "index_lists", "matmul", "listed_product", "sample = order[first + i] if order.size else first + i", "sample = first + i"),
    KernelMutant("0 times infinity left out", "cpu", "index_lists", "matmul", "odd_product", "column[k] if one else column.dtype.type(0) * column[k]", "column[k] if one else 0"),
    KernelMutant("the last row of a share without its ones", "cpu", "index_lists", "matmul", "listed_gradient", "list_[at] < hi", "list_[at] < hi - 1"),
    KernelMutant("sums made apart and forgotten", "cpu", "index_lists", "matmul", "listed_gradient", "range(hi - lo if block > 0 else 0)", "range(0)"),
]  # fmt: skip
# What serves kernels too large for the calls that are drawn: run on a small one, see `large_rejection`.
CPU_MUTANTS += [
    KernelMutant("the last row of a large kernel left out", "cpu", "windows", "conv2d", "columns_of_taps", "p1 - p0, min(at_once", "max(p1 - p0 - 1, 0), min(at_once"),
    KernelMutant("the first channels at hand again and again", "cpu", "windows", "conv2d", "columns_of_taps", "- left + q * dw) * channels + c", "- left + q * dw) * channels"),
    KernelMutant("every column of taps the first", "cpu", "windows", "conv2d", "columns_of_taps", "((p0 * q_count + q) * channels + c) * k_row", "(p0 * q_count * channels + c) * k_row"),
    KernelMutant("a copy of one row of the kernel", "cpu", "windows", "conv2d", "columns_of_taps", "k + size * row * filters, size * panel", "k, size * panel"),
    KernelMutant("sums that begin with what was there", "cpu", "windows", "conv2d", "columns_of_taps", "range(start, end if add == 0 else start)", "range(start + 1, end if add == 0 else start)"),
]  # fmt: skip
# Signals longer than those that are drawn: see `signals_rejection`.
CPU_MUTANTS += [
    KernelMutant("the first columns' roots for all", "cpu", "fourier", "dft", "dft_signals", "planes_at(between + 8 * first,", "planes_at(between,"),
    KernelMutant("columns that are written where the first ones were", "cpu", "fourier", "dft", "dft_signals", "planes_at(matrix + 8 * first * step,", "planes_at(matrix,"),
    KernelMutant("the roots of the other half of the passes", "cpu", "fourier", "dft", "dft_signals", "roots += 16 * (n1 - 1)", "pass"),
    KernelMutant("a chirp's way back that goes on", "cpu", "fourier", "dft", "dft_signals", "z_im, z_re = planes_at", "z_re, z_im = planes_at"),
    KernelMutant("odd places where the even ones are", "cpu", "fourier", "dft", "dft_signals", "times(odd_re, odd_im, w_re[k], w_im[k])", "odd_re, odd_im"),
    KernelMutant("frequencies that are repeated, not mirrored", "cpu", "fourier", "dft", "dft_signals", "-y_im[n - k]", "y_im[n - k]"),
    KernelMutant("the sum in the place of that with alternating signs", "cpu", "fourier", "dft", "dft_signals", "(z_re[0] - z_im[0])", "(z_re[0] + z_im[0])"),
    KernelMutant("an infinity that passes through sums and differences", "cpu", "fourier", "dft", "dft_signals", "holds_odd(re[o], im[o])", "False"),
    KernelMutant("large numbers that overflow on the way", "cpu", "fourier", "dft", "dft_signals", "scale = 1 / BY", "scale = 1.0"),
    KernelMutant("real signals that turn one way only", "cpu", "fourier", "dft", "dft_signals", "-sign, y_re[o], y_im[o]", "1, y_re[o], y_im[o]"),
    KernelMutant("the third root for the fourth", "cpu", "fourier", "dft", "pass_of_four", "times(re3, im3, c3, s3)", "times(re3, im3, c2, s2)", "fourier_passes"),
    KernelMutant("the fourth root of eight for the fifth", "cpu", "fourier", "dft", "pass_of_eight", "times(re5, im5, c5, s5)", "times(re5, im5, c4, s4)", "fourier_passes"),
    KernelMutant("three eighths of a turn taken for five", "cpu", "fourier", "dft", "of_eight", "ROOT_HALF * (r_im - r_re)", "ROOT_HALF * (r_re - r_im)", "fourier_passes"),
    KernelMutant("a third of a turn in four digits", "cpu", "fourier", "dft", "pass_of_three", "HALF_ROOT_3 = 0.8660254037844386", "HALF_ROOT_3 = 0.8660", "fourier_passes"),
    KernelMutant("two fifths of a turn for one", "cpu", "fourier", "dft", "pass_of_five", "a + COS_2 * near + COS_1 * far", "a + COS_1 * near + COS_2 * far", "fourier_passes"),
    KernelMutant("pairs whose imaginary parts are added twice", "cpu", "fourier", "dft", "last_pass_of_two", "a_re - b_re, a_im - b_im", "a_re - b_re, a_im + b_im", "fourier_passes"),
    KernelMutant("what is left beside the blocks of four", "cpu", "fourier", "dft", "turned", "whole_rows if j < whole_columns else 0", "whole_rows", "fourier_passes"),
]  # fmt: skip

CUDA_MUTANTS = [
    KernelMutant("half a block's maxima", "cuda", "activation", "softmax", "softmax_rows", "best = working(x, row_largest(best, room))", "best = working(x, best)"),
    KernelMutant("a thread's elements one by one", "cuda", "activation", "softmax", "softmax_rows", "y[row, r, 0] = exp(working(x, x[row, r, 0]) - best) / total", "y[row, thread, 0] = exp(working(x, x[row, r, 0]) - best) / total"),
    KernelMutant("the total of one thread", "cuda", "activation", "softmax", "softmax_rows", "total = working(x, row_sum(total, room))", "total = working(x, total)"),
    KernelMutant("a total of the first thread's elements", "cuda", "reduction", "sum", "sum_of_rows", "    total = row_sum(total, room)\n", ""),
    KernelMutant("a lane of a column left out", "cuda", "reduction", "sum", "sum_of_columns", "for k in range(1, LANES):", "for k in range(2, LANES):"),
    KernelMutant("the last place in the stead of the first", "cuda", "extremum", "argmax", "argmax_of_rows", "place = min(place, float64(r))", "place = float64(r)"),
    KernelMutant("the largest added twice", "cuda", "statistics", "logsumexp", "logsumexp_of_rows", "y[row, 0] = best + log(total)", "y[row, 0] = 2 * best + log(total)"),
    KernelMutant("the neighbour's logit", "cuda", "loss", "sparse_softmax_cross_entropy", "sparse_softmax_cross_entropy_rows", "chosen = float64(x[row, label])", "chosen = float64(x[row, label - 1])"),
    KernelMutant("a variance around the first element", "cuda", "normalization", "batch_normalization_training", "batch_normalization_training_channels", "square / x.shape[0] - off * off", "square / x.shape[0]"),
    KernelMutant("the gradient of a row without its tilt", "cuda", "row_normalization", "layer_normalization_gradient", "layer_normalization_gradient_rows", "- total - normal * product) * slope", "- total) * slope"),
    KernelMutant("the gradient to the last of equals", "cuda", "pooling", "max_pool2d_inputs_gradient", "max_pool2d_inputs_gradient_windows", "(value[k] > best[k]) |", "(value[k] >= best[k]) |"),
    KernelMutant("equal numbers in one place", "cuda", "indexing", "take_x_gradient", "take_x_gradient_sorted", "ranks[j] = before", "ranks[j] = 0", "digits"),
    KernelMutant("the end of a row's numbers one too far", "cuda", "indexing", "take_x_gradient", "take_x_gradient_sorted", "end = first_not_below(numbers[LAST], row + 1)", "end = first_not_below(numbers[LAST], row + 2)"),
    KernelMutant("a tile that is not turned", "cuda", "shapes", "transpose", "transpose_tiles", "= tile[column, k]", "= tile[k, column]"),
    KernelMutant("the last step of a tile left out", "cuda", "contraction", "matmul", "matmul_tiled", "for k in range(DEPTH):", "for k in range(DEPTH - 1):"),
    KernelMutant("the second step reads the first's rows", "cuda", "contraction", "matmul", "matmul_tiled", "begin, slot = (first + ahead + 1) * DEPTH", "begin, slot = first * DEPTH"),
    KernelMutant("a part of a sum that is cut forgotten", "cuda", "contraction", "matmul", "matmul_tiled", "for part in range(1, sizes[3])", "for part in range(2, sizes[3])"),
    KernelMutant("the lower half of every matrix twice", "cuda", "short_product", "matmul", "matmul_short", "j, upper = across + 16 * q + lane // 16 * 8, k + lane // 8 % 2 * 8", "j, upper = across + 16 * q + lane // 16 * 8, k"),
    KernelMutant("neighbours of a fragment stored on each other", "cuda", "short_product", "conv2d", "conv2d_short", "start + across + lane % 4 * 2", "start + across + lane % 4"),
    KernelMutant("the lower half of every fragment is the upper", "cuda", "rounded_product", "matmul", "matmul_rounded", "load_rounded(xs, 1, left, at + 8)", "load_rounded(xs, 1, left, at)"),
    KernelMutant("four terms met twice, the next four not at all", "cuda", "rounded_product", "matmul", "matmul_rounded", "beside + 8 * q + 4 * RIGHT_PITCH", "beside + 8 * q"),
    KernelMutant("a stage read where the next one is written", "cuda", "rounded_product", "conv2d_kernel_gradient", "conv2d_kernel_gradient_rounded", "line = stage * DEPTH + k + lane % 4", "line = (stage + 1) % STAGES * DEPTH + k + lane % 4"),
    KernelMutant("a state that the gates do not see change", "cuda", "recurrent_lstm", "lstm", "lstm_rows", "c[n, t, u] = cell[e]\n                see(seen, e, hidden[e], dropout, n, u)", "c[n, t, u] = cell[e]"),
    KernelMutant("nothing flows back through the output gate", "cuda", "recurrent_lstm", "lstm_gradient", "lstm_gradient_rows", "row[at + 3 * UNITS] = through(", "row[at + 3 * UNITS] = 0 * through("),
    KernelMutant("the second row of a block is the first", "cuda", "recurrent_simple", "simple_rnn", "simple_rnn_rows", "total[r] += seen[r * UNITS + j] * weight", "total[r] += seen[j] * weight"),
    KernelMutant("the reset gate forgotten on the way back", "cuda", "recurrent_gru", "gru_gradient", "gru_gradient_rows", "row[at + UNITS] = through(dr, r, recurrent_activation)", "row[at + UNITS] = 0"),
    KernelMutant("windows that start too far to the right", "cuda", "convolution", "conv2d", "conv2d_tiled", "rows_of=(1, strides, tuple(-p for p in padding)", "rows_of=(1, strides, padding"),
    KernelMutant("taps in the wrong direction", "cuda", "convolution", "conv2d_inputs_gradient", "conv2d_inputs_gradient_tiled", "tuple(-d for d in dilation)", "dilation"),
    KernelMutant("rows of the ring that are still read overwritten", "cuda", "depthwise", "conv2d", "depthwise_windows", "wide = self.span + AHEAD *", "wide = self.span + (AHEAD - 1) *"),
    KernelMutant("filters that are not turned around", "cuda", "depthwise", "conv2d_inputs_gradient", "depthwise_inputs_gradient_windows", "each=each, turned=True", "each=each, turned=False"),
    KernelMutant("the sums of a block's first line alone", "cuda", "depthwise", "conv2d_kernel_gradient", "depthwise_kernel_gradient_taps", "for k in range(1, LINES):", "for k in range(2, LINES):"),
    KernelMutant("strips of the last block forgotten", "cuda", "depthwise", "conv2d_kernel_gradient", "depthwise_kernel_gradient_taps", "for part in range(1, cuts[5]):", "for part in range(1, cuts[5] - 1):"),
    KernelMutant("every window meets the first output gradients", "cuda", "convolution", "conv2d_kernel_gradient", "conv2d_kernel_gradient_tiled", "size_of(x[1:]), filters, 0)", "size_of(x[1:]), 1, 0)"),
    KernelMutant("sums that stay when the largest logit grows", "cuda", "attention", "dot_product_attention", "attention_blocks", "total[p * LANES + j] *= factor", "total[p * LANES + j] *= 1"),
    KernelMutant("slopes of weights for those of logits", "cuda", "attention", "dot_product_attention_query_gradient", "attention_query_gradient_blocks", "(slopes[4 * p + r] - less)", "slopes[4 * p + r]"),
    KernelMutant("keys that hear later blocks alone", "cuda", "attention", "dot_product_attention_key_gradient", "attention_key_gradient_blocks", "range(first if causal", "range(first + SIDE if causal"),
    KernelMutant("the last of equals comes first", "cuda", "sorting", "argsort", "argsort_lanes", "return places[a] < places[b]", "return places[a] > places[b]"),
    KernelMutant("runs that all ascend", "cuda", "sorting", "argsort", "argsort_lanes", "== (a & run == 0)", "== (a & run == a & run)"),
    KernelMutant("parts that all begin with the same rows", "cuda", "joining", "concatenate", "concatenate_elements", "parts[k][o, j, i]", "parts[k][o, min(place, parts[k].shape[1] - 1), i]"),
    KernelMutant("chunks that all begin in one place", "cuda", "warping", "sample_nearest_x_gradient", "sample_nearest_x_gradient_sorted", "earlier = sums[thread] - total", "earlier = 0", "digits"),
    KernelMutant("the rows above a point weighted as those below", "cuda", "warping", "sample_bilinear_x_gradient", "sample_bilinear_x_gradient_sorted", "f if corner % 4 >= 2 else 1 - f", "f"),
    KernelMutant("the last point of a pixel alone", "cuda", "warping", "sample_nearest_x_gradient", "sample_nearest_x_gradient_sorted", "total += float64(dy[n, i, j, c])", "total = float64(dy[n, i, j, c])"),
    KernelMutant("weights that do not add up to 1 at the edge", "cuda", "resizing", "resize_axis", "resize_axis_elements", "weight_at(p - (first + k), cubic) / whole", "weight_at(p - (first + k), cubic)"),
    KernelMutant("the weight of the pixel before", "cuda", "resizing", "resize_axis_gradient", "resize_axis_gradient_elements", "k = r - firsts[j]", "k = r - firsts[j] - 1"),
    KernelMutant("an exchange before one that comes earlier", "cuda", "shuffling", "permutation", "permutation_in_rounds", "claims[i] == t and claims[j] == t", "claims[i] == t"),
    KernelMutant("parts merged as if the other one descended", "cuda", "sorting", "argsort", "argsort_lanes", "half_way, r, n, descending", "r, half_way, n, descending"),
    KernelMutant("the first channel in the place of all", "cuda", "warping", "sample_bilinear", "sample_bilinear_elements", "x[:, :, :, c : c + 1]", "x[:, :, :, 0:1]"),
    KernelMutant("a gradient for what stands before the winner", "cuda", "pooling", "max_pool2d_inputs_gradient", "max_pool2d_inputs_gradient_runs", "slope[k] if winner[k] == pixel", "slope[k] if winner[k] >= pixel"),
    KernelMutant("windows without what hangs over the upper edge", "cuda", "pooling", "max_pool2d_inputs_gradient", "max_pool2d_inputs_gradient_runs", "down, across, pixel = row + padding[0]", "down, across, pixel = row"),
    KernelMutant("a border that mirrors the image", "cuda", "pooling", "max_pool2d", "max_pool2d_runs", "min(max(place, 0), extent - 1)", "min(abs(place), extent - 1)"),
    KernelMutant("places beside the image added", "cuda", "pooling", "average_pool2d", "average_pool2d_runs", "row == top + p and col == left + q", "True"),
    KernelMutant("rows beside the image counted", "cuda", "pooling", "average_pool2d_inputs_gradient", "average_pool2d_inputs_gradient_runs", "terms(i * strides[0] - padding[0], pool[0], dx.shape[1])", "pool[0]"),
    KernelMutant("variances forgotten", "cuda", "normalization", "batch_normalization", "batch_normalization_rows", "* level[k] * slope[k]", "* slope[k]"),
    KernelMutant("lines that take the image for the channel", "cuda", "normalization", "batch_normalization", "batch_normalization_lanes", "c = line - divided(line, channels) * x.shape[1]", "c = divided(line, channels)"),
    KernelMutant("lines that all begin with the first", "cuda", "slicing", "slice", "slice_runs", "- above * extents[AXES - 1 - back][0]) * strides[AXES - 1 - back]", "- above * extents[AXES - 1 - back][0])"),
    KernelMutant("factors that are rounded down", "cuda", "slicing", "slice", "slice_runs", "-(-(2**shift) // number)", "2**shift // number", "runs"),
    KernelMutant("gaps filled with the neighbour before them", "cuda", "slicing", "spread", "spread_runs", "j * step[0] == distance and ", ""),
    KernelMutant("a run that reads one index", "cuda", "indexing", "take_along_axis", "take_along_axis_runs", "row_of(picks[k], extent)", "row_of(picks[0], extent)"),
    KernelMutant("rows of classes that end with their run", "cuda", "indexing", "one_hot", "one_hot_runs", "ended = c == classes[0]", "ended = False"),
    KernelMutant("the first word for all of a block", "cuda", "random", "random_uniform", "random_uniform_runs", "fraction(words[k], bits)", "fraction(words[0], bits)"),
    KernelMutant("outer numbers that go to the first of their run", "cuda", "random", "random_normal", "random_normal_runs", "spots[slot] = thread * RUN + e * OF_BLOCK + k", "spots[slot] = thread * RUN"),
    KernelMutant("a doubling that is not counted", "cuda", "random", "random_normal", "random_normal_runs", "m * 2.0, k + 1", "m * 2.0, k"),
    KernelMutant("the first of a column for its largest", "cuda", "extremum", "max", "max_of_columns", "best = largest_of_column(x, o, min(i, x.shape[2] - 1), room)", "best = REAL(x[o, 0, min(i, x.shape[2] - 1)])"),
    KernelMutant("the last of a column's equals", "cuda", "extremum", "argmax", "argmax_of_columns", "(value == best and at < place)", "(value == best and at > place)"),
    KernelMutant("a column's sum by one of its threads", "cuda", "statistics", "logsumexp", "logsumexp_of_columns", "total = sum_of_lanes(total, room)", "total = float64(total)"),
    KernelMutant("the first lane of a column for the second", "cuda", "activation", "softmax", "softmax_columns", "total = room[0, cuda.threadIdx.x]", "total = room[1, cuda.threadIdx.x]", "columns"),
    KernelMutant("a column's logarithm that is added", "cuda", "activation", "log_softmax", "log_softmax_columns", "y[o, r, i] = REAL(x[o, r, i]) - best - total", "y[o, r, i] = REAL(x[o, r, i]) - best + total"),
    KernelMutant("a column's dot product not taken off", "cuda", "activation", "softmax_gradient", "softmax_gradient_columns", "(float64(dy[o, r, i]) - total)", "float64(dy[o, r, i])"),
    KernelMutant("probabilities without the column's total", "cuda", "activation", "log_softmax_gradient", "log_softmax_gradient_columns", "exp(REAL(y[o, r, i])) * total", "exp(REAL(y[o, r, i]))"),
    KernelMutant("what should go stays", "cuda", "random", "dropout_mask", "dropout_mask_runs", "if words[k] >= threshold", "if words[k] < threshold"),
]  # fmt: skip


def source(place, file):
    return Path(importlib.util.find_spec(f"refnet_fast.{place}.{file}").origin)


def broken_text(mutant):
    """The text of the file with the line replaced. Raises LookupError if it is not there, once."""
    text = source(mutant.place, mutant.broken).read_text()
    before, kernel, rest = "", text, ""
    if text.count(mutant.old) > 1:  # kernels of one family share lines
        before, found, rest = text.partition(f"def {mutant.kernel}(")
        kernel, end, rest = (found + rest).partition("\n\n\n")
        rest = end + rest
    if kernel.count(mutant.old) != 1:
        raise LookupError(
            f"{mutant.name!r}: {mutant.old!r} stands {text.count(mutant.old)} times; bring it up to date."
        )
    return before + kernel.replace(mutant.old, mutant.new) + rest
