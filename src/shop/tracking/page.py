"""The page that shows an order to its buyer: one document, with nothing from any other host but the
tiles of a map."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from string import Template
from typing import NamedTuple
from urllib.parse import urlsplit

import nh3
from starlette.responses import HTMLResponse, Response

from shop.tracking.drawing import draw, length
from shop.tracking.progress import Parcel, Progress

_FOLDER = files("shop.tracking") / "page"
_PAGE = Template((_FOLDER / "track.html").read_text("utf-8"))
_STYLE = (_FOLDER / "track.css").read_text("utf-8")
_SCRIPT = (_FOLDER / "track.js").read_text("utf-8")


NEAR_M = 500
"""Metres from the door within which nobody is late yet: a van tells where it is only so often."""


@dataclass(frozen=True)
class Looks:
    """How the page looks in this shop: whose tiles lie under its map, and who may frame it."""

    tiles: str | None = None
    """`https://host/{z}/{x}/{y}.png`; without one the map is only drawn."""
    attribution: str = ""
    """What the map server wants to be said; links are allowed."""
    framed_by: str = ""
    """Origins, with a space between."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The page's address is a secret, and it runs nothing but its own script."""
        address = urlsplit(self.tiles or "")
        host = f"{address.scheme}://{address.netloc}" if self.tiles else ""
        framed_by = self.framed_by or "'none'"
        rules = (
            "default-src 'none'", f"script-src {_digest(_SCRIPT)}", f"style-src {_digest(_STYLE)}",
            f"img-src data: {host}".rstrip(), "connect-src 'self'", "base-uri 'none'",
            "form-action 'none'", f"frame-ancestors {framed_by}",
        )  # fmt: skip
        told = {
            "Content-Security-Policy": "; ".join(rules),
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex, nofollow",
            "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
        }
        return told if self.framed_by else {**told, "X-Frame-Options": "DENY"}


class Page(NamedTuple):
    """What the page shows, part by part, by the ids of its elements."""

    title: str
    mood: str
    etas: tuple[datetime, ...]
    parcels: int
    parts: Mapping[str, str]

    def as_json(self) -> bytes:
        """As its script is told of it."""
        told = {
            "title": self.title,
            "news": f"{self.title}.",
            "mood": self.mood,
            "parcels": self.parcels,
            "etas": [eta.isoformat() for eta in self.etas],
            "parts": self.parts,
        }
        return json.dumps(told, ensure_ascii=False).encode()


def parts(progress: Progress, looks: Looks) -> Page:
    """The page of an order."""
    words = progress.words
    found = {"state": f"<h1>{escape(words.headline)}</h1><p>{escape(words.detail)}</p>"}
    for number, parcel in enumerate(progress.parcels):
        several = len(progress.parcels) > 1
        found |= {
            f"name-{number}": _name(number, parcel) if several else "",
            f"eta-{number}": _eta(parcel),
            f"where-{number}": _where(parcel, f"map-{number}", looks),
            f"steps-{number}": _steps(parcel),
            f"facts-{number}": _facts(parcel),
        }
    found["foot"] = (
        f"<p>Order {escape(progress.order_id)}</p>"
        f"<p>Last news {_time(progress.updated_at, 'moment')}</p>"
    )
    etas = tuple(parcel.eta for parcel in progress.parcels if parcel.eta)
    return Page(words.headline, words.mood, etas, len(progress.parcels), found)


def whole(page: Page, looks: Looks, *, live: bool) -> Response:
    """The document as it is first seen; `live` if there will be news."""
    parcels = (_parcel(number, page.parts) for number in range(page.parcels))
    main = [_state(page.parts["state"]), *parcels]
    return _document(page.title, "\n".join(main), page.parts["foot"], page.mood, looks, live=live)


def sorry(status: int, looks: Looks) -> Response:
    """What stands where a link leads nowhere: 404, or 410 once its time is over."""
    if status == 410:
        title, detail = "This link has expired", "Ask the shop for a new one: your order is safe."
    else:
        title = "There is nothing here"
        detail = "Check that you copied the whole link, or ask the shop for a new one."
    main = _state(f"<h1>{title}</h1><p>{detail}</p>")
    found = _document(title, main, "", "trouble", looks, live=False)
    found.status_code = status
    return found


