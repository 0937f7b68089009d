"""Comparisons that rounding decides: where the intervals of two computed values overlap, either answer is correct."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MOST = 64  # whole parts of one computed value that are tried


class Undecided(Exception):
    """Rounding decides so much of a computation that what a correct engine may answer is not worked out."""


class Choices:
    """The answers to the undecided comparisons of one run: the given ones first, then what the exact values say."""

    def __init__(self, given: tuple[bool, ...]):
        self.given, self.made = given, []  # type: tuple[bool, ...], list[bool]

    def next(self, default: bool) -> bool:
        place = len(self.made)
        self.made.append(self.given[place] if place < len(self.given) else default)
        return self.made[-1]


_choices: list[Choices] = []


@contextmanager
def answering(choices: Choices) -> Iterator[Choices]:
    """Inside, undecided comparisons are answered by `choices`."""
    _choices.append(choices)
    try:
        yield choices
    finally:
        _choices.pop()


def every_choice(run: Callable[[], Any], limit: int = 512) -> Iterator[Any]:
    """The results of `run` under every combination of answers to the comparisons that rounding decides.

    The first follows the exact values. Raises Undecided if there are more than `limit` combinations.
    """
    paths: list[tuple[bool, ...]] = [()]
    done = 0
    while paths:
        given = paths.pop()
        with answering(Choices(given)) as choices:
            result = run()
        yield result
        done += 1
        if done + len(paths) > limit:
            raise Undecided(
                f"there are more than {limit} ways in which rounding may decide comparisons and whole parts"
            )
        for place in range(len(given), len(choices.made)):
            paths.append((*choices.made[:place], not choices.made[place]))


def any_of(first: int, last: int, likely: int) -> int:
    """Each whole number in first..last is correct: the likely one, or another where `every_choice` asks for it."""
    if last - first > MOST:
        raise Undecided(f"a computed value has a whole part anywhere in {first}..{last}")
    numbers = [likely, *(n for n in range(first, last + 1) if n != likely)]
    for number in numbers[:-1]:
        if decide(True):
            return number
    return numbers[-1]


def decide(default: bool) -> bool:
    if not _choices:
        raise RuntimeError("two computed values are compared, and rounding decides: run inside every_choice")
    return _choices[-1].next(default)
