"""What a command or a query about windows and slots does: load, decide, append."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bus.envelope import Envelope
from bus.messages import Done, now
from bus.streams import Kind, Streams
from delivery import slot as slots
from delivery import timetable as timetables
from delivery.commands import Warehouse
from delivery.contract import FreeSlot, HoldSlot, Slot
from delivery.slot import Book, SlotEvent, SlotTerms
from delivery.slot_commands import CloseDay, DropWindow, OpenDay, SetWindow
from delivery.timetable import Timetable, TimetableEvent
from delivery.warehouse import known
from delivery.warehouse_handlers import WAREHOUSES
from delivery.zone_handlers import check_zone

TIMETABLE = Kind("timetable", timetables.evolve)
SLOT = Kind("slot", slots.evolve)


class SlotHandlers:
    """The commands about windows and slots, on their streams."""

    def __init__(self, streams: Streams, terms: SlotTerms) -> None:
        self._streams = streams
        self._terms = terms

    async def set_window(self, command: SetWindow, envelope: Envelope[SetWindow]) -> Done[None]:
        """Deliver in this window."""
        await check_zone(self._streams, command)
        return await self._change(
            command.warehouse_id, lambda table: timetables.set_window(table, command), envelope
        )

    async def drop_window(self, command: DropWindow, envelope: Envelope[DropWindow]) -> Done[None]:
        """Deliver in this window no more."""
        return await self._change(
            command.warehouse_id, lambda table: timetables.drop_window(table, command), envelope
        )

    async def close_day(self, command: CloseDay, envelope: Envelope[CloseDay]) -> Done[None]:
        """Deliver nothing that day."""
        return await self._change(
            command.warehouse_id, lambda table: timetables.close(table, command), envelope
        )

    async def open_day(self, command: OpenDay, envelope: Envelope[OpenDay]) -> Done[None]:
        """Deliver that day after all."""
        return await self._change(
            command.warehouse_id, lambda table: timetables.reopen(table, command), envelope
        )

    async def hold(self, command: HoldSlot, envelope: Envelope[HoldSlot]) -> Slot:
        """Keep a place for a reference."""
        warehouse = await self._known(command.warehouse_id)
        table = (await self._streams.load(TIMETABLE(command.warehouse_id))).state or Timetable()
        place = table.place(command.warehouse_id, command.zone_id)
        zone = self._terms.zone_of(warehouse)

        def decision(book: Book | None) -> Sequence[SlotEvent]:
            at = now()
            if slots.has_place(book, command, at):
                return []
            offered = timetables.find(table, place, command.slot_id, zone)
            return slots.hold(book, command, offered, at, self._terms.lead)

        decided = await self._streams.decide(SLOT(command.slot_id), decision, envelope)
        if decided.state is None:
            raise timetables.unknown_slot(command.slot_id, f"nobody knows slot {command.slot_id}")
        return decided.state.slot

    async def free(self, command: FreeSlot, envelope: Envelope[FreeSlot]) -> None:
        """A place is not needed any more."""
        await self._streams.decide(
            SLOT(command.slot_id), lambda book: slots.free(book, command.reference), envelope
        )

    async def _change(
        self,
        warehouse_id: str,
        rule: Callable[[Timetable | None], Sequence[TimetableEvent]],
        envelope: Envelope[Any],
    ) -> Done[None]:
        await self._known(warehouse_id)
        decided = await self._streams.decide(TIMETABLE(warehouse_id), rule, envelope)
        return Done(
            answer=None,
            position=decided.commit.position if decided.commit else 0,
            repeated=decided.repeated,
        )

    async def _known(self, warehouse_id: str) -> Warehouse:
        return known((await self._streams.newest(WAREHOUSES)).state, warehouse_id)
