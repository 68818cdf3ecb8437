"""What a quote asks: where it is, how far, from where, what that costs, and when."""

from __future__ import annotations

from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Position
from bus.streams import Streams
from delivery import quote as quotes
from delivery.contract import DeliveryQuote, QuoteDelivery
from delivery.slot_queries import SlotQueries
from delivery.tariff import Load, Tariffs
from delivery.warehouse import known
from delivery.warehouse_handlers import WAREHOUSES
from delivery.zone import serving
from delivery.zone_handlers import ZONES
from maps.contract import Leg, Locate, Measure

AT_ONCE = 100
"""Ways that maps measures in one question."""


class QuoteHandlers:
    """Quotes the way to a destination. Writes nothing."""

    def __init__(self, streams: Streams, bus: Bus, tariffs: Tariffs, slots: SlotQueries) -> None:
        self._streams = streams
        self._bus = bus
        self._tariffs = tariffs
        self._slots = slots

    async def quote(self, query: QuoteDelivery, envelope: Envelope[QuoteDelivery]) -> DeliveryQuote:
        """What it costs to bring the goods there, and in which slots they could come."""
        there = await self._streams.load(WAREHOUSES)
        sources = quotes.open_warehouses(there.state)
        place = await self._bus.ask(Locate(address=query.destination), envelope)
        origins = tuple(source.position for source in sources)
        legs = await self._measure(origins, place.position, envelope)
        load = Load(query.weight_g, query.unweighed)
        zones = (await self._streams.load(ZONES)).state
        covering = None
        if zones:
            named = zip(sources, legs, strict=True)
            ways = {source.warehouse_id: leg for source, leg in named if leg is not None}
            covering = serving(zones, place.position, ways)
        found = quotes.quote(
            sources, legs, query.goods, self._tariffs, load, query.stocked, covering
        )
        if not query.with_slots:
            return found
        source = known(there.state, found.warehouse_id)
        slots = await self._slots.offered(source, found.zone_id)
        return found.model_copy(update={"slots": slots})

    async def _measure(
        self,
        origins: tuple[Position, ...],
        destination: Position,
        envelope: Envelope[QuoteDelivery],
    ) -> list[Leg | None]:
        legs: list[Leg | None] = []
        for first in range(0, len(origins), AT_ONCE):
            part = origins[first : first + AT_ONCE]
            legs += await self._bus.ask(Measure(origins=part, destination=destination), envelope)
        return legs
