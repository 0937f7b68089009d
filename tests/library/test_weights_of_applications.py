"""The weights of `refnet.applications`: in which files they are looked for, how they are fetched, and what is said without them."""

import hashlib
import pathlib
import sys
from typing import Any

import numpy as np
import pytest

from refnet import applications, layers
from refnet.errors import DataError, FileError, MissingFileError
from refnet.models import Model, load_model
from refnet.registration import reading_file
from refnet.testing import close
from refnet.utils import clear_session, download

pytestmark = pytest.mark.usefixtures("no_files")


def small_net() -> Any:
    return applications.MobileNet(weights=None, input_shape=(32, 32, 3), alpha=0.25, include_top=False)


def random_weights(model: Any) -> list[Any]:
    generator = np.random.default_rng(3)
    return [generator.standard_normal(w.shape).astype("float32") for w in model.get_weights()]


def equal(model: Any, values: list[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), values, strict=True))


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5"])
def test_weights_from_a_file(tmp_path: pathlib.Path, name: str) -> None:
    model = small_net()
    values = random_weights(model)
    model.set_weights(values)
    model.save_weights(tmp_path / name)
    loaded = applications.MobileNet(weights=tmp_path / name, alpha=0.25, include_top=False)
    assert equal(loaded, values)
    with pytest.raises(FileError):
        applications.MobileNet(weights=str(tmp_path / name), alpha=0.5, include_top=False)
    with pytest.raises(MissingFileError, match="there is no file .*w2.h5"):
        applications.VGG16(weights=str(tmp_path / "w2.h5"))


