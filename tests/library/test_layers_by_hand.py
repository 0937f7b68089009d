"""Ways through layers that few programs take, beside numbers worked out by hand or beside the same thing written otherwise."""

from typing import Any

import numpy as np
import pytest

from refnet import layers, ops, regularizers, utils, value_and_grad
from refnet.layers import Dense, Input
from refnet.models import Model, Sequential
from refnet.testing.closeness import ELEMENTARY, close

RANDOM = np.random.default_rng(0)
STEPS = RANDOM.integers(-4, 5, (2, 3, 2)).astype("float32")


def test_attention_may_scale_its_scores() -> None:
    """Scores 2 * ln(2) * (1, 0) are weights of 4/5 and 1/5."""
    layer = layers.Attention(use_scale=True)
    query, value = np.array([[[1.0, 0.0]]], "float32"), np.array([[[np.log(2), 0.0], [0.0, 5.0]]], "float32")
    layer([query, value])
    layer.set_weights([np.float32(2.0)])
    due = [[[4 / 5 * np.log(2), 1.0]]]
    for got in (layer([query, value]), layer([query, value], return_attention_scores=True)[0]):
        close(got, due, 2 * (2 * ELEMENTARY + 8))


def test_inputs_of_fewer_axes_are_merged_with_every_step() -> None:
    row, steps = np.array([[1.0, 2.0]]), np.array([[[10.0, 20.0], [30.0, 40.0]]])
    assert layers.Add()([row, steps]).tolist() == [[[11, 22], [31, 42]]]
    assert layers.Dot(1, normalize=True)([np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]])]).round(6) == np.float32(0.8)


def test_a_convolutional_memory_backwards_is_one_of_turned_steps() -> None:
    x, mask = (
        RANDOM.standard_normal((2, 3, 4, 4, 1)).astype("float32"),
        np.array([[True, True, False], [False, True, True]]),
    )
    back = layers.ConvLSTM2D(2, 3, go_backwards=True, return_sequences=True, use_bias=False)
    ahead = layers.ConvLSTM2D(2, 3, return_sequences=True, use_bias=False)
    found = back(x, mask=mask)
    ahead(x)
    ahead.set_weights(back.get_weights())
    np.testing.assert_array_equal(found, ahead(x[:, ::-1], mask=mask[:, ::-1]))


def test_cells_are_called_step_by_step_too() -> None:
    """A ConvLSTMCell and a stack of cells, called by themselves: what the layer around them does at once."""
    x = RANDOM.standard_normal((2, 3, 4, 4, 1)).astype("float32")
    whole = layers.ConvLSTM2D(2, 3)
    last, states = whole(x), whole.cell.get_initial_state(2)
    for t in range(3):
        output, states = whole.cell(x[:, t], states)
    close(
        output, last, 2 * (9 * 3 + 8 * ELEMENTARY) * 3, 4.0
    )  # of gates below 1 and of sums of 9 * 3 products of about 1
    cells = [layers.SimpleRNNCell(2, "relu"), layers.SimpleRNNCell(3, "relu")]
    stack = layers.StackedRNNCells(cells)
    rnn = layers.RNN(stack)
    rnn(STEPS)
    rnn.set_weights([np.round(8 * w) / 8 for w in rnn.get_weights()])  # short fractions: nothing rounds
    states = stack.get_initial_state(2)
    for t in range(3):
        output, states = stack(STEPS[:, t], states)
    np.testing.assert_array_equal(output, rnn(STEPS))


def test_bidirectional_takes_states_in_its_list_and_begins_anew_both_ways() -> None:
    inner = layers.SimpleRNN(1, None, stateful=True, kernel_initializer="ones", recurrent_initializer="ones")
    layer = layers.Bidirectional(inner)
    x = Input(batch_shape=(1, 2, 1))
    model = Model(x, layer(x))
    steps = np.array([[[1.0], [2.0]]])
    seen = [model.predict(steps, batch_size=1, verbose=0).tolist() for _ in range(2)]
    assert seen == [[[3, 3]], [[6, 6]]]  # each way keeps the sum
    assert [s.numpy().tolist() for s in layer.states] == [[[6.0]], [[6.0]]]
    layer.reset_states()
    assert [s.numpy().tolist() for s in layer.states] == [[[0.0]], [[0.0]]]
    plain = layers.Bidirectional(layers.SimpleRNN(1, None, kernel_initializer="ones", recurrent_initializer="ones"))
    first = np.array([[10.0]]), np.array([[100.0]])
    assert plain([steps, *first]).tolist() == [[13, 103]] == plain(steps, initial_state=list(first)).tolist()


