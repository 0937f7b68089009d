"""Layers whose kernel is kept in eight bits: products of integers, summed in 32 bits, and scales that make floats of them."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from refnet import dtypes, engine, ops, quantizers
from refnet.annotations import Array, Shape
from refnet.errors import ArgumentError
from refnet.graph import Variable
from refnet.layers.lora import Adaptable
from refnet.mixed_precision import QuantizedDTypePolicy


class Quantizable(Adaptable):
    """Base of the layers whose kernel, or table, can be kept as integers of eight bits.

        kernel = round(kernel_scale * w)    for a weight w that was trained, so that kernel / kernel_scale is near w

    The kernel is not trained any more; the bias is, and an adapter that comes before or after (`enable_lora`). With an adapter, files
    hold the sum, rounded anew. `layer.kernel` is what was rounded; with an adapter it is kernel / kernel_scale and the adapter's product.

    A subclass says how a kernel's scales lie: `_axes_of_a_scale`, the kernel's axes that have one scale; `_scale_shape`, the shape in which scales
    are kept; `_scale_as_kept` and `_scale_for_kernel`, from one to the other.

    Args:
        quantization_config: an Int8QuantizationConfig, for a layer whose dtype is a QuantizedDTypePolicy from the beginning.
    Source: Keras 3 `Dense.quantize`.
    """

    takes_integers = True
    quantizes = False  # whether `quantize` knows what a call of just this class computes

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.quantizes = vars(cls).get("quantizes", False)

    def __init__(self, quantization_config: Any = None, **more: Any):
        super().__init__(**more)
        if quantization_config is not None:
            quantization_config = quantizers.resolved(self.name, None, quantization_config)
        self.quantization_config = quantization_config

    def _axes_of_a_scale(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no `_axes_of_a_scale`")

    def _scale_shape(self, shape: Shape) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no `_scale_shape`")

    def _scale_as_kept(self, scale: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no `_scale_as_kept`")

    def _scale_for_kernel(self, scale: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no `_scale_for_kernel`")

    # ---- making it

    def _make_kernel(self, shape: Any, initializer: Any, regularizer: Any, constraint: Any) -> Variable:
        """The kernel of a layer that is being built: floats, or integers that a file will give."""
        if self.quantization_mode is not None:
            return self._add_integers(shape)
        made: Variable = self.add_weight(
            shape, initializer, regularizer=regularizer, constraint=constraint, name=self._adapted
        )
        return made

    def _add_integers(self, shape: Any) -> Variable:
        kernel: Variable = self.add_weight(shape, "zeros", dtype="int8", trainable=False, name=self._adapted)
        name = f"{self._adapted}_scale"
        setattr(self, name, self.add_weight(self._scale_shape(tuple(shape)), "ones", trainable=False, name=name))
        return kernel

    @property
    def _own_scale(self) -> Variable:
        scale: Variable = vars(self)[f"{self._adapted}_scale"]
        return scale

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Makes the built layer's kernel integers of eight bits. There is no way back.

        A model that holds the layer need not be compiled again.

        Args:
            mode: "int8".
            type_check: False: a subclass too, whose `call` has to be that of its base.
            config: an Int8QuantizationConfig, instead of the mode or beside it.
        Raises:
            ArgumentError: a layer that is not built, is quantized already or is a subclass; another mode.
            DtypeError: a layer that computes in float16. Nothing is changed then.
        Source: Keras 3 `Dense.quantize`.

        >>> from refnet.layers import Dense
        >>> layer = Dense(2, kernel_initializer="ones")
        >>> layer(np.array([[1.0, 2.0, -0.5]]))
        array([[2.5, 2.5]], dtype=float32)
        >>> layer.quantize("int8")
        >>> layer(np.array([[1.0, 2.0, -0.5]])).round(2), layer.kernel.dtype
        (array([[2.5, 2.5]], dtype=float32), 'int8')
        """
        config = quantizers.resolved(self.name, mode, config)
        self.take_integers(config, *self.integers_with(config, type_check))

    def take_integers(self, config: Any, value: Array, scale: Array) -> None:
        """The second part of `quantize`, which nothing stops halfway: what `integers_with` this config gave takes the kernel's place."""
        weight, policy = self._unadapted, QuantizedDTypePolicy(config.mode, self.dtype_policy.name)
        self._own = [v for v in self._own if v is not weight]
        self.quantization_config, self.dtype_policy = config, policy
        kernel = self._add_integers(weight.shape)
        kernel.set(value)
        self._own_scale.set(scale)
        setattr(self, self._adapted, kernel)
        self._note_change()

    def integers_with(self, config: Any, type_check: bool) -> tuple[Array, Array]:
        """The first part of `quantize`: the kernel's integers and their scales. Raises what that raises, and changes nothing."""
        if not self.built:
            raise ArgumentError(f"{self.name}.quantize: it is not built yet: call it once, or build(input_shape).")
        if self.quantization_mode is not None:
            raise ArgumentError(
                f"{self.name}.quantize: it is quantized already, as {self.dtype_policy.name}. A model's quantize has `filters` to leave "
                "it out."
            )
        if not self.takes_integers:
            raise ArgumentError(
                f"{self.name}.quantize: {type(self).__name__} keeps its table in floats; Embedding need not."
            )
        self._refuse_if_normalized("quantize")
        if type_check and not self.quantizes:
            raise ArgumentError(
                f"{self.name}.quantize: {type(self).__name__} is a subclass, which may compute something else. Give type_check=False if "
                "its `call` is that of its base."
            )
        QuantizedDTypePolicy(config.mode, self.dtype_policy.name)  # refuses float16
        return self._as_integers(self._unadapted.value, config)

    def _as_integers(self, weight: Array, config: Any) -> tuple[Array, Array]:
        """A kernel's integers and their scales, as they are kept."""
        quantizer = config and config.weight_quantizer or quantizers.AbsMaxQuantizer(axis=self._axes_of_a_scale())
        with engine.eager_on_current():
            integers, scale = quantizer(weight, to_numpy=True)
            integers, scale = np.asarray(integers), np.asarray(scale)
            due = tuple(1 if i in self._axes_of_a_scale() else n for i, n in enumerate(weight.shape))
            if (integers.shape, integers.dtype.name, scale.shape) != (weight.shape, "int8", due):
                raise ArgumentError(
                    f"{self.name}.quantize: for a kernel of shape {weight.shape} a weight_quantizer gives as many int8 and scales of shape "
                    f"{due}; this one gave {integers.dtype} of shape {integers.shape} and scales of shape {scale.shape}. An "
                    f"AbsMaxQuantizer needs axis={self._axes_of_a_scale()}."
                )
            return integers, np.asarray(self._scale_as_kept(scale))

    # ---- with an adapter, and in files

    def _with_adapter(self, weight: Any, a: Any, b: Any) -> Any:
        if self.quantization_mode is None:
            return super()._with_adapter(weight, a, b)
        scale = self._own_scale.value if isinstance(weight, np.ndarray) else self._own_scale
        floats = ops.divide(ops.cast(weight, self.compute_dtype), self._scale_for_kernel(scale))
        return super()._with_adapter(floats, a, b)

    def _in_files(self) -> list[tuple[Variable, Any]]:
        if self.quantization_mode is None:
            return super()._in_files()
        kernel, scale = self._unadapted, self._own_scale
        values: tuple[Any, Any] = kernel, scale
        adapter: Sequence[Variable] = ()
        if self.lora_enabled:
            adapter = self._adapter_weights()
            with engine.eager_on_current():
                merged = np.asarray(self._with_adapter(kernel.value, *(v.value for v in adapter)))
            values = self._as_integers(merged, None)
        rest = [v for v in self._own_weights if v not in (kernel, scale, *adapter)]
        return [(kernel, values[0]), *((v, v) for v in rest), (scale, values[1])]

    def get_config(self) -> dict[str, Any]:
        from refnet.saving.serialization import serialized

        config = super().get_config()
        config.pop("quantization_config", None)
        held = self.quantization_config
        return config if held is None else {**config, "quantization_config": serialized(held, keep=True)}


