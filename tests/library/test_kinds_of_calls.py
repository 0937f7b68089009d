"""What is traced once and kept serves only calls of the same kind: the arguments' types, values and order, and the layers as they are."""

import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from refnet.layers import Dense, Layer

X = np.array([1.0, 2.0], "float32")


class Times(Layer):
    """100 more where k is True; a sign where it is a zero; else k times."""

    def call(self, x: Any, k: Any) -> Any:
        if k is True:
            return x + 100
        return x * k if k else x * math.copysign(1.0, k)


@pytest.mark.parametrize(("first", "second"), [(1, True), (True, 1.0), (2, 2.0), (0.0, -0.0)])
def test_numbers_that_are_equal_are_not_the_same(first: Any, second: Any) -> None:
    for x in (X, X.astype("int32")):
        layer = Times()
        for k in (first, second, first):
            wanted = Times()(x, k)
            for y in (layer(x, k), layer.stateless_call([], [], x, k)[0]):
                assert y.dtype == wanted.dtype and y.tobytes() == wanted.tobytes()


def test_dicts_that_are_read_in_another_order() -> None:
    class Difference(Layer):
        def call(self, d: Any) -> Any:
            return d["a"] - 2 * d["b"]

    layer = Difference()
    for d in (OrderedDict(b=X, a=5 * X), {"b": X, "a": 5 * X}, {"a": 5 * X, "b": X}):
        assert layer(d).tolist() == [3.0, 6.0]


def test_a_call_on_values_follows_a_changed_layer() -> None:
    layer, x = Dense(1, activation="relu", kernel_initializer="ones"), np.full((1, 1), -2.0, "float32")
    assert layer(x).tolist() == [[0.0]]
    values = [v.value for v in layer.trainable_variables]
    assert layer.stateless_call(values, [], x)[0].tolist() == [[0.0]]
    layer.activation = None
    assert layer.stateless_call(values, [], x)[0].tolist() == layer(x).tolist() == [[-2.0]]