def test_weights_given_to_bidirectional_are_the_forward_layers_first() -> None:
    forth, back = (
        [np.full(s, 2.0, "float32") for s in ((1, 1), (1, 1), (1,))],
        [np.full(s, 3.0, "float32") for s in ((1, 1), (1, 1), (1,))],
    )
    layer = layers.Bidirectional(layers.SimpleRNN(1, None), weights=[*forth, *back])
    assert layer(np.array([[[1.0]]])).tolist() == [[2 + 2, 3 + 3]]
    backwards = layers.Bidirectional(
        layers.SimpleRNN(
            1, None, go_backwards=True, return_sequences=True, kernel_initializer="ones", recurrent_initializer="ones"
        )
    )
    # the layer that goes back stands first; both outputs stand in the order of time
    assert backwards(np.array([[[1.0], [2.0]]])).tolist() == [[[3, 1], [2, 3]]]


def test_a_gru_step_by_step_with_masks_of_the_state() -> None:
    """An activation of the user's own, so that the cell is taken step by step: one mask for each gate, or one for all three."""
    cell = layers.GRUCell(2, activation=lambda x: x, recurrent_activation=lambda x: x)
    cell(np.ones((1, 1), "float32"), [np.ones((1, 2), "float32")])
    h, masks = np.array([[1.0, 2.0]]), np.array([[[0.0, 1.0]], [[2.0, 1.0]], [[1.0, 0.0]]])
    assert [m.tolist() for m in cell.masked_states(h, masks)] == [[[0, 2]], [[2, 2]], [[1, 0]]]
    assert [m.tolist() for m in cell.masked_states(h, masks[0])] == [[[0, 2]]] * 3


def test_a_step_of_a_sequence_may_be_a_batch_of_its_own() -> None:
    """Normalized over the batch, each step by its own mean; the moving mean follows every step: 1/2 of the way to 2, then to 6."""
    x = np.array([[[1.0], [5.0]], [[3.0], [7.0]]], "float32")
    inner = layers.BatchNormalization(momentum=0.5, epsilon=0.0)
    layer = layers.TimeDistributed(inner)
    assert layer(x, training=True).tolist() == [[[-1], [-1]], [[1], [1]]]
    assert inner.moving_mean.numpy().tolist() == [(0 * 0.5 + 1) * 0.5 + 3]
    penalized = layers.TimeDistributed(layers.ActivityRegularization(l1=0.5))
    model = Model(a := Input((2, 1)), penalized(a))
    model.compile("sgd")
    assert (
        model.evaluate(x, verbose=0) == 0.5 * (4 + 12) / 2
    )  # of a step: half the sum over its batch of two, divided by it
    over_samples = layers.TimeDistributed(layers.Softmax(axis=0))(np.zeros((2, 3, 1)))
    assert over_samples.tolist() == np.full((2, 3, 1), 0.5).tolist()


def test_each_step_gets_its_own_part_of_a_mask() -> None:
    class Counting(layers.Layer):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            return ops.where(ops.expand_dims(mask, -1), inputs, ops.zeros_like(inputs))

    x, mask = np.arange(1.0, 9.0).reshape(1, 2, 2, 2), np.array([[[True, False], [False, True]]])
    due = (x * mask[..., None]).tolist()
    assert layers.TimeDistributed(Counting())(x, mask=mask).tolist() == due  # step by step
    rnn = layers.SimpleRNN(1, None, kernel_initializer="ones", recurrent_initializer="ones")
    found = layers.TimeDistributed(rnn)(x, mask=mask)  # all steps as one batch
    assert found.tolist() == [[[1 + 2], [7 + 8]]]


def test_renormalized_batches_without_a_scale() -> None:
    """r and d alone: with slow statistics of 0 and 1 what comes out is what went in."""
    x = np.array([[1.0], [3.0]], "float32")
    layer = layers.BatchNormalization(renorm=True, scale=False, center=False, epsilon=0.0)
    np.testing.assert_array_equal(layer(x, training=True), x)
    tight = layers.BatchNormalization(renorm=True, epsilon=0.0, renorm_clipping={"dmax": 0.5, "rmax": 1.0, "rmin": 1.0})
    assert tight(x, training=True).tolist() == [[-1 + 0.5], [1 + 0.5]]
    assert tight(-x, training=True)[0] > 0 > tight(-x, training=True)[1]  # moved by -1/2 then, not by -2


