"""The courier: makes a notice, signs it, and brings it to its endpoint."""

from __future__ import annotations

import ssl
import time
from datetime import datetime

import httpx
import structlog
from pymongo.errors import PyMongoError

from bus.messages import Busy, Model, new_id, now
from bus.tasks import in_thread
from bus.tracing import recorder
from shop.webhooks.bodies import Bodies
from shop.webhooks.commands import Attempt, Tried
from shop.webhooks.endpoint import Endpoint
from shop.webhooks.news import TEST
from shop.webhooks.notices import Notice
from shop.webhooks.post import Answer, Post, signed
from shop.webhooks.registry import Secrets

OUTAGES = (Busy, PyMongoError)
"""What says nothing about an endpoint: we cannot work now."""

log = structlog.get_logger(__name__)


class Test(Model):
    """What an operator sends to try an endpoint."""

    type: str = TEST
    timestamp: datetime
    data: dict[str, str]


class Courier:
    """Sends whatever is to be sent."""

    def __init__(self, bodies: Bodies, secrets: Secrets, *, allow_private: bool) -> None:
        self._bodies = bodies
        self._secrets = secrets
        self._allow_private = allow_private
        self._trust: ssl.SSLContext | None = None

    async def ways(self) -> ssl.SSLContext:
        """Whose certificates are trusted: the world's, or those that `SSL_CERT_FILE` names."""
        if self._trust is None:
            self._trust = await in_thread(httpx.create_ssl_context)  # which takes a while
        return self._trust

    def post(self, trust: ssl.SSLContext) -> Post:
        """A way to one endpoint."""
        return Post(trust, allow_private=self._allow_private)

    async def tell(self, notice: Notice, endpoint: Endpoint, post: Post) -> Answer:
        """Send a notice, once."""
        try:
            body, trace = await self._bodies.make(notice)
        except OUTAGES:
            raise
        except Exception as error:  # another release may be able to
            log.exception("webhook.cannot_be_made", notice=notice.id)
            why = f"it cannot be made from the log: {type(error).__name__}"
            return Answer(error=why, ours=True)
        tracer = recorder()
        if tracer is None:
            return await self._bring(notice.id, body, endpoint, post, trace)
        with tracer.span(f"webhook {notice.type}", "client", trace) as span:
            answer = await self._bring(notice.id, body, endpoint, post, span.traceparent)
            if not answer.taken:
                span.fail(str(answer.status or "no answer"))
            return answer

    async def try_out(self, endpoint: Endpoint) -> Tried:
        """Send an endpoint a test, once."""
        post = self.post(await self.ways())
        at, began = now(), time.monotonic()
        test = Test(timestamp=at, data={"endpoint_id": endpoint.endpoint_id})
        body = test.model_dump_json().encode()
        try:
            answer = await self._bring(f"msg_{new_id()}", body, endpoint, post)
        finally:
            await post.close()
        return Tried(taken=answer.taken, attempt=attempt(answer, at, began), said=answer.said)

    async def _bring(
        self, id: str, body: bytes, endpoint: Endpoint, post: Post, trace: str | None = None
    ) -> Answer:
        at = now()  # of this attempt: what was signed long ago is refused as a replay
        headers = signed(id, body, await self._secrets.signing(endpoint, at), at)
        if trace is not None:
            headers["traceparent"] = trace
        return await post.bring(endpoint.url, headers, body)


def attempt(answer: Answer, at: datetime, began: float) -> Attempt:
    """What is kept of an attempt that began at a time, and a moment of the monotonic clock."""
    took = round((time.monotonic() - began) * 1000)
    return Attempt(at=at, status=answer.status, error=answer.error, took_ms=took)
