"""Timers: fired when due, late if need be, twice without harm, and called off."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from bus import leases, rota, timers
from bus.envelope import Envelope, sealed
from bus.leases import Leases
from bus.messages import Busy, Command, Done, Refused, now
from bus.policies import CallOff, Later
from bus.rota import Rota
from bus.timers import Timers
from bus.transport import InProcess
from tests.bus.tills import Receive, Received
from tests.waiting import eventually

CAUSE = sealed(Received(till="a", amount=1), id="the-event", correlation="the-request")


class Broken(Command[Done[int]], name="tills.Broken"):
    """A command that nobody handles any more."""


class Bank:
    """Handles what the timers send."""

    def __init__(self) -> None:
        self.got: list[Envelope[Receive]] = []
        self.failures: dict[str, Exception] = {}

    async def receive(self, command: Receive, envelope: Envelope[Receive]) -> Done[int]:
        self.got.append(envelope)
        if command.till in self.failures:
            raise self.failures[command.till]
        return Done(answer=0)

    @property
    def tills(self) -> list[str]:
        return [envelope.message.till for envelope in self.got]


@pytest.fixture
def bank() -> Bank:
    return Bank()


def made(database: Any, bank: Bank) -> Timers:
    """The timers of a process."""
    transport = InProcess()
    transport.serve(Receive, bank.receive)
    commands = {command.type_name: command for command in (Receive, Broken)}
    return Timers("tills", database, transport, commands)


def serving(timers: Timers, database: Any, owner: str) -> Rota:
    """A process that fires them."""
    own = Rota(Leases(database, owner), owner, lambda: None)
    own.start([timers])
    return own


@pytest.fixture
async def some(real: Any, bank: Bank) -> Timers:
    timers = made(real, bank)
    timers.make_indexes()
    return timers


def later(till: str, due: datetime, key: str | None = None) -> Later:
    return Later(key or f"key-{till}", due, Receive(till=till, amount=1))


def ago(seconds: float) -> datetime:
    return now() - timedelta(seconds=seconds)


async def test_a_timer_fires_when_it_is_due_and_once(some: Timers, bank: Bank) -> None:
    due = now() + timedelta(minutes=30)
    await some.set((later("a", due), CAUSE))

    assert await some.fire_due(due - timedelta(milliseconds=1)) == 0
    assert await some.fire_due(due) == 1
    assert await some.fire_due(due) == 0
    assert bank.tills == ["a"]
    assert await some.waiting() == []


async def test_what_it_sends_says_where_it_came_from(some: Timers, bank: Bank) -> None:
    await some.set((later("a", ago(1)), CAUSE))
    await some.fire_due(now())

    assert bank.got[0].message == Receive(till="a", amount=1)
    assert (bank.got[0].causation, bank.got[0].correlation) == ("the-event", "the-request")


async def test_a_timer_long_overdue_fires_and_the_oldest_first(some: Timers, bank: Bank) -> None:
    for number in (3, 1, 2):
        await some.set((later(str(number), ago(1000 - number)), CAUSE))
    assert await some.fire_due(now()) == 3

    assert bank.tills == ["1", "2", "3"]


async def test_fired_twice_it_is_the_same_command(some: Timers, bank: Bank) -> None:
    due = ago(1)
    for _ in range(2):  # the event that sets it may come twice, and after it has fired
        await some.set((later("a", due), CAUSE))
        await some.fire_due(now())

    first, second = bank.got
    assert first.id == second.id


async def test_set_again_it_moves_and_is_another_command(some: Timers, bank: Bank) -> None:
    await some.set((later("a", ago(1)), CAUSE))
    await some.fire_due(now())
    await some.set((later("a", ago(5)), CAUSE))
    await some.set((later("a", ago(0.5)), CAUSE))
    assert len(await some.waiting()) == 1
    await some.fire_due(now())

    assert len({envelope.id for envelope in bank.got}) == 2


async def test_a_timer_called_off_never_fires(some: Timers, bank: Bank) -> None:
    await some.set((later("a", ago(1)), CAUSE))
    await some.set((CallOff("key-a"), CAUSE))
    await some.set((CallOff("no such timer"), CAUSE))
    await some.fire_due(now())

    assert bank.got == []


async def test_a_refusal_is_an_answer(some: Timers, bank: Bank) -> None:
    bank.failures["a"] = Refused("too_late", "it is paid already")
    await some.set((later("a", ago(1)), CAUSE))

    assert await some.fire_due(now()) == 1
    assert await some.waiting() == []


async def test_a_shop_that_is_busy_is_asked_again(some: Timers, bank: Bank) -> None:
    bank.failures["a"] = Busy("full")
    await some.set((later("a", ago(1)), CAUSE))
    assert await some.fire_due(now()) == 0  # so that nobody asks again at once
    bank.failures.clear()

    assert await some.fire_due(now()) == 1
    assert bank.got[0].id == bank.got[1].id


async def test_a_timer_that_fails_holds_up_no_other_and_is_tried_again(
    some: Timers, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "SERVING", 2)
    bank.failures["poison"] = KeyError("a mistake")
    await some.set((later("poison", ago(9)), CAUSE))
    await some.set((Later("gone", ago(8), Broken()), CAUSE))
    await some.set((later("b", ago(1)), CAUSE))
    assert await some.fire_due(now()) == 0
    assert await some.fire_due(now()) == 1
    assert bank.tills == ["poison", "b"]
    bank.failures.clear()

    assert await some.fire_due(now() + timedelta(seconds=timers.LONGEST_PAUSE)) == 1
    assert bank.got[0].id == bank.got[-1].id


async def test_a_failed_timer_that_is_set_again_fires_at_its_time(some: Timers, bank: Bank) -> None:
    bank.failures["a"] = KeyError("a mistake")
    await some.set((later("a", ago(9)), CAUSE))
    await some.fire_due(now())
    bank.failures.clear()
    await some.set((later("a", ago(1)), CAUSE))

    assert await some.fire_due(now()) == 1


async def test_in_the_background_they_fire_by_themselves(
    real: Any, some: Timers, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "LOOK", 0.01)
    process = serving(some, real, "one")
    await some.set((later("a", now() + timedelta(milliseconds=50)), CAUSE))

    await eventually(lambda: bank.tills == ["a"])
    await process.stop()


async def test_another_process_takes_over_when_one_stops(
    real: Any, some: Timers, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (leases, rota):
        # Long enough that a busy machine never takes the first one for dead while it lives.
        monkeypatch.setattr(module, "TERM", 5)
    monkeypatch.setattr(timers, "LOOK", 0.01)
    others = Bank()
    first = serving(some, real, "one")
    await some.set((later("a", ago(1)), CAUSE))
    await eventually(lambda: bank.tills == ["a"])
    second = serving(made(real, others), real, "two")
    await some.set((later("b", ago(1)), CAUSE))
    await eventually(lambda: bank.tills == ["a", "b"])
    assert others.got == []
    await first.stop()
    await some.set((later("c", ago(1)), CAUSE))

    await eventually(lambda: others.tills == ["c"])
    await second.stop()
