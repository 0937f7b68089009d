"""Calls of normalizations: per channel over a batch, per row over its features."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


def epsilon(draw: Draw) -> float:
    return draw.choice((1e-3, 0.25, 1e-5)) if draw.calm else draw.choice((1e-3, 0.25, 1e-5, 0.0))


def variances(draw: Draw, shape: tuple[int, ...], dtype: str) -> Array:
    """Mostly what a variance can be; any values at times."""
    return (
        draw.array(shape, dtype, calm=(0.1, 2)) if draw.calm or draw.flag() else draw.array(shape, dtype, low=0, high=4)
    )


def channels(draw: Draw) -> tuple[tuple[int, ...], str, dict[str, Any]]:
    shape = draw.shape(1, 3, 0, 4)
    return shape, draw.floating(), {"axis": draw.integer(0, len(shape) - 1), "epsilon": epsilon(draw)}


@strategy("batch_normalization")
def batch_normalization_calls(draw: Draw) -> Any:
    shape, dtype, attributes = channels(draw)
    vector = (shape[attributes["axis"]],)
    mean, offset, scale = (draw.array(vector, dtype) for _ in range(3))
    return [draw.array(shape, dtype), mean, variances(draw, vector, dtype), offset, scale], attributes


@strategy("batch_normalization_training")
def batch_normalization_training_calls(draw: Draw) -> Any:
    shape, dtype, attributes = channels(draw)
    vector = (shape[attributes["axis"]],)
    return [draw.array(shape, dtype), draw.array(vector, dtype), draw.array(vector, dtype)], attributes


@strategy("batch_normalization_training_gradient")
def batch_normalization_training_gradient_calls(draw: Draw) -> Any:
    shape, dtype, attributes = channels(draw)
    vector = (shape[attributes["axis"]],)
    arrays = [draw.array(shape, dtype), draw.array(shape, dtype), draw.array(vector, dtype)]
    return [*arrays, variances(draw, vector, dtype), draw.array(vector, dtype)], attributes


def rows(draw: Draw) -> tuple[tuple[int, ...], tuple[int, ...], str, dict[str, Any]]:
    leading, features = draw.shape(0, 2, 0, 3), draw.shape(1, 2, 0, 4)
    return leading, features, draw.floating(), {"count": len(features), "epsilon": epsilon(draw)}


@strategy("layer_normalization")
def layer_normalization_calls(draw: Draw) -> Any:
    leading, features, dtype, attributes = rows(draw)
    return [
        draw.array((*leading, *features), dtype),
        draw.array(features, dtype),
        draw.array(features, dtype),
    ], attributes


@strategy("layer_normalization_gradient")
def layer_normalization_gradient_calls(draw: Draw) -> Any:
    leading, features, dtype, attributes = rows(draw)
    arrays = [draw.array((*leading, *features), dtype) for _ in range(2)]
    return [
        *arrays,
        draw.array(leading, dtype),
        variances(draw, leading, dtype),
        draw.array(features, dtype),
    ], attributes


@usage("layer_normalization")
def layer_normalization_usages(draw: Draw) -> Any:
    shape, dtype = draw.shape(2, 3, 1, 4), draw.floating()
    axis = draw.choice((-1, 0, (0, -1)))
    features = tuple(shape[a] for a in sorted(a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))))
    gamma, beta = draw.array(features, dtype), draw.array(features, dtype)
    return draw.choice(((draw.array(shape, dtype),), (draw.array(shape, dtype), gamma, beta))), {"axis": axis}


@usage("batch_normalization_training")
def batch_normalization_training_usages(draw: Draw) -> Any:
    shape = draw.shape(2, 3, 1, 4)
    axis = draw.choice((-1, 0, 1))
    return (draw.array(shape, draw.floating()), axis, draw.array((shape[axis],), "float32")), {}


@usage("batch_normalization")
def batch_normalization_usages(draw: Draw) -> Any:
    shape, dtype, keywords = channels(draw)
    vector = (shape[keywords["axis"]],)
    more = {word: draw.array(vector, dtype) for word in ("offset", "scale") if draw.flag()}
    arrays = draw.array(shape, dtype), draw.array(vector, dtype), variances(draw, vector, dtype)
    return arrays, keywords | more


@usage("instance_normalization")
def instance_normalization_usages(draw: Draw) -> Any:
    shape, dtype = draw.shape(3, 4, 1, 3), draw.floating()
    return (draw.array(shape, dtype), draw.array(shape[-1:], dtype)), {}


@usage("group_normalization")
def group_normalization_usages(draw: Draw) -> Any:
    groups, axis = draw.choice((1, 2, -1)), draw.choice((1, -1))
    shape = [draw.extent(1) for _ in range(3)]
    shape[axis] = 2 * draw.integer(1, 2)
    dtype = draw.floating()
    return (draw.array(shape, dtype), groups, draw.array((shape[axis],), dtype)), {"axis": axis}


@usage("rms_normalization")
def rms_normalization_usages(draw: Draw) -> Any:
    shape, dtype = draw.shape(1, 3, 1), draw.floating()
    return (draw.array(shape, dtype), draw.array(shape[-1:], dtype)), {"axis": draw.choice((-1, 0))}


@usage("normalize")
def normalize_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(1, 3, 1), draw.floating()),), {
        "axis": draw.choice((-1, 0)),
        "order": draw.integer(1, 3),
    }


_x, _four = np.zeros((2, 3), "float32"), np.zeros(4, "float32")
refuse(
    "batch_normalization",
    _x,
    np.zeros(2),
    np.zeros(3),
    1,
    error=ShapeError,
    words="one number of mean for each of the 3 channels",
)
refuse("batch_normalization", _x, np.zeros(3), np.zeros(3), 2, error=ArgumentError, words="axis 2")
refuse(
    "batch_normalization",
    _x,
    np.zeros(3),
    np.zeros(3),
    1,
    epsilon=-1.0,
    error=ArgumentError,
    words="epsilon must be at least 0",
)
refuse("batch_normalization_training", _x, 1, _four, error=ShapeError, words="one number of offset")
refuse("batch_normalization_training", _x, -3, error=ArgumentError, words="axis -3")
refuse("layer_normalization", _x, _four, error=ShapeError, words="one number of gamma for each feature")
refuse("layer_normalization", _x, axis=(0, -2), error=ArgumentError, words="twice")
refuse("layer_normalization", _x, axis=(), error=ArgumentError, words="at least one axis")
refuse("layer_normalization", _x, epsilon=-1.0, error=ArgumentError, words="epsilon")
refuse("group_normalization", _x, 2, error=ShapeError, words="divide into equal groups")
refuse("group_normalization", _x, 0, error=ShapeError, words="divide into equal groups")
refuse("group_normalization", _x, 3, axis=0, error=ArgumentError, words="axis 0 holds the samples")
refuse("group_normalization", _x, 3, _four, error=ShapeError, words="one number of gamma")
refuse("instance_normalization", _x, None, _four, error=ShapeError, words="one number of beta")
refuse("rms_normalization", _x, _four, error=ShapeError, words="rms_normalization cannot combine")
refuse("rms_normalization", _x, epsilon=-1.0, error=ArgumentError, words="epsilon")
refuse("normalize", _x, order=0, error=ArgumentError, words="whole number from 1")
refuse("normalize", _x, epsilon=0.0, error=ArgumentError, words="above 0")
refuse("normalize", _x, axis=2, error=ArgumentError, words="axis 2")
