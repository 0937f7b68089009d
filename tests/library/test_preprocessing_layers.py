"""Normalization, discretization and encoding of features by hand-computed examples; preprocessing layers in models and files."""

import math
import tracemalloc

import numpy as np
import pytest

from refnet import backend, layers, models, ops
from refnet.errors import ArgumentError, ShapeError
from refnet.layers import Input
from refnet.testing.closeness import close

RANDOM = np.random.default_rng(4)


# ---- features


@pytest.mark.api("z-score normalisation with training statistics; min-max; mean normalisation; missing values = 0")
def test_normalization_learns_its_statistics():
    """The example of Keras's documentation."""
    data = np.array([[0.0, 7.0, 4.0], [2.0, 9.0, 6.0], [0.0, 7.0, 4.0], [2.0, 9.0, 6.0]], "float32")
    layer = layers.Normalization(axis=-1)
    layer.adapt(data)
    assert layer(np.array([[0.0, 7.0, 4.0]], "float32")).tolist() == [[-1, -1, -1]]
    back = layers.Normalization(axis=-1, invert=True)
    back.adapt(data)
    assert back(np.array([[1.0, 2.0, 3.0]], "float32")).tolist() == [[2, 10, 8]]
    whole = layers.Normalization(axis=None)
    whole.adapt(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    due = [-math.sqrt(2), -math.sqrt(0.5), 0]
    close(whole(np.array([1.0, 2.0, 3.0])), due, 2 * 3)
    given = layers.Normalization(mean=3.0, variance=2.0)
    close(given(np.array([[1.0], [2.0], [3.0]]))[:, 0], due, 2 * 3)
    constant = layers.Normalization()
    constant.adapt(np.ones((3, 1)))
    assert constant(np.array([[1.0]])).tolist() == [[0.0]]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("invert", [False, True])
def test_normalization_by_given_numbers_keeps_to_its_policy(policy: str, invert: bool):
    layer = layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 0.25], invert=invert, dtype=policy)
    y = layer(np.array([[3.0, 2.5]], "float32"))
    assert y.dtype.name == policy.removeprefix("mixed_") and y.tolist() == [[7.0, 3.25] if invert else [1.0, 1.0]]


def test_normalization_learns_the_same_from_batches():
    x = RANDOM.random((20, 3, 4)) * 5
    once, batches, source = (layers.Normalization(axis=(1, 2)) for _ in range(3))
    once.adapt(x)
    batches.adapt([x[:7], x[7:9], x[9:]])
    source.adapt(iter([(x[:11], None), (x[11:], None)]))  # pairs of inputs and targets
    for other in (batches, source):
        for a, b in zip(once.get_weights(), other.get_weights()):
            np.testing.assert_array_equal(a, b)
    assert [w.shape for w in once.get_weights()] == [(3, 4), (3, 4), ()]
    model = models.Sequential([Input((3, 4)), once])
    # x, mean and variance are rounded; three operations follow; and a mean of 20, or two of them
    y, size = model.predict(x, verbose=0), 2 * x.max() / x.std(0)
    close(y.mean(0), np.zeros((3, 4)), 6 + 20, size)
    once.adapt(x + 1)  # learns anew, in the model too
    y, size = model.predict(x + 1, verbose=0), 2 * (x.max() + 1) / x.std(0)
    close(y.std(0), np.ones((3, 4)), 6 + 2 * 20, size)


def test_an_empty_batch_teaches_nothing():
    """It made all means NaN; no data at all ended in a division by zero."""
    layer = layers.Normalization()
    layer.adapt([np.ones((2, 3)), np.zeros((0, 3)), 3 * np.ones((2, 3))])
    np.testing.assert_array_equal(layer.mean, [[2, 2, 2]])
    for layer in (layers.Normalization(), layers.Discretization(num_bins=3)):
        with pytest.raises(ArgumentError, match="no numbers to learn from; all batches are empty"):
            layer.adapt(np.zeros((0, 3)))


