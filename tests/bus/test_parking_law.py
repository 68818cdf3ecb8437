"""Parked streams whatever befalls them: in order, none lost, none skipped that nobody skipped."""

import asyncio
from contextlib import suppress
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from pymongo import MongoClient

from bus.log import Log
from bus.parked import ask
from bus.parking import Place
from bus.retries import Failure, Overtaken
from tests.bus.test_parking import BAD, Desk, Shop
from tests.bus.tills import EVENTS

EXAMPLES = 10

TILLS = st.sampled_from("ab")


class Night(RuleBasedStateMachine):
    """Events come, fail and get well; people ask; owners die and wake up. A model keeps what was
    put and what was skipped."""

    server: ClassVar[list[MongoClient[dict[str, Any]]]] = []

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.run(self._open())

    async def _open(self) -> None:
        database = self.server[0][f"test{uuid4().hex[:12]}"]
        log = Log("tills", database, EVENTS)
        log.open()
        self.shop = Shop(database, log)
        self.put: dict[str, int] = {"a": 0, "b": 0}
        self.former: Desk | None = None
        self.desk = await self.shop.desk()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @rule(till=TILLS, well=st.booleans())
    def happens(self, till: str, well: bool) -> None:
        self.put[till] += 1
        if not well:
            self.shop.clerk.bad[till, self.put[till]] = BAD
        self.run(self.shop.put(till, self.put[till]))

    @rule()
    def reads(self) -> None:
        self.run(self.desk.read())

    @rule(till=TILLS)
    def gets_well(self, till: str) -> None:
        for what in [what for what in self.shop.clerk.bad if what[0] == till]:
            del self.shop.clerk.bad[what]

    @rule(skip=st.booleans())
    def is_asked(self, skip: bool) -> None:
        for parked in self.shop.parked():
            ask(self.shop.database, parked, by="me", skip=skip, reason="law" if skip else None)

    @rule()
    def looks(self) -> None:
        self.run(self.desk.look())

    @rule(back=st.integers(0, 4))
    def changes_owner(self, back: int) -> None:
        """What is stored of the position may be old."""
        done = min(self.desk.lanes.done_to(partition) for partition in range(8))
        self.former, position = self.desk, max(done - back, 0)
        self.run(self.former.die())
        self.desk = self.run(self.shop.desk(position))

    @rule(till=TILLS)
    def parks_late(self, till: str) -> None:
        """The former owner wakes up over an event that it had in hand."""
        if self.former is not None and self.put[till]:
            stream = f"till-{till}"
            first = self.shop.database["log"].find_one({"writes.stream": stream})
            assert first
            late = Failure("late", "", 3)
            with suppress(Overtaken):
                park = self.former.parking.park
                self.run(park(stream, Place(first["_id"], 0), "tills.Received", late))

    @invariant()
    def what_is_handled_first_is_in_order_and_nothing_is_left_out(self) -> None:
        for till in self.put:
            first = list(dict.fromkeys(self.shop.clerk.of(till)))
            skipped = self.skipped(till)
            assert first == [n for n in range(1, max(first, default=0) + 1) if n not in skipped]

    def skipped(self, till: str) -> set[int]:
        """The events of a till that are skipped, by their amounts."""
        log = self.shop.database["log"]
        positions = {
            each["position"] for each in self.shop.skipped() if each["stream"] == f"till-{till}"
        }
        found = log.find({"_id": {"$in": sorted(positions)}})
        handled = set(self.shop.clerk.of(till))  # before somebody skipped it, too late
        return {commit["events"][0]["data"]["amount"] for commit in found} - handled

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            self.run(self._end())
        self.loop.close()

    async def _end(self) -> None:
        """All gets well, and is asked for: then all has been handled and nothing is parked."""
        self.shop.clerk.bad.clear()
        await self.desk.read()
        for parked in self.shop.parked():
            ask(self.shop.database, parked, by="me")
        await self.desk.look()
        assert self.shop.parked() == []
        for till, put in self.put.items():
            assert set(self.shop.clerk.of(till)) | self.skipped(till) == set(range(1, put + 1))
        await self.shop.log.close()
        self.server[0].drop_database(self.shop.database.name)


def test_parked_streams_keep_their_order_and_lose_nothing(
    mongo: MongoClient[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Night, "server", [mongo])
    run_state_machine_as_test(
        Night,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=15,
            suppress_health_check=list(HealthCheck),
        ),
    )
