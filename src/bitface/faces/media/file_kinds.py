"""Detects a file's type from its first bytes, because file names can be wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

READ: Final = ("JPEG", "PNG", "WEBP", "TIFF")
"""The kinds of pictures that are decoded. Each further decoder is one more way in for a hostile file, so of TIFF only what is not
compressed is read, as JAFFE is published: that takes no decoder.
"""
HEAD_BYTES: Final = 64
"""So many first bytes tell a kind."""
VIDEO_HEAD_BYTES: Final = 512
"""So many tell a video, whose stream may repeat its mark every 188 or 192 bytes."""


@dataclass(frozen=True, kw_only=True)
class FileKind:
    """A kind's common name, and whether its files are single pictures or videos."""

    name: str
    medium: Literal["picture", "video"]


_NAMED_JPEG: Final = ("jpg", "jpeg", "jpe", "jfif")
_NAMED_PICTURE: Final = (
    *("png", "webp", "gif", "bmp", "heic", "heif", "avif", "jxl", "jp2", "psd", "svg", "ico", "exr"),
    *("pgm", "ppm", "pbm", "dng", "raw", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf"),
)
_NAMED_VIDEO: Final = (
    *("avi", "m4v", "mkv", "mov", "mp4", "webm", "mpg", "mpeg", "wmv", "flv", "3gp", "mts", "m2ts", "ogv"),
)
_BY_NAME: Final = {
    **dict.fromkeys(_NAMED_JPEG, FileKind(name="JPEG", medium="picture")),
    **dict.fromkeys(("tif", "tiff"), FileKind(name="TIFF", medium="picture")),
    **{ending: FileKind(name=ending.upper(), medium="picture") for ending in _NAMED_PICTURE},
    **{ending: FileKind(name=ending.upper(), medium="video") for ending in _NAMED_VIDEO},
}
# Of ISO media files (ISO/IEC 14496-12) the brand tells still pictures from videos.
_STILL_BRANDS: Final = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    b"crx ": "CR3",
}
_PICTURES: Final = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("WEBP", rb"RIFF.{4}WEBP"),
    ("GIF", rb"GIF8[79]a"),
    # "BM" alone begins many a text; the size of a BMP's second header is one of a few.
    ("BMP", rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00"),
    ("TIFF", rb"II[\x2a\x2b]\x00|MM\x00[\x2a\x2b]"),
    ("JPEG XL", rb"\x00\x00\x00\x0cJXL \r\n\x87\n|\xff\x0a"),
    ("JPEG 2000", rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    ("PSD", rb"8BPS\x00[\x01\x02]"),
    ("ICO", rb"\x00\x00\x01\x00[^\x00]\x00"),
    ("OpenEXR", rb"v/1\x01"),
    ("SVG", rb"\s*(<\?xml.*)?<svg\s"),
    ("Netpbm", rb"P[1-6]\s+[#\d]"),
)
_VIDEOS: Final = (
    ("Matroska or WebM", rb"\x1a\x45\xdf\xa3"),
    ("AVI", rb"RIFF.{4}AVI "),
    ("MPEG", rb"\x00\x00\x01[\xb3\xba]"),
    ("WMV", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    ("FLV", rb"FLV\x01"),
    ("Ogg", rb"OggS\x00.{22}.*theora"),
)
_CONTAINERS: Final = {
    "MP4 or MOV": "mov",
    "Matroska or WebM": "matroska",
    "AVI": "avi",
    "MPEG": "mpeg",
    "WMV": "asf",
    "FLV": "flv",
    "Ogg": "ogg",
}


def kind_of(head: bytes) -> FileKind | None:
    """The kind of a file with these first `HEAD_BYTES` bytes; None where it is neither picture nor video, or none that is known."""
    if head[4:8] == b"ftyp":
        still = _STILL_BRANDS.get(head[8:12])
        return FileKind(name=still, medium="picture") if still else FileKind(name="MP4 or MOV", medium="video")
    for name, pattern in _PICTURES:
        if re.match(pattern, head, re.DOTALL):
            return FileKind(name=name, medium="picture")
    for name, pattern in _VIDEOS:
        if re.match(pattern, head, re.DOTALL):
            return FileKind(name=name, medium="video")
    return None


def is_video(head: bytes) -> bool:
    """Whether a file with these first `VIDEO_HEAD_BYTES` bytes is a video by them, and not only by its name."""
    kind = kind_of(head[:HEAD_BYTES])
    return (kind is not None and kind.medium == "video") or _is_quicktime(head) or _is_transport_stream(head)


def container_of(head: bytes) -> str | None:
    """FFmpeg's name for the container of a video with these first `VIDEO_HEAD_BYTES` bytes; None where it is no video.

    Named, so that no reader of playlists, scripts or devices is tried on a file.
    """
    if _is_transport_stream(head):
        return "mpegts"
    if not is_video(head):
        return None
    kind = kind_of(head[:HEAD_BYTES])
    return "mov" if kind is None else _CONTAINERS[kind.name]


def _is_quicktime(head: bytes) -> bool:
    """QuickTime of before there were brands begins with one of these atoms."""
    return kind_of(head[:HEAD_BYTES]) is None and head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def _is_transport_stream(head: bytes) -> bool:
    """ISO/IEC 13818-1: packets of 188 bytes, each begun by 0x47; a camera's have 4 bytes of time before them."""
    return any(
        [head[at : at + 1] for at in (start, start + size, start + 2 * size)] == [b"G"] * 3
        for start, size in ((0, 188), (4, 192))
    )


def kind_by_name(suffix: str) -> FileKind | None:
    """What a file claims to be by the end of its name, such as ``.HEIC``; None where that is neither picture nor video."""
    return _BY_NAME.get(suffix.lower().removeprefix("."))
