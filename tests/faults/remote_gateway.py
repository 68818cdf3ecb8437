"""The shop's side of the test's gateway: `payment.gateway.Gateway` over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import httpx
from pydantic import TypeAdapter

from bus.messages import Money
from payment.contract import Means
from payment.gateway import GatewayUnavailable, KeyReused, Outcome, OutcomeUnknown
from tests.faults.ledger import Call

PATIENCE = 2.0
"""Seconds for which an answer is waited for."""

_outcomes: TypeAdapter[Outcome] = TypeAdapter(Outcome)


class RemoteGateway:
    """Calls the gateway at an address; knows what a broken connection may have done."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._http: httpx.AsyncClient | None = None

    async def authorize(self, key: str, amount: Money, means: Means, reference: str) -> Outcome:
        """Set money aside."""
        return await self._call(Call(key, "authorize", key, amount.amount, means.token, reference))

    async def capture(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Take it."""
        return await self._call(Call(key, "capture", authorization, amount.amount))

    async def void(self, key: str, authorization: str) -> Outcome:
        """Let go of it."""
        return await self._call(Call(key, "void", authorization))

    async def refund(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Give it back."""
        return await self._call(Call(key, "refund", authorization, amount.amount))

    async def look_up(self, key: str) -> Outcome | None:
        """What a call led to."""
        answer = await self._ask(key, "GET", f"/calls/{key}")
        return None if answer.status_code == 404 else _outcomes.validate_python(answer.json())

    async def _call(self, call: Call) -> Outcome:
        answer = await self._ask(call.key, "POST", "/calls", json=asdict(call))
        if answer.status_code == 503:
            raise GatewayUnavailable(f"the gateway does not take {call.key}")
        if answer.status_code == 422:
            raise KeyReused(f"{call.key} was used for another request")
        return _outcomes.validate_python(answer.raise_for_status().json())

    async def _ask(self, key: str, method: str, path: str, **body: Any) -> httpx.Response:
        if self._http is None:  # on the loop that uses it
            self._http = httpx.AsyncClient(
                base_url=self._address, timeout=PATIENCE, trust_env=False
            )
        try:
            return await self._http.request(method, path, **body)
        except httpx.ConnectError as error:
            raise GatewayUnavailable(f"the gateway is away: {error!r}") from None
        except httpx.TransportError as error:
            raise OutcomeUnknown(f"no answer to {key}: {error!r}") from None
