"""What Google's map services have in common: how they refuse."""

from __future__ import annotations

from typing import TypeVar

from pydantic import TypeAdapter

from maps.outside import Answer, Declined, Nonsense, Seen

BAD_KEY = (
    "it does not take our key: set SHOP_GOOGLE_API_KEY to one that may use the Routes API and the"
    " Geocoding API"
)

T = TypeVar("T")


class Detail(Seen):
    """More of why: `API_KEY_INVALID`."""

    reason: str = ""


class Trouble(Seen):
    """Why it does not answer."""

    details: tuple[Detail, ...] = ()


class Refusal(Seen):
    """An answer that is none."""

    error: Trouble


def read(kind: TypeAdapter[T], answer: Answer) -> T:
    """What it answers."""
    if answer.status in (401, 403):
        raise Nonsense(BAD_KEY)
    if answer.status == 400:
        trouble = Refusal.model_validate_json(answer.body).error
        if any(detail.reason == "API_KEY_INVALID" for detail in trouble.details):
            raise Nonsense(BAD_KEY)
        raise Declined("HTTP 400")
    if answer.status != 200:
        raise Nonsense(f"it answered with HTTP {answer.status}")
    return kind.validate_json(answer.body)
