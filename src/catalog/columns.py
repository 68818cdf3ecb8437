"""What a price list says in which column, whatever the columns are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bus.messages import Refused

REQUIRED = ("sku", "name", "price")

FIELDS = (
    "sku", "name", "description", "brand", "category", "categories", "price", "product_id",
    "image", "weight_g", "stock",
)  # fmt: skip

ATTRIBUTE = "attribute:"
"""Begins the name of a column that says what is special about a variant: `attribute:Colour`."""

SEPARATOR = "|"
"""Stands between several categories: `Kitchen|Gifts`."""

ALIASES = {"sku": ("id",), "product_id": ("id",), "category": ("type",), "stock": ("on_hand",)}
"""What other shops' exports call these fields."""

NAMED = ", ".join(
    [*(field if field in REQUIRED else f"{field}?" for field in FIELDS), f"{ATTRIBUTE}Colour?"]
)

Mapped = Mapping[str, str]
"""Which column stands for a field, where it is not called so: `{"sku": "StockCode"}`."""


def mapped(texts: Iterable[str]) -> dict[str, str]:
    """Read `sku=StockCode,name=Description`; refused with `bad_mapping`."""
    found: dict[str, str] = {}
    for part in (part for text in texts for part in text.split(",")):
        field, sign, column = (word.strip() for word in part.partition("="))
        field = field if is_attribute(field) else field.lower()
        if not sign or not column:
            raise bad_mapping(f"{part.strip()!r} names no column: write field=column")
        if field not in FIELDS and not is_attribute(field):
            raise bad_mapping(f"there is no field {field!r}, but there are {NAMED}")
        if field in found:
            raise bad_mapping(f"{field} cannot be {found[field]} and {column}: name one column")
        found[field] = column
    return found


def assigned(columns: Sequence[str], wanted: Mapped) -> dict[str, str]:
    """The column that each field is read from: the one that is `wanted`, else the one that has the
    field's own name, else an alias."""
    named: dict[str, str] = {}
    for column in columns:
        named.setdefault(column.strip().lower(), column)
    found = {
        field: named[column.lower()] for field, column in wanted.items() if column.lower() in named
    }
    taken = set(found.values())
    for field in FIELDS:
        if field in wanted:
            continue
        called = (named.get(name) for name in (field, *ALIASES.get(field, ())))
        free = [column for column in called if column is not None and column not in taken]
        if free:
            found[field] = free[0]
    for column in columns:
        if is_attribute(column) and column not in taken:
            found.setdefault(ATTRIBUTE + column.strip()[len(ATTRIBUTE) :].strip(), column)
    return found


def is_attribute(column: str) -> bool:
    """Whether a column says what is special about a variant."""
    name = column.strip()
    return name.lower().startswith(ATTRIBUTE) and len(name) > len(ATTRIBUTE)


def check_header(name: str, columns: Sequence[str], wanted: Mapped) -> None:
    """Refuse a first line in which a field that every row needs has no column, or two."""
    has = [column.strip().lower() for column in columns]
    gone = [column for column in wanted.values() if column.lower() not in has]
    if gone:
        raise no_column(name, gone, columns)
    found = assigned(columns, wanted)
    missing = [field for field in REQUIRED if field not in found]
    if missing:
        parted = ""
        if len(columns) == 1 and ";" in columns[0]:
            parted = (
                " Its columns have semicolons between them: save it with commas, as CSV (UTF-8)."
            )
        raise Refused(
            "wrong_header",
            f"{name} has no column {', '.join(missing)}: its first line must name the columns, "
            f"with commas between them: {NAMED}; or say which they are: "
            f"--map {missing[0]}=COLUMN.{parted}",
        )
    twice = [column for column in found.values() if has.count(column.strip().lower()) > 1]
    if twice:
        raise Refused("wrong_header", f"{name} has two columns {twice[0]}: name each once")


def no_column(name: str, gone: Sequence[str], columns: Sequence[str]) -> Refused:
    """The refusal of a mapping onto what is not there."""
    there = ", ".join(readable(column.strip(), 80) for column in columns[:50])
    return bad_mapping(f"{name} has no column {', '.join(gone)}, but it has {there or 'none'}")


def bad_mapping(said: str) -> Refused:
    """The refusal of a mapping that cannot be meant."""
    return Refused("bad_mapping", f"--map: {said}")


def readable(text: str, most: int = 40) -> str:
    """Somebody's text in one line that a terminal can show."""
    short = text if len(text) <= most else f"{text[:most]}…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)
