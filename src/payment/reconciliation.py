"""Two sets of books held against each other: what the gateway has of each payment, and what the
events say that it should have."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from bus.messages import Money
from payment.gateway import Standing
from payment.queries import CallDocument, Difference, PaymentDocument

BUCKETS = 1 << 18
"""How finely the sums tell payments apart: 2 MB of them."""

CLOSELY = 1 << 12
"""How many uneven buckets are looked into at once."""


class Line(NamedTuple):
    """What one authorization comes to, in minor units: set aside now, taken, given back."""

    key: str
    currency: str
    held: int
    captured: int
    refunded: int

    def __str__(self) -> str:
        named = {"held": self.held, "captured": self.captured, "refunded": self.refunded}
        parts = [
            f"{Money(amount=amount, currency=self.currency)} {name}"
            for name, amount in named.items()
            if amount
        ]
        return ", ".join(parts) or "nothing"


class Sums:
    """Every line added up, in memory that does not grow with them. Lines that stand in both sets of
    books cancel out; a bucket that is left uneven holds a payment that differs."""

    def __init__(self) -> None:
        self._sums = array("Q", bytes(8 * BUCKETS))

    def add(self, payment_id: str, lines: Iterable[Line]) -> None:
        """Add, or take away again, what one set of books has of a payment."""
        bucket = bucket_of(payment_id)
        for line in lines:
            self._sums[bucket] ^= _digest("\x1f".join(map(str, line[:])))

    def uneven(self) -> list[int]:
        """The buckets in which something differs."""
        return [bucket for bucket, left in enumerate(self._sums) if left]


def bucket_of(payment_id: str) -> int:
    """Where a payment is added up."""
    return _digest(payment_id) % BUCKETS


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def payment_of(standing: Standing) -> str:
    """The payment that an authorization was made for, as its key says; the key itself, when it is
    none of ours."""
    payment_id, _, number = standing.key.rpartition(":authorize:")
    return payment_id if number.isdigit() else standing.key


def booked(standing: Standing) -> Line:
    """An authorization as the gateway has it."""
    return Line(
        standing.key,
        standing.amount.currency,
        standing.held.amount,
        standing.captured.amount,
        standing.refunded.amount,
    )


def expected(doc: PaymentDocument) -> Iterator[Line]:
    """What the gateway should have, going by the events."""
    for call in doc.calls:
        if call.operation == "authorize" and call.status == "succeeded" and call.amount is not None:
            yield _expected(doc, call, call.amount)


def _expected(doc: PaymentDocument, call: CallDocument, amount: Money) -> Line:
    done = [each for each in doc.calls if each.attempt == call.attempt and _succeeded(each)]
    captured = _sum(each for each in done if each.operation == "capture")
    let_go = call.reason is not None or any(each.operation == "void" for each in done)
    return Line(
        call.key,
        amount.currency,
        0 if let_go or captured else amount.amount,
        captured,
        _sum(each for each in done if each.operation == "refund"),
    )


def _succeeded(call: CallDocument) -> bool:
    return call.status == "succeeded"


def _sum(calls: Iterable[CallDocument]) -> int:
    return sum(call.amount.amount for call in calls if call.amount is not None)


def worth(lines: Iterable[Line]) -> Iterator[Line]:
    """The lines with money in them; what was let go or ran out looks as though it had never
    been."""
    return (line for line in lines if line.held or line.captured or line.refunded)


def differences(
    payment_id: str, doc: PaymentDocument | None, standings: Sequence[Standing]
) -> list[Difference]:
    """Where the gateway and the events do not agree upon a payment, and what to do about it."""
    if doc is None:
        return [
            _difference(payment_id, each, booked(each), "never heard of it", NOT_OURS)
            for each in standings
            if any(worth([booked(each)]))
        ]
    ours = {line.key: line for line in expected(doc)}
    theirs = {each.key: each for each in standings}
    found = []
    for key in sorted(ours.keys() | theirs.keys()):
        standing = theirs.get(key)
        told = ours.get(key) or Line(key, standing.amount.currency if standing else "", 0, 0, 0)
        has = booked(standing) if standing else told._replace(held=0, captured=0, refunded=0)
        if told != has:
            found.append(_differing(doc, standing, told, has))
    return [*found, *_doubled(doc, list(ours.values()))]


NOT_OURS = "void or refund it at the gateway, or find out whose it is"


def _differing(
    doc: PaymentDocument, standing: Standing | None, told: Line, has: Line
) -> Difference:
    unanswered = next((call for call in doc.calls if call.status in ("unknown", "failed")), None)
    events = f"{told} of {told.key}, {doc.status}"
    if standing is None:
        return Difference(
            payment_id=doc.payment_id,
            reference=doc.reference,
            gateway=f"never heard of {told.key}",
            events=events,
            do="ask the gateway for it by its reference; deliver nothing until it is found",
        )
    if standing.status == "expired" and told.held and not told.captured:
        do = "it has run out: cancel the order, or have its buyer pay again"
    elif "unknown" in doc.trouble or ("failed" in doc.trouble and unanswered is not None):
        do = f"shop payments retry {doc.payment_id}"
    elif has.captured > told.captured:
        do = "more was taken than the events know: give it back at the gateway"
    elif has.held > told.held:
        do = "void it at the gateway: nothing here will ever capture it"
    elif has.refunded > told.refunded:
        do = "more was given back than the events know: find out who did so at the gateway"
    else:
        do = "the gateway has less than the events say: take it up with the gateway"
    return _difference(doc.payment_id, standing, has, events, do)


def _difference(payment_id: str, standing: Standing, has: Line, events: str, do: str) -> Difference:
    return Difference(
        payment_id=payment_id,
        reference=standing.reference,
        gateway=f"{has} of {standing.key}, {standing.status}",
        events=events,
        do=do,
    )


def _doubled(doc: PaymentDocument, ours: Sequence[Line]) -> Iterator[Difference]:
    """What the events themselves should not say, whatever the gateway has."""
    held = [line for line in ours if line.held]
    captured = [line for line in ours if line.captured]
    over = doc.status in ("voided", "refunded")
    faults = {
        "two holds": len(held) > 1,
        "two captures": len(captured) > 1,
        f"still held, though {doc.status}": bool(held) and over,
        "more given back than was taken": any(line.refunded > line.captured for line in captured),
    }
    for fault, there in faults.items():
        if there and not under_way(doc):
            yield Difference(
                payment_id=doc.payment_id,
                reference=doc.reference,
                gateway="the same",
                events=f"{fault}: " + "; ".join(f"{line} of {line.key}" for line in ours),
                do="void or refund one of them at the gateway, and tell us: this must not happen",
            )


def at_odds(doc: PaymentDocument) -> bool:
    """Whether a payment needs no gateway to be found at fault."""
    return any(_doubled(doc, list(expected(doc))))


def under_way(doc: PaymentDocument) -> bool:
    """Whether the gateway's answer to some call is awaited."""
    return any(call.status == "requested" for call in doc.calls)
