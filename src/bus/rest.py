"""How a context shows itself over HTTP: a table of endpoints that parse, send and answer."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ValidationError
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from bus.envelope import Envelope, sealed
from bus.leaving import leaving
from bus.messages import Document, Done, Message, Page, Principal, derived_id, new_id
from bus.problems import Problem, misfit, unreadable
from bus.strict_json import NO_TEXT, strictly
from bus.turnstile import place

MAX_BODY = 1024 * 1024
"""Bytes of a request's body, at most."""

BODY_WITHIN = 15.0
"""Seconds in which a body arrives, at most."""

MAX_WAIT = 30
"""Seconds that a client may ask to wait."""

_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})(?!\d)", re.IGNORECASE)

Scope = Literal["shop", "carrier", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

Signature = Literal["signature"]
SIGNED: Signature = "signature"
"""What opens an endpoint instead of a key: the asker's signature of the body, as it came. The
endpoint itself checks it, on `Ask.body`."""

Link = Literal["link"]
LINK: Link = "link"
"""What opens an endpoint instead of a key: a token of our own in its address. The endpoint
itself checks it."""

JSON, EVENTS, HTML, PICTURE = "application/json", "text/event-stream", "text/html", "image/*"
"""What an endpoint may answer with."""


async def always() -> bool:
    """Whoever was let in may stay."""
    return True


@dataclass(frozen=True, slots=True)
class Ask:
    """A request from outside: who asks, and the message in its envelope (`None` when it has
    none). `body` is there where it is signed. `admitted` says whether the asker would be let in
    still: for answers that go on for long."""

    http: HttpRequest
    principal: Principal
    envelope: Envelope[Any]
    body: bytes = b""
    admitted: Callable[[], Awaitable[bool]] = always

    @property
    def path(self) -> Mapping[str, str]:
        """The parameters in the path."""
        return self.http.path_params


@dataclass(frozen=True)
class Endpoint:
    """One row of the REST surface. It is served, documented and tested from this table.

    `message` is the command or query, made of the body or the query string, and of the path's
    parameters; of the path's alone where the body is signed. `answer` is the model of a successful
    answer (`None`: it is no JSON, but what `media` says), `creates` says that an Idempotency-Key is
    required.
    """

    method: Literal["GET", "POST"]
    path: str
    scope: Scope | Signature | Link
    call: Callable[[Ask], Awaitable[Response]]
    summary: str
    message: type[Message]
    answer: Any = None
    media: str = JSON
    status: int = 200
    creates: bool = False
    listed: bool = False
    """Whether the answer is a list of `answer`."""
    example: Mapping[str, Any] | None = None
    """A body that works on the sample catalog."""


def etag(version: int | str) -> str:
    """A strong entity tag for a version, or for a document's own tag."""
    return f'"{version}"'


def header(http: HttpRequest, name: bytes) -> str | None:
    """A header, by its name in small letters; the first, if it came more than once. Every request
    is asked for several: this takes a third of the time of `http.headers`."""
    for each, value in http.scope["headers"]:
        if each == name:
            return str(value, "latin-1")
    return None


def document(ask: Ask, found: Document) -> Response:
    """A read model's bytes; 304 when the asker has this version."""
    tag = etag(found.tag)
    known = header(ask.http, b"if-none-match")
    if known is not None and {tag, "*"} & {
        part.strip().removeprefix("W/") for part in known.split(",")
    }:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(found.body, headers={"ETag": tag}, media_type="application/json")


def page(found: Page) -> Response:
    """A list, as `{"data": [...], "has_more": ...}`."""
    body = b'{"data":[%s],"has_more":%s}' % (
        b",".join(found.data),
        b"true" if found.has_more else b"false",
    )
    return Response(body, media_type="application/json")


def answer(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A model as JSON."""
    return Response(
        model.model_dump_json(exclude_none=True), status, headers, media_type="application/json"
    )


def done(found: Done[Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """What came of a command, with the version it made and the position it was decided at."""
    told = dict(headers or {})
    version = getattr(found.answer, "version", None)
    if version is not None:
        told["ETag"] = etag(version)
    if found.position:
        told["Storefold-Position"] = str(found.position)
    if found.repeated:
        told["Idempotent-Replayed"] = "true"
    return answer(found.answer, status, told)


async def read(
    endpoint: Endpoint, http: HttpRequest, principal: Principal, traceparent: str | None
) -> Ask:
    """Parse a request into its message and envelope; raises `Problem`."""
    signed = endpoint.scope == SIGNED
    if endpoint.method == "GET" or signed:
        asked: Envelope[Any] = sealed(
            from_query(endpoint, http), principal=principal, traceparent=traceparent
        )
        return Ask(http, principal, asked, await body_of(http) if signed else b"")
    message = from_body(endpoint, http, await body_of(http))
    key = idempotency_key(http, required=endpoint.creates)
    envelope: Envelope[Any] = sealed(
        message,
        id=derived_id("idempotency", principal, http.method, http.scope["path"], key)
        if key
        else None,
        correlation=new_id(),  # a twin's is another one: so the log can tell whose a decision was
        principal=principal,
        traceparent=traceparent,
        fingerprint=fingerprint(key, message) if key else None,
        if_version=if_match(http),
    )
    return Ask(http, principal, envelope)


def fingerprint(key: str, message: Message) -> str:
    """What tells two bodies under one idempotency key apart. Fields that say nothing do not count:
    a later release has more of them, and a retry that comes to it is still the same."""
    # With the key, which is not kept: of the body alone, an address that was erased could be
    # guessed until its hash is this one.
    return derived_id("body", key, message.model_dump_json(exclude_defaults=True))


def from_query(endpoint: Endpoint, http: HttpRequest) -> Message:
    """The message in a path and its query string; each parameter may come once."""
    values: dict[str, str] = {}
    # Most have no query string, and to parse none takes as long as to parse the path.
    for name, value in http.query_params.multi_items() if http.scope["query_string"] else ():
        if name in values or name in http.path_params:
            raise Problem(422, "invalid", f"{name} is given twice", errors=[twice(name)])
        if "\0" in value:
            raise misfit([{"field": name, "code": "no_text", "message": NO_TEXT}])
        values[name] = value
    try:
        return endpoint.message.model_validate_strings({**values, **http.path_params})
    except ValidationError as error:
        raise unreadable(error) from None


def from_body(endpoint: Endpoint, http: HttpRequest, body: bytes) -> Message:
    """The message in a path and a JSON body. The path's parameters are no fields of the body."""
    fields = strictly(body or b"{}") if http.path_params else strictly(body)
    if http.path_params and isinstance(fields, dict):
        for name in http.path_params:
            if name in fields:
                raise Problem(
                    422, "invalid", f"{name} is in the path already", errors=[twice(name)]
                )
        fields |= http.path_params
    try:
        return endpoint.message.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        raise unreadable(error) from None


def waits(http: HttpRequest) -> int:
    """The seconds in `Prefer: wait=N` (RFC 7240), at most 30; 0 when the client does not care to
    wait."""
    found = _WAIT.search(asked) if (asked := header(http, b"prefer")) else None
    return min(int(found[1]), MAX_WAIT) if found else 0


@contextmanager
def waiting(http: HttpRequest) -> Iterator[None]:
    """Within this a request waits because it was asked to: it takes nobody's place. Raises
    `TimeoutError` when the process is about to end: so does the wait."""
    if (taken := place(http.scope)) is not None:
        taken.wait()
    with leaving(http.scope).timeout(0):
        yield


def twice(name: str) -> dict[str, str]:
    """The error of a field that came more than once."""
    return {"field": name, "code": "given_twice", "message": "give it once"}


async def body_of(http: HttpRequest) -> bytes:
    """The body, as far as it may be that large and is JSON; raises `Problem` 408, 413
    and 415."""
    kind = header(http, b"content-type") or ""
    parts = []
    size = 0
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for part in http.stream():
                size += len(part)
                if size > MAX_BODY:
                    raise Problem(
                        413,
                        "too_large",
                        f"a body may have {MAX_BODY} bytes: send less",
                        headers={"Connection": "close"},
                    )
                parts.append(part)
    except TimeoutError:
        raise Problem(
            408,
            "too_slow",
            f"the body did not arrive within {BODY_WITHIN:g} s: send it again",
            headers={"Connection": "close"},
        ) from None
    if size and kind.partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "not_json", f"send application/json, not {kind or 'a body of no type'}")
    return b"".join(parts)


KEY = r"^[!-~]{1,255}$"
"""An Idempotency-Key."""

VERSION = r'^(\*|"([0-9]{1,15})(-[0-9a-f]{1,16})?")$'
"""An If-Match: an entity tag as it came, or `*`."""


def idempotency_key(http: HttpRequest, *, required: bool) -> str | None:
    """The Idempotency-Key; raises `Problem` 400 when it is required and missing, or unfit."""
    key = header(http, b"idempotency-key")
    if key is None:
        if required:
            raise Problem(
                400,
                "idempotency_key_missing",
                "send an Idempotency-Key, so that a retry is recognised",
            )
        return None
    if not re.fullmatch(KEY, key):
        raise Problem(
            400,
            "idempotency_key_unfit",
            "an Idempotency-Key has 1 to 255 printable ASCII characters",
        )
    return key


def if_match(http: HttpRequest) -> int | None:
    """The version in If-Match, if one is named; raises `Problem` 412 for a tag no order ever
    had."""
    tag = header(http, b"if-match")
    if tag is None:
        return None
    found = re.fullmatch(VERSION, tag)
    if found is None:
        raise Problem(
            412, "stale_version", f"{tag} is no version of an order: send its ETag as it came"
        )
    return int(found[2]) if found[2] else None
