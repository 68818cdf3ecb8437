"""Whatever is asked for, in whatever order: no piece is promised twice."""

from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Money, Refused
from catalog import stock
from catalog.contract import ANYWHERE, RestockStock
from catalog.price_list import change_price
from tests.catalog.histories import DEARER, NOW, PRICE, Room, line, lots

SKUS = ("MUG", "BOWL", "CUP")
PLACES = st.sampled_from((ANYWHERE, "vaduz", "zurich"))
IDS = st.sampled_from(("r1", "r2", "r3", "r4"))
LINES = st.lists(
    st.builds(line, st.sampled_from(SKUS), st.integers(1, 4), st.sampled_from((PRICE, DEARER))),
    min_size=1,
    max_size=4,
)
STEPS = st.one_of(
    st.tuples(st.just("reserve"), IDS, LINES),
    st.tuples(st.sampled_from(("allocate", "release", "lapse", "ship")), IDS, st.none()),
    st.tuples(
        st.sampled_from(("restock", "write off")),
        IDS,
        st.tuples(st.sampled_from(("ret_1", "ret_2")), st.sampled_from(SKUS), st.integers(1, 4)),
    ),
    st.tuples(st.just("count"), st.sampled_from(SKUS), st.tuples(PLACES, st.integers(0, 8))),
    st.tuples(st.just("price"), st.sampled_from(SKUS), st.sampled_from((PRICE, DEARER))),
)


@given(st.lists(STEPS, max_size=40))
def test_no_piece_is_ever_promised_twice(steps: list[tuple[str, str, object]]) -> None:
    room = Room(MUG=5, BOWL=3, CUP=0)
    for step in steps:
        take(room, step)
        for sku in SKUS:
            on_hand, reserved, allocated = room.counters(sku)
            assert reserved + allocated <= on_hand
            one = room.items[sku]
            assert one is not None
            for there in one.levels.values():
                assert min(there.on_hand, there.reserved, there.allocated, there.available) >= 0
            assert all(
                r.returned.get(sku, 0) <= r.pieces.get(sku, 0) * (r.status == "shipped")
                for r in room.reservations.values()
            )
            assert (reserved, allocated) == (kept(room, sku, "held"), kept(room, sku, "allocated"))


def kept(room: Room, sku: str, status: str) -> int:
    """What the reservations say that the item's counters must say too."""
    return sum(r.pieces.get(sku, 0) for r in room.reservations.values() if r.status == status)


def take(room: Room, step: tuple[str, str, object]) -> None:
    try:
        match step:
            case "reserve", id, list(lines):
                room.reserve(*lines, id=id, near=("vaduz", "zurich"))
            case "allocate", id, _:
                room.allocate(id)
            case "release", id, _:
                room.release(id)
            case "lapse", id, _:
                room.lapse(id)
            case "ship", id, _:
                room.ship(id)
            case "restock", id, (str(by), str(sku), int(pieces)):
                back = lots(**{sku: pieces})
                room.restock(RestockStock(reservation_id=id, return_id=by, restock=back))
            case "write off", id, (str(by), str(sku), int(pieces)):
                gone = lots(**{sku: pieces})
                room.restock(RestockStock(reservation_id=id, return_id=by, write_off=gone))
            case "count", sku, (str(place), int(pieces)):
                one = room.items[sku]
                assert one is not None
                room.do("", stock.count(one, sku, pieces, "counted", place))
            case "price", sku, Money() as price:
                one = room.items[sku]
                assert one is not None
                room.do("", change_price(one, sku, price, NOW))
    except Refused:
        pass
