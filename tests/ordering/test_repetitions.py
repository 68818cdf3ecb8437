"""Events that come late, twice or before others: what the policies make of them ends well."""

from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest

from bus.messages import Refused
from ordering.contract import OrderDocument
from shop import embedded
from tests.ordering.courier import Courier
from tests.ordering.whole import Whole, at_rest, running, settings_of

pytestmark = pytest.mark.anyio

TOKENS = [
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_chargeDeclined",
    "pm_card_threeDSecure2Required",
    "pm_fault_timeout",
    "pm_fault_unavailable",
]

Act = Callable[[], Coroutine[Any, Any, None]]


def acts(shop: Whole, order: OrderDocument, random: Random) -> list[Act]:
    """What a buyer and a carrier might do, whether it is their turn or not."""

    async def act(what: str) -> None:
        try:
            match what:
                case "pay":
                    await shop.pay(order)
                case "cancel":
                    await shop.cancel(order)
                case "pick up":
                    await shop.carrier(order, "picked_up")
                case "deliver":
                    await shop.carrier(order, "delivered")
                case "bring back":
                    await shop.carrier(order, "returned_to_sender")
        except Refused:
            return  # it was not their turn

    life = ["pay", "pick up", random.choice(["deliver", "deliver", "bring back"])]
    if random.random() < 0.4:
        life.insert(random.randrange(3), "cancel")
    return [lambda what=what: act(what) for what in life]  # type: ignore[misc]


@pytest.mark.parametrize("transport", ["inprocess", "loopback"])
@pytest.mark.parametrize("seed", range(4))
async def test_however_events_come_every_order_ends_well_and_the_books_are_right(
    servers: embedded.Servers, prefix: str, redis_url: str, transport: str, seed: int
) -> None:
    random = Random(seed)
    assert servers.mongodb_url
    settings = settings_of(servers.mongodb_url, redis_url, prefix, transport=transport)
    async with running(settings, work=False) as shop:
        await shop.stock_up(pieces=6)
        placed = [await shop.place(token, random.randint(1, 2)) for token in TOKENS]
        todo = [act for order in placed for act in acts(shop, order, random)]
        # Each one's acts keep their order; those of different ones mix.
        lanes = [todo[n : n + 4] for n in range(0, len(todo), 4)]
        random.shuffle(lanes)
        await Courier(shop.platform, random).bring([act for lane in lanes for act in lane])
        for order in placed:
            state = await shop.state(order)
            assert at_rest(state), state
        await shop.check_books(*placed)
