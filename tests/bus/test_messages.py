"""The language itself: strict, frozen, named; ids that follow."""

from datetime import UTC
from typing import Any

import pytest
from pydantic import ValidationError

from bus.envelope import sealed
from bus.messages import (
    Address,
    Command,
    Position,
    Principal,
    Request,
    derived_id,
    new_id,
    now,
)
from tests.bus.tills import Balance, Receive, Received


@pytest.mark.parametrize(
    "body",
    [
        '{"till": "a"}',
        '{"till": "a", "amount": "1"}',
        '{"till": "a", "amount": 1.0}',
        '{"till": "a", "amount": true}',
        '{"till": 1, "amount": 1}',
        '{"till": null, "amount": 1}',
        '{"till": "a", "amount": 1, "tip": 1}',
        "[]",
        "null",
        '"till"',
    ],
)
def test_a_message_is_read_strictly(body: str) -> None:
    with pytest.raises(ValidationError):
        Receive.model_validate_json(body)


def test_a_message_cannot_be_changed() -> None:
    message: Any = Receive(till="a", amount=1)
    with pytest.raises(ValidationError):
        message.amount = 2


def test_a_message_has_a_literal_name() -> None:
    assert Receive.type_name == "tills.Receive"
    assert Received.type_name == "tills.Received"


def test_a_subclass_without_a_name_of_its_own_keeps_its_parents() -> None:
    class Special(Received):
        pass

    assert Special.type_name == "tills.Received"


def test_a_request_knows_how_its_answer_reads() -> None:
    assert Balance.answer().validate_json("5") == 5
    with pytest.raises(ValidationError):
        Balance.answer().validate_json('"five"')


def test_a_request_that_does_not_say_what_it_answers_is_a_mistake() -> None:
    class Vague(Command, name="tills.Vague"):  # type: ignore[type-arg]
        pass

    with pytest.raises(TypeError, match="Vague"):
        Vague.answer()
    assert issubclass(Vague, Request)


@pytest.mark.parametrize("lat", [91, -91, float("nan"), float("inf")])
def test_a_position_is_on_the_earth(lat: float) -> None:
    with pytest.raises(ValidationError):
        Position(lat=lat, lon=0)


@pytest.mark.parametrize("road", ["", "   ", "x" * 201])
def test_an_address_has_a_road(road: str) -> None:
    with pytest.raises(ValidationError):
        Address(house_number="1", road=road, district="Vaduz", postcode="9490", country="LI")


def test_an_id_that_follows_is_always_the_same_and_tells_its_parts_apart() -> None:
    assert derived_id("a", 1) == derived_id("a", 1)
    assert len({derived_id("ab", "c"), derived_id("a", "bc"), derived_id("abc")}) == 3


def test_fresh_ids_differ() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000


def test_what_follows_from_an_envelope_has_an_id_that_follows() -> None:
    cause = sealed(Receive(till="a", amount=1), fingerprint="f", if_version=3, traceparent="00-t")
    first = cause.leads_to(Balance(till="a"), "reader", 0)

    assert first.id == cause.leads_to(Balance(till="a"), "reader", 0).id
    assert first.id != cause.leads_to(Balance(till="a"), "reader", 1).id
    assert (first.causation, first.correlation) == (cause.id, cause.correlation)
    assert first.traceparent == "00-t"
    assert (first.fingerprint, first.if_version) == (None, None)  # those were the client's


@pytest.mark.parametrize("text", ["shop:web", "system:storefold", "admin:a:b"])
def test_a_principal_reads_back(text: str) -> None:
    assert str(Principal.parse(text)) == text


def test_only_the_shop_itself_and_its_administrator_are_inside() -> None:
    inside = {scope: Principal(scope=scope, name="x").inside for scope in ("shop", "carrier")}
    assert inside == {"shop": False, "carrier": False}
    assert Principal(scope="admin", name="x").inside


def test_time_is_utc_in_whole_milliseconds() -> None:
    moment = now()
    assert moment.tzinfo is UTC
    assert moment.microsecond % 1000 == 0
