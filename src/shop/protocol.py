"""HTTP as uvicorn speaks it, with a limit to what stands before a body, and problems for those who
speak something else."""

from __future__ import annotations

import secrets

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from bus.problems import Problem

MAX_HEAD = 64 * 1024
"""Bytes of a request before its body, at most: nobody needs a key to send them."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    _in_head = False
    _head = 0

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head goes on and on."""
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > MAX_HEAD and not self.transport.is_closing():
                detail = f"what stands before the body may have {MAX_HEAD} bytes: send less"
                self._refuse(Problem(431, "head_too_large", detail))

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(Problem(400, "malformed", "this is not an HTTP/1.1 request: see RFC 9112"))

    def _refuse(self, problem: Problem) -> None:
        answer = problem.response(secrets.token_hex(16))
        headers = [*answer.raw_headers, (b"connection", b"close")]
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[answer.status_code] + lines + b"\r\n" + bytes(answer.body))
        self.transport.close()
