"""The folder in which an import looks for pictures."""

from __future__ import annotations

from pathlib import Path

from bus.messages import Refused
from catalog.pictures import MAX_BYTES
from catalog.row import Row

ENDINGS = (".webp", ".png", ".jpg", ".jpeg")


class Folder:
    """Where pictures are looked for; without one, none are."""

    def __init__(self, path: Path | None) -> None:
        self._path = path.resolve() if path is not None else None

    def find(self, row: Row) -> Path | None:
        """The picture a row names, or one that is called as its SKU or product is.

        Refused with `picture_outside` and `no_picture`.
        """
        if self._path is None:
            return None
        named = row.fields.get("image")
        if named is not None:
            return self._within(self._path, named)
        ids = dict.fromkeys((row.fields["sku"], row.fields.get("product_id", row.fields["sku"])))
        paths = (self._path / f"{id}{ending}" for id in ids for ending in ENDINGS)
        return next((path for path in paths if path.is_file()), None)

    @staticmethod
    def _within(folder: Path, named: str) -> Path:
        try:
            path = (folder / named).resolve()
            there = path.is_file()
        except (OSError, ValueError):  # too long a name, or one that no file can have
            there, path = False, folder
        if not path.is_relative_to(folder):
            raise Refused("picture_outside", f"picture {named} is not in {folder}: move it there")
        if not there:
            raise Refused("no_picture", f"there is no picture {named} in {folder}")
        return path


def load(path: Path) -> bytes:
    """A picture's content, as far as it may be that large."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
