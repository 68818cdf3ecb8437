"""Leases: whoever just started the database knows that nobody else holds one."""

from typing import Any

from pymongo import MongoClient

from bus.leases import Leases, free_all

PARTS = [("tills.reader", 3)]


async def test_the_leases_of_the_dead_are_free_at_once(
    mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    database = mongo[f"{prefix}_tills"]
    dead, alive = Leases(database, "dead"), Leases(database, "alive")
    await dead.sign_in(["tills.reader"])
    (held,) = await dead.claim(PARTS)
    assert await dead.store({held: 7})
    assert await alive.claim(PARTS) == []

    free_all(mongo, prefix)

    assert await alive.at_work() == {}
    (taken,) = await alive.claim(PARTS)
    assert (taken.epoch, taken.position) == (held.epoch + 1, 7)


async def test_freeing_one_shops_leases_leaves_another_shops_alone(
    mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    database = mongo[f"{prefix}_tills"]
    assert await Leases(database, "here").claim(PARTS)

    free_all(mongo, f"{prefix}x")

    assert await Leases(database, "there").claim(PARTS) == []
