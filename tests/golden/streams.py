"""What golden streams are made of. New ones are written with `python -m tests.golden.streams` in
the repository's root; those that are there stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import bson
from bson import json_util
from bson.codec_options import CodecOptions
from bson.json_util import JSONOptions
from pydantic import TypeAdapter

from bus.commits import Codec, Meta, Recorded, Write
from bus.messages import Event
from bus.streams import Kind
from catalog.item import Item, ItemEvent, Level
from catalog.product import Product, ProductEvent
from catalog.reservation import Reservation, ReservationEvent
from catalog.shelves import products
from catalog.storeroom import items, reservations
from delivery.delivery import DeliveryEvent
from delivery.handlers import DELIVERY
from delivery.slot import Book, SlotEvent
from delivery.slot_handlers import SLOT, TIMETABLE
from delivery.timetable import Timetable, TimetableEvent
from delivery.views import document
from delivery.warehouse import WarehouseEvent, Warehouses
from delivery.warehouse_handlers import WAREHOUSES
from delivery.zone import ZoneEvent, Zones
from delivery.zone_handlers import ZONES
from ordering.order import OrderEvent
from ordering.views import orders, present
from payment.balance import BalanceEvent, Ledger
from payment.handlers import balances, payments
from payment.payment import Payment, PaymentEvent
from shop.webhooks.endpoint import Endpoint, EndpointEvent
from shop.webhooks.registry import ALL
from tests.golden.shapes import SHAPES, WRITTEN

FOLDER = Path(__file__).parent

UTC_TIMES = JSONOptions(tz_aware=True)


class Sort(NamedTuple):
    """A sort of stream: its events, how they fold, and what is shown of the state they lead to."""

    events: Sequence[type[Event]]
    kind: Kind[Any]
    shown: Callable[[Any], Any]


def as_json(shape: type[Any]) -> Callable[[Any], Any]:
    """Shows a state as it is."""
    adapter = TypeAdapter(shape)
    return lambda state: adapter.dump_python(state, mode="json")


def as_paid(payment: Payment) -> dict[str, Any]:
    """Shows how a payment stands, with each call by its key.

    `capture` and `refunding` were part of the state before there were parts and refunds.
    """
    shown: dict[str, Any] = as_json(Payment)(payment)
    of_all = {call.asked.gateway_key: (call.asked.tries, call.status) for call in payment.calls}
    capture = "not_asked" if payment.capturing is None else "requested"
    return {
        **shown,
        "calls": {
            key: {"tries": tries, "status": status} for key, (tries, status) in of_all.items()
        },
        "capture": capture if payment.captured is None else "captured",
        "refunding": bool(payment.refunds),
    }


def as_credit(ledger: Ledger) -> dict[str, Any]:
    """Shows how a buyer's credit stands, and what of it is set aside."""
    return {
        "buyer_id": ledger.buyer_id,
        "balance": ledger.balance.model_dump(),
        "available": ledger.available.model_dump(),
        "holds": {name: amount.model_dump() for name, amount in ledger.holds.items()},
    }


def as_stocked(item: Item) -> dict[str, Any]:
    """Shows what is sold under a SKU; one price and one place were all there was once."""
    shown: dict[str, Any] = as_json(Item)(item)
    together = as_json(Level)(item.total)
    return {**shown, **together, "price": shown["prices"]["EUR"][-1]["price"]}


def as_timetable(timetable: Timetable) -> dict[str, Any]:
    """Shows the windows of each place, `mon 09:00-12:00`, and the days that are closed."""
    return {
        "closed": dict(timetable.closed),
        "windows": {
            place: {f"{it.day} {it.start}-{it.end}": capacity for it, capacity in windows.items()}
            for place, windows in timetable.windows.items()
        },
    }


def as_taken(book: Book) -> dict[str, Any]:
    """Shows who has a place."""
    return {
        "slot": book.slot.model_dump(mode="json"),
        "warehouse_id": book.warehouse_id,
        "capacity": book.capacity,
        "held": {reference: until.isoformat() for reference, until in book.held.items()},
        "booked": sorted(book.booked),
        "given_back": sorted(book.given_back),
    }


def as_houses(warehouses: Warehouses) -> dict[str, Any]:
    """Shows every warehouse."""
    return {id: warehouse.model_dump(mode="json") for id, warehouse in warehouses.items()}


def as_zones(zones: Zones) -> dict[str, Any]:
    """Shows every zone."""
    return {id: zone.setting.model_dump(mode="json") for id, zone in zones.items()}


SORTS: Mapping[str, Sort] = {
    "ordering": Sort(
        get_args(OrderEvent), orders, lambda order: present(order, 1).model_dump(mode="json")
    ),
    "payment": Sort(get_args(PaymentEvent), payments, as_paid),
    "payment.balances": Sort(get_args(BalanceEvent), balances, as_credit),
    "delivery": Sort(
        get_args(DeliveryEvent), DELIVERY, lambda it: document(it, None).model_dump(mode="json")
    ),
    "delivery.warehouses": Sort(get_args(WarehouseEvent), WAREHOUSES.kind, as_houses),
    "delivery.zones": Sort(get_args(ZoneEvent), ZONES.kind, as_zones),
    "delivery.timetables": Sort(get_args(TimetableEvent), TIMETABLE, as_timetable),
    "delivery.slots": Sort(get_args(SlotEvent), SLOT, as_taken),
    "webhooks": Sort(get_args(EndpointEvent), ALL.kind, as_json(dict[str, Endpoint])),
    "catalog.items": Sort(get_args(ItemEvent), items, as_stocked),
    "catalog.products": Sort(get_args(ProductEvent), products, as_json(Product)),
    "catalog.reservations": Sort(get_args(ReservationEvent), reservations, as_json(Reservation)),
}


def replayed(sort: Sort, stored: Sequence[Mapping[str, Any]]) -> Any:
    """What is shown when stored events are read and folded as the log's are."""
    return sort.shown(folded(sort, stored))


def folded(sort: Sort, stored: Sequence[Mapping[str, Any]]) -> Any:
    """The state that stored events lead to."""
    codec = Codec(sort.events)
    state: Any = None
    for event in stored:
        state = sort.kind.evolve(state, codec.event(event["type"], event["data"]))
    return state


def stored(sort: Sort, history: Sequence[Event]) -> list[Mapping[str, Any]]:
    """Events as MongoDB gives them back."""
    recorded = tuple(Recorded(event, "s", 1) for event in history)
    meta = Meta("c", None, "system:storefold", None, None)
    commit = Codec(sort.events).document("c", (Write("s", 1),), recorded, WRITTEN, meta, {})
    read: dict[str, Any] = bson.decode(bson.encode(commit), CodecOptions(tz_aware=True))
    return [{"type": event["type"], "data": event["data"]} for event in read["events"]]


def load(path: Path) -> Any:
    """A golden stream."""
    return json_util.loads(path.read_text(), json_options=UTC_TIMES)


def write_new() -> None:
    """Write down the shapes that have no file yet."""
    for name, shapes in SHAPES.items():
        for shape, history in shapes.items():
            path = FOLDER / name / f"{shape}.json"
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                events = stored(SORTS[name], history)
                golden = {"events": events, "leads_to": replayed(SORTS[name], events)}
                path.write_text(json_util.dumps(golden, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write_new()
