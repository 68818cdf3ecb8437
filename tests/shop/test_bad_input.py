"""Bad requests: each is answered as the outside contract says, and nothing of it is done."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ordering.routes import BASKET
from tests.shop.clients import CARD, Client, Running, basket, problem

NOWHERE = {**BASKET["destination"], "district": "Xyzzyville", "postcode": "00000"}


@pytest.fixture(autouse=True)
async def untouched(shop: Running, web: Client, carrier: Client) -> AsyncIterator[None]:
    """Nothing is half done: no log has grown."""
    yield
    assert await shop.commits_of(web, carrier) == 0


def changed(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(basket(**changes))


def item(**changes: Any) -> list[dict[str, Any]]:
    return [{"sku": "MUG-BLUE", "quantity": 1, **changes}]


def at(**changes: Any) -> dict[str, Any]:
    return {**BASKET["destination"], **changes}


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"items": None}, "items"),
    ({"items": []}, "items"),
    ({"items": "MUG-BLUE"}, "items"),
    ({"items": item() * 201}, "items"),
    ({"items": item(quantity=0)}, "items.0.quantity"),
    ({"items": item(quantity=-1)}, "items.0.quantity"),
    ({"items": item(quantity=10_001)}, "items.0.quantity"),
    ({"items": item(quantity=2**53)}, "items.0.quantity"),
    ({"items": item(quantity=10**40)}, "items.0.quantity"),
    ({"items": item(quantity="2")}, "items.0.quantity"),
    ({"items": item(quantity=1.5)}, "items.0.quantity"),
    ({"items": item(quantity=True)}, "items.0.quantity"),
    ({"items": item(quantity=None)}, "items.0.quantity"),
    ({"items": item(sku="")}, "items.0.sku"),
    ({"items": item(sku={"$ne": 1})}, "items.0.sku"),
    ({"items": item(sku="a b")}, "items.0.sku"),
    ({"items": item(sku="A\x00")}, "items.0.sku"),
    ({"items": item(sku="x" * 81)}, "items.0.sku"),
    ({"items": item(price=1)}, "items.0.price"),
    ({"buyer_id": None}, "buyer_id"),
    ({"buyer_id": 7}, "buyer_id"),
    ({"buyer_id": "a/b"}, "buyer_id"),
    ({"buyer_id": "buyer\n1"}, "buyer_id"),
    ({"destination": None}, "destination"),
    ({"destination": at(country="LIE")}, "destination.country"),
    ({"destination": at(country="li")}, "destination.country"),
    ({"destination": at(road="")}, "destination.road"),
    ({"destination": at(road="   ")}, "destination.road"),
    ({"destination": at(road="x" * 201)}, "destination.road"),
    ({"destination": at(planet="Mars")}, "destination.planet"),
    ({"destination": at(position={"lat": 91, "lon": 0})}, "destination.position.lat"),
    ({"destination": at(position={"lat": "47", "lon": 0})}, "destination.position.lat"),
    ({"destination": at(position={"lat": float("nan"), "lon": 0})}, "destination.position.lat"),
    ({"destination": at(position={"lat": 1e400, "lon": 0})}, "destination.position.lat"),
    ({"destination": at(district="\x00")}, "destination.district"),
    ({"destination": at(district="\ud800")}, "destination.district"),
    ({"payment": None}, "payment"),
    ({"payment": {**CARD, "method": "cash"}}, "payment.method"),
    ({"payment": {**CARD, "method": "CARD"}}, "payment.method"),
    ({"payment": {"method": "card"}}, "payment.token"),
    ({"payment": {**CARD, "token": ""}}, "payment.token"),
    ({"expected_total": {"amount": -1, "currency": "EUR"}}, "expected_total.amount"),
    ({"expected_total": {"amount": 2**53, "currency": "EUR"}}, "expected_total.amount"),
    ({"expected_total": {"amount": 1.5, "currency": "EUR"}}, "expected_total.amount"),
    ({"expected_total": {"amount": 1, "currency": "euro"}}, "expected_total.currency"),
    ({"expected_total": {"amount": 1, "currency": "XTS"}}, "expected_total.currency"),
    ({"expected_total": 100}, "expected_total"),
    ({"slot_id": ""}, "slot_id"),
    ({"order_id": "mine"}, "order_id"),
]


async def test_what_is_not_as_the_schema_says_is_named_field_by_field(web: Client) -> None:
    for change, field in INVALID:
        found = problem(await web.post("/v1/orders", changed(**change)), 422, "invalid")
        assert field in [error["field"] for error in found["errors"]], (change, found)
        assert all(error["code"] and error["message"] for error in found["errors"])
        assert field.split(".")[0] in found["detail"]


MALFORMED: list[bytes] = [
    b"",
    b"{",
    b"{'a': 1}",
    b'{"buyer_id": "x",}',
    b"\xff\xfe{}",
    json.dumps(basket()).encode("utf-16"),
    json.dumps(basket()).encode()[:-1],
    json.dumps(basket(buyer_id="é"), ensure_ascii=False).encode("latin-1"),
    b'{"buyer_id": "a\nb"}',
    b"[" * 100_000,
    b'{"items":' * 50_000,
    b"<order/>",
    b"\x00",
]


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/quotes"])
async def test_what_is_not_json_is_malformed(web: Client, path: str) -> None:
    for body in MALFORMED:
        assert "JSON" in problem(await web.post(path, body), 400, "malformed")["detail"]


async def test_json_that_is_no_object_is_invalid(web: Client) -> None:
    for body in (b"[]", b"null", b"7", b'"x"', b"NaN", b"true", b"[" * 50 + b"]" * 50):
        for path in ("/v1/orders", "/v1/quotes"):
            assert (await web.post(path, body)).status_code in (400, 422)


async def test_a_large_body_is_refused(web: Client) -> None:
    body = json.dumps(basket(note="x" * 2_000_000)).encode()
    problem(await web.post("/v1/orders", body), 413, "too_large")


async def test_another_kind_of_body_is_refused(web: Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"):
        problem(await web.post("/v1/orders", basket(), content_type=kind), 415, "not_json")


REFUSED: list[tuple[dict[str, Any], int, str, str]] = [
    ({"items": item(sku="GHOST")}, 409, "unknown_sku", "GHOST"),
    ({"items": [*item(), *item(sku="ghost")]}, 409, "unknown_sku", "ghost"),
    ({"items": item(sku="mug-blue")}, 409, "unknown_sku", "mug-blue"),
    ({"destination": NOWHERE}, 409, "unknown_address", "Xyzzyville"),
    ({"destination": at(country="ZZ")}, 409, "unknown_address", ""),
    ({"expected_total": {"amount": 1, "currency": "EUR"}}, 409, "total_changed", "0.01 EUR"),
    ({"expected_total": {"amount": 1, "currency": "JPY"}}, 409, "total_changed", "1 JPY"),
    ({"slot_id": "yesterday"}, 409, "unknown_slot", "yesterday"),
]


async def test_what_the_rules_refuse_is_said_with_what_to_do(web: Client) -> None:
    for change, status, code, named in REFUSED:
        answer = await web.post("/v1/orders", changed(**change))
        detail = problem(answer, status, code)["detail"]
        assert named in detail
        assert ":" in detail or ";" in detail, "what was asked, what stood in the way, what to do"
        if code in ("unknown_sku", "unknown_address"):
            body = {key: value for key, value in changed(**change).items() if key in BASKET}
            problem(await web.post("/v1/quotes", body), status, code)


async def test_a_destination_no_road_leads_to_is_refused(web: Client) -> None:
    for lat, lon in ((0.0, -150.0), (-89.9, 0.0), (90.0, 180.0)):
        body = changed(destination=at(position={"lat": lat, "lon": lon}))
        answer = await web.post("/v1/quotes", {key: body[key] for key in BASKET})
        assert answer.status_code in (200, 409)


async def test_the_largest_basket_there_can_be_is_counted_exactly(web: Client) -> None:
    body = {"items": item(sku="DEAR", quantity=10_000) * 200, "destination": at()}
    quote = (await web.post("/v1/quotes", body)).json()
    assert quote["product_cost"] == {"amount": 200 * 10_000 * 10**9, "currency": "EUR"}
    assert not any(line["available"] for line in quote["items"])


async def test_creating_needs_a_fit_idempotency_key(web: Client) -> None:
    body = json.dumps(basket())
    kind = {"content-type": "application/json"}
    answer = await web.http.post("/v1/orders", content=body, headers=kind)
    assert "Idempotency-Key" in problem(answer, 400, "idempotency_key_missing")["detail"]
    for key in ("", " ", "x" * 256, "a b", "\x7f"):
        answer = await web.http.post(
            "/v1/orders", content=body, headers={**kind, "idempotency-key": key}
        )
        assert problem(answer, 400)["code"].startswith("idempotency_key_")
