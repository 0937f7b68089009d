"""The nets of `refnet.applications` beside the installed Keras's: its files of weights, layers, answers, gradients."""

import inspect
import os
import pathlib
import sys
from typing import Any

import numpy as np
import pytest

import refnet_fast  # registers the engine cpu
from refnet import applications, use_engine
from refnet import backend as K
from refnet.registration import reading_file
from refnet.saving.weights import ordered_layers

pytestmark = pytest.mark.peers
keras = pytest.importorskip("keras")
pytest.importorskip("h5py")

# of each family one: its module, the least side of its images
NETS = {
    "VGG16": ("vgg16", 32),
    "VGG19": ("vgg19", 32),
    "ResNet50": ("resnet", 32),
    "ResNet50V2": ("resnet_v2", 32),
    "InceptionV3": ("inception_v3", 75),
    "Xception": ("xception", 71),
    "MobileNet": ("mobilenet", 32),
    "MobileNetV2": ("mobilenet_v2", 32),
    "DenseNet121": ("densenet", 32),
    "EfficientNetB0": ("efficientnet", 32),
    "EfficientNetV2B0": ("efficientnet_v2", 32),
    "InceptionResNetV2": ("inception_resnet_v2", 75),
    "MobileNetV3Small": ("mobilenet_v3", 32),
    "NASNetMobile": ("nasnet", 32),
    "ConvNeXtTiny": ("convnext", 32),
}
SIBLINGS = ("ResNet101", "ResNet152", "ResNet101V2", "ResNet152V2", "DenseNet169", "DenseNet201")
SIBLINGS += tuple(f"EfficientNetB{n}" for n in range(1, 8))
SIBLINGS += tuple(f"EfficientNetV2{n}" for n in ("B1", "B2", "B3", "S", "M", "L"))
SIBLINGS += ("MobileNetV3Large", "NASNetLarge", *(f"ConvNeXt{n}" for n in ("Small", "Base", "Large", "XLarge")))
DEEP = os.environ.get("REFNET_PROFILE") == "deep"  # all of them; else each of the newer nets once, and one sibling
FIRST_EDITION = ("VGG16", "VGG19", "ResNet50", "InceptionV3", "Xception", "MobileNet")
TOPS = (*FIRST_EDITION, "MobileNetV2", "EfficientNetB0", "MobileNetV3Small", "ConvNeXtTiny")
FEATURES = (*FIRST_EDITION, *(net for net in NETS if net not in TOPS))
ROUNDINGS = 16 * 2**-24  # sixteen roundings of float32 in each layer, relative to the largest answer


@pytest.fixture(autouse=True)
def compiled() -> Any:
    with use_engine("cpu"):
        yield


def facts(layers: Any) -> list[Any]:
    return [(layer.name, type(layer).__name__, [tuple(w.shape) for w in layer.weights]) for layer in layers]


def nasnet_mobile(input_shape: Any = None, **arguments: Any) -> Any:
    """Keras's, which its function refuses to make where it computes with PyTorch."""
    from keras.src.applications import nasnet

    facts = {"penultimate_filters": 1056, "num_blocks": 4, "stem_block_filters": 32, "skip_reduction": False}
    shape = input_shape or (224, 224, 3)
    return nasnet.NASNet(shape, **facts, default_size=224, name="nasnet_mobile", **arguments)


KERAS = {"NASNetMobile": nasnet_mobile}


def theirs(net: str, **arguments: Any) -> Any:
    """Keras's net with random weights, its moving statistics too, so that none can be mistaken for another."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    model = KERAS.get(net, getattr(keras.applications, net))(weights=None, **arguments)
    generator = np.random.default_rng(7)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            values = [generator.uniform(0.5, 1.5, w.shape).astype("float32") for w in layer.weights]
            layer.set_weights(values)
        elif isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.set_weights([generator.uniform(0.5, 1.5, 3).astype("float32") for _ in range(2)] + [np.array(7)])
            layer.finalize_state()  # what it divides by is kept beside the weights
        elif type(layer).__name__ == "LayerScale":  # which begins with a millionth: nobody would see its block
            layer.set_weights([generator.uniform(0.5, 1.5, w.shape).astype("float32") for w in layer.weights])
    return model


def depth(model: Any) -> int:
    """How many of the layers of Keras's model stand one behind the other."""
    return 1 + max(model._nodes_by_depth)


def write(model: Any, path: pathlib.Path) -> None:
    """As Keras 3 does, or in the layout of the published files."""
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
        return
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


def near(found: Any, due: Any, peer: Any) -> None:
    """As close as the roundings of so many layers allow."""
    assert found.shape == due.shape
    np.testing.assert_allclose(found, due, rtol=0, atol=depth(peer) * ROUNDINGS * float(np.abs(due).max()))


def images(net: str) -> Any:
    name, side = NETS[net]
    pixels = np.random.default_rng(2).uniform(0, 255, (2, side, side, 3)).astype("float32")
    module, other = getattr(applications, name), getattr(keras.applications, name)
    prepared = module.preprocess_input(pixels)
    np.testing.assert_array_equal(prepared, other.preprocess_input(pixels.copy()))
    return prepared


