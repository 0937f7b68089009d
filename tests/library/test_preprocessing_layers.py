"""Preprocessing layers by hand-computed examples: images, features, hashes, vocabularies, texts; what they refuse, what files keep."""

import math

import numpy as np
import pytest

from refnet import layers, models, ops
from refnet.errors import ArgumentError, DataError, DtypeError, FileError, MissingFileError, ShapeError
from refnet.layers import Input
from refnet.layers.fingerprints import fingerprint64, siphash64
from refnet.registration import reading_file

RANDOM = np.random.default_rng(4)
IMAGES = RANDOM.random((4, 5, 6, 3)).astype("float32")


# ---- sizes


def test_resizing_and_cropping():
    x = np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1)
    np.testing.assert_allclose(layers.Resizing(2, 2)(x)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])
    assert layers.Resizing(2, 2)(x.astype("uint8")).dtype == "uint8"
    assert layers.CenterCrop(2, 2)(x)[0, :, :, 0].tolist() == [[5, 6], [9, 10]]
    assert layers.CenterCrop(6, 3)(x).shape == (1, 6, 3, 1)
    assert layers.CenterCrop(2, 4)(x[0]).shape == (2, 4, 1)  # one image
    wide = layers.Resizing(2, 2, crop_to_aspect_ratio=True)(
        np.pad(np.ones((1, 2, 2, 1), "float32"), ((0, 0), (0, 0), (1, 1), (0, 0)))
    )
    assert (wide == 1).all()
    assert models.Sequential([Input((9, 7, 3)), layers.Resizing(4, 5), layers.CenterCrop(2, 2)]).output_shape == (
        None,
        2,
        2,
        3,
    )
    first = layers.Resizing(2, 3, data_format="channels_first")
    assert first.compute_output_shape((None, 3, 8, 8)) == (None, 3, 2, 3)


def test_mistakes_with_sizes():
    for make, words in (
        (lambda: layers.Resizing(0, 2), "height must be an integer of at least 1"),
        (lambda: layers.Resizing(2, 2, "cubic"), "interpolation"),
        (lambda: layers.Resizing(2, 2, antialias=True), "antialias"),
        (lambda: layers.CenterCrop(2, 2.5), "width"),
        (lambda: layers.RandomCrop(2, 2, data_format="last"), "data_format"),
    ):
        with pytest.raises(ArgumentError, match=words):
            make()
    with pytest.raises(ShapeError, match="images \\(batch, height, width, channels\\)"):
        layers.CenterCrop(2, 2)(np.zeros((4, 4)))
    with pytest.raises(ShapeError, match="height and width"):
        layers.CenterCrop(2, 2)(Input((None, 4, 3)))


# ---- random changes

CHANGING = [
    ("RandomFlip", {}),
    ("RandomRotation", {"factor": 0.3}),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.3}),
    ("RandomZoom", {"height_factor": 0.4}),
    ("RandomShear", {"x_factor": 0.5, "y_factor": 0.5}),
    ("RandomBrightness", {"factor": 0.4, "value_range": (0, 1)}),
    ("RandomContrast", {"factor": 0.8, "value_range": (0, 1)}),
    ("RandomGrayscale", {"factor": 0.5}),
    ("RandomInvert", {"value_range": (0, 1)}),
    ("RandomHue", {"factor": 0.8, "value_range": (0, 1)}),
    ("RandomSaturation", {"factor": (0.1, 0.8), "value_range": (0, 1)}),
    ("RandomColorDegeneration", {"factor": (0, 1), "value_range": (0, 1)}),
    ("Solarization", {"addition_factor": 0.4, "threshold_factor": 0.8, "value_range": (0, 1)}),
]


@pytest.mark.parametrize("name, arguments", CHANGING)
def test_changes_in_training_and_none_at_inference(name, arguments):
    layer = getattr(layers, name)(**arguments, seed=3)
    many = np.repeat(IMAGES[:1], 12, 0)
    np.testing.assert_array_equal(layer(many, training=False), many)
    changed = layer(many)  # a call on arrays trains, as in Keras
    assert changed.shape == many.shape and changed.dtype == "float32"
    assert len({image.tobytes() for image in changed}) > 1, "each image has its own draw"
    assert not np.array_equal(layer(many), changed), "each call has its own draws"
    again = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(again(many), changed)
    model = models.Sequential([Input((5, 6, 3)), layer])
    np.testing.assert_array_equal(model.predict(many, verbose=0), many)
    assert not np.array_equal(model(many, training=True), many)
    assert layer(many[0]).shape == (5, 6, 3)  # one image