def test_mistakes_with_normalization():
    for make, error, words in (
        (lambda: layers.Normalization(mean=1.0), ArgumentError, "together"),
        (lambda: layers.Normalization(mean=[1.0], variance=1.0), ShapeError, "mean has shape"),
        (lambda: layers.Normalization(axis=None, mean=[1.0], variance=[1.0]), ShapeError, "axes"),
        (lambda: layers.Normalization(axis=1.5), ArgumentError, "axis is"),
        (lambda: layers.Normalization(axis=3)(np.zeros((2, 2))), ShapeError, "not all axes"),
        (lambda: layers.Normalization()(Input((None,))), ShapeError, "known length"),
        (lambda: layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 1.0])(np.zeros((2, 3))), ShapeError, "need"),
        (lambda: layers.Normalization(mean=1.0, variance=1.0).adapt(np.zeros((2, 3))), ArgumentError, "were given"),
        (lambda: layers.Normalization().adapt([]), ArgumentError, "no batches|to learn from"),
        (lambda: layers.Normalization().adapt("text"), ArgumentError, "takes an array"),
    ):
        with pytest.raises(error, match=words):
            make()
    layer = layers.Normalization()
    layer.adapt(np.zeros((2, 3)))
    with pytest.raises(ShapeError, match="built for"):
        layer.adapt(np.zeros((2, 4)))


def test_discretization():
    layer = layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])
    x = np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]])
    assert layer(x).tolist() == [[0, 2, 3, 1], [1, 3, 2, 1]] and layer(x).dtype == "int32"
    learned = layers.Discretization(num_bins=4, epsilon=0.01)
    learned.adapt(x)
    assert learned(x).tolist() == [[0, 2, 3, 2], [1, 3, 3, 1]]  # Keras's own example
    assert layers.Discretization([0.0, 1.0], output_mode="one_hot")(np.array([0.5, 9.0])).tolist() == [
        [0, 1, 0],
        [0, 0, 1],
    ]
    for dtype in ("int32", "uint8"):  # of the rows: numbers between two integers keep their place
        rows = layers.Discretization([0.5, 0.75], output_mode="one_hot", dtype=dtype)(np.array([0.2, 0.6, 0.9]))
        assert rows.tolist() == np.eye(3).tolist() and rows.dtype == dtype
        assert layers.Discretization([0.5, 0.75], dtype=dtype)(np.array([0.2, 0.6, 0.9])).tolist() == [0, 1, 2]
    many = RANDOM.standard_normal(4000)
    quarters = layers.Discretization(num_bins=4)
    quarters.adapt([many[:1500], many[1500:]])
    below = (many[:, None] < quarters.bin_boundaries).mean(0)
    assert np.all(abs(below - [0.25, 0.5, 0.75]) < 0.01)  # as exact as its epsilon says
    again = layers.Discretization.from_config(quarters.get_config())
    np.testing.assert_array_equal(again(many), quarters(many))
    for arguments, words in (
        ({}, "give bin_boundaries, or num_bins"),
        ({"bin_boundaries": [2.0, 1.0]}, "increasing"),
        ({"num_bins": 0}, "num_bins"),
        ({"num_bins": 3, "output_mode": "two_hot"}, "output_mode"),
        ({"num_bins": 3, "sparse": True}, "sparse"),
    ):
        with pytest.raises(ArgumentError, match=words):
            layers.Discretization(**arguments)
    with pytest.raises(ArgumentError, match="call adapt"):
        layers.Discretization(num_bins=3)(x)
    with pytest.raises(ArgumentError, match="were given"):
        layer.adapt(x)