@pytest.mark.parametrize("net", NETS if DEEP else TOPS)
def test_with_a_top_and_a_file_in_keras_3s_layout(net: str, tmp_path: pathlib.Path) -> None:
    side = NETS[net][1]
    given = {"input_shape": (side, side, 3), "classes": 5}
    peer = theirs(net, **given)
    write(peer, tmp_path / "net.weights.h5")
    refnet_fast.utils.clear_session()
    model = getattr(applications, net)(weights=tmp_path / "net.weights.h5", **given)
    assert model.name == peer.name and model.count_params() == peer.count_params()
    assert facts(ordered_layers(model)) == facts(peer.layers)
    x = images(net)
    near(model.predict(x, verbose=0), np.asarray(peer.predict(x, verbose=0)), peer)


@pytest.mark.parametrize("net", NETS if DEEP else FEATURES)
def test_features_of_any_size_and_a_file_in_the_published_layout(net: str, tmp_path: pathlib.Path) -> None:
    x = images(net)
    batches = [np.concatenate([x, x[:, :, ::-1]], axis=2)[:, :, : x.shape[1] + 9]]
    if net in FIRST_EDITION:
        batches.append(x)
    given: dict[str, Any] = {"include_top": False}
    if net == "NASNetMobile":  # which is made for images of one size
        given["input_shape"] = batches[0].shape[1:]
    peer = theirs(net, **given)
    write(peer, tmp_path / "net.h5")
    refnet_fast.utils.clear_session()
    model = getattr(applications, net)(weights=tmp_path / "net.h5", **given)
    assert facts(ordered_layers(model)) == facts(peer.layers)
    assert model.input_shape == peer.input_shape and model.output_shape == peer.output_shape
    for batch in batches:
        near(model.predict(batch, verbose=0), np.asarray(peer.predict(batch, verbose=0)), peer)


def test_every_net_is_here_and_looked_at() -> None:
    nets = {name for name in dir(keras.applications) if inspect.isfunction(getattr(keras.applications, name))}
    assert nets == {*NETS, *SIBLINGS}
    assert all(callable(getattr(applications, net)) for net in nets)


@pytest.mark.parametrize("net", SIBLINGS if DEEP else ("EfficientNetV2S",))
def test_layers_and_weights_of_the_other_nets(net: str) -> None:
    """Without numbers: nobody draws or holds a hundred million of them here."""
    keras.backend.clear_session()
    with keras.StatelessScope(initialize_variables=False):
        peer = getattr(keras.applications, net)(weights=None)
    refnet_fast.utils.clear_session()
    with reading_file(True, room=sys.maxsize):
        model = getattr(applications, net)(weights=None)
    assert model.name == peer.name and model.count_params() == peer.count_params()
    assert model.input_shape == peer.input_shape and model.output_shape == peer.output_shape
    assert facts(ordered_layers(model)) == facts(peer.layers)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_images_are_prepared_as_keras_does(mode: str, dtype: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype(dtype)
    for form, x in (("channels_last", pixels), ("channels_first", np.moveaxis(pixels, -1, 1))):
        found = applications.imagenet_utils.preprocess_input(x, form, mode)
        due = keras.applications.imagenet_utils.preprocess_input(x.copy(), form, mode)
        assert found.dtype == due.dtype
        np.testing.assert_array_equal(found, due)


@pytest.mark.parametrize("net, kind", [("InceptionResNetV2", "CustomScaleLayer"), ("ConvNeXtTiny", "LayerScale")])
def test_layers_that_only_one_net_has_are_in_files(net: str, kind: str, tmp_path: pathlib.Path) -> None:
    """A model that ends at the first of them, from Keras to refnet and back."""
    whole = theirs(net, include_top=False)
    first = next(layer for layer in whole.layers if type(layer).__name__ == kind)
    peer = keras.Model(whole.input, first.output)
    peer.save(tmp_path / "theirs.keras")
    model = refnet_fast.models.load_model(tmp_path / "theirs.keras")
    model.save(tmp_path / "ours.keras")
    x = images(net)
    due = np.asarray(peer.predict(x, verbose=0))
    near(model.predict(x, verbose=0), due, peer)
    near(refnet_fast.models.load_model(tmp_path / "ours.keras").predict(x, verbose=0), due, peer)
    again = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_array_equal(np.asarray(again.predict(x, verbose=0)), due)


def test_one_step_of_a_dream(tmp_path: pathlib.Path) -> None:
    """Loss and gradient in the pixels of Inception's mixed blocks, as DeepDream asks for them, beside PyTorch's."""
    torch = pytest.importorskip("torch")
    peer = theirs("InceptionV3", include_top=False)
    write(peer, tmp_path / "net.h5")
    model = applications.InceptionV3(weights=tmp_path / "net.h5", include_top=False)
    weights = {"mixed2": 0.2, "mixed3": 3.0, "mixed4": 2.0, "mixed5": 1.5}
    x = images("InceptionV3")[:1]

    loss = 0.0
    for name, weight in weights.items():
        answer = model.get_layer(name).output
        count = K.prod(K.cast(K.shape(answer), "float32"))
        loss = loss + weight * K.sum(K.square(answer[:, 2:-2, 2:-2, :])) / count
    slope = K.gradients(loss, model.input)[0]
    value, gradient = K.function([model.input], [loss, slope])([x])

    inner = keras.Model(peer.input, [peer.get_layer(name).output for name in weights])
    pixels = torch.tensor(x, requires_grad=True)
    answers = inner(pixels, training=False)
    due = sum(w * (a[:, 2:-2, 2:-2, :] ** 2).sum() / a.numel() for w, a in zip(weights.values(), answers))
    due.backward()
    near(np.asarray(value), due.detach().numpy(), peer)
    near(gradient, pixels.grad.numpy(), peer)
