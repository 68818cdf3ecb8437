"""The order of stops beside every order there is."""

import random
import sys
from itertools import combinations, pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.solver import shortest
from delivery.tour import Times, passable, reached, tour

seconds = st.one_of(st.none(), st.integers(0, 3600))


@st.composite
def matrices(draw: st.DrawFn, most: int = 6) -> list[list[int | None]]:
    """Times between a warehouse and a few stops, where every way back is another one and some
    are not there."""
    places = draw(st.integers(1, most + 1))
    return [[0 if a == b else draw(seconds) for b in range(places)] for a in range(places)]


def on_a_plane(stops: int, seed: int) -> list[list[int | None]]:
    """Times between places somewhere in a town, where the way there is not as long as back."""
    chance = random.Random(seed)
    spots = [complex(chance.uniform(0, 900), chance.uniform(0, 900)) for _ in range(stops + 1)]
    return [[round(abs(a - b) * chance.uniform(1, 1.3)) for b in spots] for a in spots]


def lasts(times: Times, stops: tuple[int, ...]) -> int:
    """How long a round trip is; where no road leads from one stop to the next, by the warehouse."""
    total = 0
    for a, b in pairwise((0, *stops, 0)):
        direct = 0 if a == b else times[a][b]
        if direct is None:
            home, out = times[a][0], times[0][b]
            assert home is not None
            assert out is not None
            direct = home + out
        total += direct
    return total


def best(times: Times) -> int:
    """The shortest of all round trips."""
    return min(lasts(times, order) for order in permutations(reached(times)))


@given(matrices())
def test_every_stop_is_in_the_tour_once_or_told_to_be_out_of_reach(times: Times) -> None:
    found = tour(times)
    assert sorted(found.stops + found.unreached) == list(range(1, len(times)))
    for stop in found.unreached:
        assert times[0][stop] is None or times[stop][0] is None


@given(matrices())
def test_a_tour_takes_as_long_as_it_says_and_no_shorter_than_the_best(times: Times) -> None:
    found = tour(times)
    assert found.seconds == lasts(times, found.stops)
    assert found.seconds >= best(times)


@given(matrices(most=3))
def test_up_to_three_stops_are_in_the_best_order(times: Times) -> None:
    assert tour(times).seconds == best(times)


@given(matrices(most=12))
def test_no_piece_turned_round_and_no_stop_put_elsewhere_makes_a_tour_shorter(times: Times) -> None:
    found = tour(times)
    for first, last in combinations(range(len(found.stops) + 1), 2):
        piece = found.stops[first:last]
        turned = (*found.stops[:first], *reversed(piece), *found.stops[last:])
        assert lasts(times, turned) >= found.seconds
    for at, stop in enumerate(found.stops):
        rest = found.stops[:at] + found.stops[at + 1 :]
        for place in range(len(rest) + 1):
            assert lasts(times, (*rest[:place], stop, *rest[place:])) >= found.seconds


def test_seven_stops_in_a_town_are_hardly_ever_far_from_the_best() -> None:
    towns = [on_a_plane(7, seed) for seed in range(30)]
    shortest_of_all = sum(map(best, towns))
    assert sum(tour(times).seconds for times in towns) <= 1.02 * shortest_of_all


def test_a_ring_road_is_driven_the_way_it_leads() -> None:
    times: Times = [[0, 1, 9, 9], [9, 0, 1, 9], [9, 9, 0, 1], [1, 9, 9, 0]]
    assert tour(times).stops == shortest(times).stops == (1, 2, 3)


@pytest.mark.parametrize("times", [[[0]], [[None]], [[0, None], [5, 0]], [[0, 5], [None, 0]]])
def test_nothing_to_bring_and_nowhere_to_go_is_an_empty_tour(times: Times) -> None:
    assert tour(times).stops == shortest(times).stops == ()
    assert tour(times).seconds == shortest(times).seconds == 0


def test_a_hole_between_two_stops_is_gone_round_by_the_warehouse() -> None:
    times: Times = [[0, 10, 20], [11, 0, None], [21, None, 0]]
    assert passable(times)[1][2] == 11 + 20
    assert tour(times).seconds == 10 + 11 + 20 + 21


@settings(max_examples=25)
@given(matrices(most=10))
def test_the_solver_brings_the_same_stops_and_never_takes_longer(times: Times) -> None:
    plain, solved = tour(times), shortest(times)
    assert solved.seconds == lasts(times, solved.stops) <= plain.seconds
    assert sorted(solved.stops) == sorted(plain.stops)
    assert solved.unreached == plain.unreached


def test_the_solver_finds_the_best_order_of_seven_stops() -> None:
    for seed in range(8):
        times = on_a_plane(7, seed)
        assert shortest(times).seconds == best(times)


def test_the_solver_says_the_same_each_time_and_beats_the_plain_way_in_a_large_town() -> None:
    times = on_a_plane(40, seed=7)
    solved = shortest(times)
    assert solved.seconds < tour(times).seconds
    assert solved == shortest(times)


def test_without_the_solver_the_plain_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    times = on_a_plane(40, seed=7)
    monkeypatch.setitem(sys.modules, "pyvrp", None)
    assert shortest(times) == tour(times)
