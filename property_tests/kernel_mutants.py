"""Tuned kernels broken on purpose, one line each: see `refnet.testing.mutants` for definitions and gradients.

A CPU kernel's file is run with one line replaced and without Numba: its kernels are then plain functions of NumPy arrays. A CUDA
kernel's is written beside the others under another name and runs in the simulator.
"""

import contextlib
import ctypes
import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from refnet import dtypes
from refnet.engine import Reference, get_engine, interpret, reference, spec_of
from refnet.testing import check, hold
from refnet.testing.certificates import named
from refnet.testing.draw import Seeded
from refnet.testing.evaluate import specs_of
from refnet.testing.strategies import case, load
from refnet_fast.cpu.tile import multiply, strip_for, strips
from refnet_fast.cpu.windows import convolve
from refnet_fast.cpu.winograd import tiling, transformed

UNCOMPILED = """
def njit(*functions, **options):
    return functions[0] if functions else lambda function: function
"""


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
    KernelMutant("slopes of logits without their mean", "cpu", "attention", "dot_product_attention_query_gradient", "attention_query_gradient_blocks", "(slopes[i, j] - shift[j])", "slopes[i, j]"),
    KernelMutant("a key that hears masked queries", "cpu", "attention", "dot_product_attention_key_gradient", "attention_key_gradient_blocks", "hide(part, mask[b, n, t, first:end], kind(0))", "pass"),
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
    KernelMutant("labels below 0 counted from the end", "cpu", "indexing", "one_hot", "one_hot_rows", "if 0 <= x[o, 0] < classes:", "if -classes <= x[o, 0] < classes:"),
    KernelMutant("classes of the first place only", "cpu", "indexing", "one_hot", "one_hot_planes", "o, c = task // classes, task % classes\n        plane", "o, c = 0, task % classes\n        plane"),
    KernelMutant("a short lane's last number not compared", "cpu", "sorting", "argsort", "argsort_lanes", "for i in range(n):", "for i in range(n - 1):"),
    KernelMutant("equal numbers in any order", "cpu", "sorting", "argsort", "argsort_lanes", " | np.uint64(r)", " | np.uint64(n - 1 - r)"),
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
    KernelMutant("tiles that begin in the image", "cpu", "winograd", "conv2d", "convolve_tiles_here", "2 * j - padding[1]", "2 * j"),
    KernelMutant("all filters met by the first panel of taps", "cpu", "winograd", "conv2d", "multiply_planes", "((element * filters + f) * channels + c * panel)", "(element * filters * channels + c * panel)"),
    KernelMutant("both rows of a part of a tile the first", "cpu", "winograd", "conv2d", "convolve_tiles_here", "edge + size * 2 * part * filters", "edge"),
    KernelMutant("what is not finite spreads in its tile", "cpu", "winograd", "conv2d", "convolve_tiles_here", "if odd[row - lo]:", "if False:"),
    KernelMutant("places beside the image left as they were", "cpu", "winograd", "conv2d", "tile_of", "clear_rows(size, room, side * channels, i, i + 1)", "pass"),
    KernelMutant("sums of earlier tiles forgotten", "cpu", "winograd", "conv2d_kernel_gradient", "add_tiles", "filters, panel, 1)", "filters, panel, 0)"),
    KernelMutant("the channels of the first share for all", "cpu", "winograd", "conv2d_kernel_gradient", "gather_tiles", "at + size * lo,", "at,"),
    KernelMutant("a kernel that is nan where a term was infinite", "cpu", "winograd", "conv2d_kernel_gradient", "kernel_of_tiles", "9 if odd else 0", "0"),
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
    KernelMutant("the gradient to the last of equals", "cuda", "pooling", "max_pool2d_inputs_gradient", "max_pool2d_inputs_gradient_windows", "if value > best or", "if value >= best or"),
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
    KernelMutant("a stage read where the next one is written", "cuda", "rounded_product", "conv2d_kernel_gradient", "conv2d_kernel_gradient_rounded", "range(stage * DEPTH + lane % 4, (stage + 1) * DEPTH, 8)", "range((stage + 1) % STAGES * DEPTH + lane % 4, ((stage + 1) % STAGES + 1) * DEPTH, 8)"),
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


# ---- CPU kernels, as Python runs them


