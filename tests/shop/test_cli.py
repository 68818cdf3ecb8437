"""The command line beside a running shop: every command, for people and for programs."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from shop.cli import app
from shop.protocol import MAX_HEAD
from tests.shop.clients import DOOR, basket
from tests.shop.commands import SHOP, House, Shop, trading


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with trading(tmp_path_factory.mktemp("house")) as running:
        yield running


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and how it is called."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*path, name))
    else:
        yield path, command


COMMANDS = dict(leaves(typer.main.get_command(app)))


def test_every_command_of_the_contract_is_there() -> None:
    named = {" ".join(path) for path in COMMANDS}
    assert named >= {
        "serve", "work", "keys create", "keys list", "keys rotate", "keys revoke",
        "catalog import", "catalog list", "catalog show", "catalog price", "catalog stock",
        "orders list", "orders show", "orders history", "orders cancel", "orders replay",
        "deliveries list", "deliveries show", "deliveries assign", "deliveries reschedule",
        "deliveries checkpoint", "warehouses add", "warehouses list",
        "log verify", "log tail", "log show", "doctor",
        "webhooks add", "webhooks list", "webhooks deliveries", "webhooks redeliver",
        "readers", "timers", "parked list", "parked show", "parked retry", "parked skip",
    }  # fmt: skip


def test_looking_loads_nothing_that_serving_needs() -> None:
    loaded = "import sys, shop.cli; print(*sys.modules)"
    done = subprocess.run(
        [str(Path(SHOP).with_name("python")), "-c", loaded], capture_output=True, text=True
    )
    heavy = {"pymongo", "redis", "starlette", "uvicorn", "spectree", "dependency_injector"}
    assert not heavy & set(done.stdout.split())


ROWS = [
    (("keys", "list"), "prefix"),
    (("catalog", "list"), "product_id"),
    (("catalog", "show", "harbour-mug"), "product_id"),
    (("orders", "list"), "order_id"),
    (("orders", "show", "ORDER"), "order_id"),
    (("orders", "history", "ORDER"), "type"),
    (("orders", "track", "ORDER"), "url"),
    (("deliveries", "list"), "delivery_id"),
    (("payments", "list"), "payment_id"),
    (("balances", "show", "buyer-1"), "available"),
    (("log", "verify"), "context"),
    (("log", "tail"), "position"),
    (("log", "show", "1"), "events"),
    (("doctor",), "what"),
]


def test_every_answer_can_be_read_by_programs(shop: Shop) -> None:
    ids = {"ORDER": shop.order["order_id"]}
    asked = [tuple(ids.get(word, word) for word in words) for words, _ in ROWS]
    for ran, (_, field) in zip(
        shop.house.run_all([(*words, "--json") for words in asked]), ROWS, strict=True
    ):
        assert ran.code == 0, ran
        assert ran.err == "", ran
        rows = ran.rows()
        assert rows, ran
        assert all(field in row for row in rows), ran


def test_for_people_a_row_is_a_line(shop: Shop) -> None:
    ran = shop.house.run("orders", "list")
    head, *rows = ran.out.splitlines()
    assert head.split()[:2] == ["order", "id"]
    (row,) = [each for each in rows if shop.order["order_id"] in each]
    assert "confirmed" in row


def test_what_was_is_shown_as_of_then(shop: Shop) -> None:
    order_id = shop.order["order_id"]
    placed, *_ = shop.house.run("orders", "history", order_id, "--json").rows()
    then = placed["at"]
    ran = shop.house.run("orders", "show", order_id, "--as-of", then, "--json")
    assert ran.code == 0, ran
    (order,) = ran.rows()
    assert order["version"] < shop.order["version"]


def test_a_key_is_printed_once_and_alone_and_ends_when_revoked(shop: Shop) -> None:
    ran = shop.house.run("keys", "create", "passing", "--scope", "carrier")
    assert (ran.code, ran.err) == (0, ""), ran
    (key,) = ran.out.splitlines()
    ran = shop.house.run("keys", "rotate", "passing", "--keep", "2h", "--expires", "90d")
    (rotated,) = ran.out.splitlines()
    assert f"{key.partition('.')[0]} closes at " in ran.err
    assert "this key expires at " in ran.err
    revoked = shop.house.run("keys", "revoke", key)
    assert revoked.code == 0
    listed = shop.house.run("keys", "list", "--json")
    old, new = (
        {row["prefix"]: row for row in listed.rows()}[each.partition(".")[0]]
        for each in (key, rotated)
    )
    assert {secret in listed.out for each in (key, rotated) for secret in each.split(".")[1:]} == {
        False
    }
    assert old["revoked"]
    assert (old["name"], old["scope"]) == (new["name"], new["scope"]) == ("passing", "carrier")
    assert (old["successor"], new["revoked"], new["last_used"]) == (new["prefix"], None, None)
    assert new["expires"].startswith("20")
    assert new["expires"].endswith("Z")
    (web,) = [row for row in listed.rows() if row["name"] == "web"]
    assert web["last_used"], "it has placed an order"


UNKNOWN = [
    ("orders", "show", "ghost"),
    ("orders", "cancel", "ghost"),
    ("orders", "track", "ghost"),
    ("deliveries", "show", "ghost"),
    ("deliveries", "assign", "ghost", "--carrier", "post"),
    ("catalog", "show", "ghost"),
    ("catalog", "price", "GHOST", "1.00"),
    ("catalog", "price", "MUG-BLUE", "-1"),
    ("log", "show", "999999"),
    ("log", "tail", "--context", "nonsense"),
    ("keys", "revoke", "sk_ghost"),
    ("keys", "create", "web", "--scope", "root"),
    ("keys", "rotate", "nobody"),
]


def test_what_is_refused_is_one_clear_line_and_exit_1_or_2(shop: Shop) -> None:
    for ran in shop.house.run_all(UNKNOWN):
        assert ran.out == "", ran
        if ran.code != 2:
            assert len(ran.complaint()) > 25


USAGE = [
    (),
    ("nonsense",),
    ("keys", "create", "web"),
    ("keys", "rotate", "web", "--keep", "soon"),
    ("serve", "--port", "99999"),
    ("catalog", "import", "/no/such/file.csv"),
]


def test_what_is_not_understood_is_exit_2(tmp_path: Path) -> None:
    house = House(tmp_path)
    for ran in house.run_all([tuple(words) for words in USAGE]):
        assert ran.code == 2, ran
        assert "Traceback" not in ran.err
    assert not house.data.exists(), "nothing was started for it"


def test_a_row_without_a_price_is_reported_and_the_rest_go_in(shop: Shop, tmp_path: Path) -> None:
    prices = tmp_path / "list.csv"
    prices.write_text("sku,name,price\nNEW-1,New,1.00\nNEW-2,Without,\nNEW-3,Newer,3.00\n")
    ran = shop.house.run("catalog", "import", str(prices), "--stock", "5", "--json")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "line 3" in ran.err + ran.out or '"line": 3' in ran.out
    assert shop.house.run("catalog", "show", "NEW-3").code == 0
    assert shop.house.run("catalog", "show", "NEW-2").code == 1


def test_the_cli_and_the_shop_see_each_others_work(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {shop.key}", "Idempotency-Key": "2", "Prefer": "wait=30"}
    url = f"{shop.serving.address}/v1/orders"
    order = httpx.post(url, json=basket(destination=DOOR), headers=headers, timeout=40).json()
    (cancelled,) = shop.house.run("orders", "cancel", order["order_id"], "--json").rows()
    assert cancelled["status"] in ("cancelling", "cancelled")
    answer = httpx.get(f"{url}/{order['order_id']}", headers=headers, timeout=40).json()
    assert answer["status"] in ("cancelling", "cancelled")
    (key,) = shop.house.run("keys", "create", "later", "--scope", "shop").out.split()
    bearer = {"Authorization": f"Bearer {key}"}
    assert httpx.get(url, headers=bearer, timeout=40).json() == {"data": [], "has_more": False}


def test_the_address_of_a_running_shop_is_taken(shop: Shop) -> None:
    port = shop.serving.address.rpartition(":")[2]
    ran = shop.house.run("serve", "--port", port)
    assert "--port" in ran.complaint()
    assert port in ran.complaint()


def test_a_shop_that_is_well_says_nothing_but_ready(shop: Shop) -> None:
    assert [line for line in shop.serving.lines if not line.startswith("ready")] == []
    told = "".join(shop.serving.out)
    assert "curl" in told


def test_the_demos_curl_places_an_order(shop: Shop) -> None:
    told = "".join(shop.serving.out)
    curl = told[told.index("curl -s") : told.index("\nThen look")]
    done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=60)
    order = json.loads(done.stdout)
    assert order["status"] == "confirmed", order


def spoken(address: str, *parts: bytes) -> bytes:
    """What is answered to these bytes."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        for part in parts:
            line.sendall(part)
        return line.recv(4096)


HEAD = b"GET /livez HTTP/1.1\r\nHost: shop\r\n"


def test_what_is_not_http_is_a_problem_too(shop: Shop) -> None:
    for garbage in (
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        HEAD + b"Content-Length: -5\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ):
        head, _, body = spoken(shop.serving.address, garbage).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"content-type: application/problem+json" in head
        assert json.loads(body)["code"] == "malformed"


def test_a_head_without_end_is_refused(shop: Shop) -> None:
    assert b" 200 OK" in spoken(shop.serving.address, HEAD, b"X: " + b"a" * 30_000, b"\r\n\r\n")
    # Not a byte more than is needed: the answer is lost when a line is closed with some unread.
    answer = spoken(shop.serving.address, HEAD, b"a" * (MAX_HEAD + 1 - len(HEAD)))
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code": "head_too_large"' in answer
