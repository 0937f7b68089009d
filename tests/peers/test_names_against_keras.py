"""Every name of keras.ops is here, but for those that are listed with the reason."""

import pytest

from refnet import ops

pytestmark = pytest.mark.peers

COMPLEX = "there are no complex dtypes; Fourier's transforms take and give pairs of real arrays"
BITS = "definitions compute in wide numbers and do not see the bits that are stored"
ITERATION = "an iteration that ends when it has converged has no certificate by its loop"
LEFT_OUT = {
    **dict.fromkeys(("polar", "view_as_complex", "view_as_real"), COMPLEX),
    **dict.fromkeys(("nextafter", "view"), BITS),
    **dict.fromkeys(("eig", "eigh", "svd", "pinv", "matrix_rank"), ITERATION),
    "vectorize": "vectorized_map and broadcasting say what is meant without NumPy's signatures",
}
MODULES = ("image", "linalg", "nn", "numpy")


def names():
    """(name, whether refnet.ops or its namesake inside has it)"""
    import keras

    found = {n: hasattr(ops, n) for n in dir(keras.ops) if n[0] != "_" and n not in MODULES}
    for module in MODULES:
        for n in dir(getattr(keras.ops, module)):
            if n[0] != "_":
                found[n] = hasattr(ops, n)
    return found


def test_every_name_is_here_or_listed(capsys):
    found = names()
    missing = {n for n, there in found.items() if not there}
    with capsys.disabled():
        print(f"\nkeras.ops: {len(found) - len(missing)} of {len(found)} names; left out: {', '.join(sorted(missing))}")
    assert missing == set(LEFT_OUT)
