"""Layers that only move elements: Reshape, Permute, RepeatVector, cropping, zero padding and up-sampling."""

import builtins
from typing import Any

from refnet import ops
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.base import Layer
from refnet.layers.checks import check_rank, pairs, sizes, whole
from refnet.layers.spatial import Spatial
from refnet.ops.resizing import LANCZOS, METHODS, enlarge


class Reshape(Layer):
    """Each sample's elements, in their order, under another shape.

    Args:
        target_shape: of one sample; one entry may be -1, which is what is left.
    Raises:
        ShapeError: a sample has another number of elements.

    >>> Reshape((2, -1)).compute_output_shape((None, 6))
    (None, 2, 3)
    """

    one_tensor = True

    def __init__(self, target_shape: Any, **more: Any):
        super().__init__(**more)
        if not isinstance(target_shape, (tuple, list)):
            raise ArgumentError(f"{self.name}: target_shape is a tuple of integers; got {target_shape!r}.")
        entries = tuple(whole(self.name, "an entry of target_shape", d, -1) for d in target_shape)
        if entries.count(-1) > 1:
            raise ArgumentError(f"{self.name}: only one entry of target_shape can be -1; got {entries}.")
        self.target_shape, self.built = entries, True

    def call(self, inputs: Any) -> Any:
        features, wanted = 1, 1
        for d in inputs.shape[1:]:
            features = -1 if d is None or features == -1 else features * d
        for d in self.target_shape:
            wanted *= 1 if d == -1 else d
        target = self.target_shape
        if features != -1:
            fits = features == wanted if -1 not in target else wanted > 0 and features % wanted == 0
            if not fits:
                raise ShapeError(
                    f"{self.name} cannot turn samples of shape {inputs.shape[1:]} ({features} elements) into {target}."
                )
            target = tuple(features // wanted if d == -1 else d for d in target)
        return ops.reshape(inputs, (ops.shape(inputs)[0], *target))


class Permute(Layer):
    """Each sample with its axes in another order.

    Args:
        dims: the sample's axes, counted from 1, in their new order.

    >>> Permute((2, 1)).compute_output_shape((None, 10, 3))
    (None, 3, 10)
    """

    one_tensor = True

    def __init__(self, dims: Any, **more: Any):
        super().__init__(**more)
        if not isinstance(dims, (tuple, list)) or sorted(dims) != list(range(1, len(dims) + 1)):
            raise ArgumentError(f"{self.name}: dims holds every axis of a sample, counted from 1, once; got {dims!r}.")
        self.dims, self.built = tuple(dims), True

    def call(self, inputs: Any) -> Any:
        if len(inputs.shape) != len(self.dims) + 1:
            raise ShapeError(
                f"{self.name} orders {len(self.dims)} axes of a sample {self.dims}, got inputs of shape {inputs.shape}."
            )
        return ops.transpose(inputs, (0, *self.dims))


class RepeatVector(Layer):
    """Each sample n times.

        (batch, features) -> (batch, n, features)

    Args:
        n: how often.

    >>> RepeatVector(3)(np.array([[1.0, 2.0]])).shape
    (1, 3, 2)
    """

    one_tensor = True

    def __init__(self, n: int, **more: Any):
        super().__init__(**more)
        self.n, self.built = whole(self.name, "n", n, 1), True

    def call(self, inputs: Any) -> Any:
        check_rank(self.name, inputs, 2, "batch, features")
        batch, features = ops.shape(inputs)
        return ops.broadcast_to(ops.expand_dims(inputs, 1), (batch, self.n, features))


class Cropping(Spatial):
    """Base of the cropping layers."""

    def __init__(self, cropping: Any, data_format: Any = None, **more: Any):
        super().__init__(data_format, **more)
        self.cropping = pairs(self.name, "cropping", cropping, self.axes)

    def call(self, inputs: Any) -> Any:
        key: list[Any] = [builtins.slice(None)] * len(inputs.shape)
        for axis, (before, after) in zip(self.space(inputs), self.cropping):
            length = inputs.shape[axis]
            if length is not None and before + after >= length:
                raise ShapeError(
                    f"{self.name} cuts {before} + {after} elements off axis {axis}, which has {length}; got inputs of shape "
                    f"{inputs.shape}."
                )
            key[axis] = builtins.slice(before, -after if after else None)
        return inputs[tuple(key)]


class Cropping1D(Cropping):
    """The inputs without their first and last steps.

    Args:
        cropping: (before, after), or one integer for both.

    >>> Cropping1D((1, 2))(np.arange(5.0).reshape(1, 5, 1))[0, :, 0]
    array([1., 2.], dtype=float32)
    """

    def __init__(self, cropping: Any = (1, 1), **more: Any):
        super().__init__(cropping, **{"data_format": "channels_last", **more})  # whatever the format of images is


class Cropping2D(Cropping):
    """The inputs without the rows and columns at their borders.

    Args:
        cropping: ((top, bottom), (left, right)), (rows, columns) or one integer.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.

    >>> Cropping2D(1).compute_output_shape((None, 28, 28, 3))
    (None, 26, 26, 3)
    """

    axes = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: Any = None, **more: Any):
        super().__init__(cropping, data_format, **more)


