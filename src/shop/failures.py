"""What the CLI says when something stands in the way: one line, whatever it was."""

from __future__ import annotations

from pydantic import ValidationError
from pymongo.errors import PyMongoError

from bus.faults import place_of, told
from bus.messages import Busy, Refused, unfit
from shop.child import ServerFailed
from shop.settings import BadSettings


def line(error: Exception) -> str:
    """The line for an error, with what to do where that is known."""
    match error:
        case Refused() | Busy():
            said = error.message
        case ValidationError():
            said = f"that cannot be meant: {unfit(error)}"
        case PyMongoError():
            said = f"MongoDB does not answer: {told(error)}; check SHOP_MONGODB_URL"
        case BadSettings() | ServerFailed() | OSError() | UnicodeError():
            said = str(error)
        case _:
            place = place_of(error) or "another package"
            said = f"a fault of our own: {error!r} in {place}; please report it"
    return " ".join(said.split())
