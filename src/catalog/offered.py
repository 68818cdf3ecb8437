"""What a row of a price list asks for, and what it says other than an earlier one of its SKU."""

from __future__ import annotations

import re
from typing import NamedTuple

from pydantic import ValidationError

from bus.messages import Money, Refused
from catalog.columns import ATTRIBUTE, SEPARATOR, readable
from catalog.commands import ListProduct, Offered
from catalog.contract import ANYWHERE
from catalog.prices import price_of
from catalog.row import Row

WHOLE = re.compile(r"([0-9]{1,12})(?:\.0*)?")

NEVER_NAMED = "write 1 to 80 letters, digits, dots, colons, dashes and underscores, without spaces"


class Terms(NamedTuple):
    """What holds for every row: the currency of the prices, where the first stock is and how many
    pieces, whether new products are drafts, and why all this is."""

    currency: str
    stock: int = 0
    warehouse: str = ANYWHERE
    draft: bool = False
    reason: str = ""


def product_of(row: Row, terms: Terms) -> ListProduct:
    """The product with one variant that a row speaks of; refused with what is wrong with it."""
    fields = row.fields
    check_name(fields["name"])
    try:
        return ListProduct(
            product_id=product_id(row),
            name=fields["name"],
            description=fields.get("description"),
            brand=fields.get("brand"),
            category=fields.get("category"),
            categories=categories(fields.get("categories")),
            variants=(variant_of(row, terms),),
            draft=terms.draft,
            reason=terms.reason,
        )
    except ValidationError as error:
        raise in_one_line(error) from None


def variant_of(row: Row, terms: Terms) -> Offered:
    """The variant that a row speaks of."""
    fields = row.fields
    grams = fields.get("weight_g")
    pieces = fields.get("stock")
    return Offered(
        sku=fields["sku"],
        name=fields["name"],
        price=price(row, terms.currency),
        on_hand=terms.stock if pieces is None else whole("stock", pieces, "pieces"),
        warehouse_id=terms.warehouse,
        weight_g=None if grams is None else whole("weight_g", grams, "grams"),
        attributes={
            field[len(ATTRIBUTE) :]: text
            for field, text in fields.items()
            if field.startswith(ATTRIBUTE)
        }
        or None,
    )


def product_id(row: Row) -> str:
    """The product that a row's SKU is a variant of."""
    return row.fields.get("product_id", row.fields["sku"])


def price(row: Row, currency: str) -> Money:
    """What it costs; refused with `invalid_price`, `negative_price` and `zero_price`."""
    text = row.fields["price"]
    if text.startswith("-"):
        said = f"{readable(text)!r} is no amount of {currency}: a price is not below zero"
        raise Refused("negative_price", said)
    found = price_of(text, currency)
    if found.amount == 0:
        raise Refused("zero_price", f"it costs nothing ({found}): give it a price")
    return found


def whole(field: str, text: str, unit: str) -> int:
    """Read a number of pieces or grams."""
    found = WHOLE.fullmatch(text)
    if found is None:
        raise Refused(
            f"invalid_{field}",
            f"{field} cannot be {readable(text)!r}: write whole {unit}, 0 or more",
        )
    return int(found[1])


def categories(text: str | None) -> tuple[str, ...] | None:
    """Several categories in one text: `Kitchen|Gifts`."""
    if text is None:
        return None
    return tuple(dict.fromkeys(each.strip() for each in text.split(SEPARATOR) if each.strip()))


def check_name(name: str) -> None:
    """Refuse `?` and `-`, which stand where there is no name."""
    if not any(letter.isalnum() for letter in name):
        raise Refused("no_name", f"it has no name but {readable(name)!r}")


def in_one_line(error: ValidationError) -> Refused:
    """What is wrong with the fields of a row."""
    first = error.errors(include_url=False, include_context=False)[0]
    field = str(first["loc"][0])
    id = first["type"] == "string_pattern_mismatch" and field in ("sku", "product_id")
    reason = NEVER_NAMED if id else first["msg"]
    shown = readable(str(first["input"]))
    return Refused(f"invalid_{field}", f"{field} cannot be {shown!r}: {reason}")


def differences(here: Row, there: Row, currency: str) -> dict[str, str]:
    """Where two rows of one SKU do not agree, by field; nothing where this one only says again, or
    less of, what the earlier one said. Refused with what is wrong with this one's name or price."""
    check_name(here.fields["name"])
    costs = price(here, currency)
    found: dict[str, str] = {}
    for field, text in here.fields.items():
        before = product_id(there) if field == "product_id" else there.fields.get(field)
        same = costs == price(there, currency) if field == "price" else text == before
        if not same:
            found[field] = f"{differs(field, text, before)} on {there.where}"
    return found


def differs(field: str, here: str, there: str | None) -> str:
    """A field that is another here than there."""
    mine, other = readable(here), readable(there or "")
    match field:
        case "name":
            return f"is called {mine!r} here and {other!r}"
        case "price":
            return f"costs {mine} here and {other}"
        case "product_id":
            return f"is a variant of {mine} here and of {other}"
        case _:
            return f"has {field} {mine!r} here and {repr(other) if there else 'none'}"
