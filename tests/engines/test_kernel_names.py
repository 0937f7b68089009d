"""Machine code in the disk cache is told apart by names, and made again when a source changes that it was made of."""

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from numba.core.errors import TypingError

from refnet_fast import build

# In a process of its own: other tests compile broken kernels, which are in no module.
PROGRAM = """
import gc, json
from numba.core.dispatcher import Dispatcher
import refnet_fast
from refnet.engine import get_engine
from refnet_fast import scalar_functions
from refnet_fast.cpu import elementary
get_engine("cpu")
functions = {id(thing.py_func): thing.py_func for thing in gc.get_objects() if isinstance(thing, Dispatcher)}
print(json.dumps([(f.__module__, f.__qualname__) for f in functions.values() if f.__module__.startswith("refnet")]))
"""


@pytest.fixture(scope="module")
def compiled_functions():
    """(module, name) of every function of ours that is compiled."""
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *sys.path])}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=root)
    assert done.returncode == 0, done.stderr[-2000:]
    return [tuple(pair) for pair in json.loads(done.stdout)]


def test_no_two_compiled_functions_share_a_name(compiled_functions):
    assert len(compiled_functions) > 50
    assert {name: n for name, n in Counter(compiled_functions).items() if n > 1} == {}


REACH = Path(__file__).with_name("what_kernels_reach.py")
SIMULATED = {
    "refnet.dtypes"
}  # of the plain `wide` of refnet_fast.cuda.numbers; on a device an overload takes its place


@pytest.mark.parametrize("engine, least", [("cpu", 250), ("cuda", 60)])
def test_a_kernels_name_follows_from_all_that_it_is_compiled_from(engine, least):
    """A kernel whose name did not would be met again after its sources have changed."""
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *sys.path])}
    done = subprocess.run(
        [sys.executable, str(REACH), engine], env=environment, capture_output=True, text=True, cwd=root
    )
    assert done.returncode == 0, done.stderr[-2000:]
    missing = json.loads(done.stdout)
    assert len(missing) >= least
    allowed = SIMULATED if engine == "cuda" else set()
    assert {imports: modules for imports, modules in missing.items() if set(modules) - allowed} == {}


@pytest.fixture
def edited(monkeypatch):
    """A function that gives the keys of texts as if a module's text had been changed."""

    def keys(texts, module):
        caches = (build.source_of, build.sources_behind, build.meaning_of, build.common_meaning)
        original = build.source_of.__wrapped__
        with monkeypatch.context() as patch:
            patch.setattr(build, "source_of", lambda name: original(name) + "# edited" * (name == module))
            for cached in caches[1:]:
                cached.cache_clear()
            found = [build.key_of(text) for text in texts]
        for cached in caches[1:]:
            cached.cache_clear()
        return found

    return keys


def test_an_edit_renames_the_kernels_that_it_concerns_and_no_others(edited):
    draws = "from refnet_fast.cpu.random import random_normals\n"
    inverse = "from refnet.ops.special import erfinv_scalar\ndefinition = compiled(erfinv_scalar)\n"
    moves = "from refnet.ops.shapes import copy_loop\n"
    texts = [draws, inverse, moves]
    now = [build.key_of(text) for text in texts]
    renamed = lambda module: [a != b for a, b in zip(now, edited(texts, module))]
    assert renamed("refnet.philox")[:2] == [True, True]
    assert renamed("refnet_fast.cpu.random") == [True, False, False]
    assert renamed("refnet.ops.convolution") == renamed("refnet.layers.core") == renamed("no.module") == [False] * 3


class Features:
    def flatten(self):
        return "+one,-another"


OTHERWISE = {
    "the processor": (build.llvm, "get_host_cpu_name", lambda: "another"),
    "what it can do": (build.llvm, "get_host_cpu_features", Features),
    "the processor that is asked for": (build.numba.config, "CPU_NAME", "another"),
    "the features that are asked for": (build.numba.config, "CPU_FEATURES", "+one"),
    "Numba": (build.numba, "__version__", "0"),
    "llvmlite": (build.llvmlite, "__version__", "0"),
    "Python": (sys, "version", "0"),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_whatever_else_decides_machine_code_renames_kernels(what, monkeypatch):
    """A folder of kernels may be shared by machines, or be older than what is installed."""
    text, cached = "from refnet.ops.shapes import copy_loop\n", (build.machine, build.common_meaning)
    before = build.key_of(text)
    monkeypatch.setattr(*OTHERWISE[what])
    for each in cached:
        each.cache_clear()
    now = build.key_of(text)
    monkeypatch.undo()
    for each in cached:
        each.cache_clear()
    assert now != before == build.key_of(text)


def test_modules_that_a_package_is_asked_for_are_found_beside_comments():
    text = "from refnet_fast.cpu import (\n    rows,  # why, so\n    tile as tiles,\n)\nfrom refnet import philox  # it, too\n"
    text += "def f(x):\n    from refnet.ops.shapes import copy_loop\n"
    assert build.imported_by(text) == [
        "refnet.ops.shapes",
        "refnet.philox",
        "refnet_fast.cpu",
        "refnet_fast.cpu.rows",
        "refnet_fast.cpu.tile",
    ]


TEXT = """from numba import cfunc, types


@cfunc(types.int64(types.int64), cache=True)
def kernel(x):
    return x + {more}
"""


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("REFNET_CACHE_DIR", str(tmp_path))
    build.cache_folder.cache_clear()
    monkeypatch.setattr(build, "addresses", {})
    yield build.cache_folder()
    build.cache_folder.cache_clear()


@pytest.mark.parametrize("left", ["", "cut off", "cut off within a line"])
def test_a_file_that_was_cut_off_is_written_again(empty_cache, left):
    text = TEXT.format(more=41)
    cut = {"": 0, "cut off": text.index("@cfunc"), "cut off within a line": len(text) - 8}[left]
    build.file_of(text).write_text(text[:cut])
    address = build.build_all([text])[text]
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)(1) == 42
    assert build.file_of(text).read_text() == text


