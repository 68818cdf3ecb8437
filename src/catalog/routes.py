"""The catalog's part of the REST surface: products and their pictures."""

from __future__ import annotations

from starlette.responses import Response

from bus.dispatch import Bus
from bus.rest import PICTURE, Ask, Endpoint, document, page
from catalog.queries import (
    FoundProducts,
    GetPicture,
    GetProduct,
    ListProducts,
    PictureFile,
    ProductPage,
    ProductPageList,
)

# A picture's number never comes to mean another picture, so whoever has it may keep it. What hangs
# in a shop's window is for everybody: shared caches may keep it too.
FOR_EVER = "public, max-age=31536000, immutable"


def endpoints(bus: Bus) -> list[Endpoint]:
    """What the catalog shows over HTTP."""

    async def list_products(ask: Ask) -> Response:
        return listed(await bus.deliver(ask.envelope))

    async def get_product(ask: Ask) -> Response:
        return document(ask, await bus.deliver(ask.envelope))

    async def get_picture(ask: Ask) -> Response:
        return picture(ask, await bus.deliver(ask.envelope))

    return [
        Endpoint(
            "GET", "/v1/products", "shop", list_products,
            "Find products by their words, category, brand and price; count what there is.",
            ListProducts, ProductPageList,
        ),
        Endpoint(
            "GET", "/v1/products/{product_id}", "shop", get_product,
            "Read a product, with prices and what is available now.",
            GetProduct, ProductPage,
        ),
        Endpoint(
            "GET", "/v1/products/{product_id}/images/{n}", "shop", get_picture,
            "A product's picture, as it came or no wider than is asked for.",
            GetPicture, media=PICTURE,
        ),
    ]  # fmt: skip


def listed(found: FoundProducts) -> Response:
    """A page of products, with the facets if they were asked for."""
    plain = page(found)
    if found.facets is None:
        return plain
    body = bytes(plain.body)[:-1] + b',"facets":' + found.facets.model_dump_json().encode() + b"}"
    return Response(body, media_type="application/json")


def picture(ask: Ask, found: PictureFile) -> Response:
    """A picture; 304 when the asker has it."""
    tag = f'"{found.tag}"'
    headers = {
        "ETag": tag,
        "Cache-Control": FOR_EVER,
        "X-Content-Type-Options": "nosniff",  # somebody else's bytes: never taken for a script
    }
    known = ask.http.headers.get("if-none-match", "")
    if known == "*" or tag in (part.strip().removeprefix("W/") for part in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers=headers, media_type=found.media_type)