def test_a_net_s_own_layer_in_a_file_and_a_user_s_of_the_same_name(tmp_path: pathlib.Path) -> None:
    x = layers.Input((3,))
    rows = np.ones((2, 3), "float32")
    Model(x, applications.convnext.LayerScale(0.5, 3)(x)).save(tmp_path / "net.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "net.keras").predict(rows, verbose=0), 0.5 * rows)

    class LayerScale(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs * 2.0

    Model(x, LayerScale()(x)).save(tmp_path / "user.keras")
    with pytest.raises(FileError, match="a class 'LayerScale', which is not known"):
        load_model(tmp_path / "user.keras")
    own = load_model(tmp_path / "user.keras", custom_objects={"LayerScale": LayerScale})
    np.testing.assert_array_equal(own.predict(rows, verbose=0), 2 * rows)


@pytest.mark.api("ImageNet")
@pytest.mark.parametrize("place", ["own", "keras/models", "web/tensorflow/keras-applications/mobilenet"])
def test_published_weights_are_found_and_fetched(tmp_path: pathlib.Path, place: str) -> None:
    """In a folder of one's own, in Keras's, or where they are offered, here a folder too; then they are kept in Keras's."""
    model = small_net()
    values = random_weights(model)
    model.set_weights(values)
    (tmp_path / place).mkdir(parents=True)
    model.save_weights(tmp_path / place / "mobilenet_2_5_128_tf_no_top.h5")
    loaded = applications.MobileNet((128, 128, 3), alpha=0.25, include_top=False)
    assert equal(loaded, values) and loaded.name == "mobilenet_0.25_128"
    assert (tmp_path / "keras/models/mobilenet_2_5_128_tf_no_top.h5").exists() == (place != "own")


def test_the_published_efficientnets_scale_colours_once_more(tmp_path: pathlib.Path) -> None:
    """By the root of each colour's deviation, as in Keras; where other weights are asked for, there is no such layer."""
    clear_session()
    with reading_file(True, room=sys.maxsize):  # zeros: five million draws would show nothing
        model = applications.EfficientNetB0(weights=None, include_top=False, pooling="avg")
    model.set_weights(random_weights(model))
    values = model.get_weights()  # one of which counts, in whole numbers
    (tmp_path / "own").mkdir()
    model.save_weights(tmp_path / "own" / "efficientnetb0_notop.h5")
    clear_session()
    published = applications.EfficientNetB0(include_top=False, pooling="avg")
    assert equal(published, values)
    close(np.square(published.get_layer("rescaling_1").scale), [1 / 0.229, 1 / 0.224, 1 / 0.225], 4, dtype="float32")
    kinds = [[layer.name for layer in net.layers if "rescaling" in layer.name] for net in (model, published)]
    assert kinds == [["rescaling"], ["rescaling", "rescaling_1"]]


def test_the_only_other_size_that_has_weights(tmp_path: pathlib.Path) -> None:
    model = small_net()
    model.set_weights(values := random_weights(model))
    (tmp_path / "own").mkdir()
    model.save_weights(tmp_path / "own" / "mobilenet_2_5_224_tf_no_top.h5")
    with pytest.warns(UserWarning, match="the weights for 224 x 224 are used"):
        assert equal(applications.MobileNet((40, 32, 3), alpha=0.25, include_top=False), values)


@pytest.mark.parametrize(
    "net, top, name",
    [
        ("VGG16", False, "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("VGG19", True, "vgg19_weights_tf_dim_ordering_tf_kernels.h5"),
        ("ResNet50", True, "resnet50_weights_tf_dim_ordering_tf_kernels.h5"),
        ("InceptionV3", False, "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("Xception", False, "xception_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("MobileNet", True, "mobilenet_1_0_224_tf.h5"),
        ("ResNet101", False, "resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("ResNet152V2", True, "resnet152v2_weights_tf_dim_ordering_tf_kernels.h5"),
        ("MobileNetV2", False, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"),
        ("DenseNet169", False, "densenet169_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("EfficientNetB7", True, "efficientnetb7.h5"),
        ("EfficientNetV2L", False, "efficientnetv2-l_notop.h5"),
        ("InceptionResNetV2", True, "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels.h5"),
        ("MobileNetV3Large", False, "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5"),
        ("NASNetMobile", True, "nasnet_mobile.h5"),
        ("ConvNeXtXLarge", False, "convnext_xlarge_notop.h5"),
    ],
)
def test_without_a_network_it_says_which_file_to_put_where(
    tmp_path: pathlib.Path, net: str, top: bool, name: str
) -> None:
    arguments = {"input_shape": (224, 224, 3)} if net.startswith("MobileNet") else {}
    with pytest.raises(MissingFileError) as error:
        getattr(applications, net)(include_top=top, **arguments)
    folder = "keras-applications" if net == "EfficientNetB7" else f"tensorflow/keras-applications/{folder_of(net)}"
    text = str(error.value)
    for part in (
        name,
        f"web/{folder}/{'NASNet-mobile.h5' if net == 'NASNetMobile' else name}",
        str(tmp_path / "own"),
        str(tmp_path / "keras/models"),
        "REFNET_DATA_DIR",
        "curl",
    ):
        assert part in text
    assert not (tmp_path / "keras").exists()


def folder_of(net: str) -> str:
    """Where Keras offers a net's files: for most, a folder with the module's name."""
    module = getattr(applications, net).__module__.rpartition(".")[2]
    return "resnet" if module == "resnet_v2" else module


def test_a_file_with_another_hash_is_not_taken(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    (tmp_path / "keras/models").mkdir(parents=True)
    (tmp_path / "keras/models" / name).write_bytes(b"half of it")
    with pytest.raises(MissingFileError, match="has another hash than 6d6bbae143d832006294945121d1f1fc"):
        applications.VGG16(include_top=False)

    def fetch(address: str, target: pathlib.Path, known: str, algorithm: str) -> None:
        assert known == "6d6bbae143d832006294945121d1f1fc" and hashlib.md5(b"").hexdigest() != known
        raise DataError("another hash")

    monkeypatch.setattr(download, "fetch", fetch)
    with pytest.raises(DataError, match="another hash"):
        applications.VGG16(include_top=False)
