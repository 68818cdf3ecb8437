"""The things in the sample catalog's pictures."""

from __future__ import annotations

import math

from catalog.drawings import COLORS, DARK, FLAME, GROUND, LEAF, Canvas, Color, Motif, shade, smooth

WOOD, CREAM, SLATE = COLORS["wood"], COLORS["cream"], COLORS["slate"]


def mug(c: Canvas, color: Color) -> None:
    c.shadow(200, 50)
    c.ring(246, 197, 25, 29, shade(color, 0.84), 9)
    c.turned(200, [(40, 0), (44, 6), (46, 50), (46, 94)], color, open=True)
    c.bar(154.5, 190, 245.5, 194, shade(color, 1.5))


def bowl(c: Canvas, color: Color) -> None:
    c.shadow(200, 62)
    c.turned(200, [(30, 0), (30, 7), (62, 26), (82, 58), (85, 70)], color, open=True)


def plates(c: Canvas, color: Color) -> None:
    c.shadow(200, 86)
    for number in range(3):
        y = GROUND - 4 - number * 9
        c.oval(200, y + 3, 88, 12, shade(color, 0.8))
        c.oval(200, y, 88, 12, shade(color, 1 + number * 0.12))
    c.oval(200, GROUND - 23, 60, 7, shade(color, 0.93))


def teapot(c: Canvas, color: Color) -> None:
    c.shadow(200, 66)
    c.ring(268, 195, 26, 27, shade(color, 0.84), 8)
    spout = smooth([(150, 205), (128, 190), (118, 164)])
    c.shape([*spout, (106, 160), (112, 196), (150, 230)], shade(color, 0.92))
    c.turned(200, [(40, 0), (62, 16), (66, 44), (50, 74), (30, 84)], color)
    c.oval(200, 161, 33, 7, shade(color, 1.3))
    c.oval(200, 152, 8, 8, shade(color, 0.8))


def kettle(c: Canvas, color: Color) -> None:
    c.ring(200, 150, 52, 50, DARK, 7)
    teapot(c, color)


def jar(c: Canvas, color: Color) -> None:
    c.shadow(200, 46)
    c.turned(200, [(42, 0), (46, 6), (46, 80), (36, 96), (34, 104)], color)
    c.bar(162, 128, 238, 144, WOOD, 5)
    c.bar(172, 178, 228, 212, CREAM, 3)
    c.line([(182, 190), (218, 190)], SLATE, 2)
    c.line([(188, 200), (212, 200)], SLATE, 2)


def vase(c: Canvas, color: Color) -> None:
    for x, top, angle in ((178, 66, 120), (200, 50, 95), (222, 72, 62)):
        c.line([(200, 150), (x, top)], shade(LEAF, 0.8), 2)
        for part in range(4):
            y = top + part * 16
            c.leaf(x + (200 - x) * part / 6, y, angle, 26, shade(LEAF, 1 + 0.2 * (part % 2)))
            c.leaf(x + (200 - x) * part / 6, y + 6, 180 - angle, 24)
    c.shadow(200, 40)
    c.turned(200, [(26, 0), (46, 30), (40, 66), (18, 88), (22, 102)], color, open=True)


def bottle(c: Canvas, color: Color) -> None:
    c.shadow(200, 32)
    c.turned(200, [(30, 0), (32, 6), (32, 92), (16, 116), (14, 126)], color)
    c.bar(184, 104, 216, 122, DARK, 4)
    c.bar(168, 176, 232, 181, shade(color, 1.5))


def board(c: Canvas, color: Color) -> None:
    c.shadow(200, 92)
    c.shape([(118, 246), (138, 110), (262, 110), (282, 246)], color)
    c.bar(186, 78, 214, 114, color, 8)
    c.oval(200, 91, 6, 6, shade(color, 0.6))
    for x in (158, 186, 222, 246):
        c.line([(x, 118), (x - (200 - x) * 0.16, 240)], shade(color, 0.9), 1.5)
    c.shape([(232, 140), (244, 140), (250, 216), (236, 226)], (214, 218, 222))
    c.bar(229, 96, 245, 142, DARK, 5)


def pan(c: Canvas, color: Color) -> None:
    c.shadow(180, 84)
    c.bar(250, 204, 350, 215, WOOD, 5)
    c.turned(180, [(64, 0), (72, 6), (80, 44)], color, open=True)


def lamp(c: Canvas, color: Color) -> None:
    c.shadow(200, 44)
    c.oval(200, 110, 96, 70, (250, 238, 206))
    c.turned(200, [(40, 0), (38, 6), (8, 12), (5, 40), (5, 96)], WOOD)
    c.shape([(168, 66), (232, 66), (262, 150), (138, 150)], color)
    c.shape([(218, 66), (232, 66), (262, 150), (234, 150)], shade(color, 0.88))
    c.oval(200, 150, 62, 7, shade(color, 1.8))


