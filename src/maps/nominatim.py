"""Nominatim: the addresses of OpenStreetMap, by its search
(https://nominatim.org/release-docs/latest/api/Search/)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter

from bus.messages import Address, Position
from maps.breaker import Breaker
from maps.contract import Place
from maps.outside import PATIENCE, Answer, Declined, Latitude, Longitude, Nonsense, Outside, Seen
from maps.pace import Pace

STREET, HOUSE = 26, 28
"""Ranks of places from which on it is a street, or a house: the address ranks of its manual."""

TOWN = 13
"""What has a lower rank is a country or a province, and no place to deliver to."""


class Found(Seen):
    """A place that it has found."""

    lat: Annotated[Latitude, Field(strict=False)]
    lon: Annotated[Longitude, Field(strict=False)]
    place_rank: int


FOUND = TypeAdapter(list[Found])


class NominatimGeocoder:
    """The Nominatim at `url`, asked at a `pace` and in the name of `agent`, as the public one's
    usage policy has it."""

    name = "nominatim"

    def __init__(
        self,
        url: str,
        pace: Pace,
        agent: str,
        *,
        patience: float = PATIENCE,
        breaker: Breaker | None = None,
    ) -> None:
        headers = {"User-Agent": agent}
        # It is not asked again at once: that would be out of turn.
        self._server = Outside(
            self.name, url, headers=headers, patience=patience, breaker=breaker, pauses=()
        )
        self._pace = pace

    async def locate(self, address: Address) -> Place | None:
        """Where the house is, or its street, or its town."""
        params = {
            "street": f"{address.house_number} {address.road}",
            "city": address.district,
            "state": address.state,
            "postalcode": address.postcode,
            "countrycodes": address.country.lower(),
            "format": "jsonv2",
            "limit": "1",
        }
        asked = {name: value for name, value in params.items() if value}
        await self._pace.turn()
        return await self._server.ask("GET", "/search", place_in, params=asked)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._server.close()


def place_in(answer: Answer) -> Place | None:
    """The place in an answer."""
    if answer.status == 400:
        raise Declined("HTTP 400")
    if answer.status in (403, 429):
        raise Nonsense(
            f"it does not take our questions (HTTP {answer.status}): it was asked too often, or"
            " wants to know who asks: see SHOP_NOMINATIM_USER_AGENT"
        )
    if answer.status != 200:
        raise Nonsense(f"it answered with HTTP {answer.status}")
    for found in FOUND.validate_json(answer.body):
        if found.place_rank >= TOWN:
            position = Position(lat=found.lat, lon=found.lon)
            source = NominatimGeocoder.name
            return Place(position=position, precision=precision(found.place_rank), source=source)
    return None


def precision(rank: int) -> str:
    """How exact a place of this rank is."""
    return "door" if rank >= HOUSE else "road" if rank >= STREET else "city"
