"""What an operator sees of webhooks: who is told, and whether it is taken."""

from __future__ import annotations

import httpx
from starlette.applications import Starlette

from bus.messages import now
from shop.figures import OVERDUE
from shop.vitals import vitals
from shop.webhooks.endpoint import GONE
from tests.counting import Figures, figure
from tests.ordering.histories import PLACED
from tests.shop.webhooks.receiver import Receiver
from tests.shop.webhooks.telling import Telling


async def test_attempts_are_counted_by_what_came_of_them(
    shop: Telling, receiver: Receiver, other: Receiver
) -> None:
    figures = Figures()
    receiver.answer = lambda got: (410, {})
    gone = await shop.add(receiver)
    await shop.add(other)
    await shop.happen(PLACED)
    await shop.becomes("taken")
    await shop.disabled(gone, GONE)
    attempts = {("taken",): 1, ("failed",): 1, ("disabled",): 1}
    assert figures.grown("storefold_webhooks_total", "outcome") == attempts


async def test_endpoints_are_shown_by_their_state_and_messages_that_are_late(
    shop: Telling, receiver: Receiver, other: Receiver
) -> None:
    receiver.answer = lambda got: (410, {})
    other.answer = lambda got: (500, {})
    gone = await shop.add(receiver)
    failing = await shop.add(other)
    await shop.happen(PLACED)
    await shop.disabled(gone, GONE)
    await shop.becomes("waiting", 2)
    long_ago = {"due": now() - 2 * OVERDUE}
    notices = shop.database["notices"]
    await shop.platform.contexts["webhooks"].rota.stop()
    notices.update_many({"endpoint": {"$in": [gone, failing]}}, {"$set": long_ago})

    transport = httpx.ASGITransport(Starlette(routes=vitals(shop.platform)))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
        assert (await http.get("/metrics")).status_code == 200
    assert figure("storefold_webhook_endpoints", state="open") == 1
    assert figure("storefold_webhook_endpoints", state="disabled") == 1
    assert figure("storefold_webhooks_late") == 1, "who is told nothing is not late"
