"""Public classes and functions take Keras's arguments, in its order, with its defaults, but for what is listed with the reason."""

import functools
import inspect

import pytest

import refnet_fast

pytestmark = pytest.mark.peers

MODULES = (
    *("layers", "losses", "metrics", "optimizers", "optimizers.schedules", "callbacks", "initializers", "regularizers"),
    *("constraints", "activations", "utils", "saving", "models", "random", "ops", "ops.image", "ops.linalg", "ops.nn"),
    *("ops.numpy", "backend", "config", "preprocessing.image", "preprocessing.sequence", "mixed_precision", "tree"),
    *("wrappers", "applications", "applications.imagenet_utils"),
    *(f"applications.{name}" for name in ("inception_v3", "mobilenet", "resnet", "vgg16", "vgg19", "xception")),
    *(f"applications.{name}" for name in ("densenet", "efficientnet", "efficientnet_v2", "mobilenet_v2", "resnet_v2")),
    *(f"applications.{name}" for name in ("convnext", "inception_resnet_v2", "mobilenet_v3", "nasnet")),
    *(f"datasets.{name}" for name in ("boston_housing", "california_housing", "cifar10", "cifar100")),
    *(f"datasets.{name}" for name in ("fashion_mnist", "imdb", "mnist", "reuters")),
)
METHODS = (  # of classes that users derive from or call; of other classes only what makes one is compared
    *("Layer", "Model", "Sequential", "models.Model", "models.Sequential", "losses.Loss", "metrics.Metric"),
    *("callbacks.Callback", "optimizers.Optimizer", "initializers.Initializer", "regularizers.Regularizer"),
    *("constraints.Constraint", "optimizers.schedules.LearningRateSchedule", "random.SeedGenerator"),
    *("utils.PyDataset", "Variable"),
)

QUANTIZATION = "kernels in four bits are left out"
DENSE = "there are no sparse and no ragged tensors"
ONE_FILE = "weights are one file"
MADE = "made by ops, never by hand"
ONE_PLACE = "there is one copy of a variable, in one place"
AS_CALL = "it takes what `call` takes"
INTENDED = {  # {(name, argument): reason}, by the name's last part
    ("EinsumDense", "gptq_unpacked_column_size"): QUANTIZATION,
    **dict.fromkeys((("convert_to_tensor", "sparse"), ("convert_to_tensor", "ragged")), DENSE),
    **dict.fromkeys((("KerasTensor", a) for a in ("sparse", "ragged", "record_history", "name")), MADE),
    ("save_weights", "max_shard_size"): ONE_FILE,
    ("Variable", "layout"): ONE_PLACE,
    **dict.fromkeys((("compute_output_spec", a) for a in ("inputs", "training", "mask")), AS_CALL),
}


def found(root, path):
    return functools.reduce(lambda module, name: getattr(module, name, None), path.split(".") if path else [], root)


def parameters(function):
    """{name: (place, default)}, or None of what has no signature."""
    try:
        listed = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    named = [p for p in listed if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name != "self"]
    return {p.name: (i, p.default) for i, p in enumerate(named)}


def alike(ours, theirs, argument):
    """Whether two defaults mean the same: a number stands for each axis's, None for the class's own name (see below)."""
    if theirs is inspect.Parameter.empty or (argument == "name" and ours is None):
        return True
    if isinstance(theirs, tuple) and len(set(theirs)) == 1 and ours == theirs[0]:
        return True
    if isinstance(ours, str) and isinstance(theirs, str):
        return ours.lower() == theirs.lower()
    if callable(theirs) or callable(ours):
        return getattr(ours, "__name__", ours) == getattr(theirs, "__name__", theirs)
    return repr(ours) == repr(theirs) or (not isinstance(theirs, bool) and ours == theirs)


def differences(name, ours, theirs):
    """What a user of Keras's signature would meet, each as (argument, sentence)."""
    ours, theirs = parameters(ours), parameters(theirs)
    if ours is None or theirs is None:
        return
    for argument, (place, default) in theirs.items():
        if argument not in ours:
            yield argument, f"{name} has no {argument}"
        elif ours[argument][0] != place and not any(a not in ours for a in list(theirs)[:place]):
            yield argument, f"{name}: {argument} is argument {ours[argument][0]}, not {place}"
        elif not alike(ours[argument][1], default, argument):
            yield argument, f"{name}: {argument} is {ours[argument][1]!r} by default, not {default!r}"


def pairs():
    """(name, ours, Keras's) of everything public that both have."""
    import keras

    for module in ("", *MODULES):
        here, there = found(refnet_fast, module), found(keras, module)
        for name in sorted(n for n in dir(there) if n[0] != "_" and hasattr(here, n)):
            full, ours, theirs = f"{module}.{name}".lstrip("."), getattr(here, name), getattr(there, name)
            if inspect.ismodule(theirs) or not callable(theirs):
                continue
            yield full, ours, theirs
            if full in METHODS:
                for method in sorted(m for m in vars(theirs) if m[0] != "_" and hasattr(ours, m)):
                    if callable(getattr(theirs, method)):
                        yield f"{full}.{method}", getattr(ours, method), getattr(theirs, method)


def test_arguments_are_keras_s_but_for_those_listed():
    met, unexpected = set(), []
    for name, ours, theirs in pairs():
        for argument, sentence in differences(name, ours, theirs):
            key = (name.rpartition(".")[2], argument)
            met.add(key)
            if key not in INTENDED:
                unexpected.append(sentence)
    assert not unexpected, "\n".join(unexpected)
    assert met == set(INTENDED)


@pytest.mark.parametrize("module", ["losses", "metrics", "optimizers", "optimizers.schedules"])
def test_objects_without_a_name_have_keras_s(module):
    import keras

    given = {"ExponentialDecay": (0.1, 10, 0.5), "InverseTimeDecay": (0.1, 10, 0.5)}
    for name in dir(found(keras, module)):
        ours, theirs = (getattr(found(root, module), name, None) for root in (refnet_fast, keras))
        if inspect.isclass(ours) and inspect.isclass(theirs):
            keras.utils.clear_session()  # it numbers the names of a process
            try:
                expected = theirs(*given.get(name, ())).name
            except (TypeError, AttributeError, NotImplementedError):
                continue  # it needs arguments, or has no name
            assert ours(*given.get(name, ())).name == expected, name
