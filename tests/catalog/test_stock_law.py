"""Whatever is asked for, in whatever order: no piece is promised twice."""

from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Money, Refused
from catalog import stock
from catalog.contract import ANYWHERE, RestockStock
from catalog.price_list import change_price
from catalog.sourcing import less, pieces_of
from tests.catalog.histories import DEARER, NOW, PRICE, Room, line, lots

SKUS = ("MUG", "BOWL", "CUP")
NEAR = ("vaduz", "zurich", "basel")
SENDERS = st.sampled_from(NEAR)
BY = st.none() | SENDERS
PLACES = st.sampled_from((ANYWHERE, *NEAR))
IDS = st.sampled_from(("r1", "r2", "r3", "r4"))
LINES = st.lists(
    st.builds(line, st.sampled_from(SKUS), st.integers(1, 4), st.sampled_from((PRICE, DEARER))),
    min_size=1,
    max_size=4,
)
STEPS = st.one_of(
    st.tuples(st.just("reserve"), IDS, LINES),
    st.tuples(st.sampled_from(("allocate", "release", "lapse", "ship")), IDS, st.none()),
    st.tuples(st.just("ship"), IDS, SENDERS),
    st.tuples(
        st.sampled_from(("restock", "write off")),
        IDS,
        st.tuples(
            st.sampled_from(("ret_1", "ret_2")),
            st.sampled_from(SKUS),
            st.integers(1, 4),
            BY,
        ),
    ),
    st.tuples(st.just("count"), st.sampled_from(SKUS), st.tuples(PLACES, st.integers(0, 8))),
    st.tuples(st.just("price"), st.sampled_from(SKUS), st.sampled_from((PRICE, DEARER))),
)


TURNS = st.tuples(st.sampled_from(("release", "lapse", "ship")), st.just("r1"), st.none())
"""What makes the order's life take another turn."""

Step = tuple[str, str, object]


@given(st.lists(STEPS, max_size=40))
def test_no_piece_is_ever_promised_twice(steps: list[Step]) -> None:
    room = Room(MUG=5, BOWL=3, CUP=0)
    for step in steps:
        take(room, step)
        check(room)


@given(
    scattered=st.lists(st.tuples(st.sampled_from(SKUS), PLACES, st.integers(1, 3)), max_size=4),
    pieces=st.tuples(*[st.integers(1, 3)] * 5),
    extra=st.lists(STEPS | TURNS, max_size=12),
    data=st.data(),
)
def test_nor_when_several_warehouses_send_it(
    scattered: list[tuple[str, str, int]],
    pieces: tuple[int, ...],
    extra: list[Step],
    data: st.DataObject,
) -> None:
    """What usually happens to an order that is shared, whatever comes between."""
    room = Room(MUG=0, BOWL=0, CUP=0)
    here, there, first, second, third = pieces
    for sku, place, quantity in (*scattered, ("MUG", "vaduz", here), ("MUG", "zurich", there)):
        take(room, ("count", sku, (place, quantity)))
    steps: list[Step] = [
        ("reserve", "r1", [line("MUG", here + there)]),
        ("allocate", "r1", None),
        *(("ship", "r1", sender) for sender in data.draw(st.permutations(NEAR))),
        ("restock", "r1", ("ret_1", "MUG", first, data.draw(BY))),
        ("write off", "r1", ("ret_2", "MUG", second, data.draw(BY))),
        ("restock", "r1", ("ret_3", "MUG", third, data.draw(BY))),
    ]
    for step in extra:
        steps.insert(data.draw(st.integers(0, len(steps))), step)
    for step in steps:
        take(room, step)
        check(room)


def check(room: Room) -> None:
    """Every law, of every SKU in every place."""
    for sku in SKUS:
        on_hand, reserved, allocated = room.counters(sku)
        assert reserved + allocated <= on_hand
        one = room.items[sku]
        assert one is not None
        for place, there in one.levels.items():
            assert min(there.on_hand, there.reserved, there.allocated, there.available) >= 0
            assert there.reserved == kept(room, sku, place, "held")
            assert there.allocated == kept(room, sku, place, "allocated")
    for r in room.reservations.values():
        assert pieces_of(r.taken) == r.pieces
        assert pieces_of(r.back) == {sku: n for sku, n in r.returned.items() if n}
        # Nothing comes back to a place from which it had not left.
        assert all(part.quantity > 0 for part in less(r.sent, r.back))
        assert (r.status == "shipped") == (bool(r.left) and not r.here)


def kept(room: Room, sku: str, place: str, status: str) -> int:
    """What the reservations say that the item's counters must say too."""
    return sum(
        part.quantity
        for r in room.reservations.values()
        if r.status == status
        for part in r.here
        if (part.sku, part.warehouse_id) == (sku, place)
    )


def take(room: Room, step: Step) -> None:
    try:
        match step:
            case "reserve", id, list(lines):
                room.reserve(*lines, id=id, near=NEAR, most=3)
            case "allocate", id, _:
                room.allocate(id)
            case "release", id, _:
                room.release(id)
            case "lapse", id, _:
                room.lapse(id)
            case "ship", id, (str() | None) as part:
                room.ship(id, part)
            case "restock", id, (str(by), str(sku), int(pieces), (str() | None) as to):
                back = lots(**{sku: pieces})
                room.restock(
                    RestockStock(reservation_id=id, return_id=by, restock=back, warehouse_id=to)
                )
            case "write off", id, (str(by), str(sku), int(pieces), (str() | None) as to):
                gone = lots(**{sku: pieces})
                room.restock(
                    RestockStock(reservation_id=id, return_id=by, write_off=gone, warehouse_id=to)
                )
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
