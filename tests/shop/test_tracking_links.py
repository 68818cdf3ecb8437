"""A link that shows an order to whoever has it, for a while; and the page behind it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest
from itsdangerous import TimestampSigner

from bus import sse
from bus.messages import now
from tests.shop.clients import DOOR, Body, Client, Running, problem
from tests.shop.listeners import listening
from tests.waiting import eventually

LIFETIME = timedelta(hours=48)


async def link_to(web: Client, order: Body) -> Body:
    answer = await web.post(f"/v1/orders/{order['order_id']}/tracking", {})
    assert answer.status_code == 200, answer.text
    link: Body = answer.json()
    return link


async def scheduled(web: Client) -> Body:
    return await web.becomes(await web.placed(destination=DOOR), fulfillment_status="scheduled")


def made(monkeypatch: pytest.MonkeyPatch, ago: timedelta) -> None:
    """What is signed from here on was signed some time ago."""
    then = int(time.time() - ago.total_seconds())
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda signer: then)


async def test_a_link_opens_the_page_of_its_order_with_no_key(shop: Running, web: Client) -> None:
    order = await scheduled(web)
    link = await link_to(web, order)
    assert link["url"] == f"http://shop/v1/track/{link['token']}"
    left = datetime.fromisoformat(link["expires_at"]) - now()
    assert LIFETIME - timedelta(minutes=1) < left <= LIFETIME
    page = await shop.with_key(None).get(f"/v1/track/{link['token']}")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert order["order_id"] in page.text
    assert "Getting ready" in page.text


async def test_nobody_makes_a_link_to_another_clients_order(shop: Running, web: Client) -> None:
    order = await web.placed(wait=0)
    answer = await (await shop.client()).post(f"/v1/orders/{order['order_id']}/tracking", {})
    problem(answer, 404, "unknown_order")


async def test_the_page_is_told_of_every_change(
    shop: Running, web: Client, carrier: Client
) -> None:
    order = await scheduled(web)
    path = f"/v1/track/{(await link_to(web, order))['token']}/events"
    async with (
        listening(shop.app, path) as first,
        listening(shop.app, path) as second,
    ):
        for listener in (first, second):
            assert (await listener.next("progress")).data["title"] == "Getting ready"
        scans = f"/v1/deliveries/{order['delivery_id']}/checkpoints"
        await carrier.post(scans, {"status": "en_route", "position": {"lat": 47.15, "lon": 9.51}})
        for listener in (first, second):
            told = await listener.next("progress")
            while told.data["title"] != "On its way":
                told = await listener.next("progress")
            assert told.data["etas"]
            assert "svg" in told.data["parts"]["where-0"]
        await carrier.post(scans, {"status": "delivered"})
        for listener in (first, second):
            last = await listener.rest()
            assert last[-2].data["title"] == "Delivered"
            assert last[-1].name == "end"


@pytest.mark.parametrize("token", ["x", "a.b.c", "🚚", "..", "%00", "x" * 5_000])
async def test_a_forged_link_leads_nowhere(shop: Running, token: str) -> None:
    nobody = shop.with_key(None)
    page = await nobody.get(f"/v1/track/{token}")
    assert page.status_code == 404
    if token != "..":
        assert "There is nothing here" in page.text
        problem(await nobody.get(f"/v1/track/{token}/events"), 404, "unknown_tracking_link")


async def test_a_link_is_for_one_order_and_not_to_be_changed(shop: Running, web: Client) -> None:
    first, second = await link_to(web, await web.placed()), await link_to(web, await web.placed())
    payload, stamp, signature = first["token"].split(".")
    other = second["token"].split(".")
    for token in (
        ".".join((other[0], stamp, signature)),
        ".".join((payload, stamp, other[2])),
        ".".join((payload, stamp, signature[::-1])),
    ):
        assert (await shop.with_key(None).get(f"/v1/track/{token}")).status_code == 404


async def test_a_link_whose_time_is_over_says_so(
    shop: Running, web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await scheduled(web)
    with monkeypatch.context() as then:
        made(then, LIFETIME + timedelta(seconds=1))
        token = (await link_to(web, order))["token"]
    page = await shop.with_key(None).get(f"/v1/track/{token}")
    assert page.status_code == 410
    assert "This link has expired" in page.text
    assert order["order_id"] not in page.text
    events = await shop.with_key(None).get(f"/v1/track/{token}/events")
    problem(events, 410, "tracking_link_expired")


async def test_a_page_hears_no_more_once_its_link_is_over(
    shop: Running, web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "CHECKED", 0.05)
    order = await scheduled(web)
    with monkeypatch.context() as then:
        made(then, LIFETIME - timedelta(seconds=2))
        token = (await link_to(web, order))["token"]
    async with listening(shop.app, f"/v1/track/{token}/events") as listener:
        await listener.next("progress")
        await eventually(lambda: listener.over)
        assert [each.name for each in await listener.rest()] == []


async def test_an_order_that_has_ended_has_a_page_that_is_told_nothing_more(
    shop: Running, web: Client
) -> None:
    order = await web.placed(items=[{"sku": "SCARCE", "quantity": 50}])
    link = await link_to(web, order)
    page = await shop.with_key(None).get(f"/v1/track/{link['token']}")
    assert "Order not accepted" in page.text
    assert 'data-live=""' in page.text
    async with listening(shop.app, f"/v1/track/{link['token']}/events") as listener:
        assert [each.name for each in await listener.rest()] == ["progress", "end"]
