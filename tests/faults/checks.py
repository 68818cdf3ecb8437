"""What must hold of a shop whatever died: held against its logs and the gateway's own ledger.

Some of it must hold at every moment (`broken`); the rest once nothing is under way any more
(`unfinished`), which must be so soon after the last fault.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import httpx

from bus.audit import Audit
from tests.faults.books import Books
from tests.faults.operations import Customers, Operation, Told
from tests.faults.positions import Positions
from tests.faults.rig import Rig
from tests.ordering.whole import at_rest
from tests.payment.stripe_process.ledger import Ledger

WITHIN = 60.0
"""Seconds after the last fault within which every order has come to rest."""

LOOK = 0.25
"""Seconds between two looks at whether all is done."""

SHOWN = 12
"""Complaints that are shown, at most."""

REFUSALS = {409}
"""Answers that are a no; all others, but for those upon which one asks again, are a mistake."""


class Broken(AssertionError):
    """Something holds no longer that must hold always."""


class Unfinished(AssertionError):
    """Something has not come to its end in time."""


class Evidence:
    """All that is known of a run from outside the shop."""

    def __init__(self, rig: Rig, customers: Customers) -> None:
        self.rig = rig
        self.customers = customers
        self.books = Books(rig.mongo, rig.settings)
        self.ledger = Ledger(rig.ledger)
        self.positions = Positions(rig.mongo, rig.prefix)
        self.answered: list[Operation] = []
        self.told: list[Told] = []
        """What was shown since the last look: what was true once stays true."""
        self._looked_at = 0

    def __enter__(self) -> Evidence:
        return self

    def __exit__(self, *_: object) -> None:
        self.books.close()

    def afresh(self) -> None:
        """Read all of it again: whatever was seen before may have been taken back."""
        self.books.close()
        self.books = Books(self.rig.mongo, self.rig.settings)
        self._looked_at = 0
        self.read()

    def read(self) -> None:
        """Learn what has come to be known since: what was answered by now, then what is stored."""
        self.answered = [each for each in self.customers.operations if each.outcome != "unknown"]
        self.told = self.customers.told[self._looked_at :]
        self._looked_at += len(self.told)
        self.books.read()
        self.ledger.read()
        self.positions.read()


Check = Callable[[Evidence], Iterator[str]]


def settle(
    evidence: Evidence, *, within: float = WITHIN, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Wait until all is done; raises `Broken` at once and `Unfinished` when the time is up."""
    deadline = math.inf
    while True:
        meanwhile()
        busy = evidence.customers.busy
        if not busy and deadline == math.inf:
            deadline = time.monotonic() + within
        evidence.read()
        complain(Broken, evidence, BROKEN)
        try:
            if not busy:
                complain(Unfinished, evidence, UNFINISHED)
                break
        except Unfinished:
            if time.monotonic() > deadline:
                raise
        time.sleep(LOOK)
    evidence.afresh()
    complain(Broken, evidence, BROKEN)
    complain(Broken, evidence, (logs_pass_the_audit,))


def complain(kind: type[AssertionError], evidence: Evidence, checks: Sequence[Check]) -> None:
    """Raise what the first of the checks finds."""
    for check in checks:
        if found := list(islice(check(evidence), SHOWN)):
            raise kind("\n  ".join([f"{check.__doc__}", *found]))


def logs_are_sound(evidence: Evidence) -> Iterator[str]:
    """Logs are dense, versions contiguous, commands unique."""
    yield from evidence.books.faults


def logs_pass_the_audit(evidence: Evidence) -> Iterator[str]:
    """Nothing is wrong with the logs that `shop log verify` knows of."""
    for name, book in evidence.books.books.items():
        audit = Audit(book.context.log)
        audit.run()
        yield from (f"{name} log: {fault}" for fault in audit.faults)


def answers_are_known(evidence: Evidence) -> Iterator[str]:
    """A client hears yes, a refusal, or that it should ask again: never that something broke."""
    for operation in evidence.answered:
        if operation.outcome == "failed" and operation.status not in REFUSALS:
            yield f"{operation.what} of {operation.about} was answered {operation.status}"


def acknowledged_is_stored(evidence: Evidence) -> Iterator[str]:
    """Every acknowledged order is stored, and no buyer's order twice."""
    buyers = evidence.books.buyers
    for buyer, stored in buyers.items():
        if len(stored) > 1:
            yield f"{buyer} has {stored}, having ordered once"
    for operation in evidence.answered:
        if operation.what != "place":
            continue
        stored = buyers.get(operation.about, [])
        if operation.outcome == "ok" and operation.answer["order_id"] not in stored:
            yield f"{operation.answer['order_id']} was acknowledged, but {stored} is stored"
        if operation.outcome == "failed" and stored:
            yield f"{operation.about} was refused, but {stored} is stored"


def cancelled_is_stored(evidence: Evidence) -> Iterator[str]:
    """Every acknowledged cancellation is stored."""
    for operation in evidence.answered:
        if operation.what == "cancel" and operation.outcome == "ok":
            status = evidence.books.orders[operation.about].status
            if status not in ("cancelling", "cancelled"):
                yield f"{operation.about} was cancelled, but is {status}"


