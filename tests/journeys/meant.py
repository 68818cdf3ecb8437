"""What no JSON schema can say of a request, said to strangers before they send it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis import Case, HookContext
from schemathesis.generation.meta import TestPhase

AT_HOME = {"district": "Schaan", "postcode": "9494", "country": "LI", "position": None}
"""Where somebody can be brought something."""


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Make of a request that is as the schema says one that can be meant."""
    if str(case.query.get("min_position", "")).isdigit():
        del case.query["min_position"]  # it is one that the shop has told, or is waited for
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    if "Idempotency-Key" in case.headers:  # two requests do not share one
        case.headers["Idempotency-Key"] = uuid4().hex
    case.query.pop("min_price", None)  # a range begins below its end
    body: Any = case.body
    if isinstance(body, dict):
        if isinstance(body.get("pickup"), dict):
            body["pickup"].pop("window", None)  # it ends after it begins, within a week
        if case.meta.phase.name == TestPhase.STATEFUL:
            _as_customers(case, body)


def _as_customers(case: Case[Any], body: dict[str, Any]) -> None:
    """Buy what there is, for money that there is, to where there are roads: so that there is
    something to follow. Whatever else may be asked is asked by those who follow nothing."""
    if case.path == "/v1/orders":
        case.headers["Prefer"] = "wait=5"
        body["payment"] = {"method": "card", "token": "pm_card_visa"}
        for promised in ("quote_id", "slot_id", "expected_total"):
            body.pop(promised, None)
    if case.path.endswith("/checkpoints"):
        body.pop("at", None)
    if "items" in body:
        body["items"] = [{"sku": "MUG-BLUE", "quantity": 2}]
    if "destination" in body:
        body["destination"] |= AT_HOME
