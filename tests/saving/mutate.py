"""A child process of test_hostile.py: loads mutated files under a memory limit. Each must load, or end in refnet's FileError.

python mutate.py folder count seed
"""

import copy
import faulthandler
import io
import json
import pathlib
import random
import resource
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from refnet import Input, Model, Sequential, callbacks, layers, models, saving, utils
from refnet.errors import FileError

MEMORY = 1 << 29  # bytes beyond what the process has when it starts to load
STRANGE = [
    *(None, True, -1, 0, 1, 2.5, 1e308, 10**9, 10**20, "", "dense", "../../etc/passwd", "os.system", [], {}, [[[]]]),
    *({"class_name": "Lambda", "config": {}}, {"class_name": "__lambda__", "config": {"value": "x"}}),
    *({"class_name": "system", "module": "os", "config": {"command": "false"}}, [None] * 5, "\ud800"),
]


def bytes_changed(content: bytes, draws: random.Random) -> bytes:
    data = bytearray(content)
    way = draws.randrange(5)
    if way == 0:
        return bytes(data[: draws.randrange(len(data))])
    if way == 1:
        for _ in range(draws.randint(1, 30)):
            data[draws.randrange(len(data))] ^= 1 << draws.randrange(8)
    elif way == 2:
        at, length = draws.randrange(len(data)), draws.randint(1, 64)
        data[at : at + length] = draws.choice([b"\0", b"\xff"]) * length
    elif way == 3:
        at, to, length = draws.randrange(len(data)), draws.randrange(len(data)), draws.randint(1, 200)
        data[to : to + length] = data[at : at + length]
    else:
        at = draws.randrange(len(data))
        data[at:at] = draws.randbytes(draws.randint(1, 64))
    return bytes(data)


def value_changed(config: Any, draws: random.Random) -> Any:
    """A JSON value with something in it replaced, removed or doubled."""
    config = copy.deepcopy(config)
    at = config
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return config
        key = draws.choice(keys)
        if isinstance(at[key], (dict, list)) and at[key] and draws.random() < 0.85:
            at = at[key]
            continue
        way = draws.randrange(4)
        if way == 0:
            del at[key]
        elif way == 1 and isinstance(at, list):
            at.append(copy.deepcopy(at[key]))
        elif way == 2 and isinstance(at[key], int) and not isinstance(at[key], bool):
            at[key] = draws.choice([at[key] + 1, -at[key], at[key] * 10**6])
        else:
            at[key] = copy.deepcopy(draws.choice(STRANGE))
        return config


def archive(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return buffer.getvalue()


def made_models() -> list[Any]:
    utils.set_random_seed(1)
    first = Sequential([Input((3,)), layers.Dense(4, "relu"), layers.Dropout(0.5), layers.Dense(2)])
    first.compile("adam", "mse", metrics=["mae"])
    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = layers.Dense(3)
    second = Model([a, b], first(shared(a) * 2.0 + shared(b)[:, ::-1]))
    second.compile("rmsprop", "mse")
    return [first, second]


def old_file(model: Any) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [v.name.encode() for v in layer.weights]
            for v in layer.weights:
                group.create_dataset(v.name, data=v.numpy())
    return buffer.getvalue()


def old_model(model: Any, folder: pathlib.Path) -> bytes:
    model.save(folder / "m.h5")
    return (folder / "m.h5").read_bytes()


def with_config_changed(content: bytes, draws: random.Random) -> bytes:
    """A whole old file whose configuration, or whose training configuration, has a strange value."""
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        key = draws.choice(["model_config", "model_config", "training_config"])
        file.attrs[key] = json.dumps(value_changed(json.loads(file.attrs[key]), draws))
    return buffer.getvalue()


def backup(model: Any, folder: pathlib.Path) -> bytes:
    x = np.ones((4, 3), "float32")
    kept = callbacks.BackupAndRestore(folder, delete_checkpoint=False)
    model.fit(x, x[:, :2], callbacks=[kept])
    content = kept.latest.read_bytes()
    kept.latest.unlink()
    return content


class Originals:
    """Every kind of file, unbroken, and the models that they were made from."""

    def __init__(self, folder: pathlib.Path):
        self.folder, self.models, self.archives = folder, made_models(), []
        for model in self.models:
            model.save(folder / "m.keras")
            with zipfile.ZipFile(folder / "m.keras") as file:
                self.archives.append({name: file.read(name) for name in file.namelist()})
        self.backup = backup(self.models[0], folder)
        self.old_models = [old_model(model, folder) for model in self.models]

    def path(self, name: str, content: bytes) -> pathlib.Path:
        """A file in the folder, with this content."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def broken(self, kind: str, which: int, draws: random.Random) -> tuple[Any, Callable[[], Any]]:
        """The model that a broken file of that kind might change, and what reads the file."""
        parts, model, first = dict(self.archives[which]), self.models[which], self.models[0]
        if kind == "json":
            text = json.dumps(value_changed(json.loads(parts["config.json"]), draws))
            return model, lambda: models.model_from_json(text)
        if kind in ("archive", "config", "weights in archive"):
            if kind == "config":
                parts["config.json"] = json.dumps(value_changed(json.loads(parts["config.json"]), draws)).encode()
            if kind == "weights in archive":
                parts["model.weights.h5"] = bytes_changed(parts["model.weights.h5"], draws)
            content = archive(parts)
            path = self.path("m.keras", bytes_changed(content, draws) if kind == "archive" else content)
            return model, lambda: saving.load_model(path)
        if kind in ("old model", "old config"):
            change = bytes_changed if kind == "old model" else with_config_changed
            path = self.path("m.h5", change(self.old_models[which], draws))
            return model, lambda: saving.load_model(path)
        if kind == "backup":
            self.path("latest.backup", bytes_changed(self.backup, draws))
            x = np.ones((4, 3), "float32")
            return first, lambda: first.fit(x, x[:, :2], callbacks=[callbacks.BackupAndRestore(self.folder)])
        if kind == "weights":
            path = self.path("m.weights.h5", bytes_changed(parts["model.weights.h5"], draws))
            return model, lambda: model.load_weights(path)
        path = self.path("m.weights.h5", bytes_changed(old_file(first), draws))
        return first, lambda: first.load_weights(path)


def main(folder: pathlib.Path, count: int, seed: int) -> None:
    faulthandler.enable()
    draws, originals = random.Random(seed), Originals(folder)
    in_use = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, in_use + MEMORY))
    kinds = ("archive", "config", "weights in archive", "weights", "old", "old model", "old config", "json", "backup")
    refused = dict.fromkeys(kinds, 0)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        try:
            model, read = originals.broken(kind, draws.randrange(len(originals.models)), draws)
            before = [w.tobytes() for w in model.get_weights()]
            try:
                read()
            except FileError:
                refused[kind] += 1
                unchanged = [w.tobytes() for w in model.get_weights()] == before
                assert unchanged, f"a refused {kind} changed weights"
        except BaseException:
            print(f"number {number}, a mutated {kind}, seed {seed}", flush=True)
            raise
    print(json.dumps(refused))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
