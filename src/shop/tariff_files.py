"""The file of tariffs that an operator names."""

from __future__ import annotations

from pathlib import Path

from delivery.tariff import AnyTariff, Tariff
from delivery.tariff_table import tariffs_in


def tariffs_of(path: Path | None, default: Tariff) -> dict[str, AnyTariff]:
    """The tariffs in a table; none where there is no table. Raises `ValueError`, in one line."""
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file in UTF-8") from None
    try:
        return tariffs_in(text, default, as_json=path.suffix.lower() == ".json")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
