"""Images from files and arrays, with random changes, as endless batches: the first edition's `keras.preprocessing.image`."""

from refnet.preprocessing.augmentation import ImageDataGenerator
from refnet.preprocessing.changes import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)
from refnet.preprocessing.file_iterators import DataFrameIterator, DirectoryIterator
from refnet.preprocessing.iterators import Iterator, NumpyArrayIterator
from refnet.utils.image_utils import array_to_img, img_to_array, load_img, save_img, smart_resize

__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "img_to_array",
    "load_img",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
    "smart_resize",
]
