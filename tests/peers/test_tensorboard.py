"""TensorBoard's own reader finds what the callback writes."""

import os
import pathlib
import struct
import subprocess
import sys
import threading
import zlib
from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, Sequential, callbacks, layers, optimizers
from refnet.errors import ArgumentError, PlaceError

pytestmark = pytest.mark.peers
generator = np.random.default_rng(0)
X = generator.integers(0, 9, (12, 3))
Y = generator.normal(size=(12, 1)).astype("float32")


def model() -> Any:
    inner = Sequential([Input((4,)), layers.Dense(5, "relu", name="first")], name="inner")
    a = Input((3,), name="words", dtype="int32")
    h = layers.Flatten(name="flat")(layers.Embedding(9, 2, name="vectors")(a))
    h = inner(layers.Dense(4, name="narrow")(h) * 2.0)
    made = Model(a, layers.Dense(1, name="last")(inner(layers.Dense(4, name="back")(h)) + h), name="whole")
    made.compile(optimizers.SGD(0.25), "mse", metrics=["mae"])
    return made


def read(folder: pathlib.Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"tensors": 0, "images": 0})
    found.Reload()
    return found


def numbers(found: Any, tag: str) -> list[Any]:
    from tensorboard.util import tensor_util

    return [(e.step, float(tensor_util.make_ndarray(e.tensor_proto))) for e in found.Tensors(tag)]


@pytest.mark.api("TensorBoard")
def test_scalars_histograms_graph_and_embeddings(tmp_path: pathlib.Path) -> None:
    from google.protobuf import text_format
    from tensorboard.plugins import projector
    from tensorboard.util import tensor_util

    made = model()
    board = callbacks.TensorBoard(log_dir=tmp_path, histogram_freq=1, embeddings_freq=1, write_images=True)
    history = made.fit(X, Y, epochs=2, validation_data=(X, Y), callbacks=[board], verbose=0).history
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    assert numbers(train, "epoch_loss") == [(i, np.float32(v)) for i, v in enumerate(history["loss"])]
    assert numbers(validation, "epoch_mae") == [(i, np.float32(v)) for i, v in enumerate(history["val_mae"])]
    assert numbers(train, "epoch_learning_rate") == [(0, 0.25), (1, 0.25)]
    assert [step for step, _ in numbers(validation, "evaluation_loss_vs_iterations")] == [1, 2]

    plugin = train.summary_metadata["inner/first/kernel/histogram"].plugin_data.plugin_name
    buckets = tensor_util.make_ndarray(train.Tensors("inner/first/kernel/histogram")[-1].tensor_proto)
    assert plugin == "histograms" and buckets[:, 2].sum() == 20
    kernel = made.get_layer("last").get_weights()[0]
    edges = tensor_util.make_ndarray(train.Tensors("last/kernel/histogram")[-1].tensor_proto)
    assert edges[0, 0] == kernel.min() and edges[-1, 1] == kernel.max()

    graph = train.Graph()
    nodes = {node.name: node for node in graph.node}
    assert list(nodes["vectors"].input) == ["words"] and nodes["vectors"].op == "Embedding"
    assert list(nodes["inner/first"].input) == ["multiply"]
    assert list(nodes["inner_call_1/first"].input) == ["back"]
    assert set(nodes["add"].input) == {"inner_call_1/first", "inner/first"}
    assert [d.size for d in nodes["narrow"].attr["_output_shapes"].list.shape[0].dim] == [-1, 4]

    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), projector.ProjectorConfig())
    (entry,) = config.embeddings
    vectors = np.loadtxt(tmp_path / entry.tensor_path, delimiter="\t")
    np.testing.assert_array_equal(vectors.astype("float32"), made.get_layer("vectors").get_weights()[0])
    assert entry.tensor_name == "vectors"

    (image,) = train.Images("last/kernel/image")[-1:]
    assert (image.height, image.width) == (1, 5)
    size, _ = struct.unpack(">I4s", image.encoded_image_string[33:41])
    pixels = zlib.decompress(image.encoded_image_string[41 : 41 + size])[1:]
    assert (min(pixels), max(pixels)) == (0, 255)


