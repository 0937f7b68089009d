"""Files between refnet and the installed Keras: ours opened by it, its opened by us, equal predictions and optimizer states."""

import functools
import pathlib
from typing import Any

import numpy as np
import pytest

import refnet
from refnet.testing.closeness import close

pytestmark = pytest.mark.peers
keras = pytest.importorskip("keras")
pytest.importorskip("h5py")

LIBRARIES = [refnet, keras]
random = np.random.default_rng(5)
x = random.normal(size=(24, 6)).astype("float32")
labels = random.integers(0, 3, 24)


def sequential(k: Any) -> Any:
    layers = k.layers
    model = k.Sequential(
        [
            k.Input((6,)),
            layers.Rescaling(0.5, offset=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            layers.Dense(4, activation="relu", kernel_regularizer=k.regularizers.L2(0.01)),
            layers.Dropout(0.3),
            layers.Activation("tanh"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="out"),
        ]
    )
    model.compile(k.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, x, labels


def several(k: Any) -> Any:
    """Shared layers, inner models, ops outside of layers, dicts of inputs and outputs; the calls are made in another order than
    the one in which Keras lists the layers."""
    layers = k.layers
    a, b = k.Input((6,), name="a"), k.Input((6,), name="b")
    late = layers.Dense(5, name="late")(b)
    shared = layers.Dense(4, name="shared")
    joined = shared(a) + shared(b) * 2.0
    inner = k.Sequential([k.Input((4,)), layers.Dense(3), layers.Dense(3, name="z")], name="inner")
    p, q = k.Input((4,)), k.Input((5,))
    pair = k.models.Model([p, q], layers.Dense(2, name="c")(p) - layers.Dense(2, name="d")(q), name="pair")
    outputs = {"u": inner(joined), "v": layers.Dense(1, name="o2")(pair([joined, late]))}
    model = k.models.Model({"a": a, "b": b}, outputs)
    model.compile(
        k.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
        {"u": "mse", "v": k.losses.MeanAbsoluteError()},
        loss_weights={"u": 1.0, "v": 2.0},
        metrics={"u": ["mae"]},
    )
    targets = {"u": x[:, :3], "v": x[:, 3:4]}
    return model, {"a": x, "b": x[::-1].copy()}, targets


def ending_in_a_model(k: Any) -> Any:
    """The last layer is a functional model, whose calls Keras counts from 1 at a model's ends."""
    p, a = k.Input((4,)), k.Input((6,))
    inner = k.models.Model(p, k.layers.Dense(3, name="c")(p), name="inner")
    model = k.models.Model(a, inner(k.layers.Dense(4, name="d")(a)))
    model.compile(k.optimizers.SGD(0.1, momentum=0.9, nesterov=True), "mse")
    return model, x, x[:, :3]


def with_amsgrad(k: Any) -> Any:
    model = k.Sequential([k.Input((6,)), k.layers.Dense(4), k.layers.Dense(3)])
    model.compile(k.optimizers.Adam(0.01, amsgrad=True, clipnorm=1.0), k.losses.MeanSquaredError())
    return model, x, x[:, :3]


WORDS = np.concatenate([random.integers(1, 7, (24, 5)), np.zeros((24, 2), int)], axis=1)


def recurrent(k: Any) -> Any:
    """Recurrence with masks: by layers, by cells, both ways, step by step."""
    layers = k.layers
    model = k.Sequential(
        [
            k.Input((None,), dtype="int32"),
            layers.Embedding(7, 4, mask_zero=True),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True, recurrent_regularizer="l2")),
            layers.TimeDistributed(layers.Dense(5, activation="relu")),
            layers.GRU(4, return_sequences=True, reset_after=False),
            layers.RNN(layers.StackedRNNCells([layers.LSTMCell(3), layers.GRUCell(2)]), return_sequences=True),
            layers.SimpleRNN(3, go_backwards=True, kernel_constraint=k.constraints.MaxNorm(2.0)),
            layers.Dense(1),
        ]
    )
    model.compile(k.optimizers.Adam(0.01), "mse")
    return model, WORDS, x[:, :1]


def attention(k: Any) -> Any:
    """An encoder whose states begin a decoder, and attention of several kinds between the two."""
    layers = k.layers
    words, steps = k.Input((7,), dtype="int32", name="words"), k.Input((6, 1), name="steps")
    e = layers.Embedding(7, 4, mask_zero=True)(words)
    encoded, h, c = layers.LSTM(4, return_sequences=True, return_state=True, name="encoder")(e)
    decoded = layers.LSTM(4, return_sequences=True, name="decoder")(steps, initial_state=[h, c])
    first = layers.Attention(use_scale=True)([decoded, encoded])
    second = layers.AdditiveAttention()([first, encoded])
    y = layers.Concatenate()([first, second, decoded])
    # last: in Keras it takes the masks off what it is called on
    y = layers.MultiHeadAttention(2, 3, name="heads")(y, encoded)
    y = layers.GroupQueryAttention(2, 4, 2)(y, y, use_causal_mask=True)
    model = k.models.Model([words, steps], layers.Dense(1)(y))
    model.compile(k.optimizers.RMSprop(0.01), "mse")
    return model, {"words": WORDS, "steps": x[:, :, None]}, x[:, :, None]


