"""`python -m refnet.testing MODULE` on somebody's NumPy functions: one right, one subtly wrong."""

import importlib
import pathlib
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from refnet import Sequential, dtypes, layers, ops
from refnet.engine import get_engine
from refnet.errors import ArgumentError, DtypeError
from refnet.scalars.choices import Undecided
from refnet.testing import check, conformance
from refnet.testing.__main__ import main as command
from refnet.testing.certificates import SIGNED, hold, named
from refnet.testing.replay import replay_step
from refnet.testing.whole import hold_step

SOMEBODYS_OPS = '''
import numpy as np


def softmax(x, axis=-1):
    """Right: the largest is taken off, so nothing overflows."""
    with np.errstate(all="ignore"):
        e = np.exp(x - x.max(axis=axis, keepdims=True, initial=-np.inf))
        return e / e.sum(axis=axis, keepdims=True)


def log_softmax(x, axis=-1):
    """Wrong: loses the small probabilities, whose logarithm becomes -inf."""
    with np.errstate(all="ignore"):
        return np.log(softmax(x, axis))
'''


def readme_kernels():
    """The file that README.md has its reader write."""
    readme = (pathlib.Path(__file__).parents[1] / "README.md").read_text()
    block = readme.split("`my_kernels.py`:\n\n")[1].split("\n\n`python -m")[0]
    return textwrap.dedent(block) + "\n"


def test_the_readmes_kernels_fare_as_it_says(tmp_path):
    path = tmp_path / "my_kernels.py"
    path.write_text(readme_kernels())
    report = examine(path)
    lines = {line.split()[1]: line for line in report.stdout.splitlines() if line.startswith("│")}
    assert "within" in lines["matmul"] and "REFUSED" in lines["softmax"], report.stdout + report.stderr
    assert "is 0.0; exactly nan" in report.stdout and "inf" in report.stdout.split("softmax(array(")[1]


