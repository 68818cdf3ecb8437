"""How a bad request is answered: each as the outside contract says, and never with a 5xx."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bus.messages import (
    Busy,
    Command,
    Document,
    Done,
    Id,
    Model,
    Money,
    NotFound,
    Page,
    Position,
    Principal,
    Query,
    Refused,
    Stale,
    TooLarge,
)
from bus.problems import problem_of
from bus.rest import MAX_BODY, Ask, Endpoint, document, done, fingerprint, page, read


class Line(Model):
    sku: str
    quantity: int


class Place(Command[Done[Line]], name="stalls.Place"):
    """Something with everything in it."""

    stall: Id | None = None
    items: tuple[Line, ...]
    position: Position | None = None
    note: str | None = None


class Change(Command[Done[Line]], name="stalls.Change"):
    stall: Id
    reason: str | None = None


class Look(Query[Document], name="stalls.Look"):
    stall: Id
    limit: int = 20


GOOD = {"items": [{"sku": "ball", "quantity": 2}]}


class Client:
    """Asks the application as a server would."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def request(self, method: str, path: str, **given: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                return await client.request(method, path, **given)

        return asyncio.run(ask())

    def get(self, path: str, **given: Any) -> httpx.Response:
        return self.request("GET", path, **given)

    def post(self, path: str, **given: Any) -> httpx.Response:
        return self.request("POST", path, **given)


class Stall:
    """A shop of three endpoints; `calls` is what came through."""

    def __init__(self) -> None:
        self.calls: list[Ask] = []
        self.outcome: Callable[[Ask], Response] = lambda ask: done(
            Done(answer=Line(sku="x", quantity=1), position=4), 201
        )

    def client(self) -> Client:
        rows = [
            Endpoint("POST", "/stalls", "shop", self.call, "Place", Place, creates=True),
            Endpoint("POST", "/stalls/{stall}/change", "shop", self.call, "Change", Change),
            Endpoint("GET", "/stalls/{stall}", "shop", self.call, "Look", Look),
        ]
        routes = [Route(row.path, self.served(row), methods=[row.method]) for row in rows]
        return Client(Starlette(routes=routes))

    async def call(self, ask: Ask) -> Response:
        self.calls.append(ask)
        return self.outcome(ask)

    def served(self, endpoint: Endpoint) -> Any:
        async def serve(http: Request) -> Response:
            try:
                principal = Principal(scope="shop", name="web")
                return await endpoint.call(await read(endpoint, http, principal, None))
            except Exception as error:
                problem = problem_of(error)
                if problem is None:
                    raise
                return problem.response("trace")

        return serve


@pytest.fixture
def stall() -> Stall:
    return Stall()


@pytest.fixture
def client(stall: Stall) -> Client:
    return stall.client()


