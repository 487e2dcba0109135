"""The file of a gate's bundle: a zip of which every byte counts, so that a touched one shows whatever was touched."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bitface.dataset.plain_files import read_named
from bitface.errors import InputError, IntegrityError, OverLimitError

BYTES_MAX: Final = 512 * 1024 * 1024
UNREADABLE: Final = (
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a zip that was touched raises: a flag of encryption and an unknown method are a RuntimeError."""
_FIXED_TIME: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3


def packed(members: Mapping[str, bytes]) -> bytes:
    """Members as a zip, by name, not compressed and without a time: the same members are the same bytes, whoever packs them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _FIXED_TIME)
            entry.create_system = _UNIX
            archive.writestr(entry, members[name], zipfile.ZIP_STORED)
    return buffer.getvalue()


def unpacked(data: bytes, name: str) -> dict[str, bytes]:
    """The members of a zip, in memory: nothing is extracted.

    Raises:
        IntegrityError: it unpacks to more than a bundle of a gate may have. What `UNREADABLE` names: it is not a zip.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = sum(member.file_size for member in archive.infolist())
        if size > BYTES_MAX:
            raise IntegrityError(f"'{name}' unpacks to {size} bytes, more than {BYTES_MAX}; it is not a gate bundle")
        return {member: archive.read(member) for member in archive.namelist()}


def read_members(path: Path) -> tuple[bytes, dict[str, bytes]]:
    """A file's bytes and its members. Raises what `unpacked` raises; IntegrityError, too, if it cannot be read."""
    try:
        data = read_named(path, BYTES_MAX)
    except OverLimitError as error:
        raise IntegrityError(f"'{path.name}' has more than {BYTES_MAX} bytes; it is not a gate bundle") from error
    except InputError as error:
        raise IntegrityError(f"{error}; it is not a gate bundle") from error
    return data, unpacked(data, path.name)
