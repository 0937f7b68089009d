"""What the nets have in common: their arguments, where an image comes in, what stands on top, whose weights they get."""

import contextlib
import inspect
import os
import pathlib
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from refnet import activations, layers
from refnet.annotations import Shape
from refnet.applications.files import ORIGIN, published
from refnet.errors import ArgumentError, MissingFileError, calls_below_the_user
from refnet.graph import Constant, Tensor, Variable
from refnet.models import Model
from refnet.registration import reading_file
from refnet.settings import image_data_format

P = ParamSpec("P")


@dataclass(frozen=True)
class Weights:
    """A net's two published files, with and without its top.

    Args:
        names: the files' names.
        hashes: their MD5 or SHA-256; None where Keras publishes none.
        folder: where they are offered, with a slash at its end; below `bucket`, which is below Keras's address.
        offered: their names there, if those are others.
    """

    names: tuple[str, str]
    hashes: tuple[str | None, str | None]
    folder: str
    bucket: str = "tensorflow/keras-applications/"
    offered: tuple[str, str] | None = None

    def path(self, include_top: bool) -> pathlib.Path:
        which = 0 if include_top else 1
        there = (self.offered or self.names)[which]
        return published(self.names[which], ORIGIN + self.bucket + self.folder + there, self.hashes[which])


def usual_names(stem: str) -> tuple[str, str]:
    """How most of the files are called."""
    return f"{stem}_weights_tf_dim_ordering_tf_kernels.h5", f"{stem}_weights_tf_dim_ordering_tf_kernels_notop.h5"


@dataclass(frozen=True)
class Member:
    """What tells one net of a family from the others; a family adds fields of its own.

    Args:
        net: its function's name.
        name: its model's, if the caller gives none.
        parameters: how many, with its top and without.
        published: its files.
    """

    net: str
    name: str
    parameters: tuple[int, int]
    published: Weights


M = TypeVar("M", bound=Member)


def function_of(family: Callable[Concatenate[M, P], Model], member: M) -> Callable[P, Model]:
    """The function that makes one net of a family: the family's arguments and docstring, but for the name and the first line."""
    whole, bare = member.parameters
    text = f"The net {member.net}. {whole:,} parameters, {bare:,} without its top."
    signature = inspect.signature(family)
    own = [p.replace(default=member.name) if p.name == "name" else p for p in signature.parameters.values()][1:]

    def make(*args: P.args, **kwargs: P.kwargs) -> Model:
        return family(member, *args, **kwargs)

    make.__name__ = make.__qualname__ = member.net
    make.__module__ = family.__module__
    make.__doc__ = text + (family.__doc__ or "")[(family.__doc__ or "\n").index("\n") :]
    make.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
    return make


