"""A view to try: what was put into each till and taken out of it."""

from bus.cache import Entry
from bus.messages import Model
from bus.views import View
from tests.bus.tills import Paid, Received


class Sheet(Model):
    """What a till's sheet shows."""

    balance: int = 0
    amounts: tuple[int, ...] = ()


def evolve(sheet: Sheet | None, event: Received | Paid) -> Sheet:
    sheet = sheet or Sheet()
    sign = 1 if isinstance(event, Received) else -1
    return Sheet(
        balance=sheet.balance + sign * event.amount,
        amounts=(*sheet.amounts, sign * event.amount),
    )


SHEETS = View(
    "sheets",
    1,
    Sheet,
    {Received: lambda event: event.till, Paid: lambda event: event.till},
    evolve,
    indexes=[[("doc.balance", 1), ("first", -1)]],
    cached=lambda sheet, version, position: Entry(
        version, position, "", str(sheet.balance).encode()
    ),
)
