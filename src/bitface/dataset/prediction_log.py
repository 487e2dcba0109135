"""What predictions keep on request, for a limited time: features and scores, never a face, a path or a name.

One encrypted file per call of `predict --log` in a folder per day; a day's key is destroyed with it, which makes every
copy of that day in caches and backups unreadable. A face has a pseudonym for the day, an HMAC of the picture under the day's key: it
shows that a picture was read twice, and nothing after the key is destroyed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from bitface.dataset.files import write_atomically
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import seal, unseal
from bitface.errors import IntegrityError

_ENTRY: Final = "predictions"
_PSEUDONYM_DIGITS: Final = 16


@dataclass(frozen=True, kw_only=True)
class LoggedFace:
    """A face that a model read. `face` is its pseudonym for the day, `model` the bundle's digest, `values` numbers by column."""

    face: str
    at: str
    purpose: str
    context: str
    model: str
    values: Mapping[str, float]


class PredictionLog:
    """The log below `folder`; days are those of UTC."""

    def __init__(self, folder: Path, keys: KeyStore) -> None:
        self._folder, self._keys = folder, keys

    def pseudonym(self, picture_sha256: str, number: int, at: datetime) -> str:
        """The pseudonym of the face with that number in a picture, on that day."""
        key = self._keys.key_of_day(_day_of(at))
        return hmac.new(key, f"{picture_sha256} {number}".encode(), hashlib.sha256).hexdigest()[:_PSEUDONYM_DIGITS]

    def append(self, faces: Sequence[LoggedFace], at: datetime) -> None:
        """Stores the faces of one call, all or none; several processes may do so at once."""
        if not faces:
            return
        day = _day_of(at)
        plain = json.dumps([asdict(face) for face in faces], separators=(",", ":"), allow_nan=False).encode()
        sealed = seal(plain, self._keys.key_of_day(day), day.isoformat(), _ENTRY)
        write_atomically(self._folder / day.isoformat() / f"{secrets.token_hex(8)}.sealed", sealed)

    def since(self, start: datetime) -> tuple[LoggedFace, ...]:
        """Faces read at `start` or later, earliest first, see `distinct`.

        Raises:
            IntegrityError: a file was altered, or its day's key is missing.
        """
        faces = [face for path in self._files(_day_of(start)) for face in self._read(path)]
        recent = (face for face in faces if datetime.fromisoformat(face.at) >= start)
        return tuple(sorted(recent, key=lambda face: (face.at, face.face)))

    def forget(self, before: date) -> int:
        """Destroys the keys of earlier days, then their files; returns how many days were removed."""
        kept = {date.fromisoformat(path.name) for path in self._days()} | set(self._keys.days())
        expired = sorted(day for day in kept if day < before)
        for day in expired:
            self._keys.destroy_day(day)
            shutil.rmtree(self._folder / day.isoformat(), ignore_errors=True)
        return len(expired)

    def _files(self, first: date) -> Iterable[Path]:
        days = (path for path in self._days() if date.fromisoformat(path.name) >= first)
        return (file for path in days for file in sorted(path.glob("*.sealed")))

    def _days(self) -> list[Path]:
        return sorted(self._folder.glob("????-??-??"))

    def _read(self, path: Path) -> list[LoggedFace]:
        day = date.fromisoformat(path.parent.name)
        if day not in self._keys.days():
            raise IntegrityError(
                f"the key of the predictions of {day} is missing; delete that folder, or restore the key"
            )
        plain = unseal(path.read_bytes(), self._keys.key_of_day(day), day.isoformat(), _ENTRY)
        return [LoggedFace(**entry) for entry in json.loads(plain)]


def distinct(faces: Iterable[LoggedFace]) -> tuple[LoggedFace, ...]:
    """Each face of a day once, as last read: reading a picture again adds no new face."""
    return tuple({(face.at[:10], face.face): face for face in faces}.values())


def first_day_kept(at: datetime, days: int) -> date:
    """The earliest day of a log that keeps `days` days in addition to today."""
    return _day_of(at) - timedelta(days=days)


def _day_of(at: datetime) -> date:
    return at.astimezone(UTC).date()
