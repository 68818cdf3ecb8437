"""The parked streams of all contexts, as `shop parked` shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bus import parked as streams
from bus.context import Context
from bus.platform import Platform
from shop.standing import readings

COLUMNS = ("id", "since", "attempts", "waiting", "reader", "stream", "type", "error")
SKIPPED = ("skipped", "by", "reader", "stream", "position", "type", "reason")

SHORT = 60
"""Characters of an error in a row."""


class Parked(NamedTuple):
    """One parked stream."""

    id: str
    home: Context
    source: Context
    wanted: Collection[str]
    """The types of events that its reader wants."""
    document: Mapping[str, Any]

    @property
    def stream(self) -> str:
        """Its name."""
        return str(self.document["stream"])


class Outcome(NamedTuple):
    """What became of a parked stream that somebody wants to go on."""

    id: str
    reader: str
    stream: str
    state: str
    error: str | None = None


GOES_ON, FAILED, WAITS = "goes on", "has failed again", "is still being tried"


def all_of(platform: Platform) -> list[Parked]:
    """All parked streams, the longest parked first. Blocks."""
    wanted = {reading.name: reading.wanted for reading in readings(platform)}
    found = []
    for home in platform.contexts.values():
        for document in home.database["parked"].find():
            reader = document["reader"]
            source = platform.contexts.get(reader.partition("<")[2], home)
            id = streams.id_of(document)
            found.append(Parked(id, home, source, wanted.get(reader, ()), document))
    return sorted(found, key=lambda parked: parked.document["since"])


def row(parked: Parked, as_json: bool) -> dict[str, object]:
    """One line of the list. Blocks."""
    document = parked.document
    error, asked = document.get("error"), document.get("asked")
    return {
        "id": parked.id,
        "reader": document["reader"],
        "stream": parked.stream,
        "position": document["position"],
        "waiting": sum(1 for _ in _behind(parked)),
        "type": document.get("type"),
        "error": error if as_json else "is being tried again" if asked else _short(error),
        "attempts": document["attempts"],
        "since": _said(document["since"]),
        "asked": asked and {**asked, "at": _said(asked["at"])},
    }


def whole(parked: Parked, behind: int) -> dict[str, Any]:
    """Everything there is to know of one: at most so many of the events behind. Blocks."""
    return {
        **row(parked, as_json=True),
        "index": parked.document["index"],
        "event": _event(parked),
        "traceback": parked.document.get("traceback"),
        "behind": [event for _, event in zip(range(behind), _behind(parked), strict=False)],
    }


def skipped(platform: Platform) -> list[dict[str, object]]:
    """Every event that was skipped, the last first. Blocks."""
    found = [
        {**each, "skipped": _said(each["skipped"]), "since": _said(each["since"])}
        for home in platform.contexts.values()
        for each in home.database["skipped"].find({}, {"_id": 0})
    ]
    return sorted(found, key=lambda each: str(each["skipped"]), reverse=True)


def ask(parked: Parked, *, skip: bool, by: str, reason: str | None) -> bool:
    """Want it to go on; false when it is not as it was seen. Asking for a retry twice is one."""
    asked = streams.ask(parked.home.database, parked.document, skip=skip, by=by, reason=reason)
    return asked or (not skip and "asked" in parked.document)


def outcomes(wanted: Sequence[Parked]) -> list[Outcome]:
    """What became of those that are settled. Blocks."""
    left: dict[str, Any] = {}
    by_home: dict[str, list[Parked]] = defaultdict(list)
    for each in wanted:
        by_home[each.home.name].append(each)
    for some in by_home.values():
        ids = {"_id": {"$in": [each.document["_id"] for each in some]}}
        found = some[0].home.database["parked"].find(ids, {"asked": 1, "error": 1})
        left |= {each["_id"]: each for each in found}
    settled = []
    for each in wanted:
        stands = left.get(each.document["_id"])
        if stands is None:
            settled.append(outcome(each, GOES_ON))
        elif "asked" not in stands:
            settled.append(outcome(each, FAILED, stands.get("error")))
    return settled


def outcome(parked: Parked, state: str, error: str | None = None) -> Outcome:
    """What became of one."""
    return Outcome(parked.id, parked.document["reader"], parked.stream, state, error)


def _event(parked: Parked) -> dict[str, Any] | None:
    """The event that failed, as the log has it."""
    document = parked.document
    commit = parked.source.log.collection.find_one({"_id": document["position"]})
    if commit is None or document["index"] >= len(commit["events"]):
        return None
    event = commit["events"][document["index"]]
    return {
        "type": event["type"],
        "version": commit["writes"][event["stream"]]["version"],
        "at": _said(commit["at"]),
        "command": commit["command"],
        "data": event["data"],
        "meta": commit["meta"],
    }


def _behind(parked: Parked) -> Iterator[dict[str, object]]:
    """The events that wait behind the first."""
    document, stream = parked.document, parked.stream
    first = (document["position"], document["index"])
    for commit in streams.onward(parked.source.log.collection, stream, document["position"]):
        for index, event in enumerate(commit["events"]):
            ours = commit["writes"][event["stream"]]["stream"] == stream
            if ours and event["type"] in parked.wanted and (commit["_id"], index) > first:
                at = _said(commit["at"])
                yield {"position": commit["_id"], "at": at, "type": event["type"]}


def _short(error: str | None) -> str:
    line = " ".join((error or "").split())
    return line if len(line) <= SHORT else line[: SHORT - 3] + "..."


def _said(moment: Any) -> str:
    said: str = moment.isoformat(timespec="seconds")
    return said