class QuantizableProduct(Quantizable):
    """Base of those that multiply inputs and a kernel, and sum.

    A call of one that is quantized scales and rounds its inputs too, with a scale for each sum. It multiplies integers, whose sums are
    exact in int32, and divides by both scales. A gradient passes as if nothing had been rounded.

    A subclass says what it computes: `_times_kernel`, of inputs and kernel; `_back_through_kernel`, from what flows to the results, what flows to the inputs;
    `_summed_axes`, the axes of inputs that are summed over; `_scale_of_results`, from the scales of inputs, with axes of length 1 there.
    """

    def _times_kernel(self, x: Any, kernel: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no `_times_kernel`")

    def _back_through_kernel(self, upstream: Any, kernel: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no `_back_through_kernel`")

    def _summed_axes(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no `_summed_axes`")

    def _scale_of_results(self, scale: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no `_scale_of_results`")

    def _kernel_product(self, x: Any) -> Any:
        """Inputs times kernel, as the layer is by now."""
        if self.quantization_mode is None:
            return self._times_kernel(x, getattr(self, self._adapted))
        x = x if dtypes.is_floating(x.dtype) else ops.cast(x, self.compute_dtype)
        y = ops.custom_gradient(self._kernel_product_of_integers)(x)
        if not self.lora_enabled:
            return y
        added = ops.multiply(self._times_adapter(x, *self._adapter_weights()), self._adapter_factor)
        return ops.cast(ops.add(y, added), self.compute_dtype)

    def _times_adapter(self, x: Any, a: Any, b: Any) -> Any:
        """Inputs times a @ b: of narrow matrices, where the results' last axis is the kernel's."""
        return ops.matmul(self._times_kernel(x, a), b)

    def _kernel_product_of_integers(self, x: Any) -> tuple[Any, Callable[[Any], Any]]:
        kernel, scale, config = self._unadapted, self._own_scale, self.quantization_config
        quantizer = quantizers.AbsMaxQuantizer() if config is None else config.activation_quantizer
        if quantizer is None:
            y, total = self._times_kernel(x, ops.cast(kernel, x.dtype)), scale
        else:
            integers, of_inputs = quantizer(x, axis=self._summed_axes())
            y = ops.cast(self._times_kernel(integers, kernel), self.compute_dtype)
            total = ops.multiply(scale, self._scale_of_results(of_inputs))

        def gradient(upstream: Any) -> Any:
            return self._back_through_kernel(ops.divide(upstream, scale), ops.cast(kernel, upstream.dtype))

        return ops.divide(y, total), gradient


def relaid(x: Any, before: Sequence[Hashable], after: Sequence[Hashable]) -> Any:
    """An array whose axes have these names, with other axes: in another order, without some of length 1, with new ones of length 1."""
    before, after = tuple(before), tuple(after)
    gone = tuple(i for i, name in enumerate(before) if name not in after)
    kept = [name for name in before if name in after]
    new = tuple(i for i, name in enumerate(after) if name not in kept)
    x = ops.squeeze(x, gone) if gone else x
    x = ops.transpose(x, [kept.index(name) for name in after if name in kept])
    return ops.expand_dims(x, new) if new else x
