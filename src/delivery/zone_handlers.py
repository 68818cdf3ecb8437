"""What a command or a query about zones does: load, decide, append."""

from __future__ import annotations

from typing import Any

from bus.envelope import Envelope
from bus.messages import Done, Refused
from bus.streams import Decided, Kind, Streams
from delivery import zone as rules
from delivery.slot_commands import DropWindow, SetWindow
from delivery.tariff import DEFAULT, Tariffs
from delivery.warehouse_handlers import WAREHOUSES
from delivery.zone import Zones
from delivery.zone_commands import DrawZone, EraseZone, ListZones, ZoneSetting

ZONES = Kind("zones", rules.evolve)("all")


class ZoneHandlers:
    """The zones, on their stream."""

    def __init__(self, streams: Streams, tariffs: Tariffs) -> None:
        self._streams = streams
        self._tariffs = (DEFAULT, *tariffs.named)

    async def draw(self, command: DrawZone, envelope: Envelope[DrawZone]) -> Done[ZoneSetting]:
        """Deliver there."""
        there = (await self._streams.newest(WAREHOUSES)).state
        decided = await self._streams.decide(
            ZONES, lambda zones: rules.draw(zones, command, there, self._tariffs), envelope
        )
        zone = rules.known(decided.state, command.zone_id)
        return Done(answer=zone.setting, **_came_of(decided))

    async def erase(self, command: EraseZone, envelope: Envelope[EraseZone]) -> Done[None]:
        """Deliver there no more."""
        decided = await self._streams.decide(
            ZONES, lambda zones: rules.erase(zones, command.zone_id), envelope
        )
        return Done(answer=None, **_came_of(decided))

    async def list(
        self, query: ListZones, envelope: Envelope[ListZones]
    ) -> tuple[ZoneSetting, ...]:
        """The zones, by id."""
        there = (await self._streams.load(ZONES)).state or {}
        settings = (zone.setting for _, zone in sorted(there.items()))
        wanted = query.warehouse_id
        return tuple(each for each in settings if wanted in (None, each.warehouse_id))


async def check_zone(streams: Streams, window: SetWindow | DropWindow) -> None:
    """Refuse with `unknown_zone` windows of a zone that the warehouse does not have."""
    if window.zone_id is None:
        return
    found = rules.known((await streams.newest(ZONES)).state, window.zone_id)
    if found.setting.warehouse_id != window.warehouse_id:
        raise Refused(
            "unknown_zone",
            f"{window.zone_id} is a zone of {found.setting.warehouse_id}, not of"
            f" {window.warehouse_id}: see `shop zones list`",
        )


def _came_of(decided: Decided[Zones]) -> dict[str, Any]:
    position = decided.commit.position if decided.commit else 0
    return {"position": position, "repeated": decided.repeated}
