"""Stripe's HTTP: what a path and a form lead to, and each Idempotency-Key honoured."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tests.payment.stripe_process import intents
from tests.payment.stripe_process.intents import CHANGES, Done, Form, Refusal, shown
from tests.payment.stripe_process.ledger import Call, Entry, Ledger, Operation

EXPAND = re.compile(r"expand\[\d+\]")

Body = dict[str, Any]


class Answer(NamedTuple):
    """A status and a JSON body, and whether they were answered before."""

    status: int
    body: Body
    replayed: bool = False


class Api:
    """The ledger behind the paths; `tell` is given the events that follow from a change."""

    def __init__(self, ledger: Ledger, tell: Callable[[Body], None]) -> None:
        self._ledger = ledger
        self._tell = tell

    def ask(self, path: str, query: Form) -> Answer:
        """A question, which changes nothing."""
        expand = any(EXPAND.fullmatch(name) for name in query)
        newest = list(reversed(self._ledger.intents.values()))
        try:
            match path.split("/")[2:]:
                case ["payment_intents"]:
                    after = int(query.get("created[gte]", 0))
                    found = [each for each in newest if each["created"] >= after]
                    return Answer(200, page(path, found, query, expand))
                case ["payment_intents", "search"]:
                    wanted = re.fullmatch(r"metadata\['(\w+)'\]:'(.+)'", query["query"])
                    if wanted is None:
                        raise Refusal(400, "parameter_invalid")
                    name, value = wanted.groups()
                    found = [each for each in newest if each["metadata"].get(name) == value]
                    return Answer(200, {**page(path, found, query, expand), "next_page": None})
                case ["payment_intents", id]:
                    return Answer(200, shown(self._intent(id), expand))
                case ["refunds"]:
                    refunds = self._intent(query["payment_intent"])["refunds"]
                    return Answer(200, page(path, refunds, query, expand))
                case _:
                    raise Refusal(404, "no_such_path")
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body)

    def change(self, path: str, form: Form, key: str) -> Answer:
        """A change: made once under a key, answered as often as it is asked for."""
        request = {"path": path, **form}
        before = self._ledger.entries.get(key)
        if before is not None and before.call.request == request:
            return Answer(before.status, before.answer, replayed=True)
        if before is not None:
            return Answer(400, {"error": {"type": "idempotency_error", "message": "another"}})
        expand = any(EXPAND.fullmatch(name) for name in form)
        operation: Operation = "authorize"
        try:
            operation, done = self._done(path, form)
        except Refusal as refusal:
            answer = Answer(refusal.status, refusal.body)
            self._ledger.add(Entry(Call(key, operation, request), answer.status, answer.body))
            return answer
        told = done.answer if done.status != 200 else shown(done.answer, expand)
        self._ledger.add(
            Entry(Call(key, operation, request), done.status, told, done.intent, done.moved)
        )
        for event in done.events:
            self._tell(happened(event, done))
        return Answer(done.status, told)

    def _done(self, path: str, form: Form) -> tuple[Operation, Done]:
        now = int(time.time())
        match path.split("/")[2:]:
            case ["payment_intents"]:
                return "authorize", intents.authorize(form, now)
            case ["refunds"]:
                return "refund", intents.refund(self._intent(form["payment_intent"]), form, now)
            case ["payment_intents", id, word] if word in CHANGES:
                operation, change = CHANGES[word]
                return operation, change(self._intent(id), form, now)
            case _:
                raise Refusal(404, "no_such_path")

    def _intent(self, id: str) -> intents.Intent:
        if id not in self._ledger.intents:
            raise Refusal(404, "resource_missing", param="intent")
        return self._ledger.intents[id]


def page(path: str, found: Iterable[Body], query: Form, expand: bool) -> Body:
    """A list, as far as it was asked for."""
    things = list(found)
    if "starting_after" in query:
        ids = [each["id"] for each in things]
        things = things[ids.index(query["starting_after"]) + 1 :]
    limit = int(query.get("limit", 10))
    return {
        "object": "list",
        "url": path,
        "has_more": len(things) > limit,
        "data": [shown(each, expand) for each in things[:limit]],
    }


def happened(type: str, done: Done) -> Body:
    """The event of a change, with what it is about as it was at that moment."""
    kind = type.partition(".")[0]
    about = done.intent["latest_charge"] if kind == "charge" else shown(done.intent, expand=False)
    if kind == "refund":
        about = done.answer
    return {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "api_version": "2026-01-28",
        "created": int(time.time()),
        "data": {"object": about},
        "livemode": False,
        "type": type,
    }
