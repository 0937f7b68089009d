"""What layers with a vocabulary share: it is given, read from a file or learned from data, and tokens are looked up in it."""

import collections
import math
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from refnet import dtypes, engine, ops, registration
from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, DtypeError, FileError, MissingFileError, shown
from refnet.layers.encoding import encoded, no_sparse, output_mode_of
from refnet.layers.hashing import bin_of, salt_of
from refnet.layers.strings import PipelineLayer
from refnet.utils.py_dataset import PyDataset

LOOKUP_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


class Lookup(PipelineLayer):
    """Base of layers that number tokens: [mask_token] 0, then num_oov_indices numbers for tokens that are not known, then the
    vocabulary. The mask has a number in "int" mode only; in the others masked tokens are left out.

    Works on arrays and lists, outside of models; see `PipelineLayer`.

    Args:
        max_tokens: the largest size of the vocabulary, special tokens included, so more than there are of these; None: any.
        num_oov_indices: how many numbers stand for unknown tokens; with several, a hash chooses. 0: unknown tokens are an error.
        mask_token: stands for what is not there; None: nothing does.
        oov_token: what unknown tokens come back as with `invert`.
        vocabulary: the tokens, with or without the special ones in front; or the path of a text file with one in each line.
        idf_weights: of the tokens, for "tf_idf".
        invert: whether numbers are turned into tokens.
        output_mode: "int"; rows: "one_hot", "multi_hot", "count"; "tf_idf": counts times weights.
        pad_to_max_tokens: whether rows have max_tokens columns.
        sparse: must be False.
        salt: SipHash's key where FarmHash is not to be used for unknown tokens; see Hashing.
    """

    def _set(
        self,
        *,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        salt: Any,
    ) -> None:
        no_sparse(self.name, sparse)
        if max_tokens is not None and max_tokens <= 1:
            raise ArgumentError(f"{self.name}: max_tokens is an integer above 1, or None; got {max_tokens!r}.")
        if num_oov_indices < 0:
            raise ArgumentError(f"{self.name}: num_oov_indices is not below 0; got {num_oov_indices!r}.")
        if pad_to_max_tokens and max_tokens is None:
            raise ArgumentError(f"{self.name}: pad_to_max_tokens needs max_tokens.")
        self.output_mode = output_mode_of(self.name, output_mode, LOOKUP_MODES)
        if invert and self.output_mode != "int":
            raise ArgumentError(f"{self.name}: invert goes with output_mode='int'; got {output_mode!r}.")
        self.max_tokens, self.num_oov_indices, self.invert = max_tokens, num_oov_indices, invert
        self.mask_token, self.oov_token, self.sparse = mask_token, oov_token, sparse
        self.pad_to_max_tokens, self.salt = pad_to_max_tokens, salt
        self.salt_key = salt_of(self.name, salt)
        if max_tokens is not None and max_tokens <= self.token_start:
            raise ArgumentError(
                f"{self.name}: max_tokens counts the special tokens too, of which there are {self.token_start}; "
                f"max_tokens={max_tokens!r} leaves no room for others. Give at least {self.token_start + 1}."
            )
        self.tokens: list[Any] = []
        self.numbers: dict[Any, int] = {}
        self.idf_weights: Array = None
        self.given = vocabulary is not None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise ArgumentError(f"{self.name}: idf_weights belong to a vocabulary; give both.")

    # ---- what a subclass says

    def as_tokens(self, inputs: Any) -> Array:
        """The inputs as an array of tokens."""
        raise NotImplementedError(f"{type(self).__name__} has no `as_tokens`")

    def line(self, text: str) -> Any:
        """A line of a vocabulary file as a token."""
        return text

    def oov_bin(self, token: Any) -> int:
        """Which of the numbers for unknown tokens one takes."""
        return bin_of(str(token), self.num_oov_indices, self.salt_key)

    # ---- the vocabulary

    @property
    def oov_start(self) -> int:
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    @property
    def token_start(self) -> int:
        return self.oov_start + self.num_oov_indices

    def vocabulary_size(self) -> int:
        """How many numbers there are, special tokens included."""
        return len(self.tokens) + self.token_start

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens, each at the place of its number."""
        return (special_tokens(self) if include_special_tokens else []) + list(self.tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Takes a vocabulary.

        Args:
            vocabulary: the tokens, with or without the special ones in front; or the path of a text file.
            idf_weights: one for each of them, for "tf_idf".
        Raises:
            ArgumentError: nothing, repeated or misplaced tokens, too many; weights that do not fit.
        """
        if (idf_weights is None) != (self.output_mode != "tf_idf"):
            raise ArgumentError(
                f"{self.name}: output_mode 'tf_idf' needs idf_weights with a vocabulary, others take none."
            )
        given = (
            self.read(vocabulary)
            if isinstance(vocabulary, (str, pathlib.Path))
            else self.as_tokens(vocabulary).tolist()
        )
        special = special_tokens(self)
        whole = bool(special) and given[: len(special)] == special
        tokens = given[len(special) :] if whole else given
        check_tokens(self, given, tokens, special)
        weights = None
        if idf_weights is not None:
            weights = np.asarray(idf_weights, dtypes.as_numpy(dtypes.floatx()))
            if weights.shape != (len(given),):
                raise ArgumentError(
                    f"{self.name}: there are {len(given)} tokens and idf_weights of shape {weights.shape}."
                )
            if not whole:
                weights = np.concatenate([np.full(len(special), weights.mean(), weights.dtype), weights])
        self._take(tokens, weights)

    def _take(self, tokens: list[Any], weights: Array) -> None:
        self.tokens, self.idf_weights = tokens, weights
        self.numbers = {token: i + self.token_start for i, token in enumerate(tokens)}

    def read(self, path: Any) -> list[Any]:
        """The tokens of a text file, one in each line."""
        if registration.from_file() and registration.safe_mode():
            raise FileError(
                f"{self.name}: a configuration names the vocabulary file {path}; files outside are not read."
            )
        if not pathlib.Path(path).is_file():
            raise MissingFileError(f"{self.name}: there is no vocabulary file {path}.")
        lines = pathlib.Path(path).read_text(encoding="utf-8").split("\n")
        return [self.line(text) for text in (lines[:-1] if lines[-1] == "" else lines)]

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learns a vocabulary, the most frequent tokens first (of equals the greatest), and forgets what was learned before.

        Args:
            data: an array or a list of tokens (of "tf_idf": a row is a document), a PyDataset, or an iterable of batches (of
                "tf_idf": a batch without a second axis is one document).
            steps: how many batches are seen; None: all.
        """
        if self.given:
            raise ArgumentError(f"{self.name}.adapt: a vocabulary was given when the layer was made.")
        batches = map(self.as_tokens, token_batches(self.name, data, steps))
        # In an array each row is a document, also one of a single token; a batch without a second axis is one document.
        self.learn(batches if stands_alone(data) else map(np.atleast_2d, batches))

    def learn(self, batches: Iterable[Any]) -> None:
        """Learns from arrays of tokens, or lists of documents that are lists of tokens."""
        counts: collections.Counter[Any] = collections.Counter()
        holding: collections.Counter[Any] = collections.Counter()
        documents = 0
        for batch in batches:
            rows = batch
            if not isinstance(batch, list):
                batch = np.atleast_1d(batch)
                rows = batch.reshape(len(batch), math.prod(batch.shape[1:])).tolist()  # -1 would be any number of none
            documents += len(rows)
            for row in rows:
                counts.update(row)
                holding.update(set(row))
        for special in (self.mask_token, self.oov_token):
            counts.pop(special, None)
        ranked = sorted(counts, key=lambda token: (counts[token], sort_key(token)), reverse=True)
        if not ranked:
            raise ArgumentError(f"{self.name}.adapt: the data hold no tokens.")
        kept = ranked if self.max_tokens is None else ranked[: self.max_tokens - self.token_start]
        weights = None
        if self.output_mode == "tf_idf":
            own = np.array([math.log(1 + documents / (1 + holding[token])) for token in kept])
            weights = np.concatenate([np.full(self.token_start, own.mean()), own]).astype(dtypes.floatx())
        self._take(kept, weights)

    # ---- looking up

    def call(self, inputs: Any) -> Any:
        if not self.tokens:
            raise ArgumentError(f"{self.name} has no vocabulary yet: give one, or call adapt(data) first.")
        return self.inverted(inputs) if self.invert else self.rows(self.looked_up(self.as_tokens(inputs)))

    def looked_up(self, tokens: Array) -> Array:
        """The numbers of tokens; -1 for masked ones that have none."""
        numbers = np.empty(tokens.shape, np.int64)
        for index in np.ndindex(*tokens.shape):
            numbers[index] = self.number_of(tokens[index])
        return numbers

    def number_of(self, token: Any) -> int:
        if self.mask_token is not None and token == self.mask_token:
            return 0 if self.output_mode == "int" else -1
        number = self.numbers.get(token)
        if number is not None:
            return number
        if self.num_oov_indices == 0:
            raise DataError(f"{self.name}: {token!r} is not in the vocabulary, and num_oov_indices is 0.")
        return self.oov_start + (0 if self.num_oov_indices == 1 else self.oov_bin(token))

    def rows(self, numbers: Array) -> Array:
        """Numbers as output_mode says."""
        if self.output_mode == "int":
            return numbers
        depth = self.max_tokens if self.pad_to_max_tokens and self.max_tokens else self.vocabulary_size()
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        with engine.eager_on_current():
            found = encoded(numbers, mode, depth, dtypes.floatx())
            if self.output_mode == "tf_idf":
                weights = np.zeros(depth, found.dtype)
                weights[: len(self.idf_weights)] = self.idf_weights
                found = ops.multiply(found, weights)
            return np.asarray(found)

    def inverted(self, inputs: Any) -> Array:
        """The tokens of numbers."""
        numbers = np.asarray(inputs)
        if numbers.dtype.kind not in "iu":
            raise DtypeError(f"{self.name} turns integers into tokens; got {shown(inputs)} of dtype {numbers.dtype}.")
        whole = self.get_vocabulary()
        found = [whole[n] if 0 <= n < len(whole) else self.oov_token for n in numbers.reshape(-1).tolist()]
        result = np.empty(len(found), object)
        result[:] = found
        return self.as_tokens(result).reshape(numbers.shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments, with the vocabulary as it is."""
        names = (
            "max_tokens",
            "num_oov_indices",
            "mask_token",
            "oov_token",
            "invert",
            "output_mode",
            "pad_to_max_tokens",
        )
        config = {name: getattr(self, name) for name in (*names, "sparse", "salt", "name")}
        vocabulary = self.get_vocabulary() if self.tokens else None
        weights = None if self.idf_weights is None else [float(w) for w in self.idf_weights]
        return {**config, "vocabulary": vocabulary, "idf_weights": weights}


