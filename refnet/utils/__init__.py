"""Helpers of Keras's `utils`: files, images, sequences, data sets, pictures of models."""

import gc
import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from refnet import dtypes, mixed_precision, naming, random
from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError
from refnet.old_names import serve
from refnet.tracing import trace
from refnet.utils.packing import pack_x_y_sample_weight as pack_x_y_sample_weight
from refnet.utils.packing import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from refnet.utils.py_dataset import PyDataset as PyDataset
from refnet.utils.py_dataset import Sequence as Sequence

if TYPE_CHECKING:
    from refnet.progress import disable_interactive_logging as disable_interactive_logging
    from refnet.progress import enable_interactive_logging as enable_interactive_logging
    from refnet.progress import is_interactive_logging_enabled as is_interactive_logging_enabled
    from refnet.saving import CustomObjectScope as CustomObjectScope
    from refnet.saving import custom_object_scope as custom_object_scope
    from refnet.saving import deserialize_keras_object as deserialize_keras_object
    from refnet.saving import get_custom_objects as get_custom_objects
    from refnet.saving import get_registered_name as get_registered_name
    from refnet.saving import get_registered_object as get_registered_object
    from refnet.saving import register_keras_serializable as register_keras_serializable
    from refnet.saving import serialize_keras_object as serialize_keras_object
    from refnet.utils.audio_dataset_utils import audio_dataset_from_directory as audio_dataset_from_directory
    from refnet.utils.dataset_utils import split_dataset as split_dataset
    from refnet.utils.directory_dataset_utils import image_dataset_from_directory as image_dataset_from_directory
    from refnet.utils.directory_dataset_utils import text_dataset_from_directory as text_dataset_from_directory
    from refnet.utils.feature_space import FeatureSpace as FeatureSpace
    from refnet.utils.file_utils import get_file as get_file
    from refnet.utils.image_utils import array_to_img as array_to_img
    from refnet.utils.image_utils import img_to_array as img_to_array
    from refnet.utils.image_utils import load_img as load_img
    from refnet.utils.image_utils import save_img as save_img
    from refnet.utils.model_visualization import model_to_dot as model_to_dot
    from refnet.utils.model_visualization import plot_model as plot_model
    from refnet.utils.named_values import Config as Config
    from refnet.utils.numerical_utils import normalize as normalize
    from refnet.utils.progbar import Progbar as Progbar
    from refnet.utils.sequence_utils import pad_sequences as pad_sequences
    from refnet.utils.tensors import get_source_inputs as get_source_inputs
    from refnet.utils.tensors import is_keras_tensor as is_keras_tensor
    from refnet.utils.tensors import standardize_dtype as standardize_dtype
    from refnet.utils.timeseries_dataset_utils import timeseries_dataset_from_array as timeseries_dataset_from_array

# Loaded when they are first used: training needs none of them.
LATER = {
    "refnet.saving": (
        *("CustomObjectScope", "custom_object_scope", "deserialize_keras_object", "get_custom_objects"),
        *("get_registered_name", "get_registered_object", "register_keras_serializable", "serialize_keras_object"),
    ),
    "tensors": ("get_source_inputs", "is_keras_tensor", "standardize_dtype"),
    "audio_dataset_utils": ("audio_dataset_from_directory",),
    "dataset_utils": ("split_dataset",),
    "directory_dataset_utils": ("image_dataset_from_directory", "text_dataset_from_directory"),
    "feature_space": ("FeatureSpace",),
    "file_utils": ("get_file",),
    "image_utils": ("array_to_img", "img_to_array", "load_img", "save_img"),
    "model_visualization": ("model_to_dot", "plot_model"),
    "named_values": ("Config",),
    "numerical_utils": ("normalize",),
    "progbar": ("Progbar",),
    "refnet.progress": (
        *("disable_interactive_logging", "enable_interactive_logging", "is_interactive_logging_enabled"),
    ),
    "sequence_utils": ("pad_sequences",),
    "timeseries_dataset_utils": ("timeseries_dataset_from_array",),
}


def __getattr__(name: str) -> Any:
    for module, names in LATER.items():
        if name in names:
            found = globals()[name] = getattr(
                importlib.import_module(module if "." in module else f"refnet.utils.{module}"), name
            )
            return found
    raise AttributeError(f"module 'refnet.utils' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *(name for names in LATER.values() for name in names)})


def to_categorical(x: Any, num_classes: int | None = None) -> Array:
    """Class numbers as one-hot rows.

    Args:
        x: integers from 0; a last axis of 1 is dropped.
        num_classes: the length of a row; the largest number plus 1 if None.
    Raises:
        DataError: a number that is no class.

    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = np.asarray(x)
    if labels.dtype.kind not in "biu":
        if labels.dtype.kind != "f" or (labels != np.floor(labels)).any():
            raise DataError(f"to_categorical takes whole numbers; got dtype {labels.dtype}.")
        labels = labels.astype("int64")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        if labels.size == 0:
            raise ArgumentError("to_categorical: give num_classes; an empty array does not say how many there are.")
        num_classes = int(labels.max()) + 1
    outside = np.argwhere((labels < 0) | (labels >= num_classes))
    if len(outside):
        where = tuple(int(i) for i in outside[0])
        raise DataError(f"to_categorical: labels must lie in 0..{num_classes - 1}; x{list(where)} is {labels[where]}.")
    rows = np.zeros((labels.size, num_classes), dtypes.as_numpy(dtypes.floatx()))
    rows[np.arange(labels.size), labels.reshape(-1)] = 1
    return rows.reshape(*labels.shape, num_classes)


def set_random_seed(seed: int) -> None:
    """Starts every stream of random numbers anew: refnet's, NumPy's and Python's."""
    random.set_random_seed(seed)


def clear_session(free_memory: bool = True) -> None:
    """Default layer names start again, the learning phase is open, the dtype policy follows floatx.

    Args:
        free_memory: whether Python collects what nobody holds any more.
    Source: Keras 3 `backend.clear_session`.
    """
    naming.reset_names()
    mixed_precision.set_dtype_policy(None)
    type(trace).learning_phase = None
    if free_memory:
        gc.collect()


serve(__name__)