def told_is_true(evidence: Evidence) -> Iterator[str]:
    """What a client was shown of an order is what the log says of that version."""
    for told in evidence.told:
        truth = evidence.books.shown(told.order_id, told.version)
        if truth != told.body:
            yield f"version {told.version} was shown as {told.body}, but is {truth}"


def time_goes_forward(evidence: Evidence) -> Iterator[str]:
    """An order is never shown older than before, by the same replica or, later, by another."""
    yield from evidence.customers.setbacks


def charged_once(evidence: Evidence) -> Iterator[str]:
    """The gateway takes the money for an order once at most, and gives it back once at most."""
    for order_id, holds in evidence.ledger.of_orders().items():
        captures = [key for hold in holds for key in hold.captures]
        refunds = [key for hold in holds for key in hold.refunds]
        if len(captures) > 1 or len(refunds) > 1:
            yield f"{order_id} was captured under {captures} and refunded under {refunds}"
        for hold in holds:
            if not 0 <= hold.kept <= hold.captured <= hold.amount:
                yield f"{order_id}: more was taken than held, or given back than taken: {hold}"


def positions_never_go_back(evidence: Evidence) -> Iterator[str]:
    """What a reader has stored as done stays done."""
    yield from evidence.positions.setbacks


def orders_are_at_rest(evidence: Evidence) -> Iterator[str]:
    """Every order has come to rest."""
    for order in evidence.books.orders.values():
        if not at_rest(order):
            yield (
                f"{order.order_id} is {order.status}, {order.payment_status},"
                f" {order.fulfillment_status}"
            )


def money_is_as_the_orders_say(evidence: Evidence) -> Iterator[str]:
    """For an order that stands one authorization is held or taken, for any other none."""
    of_orders = evidence.ledger.of_orders()
    for order in evidence.books.orders.values():
        holds = of_orders.get(order.order_id, [])
        held = [hold.amount for hold in holds if hold.standing]
        kept = [hold.kept for hold in holds if hold.kept]
        stands = order.status in ("confirmed", "completed")
        taken = order.payment_status == "captured"
        if held + kept != [order.total.amount] * stands or bool(kept) != taken:
            yield (
                f"{order.order_id}, {order.total}, is {order.status} and {order.payment_status},"
                f" but the gateway holds {held} and has taken {kept}: {holds}"
            )
    for order_id in of_orders.keys() - evidence.books.orders.keys():
        yield f"{order_id} is known to the gateway only"


def stock_is_as_the_orders_say(evidence: Evidence) -> Iterator[str]:
    """What is reserved, allocated and gone is what the orders hold."""
    house, shelves = evidence.books.sold(), evidence.books.shelves()
    for sku, item in evidence.books.items.items():
        shelf = shelves[sku]
        expected = (house[sku] - shelf.shipped, shelf.reserved, shelf.allocated)
        if (item.total.on_hand, item.total.reserved, item.total.allocated) != expected:
            yield f"{sku} has {item}, but by the orders on hand, reserved, allocated: {expected}"


def views_are_as_rebuilt(evidence: Evidence) -> Iterator[str]:
    """Every view is what the log makes of it when it is built afresh."""
    for name, documents, built in evidence.books.views():
        stored = {each.id: each for each in documents.read_all(documents.collection.find())}
        for id in built.keys() | stored.keys():
            if stored.get(id) != built.get(id):
                yield f"{name} has {stored.get(id)}, but the log says {built.get(id)}"


def reads_are_right(evidence: Evidence) -> Iterator[str]:
    """Whoever is asked, through the cache: an order is shown as the log has it."""
    rig, books = evidence.rig, evidence.books
    headers = {"Authorization": f"Bearer {rig.keys.web}"}
    with httpx.Client(headers=headers, timeout=10, trust_env=False) as http:
        for number, (order_id, version) in enumerate(books.versions.items()):
            address = rig.addresses[number % len(rig.addresses)]
            answer = http.get(f"{address}/v1/orders/{order_id}")
            if answer.status_code != 200:
                yield f"{order_id} was answered {answer.status_code}"
            elif answer.json() != books.shown(order_id, version):
                yield f"{order_id} at {version} is shown as {answer.json()}"


def nothing_is_parked(evidence: Evidence) -> Iterator[str]:
    """No reader has given up on anything."""
    for name in evidence.books.books:
        for parked in evidence.books.database(name)["parked"].find():
            yield f"{parked['reader']} has parked {parked['stream']}: {parked.get('error')}"


BROKEN: tuple[Check, ...] = (
    logs_are_sound,
    answers_are_known,
    acknowledged_is_stored,
    cancelled_is_stored,
    told_is_true,
    time_goes_forward,
    charged_once,
    positions_never_go_back,
)

UNFINISHED: tuple[Check, ...] = (
    nothing_is_parked,
    orders_are_at_rest,
    money_is_as_the_orders_say,
    stock_is_as_the_orders_say,
    views_are_as_rebuilt,
    reads_are_right,
)
