"""Times that somebody may mean, as they are checked and as their schema has it."""

from __future__ import annotations

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from bus.moments import Moment

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
