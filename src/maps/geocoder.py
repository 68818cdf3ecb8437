"""What is asked of whoever knows where addresses are."""

from __future__ import annotations

from typing import Protocol

from bus.messages import Address
from maps.contract import Place


class Geocoder(Protocol):
    """Knows addresses. `name` is what its answers say as their `source`.

    Raises `maps.router.Unanswered` when it cannot tell.
    """

    name: str

    async def locate(self, address: Address) -> Place | None:
        """Where an address is, whatever position it carries; `None` when there is no such
        address."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...
