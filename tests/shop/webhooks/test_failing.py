"""Endpoints that do not take what they are told, and those that are told nothing for now."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bus.messages import NotFound, Refused
from shop.webhooks.bodies import Bodies
from shop.webhooks.commands import (
    DisableEndpoint,
    EnableEndpoint,
    SendAgain,
)
from shop.webhooks.endpoint import FAILING, GONE
from shop.webhooks.notices import Notice
from shop.webhooks.schedule import FIRST_REST, PAUSES
from tests.ordering.histories import CONFIRMED, PLACED
from tests.shop.webhooks.receiver import Answer, Receiver
from tests.shop.webhooks.telling import Telling, placed

REFUSING: Answer = (500, {})


async def test_a_message_is_tried_ten_times_in_three_days_under_one_id(
    shop: Telling, receiver: Receiver
) -> None:
    receiver.answer = lambda got: REFUSING
    endpoint = await shop.add(receiver)
    await shop.happen(PLACED)
    for times, pause in enumerate(PAUSES, start=1):
        notice = await shop.tried(times)
        assert notice.due is not None
        last = notice.attempts[-1].at
        assert 0.9 * pause <= notice.due - last <= 1.1 * pause + timedelta(seconds=5)
        await shop.passes(notice.due - shop.clock() + timedelta(seconds=1))
    notice = await shop.tried(len(PAUSES) + 1)
    assert (notice.state, notice.due) == ("failed", None)
    assert len(set(receiver.ids())) == 1
    assert len({got.body for got in receiver.got}) == 1
    assert len(receiver.got) == len(PAUSES) + 1
    # Nothing went through in all that time.
    await shop.disabled(endpoint, FAILING)


async def test_an_endpoint_that_takes_other_things_stays_enabled(
    shop: Telling, receiver: Receiver
) -> None:
    receiver.answer = lambda got: (400, {}) if got.type == "order.placed" else (200, {})
    endpoint = await shop.add(receiver)
    await shop.happen(PLACED, CONFIRMED)
    for times in range(1, 5):  # after so many days it is too old
        await shop.tried(times, "order.placed")
        await shop.passes(timedelta(hours=27))
    await shop.becomes("failed")
    assert (await shop.endpoint(endpoint)).disabled is None
    assert (await shop.endpoint(endpoint)).failed == 1


async def test_an_endpoint_that_is_gone_is_disabled_at_once(
    shop: Telling, receiver: Receiver
) -> None:
    receiver.answer = lambda got: (410, {})
    endpoint = await shop.add(receiver)
    await shop.happen(PLACED)
    await shop.disabled(endpoint, GONE)
    await shop.happen(CONFIRMED)
    await shop.seen_all()
    await shop.passes(timedelta(hours=1))
    (notice,) = await shop.notices()
    assert [attempt.status for attempt in notice.attempts] == [410]
    assert notice.state == "waiting"


async def test_a_redirect_is_a_failure_and_is_not_followed(
    shop: Telling, receiver: Receiver, other: Receiver
) -> None:
    receiver.answer = lambda got: (301, {"location": other.url})
    await shop.add(receiver)
    other.secret = receiver.secret
    await shop.happen(PLACED)
    notice = await shop.tried(1)
    assert notice.attempts[0].status == 301
    assert "not followed" in (notice.attempts[0].error or "")
    assert other.got == []


async def test_one_that_hangs_delays_nobody_else(
    shop: Telling, receiver: Receiver, other: Receiver
) -> None:
    receiver.answer = receiver.hangs
    slow = await shop.add(receiver)
    fast = await shop.add(other)
    await shop.happen(*(placed(number) for number in range(30)))
    await shop.becomes("taken", 30, endpoint_id=fast)
    assert len(other.got) == 30
    assert {each.state for each in await shop.notices(endpoint_id=slow)} == {"waiting"}
    assert len(receiver.got) <= 8


async def test_a_failing_endpoint_is_left_alone_as_a_whole(
    shop: Telling, receiver: Receiver
) -> None:
    receiver.answer = lambda got: REFUSING
    await shop.add(receiver)
    await shop.happen(PLACED)
    failed = await shop.tried(1)
    await shop.happen(CONFIRMED)
    await shop.seen_all()
    await shop.passes(FIRST_REST)
    other = await shop.tried(1, "order.confirmed")
    assert other.attempts[0].at - failed.attempts[0].at >= FIRST_REST
    receiver.answer = lambda got: (200, {})
    await shop.passes(timedelta(seconds=6))
    await shop.becomes("taken", 2)


async def test_whoever_enables_an_endpoint_need_not_wait(shop: Telling, receiver: Receiver) -> None:
    receiver.answer = lambda got: (503, {"retry-after": "300"})
    endpoint = await shop.add(receiver)
    await shop.happen(PLACED)
    await shop.tried(1)
    await shop.bus.send(DisableEndpoint(endpoint_id=endpoint, reason="moving house"))
    await shop.happen(CONFIRMED)
    await shop.seen_all()
    receiver.answer = lambda got: (200, {})
    await shop.bus.send(EnableEndpoint(endpoint_id=endpoint))
    await shop.becomes("taken")


async def test_who_asks_for_time_is_given_it(shop: Telling, receiver: Receiver) -> None:
    receiver.answer = lambda got: (429, {"retry-after": "120"})
    await shop.add(receiver)
    await shop.happen(PLACED)
    failed = await shop.tried(1)
    receiver.answer = lambda got: (200, {})
    await shop.passes(timedelta(seconds=60))  # its next attempt is due by now
    await shop.happen(CONFIRMED)
    await shop.seen_all()
    await shop.passes(timedelta(seconds=60))
    for notice in await shop.becomes("taken", 2):
        assert notice.attempts[-1].at - failed.attempts[0].at >= timedelta(seconds=120)


async def test_what_is_disabled_is_told_nothing_until_it_is_enabled(
    shop: Telling, receiver: Receiver
) -> None:
    endpoint = await shop.add(receiver)
    await shop.bus.send(DisableEndpoint(endpoint_id=endpoint, reason="moving house"))
    await shop.happen(PLACED)
    await shop.bus.send(EnableEndpoint(endpoint_id=endpoint))
    await shop.happen(CONFIRMED)
    await shop.becomes("taken")
    assert receiver.types() == ["order.confirmed"]


async def test_what_waited_while_it_was_disabled_begins_anew(
    shop: Telling, receiver: Receiver
) -> None:
    receiver.answer = lambda got: (410, {})
    endpoint = await shop.add(receiver)
    await shop.happen(PLACED)
    await shop.disabled(endpoint, GONE)
    await shop.passes(timedelta(days=9))
    receiver.answer = lambda got: REFUSING
    await shop.bus.send(EnableEndpoint(endpoint_id=endpoint))
    notice = await shop.tried(2)
    assert (notice.state, (await shop.endpoint(endpoint)).disabled) == ("waiting", None)
    receiver.answer = lambda got: (200, {})
    await shop.passes(timedelta(seconds=6))
    await shop.becomes("taken")


async def test_what_nobody_could_send_for_long_is_not_given_up_at_the_first_failure(
    shop: Telling, receiver: Receiver
) -> None:
    receiver.answer = lambda got: REFUSING
    endpoint = await shop.add(receiver)
    queued = shop.clock() - timedelta(days=9)
    await shop.happen(PLACED)
    shop.database["notices"].update_many({}, {"$set": {"queued": queued}})
    notice = await shop.tried(1)
    assert notice.state == "waiting"
    assert (await shop.endpoint(endpoint)).disabled is None


async def test_nothing_is_sent_again_to_what_is_disabled(shop: Telling, receiver: Receiver) -> None:
    endpoint = await shop.add(receiver)
    await shop.happen(PLACED)
    (notice,) = await shop.becomes("taken")
    await shop.bus.send(DisableEndpoint(endpoint_id=endpoint, reason="moving house"))
    for again in (SendAgain(messages=(notice.message_id,)), SendAgain(failed_of=endpoint)):
        with pytest.raises(Refused, match=r"enable .* first"):
            await shop.bus.send(again)
    with pytest.raises(NotFound):
        await shop.bus.send(SendAgain(messages=("msg_ghost",)))


async def test_what_cannot_be_made_from_the_log_is_no_fault_of_the_endpoints(
    shop: Telling, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release that does not know an event, say: it is tried again, and the rest is told."""
    make = Bodies.make

    async def unable(self: Bodies, notice: Notice) -> tuple[bytes, str | None]:
        if notice.type == "order.placed":
            raise ValueError("an event that nobody can read")
        return await make(self, notice)

    monkeypatch.setattr(Bodies, "make", unable)
    await shop.add(receiver)
    await shop.happen(PLACED)
    notice = await shop.tried(1)
    assert notice.attempts[0].error == "it cannot be made from the log: ValueError"
    await shop.happen(CONFIRMED)
    await shop.becomes("taken")
    monkeypatch.setattr(Bodies, "make", make)
    await shop.passes(timedelta(seconds=6))
    await shop.becomes("taken", 2)
