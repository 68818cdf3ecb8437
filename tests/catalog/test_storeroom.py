"""Reserving, allocating, shipping on the real log, many at once."""

import asyncio
from collections import Counter
from datetime import timedelta

from bus.context import Context
from bus.dispatch import Bus
from bus.messages import now
from bus.platform import Platform
from catalog.commands import ChangePrice
from catalog.contract import (
    AllocateStock,
    FindShort,
    GetOffers,
    Offer,
    Offers,
    ReleaseStock,
    ReserveStock,
    ShipStock,
    StockDenied,
    StockReserved,
)
from catalog.stock_commands import GetStock, ReceiveStock, StockLevel
from tests.catalog.conftest import EITHER, Stock, until
from tests.catalog.histories import DEARER, LATER, PRICE, back, line, lots, wanted

pytestmark = EITHER


async def level(bus: Bus, sku: str = "MUG") -> StockLevel:
    (found,) = await bus.ask(GetStock(skus=(sku,)))
    return found


async def counters(bus: Bus, sku: str = "MUG") -> tuple[int, int, int]:
    found = await level(bus, sku)
    return found.on_hand, found.reserved, found.allocated


async def outcomes(home: Context) -> Counter[str]:
    """How often each event stands in the log."""
    commits = await home.log.read(0, limit=10_000)
    return Counter(each.kind.__name__ for commit in commits for each in commit.events)


async def test_offers_name_what_is_for_sale(platform: Platform, stock: Stock) -> None:
    await stock(MUG=5, BOWL=0)
    await platform.bus.send(wanted(line("MUG", 2)))
    assert await platform.bus.ask(GetOffers(pieces=lots(BOWL=1, GHOST=1, MUG=2))) == Offers(
        offers=(
            Offer(sku="BOWL", product_id="bowl", product_name="Bowl", price=PRICE, available=0),
            Offer(sku="MUG", product_id="mug", product_name="Mug", price=PRICE, available=3),
        ),
        stocked=(),
    )


async def test_a_new_price_is_offered_at_once(platform: Platform, stock: Stock) -> None:
    await stock(MUG=5)
    await platform.bus.send(ChangePrice(sku="MUG", price=DEARER))
    (offer,) = (await platform.bus.ask(GetOffers(pieces=lots(MUG=1)))).offers
    assert offer.price == DEARER


async def test_fifty_pieces_are_reserved_fifty_times(
    platform: Platform, home: Context, stock: Stock
) -> None:
    await stock(MUG=50)
    await asyncio.gather(*(platform.bus.send(wanted(line(), id=f"r{n}")) for n in range(200)))
    assert await counters(platform.bus) == (50, 50, 0)
    happened = await outcomes(home)
    assert (happened["StockReserved"], happened["StockDenied"]) == (50, 150)
    assert happened["ItemReserved"] == 50


async def test_several_skus_are_kept_together_or_not_at_all(
    platform: Platform, home: Context, stock: Stock
) -> None:
    await stock(MUG=30, BOWL=20, CUP=10)
    baskets = [(line("MUG"), line("BOWL")), (line("BOWL"), line("CUP")), (line("CUP"), line("MUG"))]
    reservations = (wanted(*baskets[n % 3], id=f"r{n}") for n in range(120))
    await asyncio.gather(*map(platform.bus.send, reservations))
    kept: Counter[str] = Counter()
    for commit in await home.log.read(0, limit=10_000):
        for event in (happened.event for happened in commit.events):
            if isinstance(event, StockReserved):
                assert len(commit.writes) == 3
                kept.update(line.sku for line in event.lines)
    found = {sku: await level(platform.bus, sku) for sku in ("MUG", "BOWL", "CUP")}
    assert kept == {sku: one.reserved for sku, one in found.items()}
    assert min(one.available for one in found.values()) >= 0
    # Whoever was denied was short of something: no basket could have been kept in its place.
    assert sum(one.available == 0 for one in found.values()) >= 2


async def test_pieces_in_two_warehouses_are_shared_by_many_at_once_and_none_is_kept_twice(
    platform: Platform, home: Context, stock: Stock
) -> None:
    await stock(MUG=0, BOWL=0)
    send, near = platform.bus.send, ("vaduz", "zurich")
    for sku, place, pieces in (("MUG", "vaduz", 15), ("MUG", "zurich", 16), ("BOWL", "zurich", 9)):
        await send(ReceiveStock(sku=sku, quantity=pieces, warehouse_id=place))
    pair = (line("MUG", 2), line("BOWL"))
    short = FindShort(pieces=lots(MUG=2, BOWL=1), warehouses=near)
    assert await platform.bus.ask(short) == ()
    await asyncio.gather(*(send(wanted(*pair, id=f"r{n}", near=near)) for n in range(40)))
    assert (await outcomes(home))["StockReserved"] == 9
    assert await platform.bus.ask(short) == ("BOWL",)
    await asyncio.gather(*(send(wanted(line("MUG"), id=f"s{n}", near=near)) for n in range(20)))
    mugs = await level(platform.bus)
    assert {place.warehouse_id: place.reserved for place in mugs.places if place.on_hand} == {
        "vaduz": 15,
        "zurich": 16,
    }
    assert await counters(platform.bus, "BOWL") == (9, 9, 0)


