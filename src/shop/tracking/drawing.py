"""The map as SVG: north is up, a unit is a metre at the door; under it the tiles of a map server,
where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import asinh, ceil, cos, floor, log2, pi, radians, tan
from typing import NamedTuple

from shop.tracking.progress import Point, Scene

WIDTH, HEIGHT = 400, 300
"""Of a map in the units in which its signs are drawn: pixels on a phone."""

BLEED = 0.15
"""How much more is drawn on each side, of the width: a screen may have another shape."""

MARGIN = 44
"""What is kept free around the way, in those units."""

LEAST_M = 300
"""What is seen at least from one side to the other."""

EQUATOR_M = 40_075_016.686
"""Around the earth, as Web Mercator has it."""

FARTHEST = 85.0511
"""Degrees from the equator at which Web Mercator ends, and with it every map: a pole would be
infinitely far."""

DEEPEST = 19
"""The finest level of tiles."""

WINDS = (
    "north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west",
)  # fmt: skip


class Window(NamedTuple):
    """The piece of ground that is seen, in metres east and south of an origin at some latitude."""

    origin: Point
    left: float
    top: float
    width: float

    @property
    def unit(self) -> float:
        """Metres in a unit of the signs."""
        return self.width / WIDTH

    @property
    def height(self) -> float:
        """Metres from top to bottom."""
        return self.unit * HEIGHT

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what is drawn."""
        more = self.width * BLEED
        right, bottom = self.left + self.width, self.top + self.height
        return self.left - more, self.top - more, right + more, bottom + more

    def on_it(self, point: Point) -> Point:
        """Where a point is."""
        return _metres(self.origin, point)


def draw(scene: Scene, name: str, tiles: str | None = None) -> str:
    """The map of a scene, with an id of its own in its page."""
    window = _window(scene)
    box = f"{window.left:.1f} {window.top:.1f} {window.width:.1f} {window.height:.1f}"
    drawn = (
        f'<title id="{name}-t">Map</title><desc id="{name}-d">{escape(in_words(scene))}</desc>',
        _tiles(window, tiles) if tiles else _grid(window),
        _path("trail", window, scene.trail),
        _path("route edge", window, scene.route),
        _path("route", window, scene.route),
        _door(window, scene.door),
        _van(window, scene.van, scene.heading),
        _scale_bar(window),
    )
    head = f'<svg class="map" role="img" aria-labelledby="{name}-t {name}-d" viewBox="{box}">'
    return f"{head}{''.join(drawn)}</svg>"


def in_words(scene: Scene) -> str:
    """What the map shows."""
    heading = ""
    if scene.heading is not None:
        heading = f", heading {WINDS[round(scene.heading / 45) % 8]}"
    if scene.distance_m is None:
        return f"The van at your door{heading}." if scene.door else f"The van{heading}."
    return f"The van on its way to your door, {length(scene.distance_m)} from it{heading}."


def length(metres: float) -> str:
    """A distance as people say it."""
    if metres < 995:
        return f"{round(metres, -1):.0f} m"
    return f"{metres / 1000:.1f} km" if metres < 9_950 else f"{metres / 1000:.0f} km"


def _window(scene: Scene) -> Window:
    """What has to be seen, with something around it."""
    lon, lat = scene.door or scene.van
    origin = lon, _on_maps(lat)
    seen = [_metres(origin, point) for point in (scene.van, origin, *scene.route)]
    left, right = min(x for x, _ in seen), max(x for x, _ in seen)
    top, bottom = min(y for _, y in seen), max(y for _, y in seen)
    unit = max(
        (right - left) / (WIDTH - 2 * MARGIN),
        (bottom - top) / (HEIGHT - 2 * MARGIN),
        LEAST_M / WIDTH,
    )
    width, height = unit * WIDTH, unit * HEIGHT
    return Window(origin, (left + right - width) / 2, (top + bottom - height) / 2, width)


def _mercator(point: Point) -> Point:
    """Web Mercator in metres at the equator, south positive."""
    lon, lat = point
    east = lon / 360 * EQUATOR_M
    return east, -asinh(tan(radians(_on_maps(lat)))) / (2 * pi) * EQUATOR_M


def _on_maps(lat: float) -> float:
    return min(max(lat, -FARTHEST), FARTHEST)


def _metres(origin: Point, point: Point) -> Point:
    (x, y), (x0, y0) = _mercator(point), _mercator(origin)
    shrink = cos(radians(origin[1]))
    return (x - x0) * shrink, (y - y0) * shrink


