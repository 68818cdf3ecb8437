"""A small context to try the platform on: tills, and the money in them."""

from dataclasses import dataclass
from typing import Any, assert_never, get_args

from bus.commits import Recorded, Write
from bus.envelope import Envelope, sealed
from bus.log import Log
from bus.messages import Command, Done, Event, Query, Refused
from bus.pending import Pending
from bus.streams import Kind


class Received(Event, name="tills.Received"):
    """Money was put into a till."""

    till: str
    amount: int
    note: str | None = None
    coins: tuple[int, ...] = ()


class Paid(Event, name="tills.Paid"):
    """Money was taken out of a till."""

    till: str
    amount: int


TillEvent = Received | Paid
EVENTS: tuple[type[Event], ...] = get_args(TillEvent)


@dataclass(frozen=True, slots=True)
class Till:
    """How a till stands."""

    balance: int
    receipts: tuple[int, ...] = ()


def evolve(till: Till | None, event: TillEvent) -> Till:
    """The till after an event."""
    till = till or Till(0)
    match event:
        case Received(amount=amount):
            return Till(till.balance + amount, (*till.receipts, amount))
        case Paid(amount=amount):
            return Till(till.balance - amount, till.receipts)
        case _:
            assert_never(event)


def receive(id: str, amount: int) -> list[Event]:
    """Put money in."""
    return [Received(till=id, amount=amount)]


def pay(id: str, till: Till | None, amount: int) -> list[Event]:
    """Take money out, as far as there is any."""
    if till is None or till.balance < amount:
        raise Refused("too_little", f"{amount} was asked of {id}, which holds less", till=id)
    return [Paid(till=id, amount=amount)]


tills = Kind("till", evolve)


class Receive(Command[Done[int]], name="tills.Receive"):
    """Put money in; answers with the balance."""

    till: str
    amount: int


class Pay(Command[Done[int]], name="tills.Pay"):
    """Take money out; answers with the balance."""

    till: str
    amount: int


class Balance(Query[int], name="tills.Balance"):
    """What is in a till?"""

    till: str


def asked(till: str = "a", amount: int = 1, **known: Any) -> Envelope[Receive]:
    """A command in its envelope."""
    return sealed(Receive(till=till, amount=amount), **known)


def append(
    log: Log,
    *writes: tuple[str, int],
    id: str | None = None,
    after: tuple[Pending, ...] = (),
    note: str | None = None,
) -> Pending:
    """Queue one decision that receives 1 in each of these tills, at these versions."""
    return log.append(
        asked(id=id),
        tuple(Write(f"till-{till}", version) for till, version in writes),
        [
            Recorded(Received(till=till, amount=1, note=note), f"till-{till}", version)
            for till, version in writes
        ],
        after,
    )
