"""Stripe's webhooks at the shop's door: who may ring, and what is recorded then."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from stripe import WebhookSignature

from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Money, NotFound
from bus.rest import MAX_BODY
from bus.transport import InProcess
from payment.calls import gateway_key
from payment.commands import RecordOutcome
from payment.contract import PaymentActionRequired, PaymentAuthorized, PaymentCaptured
from payment.gateway import EXPIRED, ActionRequired, Approved, Declined, Outcome
from payment.routes import endpoints
from payment.stripe import StripeGateway
from payment.webhooks import StripeWebhooks
from shop.doors import Doors
from shop.web import surface
from tests.listening import listening
from tests.payment.shop import Open
from tests.payment.stripe_process.running import WEBHOOK_SECRET, StripeProcess, stripe_process

pytestmark = pytest.mark.anyio

PRICE = Money(amount=10_50, currency="EUR")
PART = Money(amount=4_00, currency="EUR")

RING = "/v1/payments/webhooks/stripe"

CARD, THREE_D_SECURE = "pm_card_visa", "pm_card_threeDSecure2Required"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeProcess]:
    with stripe_process(tmp_path_factory.mktemp("stripe")) as running:
        yield running


@pytest.fixture
async def gateway(there: StripeProcess) -> AsyncIterator[StripeGateway]:
    there.mood()
    gateway = there.gateway()
    yield gateway
    await gateway.close()


class Door:
    """The shop's surface, and what was recorded behind it."""

    def __init__(self, gateway: StripeGateway, bus: Bus | None = None) -> None:
        self.recorded: list[Envelope[RecordOutcome]] = []
        self.refuses: Exception | None = None
        if bus is None:
            bus = Bus(InProcess())
            bus.handle(RecordOutcome, self._record)
        rows = endpoints(bus, {"stripe": StripeWebhooks(gateway, WEBHOOK_SECRET)})
        nobody: Any = None
        app = surface(nobody, Doors(nobody), rows)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://shop.example"
        )

    async def _record(self, told: RecordOutcome, envelope: Envelope[RecordOutcome]) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.recorded.append(envelope)

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """What was recorded, by the keys."""
        found: dict[str, Any] = {}
        for each in self.recorded:
            found[each.message.gateway_key] = each.message.outcome
        return found

    async def ring(
        self, body: str | bytes, signature: str | bytes | None = "", path: str = RING
    ) -> httpx.Response:
        """Send this; well signed, unless told otherwise."""
        if signature == "":
            text = body if isinstance(body, str) else body.decode()
            signature = WebhookSignature.generate_signature_header(text, WEBHOOK_SECRET)
        headers: dict[str, Any] = {"Content-Type": "application/json; charset=utf-8"}
        if signature is not None:
            headers["Stripe-Signature"] = signature
        return await self.http.post(path, content=body, headers=headers)


@pytest.fixture
async def door(gateway: StripeGateway) -> AsyncIterator[Door]:
    door = Door(gateway)
    yield door
    await door.http.aclose()


@pytest.fixture
def payment_id() -> str:
    return f"pay-{uuid4().hex}"


async def made(gateway: StripeGateway, payment_id: str, token: str = CARD) -> str:
    """The PaymentIntent of a payment's first attempt."""
    key = gateway_key(payment_id, "authorize", 1)
    outcome: Any = await gateway.authorize(key, PRICE, token, f"order-{payment_id}")
    authorization: str = outcome.authorization
    return authorization


def event(type: str, about: str, **fields: Any) -> str:
    """An event as it is sent."""
    thing = {"id": about} if type.startswith("payment_intent.") else {"payment_intent": about}
    event = {"id": f"evt_{uuid4().hex}", "type": type, "data": {"object": thing}, **fields}
    return json.dumps({"object": "event", **event})


SUCCEEDED = "payment_intent.succeeded"


def signed(body: str, secret: str = WEBHOOK_SECRET, ago: int = 0) -> str:
    """A signature made so many seconds ago."""
    at = int(time.time()) - ago
    header: str = WebhookSignature.generate_signature_header(body, secret, at)
    return header


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that this was answered with."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == code
    return problem


