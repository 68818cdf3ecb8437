"""`/metrics` as Prometheus and an operator see it: open, quick, right for all workers, whatever is
away, and with no word in it that a client sent."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from pymongo import MongoClient
from starlette.applications import Starlette

import bus.metrics
import shop.figures
import shop.metrics
from bus.partitions import PARTITIONS
from ordering.contract import Status
from ordering.views import ORDERS
from shop import embedded
from shop import figures as figures_module
from shop.vitals import vitals
from tests.counting import Figures, figure
from tests.hanging import hanging
from tests.shop.clients import Client, Running
from tests.shop.commands import House, serving
from tests.waiting import eventually


def instruments() -> Iterator[Any]:
    for module in (bus.metrics, shop.metrics, shop.figures):
        for each in vars(module).values():
            if isinstance(each, Counter | Gauge | Histogram):
                yield each


@pytest.mark.parametrize("one", list(instruments()), ids=lambda one: one._name)
def test_an_instrument_is_named_as_prometheus_wants_it_and_says_what_it_tells(one: Any) -> None:
    assert re.fullmatch(r"storefold(_[a-z]+)+", one._name)
    assert len(one._documentation) > 20
    if isinstance(one, Histogram):
        assert one._name.endswith(("_seconds", "_size"))
    if isinstance(one, Gauge):
        assert one._multiprocess_mode.startswith("live"), "what has ended shows nothing"


async def metrics(client: Client, **headers: str) -> httpx.Response:
    answer = await client.get("/metrics", **headers)
    assert answer.status_code == 200
    return answer


async def test_it_needs_no_key_and_is_text_or_openmetrics(shop: Running) -> None:
    anybody = shop.with_key(None)
    plain = await metrics(anybody)
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = {family.name for family in read_text(plain.text)}
    open_ = await metrics(anybody, accept="application/openmetrics-text; version=1.0.0")
    assert open_.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    read: Any = openmetrics.text_string_to_metric_families
    assert {family.name for family in read(open_.text)} == names
    assert {"storefold_http_requests", "storefold_reader_lag_events"} <= names
    assert {"process_resident_memory_bytes", "storefold_build_info"} <= names
    assert "_created" not in plain.text


async def test_requests_are_counted_by_the_routes_template(shop: Running, web: Client) -> None:
    figures = Figures()
    anybody = shop.with_key(None)
    order = await web.placed()
    for _ in range(3):
        await web.get(f"/v1/orders/{order['order_id']}")
    await web.get("/v1/orders/ord_nobody-has-it")
    await web.get("/v1/balances/canary-buyer?canary=1")
    await anybody.get("/v1/orders")
    await anybody.get("/canary")
    await anybody.http.request("CANARY", "/v1/orders")
    await anybody.http.request("PUT", "/v1/orders")

    counted = figures.grown("storefold_http_requests_total", "method", "route", "status")
    assert counted == {
        ("POST", "/v1/orders", "201"): 1,
        ("GET", "/v1/orders/{order_id}", "200"): 3,
        ("GET", "/v1/orders/{order_id}", "404"): 1,
        ("GET", "/v1/balances/{buyer_id}", "422"): 1,
        ("GET", "/v1/orders", "401"): 1,
        ("GET", "none", "404"): 1,
        ("other", "/v1/orders", "405"): 1,
        ("PUT", "/v1/orders", "405"): 1,
    }
    timed = figures.grown("storefold_http_request_seconds_count", "route", "status")
    assert timed["/v1/orders/{order_id}", "2xx"] == 3
    assert figure("storefold_http_requests_in_flight") == 0
    shown = (await metrics(anybody)).text.lower()
    assert "canary" not in shown
    assert order["order_id"] not in shown


async def test_a_request_that_goes_wrong_is_counted_too(
    shop: Running, web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: Any) -> None:
        raise ValueError("planted")

    figures = Figures()
    monkeypatch.setattr("shop.web.read", wrong)
    assert (await web.get("/v1/orders")).status_code == 500
    monkeypatch.setattr("shop.web.failed", wrong)
    with pytest.raises(ValueError, match="planted"):
        await web.get("/v1/orders")
    assert figures.grown("storefold_http_requests_total", "route", "status") == {
        ("/v1/orders", "500"): 2
    }
    assert figure("storefold_http_requests_in_flight") == 0


@pytest.fixture
def anybody(shop: Running, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Somebody without a key, for whom orders are counted each time anew."""
    monkeypatch.setattr(figures_module, "SELDOM", 0.0)
    monkeypatch.setattr(figures_module, "SHARE", 0)
    return shop._replace(app=Starlette(routes=vitals(shop.platform))).with_key(None)


