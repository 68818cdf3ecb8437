"""Queries, paths, methods and headers that cannot be meant: never a fault of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.shop.clients import CARD, Client, Running, problem

QUERIES = [
    ("limit=0", "limit"),
    ("limit=-1", "limit"),
    ("limit=1000", "limit"),
    ("limit=ten", "limit"),
    ("limit=", "limit"),
    ("limit=99999999999999999999999", "limit"),
    ("limit=1&limit=2", "limit"),
    ("status=open", "status"),
    ("status[$ne]=pending", "status[$ne]"),
    ("buyer_id=%24ne", "buyer_id"),
    ("buyer_id=%00", "buyer_id"),
    ("buyer_id=" + "x" * 5000, "buyer_id"),
    ("min_position=-1", "min_position"),
    ("starting_after=", "starting_after"),
    ("page=2", "page"),
]


async def test_a_query_that_cannot_be_meant_is_named_field_by_field(web: Client) -> None:
    for query, field in QUERIES:
        found = problem(await web.get(f"/v1/orders?{query}"), 422, "invalid")
        assert field in [error["field"] for error in found["errors"]], query


async def test_a_page_cannot_go_on_from_an_order_nobody_knows(web: Client) -> None:
    answer = await web.get("/v1/orders?starting_after=ord_ghost")
    assert "ord_ghost" in problem(answer, answer.status_code)["detail"]
    assert answer.status_code in (404, 422)


async def test_a_position_that_no_log_has_is_unknown(web: Client, carrier: Client) -> None:
    for client, path in ((web, "orders"), (carrier, "deliveries")):
        answer = await client.get(f"/v1/{path}?min_position={2**52}")
        assert str(2**52) in problem(answer, 404, "unknown_position")["detail"]


ODD = ["%00", "%2F", "%2e%2e", "a%20b", "%ff", "%ed%a0%80", "x" * 5000, "%24ne", "{order_id}", "é"]


@pytest.mark.parametrize("path", ["/v1/orders/{}", "/v1/orders/{}/history", "/v1/products/{}"])
async def test_an_odd_id_in_a_path_is_a_problem_of_the_asker(web: Client, path: str) -> None:
    for odd in ODD:
        answer = await web.get(path.format(odd))
        assert answer.status_code in (404, 422)
        problem(answer, answer.status_code)
    for what in ("cancel", "payment"):
        for odd in ODD:
            answer = await web.post(f"/v1/orders/{odd}/{what}", CARD if what == "payment" else {})
            assert answer.status_code in (404, 422)
            problem(answer, answer.status_code)


async def test_a_checkpoint_of_nothing_or_of_nonsense_is_refused(carrier: Client) -> None:
    path = "/v1/deliveries/dlv_ghost/checkpoints"
    problem(await carrier.post(path, {"status": "picked_up"}), 404, "unknown_delivery")
    for body in (
        {},
        {"status": "lost"},
        {"status": "picked_up", "at": "yesterday"},
        {"status": "picked_up", "at": "2026-01-01T00:00:00"},
        {"status": "picked_up", "at": "9999-12-31T23:59:59Z"},
        {"status": "picked_up", "position": {"lat": 47}},
        {"status": "picked_up", "note": ""},
        {"status": "picked_up", "note": 5},
    ):
        problem(await carrier.post(path, body), 422, "invalid")


async def test_a_path_or_method_that_is_not_there_is_a_problem_too(shop: Running) -> None:
    nobody = shop.with_key(None).http
    for path in ("/", "/v1", "/v2/orders", "/v1/orders/", "/v1//orders", "/v1/orders/a/b/c", "/é"):
        problem(await nobody.get(path), 404, "no_such_path")
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
        answer = await nobody.request(method, "/v1/orders")
        problem(answer, 405, "not_allowed")
        assert answer.headers["allow"] == "GET, HEAD, POST"
    answer = await nobody.post("/livez")
    problem(answer, 405, "not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_head_is_answered_as_get(web: Client) -> None:
    assert (await web.http.head("/v1/orders")).status_code == 200
    assert (await web.http.head("/v1/orders/ghost")).status_code == 404


HEADERS = [
    ("host", "["),
    ("host", "a b"),
    ("host", ""),
    ("traceparent", "x" * 10_000),
    ("traceparent", "00-zz"),
    ("prefer", "wait=-1, wait=99999999999999999999"),
    ("prefer", "wait=\u00e9"),
    ("if-none-match", '"' + "9" * 5000),
    ("accept", "image/*"),
    ("content-length", "-1"),
    ("last-event-id", "x"),
]


async def test_odd_headers_are_no_fault_of_ours(web: Client) -> None:
    for name, value in HEADERS:
        headers = [(name.encode(), value.encode("latin-1"))]
        for path in ("/v1/orders", "/v1/orders/ghost", "/nowhere", "/readyz"):
            answer = await web.http.get(path, headers=headers)
            assert answer.status_code in (200, 404), (name, value)


async def test_a_trace_is_found_by_the_id_that_the_client_gave(web: Client) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = await web.get("/v1/orders/ghost", traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    assert problem(answer, 404)["trace_id"] == trace
    answer = await web.get("/v1/orders/ghost", traceparent="<script>")
    assert len(problem(answer, 404)["trace_id"]) == 32


def scope_of(web: Client) -> dict[str, Any]:
    """A request whose body is still to come."""
    return {
        "type": "http", "method": "POST", "path": "/v1/orders", "raw_path": b"/v1/orders",
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
        "headers": [(b"authorization", f"Bearer {web.key}".encode())],
    }  # fmt: skip


async def test_who_does_not_send_what_was_announced_is_not_waited_for(
    shop: Running, web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.rest.BODY_WITHIN", 0.05)
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        await asyncio.Event().wait()
        raise AssertionError("it never comes")

    async def send(message: Any) -> None:
        sent.append(message)

    await shop.app(scope_of(web), receive, send)
    assert sent[0]["status"] == 408
    assert b'"code": "too_slow"' in sent[1]["body"]


async def test_who_leaves_in_the_middle_is_no_fault_of_ours(
    shop: Running, web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr("shop.web.our_fault", lambda *said: told.append(said))
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await shop.app(scope_of(web), receive, send)
    assert told == []
    assert sent[0]["status"] == 499


def raising(error: BaseException) -> Callable[..., Any]:
    async def call(*_: Any) -> httpx.Response:
        raise error

    return call


async def test_what_nobody_foresaw_is_told_by_its_number_only(
    shop: Running, web: Client, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("shop.web.read", raising(KeyError("hunter2")))
    answer = await web.get("/v1/orders")
    found = problem(answer, 500, "internal_error")
    assert found["trace_id"] in found["detail"]
    assert "hunter2" not in answer.text
