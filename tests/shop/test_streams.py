"""What happens to an order, told as it happens: nothing twice, nothing lost, and nothing kept for
whoever has gone."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest

from bus import sse
from bus.envelope import Envelope
from bus.leaving import LEAVING, Leaving
from bus.messages import Busy
from delivery import arrival
from delivery.contract import AwaitDelivery
from shop.tracking import watch
from tests.shop.clients import DOOR, Body, Client, Running, problem
from tests.shop.listeners import Listener, Told, listening
from tests.waiting import eventually

VAN = {"lat": 47.15, "lon": 9.515}


def events_of(order: Body) -> str:
    return f"/v1/orders/{order['order_id']}/events"


async def scheduled(web: Client) -> Body:
    return await web.becomes(await web.placed(destination=DOOR), fulfillment_status="scheduled")


async def scan(carrier: Client, order: Body, status: str, **seen: Any) -> None:
    path = f"/v1/deliveries/{order['delivery_id']}/checkpoints"
    answer = await carrier.post(path, {"status": status, **seen})
    assert answer.status_code == 200, answer.text


async def shown(web: Client, order: Body, what: str = "") -> Body:
    found: Body = (await web.get(f"/v1/orders/{order['order_id']}{what}")).json()
    return found


async def to_the_door(web: Client, carrier: Client, order: Body) -> Body:
    """The order once it is completed."""
    for status in ("picked_up", "delivered"):
        await scan(carrier, order, status)
    return await web.becomes(order, status="completed")


def versions(told: list[Told]) -> list[int]:
    return [each.data["version"] for each in told if each.name == "order"]


async def test_it_begins_with_how_things_stand(shop: Running, web: Client) -> None:
    order = await scheduled(web)
    async with listening(shop.app, events_of(order), key=web.key) as listener:
        assert listener.status == 200
        assert listener.headers["content-type"].startswith("text/event-stream")
        assert listener.headers["cache-control"] == "no-store"
        first, second = await listener.next(), await listener.next()
        assert first == Told("order", str(order["version"]), await shown(web, order))
        delivery = await shown(web, order, "/delivery")
        assert second == Told("delivery", f"{order['version']}.1", delivery)
        assert 2_000 <= listener.retry <= 5_000


async def test_an_order_is_told_state_by_state_until_it_is_over(
    shop: Running, web: Client, carrier: Client
) -> None:
    order = await web.placed(wait=0, destination=DOOR)
    async with listening(shop.app, events_of(order), key=web.key, last="0") as listener:
        await web.becomes(order, fulfillment_status="scheduled")
        done = await to_the_door(web, carrier, order)
        told = await listener.rest()
    assert versions(told) == list(range(1, done["version"] + 1))
    assert told[-1] == Told("end", "", {"order_id": order["order_id"], "status": "completed"})
    orders = [each.data for each in told if each.name == "order"]
    assert orders[-1] == done
    assert [status for status, _ in itertools.groupby(each["status"] for each in orders)] == [
        "pending",
        "confirmed",
        "completed",
    ]
    deliveries = [each.data["status"] for each in told if each.name == "delivery"]
    assert deliveries[-1] == "delivered"
    ids = [each.id for each in told[:-1]]
    assert len(set(ids)) == len(ids)


async def test_whoever_comes_back_is_told_what_they_missed_and_nothing_twice(
    shop: Running, web: Client, carrier: Client
) -> None:
    order = await web.placed(wait=0, destination=DOOR)
    done = await to_the_door(web, carrier, await scheduled_from(web, order))
    heard: list[Told] = []
    last = "0"
    for _ in range(50):  # they lose the stream after every event
        async with listening(shop.app, events_of(order), key=web.key, last=last) as listener:
            if listener.status == 204:
                break
            told = await listener.next()
        if told.name == "end":
            break
        heard.append(told)
        last = told.id
    assert versions(heard) == list(range(1, done["version"] + 1))
    assert len({each.id for each in heard}) == len(heard)
    assert [each.data["status"] for each in heard if each.name == "delivery"] == ["delivered"]
    async with listening(shop.app, events_of(order), key=web.key, last=last) as listener:
        assert (listener.status, listener.body) == (204, b"")


async def scheduled_from(web: Client, order: Body) -> Body:
    return await web.becomes(order, fulfillment_status="scheduled")


async def test_a_plain_version_is_a_place_too(shop: Running, web: Client) -> None:
    order = await scheduled(web)
    version = order["version"]
    async with listening(shop.app, events_of(order), key=web.key, last=str(version - 2)) as missed:
        told = [await missed.next() for _ in range(3)]
    assert versions(told) == [version - 1, version]
    assert told[-1].id == f"{version}.1"


@pytest.mark.parametrize("last", ["", "x", "-1", "99999", "7.", "1.2.3-zz", "9" * 40, "1\u00e9"])
async def test_a_place_that_nobody_was_told_is_the_beginning(
    shop: Running, web: Client, last: str
) -> None:
    order = await scheduled(web)
    async with listening(shop.app, events_of(order), key=web.key, last=last) as listener:
        assert (await listener.next()).id == str(order["version"])


async def test_a_van_is_seen_to_move_and_its_arrival_to_change(
    shop: Running, web: Client, carrier: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "ASKED_EVERY", timedelta(milliseconds=300))
    order = await scheduled(web)
    async with listening(shop.app, events_of(order), key=web.key) as listener:
        await listener.next("delivery")
        await scan(carrier, order, "en_route", position=VAN)
        first = (await listener.next("delivery")).data
        assert first["position"]["lat"] == VAN["lat"]
        assert first["distance_remaining_m"] > 2_000
        await scan(carrier, order, "en_route", position={"lat": 47.16, "lon": 9.512})
        second = (await listener.next("delivery")).data
        assert second["distance_remaining_m"] < first["distance_remaining_m"]
        # Shortened at once; and once the router has been asked again, exact.
        again = (await listener.next("delivery")).data
        assert again["position"] == second["position"]
        assert again == await shown(web, order, "/delivery")


async def test_an_order_that_ends_without_a_delivery_is_over_too(
    shop: Running, web: Client
) -> None:
    order = await web.placed(items=[{"sku": "SCARCE", "quantity": 50}])
    assert order["status"] == "rejected"
    async with listening(shop.app, events_of(order), key=web.key) as listener:
        told = await listener.rest()
    assert [each.name for each in told] == ["order", "end"]


async def test_a_cancelled_order_is_told_to_its_end(shop: Running, web: Client) -> None:
    order = await scheduled(web)
    async with listening(shop.app, events_of(order), key=web.key) as listener:
        await web.post(f"/v1/orders/{order['order_id']}/cancel", {})
        told = await listener.rest()
    orders = [each.data["status"] for each in told if each.name == "order"]
    assert [status for status, _ in itertools.groupby(orders)] == [
        "confirmed",
        "cancelling",
        "cancelled",
    ]
    assert told[-1].data["status"] == "cancelled"
    assert [each.data["status"] for each in told if each.name == "delivery"][-1] == "cancelled"


async def test_an_unknown_order_and_anothers_are_told_as_everywhere(
    shop: Running, web: Client
) -> None:
    order = await web.placed(wait=0)
    other = await shop.client()
    for client, path in ((other, events_of(order)), (web, "/v1/orders/ghost/events")):
        problem(await client.get(path), 404, "unknown_order")
    problem(await shop.with_key(None).get(events_of(order)), 401, "unauthorized")


async def test_silence_is_broken_by_a_comment(
    shop: Running, web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sse.HEARTBEAT == 15.0
    monkeypatch.setattr(sse, "HEARTBEAT", 0.05)
    order = await scheduled(web)
    async with listening(shop.app, events_of(order), key=web.key) as listener:
        await listener.next("delivery")
        await eventually(lambda: listener.comments >= 3)
        assert listener.waiting == 0


async def test_a_key_that_is_revoked_closes_its_streams(
    shop: Running, web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "CHECKED", 0.05)
    order = await scheduled(web)
    other = await shop.client(name=web.principal.partition(":")[2])
    async with (
        listening(shop.app, events_of(order), key=web.key) as listener,
        listening(shop.app, events_of(order), key=other.key) as stays,
    ):
        await listener.next("delivery")
        await shop.keys.revoke(web.key or "")
        assert [each.name for each in await listener.rest()] == []
        assert not stays.over


async def test_a_process_that_is_about_to_end_ends_its_streams(shop: Running, web: Client) -> None:
    order = await scheduled(web)
    leaving = Leaving()
    path = events_of(order)
    async with (
        listening(shop.app, path, key=web.key, state={LEAVING: leaving}) as first,
        listening(shop.app, path, key=web.key, state={LEAVING: leaving}) as second,
    ):
        await first.next("delivery")
        await second.next("delivery")
        leaving.begin()
        assert await first.rest() == await second.rest() == []
        async with listening(shop.app, path, key=web.key, state={LEAVING: leaving}) as late:
            assert await late.rest() == []


async def test_when_as_many_listen_as_may_who_comes_is_told_to_come_again(
    shop: Running, web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await scheduled(web)
    monkeypatch.setattr(sse, "MOST", sse.EventStream.listeners + 1)
    async with listening(shop.app, events_of(order), key=web.key) as listener:
        await listener.next("delivery")
        turned_away = await web.get(events_of(order))
        problem(turned_away, 503, "busy")
        assert turned_away.headers["retry-after"] == "5"
    async with listening(shop.app, events_of(order), key=web.key) as listener:
        await listener.next("delivery")


async def test_whoever_has_gone_leaves_nothing_behind(shop: Running, web: Client) -> None:
    orders = [await scheduled(web) for _ in range(2)]
    before = watches()
    async with (
        listening(shop.app, events_of(orders[0]), key=web.key) as first,
        listening(shop.app, events_of(orders[0]), key=web.key) as second,
        listening(shop.app, events_of(orders[1]), key=web.key) as third,
    ):
        for listener in (first, second, third):
            await listener.next("delivery")
        assert len(watches() - before) == 4, "a task for each order and each delivery"
        await first.leave()
        assert len(watches() - before) == 4
    await eventually(lambda: not watches() - before)


def watches() -> set[asyncio.Task[Any]]:
    """The tasks that watch orders."""
    return {each for each in asyncio.all_tasks() if each.get_name().startswith("watch:")}


async def test_whoever_is_slow_is_told_the_latest_and_nothing_waits_for_them(
    shop: Running, web: Client, carrier: Client
) -> None:
    order = await scheduled(web)
    async with listening(shop.app, events_of(order), key=web.key) as listener:
        await listener.next("delivery")
        listener.reading.clear()
        for step in range(20):
            await scan(carrier, order, "en_route", position={"lat": 47.15 + step / 2e3, "lon": 9.5})
        listener.reading.set()
        await eventually(lambda: newest(listener) == 20)
        told = [await listener.next() for _ in range(listener.waiting)]
    deliveries = [each for each in told if each.name == "delivery"]
    assert len(deliveries) <= 3, "what was overtaken is not sent"
    assert len(deliveries[-1].data["checkpoints"]) == 20


def newest(listener: Listener) -> int:
    """How many checkpoints the newest delivery has that a listener was told and did not look at."""
    waiting: Any = listener._events._queue  # type: ignore[attr-defined]
    found = [each.data["checkpoints"] for each in waiting if each.name == "delivery"]
    return max(map(len, found), default=0)


async def test_a_watch_goes_on_when_what_it_asks_is_away_for_a_moment(
    shop: Running, web: Client, carrier: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PAUSE", 0.01)
    failures = iter([Busy("away")] * 5)
    request = shop.platform.transport.request

    async def flaky(envelope: Envelope[Any]) -> Any:
        if isinstance(envelope.message, AwaitDelivery) and (failure := next(failures, None)):
            raise failure
        return await request(envelope)

    monkeypatch.setattr(shop.platform.transport, "request", flaky)
    order = await scheduled(web)
    async with listening(shop.app, events_of(order), key=web.key) as listener:
        assert (await listener.next("delivery")).data["status"] == "scheduled"
        assert next(failures, None) is None


async def test_what_happens_on_another_replica_is_told_here(
    shop: Running, web: Client, carrier: Client, another: Running
) -> None:
    order = await scheduled(web)
    async with (
        listening(shop.app, events_of(order), key=web.key) as here,
        listening(another.app, events_of(order), key=web.key) as there,
    ):
        for listener in (here, there):
            await listener.next("delivery")
        done = await to_the_door(web, carrier, order)
        told = [await listener.rest() for listener in (here, there)]
    for each in told:
        assert versions(each) == list(range(order["version"] + 1, done["version"] + 1))
        assert each[-1].name == "end"
    place = told[0][1].id
    async with listening(another.app, events_of(order), key=web.key, last=place) as there:
        again = await there.rest()
    assert versions(again) == versions(told[0][2:])
