"""Machine code in the disk cache is told apart by names: no two compiled functions of ours may share one."""

import gc
from collections import defaultdict

from numba.core.dispatcher import Dispatcher

import refnet_fast  # noqa: F401  (registers the engines)
from refnet.engine import get_engine
from refnet_fast import scalar_functions  # noqa: F401  (its functions are made at import)
from refnet_fast.cpu import elementary  # noqa: F401


def test_no_two_compiled_functions_share_a_name():
    get_engine("cpu")
    found = defaultdict(set)
    for thing in gc.get_objects():
        if isinstance(thing, Dispatcher) and thing.py_func.__module__.startswith("refnet"):
            found[thing.py_func.__module__, thing.py_func.__qualname__].add(id(thing.py_func))
    assert len(found) > 50
    assert {name: len(ids) for name, ids in found.items() if len(ids) > 1} == {}
