"""Every name of Keras's modules is here, but for those that are listed with the reason."""

import functools
import importlib
import inspect

import pytest

from refnet import ops

pytestmark = pytest.mark.peers

COMPLEX = "there are no complex dtypes; Fourier's transforms take and give pairs of real arrays"
BITS = "definitions see numbers, not the bits that are stored: those of NaNs differ, and an engine may read subnormal ones as 0"
ITERATION = "an iteration that ends when it has converged has no certificate by its loop"
LEFT_OUT = {
    **dict.fromkeys(("polar", "view_as_complex", "view_as_real"), COMPLEX),
    "view": BITS,
    **dict.fromkeys(("eig", "eigh", "svd", "pinv", "matrix_rank"), ITERATION),
}
OTHER_PARAMETERS = {"convert_to_tensor": ["x", "dtype"]}  # Keras's sparse and ragged: there are no such tensors here
MODULES = ("image", "linalg", "nn", "numpy")


def names():
    """(name, whether refnet.ops or its namesake inside has it)"""
    import keras

    found = {n: hasattr(ops, n) for n in dir(keras.ops) if n[0] != "_" and n not in MODULES}
    for module in MODULES:
        for n in dir(getattr(keras.ops, module)):
            if n[0] != "_":
                found[n] = hasattr(ops, n) and hasattr(getattr(ops, module), n)
    return found


def test_every_name_is_here_or_listed(capsys):
    found = names()
    missing = {n for n, there in found.items() if not there}
    with capsys.disabled():
        print(f"\nkeras.ops: {len(found) - len(missing)} of {len(found)} names; left out: {', '.join(sorted(missing))}")
    assert missing == set(LEFT_OUT)


def parameters(function):
    try:
        return [p.name for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
    except (TypeError, ValueError):  # a class or a built-in function without a signature
        return []


def test_parameters_have_their_names():
    """Keras's parameters stand first, in their order; what is refnet's own follows them."""
    import keras

    others = {}
    for module in (keras.ops, *[getattr(keras.ops, name) for name in MODULES]):
        here = ops.image if module is keras.ops.image else ops
        for name in set(dir(module)) - set(MODULES):
            theirs, ours = parameters(getattr(module, name)), parameters(getattr(here, name, None))
            if name[0] != "_" and hasattr(here, name) and ours[: len(theirs)] != theirs:
                others[name] = ours
    assert others == OTHER_PARAMETERS


FRAMEWORKS = "it holds what another framework runs"
BOXES = "bounding boxes are left out"
OF_KERAS_2 = "it is Keras 3's own way to files of Keras 2; load_model reads those"
LEFT_OUT_OF = {
    "layers": {
        **dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), FRAMEWORKS),
        "MaxNumBoundingBoxes": BOXES,
    },
    "utils": {"bounding_boxes": BOXES, "legacy": OF_KERAS_2},
    "callbacks": {"OrbaxCheckpoint": "Orbax writes arrays of JAX"},
    "export": {"ExportArchive": "it writes TensorFlow's SavedModel; export_onnx is here"},
}
WHOLE = (
    *(
        "activations",
        "backend",
        "config",
        "constraints",
        "datasets",
        "initializers",
        "losses",
        "metrics",
        "mixed_precision",
    ),
    *(
        "models",
        "optimizers",
        "optimizers.schedules",
        "preprocessing",
        "preprocessing.image",
        "preprocessing.sequence",
        "random",
    ),
    *("regularizers", "saving", "tree", "wrappers"),
)


@pytest.mark.parametrize("module", [*LEFT_OUT_OF, *WHOLE])
def test_every_name_of_a_module_is_here_or_listed(module):
    import keras

    theirs = functools.reduce(getattr, module.split("."), keras)
    here = importlib.import_module(f"refnet.{module}")
    missing = {name for name in dir(theirs) if name[0] != "_" and not hasattr(here, name)}
    assert missing == set(LEFT_OUT_OF.get(module, {}))
