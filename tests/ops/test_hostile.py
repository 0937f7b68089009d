"""Hostile calls end in a result or in an error of refnet's, in a child process with limited memory."""

import os

from refnet.testing.hostile import attack, calls

DEEP = os.environ.get("REFNET_PROFILE") == "deep"


def test_no_call_brings_the_process_down():
    count = 100_000 if DEEP else 1000
    outcome = attack(count, deep=DEEP)
    assert outcome.failures == []
    assert outcome.results + outcome.errors == count
    # Neither may be rare, or the calls are too wild to reach the kernels, or too tame.
    assert outcome.results > count / 5 and outcome.errors > count / 5


def test_calls_follow_from_their_number():
    (_, seventh), *_ = calls(7, 1, seed=0, deep=False)
    *_, (_, again) = calls(5, 3, seed=0, deep=False)
    assert str(seventh) == str(again)
