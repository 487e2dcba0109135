"""Pictures that are made to exhaust a machine: by memory, or by the time of one pass over them after another."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from bitface.adapters import media_files
from bitface.adapters.media_files import decode_image
from bitface.errors import InputError, OverLimitError
from bitface.faces.media.jpeg_scans import SCANS_MAX, scans_of

PEAK = """
import resource, sys
from bitface.adapters.media_files import decode_image
data = open(sys.argv[1], "rb").read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert decode_image(data, "x").shape == (4999, 4999, 3)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def oriented(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def progressive(side: int = 40) -> tuple[bytes, bytes]:
    """A progressive JPEG, and the last of its scans."""
    data = saved(Image.fromarray(np.arange(side * side, dtype=np.uint8).reshape(side, side)), "JPEG", progressive=True)
    return data, data[data.rindex(b"\xff\xda") : data.rindex(b"\xff\xd9")]


def test_a_jpeg_of_more_scans_than_anybody_needs_is_refused_before_it_is_decoded() -> None:
    """Each scan is decoded over all of the pixels: 42 bytes cost 13 ms at 25 megapixels, and a file may have 64 MiB."""
    data, scan = progressive()
    end = data.rindex(b"\xff\xd9")
    own = scans_of(data)
    assert 5 < own < SCANS_MAX
    most = data[:end] + scan * (SCANS_MAX - own) + data[end:]
    assert scans_of(most) == SCANS_MAX
    assert decode_image(most, "x").shape == (40, 40, 3)
    with pytest.raises(OverLimitError, match="'x' has more than 100 scans; export it again as JPEG"):
        decode_image(data[:end] + scan * (SCANS_MAX + 1 - own) + data[end:], "x")


@pytest.mark.parametrize("place", ["thumbnail", "comment", "after the end"])
def test_what_is_no_scan_of_the_picture_is_not_counted(place: str) -> None:
    """A thumbnail, text, and the film that some telephones put behind a picture."""
    data, scan = progressive()
    many = scan * 2 * SCANS_MAX
    if place == "after the end":
        assert decode_image(data + many, "x").shape == (40, 40, 3)
    else:
        marker = b"\xff\xe1" if place == "thumbnail" else b"\xff\xfe"
        segment = marker + (len(many) + 2).to_bytes(2, "big") + many
        assert scans_of(data[:2] + segment + data[2:]) == scans_of(data)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\xd8", b"\xff\xda", b"\xff\xda\x00\x00" * 3, b"\xff\xd8\xff\xe0\xff\xff"]
)
def test_scans_of_what_is_no_jpeg_are_counted_to_its_end(data: bytes) -> None:
    assert scans_of(data) <= 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_picture_read_by_strips_is_the_picture_read_at_once(monkeypatch, mode: str, orientation: int) -> None:
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 256, (33, 21, 4), dtype=np.uint8)).convert(
        "RGB" if mode == "CMYK" else mode
    )
    kind = "JPEG" if mode == "CMYK" else "TIFF" if mode == "PA" else "PNG"
    data = saved(image.convert(mode), kind, exif=oriented(orientation), **({"transparency": 7} if mode in "LP" else {}))
    whole = decode_image(data, "x")
    assert whole.shape == ((33, 21, 3) if orientation == 1 else (21, 33, 3))
    for pixels in (1, 50, 400):
        monkeypatch.setattr(media_files, "_STRIP_PIXELS", pixels)
        assert np.array_equal(decode_image(data, "x"), whole)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("lossless", [True, False])
def test_a_large_webp_has_the_pixels_that_pillow_reads(
    monkeypatch, mode: str, orientation: int, lossless: bool
) -> None:
    """OpenCV reads it in a third of the memory; both read by libwebp."""
    pixels = np.random.default_rng(5).integers(0, 256, (90, 61, len(mode)), dtype=np.uint8)
    pixels[:20, :, -1] = 255
    data = saved(Image.fromarray(pixels, mode), "WEBP", lossless=lossless, exif=oriented(orientation))
    small = decode_image(data, "x")
    monkeypatch.setattr(media_files, "_LARGE_WEBP_PIXELS", 100)
    assert np.array_equal(decode_image(data, "x"), small)
    for damaged in (data[: len(data) // 2], data[:60] + bytes(40) + data[100:]):
        with suppress(InputError):
            assert decode_image(damaged, "x").shape == small.shape


def test_a_large_animated_webp_is_refused(monkeypatch) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    assert decode_image(data, "x").shape == (30, 40, 3)
    monkeypatch.setattr(media_files, "_LARGE_WEBP_PIXELS", 100)
    with pytest.raises(OverLimitError, match="animated"):
        decode_image(data, "x")


@pytest.mark.parametrize(("mode", "kind"), [("RGBA", "PNG"), ("P", "PNG"), ("RGBA", "WEBP"), ("RGB", "JPEG")])
def test_a_picture_of_25_megapixels_takes_less_than_300_megabytes(tmp_path, mode: str, kind: str) -> None:
    """On its side, and transparent: it was there four times in full once."""
    (tmp_path / "bomb").write_bytes(saved(Image.new(mode, (4999, 4999)), kind, exif=oriented(6)))
    told = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / "bomb")], capture_output=True, text=True, check=True
    )
    assert int(told.stdout) < 300 << 10
