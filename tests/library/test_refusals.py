"""What layers, models and helpers say to calls that make no sense: each names itself, the argument, and what came."""

from typing import Any

import numpy as np
import pytest

from refnet import callbacks, initializers, layers, losses, models, ops, utils
from refnet.errors import ArgumentError, DataError, DtypeError, FileError, ShapeError
from refnet.layers import Dense, Input
from refnet.models import Model, Sequential, clone_model
from refnet.testing.closeness import ELEMENTARY, close

ONES = np.ones((2, 3))


def called(layer: Any, *args: Any, **more: Any) -> Any:
    return layer(*args, **more)


@pytest.mark.parametrize(
    "words, make",
    [
        ("leaky_re_lu.*: negative_slope must be a number of at least 0; got -1.0", lambda: layers.LeakyReLU(-1.0)),
        ("elu.*: alpha must be a number; got 'a'", lambda: layers.ELU("a")),
        ("Dense: name must be a string; got 3", lambda: Dense(2, name=3)),
        ("input_layer.*: give either `shape`", lambda: layers.InputLayer((2,), batch_shape=(1, 2))),
        ("is an InputLayer: it is where a graph begins", lambda: layers.InputLayer((2,))(ONES)),
        (r"a shape is a tuple of integers, None where a dimension is open; got \(2.0,\)", lambda: Input((2.0,))),
        ("flatten.*: data_format is 'channels_last' or 'channels_first'; got 'first'", lambda: layers.Flatten("first")),
        ("padding is 'valid' or 'same'; got 'causal'", lambda: layers.ConvLSTM2D(2, 3, padding="causal")),
        ("random_gaussian_blur.*: kernel_size is an odd integer", lambda: layers.RandomGaussianBlur(kernel_size=2)),
        ("interpolation is 'nearest' or 'bilinear'; got 'cubic'", lambda: layers.RandomPerspective(interpolation="cubic")),
        ("needs an integer or a pair", lambda: layers.ZeroPadding2D(((1, 2, 3), 1))),
        ("num_oov_indices is not below 0; got -1", lambda: layers.StringLookup(num_oov_indices=-1)),
        ("idf_weights belong to a vocabulary", lambda: layers.StringLookup(output_mode="tf_idf", idf_weights=[1.0])),
        ("vocabulary_dtype must be 'int64'; got 'int32'", lambda: layers.IntegerLookup(vocabulary_dtype="int32")),
        ("a vocabulary was given when the layer was made", lambda: layers.TextVectorization(vocabulary=["a"]).adapt(["b"])),
        ("concatenate.*: axis must be an integer; got 'a'", lambda: layers.Concatenate("a")),
        ("concatenate.* is called on a list of tensors", lambda: layers.Concatenate()(ONES)),
        ("dot.*: axes is an integer or a pair of them; got 'a'", lambda: layers.Dot("a")),
        (r"dot.*: axes is an integer or a pair of them; got \(1, 2, 3\)", lambda: layers.Dot((1, 2, 3))),
        ("dot.* is called on exactly 2 tensors; got 3", lambda: layers.Dot(1)([ONES] * 3)),
        ("give l1 and l2; it has no argument 'activity_regularizer'", lambda: layers.ActivityRegularization(activity_regularizer="l2")),
        ("target_shape is a tuple of integers; got 'a'", lambda: layers.Reshape("a")),
        ("has an entry for each of 2 axes; got", lambda: layers.Conv2DTranspose(2, 3, output_padding=(1, 1, 1), strides=2)),
        ("output_padding must be below the strides", lambda: layers.Conv2DTranspose(2, 3, output_padding=2, strides=2)),
        ("InputSpec: axes is a dict {axis: length}; got 3", lambda: layers.InputSpec(axes=3)),
        ("flash_attention=True keeps no weights", lambda: called(layers.MultiHeadAttention(1, 2, flash_attention=True), ONES[None], ONES[None], return_attention_scores=True)),
        ("VarianceScaling: scale must be above 0; got 0", lambda: initializers.VarianceScaling(0)),
        ("constraint: give a name, an object or a function; got 3", lambda: Dense(1, kernel_constraint=3)),
    ],
)  # fmt: skip
def test_arguments_of_layers(words: str, make: Any) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


class Odd(layers.Layer):
    def __init__(self, **weight: Any):
        super().__init__(name="odd")
        self.add_weight(**weight)


