"""Image files as arrays and back; Pillow (the extra `images`) reads and writes them."""

import io
import os
import pathlib
import warnings
from typing import Any

import numpy as np

from refnet import dtypes, engine, ops
from refnet.annotations import Array
from refnet.errors import ArgumentError, FileError, MissingFileError, MissingPackageError, ShapeError, shown
from refnet.settings import image_data_format

MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def pillow() -> Any:
    """The module PIL.Image. Raises MissingPackageError if Pillow is not installed."""
    try:
        import PIL.Image
    except ImportError:
        raise MissingPackageError(
            "image files are read and written by Pillow, which is not installed: pip install 'refnet[images]'"
        ) from None
    return PIL.Image


def channels_last(name: str, data_format: str | None) -> bool:
    if data_format not in (None, "channels_last", "channels_first"):
        raise ArgumentError(f"{name}: data_format is 'channels_last' or 'channels_first'; got {data_format!r}.")
    return (data_format or image_data_format()) == "channels_last"


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Any = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """An image file as a Pillow image.

    Args:
        path: of the file, or an open one.
        color_mode: "rgb", "rgba" or "grayscale".
        target_size: (height, width); None: as it is.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos", "box" or "hamming".
        keep_aspect_ratio: whether what would be distorted is cut off first.
    Raises:
        MissingFileError: no such file.  FileError: not an image.  ArgumentError.  MissingPackageError: no Pillow.
    Source: Keras 3 `utils.load_img`.
    """
    image_module = pillow()
    if color_mode not in MODES:
        raise ArgumentError(f"load_img: color_mode is one of {', '.join(MODES)}; got {color_mode!r}.")
    if interpolation not in INTERPOLATIONS:
        raise ArgumentError(f"load_img: interpolation is one of {', '.join(INTERPOLATIONS)}; got {interpolation!r}.")
    if isinstance(path, (str, bytes, os.PathLike)):
        name = os.fsdecode(path)
        try:
            source = io.BytesIO(pathlib.Path(name).read_bytes())
        except FileNotFoundError:
            raise MissingFileError(f"load_img: there is no file {name}.") from None
    elif hasattr(path, "read"):
        name, source = getattr(path, "name", "the open file"), path
    else:
        raise ArgumentError(f"load_img takes a path or an open file; got {shown(path)}.")
    try:
        image = image_module.open(source)
        image.load()
    except (image_module.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise FileError(f"load_img: {name} is not an image that Pillow can read ({error}).") from error
    if image.mode != MODES[color_mode] and not (color_mode == "grayscale" and image.mode in ("I;16", "I")):
        image = image.convert(MODES[color_mode])
    if target_size is None:
        return image
    return resized(image, checked_size("load_img", target_size), interpolation, keep_aspect_ratio)


def checked_size(name: str, size: Any) -> tuple[int, int]:
    """(height, width). Raises ArgumentError for anything else than two integers above 0."""
    entries = tuple(size) if isinstance(size, (tuple, list, np.ndarray)) else ()
    if len(entries) != 2 or not all(isinstance(n, (int, np.integer)) and n > 0 for n in entries):
        raise ArgumentError(f"{name}: a size is (height, width), integers above 0; got {size!r}.")
    return int(entries[0]), int(entries[1])


def resized(image: Any, size: tuple[int, int], interpolation: str, keep_ratio: bool) -> Any:
    """A Pillow image in another size (height, width)."""
    height, width = size
    if image.size == (width, height):
        return image
    method = getattr(pillow().Resampling, interpolation.upper())
    if not keep_ratio:
        return image.resize((width, height), method)
    given_width, given_height = image.size
    inner_height = min(given_height, given_width * height // width)
    inner_width = min(given_width, given_height * width // height)
    top, left = (given_height - inner_height) // 2, (given_width - inner_width) // 2
    return image.resize((width, height), method, box=(left, top, left + inner_width, top + inner_height))


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> Array:
    """A Pillow image, or an array of one, as an array.

    Args:
        img: an image, or an array of two axes (grey) or three.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None: how the result is laid out.
        dtype: floatx if None.
    Returns:
        (height, width, channels), values as in the file: 0 to 255.
    Raises:
        ShapeError: another number of axes.
    Source: Keras 3 `utils.img_to_array`.

    >>> img_to_array(np.zeros((2, 3), "uint8")).shape
    (2, 3, 1)
    """
    last = channels_last("img_to_array", data_format)
    x = np.array(img, dtypes.as_numpy(dtypes.standardize(dtype)))
    if x.ndim not in (2, 3):
        raise ShapeError(f"img_to_array takes an image of two or three axes; got shape {x.shape}.")
    if x.ndim == 2:
        return x[:, :, None] if last else x[None]
    return x if last else np.ascontiguousarray(x.transpose(2, 0, 1))


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """An array as a Pillow image.

    Args:
        x: (height, width, channels) with 1, 3 or 4 channels.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
        scale: whether the values are spread over 0..255; else they have to lie there.
        dtype: in which that is worked out; floatx if None.
    Raises:
        ShapeError: other numbers of axes or channels.  MissingPackageError: no Pillow.
    Source: Keras 3 `utils.array_to_img`.
    """
    image_module = pillow()
    last = channels_last("array_to_img", data_format)
    x = np.asarray(x, dtypes.as_numpy(dtypes.standardize(dtype)))
    if x.ndim != 3:
        raise ShapeError(f"array_to_img takes one image of three axes; got shape {x.shape}.")
    x = x if last else x.transpose(1, 2, 0)
    if x.shape[2] not in (1, 3, 4):
        raise ShapeError(f"array_to_img takes 1, 3 or 4 channels; got shape {x.shape}.")
    if scale:
        x = x - x.min()
        top = x.max()
        x = x / (top if top else 1) * 255
    if x.shape[2] > 1:
        return image_module.fromarray(np.ascontiguousarray(x.astype("uint8")))
    return image_module.fromarray(np.ascontiguousarray(x[:, :, 0].astype("int32" if x.max() > 255 else "uint8")))


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True, **more: Any
) -> None:
    """Writes an array as an image file.

    Args:
        path: of the file, or an open one.
        x, data_format, scale: see `array_to_img`.
        file_format: "png", "jpeg" ...; by the path's ending if None.
        more: of Pillow's `Image.save`.
    Source: Keras 3 `utils.save_img`.
    """
    if file_format is None and isinstance(path, (str, os.PathLike)):
        file_format = pathlib.Path(path).suffix[1:].lower()
    if file_format is not None and file_format.lower() == "jpg":
        file_format = "jpeg"
    image = array_to_img(x, data_format, scale)
    if image.mode == "RGBA" and file_format == "jpeg":
        warnings.warn("save_img: JPEG files have no transparency; the image is saved without it.", stacklevel=2)
        image = image.convert("RGB")
    image.save(path, format=file_format or None, **more)


def smart_resize(
    x: Any, size: Any, interpolation: str = "bilinear", data_format: str | None = "channels_last"
) -> Array:
    """Images of another size, undistorted: what is too wide or too high is cut off first, evenly on both sides.

    Args:
        x: one image or a batch.
        size: (height, width).
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Source: Keras 3 `preprocessing.image.smart_resize`.

    >>> smart_resize(np.zeros((4, 9, 3), "float32"), (2, 3)).shape
    (2, 3, 3)
    """
    with engine.eager_on_current():
        size = checked_size("smart_resize", size)
        return np.asarray(ops.resize(x, size, interpolation, crop_to_aspect_ratio=True, data_format=data_format))
