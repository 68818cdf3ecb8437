"""Prose: what may stand in a description, which is HTML that others wrote."""

from __future__ import annotations

import re
from html import unescape

from nh3 import Cleaner

BLOCKS = {"p", "br", "h2", "h3", "h4", "ul", "ol", "li", "blockquote"}
INLINE = {"a", "b", "strong", "i", "em", "u", "s", "sub", "sup"}

LONGEST = 60_000
"""Characters that a description may take once it is safe; tags that are never closed multiply."""

ROUNDS = 5
"""How often what a browser would mend is mended, until there is nothing left to do."""

_SAFE = Cleaner(
    tags=BLOCKS | INLINE,
    attributes={"a": {"href", "title"}, "*": set()},
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener nofollow",
)
_BARE = Cleaner(tags=set())

_TAG = re.compile(r'</?([a-z0-9]+)(?:[^>"]|"[^"]*")*>')


def sanitised(text: str) -> str:
    """The text with none but harmless tags, all of them closed; without any if it cannot be mended.

    What has no tags is plain text and stays exactly as it is. Doing it twice changes nothing.
    """
    if "<" not in text:
        return text
    before = text
    for _ in range(ROUNDS):
        after = _SAFE.clean(before).strip()
        if after == before:
            return after
        if len(after) > LONGEST:
            break
        before = after
    return _BARE.clean(text).strip()


def plain(prose: str) -> str:
    """The words of a description that is safe, without its tags."""
    return unescape(_TAG.sub(lambda tag: "" if tag[1] in INLINE else " ", prose))
