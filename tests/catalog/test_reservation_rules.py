"""What may be promised to whom: reservations as histories."""

import pytest

from bus.messages import NotFound, Refused
from catalog import reservation, shipping
from catalog.contract import AllocationFailed, StockDenied, StockReserved
from catalog.item import ItemReserved, ItemRestocked
from catalog.reservation import ReservationReturned
from tests.catalog.histories import DEARER, LATER, NOW, Room, back, line, lots, wanted


def test_all_lines_are_reserved_at_once() -> None:
    room = Room(MUG=5, BOWL=5)
    events = reservation.reserve(None, room.items, wanted(line("MUG", 2), line("BOWL", 3)), NOW)
    assert events == [
        StockReserved(
            reservation_id="r1", lines=(line("MUG", 2), line("BOWL", 3)), expires_at=LATER
        ),
        ItemReserved(sku="MUG", quantity=2),
        ItemReserved(sku="BOWL", quantity=3),
    ]


def test_nothing_is_reserved_when_one_line_is_short() -> None:
    room = Room(MUG=5, BOWL=2)
    events = reservation.reserve(None, room.items, wanted(line("MUG", 2), line("BOWL", 3)), NOW)
    assert events == [StockDenied(reservation_id="r1", reason="out_of_stock", skus=("BOWL",))]


def test_two_lines_of_one_sku_want_the_sum() -> None:
    room = Room(MUG=3)
    assert room.reserve(line("MUG", 2), line("MUG", 2)) == ["StockDenied"]
    assert room.reserve(line("MUG", 2), line("MUG", 1), id="r2") == [
        "StockReserved",
        "ItemReserved",
    ]
    assert room.counters() == (3, 3, 0)


def test_a_sku_that_is_not_sold_is_out_of_stock() -> None:
    room = Room(MUG=1)
    room.items["GHOST"] = None
    events = reservation.reserve(None, room.items, wanted(line("MUG"), line("GHOST")), NOW)
    assert events == [StockDenied(reservation_id="r1", reason="out_of_stock", skus=("GHOST",))]


def test_a_changed_price_denies_the_reservation() -> None:
    room = Room(MUG=1, BOWL=1)
    told = wanted(line("MUG", price=DEARER), line("BOWL"), line("MUG", price=DEARER))
    events = reservation.reserve(None, room.items, told, NOW)
    assert events == [StockDenied(reservation_id="r1", reason="price_changed", skus=("MUG",))]


def test_a_life_from_reservation_to_shipment() -> None:
    room = Room(MUG=5)
    room.reserve(line(quantity=2))
    assert room.counters() == (5, 2, 0)
    assert room.allocate() == ["ReservationAllocated", "ItemAllocated"]
    assert room.counters() == (5, 0, 2)
    assert room.ship() == ["ReservationShipped", "ItemShipped"]
    assert room.counters() == (3, 0, 0)


def test_a_repeated_command_does_nothing() -> None:
    room = Room(MUG=5)
    room.reserve(line(quantity=2))
    assert room.reserve(line(quantity=2)) == []
    room.allocate()
    assert room.allocate() == []
    room.ship()
    assert (room.ship(), room.allocate(), room.reserve(line())) == ([], [], [])


@pytest.mark.parametrize("paid", [False, True])
def test_released_pieces_are_free_again(paid: bool) -> None:
    room = Room(MUG=5)
    room.reserve(line(quantity=2))
    if paid:
        room.allocate()
    assert room.release()[0] == "ReservationReleased"
    assert room.counters() == (5, 0, 0)
    assert room.release() == []


def test_a_release_after_shipment_does_nothing() -> None:
    room = Room(MUG=5)
    room.reserve(line())
    room.allocate()
    room.ship()
    assert room.release() == []
    assert room.counters() == (4, 0, 0)


def test_a_lapsed_reservation_frees_its_stock() -> None:
    room = Room(MUG=1)
    room.reserve(line())
    assert room.lapse() == ["ReservationLapsed", "ItemReleased"]
    assert room.counters() == (1, 0, 0)
    assert room.lapse() == []
    assert room.reserve(line(), id="r2")[0] == "StockReserved"


def test_only_what_is_held_lapses() -> None:
    room = Room(MUG=5)
    assert room.lapse("never") == []
    room.reserve(line())
    room.allocate()
    assert room.lapse() == []
    assert room.counters() == (5, 0, 1)


def test_what_lapsed_before_it_was_paid_is_taken_again() -> None:
    room = Room(MUG=1)
    room.reserve(line())
    room.lapse()
    assert room.allocate() == ["ReservationAllocated", "ItemReserved", "ItemAllocated"]
    assert room.counters() == (1, 0, 1)


