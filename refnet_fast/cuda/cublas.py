"""Matrix products by NVIDIA's cuBLASLt, for the engine `cuda-cublas`: called through nvmath-python, which is imported only then.

A product is planned once, when a program is built: which of the library's algorithms computes it follows from shapes, dtypes and
alignment, nothing is timed. It then runs on the addresses that the program has, in the order of its stream, and can be captured.
float32 is computed in float32 proper, never in TF32; 16-bit floats have float32 sums. Sums that the library cuts are added in float32, in
a fixed order: it may neither round its parts to 16 bits nor add them where they come.
"""

import functools
import importlib.util
import weakref

import numpy as np

from refnet.errors import EngineError
from refnet_fast.cuda import device
from refnet_fast.derive import itemsize

TYPES = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 14}  # CUDA's numbers (cudaDataType)
ROOM = 32 * 2**20  # bytes that an algorithm may use besides
ALIGNED = 16  # bytes: where every buffer of a plan begins, but slices of one


def check():
    """Raises EngineError, saying how to get it, unless nvmath-python is installed."""
    if importlib.util.find_spec("nvmath") is None:
        raise EngineError(
            "engine 'cuda-cublas' needs the package nvmath-python, which is not installed. "
            "Install it: pip install 'refnet[cuda,cublas]' (CUDA 12), or use the engine 'cuda', whose products are refnet's own."
        )


def bindings():
    """nvmath's modules for cuBLASLt and cuBLAS."""
    try:
        from nvmath.bindings import cublas, cublasLt
    except ImportError as error:
        raise EngineError(
            f"engine 'cuda-cublas' could not import nvmath-python: {error} Install it: pip install 'refnet[cuda,cublas]' (CUDA 12)."
        ) from error
    return cublasLt, cublas


class Cublas:
    """The library on one device. Everything is made when the first product is planned."""

    @functools.cached_property
    def modules(self):
        return bindings()

    @functools.cached_property
    def handle(self):
        library, _ = self.modules
        handle = library.create()
        weakref.finalize(self, library.destroy, handle).atexit = False
        return handle

    @functools.cached_property
    def room(self):
        """Scratch memory. Products run one after the other, so they share it."""
        return device.Block(ROOM)

    def launch(self, call, inputs, outputs):
        """The Product of a call, or None: another op, other arrays than the library takes, no algorithm."""
        form = call.form
        if call.op.name != "matmul" or len(call.dtypes) != 1 or not call.dtypes <= set(TYPES) or len(form.domain) != 3:
            return None
        if 0 in (*form.domain, form.inputs[0].shape[2]):
            return None
        layouts = [layout(placed) for placed in (*inputs, *outputs)]
        if None in layouts:
            return None
        made = Product(self, form.domain, form.inputs[0].shape[2], layouts, call.outputs[0].dtype)
        return made if made.algorithm is not None else None


def layout(placed):
    """How the library sees the matrices of an array (lead, rows, columns): (address, turned, elements from one line to the next,
    elements from one matrix to the next). None where neither rows nor columns are neighbours in memory.

    The library counts columns first: rows as they lie are its columns, and a matrix is `turned` where they are not.
    """
    (_, rows, columns), strides = placed.view.shape, placed.view.strides
    step, down, across = strides or (rows * columns, columns, 1)
    if (across == 1 or columns == 1) and (down >= columns or rows == 1):
        return placed.address, False, max(down, columns) if rows > 1 else columns, step
    if (down == 1 or rows == 1) and (across >= rows or columns == 1):
        return placed.address, True, max(across, rows) if columns > 1 else rows, step
    return None


