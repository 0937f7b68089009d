"""The nets of `refnet.applications`: layers and parameters, arguments, images and answers. Their weights: test_weights_of_applications.py."""

import importlib
import inspect
import json
import pathlib
import pickle
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from refnet import applications, layers
from refnet import backend as K
from refnet.applications import building, imagenet_utils
from refnet.errors import ArgumentError, DataError, MissingFileError, ShapeError
from refnet.graph import Tensor
from refnet.models import Model
from refnet.registration import reading_file
from refnet.testing import close
from refnet.utils import clear_session

pytestmark = pytest.mark.usefixtures("no_files")


def unset(net: Any, **arguments: Any) -> Any:
    """A net whose weights are zeros: drawing 138 million numbers would show nothing."""
    with reading_file(True, room=sys.maxsize):
        return net(weights=None, **arguments)


# ---- the nets

# {net: its module, the side of images with the top, parameters with it and without, channels of the features, layers, some names}
NETS = {
    "VGG16": ("vgg16", 224, 138_357_544, 14_714_688, 512, 23, ["block1_conv1", "block5_conv3", "block5_pool"]),
    "VGG19": ("vgg19", 224, 143_667_240, 20_024_384, 512, 26, ["block3_conv4", "block5_conv4", "block5_pool"]),
    "ResNet50": (
        *("resnet", 224, 25_636_712, 23_587_712, 2048, 177),
        ["conv1_pad", "conv2_block1_0_bn", "conv5_block3_out"],
    ),
    "ResNet50V2": (
        *("resnet_v2", 224, 25_613_800, 23_564_800, 2048, 192),
        ["conv2_block1_preact_bn", "max_pooling2d_2", "conv5_block3_out", "post_relu"],
    ),
    "InceptionV3": (
        *("inception_v3", 299, 23_851_784, 21_802_784, 2048, 313),
        ["conv2d_93", "mixed2", "mixed5", "mixed9_0", "mixed10"],
    ),
    "Xception": (
        *("xception", 299, 22_910_480, 20_861_480, 2048, 134),
        ["block2_sepconv1", "add_11", "conv2d_3", "block14_sepconv2_act"],
    ),
    "MobileNet": (
        *("mobilenet", 224, 4_253_864, 3_228_864, 1024, 91),
        ["conv1_relu", "conv_pad_2", "conv_dw_13_bn", "conv_pw_13_relu"],
    ),
    "MobileNetV2": (
        *("mobilenet_v2", 224, 3_538_984, 2_257_984, 1280, 156),
        ["bn_Conv1", "expanded_conv_depthwise", "block_15_add", "block_16_project_BN", "out_relu"],
    ),
    "DenseNet121": (
        *("densenet", 224, 8_062_504, 7_037_504, 1024, 429),
        ["zero_padding2d_1", "pool1", "conv4_block24_concat", "pool4_conv", "conv5_block16_2_conv", "relu"],
    ),
    "EfficientNetB0": (
        *("efficientnet", 224, 5_330_571, 4_049_571, 1280, 240),
        ["normalization", "stem_conv_pad", "block2b_drop", "block6a_dwconv_pad", "block7a_se_excite", "top_activation"],
    ),
    "EfficientNetV2B0": (
        *("efficientnet_v2", 224, 7_200_312, 5_919_312, 1280, 273),
        ["rescaling", "block1a_project_activation", "block3b_add", "block4a_dwconv2", "block6h_drop", "top_bn"],
    ),
    "InceptionResNetV2": (
        *("inception_resnet_v2", 299, 55_873_736, 54_336_736, 1536, 782),
        ["mixed_5b", "block35_10_ac", "custom_scale_layer_39", "conv2d_202", "block8_10_conv", "conv_7b_ac"],
    ),
    "MobileNetV3Small": (
        *("mobilenet_v3", None, 2_554_968, 939_120, 576, 164),
        ["expanded_conv_squeeze_excite_mul", "re_lu_12", "activation_15", "expanded_conv_10_add", "conv_1_bn"],
    ),
    "NASNetMobile": (
        *("nasnet", 224, 5_326_716, 4_269_716, 1056, 771),
        ["adjust_bn_stem_2", "reduction_concat_reduce_8", "cropping2d_3", "normal_add_5_12", "activation_187"],
    ),
    "ConvNeXtTiny": (
        *("convnext", 224, 28_589_128, 27_820_128, 768, 135),
        ["convnext_tiny_stem", "convnext_tiny_stage_2_block_8_layer_scale", "layer_normalization"],
    ),
}


