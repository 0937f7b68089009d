"""Damaged and hostile files end in a clear error: nothing is run, nothing is changed, no memory is taken for what a file claims."""

import io
import json
import os
import pathlib
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import pytest

from refnet import Input, Sequential, layers, saving
from refnet.errors import FileError

HERE = pathlib.Path(__file__).parent
DEEP = os.environ.get("REFNET_PROFILE") == "deep"
COUNT = int(os.environ.get("REFNET_MUTATED_FILES", "5400" if DEEP else "450"))


@pytest.mark.skipif(sys.platform != "linux", reason="the child's memory is limited as Linux does it")
def test_mutated_files_of_every_format_are_refused(tmp_path: pathlib.Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE.parent.parent),
        "REFNET_ENGINE": "reference",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, str(HERE / "mutate.py"), str(tmp_path), str(COUNT), "7"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, f"{done.returncode}: {done.stdout[-1000:]}\n{done.stderr[-4000:]}"
    refused = json.loads(done.stdout.splitlines()[-1])
    assert all(number > 0 for number in refused.values()), refused


def model() -> Any:
    return Sequential([Input((3,)), layers.Dense(4), layers.Dense(2)])


def parts(path: pathlib.Path) -> dict[str, bytes]:
    model().save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def put(path: pathlib.Path, held: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in held.items():
            archive.writestr(name, content)


def with_layer(held: dict[str, bytes], entry: dict[str, Any]) -> dict[str, bytes]:
    config = json.loads(held["config.json"])
    config["config"]["layers"].insert(1, entry)
    return {**held, "config.json": json.dumps(config).encode()}


def test_code_in_a_file_is_not_run(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "m.keras"
    held = parts(path)
    lamb = {"class_name": "__lambda__", "config": {"value": "Y29kZQ=="}}
    for entry, message in (
        (
            {"module": "os", "class_name": "system", "config": {"command": f"touch {tmp_path}/run"}},
            "'system', which is not known",
        ),
        ({"module": "builtins", "class_name": "function", "config": "eval"}, "a function 'eval', which is not known"),
        ({"module": "keras.layers", "class_name": "Activation", "config": {"activation": lamb}}, "never run"),
        ({"module": "refnet.layers.base", "class_name": "Layer.kinds", "config": {}}, "not known"),
    ):
        put(path, with_layer(held, entry))
        with pytest.raises(FileError, match=message):
            saving.load_model(path)
    assert not (tmp_path / "run").exists()


def test_lambda_layers_need_safe_mode_to_be_off(tmp_path: pathlib.Path) -> None:
    class Lambda(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    path = tmp_path / "m.keras"
    put(path, with_layer(parts(path), {"module": "keras.layers", "class_name": "Lambda", "config": {}}))
    with pytest.raises(FileError, match="safe_mode=False only if you trust"):
        saving.load_model(path, {"Lambda": Lambda})
    assert len(saving.load_model(path, {"Lambda": Lambda}, safe_mode=False).layers) == 3


def test_paths_out_of_the_archive_are_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "m.keras"
    held = parts(path)
    for name in ("../evil", "/etc/evil", "a/../../evil", "C:/evil"):
        put(path, {**held, name: b"x"})
        with pytest.raises(FileError, match="leads out of it"):
            saving.load_model(path)
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for name, content in [*held.items(), *held.items()]:
            archive.writestr(name, content)
    with pytest.raises(FileError, match="twice"):
        saving.load_model(path)


def test_sizes_that_files_only_claim_take_no_memory(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "m.keras"
    held = parts(path)
    config = json.loads(held["config.json"])
    config["config"]["layers"][1]["config"]["units"] = 10**9
    bomb = io.BytesIO()
    with h5py.File(bomb, "w") as file:
        file.create_dataset("layers/dense/vars/0", (10**6, 10**6), "float32", chunks=(1000, 1000), compression="gzip")
    linked = io.BytesIO()
    with h5py.File(linked, "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/passwd", "/")
    outside = io.BytesIO()
    with h5py.File(outside, "w") as file:
        file.create_dataset("layers/dense/vars/0", (4,), "u1", external=[("/etc/passwd", 0, 4)])
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    tracemalloc.start()
    for change, message in (
        ({"config.json": json.dumps(config).encode()}, "asks for more weights than the file has"),
        ({"model.weights.h5": bomb.getvalue()}, "says it has 4000000000000 bytes"),
        ({"model.weights.h5": linked.getvalue()}, "is a link to elsewhere"),
        ({"model.weights.h5": outside.getvalue()}, "stored in another file"),
        ({"config.json": deep}, "damaged or in another format"),
        ({"config.json": b"[]"}, "must be a JSON object"),
        ({"config.json": b'{"class_name": "Dense", "module": "keras.layers", "config": {"units": 3}}'}, "not a model"),
    ):
        put(path, {**held, **change})
        with pytest.raises(FileError, match=message):
            saving.load_model(path)
    put(path, {**held, "model.weights.h5": bytes(1 << 27)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(FileError, match="says it has 134217728 bytes"):
        saving.load_model(path)
    put(path, {"config.json": held["config.json"]})
    with pytest.raises(FileError, match="has no model.weights.h5"):
        saving.load_model(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 28
    tracemalloc.stop()


def test_what_members_and_arrays_claim_together_takes_no_memory(tmp_path: pathlib.Path) -> None:
    """Each of them by itself is small enough."""
    path = tmp_path / "m.keras"
    held = parts(path)
    weights = io.BytesIO(held["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        for number in range(5):
            file.create_dataset(f"layers/more_{number}", (1 << 22,), "float32", chunks=(1 << 12,), compression="gzip")
    zeros = bytes(40 << 20)
    tracemalloc.start()
    put(path, {**held, "model.weights.h5": weights.getvalue()})
    with pytest.raises(FileError, match="its arrays say they have [0-9]{8} bytes and more; the file has"):
        saving.load_model(path)
    put(path, {**held, "assets/a": zeros, "assets/b": zeros}, zipfile.ZIP_DEFLATED)
    with pytest.raises(FileError, match="its members say they have 8[0-9]{7} bytes and more, in an archive of"):
        saving.load_model(path)
    put(path, {**held, "assets/a": zeros}, zipfile.ZIP_DEFLATED)
    assert len(saving.load_model(path).layers) == 2
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    size = len(zeros).to_bytes(4, "little")
    assert path.read_bytes().count(size) == 2  # before the member, and in the list at the end
    path.write_bytes(path.read_bytes().replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(FileError, match="Bad CRC-32"):
        saving.load_model(path)
    assert tracemalloc.get_traced_memory()[1] - before < len(zeros)
    tracemalloc.stop()


def test_groups_that_hold_themselves_or_each_other_many_times_are_read_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "m.keras"
    held = parts(path)

    def load(change: Callable[[Any], None]) -> Any:
        weights = io.BytesIO(held["model.weights.h5"])
        with h5py.File(weights, "r+") as file:
            change(file.create_group("more"))
        put(path, {**held, "model.weights.h5": weights.getvalue()})
        return saving.load_model(path)

    def loop(group: Any) -> None:
        group["itself"] = group

    def doubled(group: Any) -> None:
        for _ in range(60):  # 2 ** 60 ways to the last
            inner = group.create_group("one")
            group["other"], group = inner, inner

    def deep(group: Any) -> None:
        for _ in range(300):
            group = group.create_group("in")

    assert len(load(loop).layers) == len(load(doubled).layers) == 2
    with pytest.raises(FileError, match="nested deeper than 256: more/in/in/"):
        load(deep)


def test_a_model_that_was_not_loaded_is_not_changed(tmp_path: pathlib.Path) -> None:
    held = model()
    before = held.get_weights()
    held.save_weights(tmp_path / "w.weights.h5")
    with h5py.File(tmp_path / "w.weights.h5", "r+") as file:
        del file["layers/dense_1/vars/1"]
        file["layers/dense_1/vars/1"] = np.array([b"text", b"text"])
    held.set_weights([w + 1 for w in before])
    changed = held.get_weights()
    with pytest.raises(FileError, match="not numbers"):
        held.load_weights(tmp_path / "w.weights.h5")
    assert all((a == b).all() for a, b in zip(held.get_weights(), changed))


def test_texts_over_which_libhdf5_would_loop_for_ever_are_refused(tmp_path: pathlib.Path) -> None:
    """The second text of the file's first collection becomes a free part of no size."""
    path = tmp_path / "m.h5"
    model().save(path)
    content = bytearray(path.read_bytes())
    first = content.index(b"GCOL") + 16
    size = int.from_bytes(content[first + 8 : first + 16], "little")
    second = first + 16 + (size + 7) // 8 * 8
    content[second : second + 16] = bytes(16)
    path.write_bytes(content)
    with pytest.raises(FileError, match="its texts are damaged"):
        saving.load_model(path)
    content[second : second + 16] = b"\1" * 16
    path.write_bytes(content)
    with pytest.raises(FileError, match="its texts are damaged"):
        saving.load_model(path)