def moving(k: Any) -> Any:
    layers = k.layers
    frames = k.Input((3, 4, 4, 1))
    y = layers.ConvLSTM2D(2, 3, padding="same", return_sequences=True)(frames)
    y = layers.Bidirectional(layers.ConvLSTM2D(2, 2), merge_mode="sum")(y)
    model = k.models.Model(frames, layers.Dense(1)(layers.Flatten()(y)))
    model.compile(k.optimizers.SGD(0.01, momentum=0.5), "mse")
    return model, np.resize(x, (24, 3, 4, 4, 1)), x[:, :1]


def with_recurrent_dropout(k: Any) -> Any:
    layers = k.layers
    model = k.Sequential([k.Input((None, 1)), layers.GRU(3, dropout=0.2, recurrent_dropout=0.3), layers.Dense(1)])
    model.compile("rmsprop", "mae")
    return model, x[:, :, None], x[:, :1]


def masked_within(k: Any) -> Any:
    """Masks that begin within the model, which to Keras are ops of the graph: they decide in which order it lists layers."""
    layers = k.layers
    left, right = k.Input((6, 1), name="left"), k.Input((6, 1), name="right")
    first = layers.Masking()(layers.SimpleRNN(3, return_sequences=True)(left))
    second = layers.SpatialDropout1D(0.0)(layers.Dense(3, activation="tanh")(layers.Dense(3)(right)))
    seen = layers.Attention()([first, layers.Masking()(second)])
    y = layers.Concatenate()([layers.LSTM(3)(first), layers.LSTM(3)(second), layers.Flatten()(seen)])
    model = k.models.Model([left, right], layers.Dense(1)(y))
    model.compile(k.optimizers.SGD(0.01, momentum=0.5), "mse")
    return model, {"left": x[:, :, None], "right": x[:, ::-1, None]}, x[:, :1]


def sounds(k: Any) -> Any:
    """Spectrograms, one of which is trained: kernels that begin as transforms, a window that is an array, numbers alone."""
    layers = k.layers
    signal = k.Input((6, 1))
    first = layers.STFTSpectrogram("magnitude", 4, 2, window=[1.0, 2.0, 2.0, 1.0], padding="same")(signal)
    second = layers.STFTSpectrogram("real", 2, scaling=None, trainable=False, expand_dims=True)(signal)
    bands = layers.MelSpectrogram(8, 4, num_mel_bins=2, power_to_db=False)(layers.Flatten()(signal))
    y = layers.Concatenate()([layers.Flatten()(part) for part in (first, second, bands)])
    model = k.models.Model(signal, layers.Dense(1)(y))
    model.compile(k.optimizers.SGD(0.001), "mse")
    return model, x[:, :, None], x[:, :1]


RECURRENT = [recurrent, attention, moving, masked_within, with_recurrent_dropout]


def leaves(value: Any) -> list[Any]:
    return (
        [value[key] for key in sorted(value)]
        if isinstance(value, dict)
        else value
        if isinstance(value, list)
        else [value]
    )


def near(ours: Any, theirs: Any, model: Any, steps: int = 0) -> None:
    """Sums of as many terms as the kernels have, and sixteen roundings more; steps of training go there and back besides."""
    terms = sum(int(np.prod(w.shape[:-1])) for w in model.weights if len(w.shape) > 1)
    close(ours, theirs, 2 * (16 + terms) * (1 + 2 * steps), max(1, abs(theirs).max()))


def predictions(model: Any, inputs: Any) -> list[Any]:
    return leaves(model.predict(inputs, verbose=0))


@pytest.mark.parametrize("make", [sequential, several, ending_in_a_model, with_amsgrad, sounds, *RECURRENT])
@pytest.mark.parametrize("writer", [0, 1], ids=["ours_read_by_keras", "keras_read_by_us"])
def test_a_file_of_one_is_read_by_the_other(make: Any, writer: int, tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "model.keras")
    model, inputs, targets = make(LIBRARIES[writer])
    model.fit(inputs, targets, epochs=2, batch_size=8, verbose=0)
    model.save(path)
    reader = LIBRARIES[1 - writer]
    read = reader.saving.load_model(path)
    for ours, theirs in zip(predictions(model, inputs), predictions(read, inputs), strict=True):
        near(ours, theirs, model)
    assert int(np.asarray(read.optimizer.iterations)) == 6
    assert float(np.asarray(read.optimizer.learning_rate)) == float(np.asarray(model.optimizer.learning_rate))
    # without dropout both go on alike: compile's losses and the optimizer's state came along
    if make not in (sequential, with_recurrent_dropout):
        for m in (model, read):
            m.fit(inputs, targets, epochs=1, batch_size=8, verbose=0, shuffle=False)
        for ours, theirs in zip(predictions(model, inputs), predictions(read, inputs), strict=True):
            near(ours, theirs, model, steps=3)


