"""Orders at a shop with two warehouses: the nearest that has everything sends them."""

import pytest

from bus.messages import Money, Position
from catalog.commands import ListProduct, Offered
from catalog.stock_commands import ReceiveStock
from delivery.commands import AddWarehouse
from ordering.contract import OrderDocument
from ordering.order import Order
from shop import embedded
from tests.ordering.whole import SKU, WAREHOUSE, Whole, running, settings_of

pytestmark = pytest.mark.anyio

ZURICH = WAREHOUSE.model_copy(
    update={"district": "Zürich", "country": "CH", "position": Position(lat=47.367, lon=8.55)}
)


async def opened(shop: Whole, **pieces: int) -> None:
    """Two warehouses, and so many pieces in each."""
    for id, address in (("vaduz", WAREHOUSE), ("zurich", ZURICH)):
        await shop.bus.send(AddWarehouse(warehouse_id=id, name=id, address=address))
    mug = Offered(sku=SKU, name=SKU, price=Money(amount=12_50, currency="EUR"), on_hand=0)
    await shop.bus.send(ListProduct(product_id=SKU, name="Mug", variants=(mug,)))
    for place, quantity in pieces.items():
        await shop.bus.send(ReceiveStock(sku=SKU, quantity=quantity, warehouse_id=place))


async def sender(shop: Whole, order: OrderDocument) -> str:
    """The warehouse that an order comes from, once it is confirmed."""
    state: Order = await shop.comes_to(order, status="confirmed")
    return state.warehouse_id


async def test_an_order_comes_from_the_nearest_that_has_everything_when_it_is_kept(
    servers: embedded.Servers, prefix: str, redis_url: str
) -> None:
    assert servers.mongodb_url
    settings = settings_of(servers.mongodb_url, redis_url, prefix)
    async with running(settings, work=False) as shop:
        await opened(shop, vaduz=3, zurich=5)
        # All are quoted before anything is kept for one of them.
        placed = [await shop.place(quantity=3) for _ in range(3)]
        assert {(await shop.state(each)).warehouse_id for each in placed} == {"vaduz"}
    async with running(settings) as shop:
        settled = [await shop.comes_to_rest(each) for each in placed]
        assert sorted((each.status, each.warehouse_id) for each in settled) == [
            ("confirmed", "vaduz"),
            ("confirmed", "zurich"),
            ("rejected", "vaduz"),
        ]
        (rejected,) = (each for each in settled if each.status == "rejected")
        assert (rejected.reason, rejected.short_skus) == ("out_of_stock", (SKU,))
        happened = [await shop.happened(each) for each in placed]
        assert sum("OrderRerouted" in each for each in happened) == 1
        # Who orders now is quoted from where there is some.
        assert await sender(shop, await shop.place(quantity=2)) == "zurich"
