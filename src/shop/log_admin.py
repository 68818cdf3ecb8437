"""`shop log`: look at the logs, and verify that they are what they must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.console import AsJson, Open, fail, progress, show
from bus.messages import NotFound

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from bus.audit import Audit
    from bus.commits import Commit
    from bus.context import Context
    from bus.log import Log

ContextName = Annotated[
    str, typer.Option("--context", help="ordering, catalog, payment, delivery or webhooks.")
]


def commands(shop: Any) -> typer.Typer:
    """The commands of `shop log`."""
    opened: Open = shop
    app = typer.Typer(help="The event logs.", no_args_is_help=True)

    @app.command()
    def verify(
        context: Annotated[
            str | None, typer.Option("--context", help="Only this log, not all of them.")
        ] = None,
        as_json: bool = AsJson,
    ) -> None:
        """Read every log and check it; exit 1 with the first fault. Runs beside live traffic."""
        with _standing() as contexts, progress() as bars:
            chosen = [_named(contexts, context)] if context else [*contexts.values()]
            audits = {home.name: _audited(home.log, bars) for home in chosen}
        results = [_result(name, audit) for name, audit in audits.items()]
        show(results, ["context", "commits", "state", "faults"], as_json=as_json)
        broken = {name: audit for name, audit in audits.items() if audit.count}
        if broken and not as_json:
            faults = [row for name, audit in broken.items() for row in _faults(name, audit)]
            show(faults, ["context", "position", "where", "what"], as_json=False)
        for name, audit in broken.items():
            fail(f"the {name} log is not what it must be: {audit.faults[0]}")

    @app.command()
    def tail(
        context: ContextName = "ordering",
        number: Annotated[
            int, typer.Option("-n", min=1, max=10_000, help="How many commits.")
        ] = 10,
        as_json: bool = AsJson,
    ) -> None:
        """The newest commits of a log, the newest last."""
        with opened() as running:
            home = _home(running, context)
            head = running.run(home.log.head())
            commits = running.run(home.log.read(max(head - number, 0), number))
        show(
            [_row(commit) for commit in commits],
            ["position", "at", "events", "streams"],
            as_json=as_json,
        )

    @app.command("show")
    def show_commit(
        position: Annotated[int, typer.Argument(help="Its place in the log: 1, 2, 3 ...")],
        context: ContextName = "ordering",
        as_json: bool = AsJson,
    ) -> None:
        """One commit, whole."""
        with opened() as running:
            commits = running.run(_home(running, context).log.read(position - 1, 1))
        if not commits:
            raise NotFound("unknown_position", f"the {context} log has no position {position} yet")
        show([_whole(commits[0])], [], as_json=True)

    return app


@contextmanager
def _standing() -> Iterator[Mapping[str, Context]]:
    """The logs as they stand, of a shop that is not started: it would make a lost index anew."""
    from shop.running import assembled, located

    with located() as settings:
        shop = assembled(settings)
        try:
            yield shop.platform().contexts
        finally:
            shop.mongo().close()


def _home(running: Any, name: str) -> Context:
    return _named(running.platform.contexts, name)


def _named(contexts: Mapping[str, Context], name: str) -> Context:
    if name not in contexts:
        raise NotFound(
            "unknown_context", f"there is no log of {name}: choose {', '.join(contexts)}"
        )
    return contexts[name]


def _audited(log: Log, bars: Progress) -> Audit:
    from bus.audit import Audit

    tasks: dict[str, TaskID] = {}

    def told(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(f"{log.context}: {what}")
        bars.update(tasks[what], completed=done, total=total)

    audit = Audit(log, told)
    audit.run()
    return audit


def _result(name: str, audit: Audit) -> dict[str, object]:
    return {
        "context": name,
        "commits": audit.commits,
        "state": "broken" if audit.count else "ok",
        "faults": audit.count,
        "fault": str(audit.faults[0]) if audit.count else None,
        "first_faults": [fault._asdict() for fault in audit.faults],
    }


def _faults(name: str, audit: Audit) -> Iterator[dict[str, object]]:
    """The rows about one log."""
    for position, where, what in audit.faults:
        yield {"context": name, "position": position or None, "where": where, "what": what}
    more = audit.count - len(audit.faults)
    if more:
        yield {"context": name, "what": f"... and {more} more"}


def _row(commit: Commit) -> dict[str, object]:
    return {
        "position": commit.position,
        "at": commit.at.isoformat(),
        "events": ", ".join(happened.kind.type_name for happened in commit.events),
        "streams": ", ".join(f"{stream} v{version}" for stream, version in commit.writes),
        "principal": commit.meta.principal,
    }


def _whole(commit: Commit) -> dict[str, object]:
    return {
        "position": commit.position,
        "command": commit.command,
        "at": commit.at.isoformat(),
        "meta": {key: value for key, value in commit.meta._asdict().items() if value is not None},
        "writes": [write._asdict() for write in commit.writes],
        "events": [
            {
                "type": happened.kind.type_name,
                "stream": happened.stream,
                "data": happened.event.model_dump(mode="json", exclude_none=True),
            }
            for happened in commit.events
        ],
    }
