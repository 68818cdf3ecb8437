"""The books of a replay: every line of the file stands in one of its rows, to the penny."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from bus.messages import places_of
from ordering.contract import OrderDocument
from ordering.invoices import Invoice, Line, Survey, amount_of

What = Literal["sold", "cancelled", "called off", "rejected", "under way", "refused"]
"""What can become of a line. `sold` was confirmed, `cancelled` takes a sale back as the file says;
`called off` is what somebody else cancelled, `rejected` an order that the shop could not serve."""

ORDER: tuple[What, ...] = ("sold", "cancelled", "called off", "rejected", "under way", "refused")


class Fate(NamedTuple):
    """What became of a line: a heading, and the reason if there is one."""

    what: What
    reason: str = ""


class Entry(NamedTuple):
    """Lines of an invoice that came to the same; in major units."""

    fate: Fate
    number: str
    lines: int
    amount: Decimal
    detail: str = ""
    order_id: str = ""


class Row(NamedTuple):
    """How much came to the same, and one that did."""

    fate: Fate
    invoices: int = 0
    lines: int = 0
    amount: Decimal = Decimal(0)
    example: str = ""


class Placed(NamedTuple):
    """An invoice that has become an order, with so many of its lines, at this amount."""

    number: str
    order_id: str
    lines: int
    amount: Decimal


class Books:
    """Adds up what became of every line."""

    def __init__(self, currency: str, on_entry: Callable[[Entry], None] = lambda entry: None):
        self.currency = currency
        self.revenue = Decimal(0)
        """What the goods of the confirmed orders cost, as the orders say themselves."""
        self.differing: list[str] = []
        """Orders that say something else than their invoice."""
        self._on_entry = on_entry
        self._rows: dict[Fate, Row] = {}

    def enter(self, entry: Entry, *, invoices: int = 1) -> None:
        """Lines have come to this; `invoices` is 0 where theirs is counted with other lines."""
        row = self._rows.get(entry.fate) or Row(
            entry.fate, example=f"{entry.number}: {entry.detail}" if entry.detail else entry.number
        )
        self._rows[entry.fate] = row._replace(
            invoices=row.invoices + invoices,
            lines=row.lines + entry.lines,
            amount=row.amount + entry.amount,
        )
        self._on_entry(entry)

    def refuse(
        self, number: str, lines: Sequence[Line], reason: str, detail: str = "", invoices: int = 1
    ) -> None:
        """Nothing has become of these lines."""
        entry = Entry(Fate("refused", reason), number, len(lines), amount_of(lines), detail)
        self.enter(entry, invoices=invoices)

    def enter_order(
        self, placed: Placed, order: OrderDocument, taken_back: Invoice | None = None
    ) -> None:
        """How an order stands in the end, and the invoice that took it back, if one did."""
        fate = fate_of(order, taken_back=taken_back is not None)
        detail = ", ".join(order.short_skus or ())
        lines, amount = placed.lines, placed.amount
        self.enter(Entry(fate, placed.number, lines, amount, detail, order.order_id))
        if taken_back is not None:
            back = Fate("cancelled") if order.status == "cancelled" else fate
            lines, amount = len(taken_back.lines), amount_of(taken_back.lines)
            detail = f"takes {placed.number} back"
            self.enter(Entry(back, taken_back.number, lines, amount, detail, order.order_id))
        cost = self.major(order.product_cost.amount)
        if order.status in ("confirmed", "completed"):
            self.revenue += cost
        if cost != placed.amount:
            self.differing.append(
                f"order {order.order_id} says {cost} {self.currency}, and its invoice"
                f" {placed.number} {placed.amount}"
            )

    def rows(self) -> list[Row]:
        """All rows; under a heading, the largest amount first."""
        return sorted(
            self._rows.values(), key=lambda row: (ORDER.index(row.fate.what), -abs(row.amount))
        )

    def amount(self, *what: What) -> Decimal:
        """What stands under these headings."""
        return sum((row.amount for row in self.rows() if row.fate.what in what), Decimal(0))

    def disagreements(self, survey: Survey) -> list[str]:
        """What does not agree between the file, these rows and the orders; nothing if all does."""
        rows = self.rows()
        told = {
            "invoices": (survey.invoices, sum(row.invoices for row in rows)),
            "lines": (survey.lines, sum(row.lines for row in rows)),
            self.currency: (survey.total, self.amount(*ORDER)),
        }
        found = [
            f"the file has {there} {what}, and these rows {here}"
            for what, (there, here) in told.items()
            if there != here
        ]
        net = self.amount("sold", "cancelled")
        if net != self.revenue:
            found.append(f"the file says that {net} was sold, and the orders {self.revenue}")
        if survey.unread:
            found.append(f"{survey.unread} lines cannot be read: nobody knows their amounts")
        return found + self.differing

    def major(self, minor: int) -> Decimal:
        """An amount of minor units in major ones."""
        return Decimal(minor).scaleb(-places_of(self.currency))


def fate_of(order: OrderDocument, *, taken_back: bool) -> Fate:
    """Under which heading an order stands; `taken_back` says that the file cancels it."""
    match order.status:
        case "confirmed" | "completed":
            return Fate("sold")
        case "cancelled":
            return Fate("sold") if taken_back else Fate("called off", order.reason or "")
        case "rejected" | "expired":
            return Fate("rejected", order.reason or order.status)
        case "cancelling":
            return Fate("under way", "cancelling")
    return Fate("under way", order.payment_status)


def digits(amount: Decimal, currency: str) -> str:
    """An amount in major units as people read it: `-1,234.50`; a fraction of a penny is shown."""
    exponent = int(amount.normalize().as_tuple().exponent)
    return f"{amount:,.{max(places_of(currency), -exponent)}f}"
