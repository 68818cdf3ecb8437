"""What the shop no longer sells cannot be ordered; what was kept for a buyer by then is theirs."""

import pytest

from bus.messages import Refused
from catalog.commands import ArchiveProduct, PublishProduct
from ordering.contract import Item, QuoteBasket
from shop import embedded
from tests.ordering.whole import DOOR, SKU, running, settings_of

pytestmark = pytest.mark.anyio


async def test_nothing_of_an_archived_product_is_ordered_by_whoever_comes_too_late(
    servers: embedded.Servers, prefix: str, redis_url: str
) -> None:
    assert servers.mongodb_url
    settings = settings_of(servers.mongodb_url, redis_url, prefix)
    async with running(settings, work=False) as shop:
        await shop.stock_up()
        late = await shop.place()  # nothing is kept for it yet
        await shop.bus.send(ArchiveProduct(product_id=SKU))
        for ask in (
            shop.place(),
            shop.ask(QuoteBasket(items=(Item(sku=SKU, quantity=1),), destination=DOOR)),
        ):
            with pytest.raises(Refused, match=f"not for sale here: {SKU}") as refused:
                await ask
            assert refused.value.code == "unknown_sku"
    async with running(settings) as shop:
        rejected = await shop.comes_to(late, status="rejected")
        assert rejected.reason == "out_of_stock"
        await shop.bus.send(PublishProduct(product_id=SKU))
        kept = await shop.place()
        await shop.comes_to(kept, status="confirmed", fulfillment_status="scheduled")
        await shop.bus.send(ArchiveProduct(product_id=SKU))
        await shop.carrier(kept, "picked_up", "delivered")
        await shop.comes_to(kept, status="completed", payment_status="captured")
