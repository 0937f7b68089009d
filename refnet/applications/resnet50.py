"""ResNet50 under the name of the first edition's module; it is in `refnet.applications.resnet`."""

from refnet.applications.resnet import ResNet50, decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
