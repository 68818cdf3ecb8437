"""A file as it is read: in lines or in pieces, however long its lines are; `.gz` is unpacked."""

from __future__ import annotations

import gzip
import os
import zlib
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType

MAX_LINE = 1024 * 1024
"""Bytes of a line, at most: no line of a price list needs as many."""

PIECE = 256 * 1024


class TooLong(Exception):
    """A line was longer than `MAX_LINE`; what is read next stands behind it."""


class BrokenOff(Exception):
    """What is packed cannot be unpacked any further."""


class Source:
    """A file that is read once, from its beginning to its end; raises `OSError`."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._raw = path.open("rb")
        self._file: BufferedIOBase = self._raw
        if path.suffix.lower() == ".gz":
            self._file = gzip.GzipFile(fileobj=self._raw)
        self.size = os.fstat(self._raw.fileno()).st_size

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._raw.close()

    @property
    def position(self) -> int:
        """How many bytes of the file have been read, packed as they are; 0 where none can tell."""
        return self._raw.tell() if self._raw.seekable() else 0

    def line(self) -> bytes:
        """The next line, none at the end; raises `TooLong`, behind the line, and `BrokenOff`."""
        try:
            line = self._file.readline(MAX_LINE + 1)
            if len(line) <= MAX_LINE:
                return line
            while line and not line.endswith(b"\n"):
                line = self._file.readline(MAX_LINE)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BrokenOff(str(error)) from None
        raise TooLong

    def piece(self) -> bytes:
        """The next bytes, none at the end; raises `BrokenOff`."""
        try:
            # In one go: were the end missing, `read` would lose what it has unpacked until there.
            return self._file.read1(PIECE)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BrokenOff(str(error)) from None
