"""Keys: shown once, kept as a hash, and open for exactly as long as they should."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from bus.messages import NotFound, Refused, now
from shop import uses
from shop.keys import TRUSTED_FOR, Key, Keys
from tests.shop.clients import Running
from tests.waiting import eventually

DAY = timedelta(days=1)


class Counted:
    """A collection of keys that counts how often it is read and written."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection
        self.reads = 0
        self.written: list[int] = []
        self.away = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    def find(self, *query: Any) -> Any:
        self.reads += 1
        return self._collection.find(*query)

    def bulk_write(self, writes: list[Any], **how: Any) -> Any:
        if self.away:
            raise AutoReconnect("it went away")
        self.written.append(len(writes))
        return self._collection.bulk_write(writes, **how)


@pytest.fixture
async def keys(shop: Running) -> AsyncIterator[Keys]:
    """Another replica's keys."""
    database = shop.platform.contexts["ordering"].database
    keys = Keys(database.client[database.name.replace("_ordering", "_shop")])
    yield keys
    await keys.close()


@pytest.fixture
def counted(keys: Keys) -> Any:
    """What that replica reads and writes."""
    found: Any = Counted(keys._collection)
    keys._collection = keys._uses._keys = found
    return found


def prefix_of(key: str) -> str:
    return key.partition(".")[0]


async def listed(keys: Keys, key: str) -> Key:
    (found,) = [each for each in await keys.list() if each.prefix == prefix_of(key)]
    return found


async def last_used(keys: Keys, key: str) -> datetime | None:
    return (await listed(keys, key)).last_used


async def closes(keys: Keys, key: str) -> None:
    """Waits until a key does not open any more."""

    async def closed() -> str:
        return "" if await keys.principal(key) else "closed"

    said: str = await eventually(closed, within=5)
    assert said == "closed"


# Guessing.


async def test_a_secret_has_256_bits_and_no_two_are_alike(keys: Keys) -> None:
    made = [await keys.create("many", "shop") for _ in range(20)]
    secrets = {base64.urlsafe_b64decode(key.partition(".")[2] + "=") for key in made}
    assert {len(secret) for secret in secrets} == {32}
    assert len(secrets) == len({prefix_of(key) for key in made}) == 20


async def test_what_is_kept_of_a_key_opens_nothing(keys: Keys) -> None:
    key = await keys.create("secretive", "shop")
    (kept,) = keys._collection.find({"name": "secretive"})
    assert key.partition(".")[2] not in str(kept)
    assert await keys.principal(f"{kept['_id']}.{kept['hash'][:43]}") is None


async def test_guessing_keys_costs_the_database_nothing(keys: Keys, counted: Counted) -> None:
    good = await keys.create("busy", "shop")
    assert await keys.principal(good)
    for number in range(500):
        assert await keys.principal(f"{prefix_of(good)}.{number:043}") is None
        assert await keys.principal(f"nonsense-{number}") is None
        assert await keys.principal(good)
    assert counted.reads == 1


async def test_guessing_at_once_is_one_look(keys: Keys, counted: Counted) -> None:
    guesses = [f"sk_{number:012x}.{number:043}" for number in range(300)]
    assert await asyncio.gather(*map(keys.principal, guesses)) == [None] * 300
    assert counted.reads <= 2
    assert len(keys._open) < 300


async def test_no_client_is_called_as_those_of_other_doors_are(keys: Keys) -> None:
    for name in ("jwt:web", ":", "", "-web", "a b", "x" * 81, "é", "web\n"):
        with pytest.raises(Refused) as refused:
            await keys.create(name, "shop")
        assert refused.value.code == "unfit_name"


# For how long they open.


async def test_a_key_made_elsewhere_opens_at_once(shop: Running, keys: Keys) -> None:
    await keys.principal(await keys.create("first", "shop"))
    for number in range(3):
        fresh = await shop.keys.create(f"fresh-{number}", "shop")
        found = await keys.principal(fresh)
        assert found is not None
        assert found.name == f"fresh-{number}"


async def test_a_key_revoked_elsewhere_opens_for_seconds_at_most(shop: Running, keys: Keys) -> None:
    key = await shop.keys.create("soon-gone", "shop")
    assert await keys.principal(key)
    await shop.keys.revoke(key)
    keys._read_at -= TRUSTED_FOR
    assert await keys.principal(key) is None
    with pytest.raises(NotFound, match="shop keys list"):
        await shop.keys.revoke(key)


async def test_a_key_closes_when_its_time_has_come(keys: Keys, counted: Counted) -> None:
    key = await keys.create("brief", "shop", timedelta(milliseconds=200))
    assert await keys.principal(key)

    await closes(keys, key)
    assert counted.reads == 1, "it is the clock that closes it"
    keys._read_at -= TRUSTED_FOR
    assert await keys.principal(key) is None
    found = await listed(keys, key)
    assert found.expires == found.created + timedelta(milliseconds=200)


# Rotation.