async def test_only_who_signs_is_heard_and_nobody_is_told_what_was_missing(
    gateway: StripeGateway, door: Door, payment_id: str
) -> None:
    body = event(SUCCEEDED, await made(gateway, payment_id))
    bad: list[str | bytes | None] = [
        None,
        "nonsense",
        "t=,v1=",
        f"t={int(time.time())}",
        f"t={int(time.time())},v1={'0' * 64}",
        signed(body, "whsec_other"),
        signed(body + " "),
        signed(body, ago=301),
        signed(body).replace("v1", "v0"),
        f"t={int(time.time())},v1=é".encode(),
        f"t={'9' * 5000},v1=0",
    ]
    said = {refused(await door.ring(body, each), 400, "bad_signature")["detail"] for each in bad}
    assert len(said) == 1
    assert WEBHOOK_SECRET not in said.pop()
    refused(await door.ring(b"\xff\xfe", signed(body)), 400, "bad_signature")
    assert door.recorded == []


async def test_one_good_signature_among_several_is_enough(
    gateway: StripeGateway, door: Door, payment_id: str
) -> None:
    body = event(SUCCEEDED, await made(gateway, payment_id))
    rolled = signed(body, "whsec_former").replace(",", f",v1={'0' * 64},")
    assert (await door.ring(body, f"{rolled},{signed(body).split(',')[1]}")).status_code == 200
    assert (await door.ring(body, signed(body, ago=299))).status_code == 200
    assert door.outcomes


async def test_a_gateway_that_has_no_webhooks_is_unknown(door: Door) -> None:
    for name in ("builtin", "paypal", "%00", "stripe2"):
        answer = await door.ring("{}", path=f"/v1/payments/webhooks/{name}")
        assert "stripe" not in refused(answer, 404, "unknown_gateway")["detail"]


async def test_a_body_that_is_signed_and_no_event_is_refused(door: Door) -> None:
    for body in ("", "[]", "{", "null", '{"id": 1, "type": "x", "data": {}}'):
        refused(await door.ring(body), 400, "malformed")
    nested = "[" * 100_000
    refused(await door.ring(nested), 400, "malformed")
    refused(await door.ring(" " * (MAX_BODY + 1)), 413, "too_large")
    text = await door.http.post(RING, content="{}", headers={"Content-Type": "text/plain"})
    refused(text, 415, "not_json")


async def test_what_nobody_waits_for_changes_nothing(
    gateway: StripeGateway, door: Door, payment_id: str
) -> None:
    authorization = await made(gateway, payment_id)
    for type in ("customer.created", "payment_intent.created", "charge.captured"):
        assert (await door.ring(event(type, authorization))).json() == {"received": True}
    for type in (SUCCEEDED, "charge.refunded"):
        without: Any = json.loads(event(type, authorization))
        for thing in (None, {}, {"id": 1, "payment_intent": None}, "pi"):
            body = json.dumps({**without, "data": {"object": thing}})
            assert (await door.ring(body)).status_code == 200
    assert door.recorded == []


async def test_a_payment_of_somebody_else_on_the_account_is_not_ours_to_look_at(
    gateway: StripeGateway, door: Door
) -> None:
    outcome: Any = await gateway.authorize(f"theirs-{uuid4().hex}", PRICE, CARD, "o1")
    assert (await door.ring(event(SUCCEEDED, outcome.authorization))).status_code == 200
    assert door.recorded == []


async def test_a_payment_that_nobody_knows_is_refused(
    gateway: StripeGateway, door: Door, payment_id: str
) -> None:
    refused(await door.ring(event(SUCCEEDED, "pi_none")), 404, "unknown_payment")
    door.refuses = NotFound("unknown_payment", "no such payment")
    body = event(SUCCEEDED, await made(gateway, payment_id))
    refused(await door.ring(body), 404, "unknown_payment")
    door.refuses = NotFound("unknown_call", "we never asked for that")
    assert (await door.ring(body)).status_code == 200


async def test_a_gateway_that_cannot_be_asked_is_to_ring_again(
    there: StripeProcess, payment_id: str
) -> None:
    away = there.gateway(base="http://127.0.0.1:9")
    door = Door(away)
    answer = await door.ring(event(SUCCEEDED, "pi_1"))
    assert "127.0.0.1" not in refused(answer, 503, "busy")["detail"]
    assert answer.headers["retry-after"]
    await door.http.aclose()
    await away.close()