def test_a_pipeline_called_on_arrays_trains_but_dropout_in_it_does_not():
    ones = np.ones((3, 4, 4, 1), "float32")
    pipeline = models.Sequential([layers.RandomBrightness((0.5, 0.5), (0, 9)), layers.Dropout(0.5)])
    assert (pipeline(ones) == 5.5).all()
    assert (pipeline(ones, training=False) == 1).all()


def test_flips_are_the_ones_asked_for():
    x = np.arange(6.0, dtype="float32").reshape(1, 2, 3, 1)
    rows = {"horizontal": x[:, :, ::-1], "vertical": x[:, ::-1], "horizontal_and_vertical": x[:, ::-1, ::-1]}
    for mode, due in rows.items():
        seen = layers.RandomFlip(mode, seed=1)(np.repeat(x, 30, 0))
        kinds = {image.tobytes() for image in seen}
        assert kinds == {x[0].tobytes(), np.ascontiguousarray(due[0]).tobytes()}
    first = layers.RandomFlip("horizontal", seed=1, data_format="channels_first")(
        np.repeat(x.transpose(0, 3, 1, 2), 30, 0)
    )
    np.testing.assert_array_equal(
        first.transpose(0, 2, 3, 1), layers.RandomFlip("horizontal", seed=1)(np.repeat(x, 30, 0))
    )


def test_movements_by_fixed_amounts():
    x = np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1)
    turned = layers.RandomRotation((0.25, 0.25))(x)
    np.testing.assert_allclose(turned[0, :, :, 0], np.rot90(x[0, :, :, 0]), atol=1e-4)
    down = layers.RandomTranslation((0.25, 0.25), 0.0, fill_mode="constant", fill_value=-1)(x)
    np.testing.assert_allclose(down[0, :, :, 0], np.vstack([np.full((1, 4), -1), x[0, :3, :, 0]]), atol=1e-5)
    out = layers.RandomZoom((1.0, 1.0), (0.0, 0.0), fill_mode="constant")(x)[0, :, :, 0]
    assert (out[0] == 0).all() and out[1:3].min() > 0
    slanted = layers.RandomShear((1.0, 1.0), seed=0, fill_mode="wrap")(x)[0, :, :, 0]
    assert slanted[1].tolist() in ([5, 6, 7, 4], [7, 4, 5, 6]) and slanted[0].tolist() == [0, 1, 2, 3]


def test_colours_by_fixed_amounts():
    x = np.array([[[[10.0], [30.0]], [[50.0], [250.0]]]], "float32")
    assert layers.RandomBrightness((0.1, 0.1))(x)[0, :, :, 0].tolist() == [[35.5, 55.5], [75.5, 255.0]]
    contrast = layers.RandomContrast((0.5, 0.5), seed=2)(x)[0, :, :, 0]
    factor = (contrast[0, 1] - contrast[0, 0]) / 20
    assert 0.5 <= factor <= 1.5
    np.testing.assert_allclose(contrast, np.clip((x[0, :, :, 0] - 85) * factor + 85, 0, 255), rtol=1e-5)
    assert layers.RandomInvert((1.0, 1.0))(x)[0, :, :, 0].tolist() == [[245, 225], [205, 5]]
    grey = layers.RandomGrayscale(1.0)(IMAGES)
    np.testing.assert_allclose(grey[..., 1], IMAGES @ np.array([0.2989, 0.587, 0.114], "float32"), rtol=1e-5)


