"""Turns image files into pixels and samples into bytes, and believes nothing that a file says about itself."""

from __future__ import annotations

import io
import logging
import struct
import threading
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bitface.counted_words import counted
from bitface.dataset.plain_files import PICTURE_BYTES, read_plain
from bitface.errors import InputError, NotSupportedError, OverLimitError
from bitface.faces.media.clip_limits import FRAMES_MAX, check_clip
from bitface.faces.media.file_kinds import HEAD_BYTES, READ, kind_of
from bitface.faces.media.jpeg_scans import SCANS_MAX, scans_of

PIXELS_MAX: Final = 25_000_000
"""Of one image: 75 MB as RGB. A PNG of 10 KB can claim more than three times as much."""
FILE_BYTES_MAX: Final = PICTURE_BYTES

_JPEG_QUALITY: Final = 92
_STRIP_PIXELS: Final = 1 << 20
_LARGE_WEBP_PIXELS: Final = 6_000_000
"""From here on Pillow's reader of WebP, which holds a picture four times while it reads, would take more than 100 MB."""
# 8 bits a channel; wider modes would be clipped silently on their way to RGB.
_MODES: Final = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
# All that Pillow's decoders were seen to raise on damaged files.
_DECODER_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
# Warning filters belong to the process: two threads that swap them at once could leave ours in place.
_WARNINGS_LOCK: Final = threading.Lock()
# Fixed, because a clip's digest must not depend on when it was written; zip knows nothing before 1980.
_DATE: Final = (1980, 1, 1, 0, 0, 0)


def read_image(path: Path, name: str | None = None, below: Path | None = None) -> NDArray[np.uint8]:
    """The pixels of a JPEG, PNG, WEBP or uncompressed TIFF file, upright; the first frame of an animated one.

    Args:
        path: a plain file, and no link.
        name: what an error may call it, such as its name in the manifest; the file's own name when None.
        below: a folder that it lies in, from which on no part of the path may be a link.

    Returns:
        uint8 (H, W, 3) RGB. EXIF orientation is applied, transparent parts are white, and all metadata is dropped.

    Raises:
        InputError: not such a file, a link, damaged, over 64 MiB or 25 megapixels, more than 8 bits a channel, or a compressed TIFF.
    """
    label = name or path.name
    data = read_plain(path, repr(label), FILE_BYTES_MAX, below)
    return decode_image(data, label)


def decode_image(data: bytes, name: str) -> NDArray[np.uint8]:
    """As `read_image`, from bytes; `name` is what an error calls them."""
    try:
        with _strict_warnings(), Image.open(io.BytesIO(data), formats=READ) as image:
            _check_header(image, name)
            if image.format in ("JPEG", "MPO") and scans_of(data) > SCANS_MAX:
                raise OverLimitError(f"{name!r} has more than {SCANS_MAX} scans; export it again as JPEG")
            own = _large_webp(image, data, name) if image.format == "WEBP" else image
            ImageOps.exif_transpose(own, in_place=True)
            return _pixels(own)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise OverLimitError(f"{name!r} has more than {PIXELS_MAX} pixels; make it smaller") from error
    except _DECODER_ERRORS as error:
        kind = kind_of(data[:HEAD_BYTES])
        if kind is not None and kind.name not in READ:
            raise NotSupportedError(f"{name!r} is in the format {kind.name}; export it as {', '.join(READ)}") from error
        remedy = f"export it again as {', '.join(READ)} of at most {PIXELS_MAX // 10**6} megapixels"
        raise InputError(f"{name!r} is not a readable image; {remedy}") from error


def encode_frames(frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], *, lossless: bool) -> bytes:
    """Packs the frames of one sample into bytes that are the same each time.

    Args:
        frames: T arrays uint8 (H, W, 3) RGB of one size, or one array (T, H, W, 3).
        lossless: PNG for pictures of people, whose pixels are evidence; else JPEG, quality 92, 4:4:4.

    Raises:
        InputError: no frame, too many frames or pixels, or frames of different sizes or another type.
    """
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1:
        raise InputError(
            f"a sample has {counted(len(frames), 'frame')} of {len(shapes)} sizes; give frames of one size"
        )
    shape = next(iter(shapes))
    if len(shape) != 3 or shape[2] != 3 or any(frame.dtype != np.uint8 for frame in frames):
        raise InputError(f"frames of shape {shape} are not uint8 (height, width, 3)")
    check_clip(len(frames), len(frames) * shape[0] * shape[1])
    container = io.BytesIO()
    with zipfile.ZipFile(container, "w", zipfile.ZIP_STORED) as archive:
        for number, frame in enumerate(frames):
            entry = zipfile.ZipInfo(_entry_name(number, lossless), _DATE)
            # Which system wrote an entry is a byte of the archive too.
            entry.create_system = 3
            archive.writestr(entry, _encoded(frame, lossless))
    return container.getvalue()


