"""Image files, arrays of images, and ImageDataGenerator: what it changes, in what order, and that a seed decides all of it."""

import io

import numpy as np
import pytest

from refnet import layers, models
from refnet.errors import ArgumentError, FileError, MissingFileError, ShapeError
from refnet.preprocessing import image
from refnet.preprocessing.changes import matrix_of, shift_of, uniforms
from refnet.testing import close
from refnet.utils import array_to_img, img_to_array, load_img, save_img

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (6, 8, 3), dtype=np.uint8)


# ---- files and arrays


@pytest.mark.api("image.load_img", "image.img_to_array", "image.array_to_img")
def test_a_photo_there_and_back(tmp_path):
    path = tmp_path / "photo.png"
    save_img(path, PHOTO, scale=False)
    picture = load_img(path)
    assert picture.size == (8, 6)  # Pillow's: width, height
    x = img_to_array(picture)
    assert x.dtype == "float32" and x.shape == (6, 8, 3)
    np.testing.assert_array_equal(x, PHOTO)
    np.testing.assert_array_equal(np.asarray(array_to_img(x, scale=False)), PHOTO)
    assert load_img(str(path), target_size=(3, 4)).size == (4, 3)
    with open(path, "rb") as file:
        assert img_to_array(load_img(file)).shape == (6, 8, 3)
    assert load_img(io.BytesIO(path.read_bytes())).size == (8, 6)


def test_modes_layouts_and_ratios(tmp_path):
    path = tmp_path / "photo.png"
    save_img(path, PHOTO, scale=False)
    assert img_to_array(load_img(path, "grayscale")).shape == (6, 8, 1)
    assert img_to_array(load_img(path, "rgba")).shape == (6, 8, 4)
    first = img_to_array(load_img(path), data_format="channels_first", dtype="uint8")
    assert first.shape == (3, 6, 8) and first.dtype == "uint8"
    np.testing.assert_array_equal(np.asarray(array_to_img(first, "channels_first", scale=False)), PHOTO)
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6] = 200  # the middle square
    save_img(path, wide, scale=False)
    square = img_to_array(load_img(path, target_size=(4, 4), keep_aspect_ratio=True))
    assert (square == 200).all()
    assert img_to_array(np.zeros((2, 3)), "channels_first").shape == (1, 2, 3)


def test_values_are_spread_over_0_to_255_on_demand():
    x = np.array([[[0.0], [0.5]], [[1.0], [0.25]]])
    assert np.asarray(array_to_img(x)).tolist() == [[0, 127], [255, 63]]
    assert np.asarray(array_to_img(np.full((2, 2, 1), 3.0))).tolist() == [[0, 0], [0, 0]]
    assert np.asarray(array_to_img(np.full((1, 1, 1), 300.0), scale=False)).tolist() == [[300]]


def test_saving_a_picture_without_its_transparency(tmp_path):
    with pytest.warns(UserWarning, match="no transparency"):
        save_img(tmp_path / "a.jpg", np.zeros((2, 2, 4)))
    assert load_img(tmp_path / "a.jpg").size == (2, 2)


