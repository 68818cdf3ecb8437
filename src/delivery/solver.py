"""The order of stops by PyVRP, a solver of such problems, where it is installed (`planning`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.tour import Times, Tour, length, passable, tour

if TYPE_CHECKING:
    from pyvrp import ProblemData

TRIES = 5_000
"""How often it tries to find a shorter tour: some seconds with two hundred stops. Tries and no
clock, so that a plan is the same whenever and wherever it is made."""

IN_VAIN = 2_000
"""Tries without a shorter one, after which it stops."""

SEED = 1


def shortest(times: Times) -> Tour:
    """The shortest tour anybody here finds: never longer than the one that needs no solver."""
    found = tour(times)
    if len(found.stops) < 3:
        return found
    try:
        import pyvrp
        from pyvrp.stop import MaxIterations, MultipleCriteria, NoImprovement
    except ImportError:
        return found
    data = _problem(times, found)
    result = pyvrp.solve(
        data,
        MultipleCriteria([MaxIterations(TRIES), NoImprovement(IN_VAIN)]),
        seed=SEED,
        collect_stats=False,
        initial_solution=pyvrp.Solution(data, [[*range(len(found.stops))]]),
    )
    (route,) = result.best.routes()
    stops = tuple(found.stops[visit.idx] for visit in route if visit.is_client())
    seconds = length(passable(times), [0, *stops, 0])
    return Tour(stops, seconds, found.unreached) if seconds < found.seconds else found


def _problem(times: Times, found: Tour) -> ProblemData:
    """One van, one warehouse and a client for each stop that is reached, in the solver's words."""
    from pyvrp import Model

    costs = passable(times)
    places = [0, *found.stops]
    model = Model()
    spots = [model.add_location(0, 0) for _ in places]  # where does not matter: the roads do
    depot = model.add_depot(spots[0])
    for spot in spots[1:]:
        model.add_client(spot)
    model.add_vehicle_type(start_depot=depot, end_depot=depot)
    for start, begins in zip(places, spots, strict=True):
        for end, ends in zip(places, spots, strict=True):
            if start != end:
                model.add_edge(begins, ends, distance=costs[start][end])
    return model.data()
