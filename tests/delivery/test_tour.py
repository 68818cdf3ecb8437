"""The order of a van's stops, with the solver and without it."""

import sys
from itertools import permutations
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from delivery.solver import shortest
from delivery.tour import length, passable, reached, tour

Matrix = list[list[int | None]]


@st.composite
def matrices(draw: st.DrawFn, holes: bool = False, stops: int = 6) -> Matrix:
    """Roads as bad as can be: the way back is another one, and some ways are not there."""
    size = draw(st.integers(1, stops + 1))
    ways: Any = st.integers(0, 5_000)
    if holes:
        ways = st.none() | ways
    rows = draw(
        st.lists(st.lists(ways, min_size=size, max_size=size), min_size=size, max_size=size)
    )
    return [[0 if at == to else way for to, way in enumerate(row)] for at, row in enumerate(rows)]


def best(times: Matrix) -> int:
    """The seconds of the shortest round trip, of all there are."""
    costs = passable(times)
    return min(length(costs, [0, *order, 0]) for order in permutations(reached(times)))


ONE_WAY: Matrix = [[0, 1, 9, 9], [9, 0, 1, 9], [9, 9, 0, 1], [1, 9, 9, 0]]
"""A ring road: the other way round takes nine times as long."""


@given(matrices(holes=True))
@example(ONE_WAY)
def test_each_stop_that_a_road_leads_to_is_visited_once_and_the_others_are_told(
    times: Matrix,
) -> None:
    found = tour(times)
    assert sorted(found.stops) == reached(times)
    assert sorted((*found.stops, *found.unreached)) == list(range(1, len(times)))
    assert found.seconds == length(passable(times), [0, *found.stops, 0]) >= best(times)
    assert found == tour(times)


@settings(max_examples=30, deadline=None)
@given(matrices(holes=True))
@example(ONE_WAY)
@example([[0, 5, 7], [5, 0, None], [7, None, 0]])
@example([[0]])
@example([[0] * 5] * 5)
def test_the_solver_finds_the_shortest_of_a_few_stops(times: Matrix) -> None:
    found = shortest(times)
    assert sorted(found.stops) == reached(times)
    assert found.unreached == tour(times).unreached
    assert found.seconds == length(passable(times), [0, *found.stops, 0]) == best(times)


@settings(max_examples=5, deadline=None)
@given(matrices(stops=15))
def test_the_solver_is_never_worse_than_going_without(times: Matrix) -> None:
    found = shortest(times)
    assert found.seconds <= tour(times).seconds
    assert found == shortest(times)


@given(st.permutations(range(1, 13)))
def test_doors_along_a_road_are_visited_without_driving_any_of_it_twice_more(
    doors: list[int],
) -> None:
    places = [0, *doors]
    times: Matrix = [[60 * abs(at - to) for to in places] for at in places]
    assert tour(times).seconds == 2 * 12 * 60


def test_a_ring_road_is_driven_the_way_it_leads() -> None:
    assert tour(ONE_WAY).stops == (1, 2, 3)


def test_a_stop_without_a_way_there_or_back_is_told_apart() -> None:
    times: Matrix = [[0, 60, None, 50], [60, 0, 1, 10], [60, 1, 0, 1], [None, 10, 1, 0]]
    found = tour(times)
    assert (found.stops, found.seconds, found.unreached) == ((1,), 120, (2, 3))


def test_where_no_way_leads_from_stop_to_stop_there_is_the_one_by_the_warehouse() -> None:
    times: Matrix = [[0, 5, 7], [5, 0, None], [7, None, 0]]
    assert tour(times).seconds == 24


def test_without_the_solver_there_is_a_tour_too(monkeypatch: pytest.MonkeyPatch) -> None:
    times: Matrix = [[7 * (at * to % 11) for to in range(9)] for at in range(9)]
    monkeypatch.setitem(sys.modules, "pyvrp", None)  # as when it is not installed
    assert shortest(times) == tour(times)
