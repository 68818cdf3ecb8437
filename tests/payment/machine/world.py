"""Ordering, payment and delivery as they are wired together, over a log in memory; what is between
them lies about, and may come in any order, twice, or late."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import delivery.module
import ordering.module
import payment.module
from bus import messages
from bus.commits import Commit
from bus.envelope import Envelope, envelope_of, sealed
from bus.messages import Busy, Money, Refused
from bus.policies import Later
from bus.signing import Signer
from bus.streams import Kind
from catalog.contract import (
    AllocateStock,
    AllocationFailed,
    GetOffers,
    Offer,
    Offers,
    ReleaseStock,
    ReserveStock,
    RestockStock,
    ShipStock,
    StockReserved,
)
from delivery.contract import DeliveryQuote, QuoteDelivery
from ordering.order import Order
from payment.balance import Ledger
from payment.gateway import OutcomeUnknown
from payment.payment import Payment
from tests.payment.machine.bank import Bank, Fate
from tests.payment.machine.log import Bus, Home, Log, finished

START = datetime(2026, 11, 23, 12, tzinfo=UTC)

SHELF: Kind[int] = Kind("shelf", lambda _, event: 1)

PRICE = Money(amount=10_50, currency="EUR")
WAY = DeliveryQuote(
    cost=Money(amount=50_00, currency="EUR"),
    warehouse_id="vaduz",
    distance_m=1,
    duration_s=1,
    slots=(),
)


@dataclass(eq=False)
class Work:
    """An event that some reader has to deal with. It is done when all that follows has arrived."""

    reader: str
    envelope: Envelope[Any]
    under_way: list[Envelope[Any]] | None = None
    """The commands that follow; `None` until somebody has looked."""


@dataclass(eq=False)
class Timer:
    """What is due at a time."""

    due: datetime
    command: Any


class World:
    """A shop, its gateway, and the messages between them."""

    def __init__(self) -> None:
        self.clock = START
        self.log = Log(lambda: self.clock, self._heard)
        self.bank = Bank(lambda: self.clock)
        self.bus = Bus()
        self.bag: list[Work] = []
        self.timers: dict[str, Timer] = {}
        self.scarce = False
        """Whether what has been reserved cannot be had after all."""
        self.bad_day: tuple[Fate, ...] = ()
        """What becomes of the calls that are made for one intent."""
        self._stack = ExitStack()
        self._stop_the_clocks()
        ground: Any = SimpleNamespace(bus=self.bus, context=lambda *_, **__: Home(self.log))
        bank: Any = self.bank  # its books are read from outside
        payment.module.register(ground, bank, currency="EUR")
        delivery.module.register(ground)
        half_an_hour = timedelta(minutes=30)
        ordering.module.register(
            ground,
            signer=Signer(lambda: [b"key"]),
            quote_validity=half_an_hour,
            expiry=half_an_hour,
            reservation_ttl=half_an_hour,
        )
        self._open_the_storeroom()

    def close(self) -> None:
        """Let the clocks go on."""
        self._stack.close()

    def do(self, message: Any, id: str | None = None) -> Any:
        """Have something done for somebody outside; `None` when it is refused."""
        try:
            return finished(self.bus.deliver(sealed(message, id=id)))
        except (Refused, Busy):
            return None

    def steps(self) -> list[tuple[Work, int]]:
        """All that may happen next to what lies about."""
        return [
            (work, number)
            for work in self.bag
            for number in range(1 if work.under_way is None else len(work.under_way))
        ]

    def step(self, work: Work, number: int = 0, *, again: bool = False) -> bool:
        """Look at an event, or have one of the commands arrive that follow from it; whether that
        got anywhere. What is to come `again` is dealt with once more as if it had not been."""
        try:
            if work.under_way is None:
                work.under_way = self._follows(work)
            else:
                finished(self.bus.deliver(work.under_way[number]))
                del work.under_way[number]
        except (Refused, Busy, OutcomeUnknown):
            return False  # the reader tries again
        if not work.under_way:
            work.under_way = None
            if not again:
                self.bag.remove(work)
        return True

    def crash(self) -> None:
        """Whatever is under way is lost; what was committed will be read again."""
        for work in self.bag:
            work.under_way = None

    def wait(self, time: timedelta) -> None:
        """Time goes by, and what is due is done, if it can be."""
        self.clock += time
        for key, timer in list(self.timers.items()):
            if timer.due <= self.clock and self.timers.get(key) is timer:
                self._ring(key, timer)

    def order(self, id: str) -> Order:
        """An order as it stands."""
        found: Any = self.log.states[f"order-{id}"].state
        assert isinstance(found, Order)
        return found

    def orders(self) -> Iterator[tuple[Order, Payment | None]]:
        """All orders, each with its payment."""
        for name, found in list(self.log.states.items()):
            if name.startswith("order-") and found.state is not None:
                yield found.state, self.log.states[f"payment-{found.state.payment_id}"].state

    def ledgers(self) -> Iterator[Ledger]:
        """The store credit of all buyers."""
        for name, found in list(self.log.states.items()):
            if name.startswith("balance-") and found.state is not None:
                yield found.state

    def _heard(self, commit: Commit) -> None:
        for index, happened in enumerate(commit.events):
            kind, envelope = happened.kind, envelope_of(commit, index, happened.event)
            readers = (self.bus.policies, self.bus.effects)
            self.bag += [Work(each[kind][0], envelope) for each in readers if kind in each]
            if kind in self.bus.schedules:
                match self.bus.schedules[kind](happened.event):
                    case Later(key=key, due=due, command=command):
                        self.timers[key] = Timer(due, command)
                    case called_off:
                        self.timers.pop(called_off.key, None)

    def _follows(self, work: Work) -> list[Envelope[Any]]:
        event, envelope = work.envelope.message, work.envelope
        reader, policy = self.bus.policies.get(type(event), ("", None))
        if reader == work.reader and policy is not None:
            return [
                envelope.leads_to(command, reader, index)
                for index, command in enumerate(policy(event))
            ]
        self.bus.caught = []
        self.bank.fates.extend(self.bad_day)
        try:
            finished(self.bus.effects[type(event)][1](event, envelope))
            return self.bus.caught
        finally:
            self.bus.caught = None
            self.bank.fates.clear()

    def _ring(self, key: str, timer: Timer) -> None:
        try:
            finished(self.bus.deliver(sealed(timer.command)))
        except (Refused, Busy):
            return  # it will ring again
        if self.timers.get(key) is timer:
            del self.timers[key]

    def _open_the_storeroom(self) -> None:
        async def offers(asked: GetOffers, _: Any) -> Offers:
            offers = (
                Offer(sku=it.sku, product_id=it.sku, product_name=it.sku, price=PRICE, available=99)
                for it in asked.pieces
            )
            return Offers(offers=tuple(offers))

        async def quote(*_: Any) -> DeliveryQuote:
            return WAY

        async def reserve(asked: ReserveStock, envelope: Envelope[Any]) -> None:
            told = StockReserved(
                reservation_id=asked.reservation_id, lines=asked.lines, expires_at=asked.expires_at
            )
            await Home(self.log).streams.decide(
                SHELF(asked.reservation_id), lambda known: [] if known else [told], envelope
            )

        async def allocate(asked: AllocateStock, envelope: Envelope[Any]) -> None:
            failed = AllocationFailed(reservation_id=asked.reservation_id, skus=("MUG",))
            if self.scarce:
                stream = SHELF(asked.reservation_id)
                await Home(self.log).streams.decide(stream, lambda _: [failed], envelope)

        async def obey(*_: Any) -> None:
            return

        self.bus.handlers |= {
            GetOffers: offers,
            QuoteDelivery: quote,
            ReserveStock: reserve,
            AllocateStock: allocate,
            ReleaseStock: obey,
            ShipStock: obey,
            RestockStock: obey,
        }

    def _stop_the_clocks(self) -> None:
        real = messages.now
        for name, module in list(sys.modules.items()):
            ours = name.partition(".")[0] in ("ordering", "payment", "delivery")
            if ours and getattr(module, "now", None) is real:
                self._stack.enter_context(patch.object(module, "now", lambda: self.clock))