@dataclass
class Request:
    """What was asked of a net; every argument is checked before a layer is made.

    Args:
        net: the function's name, for messages.
        published: its files.
        default, least: the side of an image with the top, and the smallest that the net can take. No default: every size is as good
            with the top as without it.
        include_top ... name: as the nets document them.
    Raises:
        ArgumentError: an argument that does not fit the net.  MissingFileError: weights that are not there.
    """

    net: str
    published: Weights
    default: int | None
    least: int
    include_top: bool
    weights: Any
    input_tensor: Any
    input_shape: Any
    pooling: str | None
    classes: int
    classifier_activation: Any
    name: str

    def __post_init__(self) -> None:
        if image_data_format() != "channels_last":
            raise ArgumentError(
                f"{self.net} is for images with channels last; the default is {image_data_format()!r}. Call "
                "config.set_image_data_format('channels_last') before it."
            )
        if self.pooling not in (None, "avg", "max"):
            raise ArgumentError(f"{self.net}: pooling is None, 'avg' or 'max'; got {self.pooling!r}.")
        if self.input_tensor is not None and not isinstance(self.input_tensor, Tensor):
            raise ArgumentError(
                f"{self.net}: input_tensor is a tensor, as layers.Input() gives; got {self.input_tensor!r}."
            )
        self.shape = self._shape()
        self._check_top()
        self.path = self._path()

    def _shape(self) -> Shape:
        """The shape of one image."""
        given = None if self.input_shape is None else self.input_shape
        if given is not None and not isinstance(given, (tuple, list)):
            raise ArgumentError(f"{self.net}: input_shape is (height, width, channels); got {given!r}.")
        given = None if given is None else tuple(given)
        if given is None:
            side = self.default if self.include_top else None
            return (side, side, 3)
        if len(given) != 3:
            raise ArgumentError(f"{self.net}: input_shape is (height, width, channels); got {given}.")
        full = (self.default, self.default, 3)
        if self.weights == "imagenet" and self.include_top and self.default is not None and given != full:
            raise ArgumentError(
                f"{self.net}: with its top, the weights 'imagenet' are for input_shape {full}; got {given}. "
                "Other sizes need include_top=False or weights=None."
            )
        if self.weights == "imagenet" and given[2] != 3:
            raise ArgumentError(f"{self.net}: the weights 'imagenet' are for images of three colours; got {given}.")
        if any(d is not None and d < self.least for d in given[:2]):
            raise ArgumentError(
                f"{self.net}: images are at least {self.least} x {self.least}; got input_shape {given}."
            )
        if self.include_top and self.default is not None and None in given:
            raise ArgumentError(f"{self.net}: with include_top=True, input_shape must be known; got {given}.")
        if given[2] not in (1, 3):
            warnings.warn(
                f"{self.net} is made for images of 1 or 3 channels; input_shape is {given}.",
                stacklevel=calls_below_the_user(),
            )
        return given

    def _check_top(self) -> None:
        if not self.include_top or self.weights is None:
            return
        if self.weights == "imagenet" and self.classes != 1000:
            raise ArgumentError(
                f"{self.net}: with its top, the weights 'imagenet' have 1000 classes; got {self.classes}."
            )
        if activations.get(self.classifier_activation) not in (activations.linear, activations.softmax):
            raise ArgumentError(
                f"{self.net}: with trained weights, classifier_activation is None or 'softmax'; "
                f"got {self.classifier_activation!r}."
            )

    def _path(self) -> pathlib.Path | None:
        """The file of the weights, which is there."""
        if self.weights is None:
            return None
        if self.weights == "imagenet":
            return self.published.path(self.include_top)
        if not isinstance(self.weights, (str, os.PathLike)):
            raise ArgumentError(f"{self.net}: weights is None, 'imagenet' or a file's path; got {self.weights!r}.")
        path = pathlib.Path(self.weights)
        if not path.is_file():
            raise MissingFileError(
                f"{self.net}: weights is None, 'imagenet' or a file's path; there is no file {path}."
            )
        return path

    def started(self) -> contextlib.AbstractContextManager[None]:
        """While the layers are made: no random numbers are drawn for weights that a file replaces."""
        return contextlib.nullcontext() if self.path is None else reading_file(True, room=sys.maxsize)

    def image(self) -> Any:
        """The tensor at which the net begins."""
        return layers.Input(self.shape) if self.input_tensor is None else self.input_tensor

    def pooled(self, x: Tensor, avg: str | None = None, max: str | None = None) -> Any:
        """The features as asked, without the top; `avg` and `max` are names of the layers."""
        if self.pooling == "avg":
            return layers.GlobalAveragePooling2D(name=avg)(x)
        return layers.GlobalMaxPooling2D(name=max)(x) if self.pooling == "max" else x

    def classified(self, x: Tensor, name: str = "predictions", **more: Any) -> Any:
        """A vector of chances; `more` is for the layer."""
        return layers.Dense(self.classes, activation=self.classifier_activation, name=name, **more)(x)

    def averaged_and_classified(self, x: Tensor) -> Any:
        """The top that most nets have."""
        return self.classified(layers.GlobalAveragePooling2D(name="avg_pool")(x))

    def finished(self, inputs: Tensor, features: Tensor) -> Model:
        """The model whose top is an average and a dense layer, or whose features are pooled, under the names that are usual."""
        if self.include_top:
            return self.model(inputs, self.averaged_and_classified(features))
        return self.model(inputs, self.pooled(features, avg="avg_pool", max="max_pool"))

    def model(self, inputs: Tensor, outputs: Tensor) -> Model:
        """The model, with the weights asked for."""
        model = Model(inputs if self.input_tensor is None else sources(inputs), outputs, name=self.name)
        if self.path is not None:
            model.load_weights(self.path)
        return model


def sources(x: Tensor) -> Any:
    """The Input that a tensor was computed from, or a list of several."""
    found, seen, todo = dict[Tensor, None](), set[Tensor](), [x]
    while todo:
        tensor = todo.pop()
        if tensor in seen or isinstance(tensor, (Constant, Variable)):
            continue
        seen.add(tensor)
        if tensor.node is None:
            found[tensor] = None
        else:
            todo += reversed(tensor.node.inputs)
    return next(iter(found)) if len(found) == 1 else list(found)


def check_agreement(net: str, input_tensor: Any, input_shape: Any) -> None:
    """Raises ArgumentError if both are given and tell of images of different widths."""
    if isinstance(input_tensor, Tensor) and isinstance(input_shape, (tuple, list)) and len(input_shape) == 3:
        wide = input_tensor.shape[2]
        if wide != input_shape[1]:
            raise ArgumentError(
                f"{net}: input_tensor has images of width {wide}, input_shape says {input_shape[1]}; leave input_shape out."
            )


def nearest_8(filters: float) -> int:
    """The nearest multiple of 8, which is at least 8."""
    return max(8, int(filters + 4) // 8 * 8)


def rounded_8(filters: float) -> int:
    """The nearest multiple of 8, or the next where that is less than 0.9 of what was asked for."""
    near = nearest_8(filters)
    return near + 8 if near < 0.9 * filters else near


def padding_to_halve(x: Tensor, size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Zeros around images, so that a window of that size with a stride of 2, and no padding of its own, gives half of their size.

    An even side gets one less at its start. A side that is left open counts as even.
    """
    rows, columns = [(size // 2 - (0 if side is not None and side % 2 else 1), size // 2) for side in x.shape[1:3]]
    return rows, columns