def _path(kind: str, window: Window, points: Sequence[Point]) -> str:
    if len(points) < 2:
        return ""
    line = " ".join(f"{x:.1f} {y:.1f}" for x, y in map(window.on_it, points))
    return f'<path class="{kind}" d="M{line}"/>'


def _door(window: Window, door: Point | None) -> str:
    if door is None:
        return ""
    x, y = window.on_it(door)
    return (
        f'<g class="door" transform="translate({x:.1f} {y:.1f}) scale({window.unit:.4f})">'
        '<path class="pin" d="M0 0C-4 -8 -14 -14 -14 -24a14 14 0 0 1 28 0C14 -14 4 -8 0 0z"/>'
        '<path class="house" d="M-7.5 -23.5L0 -30.5L7.5 -23.5M-5.5 -24.5V-17H5.5V-24.5"/></g>'
    )


def _van(window: Window, at: Point, heading: float | None) -> str:
    """A van seen from the side on a disc, and a tip that says where it drives."""
    x, y = window.on_it(at)
    tip = ""
    if heading is not None:
        tip = f'<path class="tip" transform="rotate({heading:.0f})" d="M0 -23L6.5 -14.5H-6.5z"/>'
    return (
        f'<g class="van" data-x="{x:.1f}" data-y="{y:.1f}" transform="translate({x:.1f} {y:.1f})">'
        f'<g transform="scale({window.unit:.4f})"><circle class="halo" r="21"/>{tip}'
        '<circle class="disc" r="15.5"/>'
        '<path class="body" d="M-9.5 -5.5H2.5V4H-9.5zM3.5 -2.5H6.5L9.5 1V4H3.5z"/>'
        '<circle class="wheel" cx="-5" cy="4.5" r="2.2"/>'
        '<circle class="wheel" cx="5" cy="4.5" r="2.2"/></g></g>'
    )


def _round_length(most: float) -> float:
    """The longest of 1, 2 and 5 times a power of ten that is no longer."""
    power = 10.0 ** floor(log2(most) / log2(10))
    return max(step * power for step in (1, 2, 5) if step * power <= most)


def _scale_bar(window: Window) -> str:
    """A bar in the lower left corner, and how long it is on the ground."""
    metres = _round_length(window.width / 3.2)
    x, y = window.left + 12 * window.unit, window.top + window.height - 12 * window.unit
    k = window.unit
    words = f"{metres:.0f} m" if metres < 1000 else f"{metres / 1000:.0f} km"
    return (
        f'<g class="scale" transform="translate({x:.1f} {y:.1f}) scale({k:.4f})">'
        f'<path d="M0 -5V0H{metres / k:.1f}V-5"/><text x="{metres / k / 2:.1f}" y="-4">{words}'
        "</text></g>"
    )


def _grid(window: Window) -> str:
    """Lines a round length apart, so that there is a ground for the van to move on."""
    step = _round_length(window.width / 5)
    left, top, right, bottom = window.edges
    across = (
        f"M{n * step:.0f} {top:.1f}V{bottom:.1f}"
        for n in range(ceil(left / step), floor(right / step) + 1)
    )
    down = (
        f"M{left:.1f} {n * step:.0f}H{right:.1f}"
        for n in range(ceil(top / step), floor(bottom / step) + 1)
    )
    return f'<path class="grid" d="{"".join((*across, *down))}"/>'


def _tiles(window: Window, address: str) -> str:
    """The tiles that cover the window, as fine as a screen shows them."""
    shrink = cos(radians(window.origin[1]))
    level = min(DEEPEST, max(0, ceil(log2(EQUATOR_M * shrink / 256 / window.unit))))
    side = EQUATOR_M / 2**level
    x0, y0 = _mercator(window.origin)
    half = EQUATOR_M / 2
    left, top, right, bottom = (
        start + edge / shrink + half
        for start, edge in zip((x0, y0, x0, y0), window.edges, strict=True)
    )
    images = []
    for row in range(max(0, floor(top / side)), min(2**level - 1, floor(bottom / side)) + 1):
        for column in range(floor(left / side), floor(right / side) + 1):
            named = {"{z}": level, "{x}": column % 2**level, "{y}": row}
            href = address
            for name, number in named.items():
                href = href.replace(name, str(number))
            x = (column * side - half - x0) * shrink
            y = (row * side - half - y0) * shrink
            # A hair wider, or light shines through the seams.
            images.append(
                f'<image href="{escape(href)}" x="{x:.1f}" y="{y:.1f}"'
                f' width="{side * shrink * 1.002:.1f}" height="{side * shrink * 1.002:.1f}"/>'
            )
    return f'<g class="tiles">{"".join(images)}</g>'
