"""Where pictures are kept: each content once, in GridFS, with the smaller ones made of it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import NamedTuple

from gridfs import GridFSBucket, GridOut
from gridfs.errors import NoFile

from catalog import pictures
from catalog.commands import Picture

KEPT = 32 * 1024 * 1024
"""Bytes of pictures held in memory."""

AT_ONCE = 2
"""Pictures decoded at once: a large one takes 160 MB."""


class Kept(NamedTuple):
    """A picture as it is sent."""

    media_type: str
    content: bytes


class Gallery:
    """Pictures by the hash of their content."""

    def __init__(self, bucket: GridFSBucket) -> None:
        self._bucket = bucket
        self._held: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0
        self._asked: dict[str, asyncio.Task[Kept | None]] = {}
        self._storing: dict[str, asyncio.Task[Picture]] = {}
        self._decoding = asyncio.Semaphore(AT_ONCE)

    async def store(self, content: bytes) -> Picture:
        """Keep a picture, unless it is here already; refused as `pictures.check` says."""
        digest = pictures.digest_of(content)
        storing = self._storing.get(digest)
        if storing is None:  # the same picture may come twice at once: it is kept once
            storing = self._storing[digest] = asyncio.create_task(self._store(digest, content))
            storing.add_done_callback(lambda _: self._storing.pop(digest, None))
        return await asyncio.shield(storing)

    async def fetch(self, digest: str, width: int | None) -> Kept | None:
        """A picture in one of `pictures.WIDTHS`, or as it came; `None` when it is not here."""
        name = name_of(digest, width)
        held = self._held.get(name)
        if held is not None:
            self._held.move_to_end(name)
            return held
        asked = self._asked.get(name)
        if asked is None:  # many may ask for it at once: it is made for all of them
            asked = self._asked[name] = asyncio.create_task(self._fetch(digest, width))
            asked.add_done_callback(lambda _: self._asked.pop(name, None))
        return await asyncio.shield(asked)

    async def _store(self, digest: str, content: bytes) -> Picture:
        there = await asyncio.to_thread(self._find, digest)
        if there is not None:
            size = there.metadata or {}
            return Picture(digest=digest, width=size["width"], height=size["height"])
        async with self._decoding:
            _, media_type, width, height = await asyncio.to_thread(pictures.check, content)
        await asyncio.to_thread(self._put, digest, content, media_type, (width, height))
        return Picture(digest=digest, width=width, height=height)

    async def _fetch(self, digest: str, width: int | None) -> Kept | None:
        kept = await asyncio.to_thread(self._read, name_of(digest, width))
        if kept is None and width is not None:
            kept = await self._make(digest, width)
        if kept is not None:
            self._hold(name_of(digest, width), kept)
        return kept

    async def _make(self, digest: str, width: int) -> Kept | None:
        whole = await asyncio.to_thread(self._read, digest)
        if whole is None:
            return None
        async with self._decoding:
            small = await asyncio.to_thread(pictures.thumbnail, whole.content, width)
        await asyncio.to_thread(self._put, name_of(digest, width), small, "image/webp", None)
        return Kept("image/webp", small)

    def _hold(self, name: str, kept: Kept) -> None:
        self._held[name] = kept
        self._bytes += len(kept.content)
        while self._bytes > KEPT:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= len(oldest.content)

    def _find(self, name: str) -> GridOut | None:
        return next(self._bucket.find({"filename": name}).limit(1), None)

    def _read(self, name: str) -> Kept | None:
        try:
            with self._bucket.open_download_stream_by_name(name) as stream:
                return Kept((stream.metadata or {})["media_type"], stream.read())
        except NoFile:
            return None

    def _put(
        self, name: str, content: bytes, media_type: str, size: tuple[int, int] | None
    ) -> None:
        metadata: dict[str, object] = {"media_type": media_type}
        if size is not None:
            metadata |= {"width": size[0], "height": size[1]}
        # Two processes may both put it: the same bytes under the same name, so either serves.
        self._bucket.upload_from_stream(name, content, metadata=metadata)


def name_of(digest: str, width: int | None) -> str:
    """The name of a picture in a width, also the tag of its bytes."""
    return digest if width is None else f"{digest}-{width}"
