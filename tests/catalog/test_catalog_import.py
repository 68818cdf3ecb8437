"""Price lists: what goes in, what is reported, and that a second run changes nothing."""

import json
from pathlib import Path

import pytest
from PIL import Image

from bus.context import Context
from bus.messages import Money, Refused
from bus.platform import Platform
from catalog.intake import Progress, take_in
from catalog.outcome import Outcome
from catalog.queries import GetProduct, ListProducts, ProductPage
from catalog.rows import Row, read
from catalog.stock_commands import GetStock
from tests.catalog.conftest import until

SHARED = Path(__file__).parents[3] / "shared" / "data" / "sports-catalog"


def write(folder: Path, text: str | bytes, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def draw(path: Path, color: str, size: tuple[int, int] = (64, 48)) -> None:
    Image.new("RGB", size, color).save(path)


async def product(platform: Platform, id: str) -> ProductPage:
    found = await platform.bus.ask(GetProduct(product_id=id))
    return ProductPage.model_validate_json(found.body)


def faults(outcome: Outcome) -> dict[str, str]:
    return {fault.where: fault.reason for fault in outcome.faults}


CSV = """\
sku,name,description,brand,category,price,product_id,image
MUG-BLUE,"Mug, blue",Holds tea.,Alder,Kitchen,18.90,mug,
MUG-RED,"Mug, red",,,,19.5,mug,
LAMP,Lamp,"Gives
light.",Birch,Home,120,,
"""


async def test_a_csv_becomes_products_and_variants(platform: Platform, tmp_path: Path) -> None:
    outcome = await take_in(platform.bus, write(tmp_path, CSV), stock=4)
    assert (outcome.rows, outcome.new, outcome.faults) == (3, 2, [])
    mug = await product(platform, "mug")
    assert (mug.name, mug.brand, mug.category) == ("Mug, blue", "Alder", "Kitchen")
    assert [(v.sku, v.name, v.price.amount, v.available) for v in mug.variants] == [
        ("MUG-BLUE", "Mug, blue", 1890, 4),
        ("MUG-RED", "Mug, red", 1950, 4),
    ]
    assert (await product(platform, "LAMP")).description == "Gives\nlight."


async def test_a_second_run_makes_no_events(
    platform: Platform, home: Context, tmp_path: Path
) -> None:
    draw(tmp_path / "LAMP.png", "gold")
    draw(tmp_path / "mug.png", "navy")
    path = write(tmp_path, CSV)
    first = await take_in(platform.bus, path, images=tmp_path, stock=4)
    assert (first.new, first.pictures) == (2, 2)
    head = await home.log.head()
    again = await take_in(platform.bus, path, images=tmp_path, stock=9)
    assert (again.new, again.changed, again.unchanged, again.faults) == (0, 0, 2, [])
    assert await home.log.head() == head
    assert home.database["pictures.files"].count_documents({}) == 2


async def test_a_later_list_changes_what_it_says_and_keeps_the_rest(
    platform: Platform, tmp_path: Path
) -> None:
    await take_in(platform.bus, write(tmp_path, CSV), stock=4)
    cheaper = write(tmp_path, "sku,name,price\nLAMP,Lamp,99\n")
    outcome = await take_in(platform.bus, cheaper, stock=9)
    assert (outcome.new, outcome.changed) == (0, 1)
    lamp = await product(platform, "LAMP")
    assert (lamp.brand, lamp.variants[0].price.amount) == ("Birch", 9900)
    assert lamp.variants[0].available == 4


BAD = b"""\
sku,name,price,image
GOOD,Good,1.00,
,No SKU,1.00,
NO-PRICE,No price,,
NO-NAME,,1,
DEAR,Dear,12345678901,
BELOW,Below,-5,
CENTS,Cents,1.005,
bad sku!,Bad,1,
GOOD,Twice,2,
SHORT,Short
LATIN,\xe9t\xe9,1,
FAKE,Fake,1,fake.png
GONE,Gone,1,gone.png
OUT,Out,1,../secret.png
LAST,Last,2.00,
"""


async def test_a_bad_row_is_reported_and_the_rest_go_in(platform: Platform, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    draw(tmp_path / "secret.png", "red")
    write(folder, b"MZ this is no picture", "fake.png")
    outcome = await take_in(platform.bus, write(tmp_path, BAD), images=folder)
    assert (outcome.rows, outcome.new) == (15, 2)
    said = {
        "line 3": "no sku",
        "line 4": "no price",
        "line 5": "no name",
        "line 6": "more than a piece may cost",
        "line 7": "'-5' is no amount of EUR",
        "line 8": "1.005 is no amount of EUR, which has 2 decimal places",
        "line 9": "sku cannot be 'bad sku!'",
        "line 10": "SKU GOOD is called 'Twice' here and 'Good' on line 2",
        "line 11": "2 columns, but the first line names 4",
        "line 12": "name is not UTF-8",
        "line 13": "no PNG, JPEG or WebP",
        "line 14": "there is no picture gone.png",
        "line 15": "picture ../secret.png is not in",
    }
    found = faults(outcome)
    assert found.keys() == said.keys()
    assert all(reason in found[where] for where, reason in said.items())
    assert {level.sku for level in await platform.bus.ask(GetStock(skus=("GOOD", "LAST")))} == {
        "GOOD",
        "LAST",
    }


async def test_one_taken_sku_does_not_keep_its_sisters_out(
    platform: Platform, tmp_path: Path
) -> None:
    await take_in(platform.bus, write(tmp_path, CSV))
    mixed = "sku,name,price,product_id\nLAMP,Lamp,1,set\nBULB,Bulb,2,set\n"
    outcome = await take_in(platform.bus, write(tmp_path, mixed))
    assert faults(outcome).keys() == {"line 2"}
    assert "LAMP is a variant of product LAMP already" in faults(outcome)["line 2"]
    assert [variant.sku for variant in (await product(platform, "set")).variants] == ["BULB"]


async def test_more_variants_than_a_product_may_have_are_reported(
    platform: Platform, tmp_path: Path
) -> None:
    rows = "".join(f"S{n},Size {n},1,shoe\n" for n in range(53))
    outcome = await take_in(platform.bus, write(tmp_path, "sku,name,price,product_id\n" + rows))
    assert faults(outcome).keys() == {"line 52", "line 53", "line 54"}
    assert len((await product(platform, "shoe")).variants) == 50


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "foo,bar\n1,2\n", "no column sku, name, price"),
        ("a.csv", "sku;name;price\n1;2;3\n", "commas between them"),
        ("a.csv", "", "no column"),
        ("a.csv", "sku,name,price,price\n", "two columns price"),
        ("a.json", '{"sku": 1}', "must be an array"),
        ("a.json", "[{]", "at line 1, column 3"),
        ("a.json", "[" * 100_000, "it ends in the middle"),
        ("a.json", "[] []", "something stands behind the array"),
        ("a.json", b"\xff\xfe[", "is not JSON"),
        ("a.txt", "sku,name,price\n", "neither .csv nor .json"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    with pytest.raises(Refused) as refused:
        read(write(tmp_path, text, name))
    assert said in refused.value.message
    assert "\n" not in refused.value.message


def test_json_fields_are_known_by_their_other_names(tmp_path: Path) -> None:
    entry = '[{"Id": 7, "Type": "Bags", "Name": "Sack", "Price": 19.99, "Weight": 3}]'
    listed = read(write(tmp_path, entry, "a.json"))
    fields = {"product_id": "7", "sku": "7", "category": "Bags", "name": "Sack", "price": "19.99"}
    assert [row.fields for row in listed.rows if isinstance(row, Row)] == [fields]
    assert listed.unused == ("Weight",)


def test_a_field_with_its_own_name_goes_before_its_alias(tmp_path: Path) -> None:
    entries = [{"id": "p", "sku": "s", "name": "n", "price": 1}]
    (row,) = read(write(tmp_path, json.dumps(entries), "a.json")).rows
    assert isinstance(row, Row)
    assert (row.fields["product_id"], row.fields["sku"]) == ("p", "s")


async def test_a_price_in_json_is_never_a_float(platform: Platform, tmp_path: Path) -> None:
    prices = ["0.07", "1.10", "4.35", "1e2", '"8.99"', "1.0000000000000000001", "NaN", "true"]
    rows = ", ".join(
        f'{{"sku": "S{n}", "name": "S", "price": {price}}}' for n, price in enumerate(prices)
    )
    outcome = await take_in(platform.bus, write(tmp_path, f"[{rows}]", "a.json"))
    levels = await platform.bus.ask(GetStock(skus=tuple(f"S{n}" for n in range(8))))
    assert [level.price.amount for level in levels if level.price] == [7, 110, 435, 100_00, 899]
    assert faults(outcome).keys() == {"row 6", "row 7", "row 8"}


async def test_a_price_list_in_another_currency_adds_to_the_prices(
    platform: Platform, tmp_path: Path
) -> None:
    path = write(tmp_path, "sku,name,price\nMUG,Mug,1890\n")
    first = await take_in(platform.bus, path, currency="JPY")
    assert (first.new, first.not_for_sale, first.faults) == (1, 1, [])
    (mug,) = await platform.bus.ask(GetStock(skus=("MUG",)))
    assert mug.price is None
    await take_in(platform.bus, write(tmp_path, "sku,name,price\nMUG,Mug,18.90\n"))
    again = await take_in(
        platform.bus, write(tmp_path, "sku,name,price\nMUG,Mug,1890\n"), currency="JPY"
    )
    assert (again.unchanged, again.not_for_sale) == (1, 0)


async def test_an_unknown_currency_is_refused_before_anything_is_done(
    platform: Platform, home: Context, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="ISO 4217"):
        await take_in(platform.bus, write(tmp_path, CSV), currency="EURO")
    assert await home.log.head() == 0


async def test_pictures_of_one_content_are_kept_once(
    platform: Platform, home: Context, tmp_path: Path
) -> None:
    for sku in ("MUG-BLUE", "LAMP"):
        draw(tmp_path / f"{sku}.png", "navy")
    await take_in(platform.bus, write(tmp_path, CSV), images=tmp_path)
    assert home.database["pictures.files"].count_documents({}) == 1
    lamp = await product(platform, "LAMP")
    assert [image.model_dump() for image in lamp.images] == [
        {"url": "/v1/products/LAMP/images/1", "width": 64, "height": 48}
    ]


async def test_progress_reaches_the_end(platform: Platform, tmp_path: Path) -> None:
    heard: list[Progress] = []
    rows = "".join(f"S{n},Size {n},1\n" for n in range(250))
    path = write(tmp_path, "sku,name,price\n,bad,1\n" + rows)
    await take_in(platform.bus, path, on_progress=heard.append)
    size = path.stat().st_size
    assert heard == [
        Progress(reading=True, done=size, total=size, rows=251),
        Progress(reading=False, done=200, total=250, rows=251),
        Progress(reading=False, done=250, total=250, rows=251),
    ]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared sports catalog is not on this machine")
async def test_the_sports_catalog_goes_in_with_its_pictures(
    platform: Platform, home: Context
) -> None:
    path, images = SHARED / "catalog.json", SHARED / "pictures"
    outcome = await take_in(platform.bus, path, images=images, stock=100)
    assert (outcome.new, outcome.pictures, outcome.faults) == (101, 101, [])
    boots = await product(platform, "1")
    assert boots.name == "Wanderer Black Hiking Boots"
    assert boots.variants[0].price == Money(amount=10999, currency="EUR")
    head = await home.log.head()
    assert (await take_in(platform.bus, path, images=images, stock=100)).unchanged == 101
    assert await home.log.head() == head

    async def all_listed() -> bool:
        page = await platform.bus.ask(ListProducts(limit=100))
        return len(page.data) == 100 and page.has_more

    await until(all_listed)
