"""Where requests come in: so many are worked on at once. Whoever comes when all places are taken is
told so before anything else is done for them, at next to no cost."""

from __future__ import annotations

import asyncio
import math
import random
from typing import cast

from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from bus.problems import Problem
from bus.rest import MAX_BODY
from bus.turnstile import PLACE, TURNSTILE, Place, Turnstile, place
from shop.glance import path_of
from shop.leave import READINESS
from shop.metrics import TURNED_AWAY
from shop.observed import PROBES

RETRY_AFTER = 1
"""Seconds after which whoever was turned away should come again."""

MOMENT = 0.1
"""Seconds for which a place is kept for a request whose body is still to come."""

BODY_WITHIN = 10.0
"""Seconds in which the body arrives, at most, of a request that was turned away already."""

Wire = tuple[bytes, bytes]
"""An answer as it goes over the wire: what stands before its trace id, and after."""


def wire(problem: Problem, *, keep: bool = False) -> Wire:
    """A problem as an answer; without `keep` it is the last on its connection."""
    mark = "0" * 32
    answer = problem.response(mark)
    headers = answer.raw_headers if keep else [*answer.raw_headers, (b"connection", b"close")]
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    before, _, after = bytes(answer.body).partition(mark.encode())
    return STATUS_LINE[answer.status_code] + lines + b"\r\n" + before, after


OVERLOADED = Problem(
    503,
    "overloaded",
    "as many requests are under way as this process works on at once. Nothing was done for this"
    " one: send it again after as many seconds as Retry-After says",
    headers={"Retry-After": str(RETRY_AFTER)},
)

TURNED = {keep: wire(OVERLOADED, keep=keep) for keep in (True, False)}


class Entrance(HttpToolsProtocol):
    """One connection."""

    _between = True  # two requests, or before the first
    _incomplete = False  # a request's head is there, and not yet all of its body
    _refused_at = -math.inf  # when one was turned away unread, as the loop has it
    _turned_away = False  # that request
    _keep = True
    _unwanted = 0  # bytes of its body
    _body: asyncio.TimerHandle | None = None  # what is done if it takes longer

    @property
    def farewell(self) -> bool:
        """Whether this process is about to end: who goes on here comes back to another one."""
        return READINESS in self.app_state and self.app_state[READINESS].draining

    @property
    def _last(self) -> RequestResponseCycle | None:
        """The last request that was let in, if there is one yet."""
        return self.cycle

    @property
    def _place(self) -> Place | None:
        return None if self._last is None else place(cast("Scope", self._last.scope))

    def data_received(self, data: bytes) -> None:
        """Read on; who is still to send a body keeps nobody else out."""
        if self._between and self._is_hopeless(data):
            self._turn_away_unread()
            return
        super().data_received(data)
        if not self._incomplete or self._body is not None or self.transport.is_closing():
            return
        if self._turned_away:
            self._body = self.loop.call_later(BODY_WITHIN, self.transport.close)
        elif (taken := self._place) is not None:
            self._body = self.loop.call_later(MOMENT, taken.step_aside)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._between = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request's head is there: let it in, or turn it away."""
        self._incomplete = True
        turnstile: Turnstile | None = self.app_state.get(TURNSTILE)
        if turnstile is not None and self._too_many(turnstile):
            self._turn_away()
            return
        super().on_headers_complete()
        if self.farewell:
            self.cycle.keep_alive = False

    def _too_many(self, turnstile: Turnstile) -> bool:
        """Whether there is no place for the request that begins."""
        if not (turnstile.full or (turnstile.crowded and self._would_wait())):
            return False
        before = self._last
        return (
            before is None or before.response_complete  # else it is not its turn yet
        ) and self.url.partition(b"?")[0].decode("latin-1") not in PROBES

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        if not self._turned_away:
            super().on_body(body)
            return
        self._unwanted += len(body)
        if self._unwanted > MAX_BODY:
            self.transport.close()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._incomplete, self._between = False, True
        late = self._forget_body()
        if not self._turned_away:
            if late and (taken := self._place) is not None:
                taken.resume()
            super().on_message_complete()
        elif self._keep:
            self._turned_away = False
            self.on_response_complete()
            self._hold_back()
        else:
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing was read for long: hang up, unless what came was turned away unread."""
        left = self._refused_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._hang_up_in(left)
        else:
            super().timeout_keep_alive_handler()

    def resume_writing(self) -> None:
        """The other end takes its answers: it may ask on."""
        super().resume_writing()
        self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._forget_body()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        turnstile: Turnstile | None = self.app_state.get(TURNSTILE)
        if turnstile is not None and cycle.scope["path"] not in PROBES:
            cycle.scope["state"][PLACE] = turnstile.enter()
        super()._start_asgi_task(cycle, app)

    def _would_wait(self) -> bool:
        return any(name == b"prefer" and b"wait=" in value.lower() for name, value in self.headers)

    def _is_hopeless(self, data: bytes) -> bool:
        """Whether this is a request that there is no place for, and that need not even be read to
        tell so: in a flood, to read each would cost more than is left for those who are in."""
        turnstile: Turnstile | None = self.app_state.get(TURNSTILE)
        return (
            turnstile is not None
            and turnstile.full
            and (self._last is None or self._last.response_complete)
            and not self.farewell
            and (path := path_of(data)) is not None
            and path.decode() not in PROBES
        )

    def _turn_away_unread(self) -> None:
        TURNED_AWAY.inc()
        self._refused_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._hang_up_in(self.timeout_keep_alive)
        self._say(TURNED[True])
        self._hold_back()

    def _hang_up_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def _turn_away(self) -> None:
        TURNED_AWAY.inc()
        self._turned_away, self._unwanted = True, 0
        # Who asks whether to go on with the body may go on or not: only a new connection is sure.
        self._keep = (
            self.parser.should_keep_alive()
            and self.parser.get_http_version() != "1.0"
            and not self.expect_100_continue
            and not self.farewell
        )
        before, after = TURNED[self._keep]
        if self.parser.get_method() == b"HEAD":
            self.transport.write(before[: before.index(b"\r\n\r\n") + 4])
        else:
            self._say((before, after))

    def _say(self, answer: Wire) -> None:
        self.transport.write((b"%032x" % random.getrandbits(128)).join(answer))

    def _hold_back(self) -> None:
        """Who does not take their answers asks no more."""
        if self.flow.write_paused:
            self.flow.pause_reading()

    def _forget_body(self) -> bool:
        """Wait no more; whether there was something to wait for."""
        if self._body is None:
            return False
        self._body.cancel()
        self._body = None
        return True
