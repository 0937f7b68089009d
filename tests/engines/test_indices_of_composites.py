"""An index out of range that is found while a program runs is told of by the op that was called, on every engine."""

import re

import numpy as np
import pytest

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import Input, Model, ops
from refnet.engine import get_engine
from refnet.errors import DataError
from refnet.graph import Tensor
from refnet.program import Program

NUMBER, PAIR = Tensor((), "float64"), Tensor((2,), "int32")
FIXED, OPEN = Tensor((3, 4), "float64"), Tensor((None, 4), "float64")


@pytest.mark.parametrize("engine", ["reference", "derived", "cpu"])
@pytest.mark.parametrize(
    ("words", "x", "told", "given", "call"),
    [
        ("quantile (take)", OPEN, NUMBER, 1.5, lambda x, q: ops.quantile(x, q, 0)),
        ("percentile (take)", OPEN, NUMBER, 150.0, lambda x, q: ops.percentile(x, q, 0)),
        ("nanquantile (take_along_axis)", OPEN, NUMBER, 1.5, lambda x, q: ops.nanquantile(x, q, 0)),
        ("slice (take)", OPEN, PAIR, [7, 0], lambda x, i: ops.slice(x, i, (1, 2))),
        ("slice_update (take)", FIXED, PAIR, [7, 0], lambda x, i: ops.slice_update(x, i, [[1.0, 2.0]])),
        ("in_top_k (take_along_axis)", OPEN, PAIR, [0, 9], lambda x, i: ops.in_top_k(i, x[:2], 1)),
        ("take", OPEN, PAIR, [0, 9], lambda x, i: ops.take(x, i, 1)),
    ],
)
def test_an_index_that_a_composite_makes_is_told_by_its_name(words, x, told, given, call, engine):
    executable = get_engine(engine).prepare(Program([x, told], [call(x, told)]))
    feeds = [np.arange(12.0).reshape(3, 4), np.asarray(given, told.dtype)]
    with pytest.raises(DataError, match=rf"^{re.escape(words)}: indices must lie in"):
        executable.run(feeds)


def test_a_copied_graph_still_tells_of_the_composite():
    x, q = Input((4,)), Input((), dtype="float64")
    inner = Model([x, q], ops.quantile(x, q[0], 1), name="inner")
    y = Model([x, q], inner([x, q]), name="outer")
    with pytest.raises(DataError, match=r"inner: quantile \(take\): indices must lie in"):
        y.predict([np.ones((2, 4)), np.array([1.5, 0])], verbose=0)
