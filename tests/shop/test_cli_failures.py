"""What an operator meets at 3 a.m.: nothing starts, something is damaged, somebody pulls the
plug."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pymongo import MongoClient

from bus.messages import Money, now
from catalog.commands import ListProduct, Offered
from shop import child, embedded, mongod
from shop.running import assembled
from shop.settings import Settings
from tests.shop.clients import DOOR, basket
from tests.shop.commands import House, serving

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ends(pid: int, within: float) -> bool:
    """Whether that process ends by then."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], within)[0])
    finally:
        os.close(process)


SETTINGS = [
    ({"SHOP_MONGODB_URL": "mongodb://u:p@ss@h/"}, "SHOP_MONGODB_URL"),
    ({"SHOP_CURRENCY": "euro"}, "SHOP_CURRENCY"),
    ({"SHOP_TRANSPORT": "pigeons"}, "SHOP_TRANSPORT"),
]


def test_a_wrong_setting_is_named_and_its_value_is_not(tmp_path: Path) -> None:
    for settings, name in SETTINGS:
        complaint = House(tmp_path, **settings).run("keys", "list").complaint()
        assert name in complaint
        assert "p@ss" not in complaint
    assert not House(tmp_path).data.exists()


def test_a_mongodb_that_refuses_is_told_with_its_setting(tmp_path: Path) -> None:
    url = f"mongodb://user:hunter2@127.0.0.1:{closed_port()}/"
    refused = {"SHOP_MONGODB_URL": url, "SHOP_REDIS_URL": f"redis://127.0.0.1:{closed_port()}/0"}
    house = House(tmp_path, **refused)
    for ran in house.run_all([("orders", "list"), ("serve", "--port", "0")]):
        complaint = ran.complaint()
        assert "SHOP_MONGODB_URL" in complaint
        assert "refused" in complaint
        assert "hunter2" not in complaint
        assert "Topology" not in complaint
    assert not house.data.exists()


def test_a_data_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.data.write_text("")
    assert "SHOP_DATA_DIR" in house.run("keys", "list").complaint()


def test_a_damaged_database_is_told_in_mongods_words_and_left_as_it_is(tmp_path: Path) -> None:
    house = House(tmp_path)
    damaged = house.data / "mongodb" / "storage.bson"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("damaged")
    complaint = house.run("serve", "--port", "0").complaint()
    assert "mongod" in complaint
    assert "log" in complaint
    assert damaged.read_text() == "damaged"


@pytest.fixture
def named(
    servers: embedded.Servers, mongo: MongoClient[dict[str, Any]], tmp_path: Path
) -> Iterator[House]:
    """A shop on the real servers, in databases of its own."""
    prefix = f"damage{uuid4().hex[:10]}"
    yield House(
        tmp_path,
        SHOP_MONGODB_URL=servers.mongodb_url or "",
        SHOP_REDIS_URL=servers.redis_url or "",
        SHOP_MONGODB_PREFIX=prefix,
    )
    for database in mongo.list_database_names():
        if database.startswith(prefix):
            mongo.drop_database(database)


def prefix_of(house: House) -> str:
    return house.environment()["SHOP_MONGODB_PREFIX"]


@pytest.fixture
async def five(named: House) -> House:
    """A shop whose catalog's log has five commits."""
    settings = Settings(
        _env_file=None,
        mongodb_url=named.environment()["SHOP_MONGODB_URL"],
        redis_url=named.environment()["SHOP_REDIS_URL"],
        mongodb_prefix=prefix_of(named),
    )
    parts = assembled(settings)
    platform = parts.platform()
    await platform.start(work=False)
    price = Money(amount=100, currency="EUR")
    for number in range(5):
        offered = Offered(sku=f"S{number}", name="S", price=price)
        listing = ListProduct(product_id=f"p{number}", name="P", variants=(offered,))
        await platform.bus.send(listing)
    await platform.stop()
    await parts.redis().aclose()
    parts.mongo().close()
    return named


