"""Tokens as numbers and back, by a vocabulary: StringLookup and IntegerLookup. What they share is in `vocabulary.py`."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, DtypeError, shown
from refnet.layers.vocabulary import Lookup


class StringLookup(Lookup):
    """Strings as numbers, by a vocabulary; see `Lookup` for the arguments, of which encoding says how bytes are read.

    Works on arrays and lists, outside of models; see `PipelineLayer`. Which number an unknown string takes among several is
    FarmHash's Fingerprint64 modulo their number, or SipHash's with a salt, as in Keras.

    >>> layer = StringLookup(vocabulary=["a", "b"])
    >>> layer(["b", "z", "a"]), layer.get_vocabulary()
    (array([2, 0, 1]), ['[UNK]', 'a', 'b'])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **more: Any,
    ):
        super().__init__(name=name, **more)
        self.encoding = encoding
        self._set(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            salt=salt,
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from its config or Keras's, whose `oov_method` has a meaning for integers alone."""
        return super().from_config({key: value for key, value in config.items() if key != "oov_method"})

    def as_tokens(self, inputs: Any) -> Array:
        return self.texts(inputs, self.encoding)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "encoding": self.encoding}


class IntegerLookup(Lookup):
    """Integers as numbers without gaps, by a vocabulary; see `Lookup` for the arguments.

    Works on arrays and lists, outside of models; see `PipelineLayer`.

    Args:
        oov_method: which number an unknown integer takes among several: "floormod", itself modulo their number, or "farmhash",
            the hash of the string that shows it.

    >>> IntegerLookup(vocabulary=[12, 36, 1138])(np.array([[36, 7], [1138, 12]]))
    array([[2, 0],
           [3, 1]])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **more: Any,
    ):
        super().__init__(name=name, **more)
        if vocabulary_dtype != "int64":
            raise ArgumentError(f"{self.name}: vocabulary_dtype must be 'int64'; got {vocabulary_dtype!r}.")
        if oov_method not in ("floormod", "farmhash") or (salt is not None and oov_method != "farmhash"):
            raise ArgumentError(
                f"{self.name}: oov_method is 'floormod' or 'farmhash', and a salt goes with the latter; got {oov_method!r}."
            )
        self.vocabulary_dtype, self.oov_method = vocabulary_dtype, oov_method
        self._set(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            salt=salt,
        )

    def as_tokens(self, inputs: Any) -> Array:
        x = np.asarray(inputs)
        if x.dtype == object and all(isinstance(v, (int, np.integer)) for v in x.reshape(-1)):
            x = x.astype(np.int64)
        if x.dtype.kind not in "iu":
            raise DtypeError(f"{self.name} takes integers; got {shown(inputs)} of dtype {x.dtype}.")
        return x.astype(np.int64)

    def line(self, text: str) -> Any:
        return int(text)

    def oov_bin(self, token: Any) -> int:
        return int(token) % self.num_oov_indices if self.oov_method == "floormod" else super().oov_bin(token)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocabulary_dtype": self.vocabulary_dtype, "oov_method": self.oov_method}