async def test_a_client_changes_its_key_while_both_open(shop: Running, keys: Keys) -> None:
    old = await shop.keys.create("rotating", "shop")
    assert await keys.principal(old)
    made = await shop.keys.rotate("rotating", DAY)
    assert made.replaces == prefix_of(old)
    whose = await keys.principal(made.key)
    assert whose == await keys.principal(old)
    assert whose is not None
    assert str(whose) == "shop:rotating"
    then = await listed(keys, old)
    assert then.successor == prefix_of(made.key)
    assert then.expires == made.closes
    assert made.closes == made.created + DAY


async def test_the_old_key_closes_when_it_was_said_to(shop: Running, keys: Keys) -> None:
    old = await shop.keys.create("leaving", "carrier")
    made = await shop.keys.rotate(prefix_of(old), timedelta(milliseconds=200))

    await closes(keys, old)
    assert await keys.principal(made.key)


async def test_of_many_who_rotate_one_key_at_once_one_does(shop: Running) -> None:
    old = await shop.keys.create("contended", "shop")
    came = await asyncio.gather(
        *(shop.keys.rotate(prefix_of(old), DAY) for _ in range(5)), return_exceptions=True
    )
    refused = [each for each in came if isinstance(each, NotFound)]
    assert (len(refused), len(came)) == (4, 5)
    assert len([each for each in await shop.keys.list() if each.name == "contended"]) == 2


async def test_which_key_is_meant_must_be_clear(shop: Running) -> None:
    two = [await shop.keys.create("double", scope) for scope in ("shop", "carrier")]
    with pytest.raises(Refused) as refused:
        await shop.keys.rotate("double", DAY)
    assert refused.value.code == "several_keys"
    assert all(prefix_of(key) in refused.value.message for key in two)
    assert (await shop.keys.rotate(prefix_of(two[1]), DAY)).scope == "carrier"
    expired = await shop.keys.create("over", "shop", -DAY)
    for unknown in ("nobody", "sk_ghost", "over", expired, two[1]):
        with pytest.raises(NotFound, match="shop keys list"):
            await shop.keys.rotate(unknown, DAY)


async def test_a_new_key_that_is_revoked_leaves_the_old_one_to_be_rotated_again(
    shop: Running,
) -> None:
    old = await shop.keys.create("unlucky", "shop", 90 * DAY)
    leaked = await shop.keys.rotate("unlucky", DAY)
    await shop.keys.revoke(leaked.key)
    made = await shop.keys.rotate("unlucky", DAY)
    assert made.replaces == prefix_of(old)
    assert made.expires == made.created + 90 * DAY, "it lives as long as the first was to"
    assert made.closes
    assert leaked.closes
    assert made.closes <= leaked.closes, "the old one closes when it was first said to"


async def test_a_rotation_keeps_nothing_open_beyond_its_own_end(shop: Running) -> None:
    old = await shop.keys.create("ending", "shop", timedelta(hours=1))
    made = await shop.keys.rotate("ending", DAY, 7 * DAY)
    assert made.closes == (await listed(shop.keys, old)).created + timedelta(hours=1)
    assert made.expires == made.created + 7 * DAY


# When they were last used.


async def test_a_use_shows_at_once_and_then_once_a_minute(keys: Keys, counted: Counted) -> None:
    key = await keys.create("seen", "shop")
    assert await last_used(keys, key) is None
    began = now()
    for _ in range(500):
        assert await keys.principal(key)

    at: datetime | None = await eventually(partial(last_used, keys, key))
    assert at
    assert began <= at <= now()
    for _ in range(500):
        assert await keys.principal(key)
    assert counted.written == [1]
    assert await last_used(keys, key) == at


async def test_all_keys_of_a_minute_are_written_in_one_go(keys: Keys, counted: Counted) -> None:
    many = [await keys.create(f"one-of-{number}", "shop") for number in range(5)]
    for key in many:
        assert await keys.principal(key)
    await keys.close()  # as a process does when it ends
    assert sum(counted.written) == 5
    assert len(counted.written) <= 2
    assert all([await last_used(keys, key) for key in many])


async def test_what_another_replica_has_just_written_is_not_written_again(
    shop: Running, keys: Keys
) -> None:
    key = await keys.create("shared", "shop")
    just_now = now() - uses.EVERY / 2
    keys._collection.update_one({"_id": prefix_of(key)}, {"$set": {"last_used": just_now}})
    assert await keys.principal(key)
    await keys.close()
    assert await last_used(keys, key) == just_now
    earlier = now() - 2 * uses.EVERY
    keys._collection.update_one({"_id": prefix_of(key)}, {"$set": {"last_used": earlier}})
    assert await keys.principal(key)
    await keys.close()
    assert (await last_used(keys, key) or earlier) > just_now


async def test_a_database_that_is_away_costs_no_request_and_is_told_later(
    keys: Keys, counted: Counted
) -> None:
    key = await keys.create("patient", "shop")
    counted.away = True
    assert await keys.principal(key)
    await eventually(lambda: keys._uses._telling is not None)
    assert await keys.principal(key)
    await keys.close()
    assert await last_used(keys, key) is None
    counted.away = False
    await keys.close()
    assert await last_used(keys, key)
