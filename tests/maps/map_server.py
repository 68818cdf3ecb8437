"""Nominatim and Google's map services, as their manuals describe them, in a process of its own that
knows three houses: `python -m tests.maps.map_server`. What it was asked is at `/_test/calls`.
"""

from __future__ import annotations

import random
import socket
import sys
import time
from itertools import pairwise
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bus.messages import Position
from maps.earth import great_circle
from maps.gazetteer import fold
from shop.child import end_with_parent
from tests.map_server import API_KEY
from tests.maps.doors import BALZERS, SCHAAN, VADUZ

HOUSES = {
    ("schaan", "feldkircher strasse", "1"): SCHAAN,
    ("vaduz", "peter kaiser platz", "1"): VADUZ,
    ("balzers", "alte landstrasse", "6 a"): BALZERS,
}
STREETS = {house[:2]: place for house, place in HOUSES.items()}
TOWNS = {house[0]: place for house, place in HOUSES.items()}

NORTH_OF_THE_SEA = 46.0

calls: list[dict[str, Any]] = []


async def search(request: Request) -> Response:
    """Nominatim's search, by parts of an address. It wants to know who asks."""
    asked = request.query_params
    agent = request.headers.get("user-agent", "")
    if not agent or "httpx" in agent:
        return Response("<html>Access denied</html>", 403, media_type="text/html")
    if asked.get("format") != "jsonv2":
        message = {"code": 400, "message": "Parameter 'format' must be one of: jsonv2"}
        return JSONResponse({"error": message}, 400)
    number, _, road = fold(asked["street"]).partition(" ")
    if road.startswith("a "):  # 6 a
        number, road = f"{number} a", road[2:]
    town = fold(asked["city"])
    if asked["countrycodes"] != "li":
        return JSONResponse([])
    if place := HOUSES.get((town, road, number)):
        return JSONResponse([nominatims(place, 30, "house")])
    if place := STREETS.get((town, road)):
        return JSONResponse([nominatims(place, 26, "road")])
    if place := TOWNS.get(town):
        return JSONResponse([nominatims(place, 16, "town")])
    return JSONResponse([nominatims(VADUZ, 4, "country")] if town == "limbo" else [])


def nominatims(place: Position, rank: int, kind: str) -> dict[str, Any]:
    """A place as Nominatim tells it."""
    return {
        "place_id": 1,
        "licence": "Data © OpenStreetMap contributors, ODbL 1.0.",
        "osm_type": "way",
        "osm_id": 2,
        "lat": str(place.lat),
        "lon": str(place.lon),
        "category": "place",
        "type": kind,
        "place_rank": rank,
        "importance": 5.3e-05,
        "addresstype": kind,
        "name": "",
        "display_name": "...",
        "boundingbox": ["47.0", "47.1", "9.5", "9.6"],
    }


async def geocode(request: Request) -> Response:
    """Google's geocoding."""
    asked = request.query_params
    if asked.get("key") != API_KEY:
        why = "The provided API key is invalid."
        return JSONResponse({"error_message": why, "results": [], "status": "REQUEST_DENIED"})
    line, *towns = (fold(part) for part in asked["address"].split(","))
    road, _, number = line.rpartition(" ")
    if number == "a":
        road, number = road.rpartition(" ")[0], "6 a"
    results: list[dict[str, Any]] = []
    if asked["components"] == "country:LI":
        for town in towns:
            if place := HOUSES.get((town, road, number)):
                results.append(googles(place, "ROOFTOP", "street_address"))
            elif place := STREETS.get((town, road)):
                results.append(googles(place, "GEOMETRIC_CENTER", "route", partial=True))
            elif place := TOWNS.get(town):
                results.append(googles(place, "APPROXIMATE", "locality", partial=True))
        results = results or [googles(VADUZ, "APPROXIMATE", "country", partial=True)]
    return JSONResponse({"results": results, "status": "OK" if results else "ZERO_RESULTS"})


def googles(place: Position, kind: str, what: str, partial: bool = False) -> dict[str, Any]:
    """A place as Google tells it."""
    found = {
        "address_components": [],
        "formatted_address": "...",
        "geometry": {
            "location": {"lat": place.lat, "lng": place.lon},
            "location_type": kind,
            "viewport": {},
        },
        "place_id": "ChIJ",
        "types": [what, "political"] if what == "country" else [what],
    }
    return {**found, "partial_match": True} if partial else found