def _document(
    title: str, main: str, foot: str, mood: str, looks: Looks, *, live: bool
) -> HTMLResponse:
    text = _PAGE.substitute(
        title=escape(title), style=_STYLE, script=_SCRIPT, main=main, foot=foot, mood=mood,
        live="yes" if live else "",
    )  # fmt: skip
    return HTMLResponse(text, headers=dict(looks.headers))


def _state(words: str) -> str:
    return f'<section class="state" id="state" aria-label="State">{words}</section>'


def _name(number: int, parcel: Parcel) -> str:
    return f"Parcel {number + 1}: {escape(parcel.words.headline)}"


def _parcel(number: int, found: Mapping[str, str]) -> str:
    """A parcel's parts, each where the script puts it again when it has changed."""
    tags = {"name": "h2", "where": "div", "eta": "div", "steps": "div", "facts": "div"}
    parts = "".join(
        f'<{tag} class="{part}" id="{part}-{number}">{found[f"{part}-{number}"]}</{tag}>'
        for part, tag in tags.items()
    )
    return f'<section class="parcel" aria-label="Parcel {number + 1}">{parts}</section>'


def _eta(parcel: Parcel) -> str:
    """When it comes, or came; the most that can be said of that."""
    left = f"{length(parcel.distance_m)} away" if parcel.distance_m else ""
    done = parcel.steps[-1].at if parcel.words.mood == "done" else None
    if parcel.eta:
        until = f'<span data-until="{_iso(parcel.eta)}"></span>'
        return (
            f'<span class="label">Arrives at</span><span class="hour">{_time(parcel.eta)}</span>'
            f'<span class="rest">{until} {left}</span>'
        )
    if parcel.late and (parcel.distance_m or 0) < NEAR_M:
        return '<span class="label">Arrives</span><span class="hours">any moment now</span>'
    if parcel.late and parcel.seen_at:
        return (
            '<span class="late">Later than expected</span>'
            f'<span class="rest">Last seen {_time(parcel.seen_at, "moment")}, {left}</span>'
        )
    if done:
        when = _time(done, "moment")
        return f'<span class="label">Delivered</span><span class="hours">{when}</span>'
    if _is_planned(parcel):
        return f'<span class="label">Planned for</span><span class="hours">{_hours(parcel)}</span>'
    return ""


def _is_planned(parcel: Parcel) -> bool:
    return parcel.slot is not None and parcel.words.mood == "waiting"


def _where(parcel: Parcel, name: str, looks: Looks) -> str:
    if parcel.scene is None:
        return ""
    credit = nh3.clean(
        looks.attribution, tags={"a"}, attributes={"a": {"href"}}, link_rel="noreferrer noopener"
    )
    note = f'<p class="credit">{credit}</p>' if credit and looks.tiles else ""
    return draw(parcel.scene, name, looks.tiles) + note


def _steps(parcel: Parcel) -> str:
    rows = []
    for step in parcel.steps:
        current = ' aria-current="step"' if step.state == "now" else ""
        at = _time(step.at, "moment") if step.at else ""
        rows.append(f'<li class="{step.state}"{current}><span>{escape(step.label)}</span>{at}</li>')
    return f'<ol aria-label="Steps">{"".join(rows)}</ol>'


def _facts(parcel: Parcel) -> str:
    proof = parcel.proof
    facts = {
        "Time slot": "" if _is_planned(parcel) else _hours(parcel),
        "To": escape(parcel.to),
        "Carrier": escape("Our own van" if parcel.carrier == "house" else parcel.carrier),
        "Tracking": escape(parcel.tracking_number),
        "Taken by": escape(proof.name) if proof else "",
        "Note": escape(parcel.note or (proof.note if proof and proof.note else "")),
    }
    rows = "".join(f"<dt>{name}</dt><dd>{told}</dd>" for name, told in facts.items() if told)
    return f"<dl>{rows}</dl>" if rows else ""


def _hours(parcel: Parcel) -> str:
    if parcel.slot is None:
        return ""
    begin, end = parcel.slot
    return f"{_time(begin, 'moment')} to {_time(end)}"


def _time(at: datetime, how: str = "clock") -> str:
    """A moment, in UTC until the script tells it as the viewer's clock does."""
    words = f"{at:%H:%M} UTC" if how == "clock" else f"{at:%d %b, %H:%M} UTC"
    return f'<time datetime="{_iso(at)}" data-how="{how}">{words}</time>'


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _digest(content: str) -> str:
    """What allows a script or a style by what is in it (CSP level 2)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
