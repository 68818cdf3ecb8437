"""Slots, as the web shop and the shop's own people see them: chosen, booked, full, free again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import httpx
import pytest

from tests.journeys.conftest import Stock, Stocked
from tests.journeys.shops import DOOR, Order, Web, basket, calling, gathered
from tests.waiting import eventually

BUYERS, PLACES = 200, 20


class Windowed(NamedTuple):
    """A shop with slots, and the web shop's server calling each of its processes."""

    shop: Stocked
    webs: list[Web]

    def standing(self, slot_id: str) -> tuple[int, int, int]:
        """What is held, booked and free in a slot."""
        (row,) = (
            each for each in self.shop.shop.rows("slots", "list") if each["slot_id"] == slot_id
        )
        return row["held"], row["booked"], row["free"]

    async def becomes(self, slot_id: str, held: int, booked: int, free: int) -> None:
        async def look() -> Any:
            found = await asyncio.to_thread(self.standing, slot_id)
            return found == (held, booked, free)

        await eventually(look, within=30, every=0.2)


@pytest.fixture
async def windowed(stock: Stock, request: pytest.FixtureRequest) -> AsyncIterator[Windowed]:
    shop = stock()
    days = ("--days", "mon-sun", "--window", "00:00-24:00")
    shop.shop.cli("slots", "set", "vaduz", *days, "--capacity", str(PLACES))
    async with AsyncExitStack() as stack:
        webs = []
        for _ in range(request.param):
            process = stack.enter_context(shop.shop.serve())
            webs.append(await stack.enter_async_context(calling(process.address, shop.keys.web)))
        yield Windowed(shop, webs)


async def slots(web: Web, sku: str) -> list[str]:
    """The slots that a quote offers."""
    quote = (
        await web.post("/v1/quotes", {"items": basket(sku)["items"], "destination": DOOR})
    ).json()
    return [slot["slot_id"] for slot in quote["slots"]]


@pytest.mark.parametrize(
    "windowed", [1, pytest.param(2, marks=pytest.mark.long)], indirect=True, ids=["one", "two"]
)
async def test_of_two_hundred_orders_for_twenty_places_exactly_twenty_are_placed(
    windowed: Windowed, sku: str
) -> None:
    first = windowed.webs[0]
    slot_id, *others = await slots(first, sku)
    lanes = asyncio.Semaphore(64)

    async def order(number: int) -> httpx.Response:
        body = basket(sku, slot_id=slot_id, buyer_id=f"buyer-{number}")
        web = windowed.webs[number % len(windowed.webs)]
        async with lanes:
            while True:
                answer = await web.post("/v1/orders", body, key=f"order-{number}", wait=20)
                if answer.status_code != 503:
                    return answer
                await asyncio.sleep(float(answer.headers["Retry-After"]))

    answers = await gathered(*map(order, range(BUYERS)))
    assert Counter(answer.status_code for answer in answers) == {201: PLACES, 409: BUYERS - PLACES}
    placed = [answer.json() for answer in answers if answer.status_code == 201]
    assert {(each["status"], each["slot"]["slot_id"]) for each in placed} == {
        ("confirmed", slot_id)
    }
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"slot_full"}
    await windowed.becomes(slot_id, held=0, booked=PLACES, free=0)
    assert await slots(first, sku) == others
    assert await deliveries_in(first, placed) == {slot_id}

    cancelled = await first.change(placed[0], "cancel", {})
    assert cancelled["status"] == "cancelled"
    assert slot_id in await slots(first, sku)
    assert (await first.place(sku, slot_id=slot_id))["status"] == "confirmed"
    await windowed.becomes(slot_id, held=0, booked=PLACES, free=0)

    for wrong, code in (
        (slot_id, "slot_full"),
        (slot_id.replace("0000-2400", "0000-2300"), "unknown_slot"),
        (slot_id.replace("vaduz", "schaan"), "unknown_slot"),
        ("vaduz:2020-01-01:0000-2400", "slot_over"),
    ):
        refused = await first.post("/v1/orders", basket(sku, slot_id=wrong))
        assert (refused.status_code, refused.json()["code"]) == (409, code)

    declined = {"method": "card", "token": "pm_card_chargeDeclined"}
    waiting = await first.place(sku, slot_id=others[0], payment=declined)
    assert (waiting["status"], waiting["payment_status"]) == ("pending", "declined")
    await windowed.becomes(others[0], held=1, booked=0, free=PLACES - 1)
    assert (await first.change(waiting, "cancel", {}))["status"] == "cancelled"
    await windowed.becomes(others[0], held=0, booked=0, free=PLACES)


async def deliveries_in(web: Web, placed: list[Order]) -> set[str]:
    """The slots in which the deliveries of these orders come."""

    async def slot_of(order: Order) -> Any:
        found = await web.delivery_becomes(order, "scheduled")
        return found["slot"]["slot_id"]

    return set(await gathered(*map(slot_of, placed)))
