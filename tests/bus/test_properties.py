"""The log under whatever befalls it: two writers, in any order, on a network that fails at will."""

import asyncio
from collections import defaultdict
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
from bus.messages import Refused
from bus.streams import Streams
from tests.bus.meddling import Documents, Insert, Meddle, Meddled, cut_short, drop, lose_the_answer
from tests.bus.tills import EVENTS, asked, pay, receive, tills
from tests.waiting import soon

TILLS = "abc"
FAULTS: dict[str, Meddle] = {"dropped": drop, "answer lost": lose_the_answer, "cut": cut_short}


class Weather:
    """What befalls the next inserts of a writer."""

    def __init__(self) -> None:
        self.ahead: list[str] = []

    def __call__(self, insert: Insert, documents: Documents) -> Any:
        return FAULTS[self.ahead.pop(0)](insert, documents) if self.ahead else insert(documents)


class TwoWriters(RuleBasedStateMachine):
    """Two processes decide on the same tills; a model keeps what was acknowledged."""

    server: ClassVar[list[MongoClient[dict[str, Any]]]] = []

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.database = self.server[0][f"test{uuid4().hex[:12]}"]
        self.acknowledged: dict[str, int] = {}
        self.weather = [Weather(), Weather()]
        self.writers: list[Streams] = []
        self.loop.run_until_complete(self._open())

    async def _open(self) -> None:
        for weather in self.weather:
            log = Log("tills", self.database, EVENTS)
            meddled: Any = Meddled(log.collection, weather)
            log.collection = meddled
            log.open()
            self.writers.append(Streams(log))

    @rule(
        decisions=st.lists(
            st.tuples(st.integers(0, 1), st.sampled_from(TILLS), st.integers(-2, 3)),
            min_size=1,
            max_size=12,
        ),
        faults=st.lists(st.tuples(st.integers(0, 1), st.sampled_from(sorted(FAULTS))), max_size=2),
    )
    def decide_at_once(
        self, decisions: list[tuple[int, str, int]], faults: list[tuple[int, str]]
    ) -> None:
        """Many decide at the same moment, while the network fails."""
        for writer, fault in faults:
            self.weather[writer].ahead.append(fault)
        self.loop.run_until_complete(self._decide_all(decisions))

    @rule(writer=st.integers(0, 1), which=st.integers(0, 999))
    def repeat(self, writer: int, which: int) -> None:
        """A command that was acknowledged comes again, to either process."""
        if not self.acknowledged:
            return
        # How many there are depends on who was quicker: what is drawn must not.
        command = list(self.acknowledged)[which % len(self.acknowledged)]
        repeated = self.loop.run_until_complete(self._decide(writer, "a", 1, command))
        assert repeated is not None
        assert repeated[1] == self.acknowledged[command]

    async def _decide_all(self, decisions: list[tuple[int, str, int]]) -> None:
        told = await soon(
            asyncio.gather(*(self._decide(*decision) for decision in decisions)), within=30
        )
        for found in told:
            if found is not None:
                assert found[0] not in self.acknowledged
                self.acknowledged[found[0]] = found[1]

    async def _decide(
        self, writer: int, till: str, amount: int, command: str | None = None
    ) -> tuple[str, int] | None:
        command = command or uuid4().hex
        envelope = asked(till, id=command, fingerprint="body")
        try:
            decided = await self.writers[writer].decide(
                tills(till),
                lambda state: receive(till, amount) if amount > 0 else pay(till, state, -amount),
                envelope,
            )
        except Refused:
            return None
        assert decided.commit is not None
        return command, decided.commit.position

    @invariant()
    def the_log_is_whole(self) -> None:
        """Dense; versions contiguous; each command once, exactly those acknowledged; no till below
        nothing."""
        if not hasattr(self, "database"):
            return
        commands: dict[str, int] = {}
        versions: dict[str, int] = defaultdict(int)
        balance: dict[str, int] = defaultdict(int)
        for position, commit in enumerate(self.database["log"].find().sort("_id", 1), start=1):
            assert commit["_id"] == position
            assert commit["command"] not in commands
            commands[commit["command"]] = position
            for write in commit["writes"]:
                versions[write["stream"]] += 1
                assert write["version"] == versions[write["stream"]]
            for event in commit["events"]:
                sign = 1 if event["type"] == "tills.Received" else -1
                balance[event["data"]["till"]] += sign * event["data"]["amount"]
                assert balance[event["data"]["till"]] >= 0
        assert commands == self.acknowledged

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            for streams in self.writers:
                self.loop.run_until_complete(streams.log.close())
            self.loop.close()
            self.server[0].drop_database(self.database)


def test_two_writers_and_a_bad_network_keep_one_whole_log(
    mongo: MongoClient[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TwoWriters, "server", [mongo])
    run_state_machine_as_test(
        TwoWriters,
        settings=settings(
            max_examples=12,
            stateful_step_count=8,
            suppress_health_check=list(HealthCheck),
        ),
    )
