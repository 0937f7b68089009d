"""Calls of connectionist temporal classification.

Log-probabilities are ordinary numbers: where several are equal, rounding decides which of two sums is larger, and a certificate
follows both ways.
"""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


def alignments(draw: Draw) -> list[Array]:
    """Log-probabilities, targets, how many labels and how many steps of each count."""
    batch, time, labels, classes = draw.extent(0, 3), draw.extent(0, 4), draw.extent(0, 3), draw.extent(2, 4)
    integer = draw.index()
    log_probs = draw.array((batch, time, classes), draw.floating(), low=-4, high=0, calm=(-4, 0))
    target = draw.array((batch, labels), integer, low=0, high=draw.choice((classes - 1, 1)))
    counts = draw.array((batch,), integer, low=0, high=labels)
    steps = draw.array((batch,), integer, low=0, high=time)
    if draw.calm:  # as many steps as any target of that length needs: an infinite loss has no slope
        steps, counts = np.full_like(steps, time), np.minimum(counts, (time + 1) // 2)
    return [log_probs, target, counts, steps]


@strategy("ctc_loss")
def ctc_loss_calls(draw: Draw) -> Any:
    arrays = alignments(draw)
    return arrays, {"blank": draw.integer(0, arrays[0].shape[2] - 1)}


@strategy("ctc_loss_gradient")
def ctc_loss_gradient_calls(draw: Draw) -> Any:
    arrays = alignments(draw)
    dloss = draw.array((len(arrays[0]),), arrays[0].dtype.name, low=-2, high=2)
    return [dloss, *arrays], {"blank": draw.integer(0, arrays[0].shape[2] - 1)}


@strategy("ctc_greedy_decode")
def ctc_greedy_decode_calls(draw: Draw) -> Any:
    batch, time, classes = draw.extent(), draw.extent(), draw.extent(1)
    arrays = [draw.array((batch, time, classes), draw.floating()), draw.array((batch,), draw.index(), low=0, high=time)]
    return arrays, {"blank": draw.integer(0, classes - 1), "merge_repeated": draw.flag()}


@usage("ctc_loss")
def ctc_loss_usages(draw: Draw) -> Any:
    logits, target, labels, steps = alignments(draw)
    return (target, logits, labels, steps), {"mask_index": draw.integer(0, logits.shape[2] - 1)}


_target, _logits, _one = np.ones((2, 3), "int32"), np.zeros((2, 4, 5)), np.ones(2, "int32")
refuse("ctc_loss", _target, _logits[0], _one, _one, error=ShapeError, words="(batch, time, classes)")
refuse("ctc_loss", _target[0], _logits, _one, _one, error=ShapeError, words="target of shape (batch, labels)")
refuse("ctc_loss", _target[:1], _logits, _one, _one, error=ShapeError, words="target of shape (batch, labels)")
refuse(
    "ctc_loss", _target, _logits, _one[:1], _one, error=ShapeError, words="target_length of shape (batch,), here (2,)"
)
refuse(
    "ctc_loss", _target, _logits, _one, _target, error=ShapeError, words="output_length of shape (batch,), here (2,)"
)
refuse("ctc_loss", _target, _logits, _one, _one, mask_index=5, error=ArgumentError, words="one of the 5 classes, 0..4")
refuse("ctc_loss", _target + 4, _logits, _one, _one, error=DataError, words="must lie in 0..4")
refuse("ctc_loss", _target, _logits, _one + 3, _one, error=DataError, words="must lie in 0..3")
refuse("ctc_loss", _target, _logits, _one, _one - 2, error=DataError, words="must lie in 0..4")
refuse("ctc_decode", _logits[0], _one, error=ShapeError, words="(batch, time, classes)")
refuse("ctc_decode", _logits, _one + 4, error=DataError, words="must lie in 0..4")
refuse("ctc_decode", _logits, _one, "best", error=ArgumentError, words="'greedy' or 'beam_search'")
refuse("ctc_decode", _logits, _one, "beam_search", 2, 3, error=ArgumentError, words="1 <= top_paths <= beam_width")