@pytest.mark.parametrize("make", [sequential, several, ending_in_a_model, sounds, *RECURRENT])
@pytest.mark.parametrize("writer", [0, 1], ids=["ours_read_by_keras", "keras_read_by_us"])
def test_weights_and_json_of_one_are_read_by_the_other(make: Any, writer: int, tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "model.weights.h5")
    model, inputs, _ = make(LIBRARIES[writer])
    model.save_weights(path)
    reader = LIBRARIES[1 - writer]
    for other in (make(reader)[0], reader.models.model_from_json(model.to_json())):
        other.load_weights(path)
        for ours, theirs in zip(predictions(model, inputs), predictions(other, inputs), strict=True):
            near(ours, theirs, model)


def branched(k: Any) -> Any:
    """Shared and inner parts, without bare ops: Keras 3.15 cannot read them from `.h5` files, not from its own either."""
    layers = k.layers
    a, b = k.Input((6,), name="a"), k.Input((6,), name="b")
    shared = layers.Dense(4, name="shared")
    inner = k.Sequential([k.Input((4,)), layers.Dense(3, trainable=False), layers.Dense(4, name="z")], name="inner")
    p = k.Input((4,))
    pair = k.models.Model(p, layers.Dense(2, name="c")(p), name="pair")
    outputs = [layers.Dense(2, name="u")(inner(shared(a))), layers.add([pair(shared(b)), pair(inner(shared(b)))])]
    model = k.models.Model([a, b], outputs)
    model.compile(
        k.optimizers.RMSprop(0.01, momentum=0.5),
        ["mean_squared_error", k.losses.MeanAbsoluteError()],
        loss_weights=[1.0, 2.0],
        metrics=[["mae"], [k.metrics.MeanSquaredError()]],
    )
    return model, [x, x[::-1].copy()], [x[:, :2], x[:, 3:5]]


@pytest.mark.parametrize("make", [sequential, branched, ending_in_a_model, with_amsgrad])
@pytest.mark.parametrize("writer", [0, 1], ids=["ours_read_by_keras", "keras_read_by_us"])
def test_an_old_file_of_one_is_read_by_the_other(make: Any, writer: int, tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "model.h5")
    model, inputs, targets = make(LIBRARIES[writer])
    model.fit(inputs, targets, epochs=2, batch_size=8, verbose=0)
    model.save(path)
    read = LIBRARIES[1 - writer].saving.load_model(path)
    for ours, theirs in zip(predictions(model, inputs), predictions(read, inputs), strict=True):
        near(ours, theirs, model)
    assert float(np.asarray(read.optimizer.learning_rate)) == float(np.asarray(model.optimizer.learning_rate))
    if writer == 1 and make is not sequential:  # Keras 3.15 cannot train on what it read from such a file
        for m in (model, read):
            m.fit(inputs, targets, epochs=1, batch_size=8, verbose=0, shuffle=False)
        for ours, theirs in zip(predictions(model, inputs), predictions(read, inputs), strict=True):
            near(ours, theirs, model, steps=3)
        assert int(np.asarray(read.optimizer.iterations)) == 9


def test_old_h5_weights_of_keras_are_read_in_the_layers_order(tmp_path: pathlib.Path) -> None:
    theirs, inputs, _ = sequential(keras)
    theirs.save(str(tmp_path / "whole.h5"))
    ours = sequential(refnet)[0]
    ours.load_weights(tmp_path / "whole.h5")
    near(ours.predict(inputs), theirs.predict(inputs, verbose=0), ours)


def test_what_only_keras_has_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    model = keras.Sequential([keras.Input((6, 6)), keras.layers.Dense(4, kernel_constraint=_own_constraint())])
    model.save(str(tmp_path / "model.keras"))
    with pytest.raises(refnet.errors.FileError, match="names a class '_Positive', which is not known"):
        refnet.saving.load_model(tmp_path / "model.keras")


