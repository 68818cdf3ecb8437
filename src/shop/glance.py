"""A glance at what came on a connection: is it one plain request, and all of it?"""

from __future__ import annotations

import re

_BEGINS = re.compile(rb"(?:GET|POST) (/[!-~]*) HTTP/1\.1\r\n")

_LENGTH = b"\r\ncontent-length:"

_ELSE = re.compile(
    rb"\r\n(?:[ \t]|transfer-encoding|expect|upgrade|content-length[ \t]"
    rb"|connection:(?![ \t]*keep-alive[ \t]*\r\n))"
)
"""What makes a head one to be read with care: where its body ends, or what is to be done with the
connection, stands there otherwise than usual."""


def path_of(data: bytes) -> bytes | None:
    """The path that is asked for, if these bytes are one request from its first to its last, after
    which the connection goes on; `None` where that takes a closer look."""
    begins = _BEGINS.match(data)
    end = data.find(b"\r\n\r\n")
    if begins is None or end < 0:
        return None
    head = data[begins.end() - 2 : end + 2].lower()
    lines = head.count(b"\n")
    if lines != head.count(b"\r\n") or lines != head.count(b"\r") or _ELSE.search(head):
        return None
    length = 0
    at = head.find(_LENGTH)
    if at >= 0:
        found = head[at + len(_LENGTH) : head.index(b"\r\n", at + 2)].strip(b" \t")
        if not found.isdigit() or len(found) > 7 or head.find(_LENGTH, at + 2) >= 0:
            return None
        length = int(found)
    return begins[1].partition(b"?")[0] if len(data) == end + 4 + length else None
