"""Typos: the words that somebody may have meant."""

from __future__ import annotations

from collections.abc import Sequence

SHORTEST = 3
"""Letters of a word that can be mistyped: of a shorter one, anything may have been meant."""


def meant(word: str, vocabulary: Sequence[str]) -> list[str]:
    """The words that are one letter off: one too many or too few, a wrong one, or two swapped."""
    if len(word) < SHORTEST or not word.isalpha():  # one digit off is something else
        return []
    lengths = (len(word) - 1, len(word), len(word) + 1)
    return [each for each in vocabulary if len(each) in lengths and one_off(word, each)]


def one_off(one: str, other: str) -> bool:
    """Whether two different words are one letter apart."""
    if len(one) > len(other):
        one, other = other, one
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    rest, others = one[at:], other[at:]
    if len(one) < len(other):
        return rest == others[1:]
    return rest[1:] == others[1:] or (rest[2:] == others[2:] and rest[:2] == others[1::-1])
