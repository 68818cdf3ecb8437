"""The shop's command line, which stands still at a point of a rebuild until it is killed:
`python stalling.py POINT WORDS...`"""

import asyncio
import sys
from typing import Any

from bus.building import Building
from bus.rebuild import Rebuild
from shop import cli

STALLED = "stands still"

POINTS = {
    "begun": (Building, "advance", "after"),
    "seized": (Rebuild, "_bring_along", "before"),
    "about to switch": (Rebuild, "_switch", "before"),
    "switched": (Rebuild, "_switch", "after"),
}
"""At each point, the step that it comes before or after."""


def stall(point: str) -> None:
    """Have the rebuild stand still there."""
    kind, step, when = POINTS[point]
    does = getattr(kind, step)

    async def stalls(*parts: Any) -> None:
        if when == "after":
            await does(*parts)
        sys.stdout.write(f"{STALLED}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    setattr(kind, step, stalls)


if __name__ == "__main__":
    stall(sys.argv.pop(1))
    cli.main()
