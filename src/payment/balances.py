"""Store credit as it is given and asked about; paying with it is in `credit`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bus.commits import Commit
from bus.context import Context
from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Done, Money
from bus.views import Documents, View
from payment.balance import BALANCE_EVENTS, CreditGranted, Ledger, evolve, grant
from payment.balance_commands import CreditBuyer, Entry, GetLedger, ListBalances
from payment.contract import Balance, GetBalance
from payment.handlers import balances

BALANCES = View(
    name="balances",
    version=1,
    shape=Ledger,
    ids=dict.fromkeys(BALANCE_EVENTS, lambda event: str(event.buyer_id)),
    evolve=evolve,
    indexes=[[("first", -1)]],
)


def shown(ledger: Ledger) -> Balance:
    """A ledger's sums."""
    return Balance(
        buyer_id=ledger.buyer_id,
        balance=ledger.balance,
        held=ledger.held,
        available=ledger.available,
    )


def lines(history: list[Commit], stream: str) -> Iterator[Entry]:
    """The entries of a buyer's ledger, as it stands in the log."""
    ledger: Ledger | None = None
    for commit in history:
        for happened in commit.events:
            if happened.stream == stream:
                event: Any = happened.event
                ledger = evolve(ledger, event)
                yield Entry(
                    position=commit.position,
                    version=happened.version,
                    type=event.type_name,
                    at=commit.at,
                    data=event.model_dump(mode="json", exclude={"buyer_id"}),
                    balance=ledger.balance,
                    available=ledger.available,
                )


class Balances:
    """The commands and questions about store credit; `currency` is the shop's."""

    def __init__(self, home: Context, lists: Documents[Ledger], currency: str) -> None:
        self._home = home
        self._lists = lists
        self._currency = currency

    async def credit(self, asked: CreditBuyer, envelope: Envelope[Any]) -> Done[Balance]:
        """Give credit, and tell how the balance stands then."""
        granted = CreditGranted(buyer_id=asked.buyer_id, amount=asked.amount, reason=asked.reason)
        decided = await self._home.streams.decide(
            balances(asked.buyer_id),
            lambda ledger: grant(ledger, granted, self._currency),
            envelope,
        )
        return Done(
            answer=self._told(asked.buyer_id, decided.state),
            position=decided.commit.position if decided.commit else 0,
            repeated=decided.repeated,
        )

    async def get(self, asked: GetBalance, _: Envelope[Any]) -> Balance:
        """From the buyer's own stream, so that every replica tells the latest."""
        found = await self._home.streams.newest(balances(asked.buyer_id))
        return self._told(asked.buyer_id, found.state)

    async def list(self, asked: ListBalances, _: Envelope[Any]) -> tuple[Balance, ...]:
        """From the view."""
        await self._home.await_view(self._lists, asked.min_position)
        return tuple(shown(each.doc) for each in await self._lists.find({}, limit=asked.limit))

    async def ledger(self, asked: GetLedger, _: Envelope[Any]) -> tuple[Entry, ...]:
        """From the log."""
        stream = balances(asked.buyer_id).name
        return tuple(lines(await self._home.log.history(stream), stream))

    def _told(self, buyer_id: str, ledger: Ledger | None) -> Balance:
        nothing = Money(amount=0, currency=self._currency)
        return shown(ledger or Ledger(buyer_id, nothing, nothing))


def register_balances(bus: Bus, home: Context, currency: str) -> None:
    """Put store credit to work on payment's own ground; it is in one currency (ISO 4217)."""
    does = Balances(home, home.view(BALANCES), currency)
    bus.handle(CreditBuyer, does.credit)
    bus.handle(GetBalance, does.get)
    bus.handle(ListBalances, does.list)
    bus.handle(GetLedger, does.ledger)
