"""Layers that mix images, that spread out their values, and the embedding that is read both ways."""

from typing import Any

import numpy as np
import pytest

from refnet import Input, Model, layers, models
from refnet.errors import ArgumentError, ShapeError
from refnet.testing import close
from refnet.testing.closeness import ELEMENTARY

X = np.arange(24.0, dtype="float32").reshape(3, 2, 4, 1)
LABELS = np.eye(3, dtype="float32")
ORDER = np.array([2, 0, 1])


def test_mix_up_by_hand() -> None:
    share = np.array([1.0, 0.5, 0.25], "float32")
    both = {"images": X, "labels": LABELS, "segmentation_masks": X > 7}
    layer = layers.MixUp()
    got = {word: np.asarray(layer.blended(part.astype("float32"), ORDER, share)) for word, part in both.items()}
    assert got["labels"].tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 0.75, 0.25]]
    np.testing.assert_array_equal(got["images"][2], 0.25 * X[2] + 0.75 * X[1])
    assert got["segmentation_masks"][1, 0, 0, 0] == 0.5


def test_cut_mix_by_hand() -> None:
    layer = layers.CutMix()
    rows = np.array([[0.0], [1.0], [0.0]], "float32"), np.array([[1.0], [2.0], [0.0]], "float32")
    columns = np.array([[1.0], [0.0], [0.0]], "float32"), np.array([[3.0], [4.0], [0.0]], "float32")
    got = {
        word: np.asarray(part)
        for word, part in layer.cut({"images": X, "labels": LABELS}, ORDER, rows, columns).items()
    }
    expected = X.copy()
    expected[0, 0, 1:3], expected[1, 1, :] = X[2, 0, 1:3], X[0, 1, :]
    np.testing.assert_array_equal(got["images"], expected)
    assert got["labels"].tolist() == [[0.75, 0, 0.25], [0.5, 0.5, 0], [0, 0, 1]]


def test_a_box_has_its_pixels_where_a_dtype_does_not_hold_their_numbers() -> None:
    """bfloat16 holds of 256 to 512 the even numbers only."""
    layer = layers.CutMix(dtype="mixed_bfloat16")
    images = np.zeros((1, 400, 2, 1), "float32")
    inside = np.asarray(layer.in_box(images, (np.array([[300.0]]), np.array([[301.0]])), (np.zeros(1), np.ones(1))))
    assert np.argwhere(inside).tolist() == [[0, 300, 0, 0]]


@pytest.mark.parametrize("kind", [layers.MixUp, layers.CutMix])
def test_images_and_labels_are_mixed_alike(kind: Any) -> None:
    """Each image is of one value, so that what it holds of another one is what its label says."""
    values = np.array([1.0, 10.0, 100.0], "float32")
    images = np.broadcast_to(values[:, None, None, None], (3, 40, 40, 2)).copy()
    found = []
    for _ in range(4):
        got = kind(1.0, seed=len(found))({"images": images, "labels": LABELS, "other": X}, training=True)
        found.append(got["labels"])
        close(got["labels"].sum(1), np.ones(3), 4, 1)
        told = got["labels"].astype("float64") @ values
        if kind is layers.MixUp:
            # Two products and their sum for each pixel, and for the label; 1 - w is the same number in both.
            close(got["images"], np.broadcast_to(told[:, None, None, None], images.shape), 6, 110)
        else:
            # A box h by w of no whole pixels holds between (h - 1) (w - 1) and (h + 1) (w + 1) of them: h + w + 1 <= 81 away.
            away = got["images"].astype("float64").mean((1, 2, 3)) - told
            # An image's values come back exactly, its label's share with up to 12 roundings of numbers that add up to 111.
            assert abs(away).max() <= 81 / 1600 * 99 + 12 * 111 * 2**-24
        np.testing.assert_array_equal(got["other"], X)
        assert got["images"].dtype == "float32"
    assert len({a.tobytes() for a in found}) == 4
    still = kind(1.0, data_format="channels_first")({"images": X, "labels": LABELS.astype("int32")}, training=False)
    np.testing.assert_array_equal(still["images"], X)
    assert still["labels"].dtype == "float32"


