"""A layer as a config: the arguments of its constructor, as JSON can hold them, and back."""

import inspect
from typing import Any

from refnet import mixed_precision
from refnet.layers.changes import Changing
from refnet.layers.constructor import lasting, with_extents
from refnet.layers.shapes import as_shapes


class Configured(Changing):
    """The part of a layer that gives its config and is made from one."""

    build: Any
    activity_regularizer: Any
    dtype_policy: mixed_precision.Policy
    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make such a layer again: the arguments of __init__."""
        from refnet.saving.serialization import serialized

        if self._writes_its_config():
            own = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype_policy.name}
            penalty = self.activity_regularizer
            return own if penalty is None else {**own, "activity_regularizer": serialized(penalty, keep=True)}
        args, kwargs = self._arguments
        bound = inspect.signature(type(self).__init__).bind(self, *args, **kwargs)
        bound.apply_defaults()
        config: dict[str, Any] = {}
        for parameter, value in list({**bound.arguments, **(self._changes or {})}.items())[1:]:
            kind = bound.signature.parameters[parameter].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                config.update(serialized(lasting(self, value), keep=True))
            elif kind is not inspect.Parameter.VAR_POSITIONAL:
                config[parameter] = serialized(value, keep=True)
        config = with_extents(self, config)
        return {**config, "name": self.name, "trainable": self.trainable, "dtype": self.dtype_policy.name}

    def _writes_its_config(self) -> bool:
        """Whether a class of the user's, derived from no particular layer, has a get_config, which knows its arguments best."""
        for kind in type(self).__mro__:
            if kind.__module__.startswith("refnet."):
                return False
            if "get_config" in vars(kind):
                break
        from refnet.layers.base import Layer

        first = next(kind for kind in type(self).__mro__ if kind.__module__.startswith("refnet."))
        return first is Layer or first.__name__ == "Model"

    def get_build_config(self) -> dict[str, Any] | None:
        """What `build_from_config` needs to build such a layer again; a file has it beside the config. None: nothing."""
        return None

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds the layer as get_build_config said."""
        if not self.built and config.get("input_shape") is not None:
            self.build(as_shapes(config["input_shape"]))
            self.built = True

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A new layer from what get_config gave; its weights are not in a config."""
        from refnet.layers.base import Layer
        from refnet.saving.serialization import accepted, restored

        taken = inspect.signature(cls.__init__).parameters
        every = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
        values = {key: restored(value) for key, value in accepted(cls, config, Layer).items()}
        base = {key: values[key] for key in ("name", "trainable", "dtype") if key in values}
        layer = cls(**{k: v for k, v in values.items() if every or k in taken or k not in base})
        layer.name, layer._trainable = base.get("name", layer.name), base.get("trainable", True)
        layer.dtype_policy = mixed_precision.get(base.get("dtype", layer.dtype_policy))
        return layer
