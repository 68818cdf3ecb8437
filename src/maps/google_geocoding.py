"""Google's Geocoding API (https://developers.google.com/maps/documentation/geocoding)."""

from __future__ import annotations

from pydantic import Field, TypeAdapter

from bus.messages import Address, Position
from maps.breaker import Breaker
from maps.contract import Place
from maps.google import BAD_KEY, read
from maps.outside import PATIENCE, Answer, Declined, Latitude, Longitude, Nonsense, Outside, Seen

BASE = "https://maps.googleapis.com"

PRECISION = {"ROOFTOP": "door", "RANGE_INTERPOLATED": "door", "GEOMETRIC_CENTER": "road"}
"""How exact a kind of location is; the others are a town's."""

TOO_WIDE = {"country", "administrative_area_level_1", "administrative_area_level_2"}
"""No places to deliver to: what it finds of an address of which it knows the country alone."""


class Location(Seen):
    """A position."""

    lat: Latitude
    lng: Longitude


class Geometry(Seen):
    """A position, and of what kind it is."""

    location: Location
    location_type: str


class Found(Seen):
    """A place that it has found."""

    geometry: Geometry
    types: tuple[str, ...] = ()
    partial_match: bool = False
    """Whether it is not quite what was asked for."""


class Findings(Seen):
    """The answer: the best place comes first."""

    status: str = Field(pattern=r"^[A-Z_]{1,40}$")
    results: tuple[Found, ...] = ()


FINDINGS = TypeAdapter(Findings)


class GoogleGeocoder:
    """Google's addresses."""

    name = "google"

    def __init__(
        self,
        key: str,
        *,
        base: str | None = None,
        patience: float = PATIENCE,
        breaker: Breaker | None = None,
    ) -> None:
        self._key = key
        self._server = Outside("google_geocoding", base or BASE, patience=patience, breaker=breaker)

    async def locate(self, address: Address) -> Place | None:
        """Where the house is, or its street, or its town."""
        towns = (address.sub_district, address.district, address.state)
        lines = (f"{address.road} {address.house_number}", *towns, address.postcode)
        params = {
            "address": ", ".join(line for line in lines if line),
            "components": f"country:{address.country}",
            "key": self._key,
        }
        return await self._server.ask("GET", "/maps/api/geocode/json", place_in, params=params)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._server.close()


def place_in(answer: Answer) -> Place | None:
    """The place in an answer."""
    findings = read(FINDINGS, answer)
    match findings.status:
        case "OK":
            pass
        case "ZERO_RESULTS":
            return None
        case "INVALID_REQUEST":
            raise Declined(findings.status)
        case "REQUEST_DENIED":
            raise Nonsense(BAD_KEY)
        case _:
            raise Nonsense(f"it answered {findings.status}")
    for found in findings.results:
        if not TOO_WIDE & set(found.types):
            at = found.geometry.location
            position = Position(lat=at.lat, lon=at.lng)
            return Place(position=position, precision=precision(found), source=GoogleGeocoder.name)
    return None


def precision(found: Found) -> str:
    """How exact a place is; another house than was asked for is not the door."""
    exact = PRECISION.get(found.geometry.location_type, "city")
    return "road" if exact == "door" and found.partial_match else exact