def lantern(c: Canvas, color: Color) -> None:
    c.shadow(200, 46)
    c.ring(200, 110, 32, 34, DARK, 4)
    c.bar(162, 142, 238, 236, (252, 232, 184), 4)
    c.oval(200, 196, 22, 30, (254, 244, 214))
    flame(c, 200, 214, 1.2)
    for x in (160, 198, 234):
        c.bar(x, 140, x + 5, 238, color)
    c.bar(152, 232, 248, 246, color, 4)
    c.shape([(152, 144), (176, 118), (224, 118), (248, 144)], color)


def flame(c: Canvas, x: float, y: float, size: float) -> None:
    edge = smooth([(0, 0), (9, -8), (6, -20), (0, -34), (-6, -20), (-9, -8), (0, 0)])
    c.shape([(x + a * size, y + b * size) for a, b in edge], FLAME)
    c.oval(x, y - 8 * size, 3.5 * size, 7 * size, (255, 240, 190))


def candles(c: Canvas, color: Color) -> None:
    for x, height, width in ((164, 96, 24), (222, 64, 30)):
        c.shadow(x, width + 8)
        c.turned(x, [(width, 0), (width, height)], color, open=True)
        c.line([(x, GROUND - height), (x, GROUND - height - 8)], DARK, 2)
        flame(c, x, GROUND - height - 5, 0.9)


def tent(c: Canvas, color: Color) -> None:
    c.shadow(200, 118)
    c.shape([(80, 246), (172, 110), (222, 246)], color)
    c.shape([(172, 110), (262, 116), (334, 238), (222, 246)], shade(color, 0.84))
    c.shape([(120, 246), (172, 110), (180, 246)], shade(color, 0.6))
    c.shape([(172, 110), (180, 246), (196, 246)], shade(color, 1.4))
    for start, end in (((172, 110), (60, 256)), ((262, 116), (356, 250))):
        c.line([start, end], DARK, 1.2)


def pack(c: Canvas, color: Color) -> None:
    c.shadow(200, 66)
    c.ring(200, 98, 16, 18, DARK, 5)
    c.bar(128, 180, 150, 240, shade(color, 0.8), 10)
    c.bar(250, 180, 272, 240, shade(color, 0.8), 10)
    c.bar(142, 98, 258, 247, color, 34)
    c.bar(142, 98, 258, 160, shade(color, 1.25), 32)
    c.bar(156, 184, 244, 240, shade(color, 0.88), 12)
    for x in (172, 222):
        c.bar(x, 140, x + 8, 190, WOOD, 2)
    c.line([(164, 200), (236, 200)], shade(color, 0.65), 2)


def boots(c: Canvas, color: Color) -> None:
    c.shadow(206, 84)
    for x, tone in ((36, 0.84), (0, 1.0)):
        upper = [(136, 110), (190, 108), (196, 170), (224, 196), (262, 208), (268, 236), (134, 236)]
        c.shape([(a + x, b) for a, b in smooth([*upper, upper[0]], 6)], shade(color, tone))
        c.bar(130 + x, 232, 272 + x, 247, shade(DARK, tone), 5)
        for number in range(4):
            y = 130 + number * 16
            c.line([(184 + x, y), (202 + x + number * 6, y + 4)], CREAM, 2.5)


def blanket(c: Canvas, color: Color) -> None:
    c.shadow(200, 96)
    for number, tone in enumerate((1.0, 1.25, 0.92, 1.4)):
        y = GROUND - 26 - number * 25
        c.bar(112 + number * 2, y, 288 - number * 2, y + 26, shade(color, tone), 12)
        c.bar(112 + number * 2, y + 10, 288 - number * 2, y + 13, shade(color, tone * 0.86))
    for number in range(15):
        c.line([(126 + number * 10.5, 244), (126 + number * 10.5, 256)], shade(color, 1.4), 1.6)


def cushion(c: Canvas, color: Color) -> None:
    c.shadow(200, 92)
    edge = [(114, 116), (200, 126), (286, 116), (278, 182), (288, 244), (200, 238), (112, 244)]
    c.shape(smooth([*edge, (122, 182), (114, 116)]), color)
    for number in range(-2, 3):
        x = 200 + number * 30
        c.line(
            smooth([(x - 4, 130), (x, 180), (x - 4, 232)]),
            shade(color, 1.45 - abs(number) * 0.1),
            5,
        )


def towels(c: Canvas, color: Color) -> None:
    c.shadow(200, 88)
    for x, y, tone in ((154, 217, 1.0), (214, 217, 1.3), (184, 165, 0.9)):
        c.bar(x, y - 28, x + 62, y + 28, shade(color, tone * 0.9), 20)
        c.oval(x, y, 28, 28, shade(color, tone))
        for radius in (21, 14, 7):
            c.ring(x, y, radius, radius, shade(color, tone * 0.78), 2)


