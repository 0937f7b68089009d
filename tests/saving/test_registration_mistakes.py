"""Mistakes with the decorator that registers."""

import pytest

from refnet import layers, saving
from refnet.errors import ArgumentError


def test_a_decorator_without_parentheses_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"package is a str.*Write @register_keras_serializable\(\)"):

        @saving.register_keras_serializable
        class Mine(layers.Layer):
            pass
