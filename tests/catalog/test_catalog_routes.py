"""The catalog over HTTP: products, searches, pictures."""

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bus.context import Context
from bus.messages import Principal
from bus.platform import Platform
from bus.problems import problem_of
from bus.rest import Endpoint, read
from catalog.commands import ChangePrice
from catalog.intake import take_in
from catalog.routes import endpoints
from tests.catalog.conftest import EITHER, until
from tests.catalog.histories import DEARER, line, wanted

pytestmark = EITHER

CLIENT = Principal(scope="shop", name="web")

LIST = """\
sku,name,description,brand,category,price,product_id
CAN,Watering Can,For thirsty beds.,Fernhill,Garden,44.90,
MUG-BLUE,"Mug, blue",Holds tea.,Alder,Tableware,18.90,mug
MUG-RED,"Mug, red",,,,19.90,mug
CREME,Crème Brûlée Dish,Small & flat (200 ml).,Moorhen,Tableware,9.90,
"""


def served(endpoint: Endpoint) -> Route:
    """A row of the surface as the web app serves it, for a client whose key is good."""

    async def answer(http: Request) -> Response:
        try:
            return await endpoint.call(await read(endpoint, http, CLIENT, None))
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            return problem.response("trace")

    return Route(endpoint.path, answer, methods=[endpoint.method])


