"""Sequential and functional models: how they are built, what they hold, what they print."""

from typing import Any

import numpy as np
import pytest

from refnet import initializers, ops
from refnet.errors import ArgumentError, ShapeError
from refnet.layers import Activation, Dense, Dropout, Embedding, Flatten, Input, InputLayer, Layer, Masking, SimpleRNN
from refnet.models import Model, Sequential
from refnet.testing import close
from refnet.testing.conformance import agree

X = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)


def small(**more: Any) -> Sequential:
    return Sequential([Dense(3, activation="relu", name="a"), Dense(2, name="b")], **more)


@pytest.mark.api("Sequential")
def test_a_sequential_is_built_by_its_first_data_a_shape_or_an_input() -> None:
    late, by_shape = small(), small()
    assert not late.built and late.weights == []
    late(X)
    by_shape.build((None, 4))
    ready = Sequential([Input((4,)), Dense(3, name="a"), Dense(2, name="b")])
    old = Sequential([Dense(3, input_shape=(4,), name="a"), Dense(2, name="b")])
    also = Sequential([Dense(3, input_dim=4, name="a"), Dense(2, name="b")])
    for model in (late, by_shape, ready, old, also):
        assert model.built and [w.shape for w in model.weights] == [(4, 3), (3,), (3, 2), (2,)]
        assert model.count_params() == 23 and model.output_shape == (None, 2) and model.input_shape == (None, 4)
        assert [layer.name for layer in model.layers] == ["a", "b"]


@pytest.mark.api("Sequential", "model.get_layer")
def test_layers_are_added_and_popped() -> None:
    model = small()
    model(X)
    first = model.predict(X)
    model.add(Activation("softmax", name="c"))
    close(model.predict(X).sum(1), np.ones(3), 2 * X.shape[0] + 8)
    assert model.pop().name == "c" and np.array_equal(model.predict(X), first)
    assert model.get_layer("a") is model.layers[0] is model.get_layer(index=0)
    with pytest.raises(ArgumentError, match="an Input can only stand at the front"):
        model.add(Input((4,)))
    with pytest.raises(ArgumentError, match="takes a layer; got 'relu'"):
        model.add("relu")


@pytest.mark.api("Model", "model.layers", "multi-input / multi-output / DAG / shared layers")
def test_inputs_outputs_and_layers_of_a_functional_model() -> None:
    left, right = Input((4,), name="left"), Input((4,), name="right")
    shared = Dense(3, name="shared")
    joined = ops.concatenate([shared(left), shared(right)], axis=-1)
    model = Model([left, right], {"sum": Dense(1, name="total")(joined), "parts": joined})
    assert [layer.name for layer in model.layers] == ["left", "right", "shared", "total"]
    assert isinstance(model.layers[0], InputLayer) and len(model.weights) == 4
    y = model.predict([X, X])
    again = model.predict({"right": X, "left": X})
    assert list(y) == ["sum", "parts"] and np.array_equal(y["parts"], again["parts"])
    assert np.array_equal(y["parts"][:, :3], y["parts"][:, 3:])
    with pytest.raises(AttributeError, match="shared has been called 2 times"):
        shared.output  # noqa: B018
    inner = Model(model.inputs, model.get_layer("total").output)  # a model from inner tensors
    np.testing.assert_array_equal(inner.predict([X, X]), y["sum"])


@pytest.mark.api("predict", "NumPy in, writable NumPy out")
def test_dicts_of_inputs_and_outputs_are_read_by_sorted_keys() -> None:
    """As in Keras, so that files of weights and `set_weights` find the layers where they stand there."""
    first, second = Input((3,), name="zz"), Input((3,), name="aa")
    model = Model({"zz": first, "aa": second}, {"zed": Dense(2, name="b")(first), "one": Dense(2, name="a")(second)})
    assert [layer.name for layer in model.layers] == ["aa", "zz", "a", "b"]
    assert model.input_names == ["aa", "zz"] and model.output_names == ["one", "zed"]
    model.set_weights([np.full((3, 2), 1.0), np.zeros(2), np.full((3, 2), 2.0), np.zeros(2)])
    x = {"zz": np.ones((2, 3), "float32"), "aa": np.ones((2, 3), "float32")}
    assert [(key, float(y[0, 0])) for key, y in model.predict(x, verbose=0).items()] == [("zed", 6.0), ("one", 3.0)]