DAMAGE: list[tuple[str, str]] = [("hole", "position 2"), ("version", "version 7"), ("type", "Gone")]


@pytest.mark.parametrize(("damage", "told"), DAMAGE)
async def test_a_damaged_log_is_found_and_told_where(
    five: House, mongo: MongoClient[dict[str, Any]], damage: str, told: str
) -> None:
    log = mongo[f"{prefix_of(five)}_catalog"]["log"]
    assert log.count_documents({}) == 5
    if damage == "hole":
        log.delete_one({"_id": 2})
    elif damage == "version":
        log.update_one({"_id": 3}, {"$set": {"writes.0.version": 7}})
    else:
        log.update_one({"_id": 4}, {"$set": {"events.0.type": "catalog.Gone"}})
    ran = five.run("log", "verify", "--json")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    rows = {row["context"]: row for row in ran.rows()}
    assert told in rows["catalog"]["fault"]
    assert "shop: the catalog log is not what it must be: position" in ran.err
    assert {row["state"] for name, row in rows.items() if name != "catalog"} == {"ok"}


async def test_all_that_is_wrong_with_a_log_is_shown_and_nothing_is_mended(
    five: House, mongo: MongoClient[dict[str, Any]]
) -> None:
    log = mongo[f"{prefix_of(five)}_catalog"]["log"]
    log.drop_index("command")
    (second,) = log.find({"_id": 2})
    log.update_one({"_id": 5}, {"$set": {"command": second["command"]}})
    log.update_many({}, {"$set": {"events.$[].type": "catalog.Gone"}})
    ran = five.run("log", "verify")
    assert ran.code == 1
    (told,) = ran.err.splitlines()
    assert told.startswith("shop: the catalog log is not what it must be: index command: ")
    shown = [line for line in ran.out.splitlines() if line.startswith("catalog")]
    assert len(shown) == 1 + 7
    assert any("position 2" in line for line in shown if " 5 " in line)
    assert "command" not in log.index_information()
    assert five.run("log", "verify", "--context", "payment").code == 0
    unknown = five.run("log", "verify", "--context", "cellar")
    assert (unknown.code, "no log of cellar" in unknown.err) == (1, True)


async def test_the_doctor_finds_what_is_wrong(
    five: House, mongo: MongoClient[dict[str, Any]]
) -> None:
    ordering = mongo[f"{prefix_of(five)}_ordering"]
    long_ago = now().replace(year=2020)
    stuck = {"status": "cancelling", "updated_at": long_ago}
    ordering["view_orders_v1"].insert_one({"_id": "ord_stuck", "doc": stuck})
    waiting = {"status": "pending", "updated_at": long_ago, "expires_at": long_ago}
    ordering["view_orders_v1"].insert_one({"_id": "ord_lost", "doc": waiting})
    ordering["parked"].insert_one({"reader": "ordering.checkout", "stream": "order-1"})
    ordering["timers"].insert_one({"_id": "late", "due": long_ago})
    away = f"redis://127.0.0.1:{closed_port()}/0"
    ran = five.run("doctor", "--json", SHOP_REDIS_URL=away, SHOP_MONGO_URL="mongodb://db")
    assert ran.code == 1
    assert ran.err == ""
    found = {(row["what"], row["detail"]): row for row in ran.rows()}
    bad = {key for key, row in found.items() if row["state"] == "bad"}
    assert {("stuck order", "ord_stuck"), ("stuck order", "ord_lost")} <= bad
    assert ("ordering parked", "1 stream") in bad
    assert ("ordering timers", "1 overdue") in bad
    wrong = [row for row in found.values() if row["state"] != "ok"]
    assert all(row["do"] for row in wrong), "each says what to do"
    assert {"Redis", "SHOP_MONGO_URL"} <= {row["what"] for row in wrong}
    assert ("catalog log", "5 commits") in found
    well = five.run("doctor", "--json").rows()
    assert {row["state"] for row in well if row["what"] in ("MongoDB", "Redis")} == {"ok"}


