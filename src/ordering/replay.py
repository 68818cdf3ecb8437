"""Places invoices of the past as orders, at full speed, and keeps books of what becomes of each.

Every command's id follows from what the invoice says: a second replay, or one after a crash, places
nothing twice and goes on where the first one stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from time import monotonic

from bus.dispatch import Bus
from bus.envelope import sealed
from bus.messages import Busy, Command, Done, Principal, Refused, derived_id
from ordering.books import Books, Placed
from ordering.contract import AwaitOrder, CancelOrder, GetOrder, OrderDocument
from ordering.invoices import Invoice, amount_of
from ordering.sales import Sale, Standing, Standings, parted, sale

AT_ONCE = 64
"""Invoices under way at once: enough to keep the shop busy, and few enough to settle soon."""

PATIENCE = 4
"""How often half a minute is waited for one order to settle."""

REASON = "cancelled in the file that is replayed"

TRIES = 60
"""How often the shop is asked again for what it was too busy for."""


class Pace:
    """How many orders were placed and confirmed anew, within how many seconds."""

    def __init__(self) -> None:
        self._began = monotonic()
        self.placed = self.already = self.confirmed = 0
        self.placed_in = self.confirmed_in = 0.0

    def count_placed(self, *, again: bool) -> None:
        """An order stands, if not from an earlier replay."""
        if again:
            self.already += 1
        else:
            self.placed += 1
            self.placed_in = monotonic() - self._began

    def count_confirmed(self) -> None:
        """It is confirmed."""
        self.confirmed += 1
        self.confirmed_in = monotonic() - self._began


class Replay:
    """One pass through a file's invoices."""

    def __init__(
        self,
        bus: Bus,
        books: Books,
        principal: Principal,
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        self.pace = Pace()
        self._bus = bus
        self._books = books
        self._principal = principal
        self._on_done = on_done
        self._standings = Standings()
        self._seen: dict[str, None] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._placed: dict[str, Placed] = {}
        self._taken_back: dict[str, Invoice] = {}

    async def run(self, found: Iterable[Invoice]) -> None:
        """Place and cancel what these say, side by side, and see how it stands in the end."""
        free = asyncio.Semaphore(AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                for invoice in found:
                    await free.acquire()
                    task = group.create_task(self._take(invoice, self._wanted(invoice)))
                    self._under_way[invoice.id] = task
                    task.add_done_callback(lambda _: free.release())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        await self._read_back()

    def _wanted(self, invoice: Invoice) -> Sale | Standing | Refused | None:
        """What is to be done for an invoice. Decided in the file's order: what a cancellation is of
        stands before it."""
        try:
            if invoice.id in self._seen:
                raise Refused("twice_in_file", "the file has said the same before")
            self._seen[invoice.id] = None
            if invoice.cancels:
                return self._standings.cancelled_by(invoice)
            sold, others = parted(invoice.lines)
            wanted = sale(invoice, sold, self._books.currency) if sold else None
        except Refused as no:
            return no
        for reason, lines in others.items():
            alone = wanted is None and reason == next(iter(others))
            self._books.refuse(invoice.number, lines, reason, invoices=int(alone))
        if wanted is not None:
            self._standings.keep(invoice, sold)
        return wanted

    async def _take(self, invoice: Invoice, wanted: Sale | Standing | Refused | None) -> None:
        try:
            match wanted:
                case Sale():
                    await self._place(wanted)
                case Standing():
                    await self._cancel(invoice, wanted)
                case Refused():
                    raise wanted
        except Refused as no:
            lines = wanted.sold if isinstance(wanted, Sale) else invoice.lines
            self._books.refuse(invoice.number, lines, no.code, no.message)
        self._under_way.pop(invoice.id, None)
        self._on_done()

    async def _place(self, wanted: Sale) -> None:
        """Place an order, unless it stands already, and wait until it has settled."""
        invoice = wanted.invoice
        done = await self._send(wanted.order, invoice)
        order_id = done.answer.order_id
        self._placed[invoice.id] = Placed(
            invoice.number, order_id, len(wanted.sold), amount_of(wanted.sold)
        )
        self.pace.count_placed(again=done.repeated)
        order = await self._settled(order_id)
        if not done.repeated and order.status == "confirmed":
            self.pace.count_confirmed()

    async def _cancel(self, invoice: Invoice, of: Standing) -> None:
        """Cancel the order that another invoice has become, once that has settled."""
        placing = self._under_way.get(of.id)
        if placing is not None:
            await asyncio.wait((placing,))
        placed = self._placed.get(of.id)
        if placed is None:
            raise Refused("order_not_placed", f"invoice {of.number} has become no order")
        await self._send(CancelOrder(order_id=placed.order_id, reason=REASON), invoice)
        await self._settled(placed.order_id)
        self._taken_back[of.id] = invoice

    async def _send(
        self, command: Command[Done[OrderDocument]], invoice: Invoice
    ) -> Done[OrderDocument]:
        """Have it done once, however often it is sent."""
        envelope = sealed(
            command,
            id=derived_id("replay", invoice.id),
            principal=self._principal,
            fingerprint=invoice.id,
        )
        for _ in range(TRIES):
            try:
                found: Done[OrderDocument] = await self._bus.deliver(envelope)
            except Busy as busy:
                await asyncio.sleep(busy.retry_after)
            else:
                return found
        raise Busy(f"the shop was too busy for invoice {invoice.number}: replay again to go on")

    async def _settled(self, order_id: str) -> OrderDocument:
        """The order once it has settled, or as it is after minutes."""
        query = AwaitOrder(order_id=order_id, seconds=30)
        order = await self._bus.ask(query, principal=self._principal)
        for _ in range(PATIENCE - 1):
            if order.status not in ("pending", "cancelling"):
                break
            order = await self._bus.ask(query, principal=self._principal)
        return order

    async def _read_back(self) -> None:
        """Enter every order as it now stands, at the amount that it says itself."""
        left = [(id, self._placed[id]) for id in self._seen if id in self._placed]
        for first in range(0, len(left), AT_ONCE):
            some = left[first : first + AT_ONCE]
            for (id, placed), order in zip(
                some, await asyncio.gather(*(self._read(each) for _, each in some)), strict=True
            ):
                self._books.enter_order(placed, order, self._taken_back.get(id))

    async def _read(self, placed: Placed) -> OrderDocument:
        query = GetOrder(order_id=placed.order_id)
        found = await self._bus.ask(query, principal=self._principal)
        return OrderDocument.model_validate_json(found.body)