def test_layers_are_listed_in_keras_order_and_in_that_of_a_file() -> None:
    """A mask is two ops in Keras's graph, which moves what lies before it; names of weights and slots go by that order."""
    words, steps = Input((4, 3), name="words"), Input((4, 3), name="steps")
    first = SimpleRNN(3, return_sequences=True, name="first")(words)
    masked = Masking(name="masking")(first)
    second = Dense(3, name="second")(Dense(3, name="before")(steps))
    model = Model([steps, words], [SimpleRNN(2, name="last")(masked), SimpleRNN(2, name="other")(second)])
    in_keras = ["words", "first", "steps", "before", "masking", "second", "last", "other"]
    assert [layer.name for layer in model.layers] == in_keras
    config = model.get_config()
    config["layers"][1], config["layers"][2] = config["layers"][2], config["layers"][1]
    again = Model.from_config(config)
    assert [layer.name for layer in again.layers] == [entry["name"] for entry in config["layers"]]
    assert [x["name"] for x in again.get_config()["layers"]] == [x["name"] for x in config["layers"]]


def test_predictions_are_new_arrays_that_may_be_written_to() -> None:
    model = small()
    model(X)
    y = model.predict(X)
    y -= y
    assert np.any(model.predict(X) != 0)
    batch = model.predict_on_batch(X)
    batch[:] = 0
    assert y.dtype == np.float32 and np.array_equal(model.predict(X, batch_size=2), model.predict(X))
    assert np.array_equal(model.predict(X.tolist()), model.predict(X)) and np.array_equal(model(X), model.predict(X))


def test_one_dimensional_data_for_an_input_of_one_feature() -> None:
    model = Sequential([Input((1,)), Dense(2)])
    assert model.predict(np.ones(5)).shape == (5, 2)


@pytest.mark.api("Model used as a layer", "model(x) call")
def test_a_called_model_puts_a_last_axis_in_or_drops_it_as_fit_does() -> None:
    """As Keras: images without an axis for their one colour, inside of another model too."""
    images, whole = np.arange(32.0, dtype="float32").reshape(2, 4, 4), Input((4, 4, 1))
    model, plain = Model(whole, Flatten()(whole)), Input((4, 4))
    without = Model(plain, model(plain))
    for called in (model, Model(plain, Flatten()(plain)), without):
        for x in (images, images[..., None]):
            np.testing.assert_array_equal(called(x), images.reshape(2, 16))
    steps = Input((None, 1))
    masked = Model(words := Input((3,)), Masking()(Model(steps, ops.add(steps, 0.0))(words)))
    assert masked(np.ones((2, 3))).shape == (2, 3, 1)
    with pytest.raises(ShapeError, match="one sample is"):
        model(images[0][..., None])


def test_nested_models_share_weights() -> None:
    core = Sequential([Input((4,)), Dense(4, name="d"), Dropout(0.5)], name="core")
    a = Input((4,))
    model = Model(a, core(core(a)))
    assert model.layers[1:] == [core] and len(model.weights) == 2
    kernel, bias = core.get_weights()
    np.testing.assert_array_equal(model.predict(X), model(X))
    agree(model, (X @ kernel + bias) @ kernel + bias, X)
    stacked = Sequential([core, Flatten(), Dense(1)])
    assert stacked.built and stacked.predict(X).shape == (3, 1) and stacked.layers[0] is core


@pytest.mark.api("layer.set_weights", "layer.trainable, model.trainable", "model.trainable_weights")
def test_weights_go_out_and_come_back() -> None:
    one, two = small(), small()
    one(X), two(X)
    two.set_weights(one.get_weights())
    assert np.array_equal(one.predict(X), two.predict(X))
    copies = one.get_weights()
    copies[0][:] = 0
    assert np.any(one.get_weights()[0] != 0)
    one.trainable = False
    assert one.trainable_weights == [] and len(one.non_trainable_weights) == 4 and not one.layers[0].trainable


def test_sequential_comes_back_from_its_config() -> None:
    model = Sequential([Input((4,)), Dense(3, "relu"), Dropout(0.2), Dense(2)], name="net")
    again = Sequential.from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers] and again.name == "net"
    assert np.array_equal(again.predict(X), model.predict(X))


def test_a_subclass() -> None:
    class Net(Model):
        def __init__(self, units: int):
            super().__init__()
            self.hidden = [Dense(units), Dense(2)]

        def call(self, inputs: Any) -> Any:
            for layer in self.hidden:
                inputs = layer(inputs)
            return inputs

    net = Net(3)
    assert net(X).shape == (3, 2) and np.array_equal(net.predict(X), net(X))
    assert net.layers == net.hidden and len(net.weights) == 4
    net.compile("sgd", "mse")
    before = net.get_weights()
    net.fit(X, X[:, :2], verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, net.get_weights()))
    built = Net(3)
    built.build((None, 4))
    assert len(built.weights) == 4


def test_predictions_whose_rows_are_not_the_samples() -> None:
    a = Input((4,))
    doubled = Model(a, ops.concatenate([a, a], axis=0))
    assert doubled.predict(X, batch_size=2).shape == (6, 4)
    total = Model(a, ops.sum(a))
    assert total.predict(X, batch_size=2).shape == (2,)