class Product:
    """A planned product on addresses; called with a stream, as a Launch is.

    Args:
        cublas: the Cublas.
        domain: matrices, rows and columns of the result.
        terms: of a sum.
        layouts: of both factors and of the result; see `layout`.
        dtype: of all.
    """

    what, step, threads = "", "cublasLt", 0

    def __init__(self, cublas, domain, terms, layouts, dtype):
        self.cublas, (lead, rows, columns) = cublas, domain
        self.library, names = cublas.modules
        wide = dtype == "float64"
        # of the product, and of what was there before
        self.scales = np.array([1, 0], np.float64 if wide else np.float32)
        compute = names.ComputeType.COMPUTE_64F if wide else names.ComputeType.COMPUTE_32F
        self.addresses = [address for address, *_ in layouts]
        # Counting columns first, y turned is b turned times a turned: the factors change places.
        self.order = (1, 0, 2)
        self.product = self._kept("matmul_desc", int(compute), TYPES["float64" if wide else "float32"])
        for name, factor in (("TRANSA", 1), ("TRANSB", 0)):
            operation = names.Operation.T if layouts[factor][1] else names.Operation.N
            self._set("matmul_desc", self.product, name, int(operation))
        extents = [(rows, terms), (terms, columns), (rows, columns)]
        self.matrices = [
            self._matrix(dtype, shape, turned, line, lead, step)
            for shape, (_, turned, line, step) in zip(extents, layouts)
        ]
        self.algorithm, self.room = self._algorithm(dtype)

    def _kept(self, kind, *given):
        """A descriptor of the library, destroyed with this object."""
        made = getattr(self.library, f"{kind}_create")(*given)
        weakref.finalize(self, getattr(self.library, f"{kind}_destroy"), made).atexit = False
        return made

    def _set(self, kind, descriptor, name, value):
        attribute = getattr(getattr(self.library, kind.title().replace("_", "") + "Attribute"), name)
        word = np.array(value, getattr(self.library, f"get_{kind}_attribute_dtype")(attribute))
        getattr(self.library, f"{kind}_set_attribute")(descriptor, int(attribute), word.ctypes.data, word.nbytes)

    def _matrix(self, dtype, shape, turned, line, lead, step):
        down, across = shape if turned else shape[::-1]
        made = self._kept("matrix_layout", TYPES[dtype], down, across, line)
        self._set("matrix_layout", made, "BATCH_COUNT", lead)
        self._set("matrix_layout", made, "STRIDED_BATCH_OFFSET", step)
        return made

    def _algorithm(self, dtype):
        """The library's first choice, and the bytes that it needs besides; None if it has none."""
        preference = self.library.matmul_preference_create()
        try:
            wanted = {
                "MAX_WORKSPACE_BYTES": ROOM,
                "REDUCTION_SCHEME_MASK": int(self.library.ReductionScheme.COMPUTE_TYPE),
            }
            for letter, operand in zip("ABCD", (*self.order, 2), strict=True):
                aligned = ALIGNED if self.addresses[operand] % ALIGNED == 0 else itemsize(dtype)
                wanted[f"MIN_ALIGNMENT_{letter}_BYTES"] = aligned
            for name, value in wanted.items():
                self._set("matmul_preference", preference, name, value)
            found, count = np.zeros(1, self.library.matmul_heuristic_result_dtype), np.zeros(1, np.int32)
            first, second, result = (self.matrices[k] for k in self.order)
            self.library.matmul_algo_get_heuristic(
                *(self.cublas.handle, self.product, first, second, result, result),
                *(preference, 1, found.ctypes.data, count.ctypes.data),
            )
        finally:
            self.library.matmul_preference_destroy(preference)
        if count[0] == 0 or found["state"][0] != 0:
            return None, 0
        room = int(found["workspace_size"][0])
        return found, self.cublas.room.address if room else 0

    def __call__(self, stream=0):
        """Starts the product on a stream."""
        device.calls["launch"] += 1
        first, second, result = self.order
        one, none = self.scales.ctypes.data, self.scales.ctypes.data + self.scales.itemsize
        needed = int(self.algorithm["workspace_size"][0])
        self.library.matmul(
            *(self.cublas.handle, self.product, one),
            *(self.addresses[first], self.matrices[first], self.addresses[second], self.matrices[second]),
            *(none, self.addresses[result], self.matrices[result], self.addresses[result], self.matrices[result]),
            *(self.algorithm["algo"].ctypes.data, self.room, needed, handle_of(stream)),
        )


def handle_of(stream):
    """A stream as the driver names it."""
    return int(getattr(stream, "handle", 0) or 0)