LEFT = {
    "nothing": lambda code: b"",
    "half": lambda code: code[: len(code) // 2],
    "zeros": lambda code: bytes(len(code)),
}


@pytest.mark.parametrize("what", [".nbi", ".nbc"])
@pytest.mark.parametrize("left", LEFT)
def test_machine_code_that_was_cut_off_is_made_again(empty_cache, what, left):
    """As a machine that lost its power leaves the files that were written last."""
    text = TEXT.format(more=43)
    build.build_all([text])
    (damaged,) = (empty_cache / "__pycache__").glob(f"{build.file_of(text).stem}.*{what}")
    whole = damaged.read_bytes()
    damaged.write_bytes(LEFT[left](whole))
    build.addresses.clear()  # as another process finds it
    for _ in range(2):
        address = build.build_all([text])[text]
        assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)(1) == 44
    assert len(damaged.read_bytes()) == len(whole)


def test_machine_code_that_another_process_has_just_removed_is_made_again(empty_cache, monkeypatch):
    """Both have met what was left of it."""
    read, asked = build._module_in, []

    def cut_off_at_first(path):
        asked.append(path)
        if len(asked) == 1:
            raise EOFError
        return read(path)

    monkeypatch.setattr(build, "_module_in", cut_off_at_first)
    text = TEXT.format(more=44)
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(build.build_all([text])[text])(1) == 45
    assert asked == [build.file_of(text)] * 2


def test_a_kernel_that_cannot_be_compiled_says_so(empty_cache):
    with pytest.raises(TypingError, match="nowhere"):
        build.build_all([TEXT.format(more="nowhere")])


def test_kernels_are_compiled_here_where_the_helper_ends_without_reading(empty_cache, monkeypatch):
    """As where the package was found through sys.path alone. A pipe takes 64 KB before it breaks."""
    texts = [TEXT.format(more=more) + "# " + "long " * 4000 + "\n" for more in range(build.ENOUGH_FOR_TWO)]
    monkeypatch.setattr(build, "processors", lambda: 2)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    addresses = build.build_all(texts)
    assert [ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(addresses[text])(1) for text in texts] == list(range(1, 9))


@pytest.fixture
def folder_for(monkeypatch):
    """A function that gives the folder of kernels for the environment as it is then."""
    yield build.cache_folder.__wrapped__
    build.cache_folder.cache_clear()


def test_the_folder_stays_where_it_is_when_the_process_goes_elsewhere(folder_for, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for named, folder in (("here", tmp_path / "here"), ("~/there", tmp_path / "there")):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("REFNET_CACHE_DIR", named)
        assert folder_for() == folder / "kernels"


@pytest.mark.skipif(os.name == "nt", reason="there a user always has a home")
def test_a_user_without_a_home_has_a_folder_too(folder_for, monkeypatch, tmp_path):
    import pwd

    def unknown(number):
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("REFNET_CACHE_DIR", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert folder_for().parent.parent == tmp_path


WITHOUT_A_PLACE = """
import os, sys
from refnet_fast import build
build.processors = lambda: 2
text = "from numba import cfunc, types\\n\\n\\n@cfunc(types.int64(types.int64), cache=True)\\ndef kernel(x):\\n    return x + {}\\n"
texts = [text.format(number) for number in range(build.ENOUGH_FOR_TWO)]
build.build_all(texts)
print(sorted(os.listdir(sys.argv[1])), len(list(build.cache_folder().glob("kernel_*.py"))) == len(texts))
"""


def test_a_folder_for_want_of_another_is_shared_with_the_helper_and_goes_with_the_process(tmp_path):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    places = tmp_path / "places"
    places.mkdir()
    environment = {**os.environ, "REFNET_CACHE_DIR": str(blocked), "TMPDIR": str(places)}
    command = [sys.executable, "-c", WITHOUT_A_PLACE, str(places)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.fullmatch(r"\['refnet_kernels_\w+'\] True", done.stdout.strip())
    assert list(places.iterdir()) == []


OUTLIVES = """
import os, time
from refnet_fast import build
text = "from numba import cfunc, types\\n\\n\\n@cfunc(types.int64(types.int64), cache=True)\\ndef kernel(x):\\n    return x\\n"
folder = build.cache_folder()
if os.fork() == 0:
    while folder.exists():  # the parent ends, as that of a daemon does
        time.sleep(0.01)
    print(bool(build.build_all([text])[text]), flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_child_that_outlives_the_folder_makes_its_own(tmp_path):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    environment = {**os.environ, "REFNET_CACHE_DIR": str(blocked), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", OUTLIVES], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "True\n", done.stderr
