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
    """Every line added up, in memory that does not grow with them. What the events have is added,
    what the gateway has is taken away; a bucket that is left uneven holds a payment that
    differs."""

    def __init__(self) -> None:
        self._sums = array("Q", bytes(8 * BUCKETS))

    def add(self, payment_id: str, lines: Iterable[Line]) -> None:
        """What the events have of a payment."""
        self._count(payment_id, lines, 1)

    def take(self, payment_id: str, lines: Iterable[Line]) -> None:
        """What the gateway has of it."""
        self._count(payment_id, lines, -1)

    def _count(self, payment_id: str, lines: Iterable[Line], sign: int) -> None:
        bucket = bucket_of(payment_id)
        for line in lines:
            total = self._sums[bucket] + sign * _digest("\x1f".join(map(str, line[:])))
            self._sums[bucket] = total % (1 << 64)

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
    theirs: dict[str, list[Standing]] = {}
    for standing in {each.authorization: each for each in standings}.values():
        theirs.setdefault(standing.key, []).append(standing)
    if doc is None:
        return [
            _difference(payment_id, some, "never heard of it", NOT_OURS)
            for some in theirs.values()
            if any(worth(map(booked, some)))
        ]
    ours = {line.key: line for line in expected(doc)}
    differing = [
        _differing(doc, theirs.get(key, []), ours.get(key))
        for key in sorted(ours.keys() | theirs.keys())
    ]
    return [*filter(None, differing), *_doubled(doc, list(ours.values()))]


NOT_OURS = "void or refund it at the gateway, or find out whose it is"


def _differing(
    doc: PaymentDocument, standings: Sequence[Standing], ours: Line | None
) -> Difference | None:
    """What differs about one call to authorize, of which either side may know nothing; a gateway
    that has carried it out twice has twice the money."""
    if not standings:
        if ours is None or not any(worth([ours])):
            return None
        return Difference(
            payment_id=doc.payment_id,
            reference=doc.reference,
            gateway=f"never heard of {ours.key}",
            events=f"{ours} of {ours.key}, {doc.status}",
            do="ask the gateway for it by its reference; deliver nothing until it is found",
        )
    has = _together([booked(each) for each in standings])
    told = ours or has._replace(held=0, captured=0, refunded=0)
    if told == has:
        return None
    events = f"{told} of {told.key}, {doc.status}"
    return _difference(doc.payment_id, standings, events, _to_do(doc, standings, told, has))


def _to_do(doc: PaymentDocument, standings: Sequence[Standing], told: Line, has: Line) -> str:
    if told.held and all(each.status == "expired" for each in standings):
        return "it has run out: cancel the order, or have its buyer pay again"
    if doc.trouble:
        return f"shop payments retry {doc.payment_id}"
    if has.captured > told.captured:
        return "more was taken than the events know: give it back at the gateway"
    if has.held > told.held:
        return "void it at the gateway: nothing here will ever capture it"
    if has.refunded > told.refunded:
        return "more was given back than the events know: find out who did so at the gateway"
    return "the gateway has less than the events say: take it up with the gateway"


def _difference(payment_id: str, standings: Sequence[Standing], events: str, do: str) -> Difference:
    named = " and ".join(
        f"{each.status}"
        if each.authorization == each.key
        else f"{each.status} {each.authorization}"
        for each in standings
    )
    has = _together([booked(each) for each in standings])
    return Difference(
        payment_id=payment_id,
        reference=standings[0].reference,
        gateway=f"{has} of {has.key}, {named}",
        events=events,
        do=do,
    )


def _together(lines: Sequence[Line]) -> Line:
    """What the authorizations under one key come to."""
    return lines[0]._replace(
        held=sum(line.held for line in lines),
        captured=sum(line.captured for line in lines),
        refunded=sum(line.refunded for line in lines),
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


def at_odds(doc: PaymentDocument, ours: Sequence[Line]) -> bool:
    """Whether a payment of which the events expect this needs no gateway to be found at fault."""
    return any(_doubled(doc, ours))


def under_way(doc: PaymentDocument) -> bool:
    """Whether the gateway's answer to some call is awaited."""
    return any(call.status == "requested" for call in doc.calls)
