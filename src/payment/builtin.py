"""The built-in gateway: no network, the method names of Stripe's test mode, and books of its own.

Its ledger knows nothing of the event log. Entries are only ever added, under the key of the call:
a key that comes again finds its entry, whichever process made it. Unique indexes see to it that a
hold is either captured or voided, and that no two refunds were judged on the same state: who comes
second is judged again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import BulkWriteError, OperationFailure
from pymongo.read_concern import ReadConcern

from bus.batch import Batch
from bus.messages import Money, now
from bus.mongo import Document, durable
from payment.builtin_rules import (
    OUTCOMES,
    SLOW,
    TIMEOUT,
    UNAVAILABLE,
    Entry,
    Hold,
    holds_in,
    judge,
    standing,
    written,
)
from payment.gateway import (
    GatewayUnavailable,
    KeyReused,
    Operation,
    Outcome,
    OutcomeUnknown,
    Standing,
)

SECONDS = 2.0
"""What `pm_fault_slow` takes."""

OUTAGES = 2
"""How often `pm_fault_unavailable` fails."""

WEEK = timedelta(days=7)

LOSES: frozenset[Operation] = frozenset({"authorize"})

ROUNDS = 1000
"""How often calls are judged again because others were faster."""

TOGETHER = 500
"""Holds fetched at once."""

DUPLICATE, NO_INDEX, NO_COLLECTION = 11000, 27, 26

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Answer(NamedTuple):
    """What a call led to, and whether it was this call that did it; `token` is that of the hold."""

    outcome: Outcome
    token: str = ""
    first: bool = True
    same_request: bool = True


class BuiltinGateway:
    """A gateway whose ledger is the collection `gateway_ledger` of the payment database.

    What it sets aside it holds for `holds_for`. `slow` is in seconds; of the operations that
    `loses` names, `pm_fault_timeout` loses the first answer.
    """

    name = "builtin"
    remembers = timedelta(days=36_500)

    def __init__(
        self,
        database: Database[dict[str, Any]],
        *,
        slow: float = SECONDS,
        holds_for: timedelta = WEEK,
        loses: Collection[Operation] = LOSES,
    ) -> None:
        self._ledger = durable(database["gateway_ledger"])
        self._certain = self._ledger.with_options(read_concern=ReadConcern("linearizable"))
        self._slow = slow
        self._holds_for = holds_for
        self._loses = loses
        self._ready = False
        self._enter = Batch(self._enter_many)

    async def authorize(self, key: str, amount: Money, token: str, reference: str) -> Outcome:
        """Set money aside, or do as the token says."""
        if token == UNAVAILABLE:
            await self._fail_at_first(key)
        elif token == SLOW:
            await asyncio.sleep(self._slow)
        return await self._entered(Entry(key, "authorize", key, amount, token, reference))

    async def capture(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Take what is held, or less; the rest is let go."""
        return await self._entered(Entry(key, "capture", authorization, amount))

    async def void(self, key: str, authorization: str) -> Outcome:
        """Let go of what is held, or would be once the buyer has acted."""
        return await self._entered(Entry(key, "void", authorization))

    async def refund(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Give back what was captured, or part of it."""
        return await self._entered(Entry(key, "refund", authorization, amount))

    async def look_up(
        self, operation: Operation, key: str, authorization: str | None
    ) -> Outcome | None:
        """What stands in the ledger under a key."""
        found = (await asyncio.to_thread(self._standing, [key])).get(key)
        if found is None or found["operation"] != operation:
            return None
        return OUTCOMES.validate_python(found["outcome"])

    async def standings(self, since: datetime | None = None) -> AsyncIterator[Standing]:
        """How every authorization stands, the oldest first."""
        await asyncio.to_thread(self._make_indexes)
        begun = {
            "operation": "authorize",
            "outcome.type": {"$in": ["approved", "action_required"]},
            "at": {"$gte": since or EPOCH},
        }
        with self._ledger.find(begun, batch_size=TOGETHER).sort("at", 1) as cursor:
            while some := await asyncio.to_thread(lambda: list(islice(cursor, TOGETHER))):
                keys = [entry["_id"] for entry in some]
                later = await asyncio.to_thread(self._later, keys)
                for hold in holds_in([*some, *later]).values():
                    yield standing(hold, now())

    async def _entered(self, entry: Entry) -> Outcome:
        answer = await self._enter(entry)
        if answer is None:
            raise GatewayUnavailable(f"others keep changing what {entry.key} is about")
        if not answer.same_request:
            raise KeyReused(f"{entry.key} was used for another request: a key names one call")
        if answer.token == TIMEOUT and answer.first and entry.operation in self._loses:
            raise OutcomeUnknown(f"no answer to {entry.key}: the time ran out")
        return answer.outcome

    async def _fail_at_first(self, key: str) -> None:
        def count() -> int:
            found: Any = self._ledger.find_one_and_update(
                {"_id": f"{key}:outage"},
                {"$inc": {"failures": 1}, "$setOnInsert": {"operation": "outage"}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
            return int(found["failures"])

        failures = await asyncio.to_thread(count)
        if failures <= OUTAGES:
            raise GatewayUnavailable(f"the gateway is away ({failures} of {OUTAGES} times)")

    async def _enter_many(self, entries: list[Entry]) -> Sequence[Answer | None]:
        return await asyncio.to_thread(self._enter_all, entries)

    def _enter_all(self, entries: list[Entry]) -> list[Answer | None]:
        """Enter calls into the ledger, those that are new, one after another where they are about
        the same hold; blocks. `None` where others were faster again and again."""
        self._make_indexes()
        answers: list[Answer | None] = [None] * len(entries)
        left = list(range(len(entries)))
        for _ in range(ROUNDS):
            turn = list({entries[index].authorization: index for index in reversed(left)}.values())
            found = self._enter_once([entries[index] for index in turn])
            for index, answer in zip(turn, found, strict=True):
                answers[index] = answer
            left = [index for index in left if answers[index] is None]
            if not left:
                break
        return answers

    def _enter_once(self, entries: list[Entry]) -> list[Answer | None]:
        """Judge calls on what stands in the ledger and enter them; `None` where that was not so any
        more."""
        holds, at = self._holds(entries), now()
        answers: list[Answer | None] = []
        documents = []
        for entry in entries:
            hold = holds.get(entry.authorization)
            outcome = judge(entry, hold, at, self._holds_for)
            documents.append(written(entry, outcome, hold, at))
            token = entry.token or (hold.token if hold is not None else "")
            answers.append(Answer(outcome, token))
        known, overtaken = self._insert(documents)
        standing = self._standing([entries[index].key for index in known])
        for index in known:
            found = standing.get(entries[index].key)
            answers[index] = None if found is None else _again(entries[index], found)
        for index in overtaken:
            answers[index] = None
            self._wait_for(entries[index], documents[index])
        return answers

    def _insert(self, documents: list[Document]) -> tuple[list[int], list[int]]:
        """Add entries; the numbers of those whose key was known, and of those that were judged on
        what is no longer so."""
        try:
            self._ledger.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            details: Any = error.details
            failures = details["writeErrors"]
            if details["writeConcernErrors"] or any(each["code"] != DUPLICATE for each in failures):
                raise
            known = [each["index"] for each in failures if "_id" in each["keyPattern"]]
            return known, [each["index"] for each in failures if "_id" not in each["keyPattern"]]
        return [], []

    def _wait_for(self, entry: Entry, document: Document) -> None:
        """Wait until a majority has what was faster: it is what the call will be judged on."""
        fields = ("settles",) if "settles" in document else ("returns", "number")
        self._certain.find_one({field: document[field] for field in fields})

    def _standing(self, keys: list[str]) -> dict[str, Document]:
        """The entries under these keys. That there is none is said only when it is certain."""
        if not keys:
            return {}
        found = {entry["_id"]: entry for entry in self._ledger.find({"_id": {"$in": keys}})}
        for key in set(keys) - found.keys():  # a majority may be about to have it: wait for that
            entry = self._certain.find_one({"_id": key})
            if entry is not None:
                found[key] = entry
        return found

    def _holds(self, entries: list[Entry]) -> dict[str, Hold]:
        """The holds that these calls are about; that there is none, or that nothing was taken of
        it, is said only when it is certain."""
        later = [entry for entry in entries if entry.operation != "authorize"]
        if not later:
            return {}
        keys = list({entry.authorization for entry in later})
        wanted = {"$in": keys}
        found = list(
            self._ledger.find({"$or": [{"_id": wanted}, {"settles": wanted}, {"returns": wanted}]})
        )
        there = {document["_id"] for document in found}
        found += self._standing([key for key in keys if key not in there]).values()
        settled = {document.get("settles") for document in found}
        for key in {entry.authorization for entry in later if entry.operation == "refund"}:
            if key not in settled and (taken := self._certain.find_one({"settles": key})):
                found.append(taken)
        return holds_in(found)

    def _later(self, keys: list[str]) -> list[Document]:
        """What was done about these holds."""
        wanted = {"$in": keys}
        return list(self._ledger.find({"$or": [{"settles": wanted}, {"returns": wanted}]}))

    def _make_indexes(self) -> None:
        if self._ready:
            return
        try:  # an older release gave everything back at once
            self._ledger.drop_index("returns_1")
        except OperationFailure as error:
            if error.code not in (NO_INDEX, NO_COLLECTION):
                raise
        for fields in (["settles"], ["returns", "number"]):
            self._ledger.create_index(
                [(field, 1) for field in fields],
                unique=True,
                partialFilterExpression={fields[0]: {"$exists": True}},
            )
        self._ledger.create_index([("at", 1)], partialFilterExpression={"operation": "authorize"})
        self._ready = True


def _again(entry: Entry, found: Document) -> Answer:
    """The answer to a call whose key is known."""
    same = entry.request == {name: found[name] for name in entry.request if name in found}
    return Answer(OUTCOMES.validate_python(found["outcome"]), first=False, same_request=same)
