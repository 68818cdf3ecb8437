"""Pictures are kept once, made smaller once, and held in memory within bounds."""

import asyncio
from io import BytesIO
from typing import Any

import pytest
from gridfs import GridFSBucket
from PIL import Image
from pymongo import MongoClient

from bus.messages import Refused
from catalog import gallery as module
from catalog.gallery import Gallery


@pytest.fixture
def bucket(mongo: MongoClient[dict[str, Any]], prefix: str) -> GridFSBucket:
    return GridFSBucket(mongo[f"{prefix}_catalog"], "pictures")


def drawn(color: str) -> bytes:
    out = BytesIO()
    Image.new("RGB", (400, 300), color).save(out, "PNG")
    return out.getvalue()


def names(bucket: GridFSBucket) -> list[str]:
    return sorted(str(file.filename) for file in bucket.find({}))


async def test_many_who_bring_and_want_a_picture_at_once_share_it(bucket: GridFSBucket) -> None:
    gallery = Gallery(bucket)
    kept = await asyncio.gather(*(gallery.store(drawn("teal")) for _ in range(20)))
    assert len(set(kept)) == 1
    small = await asyncio.gather(*(gallery.fetch(kept[0].digest, 160) for _ in range(20)))
    assert len({id(one) for one in small}) == 1
    assert names(bucket) == [kept[0].digest, f"{kept[0].digest}-160"]


async def test_a_picture_outlives_the_process(bucket: GridFSBucket) -> None:
    kept = await Gallery(bucket).store(drawn("teal"))
    found = await Gallery(bucket).fetch(kept.digest, None)
    assert found == ("image/png", drawn("teal"))


async def test_a_picture_nobody_brought_is_not_there(bucket: GridFSBucket) -> None:
    assert await Gallery(bucket).fetch("0" * 32, None) is None
    assert await Gallery(bucket).fetch("0" * 32, 160) is None
    assert names(bucket) == []


async def test_what_is_no_picture_is_not_kept(bucket: GridFSBucket) -> None:
    gallery = Gallery(bucket)
    for _ in range(2):
        with pytest.raises(Refused):
            await gallery.store(b"no picture")
    assert names(bucket) == []


async def test_memory_holds_the_pictures_asked_for_last(
    bucket: GridFSBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = Gallery(bucket)
    first, second, third = [await gallery.store(drawn(c)) for c in ("teal", "navy", "gold")]
    monkeypatch.setattr(module, "KEPT", 2 * len(drawn("teal")) + 20)
    before = await gallery.fetch(first.digest, None)
    await gallery.fetch(second.digest, None)
    assert await gallery.fetch(first.digest, None) is before
    await gallery.fetch(third.digest, None)
    assert await gallery.fetch(first.digest, None) is before
    bucket.delete(next(bucket.find({"filename": second.digest}))._id)
    assert await gallery.fetch(second.digest, None) is None
