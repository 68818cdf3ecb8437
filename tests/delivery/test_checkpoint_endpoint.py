"""What a carrier sends over HTTP, good and bad."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bus.messages import Address, Principal
from bus.problems import problem_of
from bus.rest import Endpoint, read
from delivery.contract import ScheduleDelivery, Status
from delivery.routes import endpoints
from tests.delivery.conftest import Delivering

CHECKPOINTS = "/v1/deliveries/d1/checkpoints"


def served(endpoint: Endpoint) -> Route:
    async def call(request: Request) -> Response:
        try:
            carrier = Principal(scope=endpoint.scope, name="van")
            return await endpoint.call(await read(endpoint, request, carrier, None))
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            return problem.response("trace")

    return Route(endpoint.path, call, methods=[endpoint.method])


@pytest.fixture
async def carrier(delivering: Delivering, door: Address) -> AsyncIterator[httpx.AsyncClient]:
    """A carrier's client of a shop with one delivery, `d1`."""
    await delivering.bus.send(
        ScheduleDelivery(delivery_id="d1", reference="o1", warehouse_id="w", destination=door)
    )
    app = Starlette(routes=[served(endpoint) for endpoint in endpoints(delivering.bus)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        yield client


async def test_a_checkpoint_is_answered_with_the_delivery(carrier: httpx.AsyncClient) -> None:
    body = {
        "status": "en_route",
        "position": {"lat": 0.1, "lon": 0},
        "at": "2026-01-02T13:00:00.1234+01:00",
        "note": "at the roundabout",
    }
    answer = await carrier.post(CHECKPOINTS, json=body)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["delivery_id"], told["order_id"], told["status"]) == ("d1", "o1", "en_route")
    assert told["position"] == {"lat": 0.1, "lon": 0.0, "at": "2026-01-02T12:00:00.123000Z"}
    assert "eta" not in told, "it should have been there long ago"
    assert told["distance_remaining_m"] == 10_000
    assert told["checkpoints"] == [
        {**body, "position": {"lat": 0.1, "lon": 0.0}, "at": "2026-01-02T12:00:00.123000Z"}
    ]


async def test_a_checkpoint_with_a_key_is_replayed(carrier: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "scan-1"}
    first = await carrier.post(CHECKPOINTS, json={"status": "picked_up"}, headers=key)
    again = await carrier.post(CHECKPOINTS, json={"status": "picked_up"}, headers=key)
    assert again.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = await carrier.post(CHECKPOINTS, json={"status": "delivered"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"status": "lost"}, 422, "invalid"),
        ({"status": "cancelled"}, 422, "invalid"),
        ({}, 422, "invalid"),
        ([], 422, "invalid"),
        ({"status": "en_route", "delivery_id": "d2"}, 422, "invalid"),
        ({"status": "en_route", "mood": "good"}, 422, "invalid"),
        ({"status": "en_route", "position": {"lat": 91, "lon": 0}}, 422, "invalid"),
        ({"status": "en_route", "at": "2026-01-02T12:00:00"}, 422, "invalid"),
        ({"status": "en_route", "at": 1767355200}, 422, "invalid"),
        ({"status": "en_route", "at": "yesterday"}, 422, "invalid"),
        ({"status": "en_route", "at": "0001-01-01T00:00:00+14:00"}, 422, "invalid"),
        ({"status": "en_route", "at": "9999-12-31T23:59:59-14:00"}, 422, "invalid"),
        ({"status": "en_route", "at": "2999-01-01T00:00:00Z"}, 409, "checkpoint_in_future"),
        ({"status": "en_route", "note": " "}, 422, "invalid"),
    ],
)
async def test_a_bad_checkpoint_is_refused_and_leaves_nothing(
    delivering: Delivering, carrier: httpx.AsyncClient, body: Any, status: int, code: str
) -> None:
    answer = await carrier.post(CHECKPOINTS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(await delivering.history("delivery-d1")) == 1


async def test_what_a_rule_of_our_own_forbids_is_said_in_our_own_words(
    carrier: httpx.AsyncClient,
) -> None:
    body = {"status": "en_route", "proof": {"name": "A. Marxer"}}
    (wrong,) = (await carrier.post(CHECKPOINTS, json=body)).json()["errors"]
    assert wrong["field"] == "proof"
    assert wrong["message"] == "only what is delivered has somebody who took it: leave it out"


async def test_what_comes_after_the_end_is_refused(carrier: httpx.AsyncClient) -> None:
    assert (await carrier.post(CHECKPOINTS, json={"status": "delivered"})).status_code == 200
    answer = await carrier.post(CHECKPOINTS, json={"status": "en_route"})
    assert (answer.status_code, answer.json()["code"]) == (409, "delivery_ended")


async def test_an_unknown_delivery_is_not_found(carrier: httpx.AsyncClient) -> None:
    answer = await carrier.post("/v1/deliveries/d2/checkpoints", json={"status": "en_route"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_delivery")


async def test_the_guide_to_carriers_shows_a_checkpoint_that_works_and_every_status(
    carrier: httpx.AsyncClient,
) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "carriers.md").read_text()
    (example,) = re.findall(r"^```json\n(.*?)^```$", guide, flags=re.DOTALL | re.MULTILINE)
    answer = await carrier.post(CHECKPOINTS, json=json.loads(example))
    assert answer.status_code == 200, answer.text
    assert answer.json()["checkpoints"][-1]["proof"] == json.loads(example)["proof"]
    assert all(status in guide for status in get_args(Status))
    for code in ("checkpoint_in_future", "delivery_ended", "unknown_delivery"):
        assert code in guide
