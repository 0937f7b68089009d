"""Anything as the number of a bin, by its hash: Hashing and HashedCrossing."""

from typing import Any

import numpy as np

from refnet import dtypes, engine
from refnet.annotations import Array
from refnet.errors import ArgumentError, DtypeError, ShapeError, shown
from refnet.layers.checks import whole
from refnet.layers.encoding import encoded, no_sparse, output_mode_of
from refnet.layers.fingerprints import fingerprint64, joined, siphash64
from refnet.layers.strings import PipelineLayer

START = 0xDECAFCAFFE  # what TensorFlow's crosses begin with


def salt_of(layer: str, salt: Any) -> tuple[int, int] | None:
    """SipHash's key from an integer or a pair of them."""
    entries = salt if isinstance(salt, (tuple, list)) else (salt, salt)
    if salt is None:
        return None
    if len(entries) != 2 or not all(isinstance(k, (int, np.integer)) for k in entries):
        raise ArgumentError(f"{layer}: salt is an integer, or a pair of integers; got {salt!r}.")
    return int(entries[0]), int(entries[1])


def bin_of(text: str, bins: int, salt: tuple[int, int] | None) -> int:
    """The bin of a string: FarmHash's Fingerprint64 of its bytes in UTF-8, or with a salt SipHash-2-4, modulo bins."""
    data = text.encode("utf-8")
    return (fingerprint64(data) if salt is None else siphash64(data, salt)) % bins


class Hashing(PipelineLayer):
    """Strings or integers as the numbers of bins: FarmHash's Fingerprint64 modulo num_bins, or with a salt SipHash-2-4, as in Keras.

    Integers are hashed as the strings that show them. Works on arrays and lists, outside of models; see `PipelineLayer`.

    Args:
        num_bins: how many bins there are, that of mask_value included.
        mask_value: what goes into bin 0, alone.
        salt: an integer or a pair of them: SipHash's key.
        output_mode: "int", or rows as in CategoryEncoding: "one_hot", "multi_hot", "count".
        sparse: must be False.

    >>> Hashing(num_bins=3)(["A", "B", "C", "D", "E"])
    array([1, 0, 1, 1, 2])
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **more: Any,
    ):
        if more.get("dtype") is None:
            more["dtype"] = "int64" if output_mode == "int" else dtypes.floatx()
        super().__init__(**more)
        no_sparse(self.name, sparse)
        self.num_bins, self.mask_value, self.sparse = whole(self.name, "num_bins", num_bins, 1), mask_value, sparse
        self.output_mode, self.salt = output_mode_of(self.name, output_mode), salt
        self.salt_key = salt_of(self.name, salt)
        if self.output_mode == "int" and not dtypes.is_integer(self.compute_dtype):
            raise ArgumentError(f"{self.name}: numbers of bins are integers; got dtype {self.compute_dtype!r}.")

    def call(self, inputs: Any) -> Array:
        x = np.asarray(inputs)
        if x.dtype.kind == "f":
            x = x.astype(np.int64)
        if x.dtype.kind in "biu":
            texts: Array = np.array([str(int(v)) for v in x.reshape(-1)], object).reshape(x.shape)
        else:
            texts = self.texts(inputs)
        masked = self.mask_value is not None and self.num_bins > 1
        bins = self.num_bins - 1 if masked else self.num_bins
        numbers = np.empty(x.shape, np.int64)
        for index in np.ndindex(*x.shape):
            number = bin_of(texts[index], bins, self.salt_key)
            numbers[index] = 0 if masked and texts[index] == str(self.mask_value) else number + masked
        with engine.eager_on_current():
            return np.asarray(encoded(numbers, self.output_mode, self.num_bins, self.compute_dtype))


class HashedCrossing(PipelineLayer):
    """Several features, taken together, as the number of a bin.

        y = cat(cat(0xDECAFCAFFE, h(a)), h(b)) modulo num_bins

    h is Fingerprint64 for strings, the number itself for integers; cat is TensorFlow's FingerprintCat64. So are Keras's results.
    Works on arrays and lists, outside of models; see `PipelineLayer`.

    Args:
        num_bins: how many bins there are.
        output_mode: "int" or "one_hot".
        sparse: must be False.
    The call takes a list of features of one shape: (), (batch,) or (batch, 1).

    >>> HashedCrossing(5)([["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102]])
    array([1, 4, 1, 1, 3])
    """

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **more: Any,
    ):
        if output_mode == "int" and dtype is None:
            dtype = "int64"
        super().__init__(name=name, dtype=dtype, **more)
        no_sparse(self.name, sparse)
        self.num_bins, self.sparse = whole(self.name, "num_bins", num_bins, 1), sparse
        self.output_mode = output_mode_of(self.name, output_mode, ("int", "one_hot"))

    def call(self, inputs: Any) -> Array:
        if not isinstance(inputs, (tuple, list)) or len(inputs) < 2:
            raise ArgumentError(f"{self.name} takes a list of at least two features; got {shown(inputs)}.")
        features = [np.asarray(x) for x in inputs]
        shape = features[0].shape
        if any(x.shape != shape for x in features) or len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise ShapeError(
                f"{self.name} takes features of one shape, (), (batch,) or (batch, 1); got {[x.shape for x in features]}."
            )
        for x in features:
            if x.dtype.kind not in "iuUSOT":
                raise DtypeError(f"{self.name} takes strings and integers; got dtype {x.dtype}.")
        columns = [x if x.dtype.kind in "iu" else self.texts(x) for x in features]
        numbers = np.empty(shape, np.int64)
        for index in np.ndindex(*shape):
            found = START
            for column in columns:
                value = column[index]
                own = fingerprint64(value.encode("utf-8")) if isinstance(value, str) else int(value) & (2**64 - 1)
                found = joined(found, own)
            numbers[index] = found % self.num_bins
        with engine.eager_on_current():
            return np.asarray(encoded(numbers, self.output_mode, self.num_bins, self.compute_dtype))