@pytest.mark.api("VGG16", "VGG19", "InceptionV3", "Xception", "ResNet50, MobileNet")
@pytest.mark.parametrize("net", NETS)
def test_parameters_layers_and_shapes_are_those_of_keras(net: str) -> None:
    make, (_, side, whole, bare, channels, count, names) = getattr(applications, net), NETS[net]
    model = unset(make)
    assert model.count_params() == whole
    assert model.input_shape == (None, side, side, 3) and model.output_shape == (None, 1000)
    assert len(model.layers) == count
    assert model.layers[-1].name == ("convnext_tiny_head_dense" if net == "ConvNeXtTiny" else "predictions")
    assert model.name == {"MobileNet": "mobilenet_1.00_224", "MobileNetV2": "mobilenetv2_1.00_224"}.get(net, made(net))
    clear_session()  # layers without a name are counted from there
    features = unset(make, include_top=False)
    assert features.count_params() == bare
    open_sides = (None, side, side, 3) if net == "NASNetMobile" else (None, None, None, 3)
    assert features.input_shape == open_sides and features.output_shape[-1] == channels
    assert features.name == model.name.replace("_224", "_None")
    assert [features.get_layer(name).name for name in names] == names


def made(net: str) -> str:
    """The name that a net's model has if nobody gives one."""
    return str(inspect.signature(getattr(applications, net)).parameters["name"].default)


def test_nets_of_a_family_are_functions_of_their_own() -> None:
    """Keras's signature, a name for tracebacks and pickles, a docstring, an error that names the net."""
    b3 = applications.EfficientNetB3
    assert b3.__name__ == "EfficientNetB3" and pickle.loads(pickle.dumps(b3)) is b3
    assert list(inspect.signature(b3).parameters)[:2] == ["include_top", "weights"] and made("ResNet152") == "resnet152"
    assert (b3.__doc__ or "").startswith("The net EfficientNetB3. 12,320,535 parameters, 10,783,535 without its top.\n")
    with pytest.raises(ArgumentError, match="^EfficientNetB3: with its top, .* for input_shape \\(300, 300, 3\\)"):
        b3(input_shape=(224, 224, 3))
    with pytest.raises(TypeError, match="'width'"):
        b3(width=2)


@pytest.mark.parametrize("size, before", [(3, 1), (5, 2), (7, 3)])
def test_zeros_around_images_that_are_halved(size: int, before: int) -> None:
    """As `padding="same"` has them: one less at the start of an even side, and of one that may be."""
    image = layers.Input((8, 9, 3))
    assert building.padding_to_halve(image, size) == ((before - 1, before), (before, before))
    assert building.padding_to_halve(layers.Input((None, None, 3)), size) == ((before - 1, before),) * 2


def test_filters_are_multiples_of_8() -> None:
    assert [building.rounded_8(x) for x in (1, 11.9, 12, 19.2, 35.2)] == [8, 16, 16, 24, 32]  # 8 and 16 are too few
    assert [building.nearest_8(x) for x in (1, 11.9, 12, 19.2, 35.2)] == [8, 8, 16, 16, 32]


@pytest.mark.parametrize(
    "net, side, out", [("VGG16", 150, 4), ("ResNet50", 33, 2), ("InceptionV3", 75, 1), ("Xception", 71, 3)]
)
def test_features_of_images_of_a_size(net: str, side: int, out: int) -> None:
    make, channels = getattr(applications, net), NETS[net][4]
    shape = (side, side, 3)
    assert unset(make, include_top=False, input_shape=shape).output_shape == (None, out, out, channels)
    for pooling in ("avg", "max"):
        assert unset(make, include_top=False, pooling=pooling).output_shape == (None, channels)


def test_a_top_of_ones_own() -> None:
    model = unset(applications.VGG16, input_shape=(32, 48, 1), classes=7, classifier_activation=None, name="mine")
    assert model.output_shape == (None, 7) and model.name == "mine"
    assert model.get_layer("flatten").output.shape == (None, 512)
    assert model.get_layer("block1_conv1").get_weights()[0].shape == (3, 3, 1, 64)


DARK = {  # a black pixel as a net expects it
    **dict.fromkeys(("VGG16", "VGG19", "ResNet50"), [-103.939, -116.779, -123.68]),
    **dict.fromkeys(("EfficientNetB0", "EfficientNetV2B0", "MobileNetV3Small", "ConvNeXtTiny"), [0, 0, 0]),
    "DenseNet121": [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225],
}


@pytest.mark.parametrize("package", ["refnet", "refnet_fast"])
@pytest.mark.parametrize("net, module", [(net, facts[0]) for net, facts in NETS.items()] + [("ResNet50", "resnet50")])
def test_modules_as_they_are_imported(package: str, net: str, module: str) -> None:
    """`from keras.applications.vgg16 import VGG16, preprocess_input, decode_predictions`"""
    found = importlib.import_module(f"{package}.applications.{module}")
    assert getattr(found, net) is getattr(applications, net)
    assert found.decode_predictions is imagenet_utils.decode_predictions
    due = DARK.get(net, [-1, -1, -1])
    np.testing.assert_array_equal(found.preprocess_input(np.zeros((1, 2, 2, 3)))[0, 0, 0], due)


