"""Keras's `backend`, usually imported as K: ops under their first edition's names, `function` and `gradients`.

On arrays its functions compute at once; on tensors they add to the graph.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from refnet import backend_images as images
from refnet import backend_sequences as sequences
from refnet import backend_values as values
from refnet import dtypes, naming, ops, random, utils
from refnet.annotations import Array, Shape, TensorLike
from refnet.arrays import values_for
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Condition, Constant, Tensor, Variable, as_tensor, assignment, phase, trace
from refnet.graph_functions import Function as Function
from refnet.graph_functions import function as function
from refnet.graph_functions import gradients as gradients
from refnet.graph_functions import phase_input
from refnet.layers.core import Input
from refnet.old_names import serve
from refnet.settings import epsilon as epsilon
from refnet.settings import image_data_format as image_data_format
from refnet.settings import set_epsilon as set_epsilon
from refnet.settings import set_image_data_format as set_image_data_format
from refnet.tracing import name_scope as name_scope

abs, square, sqrt, exp, log, sign = ops.abs, ops.square, ops.sqrt, ops.exp, ops.log, ops.sign
pow, maximum, minimum, clip = ops.power, ops.maximum, ops.minimum, ops.clip
mean, sum, max, min, std, var = ops.mean, ops.sum, ops.max, ops.min, ops.std, ops.var
any, all, logsumexp = ops.any, ops.all, ops.logsumexp
equal, not_equal, less, less_equal = ops.equal, ops.not_equal, ops.less, ops.less_equal
greater, greater_equal = ops.greater, ops.greater_equal
relu, elu, softmax, softplus, softsign = ops.relu, ops.elu, ops.softmax, ops.softplus, ops.softsign
sigmoid, hard_sigmoid, tanh = ops.sigmoid, ops.hard_sigmoid, ops.tanh
sin, cos, round = ops.sin, ops.cos, ops.round
reshape, squeeze, stop_gradient = ops.reshape, ops.squeeze, ops.stop_gradient
binary_crossentropy, categorical_crossentropy = ops.binary_crossentropy, ops.categorical_crossentropy
sparse_categorical_crossentropy = ops.sparse_categorical_crossentropy
floatx, set_floatx = dtypes.floatx, dtypes.set_floatx
clear_session = utils.clear_session
batch_normalization, bias_add, conv1d = images.batch_normalization, images.bias_add, images.conv1d
conv2d, conv2d_transpose, conv3d = images.conv2d, images.conv2d_transpose, images.conv3d
depthwise_conv2d, normalize_batch_in_training = images.depthwise_conv2d, images.normalize_batch_in_training
pool2d, pool3d, resize_images = images.pool2d, images.pool3d, images.resize_images
resize_volumes, separable_conv2d = images.resize_volumes, images.separable_conv2d
spatial_2d_padding, spatial_3d_padding = images.spatial_2d_padding, images.spatial_3d_padding
batch_dot, ctc_batch_cost, ctc_decode = sequences.batch_dot, sequences.ctc_batch_cost, sequences.ctc_decode
foldl, foldr, map_fn, repeat = sequences.foldl, sequences.foldr, sequences.map_fn, sequences.repeat
repeat_elements, rnn, temporal_padding = sequences.repeat_elements, sequences.rnn, sequences.temporal_padding
arange, backend, cast_to_floatx, cumprod = values.arange, values.backend, values.cast_to_floatx, values.cumprod
cumsum, eye, identity, in_top_k = values.cumsum, values.eye, values.identity, values.in_top_k
is_sparse, manual_variable_initialization = values.is_sparse, values.manual_variable_initialization
moving_average_update, print_tensor = values.moving_average_update, values.print_tensor
random_bernoulli, random_binomial = values.random_bernoulli, values.random_binomial
random_normal_variable, random_uniform_variable = values.random_normal_variable, values.random_uniform_variable
reverse, slice, tile, to_dense = values.reverse, values.slice, values.tile, values.to_dense
truncated_normal = values.truncated_normal


# ---- settings


def learning_phase() -> Any:
    """What `set_learning_phase` fixed, 0 or 1; else a tensor that may be among the inputs of `function`."""
    return phase_input if trace.learning_phase is None else int(trace.learning_phase)


def set_learning_phase(value: Any) -> None:
    """Layers called from here on behave as in inference (0) or training (1), whatever the program is for.

    A layer's own `training` argument comes first. `clear_session` leaves it open again.
    """
    if value not in (0, 1):
        raise ArgumentError(f"set_learning_phase takes 0 (inference) or 1 (training); got {value!r}.")
    type(trace).learning_phase = bool(value)  # of the class: for every thread


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """x in training, alt at inference; functions are called to get them."""
    training = trace.learning_phase if training is None else training
    x, alt = (way() if callable(way) else way for way in (x, alt))
    if training is not None:
        return x if training else alt
    return phase(as_tensor(x), as_tensor(alt), condition=Condition())


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """x at inference, alt in training."""
    return in_train_phase(alt, x, training)


def get_uid(prefix: str = "") -> int:
    """A number that counts the calls with this prefix, from 1, until `clear_session`."""
    return naming.unique_number(prefix)


def is_float_dtype(dtype: Any) -> bool:
    """Whether a dtype is floating."""
    return dtypes.is_floating(dtypes.standardize(dtype))


def is_int_dtype(dtype: Any) -> bool:
    """Whether a dtype is one of integers, with or without sign."""
    return dtypes.is_integer(dtypes.standardize(dtype))


def result_type(*names: Any) -> str:
    """The dtype in which arrays of these dtypes are combined.

    >>> result_type("int32", "float16")
    'float16'
    """
    return dtypes.promote(*map(dtypes.standardize, names))


is_keras_tensor, standardize_dtype = utils.is_keras_tensor, utils.standardize_dtype


# ---- values


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Variable:
    """A new variable with this value; floatx if no dtype is given."""
    return Variable(np.asarray(value), dtype=dtypes.standardize(dtype), name=name or "variable", constraint=constraint)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Constant:
    """A tensor with this value; floatx if no dtype is given. With `shape` the value fills it, or is given that shape."""
    array = np.asarray(value)
    if shape is not None:
        array = np.broadcast_to(array, shape) if array.ndim == 0 else array.reshape(shape)
    made = Constant(array, dtypes.standardize(dtype))
    made.name = name or ""
    return made


def placeholder(
    shape: Any = None, ndim: int | None = None, dtype: Any = None, sparse: bool = False, name: str | None = None
) -> Tensor:
    """A tensor to be fed, of this whole shape, None where a dimension is open; of `ndim` open ones without a shape."""
    if shape is None and ndim is None:
        raise ArgumentError("placeholder: give `shape` or `ndim`.")
    if sparse:
        raise ArgumentError("placeholder: tensors are dense here; sparse must be False.")
    return Input(batch_shape=(None,) * (ndim or 0) if shape is None else shape, dtype=dtype, name=name)


def eval(x: Any) -> Array:
    """The value of a variable, a constant, or a tensor that needs no input."""
    if not isinstance(x, Tensor):
        return np.array(x)
    value: Array = function([], [x])([])[0]
    return value


get_value = eval


def set_value(x: Variable, value: Any) -> None:
    """Sets a variable now."""
    x.set(np.asarray(value))


def batch_get_value(tensors: Iterable[Any]) -> list[Array]:
    """The values of several variables."""
    return [get_value(x) for x in tensors]


def batch_set_value(tuples: Iterable[tuple[Variable, Any]]) -> None:
    """Sets several variables, given as pairs (variable, value); none of them if a value does not fit."""
    pairs = list(tuples)
    variables, values = [x for x, _ in pairs], [value for _, value in pairs]
    for x, value in zip(variables, values_for(variables, values, "batch_set_value", "the variables")):
        x.set(value)


def update(x: Variable, new_x: Any) -> Any:
    """For `function(updates=)` or inside a layer's call: the record that x takes a value."""
    return assignment(x, as_tensor(new_x, x.dtype))


