"""A week in a shop whose people type all that can be typed: every command, as a process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import typer

from shop.cli import app
from tests.shop.clients import DOOR, basket
from tests.shop.commands import House, Shop, trading
from tests.shop.test_cli_help import LASTING, leaves
from tests.shop.webhooks.receiver import Receiver, receiving

COMMANDS = {path for path, _ in leaves(typer.main.get_command(app))}


class Clerk:
    """Types commands, and keeps account of them."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.typed: set[tuple[str, ...]] = {(lasting,) for lasting in LASTING}

    def told(self, line: str, *more: str) -> list[dict[str, Any]]:
        """What is answered to a command that does what it says."""
        ran = self._house.run(*self._noted(line, more), "--json")
        assert ran.code == 0, ran
        return ran.rows()

    def one(self, line: str, *more: str) -> dict[str, Any]:
        """The only row of the answer."""
        (row,) = self.told(line, *more)
        return row

    def refused(self, line: str, because: str) -> None:
        """A command that cannot be carried out says why in a line."""
        assert because in self._house.run(*self._noted(line, ())).complaint()

    def _noted(self, line: str, more: tuple[str, ...]) -> list[str]:
        words = [*line.split(), *more]
        self.typed.add(next(path for path in COMMANDS if path == tuple(words[: len(path)])))
        return words


def test_every_command_is_carried_out(tmp_path: Path) -> None:
    with (
        trading(tmp_path, SHOP_WEBHOOKS_ALLOW_PRIVATE="true") as shop,
        receiving() as receiver,
    ):
        clerk = Clerk(shop.house)
        shop_is_looked_at(clerk)
        keys_are_cut(clerk)
        goods_are_listed(clerk, tmp_path)
        ground_is_covered(clerk, tmp_path)
        order_goes_out_and_comes_back(clerk, shop)
        order_is_called_off(clerk, shop)
        money_is_looked_after(clerk)
        others_are_told(clerk, receiver)
        trouble_is_looked_for(clerk)
        buyer_is_forgotten(clerk)
    assert COMMANDS - clerk.typed == set()


def shop_is_looked_at(clerk: Clerk) -> None:
    assert clerk.one("version")["version"]
    assert all(row["what"] for row in clerk.told("doctor"))
    assert all(row["reader"] for row in clerk.told("readers"))
    clerk.told("timers")
    assert clerk.told("log tail -n 5")
    assert clerk.one("log show 1")["events"]
    assert {row["context"] for row in clerk.told("log verify")} > {"ordering", "payment"}


def keys_are_cut(clerk: Clerk) -> None:
    key = clerk.one("keys create press --scope shop --expires 1d")
    again = clerk.one("keys rotate press --keep 1h")
    assert again["key"] != key["key"]
    clerk.told("keys revoke", key["key"].partition(".")[0])
    clerk.one("keys create post --scope carrier")
    assert {"press", "post", "web"} <= {row["name"] for row in clerk.told("keys list")}


def goods_are_listed(clerk: Clerk, folder: Path) -> None:
    prices = folder / "prices.csv"
    prices.write_text("product_id,name,sku,price\ncup,Cup,CUP,3.00\n")
    clerk.told("catalog import", str(prices), "--stock", "5", "--draft")
    clerk.told("catalog publish cup")
    clerk.told("catalog price CUP 4.00 --from 2030-01-01")
    clerk.told("catalog price-off CUP 2030-01-01")
    assert clerk.told("catalog prices CUP")
    clerk.told("catalog stock CUP 7 --reason counted")
    clerk.told("catalog receive CUP 3")
    clerk.told("catalog adjust CUP -2 --reason broken")
    clerk.told("catalog backorder CUP on")
    clerk.told("catalog low-stock CUP 100")
    assert [row["sku"] for row in clerk.told("catalog low")] == ["CUP"]
    (product,) = clerk.told("catalog show cup")
    assert product["stock"][0]["on_hand"] == 8
    clerk.told("catalog archive cup")
    assert clerk.told("catalog history cup")
    assert clerk.told("catalog list --q mug")


