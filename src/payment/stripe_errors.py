"""How Stripe is reached, and what its errors, and answers that are none of its, leave done and
undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import stripe
from pydantic import ValidationError

from payment.gateway import GatewayUnavailable, KeyReused, OutcomeUnknown
from payment.stripe_objects import Failure, Seen

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""What befalls a request before it has left."""

S = TypeVar("S", bound=Seen)


class Connections(stripe.HTTPClient):
    """The SDK's way to Stripe, by httpx: a request that fails says how.

    The SDK's own client for httpx would have each call warn of how it uses it.
    """

    name = "httpx"

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._http = httpx.AsyncClient(timeout=timeout)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One request; raises `stripe.APIConnectionError` because of what went wrong."""
        try:
            answer = await self._http.request(method, url, headers=headers, content=post_data)
        except httpx.HTTPError as error:
            raise stripe.APIConnectionError("no answer") from error  # type: ignore[no-untyped-call]
        return answer.content, answer.status_code, answer.headers

    async def close_async(self) -> None:
        """Let go of all of them."""
        await self._http.aclose()


class Unreadable(Exception):
    """An answer that is none of Stripe's."""


def read(kind: type[S], found: Any) -> S:
    """What we look at of an object of the SDK's; raises `Unreadable`."""
    try:
        plain = found.to_dict() if isinstance(found, stripe.StripeObject) else found
        return kind.model_validate(plain)
    except ValidationError:
        raise Unreadable(f"the answer is no {kind.__name__}") from None


@contextmanager
def writing(key: str) -> Iterator[None]:
    """Tells apart what was not done from what may have been. Neither what Stripe says nor the
    request is repeated: there are tokens in them."""
    try:
        yield
    except (stripe.InvalidRequestError, stripe.CardError):
        raise  # what that means depends on what was asked
    except stripe.IdempotencyError:
        raise KeyReused(f"{key} was used for another request: a key names one call") from None
    except stripe.StripeError as error:
        if (unavailable := away(error)) is not None:
            raise unavailable from None
        raise OutcomeUnknown(f"no clear answer to {key}: {named(error)}") from None
    except (Unreadable, TimeoutError) as error:
        raise OutcomeUnknown(f"no clear answer to {key}: {error!r}") from None


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Nothing depends on a question that was not answered: it may be asked again."""
    try:
        yield
    except stripe.StripeError as error:
        unanswered = GatewayUnavailable(f"Stripe did not tell {what}: {named(error)}")
        raise (away(error) or unanswered) from None
    except Unreadable as error:
        raise GatewayUnavailable(f"Stripe did not tell {what}: {error!r}") from None


def away(error: stripe.StripeError) -> GatewayUnavailable | None:
    """What an error means that leaves nothing done; `None` for one that leaves that open."""
    match error:
        case stripe.AuthenticationError() | stripe.PermissionError():
            return GatewayUnavailable(
                f"Stripe does not accept our key ({error.http_status}): set SHOP_STRIPE_API_KEY to"
                " a secret key, or a restricted one that may write PaymentIntents and Refunds",
                retry_after=30,
            )
        case stripe.APIConnectionError() if isinstance(error.__cause__, NEVER_SENT):
            return GatewayUnavailable(f"Stripe is away: {named(error)}")
        case stripe.RateLimitError() | stripe.StripeError(http_status=409 | 503):
            return GatewayUnavailable(f"Stripe does not take the call now: {named(error)}")
        case _:
            return None


def named(error: stripe.StripeError) -> str:
    """An error without what was asked or answered: its kind, its status, its code."""
    parts = [type(error.__cause__ or error).__name__, error.http_status, error.code]
    return " ".join(str(part) for part in (*parts, error.request_id) if part is not None)


def failure(error: stripe.CardError) -> Failure:
    """Why the card was declined."""
    return Failure(code=error.code, decline_code=getattr(error.error, "decline_code", None))


def refusal(error: stripe.InvalidRequestError | stripe.CardError) -> str:
    """Why Stripe will not do it, in its own word."""
    if isinstance(error, stripe.CardError):
        return failure(error).reason
    if error.code is None and error.param == "amount":
        return "amount_too_large"  # of a refund, which Stripe has no code for
    return error.code or "invalid_request"
