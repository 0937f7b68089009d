"""The kinds of columns that FeatureSpace reads, each as a feature to be given to it."""

from collections.abc import Iterable
from typing import Any

from refnet import layers
from refnet.utils.features import Cross, Feature


class FeatureKinds:
    """What `FeatureSpace.float`, `FeatureSpace.string_categorical` and their like make."""

    @classmethod
    def cross(cls, feature_names: Iterable[str], crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """Features taken together as one category, by their hash.

        Args:
            feature_names: the features.
            crossing_dim: how many categories there are.
            output_mode: "one_hot" or "int".
        Returns:
            A Cross.
        Raises:
            ArgumentError: another output mode.

        >>> from refnet.utils import FeatureSpace
        >>> FeatureSpace.cross(("city", "age"), 32).name
        'city_X_age'
        """
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """A feature that a layer of one's own reads.

        Args:
            dtype: of the raw values: "float32", "int32" or "string".
            preprocessor: a layer that takes a column of them, (rows, 1).
            output_mode: "float", what the layer gives; "int", the numbers it gives; "one_hot", these as rows.
        Returns:
            A Feature.
        Raises:
            ArgumentError: other dtypes or modes; what is no layer.

        >>> from refnet.utils import FeatureSpace
        >>> own = FeatureSpace.feature("float32", layers.Rescaling(0.5), "float")
        >>> FeatureSpace({"n": own})({"n": [4.0]})
        array([[2.]], dtype=float32)
        """
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers as they are.

        Args:
            name: of the feature; its layer is called after it.
        Returns:
            A Feature.

        >>> from refnet.utils import FeatureSpace
        >>> FeatureSpace({"n": FeatureSpace.float()})({"n": [1.5, 2.0]})
        array([[1.5],
               [2. ]], dtype=float32)
        """
        return Feature("float32", layers.Identity(dtype="float32", name=_inner(name)), "float")

    @classmethod
    def float_rescaled(cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None) -> Feature:
        """Numbers times scale plus offset.

        Args:
            scale, offset: numbers.
            name: of the feature; its layer is called after it.
        Returns:
            A Feature.

        >>> from refnet.utils import FeatureSpace
        >>> FeatureSpace({"n": FeatureSpace.float_rescaled(2.0, 1.0)})({"n": [1.0]})
        array([[3.]], dtype=float32)
        """
        return Feature("float32", layers.Rescaling(scale, offset, name=_inner(name)), "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers brought to mean 0 and variance 1.

        Args:
            name: of the feature; its layer is called after it.
        Returns:
            A Feature.

        >>> from refnet.utils import FeatureSpace
        >>> space = FeatureSpace({"n": FeatureSpace.float_normalized()})
        >>> space.adapt({"n": [1.0, 3.0]})
        >>> space({"n": [5.0]})
        array([[3.]], dtype=float32)
        """
        return Feature("float32", layers.Normalization(axis=-1, name=_inner(name)), "float")

    @classmethod
    def float_discretized(
        cls, num_bins: int | None, bin_boundaries: Any = None, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Numbers as bins: num_bins that are learned, or (num_bins None) those between the boundaries.

        Args:
            num_bins: how many bins, of about as many numbers each; None where boundaries are given.
            bin_boundaries: rising numbers, each the first of its bin.
            output_mode: "one_hot" (rows of zeros and ones) or "int" (the numbers of the categories).
            name: of the feature; its layer is called after it.
        Returns:
            A Feature.
        Raises:
            ArgumentError: both or neither of the two; another output mode.

        >>> from refnet.utils import FeatureSpace
        >>> FeatureSpace({"n": FeatureSpace.float_discretized(None, [1.0])})({"n": [0.0, 1.0]})
        array([[1., 0.],
               [0., 1.]], dtype=float32)
        """
        layer = layers.Discretization(num_bins=num_bins, bin_boundaries=bin_boundaries, name=_inner(name))
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Whole numbers as categories that are learned; see IntegerLookup.

        Args:
            max_tokens: how many numbers there may be at most, those of unknown ones with them; None for all that are found.
            num_oov_indices: how many numbers unknown categories share.
            output_mode: "one_hot" (rows of zeros and ones) or "int" (the numbers of the categories).
            name: of the feature; its layer is called after it.
        Returns:
            A Feature.
        Raises:
            ArgumentError: another output mode, or numbers that make no vocabulary.

        >>> from refnet.utils import FeatureSpace
        >>> space = FeatureSpace({"n": FeatureSpace.integer_categorical()})
        >>> space.adapt({"n": [7, 7]})
        >>> space({"n": [7, 8]})
        array([[0., 1.],
               [1., 0.]], dtype=float32)
        """
        return Feature("int32", layers.IntegerLookup(max_tokens, num_oov_indices, name=_inner(name)), output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Strings as categories that are learned; see StringLookup.

        Args:
            max_tokens: how many numbers there may be at most, those of unknown ones with them; None for all that are found.
            num_oov_indices: how many numbers unknown categories share.
            output_mode: "one_hot" (rows of zeros and ones) or "int" (the numbers of the categories).
            name: of the feature; its layer is called after it.
        Returns:
            A Feature.
        Raises:
            ArgumentError: another output mode, or numbers that make no vocabulary.

        >>> from refnet.utils import FeatureSpace
        >>> space = FeatureSpace({"city": FeatureSpace.string_categorical()})
        >>> space.adapt({"city": ["Rome", "Rome"]})
        >>> space({"city": ["Rome", "Oslo"]})
        array([[0., 1.],
               [1., 0.]], dtype=float32)
        """
        return Feature("string", layers.StringLookup(max_tokens, num_oov_indices, name=_inner(name)), output_mode)

    @classmethod
    def string_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Strings as categories by their hash.

        Args:
            num_bins: how many categories there are.
            output_mode: "one_hot" (rows of zeros and ones) or "int" (the numbers of the categories).
            name: of the feature; its layer is called after it.
        Returns:
            A Feature.
        Raises:
            ArgumentError: another output mode, or fewer than one bin.

        >>> from refnet.utils import FeatureSpace
        >>> FeatureSpace({"city": FeatureSpace.string_hashed(3)})({"city": ["Rome", "Oslo"]}).sum(1)
        array([1., 1.], dtype=float32)
        """
        return Feature("string", layers.Hashing(num_bins, name=_inner(name)), output_mode)

    @classmethod
    def integer_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Whole numbers as categories by their hash.

        Args:
            num_bins: how many categories there are.
            output_mode: "one_hot" (rows of zeros and ones) or "int" (the numbers of the categories).
            name: of the feature; its layer is called after it.
        Returns:
            A Feature.
        Raises:
            ArgumentError: another output mode, or fewer than one bin.

        >>> from refnet.utils import FeatureSpace
        >>> FeatureSpace({"n": FeatureSpace.integer_hashed(3)})({"n": [5, 6]}).sum(1)
        array([1., 1.], dtype=float32)
        """
        return Feature("int32", layers.Hashing(num_bins, name=_inner(name)), output_mode)


def _inner(name: str | None) -> str | None:
    """The name of a feature's layer."""
    return None if name is None else f"{name}_preprocessor"