@pytest.fixture
async def http(platform: Platform, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a shop with three products."""
    Image.new("RGB", (800, 600), "teal").save(tmp_path / "mug.png")
    prices = tmp_path / "list.csv"
    prices.write_text(LIST)
    outcome = await take_in(platform.bus, prices, images=tmp_path, stock=5)
    assert outcome.new == 3
    app = Starlette(routes=[served(endpoint) for endpoint in endpoints(platform.bus)])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:

        async def all_listed() -> bool:
            return len((await client.get("/v1/products")).json()["data"]) == 3

        await until(all_listed)
        yield client


async def found(http: httpx.AsyncClient, **query: Any) -> set[str]:
    answer = await http.get("/v1/products", params=query)
    assert answer.status_code == 200
    return {product["product_id"] for product in answer.json()["data"]}


async def test_a_product_is_shown_as_promised(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/products/mug")
    price = {"amount": 1890, "currency": "EUR"}
    dearer = {"amount": 1990, "currency": "EUR"}
    plain: dict[str, Any] = {"backorder": False, "weight_g": None, "attributes": {}}
    assert answer.json() == {
        "product_id": "mug",
        "name": "Mug, blue",
        "description": "Holds tea.",
        "brand": "Alder",
        "category": "Tableware",
        "categories": [],
        "attributes": {},
        "variants": [
            {"sku": "MUG-BLUE", "name": "Mug, blue", "price": price, "available": 5, **plain},
            {"sku": "MUG-RED", "name": "Mug, red", "price": dearer, "available": 5, **plain},
        ],
        "images": [{"url": "/v1/products/mug/images/1", "width": 800, "height": 600}],
    }


async def test_what_is_available_is_as_fresh_as_the_price(
    http: httpx.AsyncClient, platform: Platform
) -> None:
    before = await http.get("/v1/products/CAN")
    same = await http.get("/v1/products/CAN", headers={"If-None-Match": before.headers["ETag"]})
    assert same.status_code == 304
    can = line("CAN", 2, price=DEARER)
    await platform.bus.send(ChangePrice(sku="CAN", price=DEARER))
    await platform.bus.send(wanted(can))
    after = await http.get("/v1/products/CAN", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    (variant,) = after.json()["variants"]
    assert (variant["price"]["amount"], variant["available"]) == (1990, 3)
    listed = (await http.get("/v1/products", params={"q": "watering"})).json()["data"]
    assert listed == [after.json()]


SEARCHES: list[tuple[str, set[str]]] = [
    ("mug", {"mug"}),
    ("MUG blue", {"mug"}),
    ("red", {"mug"}),
    ("alder", {"mug"}),
    ("thirsty", {"CAN"}),
    ("water", {"CAN"}),
    ("can garden", {"CAN"}),
    ("creme brulee", {"CREME"}),
    ("tableware", {"mug", "CREME"}),
    ("mug garden", set()),
    ("ug", set()),
    ("(200", {"CREME"}),
    (".*", set()),
    ("$ne", set()),
    ("", {"CAN", "mug", "CREME"}),
    ("  ", {"CAN", "mug", "CREME"}),
]


async def test_products_are_found_by_their_words(http: httpx.AsyncClient) -> None:
    for q, products in SEARCHES:
        assert await found(http, q=q) == products, q


async def test_products_are_found_by_category(http: httpx.AsyncClient) -> None:
    assert await found(http, category="tableware") == {"mug", "CREME"}
    assert await found(http, category="Tableware", q="dish") == {"CREME"}
    assert await found(http, category="table") == set()


async def test_facets_come_with_the_list_for_who_asks(http: httpx.AsyncClient) -> None:
    plain = (await http.get("/v1/products")).json()
    answer = (await http.get("/v1/products?facets=true&category=garden")).json()
    facets = answer.pop("facets")
    assert facets == {
        "category": [{"value": "Tableware", "count": 2}, {"value": "Garden", "count": 1}],
        "brand": [{"value": "Fernhill", "count": 1}],
        "price": {
            "min": {"amount": 4490, "currency": "EUR"},
            "max": {"amount": 4490, "currency": "EUR"},
        },
    }
    assert answer == {
        "data": [each for each in plain["data"] if each["product_id"] == "CAN"],
        "has_more": False,
    }
    none = (await http.get("/v1/products?facets=true&q=nowhere")).json()
    assert none["facets"] == {"category": [], "brand": [], "price": None}


async def test_products_come_in_the_order_that_is_asked_for(http: httpx.AsyncClient) -> None:
    for sort, products in (("price", ["CREME", "mug", "CAN"]), ("-price", ["CAN", "mug", "CREME"])):
        answer = (await http.get("/v1/products", params={"sort": sort})).json()
        assert [product["product_id"] for product in answer["data"]] == products


async def test_a_list_goes_on_where_the_page_before_ended(http: httpx.AsyncClient) -> None:
    whole = (await http.get("/v1/products")).json()["data"]
    seen: list[Any] = []
    more = True
    while more:
        query = {"limit": 1} | ({"starting_after": seen[-1]["product_id"]} if seen else {})
        answer = (await http.get("/v1/products", params=query)).json()
        seen += answer["data"]
        more = answer["has_more"]
    assert seen == whole


PROBLEMS = [
    ("/v1/products/ghost", 404, "unknown_product"),
    ("/v1/products/%24ne", 422, "invalid"),
    ("/v1/products/mug?currency=euro", 422, "invalid"),
    ("/v1/products/mug?currency=XXX", 422, "invalid"),
    ("/v1/products?limit=0", 422, "invalid"),
    ("/v1/products?limit=101", 422, "invalid"),
    ("/v1/products?limit=ten", 422, "invalid"),
    ("/v1/products?colour=blue", 422, "invalid"),
    ("/v1/products?q=a&q=b", 422, "invalid"),
    ("/v1/products?q=" + "x" * 201, 422, "invalid"),
    ("/v1/products?q=" + "x" * 10_000, 422, "invalid"),
    ("/v1/products?sort=name", 422, "invalid"),
    ("/v1/products?min_price=-1", 422, "invalid"),
    ("/v1/products?max_price=99999999999999999999", 422, "invalid"),
    ("/v1/products?min_price=2&max_price=1", 422, "invalid_range"),
    ("/v1/products?available=perhaps", 422, "invalid"),
    ("/v1/products?q=a%00b", 422, "invalid"),
    ("/v1/products?starting_after=ghost", 404, "unknown_product"),
    ("/v1/products/mug/images/2", 404, "unknown_picture"),
    ("/v1/products/CAN/images/1", 404, "unknown_picture"),
    ("/v1/products/ghost/images/1", 404, "unknown_product"),
    ("/v1/products/mug/images/0", 422, "invalid"),
    ("/v1/products/mug/images/one", 422, "invalid"),
    ("/v1/products/mug/images/1?width=0", 422, "invalid"),
    ("/v1/products/mug/images/1?width=99999999999999999999", 422, "invalid"),
]


async def test_what_cannot_be_meant_is_a_problem(http: httpx.AsyncClient) -> None:
    for path, status, code in PROBLEMS:
        answer = await http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path


async def test_a_picture_comes_in_the_width_that_fits(
    http: httpx.AsyncClient, home: Context
) -> None:
    for asked, served in (("", 800), ("?width=100", 160), ("?width=320", 320), ("?width=700", 800)):
        url = f"/v1/products/mug/images/1{asked}"
        answer = await http.get(url)
        with Image.open(BytesIO(answer.content)) as image:
            assert image.size == (served, served * 3 // 4)
            assert answer.headers["Content-Type"] == f"image/{str(image.format).lower()}"
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        again = await http.get(url, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    kept = {file["filename"][32:] for file in home.database["pictures.files"].find()}
    assert kept == {"", "-160", "-320"}
