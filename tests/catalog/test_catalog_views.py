"""The card index, which can be made again from the log; and words as they are compared."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from bus.context import Context
from bus.platform import Platform
from catalog.intake import take_in
from catalog.product import Product, ProductEvent, evolve
from catalog.queries import GetProduct, ProductPage
from catalog.words import MAX_WORDS, folded, words_of
from tests.catalog.conftest import until


def test_words_are_compared_without_case_and_accents() -> None:
    assert folded("Crème BRÛLÉE, Straße") == "creme brulee, strasse"
    assert words_of(("Trail-Boots, 42", "boots (42)")) == ("trail", "boots", "42")


def test_a_product_is_found_by_so_many_words_and_no_more() -> None:
    assert len(words_of((" ".join(map(str, range(5000))),))) == MAX_WORDS


async def test_the_cards_are_what_the_log_says(
    platform: Platform,
    home: Context,
    stock: Callable[..., Awaitable[None]],
    tmp_path: Path,
) -> None:
    await stock(MUG=5, BOWL=3)
    path = tmp_path / "list.csv"
    path.write_text("sku,name,brand,price,product_id\nMUG,Big Mug,Alder,1,mug\nCUP,Cup,,2,mug\n")
    await take_in(platform.bus, path)
    (documents,) = home.views

    rebuilt: dict[str, Product] = {}
    versions: dict[str, int] = {}
    for commit in await home.log.read(0):
        for happened in commit.events:
            event, version = happened.event, happened.version
            if isinstance(event, ProductEvent):
                id = event.product_id
                rebuilt[id] = evolve(rebuilt.get(id), event)
                versions[id] = version

    async def all_there() -> bool:
        kept = await documents.get_many(["mug", "bowl"])
        return {stored.id: stored.doc for stored in kept.values()} == rebuilt

    await until(all_there)
    kept = await documents.get_many(["mug", "bowl"])
    assert (
        {stored.id: stored.version for stored in kept.values()} == versions == {"mug": 2, "bowl": 1}
    )
    found = await platform.bus.ask(GetProduct(product_id="mug"))
    assert ProductPage.model_validate_json(found.body).name == rebuilt["mug"].about.name
