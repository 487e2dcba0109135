"""Media files as attackers make them: damaged anywhere, unpacking to more than a machine has, and full of what nobody should learn."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from tests.clips import acted, encoded

PICTURES = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")
VIDEOS = ("mp4", "mkv", "webm", "flv")
SECRET = "SENTINEL7f3a"  # noqa: S105 - a word to look for
Mutation = Callable[[bytearray, np.random.Generator], None]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(seed: int, side: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8))


def seeds(folder: Path) -> dict[str, bytes]:
    """One good file of each kind."""
    found = {kind: saved(noise(1), kind) for kind in PICTURES}
    found |= {"JPEG, progressive": saved(noise(2), "JPEG", progressive=True, exif=b"Exif\0\0" + exif_of("x").tobytes())}
    found |= {"PNG, of a palette": saved(noise(3).quantize(), "PNG", transparency=3)}
    for ending in VIDEOS:
        found[ending] = encoded(folder / f"seed.{ending}", acted(count=12, apex=6)).read_bytes()
    return found


def _flip(data: bytearray, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(1, 16)):
        data[rng.integers(len(data))] = rng.integers(256)


def _flip_head(data: bytearray, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(1, 8)):
        data[rng.integers(min(len(data), 96))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])


def _cut(data: bytearray, rng: np.random.Generator) -> None:
    del data[rng.integers(len(data)) :]


def _leave_out(data: bytearray, rng: np.random.Generator) -> None:
    at = rng.integers(len(data))
    del data[at : at + rng.integers(1, 400)]


def _repeat(data: bytearray, rng: np.random.Generator) -> None:
    at, size = rng.integers(len(data)), rng.integers(1, 2000)
    data[at:at] = bytes(data[at : at + size]) * int(rng.integers(1, 40))


def _huge_number(data: bytearray, rng: np.random.Generator) -> None:
    at = rng.integers(max(1, len(data) - 8))
    data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f"])


def _nothing(data: bytearray, rng: np.random.Generator) -> None:
    at = rng.integers(len(data))
    data[at : at + 500] = bytes(len(data[at : at + 500]))


MUTATIONS: tuple[Mutation, ...] = (_flip, _flip_head, _cut, _leave_out, _repeat, _huge_number, _nothing)


def mutated(good: dict[str, bytes], count: int) -> Iterator[tuple[str, bytes]]:
    """Kind and bytes: each kind damaged in each way, over and over, and every ninth with the head of another."""
    kinds = list(good)
    for number in range(count):
        rng = np.random.default_rng([7, number])
        kind = kinds[number % len(kinds)]
        data = bytearray(good[kind])
        if number % 9 == 0:
            data[: rng.integers(64)] = good[kinds[rng.integers(len(kinds))]][: rng.integers(64)]
        for _ in range(rng.integers(1, 4)):
            if data:
                MUTATIONS[rng.integers(len(MUTATIONS))](data, rng)
        yield kind, bytes(data)


def picture_bombs() -> Iterator[tuple[str, bytes]]:
    """Small files that say or hold more than there is room or time for."""
    flat = Image.new("L", (8, 8))
    png = saved(flat, "PNG")
    yield "PNG of 60,000 x 60,000", _png(60_000, 60_000, zlib.compress(bytes(20 << 20), 9))
    yield "PNG that is longer than it says", _png(100, 100, zlib.compress(bytes(120 << 20), 9))
    yield "PNG of 25 megapixels", saved(Image.new("RGBA", (4999, 4999)), "PNG")
    yield "PNG of 25 megapixels, on its side", saved(Image.new("RGBA", (4999, 4999)), "PNG", exif=turned())
    yield "PNG with 120 MB of text", _behind_head(png, b"zTXt", b"a\0\0" + zlib.compress(bytes(120 << 20), 9))
    yield "PNG with a profile of 120 MB", _behind_head(png, b"iCCP", b"a\0\0" + zlib.compress(bytes(120 << 20), 9))
    yield "PNG of 100,000 parts", png[:33] + _chunk(b"tEXt", b"") * 100_000 + png[33:]
    yield "PNG that is animated", saved(flat, "PNG", save_all=True, append_images=[Image.new("L", (8, 8), 9)] * 900)
    jpeg = saved(Image.new("L", (16, 16)), "JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    yield "JPEG of 65,500 x 65,500", jpeg[:at] + struct.pack(">HH", 65_500, 65_500) + jpeg[at + 4 :]
    slow = saved(Image.new("L", (5000, 5000)), "JPEG", progressive=True)
    end = slow.rindex(b"\xff\xd9")
    yield "JPEG of 40,000 scans", slow[:end] + slow[slow.rindex(b"\xff\xda") : end] * 40_000 + slow[end:]
    yield "JPEG of 5,000 comments", jpeg[:2] + (b"\xff\xfe\xff\xff" + bytes(65_533)) * 500 + jpeg[2:]
    yield "JPEG whose Exif is a circle", saved(flat, "JPEG", exif=_circle())
    yield (
        "GIF of 65,535 x 65,535",
        b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\2\1\0\0;",
    )
    yield "GIF that is animated", saved(flat, "GIF", save_all=True, append_images=[Image.new("L", (8, 8), 9)] * 900)
    webp = saved(Image.new("RGB", (8, 8)), "WEBP", lossless=True)
    yield "WebP of 16,383 x 16,383", webp[:21] + b"\xff" * 4 + webp[25:]
    yield "WebP of 25 megapixels", saved(Image.new("RGBA", (4999, 4999)), "WEBP", quality=1, method=0)
    tiff = saved(Image.new("RGB", (4000, 4000)), "TIFF", compression="tiff_deflate")
    yield "TIFF that is compressed", tiff
    yield "TIFF of more than it holds", _tiff(5000, 5000)
    yield "TIFF of 60,000 x 60,000", _tiff(60_000, 60_000)
    yield "TIFF whose directory is a circle", b"II*\0\x08\0\0\0\0\0\x08\0\0\0"
    yield (
        "BMP of 30,000 x 30,000",
        b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 30_000, 30_000, 1, 24, 0, 0, 0, 0, 0, 0),
    )
    yield "gzip", gzip.compress(bytes(50 << 20))
    yield "nothing", b""
    yield "one byte", b"\xff"


def video_bombs(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The same of videos; scripts for the decoder among them, which would have it open other files."""
    mp4 = encoded(folder / "a.mp4", acted(count=8)).read_bytes()
    flat = [np.zeros((2160, 3840, 3), np.uint8)] * 2
    yield "mkv of 8 megapixels", encoded(folder / "b.mkv", flat).read_bytes()
    for box in (b"moov", b"mdat", b"stsz", b"stco", b"stts", b"trun"):
        if box in mp4:
            at = mp4.index(box)
            yield f"mp4 whose {box.decode()} is endless", mp4[: at - 4] + b"\xff\xff\xff\xff" + mp4[at:]
            yield f"mp4 of 2^31 in {box.decode()}", mp4[: at + 8] + b"\x7f\xff\xff\xff" * 2 + mp4[at + 16 :]
    yield "mp4 in itself", mp4[: mp4.index(b"moov") - 4] + (b"\0\0\x10\0moov" * 500) + mp4
    yield "list of files", b"ffconcat version 1.0\nfile /etc/passwd\n"
    yield "playlist", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    yield "picture", saved(noise(4), "PNG")
    yield "nothing", b""


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _behind_head(png: bytes, name: bytes, data: bytes) -> bytes:
    return png[:33] + _chunk(name, data) + png[33:]


