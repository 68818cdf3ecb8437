"""Addresses that an operator sets, and what is wrong with them: in words that never quote them, for
they may hold passwords."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri as parse_mongodb
from redis import Redis

_ESCAPES = "in a user or password, write : / @ % as %3A %2F %40 %25"


def mongodb(url: str) -> str:
    """Where a MongoDB is. Raises `ValueError`."""
    try:
        if not url.startswith("mongodb+srv://"):  # that one asks the network for its hosts
            parse_mongodb(url)
    except (PyMongoError, ValueError):
        raise ValueError(f"must look like mongodb://host:27017; {_ESCAPES}") from None
    return url


def redis(url: str) -> str:
    """Where a Redis is. Raises `ValueError`."""
    try:
        Redis.from_url(url).close()  # it only reads the address: nothing is opened yet
    except ValueError:
        raise ValueError(f"must look like redis://host:6379/0; {_ESCAPES}") from None
    return url


def web(url: str) -> str:
    """An address of the web. Raises `ValueError`."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # whose message quotes it
        known = False
    if not known or not url.isascii():
        raise ValueError("must look like https://host")
    return url


def origins(text: str) -> str:
    """Origins with a space between, as a Content-Security-Policy has them. Raises `ValueError`."""
    found = text.replace(",", " ").split()
    for origin in found:
        if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", origin):
            raise ValueError("must be origins such as https://shop.example, with commas between")
    return " ".join(found)


def tiles(url: str) -> str:
    """Where a map's tiles are, with `{z}`, `{x}` and `{y}` in it. Raises `ValueError`."""
    web(url.replace("{", "").replace("}", ""))
    if sorted(re.findall(r"{(.*?)}", url)) != ["x", "y", "z"] or re.search(r"[\s;,'\"<>]", url):
        raise ValueError("must look like https://host/{z}/{x}/{y}.png")
    return url
