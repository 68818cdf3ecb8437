"""The built-in gateway: no network, the method names of Stripe's test mode, and books of its own.

Its ledger knows nothing of the event log. Entries are only ever added, under the key of the call:
a key that comes again finds its entry, whichever process made it. Unique indexes see to it that a
hold is either captured or voided, and refunded once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter
from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from bus.batch import Batch
from bus.messages import Money, now
from bus.mongo import durable
from payment.contract import Means, NextAction
from payment.gateway import (
    ActionRequired,
    Approved,
    Declined,
    GatewayUnavailable,
    KeyReused,
    Outcome,
    OutcomeUnknown,
)

SLOW = 2.0
"""Seconds that `pm_fault_slow` takes."""

OUTAGES = 2
"""How often `pm_fault_unavailable` fails."""

DUPLICATE = 11000

TIMEOUT = "pm_fault_timeout"

APPROVED = Approved()
OUTCOMES: dict[str, Outcome] = {
    "pm_card_visa": APPROVED,
    "pm_card_chargeDeclined": Declined(reason="card_declined"),
    "pm_card_chargeDeclinedInsufficientFunds": Declined(reason="insufficient_funds"),
    TIMEOUT: APPROVED,
    "pm_fault_slow": APPROVED,
    "pm_fault_unavailable": APPROVED,
}

_outcomes: TypeAdapter[Outcome] = TypeAdapter(Outcome)


@dataclass(frozen=True, slots=True)
class Entry:
    """One call, as it is asked. `authorization` is the hold that it is about."""

    key: str
    operation: Literal["authorize", "capture", "void", "refund"]
    authorization: str
    amount: Money | None = None
    token: str | None = None
    reference: str | None = None

    @property
    def request(self) -> dict[str, Any]:
        """What must be the same when the key comes again."""
        asked = {
            "operation": self.operation,
            "authorization": self.authorization,
            "amount": self.amount.model_dump() if self.amount else None,
            "token": self.token,
            "reference": self.reference,
        }
        return {name: value for name, value in asked.items() if value is not None}


class Answer(NamedTuple):
    """What a call led to, and whether it was this call that did it."""

    outcome: Outcome
    first: bool
    same_request: bool = True


class BuiltinGateway:
    """A gateway whose ledger is the collection `gateway_ledger` of the payment database."""

    def __init__(self, database: Database[dict[str, Any]], *, slow: float = SLOW) -> None:
        self._ledger = durable(database["gateway_ledger"])
        self._certain = self._ledger.with_options(read_concern=ReadConcern("linearizable"))
        self._slow = slow
        self._ready = False
        self._enter = Batch(self._enter_many)

    async def authorize(self, key: str, amount: Money, means: Means, reference: str) -> Outcome:
        """Set money aside, or do as the token says."""
        entry = Entry(key, "authorize", key, amount, means.token, reference)
        match means.token:
            case "pm_fault_unavailable":
                await self._fail_at_first(key)
            case "pm_fault_slow":
                await asyncio.sleep(self._slow)
        answer = await self._entered(entry)
        if means.token == TIMEOUT and answer.first:
            raise OutcomeUnknown(f"no answer to {key}: the time ran out")
        return answer.outcome

    async def capture(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Take what is held."""
        return (await self._entered(Entry(key, "capture", authorization, amount))).outcome

    async def void(self, key: str, authorization: str) -> Outcome:
        """Let go of what is held, or would be once the buyer has acted."""
        return (await self._entered(Entry(key, "void", authorization))).outcome

    async def refund(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Give back what was captured."""
        return (await self._entered(Entry(key, "refund", authorization, amount))).outcome

    async def look_up(self, key: str) -> Outcome | None:
        """What stands in the ledger under a key."""
        found = await asyncio.to_thread(self._standing, [key])
        return _outcomes.validate_python(found[key]["outcome"]) if key in found else None

    async def _entered(self, entry: Entry) -> Answer:
        answer = await self._enter(entry)
        if not answer.same_request:
            raise KeyReused(f"{entry.key} was used for another request: a key names one call")
        return answer

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

    async def _enter_many(self, entries: list[Entry]) -> Sequence[Answer]:
        return await asyncio.to_thread(self._enter_all, entries)

    def _enter_all(self, entries: list[Entry]) -> list[Answer]:
        """Enter calls into the ledger, those that are new; blocks."""
        self._make_indexes()
        holds = self._holds(
            {each.authorization for each in entries if each.operation != "authorize"}
        )
        outcomes = [judge(each, holds.get(each.authorization)) for each in entries]
        refused = self._insert(
            written(entry, outcome) for entry, outcome in zip(entries, outcomes, strict=True)
        )
        answers = [Answer(outcome, first=True) for outcome in outcomes]
        standing = self._standing([entries[index].key for index in refused])
        for index in refused:
            answers[index] = self._refused(entries[index], standing)
        return answers

    def _refused(self, entry: Entry, standing: dict[str, dict[str, Any]]) -> Answer:
        """The answer to a call whose key is known, or that comes too late for its hold."""
        if entry.key not in standing:
            late = Declined(reason=f"{entry.operation}_too_late")
            if not self._insert([written(entry, late)]):
                return Answer(late, first=True)
            standing = self._standing([entry.key])
        found = standing[entry.key]
        same = entry.request == {name: found[name] for name in entry.request if name in found}
        return Answer(_outcomes.validate_python(found["outcome"]), first=False, same_request=same)

    def _standing(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        """The entries under these keys. That there is none is said only when it is certain."""
        if not keys:
            return {}
        found = {entry["_id"]: entry for entry in self._ledger.find({"_id": {"$in": keys}})}
        for key in set(keys) - found.keys():  # a majority may be about to have it: wait for that
            entry = self._certain.find_one({"_id": key})
            if entry is not None:
                found[key] = entry
        return found

    def _holds(self, keys: set[str]) -> dict[str, Hold]:
        if not keys:
            return {}
        wanted = list(keys)
        found = list(
            self._ledger.find({"$or": [{"_id": {"$in": wanted}}, {"settles": {"$in": wanted}}]})
        )
        captured = {
            entry["settles"]: entry["amount"]["amount"]
            for entry in found
            if entry["operation"] == "capture" and "settles" in entry
        }
        return {
            entry["_id"]: Hold(
                entry["outcome"]["type"], entry["amount"]["amount"], captured.get(entry["_id"], 0)
            )
            for entry in found
            if entry["operation"] == "authorize"
        }

    def _insert(self, documents: Iterable[dict[str, Any]]) -> list[int]:
        """Add entries; the numbers of those that an index refused."""
        try:
            self._ledger.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            details: Any = error.details
            failures = details["writeErrors"]
            if details["writeConcernErrors"] or any(each["code"] != DUPLICATE for each in failures):
                raise
            return [each["index"] for each in failures]
        return []

    def _make_indexes(self) -> None:
        if self._ready:
            return
        for field in ("settles", "returns"):
            self._ledger.create_index(
                field, unique=True, partialFilterExpression={field: {"$exists": True}}
            )
        self._ready = True


class Hold(NamedTuple):
    """What the ledger has under an authorization: how it ended, what it is for, what was taken."""

    outcome: str
    amount: int
    captured: int


def judge(entry: Entry, hold: Hold | None) -> Outcome:
    """What a call leads to, unless another one was faster."""
    if entry.operation == "authorize":
        return judge_token(entry)
    if hold is None or hold.outcome == "declined":
        return Declined(reason="nothing_held")
    amount = entry.amount.amount if entry.amount else 0
    match entry.operation:
        case "capture" if hold.outcome == "action_required":
            return Declined(reason="action_required")
        case "capture" if amount > hold.amount:
            return Declined(reason="amount_too_large")
        case "refund" if amount > hold.captured:
            return Declined(reason="not_captured")
        case _:
            return APPROVED


def judge_token(entry: Entry) -> Outcome:
    """What a token stands for; any that Stripe's test mode does not have is no card."""
    match entry.token:
        case "pm_card_threeDSecure2Required":
            url = f"https://gateway.invalid/3d-secure/{entry.key}"
            return ActionRequired(action=NextAction(type="redirect", url=url))
        case token:
            return OUTCOMES.get(token or "", Declined(reason="invalid_payment_method"))


def written(entry: Entry, outcome: Outcome) -> dict[str, Any]:
    """A call as the ledger keeps it. `settles` and `returns` are there once for each hold."""
    document = {"_id": entry.key, **entry.request, "outcome": outcome.model_dump(), "at": now()}
    if outcome.type == "approved" and entry.operation in ("capture", "void"):
        document["settles"] = entry.authorization
    if outcome.type == "approved" and entry.operation == "refund":
        document["returns"] = entry.authorization
    return document
