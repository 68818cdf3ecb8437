"""The elements of one large JSON array, one at a time: no more than one of them is in memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from catalog.lines import MAX_LINE, Source

BLANK = re.compile(r"[ \t\r\n]*")
OUTSIDE = re.compile(r'["{}\[\],]')
INSIDE = re.compile(r'["\\]')

LITERAL = 16
"""Characters at the end of what was read that may be half a word or a number."""


class NotJson(Exception):
    """The text is broken here: nothing behind it can be read."""


class Unreadable(NamedTuple):
    """An element that was passed over, and why."""

    kind: str
    reason: str


def elements(source: Source) -> Iterator[tuple[int, Any]]:
    """Every element, with the line on which it begins; raises `NotJson` and `BrokenOff`."""
    text = Text(source)
    if text.sign() != "[":
        raise NotJson("it must be an array of objects")
    text.go(text.at + 1)
    more = text.sign() != "]"
    while more:
        text.sign()
        yield text.line, element(text)
        sign = text.sign()
        if sign not in ("]", ","):
            raise NotJson(f"expecting ',' or ']' at {text.place(text.at)}")
        more = sign == ","
        if more:
            text.go(text.at + 1)
    text.go(text.at + 1)
    if text.sign():
        raise NotJson(f"something stands behind the array at {text.place(text.at)}")


class Text:
    """As much of a file as is looked at; `at` is where, `line` the line that this is on."""

    def __init__(self, source: Source) -> None:
        self._source = source
        # Bytes that are no UTF-8 survive as surrogates, so that only their own row is lost.
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self.seen = ""
        self.at = 0
        self.line = 1
        self._column = 1
        self.more()
        self.seen = self.seen.removeprefix("\ufeff")

    def more(self) -> bool:
        """Read on, and forget what was passed; whether there was more."""
        piece = self._source.piece()
        self.seen = self.seen[self.at :] + self._decoder.decode(piece, final=not piece)
        self.at = 0
        return bool(piece)

    def go(self, to: int) -> None:
        """Pass what stands before."""
        self.line, self._column = self._spot(to)
        self.at = to

    def sign(self) -> str:
        """The next character that is not blank, which is now at `at`; none at the end."""
        while True:
            found = BLANK.match(self.seen, self.at)
            self.go(found.end() if found else self.at)
            if self.at < len(self.seen):
                return self.seen[self.at]
            if not self.more():
                return ""

    def place(self, index: int) -> str:
        """Where a character stands in the file."""
        line, column = self._spot(index)
        return f"line {line}, column {column}"

    def _spot(self, to: int) -> tuple[int, int]:
        lines = self.seen.count("\n", self.at, to)
        if not lines:
            return self.line, self._column + to - self.at
        return self.line + lines, to - self.seen.rindex("\n", self.at, to)


def element(text: Text) -> Any:
    """The element that begins here, or `Unreadable`; raises `NotJson`."""
    while True:
        wrong = "it ends in the middle"
        try:
            value, end = DECODER.raw_decode(text.seen, text.at)
        except json.JSONDecodeError as error:
            wrong = f"{error.msg.removesuffix(' at')} at {text.place(error.pos)}"
            if not unfinished(text, error):
                raise NotJson(wrong) from None
        except (ValueError, ArithmeticError, RecursionError) as error:
            leap(text)
            return Unreadable("unreadable", f"it cannot be read: {error}")
        else:
            # What ends where the text does may go on: 12 may be 1250.
            if end < len(text.seen) and end - text.at <= MAX_LINE:
                text.go(end)
                return value
        if len(text.seen) - text.at > MAX_LINE:
            leap(text)
            return Unreadable("too_long", f"it is longer than {MAX_LINE:,} characters")
        if not text.more():
            raise NotJson(wrong)


def unfinished(text: Text, error: json.JSONDecodeError) -> bool:
    """Whether the text may only need to go on."""
    return error.msg.startswith("Unterminated") or error.pos >= len(text.seen) - LITERAL


def leap(text: Text) -> None:
    """Pass a value of any length, without looking at what it is."""
    depth, quoted = 0, False
    while True:
        found = (INSIDE if quoted else OUTSIDE).search(text.seen, text.at)
        if found is None:
            text.go(len(text.seen))
            if not text.more():
                raise NotJson(f"it ends in the middle, at {text.place(text.at)}")
            continue
        sign = found[0]
        if not quoted and depth == 0 and sign in ",]}":
            text.go(found.start())
            return
        text.go(found.end())
        if sign == '"':
            quoted = not quoted
        elif sign == "\\":
            skip_one(text)
        elif sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
        if depth == 0 and not quoted and sign in '"]}':
            return


def skip_one(text: Text) -> None:
    """Pass a character that a backslash stands before."""
    if text.at < len(text.seen) or text.more():
        text.go(min(text.at + 1, len(text.seen)))


def whole(digits: str) -> int | Decimal:
    """A whole number, of however many digits."""
    return int(digits) if len(digits) < 100 else Decimal(digits)


DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=whole, parse_constant=str)
