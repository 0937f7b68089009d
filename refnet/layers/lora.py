"""LoRA: a layer's kernel stays as it is, and a product of two narrow matrices is added to it and trained in its place."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet import engine, initializers, ops, registration
from refnet.annotations import Array
from refnet.errors import ArgumentError, shown
from refnet.graph import Variable
from refnet.layers.base import Layer
from refnet.layers.checks import whole


class Adapted:
    """An attribute that is set to a weight, and read as the layer's calls read it: with what the adapter adds, once there is one."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, kind: type) -> Any:
        if layer is None:
            return self
        if self.name not in vars(layer):
            raise AttributeError(f"{layer.name} has no {self.name} before it is built: call it, or build(input_shape).")
        weight = vars(layer)[self.name]
        if not layer.lora_enabled:
            return weight
        return ops.cast(layer._with_adapter(weight, *layer._adapter_weights()), layer.compute_dtype)

    def __set__(self, layer: Any, value: Any) -> None:
        vars(layer)[self.name] = value


class Adaptable(Layer):
    """Base of the layers whose kernel, or table, can be adapted.

        kernel + lora_alpha / lora_rank * a @ b

    takes the kernel's place in calls. The kernel is not trained then; a (of the kernel's shape, but for the last axis, which is `rank`
    long) and b (rank, the kernel's last axis) are. Files hold the sum in the kernel's place, as Keras's do. Reading one sets b to
    zeros and leaves a as it is: the layer computes what was saved, and can be trained on. (Keras 3.15 sets both to zeros, and no
    gradient reaches either from there. Its Dense and Embedding forget the lora_alpha that they are made with.)

    Args:
        lora_rank: how many columns a has; None for no adapter.
        lora_alpha: the product's factor, times lora_rank; lora_rank if None.
    Attributes:
        lora_enabled: whether there is an adapter.
    Source: Hu et al. 2021; Keras 3 `Dense.enable_lora`.
    """

    _adapted = "kernel"  # which of the weights it is
    lora_enabled = False
    normalized_by: str | None = (
        None  # the name of the SpectralNormalization that keeps the kernel in order, if there is one
    )

    def __init__(self, lora_rank: int | None = None, lora_alpha: float | None = None, **more: Any):
        super().__init__(**more)
        self.lora_rank = whole(self.name, "lora_rank", lora_rank, 1) if lora_rank else None
        self.lora_alpha = self._checked_alpha(lora_alpha, self.lora_rank)

    def _checked_alpha(self, value: Any, rank: int | None) -> Any:
        if value is None:
            return rank
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise ArgumentError(f"{self.name}: lora_alpha is a number, or None for the rank; got {shown(value)}.")
        return value.item() if isinstance(value, np.generic) else value  # a config's numbers are Python's

    @property
    def _unadapted(self) -> Variable:
        """The kernel itself, whether there is an adapter or not."""
        weight: Variable = vars(self)[self._adapted]
        return weight

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Adds an adapter to the built layer, and keeps the kernel from being trained; the bias is trained as before.

        A model that holds the layer need not be compiled again. An optimizer that was used before begins anew for the adapter's weights.

        Args:
            rank: how many columns a has.
            lora_alpha: the product's factor, times the rank; the rank if None.
            a_initializer, b_initializer: how a and b start. b starts as zeros, so that the layer computes at first what it did.
        Raises:
            ArgumentError: a layer that is not built, has an adapter or constrains its kernel; a rank below 1.
            ShapeError: an initializer that gives another shape. Nothing is changed then.
        Source: Keras 3 `Dense.enable_lora`.

        >>> from refnet.layers import Dense
        >>> layer = Dense(4)
        >>> layer.build((None, 3))
        >>> layer.enable_lora(rank=2)
        >>> [w.name.split("/")[1] for w in layer.trainable_weights]
        ['bias', 'lora_kernel_a', 'lora_kernel_b']
        """
        if not self.built:
            raise ArgumentError(
                f"{self.name}.enable_lora: it is not built yet: call it once, or build(input_shape), or make it with lora_rank={rank!r}."
            )
        if self.lora_enabled:
            raise ArgumentError(
                f"{self.name}.enable_lora: it has an adapter, of rank {self.lora_rank}; it can have one."
            )
        self._refuse_if_normalized("enable_lora")
        rank = whole(self.name, "rank", rank, 1)
        alpha = self._checked_alpha(lora_alpha, rank)
        self._add_adapter(rank, alpha, initializers.get(a_initializer), initializers.get(b_initializer))
        self._note_change()

    def _refuse_if_normalized(self, wish: str) -> None:
        if self.normalized_by is not None:
            raise ArgumentError(
                f"{self.name}.{wish}: {self.normalized_by} divides its {self._adapted} by the largest singular value, which has to be a "
                "weight of floats then. Leave one of the two out."
            )

    def _build_adapter(self) -> None:
        """The last step of `build`: the adapter of a layer that was made with a lora_rank."""
        if self.lora_rank is not None and not self.lora_enabled:
            he_uniform, zeros = map(initializers.get, ("he_uniform", "zeros"))
            self._add_adapter(self.lora_rank, self.lora_alpha, he_uniform, zeros)

    def _add_adapter(self, rank: int, alpha: float, a_initializer: Any, b_initializer: Any) -> None:
        weight, penalty = self._unadapted, getattr(self, f"{self._adapted}_regularizer")
        if getattr(self, f"{self._adapted}_constraint") is not None:
            raise ArgumentError(
                f"{self.name}: an adapter is added to its {self._adapted}, so {self._adapted}_constraint could not hold. Leave one of "
                "the two out."
            )
        shapes = (*weight.shape[:-1], rank), (rank, weight.shape[-1])
        names, before = [f"lora_{self._adapted}_{word}" for word in "ab"], list(self._own)
        made = list[Variable]()
        try:
            for name, shape, start in zip(names, shapes, (a_initializer, b_initializer)):
                with registration.beside_file(f"{self.name}/{name}", math.prod(shape)):
                    made.append(self.add_weight(shape, start, dtype="float32", regularizer=penalty, name=name))
        except BaseException:
            self._own = before  # an initializer refused: one matrix alone is no adapter
            raise
        for name, variable in zip(names, made):
            setattr(self, name, variable)
        weight.trainable = False
        self.lora_enabled = True
        self.lora_rank, self.lora_alpha = rank, alpha

    def _adapter_weights(self) -> tuple[Variable, Variable]:
        """a and b."""
        a, b = (vars(self)[f"lora_{self._adapted}_{word}"] for word in "ab")
        return a, b

    def _with_adapter(self, weight: Any, a: Any, b: Any) -> Any:
        """weight + lora_alpha / lora_rank * a @ b."""
        return ops.add(weight, ops.multiply(ops.matmul(a, b), self._adapter_factor))

    @property
    def _adapter_factor(self) -> float:
        assert self.lora_rank is not None
        return float(self.lora_alpha / self.lora_rank)

    # ---- lists and files

    @property
    def _own_weights(self) -> list[Variable]:
        """The kernel keeps its place among those that can be trained, as in Keras, unless it is one of integers by now."""
        own = super()._own_weights
        if not self.lora_enabled or self.quantization_mode is not None:
            return own
        weight = self._unadapted
        first = [v for v in self._own if v.trainable or v is weight]
        return [*first, *(v for v in own if v not in first)]

    def _in_files(self) -> list[tuple[Variable, Any]]:
        held = super()._in_files()
        if not self.lora_enabled:
            return held
        weight, adapter = self._unadapted, self._adapter_weights()
        return [(v, self._merged_kernel() if v is weight else value) for v, value in held if v not in adapter]

    def _merged_kernel(self) -> Array:
        """The value of kernel and adapter together, in the kernel's dtype."""
        weight = self._unadapted
        with engine.eager_on_current():
            merged: Array = self._with_adapter(weight.value, *(v.value for v in self._adapter_weights()))
            return np.asarray(ops.cast(merged, weight.stored_dtype))

    def _beside_files(self) -> Sequence[tuple[Variable, Array]]:
        if not self.lora_enabled:
            return super()._beside_files()
        _, b = self._adapter_weights()
        return [*super()._beside_files(), (b, np.zeros(b.shape, b.array.dtype))]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        given = {} if self.lora_rank is None else {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha}
        return {**{key: v for key, v in config.items() if key not in ("lora_rank", "lora_alpha")}, **given}
