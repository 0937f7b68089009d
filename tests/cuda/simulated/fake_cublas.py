"""What refnet calls of nvmath-python's bindings to cuBLASLt, on the host's memory: strict about what the library is strict about.

Matrices are columns first, as the library has them. Numbers of attributes and the sizes of their words are those of nvmath 1.0.
"""

import ctypes
import enum

import numpy as np

from refnet import dtypes

KINDS = {0: "float32", 1: "float64", 2: "float16", 14: "bfloat16"}


class Operation(enum.IntEnum):
    N, T = 0, 1


class ComputeType(enum.IntEnum):
    COMPUTE_32F, COMPUTE_64F, COMPUTE_32F_FAST_TF32 = 68, 70, 77


class ReductionScheme(enum.IntEnum):
    NONE, INPLACE, COMPUTE_TYPE, OUTPUT_TYPE = 0, 1, 2, 4


class MatmulDescAttribute(enum.IntEnum):
    TRANSA, TRANSB = 3, 4


class MatrixLayoutAttribute(enum.IntEnum):
    BATCH_COUNT, STRIDED_BATCH_OFFSET = 5, 6


class MatmulPreferenceAttribute(enum.IntEnum):
    MAX_WORKSPACE_BYTES, REDUCTION_SCHEME_MASK = 1, 3
    MIN_ALIGNMENT_A_BYTES, MIN_ALIGNMENT_B_BYTES, MIN_ALIGNMENT_C_BYTES, MIN_ALIGNMENT_D_BYTES = 5, 6, 7, 8


# By class and number: members of two classes with one number are equal.
WORDS = {
    **{(MatmulDescAttribute, int(attribute)): np.int32 for attribute in MatmulDescAttribute},
    **{(MatmulPreferenceAttribute, int(attribute)): np.uint32 for attribute in MatmulPreferenceAttribute},
    (MatmulPreferenceAttribute, 1): np.uint64,
    (MatrixLayoutAttribute, 5): np.int32,
    (MatrixLayoutAttribute, 6): np.int64,
}
RESULT = np.dtype(
    [
        ("algo", [("data_", "<u8", (8,))]),
        ("workspace_size", "<u8"),
        ("state", "<i4"),
        ("waves_count", "<f4"),
        ("reserved", "<i4", (4,)),
    ]
)


