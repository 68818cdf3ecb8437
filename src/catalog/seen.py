"""What a price list has said so far: on disk, so that a list of any size needs no more memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from types import TracebackType

from catalog.row import Row

SCHEMA = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA cache_size = -16384;
    CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT UNIQUE, variants INTEGER);
    CREATE TABLE skus (number INTEGER PRIMARY KEY, sku TEXT UNIQUE, product INTEGER, said TEXT);
    BEGIN;
"""


class Seen:
    """The first good row of each SKU. It lies in a temporary file that nobody else can open, and
    is gone with this process. Not to be used by two threads at once."""

    def __init__(self) -> None:
        # "": SQLite's own temporary file, which it deletes as soon as it is open.
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._db.executescript(SCHEMA)

    def __enter__(self) -> Seen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def row(self, sku: str) -> Row | None:
        """The first row that said something of a SKU."""
        found = self._db.execute("SELECT said FROM skus WHERE sku = ?", (sku,)).fetchone()
        return None if found is None else unpacked(found[0])

    def variants(self, product_id: str) -> int:
        """How many SKUs of a product there were."""
        asked = "SELECT variants FROM products WHERE name = ?"
        found = self._db.execute(asked, (product_id,)).fetchone()
        return 0 if found is None else int(found[0])

    def products(self) -> int:
        """How many products there were."""
        (count,) = self._db.execute("SELECT count(*) FROM products").fetchone()
        return int(count)

    def add(self, row: Row, product_id: str) -> None:
        """A SKU that was not seen before."""
        (product,) = self._db.execute(
            "INSERT INTO products (name, variants) VALUES (?, 1)"
            " ON CONFLICT (name) DO UPDATE SET variants = variants + 1 RETURNING id",
            (product_id,),
        ).fetchone()
        said = json.dumps([row.where, row.line, row.number, row.fields], ensure_ascii=False)
        self._db.execute(
            "INSERT INTO skus VALUES (?, ?, ?, ?)", (row.number, row.fields["sku"], product, said)
        )

    def groups(self) -> Iterator[list[Row]]:
        """The rows of each product together, by which came first."""
        self._db.execute("CREATE INDEX together ON skus (product, number)")
        rows = self._db.execute("SELECT product, said FROM skus ORDER BY product, number")
        last, group = 0, list[Row]()
        for product, said in rows:
            if group and product != last:
                yield group
                group = []
            last = product
            group.append(unpacked(said))
        if group:
            yield group


def unpacked(said: str) -> Row:
    """A row as it was."""
    where, line, number, fields = json.loads(said)
    return Row(where, fields, line, number)