async def test_an_order_of_events_is_what_the_streams_say_after_a_restart(
    platform: Platform, home: Context, stock: Stock
) -> None:
    await stock(MUG=5)
    send = platform.bus.send
    await send(wanted(line(quantity=2)))
    await send(AllocateStock(reservation_id="r1"))
    await send(wanted(line(quantity=1), id="r2"))
    await send(ShipStock(reservation_id="r1"))
    await send(ShipStock(reservation_id="r1"))
    await send(ReleaseStock(reservation_id="r1"))
    assert await counters(platform.bus) == (3, 1, 0)
    home.streams._memory._kept.clear()
    assert await counters(platform.bus) == (3, 1, 0)
    await send(ReleaseStock(reservation_id="r2"))
    assert await counters(platform.bus) == (3, 0, 0)


async def test_what_comes_back_is_for_sale_again_once(
    platform: Platform, home: Context, stock: Stock
) -> None:
    await stock(MUG=5, BOWL=5)
    send = platform.bus.send
    await send(wanted(line("MUG", 2), line("BOWL", 2)))
    await send(AllocateStock(reservation_id="r1"))
    await send(ShipStock(reservation_id="r1"))
    await asyncio.gather(*(send(back(lots(MUG=1), lots(BOWL=2))) for _ in range(3)))
    for sku, on_hand in (("MUG", 4), ("BOWL", 3)):
        assert await counters(platform.bus, sku) == (on_hand, 0, 0)
    home.streams._memory._kept.clear()
    await send(back(lots(MUG=1), lots(BOWL=2)))
    assert await counters(platform.bus) == (4, 0, 0)
    assert (await outcomes(home))["ReservationReturned"] == 1


async def test_a_reservation_lapses_when_its_time_is_up(
    platform: Platform, home: Context, stock: Stock
) -> None:
    await stock(MUG=1)
    soon = now() + timedelta(milliseconds=50)
    await platform.bus.send(ReserveStock(reservation_id="r1", lines=(line(),), expires_at=soon))
    assert (await level(platform.bus)).available == 0

    async def lapsed() -> bool:
        return (await outcomes(home))["ReservationLapsed"] == 1

    await until(lapsed)
    assert await counters(platform.bus) == (1, 0, 0)
    await until(lambda: no_timers(home))


async def test_what_is_paid_or_given_up_has_no_timer_left(
    platform: Platform, home: Context, stock: Stock
) -> None:
    await stock(MUG=2)
    for id in ("paid", "left"):
        await platform.bus.send(wanted(line(), id=id))

    async def both_set() -> bool:
        return {timer["_id"] for timer in await home.timers.waiting()} == {
            "reservation-paid",
            "reservation-left",
        }

    await until(both_set)
    await platform.bus.send(AllocateStock(reservation_id="paid"))
    await platform.bus.send(ReleaseStock(reservation_id="left"))
    await until(lambda: no_timers(home))


async def no_timers(home: Context) -> bool:
    return not await home.timers.waiting()


async def test_many_lines_of_one_sku_are_one_wish(
    platform: Platform, home: Context, stock: Stock
) -> None:
    await stock(MUG=30_000)
    many = tuple(line(quantity=10_000) for _ in range(3))
    await platform.bus.send(ReserveStock(reservation_id="r1", lines=many, expires_at=LATER))
    assert await counters(platform.bus) == (30_000, 30_000, 0)
    home.streams._memory._kept.clear()  # what was written can be read
    await platform.bus.send(ReleaseStock(reservation_id="r1"))
    assert await counters(platform.bus) == (30_000, 0, 0)


async def test_a_denial_says_why(platform: Platform, home: Context, stock: Stock) -> None:
    await stock(MUG=1)
    await platform.bus.send(wanted(line(price=DEARER), id="dear"))
    await platform.bus.send(wanted(line(quantity=2), line("GHOST"), id="short"))
    denied = [
        event
        for commit in await home.log.read(0)
        for event in (happened.event for happened in commit.events)
        if isinstance(event, StockDenied)
    ]
    assert [(d.reservation_id, d.reason, d.skus) for d in denied] == [
        ("dear", "price_changed", ("MUG",)),
        ("short", "out_of_stock", ("MUG", "GHOST")),
    ]
