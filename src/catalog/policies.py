"""A reservation lapses when its time is up, unless it was paid for or given up before."""

from __future__ import annotations

from bus.policies import CallOff, Later
from catalog.contract import StockReserved
from catalog.reservation import ReservationAllocated, ReservationReleased
from catalog.stock_commands import LapseReservation


def lapse_in_time(event: StockReserved) -> Later:
    """Nobody keeps goods for ever by not paying."""
    id = event.reservation_id
    return Later(timer_of(id), event.expires_at, LapseReservation(reservation_id=id))


def lapse_no_more(event: ReservationAllocated | ReservationReleased) -> CallOff:
    """It is settled before its time."""
    return CallOff(timer_of(event.reservation_id))


def timer_of(reservation_id: str) -> str:
    """The name of a reservation's timer."""
    return f"reservation-{reservation_id}"
