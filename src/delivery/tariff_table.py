"""The table of tariffs that an operator writes: TOML or JSON, a tariff by each name."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bus.messages import complaint
from delivery.tariff import BY_ZONE, DEFAULT, AnyTariff, Tariff, WeightTariff

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def tariffs_in(text: str, default: Tariff, *, as_json: bool = False) -> dict[str, AnyTariff]:
    """The tariffs in a table: by weight where there are `bands`, else by the way; what such a one
    does not say is as in the default one. Raises `ValueError`, in one line."""
    try:
        table = json.loads(text) if as_json else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no {'JSON' if as_json else 'TOML'}: {error}") from None
    if not isinstance(table, dict):
        raise ValueError("it is to be an object, with a tariff by each name")
    return {name: _tariff(name, entry, default) for name, entry in table.items()}


def _tariff(name: str, entry: Any, default: Tariff) -> AnyTariff:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a tariff: write letters, digits, . _ and -")
    if name in (DEFAULT, BY_ZONE):
        raise ValueError(f"{name} is what SHOP_TARIFF calls another: choose another name")
    if not isinstance(entry, Mapping):
        raise ValueError(f"{name} is to be a table of figures, such as [{name}] base = 490")
    try:
        # Lax, for a list stands where the tariffs have tuples; but 4.90 is no number of cents.
        if "bands" in entry:
            return WeightTariff.model_validate_json(json.dumps(entry))
        return Tariff.model_validate_json(json.dumps({**default.model_dump(), **entry}))
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        where = ".".join(map(str, (name, *wrong["loc"])))
        raise ValueError(
            f"{where}: {complaint(wrong)}; 4.90 is written 490, 30 km are 30000"
        ) from None
    except TypeError as error:  # TOML has dates, which JSON has not
        raise ValueError(f"{name}: {error}") from None
