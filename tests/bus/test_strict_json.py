"""What two readers of JSON could take for two things is refused, and its place is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.model import MAX_INTEGER
from bus.problems import MAX_ERRORS, MAX_NAME, Problem
from bus.strict_json import MAX_DEPTH, strictly

REFUSED = [
    (b'{"a": 1, "a": 1}', "a", "given_twice"),
    (b'{"a": [0, {"b": 1, "c": 2, "b": 3}]}', "a.1.b", "given_twice"),
    (b'{"a": 1, "\\u0061": 2}', "a", "given_twice"),
    (b'{"a": NaN}', "a", "not_finite"),
    (b"[1, -Infinity]", "1", "not_finite"),
    (b"Infinity", "", "not_finite"),
    (b'{"a": 1e400}', "a", "not_finite"),
    (b'{"a": -1E+309}', "a", "not_finite"),
    (b'{"a": %d}' % (MAX_INTEGER + 1), "a", "too_large"),
    (b'{"a": %d}' % (-MAX_INTEGER - 1), "a", "too_large"),
    (b"[" + b"9" * 100_000 + b"]", "0", "too_large"),
    (b'["a\\u0000b"]', "0", "no_text"),
    (b'{"a\\u0000": 1}', "a\0", "no_text"),
    (b'["\\ud83d"]', "0", "no_text"),
    (b'["\\uDE00\\uD83D"]', "0", "no_text"),
    (b'{"\\udfff": 1}', "\\udfff", "no_text"),
    (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), ".".join("0" * MAX_DEPTH), "too_deep"),
]


def refusal(body: bytes) -> Problem:
    with pytest.raises(Problem) as found:
        strictly(body)
    return found.value


@pytest.mark.parametrize(("body", "field", "code"), REFUSED)
def test_what_is_not_the_same_for_every_reader_is_refused_by_its_place(
    body: bytes, field: str, code: str
) -> None:
    found = refusal(body)
    assert (found.status, found.code) == (422, "invalid")
    (error,) = found.errors
    assert (error["field"], error["code"]) == (field, code)
    assert error["message"]
    assert found.response("0" * 32).status_code == 422


TAKEN: list[Any] = [
    {"a": MAX_INTEGER, "b": -MAX_INTEGER, "c": 1e300, "d": 1e-400, "e": 12345678901234567.5},
    {"a": "😀 4111111111111111 NaN Infinity 1e400 \\u0000 \\ud800"},
    [{"a": 1, "b": {"a": 1}}, {"a": 1}] * 100,
    None,
    "",
]


@pytest.mark.parametrize("value", TAKEN)
def test_what_only_looks_doubtful_is_taken(value: Any) -> None:
    assert strictly(json.dumps(value).encode()) == value
    assert strictly(json.dumps(value, ensure_ascii=False).encode()) == value


def test_an_integer_may_be_written_as_any_number_is() -> None:
    found = strictly(b'[2.0, 1e2, -0.0, 2.5, 1E300, 9007199254740991.0, "2.0"]')
    assert [type(each) for each in found] == [int, int, int, float, float, int, str]
    assert found == [2, 100, 0, 2.5, 1e300, MAX_INTEGER, "2.0"]
    doubtful = strictly(b'{"a": 2.0, "b": "1234567890123456"}')
    assert type(doubtful["a"]) is int


def test_as_deep_as_may_be_is_taken() -> None:
    strictly(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    strictly(b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH)


@pytest.mark.parametrize("body", [b"", b"{", b"[1,]", b"\xff", b"[" * 500_000, b'{"a":1}{', b"0x1"])
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    found = refusal(body)
    assert (found.status, found.code) == (400, "malformed")
    assert "JSON" in found.detail


def test_a_thousand_faults_are_answered_with_a_few_short_names() -> None:
    errors = refusal(b'{"%s": [%s]}' % (b"x" * 10_000, b",".join([b"NaN"] * 1_000))).errors
    assert len(errors) == MAX_ERRORS
    assert {len(error["field"]) for error in errors} == {MAX_NAME}


values = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner
    ),
)  # fmt: skip


@given(values)
def test_json_that_is_the_same_for_every_reader_is_read_as_it_is(value: Any) -> None:
    assert strictly(json.dumps(value).encode()) == value


@given(values)
def test_a_field_that_is_there_twice_is_always_found(value: Any) -> None:
    inner = json.dumps(value)
    found = refusal(b'{"a": [{"x": %s, "y": 1, "x": 2}]}' % inner.encode())
    assert "a.0.x" in [error["field"] for error in found.errors]