def _png(width: int, height: int, packed: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _tiff(width: int, height: int) -> bytes:
    tags = (
        (256, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 200),
        (277, 1),
        (278, height),
        (279, width * height),
    )
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value & 0xFFFFFFFF) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + rows + bytes(200)


def _circle() -> bytes:
    """An Exif whose directory is its own sub-directory and its own next one."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + struct.pack("<I", 8)


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def exif_of(secret: str) -> Image.Exif:
    """Who, where and with what: also a maker's note and a thumbnail with words of its own."""
    exif = Image.Exif()
    for tag in (0x010E, 0x010F, 0x0131, 0x013B, 0x8298):
        exif[tag] = secret
    exif[0x9C9B] = exif[0x9C9C] = secret.encode("utf-16-le")
    own = exif.get_ifd(0x8769)
    own |= {
        0x927C: b"maker " + secret.encode(),
        0x9286: b"ASCII\0\0\0" + secret.encode(),
        0xA430: secret,
        0xA431: secret,
    }
    gps = exif.get_ifd(0x8825)
    gps |= {1: "N", 2: (52.0, 31.0, 12.5), 3: "E", 4: (13.0, 24.0, 17.9), 27: secret.encode(), 29: "2026:01:02"}
    return exif


def xmp_of(secret: str) -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>{secret}</dc:creator></x:xmpmeta>'.encode()