async def compute_route_matrix(request: Request) -> Response:
    """Google's matrix. Its cells come in any order, and leave out what is zero."""
    asked = await request.json()
    if refused := refusal(request, asked):
        return refused
    origins, destinations = (
        [position(each["waypoint"]) for each in asked[name]] for name in ("origins", "destinations")
    )
    if len(origins) * len(destinations) > 625:
        return googles_error(400, "INVALID_ARGUMENT")
    cells = []
    for row, origin in enumerate(origins):
        for column, destination in enumerate(destinations):
            cell: dict[str, Any] = {"originIndex": row, "destinationIndex": column, "status": {}}
            if at_sea(origin) or at_sea(destination):
                cell["condition"] = "ROUTE_NOT_FOUND"
            else:
                cell |= {"condition": "ROUTE_EXISTS", **length([origin, destination])}
            cells.append(cell)
    random.shuffle(cells)
    return JSONResponse(cells)


async def compute_routes(request: Request) -> Response:
    """Google's routes; an empty object where no road leads."""
    asked = await request.json()
    if refused := refusal(request, asked):
        return refused
    stops = [asked["origin"], *asked.get("intermediates", ()), asked["destination"]]
    if len(stops) > 27:
        return googles_error(400, "INVALID_ARGUMENT")
    course = [position(stop) for stop in stops]
    if any(at_sea(stop) for stop in course):
        return JSONResponse({})
    legs = [
        {
            "startLocation": {"latLng": {"latitude": start.lat, "longitude": start.lon}},
            "endLocation": {"latLng": {"latitude": end.lat, "longitude": end.lon}},
        }
        for start, end in pairwise(course)
    ]
    line = {"type": "LineString", "coordinates": [[stop.lon, stop.lat] for stop in course]}
    polyline = {"geoJsonLinestring": line}
    return JSONResponse({"routes": [{"legs": legs, "polyline": polyline, **length(course)}]})


def refusal(request: Request, asked: dict[str, Any]) -> Response | None:
    """Why Google would not answer."""
    if request.headers.get("x-goog-api-key") != API_KEY:
        return googles_error(400, "INVALID_ARGUMENT", "API_KEY_INVALID")
    if not request.headers.get("x-goog-fieldmask") or asked["travelMode"] != "DRIVE":
        return googles_error(400, "INVALID_ARGUMENT")
    return None


def googles_error(code: int, status: str, reason: str = "") -> Response:
    """An error as Google tells it."""
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
    error = {"code": code, "message": "...", "status": status, "details": [detail]}
    return JSONResponse({"error": error}, code)


def position(waypoint: dict[str, Any]) -> Position:
    """Where a waypoint is."""
    place = waypoint["location"]["latLng"]
    return Position(lat=place["latitude"], lon=place["longitude"])


def at_sea(place: Position) -> bool:
    """Whether no road is near."""
    return place.lat < NORTH_OF_THE_SEA


def length(course: list[Position]) -> dict[str, Any]:
    """How long a way is, by its bends, at 45 km/h."""
    metres = sum(round(great_circle(start, end) * 1.35) for start, end in pairwise(course))
    told = {"duration": f"{metres // 12.5:.0f}s"}
    return {"distanceMeters": metres, **told} if metres else told


async def told(request: Request) -> Response:
    """What was asked so far."""
    return JSONResponse(calls)


class Noted:
    """Notes every call."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/_test/"):
            agent = dict(scope["headers"]).get(b"user-agent", b"").decode()
            calls.append({"at": time.monotonic(), "path": scope["path"], "agent": agent})
        await self._app(scope, receive, send)


def main() -> None:
    """Answer until killed."""
    end_with_parent()
    app = Starlette(
        routes=[
            Route("/search", search),
            Route("/maps/api/geocode/json", geocode),
            Route("/distanceMatrix/v2:computeRouteMatrix", compute_route_matrix, methods=["POST"]),
            Route("/directions/v2:computeRoutes", compute_routes, methods=["POST"]),
            Route("/_test/calls", told),
        ]
    )
    bound = socket.create_server(("127.0.0.1", 0))
    host, port = bound.getsockname()
    sys.stderr.write(f"ready http://{host}:{port}\n")
    sys.stderr.flush()
    config = uvicorn.Config(Noted(app), log_level="error", lifespan="off", ws="none")
    uvicorn.Server(config).run([bound])


if __name__ == "__main__":
    main()
