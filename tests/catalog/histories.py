"""A storeroom in memory to build tests on: the same decisions and states, without a log."""

from datetime import UTC, datetime

from bus.messages import Event, Money
from catalog import item, reservation, shipping
from catalog.contract import Line, Lot, ReserveStock, RestockStock
from catalog.item import Item, ItemEvent, ItemListed, StockAdjusted
from catalog.reservation import Reservation, ReservationEvent

PRICE = Money(amount=18_90, currency="EUR")
DEARER = Money(amount=19_90, currency="EUR")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def stocked(pieces: int, sku: str = "MUG", price: Money = PRICE) -> Item:
    listed = ItemListed(sku=sku, product_id="p", name=sku, price=price)
    adjusted = StockAdjusted(sku=sku, change=pieces, reason="first stock")
    return item.evolve(item.evolve(None, listed), adjusted)


def line(sku: str = "MUG", quantity: int = 1, price: Money = PRICE) -> Line:
    return Line(sku=sku, quantity=quantity, unit_price=price)


def wanted(*lines: Line, id: str = "r1", near: tuple[str, ...] = ()) -> ReserveStock:
    return ReserveStock(reservation_id=id, lines=lines, expires_at=LATER, warehouses=near)


def lots(**pieces: int) -> tuple[Lot, ...]:
    return tuple(Lot(sku=sku, quantity=quantity) for sku, quantity in pieces.items())


def back(
    restock: tuple[Lot, ...] = (),
    write_off: tuple[Lot, ...] = (),
    *,
    by: str = "ret_1",
    to: str | None = None,
) -> RestockStock:
    return RestockStock(
        reservation_id="r1", return_id=by, restock=restock, write_off=write_off, warehouse_id=to
    )


class Room:
    """Items and reservations; `do` takes what was decided."""

    def __init__(self, **pieces: int) -> None:
        self.items: dict[str, Item | None] = {s: stocked(n, s) for s, n in pieces.items()}
        self.reservations: dict[str, Reservation] = {}

    def do(self, id: str, events: list[Event]) -> list[str]:
        """The names of what happened."""
        for event in events:
            if isinstance(event, ItemEvent):
                self.items[event.sku] = item.evolve(self.items[event.sku], event)
            else:
                assert isinstance(event, ReservationEvent)
                self.reservations[id] = reservation.evolve(self.reservations.get(id), event)
        return [type(event).__name__ for event in events]

    def reserve(
        self, *lines: Line, id: str = "r1", near: tuple[str, ...] = (), most: int = 2
    ) -> list[str]:
        kept, order = self.reservations.get(id), wanted(*lines, id=id, near=near)
        return self.do(id, reservation.reserve(kept, self.items, order, NOW, most))

    def allocate(self, id: str = "r1") -> list[str]:
        kept = self.reservations.get(id)
        return self.do(id, reservation.allocate(kept, self.items, id))

    def release(self, id: str = "r1") -> list[str]:
        return self.do(id, reservation.release(self.reservations.get(id), id))

    def lapse(self, id: str = "r1") -> list[str]:
        return self.do(id, reservation.lapse(self.reservations.get(id), id))

    def ship(self, id: str = "r1", part: str | None = None) -> list[str]:
        return self.do(id, shipping.ship(self.reservations.get(id), id, part))

    def restock(self, wanted: RestockStock) -> list[str]:
        id = wanted.reservation_id
        return self.do(id, shipping.restock(self.reservations.get(id), wanted))

    def counters(self, sku: str = "MUG") -> tuple[int, int, int]:
        """On hand, reserved, allocated."""
        one = self.items[sku]
        assert one is not None
        level = one.total
        return level.on_hand, level.reserved, level.allocated