def decode_frames(data: bytes) -> NDArray[np.uint8]:
    """The frames that `encode_frames` packed, uint8 (T, H, W, 3).

    Raises:
        InputError: not such bytes, or more than 512 frames or 64 megapixels in all.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            encoded = [archive.read(entry) for entry in entries]
    except (zipfile.BadZipFile, *_DECODER_ERRORS, NotImplementedError, RuntimeError) as error:
        raise InputError(
            "a sample's bytes are not a container of frames; `bitface doctor` says how to restore it"
        ) from error
    frames: list[NDArray[np.uint8]] = []
    pixels = 0
    for number, part in enumerate(encoded):
        frame = decode_image(part, f"frame {number}")
        pixels += frame.shape[0] * frame.shape[1]
        check_clip(len(entries), pixels)
        frames.append(frame)
    if len({frame.shape for frame in frames}) != 1:
        raise InputError("a sample's frames are of different sizes; import it again")
    return np.stack(frames)


@contextmanager
def _strict_warnings() -> Iterator[None]:
    """A bomb is an error; grumbling about metadata is not heard, because metadata is dropped."""
    # Of a damaged TIFF it says on standard error what it raises a moment later.
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    with _WARNINGS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _large_webp(image: Image.Image, data: bytes, name: str) -> Image.Image:
    """The picture itself, if it is not large; else its pixels by OpenCV, which holds them once, with what it says of its orientation."""
    if image.width * image.height <= _LARGE_WEBP_PIXELS:
        return image
    if getattr(image, "is_animated", False):
        raise OverLimitError(
            f"{name!r} is animated and has more than {_LARGE_WEBP_PIXELS} pixels; export one frame of it"
        )
    import cv2

    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise OSError("not decoded") from error
    if decoded is None or decoded.shape[:2] != (image.height, image.width):
        raise OSError("not decoded")
    order = cv2.COLOR_BGRA2RGBA if decoded.shape[2] == 4 else cv2.COLOR_BGR2RGB
    large = Image.fromarray(cv2.cvtColor(decoded, order, dst=decoded))
    large.getexif().load(image.info.get("exif") or b"")
    return large


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """What is seen, some rows at a time: a copy of a picture of 25 megapixels in another mode takes 100 MB."""
    seen = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        strip = image if rows >= image.height else image.crop((0, top, image.width, bottom))
        seen[top:bottom] = np.asarray(_as_seen(strip))
    return seen


def _as_seen(image: Image.Image) -> Image.Image:
    """RGB on white: what a picture hides by transparency must not be read, and what it shows must not change."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layers = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")


def _check_header(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > PIXELS_MAX:
        raise OverLimitError(f"{name!r} has {width} x {height} pixels, over {PIXELS_MAX}; make it smaller")
    if image.mode not in _MODES:
        raise NotSupportedError(f"{name!r} has pixels of mode {image.mode}; export it with 8 bits a channel")
    if image.format == "TIFF" and image.info.get("compression") != "raw":
        raise NotSupportedError(f"{name!r} is a compressed TIFF; export it as PNG, or as TIFF without compression")


def _check_entries(entries: Sequence[zipfile.ZipInfo]) -> None:
    """Before anything is read: a container of ours is stored, in order, and no larger than it says."""
    names = [entry.filename for entry in entries]
    ours = [[_entry_name(number, lossless) for number in range(len(names))] for lossless in (True, False)]
    if not names or len(names) > FRAMES_MAX or names not in ours:
        raise zipfile.BadZipFile("entries are not numbered frames")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.file_size > FILE_BYTES_MAX for entry in entries):
        raise zipfile.BadZipFile("an entry is compressed or too large")


def _entry_name(number: int, lossless: bool) -> str:
    return f"{number:04d}.{'png' if lossless else 'jpg'}"


def _encoded(frame: NDArray[np.uint8], lossless: bool) -> bytes:
    # From the array and not from a file: what an image file carried besides its pixels ends here.
    image = Image.fromarray(np.ascontiguousarray(frame))
    file = io.BytesIO()
    if lossless:
        image.save(file, "PNG", compress_level=6)
    else:
        image.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return file.getvalue()
