"""The search index: SQLite's full text search, in this process's memory."""

# Statements are made of this file's own words; what is asked for stands in parameters.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import inf
from threading import Lock
from typing import Any, Literal, NamedTuple

from catalog.item import Item
from catalog.prices import when
from catalog.product import Product
from catalog.prose import plain
from catalog.typos import meant
from catalog.words import folded, words_of

MAX_TYPOS = 3
"""Words of one search that may be mistyped: looking for what was meant takes time."""

MAX_VALUES = 100
"""Values of one facet, at most."""

SCHEMA = """
    CREATE TABLE products (
        number INTEGER PRIMARY KEY, id TEXT UNIQUE, first INTEGER, shown INTEGER,
        brand TEXT, brand_said TEXT, digest INTEGER
    );
    CREATE TABLE shelves (product INTEGER, category TEXT, said TEXT);
    CREATE TABLE prices (
        product INTEGER, starts REAL, ends REAL, amount INTEGER, available INTEGER
    );
    CREATE INDEX in_category ON shelves (category, product);
    CREATE INDEX of_product ON shelves (product);
    CREATE INDEX priced ON prices (product, starts, ends, amount, available);
    CREATE VIRTUAL TABLE words USING fts5 (
        name, brand, category, description, prefix = '1 2 3', tokenize = "ascii tokenchars '_'"
    );
    CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, row);
"""

HOLDS = "s.starts <= :at AND :at < s.ends"
CHEAPEST = f"(SELECT min(amount) FROM prices s WHERE s.product = p.number AND {HOLDS})"

Sort = Literal["relevance", "newest", "price", "-price"]

KEYS: Mapping[Sort, str] = {
    "relevance": "h.rank",
    "newest": "0",
    # What has no price comes last either way.
    "price": f"coalesce({CHEAPEST}, 9e18)",
    "-price": f"coalesce(-{CHEAPEST}, 9e18)",
}
"""What products are put in order by; among equals, the newest comes first."""

# What a word counts in the name, the brand, the categories and the description.
BY_WORDS = """WITH h AS MATERIALIZED (
    SELECT rowid AS number, bm25(words, 10.0, 5.0, 3.0, 1.0) AS rank
    FROM words WHERE words MATCH :match
)"""
ALL = "WITH h AS (SELECT number, 0 AS rank FROM products WHERE shown)"
NONE = "WITH h AS (SELECT 0 AS number, 0 AS rank WHERE 0)"


class Asked(NamedTuple):
    """What is searched for at a moment; prices in minor units."""

    at: datetime
    q: str = ""
    category: str = ""
    brand: str = ""
    min_price: int | None = None
    max_price: int | None = None
    available: bool = False
    sort: Sort = "relevance"
    starting_after: str | None = None
    limit: int = 20


class Counted(NamedTuple):
    """How many of the products found stand in each category and are of each brand, and the lowest
    and the highest price; each as if nothing had been asked for of it."""

    category: list[tuple[str, int]]
    brand: list[tuple[str, int]]
    price: tuple[int, int] | None


