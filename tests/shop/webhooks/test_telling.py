"""Who is told what, when, and how often."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from standardwebhooks import Webhook, WebhookVerificationError

from bus.envelope import sealed
from bus.messages import NotFound, now
from ordering.contract import OrderDocument, ReturnDocument
from shop.webhooks.commands import (
    AddEndpoint,
    RemoveEndpoint,
    RotateSecret,
    SendAgain,
    TryEndpoint,
)
from tests.ordering.histories import ALL_BACK, CONFIRMED, PLACED, SHAPES
from tests.shop.webhooks.receiver import Got, Receiver
from tests.shop.webhooks.telling import Telling, placed, scanned, scheduled
from tests.waiting import eventually


async def test_what_happens_is_told_signed_and_as_rest_shows_it(
    shop: Telling, receiver: Receiver
) -> None:
    await shop.add(receiver)
    await shop.happen(PLACED, CONFIRMED, scheduled(), scanned("en_route"), scanned("picked_up"))
    await eventually(lambda: len(receiver.got) == 4)
    told = {got.type: got.message for got in receiver.got}
    assert told.keys() == {
        "order.placed", "order.confirmed", "delivery.scheduled", "delivery.en_route",
    }  # fmt: skip
    assert receiver.forged == 0
    placed, confirmed = told["order.placed"], told["order.confirmed"]
    assert OrderDocument.model_validate(placed["data"], strict=False).status == "pending"
    assert OrderDocument.model_validate(confirmed["data"], strict=False).status == "confirmed"
    assert (placed["version"], confirmed["version"]) == (1, 2)
    assert datetime.fromisoformat(placed["timestamp"]) <= now()
    assert told["delivery.en_route"]["data"]["checkpoints"][0]["status"] == "en_route"
    assert told["delivery.en_route"]["data"]["order_id"] == "ord_1"
    (notice, *_) = await shop.becomes("taken", 4)
    assert [attempt.status for attempt in notice.attempts] == [204]


TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_what_is_told_carries_on_the_trace_in_which_it_happened(
    shop: Telling, receiver: Receiver
) -> None:
    await shop.add(receiver)
    await shop.happen(PLACED, traceparent=TRACEPARENT)
    await eventually(lambda: receiver.got)
    assert receiver.got[0].headers["traceparent"] == TRACEPARENT


async def test_where_traces_are_recorded_telling_is_a_part_of_them(
    shop: Telling, receiver: Receiver, exporter: InMemorySpanExporter
) -> None:
    await shop.add(receiver)
    await shop.happen(PLACED, traceparent=TRACEPARENT)

    def spans() -> list[ReadableSpan]:
        found = exporter.get_finished_spans()
        return [span for span in found if span.name == "webhook order.placed"]

    (span,) = await eventually(spans)
    trace, parent = TRACEPARENT.split("-")[1:3]
    assert span.parent
    assert f"{span.parent.span_id:016x}" == parent
    sent = f"00-{trace}-{span.context.span_id:016x}-01"
    assert receiver.got[0].headers["traceparent"] == sent


async def test_whatever_state_an_order_comes_to_can_be_told(
    shop: Telling, receiver: Receiver
) -> None:
    """Each as it was then, though it has long gone on."""
    await shop.add(receiver, only=("return.*",))
    await shop.happen(*ALL_BACK)
    await eventually(lambda: len(receiver.got) == 8)
    by_return: dict[str, list[str]] = {}
    for got in sorted(receiver.got, key=lambda got: int(got.message["version"])):
        back = ReturnDocument.model_validate(got.message["data"], strict=False)
        assert got.type == f"return.{back.status}"
        by_return.setdefault(back.return_id, []).append(back.status)
    whole = ["requested", "approved", "received", "refunded"]
    assert list(by_return.values()) == [whole, whole]


async def test_a_client_hears_of_its_own_orders_alone(
    shop: Telling, receiver: Receiver, other: Receiver
) -> None:
    await shop.add(receiver, client="mine")
    await shop.add(other)
    mine, theirs = placed(1, "mine"), placed(2, "theirs")
    await shop.happen(theirs, mine, scheduled(2), scheduled(1), scheduled(3))
    await eventually(lambda: len(other.got) == 5)
    await shop.becomes("taken", 7)
    told = {(got.type, got.message["data"]["order_id"]) for got in receiver.got}
    assert told == {("order.placed", "ord_1"), ("delivery.scheduled", "ord_1")}


async def test_an_endpoint_hears_of_the_types_it_named(shop: Telling, receiver: Receiver) -> None:
    await shop.add(receiver, only=("order.confirmed", "delivery.*"))
    await shop.happen(PLACED, scheduled(), CONFIRMED)
    await shop.becomes("taken", 2)
    assert sorted(receiver.types()) == ["delivery.scheduled", "order.confirmed"]


async def test_an_endpoint_is_told_of_what_happens_from_then_on(
    shop: Telling, receiver: Receiver
) -> None:
    await shop.happen(PLACED)
    await shop.add(receiver)
    await shop.happen(CONFIRMED)
    await shop.becomes("taken")
    assert receiver.types() == ["order.confirmed"]


async def test_where_nobody_wants_to_know_nothing_is_written(shop: Telling) -> None:
    await shop.happen(PLACED, CONFIRMED)
    await shop.seen_all()
    assert shop.database["notices"].count_documents({}) == 0
    assert shop.database["log"].count_documents({}) == 0


async def test_what_was_told_is_told_again_under_the_same_id(
    shop: Telling, receiver: Receiver
) -> None:
    await shop.add(receiver)
    await shop.happen(PLACED)
    (notice,) = await shop.becomes("taken")
    assert await shop.bus.send(SendAgain(messages=(notice.message_id,))) == 1
    await eventually(lambda: len(receiver.got) == 2)
    first, second = receiver.got
    assert (first.id, first.body) == (second.id, second.body)
    (notice,) = await shop.becomes("taken")
    assert len(notice.attempts) == 2


async def test_of_a_buyer_who_was_erased_a_message_says_nothing_personal_any_more(
    shop: Telling, receiver: Receiver
) -> None:
    await shop.add(receiver)
    await shop.happen(PLACED)
    (notice,) = await shop.becomes("taken")
    await shop.platform.keyring.renew(PLACED.buyer_id)
    await shop.platform.keyring.delete_old(PLACED.buyer_id)
    await shop.bus.send(SendAgain(messages=(notice.message_id,)))
    await eventually(lambda: len(receiver.got) == 2)
    before, after = receiver.got
    assert PLACED.destination.road.encode() in before.body
    assert PLACED.destination.road.encode() not in after.body
    assert after.message["data"]["total"] == before.message["data"]["total"]


async def test_all_that_failed_is_sent_again(shop: Telling, receiver: Receiver) -> None:
    endpoint = await shop.add(receiver)
    await shop.happen(PLACED, CONFIRMED)
    await shop.becomes("taken", 2)
    shop.database["notices"].update_many({}, {"$set": {"state": "failed"}})
    assert await shop.bus.send(SendAgain(failed_of=endpoint)) == 2
    await shop.becomes("taken", 2)
    assert len(receiver.got) == 4


async def test_what_an_endpoint_missed_is_told_from_the_log(
    shop: Telling, receiver: Receiver
) -> None:
    """Also what it has been told already, under the ids it knows."""
    began = now()
    await shop.happen(placed(1, "mine"), placed(2, "theirs"))
    endpoint = await shop.add(receiver, client="mine", only=("order.*",))
    await shop.happen(CONFIRMED, scheduled(1))
    await shop.becomes("taken")
    told: list[tuple[int, int]] = []
    found = await shop.webhooks.handlers.open(endpoint)
    count = await shop.webhooks.outbox.again(found, began, lambda *of: told.append(of))
    assert count == 2
    await eventually(lambda: len(receiver.got) == 3)
    assert receiver.types().count("order.confirmed") == 2
    assert len(set(receiver.ids())) == 2
    assert told[-1][0] == told[-1][1] == 4
    again = await shop.webhooks.outbox.again(found, now() + timedelta(hours=1), lambda *of: None)
    assert again == 0


async def test_a_command_that_comes_twice_shows_the_secret_that_signs(
    shop: Telling, receiver: Receiver
) -> None:
    asked = sealed(AddEndpoint(url=receiver.url))
    first, again = await shop.bus.deliver(asked), await shop.bus.deliver(asked)
    assert first == again
    turned = sealed(RotateSecret(endpoint_id=first.endpoint.endpoint_id, overlap=timedelta(0)))
    assert await shop.bus.deliver(turned) == await shop.bus.deliver(turned) != first


async def test_what_is_removed_leaves_nothing_behind(shop: Telling, receiver: Receiver) -> None:
    endpoint = await shop.add(receiver)
    await shop.happen(PLACED)
    await shop.becomes("taken")
    await shop.bus.send(RemoveEndpoint(endpoint_id=endpoint))
    await shop.happen(CONFIRMED)
    await shop.seen_all()
    assert await shop.endpoints() == ()
    assert await shop.notices() == ()
    assert shop.database["secrets"].count_documents({}) == 0
    with pytest.raises(NotFound):
        await shop.bus.send(RemoveEndpoint(endpoint_id=endpoint))


async def test_a_rotated_secret_signs_beside_the_old_one_for_a_while(
    shop: Telling, receiver: Receiver
) -> None:
    endpoint = await shop.add(receiver)
    old = receiver.secret
    day = timedelta(days=1)
    made = await shop.bus.send(RotateSecret(endpoint_id=endpoint, overlap=day))
    await shop.happen(PLACED)
    await shop.becomes("taken")
    (got,) = receiver.got
    assert len(got.headers["webhook-signature"].split(" ")) == 2
    for secret in (old, made.secret):
        assert Webhook(secret).verify(got.body, dict(got.headers))
    leaked = await shop.bus.send(RotateSecret(endpoint_id=endpoint, overlap=timedelta(0)))
    receiver.secret = leaked.secret
    await shop.happen(CONFIRMED)
    await shop.becomes("taken", 2)
    last = receiver.got[-1]
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(last.body, dict(last.headers))


async def test_an_endpoint_can_be_tried(shop: Telling, receiver: Receiver) -> None:
    endpoint = await shop.add(receiver)
    tried = await shop.bus.send(TryEndpoint(endpoint_id=endpoint))
    assert (tried.taken, tried.attempt.status) == (True, 204)
    assert receiver.types() == ["webhook.test"]
    receiver.answer = lambda got: (403, {})
    assert not (await shop.bus.send(TryEndpoint(endpoint_id=endpoint))).taken
    assert await shop.notices() == ()


async def test_messages_have_ids_of_their_own(
    shop: Telling, receiver: Receiver, other: Receiver
) -> None:
    await shop.add(receiver)
    await shop.add(other)
    await shop.happen(PLACED, CONFIRMED)
    await shop.becomes("taken", 4)
    ids = receiver.ids() + other.ids()
    assert len(set(ids)) == 4
    assert all(id.startswith("msg_") for id in ids)


@pytest.mark.parametrize("shape", ["cancelled", "refunded", "late", "turned_down"])
async def test_a_whole_life_is_told_in_versions_that_grow(
    shop: Telling, receiver: Receiver, shape: str
) -> None:
    await shop.add(receiver)
    await shop.happen(*SHAPES[shape])
    await shop.seen_all()
    waiting = len(await shop.notices())
    await shop.becomes("taken", waiting)
    lives = sorted(receiver.got, key=by_version)
    assert lives[0].type == "order.placed"
    assert all(by_version(one) < by_version(next) for one, next in pairwise(lives))
    assert lives[-1].message["data"]["status"] in {"cancelled", "expired", "rejected"}


def by_version(got: Got) -> int:
    return int(got.message["version"])
