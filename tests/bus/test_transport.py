"""One suite for what carries envelopes: in-process, and loopback through JSON."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bus.commits import Codec, Commit, Meta, Recorded, Write
from bus.dispatch import Bus
from bus.envelope import Envelope, sealed
from bus.messages import (
    Busy,
    Document,
    Done,
    Invalid,
    Money,
    NotFound,
    Principal,
    Query,
    Refused,
    Stale,
    now,
)
from bus.transport import InProcess, Loopback, NoHandler
from tests.bus.tills import EVENTS, Balance, Receive, Received


class Picture(Query[Document], name="tills.Picture"):
    """Answers bytes that are no text."""


class TooHeavy(Refused):
    """A refusal that a context made its own."""

    status = 409


@pytest.fixture(params=[InProcess, Loopback])
def transport(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.fixture
def bus(transport: Any) -> Bus:
    return Bus(transport)


async def test_a_request_is_answered(bus: Bus) -> None:
    async def receive(command: Receive, envelope: Envelope[Receive]) -> Done[int]:
        return Done(answer=command.amount + 1, position=7)

    bus.handle(Receive, receive)

    assert await bus.send(Receive(till="a", amount=1)) == Done(answer=2, position=7)


async def test_the_handler_gets_the_whole_envelope(bus: Bus) -> None:
    got: list[Envelope[Any]] = []

    async def balance(query: Balance, envelope: Envelope[Balance]) -> int:
        got.append(envelope)
        return 0

    bus.handle(Balance, balance)
    sent = sealed(
        Balance(till="grüezi \U0001f600"),
        correlation="c",
        causation="d",
        principal=Principal(scope="shop", name="web:1"),
        deadline=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
        traceparent="00-t",
        fingerprint="f",
        if_version=3,
    )
    await bus.deliver(sent)

    assert got == [sent]


async def test_what_a_request_causes_says_so(bus: Bus) -> None:
    got: list[Envelope[Any]] = []

    async def balance(query: Balance, envelope: Envelope[Balance]) -> int:
        got.append(envelope)
        return 0

    bus.handle(Balance, balance)
    cause = sealed(Receive(till="a", amount=1), principal=Principal(scope="shop", name="web"))
    await bus.ask(Balance(till="a"), cause)

    assert (got[0].causation, got[0].correlation) == (cause.id, cause.correlation)
    assert got[0].principal == cause.principal


async def test_bytes_arrive_as_they_were(bus: Bus) -> None:
    picture = Document(version=1, body=b"\x89PNG\r\n\x00\xff\xfe")

    async def show(query: Picture, envelope: Envelope[Picture]) -> Document:
        return picture

    bus.handle(Picture, show)

    assert await bus.ask(Picture()) == picture


@pytest.mark.parametrize("kind", [Refused, NotFound, Stale, Invalid])
async def test_a_refusal_arrives_with_its_details(kind: type[Refused], bus: Bus) -> None:
    async def refuse(query: Balance, envelope: Envelope[Balance]) -> int:
        raise kind("code", "what, why, and what to do", till="a", version=3, names=["x"])

    bus.handle(Balance, refuse)
    with pytest.raises(Refused) as refused:
        await bus.ask(Balance(till="a"))

    failure = refused.value
    assert type(failure) is kind
    assert (failure.code, failure.message) == ("code", "what, why, and what to do")
    assert failure.details == {"till": "a", "version": 3, "names": ["x"]}


async def test_a_refusal_of_a_contexts_own_kind_arrives_as_a_refusal(bus: Bus) -> None:
    async def refuse(query: Balance, envelope: Envelope[Balance]) -> int:
        raise TooHeavy("too_heavy", "it weighs too much", price=Money(amount=5, currency="EUR"))

    bus.handle(Balance, refuse)
    with pytest.raises(Refused) as refused:
        await bus.ask(Balance(till="a"))

    assert (refused.value.code, refused.value.status) == ("too_heavy", 409)
    assert refused.value.details["price"] in (
        Money(amount=5, currency="EUR"),
        {"amount": 5, "currency": "EUR"},
    )


async def test_busy_arrives_with_when_to_come_again(bus: Bus) -> None:
    async def full(query: Balance, envelope: Envelope[Balance]) -> int:
        raise Busy("too many", 7)

    bus.handle(Balance, full)
    with pytest.raises(Busy) as busy:
        await bus.ask(Balance(till="a"))

    assert (busy.value.message, busy.value.retry_after) == ("too many", 7)


async def test_a_message_nobody_handles_is_named(bus: Bus) -> None:
    with pytest.raises(NoHandler, match=r"tills\.Balance"):
        await bus.ask(Balance(till="a"))


async def test_two_handlers_for_one_message_are_refused(bus: Bus) -> None:
    async def balance(query: Balance, envelope: Envelope[Balance]) -> int:
        return 0

    bus.handle(Balance, balance)
    with pytest.raises(ValueError, match="two handlers"):
        bus.handle(Balance, balance)


async def test_two_readers_of_one_name_are_refused(bus: Bus) -> None:
    bus.react("tills.books", {Received: lambda event: ()})
    with pytest.raises(ValueError, match=r"tills\.books"):
        bus.react("tills.books", {Received: lambda event: ()})


async def test_published_commits_reach_everyone_who_listens_to_that_log(transport: Any) -> None:
    event = Recorded(Received(till="a", amount=1, coins=(1, 2)), "till-a", 1)
    meta = Meta("c", "d", "shop:web", "00-t", "f")
    commit = Commit(1, "id", (Write("till-a", 1),), (event,), now(), meta)
    heard: list[Any] = []
    for _ in range(2):
        transport.consume("tills", Codec(EVENTS), heard.extend)
    transport.consume("other", Codec(EVENTS), lambda commits: heard.append("wrong"))
    transport.publish("tills", [commit])
    transport.publish("nobody", [commit])

    assert heard == [commit, commit]


def test_in_process_knows_whom_it_serves(transport: Any) -> None:
    async def balance(query: Balance, envelope: Envelope[Balance]) -> int:
        return 0

    transport.serve(Balance, balance)
    assert transport.serves(Balance)
    assert not transport.serves(Receive)
