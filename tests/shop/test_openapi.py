"""The OpenAPI document: it describes every row, what is answered fits it, its examples work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.routing import Route

from bus.rest import HTML, LINK, SIGNED, Endpoint
from shop.observed import PROBES
from tests.shop.clients import Client, Running, basket
from tests.shop.rows import Scene, to_be_fetched


@pytest.fixture
async def document(shop: Running) -> dict[str, Any]:
    answer = await shop.with_key(None).get("/openapi.json")
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, found in document["paths"].items()
        for method, operation in found.items()
    }


def references(node: Any) -> Iterator[str]:
    """Every `$ref` below a node."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


async def test_it_describes_every_route_and_nothing_else(
    shop: Running, document: dict[str, Any]
) -> None:
    routes = [route for route in shop.app.routes if isinstance(route, Route)]
    served = {(method, route.path) for route in routes for method in route.methods or ("GET",)}
    assert set(operations(document)) == {each for each in served if each[0] != "HEAD"}
    assert set(operations(document)) > {(row.method, row.path) for row in shop.endpoints}


async def test_what_needs_no_key_answers_as_it_says(
    shop: Running, document: dict[str, Any]
) -> None:
    open_ = {path for (_, path), found in operations(document).items() if found["security"] == []}
    links = {row.path for row in shop.endpoints if row.scope == LINK}
    assert open_ - links == {"/livez", "/readyz", "/metrics", "/openapi.json", "/docs"}
    for path in open_ - links:
        answer = await shop.with_key(None).get(path)
        told = operations(document)["GET", path]["responses"]["200"]["content"]
        (media_type,) = told
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(media_type)
        if "const" in (
            status := told[media_type]["schema"].get("properties", {}).get("status", {})
        ):
            assert answer.json() == {"status": status["const"]}