@pytest.mark.parametrize("kind", [layers.MixUp, layers.CutMix])
@pytest.mark.parametrize(
    ("layout", "images", "masks"),
    [
        ("channels_first", (2, 3, 8, 8), (2, 8, 8, 1)),
        ("channels_last", (2, 8, 8, 3), (2, 1, 8, 1)),
        ("channels_last", (2, 8, 8, 3), (1, 8, 8, 1)),
        ("channels_last", (2, 8, 8, 3), (2, 8, 8)),
    ],
)
def test_masks_that_do_not_cover_their_images_are_refused(kind: Any, layout: str, images: Any, masks: Any) -> None:
    given = {"images": np.zeros(images), "segmentation_masks": np.zeros(masks)}
    with pytest.raises(ShapeError, match="mix: segmentation_masks need .* got shape") as caught:
        kind(data_format=layout, name="mix")(given, training=True)
    needed = "(2, any, 8, 8)" if layout == "channels_first" else "(2, 8, 8, any)"
    assert f"({layout}): {needed}; got shape {masks}" in str(caught.value)
    fitting = np.zeros((2, 1, 8, 8) if layout == "channels_first" else (2, 8, 8, 1))
    got = kind(data_format=layout)({**given, "segmentation_masks": fitting}, training=True)
    assert got["segmentation_masks"].shape == fitting.shape


def test_mixing_in_a_model() -> None:
    start = Input((2, 4, 1))
    model = Model(start, layers.MixUp(seed=1)(start))
    np.testing.assert_array_equal(model.predict(X, verbose=0), X)
    changed = np.asarray(model(X, training=True))
    np.testing.assert_array_equal(changed, layers.MixUp(seed=1)(X, training=True))
    assert not np.array_equal(changed, X)
    again = layers.CutMix.from_config(layers.CutMix((0.2, 0.5), seed=3, name="cut").get_config())
    assert (again.lower, again.upper, again.seed, again.name) == (0.2, 0.5, 3, "cut")


def test_equalization_by_hand() -> None:
    values = np.array([[[10.0, 10, 20, 30]]]).reshape(1, 1, 4, 1)
    got = layers.Equalization()(values)
    assert got.reshape(-1).tolist() == [0, 0, 128, 255]  # round(255 * (3 - 2) / (4 - 2)), of halves the even one
    assert layers.Equalization()(values, training=False).reshape(-1).tolist() == [10, 10, 20, 30]
    assert layers.Equalization()(np.full((1, 2, 2, 1), 7.0)).tolist() == np.full((1, 2, 2, 1), 7.0).tolist()
    close(layers.Equalization((0, 1))(values / 255), got / 255, 4, 1)
    first = layers.Equalization(data_format="channels_first")(values.reshape(1, 1, 1, 4))
    assert first.reshape(-1).tolist() == [0, 0, 128, 255]


def test_tiles_are_equalized_by_themselves_and_mixed_between() -> None:
    kind = layers.ContrastLimitedAdaptiveHistogramEqualization
    line = np.array([0.0, 1, 2, 3, 100, 101, 102, 103], "float32").reshape(1, 1, 8, 1)
    one = kind(clip_limit=0, tile_grid_size=(1, 1))(line)
    close(one.reshape(-1), 255 * np.arange(8) / 7, 4, 255)
    two = kind(clip_limit=0, tile_grid_size=(1, 2))(line).reshape(-1)
    close(two[:3], [0, 85, 170], 4, 255)  # before the first tile's middle: its own table, c(0) = 1 taken off
    close(two[6:], [255 * 3 / 4, 255], 4, 255)  # behind the last one's; there c(0) is 0
    close(two[3], 0.75 * 255 + 0.25 * 0, 4, 255)  # a quarter of the way to a tile that knows nothing so dark
    flat = kind(clip_limit=1.0, tile_grid_size=(1, 1))(line).reshape(-1)
    # Each value once: 1/32 is kept, the rest spread over all; whole numbers of 1/1024, which add up without rounding.
    up_to = (line.reshape(-1) + 1) * 7.75 / 256 + np.arange(1, 9) / 32
    # A division; then along two axes a share's rest, a product and a sum; as much again for what is due.
    close(flat, 255 * (up_to - up_to[0]) / (8 - up_to[0]), 2 * (1 + 2 * 3))
    whole = kind(tile_grid_size=(2, 2))(np.arange(12, dtype="uint8").reshape(1, 3, 4, 1))
    assert whole.dtype == "uint8" and whole.shape == (1, 3, 4, 1)


