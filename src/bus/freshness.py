"""Whether what is kept elsewhere of a stream is still right."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from bus.commits import Commit
from bus.feed import Feed
from bus.memory import Stream
from bus.metrics import CACHE

KNOWN = 100_000
"""Streams of which is known when they were last written: some 15 MB."""


class Freshness:
    """Remembers where in the log each stream was last written, since this process began to listen.

    What was right up to a position is right as long as its stream has not been written behind it.
    Of a stream that is not among the last `KNOWN` that were written, it is known up to where it may
    have been; what is older than that is not vouched for.
    """

    def __init__(self, feed: Feed, limit: int = KNOWN) -> None:
        self._feed = feed
        self._limit = limit
        self._written: OrderedDict[str, int] = OrderedDict()
        self._unknown_to: int | None = None
        self._stale = CACHE.labels("stale")
        feed.listen(self._heard)

    def vouches(self, stream: Stream[Any], position: int) -> bool:
        """Whether a stream has not been written behind a position, as far as this process has
        heard of the log."""
        # Until something is heard, the feed stands where this process began to listen.
        unknown_to = self._feed.head if self._unknown_to is None else self._unknown_to
        fresh = self._written.get(stream.name, unknown_to) <= position
        if not fresh:
            self._stale.inc()
        return fresh

    def _heard(self, commits: Sequence[Commit]) -> None:
        if self._unknown_to is None:
            self._unknown_to = commits[0].position - 1
        for commit in commits:
            for name, _ in commit.writes:
                self._written[name] = commit.position
                self._written.move_to_end(name)
        while len(self._written) > self._limit:
            _, self._unknown_to = self._written.popitem(last=False)
