"""Tables of numbers, categories and strings made ready for a network, each column in a way of its own: FeatureSpace."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from refnet import layers, ops
from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, ShapeError, did_you_mean, shown
from refnet.layers.strings import PipelineLayer
from refnet.layers.vocabulary import Lookup
from refnet.saving.serialization import restored
from refnet.utils.feature_kinds import FeatureKinds
from refnet.utils.features import Cross, Feature
from refnet.utils.py_dataset import PyDataset

KINDS = (
    *("float", "float_rescaled", "float_normalized", "float_discretized", "integer_categorical"),
    *("string_categorical", "integer_hashed", "string_hashed"),
)


class FeatureSpace(FeatureKinds, PipelineLayer):
    """Reads the columns of a table, each as its kind says, and gives them as one array (or as a dict of arrays).

    Of a dict {name: column} or one row {name: value}: each column goes through a preprocessing layer; categories become rows of
    zeros and ones; everything is put side by side, features in the order of their names, then crosses.

        kind                  column            becomes
        float                 numbers           themselves
        float_rescaled        numbers           x * scale + offset
        float_normalized      numbers           mean 0, variance 1; learned
        float_discretized     numbers           the number of a bin; learned
        integer_categorical   whole numbers     the number of a category; learned
        string_categorical    strings           the number of a category; learned
        integer_hashed        whole numbers     a hash
        string_hashed         strings           a hash

    What has strings or tables is no part of a model: apply the space to the data first, `x = space(table); model.fit(x, y)`.

    Args:
        features: {name: kind}, or {name: FeatureSpace.float_rescaled(scale=2.0)} and its like.
        output_mode: "concat" (one array) or "dict" ({name: array}).
        crosses: names of features that are taken together, such as [("city", "age")], or `FeatureSpace.cross(...)`.
        crossing_dim: how many categories a cross has.  hashing_dim: a hash.  num_discretization_bins: how many bins there are.
    Raises:
        ArgumentError: unknown kinds or features, other modes; used before `adapt` where there is something to learn.
    Source: Keras 3 `utils.FeatureSpace`.

    >>> space = FeatureSpace({"age": "float_normalized", "city": "string_categorical"})
    >>> table = {"age": [20.0, 40.0], "city": ["Rome", "Oslo"]}
    >>> space.adapt(table)
    >>> space(table)  # age; unknown, Rome, Oslo
    array([[-1.,  0.,  1.,  0.],
           [ 1.,  0.,  0.,  1.]], dtype=float32)
    """

    holds_all_in_config = True  # of a file nothing else is read

    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Any = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ):
        super().__init__(name=name)
        if not isinstance(features, Mapping) or not features:
            raise ArgumentError(f"{self.name}: features is a dict {{name: kind}} that is not empty; got {features!r}.")
        if output_mode not in ("dict", "concat"):
            raise ArgumentError(f"{self.name}: output_mode is 'concat' or 'dict'; got {output_mode!r}.")
        self.output_mode, self.crossing_dim, self.hashing_dim = output_mode, crossing_dim, hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.features = {word: self._feature(word, kind) for word, kind in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or ()]
        self._must_be_told_apart()
        self.preprocessors = {word: feature.preprocessor for word, feature in self.features.items()}
        self.crossers = {cross.name: cross.preprocessor for cross in self.crosses}
        self.adapted = not any(feature.learns for feature in self.features.values())
        self.read = False  # from a config with what it had learned
        self._symbols: tuple[dict[str, Any] | None, Any] | None = None

    def _feature(self, name: str, kind: Any) -> Feature:
        if isinstance(kind, Feature):
            return kind
        if not isinstance(kind, str) or kind not in KINDS:
            hint = did_you_mean(kind, KINDS) if isinstance(kind, str) else ""
            raise ArgumentError(f"{self.name}: {kind!r} is no kind of feature ({name!r}).{hint}")
        more: dict[str, Any] = {"name": name}
        if kind.endswith("hashed"):
            more["num_bins"] = self.hashing_dim
        if kind == "float_discretized":
            more["num_bins"] = self.num_discretization_bins
        made: Feature = getattr(self, kind)(**more)
        return made

    def _cross(self, cross: Any) -> Cross:
        if not isinstance(cross, Cross) and not self.crossing_dim:
            raise ArgumentError(f"{self.name}: crosses need crossing_dim, the number of their categories.")
        made = cross if isinstance(cross, Cross) else Cross(cross, self.crossing_dim)
        strange = [word for word in made.feature_names if word not in self.features]
        if strange:
            raise ArgumentError(
                f"{self.name}: the cross {made.feature_names} names {strange[0]!r}, which is no feature."
            )
        return made

    def _must_be_told_apart(self) -> None:
        """Refuses a cross whose name a feature or another cross has: in the result one would stand in the other's place."""
        taken = set(self.features)
        for cross in self.crosses:
            if cross.name in taken:
                other = "a feature" if cross.name in self.features else "another cross"
                raise ArgumentError(
                    f"{self.name}: the cross {cross.feature_names} is called {cross.name!r}, as is {other}. "
                    f"{'Give that feature another name' if other == 'a feature' else 'Leave one of them out'}."
                )
            taken.add(cross.name)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_symbols": None}

    # ---- learning

    def adapt(self, dataset: Any) -> None:
        """Learns vocabularies, means and boundaries, and forgets what was learned before.

        Args:
            dataset: a dict {name: column} or a table of pandas, or a PyDataset or iterable of such dicts (or of pairs that begin with one).
        Raises:
            ArgumentError: something else, a missing column; a space that was read with what it had learned.
        """
        if self.read:
            raise ArgumentError(f"{self.name}.adapt: it was read with what it had learned. Make a new FeatureSpace.")
        table = self._table("adapt", dataset)
        for name, feature in self.features.items():
            if feature.learns:
                feature.adapt(self._column(name, table[name]))
        self.adapted, self._symbols = True, None

    def _table(self, method: str, dataset: Any) -> dict[str, Any]:
        """All columns of what `adapt` takes."""
        dataset = as_columns(dataset)
        if isinstance(dataset, Mapping):
            batches: list[Any] = [dataset]
        elif isinstance(dataset, PyDataset):
            batches = [dataset[i] for i in range(len(dataset))]
        elif isinstance(dataset, Iterable) and not isinstance(dataset, (str, bytes, np.ndarray)):
            batches = list(dataset)
        else:
            raise ArgumentError(
                f"{self.name}.{method} takes a dict of columns, or batches of them; got {shown(dataset)}."
            )
        batches = [batch[0] if isinstance(batch, tuple) and batch else batch for batch in batches]
        if not batches:
            raise ArgumentError(f"{self.name}.{method}: there are no batches to learn from.")
        for batch in batches:
            self._must_fit(method, batch)
        if len(batches) == 1:
            return dict(batches[0])
        return {name: np.concatenate([self._column(name, batch[name]) for batch in batches]) for name in self.features}

    def _must_fit(self, method: str, data: Any) -> None:
        if not isinstance(data, Mapping):
            raise ArgumentError(f"{self.name}.{method} takes dicts {{name: column}}; got {shown(data)}.")
        missing = [name for name in self.features if name not in data]
        if missing:
            raise ArgumentError(
                f"{self.name}.{method}: the data have no {missing[0]!r}; they have {', '.join(map(str, data))}."
            )

    def _column(self, name: str, values: Any) -> Any:
        """A column as the array (rows, 1) or wider that its layer takes."""
        dtype = self.features[name].dtype
        try:
            column: Array = np.asarray(values, object) if dtype == "string" else np.asarray(values)
        except ValueError:
            raise DataError(
                f"{self.name}: feature {name!r} is a column, whose rows have one length; got {shown(values)}."
            ) from None
        if dtype != "string":
            if column.dtype.kind not in "biuf":
                raise DataError(
                    f"{self.name}: feature {name!r} holds numbers; got {shown(values)} of dtype {column.dtype}."
                )
            if dtype == "int32" and not _whole(column).all():
                raise DataError(
                    f"{self.name}: feature {name!r} holds whole numbers from -2**63 to 2**63 - 1; got {shown(values)}, of which "
                    f"{column[~_whole(column)][0]} is none."
                )
            column = column.astype("float32" if dtype == "float32" else "int64")
        return column[:, None] if column.ndim == 1 else column.reshape(1, 1) if column.ndim == 0 else column

    # ---- use

    def __call__(self, data: Any) -> Any:
        """The encoded columns of a table, or of one row of single values, which then has no axis of rows.

        Args:
            data: {name: column}, a table of pandas, or {name: value}.
        Returns:
            (rows, width), or a dict of such arrays; without the first axis for one row.
        Raises:
            ArgumentError: no dict, a missing feature, used before `adapt`.  ShapeError: columns of different lengths.
        """
        self._must_be_adapted()
        data = as_columns(data)
        self._must_fit("call", data)
        columns = {name: self._column(name, data[name]) for name in self.features}
        single = any(np.ndim(data[name]) == 0 for name in self.features)
        lengths = {len(column) for column in columns.values()}
        if len(lengths) > 1:
            raise ShapeError(f"{self.name}: columns must have one length; got {', '.join(map(str, sorted(lengths)))}.")
        merged = self._merged(self._encoded(columns))
        if not single:
            return merged
        return {name: part[0] for name, part in merged.items()} if isinstance(merged, dict) else merged[0]

    def _must_be_adapted(self) -> None:
        if not self.adapted:
            raise ArgumentError(f"{self.name} has not learned its features yet: call adapt(table) first.")

    def _encoded(self, columns: dict[str, Any]) -> dict[str, Any]:
        """Each feature and cross as it stands in the result, in its order."""
        found = {name: self.preprocessors[name](columns[name]) for name in sorted(columns)}
        crossed = {c.name: c.preprocessor([found[name] for name in c.feature_names]) for c in self._sorted_crosses()}
        specs: dict[str, Any] = {**self.features, **{c.name: c for c in self.crosses}}
        return {name: self._rows(name, specs[name], values) for name, values in (*found.items(), *crossed.items())}

    def _sorted_crosses(self) -> list[Cross]:
        return sorted(self.crosses, key=lambda cross: cross.name)

    def _rows(self, name: str, spec: Any, values: Any) -> Any:
        """What a layer gave, as rows of zeros and ones where the output mode says so."""
        whole = np.dtype(values.dtype).kind in "iu"
        if spec.output_mode != "one_hot":
            if self.output_mode == "concat" and whole:
                raise ArgumentError(
                    f"{self.name}: feature {name!r} is a number of a category, which cannot stand beside others. Give it "
                    f"output_mode='one_hot', or the space output_mode='dict'."
                )
            return values
        if not whole:
            raise ArgumentError(
                f"{self.name}: feature {name!r} has output_mode 'one_hot', but its layer gives no integers."
            )
        depth = spec.crossing_dim if isinstance(spec, Cross) else spec.cardinality
        if depth is None:
            raise ArgumentError(
                f"{self.name}: feature {name!r} has output_mode 'one_hot', but how many categories its layer knows cannot be told. "
                "Use output_mode='int'."
            )
        return layers.CategoryEncoding(depth, output_mode="multi_hot")(values)

    def _merged(self, encoded: dict[str, Any]) -> Any:
        parts = [ops.cast(part, "float32") for part in encoded.values()] if self.output_mode == "concat" else []
        return ops.concatenate(parts, -1) if parts else encoded

    # ---- in models

    def get_inputs(self) -> dict[str, Any]:
        """The features as a model's inputs, {name: (None, 1)}, from which `get_encoded_features` is worked out.

        Raises:
            ArgumentError: features that no model can read: strings, tables and hashes.
        """
        outside = [
            name for name, layer in {**self.preprocessors, **self.crossers}.items() if isinstance(layer, PipelineLayer)
        ]
        if outside:
            raise ArgumentError(
                f"{self.name}.get_inputs: {outside[0]!r} works on strings, tables or hashes, which no model here can. Apply the space "
                "to the data, and give the model get_encoded_features() as inputs."
            )
        inputs, _ = self._symbolic()
        assert inputs is not None
        return inputs

    def get_encoded_features(self) -> Any:
        """What the space gives, as tensors to begin a model with.

        Where every feature is numeric they are worked out from `get_inputs`; else they are inputs themselves.
        """
        return self._symbolic()[1]

    def _symbolic(self) -> tuple[dict[str, Any] | None, Any]:
        self._must_be_adapted()
        if self._symbols is None:
            held = [*self.preprocessors.values(), *self.crossers.values()]
            if any(isinstance(layer, PipelineLayer) for layer in held):
                example = self._example()
                made = {
                    name: layers.Input(part.shape[1:], dtype=part.dtype.name, name=name)
                    for name, part in example.items()
                }
                self._symbols = None, made if self.output_mode == "dict" else made["features"]
            else:
                inputs = {word: layers.Input((1,), dtype=f.dtype, name=word) for word, f in self.features.items()}
                self._symbols = inputs, self._merged(self._encoded(inputs))
        return self._symbols

    def _example(self) -> dict[str, Any]:
        """The result for a row of tokens that each lookup knows, of zeros and of empty strings."""
        columns = {}
        for name, feature in self.features.items():
            known = feature.preprocessor.tokens if isinstance(feature.preprocessor, Lookup) else []
            columns[name] = self._column(name, [known[0] if known else "" if feature.dtype == "string" else 0])
        merged = self._merged(self._encoded(columns))
        return merged if isinstance(merged, dict) else {"features": merged}

    # ---- configs and files

    def get_config(self) -> dict[str, Any]:
        """The arguments, with what was learned."""
        return {
            "features": {name: feature.get_config() for name, feature in self.features.items()},
            "output_mode": self.output_mode,
            "crosses": [cross.get_config() for cross in self.crosses],
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
            "name": self.name,
            "adapted": self.adapted,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FeatureSpace":
        """A space from what get_config gave; one that had learned has learned."""
        own = {key: value for key, value in config.items() if key != "adapted"}
        features = {
            name: Feature(told["dtype"], restored(told["preprocessor"]), told["output_mode"])
            for name, told in own["features"].items()
        }
        space = cls(**{**own, "features": features, "crosses": [Cross(**told) for told in own["crosses"]]})
        space.adapted = space.read = bool(config.get("adapted", False))
        return space

    def save(self, filepath: Any) -> None:
        """Writes the space, with what it has learned, to a `.keras` file, which `models.load_model` reads.

        Args:
            filepath: where to; its name ends in `.keras`.
        Raises:
            ArgumentError: used before `adapt`, or another ending.  FileError: the file cannot be written.

        >>> import os, tempfile
        >>> space, path = FeatureSpace({"n": "float"}), os.path.join(tempfile.mkdtemp(), "space.keras")
        >>> space.save(path)
        >>> os.path.exists(path)
        True
        """
        from refnet.saving import save_model

        self._must_be_adapted()
        save_model(self, filepath)


def as_columns(table: Any) -> Any:
    """A table of pandas as a dict of its columns; anything else as it is."""
    return dict(table) if hasattr(table, "iloc") and hasattr(table, "columns") else table


def _whole(column: Array) -> Array:
    """Which numbers are whole, finite, and within int64."""
    if column.dtype.kind == "u":
        return column <= np.uint64(2**63 - 1)
    if column.dtype.kind == "f":
        return (column == np.floor(column)) & (column >= -(2.0**63)) & (column < 2.0**63)
    return np.ones(column.shape, bool)
