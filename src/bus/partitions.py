"""How the work of a reader is split: what happens to one thing always falls into one partition."""

from __future__ import annotations

from zlib import crc32

PARTITIONS = 8
"""Parts of every reader's work: as many processes can share it. Stored positions are by partition,
so the number stays what it is."""


def partition_of(id: str) -> int:
    """Where the work on one thing belongs: the same in every process and release.

    What belongs together differs only in what its ids begin with, as `ord_123` and `pay_123` do: so
    one process sees to an order from end to end, and need not read what another has written.
    """
    return crc32(id.rpartition("_")[2].encode()) % PARTITIONS


def partition_of_stream(stream: str) -> int:
    """That of the thing a stream is about, the `ord_123` of `order-ord_123`: so all that happens to
    it is handled, and need only be decoded, in one process."""
    return partition_of(stream.partition("-")[2])