def test_the_web_pages_data(tmp_path: pathlib.Path) -> None:
    """What the plugins hand to the browser."""
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext

    board = callbacks.TensorBoard(tmp_path, histogram_freq=1)
    model().fit(X, Y, epochs=2, callbacks=[board], verbose=0)
    runs = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(tmp_path))
    runs.Reload()
    provider = data_provider.MultiplexerDataProvider(runs, str(tmp_path))
    more = {"experiment_id": "", "plugin_name": "scalars"}
    scalars = provider.list_scalars(RequestContext(), **more)
    assert sorted(scalars["train"]) == ["epoch_learning_rate", "epoch_loss", "epoch_mae"]
    histograms = provider.list_tensors(RequestContext(), experiment_id="", plugin_name="histograms")
    assert "vectors/embeddings/histogram" in histograms["train"]


def test_values_after_batches_and_the_speed(tmp_path: pathlib.Path) -> None:
    board = callbacks.TensorBoard(tmp_path, update_freq=2, write_graph=False, write_steps_per_second=True)
    model().fit(X, Y, epochs=2, batch_size=4, callbacks=[board], verbose=0)
    train = read(tmp_path / "train")
    assert [step for step, _ in numbers(train, "batch_loss")] == [2, 4, 6]
    assert all(value > 0 for _, value in numbers(train, "epoch_steps_per_second"))
    assert not train.Tags()["graph"] and not (tmp_path / "validation").exists()


def test_words_of_the_first_edition(tmp_path: pathlib.Path) -> None:
    old = {"batch_size": 32, "write_grads": False, "embeddings_data": X}
    board = callbacks.TensorBoard(
        log_dir=tmp_path, embeddings_freq=1, embeddings_layer_names=["vectors"], embeddings_metadata=None, **old
    )
    model().fit(X, Y, callbacks=[board], verbose=0)
    assert (tmp_path / "vectors_vectors.tsv").exists()
    with pytest.raises(ArgumentError, match="embeddings_layer_names names 'first'; the model's embeddings are .'vec"):
        board = callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_layer_names=["first"])
        model().fit(X, Y, callbacks=[board], verbose=0)
    with pytest.raises(ArgumentError, match="gradients are not written"):
        callbacks.TensorBoard(tmp_path, write_grads=True)
    with pytest.raises(ArgumentError, match="no argument 'log_folder'"):
        callbacks.TensorBoard(log_folder=tmp_path)


def test_outputs_of_a_layer_on_data_of_one_s_own(tmp_path: pathlib.Path) -> None:
    trained = model()
    named = trained.layers[-1].name
    board = callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_layer_names=[named], embeddings_data=X[:3])
    trained.fit(X, Y, callbacks=[board], verbose=0)
    written = np.loadtxt(tmp_path / f"{named}_vectors.tsv", ndmin=2)
    np.testing.assert_array_equal(written.astype("float32"), trained.predict(X[:3], verbose=0))
    assert f'tensor_name: "{named}"' in (tmp_path / "projector_config.pbtxt").read_text()


def test_what_it_refuses(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ArgumentError, match="TensorBoard: a path is needed, a string or a pathlib.Path; got None"):
        callbacks.TensorBoard(None)
    with pytest.raises(ArgumentError, match="there is no profiler"):
        callbacks.TensorBoard(tmp_path, profile_batch=2)
    with pytest.raises(ArgumentError, match="update_freq is 'epoch', 'batch' or a number"):
        callbacks.TensorBoard(tmp_path, update_freq="never")
    board = callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"vector": "names.tsv"})
    with pytest.raises(ArgumentError, match="names a layer 'vector'; the model's embeddings are .'vectors'."):
        model().fit(X, Y, callbacks=[board], verbose=0)
    board = callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata=tmp_path / "names.tsv")
    with pytest.raises(ArgumentError, match="names.tsv'; there is no such file"):
        model().fit(X, Y, callbacks=[board], verbose=0)


@pytest.mark.parametrize("inside", [True, False])
def test_names_of_rows_lie_where_tensorboard_reads_them(tmp_path: pathlib.Path, inside: bool) -> None:
    folder = tmp_path / "logs"
    path = (folder if inside else tmp_path) / "names.tsv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("one\ntwo\n")
    board = callbacks.TensorBoard(folder, embeddings_freq=1, embeddings_metadata="names.tsv" if inside else str(path))
    model().fit(X, Y, callbacks=[board], verbose=0)
    lies = "names.tsv" if inside else "vectors_metadata.tsv"
    assert (folder / lies).read_text() == "one\ntwo\n"
    assert f'metadata_path: "{lies}"' in (folder / "projector_config.pbtxt").read_text()


