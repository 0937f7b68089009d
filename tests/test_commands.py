"""The commands on wrong arguments: one line that says what is wrong, no traceback."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import refnet.__main__
import refnet.testing.__main__
import refnet_fast.bench.__main__
from refnet import reading, worked
from refnet.explain import explain


@pytest.mark.parametrize(
    ("main", "arguments", "message"),
    [
        (refnet.__main__.main, ["explain", "mtmul"], "there is no op 'mtmul'. Did you mean 'matmul'?"),
        (
            refnet.__main__.main,
            ["explain", "matmul", "--at", "9,9"],
            "--at 9,9 is in no example of matmul; their results have shapes like (",
        ),
        (refnet.__main__.main, ["explain", "matmul", "--at", "a"], "--at must be an index, such as 0,1; got 'a'."),
        (refnet.__main__.main, ["read", "mtmul"], "there is no definition 'mtmul'. Did you mean 'matmul'?"),
        (
            refnet.__main__.main,
            ["explain", "fft"],
            "there is no example of fft, which is written with other ops in refnet/ops/fourier.py.",
        ),
        (refnet.__main__.main, ["explain", "zzz"], "there is no op 'zzz'. `python -m refnet ops` lists them."),
        (refnet.__main__.main, ["read", "lstmm"], "there is no definition 'lstmm'. Did you mean 'lstm' or"),
        (refnet.__main__.main, ["ops", "mtmul"], "unknown op 'mtmul'. Did you mean 'matmul'"),
        (refnet.testing.__main__.main, ["nothing.py"], "there is no file nothing.py"),
        (refnet.testing.__main__.main, ["no.such.module"], "No module named 'no'"),
        (refnet.testing.__main__.main, ["math", "matmul"], "math has no function 'matmul'"),
        (refnet.testing.__main__.main, ["math", "--examples", "0"], "--examples must be at least 1; got 0"),
        (refnet_fast.bench.__main__.main, ["--rounds", "0"], "--rounds must be at least 1; got 0"),
        (
            refnet_fast.bench.__main__.main,
            ["--engine", "cuda", "--kernels"],
            "--engine cuda measures training steps; single kernels: python -m refnet_fast.cuda.check",
        ),
    ],
)
def test_a_wrong_argument_is_named(main, arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize("program", [["-m", "refnet", "read"], ["-m", "refnet_fast.examples"]])
def test_a_reader_may_stop_reading(program):
    """As `| head` does: here the pipe is closed before the first line is written."""
    command = [sys.executable, *program]
    ours, theirs = os.pipe()
    os.close(ours)
    ended = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(theirs)
    assert ended.stderr == "" and ended.returncode == 0


def test_the_table_of_ops_measures_cuda_kernels_in_the_simulator():
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    command = [sys.executable, "-m", "refnet", "ops", "add", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    (row,) = json.loads(ended.stdout)
    assert row["name"] == "add" and set(row["engines"]) == {"cpu", "derived", "cuda-sim"}
    assert all(0 <= found["worst_error_over_bound"] <= 1 for found in row["engines"].values())


def test_explain_follows_a_function_down_to_the_loops(capsys):
    """conv is written with conv2d: the terms are products of one window and one filter, each index in its range."""
    assert refnet.__main__.main(["explain", "conv", "--at", "0,1,2,3"]) == 0
    call, terms = capsys.readouterr().out.splitlines()
    shapes = [tuple(map(int, found.split(", "))) for found in re.findall(r"float\d\d\[([\d, ]+)\]", call)]
    products = re.findall(r"x1\[0, (\d), (\d), (\d)\] \* x2\[(\d), (\d), (\d), 3\]", terms)
    assert call.startswith("conv(") and terms.startswith("y[0, 1, 2, 3] = x1[")
    assert len(products) == terms.count("*") > 1
    image, kernel = shapes
    for place in products:
        assert all(int(i) < n for i, n in zip(place, [*image[1:], *kernel[:3]]))


@pytest.mark.parametrize("step", reading.PATH, ids=lambda step: step.name)
def test_the_example_of_a_definition_can_be_followed_by_hand(step):
    """What is told is the value that the function gives, in few terms, without arguments that were left out, with its numbers."""
    at, arguments, keywords = worked.CALLS[step.name]
    result = reading.public(step.name)(*arguments, **keywords)
    value = float((result[0] if isinstance(result, tuple) else result)[at])
    call, told, *numbers = explain(step.name).splitlines()
    assert call.startswith(f"{step.name}(") and told.startswith(f"y{list(at)} = ")
    assert float(told.rpartition(" = ")[2]) == pytest.approx(value, rel=1e-6)  # it is told with seven digits
    assert all(line.startswith(("where x", "because ")) for line in numbers) and numbers
    assert len(told) < 800 and not re.search(r"\* 1(\)|$| [^*])|\+ 0(\)|$| [^*])|inf", told)


def test_a_call_without_a_command_shows_what_there_is(capsys):
    assert refnet.__main__.main([]) == 0
    text = capsys.readouterr().out
    assert all(f"    {command} " in text for command in ("ops", "explain", "read"))


def test_explain_tells_every_argument_of_a_call(capsys):
    """Those that are no arrays too: without them nobody could repeat it."""
    for name, argument in [("einsum", r"'\S+->\S*'"), ("max_pool", "2"), ("resize", r"\(\d, \d\)"), ("max", "axis=1")]:
        assert refnet.__main__.main(["explain", name]) == 0
        assert re.match(rf"{name}\((\S+\[[\d, ]*\], )?{argument}[,)]", capsys.readouterr().out)


def test_what_stays_of_an_optimizer_is_no_negative_mean_of_squares():
    for name in ("rmsprop_update", "adam_update", "adagrad_update", "ftrl_update"):
        for seed in range(1, 9):
            assert "nan" not in explain(name, seed=seed)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gelu", ["gelu (refnet/ops/activation.py): written with other ops", "def gelu(x: ", "explain gelu)"]),
        ("fft", ["fft (refnet/ops/fourier.py): written with other ops", "def fft(x: "]),
        ("normal", ["normal (refnet/random.py): written with other ops", "def normal(\n"]),
    ],
)
def test_a_function_written_with_other_ops_can_be_read(name, words, capsys):
    assert refnet.__main__.main(["read", name]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in words) and text.count("Source: ") == 1  # its docstring is shown once


def test_explain_tells_what_was_compared_and_which_integers_were_given(capsys):
    assert refnet.__main__.main(["explain", "greater"]) == 0
    _, result, because = capsys.readouterr().out.splitlines()
    answer = result.rpartition(" = ")[2]
    compared = r"x1\[[\d, ]+\] > x2\[[\d, ]+\]"
    assert re.fullmatch(f"because {compared if answer == 'True' else f'not {compared}'}", because)
    assert refnet.__main__.main(["explain", "one_hot"]) == 0
    assert re.search(r"^where x = \[", capsys.readouterr().out, re.MULTILINE)


def test_read_lists_the_path_of_the_readme(capsys):
    assert refnet.__main__.main(["read"]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    rows = Path(refnet.__file__).with_name("README.md").read_text().splitlines()
    told = [row.split(" | ") for row in rows if re.match(r"\| (\d\.|later)", row)]
    assert len(lines) == len(told) > 20
    for line, (section, name, file, what) in zip(lines, told):
        said = line.split(maxsplit=3)
        assert said[:3] == [section.strip("| "), name.strip("`"), "refnet/" + file.strip("`")]
        assert said[3] == what.removesuffix(" |")


@pytest.mark.parametrize("step", reading.PATH, ids=lambda step: step.name)
def test_every_definition_of_the_path_can_be_read(step, capsys):
    assert refnet.__main__.main(["read", step.name]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{step.name} (refnet/") and step.what in text
    assert re.search(r"def \w+_(loop|scalar)\(|lambda", text)
    assert re.search(r"\n    y\[.*\] = .+", text)
