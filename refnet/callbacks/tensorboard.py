"""Event files for TensorBoard, written by its own package without TensorFlow."""

import contextlib
import importlib
import itertools
import json
import os
import pathlib
import socket
import struct
import time
import zlib
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.callbacks.base import Callback
from refnet.callbacks.rates import rates
from refnet.errors import ArgumentError, MissingPackageError
from refnet.layers.embedding import Embedding
from refnet.paths import as_path
from refnet.saving import files

_numbers = itertools.count()  # of this process's event files: two of one second have two names


def _package(name: str) -> Any:
    try:
        return importlib.import_module(f"tensorboard.{name}")
    except ImportError:
        raise MissingPackageError(
            'callbacks.TensorBoard needs the package tensorboard. Install it with: pip install -e ".[tensorboard]"'
        ) from None


class Events:
    """One event file.

    Records are written by TensorBoard's RecordWriter: its EventFileWriter would load all of TensorFlow, where that is installed.

    Args:
        folder: where it is made; TensorBoard shows each folder as a run.
    """

    def __init__(self, folder: pathlib.Path):
        self.event = _package("compat.proto.event_pb2").Event
        self.summary = _package("compat.proto.summary_pb2").Summary
        records = _package("summary.writer.record_writer")
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        self.path = folder / name
        with files.writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with files.writing(self.path):
            self.writer = records.RecordWriter(self.path.open("xb"))
        self._write(file_version="brain.Event:2")
        self.flush()

    def _write(self, **content: Any) -> None:
        with files.writing(self.path):
            self.writer.write(self.event(wall_time=time.time(), **content).SerializeToString())

    def _add(self, summary: Any, step: int) -> None:
        self._write(step=step, summary=summary)

    def scalar(self, tag: str, value: Any, step: int) -> None:
        self._add(_package("plugins.scalar.summary_v2").scalar_pb(tag, float(value)), step)

    def histogram(self, tag: str, values: Array, step: int) -> None:
        self._add(_package("plugins.histogram.summary_v2").histogram_pb(tag, np.asarray(values, np.float64)), step)

    def image(self, tag: str, pixels: Array, step: int) -> None:
        """A picture of bytes: (height, width)."""
        height, width = pixels.shape
        image = self.summary.Image(height=height, width=width, colorspace=1, encoded_image_string=png(pixels))
        self._add(self.summary(value=[self.summary.Value(tag=tag, image=image)]), step)

    def graph(self, model: Any) -> None:
        self._write(graph_def=graph_of(model).SerializeToString())

    def flush(self) -> None:
        with files.writing(self.path):
            self.writer.flush()

    def close(self) -> None:
        with files.writing(self.path):
            self.writer.close()


def png(pixels: Array) -> bytes:
    """A PNG file of grey bytes: (height, width), uint8."""
    height, width = pixels.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels, np.uint8))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def graph_of(model: Any) -> Any:
    """A model's layers and bare ops as TensorBoard's graph: a node each, inner models as scopes, which it shows closed."""
    made = _package("compat.proto.graph_pb2").GraphDef()
    _add_nodes(made, model, "", {})
    return made


def _add_nodes(made: Any, model: Any, scope: str, fed: dict[Any, str]) -> dict[Any, str]:
    """The nodes of one model. Gives the node of every tensor.

    scope: what its nodes' names start with: "" or "outer/".
    fed: the nodes that its inputs come from, where it is called by an outer model.
    """
    from refnet.graph import Node
    from refnet.models.config import Order
    from refnet.structure import flatten

    order = Order(model.graph)
    node_of: dict[Any, str] = dict(fed)
    events = [
        (event.number, operation, event)
        for operation, uses in order.uses.items()
        for event in uses
        if hasattr(event, "number")
    ]
    for x, layer in order.inputs.items():
        if x not in node_of:
            node_of[x] = _add_node(made, f"{scope}{layer.name}", "Placeholder", [], x)
    used: dict[str, int] = {}
    for _, operation, event in sorted(events, key=lambda entry: entry[0]):
        bare = isinstance(operation, Node)
        name = f"{scope}{operation.op.name if bare else operation.name}"
        used[name] = used.get(name, -1) + 1
        name = f"{name}_call_{used[name]}" if used[name] else name
        read = flatten([event.inputs, getattr(event, "arguments", [])])
        sources = list(dict.fromkeys(node_of[x] for x in read if x in node_of)) if read else []
        inner = getattr(operation, "graph", None)
        if inner is not None:
            into = dict(zip(inner.inputs, [node_of[x] for x in flatten(event.inputs) if x in node_of]))
            results = _add_nodes(made, operation, f"{name}/", into)
            node_of.update((y, results[own]) for y, own in zip(flatten(event.outputs), inner.outputs) if own in results)
            continue
        outputs = flatten(event.outputs)
        node = _add_node(made, name, operation.op.name if bare else type(operation).__name__, sources, outputs[0])
        node_of.update(dict.fromkeys(outputs, node))
    return node_of


