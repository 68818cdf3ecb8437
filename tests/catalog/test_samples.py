"""The sample catalog: large enough to look around in, and loaded once."""

import json
from io import BytesIO

from PIL import Image, ImageStat

from bus.context import Context
from bus.platform import Platform
from catalog.contract import GetOffers, Lot
from catalog.drawings import COLORS, picture
from catalog.motifs import MOTIFS
from catalog.queries import GetPicture, ListProducts
from catalog.rows import Row, read
from catalog.samples import LIST, load_samples
from tests.catalog.conftest import until


def test_the_samples_are_a_good_price_list() -> None:
    rows = [row for row in read(LIST).rows if isinstance(row, Row)]
    assert len(rows) == len(read(LIST).rows)
    assert len({row.fields["product_id"] for row in rows}) >= 36
    assert len({row.fields["category"] for row in rows}) >= 6
    assert len({row.fields["sku"] for row in rows}) == len(rows)
    assert any("description" not in row.fields for row in rows)  # a variant needs none of its own
    described = {row.fields["product_id"] for row in rows if "description" in row.fields}
    assert described == {row.fields["product_id"] for row in rows}


def test_a_drawing_is_always_the_same_and_shows_something() -> None:
    seen = set()
    for number, (name, motif) in enumerate(MOTIFS.items()):
        drawn = picture(motif, "blue", number)
        seen.add(drawn)
        with Image.open(BytesIO(drawn)) as image:
            assert (image.format, image.size) == ("WEBP", (800, 600))
            middle = image.convert("L").crop((200, 150, 600, 520))
            assert ImageStat.Stat(middle).stddev[0] > 12, f"{name} can hardly be seen"
    assert len(seen) == len(MOTIFS)
    assert picture(MOTIFS["mug"], "blue", 0) == picture(MOTIFS["mug"], "blue", 0)
    assert set(COLORS) >= {row.fields["image"].split()[1] for row in read(LIST).rows}  # type: ignore[union-attr]


async def test_the_samples_are_loaded_once(platform: Platform, home: Context) -> None:
    assert await load_samples(platform.bus)
    head = await home.log.head()
    assert not await load_samples(platform.bus)
    assert await home.log.head() == head

    async def all_shown() -> bool:
        return len((await platform.bus.ask(ListProducts(limit=100))).data) == head

    await until(all_shown)
    asked = GetOffers(pieces=(Lot(sku="MUG-BLUE", quantity=1),))
    (mug,) = (await platform.bus.ask(asked)).offers
    assert (mug.product_name, mug.price.amount, mug.available) == ("Harbour Mug, blue", 1890, 250)
    page = await platform.bus.ask(ListProducts(limit=100))
    for body in page.data:
        product = json.loads(body)
        assert product["description"]
        assert product["images"]
        for image in product["images"]:
            n = int(image["url"].rpartition("/")[2])
            kept = await platform.bus.ask(GetPicture(product_id=product["product_id"], n=n))
            assert kept.media_type == "image/webp"