def update_add(x: Variable, increment: Any) -> Any:
    """`update(x, x + increment)`."""
    return update(x, ops.add(x, increment))


def update_sub(x: Variable, decrement: Any) -> Any:
    """`update(x, x - decrement)`."""
    return update(x, ops.subtract(x, decrement))


# ---- shapes


def shape(x: TensorLike) -> Shape:
    """The shape as a tuple: an int for each known dimension, a scalar tensor for each open one."""
    return ops.shape(x)


def int_shape(x: Any) -> Shape:
    """The shape as a tuple, None where a dimension is open."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def ndim(x: Any) -> int:
    """The number of axes."""
    return len(int_shape(x))


def dtype(x: Any) -> str:
    """The name of the dtype."""
    return dtypes.standardize(x.dtype)


def count_params(x: Any) -> int:
    """The number of elements."""
    return int(np.prod(x.shape))


def _one_tensor(x: Any) -> Any:
    """A shape with open dimensions as one tensor of integers; everything else as it is."""
    if isinstance(x, (tuple, list)) and [d for d in x if isinstance(d, Tensor)]:
        return ops.stack([d if isinstance(d, Tensor) else np.asarray(d, np.int64) for d in x])
    return x


def cast(x: Any, dtype: Any) -> Any:
    """x with another dtype; x may be what `shape` gave."""
    return ops.cast(_one_tensor(x), dtype)


def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The product of the elements; x may be what `shape` gave."""
    return ops.prod(_one_tensor(x), axis, keepdims)


