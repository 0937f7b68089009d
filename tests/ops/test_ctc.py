"""Connectionist temporal classification, counted by hand."""

import itertools

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import ArgumentError
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing.closeness import ELEMENTARY, close


def spelled(alignment, blank):
    """Equal neighbours merged, then blanks removed."""
    return tuple(k for k, _ in itertools.groupby(alignment) if k != blank)


def by_enumeration(logits, target, blank):
    """The loss of one sample: every alignment there is."""
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    steps, classes = p.shape
    total = 0.0
    for alignment in itertools.product(range(classes), repeat=steps):
        if spelled(alignment, blank) == tuple(target):
            total += np.prod([p[t, k] for t, k in enumerate(alignment)])
    return -np.log(total) if total else np.inf


@pytest.mark.parametrize("blank", [0, 2])
def test_every_alignment_is_counted_once(blank):
    rng = np.random.default_rng(blank)
    labels = [k for k in range(3) if k != blank]
    for steps in range(5):
        logits = rng.standard_normal((1, 4, 3))
        for count in range(4):
            for target in itertools.product(labels, repeat=count):
                padded = np.array([[*target, *[7] * (3 - count)]])  # what lies beyond the length is not read
                loss = ops.ctc_loss(padded, logits, [count], [steps], blank)
                close(
                    loss[0],
                    by_enumeration(logits[0, :steps], target, blank),
                    81 + 8 * ELEMENTARY,
                    1 + abs(logits).sum(),
                )


def test_equal_labels_need_a_blank_between():
    """Three steps of two classes: only `a - a` spells `a a`; two steps cannot."""
    logits = np.zeros((2, 3, 2))
    loss = ops.ctc_loss([[1, 1], [1, 1]], logits, [2, 2], [3, 2])
    close(loss[0], 3 * np.log(2), 4 * ELEMENTARY)
    assert loss[1] == np.inf


def test_logits_far_apart_neither_overflow_nor_vanish():
    logits = np.array([[[0.0, 1000.0], [1000.0, 0.0], [0.0, 1000.0]]], "float32")
    assert ops.ctc_loss([[1, 1]], logits, [2], [3])[0] == 0
    # `a` alone: a a a, a - - and - - a, one step against the logits in each
    close(ops.ctc_loss([[1]], logits, [1], [3])[0], 1000 - np.log(3), 2)


def gradient_of(target, logits, target_length, output_length):
    x = Tensor(logits.shape, "float64")
    (dx,) = ops.gradients(ops.ctc_loss(target, x, target_length, output_length), x)
    return reference.prepare(Program([x], [dx])).run([logits])[0]


def test_the_gradient_is_what_the_model_says_less_what_the_alignments_say():
    """Two steps, target `a`: of `- a`, `a -` and `a a`, each equally likely, two thirds are at `a` at either step."""
    d = gradient_of([[1]], np.zeros((1, 2, 2)), [1], [2])
    close(d, [[[1 / 2 - 1 / 3, 1 / 2 - 2 / 3]] * 2], 4 * ELEMENTARY, 1)


def test_no_gradient_where_no_alignment_fits_nor_beyond_the_last_step():
    d = gradient_of([[1, 1], [1, 0]], np.zeros((2, 3, 2)), [2, 1], [2, 2])
    assert (d[0] == 0).all() and (d[1, 2] == 0).all() and (d[1, :2] != 0).all()


def test_there_is_no_second_derivative():
    x = Tensor((1, 2, 2))
    (dx,) = ops.gradients(ops.ctc_loss([[1]], x, [1], [2]), x)
    with pytest.raises(ArgumentError, match="ctc_loss has no second derivative"):
        ops.gradients(dx, x)


def logits_of(*best, classes=3):
    return 2.0 * np.eye(classes)[[best]]


def test_greedy_merges_then_drops_blanks():
    labels, scores = ops.ctc_decode(logits_of(1, 1, 0, 1, 2, 2), [6])
    np.testing.assert_array_equal(labels, [[[1, 1, 2, -1, -1, -1]]])
    np.testing.assert_array_equal(scores, [[-12]])
    unmerged, _ = ops.ctc_decode(logits_of(1, 1, 0, 1, 2, 2), [5], merge_repeated=False)
    np.testing.assert_array_equal(unmerged, [[[1, 1, 1, 2, -1, -1]]])
    last, _ = ops.ctc_decode(logits_of(1, 1, 0, 1, 2, 2), [6], mask_index=None)
    np.testing.assert_array_equal(last, [[[1, 0, 1, -1, -1, -1]]])


def test_beam_search_adds_alignments_up_where_greedy_cannot():
    """`- -` is the likeliest alignment (0.36), but `a` has three alignments that together weigh 0.64."""
    logits = np.log([[[0.6, 0.4], [0.6, 0.4]]])
    greedy, _ = ops.ctc_decode(logits, [2])
    np.testing.assert_array_equal(greedy, [[[-1, -1]]])
    labels, scores = ops.ctc_decode(logits, [2], "beam_search", top_paths=3, beam_width=5)
    np.testing.assert_array_equal(labels, [[[1, -1]], [[-1, -1]], [[-1, -1]]])
    close(np.exp(scores), [[0.64, 0.36, 0]], 4 * ELEMENTARY, 1)


def test_beam_search_knows_every_labelling():
    """With a beam wide enough the scores are the losses of the labellings, the best first."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((1, 4, 3))
    labels, scores = ops.ctc_decode(logits, [4], "beam_search", top_paths=15, beam_width=100)
    assert (np.diff(scores[0]) <= 0).all()
    for path, score in zip(labels[:, 0], scores[0]):
        close(-score, by_enumeration(logits[0], path[path >= 0], 0), 81 + 8 * ELEMENTARY, 1 + abs(logits).sum())


def test_beam_search_is_for_arrays():
    with pytest.raises(ArgumentError, match="on arrays only"):
        ops.ctc_decode(Tensor((1, 2, 3)), np.array([2]), "beam_search")
    assert ops.ctc_decode(Tensor((None, 2, 3)), Tensor((None,), "int32"))[0].shape == (1, None, 2)