def _add_node(made: Any, name: str, op: str, sources: list[str], like: Any) -> str:
    node = made.node.add(name=name, op=op, input=sources)
    shape = node.attr["_output_shapes"].list.shape.add()
    for extent in like.shape:
        shape.dim.add(size=-1 if extent is None else extent)
    return name


class TensorBoard(Callback):
    """Writes what TensorBoard shows: `tensorboard --logdir log_dir`.

    Runs `train` and `validation` get the values of the logs after each epoch, `train` the learning rate and the model's graph too.

    Args:
        log_dir: a folder, made if it does not exist.
        histogram_freq: after every so many epochs a histogram of each weight is written; 0 for never.
        write_graph: whether the model's graph is written.
        write_images: whether histograms are accompanied by the weights as pictures.
        write_steps_per_second: whether the speed is written.
        update_freq: "epoch"; or a number of batches, "batch" for 1, after which the values so far are written as well (which makes
            training stop after every batch, and costs speed).
        profile_batch: of Keras; must be 0.
        embeddings_freq: after every so many epochs the vectors of Embedding layers are written, for the projector; 0 for never.
        embeddings_metadata: a file that names the rows of the embeddings, or a dict of files by the layers' names: in log_dir, or
            from elsewhere, then it is copied there.
        embeddings_layer_names: of the first edition: the layers whose vectors are written; all Embedding layers if None or empty.
        embeddings_data: of the first edition: inputs for layers named there that are no Embedding; their outputs are written, a row
            for each sample. Of an Embedding the whole table is.
        batch_size, write_grads: of the first edition; not read, as no gradients are written.
    Raises:
        MissingPackageError: without the package tensorboard.  ArgumentError: a layer without vectors among
        embeddings_metadata, or a file that does not exist.
    Source: Keras 3 `callbacks.TensorBoard`.
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
        embeddings_layer_names: Any = None,
        embeddings_data: Any = None,
        **unread: Any,
    ):
        strange = set(unread) - {"batch_size", "write_grads"}
        if strange:
            raise ArgumentError(f"TensorBoard has no argument {min(strange)!r}.")
        if unread.get("write_grads"):
            raise ArgumentError("TensorBoard: gradients are not written; write_grads must be False.")
        if profile_batch:
            raise ArgumentError(f"TensorBoard: there is no profiler; profile_batch must be 0, got {profile_batch!r}.")
        if update_freq not in ("epoch", "batch") and (not isinstance(update_freq, int) or update_freq < 1):
            raise ArgumentError(
                f"TensorBoard: update_freq is 'epoch', 'batch' or a number of batches; got {update_freq!r}."
            )
        _package("summary.writer.record_writer")
        self.log_dir = as_path("TensorBoard", log_dir)
        self.histogram_freq, self.write_graph, self.write_images = histogram_freq, write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.embeddings_freq, self.embeddings_metadata = embeddings_freq, embeddings_metadata
        self.embeddings_layer_names = list(embeddings_layer_names or ())
        self.embeddings_data = embeddings_data
        self.files: dict[str, Events] = {}
        self.readers: dict[str, Any] = {}
        self.batches, self.epoch_began, self.steps_before = 0, 0.0, 0

    def file(self, run: str) -> Events:
        """The event file of a run, 'train' or 'validation', made when something is written."""
        if run not in self.files:
            self.files[run] = Events(self.log_dir / run)
        return self.files[run]

    def hears(self, hook: str) -> bool:
        return super().hears(hook) and (self.update_freq != "epoch" or self.overrides(hook, TensorBoard))

    def on_train_begin(self, logs: Any = None) -> None:
        self.batches = 0
        if self.write_graph and self.model._built_graph is not None and self.model.graph is not None:
            self.file("train").graph(self.model)
        if self.embeddings_freq:
            self._configure_projector()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch_began, self.steps_before = time.monotonic(), int(self.model.optimizer.iterations)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches += 1
        if self.update_freq != "epoch" and self.batches % self.update_freq == 0:
            for name, value in (logs or {}).items():
                if np.size(value) == 1:
                    self.file("train").scalar(f"batch_{name}", np.reshape(value, ()), self.batches)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        for name, value in (logs or {}).items():
            if np.size(value) == 1:
                run = "validation" if name.startswith("val_") else "train"
                self.file(run).scalar(f"epoch_{name.removeprefix('val_')}", np.reshape(value, ()), epoch)
        for name, rate in rates(self.model.optimizer).items():
            self.file("train").scalar(f"epoch_{name}", rate, epoch)
        if self.write_steps_per_second:
            steps = int(self.model.optimizer.iterations) - self.steps_before
            self.file("train").scalar("epoch_steps_per_second", steps / (time.monotonic() - self.epoch_began), epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings()
        for file in self.files.values():
            file.flush()

    def on_test_end(self, logs: Any = None) -> None:
        if self.model.optimizer is not None:
            step = int(self.model.optimizer.iterations)
            for name, value in (logs or {}).items():
                if np.size(value) == 1:
                    self.file("validation").scalar(f"evaluation_{name}_vs_iterations", np.reshape(value, ()), step)

    def on_train_end(self, logs: Any = None) -> None:
        self._close()

    def on_run_failed(self, logs: Any = None) -> None:
        self._close()  # what was written of the run is worth a look

    def _close(self) -> None:
        files, self.files = self.files, {}  # whatever happens, the next run has files of its own
        with contextlib.ExitStack() as stack:
            for file in files.values():
                stack.callback(file.close)

    def _write_weights(self, epoch: int) -> None:
        for layer in self.model.layers:
            for weight in layer.weights:
                tag = weight.name if weight.name.startswith(f"{layer.name}/") else f"{layer.name}/{weight.name}"
                self.file("train").histogram(f"{tag}/histogram", weight.numpy(), epoch)
                pixels = _pixels(weight.numpy()) if self.write_images else None
                if pixels is not None:
                    self.file("train").image(f"{tag}/image", pixels, epoch)

    def _embeddings(self) -> list[Any]:
        found = [layer for layer in self.model._flatten_layers() if isinstance(layer, Embedding)]
        named = self.embeddings_layer_names
        if self.embeddings_data is not None:
            found += [layer for layer in self.model.layers if layer.name in named and layer not in found]
        for name in set(named) - {layer.name for layer in found}:
            raise ArgumentError(
                f"TensorBoard: embeddings_layer_names names {name!r}; the model's embeddings are {[x.name for x in found]}."
            )
        return [layer for layer in found if not named or layer.name in named]

    def _configure_projector(self) -> None:
        """The file that tells TensorBoard's projector where the vectors are."""
        names, text = [layer.name for layer in self._embeddings()], ""
        by_layer = self.embeddings_metadata if isinstance(self.embeddings_metadata, dict) else {}
        for name in by_layer:
            if name not in names:
                raise ArgumentError(
                    f"TensorBoard: embeddings_metadata names a layer {name!r}; the model's embeddings are {names}."
                )
        with files.writing(self.log_dir):
            self.log_dir.mkdir(parents=True, exist_ok=True)
        for name in names:
            metadata = by_layer.get(name) if by_layer else self.embeddings_metadata
            text += f"embeddings {{\n  tensor_name: {json.dumps(name)}\n  tensor_path: {json.dumps(_tsv(name))}\n"
            text += f"  metadata_path: {json.dumps(self._at_hand(metadata, name))}\n}}\n" if metadata else "}\n"
        (self.log_dir / "projector_config.pbtxt").write_text(text, encoding="utf-8")

    def _at_hand(self, metadata: Any, layer: str) -> str:
        """A file of names as the projector finds it: TensorBoard reads none outside the folder, so another one is copied into it,
        under the layer's name, as two layers' files may have one name in two folders."""
        given, folder = pathlib.Path(metadata), self.log_dir.resolve()
        for path in (folder / given, given):
            if path.is_file() and path.resolve().is_relative_to(folder):
                return str(path.resolve().relative_to(folder))
        if not given.is_file():
            raise ArgumentError(
                f"TensorBoard: embeddings_metadata names {str(metadata)!r}; there is no such file, nor in {self.log_dir}."
            )
        copy = f"{layer}_metadata.tsv"
        files.write_atomically(folder / copy, given.read_bytes())
        return copy

    def _write_embeddings(self) -> None:
        for layer in self._embeddings():
            rows = ["\t".join(f"{value:.9g}" for value in row) for row in self._vectors(layer)]
            (self.log_dir / _tsv(layer.name)).write_text("\n".join(rows) + "\n", encoding="utf-8")

    def _vectors(self, layer: Any) -> Array:
        if isinstance(layer, Embedding):
            return layer.weights[0].numpy()
        from refnet.models import Model

        if layer.name not in self.readers:
            self.readers[layer.name] = Model(self.model.inputs, layer.output)
        outputs: Array = self.readers[layer.name].predict(self.embeddings_data, verbose=0)
        return outputs.reshape(len(outputs), -1)


def _tsv(layer: str) -> str:
    return f"{layer}_vectors.tsv"


def _pixels(weight: Array) -> Array | None:
    """A weight as a picture, from its smallest value in black to its largest in white; kernels of images side by side."""
    grey = np.squeeze(weight)
    if grey.ndim == 1:
        grey = grey[None]
    if grey.ndim in (3, 4):
        grey = grey.reshape(grey.shape[0], -1)
    if grey.ndim != 2 or grey.size == 0:
        return None
    low, high = float(grey.min()), float(grey.max())
    return np.asarray((grey - low) / max(high - low, 1e-30) * 255, np.uint8)
