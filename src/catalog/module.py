"""The catalog's wiring."""

from __future__ import annotations

from typing import get_args

from gridfs import GridFSBucket

from bus.context import Context
from bus.mongo import MAJORITY
from bus.platform import Platform
from catalog import policies
from catalog.commands import (
    ArchiveProduct,
    CallOffPrice,
    ChangePrice,
    ListProduct,
    PublishProduct,
    StorePicture,
)
from catalog.contract import (
    AllocateStock,
    FindShort,
    GetCurrency,
    GetOffers,
    ReleaseStock,
    ReserveStock,
    RestockStock,
    ShipStock,
    StockReserved,
)
from catalog.gallery import Gallery
from catalog.item import ItemEvent
from catalog.product import ProductEvent
from catalog.queries import (
    GetChanges,
    GetPicture,
    GetPrices,
    GetProduct,
    GetSheet,
    HasProducts,
    ListProducts,
    ListSheets,
    PreviewProduct,
)
from catalog.reservation import ReservationAllocated, ReservationEvent, ReservationReleased
from catalog.search import Search
from catalog.sheets import Office
from catalog.shelves import Shelves
from catalog.sourcing import MOST_SHIPMENTS
from catalog.stock_commands import (
    AdjustStock,
    AllowBackorder,
    CountStock,
    GetStock,
    LapseReservation,
    ReceiveStock,
    SetLowStock,
)
from catalog.storeroom import Storeroom
from catalog.views import PRODUCTS
from catalog.window import Window

EVENTS = (*get_args(ProductEvent), *get_args(ItemEvent), *get_args(ReservationEvent))


def register(
    platform: Platform, *, currency: str = "EUR", most_shipments: int = MOST_SHIPMENTS
) -> Context:
    """Put the catalog on the platform; it sells in one currency (ISO 4217), and no more than so
    many warehouses share an order."""
    home = platform.context("catalog", events=EVENTS, timed=(LapseReservation,))
    gallery = Gallery(GridFSBucket(home.database, "pictures", write_concern=MAJORITY))
    room = Storeroom(home.streams, currency, most_shipments)
    shelves = Shelves(home.streams, gallery, currency)
    cards = home.view(PRODUCTS)
    window = Window(home, Search(home, cards, currency), gallery, currency)
    office = Office(home, cards, currency)
    bus = platform.bus

    bus.handle(GetOffers, room.offers)
    bus.handle(FindShort, room.find_short)
    bus.handle(ReserveStock, room.reserve)
    bus.handle(AllocateStock, room.allocate)
    bus.handle(ReleaseStock, room.release)
    bus.handle(ShipStock, room.ship)
    bus.handle(RestockStock, room.restock)
    bus.handle(LapseReservation, room.lapse)
    bus.handle(GetStock, room.stock)
    bus.handle(CountStock, room.count)
    bus.handle(AdjustStock, room.adjust)
    bus.handle(ReceiveStock, room.receive)
    bus.handle(AllowBackorder, room.allow_backorder)
    bus.handle(SetLowStock, room.set_low_stock)

    bus.handle(ListProduct, shelves.list_product)
    bus.handle(PublishProduct, shelves.publish)
    bus.handle(ArchiveProduct, shelves.archive)
    bus.handle(ChangePrice, shelves.change_price)
    bus.handle(CallOffPrice, shelves.call_off_price)
    bus.handle(StorePicture, shelves.store_picture)
    bus.handle(GetSheet, office.sheet)
    bus.handle(ListSheets, office.find)
    bus.handle(GetChanges, office.changes)
    bus.handle(GetPrices, office.prices)
    bus.handle(GetCurrency, shelves.get_currency)
    bus.handle(HasProducts, shelves.has_products)
    bus.handle(PreviewProduct, shelves.preview)

    bus.handle(GetProduct, window.get)
    bus.handle(ListProducts, window.list)
    bus.handle(GetPicture, window.picture)

    bus.schedule(
        "catalog.lapse",
        {
            StockReserved: policies.lapse_in_time,
            ReservationAllocated: policies.lapse_no_more,
            ReservationReleased: policies.lapse_no_more,
        },
    )
    return home