def test_renormalizing_factors_count_as_constants() -> None:
    """What comes out is x, as above; yet of two normalized numbers, always -1 and 1, the gradient is 0, and not that of x."""
    layer = layers.BatchNormalization(renorm=True, epsilon=0.0)
    choice = np.array([[1.0], [0.0]], "float32")
    value, gradient = value_and_grad(lambda x: ops.sum(layer(x, training=True) * choice))(
        np.array([[1.0], [3.0]], "float32")
    )
    assert float(value) == 1
    close(gradient, np.zeros((2, 1)), 2 * 12, 2.0)  # terms of at most r / stddev = 1 on either side


def test_the_moving_variance_of_renormalized_batches_is_without_epsilon() -> None:
    """A variance of 2 and an epsilon of 1/4 are a deviation of 3/2; half of the way from 1 it is 5/4, a variance of 25/16 - 1/4."""
    layer = layers.BatchNormalization(renorm=True, momentum=0.5, renorm_momentum=0.5, epsilon=0.25)
    layer(np.array([[-2.0], [2.0], [0.0], [0.0]], "float32"), training=True)
    assert layer.moving_variance.numpy().tolist() == [21 / 16] and layer.renorm_stddev.numpy().tolist() == [5 / 4]


class Doubling(utils.PyDataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return np.array([[1.0], [3.0]]) * (index + 1), np.zeros(2)


def test_what_data_sets_teach_and_how_many_of_their_batches() -> None:
    layer = layers.Normalization()
    layer.adapt(Doubling())  # 1, 3, 2, 6
    assert np.asarray(layer.adapt_mean.numpy()).tolist() == [3.0] and layer.adapt_variance.numpy().tolist() == [3.5]
    bins = layers.Discretization(num_bins=2)
    bins.adapt(iter([np.array([1.0, 2.0, 3.0, 4.0]), np.array([100.0, 200.0])]), steps=1)
    assert bins.bin_boundaries == [2.0]
    words = layers.StringLookup()
    words.adapt(iter([["a"], ["b"]]), steps=1)
    assert words.get_vocabulary() == ["[UNK]", "a"]
    texts = layers.TextVectorization()
    texts.set_vocabulary(["a", "b"])
    assert texts("b a c").tolist() == [3, 2, 1]
    assert layers.Hashing(3)(np.array([1.0, 2.0])).tolist() == layers.Hashing(3)(np.array([1, 2])).tolist()


def test_input_specs_squeeze_leave_out_and_come_back() -> None:
    class Told(layers.Layer):
        def __init__(self, spec: Any):
            super().__init__()
            self.input_spec = spec

        def call(self, inputs: Any) -> Any:
            return inputs[0] if isinstance(inputs, list) else inputs

    spec = layers.InputSpec(shape=(None, 2), allow_last_axis_squeeze=True)
    assert Told(spec)(np.ones((3, 2, 1))).shape == (3, 2, 1)
    assert Told(layers.InputSpec(shape=(None, 2, 1), allow_last_axis_squeeze=True))(np.ones((3, 2))).shape == (3, 2)
    assert Told([layers.InputSpec(ndim=2), None])([np.ones((3, 2)), np.ones(1)]).shape == (3, 2)
    again = layers.InputSpec.from_config(layers.InputSpec(dtype="float32", min_ndim=2, axes={-1: 4}).get_config())
    assert repr(again) == "InputSpec(dtype='float32', min_ndim=2, axes={-1: 4})"


def test_a_gate_of_grouped_attention_lets_half_through() -> None:
    """A gate without weights is sigmoid(0)."""
    x = RANDOM.standard_normal((1, 3, 4)).astype("float32")
    gated = layers.GroupQueryAttention(4, 2, 1, use_gate=True)
    plain = layers.GroupQueryAttention(4, 2, 1)
    gated(x, x), plain(x, x)
    names = [w.name.rpartition("/")[0] for w in gated.weights]
    values = [np.zeros_like(w.numpy()) if "gate" in name else w.numpy() for w, name in zip(gated.weights, names)]
    gated.set_weights(values)
    plain.set_weights([v for v, name in zip(values, names) if "gate" not in name])
    close(gated(x, x), plain(x, x) / 2, 2 * 4 * 12, 4.0)


def test_lambdas_of_keras_2_recurrent_layers_and_einsum_take_what_they_are_given() -> None:
    assert layers.LSTM(2, implementation=1).cell is not None
    dense = layers.EinsumDense("ab,bc->ac", 3, kernel_initializer="ones")
    assert dense(np.array([[1.0, 2.0]])).tolist() == [[3, 3, 3]]
    assert Sequential([Input((2,)), Dense(1)]).output_shape == (None, 1)


@pytest.mark.parametrize("name", ["Cropping3D", "ZeroPadding3D", "UpSampling3D"])
def test_volumes_by_one_number(name: str) -> None:
    x = np.arange(27.0).reshape(1, 3, 3, 3, 1)
    found = getattr(layers, name)(1)(x)
    due = {
        "Cropping3D": x[:, 1:2, 1:2, 1:2],
        "ZeroPadding3D": np.pad(x, [(0, 0), (1, 1), (1, 1), (1, 1), (0, 0)]),
        "UpSampling3D": x,
    }
    np.testing.assert_array_equal(found, due[name])


def test_dropouts_scale_what_is_left_so_that_mean_and_spread_stay() -> None:
    """Of zeros AlphaDropout makes two numbers whose mean is 0: a share of 1/4 lies at a * low * 3/4, the rest at -a * low / 4."""
    low = -1.7580993408473766
    a = (0.75 * (1 + 0.25 * low**2)) ** -0.5
    values = np.unique(layers.AlphaDropout(0.25, seed=3)(np.zeros((8, 8), "float32"), training=True))
    close(values, [a * low * 0.75, -a * low * 0.25], 2 * 6, a * abs(low))
    ones = np.ones((4, 4), "float32")
    noise = layers.GaussianNoise(1.0, seed=3)(ones, training=True) - ones
    spread = layers.GaussianDropout(0.8, seed=3)(ones, training=True) - ones  # sqrt(0.8 / 0.2) times the same draws
    close(spread, 2 * noise, 2 * 4, 2 * abs(noise) + 2)
    for layer, axes in (
        (layers.SpatialDropout2D(0.5, "channels_first", seed=3), (2, 3)),
        (layers.SpatialDropout2D(0.5, seed=3), (1, 2)),
    ):
        kept = layer(np.ones((3, 4, 4, 4), "float32"), training=True)
        assert set(np.unique(kept)) == {0, 2} and not np.ptp(kept, axis=axes).any()  # whole channels


def test_a_deviation_of_nothing_counts_as_1e_7() -> None:
    layer = layers.Normalization(mean=[1.0], variance=[0.0])
    close(layer(np.array([[1.0], [2.0]])), [[0.0], [1e7]], 2 * 4)
    back = layers.Normalization(mean=[1.0], variance=[0.0], invert=True)
    close(back(np.array([[1e7]])), [[2.0]], 2 * 4)


def test_opposite_rows_are_not_at_right_angles() -> None:
    penalty = regularizers.OrthogonalRegularizer(0.5)
    assert float(penalty(np.array([[2.0, 0.0], [-3.0, 0.0]]))) == 0.5
    assert float(penalty(np.array([[2.0, 0.0], [-3.0, 0.0], [0.0, 1.0]]))) == 0.5 / 3  # one pair of three


def test_special_tokens_are_not_learned_and_what_is_too_long_is_cut_at_the_end() -> None:
    words = layers.StringLookup(mask_token="")
    words.adapt(["a", "", "", "[UNK]", "[UNK]", "a", "b"])
    assert words.get_vocabulary() == ["", "[UNK]", "a", "b"]
    numbers = layers.IntegerLookup(mask_token=0, oov_token=-1)
    numbers.adapt([0, 0, -1, -1, 7])
    assert numbers.get_vocabulary() == [0, -1, 7]
    texts = layers.TextVectorization(vocabulary=["a", "b", "c"], output_sequence_length=2)
    assert texts(["a b c", "c"]).tolist() == [[2, 3], [4, 0]]
    bins = layers.IntegerLookup(vocabulary=[5], num_oov_indices=2, mask_token=0)
    assert bins([0, 5, 8, 9]).tolist() == [0, 3, 1, 2]  # the mask, then two for unknown ones: the number modulo 2