def post(client: Client, body: Any, path: str = "/stalls", **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {
        "content-type": "application/json",
        "idempotency-key": "key",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return client.post(
        path, content=content, headers={name: value for name, value in given.items() if value}
    )


def listed(data: tuple[bytes, ...], ask: Ask) -> Response:
    return page(Page(data=data, has_more=bool(data)))


def problem(answer: Any, status: int, code: str) -> Any:
    """The problem in an answer, which is one."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"]
    assert body["title"]
    assert body["trace_id"] == "trace"
    return body


def test_a_good_request_comes_through(client: Client, stall: Stall) -> None:
    answer = post(client, GOOD)

    assert answer.status_code == 201
    assert answer.json() == {"sku": "x", "quantity": 1}
    assert answer.headers["storefold-position"] == "4"
    assert stall.calls[0].envelope.message == Place(items=(Line(sku="ball", quantity=2),))


@pytest.mark.parametrize("path", ["/stalls", "/stalls/a/change"])
def test_what_two_readers_could_read_differently_is_refused_by_its_place(
    path: str, client: Client
) -> None:
    for body in (b'{"note": "a", "note": "b"}', b'{"note": "\\ud800"}', b'{"note": NaN}'):
        found = problem(post(client, body, path), 422, "invalid")
        assert [error["field"] for error in found["errors"]] == ["note"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"items": [}',
        b"{'items': []}",
        b"\xff\xfe\x00",
        b'{"note": "\xff"}',
        b'{"note": "\xed\xa0\x80"}',
        b"[" * 100_000,
        b'{"items":' * 50_000,
        b'{"items": 1} trailing',
        b"NaN NaN",
    ],
    ids=lambda body: repr(body[:20]),
)
@pytest.mark.parametrize("path", ["/stalls", "/stalls/a/change"])
def test_what_is_not_json_is_malformed(path: str, body: bytes, client: Client) -> None:
    problem(post(client, body, path), 400, "malformed")


def test_no_body_where_one_is_needed_is_malformed(client: Client) -> None:
    problem(post(client, b""), 400, "malformed")


@pytest.mark.parametrize("path", ["/stalls", "/stalls/a/change"])
@pytest.mark.parametrize("depth", [10, 100, 500, 990, 5000])
def test_deep_nesting_is_never_our_fault(depth: int, path: str, client: Client) -> None:
    body = b'{"note":' + b"[" * depth + b"]" * depth + b"}"

    assert post(client, body, path).status_code in (400, 422)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["items"]),
        ([], [""]),
        (None, [""]),
        ("x", [""]),
        ({"items": "x"}, ["items"]),
        ({"items": [{"sku": 1, "quantity": "2"}]}, ["items.0.sku", "items.0.quantity"]),
        ({"items": [{"sku": "a", "quantity": 1.5}]}, ["items.0.quantity"]),
        ({"items": [{"sku": "a", "quantity": True}]}, ["items.0.quantity"]),
        ({**GOOD, "extra": 1}, ["extra"]),
        ({**GOOD, "stall": "a b"}, ["stall"]),
        ({**GOOD, "position": {"lat": 91, "lon": 0}}, ["position.lat"]),
        ({**GOOD, "position": {"lat": float("nan"), "lon": 0}}, ["position.lat"]),
        ({**GOOD, "position": {"lat": 1, "lon": float("inf")}}, ["position.lon"]),
    ],
)
def test_what_is_not_as_the_schema_says_is_named_field_by_field(
    body: Any, fields: list[str], client: Client, stall: Stall
) -> None:
    found = problem(post(client, body), 422, "invalid")

    assert [each["field"] for each in found["errors"]] == fields
    assert all(each["message"] and each["code"] for each in found["errors"])
    assert stall.calls == []


def test_a_million_mistakes_get_a_short_answer(client: Client) -> None:
    answer = post(client, {f"x{number}": 1 for number in range(60_000)})

    problem(answer, 422, "invalid")
    assert len(answer.content) < 20_000


@pytest.mark.parametrize("body", [[], None, 5, "x"])
def test_a_body_that_is_no_object_is_invalid_with_a_path_too(body: Any, client: Client) -> None:
    problem(post(client, body, "/stalls/a/change"), 422, "invalid")


def test_numbers_of_any_length_are_no_fault_of_ours(client: Client) -> None:
    for digits in (20, 5_000, 100_000):
        body = b'{"items": [{"sku": "a", "quantity": %s}]}' % (b"9" * digits)
        assert post(client, body).status_code in (201, 400, 422)
        assert post(client, body, "/stalls/a/change").status_code in (400, 422)


@given(st.binary(max_size=60))
def test_no_bytes_whatever_are_our_fault(body: bytes) -> None:
    client = Stall().client()
    for path in ("/stalls", "/stalls/a/change"):
        assert post(client, body, path).status_code < 500


def test_creating_needs_an_idempotency_key(client: Client, stall: Stall) -> None:
    problem(post(client, GOOD, idempotency_key=""), 400, "idempotency_key_missing")
    assert stall.calls == []


@pytest.mark.parametrize("key", ["a b", "x" * 256, "é"])
def test_an_idempotency_key_is_printable_and_short(key: str, client: Client) -> None:
    answer = client.post(
        "/stalls",
        content=json.dumps(GOOD),
        headers=[
            (b"content-type", b"application/json"),
            (b"idempotency-key", key.encode("latin-1")),
        ],
    )
    problem(answer, 400, "idempotency_key_unfit")


def test_the_same_key_is_the_same_command_and_another_body_another_fingerprint(
    client: Client, stall: Stall
) -> None:
    post(client, GOOD)
    post(client, b'{ "items" : [{"quantity": 2, "sku": "ball"}] }')
    post(client, {**GOOD, "note": "x"})
    post(client, GOOD, idempotency_key="other")
    post(client, {}, "/stalls/a/change")
    post(client, {}, "/stalls/b/change")
    first, same, other_body, other_key, *elsewhere = [each.envelope for each in stall.calls]

    assert (same.id, same.fingerprint) == (first.id, first.fingerprint)
    assert same.correlation != first.correlation, "or the log could not tell twins apart"
    assert other_body.id == first.id
    assert other_body.fingerprint != first.fingerprint
    assert other_key.fingerprint != first.fingerprint, "it tells nothing of a body by itself"
    assert len({first.id, other_key.id, *(each.id for each in elsewhere)}) == 4


def test_a_retry_is_the_same_though_a_later_release_knows_of_more_fields() -> None:
    class Later(Place):
        colour: str | None = None

    then, now = (each.model_validate_json(json.dumps(GOOD)) for each in (Place, Later))
    assert fingerprint("key", then) == fingerprint("key", now)
    red = now.model_copy(update={"colour": "red"})
    assert fingerprint("key", red) != fingerprint("key", now)


def test_without_a_key_every_request_is_a_new_one(client: Client, stall: Stall) -> None:
    for _ in range(2):
        post(client, {}, "/stalls/a/change", idempotency_key="")
    first, second = [each.envelope for each in stall.calls]

    assert first.id != second.id
    assert first.fingerprint is None


def test_a_large_body_is_too_large_and_never_read_whole(client: Client) -> None:
    note = b'{"items": [], "note": "%s"}'
    assert post(client, note % (b"x" * (MAX_BODY - 100))).status_code == 201
    answer = post(client, note % (b"x" * MAX_BODY))

    problem(answer, 413, "too_large")
    assert answer.headers["connection"] == "close"


def test_a_body_of_another_type_is_not_taken(client: Client) -> None:
    for kind in ("text/plain", "application/xml", "multipart/form-data", ""):
        problem(post(client, GOOD, content_type=kind), 415, "not_json")
    assert post(client, GOOD, content_type="Application/JSON; charset=utf-8").status_code == 201


def test_a_body_may_be_left_out_where_nothing_in_it_is_required(
    client: Client, stall: Stall
) -> None:
    assert client.post("/stalls/a/change").status_code == 201
    assert stall.calls[0].envelope.message == Change(stall="a")


def test_a_parameter_of_the_path_is_not_given_again_in_the_body(client: Client) -> None:
    found = problem(post(client, {"stall": "b"}, "/stalls/a/change"), 422, "invalid")

    assert found["errors"][0]["field"] == "stall"


def test_a_parameter_of_the_path_is_checked_like_any_field(client: Client) -> None:
    for odd in ("a b", "%00", "-", "x" * 81, "%ff", "%ed%a0%80"):
        answer = client.get(f"/stalls/{odd}")
        assert problem(answer, 422, "invalid")["errors"][0]["field"] == "stall"


def test_a_parameter_of_the_query_comes_once_and_is_known(client: Client, stall: Stall) -> None:
    stall.outcome = lambda ask: document(ask, Document(version=1, body=b"{}"))
    assert client.get("/stalls/a?limit=5").status_code == 200
    assert stall.calls[0].envelope.message == Look(stall="a", limit=5)
    for query, field in (
        ("limit=5&limit=6", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("stall=b", "stall"),
        ("what=1", "what"),
        ("limit=1e3", "limit"),
        ("%ff=1", "\ufffd"),
    ):
        found = problem(client.get(f"/stalls/a?{query}"), 422, "invalid")
        assert [each["field"] for each in found["errors"]] == [field]


def test_if_match_names_a_version(client: Client, stall: Stall) -> None:
    for tag, version in (('"3"', 3), ('"3-1f2e"', 3), ("*", None), ("", None), ('"0"', 0)):
        post(client, {}, "/stalls/a/change", if_match=tag)
        assert stall.calls[-1].envelope.if_version == version


@pytest.mark.parametrize("tag", ["3", 'W/"3"', '"x"', '"3", "4"', '"-1"', '"' + "9" * 30 + '"'])
def test_an_if_match_that_no_order_ever_had_is_stale(tag: str, client: Client) -> None:
    problem(post(client, {}, "/stalls/a/change", if_match=tag), 412, "stale_version")


@pytest.mark.parametrize(
    ("known", "status"),
    [
        ('"3"', 304),
        ('W/"3"', 304),
        ('"2", "3"', 304),
        ("*", 304),
        ('"2"', 200),
        ('"33"', 200),
        ("3", 200),
    ],
)
def test_what_the_asker_has_is_not_sent_again(
    known: str, status: int, client: Client, stall: Stall
) -> None:
    stall.outcome = lambda ask: document(ask, Document(version=3, body=b'{"a": 1}'))
    answer = client.get("/stalls/a", headers={"if-none-match": known})

    assert answer.status_code == status
    assert answer.headers["etag"] == '"3"'
    assert answer.content == (b"" if status == 304 else b'{"a": 1}')


def test_one_version_that_looks_different_now_is_sent_again(client: Client, stall: Stall) -> None:
    stall.outcome = lambda ask: document(ask, Document(version=3, revision="1f2e", body=b"{}"))
    for known, status in (('"3"', 200), ('"3-1f2d"', 200), ('"3-1f2e"', 304)):
        answer = client.get("/stalls/a", headers={"if-none-match": known})
        assert (answer.status_code, answer.headers["etag"]) == (status, '"3-1f2e"')


def test_a_repeated_answer_says_so(client: Client, stall: Stall) -> None:
    stall.outcome = lambda ask: done(Done(answer=Line(sku="x", quantity=1), repeated=True))
    answer = post(client, GOOD)

    assert answer.headers["idempotent-replayed"] == "true"
    assert "storefold-position" not in answer.headers


def test_a_page_is_json(client: Client, stall: Stall) -> None:
    for data in ((), (b'{"a":1}',), (b'{"a":1}', b'{"a":2}')):
        stall.outcome = partial(listed, data)
        assert client.get("/stalls/a").json() == {
            "data": [json.loads(each) for each in data],
            "has_more": bool(data),
        }


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Refused("out_of_stock", "none is left", sku="a"), 409, "out_of_stock"),
        (NotFound("unknown_order", "there is none"), 404, "unknown_order"),
        (Stale("stale_version", "read it again", version=2), 412, "stale_version"),
        (TooLarge("too_large", "take less"), 413, "too_large"),
        (Busy("full", 3), 503, "busy"),
    ],
)
def test_each_failure_has_its_answer(
    error: Exception, status: int, code: str, client: Client, stall: Stall
) -> None:
    def fail(ask: Ask) -> Response:
        raise error

    stall.outcome = fail
    answer = post(client, GOOD)
    found = problem(answer, status, code)

    assert found["detail"] == str(error)
    if isinstance(error, Busy):
        assert answer.headers["retry-after"] == "3"
    if isinstance(error, Refused) and error.details:
        assert found["details"] == error.details


def test_the_details_of_a_refusal_are_json_as_everywhere(client: Client, stall: Stall) -> None:
    def refuse(ask: Ask) -> Response:
        raise Refused("total_changed", "it is dearer now", total=Money(amount=5, currency="EUR"))

    stall.outcome = refuse
    found = problem(post(client, GOOD), 409, "total_changed")

    assert found["details"] == {"total": {"amount": 5, "currency": "EUR"}}


def test_a_mistake_of_our_own_is_not_made_the_clients() -> None:
    assert problem_of(KeyError("oops")) is None
