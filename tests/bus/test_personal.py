"""Personal data is sealed in the log and plain everywhere else; without its key it is gone."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, NamedTuple

import bson
import pytest
from pydantic import ValidationError
from pymongo import MongoClient

from bus.commits import Codec, Commit, Meta, Recorded, Write
from bus.context import Context
from bus.envelope import sealed as enveloped
from bus.keyring import FETCHED, TRUSTED_FOR, Keyring, Nonces
from bus.messages import Busy, Command, Event, Model, Personal
from bus.personal import MARK
from bus.platform import Platform
from bus.rebuild import Rebuild
from bus.streams import Kind
from bus.transport import InProcess, Loopback
from bus.views import Documents, View
from tests.waiting import eventually

AT = datetime(2026, 1, 1, tzinfo=UTC)
META = Meta("c", None, "system:test", None, None)


class Home(Model):
    road: str
    since: datetime
    rooms: tuple[str, ...] = ()


class Card(Model):
    kind: str
    holder: Annotated[str, Personal("erased")]


GONE = Home(road="erased", since=AT)


class Moved(Event, name="people.Moved", whose="person"):
    person: str | None
    home: Annotated[Home, Personal(GONE)]
    card: Card
    note: Annotated[str | None, Personal("erased")] = None
    rooms: int


class Forgotten(Event, name="people.Forgotten", forgets=True):
    person: str


class Move(Command[None], name="people.Move"):
    person: str


MOVED = Moved(
    person="ada",
    home=Home(road="CANARY Lane", since=AT, rooms=("attic",)),
    card=Card(kind="visa", holder="CANARY Ada"),
    rooms=1,
)
ERASED = Moved(person="ada", home=GONE, card=Card(kind="visa", holder="erased"), rooms=1)

people: Kind[Moved] = Kind("person", lambda _, event: event)


@pytest.fixture
def keyring(mongo: MongoClient[dict[str, Any]], prefix: str) -> Keyring:
    return Keyring(mongo[f"{prefix}_personal"])


def document(codec: Codec, event: Event) -> dict[str, Any]:
    recorded = (Recorded(event, "person-ada", 1),)
    seals = codec.sealers(recorded)
    found = codec.document("cmd", (Write("person-ada", 1),), recorded, AT, META, seals)
    return {"_id": 1, **bson.decode(bson.encode(found), bson.CodecOptions(tz_aware=True))}


def read(codec: Codec, stored: dict[str, Any]) -> Event:
    return codec.commit(stored).events[0].event


async def test_what_is_personal_is_sealed_and_opened_again(keyring: Keyring) -> None:
    codec = Codec((Moved,), keyring)
    stored = document(codec, MOVED)
    assert b"CANARY" not in bson.encode(stored)
    data = stored["events"][0]["data"]
    assert (data["person"], data["card"]["kind"], data["rooms"]) == ("ada", "visa", 1)
    assert data["home"].startswith(MARK)
    assert "note" not in data
    assert read(codec, stored) == MOVED


async def test_the_same_words_sealed_twice_look_different(keyring: Keyring) -> None:
    codec = Codec((Moved,), keyring)
    one, other = (document(codec, MOVED)["events"][0]["data"]["home"] for _ in range(2))
    assert one != other


def test_no_nonce_is_given_twice_whichever_thread_or_child_takes_it() -> None:
    nonces = Nonces()
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: nonces.take(), range(5 * FETCHED)))
    forked = "from bus.keyring import NONCES; import os; NONCES.take(); child = not os.fork();"
    told = "child or os.wait(); print(NONCES.take().hex())"
    done = subprocess.run([sys.executable, "-c", forked + told], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    parent, child = done.stdout.split()
    assert parent != child
    assert len(set(taken)) == len(taken)


async def test_another_process_opens_it_with_the_key_in_the_database(
    keyring: Keyring, mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    stored = document(Codec((Moved,), keyring), MOVED)
    another = Codec((Moved,), Keyring(mongo[f"{prefix}_personal"]))
    another.prepare([stored])
    assert read(another, stored) == MOVED


async def test_without_its_key_it_is_erased_and_the_rest_stays(keyring: Keyring) -> None:
    codec = Codec((Moved,), keyring)
    stored = document(codec, MOVED)
    assert await keyring.renew("ada")
    assert read(codec, stored) == MOVED  # the old key is there until it is deleted
    await keyring.delete_old("ada")
    assert read(codec, stored) == ERASED


async def test_what_is_sealed_after_a_renewal_outlives_the_old_key(keyring: Keyring) -> None:
    codec = Codec((Moved,), keyring)
    await keyring.renew("ada")
    stored = document(codec, MOVED)
    await keyring.delete_old("ada")
    assert read(codec, stored) == MOVED


async def test_nothing_is_sealed_with_a_key_that_was_not_looked_at_lately(
    keyring: Keyring,
    mongo: MongoClient[dict[str, Any]],
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codec, other = Codec((Moved,), keyring), Keyring(mongo[f"{prefix}_personal"])
    document(codec, MOVED)
    await other.renew("ada")  # by another process, which nobody here hears of
    trusted = document(codec, MOVED)
    now = time.monotonic()
    monkeypatch.setattr("bus.keyring.time.monotonic", lambda: now + TRUSTED_FOR + 1)
    looked_up = document(codec, MOVED)
    await other.delete_old("ada")
    codec.prepare([trusted, looked_up])
    keyring.forget()
    assert [read(codec, each) for each in (trusted, looked_up)] == [ERASED, MOVED]


def test_nothing_is_sealed_with_a_key_that_took_too_long_to_come(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.keyring.TRUSTED_FOR", -0.001)
    with pytest.raises(Busy, match="in time"):
        document(Codec((Moved,), keyring), MOVED)


async def test_nobody_to_forget_is_no_news(keyring: Keyring) -> None:
    assert not await keyring.renew("nobody")


async def test_many_who_want_a_new_key_at_once_on_two_processes_get_the_same(
    keyring: Keyring, mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    other = Keyring(mongo[f"{prefix}_personal"])
    names = [f"p{number}" for number in range(50)]
    rings = [ring for _ in range(5) for ring in (keyring, other)]
    seals, *_ = await asyncio.gather(*(asyncio.to_thread(ring.sealers, names) for ring in rings))
    assert mongo[f"{prefix}_personal"]["keys"].count_documents({}) == 50
    for name in names:
        assert other.open(seals[name](name.encode())) == name.encode()


async def test_tampered_bytes_are_no_event(keyring: Keyring) -> None:
    codec = Codec((Moved,), keyring)
    stored = document(codec, MOVED)
    data = stored["events"][0]["data"]
    data["home"] = data["home"][:-1] + bytes([data["home"][-1] ^ 1])
    with pytest.raises(ValidationError, match="not as it was sealed"):
        read(codec, stored)


def test_what_an_older_release_left_plain_is_read(keyring: Keyring) -> None:
    plain = document(Codec((Moved,)), MOVED)
    assert read(Codec((Moved,), keyring), plain) == MOVED


def test_what_is_about_nobody_is_not_sealed(keyring: Keyring) -> None:
    codec = Codec((Moved,), keyring)
    stored = document(codec, MOVED.model_copy(update={"person": None}))
    assert stored["events"][0]["data"]["home"]["road"] == "CANARY Lane"


async def test_over_a_wire_that_nobody_keeps_it_is_plain(keyring: Keyring) -> None:
    codec = Codec((Moved,), keyring)
    written = (Write("person-ada", 1),)
    commit = Commit(1, "cmd", written, (Recorded(MOVED, "person-ada", 1),), AT, META)
    assert codec.from_json(codec.to_json(commit)) == commit


HOMES = View(
    name="homes",
    version=1,
    shape=Moved,
    ids={Moved: lambda event: str(event.person)},
    evolve=lambda _, event: event,
    whose=lambda doc: doc.person,
)


class Replica(NamedTuple):
    """A process of a shop that knows where people live."""

    platform: Platform
    home: Context
    homes: Documents[Moved]

    async def moves(self, event: Event, id: str = "ada") -> None:
        """Something happens to somebody."""
        await self.home.streams.decide(people(id), lambda _: [event], enveloped(Move(person=id)))

    async def knows(self) -> Moved | None:
        """Where Ada lives, by memory or by the log."""
        return (await self.home.streams.load(people("ada"))).state

    async def shows(self) -> Moved | None:
        """Where the view says she lives."""
        found = await self.homes.get("ada")
        return found.doc if found else None

    async def becomes(self, wanted: Moved) -> None:
        """Memory and view know her so."""

        async def look() -> Any:
            known, shown = await self.knows(), await self.shows()
            return known == shown == wanted

        assert await eventually(look)


@asynccontextmanager
async def replica(mongo: MongoClient[Any], prefix: str, transport: Any) -> AsyncIterator[Replica]:
    platform = Platform(mongo, None, prefix, transport())
    context = platform.context("people", (Moved, Forgotten))
    documents = context.view(HOMES)
    await platform.start(work=True)
    yield Replica(platform, context, documents)
    await platform.stop()


@pytest.fixture(params=[InProcess, Loopback])
async def one(
    request: pytest.FixtureRequest, mongo: MongoClient[dict[str, Any]], prefix: str
) -> AsyncIterator[Replica]:
    async with replica(mongo, prefix, request.param) as running:
        yield running


async def test_neither_the_log_nor_a_view_has_it_in_plain_words(
    one: Replica, mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    envelope = enveloped(Move(person="ada"))
    decided = await one.home.streams.decide(people("ada"), lambda _: [MOVED], envelope, new=True)
    assert decided.state == MOVED
    await one.becomes(MOVED)
    for table in ("log", "view_homes_v1"):
        raw = b"".join(bson.encode(each) for each in mongo[f"{prefix}_people"][table].find())
        assert b"visa" in raw
        assert b"CANARY" not in raw
    (commit,) = await one.home.log.history("person-ada")
    assert commit.events[0].event == MOVED


async def test_every_process_forgets_whose_key_is_gone(
    one: Replica, mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    async with replica(mongo, prefix, InProcess) as other:
        await one.moves(MOVED)
        for each in (one, other):
            await each.becomes(MOVED)
        await one.platform.keyring.renew("ada")
        await one.platform.keyring.delete_old("ada")
        await one.moves(Forgotten(person="ada"), "the office")

        for each in (one, other):
            await each.becomes(ERASED)


async def test_a_rebuilt_view_agrees_with_the_live_one_whatever_the_seals_look_like(
    one: Replica,
) -> None:
    await one.moves(MOVED)
    await one.becomes(MOVED)
    ring = partial(one.platform.ask, "people")
    report = await Rebuild(one.home, one.homes, ring, lambda what, done, total: None).run()
    assert report.switched
    assert (report.comparison.compared, report.comparison.differing) == (1, {})
    await one.becomes(MOVED)