@pytest.mark.api("summary() table", "summary")
def test_the_summary_of_a_chain_and_of_a_branched_model() -> None:
    lines: list[str] = []
    model = Sequential([Input((4,)), Dense(3, name="first"), Dense(2, name="second")], name="net")
    model.layers[0].trainable = False
    model.summary(print_fn=lines.append)
    assert lines == [
        'Model: "net"',
        "┌────────────────┬──────────────┬─────────┐",
        "│ Layer (type)   │ Output Shape │ Param # │",
        "├────────────────┼──────────────┼─────────┤",
        "│ first (Dense)  │ (None, 3)    │      15 │",
        "├────────────────┼──────────────┼─────────┤",
        "│ second (Dense) │ (None, 2)    │       8 │",
        "└────────────────┴──────────────┴─────────┘",
        " Total params: 23 (92.00 B)",
        " Trainable params: 8 (32.00 B)",
        " Non-trainable params: 15 (60.00 B)",
    ]
    model.compile("sgd", "mse")
    lines.clear()
    model.summary(print_fn=lines.append)
    # as the book prints it: an optimizer that did nothing has nothing
    assert lines[-3] == " Total params: 23 (92.00 B)"
    model.train_on_batch(np.zeros((1, 4)), np.zeros((1, 2)))
    lines.clear()
    model.summary(print_fn=lines.append)  # Keras counts the optimizer: iterations and learning rate
    assert lines[-4] == " Total params: 25 (104.00 B)" and lines[-1] == " Optimizer params: 2 (12.00 B)"
    a = Input((4,), name="a")
    d = Dense(4, name="d")
    branched = Model(a, d(a) + Dense(4, name="e")(a))
    lines.clear()
    branched.summary(print_fn=lines.append)
    assert "Connected to" in lines[2] and "│ e (Dense)      │ (None, 4)    │      20 │ a            │" in lines
    lines.clear()
    small(name="late").summary(print_fn=lines.append)
    assert "│ a (Dense)    │ ?            │ 0 (unbuilt) │" in lines


def test_the_summary_of_a_model_that_begins_with_an_embedding_has_the_books_numbers() -> None:
    lines: list[str] = []
    model = Sequential([Embedding(10000, 32, name="words"), SimpleRNN(32, return_sequences=True, name="steps")])
    model.summary(print_fn=lines.append)
    assert "│ words (Embedding) │ (None, None, 32) │ 320,000 │" in lines and lines[-3].startswith(
        " Total params: 322,080"
    )
    model.add(SimpleRNN(2))
    model.add(Dense(1))
    lines.clear()
    model.summary(print_fn=lines.append)
    assert lines[-3].startswith(f" Total params: {322080 + 2 * (32 + 2 + 1) + 3:,}")
    assert model.predict(np.zeros((2, 7)), verbose=0).shape == (2, 1)
    length_needed = Sequential([Embedding(10, 2), Flatten(), Dense(1, name="last")])
    lines.clear()
    length_needed.summary(print_fn=lines.append)
    assert [line for line in lines if "last (Dense)" in line and "unbuilt" in line] and not length_needed.built
    assert length_needed.predict(np.zeros((2, 3)), verbose=0).shape == (2, 1)


def test_a_thousand_layers_do_not_overflow_the_stack() -> None:
    x = y = Input((1,))
    for _ in range(1000):
        y = Layer.__call__(Activation("linear"), y) + 0.5
    model = Model(x, y)
    assert model.predict(np.zeros((1, 1)))[0, 0] == 500


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("fitted", [False, True])
def test_a_layer_that_was_popped_is_trained_no_more(fitted: bool, eagerly: bool) -> None:
    """Neither its regularizer nor the optimizer reaches it; the others stay as trainable as compile found them, and so does it."""
    first, kept = (Dense(1, kernel_initializer="zeros", name=name) for name in ("first", "kept"))
    last = Dense(1, kernel_initializer=initializers.Constant(3.0), kernel_regularizer="l2", name="last")
    model = Sequential([Input((2,)), first, kept, last])
    first.trainable = False
    model.compile("adam", "mse", run_eagerly=eagerly)
    first.trainable, kept.trainable = True, False  # too late: until the next compile, as in the book's GAN
    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    if fitted:
        model.fit(x, y, verbose=0)
    assert model.pop() is last
    before = [layer.get_weights() for layer in (first, kept, last)]
    history = model.fit(x, y, batch_size=4, epochs=2, verbose=0).history
    output = 0.0 if not fitted else float(before[1][1][0])
    assert history["loss"][0] == np.float32(1 - output) ** 2
    changed = [
        any(not np.array_equal(a, b) for a, b in zip(old, layer.get_weights()))
        for old, layer in zip(before, (first, kept, last))
    ]
    assert changed == [False, True, False]
    model.add(last)
    old = last.get_weights()
    model.fit(x, y, verbose=0)
    assert not np.array_equal(last.get_weights()[0], old[0])