def soap(c: Canvas, color: Color) -> None:
    c.shadow(200, 78)
    c.bar(116, 230, 284, 242, WOOD, 5)
    for x in (132, 252):
        c.bar(x, 238, x + 16, 248, shade(WOOD, 0.7), 2)
    c.bar(134, 176, 266, 231, color, 20)
    c.bar(134, 214, 266, 231, shade(color, 0.88), 14)
    c.bar(166, 176, 234, 231, CREAM)
    c.leaf(186, 216, 50, 34)


def plant(c: Canvas, color: Color) -> None:
    for angle, length in ((90, 96), (64, 92), (116, 92), (38, 78), (142, 78), (76, 70), (104, 70)):
        c.leaf(200, 176, angle, length, shade(LEAF, 0.9 + (angle % 3) * 0.25))
    c.shadow(200, 48)
    c.turned(200, [(36, 0), (48, 62)], color)
    c.bar(148, 168, 252, 188, shade(color, 1.1), 4)


def can(c: Canvas, color: Color) -> None:
    c.shadow(196, 74)
    c.ring(238, 172, 44, 46, shade(color, 0.8), 8)
    c.shape([(158, 226), (158, 206), (84, 132), (74, 140)], shade(color, 0.9))
    c.shape([(66, 146), (92, 118), (96, 124), (74, 150)], shade(color, 0.75))
    c.turned(200, [(50, 0), (50, 4), (46, 88)], color, open=True)


def trowel(c: Canvas, color: Color) -> None:
    c.shadow(214, 96, 250)
    c.shape(
        smooth([(92, 240), (128, 206), (190, 204), (196, 232), (140, 252), (92, 240)], 8), SLATE
    )
    c.line([(110, 240), (188, 218)], shade(SLATE, 1.6), 3)
    c.line([(190, 218), (232, 206)], DARK, 7)
    c.line([(232, 206), (312, 184)], color, 19)
    c.oval(310, 184, 3, 3, shade(color, 0.5))


def book(c: Canvas, color: Color) -> None:
    c.shadow(206, 82)
    c.bar(136, 92, 272, 246, shade(color, 0.8), 6)
    c.bar(140, 96, 268, 243, CREAM, 3)
    c.bar(128, 88, 262, 242, color, 6)
    c.bar(128, 88, 146, 242, shade(color, 0.82), 5)
    c.bar(236, 88, 243, 242, shade(color, 0.6))
    c.bar(166, 122, 220, 150, CREAM, 2)


def pencils(c: Canvas, color: Color) -> None:
    tones = (COLORS["ochre"], COLORS["clay"], COLORS["teal"], COLORS["plum"])
    for number, tone in enumerate(tones):
        x = 178 + number * 15
        tip = (x + (number - 1.5) * 14, 74.0 + 9 * (number % 2))
        c.line([(x, 180), tip], tone, 9)
        c.line([tip, (tip[0] + (number - 1.5) * 1.6, tip[1] - 12)], (236, 208, 170), 5)
    c.shadow(200, 42)
    c.turned(200, [(38, 0), (40, 84)], color)


def clock(c: Canvas, color: Color) -> None:
    c.shadow(200, 60)
    for x in (160, 240):
        c.line([(x, 226), (x + (x - 200) * 0.2, 244)], WOOD, 8)
    c.oval(200, 166, 74, 74, color)
    c.oval(200, 166, 62, 62, CREAM)
    for hour in range(12):
        turn = math.radians(hour * 30)
        c.oval(200 + 52 * math.sin(turn), 166 - 52 * math.cos(turn), 2.4, 2.4, SLATE)
    c.line([(200, 166), (224, 148)], DARK, 5)
    c.line([(200, 166), (184, 124)], DARK, 3.5)
    c.oval(200, 166, 5, 5, color)


def basket(c: Canvas, color: Color) -> None:
    c.ring(200, 150, 62, 68, shade(color, 0.75), 9)
    c.shadow(200, 78)
    c.turned(200, [(62, 0), (78, 36), (84, 84)], color, open=True)
    for row in range(5):
        y = GROUND - 10 - row * 15
        for column in range(-4, 5):
            x = 200 + column * 17 + (row % 2) * 8 - 4
            c.bar(x - 6, y, x + 6, y + 6, shade(color, 0.82), 3)


MOTIFS: dict[str, Motif] = {
    motif.__name__: motif
    for motif in (
        mug, bowl, plates, teapot, kettle, jar, vase, bottle, board, pan, lamp, lantern, candles,
        tent, pack, boots, blanket, cushion, towels, soap, plant, can, trowel, book, pencils,
        clock, basket,
    )
}  # fmt: skip