def ground_is_covered(clerk: Clerk, folder: Path) -> None:
    place = "--road Landstrasse --house-number 5 --district Schaan --postcode 9494 --country LI"
    clerk.told(f"warehouses add schaan --name Schaan {place}")
    clerk.told("warehouses time-zone schaan Europe/Vaduz")
    clerk.told("warehouses carrier schaan post")
    assert "schaan" in {row["warehouse_id"] for row in clerk.told("warehouses list")}
    ring = [[9.4, 47.0], [9.7, 47.0], [9.7, 47.3], [9.4, 47.3], [9.4, 47.0]]
    zone = {
        "type": "Feature",
        "id": "valley",
        "properties": {"zone_id": "valley", "name": "Valley", "warehouse_id": "schaan"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    file = folder / "zones.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [zone]}))
    clerk.told("zones import", str(file))
    assert [row["id"] for row in clerk.told("zones list")] == ["valley"]
    assert clerk.told("zones show valley")
    clerk.told("zones remove valley")
    clerk.told("slots set schaan --days mon-sun --window 09:00-12:00 --capacity 2")
    assert clerk.told("slots windows schaan")
    clerk.told("slots close schaan 2030-01-02 --reason holiday")
    clerk.told("slots open schaan 2030-01-02")
    assert clerk.told("slots list schaan")
    clerk.told("slots drop schaan --days mon-sun --window 09:00-12:00")


def order_goes_out_and_comes_back(clerk: Clerk, shop: Shop) -> None:
    order, delivery = shop.order["order_id"], shop.order["delivery_id"]
    assert [row["order_id"] for row in clerk.told("orders list")] == [order]
    assert clerk.one("orders show", order)["status"] == "confirmed"
    assert clerk.one("orders track", order)["url"]
    assert clerk.told("deliveries list --open")
    clerk.told("deliveries assign", delivery, "--carrier", "post")
    clerk.told("deliveries plan 2030-01-01 --out", str(shop.house.folder / "plan.geojson"))
    clerk.told("deliveries checkpoint", delivery, "picked_up")
    clerk.told("deliveries checkpoint", delivery, "attempt_failed", "--note", "nobody there")
    soon = ("--from", "2030-01-01T09:00:00Z", "--to", "2030-01-01T12:00:00Z")
    clerk.told("deliveries reschedule", delivery, *soon)
    driven = clerk.told(
        f"deliveries drive {delivery} --speed 1000x --every 0.1 --url {shop.serving.address}"
    )
    assert driven[-1]["status"] == "delivered"
    assert clerk.one("deliveries show", delivery)["status"] == "delivered"
    assert clerk.told("orders history", order)
    for verdict in ("approve", "reject"):
        asked = returned(shop, key=verdict)
        assert clerk.told("returns list")
        reason = ("--reason", "worn") if verdict == "reject" else ()
        clerk.told(f"returns {verdict}", asked, *reason)
        if verdict == "approve":
            clerk.told("returns receive", asked)
        assert clerk.one("returns show", asked)


def returned(shop: Shop, key: str) -> str:
    """A piece of the order is asked to be taken back."""
    answer = httpx.post(
        f"{shop.serving.address}/v1/orders/{shop.order['order_id']}/returns",
        json={"items": [{"sku": "MUG-BLUE", "quantity": 1}], "reason": "damaged"},
        headers={"Authorization": f"Bearer {shop.key}", "Idempotency-Key": key},
        timeout=20,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["return_id"])


def order_is_called_off(clerk: Clerk, shop: Shop) -> None:
    answer = httpx.post(
        f"{shop.serving.address}/v1/orders",
        json=basket(destination=DOOR, buyer_id="buyer-9"),
        headers={"Authorization": f"Bearer {shop.key}", "Idempotency-Key": "2", "Prefer": "wait=9"},
        timeout=20,
    )
    clerk.told("orders cancel", answer.json()["order_id"], "--reason", "changed my mind")
    invoices = shop.house.folder / "invoices.csv"
    invoices.write_text(INVOICES)
    clerk.told("orders replay", str(invoices))


INVOICES = (
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    "536365,85123A,HOLDER,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n"
)


def money_is_looked_after(clerk: Clerk) -> None:
    payment, *_ = (row["payment_id"] for row in clerk.told("payments list"))
    assert clerk.one("payments show", payment)
    clerk.told("payments retry", payment)
    clerk.refused(f"payments settle {payment} k approved --reason seen", "has no call k")
    clerk.told("payments reconcile")
    clerk.told("balances credit buyer-1 25.00 --reason gift --key gift-1")
    assert clerk.one("balances show buyer-1")["available"]
    assert clerk.told("balances list")
    assert clerk.told("balances history buyer-1")


def others_are_told(clerk: Clerk, receiver: Receiver) -> None:
    endpoint = clerk.one("webhooks add", receiver.url)["endpoint_id"]
    receiver.secret = clerk.one("webhooks secret rotate", endpoint, "--overlap", "0")["secret"]
    assert clerk.one("webhooks test", endpoint)["taken"]
    clerk.told("webhooks disable", endpoint)
    clerk.told("webhooks enable", endpoint)
    assert [row["endpoint_id"] for row in clerk.told("webhooks list")] == [endpoint]
    clerk.told("webhooks deliveries")
    clerk.told("webhooks redeliver --failed --endpoint", endpoint)
    clerk.told("webhooks remove", endpoint)


def trouble_is_looked_for(clerk: Clerk) -> None:
    assert clerk.told("parked list") == []
    clerk.told("parked retry --all")
    clerk.refused("parked show nothing:1", "nothing")
    clerk.refused("parked skip nothing:1 --reason seen", "nothing")
    assert {row["name"] for row in clerk.told("views list")} >= {"orders"}
    clerk.told("views rebuild orders")


def buyer_is_forgotten(clerk: Clerk) -> None:
    assert clerk.told("buyers export buyer-1")
    clerk.told("buyers erase buyer-9")
