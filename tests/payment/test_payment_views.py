"""What the shop's people see of the payments, by query and by command line."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

import pytest
from pymongo import MongoClient
from typer.testing import CliRunner

from bus.console import Running
from bus.dispatch import Bus
from bus.messages import NotFound
from bus.platform import Platform
from bus.transport import InProcess
from payment.admin import commands
from payment.builtin import BuiltinGateway
from payment.commands import GetPayment, ListPayments, PaymentDocument
from payment.contract import PaymentAuthorized, PaymentDeclined
from payment.module import register
from payment.views import Shown, shown
from tests.payment.histories import (
    CANCELLING,
    CAPTURED,
    REFUNDED,
    VOIDED,
    authorized,
    declined,
    needs_action,
    requested,
)
from tests.payment.shop import PRICE, Open, Shop
from tests.waiting import eventually

R = TypeVar("R")


@pytest.mark.parametrize(
    ("history", "status", "attempts"),
    [
        ([requested()], "requested", 1),
        ([requested(), declined()], "declined", 1),
        ([requested(), needs_action()], "action_required", 1),
        ([requested(), declined(), requested(2), authorized(2)], "authorized", 2),
        ([requested(), requested(2), authorized(1), declined(2)], "authorized", 2),
        ([requested(), requested(2), declined(1)], "requested", 2),
        ([requested(), authorized(), CAPTURED], "captured", 1),
        ([requested(), CANCELLING, declined()], "cancelling", 1),
        ([requested(), CANCELLING, VOIDED], "voided", 1),
        ([requested(), authorized(), CAPTURED, CANCELLING, REFUNDED], "refunded", 1),
        ([VOIDED], "voided", 0),
    ],
)
def test_a_document_shows_how_the_payment_stands(
    history: list[Shown], status: str, attempts: int
) -> None:
    doc: PaymentDocument | None = reduce(shown, history, None)
    assert doc is not None
    assert (doc.status, doc.attempts) == (status, attempts)


async def listed(shop: Shop) -> Any:
    """Whether the view has caught up with `two_payments`."""
    found = await shop.bus.ask(ListPayments())
    return [each.status for each in found] == ["declined", "authorized"]


async def two_payments(shop: Shop) -> None:
    await shop.pay("p1")
    await shop.happens("p1", PaymentAuthorized)
    await shop.pay("p2", "pm_card_chargeDeclined")
    await shop.happens("p2", PaymentDeclined)
    assert await eventually(lambda: listed(shop))


@pytest.mark.anyio
async def test_payments_can_be_listed_and_shown(opened: Open) -> None:
    async with opened() as shop:
        await two_payments(shop)
        (refused,) = await shop.bus.ask(ListPayments(status="declined"))
        assert (refused.payment_id, refused.reason) == ("p2", "card_declined")
        found = await shop.bus.ask(GetPayment(payment_id="p1"))
        assert (found.reference, found.amount, found.attempts) == ("order-p1", PRICE, 1)
        with pytest.raises(NotFound, match="no payment p3"):
            await shop.bus.ask(GetPayment(payment_id="p3"))


@dataclass
class AtWork:
    """What a command of the CLI runs on."""

    platform: Platform
    runner: asyncio.Runner

    @property
    def bus(self) -> Bus:
        return self.platform.bus

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        return self.runner.run(work)


def test_the_command_line_lists_and_shows(mongo: MongoClient[dict[str, Any]], prefix: str) -> None:
    database = mongo[f"{prefix}_payment"]
    platform = Platform(mongo, None, prefix, InProcess())
    register(platform, BuiltinGateway(database))
    with asyncio.Runner() as runner:
        runner.run(platform.start(work=True))
        runner.run(two_payments(Shop(platform, database)))

        @contextmanager
        def shop() -> Iterator[Running]:
            yield AtWork(platform, runner)

        def run(*words: str) -> str:
            done = CliRunner().invoke(commands(shop), words, catch_exceptions=False)
            assert done.exit_code == 0
            return done.stdout

        table = run("list")
        assert "10.50 EUR" in table
        assert table.index("p2") < table.index("p1")
        assert json.loads(run("list", "--status", "declined", "--json"))["payment_id"] == "p2"
        assert json.loads(run("show", "p1", "--json"))["amount"] == PRICE.model_dump()
        assert "authorized" in run("show", "p1")
        wrong = CliRunner().invoke(commands(shop), ["list", "--status", "stolen"])
        assert wrong.exit_code == 2
        runner.run(platform.stop())