def test_an_allocation_fails_when_somebody_else_has_the_stock_meanwhile() -> None:
    room = Room(MUG=1, BOWL=5)
    room.reserve(line("MUG"), line("BOWL"))
    room.lapse()
    room.reserve(line("MUG"), id="r2")
    events = reservation.allocate(room.reservations["r1"], room.items, "r1")
    assert events == [AllocationFailed(reservation_id="r1", skus=("MUG",))]
    room.do("r1", events)
    assert room.allocate() == []
    assert room.counters("BOWL") == (5, 0, 0)
    assert room.release() == []


def test_the_allocation_of_what_was_released_fails() -> None:
    room = Room(MUG=1)
    room.reserve(line())
    room.release()
    assert room.allocate() == ["AllocationFailed"]
    assert room.counters() == (1, 0, 0)


def test_a_reservation_that_comes_after_its_release_came_too_late() -> None:
    room = Room(MUG=1)
    assert room.release() == ["ReservationReleased"]
    assert room.reserve(line()) == []
    assert room.counters() == (1, 0, 0)


def test_what_has_left_the_house_is_gone_though_nobody_paid() -> None:
    room = Room(MUG=2)
    room.reserve(line())
    room.ship()
    assert room.counters() == (1, 0, 0)


def test_nothing_is_shipped_that_was_not_kept() -> None:
    room = Room(MUG=1)
    room.reserve(line())
    room.release()
    with pytest.raises(Refused) as refused:
        room.ship()
    assert refused.value.code == "not_reserved"
    with pytest.raises(NotFound):
        room.ship("never")
    with pytest.raises(NotFound):
        room.allocate("never")


# --- what comes back


def shipped() -> Room:
    """Three mugs and a bowl have left the house; two mugs are still there."""
    room = Room(MUG=5, BOWL=1)
    room.reserve(line("MUG", 2), line("BOWL"), line("MUG", 1))
    room.allocate()
    room.ship()
    return room


def test_what_is_fit_is_on_the_shelf_again_and_the_rest_is_written_off() -> None:
    room = shipped()
    events = shipping.restock(room.reservations["r1"], back(lots(MUG=2), lots(MUG=1, BOWL=1)))
    assert events == [
        ReservationReturned(
            reservation_id="r1",
            return_id="ret_1",
            restock=lots(MUG=2),
            write_off=lots(MUG=1, BOWL=1),
        ),
        ItemRestocked(sku="MUG", quantity=2),
    ]
    room.do("r1", events)
    assert (room.counters("MUG"), room.counters("BOWL")) == ((4, 0, 0), (0, 0, 0))


def test_a_return_is_restocked_once() -> None:
    room = shipped()
    assert room.restock(back(lots(MUG=1))) == ["ReservationReturned", "ItemRestocked"]
    assert room.restock(back(lots(MUG=1))) == []
    assert room.restock(back(lots(MUG=1), by="ret_2")) == ["ReservationReturned", "ItemRestocked"]
    assert room.counters() == (4, 0, 0)


def test_no_more_comes_back_than_had_left() -> None:
    room = shipped()
    room.restock(back(lots(MUG=1), lots(MUG=1)))
    for wrong in (
        back(lots(MUG=2), by="ret_2"),
        back(lots(MUG=1), lots(MUG=1), by="ret_2"),
        back(lots(BOWL=2), by="ret_2"),
        back(lots(CUP=1), by="ret_2"),
    ):
        with pytest.raises(Refused, match="count the stock") as refused:
            room.restock(wrong)
        assert refused.value.code == "above_shipped"
    assert room.restock(back(lots(MUG=1), by="ret_2"))
    assert room.counters() == (4, 0, 0)


def test_what_has_not_left_the_house_cannot_come_back() -> None:
    room = Room(MUG=1)
    with pytest.raises(NotFound):
        room.restock(back(lots(MUG=1)))
    room.reserve(line())
    room.allocate()
    with pytest.raises(Refused) as refused:
        room.restock(back(lots(MUG=1)))
    assert refused.value.code == "not_shipped"


def test_what_came_back_does_not_undo_the_shipment() -> None:
    room = shipped()
    room.restock(back(lots(MUG=3, BOWL=1)))
    assert (room.ship(), room.allocate(), room.release(), room.lapse()) == ([], [], [], [])
    assert (room.counters("MUG"), room.counters("BOWL")) == ((5, 0, 0), (1, 0, 0))
