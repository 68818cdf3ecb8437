"""What is told of an error: enough to find it, and no value that it quotes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DuplicateKeyError,
    NetworkTimeout,
    OperationFailure,
)
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError

from bus.commits import UnknownEvent
from bus.faults import LONGEST, told, traced
from bus.messages import Address, Busy, Refused
from bus.partitions import partition_of

CANARY = "Hunter-2-Canary-Road"


def caught(fails: Callable[[], Any]) -> Exception:
    try:
        fails()
    except Exception as error:
        return error
    raise AssertionError("it did not fail")


def chained() -> None:
    try:
        raise KeyError(CANARY)
    except KeyError:
        raise RuntimeError(CANARY) from ValueError(CANARY)


def grouped() -> None:
    raise ExceptionGroup(CANARY, [ValueError(CANARY), caught(chained)])


DUPLICATE = f'E11000 duplicate key error collection: shop.x index: y dup key: {{ y: "{CANARY}" }}'
FAILED = [{"index": 0, "code": 11000, "errmsg": DUPLICATE, "op": {"road": CANARY}}]

QUOTING: dict[str, Callable[[], Any]] = {
    "a key": lambda: dict[str, int]()[CANARY],
    "a number": lambda: int(CANARY),
    "a chain": chained,
    "a group": grouped,
    "a file": lambda: open(CANARY),  # noqa: PTH123, SIM115
    "bytes": f"{CANARY}\udc80".encode,
    "a model": lambda: Address.model_validate({"road": [CANARY], CANARY[:4]: 1}),
    "a refusal": lambda: _raise(Refused("too_late", f"{CANARY} is too late", road=CANARY)),
    "an insert": lambda: _raise(BulkWriteError({"writeErrors": FAILED})),
    "a duplicate": lambda: _raise(DuplicateKeyError(DUPLICATE, 11000, {"keyValue": {"y": CANARY}})),
    "an update": lambda: _raise(
        OperationFailure(f"Cannot create field 'x' in element {{road: \"{CANARY}\"}}", 28)
    ),
    "a command": lambda: _raise(ResponseError(f"unknown command, with args: '{CANARY}'")),
    "an answer": lambda: _raise(AutoReconnect(f"a:1: not primary, full error: {CANARY}")),
}


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("what", QUOTING)
def test_no_value_that_an_error_quotes_is_told(what: str) -> None:
    error = caught(QUOTING[what])
    assert CANARY in f"{error!r}{error}{getattr(error, 'details', '')}"
    for said in (told(error), traced(error)):
        assert CANARY not in said
        assert type(error).__name__ in said or isinstance(error, OperationFailure | AutoReconnect)


def test_a_traceback_has_the_lines_that_led_there_oldest_cause_first() -> None:
    first, second = traced(caught(chained)).split("which led to:")
    assert first.strip() == "Traceback (most recent call last):\nValueError: ValueError"
    assert "in chained\n    raise RuntimeError(CANARY)" in second
    everything = traced(caught(grouped))
    assert everything.index("ValueError") < everything.index("RuntimeError")
    assert everything.endswith("ExceptionGroup: ExceptionGroup")


def test_what_is_in_words_of_our_own_is_told() -> None:
    assert told(Busy("the tills log is closed")) == "the tills log is closed"
    assert told(UnknownEvent("x.Y is no event this release knows")).startswith("x.Y")
    assert told(Refused("too_late", "it is too late")) == "Refused: too_late"


def test_of_what_cannot_be_read_the_fields_are_named() -> None:
    with pytest.raises(ValidationError) as caught:
        Address.model_validate({"road": 1, "country": "xx"}, strict=True)
    assert told(caught.value).startswith(
        "ValidationError: Address: house_number missing, road string_type, district missing"
    )


def test_an_error_of_ours_is_told_with_its_place() -> None:
    line = told(caught(lambda: partition_of(None)))  # type: ignore[arg-type]
    assert re.fullmatch(r"\w+Error in bus/partitions.py:\d+", line)
    assert told(caught(lambda: int(CANARY))) == "ValueError", "it was in nobody's code here"


def test_what_is_told_of_an_insert_is_what_the_server_said_of_it() -> None:
    failed = {"writeErrors": [{"index": 0, "errmsg": "the disk is full"}]}
    unsure = {"writeErrors": [], "writeConcernErrors": [{"errmsg": "no majority in time"}]}
    assert told(BulkWriteError(failed)) == "the disk is full"
    assert told(BulkWriteError(unsure)) == "no majority in time"
    assert told(BulkWriteError({"writeErrors": FAILED})).endswith("index: y dup key")


def test_what_a_driver_adds_for_its_developers_is_left_out() -> None:
    assert told(AutoReconnect("a:1: closed (configured timeouts: 3 s)")) == "a:1: closed"
    assert told(NetworkTimeout("a:1: timed out, Timeout: 30s, Topology")) == "a:1: timed out"
    assert told(RedisAway("Error 111 connecting to a:1.")) == "Error 111 connecting to a:1."
    assert len(told(AutoReconnect("x" * 1000))) <= LONGEST + len(" ...")
    assert (
        told(OSError(28, "No space left on device", CANARY)) == "OSError: No space left on device"
    )
    assert told(AutoReconnect("")) == "AutoReconnect"
