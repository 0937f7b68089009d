"""The command for the day a device is there, on the simulator, in tiny sizes."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

needs_numba_cuda = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None,
    reason="the device's check not run: it and its simulator are numba-cuda's, which is not installed (pip install 'refnet[cuda]')",
)


def simulated(*arguments):
    """A Python process with the simulator on. It is given no time of its own: how fast the machine is decides nothing."""
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


@needs_numba_cuda
def test_every_part_that_computes_passes(tmp_path):
    report, parts = tmp_path / "report.json", ("certificates", "bandwidth", "products", "training")
    only = [word for part in parts for word in ("--only", part)]
    simulated("-m", "refnet_fast.cuda.check", *only, "--save", str(report))
    found = json.loads(report.read_text())
    assert list(found) == ["environment", *parts] and found["environment"]["device"] == "Numba's simulator"
    assert 0 < found["certificates"]["sum_of_columns"] <= 1
    assert 0 < found["bandwidth"]["sum_of_rows"]["worst error / bound, 3 tasks"] <= 1
    assert 0 < found["products"]["32^3 float32, TFLOP/s"]["worst error / bound, 3 tasks"] <= 1
    assert 0 < found["certificates"]["3 steps of 8 samples in float32"] <= 1
    assert len(found["training"]["cpu"]) == len(found["training"]["device"]) == 3


@needs_numba_cuda
def test_the_properties_pass():
    call = "import json; from refnet_fast.cuda.checking import Checking; Checking(1e6).properties(r := {}); print(json.dumps(r))"
    found = json.loads(simulated("-c", call))
    assert found["status"] == 0 and found["passed"] == 1 and not found["failed tests"]
    assert "1 passed" in found["printed"]


DIES = """
import json, os, pathlib, sys
pathlib.Path(sys.argv[-1]).write_text(json.dumps({"training": {"a row": 0.5}}))
os.abort()
"""


@needs_numba_cuda
def test_what_was_found_before_a_process_died_is_kept(tmp_path, monkeypatch):
    """As it dies of an address that a kernel must not touch."""
    from refnet_fast.cuda import check

    started = []
    monkeypatch.setattr(check, "apart", lambda command, *more: started.append(command) or checking_apart(*more))

    def checking_apart(seconds, path):
        from refnet_fast.cuda.apart import apart

        return apart([sys.executable, "-c", DIES, str(path)], 60, path)

    rows = {}
    check.elsewhere("training", rows, 30.0, tmp_path / "found.training")
    assert rows["a row"] == 0.5 and rows["failed"]["status"] == -6
    assert check.failures({"environment": {}, "training": rows}) == ["training"]
    (command,) = started
    assert command[1:6] == ["-m", "refnet_fast.cuda.check", "--here", "--only", "training"]
    assert not list(tmp_path.iterdir())


@needs_numba_cuda
def test_a_row_that_fails_or_comes_too_late_loses_no_other():
    from refnet_fast.cuda.checking import Checking

    rows, checking = {}, Checking(1e6)
    checking.add(rows, "bad", lambda: 1 / 0)
    checking.add(rows, "good", lambda: 1)
    checking.seconds = 0.0
    checking.add(rows, "late", lambda: 1)
    assert "ZeroDivisionError" in rows["bad"]["failed"] and rows["good"] == 1
    assert rows["late"] == {"not run": "no time was left"}


WRITES = """
import os, sys, time
from refnet_fast.cuda.apart import write_whole
names, path, rows = sys.argv[2:], sys.argv[1], {}
for name in names:
    if name == "dies":
        os.abort()
    if name == "hangs":
        time.sleep(1000)
    rows[name] = {"failed": "it is wrong"} if name == "fails" else 0.5
    write_whole({"part": rows}, path)
    if name == "fails":
        break
"""


@needs_numba_cuda
def test_a_name_that_fails_dies_or_hangs_costs_no_other_its_row(monkeypatch):
    """Those that shared a process with it are found in another."""
    from refnet_fast.cuda import apart

    monkeypatch.setattr(apart, "PATIENCE", 6.0)
    names = ["first", "dies", "behind", "fails", "after", "last", "hangs", "late"]
    rows = {}
    apart.among_processes(
        rows, ["alone"], names, lambda some, path: [sys.executable, "-c", WRITES, str(path), *some], "part", lambda: 1e6
    )
    assert {name for name, row in rows.items() if row == 0.5} == {"alone", "first", "behind", "after", "last", "late"}
    assert rows["dies"]["failed"]["status"] == -6 and rows["fails"] == {"failed": "it is wrong"}
    assert rows["hangs"]["failed"]["status"] == "ran out of time"
    apart.among_processes(rows := {}, [], ["late"], lambda some, path: [], "part", lambda: 0.0)
    assert rows == {"late": {"not run": "no time was left"}}
    until = time.monotonic() + 4  # what is at work then has not failed
    apart.among_processes(
        rows := {},
        [],
        ["hangs"],
        lambda some, path: [sys.executable, "-c", WRITES, str(path), *some],
        "part",
        lambda: until - time.monotonic(),
    )
    assert rows == {"hangs": {"not run": "no time was left"}}


@needs_numba_cuda
def test_a_report_is_written_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    """Who is killed while it writes leaves the one before: half of it would end the command that reads it."""
    from refnet_fast.cuda.apart import write_whole

    def killed_half_way(path, text):
        path.write_bytes(text[: len(text) // 2].encode())
        raise KeyboardInterrupt

    write_whole({"a row": 0.5}, tmp_path / "report.json")
    monkeypatch.setattr(Path, "write_text", killed_half_way)
    with pytest.raises(KeyboardInterrupt):
        write_whole({"a row": 1.5}, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_bytes()) == {"a row": 0.5}


@needs_numba_cuda
def test_the_parts_are_run_where_the_environment_cannot_be_told(monkeypatch):
    from refnet_fast.cuda import check

    monkeypatch.setattr(check, "environment", lambda: 1 / 0)
    told = check.told_or_why_not()
    assert "ZeroDivisionError" in told["failed"] and check.failures({"environment": told}) == ["environment"]


def ended(process):
    """Whether a process is dead, buried or not."""
    try:
        return (Path("/proc") / process / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@needs_numba_cuda
def test_a_command_that_takes_too_long_ends_with_all_that_it_has_started():
    from refnet_fast.cuda.apart import run

    seconds, said = 1.0, {"output": ""}
    while not said["output"]:  # a busy machine may not have begun the command when its time is over
        said = run(["sh", "-c", "sleep 1000 & echo $!; wait"], seconds)
        seconds *= 2
    assert said["status"] == "ran out of time"
    process = said["output"].strip()
    for _ in range(600):  # a killed process dies when its turn on a processor comes
        if ended(process):
            break
        time.sleep(0.1)
    assert ended(process)


@needs_numba_cuda
def test_without_a_device_it_says_what_is_missing():
    from numba import cuda

    if cuda.is_available():
        pytest.skip("not run: this machine has a device, so nothing is missing that the command could name")
    done = subprocess.run(
        [sys.executable, "-m", "refnet_fast.cuda.check"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and done.stderr.startswith("EngineError: engine 'cuda' needs")
