"""What VGG16 and VGG19 have in common: blocks of 3 x 3 convolutions, then two large dense layers."""

from typing import Any

from refnet import layers
from refnet.applications.building import Request
from refnet.graph import Tensor
from refnet.models import Model

FILTERS = (64, 128, 256, 512, 512)


def vgg(request: Request, depths: tuple[int, ...]) -> Model:
    """The net whose blocks have so many convolutions."""
    with request.started():
        inputs = x = request.image()
        for number, (filters, depth) in enumerate(zip(FILTERS, depths), start=1):
            x = block(x, filters, depth, f"block{number}")
        x = top(request, x) if request.include_top else request.pooled(x)
        return request.model(inputs, x)


def block(x: Tensor, filters: int, depth: int, name: str) -> Any:
    """Convolutions that keep the size, then half of it."""
    for number in range(1, depth + 1):
        x = layers.Conv2D(filters, 3, activation="relu", padding="same", name=f"{name}_conv{number}")(x)
    return layers.MaxPooling2D(2, strides=2, name=f"{name}_pool")(x)


def top(request: Request, x: Tensor) -> Any:
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(4096, activation="relu", name=name)(x)
    return request.classified(x)
