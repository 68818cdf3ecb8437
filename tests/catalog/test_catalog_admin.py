"""The catalog's commands, as a shopkeeper types them."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from pymongo import MongoClient
from typer.testing import CliRunner, Result

from bus.dispatch import Bus
from bus.messages import Money, Refused, now
from bus.platform import Platform
from bus.transport import InProcess
from catalog.admin import commands
from catalog.commands import ListProduct, Offered
from catalog.module import register
from tests.catalog.histories import PRICE, line, wanted

LIST = "sku,name,brand,price,product_id\nMUG,[Mug],Alder,18.9,\nCUP,Cup,,9,tea\nPOT,Pot,,30,tea\n"


class Opened:
    """A shop with a catalog and nothing else."""

    def __init__(self, platform: Platform, runner: asyncio.Runner) -> None:
        self.platform = platform
        self._runner = runner

    @property
    def bus(self) -> Bus:
        return self.platform.bus

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)


@pytest.fixture
def shop(mongo: MongoClient[dict[str, Any]], prefix: str) -> Iterator[Opened]:
    with asyncio.Runner() as runner:
        platform = Platform(mongo, None, prefix, InProcess())
        register(platform)
        runner.run(platform.start(work=True))
        yield Opened(platform, runner)
        runner.run(platform.stop())


@pytest.fixture
def cli(shop: Opened) -> typer.Typer:
    @contextmanager
    def opened() -> Iterator[Opened]:
        yield shop

    async def warehouses(bus: Bus) -> set[str]:
        return {"vaduz"}

    return commands(opened, warehouses)


def call(cli: typer.Typer, *words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(row) for row in result.stdout.splitlines()]


@pytest.fixture
def stocked(cli: typer.Typer, tmp_path: Path) -> typer.Typer:
    path = tmp_path / "list.csv"
    path.write_text(LIST)
    assert lines(call(cli, "import", path, "--stock", 5, "--json")) == [
        {
            "rows": 3,
            "products_new": 2,
            "products_changed": 0,
            "products_unchanged": 0,
            "pictures": 0,
            "repeated": 0,
            "faults": 0,
            "overruled": 0,
            "not_for_sale": 0,
            "rejected": {},
            "dry_run": False,
        }
    ]
    return cli


def test_a_bad_row_ends_with_exit_1_and_one_line_each(cli: typer.Typer, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(LIST + "BAD,Bad,,,\n")
    result = call(cli, "import", path)
    assert result.exit_code == 1
    assert [said for said in result.stderr.splitlines() if said] == [
        "line 5: it has no price",
        "shop: 1 of 4 rows could not be imported",
    ]
    assert "products new" in result.stdout


def test_an_import_in_another_currency_says_what_is_not_for_sale(
    cli: typer.Typer, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("sku,name,price\nMUG,Mug,1890\n")
    result = call(cli, "import", path, "--currency", "jpy")
    assert result.exit_code == 0
    assert "1 SKUs have no price in EUR" in result.stderr


def test_products_are_listed(stocked: typer.Typer) -> None:
    found = lines(call(stocked, "list", "--json"))
    assert {product["product_id"] for product in found} == {"MUG", "tea"}
    table = call(stocked, "list").stdout
    assert "18.90 EUR" in table
    assert "CUP, POT" in table
    assert lines(call(stocked, "list", "--q", "alder", "--json"))[0]["product_id"] == "MUG"


def test_a_product_is_shown_by_its_id_or_a_sku(stocked: typer.Typer, shop: Opened) -> None:
    shop.run(shop.bus.send(wanted(line("POT", 2, Money(amount=3000, currency="EUR")))))
    (by_sku,) = lines(call(stocked, "show", "POT", "--json"))
    (by_id,) = lines(call(stocked, "show", "tea", "--json"))
    assert by_sku == by_id
    assert [(s["sku"], s["on_hand"], s["reserved"], s["available"]) for s in by_id["stock"]] == [
        ("CUP", 5, 0, 5),
        ("POT", 5, 2, 3),
    ]


def test_a_product_is_shown_whole(stocked: typer.Typer, shop: Opened) -> None:
    told = {"weight_g": 350, "attributes": {"colour": "blue"}, "price": PRICE}
    blue = Offered.model_validate({"sku": "MUG", "name": "Mug", **told})
    more = {"categories": ("Gifts", "Tea"), "attributes": {"made of": "clay"}}
    product = {"product_id": "MUG", "name": "Mug", "variants": (blue,), **more}
    shop.run(shop.bus.send(ListProduct.model_validate(product)))
    call(stocked, "price", "MUG", "21.5", "--currency", "usd")
    shown = call(stocked, "show", "MUG").stdout
    for each in ("published", "Gifts, Tea", "made of: clay", "colour: blue", "350", "21.50 USD"):
        assert each in shown
    (shown_whole,) = lines(call(stocked, "show", "MUG", "--json"))
    assert (shown_whole["status"], shown_whole["categories"]) == ("published", ["Gifts", "Tea"])
    assert shown_whole["variants"][0]["weight_g"] == 350


def test_a_product_is_archived_and_published_again(stocked: typer.Typer) -> None:
    (archived,) = lines(call(stocked, "archive", "tea", "--reason", "out of season", "--json"))
    assert archived["status"] == "archived"
    assert [variant["for_sale"] for variant in archived["variants"]] == [False, False]
    assert [p["status"] for p in lines(call(stocked, "list", "--q", "pot", "--json"))] == [
        "archived"
    ]
    (listed,) = lines(call(stocked, "list", "--status", "published", "--json"))
    assert listed["product_id"] == "MUG"
    assert "published" in call(stocked, "publish", "tea").stdout
    history = lines(call(stocked, "history", "tea", "--json"))
    assert [(c["id"], c["who"], c["what"], c["why"]) for c in history[-6:-3]] == [
        ("tea", "admin:cli", "archived", "out of season"),
        ("CUP", "admin:cli", "not for sale any more", "out of season"),
        ("POT", "admin:cli", "not for sale any more", "out of season"),
    ]
    assert "out of season" in call(stocked, "history", "POT").stdout


def test_a_price_is_set_in_any_currency(stocked: typer.Typer) -> None:
    (mug,) = lines(call(stocked, "price", "MUG", "19.95", "--json"))
    assert mug["costs"] == {"amount": 1995, "currency": "EUR"}
    (mug,) = lines(call(stocked, "price", "MUG", "3000", "--currency", "jpy", "--json"))
    assert [each["price"]["currency"] for each in mug["prices"]] == ["EUR", "JPY"]
    assert "3000 JPY" in call(stocked, "price", "MUG", "20").stdout


def test_a_price_waits_for_its_moment_and_can_be_called_off(stocked: typer.Typer) -> None:
    day = (now() + timedelta(days=30)).strftime("%Y-%m-%d")
    because = ("--reason", "advent")
    shown = call(stocked, "price", "MUG", "15", "--from", f"{day}T02:00+02:00", *because).stdout
    assert f"{day}T00:00:00+00:00" in shown
    assert "18.90 EUR" in shown
    table = call(stocked, "prices", "MUG").stdout
    assert "waiting" in table
    (sale, first) = lines(call(stocked, "prices", "MUG", "--currency", "eur", "--json"))
    assert (sale["state"], sale["why"], sale["who"]) == ("waiting", "advent", "admin:cli")
    assert (first["state"], first["price"]["amount"]) == ("holds", 1890)

    (mug,) = lines(call(stocked, "price-off", "MUG", day, "--json"))
    assert [each["price"]["amount"] for each in mug["prices"]] == [1890]
    (sale, _) = lines(call(stocked, "prices", "MUG", "--json"))
    assert sale["state"] == "called_off"
    assert lines(call(stocked, "prices", "MUG", "--currency", "USD", "--json")) == []


def test_stock_is_set(stocked: typer.Typer) -> None:
    (level,) = lines(call(stocked, "stock", "MUG", 40, "--reason", "delivery came", "--json"))
    assert (level["on_hand"], level["available"]) == (40, 40)
    assert "18.90 EUR" in call(stocked, "stock", "MUG", 40).stdout


def test_stock_comes_goes_and_runs_low_by_place(stocked: typer.Typer) -> None:
    def answer(*words: object) -> Any:
        (told,) = lines(call(stocked, *words, "--json"))
        return told

    before = answer("stock", "MUG")["on_hand"]
    answer("receive", "MUG", 8, "--warehouse", "vaduz", "--reason", "from the potter")
    level = answer("adjust", "MUG", "-3", "--warehouse", "vaduz", "--reason", "broken")
    assert level["on_hand"] == before + 5
    assert {p["warehouse_id"]: p["on_hand"] for p in level["places"]} == {"*": before, "vaduz": 5}
    assert "vaduz" in call(stocked, "stock", "MUG").stdout

    assert lines(call(stocked, "low", "--json")) == []
    answer("low-stock", "MUG", 10, "--reason", "sells well")
    answer("stock", "MUG", 0)
    assert [low["sku"] for low in lines(call(stocked, "low", "--json"))] == ["MUG"]
    assert answer("backorder", "MUG", "on", "--reason", "more is on its way")["backorder"]
    assert not answer("backorder", "MUG", "off")["backorder"]
    told = [
        (change["who"], change["why"])
        for change in lines(call(stocked, "history", "MUG", "--json"))
    ]
    for why in ("from the potter", "broken", "sells well", "more is on its way"):
        assert ("admin:cli", why) in told


def test_what_cannot_be_done_is_refused(stocked: typer.Typer) -> None:
    for words, code in (
        (("price", "GHOST", "1"), "unknown_sku"),
        (("price", "MUG", "1.005"), "invalid_price"),
        (("price", "MUG", "much"), "invalid_price"),
        (("price", "MUG", "1", "--currency", "euro"), "invalid_price"),
        (("price", "MUG", "1", "--from", "2999-01-01"), "too_far_ahead"),
        (("price", "tea", "1"), "unknown_sku"),
        (("price-off", "MUG", "2999-01-01"), "unknown_price"),
        (("price-off", "GHOST", "2999-01-01"), "unknown_sku"),
        (("prices", "tea"), "unknown_sku"),
        (("archive", "POT"), "unknown_product"),
        (("archive", "no product!"), "unknown_product"),
        (("publish", "ghost"), "unknown_product"),
        (("history", "ghost"), "unknown_product"),
        (("stock", "GHOST", "1"), "unknown_sku"),
        (("stock", "no sku!", "1"), "unknown_sku"),
        (("stock", "no sku!"), "unknown_sku"),
        (("receive", "GHOST", "1"), "unknown_sku"),
        (("receive", "MUG", "1", "--warehouse", "vadus"), "unknown_warehouse"),
        (("stock", "MUG", "1", "--warehouse", "vadus"), "unknown_warehouse"),
        (("adjust", "GHOST", "-1", "--reason", "broken"), "unknown_sku"),
        (("adjust", "MUG", "-9999999", "--reason", "broken"), "stock_promised"),
        (("backorder", "GHOST", "on"), "unknown_sku"),
        (("low-stock", "GHOST", "1"), "unknown_sku"),
        (("show", "ghost"), "unknown_product"),
        (("show", "no product!"), "unknown_product"),
    ):
        error = call(stocked, *words).exception
        assert isinstance(error, Refused), words
        assert error.code == code, words


def test_what_cannot_be_meant_is_a_mistake_in_usage(cli: typer.Typer) -> None:
    for words in (
        ("stock", "MUG", "-1"),
        ("stock", "MUG", "99999999999"),
        ("stock", "MUG", "many"),
        ("receive", "MUG", "0"),
        ("adjust", "MUG", "-1"),
        ("backorder", "MUG", "maybe"),
        ("price", "MUG", "1", "--from", "tomorrow"),
        ("price-off", "MUG", "32.12.2026"),
        ("import", "gone.csv"),
        ("import",),
    ):
        assert call(cli, *words).exit_code == 2, words
