"""Nothing that a media file claims is believed, and nothing it carries besides pixels goes further."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from bitface.adapters.media_files import (
    decode_frames,
    decode_image,
    encode_frames,
    read_image,
)
from bitface.errors import InputError, NotSupportedError, OverLimitError
from bitface.faces.media.clip_limits import CLIP_PIXELS_MAX, FRAMES_MAX
from bitface.faces.media.file_kinds import is_video

SENTINEL = b"SENTINEL-52N-13E"


def picture(seed=0, height=24, width=40):
    """A smooth colour picture, upper left corner dark."""
    rows, columns = np.mgrid[:height, :width]
    base = np.stack([rows * 6, columns * 5, (rows + columns) * 3], axis=-1) + seed
    return base.clip(0, 255).astype(np.uint8)


def saved(image, kind="PNG", **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def exif(orientation=1):
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = SENTINEL.decode()
    return tags.tobytes()


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_formats_give_their_exact_pixels(tmp_path, kind, options):
    path = tmp_path / "a.bin"
    path.write_bytes(saved(picture(), kind, **options))
    np.testing.assert_array_equal(read_image(path), picture())


def test_jpeg_gives_about_its_pixels():
    pixels = decode_image(saved(picture(), "JPEG", quality=95, subsampling=0), "a.jpg")
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - picture()).max() <= 8


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_other_8_bit_modes_become_rgb(mode):
    assert decode_image(saved(Image.fromarray(picture()).convert(mode)), "a").shape == (24, 40, 3)


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, picture()),
        (3, picture()[::-1, ::-1]),
        (6, np.rot90(picture(), -1)),
        (8, np.rot90(picture())),
    ],
)
def test_exif_orientation_is_applied(orientation, expected):
    np.testing.assert_array_equal(decode_image(saved(picture(), "PNG", exif=exif(orientation)), "a"), expected)


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_metadata_ends_at_the_door(kind, lossless):
    """EXIF, ICC profile and comment are in the file, and not in what is stored of it."""
    options = {"exif": exif(), "icc_profile": SENTINEL * 8}
    original = saved(picture(), kind, **options)
    if kind == "JPEG":
        original = original[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(SENTINEL)) + SENTINEL + original[2:]
    assert SENTINEL in original or SENTINEL in b"".join(bytes(v) for v in [exif()])
    stored = encode_frames([decode_image(original, "a")], lossless=lossless)
    assert SENTINEL not in stored
    assert b"Exif" not in stored
    assert b"ICC" not in stored


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"this is text, named like a picture\n" * 20,
        saved(picture(), "GIF"),
        saved(picture(), "TIFF")[:60],
        saved(picture(), "BMP"),
        saved(picture(), "PNG")[:-40],
        saved(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), "JPEG")[:2000],
        saved(picture(), "WEBP")[:60],
    ],
    ids=["empty", "text", "gif", "cut tiff", "bmp", "cut png", "cut jpeg", "cut webp"],
)
def test_what_is_no_readable_picture_is_refused_in_one_line_by_its_manifest_name(tmp_path, data):
    path = tmp_path / "secret-person" / "x.jpg"
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(
        InputError, match=r"is not a readable image; export it again|is in the format (GIF|BMP); export"
    ) as caught:
        read_image(path, "row-17.jpg")
    assert "'row-17.jpg'" in str(caught.value)
    assert "secret-person" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_tiff_that_is_not_compressed_is_read_to_the_pixel(mode):
    image = Image.fromarray(picture()).convert(mode)
    np.testing.assert_array_equal(decode_image(saved(image, "TIFF"), "a"), np.array(image.convert("RGB")))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_a_compressed_tiff_is_refused_before_it_is_unpacked(compression):
    """No decoder of a library runs on it, whatever it holds, and so no bomb can unpack."""
    with pytest.raises(InputError, match="is a compressed TIFF; export it as PNG"):
        decode_image(saved(picture(), "TIFF", compression=compression), "a")


def test_a_tiff_that_claims_more_than_the_limit_is_refused_before_it_is_held():
    small = saved(np.zeros((1, 7, 3), np.uint8), "TIFF")
    wide = small.replace(struct.pack("<HHIHH", 256, 4, 1, 7, 0), struct.pack("<HHII", 256, 4, 1, 26_000_000))
    wide = wide.replace(struct.pack("<HHIHH", 256, 3, 1, 7, 0), struct.pack("<HHII", 256, 4, 1, 26_000_000))
    assert wide != small
    with pytest.raises(InputError, match=r"over 25000000|more than 25000000"):
        decode_image(wide, "a")


def test_missing_file_is_refused_without_its_path(tmp_path):
    with pytest.raises(InputError, match=r"'a\.jpg' cannot be read") as caught:
        read_image(tmp_path / "person" / "a.jpg")
    assert "person" not in str(caught.value)


def test_folder_in_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_image(tmp_path)


def png_that_claims(width, height, depth=8, colour=2):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(5001, 5000), (10_000, 10_000), (20_000, 20_000), (2_000_000, 90)])
def test_decompression_bomb_is_refused_before_it_is_decoded(width, height):
    """Over our cap, over Pillow's warning, over Pillow's error: all three end as one line."""
    with pytest.raises(InputError, match="25") as caught:
        decode_image(png_that_claims(width, height), "bomb.png")
    assert "'bomb.png'" in str(caught.value)


def test_16_bit_picture_is_refused_instead_of_clipped():
    data = saved(Image.fromarray(np.full((8, 8), 40_000, np.uint16)), "PNG")
    with pytest.raises(InputError, match="8 bits a channel"):
        decode_image(data, "a.png")


def test_oversized_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("bitface.adapters.media_files.FILE_BYTES_MAX", 100)
    path = tmp_path / "a.png"
    path.write_bytes(bytes(101))
    with pytest.raises(InputError, match="101 bytes"):
        read_image(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_mutated_files_are_either_decoded_or_refused(kind):
    """200 mutations a format: bytes changed, cut out, and repeated. Nothing but InputError may come out."""
    random = np.random.default_rng(20)
    original = saved(picture(height=48, width=48), kind, exif=exif(6))
    outcomes = {"decoded": 0, "refused": 0}
    for _ in range(200):
        data = bytearray(original)
        for _ in range(random.integers(1, 12)):
            data[random.integers(0, min(len(data), random.choice([64, 4096])))] = random.integers(0, 256)
        if random.random() < 0.3:
            start = random.integers(0, len(data))
            del data[start : start + random.integers(1, 40)]
        try:
            assert decode_image(bytes(data), "m").ndim == 3
            outcomes["decoded"] += 1
        except InputError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 20


def test_lossless_frames_come_back_exactly():
    frames = np.stack([picture(seed) for seed in range(5)])
    np.testing.assert_array_equal(decode_frames(encode_frames(frames, lossless=True)), frames)


def test_lossy_frames_come_back_in_order_and_close():
    frames = [picture(seed * 20) for seed in range(12)]
    back = decode_frames(encode_frames(frames, lossless=False))
    assert back.shape == (12, 24, 40, 3)
    assert np.abs(back.astype(int) - np.stack(frames)).mean() < 2


@pytest.mark.parametrize("lossless", [True, False])
def test_same_frames_give_the_same_bytes(lossless):
    """Also from a view with other strides: the digest of a sample must not depend on how its pixels lay in memory."""
    frame = picture()
    strided = np.asfortranarray(frame)
    assert encode_frames([frame] * 2, lossless=lossless) == encode_frames([strided] * 2, lossless=lossless)


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [picture(), picture(height=25)],
        [picture()[..., 0]],
        [picture().astype(np.float32)],
    ],
    ids=["none", "two sizes", "grey", "float"],
)
def test_frames_that_are_no_clip_are_refused(frames):
    with pytest.raises(InputError):
        encode_frames(frames, lossless=True)


def test_too_many_frames_are_refused():
    tiny = np.zeros((1, 1, 3), np.uint8)
    with pytest.raises(InputError, match=str(FRAMES_MAX)):
        encode_frames([tiny] * (FRAMES_MAX + 1), lossless=True)


def zipped(entries, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return file.getvalue()


PNG = saved(picture())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no zip",
        encode_frames([picture()], lossless=True)[:-30],
        zipped([]),
        zipped([("../../escape.png", PNG)]),
        zipped([("0001.png", PNG)]),
        zipped([("0000.png", PNG), ("0001.jpg", PNG)]),
        zipped([("0000.png", bytes(10_000_000))], zipfile.ZIP_DEFLATED),
        zipped([(f"{number:04d}.png", b"") for number in range(FRAMES_MAX + 1)]),
    ],
    ids=["empty", "text", "cut", "no entry", "escaping", "gap", "mixed", "deflated bomb", "too many"],
)
def test_bytes_that_are_no_container_of_ours_are_refused(data):
    with pytest.raises(InputError, match="container of frames"):
        decode_frames(data)


def test_container_of_frames_of_two_sizes_is_refused():
    with pytest.raises(InputError, match="different sizes"):
        decode_frames(zipped([("0000.png", PNG), ("0001.png", saved(picture(height=30)))]))


def test_clip_whose_frames_are_too_many_pixels_is_refused_at_the_first_frame_over(monkeypatch):
    """Each frame is within its own limit, and all of them together are not."""
    data = encode_frames([picture()] * 4, lossless=True)
    monkeypatch.setattr("bitface.faces.media.clip_limits.CLIP_PIXELS_MAX", 24 * 40 * 3)
    with pytest.raises(InputError, match="cut or shrink"):
        decode_frames(data)
    assert CLIP_PIXELS_MAX == 64_000_000


def test_changed_byte_of_a_stored_frame_is_noticed():
    """Zip keeps a CRC of each entry: a damaged frame is an error, not a slightly different face."""
    data = bytearray(encode_frames([picture()], lossless=True))
    data[120] ^= 0xFF
    with pytest.raises(InputError):
        decode_frames(bytes(data))


def test_name_with_a_line_break_still_gives_one_line():
    with pytest.raises(InputError) as caught:
        decode_image(b"", "a.jpg\nfake log line")
    assert "\n" not in str(caught.value)


def test_containers_are_known_by_their_bytes():
    packets = b"".join(b"G" + bytes(187) for _ in range(3))
    of_camera = b"".join(bytes(4) + b"G" + bytes(187) for _ in range(3))
    old, branded = bytes(4) + b"wide" + bytes(504), bytes(4) + b"ftypisom" + bytes(500)
    assert all(map(is_video, (packets, of_camera, old, branded, b"\x1a\x45\xdf\xa3" + bytes(500))))
    assert not any(map(is_video, (b"G" + bytes(511), b"GGGG plain words", b"", bytes(4) + b"ftypheic" + bytes(500))))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_transparency_hides_is_not_read(mode):
    """A face under a transparent layer is in the file's bytes, and nobody who looks at the picture sees it."""
    shown = Image.fromarray(picture(height=32, width=32))
    shown.putalpha(Image.fromarray(np.pad(np.zeros((16, 16), np.uint8), 8, constant_values=255)))
    image = shown.quantize(64) if mode == "P" else shown.convert(mode)
    pixels = decode_image(saved(image), "a.png")
    assert (pixels[10:22, 10:22] == 255).all()
    assert (pixels[:8] < 250).any()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (png_that_claims(5001, 5000), OverLimitError),
        (png_that_claims(20_000, 20_000), OverLimitError),
        (saved(Image.fromarray(np.full((8, 8), 40_000, np.uint16)), "PNG"), NotSupportedError),
        (saved(picture(), "PNG")[:-40], InputError),
    ],
    ids=["a little too large", "bomb", "16 bit", "cut"],
)
def test_why_a_picture_is_not_read_has_a_kind(data, kind):
    with pytest.raises(InputError) as caught:
        decode_image(data, "a.png")
    assert type(caught.value) is kind
