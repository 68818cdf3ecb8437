"""HTTP as uvicorn speaks it, with a limit to what stands before a body, and problems for those who
speak something else."""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from bus.leaving import LEAVING
from bus.problems import Problem
from shop.entrance import Entrance, wire

MAX_HEAD = 64 * 1024
"""Bytes of a request before its body, at most: nobody needs a key to send them."""

HEAD_WITHIN = 10.0
"""Seconds in which the head of a request arrives, at most, the first one's from the connection
on."""

STALLED, LAST = 60.0, 5.0
"""Seconds after which a connection is cut whose other end takes nothing of what waits for it; and
once the process is about to end."""


class Protocol(Entrance):
    """One connection."""

    _in_head = False
    _head = 0
    _late: asyncio.TimerHandle | None = None
    _unsent = 0
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there, and is to say what they want."""
        super().connection_made(transport)
        self._late = self.loop.call_later(HEAD_WITHIN, self._refuse_if_late)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head goes on and on."""
        if self._head + len(data) > MAX_HEAD and self._is_too_much(data):
            if not self.transport.is_closing():
                detail = f"what stands before the body may have {MAX_HEAD} bytes: send less"
                self._refuse(Problem(431, "head_too_large", detail))
            return
        super().data_received(data)
        if self._in_head:
            if self._late is None:  # most heads come as a whole, and need no timer
                self._late = self.loop.call_later(HEAD_WITHIN, self._refuse_if_late)
            self._head += len(data)

    def _is_too_much(self, data: bytes) -> bool:
        """Whether a head goes on in this for too long."""
        if not (self._in_head or self._between):
            return False
        end = data.find(b"\r\n\r\n")
        return end < 0 or self._head + end > MAX_HEAD

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._in_head, self._head = False, 0
        if self._late is not None:
            self._forget_late()
        super().on_headers_complete()

    def shutdown(self) -> None:
        """The process is about to end: those who would go on for long are told."""
        if LEAVING in self.app_state:
            self.app_state[LEAVING].begin()
        if self._stalled is not None:
            self._watch(LAST)
        super().shutdown()

    def pause_writing(self) -> None:
        """More waits to be sent than fits: see that it gets less."""
        super().pause_writing()
        self._watch(STALLED)

    def resume_writing(self) -> None:
        """It fits again."""
        super().resume_writing()
        self._forget_stall()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._forget_late()
        self._forget_stall()
        super().connection_lost(exc)

    def _turn_away_unread(self) -> None:
        self._forget_late()
        super()._turn_away_unread()

    def _refuse_if_late(self) -> None:
        self._late = None
        before = cast("RequestResponseCycle | None", self.cycle)
        if before is not None and not before.response_complete:
            self.transport.close()  # the answer to the request before it is on its way
            return
        detail = f"what stands before the body did not arrive within {HEAD_WITHIN:g} s: send it"
        self._refuse(Problem(408, "too_slow", f"{detail} again"))

    def _forget_late(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _cut_if_stalled(self) -> None:
        if self.transport.get_write_buffer_size() >= self._unsent:
            self.transport.abort()
        else:
            self._watch(STALLED)

    def _watch(self, seconds: float) -> None:
        """Cut the connection if nothing is taken within so many seconds."""
        self._forget_stall()
        self._unsent = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(seconds, self._cut_if_stalled)

    def _forget_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(Problem(400, "malformed", "this is not an HTTP/1.1 request: see RFC 9112"))

    def _refuse(self, problem: Problem) -> None:
        self._say(wire(problem))
        self.transport.close()