def test_an_embedding_read_both_ways(tmp_path: Any) -> None:
    layer = layers.ReversibleEmbedding(3, 2, mask_zero=True)
    words = np.array([[1, 0]])
    found = layer(words)
    table = layer.get_weights()[0]
    np.testing.assert_array_equal(found, table[words])
    close(layer(found, reverse=True), table[words] @ table.T, 2, 1)
    capped = layers.ReversibleEmbedding(3, 2, tie_weights=False, logit_soft_cap=0.5, reverse_dtype="float64")
    start = Input((2,), dtype="int32")
    model = Model(start, capped(capped(start), reverse=True))
    table, back = model.get_weights()
    assert back.shape == (2, 3)
    got = model.predict(words, verbose=0)
    assert got.dtype == "float64"
    wide = table[words].astype("float64"), back.astype("float64")
    # A product of two terms in each of two results, then tanh, whose slope is 1 at most: what is lost before it is lost behind it too.
    close(got, 0.5 * np.tanh(wide[0] @ wide[1] / 0.5), 2 * (2 + ELEMENTARY), abs(wide[0]) @ abs(wide[1]) + 0.5)
    model.save(tmp_path / "both.keras")
    np.testing.assert_array_equal(models.load_model(tmp_path / "both.keras").predict(words, verbose=0), got)
    symbolic = layer(Input((2,), dtype="int32"))
    assert symbolic.mask is not None and layer(symbolic, reverse=True).mask is None


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.MixUp(0), ArgumentError, "alpha is a number above 0; got 0"),
        (lambda: layers.CutMix(1.5), ArgumentError, "factor is a number in 0..1"),
        (lambda: layers.MixUp()({"labels": LABELS}), ArgumentError, "takes images, or a dict with 'images'"),
        (
            lambda: layers.CutMix()({"images": X, "bounding_boxes": X}),
            ArgumentError,
            "got .'bounding_boxes', 'images'.",
        ),
        (lambda: layers.MixUp()({"images": X, "labels": ORDER}), ShapeError, "mixes labels .batch, classes."),
        (lambda: layers.Equalization(bins=1), ArgumentError, "bins must be an integer of at least 2"),
        (lambda: layers.Equalization()(Input((2, 2, None)), training=True), ShapeError, "number of channels"),
        (
            lambda: layers.ContrastLimitedAdaptiveHistogramEqualization(clip_limit="much"),
            ArgumentError,
            "clip_limit is a number; got 'much'",
        ),
        (
            lambda: layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=8),
            ArgumentError,
            "tile_grid_size is a pair",
        ),
        (
            lambda: layers.ReversibleEmbedding(3, 2, logit_soft_cap=0),
            ArgumentError,
            "logit_soft_cap is a number above 0",
        ),
    ],
)
def test_mistakes(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# ---- drawn operations

PHOTOS = np.random.default_rng(1).random((2, 4, 5, 3)).astype("float32")
SMALL: dict[str, Any] = {"value_range": (0, 1), "seed": 2}


@pytest.mark.parametrize(
    "make",
    [lambda: layers.RandAugment(num_ops=1, **SMALL), lambda: layers.AugMix(num_chains=2, chain_depth=1, **SMALL)],
)
def test_policies_change_in_training_only(make: Any) -> None:
    layer = make()
    np.testing.assert_array_equal(layer(PHOTOS, training=False), PHOTOS)
    changed = [layer(PHOTOS) for _ in range(4)]
    assert len({y.tobytes() for y in changed}) > 1 and not np.isnan(changed).any()
    assert changed[0].shape == PHOTOS.shape and changed[0].dtype == "float32"
    again = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(again(PHOTOS), changed[0])
    assert models.Sequential([Input((4, 5, 3)), make()]).predict(PHOTOS, verbose=0).shape == PHOTOS.shape


def test_the_operation_that_is_drawn_is_the_one_applied() -> None:
    layer = layers.RandAugment(factor=(0.25, 0.25), value_range=(0, 1), interpolation="nearest")
    kinds = [type(step).__name__ for step in layer.steps]
    assert kinds[:3] == ["RandomShear", "RandomTranslation", "RandomRotation"] and len(kinds) == 11
    for name in ("RandomRotation", "RandomPosterization", "AutoContrast", "Equalization"):
        alone = layer.steps[kinds.index(name)]
        expected = np.asarray(alone(PHOTOS, training=True))
        np.testing.assert_array_equal(np.asarray(layer.one_of(PHOTOS, np.int32(kinds.index(name)))), expected)
        assert not np.array_equal(expected, PHOTOS)
    np.testing.assert_array_equal(np.asarray(layer.one_of(PHOTOS, np.int32(11))), PHOTOS)
    assert len(layers.AugMix(all_ops=False).steps) == 7


def test_chains_are_blended_with_the_images() -> None:
    got = layers.AugMix((0, 1)).blended(PHOTOS, PHOTOS + 1, np.float32(0.75))
    close(np.asarray(got), np.clip(PHOTOS + 0.25, 0, 1), 6, 2)


@pytest.mark.parametrize("alpha", [0.01, 1e-4])
def test_weights_of_chains_stay_numbers_however_small_alpha_is(alpha: float) -> None:
    """gamma(0.01) is below the smallest number of float32 in one draw of three; a sum of such is no divisor."""
    layer = layers.AugMix((0, 1), num_chains=1, chain_depth=1, alpha=alpha, all_ops=False, seed=0)
    for _ in range(5):
        assert np.isfinite(layer(PHOTOS[:1, :2, :2])).all()


def test_mistakes_with_policies() -> None:
    for make, message in (
        (lambda: layers.RandAugment(num_ops=0), "num_ops must be an integer of at least 1"),
        (lambda: layers.RandAugment(factor=2), "factor is a number in 0..1"),
        (lambda: layers.RandAugment(interpolation="cubic"), "interpolation is 'nearest' or 'bilinear'"),
        (lambda: layers.AugMix(alpha=-1.0), "alpha is a number above 0; got -1.0"),
        (lambda: layers.AugMix(chain_depth=1.5), "chain_depth must be an integer of at least 1"),
    ):
        with pytest.raises(ArgumentError, match=message):
            make()


def test_cloth_drawn_out_of_shape() -> None:
    layer = layers.RandomElasticTransform((1.0, 1.0), (1.0, 1.0), fill_mode="nearest", value_range=(0, 20))
    square = np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1)
    still = np.asarray(layer.drawn_out(square, np.float32(1), np.zeros((1, 4, 4, 2), "float32")))
    np.testing.assert_array_equal(still, square)
    noise = np.zeros((1, 4, 4, 2), "float32")
    noise[..., 0] = 1 / (0.4 * 0.2)  # a = 0.1 * 4, s = 0.05 * 4, and the window is one pixel: a column further
    moved = np.asarray(layer.drawn_out(square, np.float32(1), noise))
    close(moved, square[:, :, [1, 2, 3, 3]], 40, 15)
    first = layers.RandomElasticTransform(scale=(1.0, 1.0), fill_mode="nearest", data_format="channels_first")
    turned = np.asarray(first.drawn_out(square.transpose(0, 3, 1, 2), np.float32(1), noise))
    np.testing.assert_array_equal(turned.transpose(0, 2, 3, 1), moved)