def test_files_of_one_name_in_two_folders_are_kept_apart(tmp_path: pathlib.Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "labels.tsv").write_text(f"of {name}\n")
    folder, start = tmp_path / "logs", Input((1,), dtype="int32")
    flat = [layers.Flatten()(layers.Embedding(1, 2, name=name)(start)) for name in ("a", "b")]
    made = Model(start, layers.Dense(1)(layers.Add()(flat)))
    made.compile("sgd", "mse")
    metadata = {name: str(tmp_path / name / "labels.tsv") for name in ("a", "b")}
    board = callbacks.TensorBoard(folder, embeddings_freq=1, embeddings_metadata=metadata)
    made.fit(np.zeros((2, 1), "int32"), np.ones((2, 1)), callbacks=[board], verbose=0)
    for name in ("a", "b"):
        assert (folder / f"{name}_metadata.tsv").read_text() == f"of {name}\n"
        assert f'metadata_path: "{name}_metadata.tsv"' in (folder / "projector_config.pbtxt").read_text()


def test_weights_of_inner_models_and_cells_are_told_apart(tmp_path: pathlib.Path) -> None:
    def inner(name: str) -> Any:
        return Sequential([Input((3, 2)), layers.LSTM(2, name="memory"), layers.Dense(1, name="last")], name=name)

    start = Input((3, 2))
    made = Model(start, inner("left")(start) + inner("right")(start))
    made.compile("sgd", "mse")
    board = callbacks.TensorBoard(tmp_path, histogram_freq=1)
    made.fit(np.ones((4, 3, 2), "float32"), np.ones((4, 1)), callbacks=[board], verbose=0)
    tags = read(tmp_path / "train").Tags()["tensors"]
    assert {"left/last/kernel/histogram", "right/last/kernel/histogram"} <= set(tags)
    assert sum("histogram" in tag for tag in tags) == 10


def test_what_a_run_wrote_before_an_error_is_there(tmp_path: pathlib.Path) -> None:
    def fail(batch: int, logs: Any) -> None:
        if batch == 2:
            raise KeyboardInterrupt

    before = set(threading.enumerate())
    board = callbacks.TensorBoard(log_dir=tmp_path, update_freq="batch")
    with pytest.raises(KeyboardInterrupt):
        stop = callbacks.LambdaCallback(on_train_batch_end=fail)
        model().fit(X, Y, batch_size=4, callbacks=[board, stop], verbose=0)
    assert set(threading.enumerate()) <= before  # nothing goes on in the background
    assert len(numbers(read(tmp_path / "train"), "batch_loss")) == 3


def test_a_folder_that_cannot_be_made_is_told() -> None:
    with pytest.raises(PlaceError, match="/dev/null/runs/train cannot be written"):
        model().fit(X, Y, callbacks=[callbacks.TensorBoard("/dev/null/runs")], verbose=0)


def test_tensorflow_is_not_loaded_where_it_is_installed(tmp_path: pathlib.Path) -> None:
    """It takes seconds, half a gigabyte, and writes lines to the user's terminal."""
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text("raise SystemExit('TensorFlow was loaded')\n")
    program = """if True:
        import numpy as np
        from refnet import Input, Sequential, callbacks, layers
        model = Sequential([Input((3,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        board = callbacks.TensorBoard("logs", histogram_freq=1, write_images=True)
        model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0, callbacks=[board])
    """
    paths = os.pathsep.join((str(tmp_path), str(pathlib.Path(__file__).parents[2])))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(tmp_path.glob("logs/train/events.out.tfevents.*"))) == 1


def test_a_run_whose_file_cannot_be_written_leaves_the_next_one_its_own(tmp_path: pathlib.Path) -> None:
    """As on a full disk: every callback hears that the run failed, and the same callback serves again."""
    failed: list[str] = []

    class Last(callbacks.Callback):
        def on_run_failed(self, logs: Any = None) -> None:
            failed.append("told")

    board, network = callbacks.TensorBoard(tmp_path, write_graph=False), model()

    def full(epoch: int, logs: Any) -> None:
        board.file("train").writer._writer.close()

    with pytest.raises(ValueError, match="closed file"):
        network.fit(X, Y, callbacks=[callbacks.LambdaCallback(on_epoch_begin=full), board, Last()], verbose=0)
    assert failed == ["told"]
    network.fit(X, Y, callbacks=[board, Last()], verbose=0)
    assert failed == ["told"]
