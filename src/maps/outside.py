"""A service outside, asked over HTTP: with little patience, again where that may help, and not at
all while it keeps failing.

Positions and addresses are personal: neither what was asked nor what was answered is ever logged.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

import httpx
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bus.faults import told
from bus.metrics import BREAKER_OPEN, OUTSIDE
from bus.tracing import carried
from maps.breaker import Breaker
from maps.router import Unanswered

PATIENCE = 1.5
"""Seconds in which a question is answered, or not at all: a buyer waits for it."""

SECONDS_A_CELL = 0.001
"""What a matrix may take longer for each of its cells: a large one is no buyer's question."""

AT_ONCE = 16
"""Questions under way. More would not be answered sooner: the others wait for these."""

PAUSES = (0.05, 0.15)
"""Seconds before a question is asked again, about: as often as there are pauses."""

PASSING = (429, 500, 502, 503, 504)
"""What a service answers that may answer otherwise in a moment."""

LARGEST = 8 * 1024 * 1024
"""Bytes of an answer that are read. The course of a way across a continent takes one of them."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Nonsense(ValueError):
    """An answer that nobody can have meant."""


class Declined(Exception):
    """The service works, and does not answer this question."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes


class Seen(BaseModel):
    """What we look at of an answer; there may be more in it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
"""Metres or seconds."""

Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class Line(Seen):
    """A GeoJSON LineString: longitudes and latitudes."""

    coordinates: Annotated[tuple[tuple[Longitude, Latitude], ...], Field(min_length=2)]


async def _carry_on(request: httpx.Request) -> None:
    request.headers.update(carried())


class Outside:
    """A service at `base`, called `name` in what is logged."""

    def __init__(
        self,
        name: str,
        base: str,
        *,
        headers: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
        breaker: Breaker | None = None,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._name = name
        self._patience = patience
        self._pauses = pauses
        self._breaker = breaker or Breaker()
        self._open = BREAKER_OPEN.labels(name)
        outcomes = ("answered", "declined", "failed", "unasked")
        self._counts = {outcome: OUTSIDE.labels(name, outcome) for outcome in outcomes}
        self._free = asyncio.Semaphore(AT_ONCE)
        self._http = httpx.AsyncClient(
            base_url=base,
            # Unpacked, an answer may be a thousand times as large as what was read of it.
            headers={"Accept-Encoding": "identity", **(headers or {})},
            timeout=None,  # noqa: S113 - all of it is timed below
            event_hooks={"request": [_carry_on]},
        )

    async def ask(
        self,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        *,
        longer: float = 0.0,
        **how: Any,
    ) -> T:
        """What `read` makes of the answer; `longer` is seconds more of patience.

        `read` raises `Nonsense` or pydantic's `ValidationError` for what is no answer, `Declined`
        for what is none to this question. Raises `Unanswered`. While many ask, it takes longer
        until it is one's turn, and that is no failure of the service: whoever cannot wait, stops.
        """
        async with self._free:
            return await self._ask(method, path, read, self._patience + longer, how)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def _ask(
        self,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        patience: float,
        how: Mapping[str, Any],
    ) -> T:
        if not self._breaker.admits():
            self._counts["unasked"].inc()
            raise Unanswered(f"{self._name} is not asked at the moment, for it has failed")
        try:
            async with asyncio.timeout(patience):
                answer = await self._insist(method, path, patience / 2, how)
            found = read(answer)
        except Declined as error:
            self._answered("declined")
            self._warn("declined", why=str(error))
            raise Unanswered(f"{self._name} declined: {error}") from None
        except (httpx.HTTPError, OSError, TimeoutError, Nonsense, ValidationError) as error:
            raise self._failed(reason(error, patience)) from None
        self._answered("answered")
        return found

    async def _insist(
        self, method: str, path: str, patience: float, how: Mapping[str, Any]
    ) -> Answer:
        """The answer to one of several attempts; each may take so long."""
        for pause in self._pauses:
            try:
                async with asyncio.timeout(patience):
                    answer = await self._once(method, path, how)
                if answer.status not in PASSING:
                    return answer
            except (httpx.TransportError, TimeoutError):
                pass
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
        return await self._once(method, path, how)

    async def _once(self, method: str, path: str, how: Mapping[str, Any]) -> Answer:
        async with self._http.stream(method, path, **how) as response:
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > LARGEST:
                    raise Nonsense(f"it answered with more than {LARGEST:,} bytes")
            return Answer(response.status_code, bytes(body))

    def _answered(self, outcome: str) -> None:
        self._counts[outcome].inc()
        if self._breaker.open:
            self._warn("is_back")
        self._breaker.succeeded()
        self._open.set(False)

    def _failed(self, why: str) -> Unanswered:
        self._counts["failed"].inc()
        self._breaker.failed()
        self._open.set(self._breaker.open)
        self._warn("failed", why=why, breaker="open" if self._breaker.open else "closed")
        return Unanswered(f"{self._name} failed: {why}")

    def _warn(self, what: str, **facts: str) -> None:
        event = f"maps.{self._name}_{what}"  # one a service: warnings of a kind are said seldom
        log.warning(event, **facts)


def reason(error: Exception, patience: float) -> str:
    """Why there is no answer, without a word of what was asked or answered."""
    match error:
        case ValidationError():
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            if first["type"] == "json_invalid":
                return "it answered no JSON"
            where = ".".join(map(str, first["loc"]))
            return f"it answered nonsense: {where or 'all of it'}: {first['type']}"
        case TimeoutError():
            return f"it did not answer within {patience:.1f} s"
        case Nonsense():
            return str(error)
        case httpx.TransportError():
            return f"there is no connection, or it broke: {type(error).__name__}"
        case _:
            return told(error)
