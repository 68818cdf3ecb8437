"""Times that somebody may mean, and words that say something, as they are checked and as their
schema has it."""

from __future__ import annotations

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from bus.messages import Moment, Text

TEXTS = TypeAdapter(Text)
MOMENTS = TypeAdapter(Moment)


@pytest.mark.parametrize(
    ("year", "meant"),
    [
        ("0895", False), ("1999", False), ("2000", True), ("2026", True), ("8999", True),
        ("9000", True), ("9899", True), ("9989", True), ("9998", True), ("9999", False),
    ],
)  # fmt: skip
def test_the_schema_and_the_check_know_the_same_years(year: str, meant: bool) -> None:
    moment = f"{year}-12-31T23:59:59+02:00"
    assert bool(re.search(MOMENTS.json_schema()["pattern"], moment)) == meant
    if meant:
        assert MOMENTS.validate_json(f'"{moment}"').isoformat() == f"{year}-12-31T21:59:59+00:00"
    else:
        with pytest.raises(ValidationError, match="between the years"):
            MOMENTS.validate_json(f'"{moment}"')


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u0085", "\u3000", "a", " a ", "a b", "é"])
def test_the_schema_and_the_check_know_the_same_words(text: str) -> None:
    fits = bool(re.search(TEXTS.json_schema()["pattern"], text))
    try:
        assert TEXTS.validate_python(text) == text.strip(" \t\n")
        assert fits
    except ValidationError:
        assert not fits


def test_a_word_with_nul_is_none() -> None:
    assert not re.search(TEXTS.json_schema()["pattern"], "a\0b")