def test_mistakes_with_images(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    for call, error, words in (
        (lambda: load_img(tmp_path / "none.png"), MissingFileError, "there is no file"),
        (lambda: load_img(tmp_path / "text.png"), FileError, "not an image"),
        (lambda: load_img(3), ArgumentError, "a path or an open file"),
        (lambda: load_img("a", "cmyk"), ArgumentError, "color_mode"),
        (lambda: load_img("a", interpolation="cubic"), ArgumentError, "interpolation"),
        (lambda: img_to_array(np.zeros(3)), ShapeError, "two or three axes"),
        (lambda: array_to_img(np.zeros((2, 2))), ShapeError, "three axes"),
        (lambda: array_to_img(np.zeros((2, 2, 2))), ShapeError, "1, 3 or 4 channels"),
        (lambda: array_to_img(np.zeros((2, 2, 1)), "last"), ArgumentError, "data_format"),
    ):
        with pytest.raises(error, match=words):
            call()


def test_an_image_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    import PIL.Image

    save_img(tmp_path / "photo.png", PHOTO)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(FileError, match="decompression bomb"):
        load_img(tmp_path / "photo.png")


@pytest.mark.api("image resize by octave")
def test_smart_resize_distorts_nothing():
    x = np.zeros((4, 8, 1), "float32")
    x[:, 2:6] = 1
    assert (image.smart_resize(x, (2, 2)) == 1).all()
    assert image.smart_resize(np.stack([x, x]), (6, 3)).shape == (2, 6, 3, 1)


# ---- changes, one by one


def test_affine_changes_by_hand():
    x = np.arange(12.0, dtype="float32").reshape(1, 3, 4)  # channels first
    down = image.apply_affine_transform(x, tx=1)
    assert down[0].tolist() == [[4, 5, 6, 7], [8, 9, 10, 11], [8, 9, 10, 11]]
    right = image.apply_affine_transform(x, ty=-1, fill_mode="constant", cval=-5)
    assert right[0].tolist() == [[-5, 0, 1, 2], [-5, 4, 5, 6], [-5, 8, 9, 10]]
    square = x[:, :, :3].copy()
    turned = image.apply_affine_transform(square, theta=90)
    # clockwise, as in Keras; coordinates up to 3 come by a dozen operations, and a pixel further the image is up to 5 more
    close(turned[0], np.rot90(square[0], -1), 12 + 8, 3 * 5 + square.max())
    last = image.apply_affine_transform(square.transpose(1, 2, 0), 90, row_axis=0, col_axis=1, channel_axis=2)
    np.testing.assert_array_equal(last[:, :, 0], turned[0])
    half = image.apply_affine_transform(np.arange(5.0).reshape(1, 1, 5), zx=1, zy=0.5)
    np.testing.assert_array_equal(half[0, 0], [1, 1.5, 2, 2.5, 3])
    np.testing.assert_array_equal(matrix_of({}, 3, 4), np.eye(3))
    with pytest.raises(ArgumentError, match="0, 1 and 2"):
        image.apply_affine_transform(x, 1, row_axis=1, col_axis=1)


def test_colours_by_hand():
    x = np.array([[[10.0, 20.0]], [[30.0, 40.0]]], "float32")
    assert image.apply_channel_shift(x, 15.0).tolist() == [[[25, 35]], [[40, 40]]]
    grey = np.full((2, 2, 3), 100.0, "float32")
    assert (image.apply_brightness_shift(grey, 0.5, scale=False) == 50).all()
    outside = np.array([[[-10.0] * 3], [[10.0] * 3]], "float32")
    np.testing.assert_array_equal(image.apply_brightness_shift(outside, 1.0, scale=False), outside)


@pytest.mark.parametrize("intensity", [-100.0, 0.5, 100.0])
def test_whole_numbers_are_shifted_as_floats_are(intensity):
    """Bytes began anew beyond their ends: 250 + 100 was 94."""
    due = image.apply_channel_shift(PHOTO.astype("float64"), intensity, 2)
    close(image.apply_channel_shift(PHOTO, intensity, 2), due, roundings=0)
    close(image.apply_channel_shift(PHOTO.tolist(), intensity, 2), due, roundings=0)
    generator = image.ImageDataGenerator(channel_shift_range=1)
    drawn = {"channel_shift_intensity": intensity}
    close(generator.apply_transform(PHOTO, drawn), due, roundings=0)


def test_the_functions_that_draw():
    x = RANDOM.random((3, 6, 6)).astype("float32")
    for function, arguments in (
        (image.random_rotation, (30,)),
        (image.random_shift, (0.3, 0.3)),
        (image.random_shear, (20,)),
        (image.random_zoom, ((0.5, 0.8),)),
        (image.random_channel_shift, (0.4,)),
    ):
        once = function(x, *arguments, seed=4)
        assert once.shape == x.shape and not np.array_equal(once, x), function
        np.testing.assert_array_equal(function(x, *arguments, seed=4), once)
        assert not np.array_equal(function(x, *arguments, seed=5), once), function
    bright = image.random_brightness(255 * x.transpose(1, 2, 0), (0.2, 0.4), seed=1)
    assert bright.max() < 255 * 0.45


def test_what_is_drawn_lies_in_its_range():
    generator = image.ImageDataGenerator(
        rotation_range=40, width_shift_range=0.25, height_shift_range=[2, 3], shear_range=5, zoom_range=(0.5, 2.0)
    )
    drawn = [generator.get_random_transform((10, 20, 3), seed=i) for i in range(60)]
    theta, ty, zx = (np.array([p[k] for p in drawn]) for k in ("theta", "ty", "zx"))
    assert -40 <= theta.min() < -20 and 20 < theta.max() <= 40
    assert -5 <= ty.min() < -2 and 2 < ty.max() <= 5 and 0.5 <= zx.min() < 0.9 and 1.5 < zx.max() <= 2
    assert {p["tx"] for p in drawn} == {-3.0, -2.0, 2.0, 3.0}
    assert not any(p["flip_horizontal"] for p in drawn) and drawn[0]["brightness"] is None
    assert shift_of(3, 10, 0.99, 0.1) == 2.0 and shift_of(0.0, 10, 0.9, 0.1) == 0.0
    assert uniforms(3, 5, 2).shape == (2, 12)
    np.testing.assert_array_equal(uniforms(3, 5, 2), uniforms(3, 5, 2))


def test_flips():
    x = np.arange(6.0).reshape(1, 2, 3, 1)
    generator = image.ImageDataGenerator()
    flipped = generator.apply_transform(x[0], {"flip_horizontal": True, "flip_vertical": True})
    assert flipped[:, :, 0].tolist() == [[5, 4, 3], [2, 1, 0]]
    both = image.ImageDataGenerator(horizontal_flip=True).flow(np.repeat(x, 40, 0), batch_size=40, seed=2)
    left = (next(both)[:, 0, 0, 0] == 0).sum()
    assert 8 < left < 32


# ---- statistics


def standardized(x):
    """Roundings and size of means: of the numbers and their squares, of the results and theirs; the epsilon adds less than one."""
    return 4 * x.size + 8, 2 * 50 / 10  # numbers up to 50, whose deviation is above 10


def test_standardizing_by_sample_and_by_feature():
    x = RANDOM.random((5, 4, 4, 3)).astype("float32") * 50
    sample = image.ImageDataGenerator(samplewise_std_normalization=True)
    y = next(sample.flow(x, batch_size=5, shuffle=False))
    close(y.mean((1, 2, 3)), np.zeros(5), *standardized(x[0]))
    close(y.std((1, 2, 3)), np.ones(5), *standardized(x[0]))
    feature = image.ImageDataGenerator(featurewise_std_normalization=True)
    feature.fit(x)
    y = next(feature.flow(x, batch_size=5, shuffle=False))
    close(y.mean((0, 1, 2)), np.zeros(3), *standardized(x[..., 0]))
    close(y.std((0, 1, 2)), np.ones(3), *standardized(x[..., 0]))
    with pytest.warns(UserWarning, match="call fit"):
        image.ImageDataGenerator(featurewise_center=True).standardize(x[0])


def test_whitening_leaves_no_correlations():
    x = RANDOM.random((200, 2, 2, 1)).astype("float32")
    x[:, 1] = x[:, 0] + 0.1 * x[:, 1]
    generator = image.ImageDataGenerator(zca_whitening=True)
    generator.fit(x)
    y = next(generator.flow(x, batch_size=200, shuffle=False)).reshape(200, 4)
    # epsilon, and the roundings of the covariances, beside the least of what is divided by
    least, *_, largest = np.linalg.eigvalsh(np.cov(x.reshape(200, 4).T))
    assert abs(y.T @ y / 200 - np.eye(4)).max() <= (1e-6 + 2 * 200 * 2**-24 * largest) / least


def test_the_users_function_comes_after_the_changes_and_before_rescaling():
    generator = image.ImageDataGenerator(rescale=0.5, preprocessing_function=lambda x: x + 1)
    assert (next(generator.flow(np.full((1, 2, 2, 1), 3.0))) == 2).all()
    augmented = image.ImageDataGenerator(featurewise_center=True, rotation_range=90)
    augmented.fit(RANDOM.random((2, 4, 4, 1)), augment=True, rounds=3, seed=1)
    assert augmented.mean.shape == (1, 1, 1)


# ---- batches of arrays


@pytest.mark.api("ImageDataGenerator", "....flow")
def test_batches_without_an_end():
    x = np.arange(5.0).reshape(5, 1, 1, 1)
    flow = image.ImageDataGenerator().flow(x, np.arange(5), batch_size=2, shuffle=False)
    assert len(flow) == 3
    seen = [next(flow)[1].tolist() for _ in range(7)]
    assert seen == [[0, 1], [2, 3], [4], [0, 1], [2, 3], [4], [0, 1]]
    assert flow.batch_index == 1
    assert flow[1][1].tolist() == [2, 3] and flow[-1][1].tolist() == [4]
    flow.reset()
    for i, (images, labels) in enumerate(flow):
        assert images[:, 0, 0, 0].tolist() == labels.tolist()
        if i == 4:
            break
    with pytest.raises(IndexError):
        flow[3]


def test_a_seed_decides_orders_and_changes():
    x = 255 * RANDOM.random((7, 6, 6, 3)).astype("float32")
    generator = image.ImageDataGenerator(rotation_range=30, horizontal_flip=True, brightness_range=(0.5, 1.5))
    one, two = (generator.flow(x, np.arange(7), batch_size=3, seed=11) for _ in range(2))
    passes = []
    for _ in range(6):
        (a, la), (b, lb) = next(one), next(two)
        np.testing.assert_array_equal(a, b)
        assert la.tolist() == lb.tolist()
        passes += la.tolist()
    assert sorted(passes[:7]) == sorted(passes[7:]) == list(range(7)) and passes[:7] != passes[7:]
    other = next(generator.flow(x, np.arange(7), batch_size=3, seed=12))
    assert not np.array_equal(other[0], generator.flow(x, np.arange(7), batch_size=3, seed=11)[0][0])
    np.testing.assert_array_equal(one[1][0], two[1][0])  # by number too, whatever was asked for before


def test_weights_other_arrays_and_parts():
    x, y = np.arange(10.0).reshape(10, 1, 1, 1), np.tile([0, 1], 5)
    generator = image.ImageDataGenerator(validation_split=0.2)
    images, labels, weights = next(generator.flow(x, y, sample_weight=np.arange(10), shuffle=False, batch_size=10))
    assert weights.tolist() == list(range(10)) and labels.tolist() == [0, 1] * 5 and len(images) == 10
    training = generator.flow(x, y, subset="training", shuffle=False)
    validation = generator.flow(x, y, subset="validation", shuffle=False)
    assert (training.n, validation.n) == (8, 2)
    assert next(validation)[0].reshape(-1).tolist() == [0, 1] and next(training)[0][0, 0, 0, 0] == 2
    both = next(generator.flow([x, np.arange(10)], y, shuffle=False, batch_size=3))
    assert both[0][1].tolist() == [0, 1, 2]
    with pytest.raises(ArgumentError, match="different classes"):
        generator.flow(x, np.repeat([0, 1], 5), subset="training")
    assert generator.flow(x, np.repeat([0, 1], 5), subset="training", ignore_class_split=True).n == 8


def test_pictures_of_the_batches(tmp_path):
    flow = image.ImageDataGenerator().flow(
        PHOTO[None], batch_size=1, shuffle=False, save_to_dir=tmp_path, save_prefix="p", save_format="png"
    )
    next(flow), next(flow)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p_0_0.png", "p_0_1.png"]
    assert load_img(tmp_path / "p_0_0.png").size == (8, 6)


def test_channels_first():
    x = RANDOM.random((2, 5, 6, 3)).astype("float32")
    changes = {"theta": 20.0, "tx": 1.5, "shear": 4.0, "zx": 0.9, "zy": 1.2, "flip_horizontal": True}
    last, first = (image.ImageDataGenerator(data_format=f) for f in ("channels_last", "channels_first"))
    y = last.apply_transform(x[0], changes)
    z = first.apply_transform(x[0].transpose(2, 0, 1), changes)
    np.testing.assert_array_equal(z.transpose(1, 2, 0), y)


def test_mistakes_with_the_generator():
    for arguments, words in (
        ({"fill_mode": "edge"}, "fill_mode is one of"),
        ({"zoom_range": (1, 2, 3)}, "zoom_range is a pair"),
        ({"brightness_range": 2}, "brightness_range is a pair"),
        ({"validation_split": 1.5}, "validation_split"),
        ({"data_format": "last"}, "data_format"),
        ({"rotation_range": "30"}, "rotation_range is a number; got '30'"),
        ({"channel_shift_range": (-9, 9)}, "channel_shift_range is a number; got"),
        ({"width_shift_range": [["a"]]}, "width_shift_range is a number, or a list of them"),
        ({"rescale": "1/255"}, "rescale is a number; got '1/255'"),
        ({"interpolation_order": 3}, "interpolation_order"),
    ):
        with pytest.raises(ArgumentError, match=words):
            image.ImageDataGenerator(**arguments)
    generator = image.ImageDataGenerator()
    with pytest.raises(ShapeError, match="four axes"):
        generator.flow(np.zeros((3, 4, 4)))
    with pytest.raises(ShapeError, match="y has 2 rows"):
        generator.flow(np.zeros((3, 4, 4, 1)), np.zeros(2))
    with pytest.raises(ArgumentError, match="validation_split"):
        generator.flow(np.zeros((3, 4, 4, 1)), subset="training")
    with pytest.raises(ArgumentError, match="'training', 'validation' or None"):
        generator.flow(np.zeros((3, 4, 4, 1)), subset="test")
    with pytest.raises(ArgumentError, match="batch_size"):
        generator.flow(np.zeros((3, 4, 4, 1)), batch_size=0)
    with pytest.raises(ShapeError, match="four axes"):
        generator.fit(np.zeros((4, 4, 1)))


# ---- in training


def small_model():
    model = models.Sequential([layers.Input((2, 2, 1)), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_fit_takes_an_iterator_with_fewer_and_with_more_steps_than_a_pass():
    x = RANDOM.random((10, 2, 2, 1))
    flow = image.ImageDataGenerator(horizontal_flip=True).flow(x, np.arange(10.0), batch_size=4, seed=1)
    for steps in (None, 2, 7):
        history = small_model().fit(
            flow, epochs=2, steps_per_epoch=steps, validation_data=flow, validation_steps=4, verbose=0
        )
        assert len(history.history["val_loss"]) == 2
    assert small_model().predict(image.ImageDataGenerator().flow(x, batch_size=4), verbose=0).shape == (10, 1)
    assert np.isfinite(small_model().evaluate(flow, steps=5, verbose=0))


def test_training_on_batches_made_ahead_is_repeatable():
    x = RANDOM.random((9, 2, 2, 1))

    def trained():
        from refnet import utils

        utils.set_random_seed(5)
        flow = image.ImageDataGenerator(rotation_range=50, zoom_range=0.3).flow(x, np.arange(9.0), batch_size=2, seed=3)
        model = small_model()
        model.fit(flow, epochs=3, steps_per_epoch=3, verbose=0)
        return model.get_weights()

    for a, b in zip(trained(), trained()):
        np.testing.assert_array_equal(a, b)


def test_predictions_are_in_the_order_of_the_files(tree):
    flow = image.ImageDataGenerator().flow_from_directory(
        tree, target_size=(2, 2), batch_size=2, class_mode=None, shuffle=False, color_mode="grayscale"
    )
    next(flow)  # a look at the first batch changes nothing
    model = models.Sequential([layers.Input((2, 2, 1)), layers.GlobalMaxPooling2D()])
    assert model.predict(flow, verbose=0).reshape(-1).tolist() == [0, 10, 20, 100, 110]


def test_an_error_in_the_thread_reaches_the_caller():
    def broken(x):
        raise ZeroDivisionError("in the user's function")

    flow = image.ImageDataGenerator(preprocessing_function=broken).flow(np.zeros((3, 2, 2, 1)), np.zeros(3))
    with pytest.raises(ZeroDivisionError, match="user's function"):
        small_model().fit(flow, verbose=0)