def test_hues_by_fixed_amounts():
    red = np.array([[[[1.0, 0.0, 0.0], [0.5, 0.5, 0.5]]]], "float32")
    turned = layers.RandomHue((2 / 3, 2 / 3), (0, 1), seed=1)(red)[0, 0]
    assert [round(float(v), 4) for v in turned[0]] in ([0, 1, 0], [0, 0, 1]) and turned[1].tolist() == [0.5] * 3
    np.testing.assert_allclose(layers.RandomSaturation((0.5, 0.5), (0, 1))(IMAGES), IMAGES, atol=1e-5)
    pale = layers.RandomSaturation((0.0, 0.0), (0, 1))(IMAGES)
    np.testing.assert_allclose(pale, np.repeat(IMAGES.max(-1, keepdims=True), 3, -1), atol=1e-6)
    grey = layers.RandomColorDegeneration((1.0, 1.0), (0, 1))(IMAGES)
    np.testing.assert_allclose(grey, np.repeat(layers.RandomGrayscale(1.0)(IMAGES)[..., :1], 3, -1), atol=1e-6)
    x = np.array([[[[0.0], [100.0], [255.0]]]], "float32")
    assert layers.Solarization()(x)[0, 0, :, 0].tolist() == [255, 155, 0]


def test_a_random_crop():
    x = np.arange(2 * 36.0, dtype="float32").reshape(2, 6, 6, 1)
    crop = layers.RandomCrop(2, 3, seed=1)
    corners = set()
    for _ in range(20):
        y = crop(x, training=True)
        assert y.shape == (2, 2, 3, 1)
        top, left = divmod(int(y[0, 0, 0, 0]), 6)
        np.testing.assert_array_equal(y, x[:, top : top + 2, left : left + 3])  # the same place for both
        corners.add((top, left))
    assert len(corners) > 8 and max(corners)[0] <= 4
    assert crop(x, training=False).shape == (2, 2, 3, 1) and crop(x[:, :1], training=True).shape == (2, 2, 3, 1)
    np.testing.assert_array_equal(layers.RandomCrop(6, 6)(x), x)


def test_mistakes_with_factors():
    for make, words in (
        (lambda: layers.RandomRotation(2), r"factor is a number in -1\.\.1"),
        (lambda: layers.RandomRotation((0.1, 0.2, 0.3)), "a pair"),
        (lambda: layers.RandomRotation("much"), "got 'much'"),
        (lambda: layers.RandomZoom(-1), "above -1"),
        (lambda: layers.RandomShear(-0.5), r"0\.\.1"),
        (lambda: layers.RandomFlip("both"), "mode is"),
        (lambda: layers.RandomRotation(0.1, "edge"), "fill_mode"),
        (lambda: layers.RandomTranslation(0.1, 0.1, interpolation="bicubic"), "interpolation"),
        (lambda: layers.RandomContrast(0.5, value_range=3), "value_range"),
        (lambda: layers.RandomFlip(seed=-1), "seed"),
    ):
        with pytest.raises(ArgumentError, match=words):
            make()


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
    np.testing.assert_allclose(whole(np.array([1.0, 2.0, 3.0])), [-math.sqrt(2), -math.sqrt(0.5), 0], rtol=1e-6)
    given = layers.Normalization(mean=3.0, variance=2.0)
    np.testing.assert_allclose(
        given(np.array([[1.0], [2.0], [3.0]]))[:, 0], [-math.sqrt(2), -math.sqrt(0.5), 0], rtol=1e-6
    )
    constant = layers.Normalization()
    constant.adapt(np.ones((3, 1)))
    assert constant(np.array([[1.0]])).tolist() == [[0.0]]


def test_normalization_learns_the_same_from_batches():
    x = RANDOM.random((20, 3, 4)) * 5
    once, batches, source = (layers.Normalization(axis=(1, 2)) for _ in range(3))
    once.adapt(x)
    batches.adapt([x[:7], x[7:9], x[9:]])
    source.adapt(iter([(x[:11], None), (x[11:], None)]))  # pairs of inputs and targets
    for other in (batches, source):
        for a, b in zip(once.get_weights(), other.get_weights()):
            np.testing.assert_allclose(a, b, rtol=1e-5)
    assert [w.shape for w in once.get_weights()] == [(3, 4), (3, 4), ()]
    model = models.Sequential([Input((3, 4)), once])
    np.testing.assert_allclose(model.predict(x, verbose=0).mean(0), 0, atol=1e-5)
    once.adapt(x + 1)  # learns anew, in the model too
    np.testing.assert_allclose(model.predict(x + 1, verbose=0).std(0), 1, atol=1e-4)


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
    many = RANDOM.standard_normal(4000)
    quarters = layers.Discretization(num_bins=4)
    quarters.adapt([many[:1500], many[1500:]])
    np.testing.assert_allclose(quarters.bin_boundaries, np.quantile(many, [0.25, 0.5, 0.75]), atol=0.05)
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
    np.testing.assert_allclose(
        counted, [[0.1, 0.2, 0, 0], [0.2, 0, 0, 0], [0, 0.2, 0.3, 0], [0, 0.2, 0, 0.4]], rtol=1e-6
    )
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