def test_cloth_is_drawn_in_training_only() -> None:
    layer = layers.RandomElasticTransform((1.0, 1.0), (0.9, 1.0), value_range=(0, 1), seed=5)
    photos = np.repeat(np.random.default_rng(2).random((1, 20, 24, 2)).astype("float32"), 3, 0)
    changed = layer(photos)
    assert len({y.tobytes() for y in changed}) == 3 and changed.min() >= 0 and changed.max() <= 1
    assert 0 < abs(changed - photos).mean() < 0.5
    np.testing.assert_array_equal(layer(photos, training=False), photos)
    np.testing.assert_array_equal(layers.RandomElasticTransform.from_config(layer.get_config())(photos), changed)
    for none in ({"factor": 0.0}, {"scale": 0.0}):
        np.testing.assert_array_equal(layers.RandomElasticTransform(**none)(photos), photos)
    for more, message in (
        ({"factor": 2.0}, "factor is a number in 0..1"),
        ({"scale": -0.5}, "scale is a number in 0..1"),
        ({"interpolation": "cubic"}, "interpolation is 'nearest' or 'bilinear'"),
        ({"fill_mode": "black"}, "fill_mode must be one of"),
        ({"fill_value": "x"}, "fill_value must be a number"),
    ):
        with pytest.raises(ArgumentError, match=message):
            layers.RandomElasticTransform(**more)
