"""What is a picture, and how it is made smaller: Pillow's work, to be done off the event loop."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageOps

from bus.messages import Refused

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 40_000_000

FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
"""What Pillow calls the formats that browsers show, and their media types."""

WIDTHS = (160, 320, 640, 1280)
"""The widths, in pixels, in which pictures are served besides their own."""


class Checked(NamedTuple):
    """What a picture's content says of itself, size in pixels as it is shown."""

    digest: str
    media_type: str
    width: int
    height: int


def digest_of(content: bytes) -> str:
    """The name under which a content is kept once."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def check(content: bytes) -> Checked:
    """Decode a picture to the end; refused with `not_a_picture` and `picture_too_large`."""
    if len(content) > MAX_BYTES:
        raise Refused(
            "picture_too_large",
            f"the picture has {len(content)} bytes and may have {MAX_BYTES}: make it smaller",
        )
    try:
        with Image.open(BytesIO(content), formats=tuple(FORMATS)) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:  # said by its header: nothing is unpacked yet
                raise too_many_pixels(f"{width} x {height}")
            picture.load()
            if picture.getexif().get(ORIENTATION, 1) >= LYING:
                width, height = height, width
            media_type = FORMATS[picture.format or ""]
    except Refused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_many_pixels("far more") from None
    except Exception as error:  # a broken file breaks a decoder in many ways
        raise Refused(
            "not_a_picture", f"this is no PNG, JPEG or WebP that can be shown ({error})"
        ) from None
    return Checked(digest_of(content), media_type, width, height)


ORIENTATION = 0x0112
"""The EXIF tag that says which side is up; from 5 on, width and height change places."""
LYING = 5


def too_many_pixels(size: str) -> Refused:
    """The refusal of a picture that would take too much memory to show."""
    return Refused(
        "picture_too_large",
        f"the picture has {size} pixels and may have {MAX_PIXELS}: make it smaller",
    )


def fitting(asked: int | None, own: int) -> int | None:
    """The width to serve when `asked` is wanted; `None` for the picture as it is."""
    if asked is None:
        return None
    return next((width for width in WIDTHS if asked <= width < own), None)


def thumbnail(content: bytes, width: int) -> bytes:
    """The picture in that width, as WebP."""
    with Image.open(BytesIO(content), formats=tuple(FORMATS)) as picture:
        upright = ImageOps.exif_transpose(picture)
        height = max(1, round(upright.height * width / upright.width))
        plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
        small = plain.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
        out = BytesIO()
        small.save(out, "WEBP", quality=82, method=4)
    return out.getvalue()
