"""Searching a running shop: what was committed before is found, by whomever."""

import json
from typing import Any

import pytest

from bus.context import Context
from bus.messages import now
from bus.platform import Platform
from catalog.commands import ArchiveProduct, ChangePrice, ListProduct, Offered, PublishProduct
from catalog.queries import FoundProducts, ListProducts
from catalog.search import Search
from catalog.search_index import Asked
from catalog.stock_commands import AdjustStock
from tests.catalog.conftest import EITHER
from tests.catalog.histories import DEARER, PRICE, line, wanted

pytestmark = EITHER


def mug(name: str = "Mug", **said: Any) -> ListProduct:
    sold = Offered(sku="MUG", name=name, price=PRICE, on_hand=2)
    return ListProduct(product_id="mug", name=name, variants=(sold,), **said)


async def found(platform: Platform, **asked: Any) -> list[str]:
    answer: FoundProducts = await platform.bus.ask(ListProducts(**asked))
    return [json.loads(product)["product_id"] for product in answer.data]


async def test_a_search_sees_whatever_was_committed_before_it(platform: Platform) -> None:
    bus = platform.bus
    assert await found(platform) == []
    await bus.send(mug(draft=True))
    assert await found(platform) == await found(platform, q="mug") == []
    await bus.send(PublishProduct(product_id="mug"))
    assert await found(platform, q="mug") == await found(platform) == ["mug"]
    await bus.send(mug("Beaker", category="Cups", brand="Alder"))
    assert await found(platform, q="mug") == []
    assert await found(platform, q="beaker", category="cups", brand="alder") == ["mug"]
    await bus.send(ChangePrice(sku="MUG", price=DEARER))
    assert await found(platform, max_price=PRICE.amount) == []
    await bus.send(wanted(line("MUG", 2, price=DEARER)))
    assert await found(platform, available=True) == []
    await bus.send(AdjustStock(sku="MUG", change=1, reason="found"))
    assert await found(platform, available=True, min_price=DEARER.amount) == ["mug"]
    await bus.send(ArchiveProduct(product_id="mug"))
    assert await found(platform) == await found(platform, q="beaker") == []


async def test_an_index_that_begins_later_finds_the_same(platform: Platform, home: Context) -> None:
    await platform.bus.send(mug())
    await platform.bus.send(mug("Beaker"))
    later = Search(home, home.views[0], "EUR")
    assert await later.find(Asked(at=now(), q="beaker")) == ["mug"]
    await home.seen(home.views[0], await home.log.head())
    shown = Search(home, home.views[0], "EUR")
    assert await shown.find(Asked(at=now(), sort="newest")) == ["mug"]
    await platform.bus.send(mug("Cup"))
    assert await shown.find(Asked(at=now(), q="cup")) == ["mug"]


async def test_what_could_not_be_looked_at_is_looked_at_by_the_next_search(
    platform: Platform, home: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Search(home, home.views[0], "EUR")
    assert await search.find(Asked(at=now(), q="mug")) == []
    await platform.bus.send(mug())

    async def fail(stream: Any) -> None:
        raise ConnectionError("MongoDB is away")

    with monkeypatch.context() as broken:
        broken.setattr(home.streams, "load", fail)
        with pytest.raises(ConnectionError):
            await search.find(Asked(at=now(), q="mug"))
    assert await search.find(Asked(at=now(), q="mug")) == ["mug"]