class Cropping3D(Cropping):
    """As Cropping2D, with three axes of space.

    Args:
        cropping: a pair or an integer for each axis, or one integer.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.

    >>> Cropping3D(((0, 1), (2, 2), (0, 0))).compute_output_shape((None, 8, 8, 8, 3))
    (None, 7, 4, 8, 3)
    """

    axes = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: Any = None, **more: Any):
        super().__init__(cropping, data_format, **more)


class ZeroPadding(Spatial):
    """Base of the zero padding layers."""

    def __init__(self, padding: Any, data_format: Any = None, **more: Any):
        super().__init__(data_format, **more)
        self.padding = pairs(self.name, "padding", padding, self.axes)

    def call(self, inputs: Any) -> Any:
        widths = [(0, 0)] * len(inputs.shape)
        for axis, width in zip(self.space(inputs), self.padding):
            widths[axis] = width
        return ops.pad(inputs, tuple(widths))


class ZeroPadding1D(ZeroPadding):
    """The inputs with steps of zeros before and after them.

    Args:
        padding: (before, after), or one integer for both.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.

    >>> ZeroPadding1D((1, 2))(np.array([[[1.0], [2.0]]]))[0, :, 0]
    array([0., 1., 2., 0., 0.], dtype=float32)
    """

    def __init__(self, padding: Any = 1, data_format: Any = None, **more: Any):
        super().__init__(padding, data_format, **more)


class ZeroPadding2D(ZeroPadding):
    """The inputs with rows and columns of zeros around them.

    Args:
        padding: ((top, bottom), (left, right)), (rows, columns) or one integer.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.

    >>> ZeroPadding2D(1).compute_output_shape((None, 28, 28, 3))
    (None, 30, 30, 3)
    """

    axes = 2

    def __init__(self, padding: Any = (1, 1), data_format: Any = None, **more: Any):
        super().__init__(padding, data_format, **more)


class ZeroPadding3D(ZeroPadding):
    """As ZeroPadding2D, with three axes of space.

    Args:
        padding: a pair or an integer for each axis, or one integer.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.

    >>> ZeroPadding3D((1, 0, 2)).compute_output_shape((None, 4, 8, 8, 3))
    (None, 6, 8, 12, 3)
    """

    axes = 3

    def __init__(self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: Any = None, **more: Any):
        super().__init__(padding, data_format, **more)


class UpSampling(Spatial):
    """Base of the up-sampling layers."""

    def __init__(self, size: Any, data_format: Any = None, **more: Any):
        super().__init__(data_format, **more)
        self.size = sizes(self.name, "size", size, self.axes)

    def call(self, inputs: Any) -> Any:
        for axis, size in zip(self.space(inputs), self.size):
            inputs = repeated(inputs, size, axis)
        return inputs


def repeated(x: Any, times: int, axis: int) -> Any:
    """Each slice of x along an axis, `times` times in a row."""
    before, after = ops.shape(x)[:axis], ops.shape(x)[axis + 1 :]
    wide = ops.broadcast_to(ops.expand_dims(x, axis + 1), (*before, ops.shape(x)[axis], times, *after))
    length = x.shape[axis]
    return ops.reshape(wide, (*before, -1 if length is None else length * times, *after))


class UpSampling1D(UpSampling):
    """Each step, `size` times in a row.

    Args:
        size: how often.

    >>> UpSampling1D(2)(np.array([[[1.0], [2.0]]]))[0, :, 0]
    array([1., 1., 2., 2.], dtype=float32)
    """

    def __init__(self, size: int = 2, **more: Any):
        super().__init__(size, **{"data_format": "channels_last", **more})  # whatever the format of images is


class UpSampling2D(UpSampling):
    """Images a whole number of times higher and wider.

    Args:
        size: how often each row and each column is taken; one integer, or a pair.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
        interpolation: "nearest" (repeats), "bilinear", "bicubic", "lanczos3" or "lanczos5" (what lies between, see `ops.image.resize`).

    >>> UpSampling2D()(np.array([[[[1.0], [2.0]]]]))[0, :, :, 0]
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.]], dtype=float32)
    """

    axes = 2

    def __init__(self, size: Any = (2, 2), data_format: Any = None, interpolation: str = "nearest", **more: Any):
        super().__init__(size, data_format, **more)
        name, known = interpolation.lower() if isinstance(interpolation, str) else interpolation, METHODS + LANCZOS
        if name not in known:
            raise ArgumentError(f"{self.name}: interpolation is one of {', '.join(known)}; got {interpolation!r}.")
        self.interpolation = name

    def call(self, inputs: Any) -> Any:
        if self.interpolation == "nearest":
            return super().call(inputs)
        self.space(inputs)
        return enlarge(inputs, (self.size[0], self.size[1]), self.interpolation, self.data_format)


class UpSampling3D(UpSampling):
    """Each element of space, repeated along its axes.

    Args:
        size: how often along each axis, or one integer for all.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.

    >>> UpSampling3D((1, 2, 2)).compute_output_shape((None, 4, 5, 5, 3))
    (None, 4, 10, 10, 3)
    """

    axes = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: Any = None, **more: Any):
        super().__init__(size, data_format, **more)
