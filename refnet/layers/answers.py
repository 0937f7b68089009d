"""What a layer can be asked: what it was called on, what it returned and would return, and the metrics that it holds."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from refnet.errors import MissingNameError
from refnet.graph import Call, Tensor, Variable, trace
from refnet.layers.replaceable import Replaceable
from refnet.layers.shapes import map_shapes
from refnet.missing_names import LORA, QUANTIZED
from refnet.structure import mapped

if TYPE_CHECKING:
    from refnet.metrics import Metric


class Answering:
    """The part of a layer that answers questions, without a mark on any graph."""

    name: str
    compute_dtype: Any
    _calls_made: list[Call]
    _flatten_layers: Callable[[], list[Any]]

    @property
    def output(self) -> Any:
        """What the layer returned, if it was called exactly once."""
        return self._only_call().outputs

    @property
    def input(self) -> Any:
        """What the layer was called on, if it was called exactly once."""
        return self._only_call().inputs

    @Replaceable
    def quantize(self) -> Any:
        """Of other layers than `layers.quantized.Quantizable`: says which have it."""
        raise MissingNameError(f"{self.name}.quantize: {QUANTIZED}")

    @Replaceable
    def enable_lora(self) -> Any:
        """Of other layers than `layers.lora.Adaptable`: says which have it."""
        raise MissingNameError(f"{self.name}.enable_lora: {LORA}")

    def _only_call(self) -> Any:
        if len(self._calls_made) != 1:
            times = (
                "not been called on a tensor yet"
                if not self._calls_made
                else f"been called {len(self._calls_made)} times"
            )
            raise AttributeError(f"{self.name} has {times}: it has no single input and output")
        return self._calls_made[0]

    @Replaceable
    def input_dtype(self) -> str:
        """The dtype that floating inputs are cast to: `compute_dtype`."""
        return str(self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape (in the outputs' structure) that inputs of this shape give; the layer is built for it."""
        slots = map_shapes(lambda shape: Tensor(shape, self.compute_dtype), input_shape)
        return mapped(lambda y: y.shape, self._called_aside(slots))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """What a call with these arguments would return, as tensors that stand for nothing but their shapes and dtypes.

        The layer is built, and the call belongs to no graph. `symbolic_call` is another name for it.

        Args:
            args, kwargs: as the layer is called; tensors of which only shape and dtype count.
        Source: Keras 3 `Layer.compute_output_spec`.

        >>> from refnet.layers import Dense, Input
        >>> Dense(2).compute_output_spec(Input((3,)))
        <Tensor shape=(None, 2) dtype=float32>
        """
        args, kwargs = mapped(_like, args), mapped(_like, kwargs)
        return mapped(lambda y: Tensor(y.shape, y.dtype), self._called_aside(*args, **kwargs))

    symbolic_call = compute_output_spec

    def _called_aside(self, *args: Any, **kwargs: Any) -> Any:
        with trace.inside(call=None, guard=(), training=None):
            outputs = self(*args, **kwargs)  # type: ignore[operator]  # a layer can be called
        self._calls_made.pop()
        return outputs

    @Replaceable
    def metrics(self) -> "list[Metric]":
        """The metrics that this layer and those inside it hold in attributes, by themselves or in lists, tuples and dicts."""
        return metrics_of(self._flatten_layers())

    @Replaceable
    def metrics_variables(self) -> list[Variable]:
        """The variables of `metrics`."""
        return [variable for metric in self.metrics for variable in metric.variables]


def metrics_of(layers: Iterable[Any]) -> "list[Metric]":
    """The metrics that layers hold in attributes, each once."""
    from refnet.metrics import Metric

    values = [value for layer in layers for value in vars(layer).values()]
    return list(dict.fromkeys(x for value in values for x in _parts(value) if isinstance(x, Metric)))


def _parts(value: Any) -> Iterable[Any]:
    """What an attribute holds: itself, or what is in its list, tuple or dict."""
    return value if isinstance(value, (list, tuple)) else list(value.values()) if type(value) is dict else [value]


def _like(x: Any) -> Any:
    return Tensor(x.shape, x.dtype) if isinstance(x, Tensor) and not isinstance(x, Variable) else x