@pytest.mark.parametrize(
    "words, make",
    [
        (r"flatten.* expects inputs with a batch axis, got shape \(\)", lambda: layers.Flatten()(np.float32(3))),
        (r"expects inputs of 5 axes", lambda: layers.ConvLSTM2D(2, 3)(np.ones((1, 4, 4, 1)))),
        ("expects images of 2 axes with a known number of channels", lambda: layers.ConvLSTM2D(2, 3).cell.build((None, 4, 4, None))),
        ("count_weights has shape .* they must be alike", lambda: layers.CategoryEncoding(3, "count")(np.array([[0, 1]]), count_weights=np.ones(2))),
        ("was built for inputs of 2 axes, got shape", lambda: [f(x) for f in [layers.Normalization(mean=[0.0], variance=[1.0])] for x in (np.ones((2, 1)), np.ones((2, 2, 1)))]),
        (r"needs inputs with the same number of samples; got shapes \(2, 3\), \(4, 3\)", lambda: layers.Add()([Input(batch_shape=(2, 3)), Input(batch_shape=(4, 3))])),
        (r"needs inputs of shape \(batch, steps, features\); got \(None, 3\)", lambda: layers.GroupQueryAttention(4, 2, 2)(ONES, ONES[None])),
        (r"reshape.* cannot turn samples of shape \(5,\) \(5 elements\) into \(2, -1\)", lambda: layers.Reshape((2, -1))(np.ones((2, 5)))),
        (r"odd: the weight w would have shape \(None, 2\); every dimension", lambda: Odd(shape=(None, 2), name="w")),
        (r"odd: a weight would have shape \(None,\)", lambda: Odd(shape=(None,))),
        (r"odd: the initializer of a weight gave shape \(3,\); \(2,\) was asked for", lambda: Odd(shape=(2,), initializer=lambda shape, dtype=None: np.ones(3))),
        ("the identity initializer makes matrices", lambda: initializers.Identity()((3,))),
        ("the orthogonal initializer needs at least two axes", lambda: initializers.Orthogonal()((3,))),
    ],
)  # fmt: skip
def test_shapes_that_layers_do_not_take(words: str, make: Any) -> None:
    with pytest.raises(ShapeError, match=words):
        make()