def test_a_net_on_a_tensor_of_ones_own() -> None:
    image = layers.Input((32, 32, 3), name="image")
    model = unset(applications.VGG16, input_tensor=image * 2.0, include_top=False)
    assert model.inputs == [image] and model.output_shape == (None, 1, 1, 512)
    shape = (1, 40, 48, 3)
    changing = K.placeholder(shape)
    joined = K.concatenate([K.constant(np.ones(shape)), K.constant(np.zeros(shape)), changing], axis=0)
    model = unset(applications.VGG19, input_tensor=joined, include_top=False)
    assert model.inputs == [changing] and model.get_layer("block5_conv2").output.shape == (3, 2, 3, 512)
    two = [layers.Input((32, 32, 3)), layers.Input((32, 32, 3))]
    assert unset(applications.VGG16, input_tensor=two[0] + two[1], include_top=False).inputs == two


@pytest.mark.parametrize(
    "net, arguments, words",
    [
        ("VGG16", {"pooling": "mean"}, "pooling is None, 'avg' or 'max'"),
        ("VGG16", {"input_tensor": np.zeros((1, 32, 32, 3))}, "input_tensor is a tensor"),
        ("VGG16", {"input_shape": (32, 32)}, "input_shape is"),
        ("VGG16", {"input_shape": 224}, r"input_shape is \(height, width, channels\); got 224"),
        ("ResNet50", {"input_shape": (31, 32, 3)}, "at least 32 x 32"),
        ("Xception", {"input_shape": (70, 71, 3)}, "at least 71 x 71"),
        ("InceptionV3", {"input_shape": (75, 74, 3)}, "at least 75 x 75"),
        ("VGG19", {"input_shape": (None, None, 3)}, "must be known"),
        ("VGG19", {"weights": "imagenet", "input_shape": (150, 150, 3)}, r"input_shape \(224, 224, 3\)"),
        ("VGG19", {"weights": "imagenet", "include_top": False, "input_shape": (150, 150, 1)}, "three colours"),
        ("VGG16", {"weights": "imagenet", "classes": 2}, "1000 classes; got 2"),
        ("VGG16", {"weights": "imagenet", "classifier_activation": "relu"}, "None or 'softmax'; got 'relu'"),
        ("VGG16", {"weights": 3}, "a file's path; got 3"),
        ("MobileNet", {"weights": "imagenet", "alpha": 0.3}, "an alpha of 0.25"),
        ("MobileNet", {"weights": "imagenet", "depth_multiplier": 2}, "depth_multiplier=1"),
        ("MobileNetV2", {"weights": "imagenet", "alpha": 0.25}, "an alpha of .*1.4"),
        ("MobileNetV3Large", {"weights": "imagenet", "alpha": 0.5}, "an alpha of 0.75 or 1; got 0.5"),
        ("MobileNetV3Small", {"weights": "imagenet", "alpha": 0.75, "minimalistic": True}, "an alpha of 1; got 0.75"),
        ("MobileNet", {"input_shape": 224}, r"input_shape is \(height, width, channels\); got 224"),
        ("MobileNetV2", {"weights": "imagenet", "input_shape": "224"}, "input_shape is .*; got '224'"),
        ("NASNetLarge", {"include_top": False, "input_shape": (None, None, 3)}, r"must be known; got \(None, None\)"),
        ("EfficientNetV2S", {"weights": "imagenet", "input_shape": (300, 300, 3)}, r"input_shape \(384, 384, 3\)"),
    ],
)
def test_arguments_that_do_not_fit(net: str, arguments: Any, words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a size that there are no weights for
        with pytest.raises(ArgumentError, match=words):
            getattr(applications, net)(**{"weights": None, **arguments})


def test_a_tensor_and_a_shape_that_contradict_each_other() -> None:
    image = layers.Input((96, 96, 3))
    for net in (applications.MobileNetV2, applications.MobileNetV3Small):
        with pytest.raises(ArgumentError, match="input_tensor has images of width 96, input_shape says 64"):
            unset(net, input_tensor=image, input_shape=(96, 64, 3))
    assert unset(applications.MobileNetV2, input_tensor=image).name == "mobilenetv2_1.00_96"


def test_mobilenet_v3_in_its_forms() -> None:
    """Minimalistic, narrow, without the layer that scales; and images of every size with the top."""
    plain = unset(applications.MobileNetV3Small, minimalistic=True, include_preprocessing=False)
    kinds = {type(layer).__name__ for layer in plain.layers}
    assert "Multiply" not in kinds and "Rescaling" not in kinds and plain.input_shape == (None, None, None, 3)
    assert {layer.kernel_size for layer in plain.layers if hasattr(layer, "depth_multiplier")} == {(3, 3)}
    assert plain.count_params() == 2_056_848
    narrow = unset(applications.MobileNetV3Small, alpha=0.75, include_top=False, pooling="max")
    assert narrow.output_shape == (None, 432) and narrow.layers[-1].name == "max_pool"


def test_channels_that_nobody_has_pictures_of() -> None:
    """The warning names the line that asked for them, whether the net is alone or one of a family."""
    for net, alpha in ((applications.MobileNet, {"alpha": 0.25}), (applications.ResNet50, {})):
        with pytest.warns(UserWarning, match="1 or 3 channels") as told:
            unset(net, include_top=False, input_shape=(32, 32, 5), **alpha)
        assert told[0].filename == __file__


# ---- images and answers


@pytest.mark.api("vgg16.preprocess_input / decode_predictions")
def test_images_as_each_kind_of_net_expects_them() -> None:
    image = np.array([[[255, 0, 51]]], "uint8")
    kept = image.copy()
    prepared = imagenet_utils.preprocess_input
    assert prepared(image).dtype == np.float32
    close(prepared(image)[0, 0], [51 - 103.939, -116.779, 255 - 123.68], 4, 256)
    close(prepared(image, mode="tf")[0, 0], [1, -1, -0.6], 4, 1)
    due = [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225]
    close(prepared(image, mode="torch")[0, 0], due, 8, 5)
    np.testing.assert_array_equal(image, kept)
    floats = image.astype("float64")
    assert prepared(floats).dtype == np.float64 and np.array_equal(floats, kept)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_tensors_and_the_other_order_of_axes_give_the_same(mode: str) -> None:
    batch = np.random.default_rng(1).integers(0, 256, (2, 3, 4, 3)).astype("float32")
    due = imagenet_utils.preprocess_input(batch, mode=mode)
    for images in (batch, batch[0]):
        turned = np.moveaxis(images, -1, -3)
        found = imagenet_utils.preprocess_input(turned, "channels_first", mode)
        np.testing.assert_array_equal(np.moveaxis(found, -3, -1), due if images.ndim == 4 else due[0])
    x = layers.Input((3, 4, 3), dtype="uint8")
    y = imagenet_utils.preprocess_input(x, mode=mode)
    assert isinstance(y, Tensor) and y.dtype == "float32"
    np.testing.assert_array_equal(Model(x, y).predict(batch.astype("uint8"), verbose=0), due)


def test_images_that_are_none() -> None:
    with pytest.raises(ShapeError, match=r"three colours \(channels_last\); got \(2, 4, 4, 1\)"):
        applications.vgg16.preprocess_input(np.zeros((2, 4, 4, 1)))
    with pytest.raises(ArgumentError, match="unknown mode 'cafe'. Did you mean 'caffe'"):
        imagenet_utils.preprocess_input(np.zeros((4, 4, 3)), mode="cafe")
    with pytest.raises(ArgumentError, match="data_format is"):
        applications.xception.preprocess_input(np.zeros((4, 4, 3)), "channels")


@pytest.mark.api("top-k decode")
def test_answers_in_words(tmp_path: pathlib.Path) -> None:
    chances = np.zeros((2, 1000), "float32")
    chances[0, [386, 101, 385]] = 0.75, 0.25, 0.125
    chances[1, 7] = 1
    with pytest.raises(MissingFileError, match="(?s)imagenet_class_index.json((?!weights=None).)*$"):
        applications.vgg16.decode_predictions(chances)
    (tmp_path / "own").mkdir()
    path = tmp_path / "own" / "imagenet_class_index.json"
    path.write_text(json.dumps({str(i): [f"n{i:08}", f"animal_{i}"] for i in range(1000)}))
    found = applications.vgg16.decode_predictions(chances, top=3)
    assert found[0] == [
        ("n00000386", "animal_386", 0.75),
        ("n00000101", "animal_101", 0.25),
        ("n00000385", "animal_385", 0.125),
    ]
    assert found[1][0] == ("n00000007", "animal_7", 1.0) and len(found[1]) == 3
    assert len(applications.mobilenet.decode_predictions(chances)[0]) == 5
    for shape in ((1000,), (2, 999)):
        with pytest.raises(ShapeError, match="predictions of shape"):
            applications.vgg16.decode_predictions(np.zeros(shape))
    for content in ("{}", "<html>"):
        path.write_text(content)
        with pytest.raises(DataError, match="another file"):
            applications.vgg16.decode_predictions(chances)
