"""Lists of orders: whose, in which order, page by page."""

from __future__ import annotations

from tests.shop.clients import ORDER, Client, basket
from tests.waiting import eventually


async def test_a_list_shows_ones_orders_newest_first_page_by_page(web: Client) -> None:
    position = ""
    placed = []
    for number in range(5):
        body = basket(buyer_id=f"buyer-{number % 2}")
        answer = await web.post("/v1/orders", body)
        placed.append(answer.json()["order_id"])
        position = answer.headers["storefold-position"]
    whole = (await web.get(f"/v1/orders?min_position={position}")).json()
    assert whole["has_more"] is False
    assert [order["order_id"] for order in whole["data"]] == placed[::-1]
    assert all(set(order) >= ORDER for order in whole["data"])
    pages = []
    after = ""
    more = True
    while more:
        page = (await web.get(f"/v1/orders?limit=2{after}")).json()
        pages.append([order["order_id"] for order in page["data"]])
        more = page["has_more"]
        after = f"&starting_after={pages[-1][-1]}"
    assert pages == [placed[:2:-1], placed[2:0:-1], placed[:1]]
    theirs = (await web.get("/v1/orders?buyer_id=buyer-1")).json()["data"]
    assert [order["order_id"] for order in theirs] == [placed[3], placed[1]]


async def test_a_list_is_filtered_by_status(web: Client) -> None:
    kept, gone = [await web.placed() for _ in range(2)]
    answer = await web.post(f"/v1/orders/{gone['order_id']}/cancel", {}, prefer="wait=15")
    assert answer.json()["status"] == "cancelled"

    async def of(status: str) -> list[str]:
        found = (await web.get(f"/v1/orders?status={status}")).json()["data"]
        return [order["order_id"] for order in found]

    found: list[str] = await eventually(lambda: of("cancelled"))
    assert found == [gone["order_id"]]
    assert await of("confirmed") == [kept["order_id"]]
    assert await of("completed") == []
