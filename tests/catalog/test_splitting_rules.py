"""What no single warehouse has: which few send it together, each its part, as it leaves, is let go
and comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Refused
from catalog import reservation, sourcing, stock
from catalog.contract import ANYWHERE, AllocationFailed, StockDenied
from catalog.item import Item, ItemReserved
from catalog.sourcing import servers, shared_out
from tests.catalog.histories import NOW, Room, back, line, lots, wanted
from tests.catalog.test_sourcing_rules import after, kept

NEAR, FAR, FARTHER = PLACES = ("vaduz", "zurich", "basel")

Parts = dict[str, dict[str, int]]
"""The pieces that each warehouse sends."""


def room(**skus: Item) -> Room:
    """These items; nothing is reserved yet."""
    found = Room()
    found.items = dict(skus)
    return found


def parts(found: Room, id: str = "r1") -> Parts:
    """What each warehouse sends of a reservation, the first one first."""
    told: Parts = {}
    for taken in found.reservations[id].taken:
        assert taken.sent_by
        part = told.setdefault(taken.sent_by, {})
        part[taken.sku] = part.get(taken.sku, 0) + taken.quantity
    return told


def status(found: Room) -> str:
    return found.reservations["r1"].status


def at(found: Room, place: str, sku: str = "MUG") -> tuple[int, int, int]:
    """On hand, reserved and allocated in a place."""
    item = found.items[sku]
    assert item
    level = item.at(place)
    return level.on_hand, level.reserved, level.allocated


# --- who sends what


def test_one_warehouse_that_has_everything_sends_all_however_far_it_is() -> None:
    found = room(MUG=kept(vaduz=1, basel=1), BOWL=kept("BOWL", zurich=1, basel=1))
    found.reserve(line("MUG"), line("BOWL"), near=PLACES)
    assert found.reservations["r1"].warehouse_id == FARTHER
    assert {taken.sent_by for taken in found.reservations["r1"].taken} == {None}


def test_lines_that_no_warehouse_has_all_of_come_from_two() -> None:
    found = room(MUG=kept(vaduz=2), BOWL=kept("BOWL", zurich=5))
    assert found.reserve(line("BOWL", 3), line("MUG", 2), near=PLACES)[0] == "StockReserved"
    assert found.reservations["r1"].warehouse_id == NEAR
    assert parts(found) == {NEAR: {"MUG": 2}, FAR: {"BOWL": 3}}
    assert list(parts(found)) == [NEAR, FAR]


def test_of_several_pairs_the_one_with_the_nearest_serves() -> None:
    bowls = kept("BOWL", zurich=1, basel=1)
    found = room(MUG=kept(vaduz=1, zurich=0), CUP=kept("CUP", basel=1, zurich=1), BOWL=bowls)
    found.reserve(line("MUG"), line("BOWL"), line("CUP"), near=PLACES)
    assert parts(found) == {NEAR: {"MUG": 1}, FAR: {"BOWL": 1, "CUP": 1}}


def test_the_pieces_of_a_line_stay_together_where_one_of_them_has_all() -> None:
    found = room(MUG=kept(vaduz=1, zurich=3), BOWL=kept("BOWL", vaduz=1))
    found.reserve(line("MUG", 3), line("BOWL"), near=PLACES)
    assert parts(found) == {NEAR: {"BOWL": 1}, FAR: {"MUG": 3}}


def test_a_line_is_split_down_to_its_pieces_where_none_has_all_of_it() -> None:
    found = room(MUG=kept(vaduz=2, zurich=5))
    found.reserve(line("MUG", 4), line("MUG", 2), near=PLACES)
    assert parts(found) == {NEAR: {"MUG": 2}, FAR: {"MUG": 4}}


def test_what_is_kept_anywhere_goes_with_the_nearest() -> None:
    found = room(MUG=kept(vaduz=1, zurich=1, anywhere=1), BOWL=kept("BOWL", zurich=1, vaduz=0))
    found.reserve(line("MUG", 3), line("BOWL"), near=PLACES)
    assert parts(found) == {NEAR: {"MUG": 2}, FAR: {"MUG": 1, "BOWL": 1}}
    places = [(x.sent_by, x.warehouse_id) for x in found.reservations["r1"].taken if x.sku == "MUG"]
    assert places == [(NEAR, NEAR), (NEAR, ANYWHERE), (FAR, FAR)]


def test_no_more_warehouses_share_an_order_than_the_shop_says() -> None:
    found = room(MUG=kept(vaduz=1, zurich=1, basel=1))
    assert found.reserve(line("MUG", 3), near=PLACES) == ["StockDenied"]
    assert found.reserve(line("MUG", 2), id="r2", near=PLACES, most=1) == ["StockDenied"]
    assert found.reserve(line("MUG", 3), id="r3", near=PLACES, most=3)[0] == "StockReserved"
    assert parts(found, "r3") == {place: {"MUG": 1} for place in PLACES}


def test_what_more_than_those_would_have_to_share_is_short() -> None:
    items = {"MUG": kept(vaduz=1, zurich=1, basel=1), "BOWL": kept("BOWL", vaduz=1)}
    pieces = {"MUG": 3, "BOWL": 1}
    assert servers(items, pieces, PLACES) == ()
    assert sourcing.lacking(items, pieces, PLACES) == ("MUG",)


def test_only_the_nearest_that_have_any_of_it_are_looked_at() -> None:
    assert sourcing.CONSIDERED == 10
    many = [f"w{number}" for number in range(12)]
    mugs = kept("MUG", **dict.fromkeys(many, 1))
    items = {"MUG": mugs, "BOWL": kept("BOWL", w11=1)}
    assert servers(items, {"MUG": 2}, many) == (many[0], many[1])
    assert servers(items, {"MUG": 1, "BOWL": 1}, ["empty", *many]) == (many[-1],)
    assert servers(items, {"MUG": 2, "BOWL": 1}, many) == ()


def test_what_may_be_owed_comes_from_where_it_is_or_is_owed_by_the_nearest() -> None:
    owed = kept("CUP", zurich=2)
    owed = after(owed, stock.allow_backorder(owed, "CUP", allowed=True))
    found = room(MUG=kept(vaduz=1), BOWL=kept("BOWL", zurich=1), CUP=owed)
    found.reserve(line("MUG"), line("BOWL"), line("CUP", 2), near=PLACES)
    assert parts(found) == {NEAR: {"MUG": 1}, FAR: {"BOWL": 1, "CUP": 2}}
    found.release()
    found.reserve(line("MUG"), line("BOWL"), line("CUP", 3), id="r2", near=PLACES)
    assert parts(found, "r2") == {NEAR: {"MUG": 1, "CUP": 3}, FAR: {"BOWL": 1}}


@pytest.mark.parametrize(
    ("mugs", "bowls", "few"),
    [
        ({FAR: 2, FARTHER: 2}, {FARTHER: 1}, ()),  # Basel has everything, but no part is Zurich's
        ({FAR: 2, FARTHER: 1}, {FARTHER: 1}, (FAR, FARTHER)),
        ({NEAR: 2}, {FARTHER: 1}, ()),
        ({NEAR: 2, FAR: 2}, {NEAR: 2, FAR: 1}, (FAR,)),
        ({NEAR: 1, FAR: 1}, {NEAR: 1}, (FAR, NEAR)),
    ],
)
def test_whoever_has_to_send_a_part_sends_all_or_a_part_that_is_needed(
    mugs: dict[str, int], bowls: dict[str, int], few: tuple[str, ...]
) -> None:
    items = {"MUG": kept("MUG", **mugs), "BOWL": kept("BOWL", **bowls)}
    found = servers(items, {"MUG": 2, "BOWL": 1}, (FAR, NEAR, FARTHER), 3, first_sends=True)
    assert found == few


def test_what_whoever_has_to_send_a_part_lacks_is_short() -> None:
    found = room(MUG=kept(vaduz=2, zurich=2), BOWL=kept("BOWL", vaduz=1))
    asked = wanted(line("MUG"), line("BOWL"), near=(FAR, NEAR))
    asked = asked.model_copy(update={"first_sends": True})
    events = reservation.reserve(None, found.items, asked, NOW)
    assert events == [StockDenied(reservation_id="r1", reason="out_of_stock", skus=("BOWL",))]


LEVELS = st.dictionaries(st.sampled_from((*PLACES, "anywhere")), st.integers(0, 4))


@given(
    levels=st.fixed_dictionaries(dict.fromkeys(("MUG", "BOWL", "CUP"), LEVELS)),
    pieces=st.dictionaries(st.sampled_from(("MUG", "BOWL", "CUP")), st.integers(1, 6), min_size=1),
    most=st.integers(1, 3),
)
def test_whoever_sends_a_part_is_needed_and_has_it(
    levels: dict[str, dict[str, int]], pieces: dict[str, int], most: int
) -> None:
    items = {sku: kept(sku, **places) for sku, places in levels.items()}
    few = servers(items, pieces, PLACES, most)
    assert len(few) <= most
    if len(few) < 2:
        return
    for left_out in few:  # fewer would not do
        rest = [id for id in few if id != left_out]
        assert sourcing.short_at(items, pieces, *rest)
    taken = shared_out(items, pieces, few)
    assert sourcing.pieces_of(taken) == pieces
    assert list(dict.fromkeys(part.sent_by for part in taken)) == list(few)
    for part in taken:
        assert part.quantity > 0
        assert part.warehouse_id in (part.sent_by, ANYWHERE)
    for sku, item in items.items():
        reserved = [
            ItemReserved(sku=sku, quantity=part.quantity, warehouse_id=part.warehouse_id)
            for part in taken
            if part.sku == sku
        ]
        assert all(there.available >= 0 for there in after(item, [*reserved]).levels.values())


# --- what becomes of the parts


def split(*, paid: bool = True) -> Room:
    """Two mugs and a bowl from Vaduz, three mugs from Zurich."""
    found = room(MUG=kept(vaduz=2, zurich=4), BOWL=kept("BOWL", vaduz=1))
    found.reserve(line("MUG", 5), line("BOWL"), near=PLACES)
    if paid:
        found.allocate()
    assert parts(found) == {NEAR: {"MUG": 2, "BOWL": 1}, FAR: {"MUG": 3}}
    return found


def test_each_part_leaves_by_itself() -> None:
    found = split()
    assert found.ship(part=FAR) == ["ReservationShipped", "ItemShipped"]
    assert (at(found, NEAR), at(found, FAR)) == ((2, 0, 2), (1, 0, 0))
    assert status(found) == "allocated"
    assert found.ship(part=FAR) == []
    assert found.ship(part=NEAR) == ["ReservationShipped", "ItemShipped", "ItemShipped"]
    assert (at(found, NEAR), at(found, NEAR, "BOWL")) == ((0, 0, 0), (0, 0, 0))
    assert status(found) == "shipped"
    assert (found.ship(part=NEAR), found.ship(), found.release()) == ([], [], [])


def test_what_has_not_left_is_free_again_once_nobody_wants_it() -> None:
    found = split()
    found.ship(part=NEAR)
    assert found.release() == ["ReservationReleased", "ItemDeallocated"]
    assert (at(found, NEAR), at(found, FAR)) == ((0, 0, 0), (4, 0, 0))
    assert found.ship(part=NEAR) == []
    with pytest.raises(Refused, match="nothing was kept at zurich"):
        found.ship(part=FAR)


def test_nobody_ships_a_part_who_has_none() -> None:
    found = split()
    with pytest.raises(Refused) as refused:
        found.ship(part=FARTHER)
    assert refused.value.code == "not_reserved"


def test_a_part_that_left_unpaid_is_gone_and_the_rest_may_still_lapse() -> None:
    found = split(paid=False)
    assert found.ship(part=FAR) == ["ReservationShipped", "ItemAllocated", "ItemShipped"]
    assert found.lapse() == ["ReservationLapsed", "ItemReleased", "ItemReleased"]
    assert (at(found, NEAR), at(found, FAR)) == ((2, 0, 0), (1, 0, 0))
    assert found.allocate()[0] == "ReservationAllocated"
    assert (at(found, NEAR), at(found, FAR)) == ((2, 0, 2), (1, 0, 0))
    found.ship(part=NEAR)
    assert status(found) == "shipped"


def test_what_lapsed_is_taken_again_from_whoever_was_to_send_it() -> None:
    found = split(paid=False)
    found.lapse()
    assert found.allocate()[0] == "ReservationAllocated"
    assert parts(found) == {NEAR: {"MUG": 2, "BOWL": 1}, FAR: {"MUG": 3}}
    assert (at(found, NEAR), at(found, FAR)) == ((2, 0, 2), (4, 0, 3))


def test_what_lapsed_is_not_taken_again_where_one_part_is_gone() -> None:
    found = split(paid=False)
    found.lapse()
    found.reserve(line("MUG", 2), id="r2", near=(FAR,))
    events = reservation.allocate(found.reservations["r1"], found.items, "r1")
    assert events == [AllocationFailed(reservation_id="r1", skus=("MUG",))]


def test_two_parts_do_not_both_count_on_what_is_kept_anywhere() -> None:
    found = room(MUG=kept(vaduz=1, zurich=1))
    found.reserve(line("MUG", 2), near=PLACES)
    found.lapse()
    found.reserve(line("MUG"), id="r2", near=(NEAR,))
    found.reserve(line("MUG"), id="r3", near=(FAR,))
    mugs = found.items["MUG"]
    assert mugs
    found.items["MUG"] = after(mugs, stock.receive(mugs, "MUG", 1, "found", ANYWHERE))
    assert found.allocate() == ["AllocationFailed"]


# --- what comes back


def gone() -> Room:
    """All has left: first the three mugs of Zurich, then what Vaduz sends."""
    found = split()
    found.ship(part=FAR)
    found.ship(part=NEAR)
    return found


def test_what_comes_back_goes_to_where_its_like_was_taken_first_to_whoever_sent_first() -> None:
    found = gone()
    found.restock(back(lots(MUG=2)))
    assert (at(found, NEAR)[0], at(found, FAR)[0]) == (0, 3)
    found.restock(back(lots(MUG=2, BOWL=1), by="ret_2"))
    assert (at(found, NEAR)[0], at(found, FAR)[0], at(found, NEAR, "BOWL")[0]) == (1, 4, 1)


def test_what_is_written_off_is_taken_from_no_other_place() -> None:
    found = gone()
    found.restock(back(lots(MUG=1), lots(MUG=2)))
    found.restock(back(lots(MUG=2), by="ret_2"))
    assert (at(found, NEAR)[0], at(found, FAR)[0]) == (2, 2)


def test_a_part_that_comes_back_whole_goes_to_whoever_sent_it() -> None:
    found = gone()
    found.restock(back(lots(MUG=2, BOWL=1), to=NEAR))
    assert (at(found, NEAR)[0], at(found, FAR)[0]) == (2, 1)
    with pytest.raises(Refused) as refused:
        found.restock(back(lots(MUG=1), by="ret_2", to=NEAR))
    assert refused.value.code == "above_shipped"
    found.restock(back(lots(MUG=3), by="ret_3"))
    assert (at(found, NEAR)[0], at(found, FAR)[0]) == (2, 4)


def test_only_what_has_left_can_come_back() -> None:
    found = split()
    with pytest.raises(Refused) as refused:
        found.restock(back(lots(MUG=1)))
    assert refused.value.code == "not_shipped"
    found.ship(part=FAR)
    with pytest.raises(Refused) as refused:
        found.restock(back(lots(BOWL=1)))
    assert refused.value.code == "above_shipped"
    found.release()
    found.restock(back(lots(MUG=3)))
    assert (at(found, NEAR), at(found, FAR)) == ((2, 0, 0), (4, 0, 0))