@pytest.mark.api("multi-hot vectorisation")
def test_category_encoding():
    """Keras's own examples."""
    assert layers.CategoryEncoding(4, "one_hot")(np.array([3, 2, 0, 1])).tolist() == np.eye(4)[[3, 2, 0, 1]].tolist()
    pairs = np.array([[0, 1], [0, 0], [1, 2], [3, 1]])
    assert layers.CategoryEncoding(4)(pairs).tolist() == [[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]]
    weights = np.array([[0.1, 0.2], [0.1, 0.1], [0.2, 0.3], [0.4, 0.2]])
    counted = layers.CategoryEncoding(4, "count")(pairs, count_weights=weights)
    close(counted, [[0.1, 0.2, 0, 0], [0.2, 0, 0, 0], [0, 0.2, 0.3, 0], [0, 0.2, 0, 0.4]], 2 * 2)
    assert layers.CategoryEncoding(3, "one_hot")(np.array([[1], [2]])).shape == (2, 3)
    assert layers.CategoryEncoding(3, "one_hot")(pairs).shape == (4, 2, 3)
    model = models.Sequential([Input((2,), dtype="int32"), layers.CategoryEncoding(4, "count")])
    assert model.predict(pairs, verbose=0)[1].tolist() == [2, 0, 0, 0]
    for arguments, words in (
        ({}, "num_tokens"),
        ({"num_tokens": 0}, "num_tokens"),
        ({"num_tokens": 3, "output_mode": "int"}, "output_mode"),
    ):
        with pytest.raises(ArgumentError, match=words):
            layers.CategoryEncoding(**arguments)
    with pytest.raises(ArgumentError, match="count_weights"):
        layers.CategoryEncoding(4)(pairs, count_weights=weights)


# ---- files


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("mode", ["multi_hot", "count", "weighted"])
@pytest.mark.parametrize("shape", [(), (4,), (3, 4), (2, 3, 4), (2, 3, 0), (0, 3)])
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_rows_are_what_one_hot_rows_would_add_up_to(dtype, shape, mode, symbolic):
    """Numbers outside of 0..4 are left out, those of wrapped dtypes too."""
    numbers, weights = RANDOM.integers(-3, 9, shape).astype(dtype), RANDOM.integers(1, 9, shape).astype("float32")
    ones = ops.one_hot(numbers if shape else numbers.reshape(1), 5)
    axis = max(len(shape) - 1, 0)
    due = np.max(ones, axis, initial=0) if mode == "multi_hot" else np.sum(ones, axis)
    if mode == "weighted":
        due = np.sum(ones * weights.reshape(weights.shape or (1,))[..., None], axis)
    layer = layers.CategoryEncoding(5, mode if mode == "multi_hot" else "count")
    more = {"count_weights": weights} if mode == "weighted" else {}
    if symbolic and shape:
        slots = [Input(batch_shape=(None,) * len(shape), dtype=str(a.dtype)) for a in (numbers, *more.values())]
        found = backend.function(slots, [layer(slots[0], **dict(zip(more, slots[1:])))])([numbers, *more.values()])[0]
    else:
        found = layer(numbers, **more)
    assert found.dtype == np.float32 and found.shape == due.shape
    np.testing.assert_array_equal(found, due)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "bool", "float16", "float32"])
def test_multi_hot_rows_are_of_ones_however_often_a_number_occurs(dtype):
    """A count of 256 is 0 in uint8, one of 128 is -128 in int8."""
    numbers = np.stack([np.repeat([1, 2], 128), np.full(256, 3)])
    rows = layers.CategoryEncoding(4, "multi_hot", dtype=dtype)(numbers)
    assert rows.dtype == dtype and rows.tolist() == [[0, 1, 1, 0], [0, 0, 0, 1]]


def test_counts_pass_gradients_to_their_weights():
    numbers = Input((3,), dtype="int32")
    weights, slopes = Input((3,)), Input((4,))
    rows = layers.CategoryEncoding(4, "count")(numbers, count_weights=weights)
    gradient = backend.gradients(ops.sum(ops.multiply(rows, slopes)), [weights])
    given = [np.array([[3, 0, 3], [-1, 1, 4]]), np.ones((2, 3)), np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]])]
    found = backend.function([numbers, weights, slopes], gradient)(given)[0]
    assert found.tolist() == [[4, 1, 4], [0, 6, 0]]


