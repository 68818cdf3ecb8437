"""The tracking page as its viewers see it, in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from playwright.async_api import Browser, Route

from shop.tracking.page import Looks
from tests.browser.conftest import DESK, NARROW, PHONE, Seen, Served, looking
from tests.journeys.conftest import HERE, THERE, Stock
from tests.journeys.shops import Order, Web, calling
from tests.shop.tracked import moving, order, page_of
from tests.waiting import eventually

CHECKS = (Path(__file__).parent / "checks.js").read_text()

WAREHOUSE = {"lat": 47.1415, "lon": 9.5215}

MARK = "window.marked = true"

CROSSED = """[...document.querySelectorAll(".parcel > :not(:empty):not(.where)")]
    .filter((part, n, all) => n + 1 < all.length)
    .filter((part, n) => {
        const next = getComputedStyle(part.nextElementSibling), own = getComputedStyle(part);
        return parseFloat(next.borderTopWidth) && parseFloat(own.paddingBottom) < 8;
    })
    .map((part) => part.className)"""
"""The parts of a parcel whose words stand on the line below them."""


@pytest.fixture
async def web(served: Served) -> AsyncIterator[Web]:
    async with calling(served.address, served.stocked.keys.web) as caller:
        yield caller


@pytest.fixture
async def carrier(served: Served) -> AsyncIterator[Web]:
    async with calling(served.address, served.stocked.keys.carrier) as caller:
        yield caller


async def link_to(web: Web, order: Order) -> str:
    answer = await web.post(f"/v1/orders/{order['order_id']}/tracking", {})
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["url"]
    return url


async def on_the_road(web: Web, carrier: Web, sku: str = "THING-2") -> tuple[Order, list[Any]]:
    """An order whose van is about to leave, and the points of its way."""
    order = await web.place(sku)
    await web.delivery_becomes(order, "scheduled")
    seen = await carrier.checkpoint(order, "en_route", position=WAREHOUSE)
    return order, seen["route"]["coordinates"]


async def drive(carrier: Web, order: Order, point: list[float]) -> None:
    await carrier.checkpoint(order, "en_route", position={"lat": point[1], "lon": point[0]})


async def test_a_van_is_watched_from_the_warehouse_to_the_door(
    browser: Browser, served: Served, web: Web, carrier: Web, tmp_path: Path
) -> None:
    order = await web.place("THING-2")
    await web.delivery_becomes(order, "scheduled")
    async with looking(browser) as seen:
        await seen.page.goto(await link_to(web, order))
        await seen.page.evaluate(MARK)
        assert await seen.text("h1") == "Getting ready"
        assert await seen.page.locator("svg").count() == 0

        delivery = await carrier.checkpoint(order, "picked_up", position=WAREHOUSE)
        await seen.shows("h1", "Picked up")
        await seen.shows("[id=eta-0]", "Arrives at")
        path = delivery["route"]["coordinates"]
        places, lefts = [], []
        arrival = await seen.attribute("[data-until]", "data-until")
        for point in (path[len(path) // 4], path[len(path) // 2], path[3 * len(path) // 4]):
            before = await seen.attribute(".van", "data-y")
            await drive(carrier, order, point)
            await seen.shows("h1", "On its way")
            places.append(await eventually(partial(moved, seen, before)))
            lefts.append(await seen.text(".eta .rest"))
        assert len(set(places)) == len(set(lefts)) == 3
        sooner: str = await eventually(
            partial(arrives_anew, seen, arrival), within=30
        )  # asked again
        assert sooner < arrival
        there = datetime.fromisoformat(sooner).astimezone(ZoneInfo("Europe/Vaduz"))
        assert await seen.text(".eta .hour") == f"{there:%-H:%M}", "as the viewer's clock has it"
        assert lefts[0].startswith("in "), lefts

        await carrier.checkpoint(order, "arrived")
        await seen.shows("h1", "At your door")
        await carrier.checkpoint(order, "delivered", proof={"name": "A. Marxer"})
        await seen.shows("h1", "Delivered")
        await seen.shows(".facts", "A. Marxer")
        await seen.shows("#news", "Delivered.")
        assert await seen.page.title() == "Delivered"
        assert await seen.page.locator("svg").count() == 0
        assert await seen.page.evaluate("window.marked"), "it was not loaded anew"
        assert seen.complaints == []
        asked = {address.partition("/v1/")[0] for address in seen.addresses}
        assert {each for each in asked if not each.startswith("data:")} == {served.address}


async def arrives_anew(seen: Seen, before: str) -> Any:
    now = await seen.attribute("[data-until]", "data-until")
    return now if now != before else ""


async def moved(seen: Seen, before: str) -> Any:
    now = await seen.attribute(".van", "data-y")
    return now if now != before else ""


async def test_it_is_readable_in_every_light_and_on_every_screen(
    browser: Browser, web: Web, carrier: Web, tmp_path: Path
) -> None:
    order, path = await on_the_road(web, carrier, "THING-3")
    await drive(carrier, order, path[len(path) // 3])
    link = await link_to(web, order)
    for name, size in (("phone", PHONE), ("desk", DESK), ("narrow", NARROW)):
        for scheme in ("light", "dark"):
            async with looking(browser, size, scheme, device_scale_factor=2) as seen:
                await seen.page.goto(link)
                await seen.shows(".eta", "Arrives at")
                assert await seen.page.evaluate(CHECKS) == []
                assert await seen.page.evaluate(CROSSED) == []
                assert seen.complaints == []
                await seen.shot(f"{name}-{scheme}", tmp_path)


async def test_an_order_that_is_called_off_is_seen_to_be(browser: Browser, web: Web) -> None:
    order = await web.place("THING-7")
    await web.delivery_becomes(order, "scheduled")
    async with looking(browser) as seen:
        await seen.page.goto(await link_to(web, order))
        assert await seen.page.locator(".parcel").count() == 1
        await web.change(order, "cancel", {})
        await seen.shows("h1", "Order cancelled")
        await eventually(partial(none_left, seen, ".parcel"))
        assert await seen.page.evaluate(CHECKS) == []


async def test_parcels_of_one_order_are_seen_to_come_each_by_itself(
    browser: Browser, stock: Stock
) -> None:
    shop = stock()  # the real roads end before the other warehouse
    both = [{"sku": HERE, "quantity": 1}, {"sku": THERE, "quantity": 1}]
    with shop.shop.serve() as process:
        async with (
            looking(browser) as seen,
            calling(process.address, shop.keys.web) as web,
            calling(process.address, shop.keys.vans) as vans,
        ):
            order = await web.place(HERE, items=both)
            _, there = (await web.becomes(order, fulfillment_status="scheduled"))["shipments"]
            await seen.page.goto(await link_to(web, order))
            await seen.shows("#name-1", "Parcel 2: Getting ready")
            await vans.checkpoint(there, "en_route", position=WAREHOUSE)
            await seen.shows("#name-1", "Parcel 2: On its way")
            assert await seen.text("#name-0") == "Parcel 1: Getting ready"
            assert await seen.text("h1") == "On its way"
            assert await seen.page.locator("#where-1 svg .van").count() == 1
            assert await seen.page.evaluate(CHECKS) == []


async def none_left(seen: Seen, what: str) -> Any:
    return await seen.page.locator(what).count() == 0


async def test_without_a_script_it_shows_how_things_stand(
    browser: Browser, web: Web, carrier: Web
) -> None:
    order, _ = await on_the_road(web, carrier, "THING-4")
    async with looking(browser, java_script_enabled=False) as seen:
        await seen.page.goto(await link_to(web, order))
        assert await seen.text("h1") == "On its way"
        assert "UTC" in await seen.text(".eta .hour")
        assert await seen.page.locator("svg .van").count() == 1
        assert await seen.page.locator("li.now").inner_text() != ""


async def test_who_loses_the_connection_is_told_and_then_told_what_was_missed(
    browser: Browser, web: Web, carrier: Web
) -> None:
    order, path = await on_the_road(web, carrier, "THING-5")
    async with looking(browser) as seen:
        await seen.page.goto(await link_to(web, order))
        await seen.shows(".eta", "Arrives at")
        before = await seen.attribute(".van", "data-y")
        await seen.page.context.set_offline(True)
        await seen.shows("#offline", "No connection")
        await drive(carrier, order, path[len(path) // 2])
        await seen.page.context.set_offline(False)
        await eventually(lambda: moved(seen, before))
        await seen.page.locator("#offline").wait_for(state="hidden")


async def test_who_wants_no_motion_sees_none(browser: Browser, web: Web, carrier: Web) -> None:
    order, _ = await on_the_road(web, carrier, "THING-6")
    link = await link_to(web, order)
    for wanted, motion in (("no-preference", "1.2s"), ("reduce", "0s")):
        async with looking(browser, reduced_motion=wanted) as seen:
            await seen.page.goto(link)
            style = "getComputedStyle(document.querySelector('.van')).transitionDuration"
            assert await seen.page.evaluate(style) == motion


async def test_tiles_come_from_their_host_alone_and_the_keyboard_reaches_who_made_them(
    browser: Browser, tmp_path: Path
) -> None:
    credit = '© <a href="https://tiles.example/c">The people of the map</a>'
    looks = Looks("https://tiles.example/{z}/{x}/{y}.png", credit)
    told = moving()
    html = page_of(order(), told, looks=looks, live=False)

    async def answered(route: Route) -> None:
        if "tiles.example" in route.request.url:
            await route.fulfill(body=tile(), content_type="image/png")
        else:
            await route.fulfill(body=html, content_type="text/html", headers=dict(looks.headers))

    async with looking(browser) as seen:
        await seen.page.route("**/*", answered)
        await seen.page.goto("http://shop.example/v1/track/x")
        await seen.page.wait_for_load_state("networkidle")
        assert await seen.page.evaluate(CHECKS) == []
        assert seen.complaints == []
        hosts = {address.split("/")[2] for address in seen.addresses if "//" in address[:8]}
        assert hosts == {"shop.example", "tiles.example"}
        await seen.page.keyboard.press("Tab")
        focused = "document.activeElement.textContent"
        assert await seen.page.evaluate(focused) == "The people of the map"
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert await seen.page.evaluate(outline) == "solid"
        await seen.shot("tiles", tmp_path)


def tile() -> bytes:
    drawn = BytesIO()
    Image.new("RGB", (256, 256), "#dfe8dc").save(drawn, "PNG")
    return drawn.getvalue()


@pytest.mark.parametrize("token", ["nonsense", "a.b.c"])
async def test_a_link_that_leads_nowhere_is_a_page_that_says_so(
    browser: Browser, served: Served, token: str
) -> None:
    async with looking(browser) as seen:
        answer = await seen.page.goto(f"{served.address}/v1/track/{token}")
        assert answer is not None
        assert answer.status == 404
        assert await seen.text("h1") == "There is nothing here"
        assert await seen.page.evaluate(CHECKS) == []