def test_inputs_that_a_spec_does_not_allow() -> None:
    class Told(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    layer = Told(name="told")
    layer.input_spec = layers.InputSpec(axes={2: 4})
    with pytest.raises(ShapeError, match=r"the input of told must have an axis 2; got shape \(None, 3\)"):
        layer(ONES)


def test_numbers_of_words_begin_with_0() -> None:
    with pytest.raises(DataError, match="the one at .0. is -9. Word numbers begin with 0"):
        layers.Embedding(3, 2)(np.array([-9]))


# ---- models


def small(**more: Any) -> Sequential:
    model = Sequential([Input((3,)), Dense(1)], name="small")
    model.compile("sgd", **{"loss": "mse", **more})
    return model


def two_heads(**more: Any) -> Any:
    x = Input((3,))
    model = Model(x, {"p": Dense(1, name="p")(x), "q": Dense(1, name="q")(x)})
    model.compile("sgd", loss=["mse", "mse"])
    return model.fit(ONES, {"p": ONES[:, :1], "q": ONES[:, :1]}, verbose=0, **more)


class Own(Model):
    def train_step(self, data: Any) -> Any:
        return super().train_step(data)


def without_loss() -> Any:
    x = Input((3,))
    model = Own(x, Dense(1)(x))
    model.compile("sgd")
    return model.fit(ONES, verbose=0)


def pair() -> Any:
    a, b = Input((3,)), Input((3,))
    return Model([a, b], layers.Add()([a, b]), name="pair")


def taken_up(tmp_path: Any) -> Any:
    backup = callbacks.BackupAndRestore(tmp_path / "run", save_freq=1)

    def ended(self: Any, batch: int, logs: Any = None) -> None:
        raise KeyboardInterrupt

    stop = type("Stop", (callbacks.Callback,), {"on_train_batch_end": ended})()
    batches = [(ONES, ONES[:, :1])] * 9
    with pytest.raises(KeyboardInterrupt):
        small().fit(iter(batches), steps_per_epoch=3, verbose=0, callbacks=[backup, stop])
    small().fit(iter(batches), steps_per_epoch=3, verbose=0, callbacks=[backup])


@pytest.mark.parametrize(
    "words, make",
    [
        ("clone_model has no argument 'copy'", lambda: clone_model(small(), copy=True)),
        ("clone_model takes a model; got 3", lambda: clone_model(3)),
        ("call_function is for functional models", lambda: clone_model(small(), call_function=print)),
        ("sequential.* has no layer to pop", lambda: Sequential().pop()),
        ("sequential.* has no layers to build", lambda: Sequential().build((None, 2))),
        ("sequential.* needs an input shape to be built", lambda: Sequential([Dense(2)]).build()),
        ("2 layers are called 'x'; names must differ", lambda: Model(a := Input((2,)), Dense(1, name="x")(Dense(2, name="x")(a)))),
        ("pair has 2 inputs; called on 1 tensors", lambda: pair()(ONES)),
        ("small.get_layer takes a name or an index", lambda: small().get_layer()),
        ("layer_range is a pair of names or patterns; got 'a'", lambda: small().summary(layer_range="a")),
        ("class_weight is for models with one output", lambda: two_heads(class_weight={0: 1.0})),
        (r"give one sample_weight, or one per output \(2\); got 3", lambda: two_heads(sample_weight=[np.ones(2)] * 3)),
        ("there is nothing to minimise", without_loss),
        ("validation_data is a generator that has ended", lambda: small().fit(ONES, ONES[:, 0], epochs=3, verbose=0, validation_data=iter([(ONES, ONES[:, 0])]))),
        ("LearningRateScheduler: schedule is a function", lambda: callbacks.LearningRateScheduler(0.5)),
        ("SwapEMAWeights needs an optimizer with use_ema=True; the model has none", lambda: Sequential([Input((3,)), Dense(1)]).predict(ONES, verbose=0, callbacks=[callbacks.SwapEMAWeights()])),
        ("load_model reads files that end in '.keras' or '.h5'; got 'model.txt'", lambda: models.load_model("model.txt")),
        ("to_categorical: give num_classes; an empty array", lambda: utils.to_categorical([])),
        ("split_dataset: the data set is empty", lambda: utils.split_dataset(iter([]), 0.5)),
        ("split_dataset takes arrays or a data set of batches; got 3", lambda: utils.split_dataset(3, 0.5)),
        ("got a tuple of 4", lambda: utils.unpack_x_y_sample_weight((1, 2, 3, 4))),
        ("reduction is one of", lambda: losses.MeanSquaredError(reduction="all")),
    ],
)  # fmt: skip
def test_what_models_and_helpers_refuse(words: str, make: Any) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


def test_what_depends_on_data() -> None:
    rows = Sequential([Input((2, 3)), Dense(3, activation="softmax")])
    rows.compile("sgd", "categorical_crossentropy")
    with pytest.raises(ShapeError, match=r"class_weight needs one class per sample; y has shape \(2, 2, 3\)"):
        rows.fit(np.ones((2, 2, 3)), np.eye(3)[[[0, 1], [1, 2]]], class_weight={0: 1.0}, verbose=0)
    with pytest.raises(DataError, match="to_categorical takes whole numbers; got dtype float64"):
        utils.to_categorical([0.5])
    assert utils.to_categorical([[0.0], [1.0]]).tolist() == [[1, 0], [0, 1]]
    classes = Sequential([Input((3,)), Dense(3, activation="softmax", kernel_initializer="zeros")])
    classes.compile("sgd", losses.SparseCategoricalCrossentropy(ignore_class=-1))
    with pytest.raises(DataError, match=r"in 0..2 for 3 classes; y\[1\] is -2"):
        classes.fit(ONES, [0, -2], verbose=0)
    history = classes.fit(ONES, [0, -1], verbose=0).history  # -1 is no class, and not refused
    close(history["loss"], [np.log(3)], 2 * (2 * ELEMENTARY + 6))
    with pytest.raises(AttributeError, match="has not been called on a tensor yet: it has no single input and output"):
        print(Dense(2).output)


def test_a_backup_within_an_epoch_of_data_that_come_batch_by_batch(tmp_path: Any) -> None:
    with pytest.raises(ArgumentError, match="the backup was written within an epoch, after 1 batches"):
        taken_up(tmp_path)


def test_layers_that_read_weights_of_another_shape() -> None:
    layer = Dense(1, name="one")
    layer(ONES)
    with pytest.raises(FileError, match=r"one/kernel has shape \(3, 1\); the file has shape \(2, 1\)"):
        layer.load_own_variables({"0": np.ones((2, 1)), "1": np.ones(1)})
    assert layer.bias.numpy().tolist() == [0]
    with pytest.raises(DtypeError, match="unknown dtype float7; refnet knows"):
        ops.cast(ONES, "float7")
