"""Histories of every shape, one stream each, to be written down as golden streams."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bus.messages import Address, Event, Money, Position
from catalog.commands import Picture
from catalog.contract import (
    ANYWHERE,
    AllocationFailed,
    Line,
    Lot,
    ReservationLapsed,
    StockDenied,
    StockRanLow,
    StockReserved,
    Taken,
)
from catalog.item import (
    BackorderChanged,
    ItemAllocated,
    ItemDeallocated,
    ItemListed,
    ItemOffered,
    ItemReleased,
    ItemRenamed,
    ItemReserved,
    ItemRestocked,
    ItemShipped,
    ItemWeighed,
    ItemWithdrawn,
    LowStockSet,
    PriceCalledOff,
    PriceChanged,
    StockAdjusted,
    StockReceived,
)
from catalog.product import (
    Description,
    PicturesChanged,
    ProductArchived,
    ProductDescribed,
    ProductListed,
    ProductPublished,
    Shown,
    Variant,
    VariantsChanged,
)
from catalog.reservation import (
    ReservationAllocated,
    ReservationReleased,
    ReservationReturned,
    ReservationShipped,
)
from delivery.contract import (
    DeliveryCancelled,
    DeliveryDelivered,
    DeliveryPickedUp,
    DeliveryReturned,
    DeliveryScheduled,
    Packed,
    Slot,
)
from delivery.delivery import CheckpointRecorded
from ordering.order import OrderRerouted, SlotChanged
from tests.golden import slots
from tests.golden.deliveries import DELIVERIES
from tests.golden.endpoints import ENDPOINTS
from tests.golden.money import BALANCES, PAYMENTS
from tests.ordering import histories as ordering
from tests.ordering.fetching import FETCHING
from tests.ordering.histories import SHAPES as ORDERS
from tests.ordering.shared import ENDS as SHARED_ORDERS
from tests.payment import histories as payment

WRITTEN = datetime(2026, 11, 23, 12, tzinfo=UTC)

PRICE = Money(amount=18_90, currency="EUR")
SALE = Money(amount=15_00, currency="EUR")
YEN = Money(amount=3000, currency="JPY")
SOON, LATER = WRITTEN + timedelta(days=1), WRITTEN + timedelta(days=2)
LINES = (
    Line(sku="MUG-BLUE", quantity=2, unit_price=PRICE),
    Line(sku="MUG-RED", quantity=1, unit_price=PRICE),
)
RESERVED = StockReserved(reservation_id="ord_1", lines=LINES, expires_at=WRITTEN)
ALLOCATED = ReservationAllocated(reservation_id="ord_1")
RELEASED = ReservationReleased(reservation_id="ord_1")
LAPSED = ReservationLapsed(reservation_id="ord_1")

LISTED = ItemListed(sku="MUG-BLUE", product_id="mug", name="Mug, blue", price=PRICE)
STOCKED = StockAdjusted(sku="MUG-BLUE", change=10, reason="first stock")

MUG = Description(name="Mug", description="Holds tea.", brand="Clay", category="Kitchen")
PAGE = ProductListed(product_id="mug", about=MUG)
PICTURE = Picture(digest="ab" * 32, width=640, height=480)
BLUE = Variant(sku="MUG-BLUE", name="Mug, blue")
RICH = Description(
    **MUG.model_dump(exclude={"categories", "attributes"}),
    categories=("Gifts", "Tea"),
    attributes={"made of": "clay"},
)
NAVY = Variant(sku="MUG-NAVY", name="Mug, navy", weight_g=350, attributes={"colour": "navy"})

DOOR = Address(
    house_number="12",
    road="Äulestrasse",
    sub_district="Mühleholz",
    district="Vaduz",
    state="Oberland",
    postcode="9490",
    country="LI",
    position=Position(lat=47.1415, lon=9.5215),
)
SLOT = Slot.model_validate({"slot_id": "s1", "from": WRITTEN, "to": WRITTEN + timedelta(hours=2)})
SCHEDULED = DeliveryScheduled(
    delivery_id="dlv_1",
    reference="ord_1",
    warehouse_id="vaduz",
    destination=DOOR,
    carrier="house",
    tracking_number="7K3M-9QXT-4B2W-H",
    slot=SLOT,
)


def seen(status: str, minute: int) -> CheckpointRecorded:
    return CheckpointRecorded.model_validate(
        {
            "delivery_id": "dlv_1",
            "reference": "ord_1",
            "status": status,
            "at": WRITTEN + timedelta(minutes=minute),
            "position": Position(lat=47.15, lon=9.51),
            "note": "by van",
        }
    )


PICKED_UP = DeliveryPickedUp(delivery_id="dlv_1", reference="ord_1", at=WRITTEN)
ON_THE_ROAD: list[Event] = [SCHEDULED, PICKED_UP, seen("picked_up", 0), seen("en_route", 5)]

SHARED = StockReserved(
    reservation_id="ord_1",
    lines=LINES,
    expires_at=WRITTEN,
    warehouse_id="vaduz",
    taken=(
        Taken(sku="MUG-BLUE", quantity=1, warehouse_id="vaduz", sent_by="vaduz"),
        Taken(sku="MUG-BLUE", quantity=1, warehouse_id=ANYWHERE, sent_by="vaduz"),
        Taken(sku="MUG-RED", quantity=1, warehouse_id="zurich", sent_by="zurich"),
    ),
)


def part_left(warehouse_id: str) -> ReservationShipped:
    return ReservationShipped(reservation_id="ord_1", warehouse_id=warehouse_id)


REROUTED: list[Event] = [
    ordering.PLACED,
    OrderRerouted(order_id="ord_1", warehouse_id="sargans", at=ordering.NOW),
    ordering.requested(),
]

MOVED: list[Event] = [
    *ordering.SCHEDULED,
    SlotChanged(order_id="ord_1", slot=ordering.SLOT, at=ordering.NOW),
]

SHAPES: Mapping[str, Mapping[str, Sequence[Event]]] = {
    "ordering": {
        **ORDERS,
        **FETCHING,
        **SHARED_ORDERS,
        "rerouted": REROUTED,
        "undelivered": ordering.SENT_BACK,
        "moved_to_another_slot": MOVED,
        **slots.ORDERS,
    },
    "payment": {
        "paying": [payment.requested()],
        "declined": [payment.requested(), payment.declined()],
        "asked": [payment.requested(), payment.needs_action()],
        "authorized": payment.AUTHORIZED,
        "captured": payment.TAKEN,
        "refunded": [*payment.TAKEN, payment.CANCELLING, payment.REFUNDING, payment.REFUNDED],
        "voided": [
            *payment.AUTHORIZED,
            payment.CANCELLING,
            payment.voiding(),
            payment.attempt_voided(),
            payment.VOIDED,
        ],
        "paid_at_the_second_attempt": [
            payment.requested(),
            payment.declined(),
            payment.requested(2),
            payment.authorized(2),
        ],
        "cancelled_before_it_began": [payment.VOIDED],
        **PAYMENTS,
    },
    "payment.balances": BALANCES,
    "delivery.warehouses": slots.WAREHOUSES,
    "delivery.zones": slots.ZONES,
    "delivery.timetables": slots.TIMETABLES,
    "delivery.slots": slots.SLOTS,
    "delivery": {
        **slots.DELIVERIES,
        "scheduled": [SCHEDULED],
        "packed": [
            SCHEDULED.model_copy(
                update={
                    "items": (
                        Packed(sku="MUG-BLUE", quantity=2),
                        Packed(sku="MUG-RED", quantity=1),
                    )
                }
            ),
            PICKED_UP,
        ],
        "on_the_road": ON_THE_ROAD,
        "delivered": [
            *ON_THE_ROAD,
            seen("delivered", 30),
            DeliveryDelivered(delivery_id="dlv_1", reference="ord_1", at=WRITTEN),
        ],
        "returned": [
            *ON_THE_ROAD,
            seen("attempt_failed", 30),
            seen("returned_to_sender", 90),
            DeliveryReturned(delivery_id="dlv_1", reference="ord_1", at=WRITTEN),
        ],
        "cancelled": [SCHEDULED, DeliveryCancelled(delivery_id="dlv_1", reference="ord_1")],
        "cancelled_before_it_was_scheduled": [
            DeliveryCancelled(delivery_id="dlv_1", reference="ord_1")
        ],
        **DELIVERIES,
    },
    "webhooks": ENDPOINTS,
    "catalog.items": {
        "listed": [LISTED],
        "sold": [
            LISTED,
            STOCKED,
            ItemRenamed(sku="MUG-BLUE", name="Mug, navy"),
            PriceChanged(sku="MUG-BLUE", price=Money(amount=19_90, currency="EUR")),
            ItemReserved(sku="MUG-BLUE", quantity=3),
            ItemReleased(sku="MUG-BLUE", quantity=1),
            ItemAllocated(sku="MUG-BLUE", quantity=2),
            ItemDeallocated(sku="MUG-BLUE", quantity=1),
            ItemShipped(sku="MUG-BLUE", quantity=1),
            StockAdjusted(sku="MUG-BLUE", change=-2, reason="broken"),
        ],
        "priced": [
            ItemListed(
                sku="MUG-BLUE",
                product_id="mug",
                name="Mug, blue",
                price=PRICE,
                weight_g=350,
                reason="for spring",
            ),
            ItemWithdrawn(sku="MUG-BLUE", reason="for spring"),
            ItemOffered(sku="MUG-BLUE", reason="spring has come"),
            ItemWeighed(sku="MUG-BLUE", weight_g=360, reason="weighed anew"),
            PriceChanged(sku="MUG-BLUE", price=YEN, starts=WRITTEN, reason="sold in Japan"),
            PriceChanged(sku="MUG-BLUE", price=SALE, starts=SOON, reason="advent"),
            PriceChanged(sku="MUG-BLUE", price=SALE, starts=LATER),
            PriceCalledOff(sku="MUG-BLUE", currency="EUR", starts=LATER, reason="too late"),
        ],
        "restocked": [
            LISTED,
            STOCKED,
            ItemReserved(sku="MUG-BLUE", quantity=2),
            ItemAllocated(sku="MUG-BLUE", quantity=2),
            ItemShipped(sku="MUG-BLUE", quantity=2),
            ItemRestocked(sku="MUG-BLUE", quantity=1),
        ],
        "in_two_houses": [
            LISTED,
            StockReceived(sku="MUG-BLUE", quantity=4, reason="from the potter"),
            StockReceived(
                sku="MUG-BLUE", quantity=3, reason="from the potter", warehouse_id="vaduz"
            ),
            LowStockSet(sku="MUG-BLUE", threshold=5, reason="sells well"),
            BackorderChanged(sku="MUG-BLUE", allowed=True, reason="more is on its way"),
            ItemReserved(sku="MUG-BLUE", quantity=3, warehouse_id="vaduz"),
            StockRanLow(sku="MUG-BLUE", available=4, threshold=5),
            ItemReserved(sku="MUG-BLUE", quantity=6),
            ItemAllocated(sku="MUG-BLUE", quantity=3, warehouse_id="vaduz"),
            ItemShipped(sku="MUG-BLUE", quantity=3, warehouse_id="vaduz"),
            StockAdjusted(sku="MUG-BLUE", change=2, reason="found", warehouse_id="vaduz"),
        ],
    },
    "catalog.products": {
        "listed": [PAGE],
        "changed": [
            PAGE,
            VariantsChanged(product_id="mug", variants=(BLUE,)),
            PicturesChanged(
                product_id="mug",
                pictures=(Shown(number=1, picture=PICTURE),),
            ),
            ProductDescribed(product_id="mug", about=MUG.model_copy(update={"brand": ""})),
        ],
        "published": [
            ProductListed(product_id="mug", about=RICH, status="draft", reason="for spring"),
            VariantsChanged(product_id="mug", variants=(NAVY,), reason="for spring"),
            ProductPublished(product_id="mug", reason="spring has come"),
            ProductDescribed(product_id="mug", about=RICH, reason="a new maker"),
            PicturesChanged(
                product_id="mug",
                pictures=(Shown(number=1, picture=PICTURE),),
                reason="a new maker",
            ),
        ],
        "archived": [PAGE, ProductArchived(product_id="mug", reason="no more clay")],
    },
    "catalog.reservations": {
        "held": [RESERVED],
        "held_in_two_places": [
            StockReserved(
                reservation_id="ord_1",
                lines=LINES,
                expires_at=WRITTEN,
                warehouse_id="vaduz",
                taken=(
                    Taken(sku="MUG-BLUE", quantity=1, warehouse_id="vaduz"),
                    Taken(sku="MUG-BLUE", quantity=1, warehouse_id=ANYWHERE),
                    Taken(sku="MUG-RED", quantity=1, warehouse_id=ANYWHERE),
                ),
            ),
            ALLOCATED,
        ],
        "denied": [StockDenied(reservation_id="ord_1", reason="out_of_stock", skus=("MUG-BLUE",))],
        "allocated": [RESERVED, ALLOCATED],
        "shipped": [RESERVED, ALLOCATED, ReservationShipped(reservation_id="ord_1")],
        "returned": [
            RESERVED,
            ALLOCATED,
            ReservationShipped(reservation_id="ord_1"),
            ReservationReturned(
                reservation_id="ord_1",
                return_id="ret_1_1",
                restock=(Lot(sku="MUG-BLUE", quantity=1),),
                write_off=(Lot(sku="MUG-RED", quantity=1),),
            ),
            ReservationReturned(
                reservation_id="ord_1",
                return_id="ret_2_1",
                restock=(Lot(sku="MUG-BLUE", quantity=1),),
                write_off=(),
            ),
        ],
        "shared": [SHARED, ALLOCATED],
        "left_part_by_part": [SHARED, ALLOCATED, part_left("zurich"), part_left("vaduz")],
        "left_in_part": [SHARED, ALLOCATED, part_left("zurich"), RELEASED],
        "back_in_part": [
            SHARED,
            ALLOCATED,
            part_left("zurich"),
            part_left("vaduz"),
            ReservationReturned(
                reservation_id="ord_1",
                return_id="ret_1_1",
                restock=(Lot(sku="MUG-RED", quantity=1),),
                write_off=(),
                warehouse_id="zurich",
            ),
        ],
        "shared_again": [
            SHARED,
            LAPSED,
            ReservationAllocated(reservation_id="ord_1", taken=SHARED.taken),
        ],
        "released": [RESERVED, RELEASED],
        "released_before_it_was_asked_for": [RELEASED],
        "lapsed": [RESERVED, LAPSED],
        "failed": [RESERVED, LAPSED, AllocationFailed(reservation_id="ord_1", skus=("MUG-RED",))],
        "had_again": [RESERVED, LAPSED, ALLOCATED],
    },
}