class Index:
    """All products, what they cost in one currency, and the words of those that buyers see.

    Any thread may use it; one does at a time. Raises `RuntimeError` where SQLite lacks FTS5.
    """

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self._lock = Lock()
        self._vocabulary: list[str] | None = None
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        try:
            self._db.executescript(SCHEMA)
        except sqlite3.OperationalError as error:
            self._db.close()
            raise RuntimeError(
                "products are searched with SQLite's FTS5, which this Python's SQLite"
                f" {sqlite3.sqlite_version} lacks ({error}): use a Python that has it"
            ) from error

    def put(self, entries: Iterable[tuple[int, Product, Sequence[Item | None]]]) -> None:
        """Products as they are now, each with the position at which it began and its items."""
        with self._lock:
            self._db.execute("BEGIN")
            try:
                for first, product, items in entries:
                    number = self._put_product(first, product)
                    self._put_prices(number, items)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def find(self, asked: Asked) -> list[str] | None:
        """The ids of a page of products and of one more, if there is one; `None` when what it is
        to start after is not known to be among them."""
        with self._lock:
            hits, values = self._hits(asked)
            key, where = KEYS[asked.sort], wanted(asked)
            if asked.starting_after is not None:
                last = self._db.execute(
                    f"{hits} SELECT {key}, -p.first FROM products p LEFT JOIN h USING (number)"
                    " WHERE p.id = :after",
                    values,
                ).fetchone()
                if last is None or last[0] is None:
                    return None
                values["key"], values["first"] = last
                where.append(f"({key}, -p.first) > (:key, :first)")
            found = self._db.execute(
                f"{hits} SELECT p.id, {key} AS sorted FROM h JOIN products p USING (number)"
                f" WHERE {' AND '.join(where)} ORDER BY sorted, -p.first LIMIT :limit + 1",
                values,
            )
            return [id for id, _ in found]

    def count(self, asked: Asked) -> Counted:
        """What there is to choose from."""
        any_category = " AND ".join(wanted(asked._replace(category="")))
        any_brand = " AND ".join(wanted(asked._replace(brand="")))
        any_price = asked._replace(min_price=None, max_price=None)
        at_any_price = " AND ".join([*wanted(any_price), *sold(any_price)])
        with self._lock:
            hits, values = self._hits(asked)
            categories = self._db.execute(
                f"{hits} SELECT min(c.said), count(*) AS many FROM h JOIN products p USING (number)"
                f" JOIN shelves c ON c.product = p.number WHERE {any_category}"
                " GROUP BY c.category ORDER BY many DESC, c.category LIMIT :values",
                values,
            ).fetchall()
            brands = self._db.execute(
                f"{hits} SELECT min(p.brand_said), count(*) AS many"
                f" FROM h JOIN products p USING (number) WHERE p.brand != '' AND {any_brand}"
                " GROUP BY p.brand ORDER BY many DESC, p.brand LIMIT :values",
                values,
            ).fetchall()
            low, high = self._db.execute(
                f"{hits} SELECT min(s.amount), max(s.amount) FROM h JOIN products p USING (number)"
                f" JOIN prices s ON s.product = p.number WHERE {at_any_price}",
                values,
            ).fetchone()
        return Counted(categories, brands, None if low is None else (low, high))

    def _put_product(self, first: int, product: Product) -> int:
        """What is said of it, where that has changed; its number here."""
        about, shown = product.about, product.status == "published"
        names = (about.name, *(variant.name for variant in product.variants))
        categories = tuple(each for each in (about.category, *about.categories) if each)
        prose = (*about.attributes.values(), plain(about.description))
        digest = hash((shown, names, about.brand, categories, prose))
        known = self._db.execute(
            "SELECT number, digest FROM products WHERE id = ?", (product.product_id,)
        ).fetchone()
        if known is not None and known[1] == digest:
            return int(known[0])
        (number,) = self._db.execute(
            "INSERT INTO products (id, first, shown, brand, brand_said, digest)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET shown = excluded.shown,"
            " brand = excluded.brand, brand_said = excluded.brand_said, digest = excluded.digest"
            " RETURNING number",
            (product.product_id, first, shown, folded(about.brand), about.brand, digest),
        ).fetchone()
        self._db.execute("DELETE FROM shelves WHERE product = ?", (number,))
        shelves = {folded(each): each for each in reversed(categories)}
        self._db.executemany(
            "INSERT INTO shelves VALUES (?, ?, ?)",
            [(number, category, said) for category, said in shelves.items()],
        )
        self._vocabulary = None
        self._db.execute("DELETE FROM words WHERE rowid = ?", (number,))
        if shown:
            texts = (" ".join(words_of(e)) for e in (names, (about.brand,), categories, prose))
            self._db.execute(
                "INSERT INTO words (rowid, name, brand, category, description)"
                " VALUES (?, ?, ?, ?, ?)",
                (number, *texts),
            )
        return int(number)

    def _put_prices(self, number: int, items: Sequence[Item | None]) -> None:
        """What its SKUs cost, and from when to when, and how many pieces there are."""
        self._db.execute("DELETE FROM prices WHERE product = ?", (number,))
        rows: list[tuple[int, float, float, int, int]] = []
        for item in items:
            if item is None:
                continue
            timeline = item.prices.get(self._currency, ())
            ends = [*(when(each) for each in timeline[1:]), inf]
            rows += [
                (number, when(each), end, each.price.amount, item.available)
                for each, end in zip(timeline, ends, strict=False)
            ]
        self._db.executemany("INSERT INTO prices VALUES (?, ?, ?, ?, ?)", rows)

    def _hits(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        """Where those are found that have all words, and the values that stand in statements."""
        values = {
            "at": asked.at.timestamp(),
            "category": folded(asked.category),
            "brand": folded(asked.brand),
            "low": asked.min_price,
            "high": asked.max_price,
            "after": asked.starting_after,
            "limit": asked.limit,
            "values": MAX_VALUES,
        }
        if not asked.q:
            return ALL, values
        match = self._match(words_of((asked.q,)))
        return (NONE, values) if match is None else (BY_WORDS, {**values, "match": match})

    def _match(self, words: Sequence[str]) -> str | None:
        """How FTS5 is asked for texts in which each word begins a word, or else is one letter off;
        `None`: there can be no such text. Words are letters, digits and underscores only, and
        quoted: none of them is an operator."""
        parts, typos = [], 0
        for word in words:
            if self._begins(word):
                parts.append(f'("{word}" OR "{word}" *)')  # whole words count more
                continue
            typos += 1
            others = meant(word, self._all_words()) if typos <= MAX_TYPOS else []
            if not others:
                return None
            parts.append("(" + " OR ".join(f'"{other}"' for other in others) + ")")
        return " AND ".join(parts) or None

    def _begins(self, word: str) -> bool:
        found = self._db.execute(
            "SELECT 1 FROM vocabulary WHERE term >= ? AND term < ? LIMIT 1",
            (word, word + chr(0x10FFFF)),
        )
        return found.fetchone() is not None

    def _all_words(self) -> list[str]:
        if self._vocabulary is None:
            self._vocabulary = [word for (word,) in self._db.execute("SELECT term FROM vocabulary")]
        return self._vocabulary


def wanted(asked: Asked) -> list[str]:
    """What must be so of a product beside its words."""
    conditions = ["p.shown"]
    if asked.category:
        conditions.append("p.number IN (SELECT product FROM shelves WHERE category = :category)")
    if asked.brand:
        conditions.append("p.brand = :brand")
    if asked.min_price is not None or asked.max_price is not None or asked.available:
        every = " AND ".join(sold(asked))
        conditions.append(f"EXISTS (SELECT 1 FROM prices s WHERE s.product = p.number AND {every})")
    return conditions


def sold(asked: Asked) -> list[str]:
    """What must be so of one and the same SKU of it."""
    conditions = [HOLDS]
    if asked.min_price is not None:
        conditions.append("s.amount >= :low")
    if asked.max_price is not None:
        conditions.append("s.amount <= :high")
    if asked.available:
        conditions.append("s.available > 0")
    return conditions
