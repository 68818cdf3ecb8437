"""Pictures for the sample catalog: flat still lifes, each drawn of a motif and a colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from io import BytesIO

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 800, 600
FINER = 2  # drawn larger and then reduced: that smooths the edges
UNIT = WIDTH * FINER / 400
"""Motifs are drawn on 400 x 300 units, the table's edge at 205, things standing at 245."""

GROUND = 245.0

Color = tuple[int, int, int]
Point = tuple[float, float]

COLORS: dict[str, Color] = {
    "blue": (62, 104, 156),
    "sage": (129, 155, 124),
    "clay": (196, 112, 82),
    "ochre": (216, 162, 72),
    "rose": (206, 134, 138),
    "sand": (206, 184, 150),
    "slate": (88, 100, 112),
    "plum": (120, 80, 110),
    "cream": (240, 229, 208),
    "moss": (96, 116, 74),
    "rust": (160, 78, 58),
    "teal": (64, 132, 132),
    "wood": (172, 124, 84),
}
SCENES: tuple[tuple[Color, Color], ...] = (
    ((236, 226, 214), (214, 196, 176)),
    ((222, 230, 228), (190, 204, 200)),
    ((240, 224, 214), (222, 192, 176)),
    ((228, 226, 236), (200, 196, 212)),
    ((234, 232, 214), (208, 204, 176)),
)
LEAF, DARK, FLAME = COLORS["moss"], (70, 62, 58), (250, 206, 110)


def shade(color: Color, by: float) -> Color:
    """Darker below 1, lighter above."""
    if by <= 1:
        return tuple(round(part * by) for part in color)  # type: ignore[return-value]
    return tuple(round(255 - (255 - part) / by) for part in color)  # type: ignore[return-value]


def smooth(points: Sequence[Point], steps: int = 12) -> list[Point]:
    """A curve through the points (Catmull-Rom)."""
    ends = [points[0], *points, points[-1]]
    curve: list[Point] = []
    for p, q, r, s in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for step in range(steps):
            t = step / steps
            curve.append((_between(p[0], q[0], r[0], s[0], t), _between(p[1], q[1], r[1], s[1], t)))
    return [*curve, points[-1]]


def _between(p: float, q: float, r: float, s: float, t: float) -> float:
    bend = 2 * p - 5 * q + 4 * r - s
    return 0.5 * (2 * q + (r - p) * t + bend * t * t + (3 * (q - r) + s - p) * t**3)