# ---- hashes


def test_hashes_are_the_published_ones():
    """SipHash's own test vectors (key 00..0f, messages 00, 00 01, ...), and lengths of every branch of FarmHash."""
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    due = {
        0: 0x726FDB47DD0E0E31,
        1: 0x74F839C593DC67FD,
        7: 0xAB0200F58B01D137,
        8: 0x93F5F5799A932462,
        15: 0xA129CA6149BE45E5,
    }
    assert {n: siphash64(bytes(range(n)), key) for n in due} == due
    assert fingerprint64(b"") == 0x9AE16A3B2F90404F
    hashes = [fingerprint64(bytes(n)) for n in (1, 3, 4, 7, 8, 16, 17, 32, 33, 64, 65, 128, 129, 500)]
    assert len(set(hashes)) == 14 and all(0 <= h < 2**64 for h in hashes)
    assert fingerprint64(b"hello world") == 0x588FB7478BD6B01B


def test_hashing_gives_keras_numbers():
    letters = [["A"], ["B"], ["C"], ["D"], ["E"]]
    assert layers.Hashing(num_bins=3)(letters).tolist() == [[1], [0], [1], [1], [2]]
    assert layers.Hashing(num_bins=3, mask_value="")([["A"], ["B"], [""], ["C"], ["D"]]).tolist() == [
        [1],
        [1],
        [0],
        [2],
        [2],
    ]
    assert layers.Hashing(num_bins=3, salt=[133, 137])(letters).tolist() == [[1], [2], [1], [0], [2]]
    assert layers.Hashing(num_bins=3, salt=133)(letters).tolist() == [[0], [0], [2], [1], [0]]
    assert layers.Hashing(num_bins=3)(np.arange(5)).tolist() == [1, 0, 1, 0, 2]
    assert layers.Hashing(num_bins=3, salt=[133, 137])(np.arange(5)).tolist() == [1, 1, 2, 0, 1]
    assert layers.Hashing(3, output_mode="one_hot")(np.array([[0], [1]])).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert layers.HashedCrossing(5)([np.array(list("ABABA")), np.array([101, 101, 101, 102, 102])]).tolist() == [
        1,
        4,
        1,
        1,
        3,
    ]
    assert layers.HashedCrossing(5, "one_hot")(["A", 101]).tolist() == [0, 1, 0, 0, 0]
    for make, words in (
        (lambda: layers.Hashing(0), "num_bins"),
        (lambda: layers.Hashing(2, salt="x"), "salt"),
        (lambda: layers.Hashing(2, dtype="float32"), "integers"),
        (lambda: layers.HashedCrossing(2)(["a"]), "at least two"),
    ):
        with pytest.raises(ArgumentError, match=words):
            make()
    with pytest.raises(ShapeError, match="one shape"):
        layers.HashedCrossing(2)([["a"], ["a", "b"]])
    with pytest.raises(DtypeError, match="strings and integers"):
        layers.HashedCrossing(2)([[0.5], [1.5]])


# ---- vocabularies


