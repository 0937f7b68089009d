"""The book's programs as a user runs them, quick: a third of them always, the others where REFNET_PROFILE=deep.

What a program must reach is what tells learning from not learning, measured against its own baseline or a number far from it.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from refnet_fast.utils import set_random_seed

from refnet.errors import FileError
from refnet.testing.whole import hold_step
from refnet_fast.examples.support import Job, epochs, save

ROOT = pathlib.Path(__file__).parents[2]
PROGRAMS = ROOT / "refnet_fast" / "examples"
DEEP = os.environ.get("REFNET_PROFILE") == "deep"
DATA = pathlib.Path(os.environ.get("REFNET_DATA_DIR", "nowhere"))

# of each program: results that must lie in an interval; those in ALWAYS are run by CI
ALWAYS = {
    "mnist_dense": {"test accuracy": (0.94, 1)},
    "reuters": {"test accuracy": (0.72, 0.82), "baseline: answers at random, by frequency": (0.18, 0.2)},
    "boston": {"test MAE, thousands of dollars": (1.5, 4), "baseline: always the median": (6, 7)},
    "pima": {"accuracy, mean of the folds": (0.72, 0.82)},
    "linear_regression": {"slope": (0.2500, 0.2535), "intercept": (0.785, 0.81)},
    "word_vectors": {"one-hot: different words": (9, 9), "20 words: best validation accuracy": (0.68, 0.8)},
    "policy_gradient": {"steps it stands, best of 5 rounds in a row": (70, 200)},
    "shared_lstm": {"test accuracy": (0.65, 1)},
    "hyperparameter_search": {"trials": (12, 12), "least validation loss": (0.3, 0.6)},
    "selu_net": {"SELU: test accuracy": (0.88, 1)},
    "multi_output": {"which digit: test accuracy": (0.88, 1), "whether odd: test accuracy": (0.9, 1)},
}
DEEPER = {
    "pretrained_features": {"parameters of the base": (14714688, 14714688), "weights trained with it frozen": (4, 4)},
    "deep_dream": {"octave 3: change per pixel, of 2": (0.001, 1)},
    "style_transfer": {"share of the first loss that is left": (0, 0.9)},
    "imdb_dense": {"test accuracy": (0.82, 0.9), "dropout 0.5: accuracy, last epoch": (0.7, 0.9)},
    "mnist_convnet": {"test accuracy": (0.9, 1), "parameters": (93322, 93322)},
    "cats_dogs": {"as they are: training accuracy, last epoch": (0.5, 1)},
    "inside_a_convnet": {"test accuracy": (0.2, 0.7)},
    "imdb_recurrent": {
        "SimpleRNN: best validation accuracy": (0.65, 0.9),
        "LSTM: best validation accuracy": (0.65, 0.9),
    },
    "jena": {"common sense, as warm as now: MAE": (0.23, 0.3), "GRU: best validation MAE": (0.1, 0.28)},
    "imdb_conv1d": {"reviews: best validation accuracy": (0.65, 0.9), "parameters": (1315937, 1315937)},
    "text_generation": {"least loss": (1.5, 2.6), "sequences": (200278, 200278)},
    "vae": {"parameters": (550629, 550629), "validation loss, last epoch": (0.15, 0.32)},
    "gan": {"discriminator loss, last tenth": (0.01, 2)},
    "ctc_digits": {"strings read without an error": (0.05, 1)},
    "autoencoder": {"cleaned digits: mean squared error": (0, 0.06)},
    "next_frame": {"last frame: mean squared error": (0, 0.06)},
    "segmentation": {"pixels of digits right": (0.3, 1)},
    "question_answering": {"what is the topic?": (0.5, 0.9)},
    "convnet_blocks": {"residual: best validation accuracy": (0.2, 0.7)},
    "ensembles": {"weighted mean: test accuracy": (0.88, 1), "mean of all: test accuracy": (0.88, 1)},
    "callbacks_at_work": {"test accuracy of the best one kept": (0.65, 0.9)},
}


def run(name, folder, *arguments):
    paths = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH")) if p)
    return subprocess.run(
        [sys.executable, "-m", f"refnet_fast.examples.{name}", *arguments],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"},
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_every_program_is_named_here():
    shared = {"__init__", "support", "digits"}  # digits has tests of its own
    mine = {p.stem for p in PROGRAMS.glob("*.py") if "run_program(main)" in p.read_text()} - shared
    assert mine <= set(ALWAYS) | set(DEEPER)
    assert set(ALWAYS) | set(DEEPER) <= mine
    assert len(ALWAYS) >= len(mine) / 3


def test_programs_import_refnet_fast_alone():
    for path in PROGRAMS.glob("*.py"):
        if path.stem not in ("support", "digits"):
            lines = [line for line in path.read_text().split("\n") if line.startswith(("import ", "from "))]
            assert not [line for line in lines if line.split()[1].split(".")[0] == "refnet"], path.stem


@pytest.mark.skipif(not (DATA / "mnist.npz").exists(), reason="the book's data sets are not in $REFNET_DATA_DIR")
@pytest.mark.parametrize(
    "name, wanted", [*ALWAYS.items(), *(DEEPER.items() if DEEP else ())], ids=lambda x: x if isinstance(x, str) else ""
)
def test_it_runs_and_learns(name, wanted, tmp_path):
    done = run(name, tmp_path, "--quick", "--json", "--output", "pictures")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["name"] == name and told["engine"] == "cpu" and told["quick"]
    for result, (low, high) in wanted.items():
        assert low <= told["results"][result] <= high, f"{result}: {told['results'][result]}"
    assert told["pictures"] and set(told["book"]) <= set(told["results"])
    for picture in told["pictures"]:
        assert (tmp_path / picture).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "\x1b" not in done.stdout and "\r" not in done.stdout and done.stderr == ""


def test_arguments_and_the_same_seed(tmp_path):
    first, second, third = (
        json.loads(run("linear_regression", tmp_path, "--json", "--epochs", "3", *more).stdout.splitlines()[-1])
        for more in (("--engine", "derived"), ("--engine", "derived", "--seed", "5"), ())
    )
    assert first["engine"] == "derived" and second["seed"] == 5 and not third["quick"] and third["engine"] == "cpu"
    assert first["results"] == second["results"]  # it draws nothing
    assert (tmp_path / "output" / "linear_regression_line.png").exists()


@pytest.mark.skipif(not (DATA / "pima-indians-diabetes.csv").exists(), reason="the data set is not in $REFNET_DATA_DIR")
def test_plain_python_and_compiled_definitions_train_alike(tmp_path):
    """Both run the program; steps of its network hold what their nodes certify."""
    from refnet_fast.datasets.pima import load_data

    from refnet_fast.examples.pima import build_model

    data, labels = load_data()
    data = ((data - data.mean(0)) / data.std(0)).astype("float32")
    for engine in ("reference", "derived"):
        told = run("pima", tmp_path, "--quick", "--json", "--epochs", "1", "--engine", engine)
        told = json.loads(told.stdout.splitlines()[-1])
        assert told["engine"] == engine and told["results"]["baseline: always healthy"] == np.mean(labels == 0)
        set_random_seed(1)
        model = build_model()
        for batch in (slice(4), slice(4, 8)):
            assert 0 < hold_step(model, data[batch], labels[batch], engine) <= 1


def test_results_that_are_no_numbers_are_null_in_json(tmp_path):
    job = Job("name", argparse.Namespace(quick=True, seed=1, output=tmp_path, epochs=2))
    job.result("whole", 3, book=4)
    job.result("diverged", float("nan"))
    job.result("overflowed", float("inf"))
    told = json.loads(job.as_json(), parse_constant=pytest.fail)
    assert told["results"] == {"whole": 3, "diverged": None, "overflowed": None} and told["book"] == {"whole": 4}
    assert told["quick"] is True
    assert job.epochs(9, 5) == 2 and job.pick(1, 2) == 2
    job.report()


def test_what_is_refused_is_told_in_a_line(tmp_path):
    done = run("linear_regression", tmp_path, "--engine", "gpu")
    assert done.returncode == 1 and done.stderr.startswith("EngineError: unknown engine 'gpu'")


def test_a_folder_that_cannot_be_is_told_before_anything_runs(tmp_path):
    (tmp_path / "notes").write_text("kept")
    for output in ("notes", "notes/pictures"):
        done = run("linear_regression", tmp_path, "--output", output)
        assert done.returncode == 2 and done.stdout == ""
        assert "argument --output: " in done.stderr and "notes is a file; name a folder" in done.stderr
    assert (tmp_path / "notes").read_text() == "kept" and len(list(tmp_path.iterdir())) == 1


def test_a_picture_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    class Figure:
        def savefig(self, file, **how):
            file.write(b"new")

    path = tmp_path / "new" / "picture.png"
    save(Figure(), path)
    assert path.read_bytes() == b"new"

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    path.write_bytes(b"old")
    with pytest.raises(FileError, match=r"the picture .*picture.png cannot be written: No space left on device"):
        save(Figure(), path)
    assert path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("wrong", ["0", "-1", "x", "1.5"])
def test_a_number_of_epochs_is_one_or_more(wrong, tmp_path):
    with pytest.raises(argparse.ArgumentTypeError, match="a number of epochs is 1 or more"):
        epochs(wrong)
    assert epochs("3") == 3


def test_a_reader_that_has_read_enough_ends_it_without_a_traceback(tmp_path):
    paths = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH")) if p)
    command = f'"{sys.executable}" -m refnet_fast.examples.linear_regression | head -1'
    done = subprocess.run(
        command, shell=True, env={**os.environ, "PYTHONPATH": paths}, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr == "" and len(done.stdout.splitlines()) == 1


def test_the_list_of_programs_has_every_one_and_names_the_nearest(monkeypatch, capsys):
    from refnet_fast.examples import __main__ as listing

    monkeypatch.setattr(sys, "argv", ["examples"])
    listing.main()
    lines = capsys.readouterr().out.splitlines()[2:]
    listed = {line.split()[0] for line in lines}
    assert listed == set(ALWAYS) | set(DEEPER) | {"digits", "beside_keras"}
    assert all(len(line.split()) > 4 for line in lines)
    monkeypatch.setattr(sys, "argv", ["examples", "mnist_dence"])
    with pytest.raises(SystemExit, match="No program 'mnist_dence'. Did you mean 'mnist_dense'"):
        listing.main()


def test_a_log_has_a_line_of_every_epoch(tmp_path):
    if not (DATA / "pima-indians-diabetes.csv").exists():
        pytest.skip("the data set is not in $REFNET_DATA_DIR")
    done = run("hyperparameter_search", tmp_path, "--quick", "--epochs", "2")
    assert [line for line in done.stdout.splitlines() if line.startswith("Epoch ")] == ["Epoch 1/2", "Epoch 2/2"]
    assert done.stdout.count("] trial ") == 12
