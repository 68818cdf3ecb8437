"""The keys that the shop signs with."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pymongo import MongoClient

from shop.secrets import BYTES, signing_keys


def test_all_who_ask_first_at_once_get_the_same_key(
    mongo: MongoClient[dict[str, Any]], prefix: str
) -> None:
    with ThreadPoolExecutor(8) as many:
        found = list(many.map(signing_keys, [mongo[f"{prefix}_shop"]] * 8))
    assert found == [found[0]] * 8
    assert [len(key) for key in found[0]] == [BYTES]
