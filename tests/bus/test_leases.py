"""Leases: whoever just started the database knows that nobody else holds one."""

from typing import Any

from pymongo import MongoClient

from bus.leases import Leases, free_all


async def test_the_leases_of_the_dead_are_free_at_once(
    mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    database = mongo[f"{prefix}_tills"]
    dead, alive = Leases(database, "dead"), Leases(database, "alive")
    held = await dead.claim("tills.reader")
    assert held is not None
    await dead.keep(held, 7)
    assert await alive.claim("tills.reader") is None

    free_all(mongo, prefix)

    taken = await alive.claim("tills.reader")
    assert taken is not None
    assert (taken.epoch, taken.position) == (held.epoch + 1, 7)


async def test_freeing_one_shops_leases_leaves_another_shops_alone(
    mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    database = mongo[f"{prefix}_tills"]
    assert await Leases(database, "here").claim("tills.reader") is not None

    free_all(mongo, f"{prefix}x")

    assert await Leases(database, "there").claim("tills.reader") is None