class PythonKernel(Reference):
    """Runs one tuned kernel as plain Python where it may serve, in shares of a few tasks; the definition elsewhere."""

    name = "kernel in Python"

    def __init__(self, op_name, kernel):
        super().__init__()
        self.op_name, self.kernel, self.served = op_name, kernel, 0

    def compute(self, op, arrays, attributes):
        from refnet_fast.derive import Placed
        from refnet_fast.kernels import KernelCall

        specs, promised = tuple(map(spec_of, arrays)), specs_of(op, arrays, attributes)
        outputs = [np.full(s.shape, 7, dtypes.as_numpy(s.dtype)) for s in promised]
        form = op.form(*specs, **attributes)
        call = KernelCall(op, form, specs, tuple(promised), attributes)
        empty = any(0 in view.shape for view in (*form.inputs, *form.outputs))
        if op.name != self.op_name or empty or not self.kernel.when(call):
            interpret(op, arrays, attributes, outputs)
            return outputs
        self.served += 1
        held = [np.ascontiguousarray(a) for a in arrays]
        inputs = [Placed(a.ctypes.data, v, s.dtype) for a, v, s in zip(held, form.inputs, specs)]
        results = [Placed(y.ctypes.data, v, s.dtype) for y, v, s in zip(outputs, form.outputs, promised)]
        given = self.kernel.arguments
        arguments = given(call, inputs, results) if given else [*inputs, *form.attributes, *results]
        seen = [in_memory(a) if isinstance(a, Placed) else a for a in arguments]
        step = 2 * self.kernel.quantum
        total = self.kernel.tasks(call)
        with np.errstate(all="ignore"):
            for lo in range(0, total, step):
                self.kernel.function(*seen, lo, min(lo + step, total))
        return outputs


def in_memory(placed):
    """The NumPy array of what lies at an address."""
    kind = dtypes.as_numpy(placed.dtype)
    shape = placed.view.shape
    steps = placed.view.strides or [int(np.prod(shape[k + 1 :])) for k in range(len(shape))]
    reach = sum((n - 1) * s for n, s in zip(shape, steps)) + 1 if 0 not in shape else 0
    if reach <= 0:
        return np.empty(shape, kind)
    flat = np.frombuffer((ctypes.c_char * (reach * kind.itemsize)).from_address(placed.address), kind)
    return np.lib.stride_tricks.as_strided(flat, shape, [s * kind.itemsize for s in steps])


@njit
def call_strip(*arguments):
    """`tile.multiply`, which exists in compiled functions only."""
    multiply(*arguments)


def plain(file, text):
    """What a file of kernels defines, run without Numba."""
    scope = {"__name__": f"refnet_fast.cpu.{file}"}
    text = re.sub("from numba import (carray, )?njit(, types)?\n", UNCOMPILED, text)
    exec(compile(text, file, "exec"), scope)
    return scope


