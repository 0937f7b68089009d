"""With another epsilon, and with the other image data format, beside the installed Keras."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from refnet import config, constraints, layers, losses, metrics, ops
from refnet.testing.closeness import ELEMENTARY, close

pytestmark = pytest.mark.peers

SURE = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], "float32")
WRONG = np.array([[0.0, 0.5, 0.5], [0.0, 1.0, 0.0]], "float32")
EPSILON = 0.03125  # a power of two: no rounding of it differs


@pytest.fixture(autouse=True)
def other(keras: Any) -> Iterator[None]:
    for settings in (keras.config, config):
        settings.set_epsilon(EPSILON)
    yield
    for settings in (keras.config, config):
        settings.set_epsilon(1e-7)
        settings.set_image_data_format("channels_last")


LOSSES = [
    *("binary_crossentropy", "categorical_crossentropy", "binary_focal_crossentropy", "categorical_focal_crossentropy"),
    *(
        "kl_divergence",
        "poisson",
        "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error",
        "dice",
        "tversky",
    ),
]


def plain(keras: Any, x: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(x))


@pytest.mark.parametrize("name", LOSSES)
def test_losses(keras: Any, name: str) -> None:
    due = plain(keras, getattr(keras.losses, name)(SURE, WRONG))
    got = np.asarray(getattr(losses, name)(SURE, WRONG))
    # logarithms of numbers from EPSILON on are at most 3.5; shares divided by it are 3200
    close(got, due, 2 * (2 * ELEMENTARY + 3 + 6), 3 * np.maximum(abs(due), 3.5))


def test_sparse_crossentropy_metrics_and_norms(keras: Any) -> None:
    due = plain(keras, keras.losses.sparse_categorical_crossentropy(np.array([0, 1]), WRONG))
    close(losses.sparse_categorical_crossentropy(np.array([0, 1]), WRONG), due, 2 * (ELEMENTARY + 6), 3.5)
    for name, more in (
        ("F1Score", {"threshold": 0.4}),
        ("ConcordanceCorrelation", {}),
        ("MeanIoU", {"num_classes": 2}),
    ):
        ours, theirs = getattr(metrics, name)(**more), getattr(keras.metrics, name)(**more)
        ours.update_state(SURE, WRONG)
        theirs.update_state(SURE, WRONG)
        close(np.asarray(ours.result()), plain(keras, theirs.result()), 2 * 24, 2.0)
    assert metrics.AUC().thresholds[0] == keras.metrics.AUC().thresholds[0] == -EPSILON
    for name in ("normalize", "rms_normalization", "layer_normalization"):
        close(getattr(ops, name)(WRONG), plain(keras, getattr(keras.ops, name)(WRONG)), 2 * (2 * ELEMENTARY + 8), 8.0)
    for name in ("MaxNorm", "UnitNorm", "MinMaxNorm"):
        due = plain(keras, getattr(keras.constraints, name)()(keras.ops.convert_to_tensor(WRONG * 4)))
        close(getattr(constraints, name)()(WRONG * 4), due, 2 * (ELEMENTARY + 10))
    layer, their = (kind(mean=1.0, variance=0.0) for kind in (layers.Normalization, keras.layers.Normalization))
    np.testing.assert_array_equal(layer(WRONG), plain(keras, their(WRONG)))


def test_formats_that_layers_take(keras: Any) -> None:
    """Every layer of both that has a data format: what it is when nobody says it."""
    more: dict[str, dict[str, Any]] = {
        **dict.fromkeys(("CenterCrop", "RandomCrop", "Resizing"), {"height": 2, "width": 2}),
        **dict.fromkeys(("SpatialDropout2D", "SpatialDropout3D"), {"rate": 0.1}),
    }
    asked = set()
    for form in ("channels_first", "channels_last"):
        for settings in (keras.config, config):
            settings.set_image_data_format(form)
        for name in dir(keras.layers):
            kinds = getattr(layers, name, None), getattr(keras.layers, name)
            if not (isinstance(kinds[0], type) and isinstance(kinds[1], type)):
                continue
            for count in range(3):
                given = more.get(name, dict.fromkeys(range(count), 2))
                args = list(given.values()) if name not in more else []
                try:
                    ours, theirs = (kind(*args, **more.get(name, {})) for kind in kinds)
                    break
                except (
                    TypeError,
                    ValueError,
                    ImportError,
                ):  # the last of layers of strings, which Keras has on TensorFlow
                    continue
            else:
                continue
            if hasattr(theirs, "data_format") and hasattr(ours, "data_format"):
                assert ours.data_format == theirs.data_format, name
                asked.add(name)
    assert {"Conv1D", "Conv2D", "Flatten", "MaxPooling2D", "ZeroPadding2D", "STFTSpectrogram", "RandomCrop"} <= asked
    assert len(asked) > 40
