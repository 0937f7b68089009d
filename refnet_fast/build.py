"""From a kernel's text to its address, through a disk cache that survives a fresh checkout and is never stale.

The file of a kernel is named after everything that decides its machine code: its text, the sources of the modules it takes
definitions and helpers from, the versions of Numba and LLVM, and the processor. So nothing ever has to be invalidated, and two
processes may build the same kernel at once.
"""

import atexit
import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

import llvmlite
import llvmlite.binding as llvm
import numba
from numba.core.errors import NumbaError

# Modules whose text decides what a kernel computes. Planner, graph and library are not among them.
MEANING = (
    "refnet.ops",
    "refnet.scalars",
    "refnet.random",
    "refnet.philox",
    "refnet_fast.cpu",
    "refnet_fast.cuda",
    "refnet_fast.vm",
)
ALWAYS = (
    "refnet_fast.native",
    "refnet_fast.outcomes",
    "refnet_fast.build",
    "refnet_fast.derive",
    "refnet_fast.kernels",
    "refnet_fast.scalar_functions",
)

ENOUGH_FOR_TWO = 8  # missing kernels for which a second compiling process pays: it takes a second to start

addresses: dict[str, int] = {}
_kept: list = []  # compiled kernels must not be collected while their addresses are in use


@functools.cache
def cache_folder():
    """Where kernels are kept: REFNET_CACHE_DIR, else ~/.cache/refnet; if that cannot be written, a folder that goes with the process."""
    try:
        wanted = pathlib.Path(os.environ.get("REFNET_CACHE_DIR") or "~/.cache/refnet").expanduser()
        folder = wanted.absolute() / "kernels"  # the process may go elsewhere
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # a user may have no home
        passing = pathlib.Path(tempfile.mkdtemp(prefix="refnet_kernels_"))
        atexit.register(_removed, passing, os.getpid())
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=cache_folder.cache_clear)  # a child may go on when the folder is gone
        folder = passing / "kernels"
        folder.mkdir()
        return folder


def _removed(folder, process):
    """Removes the folder of a process, unless this is a fork of it: it goes on."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)  # what another process writes there meanwhile is left to the system


@functools.cache
def machine():
    """What besides source text decides machine code."""
    named = numba.config.CPU_NAME, numba.config.CPU_FEATURES  # a user may ask for another processor's code
    features = llvm.get_host_cpu_features().flatten()
    return (
        f"numba {numba.__version__} llvmlite {llvmlite.__version__} {llvm.get_host_cpu_name()} {features} {named} "
        f"{sys.version}"
    )


@functools.cache
def source_of(name):
    """The text of a module, found without importing it."""
    spec = importlib.util.find_spec(name)
    return pathlib.Path(spec.origin).read_text() if spec is not None and spec.origin else ""


IMPORT = re.compile(r"^[ \t]*from (refnet[\w.]*) import (?:\(([^)]*)\)|([^\n#]*))", re.MULTILINE)
PACKAGES = (
    "refnet",
    "refnet_fast",
    "refnet.ops",
    "refnet_fast.cpu",
    "refnet_fast.cuda",
)  # names in them may be modules
ALL_OPS = "refnet.ops"  # what definitions are put together with; no loop calls anything through it


def imported_by(text):
    """The modules that a text imports from, wherever it does, of those that decide what a kernel computes. Parsing it all would take
    longer than loading the kernel."""
    found = set()
    for source, several, line in IMPORT.findall(text):
        found.add(source)
        if source in PACKAGES:
            names = re.sub("#.*", "", several or line).split(",")
            found |= {f"{source}.{name.split(' as ')[0].strip()}" for name in names if name.strip()}
    return sorted(module for module in found if module.startswith(MEANING) and module != ALL_OPS)


@functools.cache
def sources_behind(name):
    """{module: text} of a module and of all that it imports, as far as these decide what a kernel computes."""
    seen, todo = {}, [name]
    while todo:
        module = todo.pop()
        if module not in seen:
            seen[module] = source_of(module)
            todo += imported_by(seen[module])
    return seen


@functools.cache
def meaning_of(name):
    """The sources that a module's functions are made of: its own and those of the modules it imports."""
    seen = sources_behind(name)
    return "".join(f"# {m}\n{seen[m]}" for m in sorted(seen))


@functools.cache
def common_meaning():
    return machine() + "".join(meaning_of(name) for name in ALWAYS)


def key_of(text):
    """The name of a kernel: a hash of all that decides its machine code."""
    sources = "".join(meaning_of(module) for module in imported_by(text))
    return hashlib.sha256((text + sources + common_meaning()).encode()).hexdigest()[:24]


def file_of(text):
    """Where a text lies in the disk cache, once it has been compiled."""
    return cache_folder() / f"kernel_{key_of(text)}.py"


def load(text):
    """The module of that text, from a file in the disk cache whose name is the text's key."""
    path = file_of(text)
    written = text.encode()
    if not path.exists() or path.read_bytes() != written:  # a full disk or a lost machine leaves files empty or cut off
        part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")  # others may write the same file now
        part.write_bytes(written)
        part.replace(path)
    try:
        module = _module_in(path)
    except (MemoryError, OSError, NumbaError):
        raise
    except Exception:  # what is left of a file that was cut off may be read as anything
        _forget(path)
        module = _module_in(path)
    _kept.append(module)
    return module


def _module_in(path):
    """The module in a file, whose functions Numba compiles, or takes from files of its own beside it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # Numba's cache finds the module of a function by its name
    spec.loader.exec_module(module)
    return module


def _forget(path):
    """Removes what was compiled from a file, unless another process has done so."""
    beside = pathlib.Path(numba.config.CACHE_DIR or path.parent)  # a user may ask Numba for another folder
    for file in beside.rglob(f"{path.stem}.*"):
        if file.suffix in (".nbi", ".nbc", ".pyc"):
            file.unlink(missing_ok=True)


def build_all(texts):
    """{text: address} of kernels whose text defines `kernel(frame, lo, hi)`; compiled, or loaded from the disk cache.

    Where many are missing from the cache, a second process compiles half of them: the compiler of one process runs on one core.
    """
    wanted = [text for text in dict.fromkeys(texts) if text not in addresses]
    missing = [text for text in wanted if not file_of(text).exists()]
    helped = missing[1::2] if len(missing) >= ENOUGH_FOR_TWO and processors() > 1 else []
    if helped:
        # What it could not compile, or all if it ended without reading, is compiled below, where errors reach the user.
        command = [sys.executable, "-m", "refnet_fast.build"]
        same = {**os.environ, "REFNET_CACHE_DIR": str(cache_folder().parent)}
        helper = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=same)
        with contextlib.suppress(BrokenPipeError), helper.stdin as asked:
            asked.write(json.dumps(helped).encode())
        for text in wanted:
            if text not in helped:
                addresses[text] = load(text).kernel.address
        helper.wait()
    for text in wanted:
        if text not in addresses:
            addresses[text] = load(text).kernel.address
    return {text: addresses[text] for text in texts}


def processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    for asked in json.load(sys.stdin):
        load(asked)