def test_string_lookup():
    """Keras's own examples."""
    data = [["a", "c", "d"], ["d", "z", "b"]]
    layer = layers.StringLookup(vocabulary=["a", "b", "c", "d"])
    assert layer(data).tolist() == [[1, 3, 4], [4, 0, 2]] and layer(np.array(data)).dtype == "int64"
    learned = layers.StringLookup()
    learned.adapt(data)
    assert learned.get_vocabulary() == ["[UNK]", "d", "z", "c", "b", "a"]
    two = layers.StringLookup(vocabulary=["a", "b", "c", "d"], num_oov_indices=2)
    m, z = fingerprint64(b"m") % 2, fingerprint64(b"z") % 2
    assert two([["a", "c", "d"], ["m", "z", "b"]]).tolist() == [[2, 4, 5], [m, z, 3]]
    assert layers.StringLookup(vocabulary=["a", "b", "c", "d"], output_mode="one_hot")(["a", "z"]).tolist() == [
        [0, 1, 0, 0, 0],
        [1, 0, 0, 0, 0],
    ]
    multi = layers.StringLookup(vocabulary=["a", "b", "c", "d"], output_mode="multi_hot")
    assert multi([["a", "c", "d", "d"], ["d", "z", "b", "z"]]).tolist() == [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]
    count = layers.StringLookup(vocabulary=["a", "b", "c", "d"], output_mode="count")
    assert count([["a", "c", "d", "d"], ["d", "z", "b", "z"]]).tolist() == [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]
    weighted = layers.StringLookup(
        vocabulary=["a", "b", "c", "d"], idf_weights=[0.25, 0.75, 0.6, 0.4], output_mode="tf_idf"
    )
    np.testing.assert_allclose(
        weighted([["a", "c", "d", "d"], ["d", "z", "b", "z"]]),
        [[0, 0.25, 0, 0.6, 0.8], [1.0, 0, 0.75, 0, 0.4]],
        rtol=1e-6,
    )
    back = layers.StringLookup(vocabulary=["a", "b", "c", "d"], invert=True)
    assert back(np.array([[1, 3, 4], [4, 0, 2]])).tolist() == [["a", "c", "d"], ["d", "[UNK]", "b"]]


def test_masks_limits_and_what_is_learned():
    masked = layers.StringLookup(mask_token="", vocabulary=["a", "b"])
    assert masked.get_vocabulary() == ["", "[UNK]", "a", "b"] and masked([["b", "", "x"]]).tolist() == [[3, 0, 1]]
    assert layers.StringLookup(mask_token="", vocabulary=["", "[UNK]", "a"])(["a"]).tolist() == [2]
    dropped = layers.StringLookup(mask_token="", vocabulary=["a"], output_mode="count")
    assert dropped([["a", "", "q", ""]]).tolist() == [[1, 1]]
    few = layers.StringLookup(max_tokens=3)
    few.adapt(["b", "b", "a", "c", "c", "c"])
    assert few.get_vocabulary() == ["[UNK]", "c", "b"] and few.vocabulary_size() == 3
    padded = layers.StringLookup(max_tokens=5, vocabulary=["a"], output_mode="multi_hot", pad_to_max_tokens=True)
    assert padded([["a"]]).tolist() == [[0, 1, 0, 0, 0]]
    idf = layers.StringLookup(output_mode="tf_idf")
    idf.adapt(np.array([["a", "a"], ["a", "b"]], object))
    due = {"a": math.log(1 + 2 / 3), "b": math.log(1 + 2 / 2)}
    assert idf.get_vocabulary() == ["[UNK]", "a", "b"]
    np.testing.assert_allclose(
        idf([["a", "a", "b", "?"]]), [[sum(due.values()) / 2, 2 * due["a"], due["b"]]], rtol=1e-6
    )
    again = layers.StringLookup.from_config(idf.get_config())
    np.testing.assert_array_equal(again([["a", "?"]]), idf([["a", "?"]]))
    assert layers.StringLookup(vocabulary=["ü"])([b"\xc3\xbc"]).tolist() == [1]


def test_integer_lookup():
    data = np.array([[12, 1138, 42], [42, 1000, 36]])
    layer = layers.IntegerLookup(vocabulary=[12, 36, 1138, 42])
    assert layer(data).tolist() == [[1, 3, 4], [4, 0, 2]]
    learned = layers.IntegerLookup()
    learned.adapt(data)
    assert learned.get_vocabulary() == [-1, 42, 1138, 1000, 36, 12]
    two = layers.IntegerLookup(vocabulary=[12, 36, 1138, 42], num_oov_indices=2)
    assert two(np.array([[12, 1138, 42], [37, 1000, 36]])).tolist() == [[2, 4, 5], [1, 0, 3]]  # Keras's own example
    back = layers.IntegerLookup(vocabulary=[12, 36], invert=True)
    assert back(np.array([2, 0, 1])).tolist() == [36, -1, 12]
    hashed = layers.IntegerLookup(vocabulary=[5], num_oov_indices=3, oov_method="farmhash")
    assert hashed([1, 2]).tolist() == [fingerprint64(b"1") % 3, fingerprint64(b"2") % 3]
    again = layers.IntegerLookup.from_config(learned.get_config())
    assert again(data).tolist() == learned(data).tolist()
    with pytest.raises(DtypeError, match="takes integers"):
        layer(np.array([0.5]))
    with pytest.raises(ArgumentError, match="oov_method"):
        layers.IntegerLookup(oov_method="md5")