def iptc_of(secret: str) -> bytes:
    """Photoshop's part of a file, with a caption and a place as IPTC has them."""
    told = secret.encode()
    data = b"".join(b"\x1c\x02" + bytes([field]) + struct.pack(">H", len(told)) + told for field in (80, 90, 120))
    return b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)


def telling(number: int, folder: Path) -> tuple[str, bytes, str]:
    """The ending, the bytes and the secret of a good file that holds it wherever its kind has room for words."""
    secret = f"{SECRET}-{number:05d}"
    kind = ("jpg", "png", "webp", "tiff", "mp4", "mkv")[number % 6]
    if kind in VIDEOS:
        return kind, _telling_video(folder / f"telling.{kind}", secret, number), secret
    image, exif, xmp, profile = noise(number), exif_of(secret), xmp_of(secret), b"icc " + secret.encode() * 9
    if kind == "jpg":
        thumbnail = saved(noise(number, 16), "JPEG", comment=secret)
        data = saved(image, "JPEG", quality=95, exif=exif, xmp=xmp, icc_profile=profile, comment=secret)
        data = data[:2] + _segment(0xED, iptc_of(secret)) + _segment(0xE1, b"Exif\0\0" + thumbnail) + data[2:]
        return kind, data + secret.encode() + thumbnail, secret
    if kind == "png":
        text = PngImagePlugin.PngInfo()
        text.add_text("Author", secret)
        text.add_text("Comment", secret * 50, zip=True)
        text.add_itxt("Title", secret, zip=False)
        text.add(b"prVt", secret.encode())
        return kind, saved(image, "PNG", pnginfo=text, exif=exif, icc_profile=profile) + secret.encode(), secret
    if kind == "webp":
        return kind, saved(image, "WEBP", lossless=True, exif=exif.tobytes(), xmp=xmp, icc_profile=profile), secret
    tags = ImageFileDirectory_v2()
    for tag in (269, 270, 271, 285, 305, 315, 316, 33432):
        tags[tag] = secret
    tags[700], tags[33723] = xmp, iptc_of(secret)
    return kind, saved(image, "TIFF", tiffinfo=tags, icc_profile=profile), secret


def _segment(code: int, data: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(data) + 2) + data


def _telling_video(path: Path, secret: str, seed: int) -> bytes:
    path.unlink(missing_ok=True)
    with av.open(
        str(path), "w", options={"movflags": "use_metadata_tags"} if path.suffix == ".mp4" else {}
    ) as container:
        for name in ("title", "artist", "comment", "location", "copyright", "com.apple.quicktime.location.ISO6709"):
            container.metadata[name] = secret
        stream = container.add_stream("libx264", rate=25)
        stream.metadata["handler_name"] = stream.metadata["title"] = secret
        stream.width = stream.height = 48
        stream.pix_fmt = "yuv420p"
        for pixels in acted(seed, count=6, apex=3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(_even(pixels), format="rgb24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def _even(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels[:48, :48])
