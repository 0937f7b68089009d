"""refnet, run by Numba: the same names and the same meaning as `refnet`, with compiled engines.

Importing it makes `cpu` the default engine. Everything of refnet is here under the same name, submodules too
(`refnet_fast.layers` is `refnet.layers`); `refnet_fast.ops` and `refnet_fast.random` compute arrays on the current engine,
where `refnet.ops` always runs the definitions.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys

import refnet
from refnet import __version__
from refnet.engine import EngineError, get_engine, register_devices, register_engine, set_default_engine, use_engine
from refnet.errors import MissingNameError
from refnet.old_names import OldModules


def _cpu(name, tuned):
    def make():
        from refnet_fast.engine import CpuEngine

        return CpuEngine(name, tuned)

    return make


def _cuda(name):
    def make():
        from refnet_fast.cuda.engine import CudaEngine

        return CudaEngine(name)

    return make


def _devices(name):
    def make(number):
        from refnet_fast.cuda.engine import CudaEngine

        return CudaEngine(name, number)

    return make


def _auto():
    """The GPU's engine if one can run here, else the CPU's."""
    from refnet_fast.cuda import target

    return get_engine("cuda" if target.available() else "cpu")


register_engine("derived", _cpu("derived", tuned=False))
register_engine("cpu", _cpu("cpu", tuned=True))
register_engine("cuda", _cuda("cuda"))
register_engine("cuda-cublas", _cuda("cuda-cublas"))
register_engine("cuda-tf32", _cuda("cuda-tf32"))
register_engine("cuda-sim", _cuda("cuda-sim"))
register_devices("cuda", _devices("cuda"))
register_devices("cuda-cublas", _devices("cuda-cublas"))
register_devices("cuda-tf32", _devices("cuda-tf32"))
register_engine("auto", _auto)
set_default_engine("cpu")


class _Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `refnet_fast.x` in `refnet.x` where refnet_fast has no module of that name itself.

    It is asked first: a package of refnet has its folder in `__path__`, where others would find its modules a second time.
    """

    def find_spec(self, fullname, path=None, target=None):
        if not fullname.startswith("refnet_fast."):
            return None
        if importlib.machinery.PathFinder.find_spec(".".join(fullname.split(".")[:2]), __path__) is not None:
            return None
        parent, _, last = ("refnet." + fullname.partition(".")[2]).rpartition(".")
        if parent != "refnet" and self.find_spec("refnet_fast." + parent.partition(".")[2]) is None:
            return None
        if importlib.util.find_spec(f"{parent}.{last}") is None:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec):
        module = importlib.import_module("refnet." + spec.name.partition(".")[2])
        self.kept = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self.kept  # the import system put the alias's spec there


sys.meta_path.insert(0, _Alias())
sys.meta_path.append(OldModules(__name__))


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    if importlib.util.find_spec(f"refnet_fast.{name}") is not None:
        return importlib.import_module(f"refnet_fast.{name}")
    try:
        return getattr(refnet, name)
    except MissingNameError:
        raise
    except AttributeError:
        raise AttributeError(f"refnet_fast has no attribute {name!r}") from None


def __dir__():
    return sorted({*globals(), *dir(refnet)})
