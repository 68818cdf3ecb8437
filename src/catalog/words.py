"""Words as they are compared: when products are listed, and when they are searched."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_WORDS = 1000
"""Words by which one product is found."""


def folded(text: str) -> str:
    """Text without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def words_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The words of some texts, each once, as they are compared."""
    words = dict.fromkeys(word for text in texts for word in re.findall(r"\w+", folded(text)))
    return tuple(words)[:MAX_WORDS]