async def test_orders_are_counted_by_their_status(
    shop: Running, web: Client, anybody: Client
) -> None:
    async def orders() -> dict[str, float]:
        families = read_text((await metrics(anybody)).text)
        (found,) = (family for family in families if family.name == "storefold_orders")
        return {sample.labels["status"]: sample.value for sample in found.samples}

    async def all_counted() -> Any:
        asked = {"doc.status": "confirmed"}
        return (await orders())["confirmed"] == view.count_documents(asked) > 0

    await web.placed()
    view = next(v for v in shop.platform.contexts["ordering"].views if v.view is ORDERS).collection
    await eventually(all_counted)
    assert set(await orders()) == set(get_args(Status))
    assert figure("storefold_counted_timestamp_seconds") > time.time() - 60


async def test_while_mongodb_hangs_it_is_there_and_quick(
    anybody: Client, mongo: MongoClient[dict[str, Any]]
) -> None:
    await metrics(anybody)
    pid = int(mongo.admin.command("serverStatus")["pid"])
    with hanging(pid):
        began = time.monotonic()
        shown = [await metrics(anybody)]  # if one was counting, it has heard what it will hear
        counted = figure("storefold_counted_timestamp_seconds")
        shown += [await metrics(anybody) for _ in range(2)]
        assert time.monotonic() - began < 5
    assert all("storefold_orders{" in each.text for each in shown)
    assert figure("storefold_counted_timestamp_seconds") == counted, "and says how old it is"


@pytest.fixture
def house(servers: embedded.Servers, prefix: str, redis_url: str, tmp_path: Path) -> House:
    assert servers.mongodb_url
    return House(
        tmp_path / "house",
        SHOP_MONGODB_URL=servers.mongodb_url,
        SHOP_REDIS_URL=redis_url,
        SHOP_MONGODB_PREFIX=prefix,
        TMPDIR=str(tmp_path),
    )


async def got(address: str, path: str) -> httpx.Response:
    """An answer over a connection of its own: of whichever worker takes it."""
    async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
        return await http.get(path)


async def samples(address: str) -> dict[tuple[str, ...], float]:
    """Each sample, by its name and its labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in read_text((await got(address, "/metrics")).text)
        for sample in family.samples
    }


NOWHERE = ("storefold_http_requests_total", "GET", "none", "404")
READER = "ordering.checkout<ordering"


def at_work(found: dict[tuple[str, ...], float]) -> set[int]:
    """The processes whose memory is told."""
    return {int(key[1]) for key in found if key[0] == "process_resident_memory_bytes"}


async def test_of_several_workers_it_shows_the_sum_and_a_dead_one_is_in_it(house: House) -> None:
    asked = 40
    with serving(house, "--workers", "2") as running:
        for _ in range(asked):
            await got(running.address, "/nowhere")

        async def settled() -> Any:
            found = await samples(running.address)
            shared = found.get(("storefold_reader_partitions", READER)) == PARTITIONS
            alone = found["storefold_http_requests_in_flight",] == 1  # this one
            return found if shared and alone and len(at_work(found)) == 2 else None

        found: dict[tuple[str, ...], float] = await eventually(settled)
        assert found[NOWHERE] == asked
        dead, _ = at_work(found)
        os.kill(dead, signal.SIGKILL)

        async def buried() -> Any:
            with suppress(httpx.TransportError):  # it had taken this one
                found = await samples(running.address)
                return dead not in at_work(found) and found[NOWHERE] == asked
            return False

        await eventually(buried)
        assert list(house.folder.parent.glob("storefold-metrics-*"))
    assert not list(house.folder.parent.glob("storefold-metrics-*")), "it tidies up"


async def test_who_only_works_tells_how_it_goes_on_a_port_if_asked_to(house: House) -> None:
    with serving(house, command="work") as worker:

        async def held() -> Any:
            found = await samples(worker.address)
            return found.get(("storefold_reader_partitions", READER)) == PARTITIONS

        await eventually(held)
        ready = await got(worker.address, "/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
        assert (await got(worker.address, "/v1/orders")).status_code == 404
        assert worker.ends(signal.SIGTERM, within=20) == 0
        assert worker.lines == [f"ready to work {worker.address}\n"], "nobody asked for more"
