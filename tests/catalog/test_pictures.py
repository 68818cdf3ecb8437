"""What is a picture, and what is made of it."""

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from bus.messages import Refused
from catalog import pictures
from catalog.pictures import check, fitting, thumbnail


def drawn(format: str = "PNG", size: tuple[int, int] = (40, 30), **extra: object) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, "teal").save(out, format, **extra)
    return out.getvalue()


@pytest.mark.parametrize(
    ("format", "media_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")],
)
def test_a_picture_is_known_by_its_content(format: str, media_type: str) -> None:
    checked = check(drawn(format))
    assert checked[1:] == (media_type, 40, 30)
    assert checked.digest == pictures.digest_of(drawn(format))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg/>",
        b"<html><script>alert(1)</script>",
        drawn("GIF"),
        drawn("TIFF"),
        drawn()[:-30],
        drawn("JPEG")[:200],
        drawn("WEBP")[:-20],
        b"\x89PNG\r\n\x1a\n" + bytes(100),
    ],
)
def test_what_cannot_be_shown_is_no_picture(content: bytes) -> None:
    with pytest.raises(Refused) as refused:
        check(content)
    assert refused.value.code == "not_a_picture"


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7_000, 10_000, 50_000])
def test_a_decompression_bomb_is_not_unpacked(side: int) -> None:
    with pytest.raises(Refused) as refused:
        check(bomb(side, side))
    assert refused.value.code == "picture_too_large"


def test_a_picture_of_too_many_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 10)
    with pytest.raises(Refused, match="make it smaller"):
        check(drawn())


def test_a_picture_is_never_enlarged() -> None:
    assert fitting(None, 800) is None
    assert fitting(1, 800) == 160
    assert fitting(161, 800) == 320
    assert fitting(700, 800) is None
    assert fitting(9000, 10_000) is None
    assert fitting(160, 160) is None


def test_a_thumbnail_keeps_the_shape() -> None:
    with Image.open(BytesIO(thumbnail(drawn(size=(800, 600)), 160))) as small:
        assert (small.format, small.size) == ("WEBP", (160, 120))


def test_a_picture_taken_upright_is_shown_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = drawn("JPEG", (400, 300), exif=exif)
    assert check(lying)[2:] == (300, 400)
    with Image.open(BytesIO(thumbnail(lying, 160))) as small:
        assert small.size == (160, 213)
