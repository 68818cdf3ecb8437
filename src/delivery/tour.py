"""The order in which a van visits its stops: out from the warehouse, to each door, and back again.

Roads are one-way: the way back along a piece of a tour may be another one, and take longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

Times = Sequence[Sequence[int | None]]
"""Seconds by road from each place (row) to each place (column), the warehouse first; `None` where
no road leads."""

LONGEST_MOVED = 3
"""Stops in a row that are moved to another place of the tour at once (Or-opt)."""


@dataclass(frozen=True, slots=True)
class Tour:
    """Stops in order, the seconds of the round trip, and the stops that no road leads to and back
    from. Stops are rows of the matrix: the first one is 1."""

    stops: tuple[int, ...]
    seconds: int
    unreached: tuple[int, ...] = ()


def tour(times: Times) -> Tour:
    """A short round trip: the nearest stop next, then better as long as turning a piece of it round
    (2-opt) or moving a few stops helps. The same for the same matrix, always."""
    stops = reached(times)
    costs = passable(times)
    found = [0, *_nearest_next(costs, stops), 0]
    while _turned(found, costs) or _moved(found, costs):
        pass
    unreached = tuple(stop for stop in range(1, len(times)) if stop not in set(stops))
    return Tour(tuple(found[1:-1]), length(costs, found), unreached)


def reached(times: Times) -> list[int]:
    """The stops that a road leads to from the warehouse, and back from."""
    return [
        stop
        for stop in range(1, len(times))
        if times[0][stop] is not None and times[stop][0] is not None
    ]


def passable(times: Times) -> list[list[int]]:
    """The matrix without holes: where no road is known from one stop to another, there is the way
    by the warehouse. Rows of stops that are not reached mean nothing."""
    out = [seconds or 0 for seconds in times[0]]
    home = [row[0] or 0 for row in times]
    return [
        [home[at] + out[to] if seconds is None else seconds for to, seconds in enumerate(row)]
        for at, row in enumerate(times)
    ]


def length(costs: Sequence[Sequence[int]], places: Sequence[int]) -> int:
    """The seconds of a way through these places."""
    return sum(costs[start][end] for start, end in pairwise(places))


def _nearest_next(costs: list[list[int]], stops: Sequence[int]) -> list[int]:
    found: list[int] = []
    here, left = 0, set(stops)
    while left:
        here = min(left, key=lambda stop: (costs[here][stop], stop))
        left.remove(here)
        found.append(here)
    return found


def _turned(found: list[int], costs: list[list[int]]) -> bool:
    """Turn pieces of the tour round where that makes it shorter; whether any was."""
    better = False
    along, against = _sums(found, costs)
    for first in range(1, len(found) - 2):
        for last in range(first + 1, len(found) - 1):
            before, after = found[first - 1], found[last + 1]
            now = along[last + 1] - along[first - 1]
            turned = costs[before][found[last]] + costs[found[first]][after]
            if turned + against[last] - against[first] < now:
                found[first : last + 1] = reversed(found[first : last + 1])
                along, against = _sums(found, costs)
                better = True
    return better


def _sums(found: list[int], costs: list[list[int]]) -> tuple[list[int], list[int]]:
    """Seconds from the start to each place of the tour, and as long for who drives it backwards."""
    along = accumulate((costs[a][b] for a, b in pairwise(found)), initial=0)
    against = accumulate((costs[b][a] for a, b in pairwise(found)), initial=0)
    return list(along), list(against)


def _moved(found: list[int], costs: list[list[int]]) -> bool:
    """Let a few stops and their neighbours change places where that is shorter; whether any did."""
    better = False
    ends = len(found) - 1
    for first in range(1, ends - 1):
        for second in range(first + 1, ends):
            few = second - first <= LONGEST_MOVED
            for last in range(second + 1, (ends if few else min(second + LONGEST_MOVED, ends)) + 1):
                a, b, c, d = found[first - 1], found[first], found[second - 1], found[second]
                e, f = found[last - 1], found[last]
                now = costs[a][b] + costs[c][d] + costs[e][f]
                if costs[a][d] + costs[e][b] + costs[c][f] < now:
                    found[first:last] = found[second:last] + found[first:second]
                    better = True
    return better
