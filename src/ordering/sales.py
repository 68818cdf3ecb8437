"""What becomes of an invoice: an order at its prices, the cancellation of one, or nothing and why.

What is no sale is left out of its invoice, line by line: it brings no money, so that a bookkeeper
has it in a row of its own. What the shop cannot take refuses the whole invoice, for nobody wants
half an order.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from bus.messages import Id, Money, Quantity, Refused
from ordering.commands import AGREED_LINES, AgreedItem, PlaceAgreedOrder
from ordering.contract import Means
from ordering.invoices import Invoice, Line
from ordering.towns import address

PAID_BY = Means.model_validate({"method": "card", "token": "pm_card_visa"})
"""Invoices do not say how they were paid; this card always pays."""

NOBODY = "no-customer"
"""The buyer of an invoice that names none."""

IDS: TypeAdapter[str] = TypeAdapter(Id)
QUANTITIES: TypeAdapter[int] = TypeAdapter(Quantity)


class Sale(NamedTuple):
    """An invoice as an order, and the lines of it that are a sale."""

    invoice: Invoice
    order: PlaceAgreedOrder
    sold: tuple[Line, ...]


def parted(found: Sequence[Line]) -> tuple[tuple[Line, ...], dict[str, tuple[Line, ...]]]:
    """The lines of an invoice that are a sale; the others by why they are none."""
    sold: list[Line] = []
    others: dict[str, list[Line]] = {}
    for line in found:
        reason = no_sale(line)
        if reason is None:
            sold.append(line)
        else:
            others.setdefault(reason, []).append(line)
    return tuple(sold), {reason: tuple(there) for reason, there in others.items()}


def no_sale(line: Line) -> str | None:
    """Why a line brings no money, if it does not."""
    if line.fault:
        return None
    if line.quantity < 1:
        return "no_pieces_sold"
    if not line.price:
        return "free_of_charge"
    return "negative_price" if line.price < 0 else None


def sale(invoice: Invoice, sold: tuple[Line, ...], currency: str) -> Sale:
    """The order that an invoice asks for with these of its lines.

    Refused with `unreadable_line`, `unknown_country`, `too_many_lines`, `invalid_customer`,
    `invalid_sku`, `too_many_pieces` and `invalid_price`.
    """
    for line in invoice.lines:
        if line.fault:
            raise Refused("unreadable_line", f"line {line.at}: {line.fault}")
    destination = address(invoice.country)
    if destination is None:
        raise Refused("unknown_country", f"nobody knows where {invoice.country!r} is")
    if len(sold) > AGREED_LINES:
        raise Refused(
            "too_many_lines", f"it has {len(sold)} lines, but an order may have {AGREED_LINES}"
        )
    buyer = invoice.customer or NOBODY
    if not fits(IDS, buyer):
        raise Refused("invalid_customer", f"{buyer!r} is no id of a customer")
    order = PlaceAgreedOrder(
        buyer_id=buyer,
        items=tuple(item(line, currency) for line in sold),
        destination=destination,
        payment=PAID_BY,
    )
    return Sale(invoice, order, sold)


def item(line: Line, currency: str) -> AgreedItem:
    """A line of an invoice as one of an order."""
    if not fits(IDS, line.sku):
        raise Refused("invalid_sku", f"line {line.at}: {line.sku[:80]!r} is no SKU")
    if not fits(QUANTITIES, line.quantity):
        raise Refused(
            "too_many_pieces", f"line {line.at}: {line.quantity} pieces are more than an order has"
        )
    try:
        price = Money.parse(f"{line.price:f}", currency)
    except ValueError as error:
        raise Refused("invalid_price", f"line {line.at}: {error}") from None
    return AgreedItem(sku=line.sku, quantity=line.quantity, unit_price=price)


def fits(shape: TypeAdapter[str] | TypeAdapter[int], value: str | int) -> bool:
    """Whether a value is one of these."""
    try:
        shape.validate_python(value)
    except ValidationError:
        return False
    return True


Pieces = Counter[tuple[str, Decimal]]
"""How many of each SKU, at each price."""


class Standing(NamedTuple):
    """An invoice that nobody has taken back, by its id."""

    id: str
    number: str
    pieces: Pieces


class Standings:
    """What each customer has bought and not given back: what a cancellation can be of."""

    def __init__(self) -> None:
        self._by_customer: dict[str, list[Standing]] = {}

    def keep(self, invoice: Invoice, sold: Sequence[Line]) -> None:
        """A sale, in the order of the file. Without a customer, nobody can find it again."""
        if invoice.customer:
            standing = Standing(invoice.id, invoice.number, pieces(sold))
            self._by_customer.setdefault(invoice.customer, []).append(standing)

    def cancelled_by(self, invoice: Invoice) -> Standing:
        """The customer's last invoice with exactly these pieces, which no longer stands.

        Refused with `unreadable_line`, `no_customer`, `part_of_an_order` and `no_earlier_order`.
        """
        for line in invoice.lines:
            if line.fault:
                raise Refused("unreadable_line", f"line {line.at}: {line.fault}")
        if not invoice.customer:
            raise Refused("no_customer", "it does not say whose order it cancels")
        wanted = pieces(line._replace(quantity=-line.quantity) for line in invoice.lines)
        standing = self._by_customer.get(invoice.customer, [])
        for at in reversed(range(len(standing))):
            if standing[at].pieces == wanted:
                return standing.pop(at)
        for one in reversed(standing):
            if all(0 < count <= one.pieces[piece] for piece, count in wanted.items()):
                raise Refused(
                    "part_of_an_order",
                    f"it takes back a part of {one.number}: an order is cancelled whole before it"
                    " is shipped; parts come back as returns, after delivery",
                    of=one.id,
                )
        raise Refused(
            "no_earlier_order", "no order of this customer that stands earlier in the file has it"
        )


def pieces(found: Iterable[Line]) -> Pieces:
    """The pieces in these lines together."""
    count: Pieces = Counter()
    for line in found:
        count[sys.intern(line.sku), line.price] += line.quantity
    return count