class Fake:
    """The modules cublasLt and cublas in one.

    Args:
        algorithms: how many there are for a product.
        needed: bytes besides that the algorithm wants.
    """

    Operation, ComputeType, ReductionScheme = Operation, ComputeType, ReductionScheme
    MatmulDescAttribute, MatrixLayoutAttribute = MatmulDescAttribute, MatrixLayoutAttribute
    MatmulPreferenceAttribute, matmul_heuristic_result_dtype = MatmulPreferenceAttribute, RESULT

    def __init__(self, algorithms=1, needed=256):
        self.algorithms, self.needed, self.planned, self.run = algorithms, needed, [], 0
        self.alive: dict = {}
        self.last = 1000

    def _new(self, **what):
        self.last += 1
        self.alive[self.last] = what
        return self.last

    def create(self):
        return self._new(kind="handle")

    def destroy(self, handle):
        del self.alive[handle]

    matmul_desc_destroy = matrix_layout_destroy = matmul_preference_destroy = destroy

    def matmul_desc_create(self, compute, scale):
        assert (compute, scale) in ((ComputeType.COMPUTE_32F, 0), (ComputeType.COMPUTE_64F, 1))
        return self._new(kind=MatmulDescAttribute, scale=KINDS[scale])

    def matrix_layout_create(self, kind, rows, cols, line):
        assert line >= rows > 0 < cols
        return self._new(kind=MatrixLayoutAttribute, dtype=KINDS[kind], shape=(rows, cols), line=line)

    def matmul_preference_create(self):
        return self._new(kind=MatmulPreferenceAttribute)

    def get_matmul_desc_attribute_dtype(self, attribute):
        return WORDS[type(attribute), int(attribute)]

    get_matrix_layout_attribute_dtype = get_matmul_preference_attribute_dtype = get_matmul_desc_attribute_dtype

    def matmul_desc_set_attribute(self, made, attribute, address, size):
        assert isinstance(attribute, int) and isinstance(address, int)
        kind = self.alive[made]["kind"]
        word = np.dtype(WORDS[kind, attribute])
        assert size == word.itemsize
        self.alive[made][kind(attribute).name] = int(np.frombuffer(ctypes.string_at(address, size), word)[0])

    matrix_layout_set_attribute = matmul_preference_set_attribute = matmul_desc_set_attribute

    def matmul_algo_get_heuristic(self, handle, product, a, b, c, d, preference, wanted, results, count):
        assert self.alive[handle]["kind"] == "handle"
        terms, shape = self._shapes(product, a, b)
        assert self.alive[c]["shape"] == self.alive[d]["shape"] == shape and wanted == 1
        asked = self.alive[preference]
        assert asked["REDUCTION_SCHEME_MASK"] == ReductionScheme.COMPUTE_TYPE  # 256 is what it takes for granted else
        aligned = tuple(asked[f"MIN_ALIGNMENT_{letter}_BYTES"] for letter in "ABCD")
        found = min(wanted, self.algorithms)
        if found:
            result = np.zeros(1, RESULT)
            result["algo"]["data_"][0, 0], result["workspace_size"] = product, self.needed
            assert self.needed <= asked["MAX_WORKSPACE_BYTES"]
            ctypes.memmove(results, result.ctypes.data, result.nbytes)
        ctypes.memmove(count, np.int32(found).tobytes(), 4)
        self.planned.append((shape, terms, aligned))

    def _shapes(self, product, a, b):
        ways = self.alive[product]
        (m, k), (k2, n) = (
            self.alive[x]["shape"][:: -1 if ways[way] else 1] for x, way in ((a, "TRANSA"), (b, "TRANSB"))
        )
        assert k == k2
        return k, (m, n)

    def _matrices(self, made, address):
        """What a layout sees at an address, a matrix for each of the batch; it may be written."""
        what = self.alive[made]
        kind, (rows, cols) = dtypes.as_numpy(what["dtype"]), what["shape"]
        size = (what["BATCH_COUNT"] - 1) * what["STRIDED_BATCH_OFFSET"] + (cols - 1) * what["line"] + rows
        flat = np.frombuffer((ctypes.c_char * (size * kind.itemsize)).from_address(address), kind)
        strides = [n * kind.itemsize for n in (what["STRIDED_BATCH_OFFSET"], 1, what["line"])]
        return np.lib.stride_tricks.as_strided(flat, (what["BATCH_COUNT"], rows, cols), strides)

    def matmul(self, handle, product, alpha, a, a_, b, b_, beta, c, c_, d, d_, algorithm, room, size, stream):
        assert self.alive[handle]["kind"] == "handle" and stream == 0
        assert int(np.frombuffer(ctypes.string_at(algorithm, 64), np.uint64)[0]) == product
        assert size == self.needed and (room != 0) == (size > 0)
        ways, terms = self.alive[product], np.dtype(self.alive[product]["scale"])
        scale = [float(np.frombuffer(ctypes.string_at(at, terms.itemsize), terms)[0]) for at in (alpha, beta)]
        assert scale == [1, 0] and (c, c_) == (d, d_)
        x, y = self._matrices(a_, a).astype(terms), self._matrices(b_, b).astype(terms)
        x, y = x.swapaxes(1, 2) if ways["TRANSA"] else x, y.swapaxes(1, 2) if ways["TRANSB"] else y
        target = self._matrices(d_, d)
        target[:] = (x @ y).astype(target.dtype)
        self.run += 1
