"""`shop balances`, as it is typed."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from pymongo import MongoClient
from typer.testing import CliRunner

from bus.dispatch import Bus
from bus.messages import Invalid, Refused
from bus.platform import Platform
from bus.transport import InProcess
from payment.balance_admin import commands
from payment.builtin import BuiltinGateway
from payment.contract import AuthorizePayment, Means
from payment.module import register
from tests.payment.histories import euros

R = TypeVar("R")


@dataclass
class Running:
    """A shop on an event loop of its own."""

    platform: Platform
    loop: asyncio.Runner

    @property
    def bus(self) -> Bus:
        return self.platform.bus

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        return self.loop.run(work)


@pytest.fixture
def running(mongo: MongoClient[dict[str, Any]], prefix: str) -> Iterator[Running]:
    platform = Platform(mongo, None, prefix, InProcess())
    register(platform, BuiltinGateway(mongo[f"{prefix}_payment"], slow=0), currency="EUR")
    with asyncio.Runner() as loop:
        loop.run(platform.start(work=True))
        yield Running(platform, loop)
        loop.run(platform.stop())


Typed = Callable[..., str]


@pytest.fixture
def balances(running: Running) -> Typed:
    """What `shop balances` prints on stdout."""

    @contextmanager
    def shop() -> Iterator[Running]:
        yield running

    def typed(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(commands(shop), words)
        if isinstance(result.exception, Refused):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    return typed


def rows(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def in_euros(cents: int) -> dict[str, Any]:
    return {"amount": cents, "currency": "EUR"}


def test_credit_is_given_each_time_and_shown(balances: Typed) -> None:
    balances("credit", "b1", "10.50")
    given = balances("credit", "b1", "4.5", "--reason", "sorry", "--json")
    told = {"buyer_id": "b1", "held": in_euros(0)}
    told |= {"balance": in_euros(15_00), "available": in_euros(15_00)}
    assert rows(given) == rows(balances("show", "b1", "--json")) == [told]
    assert balances("show", "b1").split() == [
        *("buyer", "id", "b1", "balance", "15.00", "EUR"),
        *("held", "0.00", "EUR", "available", "15.00", "EUR"),
    ]


def test_under_one_key_credit_is_given_once(balances: Typed) -> None:
    words = ("credit", "b1", "10.50", "--key", "ticket 4711", "--json")
    assert rows(balances(*words)) == rows(balances(*words))
    for other in (("b1", "10.51"), ("b2", "10.50")):
        with pytest.raises(Invalid):
            balances("credit", *other, "--key", "ticket 4711")
    assert rows(balances("show", "b1", "--json"))[0]["balance"] == in_euros(10_50)
    assert rows(balances("show", "b2", "--json"))[0]["balance"] == in_euros(0)


def test_every_entry_is_told_oldest_first(balances: Typed, running: Running) -> None:
    balances("credit", "b1", "10.50", "--reason", "[sorry]")
    running.run(
        running.bus.send(
            AuthorizePayment(
                payment_id="p1",
                reference="o1",
                buyer_id="b1",
                attempt=1,
                amount=euros(4_00),
                means=Means(method="store_credit"),
            )
        )
    )
    head, *lines = balances("history", "b1").splitlines()
    assert head.split() == ["at", "what", "amount", "balance", "available", "for"]
    assert [line.split()[1:] for line in lines] == [
        ["granted", "10.50", "EUR", "10.50", "EUR", "10.50", "EUR", "[sorry]"],
        ["held", "4.00", "EUR", "10.50", "EUR", "6.50", "EUR", "p1:1"],
    ]
    entries = rows(balances("history", "b1", "--json"))
    assert [entry["version"] for entry in entries] == [1, 2]
    assert entries[1]["data"] == {"hold": "p1:1", "amount": in_euros(4_00)}


def test_all_are_listed_the_latest_to_get_some_first(balances: Typed) -> None:
    for buyer in ("b1", "b2", "b1", "b3"):
        balances("credit", buyer, "1")
    listed = rows(balances("list", "--json"))
    found = [(row["buyer_id"], row["balance"]["amount"]) for row in listed]
    assert found == [("b3", 1_00), ("b2", 1_00), ("b1", 2_00)]
    head, first = balances("list", "--limit", "1").splitlines()
    assert head.split() == ["buyer", "id", "balance", "held", "available"]
    assert first.split() == ["b3", "1.00", "EUR", "0.00", "EUR", "1.00", "EUR"]


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("0", "nothing_to_credit"),
        ("-1", "invalid_amount"),
        ("1.005", "invalid_amount"),
        ("1e3", "invalid_amount"),
        ("NaN", "invalid_amount"),
        ("10.50 USD", "invalid_amount"),
        ("90071992547409.92", "invalid_amount"),
        ("90071992547409.91", "balance_too_large"),
    ],
)
def test_what_is_no_credit_is_refused(balances: Typed, amount: str, code: str) -> None:
    balances("credit", "b1", "0.01")
    with pytest.raises(Refused) as refused:
        balances("credit", "b1", "--", amount)
    assert refused.value.code == code
    assert len(rows(balances("history", "b1", "--json"))) == 1


def test_an_empty_key_is_a_slip_of_the_hand(balances: Typed) -> None:
    balances("credit", "b1", "1", "--key", " ", code=2)
    assert balances("history", "b1", "--json") == ""
