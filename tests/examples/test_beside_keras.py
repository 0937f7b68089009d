"""Timing a program's training by parts of it: what is cut, what is counted. Keras itself takes part in tests/peers."""

import json
import types

import numpy as np
import pytest

from refnet.testing.closeness import close
from refnet_fast.examples import beside_keras
from refnet_fast.examples.beside_keras import Batches, Clock, validation_of


def test_arrays_are_cut_to_whole_batches_and_the_held_out_part_is_left_out():
    x, y = {"a": np.zeros((103, 2)), "b": np.zeros((103, 4))}, np.arange(103)
    train = Batches(x, y, 10, None, "steps_per_epoch")
    assert train.steps == 11
    held = validation_of(train, {"validation_split": 0.2})
    assert (train.steps, held.steps) == (9, 3) and held.y[0] == 82
    part = train.part(3)
    assert part["x"]["a"].shape == (30, 2) and part["y"].tolist() == list(range(30)) and part["batch_size"] == 10
    assert len(train.part(99)["y"]) == 82
    assert validation_of(train, {}) is None
    given = validation_of(train, {"validation_data": (x["a"], None)})
    assert given.steps == 11 and given.part(1)["y"] is None
    as_list = validation_of(train, {"validation_data": [x["a"], y]})
    assert as_list.steps == 11 and as_list.part(1)["y"].tolist() == list(range(10))


def test_generators_and_data_sets_keep_their_steps():
    def batches():
        while True:
            yield np.zeros((2, 2)), np.zeros(2)

    train = Batches(batches(), None, None, 500, "steps_per_epoch")
    assert train.steps == 500 and not train.arrays
    part = train.part(7)
    assert part["steps_per_epoch"] == 7 and next(part["x"])[0].shape == (2, 2)


def test_a_clock_counts_what_a_whole_training_takes(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(beside_keras.time, "process_time", lambda: now[0])

    class Model:
        layers = ()

        def fit(self, x, y, batch_size, epochs, verbose):
            now[0] += 0.5 * epochs * len(x) / batch_size
            return types.SimpleNamespace(history={"loss": [1.0]})

        def evaluate(self, x, y, batch_size, verbose, return_dict):
            now[0] += 0.25 * len(x) / batch_size
            return {"loss": 2.0}

        def train_on_batch(self, x):
            now[0] += 3.0

        def predict_on_batch(self, x):
            return x

    clock = Clock(Model, seconds=3.0)
    model, x = Model(), np.zeros((320, 1))
    history = model.fit(x, x, batch_size=32, epochs=7, validation_data=(x[:64], x[:64]))
    assert history.history == {"loss": [1.0] * 7, "val_loss": [2.0] * 7}
    assert clock.total == 7 * (10 * 0.5 + 2 * 0.25) and clock.first == 1.5
    assert now[0] == (2 + 4 + 6) * 0.5 + (2 + 2) * 0.25  # 4 steps were too short a time, 6 were not
    spent = now[0]
    model.fit(x, x, batch_size=32, epochs=1)
    assert now[0] == spent and clock.total == 7 * 5.5 + 5  # known already
    for _ in range(20):
        model.train_on_batch(x)
    assert now[0] == spent + 9 and clock.total == 7 * 5.5 + 5 + 57


def test_a_program_that_acts_on_answers_gets_its_own(monkeypatch):
    """The poles fall when the answers say so: an answer given again would end the program early or late."""
    now = [0.0]
    monkeypatch.setattr(beside_keras.time, "process_time", lambda: now[0])

    class Model:
        fit = evaluate = train_on_batch = None

        def predict_on_batch(self, x):
            now[0] += x
            return -x

    clock = Clock(Model, seconds=3.0, every_call=True)
    model = Model()
    assert [model.predict_on_batch(x) for x in range(1, 21)] == [-x for x in range(1, 21)]
    assert (clock.first, clock.total) == (1.0, sum(range(2, 21)))


def test_every_program_named_is_one_and_reports_end_in_a_line_of_json(capsys, monkeypatch):
    named = (*beside_keras.PROGRAMS, *beside_keras.ACTING)
    assert all((beside_keras.HERE / f"{name}.py").exists() for name in named)
    monkeypatch.setattr(beside_keras, "measure", lambda *given: print("noise") or {"given": given})
    monkeypatch.setattr(beside_keras.sys, "path", ["", "kept"])
    beside_keras.child("pima", "jax", "2")
    assert json.loads(capsys.readouterr().out) == {"given": ["pima", "jax", 2.0]}


def test_a_report_is_kept_and_shown_beside_the_fastest(tmp_path, monkeypatch, capsys):
    def in_a_process(name, library, seconds):
        if name == "pima" and library == "torch":
            raise RuntimeError("pima on torch: no such layer")
        return {"seconds": {"refnet_fast": 30, "jax": 120, "torch": 60}[library], "first": 1.5}

    monkeypatch.setattr(beside_keras, "in_a_process", in_a_process)
    path = tmp_path / "report.json"
    for name in ("pima", "reuters"):
        arguments = ["beside_keras", name, "--backends", "jax", "torch", "--save", str(path)]
        monkeypatch.setattr(beside_keras.sys, "argv", arguments)
        beside_keras.main()
    printed = capsys.readouterr().out
    assert "pima on torch: no such layer" in printed
    assert printed.endswith("| `pima` | 0.50 | 2.00 |  | 0.25 |\n| `reuters` | 0.50 | 2.00 | 1.00 | 0.50 |\n")
    report = json.loads(path.read_text())
    assert report["programs"]["reuters"]["torch"] == {"seconds": 60, "first": 1.5} and report["machine"]["processors"]


def test_an_epoch_of_few_steps_is_repeated(monkeypatch):
    now, asked = [0.0], []
    monkeypatch.setattr(beside_keras.time, "process_time", lambda: now[0])

    def run(steps, times):
        asked.append((steps, times))
        now[0] += 0.01 * steps * times

    clock = Clock(
        type("Model", (), dict.fromkeys(("fit", "evaluate", "train_on_batch", "predict_on_batch"))), seconds=1.0
    )
    one, _ = clock.timed(run, limit=3, epochs=20)
    close(one, 0.01, 40)  # a clock of sums of hundredths
    assert asked[0] == (2, 1) and asked[1] == (3, 1)
    assert asked[-1] == (3, 20)


def test_a_machine_without_pinning_is_told_before_anything_runs(monkeypatch, capsys):
    monkeypatch.setattr(beside_keras.shutil, "which", lambda name: None)
    monkeypatch.setattr(beside_keras.sys, "argv", ["beside_keras"])
    monkeypatch.setattr(beside_keras, "in_a_process", None)
    with pytest.raises(SystemExit):
        beside_keras.main()
    assert "taskset" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_whole_leaves_the_old_one(monkeypatch, tmp_path):
    path = tmp_path / "report.json"
    path.write_text('{"programs": {}}')

    def full(file):
        raise OSError("No space left on device")

    monkeypatch.setattr(beside_keras.os, "fsync", full)
    monkeypatch.setattr(beside_keras.sys, "argv", ["beside_keras", beside_keras.PROGRAMS[0], "--save", str(path)])
    monkeypatch.setattr(beside_keras, "in_a_process", lambda *given: {"seconds": 1.0, "first": 1.0})
    monkeypatch.setattr(beside_keras.shutil, "which", lambda name: name)
    monkeypatch.setattr(beside_keras.os, "sched_getaffinity", lambda pid: {0}, raising=False)
    with pytest.raises(OSError):
        beside_keras.main()
    assert path.read_text() == '{"programs": {}}' and list(tmp_path.iterdir()) == [path]
