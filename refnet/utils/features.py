"""How FeatureSpace reads one column, and several taken together."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from refnet import layers
from refnet.errors import ArgumentError, shown
from refnet.layers.vocabulary import Lookup
from refnet.saving.serialization import serialized

OUTPUTS = ("int", "one_hot", "float")
DTYPES = ("float32", "int32", "string")


class Cross:
    """Several features taken together as one category, by their hash.

    Args:
        feature_names: the features.
        crossing_dim: how many categories there are.
        output_mode: "one_hot" or "int".
    Raises:
        ArgumentError: another output mode.
    Source: Keras 3 `utils.FeatureSpace.cross`.

    >>> Cross(("city", "age"), 32).get_config()
    {'feature_names': ['city', 'age'], 'crossing_dim': 32, 'output_mode': 'one_hot'}
    """

    def __init__(self, feature_names: Iterable[str], crossing_dim: int, output_mode: str = "one_hot"):
        if output_mode not in ("int", "one_hot"):
            raise ArgumentError(f"FeatureSpace.cross: output_mode is 'int' or 'one_hot'; got {output_mode!r}.")
        self.feature_names, self.crossing_dim, self.output_mode = tuple(feature_names), crossing_dim, output_mode
        self.preprocessor = layers.HashedCrossing(crossing_dim, name=self.name)

    @property
    def name(self) -> str:
        """What it is called in the result: its features' names with _X_ between."""
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict[str, Any]:
        """What Cross(**config) takes."""
        return {
            "feature_names": list(self.feature_names),
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }


class Feature:
    """How one column is read.

    Args:
        dtype: of the raw values: "float32", "int32" or "string".
        preprocessor: a layer that takes a column of them, (rows, 1).
        output_mode: "float", what the layer gives; "int", the numbers it gives; "one_hot", these as rows.
    Raises:
        ArgumentError: other dtypes or modes; what is no layer.
    Source: Keras 3 `utils.FeatureSpace.feature`.

    >>> Feature("string", layers.Hashing(3), "one_hot").cardinality
    3
    """

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str):
        if output_mode not in OUTPUTS:
            raise ArgumentError(f"FeatureSpace: output_mode is 'int', 'one_hot' or 'float'; got {output_mode!r}.")
        if dtype not in DTYPES:
            raise ArgumentError(f"FeatureSpace: a feature's dtype is one of {', '.join(DTYPES)}; got {dtype!r}.")
        if not isinstance(preprocessor, layers.Layer):
            raise ArgumentError(f"FeatureSpace: a feature's preprocessor is a layer; got {shown(preprocessor)}.")
        self.dtype, self.preprocessor, self.output_mode = dtype, preprocessor, output_mode

    @property
    def learns(self) -> bool:
        """Whether `adapt` has something to teach the preprocessor."""
        layer = self.preprocessor
        if isinstance(layer, layers.Normalization):
            return layer.input_mean is None
        if isinstance(layer, layers.Discretization):
            return layer.num_bins is not None
        if isinstance(layer, Lookup):
            return not layer.given
        return hasattr(layer, "adapt") and not getattr(getattr(layer, "lookup", None), "given", False)

    def adapt(self, column: Any) -> None:
        """Teaches the preprocessor."""
        layer: Any = self.preprocessor
        layer.adapt(column)

    @property
    def cardinality(self) -> int | None:
        """How many numbers the preprocessor may give; None if that is not known."""
        layer = self.preprocessor
        if isinstance(layer, Lookup):
            return layer.vocabulary_size()
        if isinstance(layer, layers.Discretization):
            return len(layer.bin_boundaries or ()) + 1 if layer.num_bins is None else int(layer.num_bins)
        for word in ("num_bins", "num_tokens"):
            if isinstance(getattr(layer, word, None), int):
                return int(getattr(layer, word))
        return None

    def get_config(self) -> dict[str, Any]:
        """The arguments; a layer that has learned tells what."""
        layer = serialized(self.preprocessor)
        if isinstance(self.preprocessor, layers.Normalization) and self.learns and self.preprocessor.built:
            learned = {
                word: np.asarray(getattr(self.preprocessor, f"adapt_{word}")).tolist() for word in ("mean", "variance")
            }
            layer = {**layer, "config": {**layer["config"], **learned}}
        return {"dtype": self.dtype, "preprocessor": layer, "output_mode": self.output_mode}