def examine(path):
    command = [sys.executable, "-m", "refnet.testing", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_a_wrong_function_is_named_and_a_right_one_is_not(tmp_path):
    path = tmp_path / "somebodys_ops.py"
    path.write_text(SOMEBODYS_OPS)
    report = examine(path)
    assert report.returncode == 1, report.stdout + report.stderr
    lines = {
        line.split("|")[0].strip(" │").split()[0]: line for line in report.stdout.splitlines() if "softmax" in line
    }
    assert "within" in lines["softmax"]
    assert "REFUSED" in lines["log_softmax"]
    assert "error / bound" in report.stdout and "log_softmax(array(" in report.stdout


def test_right_functions_alone_pass(tmp_path):
    path = tmp_path / "right.py"
    path.write_text(SOMEBODYS_OPS.replace("np.log(softmax(x, axis))", "shifted(x, axis)") + SHIFTED)
    report = examine(path)
    assert report.returncode == 0, report.stdout + report.stderr


SHIFTED = """

def shifted(x, axis):
    x = x - x.max(axis=axis, keepdims=True, initial=-np.inf)
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))
"""


def test_a_module_without_known_names_fails(tmp_path):
    path = tmp_path / "nothing.py"
    path.write_text("def frobnicate(x): return x\n")
    report = examine(path)
    assert report.returncode == 1
    assert "no function that refnet defines" in report.stdout


def floats_in(x):
    """The floating arrays among arguments, flat, as float64."""
    if isinstance(x, np.ndarray):
        return [x.astype("float64").ravel()] if dtypes.is_floating(x.dtype.name) else []
    return [a for part in x for a in floats_in(part)] if isinstance(x, (tuple, list)) else []


WITHOUT_FLOATS = (
    *("bincount", "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "logical_and", "logical_not", "logical_or"),
    *("multi_hot", "one_hot", "right_shift"),
)


@pytest.mark.parametrize("name", sorted({*conformance.known_names()} - {*WITHOUT_FLOATS}))
def test_the_first_cases_of_every_function_hold_nan_infinity_and_negative_zero(name):
    cases = [conformance.fixed_case(name, number) for number in range(len(conformance.SPECIAL))]
    held = np.concatenate([a for case in cases for a in floats_in([*case.arguments, *case.keywords.values()])])
    assert np.isnan(held).any() and np.isinf(held).any()
    assert np.any((held == 0) & np.signbit(held)) or name == "det"  # its matrices are drawn and then added to


def without_nan(name):
    """A function of that name which takes NaN for 0."""
    clean = lambda x: np.where(np.isnan(x), x.dtype.type(0), x) if floats_in(x) else x
    return lambda *given, **named: getattr(ops, name)(
        *[clean(x) if isinstance(x, np.ndarray) else x for x in given], **{k: clean(x) for k, x in named.items()}
    )


WRONG = {
    name: without_nan(name) for name in ("cumsum", "repeat", "top_k", "segment_sum", "outer", "arctan2", "lstm", "gru")
}
WRONG["isnan"] = lambda x: np.zeros(np.shape(x), bool)


@pytest.mark.parametrize("name", WRONG)
def test_a_function_that_mistakes_nan_is_refused_soon(name):
    assert conformance.examine(name, WRONG[name], len(conformance.SPECIAL)).refusal
    assert not conformance.examine(name, getattr(ops, name), len(conformance.SPECIAL)).refusal


SIGNLESS = {
    "abs": lambda x: np.where(x < 0, -x, x),
    "multiply": lambda x, y: np.multiply(x, y) + np.float32(0),
    "negative": lambda x: x.dtype.type(0) - x,
    "sqrt": lambda x: np.where(x == 0, x.dtype.type(0), np.sqrt(x)),
}


@pytest.mark.parametrize("name", SIGNLESS)
def test_a_zero_of_the_wrong_sign_is_refused_where_its_operation_decides_it(name):
    report = conformance.examine(name, SIGNLESS[name])
    assert re.search(r"is (0.0; exactly -0.0|-0.0; exactly 0.0), allowed", report.refusal), report


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("engine", ["reference", "derived", "cpu"])
def test_zeros_of_either_sign_have_their_sign_on_every_engine(engine, name):
    importlib.import_module("refnet_fast")  # registers the engines
    x = np.array([0.0, -0.0, 1.5, -1.5, 0.25, -0.25, np.inf, -np.inf, 3e-39, -1e-45], "float32")
    pairs = [np.repeat(x, len(x)), np.tile(x, len(x))]
    assert check(name, engine, pairs if name in ("multiply", "divide") else [x], {}) <= 1


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_sum_and_the_larger_of_zeros_may_be_either(zero):
    x, y, got = np.zeros(1, "float32"), np.full(1, -0.0, "float32"), np.full(1, zero, "float32")
    assert hold(named("maximum"), get_engine("reference"), [x, y], {}, [got]) == 0
    assert hold(named("add"), get_engine("reference"), [y, y], {}, [got]) == 0


@pytest.mark.parametrize("name", ["round", "map_coordinates", "nanquantile", "divide_no_nan"])
def test_whole_parts_of_computed_numbers_end_no_report(name):
    report = conformance.examine(name, getattr(ops, name), 20)
    assert report.verdict == "within" and report.calls >= 15, report


@pytest.mark.parametrize("name", ["gaussian_blur", "resize"])
def test_numbers_that_a_call_makes_of_none_of_its_arrays_may_be_rounded(name):
    """The weights of a blur are computed too: an engine's differ from the reference's by roundings."""
    fast = importlib.import_module("refnet_fast")
    report = conformance.examine(name, getattr(fast.ops, name), 24)
    assert not report.refusal and report.calls >= 20 and 0 < report.worst <= 1, report


def test_the_rounding_of_weights_is_no_licence():
    """Weights that are wrong in their sixth digit are refused."""
    wrong = lambda images, size, sigma: ops.gaussian_blur(images, size, [s * (1 + 1e-6) for s in sigma])
    assert "allowed" in conformance.examine("gaussian_blur", wrong).refusal


def test_what_the_kit_passes_over_is_named(tmp_path, capsys):
    path = tmp_path / "ours.py"
    path.write_text("from refnet.ops import add, histogram\ndef blend(x): return x\n")
    assert command([str(path), "--examples", "2"]) == 0
    told = capsys.readouterr().out
    assert told.rstrip().endswith("Not examined, for the kit draws no calls of them: histogram")


def test_a_name_that_the_kit_cannot_draw_calls_of_is_refused_in_words(tmp_path, capsys):
    path = tmp_path / "ours.py"
    path.write_text("def add(x, y): return x + y\ndef blend(x): return x\n")
    with pytest.raises(SystemExit):
        command([str(path), "blend"])
    assert "blend is no function that the kit draws calls of. It knows abs, absolute, " in capsys.readouterr().err


def test_calls_without_a_certificate_are_told_and_the_others_count(tmp_path, monkeypatch, capsys):
    path = tmp_path / "ours.py"
    path.write_text("from refnet.ops import add, corrcoef\n")
    monkeypatch.setattr(conformance, "WAYS", 1)
    assert command([str(path), "--examples", "12"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"corrcoef: [1-9]\d* calls without a certificate: there are more than 1 ways", told), told
    assert "corrcoef(array(" in told
    assert "add: " not in told and told.count("within") == 2

    def undecided(program, feeds):
        raise Undecided("nobody knows")

    monkeypatch.setattr(conformance, "certified", undecided)
    assert command([str(path), "add", "--examples", "3"]) == 1
    told = capsys.readouterr().out
    assert "none" in told and "add: 3 calls without a certificate: nobody knows" in told


ROW = np.ones((2, 3), "float32")


@pytest.mark.parametrize(
    ("name", "arrays", "attributes", "words"),
    [
        ("softmax", [ROW], {}, "op softmax takes the attributes axis: missing a required"),
        ("softmax", [ROW], {"axs": 1}, "op softmax takes the attributes axis: "),
        ("softmax", [ROW, ROW], {"axis": 1}, "op softmax takes 1 arrays; got 2."),
        ("add", [ROW], {}, "op add takes "),
        ("add", [ROW, ROW, ROW], {}, "op add takes "),
        ("phase", [ROW, ROW], {"condition": None}, "op phase has no definition of its own"),
        ("exp", [np.array(["a"])], {}, r"arrays\[0\] has dtype <U1"),
    ],
)
def test_what_is_no_call_of_an_op_reaches_no_kernel(name, arrays, attributes, words):
    """Numba's own error came of two arrays."""
    importlib.import_module("refnet_fast")  # registers the engines
    for engine in ("reference", "cpu"):
        with pytest.raises((ArgumentError, DtypeError), match=words):
            check(name, engine, arrays, attributes)


def test_steps_of_a_model_that_is_not_compiled_are_refused():
    model = Sequential([layers.Input((3,)), layers.Dense(1)])
    for step in (replay_step, hold_step):
        with pytest.raises(ArgumentError, match="must be compiled before"):
            step(model, ROW, np.zeros(2))


@pytest.mark.parametrize("engine", ["reference", "derived", "cpu"])
def test_attributes_that_no_public_function_gives_reach_no_memory(engine):
    importlib.import_module("refnet_fast")  # registers the engines
    with pytest.raises(ArgumentError, match=r"op softmax: there is no axis -1 in an array of shape \(3, 4\). Ops take"):
        check("softmax", engine, [np.ones((3, 4), "float32")], {"axis": -1})
