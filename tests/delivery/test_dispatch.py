"""Whose a delivery is: nobody's at first, then one carrier's alone."""

from collections.abc import Sequence

import pytest

from bus.messages import NotFound, Principal, Refused
from delivery.contract import DeliveryPickedUp
from delivery.delivery import DeliveryEvent
from delivery.dispatch import assign, carrier_of, may_report, may_see
from delivery.scheduling import schedule
from tests.delivery.histories import (
    CANCELLED,
    NOON,
    PENDING,
    SCHEDULE,
    SCHEDULED,
    WHOSE,
    assigned,
    at,
    lived,
    refusal,
    replay,
    said,
    scan,
    stand,
)

POST, VANS = "post", "vans"


def test_whoever_reports_first_on_what_nobody_has_gets_it() -> None:
    assert lived(said("picked_up", 1), now=at(2), carrier=POST) == [
        SCHEDULED,
        assigned(POST, 2),
        DeliveryPickedUp(**WHOSE, at=at(1)),
        scan("picked_up", 1),
    ]


def test_another_carriers_delivery_is_unknown() -> None:
    theirs = lived(said("picked_up", 1), carrier=POST)
    for checkpoint in (said("en_route", 2), said("picked_up", 1), said("delivered", 3)):
        refused = refusal(theirs, checkpoint, VANS)
        assert isinstance(refused, NotFound)
        assert refused.message == refusal([], checkpoint, VANS).message
    assert stand(lived(said("en_route", 2), begins=theirs, carrier=POST)).status == "en_route"


def test_the_shop_itself_reports_on_everything_and_takes_nothing() -> None:
    nobodys = stand(lived(said("picked_up", 1)))
    assert (nobodys.assigned, nobodys.carrier, nobodys.status) == (False, "house", "picked_up")
    theirs: list[DeliveryEvent] = [SCHEDULED, assigned(POST)]
    assert stand(lived(said("delivered", 1), begins=theirs)).status == "delivered"


def test_a_carrier_sees_what_is_theirs() -> None:
    nobodys, theirs = stand([SCHEDULED]), stand([SCHEDULED, assigned(POST)])
    assert (may_see(nobodys, POST), may_report(nobodys, POST)) == (False, True)
    assert (may_see(theirs, POST), may_report(theirs, POST)) == (True, True)
    assert (may_see(theirs, VANS), may_report(theirs, VANS)) == (False, False)
    assert may_see(theirs, None)
    # `house` is only what is shown of a delivery that nobody has.
    assert not may_see(nobodys, "house")


@pytest.mark.parametrize(
    ("scope", "carrier"), [("carrier", "post"), ("shop", None), ("admin", None), ("system", None)]
)
def test_only_the_key_of_a_carrier_names_one(scope: str, carrier: str | None) -> None:
    assert carrier_of(Principal(scope=scope, name="post")) == carrier


def test_a_delivery_is_assigned_and_reassigned_until_it_is_picked_up() -> None:
    history: list[DeliveryEvent] = [SCHEDULED]
    history += assign(stand(history), POST, NOON)
    assert history == [SCHEDULED, assigned(POST)]
    assert (stand(history).status, stand(history).carrier) == ("assigned", POST)
    assert assign(stand(history), POST, at(1)) == []
    history += assign(stand(history), VANS, at(2))
    assert (stand(history).status, stand(history).since) == ("assigned", at(2))
    assert refusal(history, said("picked_up", 3), POST).code == "unknown_delivery"
    gone = stand(lived(said("picked_up", 3), begins=history, carrier=VANS))
    with pytest.raises(Refused, match="vans has the goods") as refused:
        assign(gone, POST, at(4))
    assert refused.value.code == "already_picked_up"
    assert assign(gone, VANS, at(4)) == []


def test_what_is_on_its_way_with_nobody_named_is_given_to_whom_the_shop_says() -> None:
    on_its_way = lived(said("picked_up", 1))
    assert assign(stand(on_its_way), POST, at(2)) == [assigned(POST, 2)]
    assert stand([*on_its_way, assigned(POST, 2)]).status == "picked_up"


@pytest.mark.parametrize(
    ("history", "code"),
    [
        ([SCHEDULED, CANCELLED], "delivery_ended"),
        (lived(said("delivered", 1)), "delivery_ended"),
        (lived(said("returned_to_sender", 1)), "delivery_ended"),
        ([PENDING], "not_arranged"),
    ],
)
def test_what_cannot_be_assigned_is_refused(history: Sequence[DeliveryEvent], code: str) -> None:
    with pytest.raises(Refused) as refused:
        assign(stand(history), POST, NOON)
    assert refused.value.code == code


def test_what_ended_with_nobody_named_is_nobodys() -> None:
    over = lived(said("picked_up", 1), said("delivered", 9))
    assert refusal(over, said("en_route", 5), POST).code == "delivery_ended"
    assert stand(lived(said("en_route", 5), begins=over)).status == "delivered"


def test_the_carrier_of_a_warehouse_has_it_from_the_start() -> None:
    history = schedule(replay([]), SCHEDULE, NOON, POST)
    assert history == [SCHEDULED.model_copy(update={"carrier": POST}), assigned(POST)]
    assert stand(history).status == "assigned"
    assert refusal(history, said("picked_up", 1), VANS).code == "unknown_delivery"