def test_the_mask_that_keras_hands_on_as_an_op_is_read(tmp_path: pathlib.Path) -> None:
    """Its Attention makes a ConvertToTensor of the mask it passes on."""
    steps = keras.Input((6, 1))
    masked = keras.layers.Masking()(steps)
    seen = keras.layers.GlobalAveragePooling1D()(keras.layers.Attention()([masked, masked]))
    model, inputs = keras.Model(steps, seen), x[:, :, None] * (np.arange(6) < 4)[:, None]
    model.save(tmp_path / "model.keras")
    read = refnet.saving.load_model(tmp_path / "model.keras")
    near(predictions(model, inputs)[0], predictions(read, inputs)[0], model)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_training_that_keras_fills_in_is_no_wish_of_the_users(ending: str, tmp_path: pathlib.Path) -> None:
    images = keras.Input((4, 4, 1))
    model = keras.Model(images, keras.layers.Dropout(0.5)(keras.layers.RandomFlip()(images)))
    model.save(tmp_path / f"model.{ending}")
    read, draws = refnet.saving.load_model(tmp_path / f"model.{ending}"), np.random.default_rng(0).random((20, 4, 4, 1))
    near(predictions(model, draws)[0], predictions(read, draws)[0], model)
    assert np.any(np.asarray(read(draws, training=True)) == 0)


def test_an_old_file_names_grouped_attention_as_keras_own_code_does(tmp_path: pathlib.Path) -> None:
    steps = keras.Input((6, 1))
    model = keras.Model(steps, keras.layers.GroupQueryAttention(3, 4, 2)(steps, steps))
    model.save(tmp_path / "model.h5")
    read = refnet.saving.load_model(tmp_path / "model.h5")
    near(predictions(model, x[:, :, None])[0], predictions(read, x[:, :, None])[0], model)


def _own_constraint() -> Any:
    class _Positive(keras.constraints.Constraint):
        def __call__(self, w: Any) -> Any:
            return w

    return _Positive()


def counting(k: Any) -> Any:
    """A model of one library whose first layer keeps numbers and a file of its own; and the class of that layer."""

    class Counting(k.layers.Dense):  # type: ignore[misc, name-defined]
        seen, words = np.zeros(3), ""

        def save_own_variables(self, store: Any) -> None:
            super().save_own_variables(store)
            store["seen"] = self.seen

        def load_own_variables(self, store: Any) -> None:
            self.seen = np.array(store["seen"])
            super().load_own_variables({name: store[name] for name in sorted(store.keys()) if name != "seen"})

        def save_assets(self, inner_path: str) -> None:
            pathlib.Path(inner_path, "words.txt").write_text(self.words)

        def load_assets(self, inner_path: str) -> None:
            self.words = pathlib.Path(inner_path, "words.txt").read_text()

    model = k.Sequential([k.Input((6,)), Counting(2, name="counting"), k.layers.Dense(1)])
    return model, {"Counting": Counting}


@pytest.mark.parametrize("writer", [0, 1], ids=["from refnet", "from keras"])
def test_layers_with_a_state_of_their_own(writer: int, tmp_path: pathlib.Path) -> None:
    (model, _), (_, known) = counting(LIBRARIES[writer]), counting(LIBRARIES[1 - writer])
    model.layers[0].seen, model.layers[0].words = np.array([1.0, 2.0, 3.0]), "one two"
    model.save(tmp_path / "m.keras")
    again = LIBRARIES[1 - writer].models.load_model(tmp_path / "m.keras", custom_objects=known)
    assert again.layers[0].seen.tolist() == [1, 2, 3] and again.layers[0].words == "one two"
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("writer", [0, 1], ids=["from refnet", "from keras"])
def test_files_that_were_edited(writer: int, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both see the same in a file, and each loads what the other has changed."""
    path = str(tmp_path / "m.weights.h5")
    model, inputs, targets = with_amsgrad(LIBRARIES[writer])
    model.fit(inputs, targets, epochs=1, verbose=0)
    model.save_weights(path)
    editors = [library.saving.KerasFileEditor(path) for library in LIBRARIES]
    trees = [editor.weights_dict for editor in editors]
    for part in ("layers/dense", "layers/dense_1", "optimizer"):
        ours, theirs = (functools.reduce(lambda at, name: at[name], part.split("/"), tree) for tree in trees)
        assert list(ours) == sorted(theirs, key=int)
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
    for library, editor in zip(LIBRARIES, editors, strict=True):
        twin = with_amsgrad(library)[0]
        twin.build((None, 6))
        twin.optimizer.build(twin.trainable_variables)
        assert editor.compare(twin)["status"] == "success"
        kernel = np.full((6, 4), 0.5, "float32")
        editor.delete_object("layers/dense")
        assert editor.compare(twin)["status"] == "error"
        editor.add_object("layers/dense", {"0": kernel, "1": np.zeros(4, "float32")})
        editor.resave_weights(str(tmp_path / "edited.weights.h5"))
        for reader in LIBRARIES:
            other = with_amsgrad(reader)[0]
            other.load_weights(str(tmp_path / "edited.weights.h5"))
            np.testing.assert_array_equal(other.get_weights()[0], kernel)
            np.testing.assert_array_equal(other.get_weights()[2], model.get_weights()[2])
