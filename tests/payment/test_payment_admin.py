"""`shop payments`: what its people see of the money, and what they can do about it."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from typer.testing import CliRunner, Result

from bus.console import Running
from bus.dispatch import Bus
from bus.messages import Money
from bus.platform import Platform
from bus.transport import InProcess
from payment import answers
from payment.admin import commands
from payment.builtin import BuiltinGateway
from payment.calls import CallFailed
from payment.calls import OutcomeUnknown as NobodyKnows
from payment.contract import PaymentAuthorized, PaymentDeclined
from payment.gateway import Declined, Operation, Outcome, OutcomeUnknown
from payment.module import register
from tests.payment.shop import PRICE, Shop

R = TypeVar("R")


class Silent(BuiltinGateway):
    """The built-in gateway, which does not say what became of captures, and declines voids."""

    async def capture(self, key: str, authorization: str, amount: Money) -> Outcome:
        await super().capture(key, authorization, amount)
        raise OutcomeUnknown(key)

    async def void(self, key: str, authorization: str) -> Outcome:
        return Declined(reason="not_now")

    async def look_up(
        self, operation: Operation, key: str, authorization: str | None
    ) -> Outcome | None:
        return None


@dataclass
class AtWork:
    """What a command of the CLI runs on."""

    platform: Platform
    runner: asyncio.Runner
    database: Database[dict[str, Any]]

    @property
    def bus(self) -> Bus:
        return self.platform.bus

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        return self.runner.run(work)

    def type(self, *words: str) -> Result:
        """Run `shop payments` with these words."""

        @contextmanager
        def shop() -> Iterator[Running]:
            yield self

        return CliRunner().invoke(commands(shop), words)

    def json(self, *words: str) -> Any:
        """What a command prints for programs, which must succeed."""
        done = self.type(*words, "--json")
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.stdout.splitlines()]

    def one(self, *words: str) -> Any:
        (found,) = self.json(*words)
        return found


@pytest.fixture
def shop(
    mongo: MongoClient[dict[str, Any]], prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AtWork]:
    """`paid`, `declined`, `lost`, whose capture nobody knows of, and `stuck`, which the gateway
    would not let go."""
    monkeypatch.setattr(answers, "PAUSES", (timedelta(hours=1),))
    database = mongo[f"{prefix}_payment"]
    platform = Platform(mongo, None, prefix, InProcess())
    register(platform, Silent(database), currency="EUR")

    async def happen() -> None:
        alone = Shop(platform, database)
        for payment_id in ("paid", "lost", "stuck"):
            await alone.pay(payment_id)
            await alone.happens(payment_id, PaymentAuthorized)
        await alone.pay("declined", "pm_card_chargeDeclined")
        await alone.happens("declined", PaymentDeclined)
        await alone.capture("lost")
        await alone.happens("lost", NobodyKnows)
        await alone.cancel("stuck")
        await alone.happens("stuck", CallFailed)

    with asyncio.Runner() as runner:
        runner.run(platform.start(work=True))
        runner.run(happen())
        yield AtWork(platform, runner, database)
        runner.run(platform.stop())


def test_payments_are_listed_by_how_they_stand_and_shown_with_their_calls(shop: AtWork) -> None:
    table = shop.type("list").stdout
    assert table.index("declined") < table.index("stuck") < table.index("paid")
    assert "10.50 EUR" in table
    assert shop.one("list", "--status", "authorized", "--limit", "1")["payment_id"] == "lost"
    assert [each["payment_id"] for each in shop.json("list", "--unknown")] == ["lost"]
    assert [each["payment_id"] for each in shop.json("list", "--failed")] == ["stuck"]
    assert shop.type("list", "--unknown", "--failed").exit_code == 2
    assert shop.type("list", "--status", "stolen").exit_code == 2

    page = shop.type("show", "lost").stdout
    (line,) = [line for line in page.splitlines() if line.startswith("lost:capture:1")]
    assert line.split() == ["lost:capture:1", "capture", "1", "10.50", "EUR", "unknown", "1"]
    found = shop.one("show", "stuck")
    assert found["amount"] == PRICE.model_dump()
    assert [each["status"] for each in found["calls"]] == ["succeeded", "failed"]
    assert found["calls"][1]["reason"] == "not_now"


def test_what_nobody_knows_is_asked_again_or_settled_by_a_person(shop: AtWork) -> None:
    assert shop.one("retry", "lost", "--key", "lost:capture:1")["calls"][1]["tries"] == 2
    found = shop.one("settle", "lost", "lost:capture:1", "approved", "--reason", "I saw it")
    assert (found["status"], found["captured"]) == ("captured", PRICE.model_dump())
    assert shop.one("show", "lost")["trouble"] == []
    twice = shop.type("settle", "lost", "lost:capture:1", "declined", "--reason", "or not")
    assert twice.exit_code == 1
    assert twice.stderr == (
        "shop: lost:capture:1 was answered already: it succeeded; see `shop payments show`\n"
    )
    assert shop.one("show", "lost")["status"] == "captured"


def test_what_failed_is_settled_only_as_done_after_all(shop: AtWork) -> None:
    words = ("settle", "stuck", "stuck:void:1")
    assert shop.type(*words, "declined", "--reason", "as it says").exit_code == 1
    assert shop.one(*words, "approved", "--reason", "let go by hand")["status"] == "voided"
    declined = ("settle", "declined", "declined:authorize:1", "approved", "--reason", "he paid")
    assert shop.type(*declined).exit_code == 1
    stranger = shop.type("settle", "paid", "paid:void:1", "approved", "--reason", "x")
    assert "paid has no call paid:void:1: it has paid:authorize:1" in stranger.stderr


def test_the_books_are_compared_in_a_line_a_difference(shop: AtWork) -> None:
    found = shop.type("reconcile")
    assert found.exit_code == 1
    (line,) = found.stdout.splitlines()
    assert line == (
        "lost (order-lost)  gateway: 10.50 EUR captured of lost:authorize:1, captured;"
        "  events: 10.50 EUR held of lost:authorize:1, authorized;  do: shop payments retry lost"
    )
    assert found.stderr == "4 payments compared, 1 difference\n"
    shop.one("settle", "lost", "lost:capture:1", "approved", "--reason", "I saw it")
    agreed = shop.type("reconcile", "--since", "1h", "--json")
    assert (agreed.exit_code, agreed.stdout) == (0, "")
    assert agreed.stderr == "4 payments compared, 0 differences\n"
    assert shop.type("reconcile", "--since", "yesterday").exit_code == 2
