"""EinsumDense: a dense layer over any axes, named by letters."""

import math
import re
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from refnet import activations, constraints, initializers, ops, regularizers
from refnet.annotations import Array, Shape
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.lora import Adapted
from refnet.layers.quantized import QuantizableProduct, relaid

EQUATION = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


class Letters(NamedTuple):
    """An equation taken apart: the letters of inputs, kernel and outputs, and where "..." stands in inputs and outputs."""

    inputs: str
    kernel: str
    outputs: str
    leading: bool
    trailing: bool


def letters_of(layer: str, equation: Any) -> Letters:
    """The parts of an equation. Raises ArgumentError for one that is none."""
    found = EQUATION.fullmatch(equation.replace(" ", "")) if isinstance(equation, str) else None
    if found is None or bool(found[1]) != bool(found[5]) or bool(found[3]) != bool(found[7]) or (found[1] and found[3]):
        raise ArgumentError(
            f"{layer}: an equation is like 'ab,bc->ac', '...a,ab->...b' or 'ab...,bc->ac...'; got {equation!r}."
        )
    return Letters(found[2], found[4], found[6], bool(found[1]), bool(found[3]))


class EinsumDense(QuantizableProduct):
    """A product with a kernel, summed over any axes, plus a bias, through an activation.

        y = activation(einsum(equation, x, kernel) + bias)

    Args:
        equation: the letters of the inputs' axes, of the kernel's, and of the outputs': "abc,cd->abd" is Dense(d) on three axes.
            "..." stands for axes that are left alone, at the front or at the end of inputs and outputs.
        output_shape: the lengths of the outputs' axes but for the first (the batch) and those in "..."; None where an axis is
            as long as the inputs'. One integer for one axis.
        activation: a name or a function; None for none.
        bias_axes: the letters of the outputs' axes along which the bias differs; None for no bias.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer: what they add to the loss.
        kernel_constraint, bias_constraint: what the weights are brought back to after each update.
        lora_rank, lora_alpha: of an adapter that is trained in the kernel's place: see `enable_lora`.
        quantization_config: how the kernel is kept in integers, where the dtype is a QuantizedDTypePolicy: see `quantize`.
    Raises:
        ArgumentError: an equation that makes no sense.  ShapeError: inputs that do not fit it.
    Source: Keras 3 `EinsumDense`; see `ops.einsum`.

    >>> EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d").compute_output_shape((None, 32, 128))
    (None, 32, 64)
    """

    one_tensor = True
    quantizes = True
    kernel: Any = Adapted()

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **more: Any,
    ):
        super().__init__(quantization_config, lora_rank=lora_rank, lora_alpha=lora_alpha, **more)
        self.equation, self.letters = equation, letters_of(self.name, equation)
        entries = tuple(output_shape) if isinstance(output_shape, (tuple, list)) else (output_shape,)
        if any(n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1) for n in entries):
            raise ArgumentError(f"{self.name}: output_shape is a tuple of integers and None; got {output_shape!r}.")
        self.partial_output_shape = entries
        missing = [k for k in bias_axes or "" if k not in self.letters.outputs]
        if missing:
            raise ArgumentError(
                f"{self.name}: bias_axes names {missing[0]!r}, which is no axis of the outputs; got {bias_axes!r} for the "
                f"equation {equation!r}."
            )
        self.bias_axes = bias_axes
        self.activation = activations.get(activation)
        self.kernel_initializer, self.bias_initializer = map(initializers.get, (kernel_initializer, bias_initializer))
        self.kernel_regularizer, self.bias_regularizer = map(regularizers.get, (kernel_regularizer, bias_regularizer))
        self.kernel_constraint, self.bias_constraint = map(constraints.get, (kernel_constraint, bias_constraint))

    def samples_apart(self, rank: int | None) -> bool:
        first = self.letters.inputs[:1]
        return self.letters.leading or (first not in self.letters.kernel and self.letters.outputs.startswith(first))

    def extents(self, shape: Shape) -> dict[str, int | None]:
        """The length that each letter stands for, with inputs of this shape.

        Raises:
            ShapeError: inputs or output_shape that do not fit the equation.
        """
        own, elided = self.letters, len(shape) - len(self.letters.inputs)
        if elided < 0 or (elided and not (own.leading or own.trailing)):
            raise ShapeError(
                f"{self.name} expects inputs with the axes of {self.equation.split(',')[0]!r} (equation {self.equation!r}), got "
                f"shape {shape}."
            )
        before = shape[:elided] if own.leading and elided else shape[:1]
        given = (*before, *self.partial_output_shape)[elided if own.leading else 0 :]
        if len(given) != len(own.outputs):
            raise ShapeError(
                f"{self.name}: output_shape has the axes of the outputs but for the batch and those in '...'; got "
                f"{self.partial_output_shape} for the equation {self.equation!r} and inputs of shape {shape}."
            )
        known = dict(zip(own.inputs, shape[elided:] if own.leading else shape))
        for letter, extent in zip(own.outputs, given):
            there = known.get(letter)
            if letter in known and extent is not None and extent != there:
                raise ShapeError(
                    f"{self.name}: axis {letter!r} of the equation {self.equation!r} has length {there} in inputs of shape "
                    f"{shape}, but {extent} in output_shape {self.partial_output_shape}."
                )
            known.setdefault(letter, extent)
        stranger = next((k for k in own.kernel if k not in known), None)
        if stranger is not None:
            raise ArgumentError(
                f"{self.name}: axis {stranger!r} of the kernel is neither an axis of the inputs nor of the outputs (equation "
                f"{self.equation!r})."
            )
        return known

    def build(self, input_shape: Any) -> None:
        shape, own = tuple(input_shape), self.letters
        known = self.extents(shape)
        self._elided_axes = len(shape) - len(own.inputs)
        start = self._start({k: known[k] for k in own.kernel})
        extents = tuple(known[k] for k in own.kernel)
        self.kernel = self._make_kernel(extents, start, self.kernel_regularizer, self.kernel_constraint)
        self.bias = None
        if self.bias_axes:
            first = min(own.outputs.find(k) for k in self.bias_axes)
            extents = tuple(known[k] if k in self.bias_axes else 1 for k in own.outputs[first:])
            self.bias = self.add_weight(
                (*extents, *(1,) * (len(shape) - len(own.inputs) if own.trailing else 0)),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self._build_adapter()

    def _start(self, extents: dict[str, Any]) -> Callable[..., Array]:
        """The kernel's initializer. One that looks at how many inputs and outputs there are counts them by the letters."""
        initializer = self.kernel_initializer
        if not isinstance(initializer, initializers.VarianceScaling) or None in extents.values():
            return initializer  # type: ignore[no-any-return]
        inputs = math.prod(n for k, n in extents.items() if k not in self.letters.outputs)
        outputs = math.prod(n for k, n in extents.items() if k in self.letters.outputs)
        return lambda shape, dtype=None: ops.reshape(initializer((inputs, outputs), dtype), shape)

    def call(self, inputs: Any) -> Any:
        known = self.extents(inputs.shape)
        if any(n is not None and n != known[k] for k, n in zip(self.letters.kernel, self._unadapted.shape) if known[k]):
            raise ShapeError(
                f"{self.name} has a kernel of shape {self._unadapted.shape} (equation {self.equation!r}), got inputs of shape "
                f"{inputs.shape}."
            )
        if self.quantization_mode is not None and len(inputs.shape) != len(self.letters.inputs) + self._elided_axes:
            raise ShapeError(
                f"{self.name} was built for inputs of {len(self.letters.inputs) + self._elided_axes} axes, for which its kernel's scales are; "
                f"got shape {inputs.shape}."
            )
        y = self._kernel_product(inputs)
        if self.bias is not None:
            y = ops.add(y, self.bias)
        return y if self.activation is activations.linear else self.activation(y)

    # of a kernel in integers

    def _times_kernel(self, x: Any, kernel: Any) -> Any:
        return ops.einsum(self.equation, x, kernel)

    def _times_adapter(self, x: Any, a: Any, b: Any) -> Any:
        own = self.letters
        if own.kernel[-1] == own.outputs[-1] and not own.trailing:
            return super()._times_adapter(x, a, b)
        return self._times_kernel(x, ops.matmul(a, b))

    def _back_through_kernel(self, upstream: Any, kernel: Any) -> Any:
        own = self.letters
        first, last = "..." * own.leading, "..." * own.trailing
        equation = f"{first}{own.outputs}{last},{own.kernel}->{first}{own.inputs}{last}"
        return ops.einsum(equation, upstream, kernel)

    def _axis_labels(self, letters: str) -> tuple[Hashable, ...]:
        """A name for each axis of inputs or outputs, those in "..." included."""
        elided = range(self._elided_axes)
        return (*elided, *letters) if self.letters.leading else (*letters, *elided)

    def _summed_axes(self) -> Any:
        labels, outputs = self._axis_labels(self.letters.inputs), self._axis_labels(self.letters.outputs)
        return tuple(i for i, name in enumerate(labels) if name not in outputs)

    def _scale_of_results(self, scale: Any) -> Any:
        return relaid(scale, self._axis_labels(self.letters.inputs), self._axis_labels(self.letters.outputs))

    def _axes_of_a_scale(self) -> Any:
        own = self.letters
        summed = [k for k in own.kernel if k not in own.outputs]
        if not summed or {*summed} != {*own.inputs} - {*own.outputs}:
            raise ArgumentError(
                f"{self.name}: a kernel in integers is for equations that sum over letters of both inputs and kernel; got "
                f"{self.equation!r}."
            )
        return tuple(own.kernel.index(k) for k in summed)

    def _scale_shape(self, shape: Shape) -> Any:
        self._axes_of_a_scale()  # refuses equations
        known = dict(zip(self.letters.kernel, shape))
        return tuple(
            known.get(name, 1) if isinstance(name, str) else 1 for name in self._axis_labels(self.letters.outputs)
        )

    def _scale_as_kept(self, scale: Any) -> Any:
        return relaid(scale, self.letters.kernel, self._axis_labels(self.letters.outputs))

    def _scale_for_kernel(self, scale: Any) -> Any:
        return relaid(scale, self._axis_labels(self.letters.outputs), self.letters.kernel)