async def test_what_is_true_now_is_recorded_whatever_the_event_says(
    gateway: StripeGateway, there: StripeProcess, door: Door, payment_id: str
) -> None:
    authorize, capture, void = (
        gateway_key(payment_id, operation, 1) for operation in ("authorize", "capture", "void")
    )
    authorization = await made(gateway, payment_id, THREE_D_SECURE)
    await door.ring(event("payment_intent.payment_failed", authorization))
    assert list(door.outcomes) == [authorize]
    assert isinstance(door.outcomes[authorize], ActionRequired)

    there.authenticate(authorization)
    await door.ring(event("payment_intent.requires_action", authorization))
    held: Any = door.outcomes[authorize]
    assert (held.type, held.authorization) == ("approved", authorization)
    assert held.capture_before is not None

    await gateway.capture(capture, authorization, PRICE)
    await door.ring(event("payment_intent.amount_capturable_updated", authorization))
    assert door.outcomes[capture] == Approved()
    assert door.outcomes[authorize] == held

    other = await made(gateway, f"{payment_id}-2")
    there.expire(other)
    await door.ring(event(SUCCEEDED, other))
    assert door.outcomes[capture.replace(payment_id, f"{payment_id}-2")] == Declined(reason=EXPIRED)
    assert door.outcomes[void.replace(payment_id, f"{payment_id}-2")] == Approved()


async def test_refunds_are_recorded_under_their_own_keys(
    gateway: StripeGateway, door: Door, payment_id: str
) -> None:
    authorization = await made(gateway, payment_id)
    await gateway.capture(gateway_key(payment_id, "capture", 1), authorization, PRICE)
    keys = [gateway_key(payment_id, "refund", number) for number in (1, 2)]
    for key in keys:
        await gateway.refund(key, authorization, PART)
    assert (await door.ring(event("charge.refunded", authorization))).status_code == 200
    assert door.outcomes == dict.fromkeys(keys, Approved())
    assert {each.principal.scope for each in door.recorded} == {"gateway"}
    assert len({each.id for each in door.recorded}) == len(keys)


async def test_an_event_that_comes_again_is_the_same_command(
    gateway: StripeGateway, door: Door, payment_id: str
) -> None:
    authorization = await made(gateway, payment_id)
    body = event("payment_intent.amount_capturable_updated", authorization)
    for _ in range(3):
        await door.ring(body)
    await door.ring(event("payment_intent.amount_capturable_updated", authorization))
    ids = [each.id for each in door.recorded]
    assert len(ids) == 4
    assert len(set(ids)) == 2


async def test_the_gateways_own_webhooks_repeated_and_in_any_order_settle_a_payment_once(
    opened: Open, gateway: StripeGateway, there: StripeProcess, payment_id: str
) -> None:
    async with opened(gateway) as shop:
        door = Door(gateway, shop.bus)
        async with listening(letting_in(door)) as address:
            there.webhooks(address, repeats=3, spread=0.1)
            await shop.pay(payment_id, THREE_D_SECURE)
            waits = await shop.happens(payment_id, PaymentActionRequired)
            there.authenticate(waits.authorization)
            await shop.happens(payment_id, PaymentAuthorized)
            there.mood(next=["fail", "lose"])
            await shop.capture(payment_id)
            await shop.happens(payment_id, PaymentCaptured)
            there.webhooks()
        events = [type(each) for each in await shop.events(payment_id)]
        for once in (PaymentActionRequired, PaymentAuthorized, PaymentCaptured):
            assert events.count(once) == 1
        (hold,) = [each for each in there.books().holds.values() if each.id == waits.authorization]
        assert (hold.captured, len(hold.captures)) == (PRICE.amount, 1)
        await door.http.aclose()


def letting_in(door: Door) -> Any:
    """What listens on a port and hands what comes to the door."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers["content-length"]))
        answer = await door.ring(body, headers["stripe-signature"])
        writer.write(
            f"HTTP/1.1 {answer.status_code} said\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    return talk
