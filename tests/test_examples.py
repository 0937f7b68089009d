"""The examples as a user runs them: in a process of their own."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parent.parent


def example(folder, *arguments, **environment):
    """Runs the digits example in a folder."""
    paths = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH")) if p)
    return subprocess.run(
        [sys.executable, "-m", "refnet_fast.examples.digits", *arguments],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8", **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def size_of_png(path):
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")


@pytest.fixture(scope="module")
def five_seeds(tmp_path_factory):
    """The main job with seeds 0 to 4: (folder, finished process) each."""
    folders = [tmp_path_factory.mktemp(f"seed{seed}") for seed in range(5)]
    return [(folder, example(folder, "--seed", str(seed), "--json")) for seed, folder in enumerate(folders)]


def results(five_seeds):
    for _, done in five_seeds:
        assert done.returncode == 0, done.stderr
    return [json.loads(done.stdout.splitlines()[-1]) for _, done in five_seeds]


def test_it_learns_to_read(five_seeds):
    accuracies = [result["test_accuracy"] for result in results(five_seeds)]
    assert np.mean(accuracies) >= 0.97
    assert min(accuracies) >= 0.955
    assert len(set(accuracies)) > 1  # the seed does something


def test_every_node_of_a_step_is_within_its_bound(five_seeds):
    for result in results(five_seeds):
        assert 0 < result["worst_error_over_bound"] <= 1
        assert result["engine"] == "cpu"
        assert set(result) == {"test_accuracy", "seconds", "worst_error_over_bound", "engine"}


def test_it_shows_what_was_misread(five_seeds):
    folder, done = five_seeds[0]
    result = results(five_seeds)[0]
    table = [
        list(map(str.strip, line.strip("│").split("│"))) for line in done.stdout.splitlines() if line.startswith("│")
    ]
    counts = np.array([[int(cell.replace("·", "0")) for cell in row[1:11]] for row in table])
    assert counts.shape == (10, 10) and counts.sum() == 360
    assert np.isin(counts.sum(1), (35, 36, 37)).all()  # stratified
    assert np.trace(counts) / 360 == result["test_accuracy"]
    assert f"{360 - np.trace(counts)} of 360 misread" in done.stdout
    width, height = size_of_png(folder / "output" / "digits.png")
    assert width > 1000 and height > 500


def test_nothing_but_its_lines_is_printed_where_output_is_piped(five_seeds):
    _, done = five_seeds[0]
    assert "\r" not in done.stdout and "\x1b" not in done.stdout and done.stderr == ""


def test_one_seed_gives_one_result(five_seeds, tmp_path):
    again = example(tmp_path, "--seed", "0", "--json", REFNET_THREADS="1")
    first, second = results(five_seeds)[0], json.loads(again.stdout.splitlines()[-1])
    same = ("test_accuracy", "worst_error_over_bound", "engine")
    assert [first[name] for name in same] == [second[name] for name in same]


def test_another_engine_and_few_epochs(tmp_path):
    done = example(tmp_path, "--engine", "derived", "--quick", "--epochs", "2", "--json", "--output", "pictures")
    result = json.loads(done.stdout.splitlines()[-1])
    assert size_of_png(tmp_path / "pictures" / "digits.png")[0] > 1000
    assert result["engine"] == "derived" and 0.5 < result["test_accuracy"] < 0.97


def test_mnist(tmp_path):
    if not (pathlib.Path(os.environ.get("REFNET_DATA_DIR", "nowhere")) / "mnist.npz").exists():
        pytest.skip("mnist.npz is not in $REFNET_DATA_DIR")
    done = example(tmp_path, "--data", "mnist", "--json")
    # of 10,000 digits; the accuracy has a standard deviation of 0.0015 as a count, and order and start of a training are others' draws
    assert json.loads(done.stdout.splitlines()[-1])["test_accuracy"] == pytest.approx(0.978, abs=0.004)


# ---- what is said when something is missing


def test_a_missing_package_is_named_with_its_extra(tmp_path):
    for package, module in (("scikit-learn", "sklearn"), ("matplotlib", "matplotlib")):
        (tmp_path / module).mkdir()
        (tmp_path / module / "__init__.py").write_text(f"raise ModuleNotFoundError('none here', name='{module}')")
        done = example(tmp_path, PYTHONPATH=os.pathsep.join((str(tmp_path), str(ROOT))))
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert f"MissingPackageError: this example needs {package}" in done.stderr
        assert 'pip install -e ".[examples]"' in done.stderr
        (tmp_path / module / "__init__.py").unlink()
        (tmp_path / module).rmdir()
    assert not (tmp_path / "output").exists()


def test_a_missing_data_set_is_named_with_the_places(tmp_path):
    done = example(
        tmp_path, "--data", "mnist", REFNET_DATA_DIR=str(tmp_path), KERAS_HOME=str(tmp_path), https_proxy="localhost:1"
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert re.search(r"MissingFileError: the data set file mnist.npz is not in .*could not be fetched", done.stderr)


def test_an_unknown_engine(tmp_path):
    done = example(tmp_path, "--engine", "gpu")
    assert done.returncode == 1 and "EngineError: unknown engine 'gpu'" in done.stderr


def test_the_benchmark_measures_a_workload(tmp_path):
    paths = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH")) if p)
    done = subprocess.run(
        [sys.executable, "-m", "refnet_fast.bench", "--json", "--no-peers", "--rounds", "2", "--only", "Boston"],
        env={**os.environ, "PYTHONPATH": paths},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [work["name"] for work in report["works"]] == ["Boston 13-64-64-1 batch 1"]
    for work in report["works"]:
        ours = work["programs"]["refnet fit"]
        assert len(ours["rounds"]) == 2 and 0 < ours["best"] <= ours["median"] < 1e6
        assert work["fastest_peer"] is None and work["ratio_to_pytorch"] is None
    assert report["machine"]["processors"] >= 1 and "numba" in ours["versions"]