def test_vocabularies_in_files(tmp_path):
    (tmp_path / "words.txt").write_text("eins\nzwei\n", encoding="utf-8")
    layer = layers.StringLookup(vocabulary=str(tmp_path / "words.txt"))
    assert layer(["zwei", "drei"]).tolist() == [2, 0]
    (tmp_path / "numbers.txt").write_text("7\n8")
    assert layers.IntegerLookup(vocabulary=str(tmp_path / "numbers.txt"))([8]).tolist() == [2]
    with pytest.raises(MissingFileError, match="no vocabulary file"):
        layers.StringLookup(vocabulary=str(tmp_path / "none.txt"))
    with reading_file(safe=True), pytest.raises(FileError, match="files outside are not read"):
        layers.StringLookup(vocabulary=str(tmp_path / "words.txt"))


def test_mistakes_with_vocabularies():
    for make, error, words in (
        (lambda: layers.StringLookup(vocabulary=[]), ArgumentError, "is empty"),
        (lambda: layers.StringLookup(vocabulary=["a", "b", "a"]), ArgumentError, "repeats"),
        (lambda: layers.StringLookup(mask_token="m", vocabulary=["a", "m"]), ArgumentError, "holds 'm' inside"),
        (lambda: layers.StringLookup(max_tokens=2, vocabulary=["a", "b"]), ArgumentError, "max_tokens is 2"),
        (lambda: layers.StringLookup(max_tokens=1), ArgumentError, "max_tokens"),
        (lambda: layers.StringLookup(output_mode="tf_idf", vocabulary=["a"]), ArgumentError, "idf_weights"),
        (
            lambda: layers.StringLookup(output_mode="tf_idf", vocabulary=["a"], idf_weights=[1.0, 2.0]),
            ArgumentError,
            "shape",
        ),
        (lambda: layers.StringLookup(invert=True, output_mode="count"), ArgumentError, "invert goes with"),
        (lambda: layers.StringLookup(pad_to_max_tokens=True), ArgumentError, "needs max_tokens"),
        (lambda: layers.StringLookup()(["a"]), ArgumentError, "no vocabulary yet"),
        (lambda: layers.StringLookup(vocabulary=["a"]).adapt(["b"]), ArgumentError, "was given"),
        (lambda: layers.StringLookup().adapt("text"), ArgumentError, "got one string"),
        (lambda: layers.StringLookup(vocabulary=["a"])([3]), DtypeError, "element \\[0\\] is 3"),
        (
            lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["b"]),
            DataError,
            "'b' is not in the vocabulary",
        ),
        (lambda: layers.StringLookup(vocabulary=["a"], invert=True)([0.5]), DtypeError, "integers into tokens"),
    ):
        with pytest.raises(error, match=words):
            make()


def test_layers_of_strings_do_not_stand_in_models():
    for layer in (layers.StringLookup(vocabulary=["a"]), layers.TextVectorization(), layers.Hashing(3)):
        with pytest.raises(ArgumentError, match="cannot stand inside a model. Apply it to the data first"):
            layer(Input((1,)))
    with pytest.raises(ArgumentError, match="cannot stand inside a model"):
        models.Sequential([Input((1,), dtype="int32"), layers.IntegerLookup(vocabulary=[1])])
    with pytest.raises(ArgumentError, match="call it on data"):
        layers.Hashing(3).compute_output_shape((None, 1))


# ---- texts