def flatten(x: Any) -> Any:
    """All elements along one axis."""
    return ops.reshape(x, (-1,))


def batch_flatten(x: Any) -> Any:
    """Each slice of the first axis as one row."""
    rest = int_shape(x)[1:]
    if None in rest:
        return ops.reshape(x, (ops.shape(x)[0], -1))
    return ops.reshape(x, (ops.shape(x)[0], int(np.prod(rest))))


def transpose(x: Any) -> Any:
    """The axes in reverse order."""
    return ops.transpose(x)


def permute_dimensions(x: Any, pattern: Any) -> Any:
    """The axes in another order: `pattern` names, for each axis of the result, the one it was."""
    return ops.transpose(x, pattern)


def expand_dims(x: Any, axis: int = -1) -> Any:
    """x with a new axis of length 1."""
    return ops.expand_dims(x, axis)


def concatenate(tensors: Any, axis: int = -1) -> Any:
    """The tensors one after the other."""
    return ops.concatenate(list(tensors), axis)


def stack(x: Any, axis: int = 0) -> Any:
    """The tensors along a new axis."""
    return ops.stack(list(x), axis)


def gather(reference: Any, indices: Any) -> Any:
    """The slices of `reference` with these numbers."""
    return ops.take(reference, indices, axis=0)


def argmax(x: Any, axis: int = -1) -> Any:
    """The place of the largest element along an axis."""
    return ops.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """The place of the smallest element along an axis."""
    return ops.argmin(x, axis)


def one_hot(indices: Any, num_classes: int) -> Any:
    """A row for each class number, 1 at its place."""
    return ops.one_hot(indices, num_classes)


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable of zeros."""
    return variable(np.zeros(shape), dtype, name)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable of ones."""
    return variable(np.ones(shape), dtype, name)


def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Zeros of x's shape."""
    return ops.zeros_like(x, dtype)


def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Ones of x's shape."""
    return ops.ones_like(x, dtype)


def dot(x: Any, y: Any) -> Any:
    """The sum of products over the last axis of x and the last but one of y (its only one, if it has one).

    y[..., j] for matrices: the matrix product.
    """
    rank = ndim(y)
    if ndim(x) < 1 or rank < 1:
        raise ShapeError(f"dot needs tensors with axes; got shapes {int_shape(x)} and {int_shape(y)}.")
    if rank <= 2:
        return ops.matmul(x, y)
    inner, *columns = ops.shape(ops.moveaxis(y, -2, 0))
    product = ops.matmul(x, ops.reshape(ops.moveaxis(y, -2, 0), (inner, -1)))
    return ops.reshape(product, (*ops.shape(x)[:-1], *columns))


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """x divided by its Euclidean length along an axis, or along all; a length below 1e-12 counts as 1e-12."""
    return ops.normalize(x, tuple(range(ndim(x))) if axis is None else axis, epsilon=1e-12)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """Element by element one of two; functions are called to get them. A condition with fewer axes is one for each slice."""
    ways = [way() if callable(way) else way for way in (then_expression, else_expression)]
    rank, condition = ndim(condition), cast(condition, "bool")
    if 0 < rank < ndim(ways[0]):
        condition = ops.reshape(condition, (*ops.shape(condition), *(1,) * (ndim(ways[0]) - rank)))
    return ops.where(condition, *ways)


# ---- random numbers


def random_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers of the normal distribution; the shape's entries may come from `shape`."""
    return random.normal(shape, mean, stddev, dtype, seed)


def random_uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers spread evenly; the shape's entries may come from `shape`."""
    return random.uniform(shape, minval, maxval, dtype, seed)


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """x with a random share `level` set to 0 and the rest scaled up."""
    return random.dropout(x, level, noise_shape, seed)


serve(__name__)
