"""What can be told of a request at a glance is what a parser would say of it."""

from __future__ import annotations

from typing import Any

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shop.glance import path_of

PLAIN = b"POST /v1/orders?x=1 HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\nbody"


class Parsed:
    """What a parser finds."""

    def __init__(self, data: bytes) -> None:
        self.begun = self.ended = 0
        self.url = b""
        self.parser: Any = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_message_complete(self) -> None:
        self.ended += 1


def test_a_plain_request_is_known_by_its_path() -> None:
    assert path_of(PLAIN) == b"/v1/orders"
    assert path_of(b"GET / HTTP/1.1\r\nConnection: Keep-Alive\r\n\r\n") == b"/"


@pytest.mark.parametrize(
    "other",
    [
        b"",
        PLAIN[:-1],
        PLAIN + b"G",
        PLAIN + PLAIN,
        PLAIN.replace(b"1.1", b"1.0"),
        PLAIN.replace(b"POST", b"HEAD"),
        PLAIN.replace(b"Host: shop", b"Connection: close"),
        PLAIN.replace(b"Host: shop", b"Connection: keep-alive, upgrade"),
        PLAIN.replace(b"Host: shop", b"Expect: 100-continue"),
        PLAIN.replace(b"Host: shop", b"Transfer-Encoding: chunked"),
        PLAIN.replace(b"Host: shop", b"Content-Length: 4"),
        PLAIN.replace(b"Host: shop", b"Content-Length : 0"),
        PLAIN.replace(b"Host: shop", b"X: a\r\n folded"),
        PLAIN.replace(b"Host: shop", b"X: a\n\nGET / HTTP/1.1"),
        PLAIN.replace(b": 4", b": +4"),
        PLAIN.replace(b": 4", b": 4, 4"),
        PLAIN.replace(b": 4", b": " + b"9" * 5000),
    ],
)
def test_whatever_needs_a_closer_look_gets_one(other: bytes) -> None:
    assert path_of(other) is None


PIECES = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\n",
            b"\r",
            b":",
            b" ",
            b"\t",
            b"4",
            b"0",
            b"body",
            b"x",
            b"\0",
            b"\xff",
            b",",
        ),
        *(b"Content-Length: ", b"content-length:", b"Transfer-Encoding: chunked", b"Host: shop"),
        *(b"Connection: ", b"close", b"keep-alive", b"Upgrade: h2c", b"Expect: 100-continue"),
        *(b"GET / HTTP/1.1\r\n", b"POST /a?b HTTP/1.1\r\n", b"HTTP/1.0", b"\r\n\r\n"),
    ]
)


@given(st.lists(PIECES, max_size=14).map(lambda parts: b"POST /a HTTP/1.1\r\n" + b"".join(parts)))
@example(PLAIN)
def test_what_a_glance_tells_a_parser_does_not_deny(data: bytes) -> None:
    path = path_of(data)
    if path is None:
        return
    try:
        found = Parsed(data)
    except httptools.HttpParserError:
        return  # it would have been refused for what it is: now it is told to come again
    assert (found.begun, found.ended) == (1, 1)
    assert found.url.partition(b"?")[0] == path
    assert found.parser.should_keep_alive()
