"""The package as a whole: what importing it loads, how it is laid out, that its documentation runs."""

import doctest
import importlib
import json
import pathlib
import pkgutil
import re
import subprocess
import sys
import tomllib

import numpy as np
import pytest

import refnet
import refnet.ops
import refnet_fast
from refnet.definition import Op
from refnet_fast import kernels

ROOT = pathlib.Path(__file__).parent.parent
ALLOWED = {
    *("pyproject.toml", "README.md", "LICENSE", ".gitignore", ".gitattributes", ".pre-commit-config.yaml"),
    *("refnet", "refnet_fast", "tests", "property_tests", ".ci", ".github"),
}
HEAVY = {
    "matplotlib",
    "h5py",
    "pandas",
    "scipy",
    "PIL",
    "rich",
    "sklearn",
    "torch",
    "keras",
    "jax",
    "mpmath",
    "hypothesis",
    "onnx",
    "onnxruntime",
    "tensorboard",
}
MODULES = sorted(m.name for m in pkgutil.walk_packages(refnet.__path__, "refnet.") if not m.name.endswith("__main__"))


def told_by_a_new_process(program):
    """What a program prints as JSON, run by a new process from the project's root."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return json.loads(done.stdout)


def modules_after(statement):
    """The modules that are loaded in a new process after a statement."""
    return set(told_by_a_new_process(f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"))


def test_importing_refnet_loads_no_compiler_and_nothing_heavy():
    modules = modules_after("import refnet, refnet.ops, refnet.layers, refnet.models, refnet.datasets, refnet.random")
    assert sorted(modules & (HEAVY | {"numba", "llvmlite", "refnet_fast"})) == []


def test_importing_refnet_fast_loads_nothing_that_training_does_not_need():
    modules = modules_after("import refnet_fast")
    assert sorted(modules & (HEAVY | {"numba.cuda", "numba_cuda", "cuda.bindings"})) == []


FIRST_STEP = """
import json, numba, numpy, refnet_fast
from numba.core import event
from refnet_fast import Sequential, layers
with event.install_recorder("numba:compile") as compiled:
    model = Sequential([layers.Input((784,)), layers.Dense(512, activation="relu"), layers.Dense(10, activation="softmax")])
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(numpy.zeros((128, 784), "float32"), numpy.zeros(128, "int32"))
    of_training = len(compiled.buffer)
    numba.njit(lambda x: x + 1)(1)
