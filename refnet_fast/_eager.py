"""Modules of functions that compute arrays on the current engine."""

import functools
import sys
import types

from refnet.engine import eager_on_current


def on_current_engine(module):
    """A module `__getattr__` that gives the functions of another module, each inside `eager_on_current`."""

    @functools.cache
    def attribute(name):
        value = getattr(module, name)
        if not isinstance(value, types.FunctionType) or not value.__module__.startswith("refnet"):
            return value

        @functools.wraps(value)
        def run(*args, **kwargs):
            with eager_on_current():
                return value(*args, **kwargs)

        return run

    return attribute


def module_on_current_engine(name, module):
    """A module of that name, known to `import`, with the functions of another module as above."""
    made = sys.modules[name] = types.ModuleType(name, module.__doc__)
    made.__getattr__, made.__dir__ = on_current_engine(module), lambda: dir(module)
    return made
