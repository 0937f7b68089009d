"""The elementary functions of the CPU engine's kernels: what stands there in the place of `refnet.scalars`'.

They have no branches, so that LLVM vectorises a loop over them, and they keep to IEEE 754 and C for signed zeros,
infinities, NaN and subnormal results. They promise an error of at most ULP_LIMIT, in units in the last place of the exact
result.

Multiplications and additions in them may be fused ("contract"); nothing else of fast math is allowed, and a caller must
not add it: with "reassoc" and a copy of their text (Numba's `inline="always"`) the two-part products of the reductions fall
apart. LLVM inlines them always, since a call that remains in a loop keeps it from being vectorised.
"""

import functools

from numba import types
from numba.extending import overload

from refnet_fast.cpu import elementary32, elementary64
from refnet_fast.cpu.intrinsics import round_down, square_root
from refnet_fast.native import named, njit

_machine = njit(error_model="numpy", forceinline=True)


@_machine
def sqrt(x):
    return square_root(x)


@_machine
def floor(x):
    return round_down(x)


@_machine
def divide(x, y):
    return x / y


@_machine
def isnan(x):
    return x != x


# By the names of refnet.scalars, then by the dtype of argument and result.
FUNCTIONS = {
    "exp": {"float32": elementary32.exp32, "float64": elementary64.exp64},
    "expm1": {"float32": elementary32.expm1_32, "float64": elementary64.expm1_64},
    "log": {"float32": elementary32.log32, "float64": elementary64.log64},
    "log1p": {"float32": elementary32.log1p32, "float64": elementary64.log1p64},
    "tanh": {"float32": elementary32.tanh32, "float64": elementary64.tanh64},
    "sigmoid": {"float32": elementary32.sigmoid32, "float64": elementary64.sigmoid64},
    "erf": {"float32": elementary32.erf32, "float64": elementary64.erf64},
    "sin": {"float32": elementary32.sin32, "float64": elementary64.sin64},
    "cos": {"float32": elementary32.cos32, "float64": elementary64.cos64},
    "sqrt": {"float32": sqrt, "float64": sqrt},
    "floor": {"float32": floor, "float64": floor},
    "divide": {"float32": divide, "float64": divide},
    "isnan": {"float32": isnan, "float64": isnan},
}

# The worst error measured, rounded up: for float32 over every value there is, for float64 over millions of values of each
# function (10**5 of erf). Without fused multiply-adds, where fewer values were tried, the same limits held.
# property_tests/test_elementary.py measures again.
ULP_LIMIT = {
    "exp": {"float32": 1.1, "float64": 1.1},
    "expm1": {"float32": 1.6, "float64": 2.0},
    "log": {"float32": 0.9, "float64": 0.9},
    "log1p": {"float32": 1.5, "float64": 1.5},
    "tanh": {"float32": 1.4, "float64": 1.4},
    "sigmoid": {"float32": 2.5, "float64": 2.5},
    "erf": {"float32": 1.2, "float64": 1.5},
    "sin": {"float32": 1.7, "float64": 1.0},
    "cos": {"float32": 1.7, "float64": 1.0},
    "sqrt": {"float32": 0.5, "float64": 0.5},
    "floor": {"float32": 0.0, "float64": 0.0},
    "divide": {"float32": 0.5, "float64": 0.5},
}


@functools.cache
def by_type(name):
    """A function for kernels that serve float32 and float64: of this family, the one for its argument's dtype."""

    def function(x):
        raise AssertionError("called by compiled kernels only")

    @overload(function, jit_options={"error_model": "numpy", "forceinline": True})
    def _choose(x):
        chosen = FUNCTIONS[name]["float32" if x == types.float32 else "float64"]

        def implementation(x):
            return chosen(x)

        return named(implementation, f"{name}_of_{x}")

    return function