async def test_it_is_a_whole_openapi_3_1_document(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"] == "Storefold"
    assert document["info"]["version"]
    schemes = document["components"]["securitySchemes"]
    assert schemes["key"] == {"type": "http", "scheme": "bearer"}
    assert schemes[SIGNED]["in"] == "header"
    found = operations(document)
    names = [operation["operationId"] for operation in found.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z_]+[a-z]", name) for name in names), names
    for reference in references(document):
        assert reference.startswith("#/components/schemas/")
        assert reference.rpartition("/")[2] in document["components"]["schemas"], reference


async def test_each_operation_says_what_it_takes_and_answers(
    shop: Running, document: dict[str, Any]
) -> None:
    for row in shop.endpoints:
        operation = operations(document)[row.method, row.path]
        assert operation["summary"] == row.summary
        opens: dict[str, Any] = {SIGNED: [{SIGNED: []}], LINK: []}
        assert operation["security"] == opens.get(row.scope, [{"key": []}])
        assert f"Scope: {row.scope}" in operation["description"]
        assert "  " not in operation["description"], "Markdown takes what is indented for code"
        parameters = {(p["in"], p["name"]): p for p in operation["parameters"]}
        in_path = {name for where, name in parameters if where == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", row.path))
        assert all(p["required"] for (where, _), p in parameters.items() if where == "path")
        assert all("schema" in parameter for parameter in parameters.values())
        rest = set(row.message.model_fields) - in_path
        if row.method == "GET":
            assert {name for where, name in parameters if where == "query"} == rest
            assert "requestBody" not in operation
        else:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            named = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            assert set(named["properties"]) == rest
            assert named["additionalProperties"] == (row.scope == SIGNED)
            assert operation["requestBody"]["required"] == bool(named.get("required"))
        key = parameters.get(("header", "Idempotency-Key"), {"required": False})
        assert key["required"] == row.creates
        assert str(row.status) in operation["responses"]


async def test_every_problem_has_its_media_type_and_is_described(document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        answers = operation["responses"]
        if not path.startswith("/v1/"):
            assert {"400", "408", "431"} <= set(answers), path
            assert ("503" in answers) == (path not in PROBES or path == "/readyz"), path
            continue
        keyed = {"401", "403"} if operation["security"] == [{"key": []}] else set()
        assert {"422", "503"} | keyed <= set(answers), path
        assert {"400", "408", "429", "431"} <= set(answers), path
        assert "404" in answers or "{" not in path
        assert ({"413", "415"} <= set(answers)) == (method == "POST")
        for status, answer in answers.items():
            assert answer["description"], (path, status)
            if status >= "400":
                to_people = HTML in answers.get("200", {}).get("content", {}) and status in (
                    "404",
                    "410",
                )
                assert list(answer["content"]) == [
                    HTML if to_people else "application/problem+json"
                ]


async def test_whatever_has_an_id_is_where_some_answer_leads(
    shop: Running, document: dict[str, Any]
) -> None:
    known = {found["operationId"]: key for key, found in operations(document).items()}
    reached = set()
    for (_, path), operation in operations(document).items():
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                target = known[link["operationId"]]
                assert set(link["parameters"]) == set(re.findall(r"{(\w+)}", target[1]))
                for told in link["parameters"].values():
                    assert not str(told).startswith("$request.path.") or (
                        f"{{{str(told).rpartition('.')[2]}}}" in path
                    )
                reached.add(target)
    assert reached == {
        (row.method, row.path)
        for row in shop.endpoints
        if "{" in row.path and row.scope != SIGNED  # a gateway asks of its own accord
    }


def shown(row: Endpoint, body: Any) -> None:
    """Fails unless an answer is as the row's model, and so the document, says."""
    things = body["data"] if row.listed else [body]
    assert things, row.path
    for thing in things:
        try:
            row.answer.model_validate(thing, strict=False)
        except ValidationError as error:
            raise AssertionError(f"{row.method} {row.path}: {error}") from None


async def test_what_is_answered_is_as_it_says_and_its_examples_work(
    shop: Running, web: Client, carrier: Client
) -> None:
    ids = {"product_id": "mug", "order_id": "", "delivery_id": "", "buyer_id": "b1", "n": "1"}
    ids |= {"gateway": "stripe", "return_id": "", "token": ""}
    rows = sorted(shop.endpoints, key=lambda row: (row.path != "/v1/orders", row.method == "GET"))
    assert rows[0].creates
    seen, sent_back = 0, ""
    for row in [*rows, *rows]:  # the second time there is something to list
        client = web if row.scope == "shop" else carrier
        path = row.path.format(**ids)
        unheard = "/events" in path or row.scope == SIGNED
        if row.answer is None or unheard:
            continue
        if row.path.endswith(("/payment", "/cancel")) or row.scope == "carrier":
            ids |= await fresh(web, declined=row.path.endswith("/payment"))
            if row.scope == "carrier" and row.method == "GET":
                await take(carrier, ids)
            path = row.path.format(**ids)
        if row.creates and row.path.endswith("/returns"):
            ids |= await delivered(web, carrier)
            path = row.path.format(**ids)
            sent_back = path
        if row.listed and row.path.endswith("/returns"):
            path = sent_back
        if row.path.endswith("/pickup"):
            path = row.path.format(**await to_be_fetched(Scene(web, carrier)))
        if row.method == "GET":
            answer = await client.get(path)
        else:
            answer = await client.post(path, dict(row.example or {}), prefer="wait=15")
        assert answer.status_code == row.status, (path, answer.text)
        if row.path == "/v1/orders" and row.method == "POST":
            ids |= {name: answer.json()[name] for name in ("order_id", "delivery_id")}
            await web.becomes(answer.json(), fulfillment_status="scheduled")
            await listed(web)
        shown(row, answer.json())
        seen += 1
    assert seen >= 20


async def fresh(web: Client, *, declined: bool) -> dict[str, str]:
    """An order to change: one whose payment was declined, or one that is on its way."""
    if declined:
        refused = {"method": "card", "token": "pm_card_chargeDeclined"}
        order = await web.placed(payment=refused)
    else:
        order = await web.becomes(await web.placed(), fulfillment_status="scheduled")
    return {name: order[name] for name in ("order_id", "delivery_id")}


async def take(carrier: Client, ids: dict[str, str]) -> None:
    """Have the carrier have the delivery."""
    path = f"/v1/deliveries/{ids['delivery_id']}/checkpoints"
    assert (await carrier.post(path, {"status": "picked_up"})).status_code == 200


async def delivered(web: Client, carrier: Client) -> dict[str, str]:
    """An order of which something may be sent back."""
    ids = await fresh(web, declined=False)
    for status in ("picked_up", "delivered"):
        answer = await carrier.post(
            f"/v1/deliveries/{ids['delivery_id']}/checkpoints", {"status": status}
        )
        assert answer.status_code == 200, answer.text
    await web.becomes(ids, status="completed")
    return ids


async def listed(web: Client) -> None:
    """Wait until the lists show what was placed last."""
    answer = await web.post("/v1/orders", basket(), idempotency_key="listed")
    position = answer.headers["storefold-position"]
    assert (await web.get(f"/v1/orders?min_position={position}")).status_code == 200


async def test_the_page_for_people_needs_no_script_and_no_other_host(
    shop: Running, document: dict[str, Any]
) -> None:
    answer = await shop.with_key(None).get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.text
    assert "<script" not in page
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert "@import" not in page
    assert "url(" not in page
    for (_, path), operation in operations(document).items():
        assert path in page
        assert f'id="{operation["operationId"]}"' in page
        assert f'href="#{operation["operationId"]}"' in page
    for name, schema in document["components"]["schemas"].items():
        assert f'id="type-{name}"' in page
        assert all(f"<code>{field}</code>" in page for field in schema["properties"])
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))
    assert 'Body: <a href="#type-PlaceOrder">' in page
