"""VGG19: 19 layers with weights, one after the other (Simonyan and Zisserman, 2014)."""

from typing import Any

from refnet.applications import imagenet_utils
from refnet.applications.building import Request, Weights, usual_names
from refnet.applications.vgg import vgg
from refnet.models import Model

PUBLISHED = Weights(
    usual_names("vgg19"),
    ("cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"),
    "vgg19/",
)


def VGG19(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "vgg19",
) -> Model:
    """The net VGG19. 143,667,240 parameters, 20,024,384 without its top.

    Args:
        include_top: whether the three dense layers are there that say which class an image is of.
        weights: "imagenet" for the published ones, None for random ones, or the path of a file with weights.
        input_tensor: the tensor at which the net begins, instead of an Input of its own.
        input_shape: of one image. With the top, (224, 224, 3) unless weights is None; without, any of at least 32 x 32, and
            (None, None, 3), images of every size, if None.
        pooling: without the top, "avg" or "max" for one number per channel, None for (batch, height / 32, width / 32, 512).
        classes: how many the top tells apart; 1000 with "imagenet".
        classifier_activation: the top's; None for logits.
        name: of the model.
    Returns:
        A Model of images that went through `preprocess_input`.
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition"; Keras 3 `applications.VGG19`.

    >>> VGG19(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: VGG19: images are at least 32 x 32; got input_shape (28, 28, 3).
    """
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    return vgg(Request("VGG19", PUBLISHED, 224, 32, *given), depths=(2, 2, 4, 4, 4))


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Blue, green and red, 0 to 255, less each colour's mean: `imagenet_utils.preprocess_input` in mode "caffe"."""
    return imagenet_utils.preprocess_input(x, data_format, "caffe")


decode_predictions = imagenet_utils.decode_predictions
