"""How the work of a reader is split: what happens to one thing always falls into one partition."""

from __future__ import annotations

from zlib import crc32

PARTITIONS = 8
"""Parts of every reader's work: as many processes can share it. Stored positions are by partition,
so the number stays what it is."""


def partition_of(id: str) -> int:
    """Where the work on one thing belongs: the same in every process and release."""
    return crc32(id.encode()) % PARTITIONS


def partition_of_stream(stream: str) -> int:
    """That of the thing a stream is about, the `123` of `order-123`: so all that happens to it is
    handled, and need only be decoded, in one process."""
    return partition_of(stream.partition("-")[2])
