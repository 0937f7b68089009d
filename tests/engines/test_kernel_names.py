"""Machine code in the disk cache is told apart by names, and made again when a source changes that it was made of."""

import gc
from collections import defaultdict

from numba.core.dispatcher import Dispatcher

import refnet_fast  # noqa: F401  (registers the engines)
from refnet.engine import get_engine
from refnet_fast import (
    build,
    scalar_functions,  # noqa: F401  (its functions are made at import)
)
from refnet_fast.cpu import elementary  # noqa: F401


def compiled_functions():
    get_engine("cpu")
    everything = [thing for thing in gc.get_objects() if isinstance(thing, Dispatcher)]
    return [thing.py_func for thing in everything if thing.py_func.__module__.startswith("refnet")]


def test_no_two_compiled_functions_share_a_name():
    found = defaultdict(set)
    for function in compiled_functions():
        found[function.__module__, function.__qualname__].add(id(function))
    assert len(found) > 50
    assert {name: len(ids) for name, ids in found.items() if len(ids) > 1} == {}


def test_what_is_compiled_stands_in_modules_that_name_the_kernels():
    """A kernel whose name did not follow from all its sources would be met again after they have changed."""
    modules = {function.__module__ for function in compiled_functions()}
    assert len(modules) > 20
    assert {m for m in modules if not m.startswith(build.MEANING) and m not in build.ALWAYS} == set()
