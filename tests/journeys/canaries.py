"""The shop's command line, in which everything goes wrong that can, each time with words in the
error that nobody may read: `python -m tests.journeys.canaries serve --port 0`."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

from pydantic import TypeAdapter
from pymongo.errors import BulkWriteError

import shop.web
from bus.envelope import Envelope
from bus.platform import Platform
from bus.transport import InProcess
from bus.writer import Writer
from ordering.views import ORDERS
from payment.builtin import BuiltinGateway
from shop import cli

WORD = "canary"
"""In every word that must not be seen."""

UNPAYABLE = f"pm_{WORD}_nonsense"
UNSHOWN = f"{WORD}-buyer-unshown"
"""A token upon which the gateway's answer cannot be read; a buyer whose orders cannot be shown."""

FAILING = ("payment.GetBalance", "ordering.ExpireOrder")
"""What cannot be done: asked for by a client, and by a timer."""


def plant() -> None:
    """Have it all go wrong."""
    shop.web.PATIENCE = 1.0
    authorize, request, insert = BuiltinGateway.authorize, InProcess.request, Writer._insert
    evolve, start = ORDERS.evolve, Platform.start

    async def nonsense(self: Any, key: str, amount: Any, token: str, reference: str) -> Any:
        if token == UNPAYABLE:
            try:
                dict[str, int]()[token]
            except KeyError:
                TypeAdapter(int).validate_python(token)
        return await authorize(self, key, amount, token, reference)

    async def refused(self: Any, envelope: Envelope[Any]) -> Any:
        if envelope.message.type_name in FAILING:
            raise ValueError(f"{WORD}: {envelope.message!r}")
        return await request(self, envelope)

    def unshown(before: Any, event: Any) -> Any:
        order = evolve(before, event)
        if order.buyer_id == UNSHOWN:
            raise ValueError(order)
        return order

    broken = [True]

    def spoilt(self: Any, todo: Any) -> Any:
        if broken and self._context == "ordering":
            broken.clear()
            details = [{"errmsg": f'no: {{ road: "{WORD}" }}', "op": {"road": WORD}}]
            raise BulkWriteError({"writeErrors": [], "writeConcernErrors": details})
        return insert(self, todo)

    async def started(self: Any, *, work: bool, passing: bool = False) -> None:
        await start(self, work=work, passing=passing)
        libraries()

    BuiltinGateway.authorize = nonsense  # type: ignore[method-assign]
    InProcess.request = refused  # type: ignore[method-assign]
    Writer._insert = spoilt  # type: ignore[method-assign]
    Platform.start = started  # type: ignore[method-assign]
    object.__setattr__(ORDERS, "evolve", unshown)


def libraries() -> None:
    """What libraries say of themselves, and what nobody waits for."""
    for name in ("httpx", "pymongo.command", "uvicorn.access"):
        for level in (logging.DEBUG, logging.INFO):
            logging.getLogger(name).log(level, "GET https://maps/?key=%s", WORD)
    logging.getLogger("urllib3").warning("POST %s", WORD)
    thread = threading.Thread(target=_fail, name="planted")
    thread.start()
    thread.join()

    async def unheard() -> None:
        _fail()

    asyncio.get_running_loop().call_soon(_fail, WORD)
    asyncio.get_running_loop().create_task(unheard())


def _fail(*_: str) -> None:
    raise ValueError(WORD)


def main() -> None:
    """Run the CLI."""
    plant()
    cli.main()


if __name__ == "__main__":
    main()
