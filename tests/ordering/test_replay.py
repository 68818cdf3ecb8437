"""Invoices of the past become orders once, at their own prices, and what was taken back is."""

from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bus.messages import Money, Principal
from catalog.commands import ListProduct, Offered
from ordering.books import Books, Fate
from ordering.contract import ListOrders
from ordering.invoices import COLUMNS, Invoice, invoices, survey
from ordering.replay import Replay
from shop import embedded
from tests.ordering.whole import SKU, Whole, running, settings_of

pytestmark = pytest.mark.anyio

REPLAYED = Principal(scope="admin", name="replay")

FILE = [
    ",".join(COLUMNS),
    f"1,{SKU},6,9.99,c1,United Kingdom",
    "1,BOWL,2,3.00,c1,United Kingdom",
    "1,POST,1,0,c1,United Kingdom",
    f"2,{SKU},3,12.50,c2,Austria",
    "C3,BOWL,-2,3.00,c1,United Kingdom",
    f"C4,{SKU},-3,12.50,c2,Austria",
    "5,NOTHING,1,1.00,c1,France",
    "6,BOWL,99,3.00,c1,France",
]


def found() -> list[Invoice]:
    return list(invoices(f"{row}\n" for row in FILE))


async def replayed(shop: Whole) -> tuple[Replay, Books]:
    books = Books("EUR")
    replay = Replay(shop.bus, books, REPLAYED)
    await replay.run(found())
    return replay, books


async def test_every_invoice_is_placed_once_and_the_books_agree(
    servers: embedded.Servers, prefix: str, redis_url: str
) -> None:
    assert servers.mongodb_url
    async with running(settings_of(servers.mongodb_url, redis_url, prefix)) as shop:
        await shop.stock_up()
        bowl = Offered(
            sku="BOWL", name="Bowl", price=Money(amount=4_00, currency="EUR"), on_hand=20
        )
        await shop.bus.send(ListProduct(product_id="BOWL", name="Bowl", variants=(bowl,)))

        replay, books = await replayed(shop)
        assert books.disagreements(survey(found())) == []
        assert [(row.fate, row.invoices, row.amount) for row in books.rows()] == [
            (Fate("sold"), 2, Decimal("103.44")),
            (Fate("cancelled"), 1, Decimal("-37.50")),
            (Fate("rejected", "out_of_stock"), 1, Decimal("297.00")),
            (Fate("refused", "part_of_an_order"), 1, Decimal("-6.00")),
            (Fate("refused", "unknown_sku"), 1, Decimal("1.00")),
            (Fate("refused", "free_of_charge"), 0, Decimal(0)),
        ]
        assert books.revenue == Decimal("65.94")
        assert (replay.pace.placed, replay.pace.confirmed, replay.pace.already) == (3, 2, 0)
        level = await shop.stock()
        assert (level.on_hand, level.allocated, level.reserved) == (100, 6, 0)

        again, same = await replayed(shop)
        assert same.rows() == books.rows()
        assert (again.pace.placed, again.pace.already) == (0, 3)
        head = await shop.platform.contexts["ordering"].log.head()
        page = await shop.bus.ask(ListOrders(limit=100, min_position=head), principal=REPLAYED)
        assert len(page.data) == 3


def test_a_file_that_breaks_off_is_not_begun(tmp_path: Path) -> None:
    from shop.cli import app

    file = tmp_path / "torn.csv.gz"
    file.write_bytes(b"\x1f\x8b\x08\x00not packed at all")
    ran = CliRunner().invoke(app, ["orders", "replay", str(file)])
    assert ran.exit_code == 1
    assert "cannot be read to its end" in ran.output
    assert "nothing of it was placed" in ran.output
