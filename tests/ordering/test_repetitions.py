"""Events that come late, twice or before others: what the policies make of them ends well."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Any

import pytest

from bus.messages import Refused
from ordering.contract import OrderDocument
from shop import embedded
from tests.ordering.courier import Courier
from tests.ordering.whole import SKU, Whole, at_rest, running, settings_of

pytestmark = pytest.mark.anyio

TOKENS = [
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_chargeDeclined",
    "pm_card_threeDSecure2Required",
    "pm_fault_timeout",
    "pm_fault_unavailable",
]

BOWL = "BOWL"
"""What only the other warehouse has: who wants it too gets two shipments."""

Start = Callable[[str], AbstractAsyncContextManager[Whole]]


@pytest.fixture
def start(servers: embedded.Servers, prefix: str, redis_url: str) -> Start:
    """Starts the shop, in which nobody brings anything by himself."""
    url = servers.mongodb_url
    assert url
    return lambda transport: running(
        settings_of(url, redis_url, prefix, transport=transport), work=False
    )


Act = Callable[[], Coroutine[Any, Any, None]]


def acts(shop: Whole, order: OrderDocument, random: Random) -> list[Act]:
    """What a buyer and a carrier might do, whether it is their turn or not."""

    async def act(what: str) -> None:
        what, shipment = what.removesuffix(" 2"), 2 if what.endswith(" 2") else 1
        try:
            match what:
                case "pay":
                    await shop.pay(order)
                case "cancel":
                    await shop.cancel(order)
                case "pick up":
                    await shop.carrier(order, "picked_up", shipment=shipment)
                case "deliver":
                    await shop.carrier(order, "delivered", shipment=shipment)
                case "bring back":
                    await shop.carrier(order, "returned_to_sender", shipment=shipment)
        except Refused:
            return  # it was not their turn

    life = ["pay", "pick up", random.choice(["deliver", "deliver", "bring back"])]
    if random.random() < 0.4:
        life.insert(random.randrange(3), "cancel")
    if BOWL in shop.goods:  # another shipment, which has its own fate
        ends = random.choice(["deliver", "bring back"])
        at = sorted(random.choices(range(len(life) + 1), k=2))
        life[at[0] : at[0]] = ["pick up 2"]
        life[at[1] + 1 : at[1] + 1] = [f"{ends} 2"]
    return [lambda what=what: act(what) for what in life]  # type: ignore[misc]


@pytest.mark.parametrize(
    "transport", [pytest.param("inprocess", marks=pytest.mark.long), "loopback"]
)
@pytest.mark.parametrize("seed", range(4))
async def test_however_events_come_every_order_ends_well_and_the_books_are_right(
    start: Start, transport: str, seed: int
) -> None:
    async with start(transport) as shop:
        await shop.stock_up(pieces=6)
        await live(shop, Random(seed), lambda n: {SKU: n})


@pytest.mark.parametrize(
    "transport", [pytest.param("inprocess", marks=pytest.mark.long), "loopback"]
)
@pytest.mark.parametrize("seed", range(2))
async def test_and_every_order_of_two_shipments(start: Start, transport: str, seed: int) -> None:
    async with start(transport) as shop:
        await shop.stock_up(vaduz=6)
        await shop.sell(BOWL, zurich=8)
        await live(shop, Random(seed), lambda n: {SKU: n, BOWL: n})


async def live(shop: Whole, random: Random, basket: Callable[[int], dict[str, Any]]) -> None:
    """Orders are placed, and whatever follows from that comes as it may."""
    placed = [await shop.place(token, **basket(random.randint(1, 2))) for token in TOKENS]
    todo = [act for order in placed for act in acts(shop, order, random)]
    # Each one's acts keep their order; those of different ones mix.
    lanes = [todo[n : n + 4] for n in range(0, len(todo), 4)]
    random.shuffle(lanes)
    await Courier(shop.platform, random).bring([act for lane in lanes for act in lane])
    for order in placed:
        state = await shop.state(order)
        assert at_rest(state), state
    await shop.check_books(*placed)