@pytest.mark.parametrize("mode", ["multi_hot", "count", "tf_idf"])
def test_rows_of_a_large_vocabulary_take_no_more_memory_than_their_own(mode):
    words = [f"w{i}" for i in range(3000)]
    idf = {"idf_weights": [1.0] * 3000} if mode == "tf_idf" else {}
    layer = layers.TextVectorization(vocabulary=words, output_mode=mode, **idf)
    texts = [" ".join(RANDOM.choice(words, 200)) for _ in range(4)]
    layer(texts[:1])
    tracemalloc.start()
    rows = layer(texts)
    peak = tracemalloc.get_traced_memory()[1]
    assert peak < 200 * rows.nbytes  # a row of `one_hot` for each word takes 200 times as much
    tracemalloc.stop()


def test_models_with_preprocessing_layers_in_files(tmp_path):
    x = RANDOM.random((6, 5, 6, 3)).astype("float32")
    scaled = layers.Normalization(axis=-1)
    scaled.adapt(x)
    model = models.Sequential(
        [
            Input((5, 6, 3)),
            layers.RandomFlip(seed=1),
            layers.RandomRotation(0.1),
            layers.Resizing(4, 4),
            scaled,
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    model.save(tmp_path / "m.keras")
    read = models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(read.predict(x, verbose=0), model.predict(x, verbose=0))
    bins = models.Sequential([Input((2,)), layers.Discretization([0.2, 0.5], output_mode="multi_hot")])
    bins.save(tmp_path / "b.keras")
    np.testing.assert_array_equal(
        models.load_model(tmp_path / "b.keras").predict(x[:, 0, 0, :2], verbose=0), bins(x[:, 0, 0, :2])
    )


def test_random_layers_train_inside_of_a_model():
    x = RANDOM.random((8, 6, 6, 1)).astype("float32")
    model = models.Sequential(
        [
            Input((6, 6, 1)),
            layers.RandomZoom(0.3),
            layers.RandomTranslation(0.2, 0.2),
            layers.RandomCrop(4, 4),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(x, np.ones(8), epochs=2, batch_size=4, verbose=0).history["loss"]).all()
    y = ops.image.affine_transform(x, np.tile([1, 0, 0.5, 0, 1, 0.25, 0, 0], (8, 1)))
    assert y.shape == x.shape


PICTURES = np.random.default_rng(5).uniform(0, 255, (40, 6, 5, 3)).astype("float32")


def test_contrast_fills_the_range_and_leaves_flat_channels() -> None:
    x = np.array([[[2.0, 7.0]], [[4.0, 7.0]]], "float32")
    for training in (True, False):
        assert layers.AutoContrast((0, 10))(x, training=training).tolist() == [[[0, 7]], [[10, 7]]]


def test_posterization_keeps_bits() -> None:
    x = np.arange(256, dtype="float32").reshape(16, 16, 1)
    for bits in (1, 4, 8):
        assert len(np.unique(layers.RandomPosterization((bits, bits))(x))) == 2**bits
    counts = {len(np.unique(layers.RandomPosterization((1, 4), seed=i)(x))) for i in range(12)}
    assert counts == {2, 4, 8}
    with pytest.raises(ArgumentError, match="a number of bits, an integer"):
        layers.RandomPosterization(2.5)


def test_sharpening_and_blurring_are_opposite_and_keep_flat_images() -> None:
    flat = np.full((1, 7, 7, 1), 5.0, "float32")
    inner = (slice(None), slice(1, -1), slice(1, -1))
    for layer in (layers.RandomSharpness((1.0, 1.0)), layers.RandomGaussianBlur((1.0, 1.0), 3, (0.7, 0.7))):
        np.testing.assert_array_equal(layer(flat)[inner], 5)
    spread = np.std(PICTURES[inner])
    assert np.std(layers.RandomSharpness((0.0, 0.0))(PICTURES)[inner]) < spread
    assert np.std(layers.RandomGaussianBlur((1.0, 1.0), 5, (1.0, 1.0))(PICTURES)[inner]) < spread
    assert np.std(layers.RandomSharpness((1.0, 1.0), (-1e4, 1e4))(PICTURES)[inner]) > spread


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_erasing_fills_one_rectangle_of_chosen_images(data_format: str) -> None:
    last = data_format == "channels_last"
    x = PICTURES if last else np.moveaxis(PICTURES, -1, 1).copy()
    y = layers.RandomErasing(1.0, (0.2, 0.4), [-1.0, -2.0, -3.0], (-9, 255), data_format=data_format)(x)
    y = y if last else np.moveaxis(y, 1, -1)
    gone = y[..., 0] == -1
    assert 5 < gone.any((1, 2)).sum() < 35  # half of 40
    for image, there in zip(y, gone):
        if there.any():
            rows, columns = np.nonzero(there.any(1))[0], np.nonzero(there.any(0))[0]
            assert there[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            assert (image[there] == [-1, -2, -3]).all() and 2 <= len(rows) <= 4 and 2 <= len(columns) <= 4
    assert layers.RandomErasing((1.0, 1.0))(PICTURES, training=False).tolist() == PICTURES.tolist()
    noise = layers.RandomErasing((1.0, 1.0), (1.0, 1.0))(PICTURES)
    assert noise.min() == 0 and noise.max() == 255 and 0.4 < (noise == 0).mean() < 0.6
    with pytest.raises(ArgumentError, match="fill_value is None, a number or three of them"):
        layers.RandomErasing(fill_value=[1.0, 2.0])


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_erasing_keeps_the_number_of_channels(data_format: str) -> None:
    x = PICTURES[:2, ..., :1] if data_format == "channels_last" else np.moveaxis(PICTURES[:2, ..., :1], -1, 1)
    layer = layers.RandomErasing((1.0, 1.0), fill_value=[1, 2, 3], data_format=data_format)
    with pytest.raises(ShapeError, match="three numbers, one for each channel; the images have 1 channels"):
        layer(x)
    assert layers.RandomErasing((1.0, 1.0), fill_value=1, data_format=data_format)(x).shape == x.shape


def test_an_empty_range_of_values_is_refused() -> None:
    for kind in (layers.RandomPosterization, layers.RandomContrast, layers.RandomErasing):
        with pytest.raises(ArgumentError, match="value_range is .least, greatest., two different numbers"):
            kind(1, value_range=(5, 5))


def test_perspective_keeps_the_first_corner_and_moves_the_others() -> None:
    x = np.tile(np.arange(9, dtype="float32")[:, None, None], (1, 9, 1))
    moved = layers.RandomPerspective((1.0, 1.0), 0.3, seed=3)(x)
    assert moved[0, 0, 0] == 0 and abs(moved - x).max() > 1
    np.testing.assert_array_equal(layers.RandomPerspective(1.0, 0.0)(x), x)
    with pytest.raises(ArgumentError, match="scale must be a number from 0 to 1"):
        layers.RandomPerspective(scale=2.0)


def test_a_pipeline_is_its_layers_one_after_the_other() -> None:
    made = layers.Pipeline(
        [layers.AutoContrast(), layers.RandomErasing((1.0, 1.0), fill_value=0.0), layers.Rescaling(1 / 255)]
    )
    still = made(PICTURES, training=False)
    np.testing.assert_array_equal(still, layers.Rescaling(1 / 255)(layers.AutoContrast()(PICTURES)))
    assert not np.array_equal(made(PICTURES), still)  # as in Keras, a call on arrays trains
    again = layers.Pipeline.from_config(made.get_config())
    assert [type(x) for x in again.layers] == [type(x) for x in made.layers]
    inside = models.Sequential([Input((6, 5, 3)), made, layers.Flatten()])
    np.testing.assert_array_equal(inside.predict(PICTURES, verbose=0), still.reshape(40, -1))
    with pytest.raises(ArgumentError, match="takes a list of layers"):
        layers.Pipeline(layers.Flatten())
    with pytest.raises(ArgumentError, match="the config has no list of layers"):
        layers.Pipeline.from_config({})


def test_jitter_is_its_four_layers() -> None:
    step = layers.RandomColorJitter((0, 255), brightness_factor=(0.2, 0.2), seed=4)
    np.testing.assert_array_equal(step(PICTURES), layers.RandomBrightness((0.2, 0.2), seed=4)(PICTURES))
    assert len(layers.RandomColorJitter((0, 255), 0.1, 0.1, 0.1, 0.1).steps) == 4