def test_text_vectorization():
    vectorize = layers.TextVectorization(max_tokens=6, output_sequence_length=5)
    vectorize.adapt(["The cat sat, the cat!", "the DOG"])
    assert vectorize.get_vocabulary() == ["", "[UNK]", "the", "cat", "sat", "dog"]
    assert vectorize(["the dog barked", "cat"]).tolist() == [[2, 5, 1, 0, 0], [3, 0, 0, 0, 0]]
    assert vectorize([["the dog"]]).tolist() == [[2, 5, 0, 0, 0]] and vectorize("cat").tolist() == [3, 0, 0, 0, 0]
    assert vectorize(["a b c d e f g"]).shape == (1, 5)
    given = layers.TextVectorization(vocabulary=["earth", "wind", "and", "fire"])  # Keras's own example
    assert given.get_vocabulary() == ["", "[UNK]", "earth", "wind", "and", "fire"]
    assert given(["wind and", "fire"]).tolist() == [[3, 4], [5, 0]]
    again = layers.TextVectorization.from_config(vectorize.get_config())
    assert again(["the dog barked"]).tolist() == [[2, 5, 1, 0, 0]]
    assert layers.TextVectorization(vocabulary=["a"], ragged=True)(["a b a", "b"]).tolist() == [[2, 1, 2], [1]]


def test_standardizing_splitting_and_runs_of_words():
    words = lambda *texts, **more: layers.TextVectorization(vocabulary=["x"], **more).words(list(texts))
    assert words("Don't STOP,\tnow ") == [["dont", "stop", "now"]]
    assert words("A-b C", standardize="lower") == [["a-b", "c"]] and words("A-b", standardize="strip_punctuation") == [
        ["Ab"]
    ]
    assert words("A b", standardize=None) == [["A", "b"]] and words("Ab", split="character") == [["a", "b"]]
    assert words("a b", split=None) == [["a b"]]
    assert words("a b c", ngrams=2) == [["a", "b", "c", "a b", "b c"]] and words("a b c", ngrams=(2,)) == [
        ["a b", "b c"]
    ]
    assert words("a b", standardize=lambda t: np.array([s + "!" for s in t], object)) == [["a", "b!"]]
    assert words("a|b", standardize=None, split=lambda t: [s.split("|") for s in t]) == [["a", "b"]]


def test_texts_as_rows():
    counts = layers.TextVectorization(output_mode="count", vocabulary=["a", "b"])
    assert counts(["a a c", "b"]).tolist() == [[1, 2, 0], [0, 0, 1]]
    hot = layers.TextVectorization(output_mode="multi_hot", max_tokens=5, pad_to_max_tokens=True, vocabulary=["a", "b"])
    assert hot(["a a", ""]).tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
    weights = layers.TextVectorization(output_mode="tf-idf")
    weights.adapt(["a a", "a b"])
    due = {"a": math.log(1 + 2 / 3), "b": math.log(1 + 2 / 2)}
    np.testing.assert_allclose(weights(["a a b"]), [[0, 2 * due["a"], due["b"]]], rtol=1e-6)
    model = models.Sequential([Input((3,)), layers.Dense(1)])
    assert model.predict(counts(["a b"]), verbose=0).shape == (1, 1)


def test_mistakes_with_texts():
    for arguments, words in (
        ({"standardize": "upper"}, "standardize"),
        ({"split": "words"}, "split"),
        ({"ngrams": 0}, "ngrams"),
        ({"output_mode": "one_hot"}, "output_mode"),
        ({"output_mode": "count", "output_sequence_length": 3}, "go with output_mode='int'"),
        ({"output_sequence_length": 0}, "at least 1"),
        ({"ragged": True, "output_sequence_length": 3}, "ragged"),
        ({"sparse": True}, "sparse"),
    ):
        with pytest.raises(ArgumentError, match=words):
            layers.TextVectorization(**arguments)
    with pytest.raises(ArgumentError, match="no vocabulary yet"):
        layers.TextVectorization()(["a"])
    with pytest.raises(ShapeError, match="texts \\(batch,\\)"):
        layers.TextVectorization(vocabulary=["a"])([["a", "b"]])
    with pytest.raises(DtypeError, match="takes strings"):
        layers.TextVectorization(vocabulary=["a"])(np.zeros(3))
    with pytest.raises(ShapeError, match="standardize gave"):
        layers.TextVectorization(vocabulary=["a"], standardize=lambda t: t[:1])(["a", "b"])


# ---- files


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
