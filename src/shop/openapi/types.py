"""The types of bodies and answers as people read them: their fields, and what each of them is."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any


def types(schemas: Mapping[str, Any]) -> str:
    """A section for each type, where `shown` leads."""
    return "".join(_section(name, schema) for name, schema in sorted(schemas.items()))


def shown(schema: Mapping[str, Any]) -> str:
    """A schema in a word or two, with links to the types that it names."""
    match schema:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            return f'<a href="#type-{name}">{name}</a>'
        case {"anyOf": kinds}:
            return " or ".join(shown(each) for each in kinds if each.get("type") != "null")
        case {"const": value}:
            return html.escape(str(value))
        case {"enum": values}:
            return html.escape(", ".join(map(str, values)))
        case {"prefixItems": kinds}:
            return f"[{', '.join(map(shown, kinds))}]"
        case {"items": kind}:
            return f"list of {shown(kind)}"
        case {"type": "integer" | "number" as kind, "minimum": least, "maximum": most}:
            return f"{kind}, {least} to {most}"
        case {"format": "date-time"}:
            return "time, as 2026-11-23T12:00:00Z"
        case {"type": kind}:
            return str(kind)
        case _:
            return "anything"


def _section(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{field}</code><td>{shown(kind)}{' <b>required</b>' * (field in required)}"
        for field, kind in schema["properties"].items()
    )
    about = schema.get("description", "").replace("`", "")
    return (
        f'<section id="type-{name}"><h3><code>{name}</code></h3>'
        f"<p class=more>{html.escape(about)}</p><table>{rows}</table></section>"
    )
