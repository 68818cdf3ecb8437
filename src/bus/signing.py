"""Tokens that say something, and that nobody else can make: whoever holds one can read it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from bus.messages import NotFound, Refused
from bus.tasks import in_thread


class Forged(NotFound):
    """The token was never made here, or for something else."""

    def __init__(self, purpose: str) -> None:
        super().__init__(f"unknown_{purpose}", f"this is no {purpose} of ours: ask for a fresh one")


class Lapsed(Refused):
    """The token was good once."""

    def __init__(self, purpose: str, max_age: timedelta) -> None:
        super().__init__(
            f"{purpose}_expired",
            f"this {purpose} was good for {max_age}, and that is over: ask for a fresh one",
        )


class Signer:
    """Makes and reads tokens with the shop's own keys, which every replica has."""

    def __init__(self, keys: Callable[[], Sequence[bytes]]) -> None:
        """`keys` reads them, the newest last; it may block, and is asked when first needed."""
        self._read_keys = keys
        self._keys: Sequence[bytes] = ()

    async def sign(self, purpose: str, value: Any) -> str:
        """A token for a value that JSON can hold; its characters may stand in an address."""
        return (await self._serializer(purpose)).dumps(value)

    async def read(self, purpose: str, token: str, max_age: timedelta = timedelta.max) -> Any:
        """What was signed for this purpose, at most `max_age` (whole seconds) ago. Refused with
        `Forged` and `Lapsed`."""
        try:
            return (await self._serializer(purpose)).loads(token, int(max_age.total_seconds()))
        except SignatureExpired:
            raise Lapsed(purpose, max_age) from None
        except (BadData, ValueError):  # a lone surrogate has no bytes to be signed
            raise Forged(purpose) from None

    async def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        if not self._keys:
            self._keys = await in_thread(self._read_keys)
        how = {"digest_method": hashlib.sha256}
        return URLSafeTimedSerializer(list(self._keys), salt=purpose, signer_kwargs=how)