print(json.dumps([of_training, len(compiled.buffer)]))
"""


def test_a_second_process_compiles_nothing():
    """From the import to the end of a training step, the kernels being on the disk since the first of these runs. What waits
    for a compiler is seen by the recorder: the function that is compiled after the step is the proof."""
    told_by_a_new_process(FIRST_STEP)
    of_training, in_all = told_by_a_new_process(FIRST_STEP)
    assert of_training == 0 < in_all


def test_the_top_level_holds_only_what_the_layout_knows():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    assert {path.split("/")[0] for path in tracked if path} <= ALLOWED


def test_one_version():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == refnet.__version__


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(name)
    scope = {**vars(refnet.ops), **vars(module), "np": np}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for case in doctest.DocTestFinder(exclude_empty=True).find(module, name, globs=scope):
        runner.run(case)
    assert runner.failures == 0, f"{runner.failures} of {runner.tries} examples failed; see the output above"


def public_ops():
    return [f for _, f in sorted(vars(refnet.ops).items()) if getattr(f, "__module__", "").startswith("refnet.ops.")]


@pytest.mark.parametrize("function", public_ops(), ids=lambda f: f.__name__)
def test_every_public_op_has_an_example(function):
    assert ">>>" in (function.__doc__ or ""), f"{function.__module__}.{function.__name__} shows no example"


def public_layers():
    return sorted(
        {
            value
            for value in vars(refnet.layers).values()
            if isinstance(value, type) and issubclass(value, refnet.Layer)
        },
        key=lambda layer: layer.__name__,
    )


@pytest.mark.parametrize("layer", public_layers(), ids=lambda layer: layer.__name__)
def test_every_layer_has_an_example(layer):
    assert ">>>" in (layer.__doc__ or ""), f"{layer.__module__}.{layer.__name__} shows no example"


# ---- the mirror: refnet_fast/cpu/x.py and refnet_fast/cuda/x.py serve the ops of refnet/ops/x.py


def family(module):
    return module.rpartition(".")[2]


def declared_kernels():
    kernels.load()
    return [(name, kernel) for name, found in sorted(kernels.tuned.items()) for kernel in found]


@pytest.mark.parametrize("name, kernel", declared_kernels(), ids=lambda x: getattr(x, "name", x))
def test_every_kernel_serves_an_op_of_the_file_it_mirrors(name, kernel):
    # some load when they are used
    if (ROOT / "refnet" / "ops" / f"{family(kernel.function.py_func.__module__)}.py").exists():
        importlib.import_module(f"refnet.ops.{family(kernel.function.py_func.__module__)}")
    assert name in Op.named, f"{kernel.name} is declared for {name!r}, which is no op"
    op = Op.named[name]
    definition = op.loop or op.scalar
    own, mirrored = family(definition.__module__), family(kernel.function.py_func.__module__)
    # a special case that has a file of its own there, too: depthwise convolution, which conv2d computes
    if mirrored != own:
        assert f"refnet.ops.{own} import" in (ROOT / "refnet" / "ops" / f"{mirrored}.py").read_text()


def test_every_file_with_kernels_is_loaded():
    """A file with a kernel that `load` does not know would be a kernel that never runs."""
    for path in (ROOT / "refnet_fast" / "cpu").glob("*.py"):
        if "\n@kernel(" in path.read_text():
            assert path.stem in kernels.FAMILIES
            assert (ROOT / "refnet" / "ops" / path.name).exists() or (ROOT / "refnet" / path.name).exists()


def test_refnet_fast_offers_every_name_of_refnet():
    assert refnet_fast.layers is refnet.layers
    assert refnet_fast.Sequential is refnet.Sequential
    assert {name for name in dir(refnet) if not name.startswith("_")} <= set(dir(refnet_fast))


@pytest.mark.parametrize("package", [refnet, refnet_fast], ids=lambda package: package.__name__)
def test_every_name_that_is_offered_is_there(package):
    for name in dir(package):
        getattr(package, name)


def test_modules_inside_of_packages_are_not_loaded_twice():
    for name in ("layers.core", "datasets.mnist", "applications.vgg16", "preprocessing.image"):
        assert importlib.import_module(f"refnet_fast.{name}") is importlib.import_module(f"refnet.{name}")


def programs_in(readme):
    """The Python programs of a README."""
    return re.findall(r"```python\n(.*?)```", (ROOT / readme).read_text(), re.DOTALL)


READMES = [
    "README.md",
    "refnet/README.md",
    "tests/README.md",
    "property_tests/README.md",
    *(f"refnet_fast/{folder}README.md" for folder in ("", "bench/", "cuda/", "examples/")),
    ".github/CONTRIBUTING.md",
]
TUTORIAL = ".github/ADDING_AN_OP.md"  # its programs are parts of one


@pytest.mark.parametrize("readme", [name for name in READMES if programs_in(name)])
def test_the_programs_of_the_readmes_run(readme):
    printed = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True).stdout
        for program in programs_in(readme)
    ]
    if readme == "README.md":
        accuracy, ratio = printed
        assert float(accuracy.splitlines()[-1]) > 0.85  # after the lines of fit
        assert 0 <= float(ratio.split()[2]) <= 1


def named_in(text):
    """[(folder, names)]: the files and folders that a README names, section by section. In a section whose heading is a folder,
    `### `ops/``, a map, they are those of that folder; elsewhere the folder is empty."""
    sections = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    headings, bodies = ["", *sections[1::2]], sections[::2]
    names = [re.findall(r"`([a-z_0-9]+(?:/[a-z_0-9]+)*(?:\.py|/))`", body) for body in bodies]
    folders = [re.fullmatch(r"`([a-z_0-9/]+/)`", heading) for heading in headings]
    return [(folder[1] if folder else "", found) for folder, found in zip(folders, names)]


def test_the_programs_of_the_tutorial_are_one(tmp_path):
    """They are put into a file, because an op is compiled from the text of its file."""
    (tmp_path / "decayed_sum_in_parts.py").write_text("\n\n".join(programs_in(TUTORIAL)))
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import decayed_sum_in_parts"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.parametrize("readme", [*READMES, TUTORIAL])
def test_the_readmes_name_files_that_exist(readme):
    path = ROOT / readme
    text = path.read_text()
    folders = [path.parent, path.parent.parent, ROOT, ROOT / "refnet"]
    for mapped, names in named_in(text):
        for name in names:
            if name != "my_kernels.py":  # the reader's own
                places = [path.parent / mapped] if mapped else folders
                assert any((folder / name).exists() for folder in places), f"{readme} names {mapped}{name}"
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (path.parent / link).exists(), f"{readme} links to {link}"


@pytest.mark.parametrize("folder", ["", "ops/", "layers/", "models/", "saving/"])
def test_the_readme_of_refnet_names_every_file(folder):
    """A reader finds every file of these folders in the map, or elsewhere by its path."""
    text = (ROOT / "refnet/README.md").read_text()
    named = {f"{mapped}{name}" for mapped, names in named_in(text) for name in names}
    files = {f"{folder}{path.name}" for path in (ROOT / "refnet" / folder).glob("*.py")}
    assert sorted(name for name in files - named if "__" not in name) == []


@pytest.mark.parametrize(
    ("readme", "folder"),
    [("refnet_fast", ""), ("refnet_fast", "cpu/"), ("refnet_fast/cuda", ""), ("refnet_fast/cuda", "machine/")],
)
def test_the_readmes_of_refnet_fast_name_every_file(readme, folder):
    """Files of kernels that have the name of a file of definitions are not named one by one."""
    text = (ROOT / readme / "README.md").read_text()
    named = {f"{mapped}{name}" for mapped, names in named_in(text) for name in names}
    kernels_in = (ROOT / readme / folder).name in ("cpu", "cuda")
    for path in (ROOT / readme / folder).glob("*.py"):
        mirrors = kernels_in and any((ROOT / other / path.name).exists() for other in ("refnet/ops", "refnet"))
        assert mirrors or "__" in path.name or f"{folder}{path.name}" in named, f"{readme}/README.md: {path.name}"


FOLDERS_OF_TESTS = sorted(
    {
        path.parent.relative_to(ROOT).as_posix()
        for tests in ("tests", "property_tests")
        for path in (ROOT / tests).rglob("*.py")
    }
)


@pytest.mark.parametrize("folder", FOLDERS_OF_TESTS)
def test_the_readmes_of_the_tests_name_every_file(folder):
    """conftest.py apart, which every folder may have."""
    tests, _, inside = folder.partition("/")
    text = (ROOT / tests / "README.md").read_text()
    named = {f"{mapped}{name}" for mapped, names in named_in(text) for name in names}
    files = {f"{inside}/{path.name}".lstrip("/") for path in (ROOT / folder).glob("*.py")}
    assert sorted(name for name in files - named if not name.endswith("conftest.py")) == []


def test_keras_s_modules_of_ops_compute_on_the_current_engine():
    code = (
        "import refnet, refnet_fast, refnet_fast.ops.linalg as fast; from refnet_fast.ops.numpy import matmul;"
        "assert fast is refnet_fast.ops.linalg and fast.det([[2.0]]) == 2;"
        "assert matmul is not refnet.ops.matmul and refnet_fast.ops.image.resize is not refnet.ops.image.resize"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