class Canvas:
    """What motifs draw on, in units."""

    def __init__(self, scene: int) -> None:
        wall, table = SCENES[scene % len(SCENES)]
        self.image = Image.new("RGB", (WIDTH * FINER, HEIGHT * FINER), wall)
        self.draw = ImageDraw.Draw(self.image)
        self.oval(120 + 40 * (scene % 5), 118, 92, 92, shade(wall, 1.6))
        self.bar(0, 205, 400, 300, table)
        self.table = table

    def oval(self, x: float, y: float, rx: float, ry: float, color: Color) -> None:
        """An ellipse around a point."""
        box = [part * UNIT for part in (x - rx, y - ry, x + rx, y + ry)]
        self.draw.ellipse(box, fill=color)

    def bar(self, x0: float, y0: float, x1: float, y1: float, color: Color, r: float = 0) -> None:
        """A rectangle, with round corners where `r` says so."""
        self.draw.rounded_rectangle(
            [part * UNIT for part in (x0, y0, x1, y1)], radius=r * UNIT, fill=color
        )

    def shape(self, points: Sequence[Point], color: Color) -> None:
        """A polygon."""
        self.draw.polygon([(x * UNIT, y * UNIT) for x, y in points], fill=color)

    def line(self, points: Sequence[Point], color: Color, width: float) -> None:
        """A line with round joints and ends."""
        self.draw.line(
            [(x * UNIT, y * UNIT) for x, y in points],
            fill=color,
            width=round(width * UNIT),
            joint="curve",
        )
        for x, y in (points[0], points[-1]):
            self.oval(x, y, width / 2, width / 2, color)

    def ring(self, x: float, y: float, rx: float, ry: float, color: Color, width: float) -> None:
        """The outline of an ellipse."""
        box = [part * UNIT for part in (x - rx, y - ry, x + rx, y + ry)]
        self.draw.ellipse(box, outline=color, width=round(width * UNIT))

    def shadow(self, x: float, reach: float, y: float = GROUND) -> None:
        """Where a thing stands on the table."""
        self.oval(x + reach * 0.18, y, reach * 1.15, reach * 0.15 + 3, shade(self.table, 0.86))

    def turned(
        self,
        x: float,
        profile: Sequence[Point],
        color: Color,
        *,
        y: float = GROUND,
        open: bool = False,
    ) -> None:
        """Something off a potter's wheel: `profile` is (radius, height) from its foot up."""
        curve = smooth(profile)
        self.oval(x, y, curve[0][0], curve[0][0] * 0.1, shade(color, 0.9))
        self._strip(x, y, curve, -1, 1, color)
        self._strip(x, y, curve, 0.4, 1, shade(color, 0.88))
        self._strip(x, y, curve, -0.78, -0.62, shade(color, 1.35))
        radius, height = curve[-1]
        if open:
            self.oval(x, y - height, radius, radius * 0.13, shade(color, 1.15))
            self.oval(x, y - height + 0.8, radius * 0.9, radius * 0.1, shade(color, 0.66))

    def _strip(
        self, x: float, y: float, curve: list[Point], left: float, right: float, color: Color
    ) -> None:
        there = [(x + radius * left, y - height) for radius, height in curve]
        back = [(x + radius * right, y - height) for radius, height in reversed(curve)]
        self.shape([*there, *back], color)

    def leaf(self, x: float, y: float, angle: float, length: float, color: Color = LEAF) -> None:
        """A leaf that grows from a point; 90 degrees is up."""
        turn = math.radians(angle)
        along, across = (math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))
        half = [(0.0, 0.0), (0.35, 0.17), (0.7, 0.13), (1.0, 0.0)]
        edge = smooth([*half, *((a, -b) for a, b in reversed(half[:-1]))])
        points = [
            (
                x + length * (a * along[0] + b * across[0]),
                y + length * (a * along[1] + b * across[1]),
            )
            for a, b in edge
        ]
        self.shape(points, color)


Motif = Callable[[Canvas, Color], None]


def picture(motif: Motif, color: str, scene: int) -> bytes:
    """A motif in a colour, as WebP of 800 x 600."""
    canvas = Canvas(scene)
    motif(canvas, COLORS[color])
    _company(canvas, scene)
    out = BytesIO()
    canvas.image.reduce(FINER).save(out, "WEBP", quality=84, method=2)
    return out.getvalue()


def _company(canvas: Canvas, scene: int) -> None:
    """A small thing beside it: a pear, pebbles, a sprig, a block."""
    x = 66.0 if scene % 2 else 340.0
    match scene % 4:
        case 0:
            canvas.shadow(x, 16, 254)
            canvas.turned(x, [(4, 0), (17, 8), (16, 20), (7, 34), (3, 40)], (188, 186, 98), y=254)
            canvas.line([(x, 215), (x + 3, 207)], DARK, 2)
        case 1:
            canvas.shadow(x, 24, 256)
            canvas.oval(x - 6, 249, 17, 9, (150, 146, 142))
            canvas.oval(x + 16, 252, 10, 6, (176, 170, 164))
        case 2:
            for number in range(4):
                canvas.leaf(x - 24 + number * 12, 256 - number, 60, 20)
                canvas.leaf(x - 24 + number * 12, 256 - number, -40, 16, shade(LEAF, 1.3))
            canvas.line([(x - 32, 257), (x + 28, 251)], shade(LEAF, 0.8), 2)
        case _:
            canvas.shadow(x, 18, 255)
            canvas.bar(x - 16, 226, x + 12, 254, (222, 208, 188))
            canvas.shape(
                [(x + 12, 226), (x + 20, 220), (x + 20, 248), (x + 12, 254)], (196, 180, 158)
            )
            canvas.shape(
                [(x - 16, 226), (x - 8, 220), (x + 20, 220), (x + 12, 226)], (236, 226, 210)
            )
