"""Stripe: PaymentIntents that are captured later, and Refunds, by its own SDK.

Every write carries our key as its Idempotency-Key, and as metadata, by which what it led to is
found when Stripe has forgotten the key. The SDK retries nothing: whoever calls does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import datetime, timedelta
from typing import Any, TypeVar, assert_never

import stripe

from bus.messages import Money
from payment.gateway import (
    EXPIRED,
    Declined,
    Operation,
    Outcome,
    OutcomeUnknown,
    Standing,
)
from payment.stripe_errors import Connections, failure, read, reading, refusal, writing
from payment.stripe_money import Unpayable, to_stripe
from payment.stripe_objects import (
    KEY,
    REFERENCE,
    Intent,
    Refund,
    Seen,
    authorized,
    captured,
    refunded,
    standing,
    voided,
)

TIMEOUT = 10.0
"""Seconds in which Stripe takes a connection, a request, and begins to answer, each."""

PAGE = 100
"""PaymentIntents or Refunds in one answer, at most."""

UNPAYABLE = Declined(reason="unpayable_amount")

S = TypeVar("S", bound=Seen)


class StripeGateway:
    """Moves money by Stripe's API at `base`. `return_url` is where Stripe sends the buyer back to
    after 3-D Secure; without it only Stripe's browser library can take the buyer there."""

    name = "stripe"
    remembers = timedelta(hours=24)

    def __init__(
        self,
        api_key: str,
        *,
        base: str = stripe.DEFAULT_API_BASE,
        return_url: str | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        stripe.enable_telemetry = False  # it would write a file into the home folder
        self._http = Connections(timeout)
        client = stripe.StripeClient(
            api_key,
            base_addresses={"api": base.rstrip("/")},
            max_network_retries=0,
            http_client=self._http,
        )
        self._intents = client.v1.payment_intents
        self._refunds = client.v1.refunds
        self._return_url = return_url
        self._patience = 3 * timeout

    async def authorize(self, key: str, amount: Money, token: str, reference: str) -> Outcome:
        """Set money aside: a PaymentIntent that is confirmed at once and captured later."""
        try:
            params: Any = {
                "amount": to_stripe(amount),
                "currency": amount.currency.lower(),
                "payment_method": token,
                "payment_method_types": ["card"],
                "capture_method": "manual",
                "confirm": True,
                "metadata": {KEY: key, REFERENCE: reference},
                "expand": ["latest_charge"],
            }
            if self._return_url is not None:
                params["return_url"] = self._return_url
            made = self._intents.create_async(params, {"idempotency_key": key})
            outcome = authorized(await self._told(Intent, key, made))
        except Unpayable:
            return UNPAYABLE
        except stripe.CardError as error:
            return Declined(reason=failure(error).reason)
        except stripe.InvalidRequestError as error:
            wrong_card = error.param == "payment_method"
            return Declined(reason="invalid_payment_method" if wrong_card else refusal(error))
        if outcome is None:
            raise OutcomeUnknown(f"Stripe is still at work on {key}")
        return outcome

    async def capture(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Take what was set aside, or less; Stripe lets go of the rest by itself."""
        try:
            made = self._intents.capture_async(
                authorization, {"amount_to_capture": to_stripe(amount)}, {"idempotency_key": key}
            )
            outcome = captured(await self._told(Intent, key, made))
        except Unpayable:
            return UNPAYABLE
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            if error.code == "charge_expired_for_capture":
                return Declined(reason=EXPIRED)
            intent = await self.intent(authorization)
            if intent is None:
                return Declined(reason="nothing_held")
            gone = voided(intent)
            if isinstance(gone, Declined):
                return gone
            return Declined(reason=EXPIRED if gone is not None else refusal(error))
        if outcome is None:
            raise OutcomeUnknown(f"Stripe is still at work on {key}")
        return outcome

    async def void(self, key: str, authorization: str) -> Outcome:
        """Let go of what was set aside; what is cancelled or has expired already is let go of."""
        try:
            made = self._intents.cancel_async(authorization, {}, {"idempotency_key": key})
            outcome = voided(await self._told(Intent, key, made))
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            intent = await self.intent(authorization)
            if intent is None:
                return Declined(reason="nothing_held")
            return voided(intent) or Declined(reason=refusal(error))
        if outcome is None:
            raise OutcomeUnknown(f"Stripe is still at work on {key}")
        return outcome

    async def refund(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Give back what was taken, or part of it."""
        try:
            made = self._refunds.create_async(
                {
                    "payment_intent": authorization,
                    "amount": to_stripe(amount),
                    "metadata": {KEY: key},
                },
                {"idempotency_key": key},
            )
            return refunded(await self._told(Refund, key, made))
        except Unpayable:
            return UNPAYABLE
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            return Declined(reason=refusal(error))

    async def look_up(
        self, operation: Operation, key: str, authorization: str | None
    ) -> Outcome | None:
        """What a call led to, by how things stand now; `None` when Stripe knows of no such call."""
        if authorization is not None:
            intent = await self.intent(authorization)
        else:
            intent = await self._found(key) if operation == "authorize" else None
        if intent is None:
            return None
        match operation:
            case "authorize":
                return authorized(intent)
            case "capture":
                return captured(intent)
            case "void":
                return voided(intent)
            case "refund":
                return (await self.refunds(intent.id)).get(key)
            case _:
                assert_never(operation)

    async def standings(self, since: datetime | None = None) -> AsyncIterator[Standing]:
        """How every PaymentIntent of ours stands, the newest first."""
        params: Any = {"limit": PAGE, "expand": ["data.latest_charge"]}
        if since is not None:
            params["created"] = {"gte": int(since.timestamp())}
        with reading("its PaymentIntents"):
            page = await self._intents.list_async(params)
            async for each in page.auto_paging_iter():
                found = standing(read(Intent, each))
                if found is not None:
                    yield found

    async def intent(self, authorization: str) -> Intent | None:
        """How a PaymentIntent stands now; `None` when Stripe knows of none."""
        with reading(authorization):
            try:
                return read(
                    Intent,
                    await self._intents.retrieve_async(
                        authorization, {"expand": ["latest_charge"]}
                    ),
                )
            except stripe.InvalidRequestError as error:
                if error.http_status == 404:
                    return None
                raise

    async def refunds(self, authorization: str) -> dict[str, Outcome]:
        """What became of our refunds of a PaymentIntent, by their keys."""
        found: dict[str, Outcome] = {}
        with reading(f"the refunds of {authorization}"):
            page = await self._refunds.list_async({"payment_intent": authorization, "limit": PAGE})
            async for each in page.auto_paging_iter():
                refund = read(Refund, each)
                key = (refund.metadata or {}).get(KEY)
                if key is not None:
                    found[key] = refunded(refund)
        return found

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.close_async()

    async def _found(self, key: str) -> Intent | None:
        """The PaymentIntent made under a key. Stripe's search is up to a minute behind, so the
        newest are read besides; where there is no search, as in some countries, all are."""
        with reading(f"what was made under {key}"):
            newest = await self._intents.list_async(
                {"limit": PAGE, "expand": ["data.latest_charge"]}
            )
            for each in newest.data:
                if (intent := read(Intent, each)).metadata.get(KEY) == key:
                    return intent
            try:
                found = await self._intents.search_async(
                    {"query": f"metadata['{KEY}']:'{key}'", "expand": ["data.latest_charge"]}
                )
            except stripe.InvalidRequestError:
                async for each in newest.auto_paging_iter():
                    if (intent := read(Intent, each)).metadata.get(KEY) == key:
                        return intent
                return None
            return read(Intent, found.data[0]) if found.data else None

    async def _told(self, kind: type[S], key: str, made: Awaitable[Any]) -> S:
        """What Stripe answers to a write; raises what that leaves open."""
        with writing(key):
            async with asyncio.timeout(self._patience):
                return read(kind, await made)
