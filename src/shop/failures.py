"""What the CLI says when something stands in the way: one line, whatever it was."""

from __future__ import annotations

import traceback
from pathlib import Path

from pydantic import ValidationError
from pymongo.errors import PyMongoError

from bus.messages import Busy, Refused
from bus.mongo import told
from shop.child import ServerFailed
from shop.settings import BadSettings

SOURCE = Path(__file__).parent.parent


def line(error: Exception) -> str:
    """The line for an error, with what to do where that is known."""
    match error:
        case Refused() | Busy():
            said = error.message
        case ValidationError():
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            said = f"that cannot be meant: {wrong}"
        case PyMongoError():
            said = f"MongoDB does not answer: {told(error)}; check SHOP_MONGODB_URL"
        case BadSettings() | ServerFailed() | OSError() | UnicodeError():
            said = str(error)
        case _:
            said = f"a fault of our own: {error!r} in {_place(error)}; please report it"
    return " ".join(said.split())


def _place(error: Exception) -> str:
    """Where in this project it happened."""
    ours = [
        f"{Path(frame.filename).relative_to(SOURCE)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(SOURCE)
    ]
    return ours[-1] if ours else "another package"
