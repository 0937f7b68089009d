"""Kernels made for a processor without AVX-512 are within their certificates too, in a process that is told it runs on one."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

HASWELL = (
    "64bit",
    "avx",
    "avx2",
    "bmi",
    "bmi2",
    "cmov",
    "cx16",
    "f16c",
    "fma",
    "fxsr",
    "lzcnt",
    "mmx",
    "movbe",
    "popcnt",
)
HASWELL += ("sahf", "sse", "sse2", "sse3", "sse4.1", "sse4.2", "ssse3")
PROGRAM = """
import numpy as np, refnet_fast
import refnet.ops.convolution3d
from refnet.testing import check
from refnet_fast.cpu import tile
assert not tile.WIDE_VECTORS
rng = np.random.default_rng(0)
for rows, inner, columns in ((1, 3, 1), (7, 40, 9), (30, 513, 20), (13, 5, 33)):
    a, b = rng.standard_normal((rows, inner)).astype("float32"), rng.standard_normal((inner, columns)).astype("float32")
    tasks = [(0, int(rng.integers(rows)), int(rng.integers(columns))) for _ in range(4)]
    assert check("matmul", "cpu", [a, b], {"transpose1": False, "transpose2": False}, tasks) <= 1
CALLS = {  # ten channels: a vector of eight and a part of one
    "conv2d": (((1, 4, 5, 3), (3, 3, 3, 10)), 1, (2, 3)),
    "conv2d_inputs_gradient": (((1, 2, 3, 10), (3, 3, 1, 10)), 10, (4, 5)),
    "conv3d_inputs_gradient": (((1, 2, 2, 2, 2), (1, 1, 1, 10, 2)), 1, (3, 2, 2)),
}
for name, (shapes, groups, extents) in CALLS.items():
    rank = len(extents)
    attributes = {"groups": groups, "dilation": (1,) * rank, "padding": (0,) * rank, "extents": extents}
    attributes["strides"] = (2, 1, 1) if rank == 3 else (1, 1)
    a, b = (rng.standard_normal(shape).astype("float32") for shape in shapes)
    assert check(name, "cpu", [a, b], attributes) <= 1
rng = np.random.default_rng(0)
x, k, dy = (rng.standard_normal(shape).astype("float32") for shape in ((4, 17, 16, 40), (3, 3, 40, 32), (4, 17, 16, 32)))
attributes = {"groups": 1, "strides": (1, 1), "dilation": (1, 1), "padding": (1, 1)}
tiles = (("", (x, k), dy, (17, 16)), ("_inputs_gradient", (dy, k), x, (17, 16)), ("_kernel_gradient", (x, dy), k, (3, 3)))
for name, arrays, result, extents in tiles:
    tasks = [tuple(int(i) for i in rng.integers(0, result.shape)) for _ in range(4)]
    assert check("conv2d" + name, "cpu", list(arrays), {**attributes, "extents": extents}, tasks) <= 1
print("within")
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names features of x86-64")
def test_products_on_short_vectors():
    root = str(Path(__file__).parents[2])
    told = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ",".join(f"+{name}" for name in HASWELL)}
    environment = {**os.environ, **told, "PYTHONPATH": root}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, cwd=root)
    assert done.returncode == 0 and done.stdout == "within\n", done.stderr[-2000:]
