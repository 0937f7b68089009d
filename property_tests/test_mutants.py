"""The kit rejects every mutant, by the law that is meant to catch it; and accepts what is not broken."""

import pytest

from refnet.testing.mutants import MUTANTS, Mutant, broken, rejection
from refnet.testing.strategies import load

load()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_mutant_is_rejected(mutant):
    words = rejection(mutant)
    assert words is not None, f"{mutant.old!r} -> {mutant.new!r} in {mutant.module} survives the law {mutant.law!r}"
    assert mutant.op in words


def test_there_are_enough():
    assert len({m.name for m in MUTANTS}) == len(MUTANTS) >= 90


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_the_same_text_unbroken_is_accepted(mutant):
    """The law catches the broken line, not the machinery around it."""
    sound = mutant._replace(new=mutant.old, calls=tuple)
    assert rejection(sound, examples=5) is None


def test_a_mutant_that_lost_its_line_says_so():
    with pytest.raises(LookupError, match="bring it up to date"):
        broken(Mutant("gone", "ops.contraction", "matmul", "no such line", ""))
