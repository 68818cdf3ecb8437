"""Endpoints: added once, disabled and enabled, removed; their secrets."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest

from bus.messages import Invalid, NotFound, Refused
from shop.webhooks.endpoint import (
    MOST,
    EndpointAdded,
    EndpointDisabled,
    EndpointEnabled,
    EndpointEvent,
    EndpointRemoved,
    Endpoints,
    Secret,
    SecretRotated,
    add,
    disable,
    enable,
    evolve,
    remove,
    rotate,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def added(id: str = "whe_1", **changes: Any) -> EndpointAdded:
    fields: dict[str, Any] = {
        "endpoint_id": id,
        "url": f"https://{id.replace('_', '-')}.example/hook",
        "since": {"ordering": 7, "delivery": 3},
        "secret_id": f"{id}.1",
        "at": NOW,
        **changes,
    }
    return EndpointAdded.model_validate(fields)


DISABLED = EndpointDisabled(endpoint_id="whe_1", reason="gone", at=NOW)
ENABLED = EndpointEnabled(endpoint_id="whe_1", since={"ordering": 9, "delivery": 4}, at=NOW)
REMOVED = EndpointRemoved(endpoint_id="whe_1", at=NOW)


def replay(*history: EndpointEvent) -> Endpoints | None:
    found: Endpoints | None = reduce(evolve, history, None)
    return found


def test_an_address_is_added_once_for_each_client() -> None:
    assert add(None, added()) == [added()]
    assert add(replay(added()), added()) == []
    twin = added("whe_2", url=added().url)
    with pytest.raises(Refused, match="whe_1") as refused:
        add(replay(added()), twin)
    assert refused.value.code == "endpoint_exists"
    assert add(replay(added()), added("whe_2", url=added().url, client="web"))
    assert add(replay(added(), REMOVED), twin)


def test_nobody_waits_for_what_is_never_told() -> None:
    for only in (("order.*",), ("delivery.en_route", "return.refunded")):
        assert add(None, added(only=only))
    with pytest.raises(Invalid, match=r"nothing is ever told as order\.plaecd: .*order\.placed"):
        add(None, added(only=("order.placed", "order.plaecd")))


def test_there_are_not_too_many() -> None:
    full = replay(*(added(f"whe_{number}") for number in range(MOST)))
    with pytest.raises(Refused, match="remove one"):
        add(full, added("whe_one_more"))


def test_what_is_disabled_hears_nothing_until_it_is_enabled_and_then_what_comes() -> None:
    before, during, after = (replay(*(added(), DISABLED, ENABLED)[:many]) for many in (1, 2, 3))
    assert hears(before, [6, 7, 8, 9, 10]) == [8, 9, 10]
    assert hears(during, [8, 9, 10]) == []
    assert hears(after, [8, 9, 10]) == [10]
    assert disable(before, "whe_1", "gone", NOW) == [DISABLED]
    assert disable(during, "whe_1", "failing", NOW) == []
    assert enable(during, "whe_1", ENABLED.since, NOW) == [ENABLED]
    assert enable(before, "whe_1", ENABLED.since, NOW) == []


def hears(endpoints: Endpoints | None, positions: Sequence[int]) -> list[int]:
    """What it is told of what happens at these positions."""
    endpoint = (endpoints or {})["whe_1"]
    return [at for at in positions if endpoint.hears_of("order.placed", "ordering", at)]


def test_each_log_begins_where_it_was() -> None:
    endpoint = (replay(added(only=("order.*",))) or {})["whe_1"]
    assert endpoint.hears_of("order.placed", "ordering", 8)
    assert not endpoint.hears_of("delivery.en_route", "delivery", 4)
    everything = (replay(added()) or {})["whe_1"]
    assert everything.hears_of("delivery.en_route", "delivery", 4)
    assert not everything.hears_of("delivery.en_route", "delivery", 3)


def rotated(number: int, until: datetime, at: datetime = NOW) -> SecretRotated:
    return SecretRotated(endpoint_id="whe_1", secret_id=f"whe_1.{number}", old_until=until, at=at)


def test_an_old_secret_signs_until_its_time_is_over() -> None:
    endpoint = (replay(added(), rotated(2, NOW + DAY)) or {})["whe_1"]
    assert endpoint.signs_with(NOW) == ("whe_1.2", "whe_1.1")
    assert endpoint.signs_with(NOW + DAY) == ("whe_1.2",)
    leaked = (replay(added(), rotated(2, NOW)) or {})["whe_1"]
    assert leaked.signs_with(NOW) == ("whe_1.2",)


def test_a_secret_keeps_its_time_when_the_next_is_rotated_too() -> None:
    later = NOW + timedelta(hours=1)
    history = (added(), rotated(2, NOW + DAY), rotated(3, later + 2 * DAY, later))
    endpoint = (replay(*history) or {})["whe_1"]
    assert endpoint.secrets == (
        Secret("whe_1.3"),
        Secret("whe_1.2", later + 2 * DAY),
        Secret("whe_1.1", NOW + DAY),
    )
    forgotten = (replay(*history, rotated(4, NOW + 9 * DAY, NOW + 5 * DAY)) or {})["whe_1"]
    assert forgotten.secrets == (Secret("whe_1.4"), Secret("whe_1.3", NOW + 9 * DAY))


def test_nothing_is_done_to_what_is_not_there() -> None:
    gone = replay(added(), REMOVED)
    assert gone == {}
    decisions: tuple[Callable[[], object], ...] = (
        lambda: disable(gone, "whe_1", "gone", NOW),
        lambda: enable(gone, "whe_1", {}, NOW),
        lambda: remove(gone, "whe_1", NOW),
        lambda: rotate(None, "whe_1", "whe_1.2", NOW, NOW),
    )
    for decision in decisions:
        with pytest.raises(NotFound, match="shop webhooks list"):
            decision()
    assert remove(replay(added()), "whe_1", NOW) == [REMOVED]
    with pytest.raises(ValueError, match="before the endpoint was added"):
        replay(DISABLED)
