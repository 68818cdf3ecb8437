"""A build is the fold of its log, on the real mongod."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from bus import building
from bus.building import Building
from bus.commits import Codec, Meta, Recorded, Write
from bus.log import Log
from bus.messages import now
from bus.views import Documents, Stored
from tests.bus.sheets import SHEETS, Sheet, evolve
from tests.bus.tills import EVENTS, Received

logs = st.lists(
    st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True), max_size=12
)


@settings(max_examples=12)
@given(logs, st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.data())
def test_however_a_build_advances_it_is_the_fold_of_the_log(
    mongo: MongoClient[dict[str, Any]],
    log: list[list[str]],
    chunk: int,
    unwritten: int,
    warm: int,
    data: st.DataObject,
) -> None:
    """Whatever is read at once, and however little is remembered."""
    database = mongo[f"test{uuid4().hex[:12]}"]
    stops = data.draw(st.lists(st.integers(0, len(log)), max_size=3).map(sorted))
    expected: dict[str, Stored[Sheet]] = {}
    codec = Codec(EVENTS)
    for position, tills in enumerate(log, start=1):
        versions = {t: expected[t].version + 1 if t in expected else 1 for t in tills}
        writes = tuple(Write(f"till-{till}", version) for till, version in versions.items())
        events = [Received(till=till, amount=position) for till in tills]
        recorded = tuple(Recorded(e, *w) for e, w in zip(events, writes, strict=True))
        meta = Meta("c", None, "system:test", None, None)
        body = codec.document(f"c{position}", writes, recorded, now(), meta, {})
        database["log"].insert_one({"_id": position, **body})
        for till, event in zip(tills, events, strict=True):
            old = expected.get(till)
            doc = evolve(old.doc if old else None, event)
            first = old.first if old else position
            expected[till] = Stored(till, doc, versions[till], position, first, "new")

    async def build() -> dict[str, Stored[Sheet]]:
        documents = Documents(SHEETS, database)
        built = Building(Log("tills", database, EVENTS), documents, "new")
        changed = set()
        for stop in (*stops, len(log)):
            changed |= await built.advance(stop, lambda position: None)
        assert changed == expected.keys()
        assert built.position == len(log)
        return await documents.get_many("abcdef")

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(building, "CHUNK", chunk)
            patch.setattr(building, "UNWRITTEN", unwritten)
            patch.setattr(building, "WARM", warm)
            found = asyncio.run(build())
    finally:
        mongo.drop_database(database)
    assert found == expected