def test_the_doctor_misses_the_replica_set(tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    program = child.program("mongod", "fiftyone/db/bin/mongod", "SHOP_MONGODB_URL")

    def command(port: int) -> list[str]:
        return [program, "--dbpath", str(folder), "--bind_ip", "127.0.0.1", "--port", str(port)]

    alone, port = child.start(
        command, log=tmp_path / "mongod.log", port=None, answering=mongod.process, within=30
    )
    try:
        house = House(
            tmp_path,
            SHOP_MONGODB_URL=f"mongodb://127.0.0.1:{port}/",
            SHOP_REDIS_URL=f"redis://127.0.0.1:{closed_port()}/0",
        )
        ran = house.run("doctor", "--json")
        assert ran.code == 1
        (row,) = [row for row in ran.rows() if row["what"] == "MongoDB"]
        assert (row["state"], row["detail"]) == ("bad", "no replica set")
        assert "--replSet" in row["do"]
    finally:
        alone.stop(0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_shop_told_to_stop_ends_soon_and_takes_its_servers_along(
    tmp_path: Path, number: int
) -> None:
    house = House(tmp_path)
    with serving(house) as running:
        assert httpx.get(f"{running.address}/readyz", timeout=30).status_code == 200
        servers = house.server_pids()
        assert running.ends(number, within=20) == 0
        assert [line for line in running.lines if not line.startswith("ready ")] == []
    assert all(ends(pid, within=0) for pid in servers)
    said = (house.data / "mongodb" / "mongod.log").read_text()
    assert "Now exiting" in said, "it was stopped, not killed"


def test_killed_with_its_workers_a_shop_starts_again_with_every_order(tmp_path: Path) -> None:
    house = House(tmp_path)
    with serving(house, "--demo", "--workers", "2") as running:
        (key,) = house.run("keys", "create", "web", "--scope", "shop").out.split()
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "1", "Prefer": "wait=30"}
        url = f"{running.address}/v1/orders"
        first = httpx.post(url, json=basket(destination=DOOR), headers=headers, timeout=60)
        assert first.json()["status"] == "confirmed", first.text
        workers = children(running.pid)
        assert len(workers) >= 4, "two workers and two servers"
        running.process.kill()
        assert all(ends(pid, within=10) for pid in workers)
    with serving(house) as again:
        url = f"{again.address}/v1/orders"
        order = httpx.get(f"{url}/{first.json()['order_id']}", headers=headers, timeout=30).json()
        assert order["status"] == "confirmed"
        # The same request, a restart later: its first answer.
        retried = httpx.post(
            url, json=basket(destination=DOOR), headers={**headers, "Prefer": ""}, timeout=30
        )
        assert (retried.status_code, retried.headers["Idempotent-Replayed"]) == (201, "true")
        assert retried.json()["order_id"] == order["order_id"]
        assert house.run("log", "verify").code == 0


def test_a_shop_whose_mongod_dies_ends_in_one_line_and_starts_again(tmp_path: Path) -> None:
    house = House(tmp_path)
    with serving(house) as running:
        pids = json.loads((house.data / "servers.json").read_text())["pids"]
        os.kill(pids["mongodb"], signal.SIGKILL)
        assert running.process.wait(30) == 1
        assert ends(pids["redis"], within=10)
    complaint = running.lines[-1]
    assert complaint.startswith("shop: the embedded mongod ended"), running.lines
    assert "start the shop again" in complaint
    with serving(house) as again:
        assert httpx.get(f"{again.address}/readyz", timeout=30).status_code == 200


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            found.append(int(folder.name))
    return found


def test_of_what_a_killed_shop_left_nothing_confuses_the_next(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.data.mkdir()
    left = {"owner": 1, "stays": True, "ports": {"mongodb": 1}, "pids": {"mongodb": 1}}
    (house.data / "servers.json").write_text(json.dumps(left))
    ran = house.run("keys", "create", "web", "--scope", "shop")
    assert ran.code == 0, ran
    assert ran.out.startswith("sk_")