def python_kernel(mutant, text):
    """The kernel that a mutant breaks, uncompiled; `text` is that of the file with the broken line."""
    from refnet_fast import kernels

    found = {}

    def declare(op_name, *, tasks, cost, when=lambda call: True, quantum=1, arguments=None, rows=None, fastmath=None):
        def keep(function):
            found[function.__name__] = kernels.Kernel(function, when, tasks, cost, quantum, arguments, rows)
            return function

        return keep

    texts = {file: source(mutant.place, file).read_text() for file in (mutant.file, "rows")} | {mutant.broken: text}
    helpers = [plain(file, texts[file]) for file in texts if file != mutant.file]
    sound, kernels.kernel = kernels.kernel, declare
    try:
        scope = plain(mutant.file, texts[mutant.file])
    finally:
        kernels.kernel = sound
    # the compiled ones are called by compiled kernels only; np.maximum, too, gives NaN where there is one
    stand_ins = {"exp": np.exp, "log": np.log, "maximum": np.maximum, "multiply": call_strip}
    stand_ins |= {"tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x))}
    stand_ins["select"] = lambda condition, x, y: x if condition else y
    for own in helpers:
        stand_ins |= {name: f for name, f in own.items() if getattr(f, "__module__", None) == own["__name__"]}
    scope |= {name: f for name, f in stand_ins.items() if name in scope}
    return found[mutant.kernel]


def cpu_rejection(mutant, text, examples=150):
    """What the certificate says against a kernel; None if it keeps within. Raises LookupError if it never served."""
    load()
    if mutant.file == "index_lists":
        return listed_rejection(text)
    if mutant.file == "windows":
        return large_rejection(text)
    if mutant.file == "winograd":
        return tiles_rejection(text)
    if mutant.kernel == "conv2d_few_filters":
        return few_rejection(python_kernel(mutant, text))
    engine = PythonKernel(mutant.op, python_kernel(mutant, text))
    for number in range(examples):
        drawn = case(mutant.op, Seeded(("kernel", mutant.op, number)))
        try:
            check(mutant.op, engine, drawn.arrays, drawn.attributes)
        except AssertionError as error:
            return str(error)
        if engine.served >= 25:
            break
    if not engine.served:
        raise LookupError(f"{mutant.kernel} served none of {examples} calls")
    return None


def listed_rejection(text):
    """The same for products with index lists: the second of three batches, in an order of its own, in shares of 7 rows."""
    scope, random, matmul, cpu = (
        plain("index_lists", text),
        np.random.default_rng(1),
        named("matmul"),
        get_engine("cpu"),
    )
    scope |= {name: f for name, f in plain("rows", source("cpu", "rows").read_text()).items() if name in scope}
    scope |= {"batch_of": lambda lists: lists, "CHAIN": 2}  # several sums are made apart
    x = (random.random((12, 20)) < 0.2).astype("float32")
    starts, places = np.zeros(13, "int64"), np.zeros(x.size, "int32")
    assert scope["scan"](x, starts, places) == x.sum()
    order = random.permutation(12)
    rows, lists = x[order[4:8]], (starts, places, order, 4)
    w, dy = (random.standard_normal((size, 3)).astype("float32") for size in (20, 4))
    w[3, 1], dy[2, 1] = np.inf, -np.inf
    y, dw, rest = np.zeros((4, 3), "float32"), np.zeros((20, 3), "float32"), np.zeros(3, "float32")
    with np.errstate(all="ignore"):
        scope["zero_products"](w, rest, 0, 1)
        for lo in range(0, 4, 2):
            scope["listed_product"](lists, w, rest, y, lo, lo + 2)
        for lo in range(0, 20, 7):
            scope["listed_gradient"](lists, dy, dw, lo, min(lo + 7, 20))
    try:
        hold(matmul, cpu, [rows, w], {"transpose1": False, "transpose2": False}, [y])
        hold(matmul, cpu, [rows, dy], {"transpose1": True, "transpose2": False}, [dw])
    except AssertionError as error:
        return str(error)
    return None


def large_rejection(text):
    """The same for a convolution by columns of taps: of whole numbers, which do not round, in two shares, the second with a copy of
    the kernel and not all channels at hand."""
    scope = plain("windows", text)
    scope |= {"multiply": call_strip, "move_bytes": ctypes.memmove, "MANY": 20, "DEEP": 6}
    random, found = np.random.default_rng(1), strips(4)
    filters = strip_for(found, 2**20)[1] + 8  # a panel and a part of one
    x, k = (random.integers(-3, 4, shape).astype("float32") for shape in ((2, 6, 7, 5), (3, 2, 5, filters)))
    slides = {"strides": (1, 2), "dilation": (2, 1), "padding": (2, 1)}
    (due,) = reference.compute(named("conv2d"), [x, k], {"groups": 1, **slides, "extents": (5, 4)})
    y = np.full_like(due, 7)
    rows, columns = y.shape[1:3]
    places = rows * columns * filters, columns * filters, filters
    for f in range(0, filters, filters - 8):
        panel = strip_for(found, filters - f)[1]
        of, to = k.ctypes.data + 4 * f, y.ctypes.data + 4 * f
        shapes = x.shape[1:], (3, 2, filters), (rows, columns)
        for lo, hi in ((0, 3), (3, 2 * rows)):
            scope["columns_of_taps"](found, x.ctypes.data, of, to, *shapes, places, *slides.values(), panel, 0, lo, hi)
    wrong = np.argwhere(y != due)
    return f"conv2d: {len(wrong)} sums are wrong, the first at {wrong[0]}" if len(wrong) else None


def few_rejection(kernel):
    """The same for a convolution of whole vectors of channels with few filters, over a border of the image."""
    random, engine, channels = np.random.default_rng(1), PythonKernel("conv2d", kernel), strips(4).lanes
    arrays = [random.standard_normal(shape).astype("float32") for shape in ((2, 4, 5, channels), (3, 2, channels, 2))]
    attributes = {"groups": 1, "strides": (1, 2), "dilation": (1, 1), "padding": (1, 0), "extents": (4, 2)}
    try:
        check("conv2d", engine, arrays, attributes)
    except AssertionError as error:
        return str(error)
    if not engine.served:
        raise LookupError(f"{kernel.name} did not serve")
    return None


@njit
def call_transform(*arguments):
    return transformed(*arguments)


@njit
def call_convolve(*arguments):
    convolve(*arguments)


def zeros_at(size, y, row, lo, hi):
    ctypes.memset(y + size * row * lo, 0, size * row * (hi - lo))


def tiles_rejection(text):
    """The same for tiles, in two shares: whole numbers, which do not round, and in a second call some that are not finite."""
    scope, given, random = plain("winograd", text), tiling(4), np.random.default_rng(1)
    scope |= {"multiply": call_strip, "transformed": call_transform, "convolve": call_convolve, "clear_rows": zeros_at}
    scope |= {"move_bytes": ctypes.memmove, "AT_HAND": 0, "TILES": 4}
    channels, filters = 2 * given[1], strip_for(given, 2**20)[1] + given[1]
    shapes = (2, 5, 5, channels), (3, 3, channels, filters), (2, 4, 5, filters)
    x, k, dy = (random.integers(1, 4, shape).astype("float32") for shape in shapes)
    for odd in (False, True):
        if odd:
            x[1, 2, 2, channels - 1] = np.inf
        dy[0, 0, 0, 0] = np.inf if odd else 1
        due = [
            reference.compute(named("conv2d"), [x, k], PADDED | {"extents": (4, 5)})[0],
            reference.compute(
                named("conv2d_kernel_gradient"), [x, dy[..., : given[1]].copy()], PADDED | {"extents": (3, 3)}
            )[0],
        ]
        y, dk = np.full_like(due[0], 7), np.full((9 * channels, given[1]), 7, "float32")
        slopes, places = dy[..., : given[1]].copy(), [a.ctypes.data for a in (x, k, y)]
        with np.errstate(all="ignore"):
            for lo, hi in ((0, 1), (1, 4)):
                scope["convolve_tiles_here"](given, *places, (5, 5), channels, filters, (4, 5), (0, 1), lo, hi)
            for lo, hi in ((0, 1), (1, 2)):
                scope["kernel_of_tiles"](
                    given,
                    x.ctypes.data,
                    slopes.ctypes.data,
                    dk,
                    2,
                    (5, 5, channels),
                    (3, 3, given[1]),
                    (4, 5),
                    (0, 1),
                    lo,
                    hi,
                )
        for got, right in zip((y, dk.reshape(due[1].shape)), due):
            if not np.array_equal(got, right, equal_nan=True):
                return f"{np.sum(got != right)} sums are wrong"
    return None


PADDED = {"groups": 1, "strides": (1, 1), "dilation": (1, 1), "padding": (0, 1)}


# ---- CUDA kernels, in the simulator


def cuda_call(mutant):
    """A call that the tuned kernel serves, and tasks of it to look at."""
    from refnet_fast.cuda import calls

    if mutant.kernel != "softmax_rows":
        call = calls.TINY[mutant.kernel.replace("_rounded", "_tiled")]  # in TF32 the calls of float32 are served
        arrays = calls.arrays(call)
        if mutant.file in ("extremum", "pooling", "sorting"):
            arrays[-1] = np.sign(arrays[-1])  # ties
        some = [(o, j, 2 * o) for o in range(4) for j in range(9)] if mutant.file == "resizing" else None
        return arrays, call.attributes, some
    x = np.random.default_rng(1).normal(size=(2, 150)).astype("float32")
    x[:, 2] += 1000  # in an even thread's share; without the largest taken off it overflows
    return [x], {"axis": 1}, None


@contextlib.contextmanager
def replaced(name, module):
    """Inside, whoever imports the module of that name gets another."""
    package, _, last = name.rpartition(".")
    sound, sys.modules[name] = sys.modules[name], module
    setattr(sys.modules[package], last, module)
    try:
        yield
    finally:
        sys.modules[name] = sound
        setattr(sys.modules[package], last, sound)


def cuda_rejection(mutant, text, directory):
    from refnet_fast.cuda import kernels
    from refnet_fast.cuda.engine import CudaEngine

    engine = CudaEngine("cuda-sim")
    engine.rounds = mutant.file == "rounded_product"
    kernels.load()
    number = len(list(Path(directory).iterdir()))
    name = f"broken_{number}"
    (Path(directory) / f"{name}.py").write_text(text)
    helpers = f"refnet_fast.cuda.{mutant.helpers}"
    families = kernels.tuned, kernels.rounding
    before = [{op: list(found) for op, found in family.items()} for family in families]
    sys.path.insert(0, str(directory))
    try:
        importlib.import_module(name)
        if mutant.helpers:
            with replaced(helpers, sys.modules[name]):
                (Path(directory) / f"{name}_kernels.py").write_text(source("cuda", mutant.file).read_text())
                importlib.import_module(f"{name}_kernels")
        arrays, attributes, tasks = cuda_call(mutant)
        with contextlib.redirect_stdout(sys.stderr):
            check(mutant.op, engine, arrays, attributes, tasks)
        return None
    except (AssertionError, OverflowError) as error:  # a simulated thread's math raises where a real one's overflows
        return str(error)
    finally:
        sys.path.pop(0)
        for family, sound in zip(families, before):
            family.clear()
            family.update(sound)


def cuda_verdicts(directory):
    """Prints what the certificate says to each CUDA mutant, and to the sound texts."""
    import refnet_fast  # noqa: F401  (registers the engines)

    load()
    verdicts = {m.name: cuda_rejection(m, broken_text(m), directory) for m in CUDA_MUTANTS}
    for file in sorted({m.file for m in CUDA_MUTANTS}):
        sound = next(m for m in CUDA_MUTANTS if m.file == file)
        verdicts[f"sound {file}"] = cuda_rejection(sound, broken_text(sound._replace(new=sound.old)), directory)
    print(json.dumps(verdicts))


if __name__ == "__main__":
    cuda_verdicts(sys.argv[1])
