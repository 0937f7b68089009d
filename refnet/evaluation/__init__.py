"""How good a model is: protocols, common-sense baselines, and checks of what makes a result too good.

    scores = evaluation.k_fold(build_model, x, y, k=4, epochs=100, batch_size=1, prepare=evaluation.standardized)
    print(scores)

Source: Chollet, chapter 4.
"""

from refnet.evaluation.baselines import best_constant, last_value, majority_class, random_labels
from refnet.evaluation.checks import (
    EvaluationWarning,
    check_repeats,
    check_split,
    check_statistics,
    check_times,
    rows_in_both,
)
from refnet.evaluation.protocols import Scores, hold_out, iterated_k_fold, k_fold
from refnet.evaluation.splits import fold_indices, hold_out_indices, standardized

__all__ = [
    "EvaluationWarning",
    "Scores",
    "best_constant",
    "check_repeats",
    "check_split",
    "check_statistics",
    "check_times",
    "fold_indices",
    "hold_out",
    "hold_out_indices",
    "iterated_k_fold",
    "k_fold",
    "last_value",
    "majority_class",
    "random_labels",
    "rows_in_both",
    "standardized",
]
