"""`shop readers` and `shop timers`: how the work that nobody waits for stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.console import AsJson, lasting, show
from bus.messages import NotFound

if TYPE_CHECKING:
    from bus.platform import Platform
    from shop.standing import Standing


@contextmanager
def looking() -> Iterator[Platform]:
    """The shop's databases, to look at: this process takes no part in the work."""
    from shop.running import assembled, located

    with located() as settings:
        yield assembled(settings).platform()


def readers(as_json: bool = AsJson) -> None:
    """Every reader: how far it has come, how late it is, who does the work."""
    from shop.standing import standings

    with looking() as platform:
        found = standings(platform)
    show(
        [standing._asdict() if as_json else _row(standing) for standing in found],
        ["reader", "position", "behind", "late", "held", "parked", "state"],
        as_json=as_json,
    )


def timers(
    context: Annotated[
        str | None, typer.Option(help="Only this context's: ordering, catalog ...")
    ] = None,
    limit: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many.")] = 50,
    as_json: bool = AsJson,
) -> None:
    """What is due and when, the most overdue first."""
    from bus.messages import now
    from shop import standing

    with looking() as platform:
        if context is not None and context not in platform.contexts:
            known = ", ".join(platform.contexts)
            raise NotFound("unknown_context", f"there is no context {context}: choose {known}")
        wanted = [home for home in platform.contexts.values() if context in (None, home.name)]
        found = list(standing.timers(wanted, limit))
    at = now()
    show(
        [_timer(timer, at, as_json) for timer in found],
        ["due", "in", "context", "command", "key", "tries"],
        as_json=as_json,
    )


def _row(standing: Standing) -> dict[str, object]:
    held = ", ".join(f"{count} by {owner[-6:]}" for owner, count in sorted(standing.held.items()))
    return {
        **standing._asdict(),
        "late": lasting(standing.late) if standing.behind else "",
        "held": held,
        "parked": standing.parked or "",
    }


def _timer(timer: dict[str, Any], at: Any, as_json: bool) -> dict[str, object]:
    left = (timer["due"] - at).total_seconds()
    fields = {
        "context": timer["context"],
        "key": timer["_id"],
        "due": timer["due"].isoformat(timespec="seconds"),
        "command": timer.get("type"),
        "tries": timer.get("tries", 0),
    }
    if as_json:
        again = timer.get("again")
        return {
            **fields,
            "due": timer["due"].isoformat(),
            "overdue": max(-left, 0.0),
            "again": again and again.isoformat(),
            "data": timer.get("data"),
            "correlation": timer.get("correlation"),
        }
    return {
        **fields,
        "in": lasting(left) if left > 0 else f"{lasting(-left)} late",
        "tries": fields["tries"] or "",
    }