def special_tokens(layer: Lookup) -> list[Any]:
    """The tokens with the first numbers: the mask, and those that stand for what is not known."""
    return [layer.mask_token] * layer.oov_start + [layer.oov_token] * layer.num_oov_indices


def check_tokens(layer: Lookup, given: list[Any], tokens: list[Any], special: list[Any]) -> None:
    """Raises ArgumentError unless `given` holds tokens, each once, no more than max_tokens, and special ones in front alone."""
    repeated = [token for token, count in collections.Counter(tokens).items() if count > 1]
    reserved = [
        t for t in (layer.mask_token, layer.oov_token if layer.invert else None) if t is not None and t in tokens
    ]
    if not given or repeated or reserved:
        problem = (
            "is empty" if not given else f"repeats {repeated[:5]}" if repeated else f"holds {reserved[0]!r} inside"
        )
        raise ArgumentError(
            f"{layer.name}: the vocabulary {problem}. It has each token once; special tokens are left out, or stand in "
            f"front as {special}."
        )
    if layer.max_tokens is not None and len(tokens) + len(special) > layer.max_tokens:
        raise ArgumentError(
            f"{layer.name}: the vocabulary has {len(tokens) + len(special)} tokens with the special ones; max_tokens is "
            f"{layer.max_tokens}."
        )


def sort_key(token: Any) -> Any:
    """Strings in the order of their bytes."""
    return token.encode("utf-8") if isinstance(token, str) else token


def stands_alone(data: Any) -> bool:
    """Whether data are one array or list of tokens, not batches of them."""
    alone = isinstance(data, list) or hasattr(data, "__array__") or not isinstance(data, Iterable)
    return alone and not isinstance(data, PyDataset)


def token_batches(layer: str, data: Any, steps: int | None) -> Iterable[Any]:
    """The batches that `adapt` sees; an array or a list of tokens is one."""
    if isinstance(data, PyDataset):
        batches: Iterable[Any] = (data[i] for i in range(len(data)))
    elif stands_alone(data):
        batches = [data]
    elif isinstance(data, str):
        raise ArgumentError(f"{layer}.adapt takes a list of strings; got one string. Put it into a list.")
    else:
        batches = data
    for count, batch in enumerate(batches):
        if steps is not None and count >= steps:
            return
        yield batch[0] if isinstance(batch, tuple) else batch
