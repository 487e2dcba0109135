"""One encrypted container per person, so that destroying one key erases the person.

A shard is a stored (uncompressed) ZIP with fixed dates: `header.json` in the clear (format version and pseudonym only),
every other entry AES-SIV (RFC 5297) with associated data = format version, pseudonym, entry name. SIV is deterministic:
unchanged people keep their bytes, and the dataset's version changes only if a person's data do.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from bitface.dataset.files import appearing
from bitface.dataset.manifest import recorded_digests
from bitface.errors import IntegrityError
from bitface.faces.records import SubjectRecord, is_synthetic

SHARD_FORMAT: Final = b"bitface-shard-v1"
_ENTRY_BYTES_MAX: Final = 512 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Shard:
    """The plain content of one person's shard: the record, sample id -> media container, sample id -> float32 (T, 52)
    facial actions as .npy bytes (synthetic people only), and the consent events that came with the person.
    """

    subject: SubjectRecord
    samples: Mapping[str, bytes]
    facial_actions: Mapping[str, bytes]
    consent_receipts: Sequence[Mapping[str, object]]
    content: Mapping[str, str] = field(default_factory=dict)
    """Sample id -> SHA-256 of the media container, as read; only for real people, whose digests are stored nowhere else."""
    looks: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    """Sample id -> looks of its pictures (`media.same_picture`); only for real people, and missing in shards of old versions."""


def shard_name(person: str) -> str:
    """The shard's path inside the dataset folder."""
    return f"shards/{person}.shard"


def drawn_shards(data: Path) -> dict[str, str]:
    """Person -> SHA-256 of the shard, from the manifest, for people in a dataset folder marked synthetic."""
    people = {
        PurePosixPath(name).stem: sha256
        for name, sha256 in recorded_digests(data).items()
        if name.startswith("shards/")
    }
    return {person: sha256 for person, sha256 in people.items() if is_synthetic(person)}


@dataclass(frozen=True)
class LazyMedia(Mapping[str, bytes]):
    """Sample id -> media container, read when it is asked for, so that a shard is written in the memory of one sample."""

    reads: Mapping[str, Callable[[], bytes]]
    """Sample id -> what reads its container."""

    def __getitem__(self, name: str) -> bytes:
        return self.reads[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self.reads)

    def __len__(self) -> int:
        return len(self.reads)


def write_shard(data: Path, shard: Shard, key: bytes) -> None:
    """Encrypts and writes a person's shard in one rename; `key` is 64 bytes."""
    person = shard.subject.person
    entries = {"subject": _json(asdict(shard.subject)), "consents": _json(list(shard.consent_receipts))}
    if not is_synthetic(person):
        digests = {name: hashlib.sha256(shard.samples[name]).hexdigest() for name in shard.samples}
        entries["digests"] = _json(digests)
        entries["looks"] = _json({name: [look.hex() for look in own] for name, own in shard.looks.items()})
    reads = {name: partial(entries.__getitem__, name) for name in entries}
    reads |= {f"samples/{name}": partial(shard.samples.__getitem__, name) for name in shard.samples}
    reads |= {
        f"facial_actions/{name}": partial(shard.facial_actions.__getitem__, name) for name in shard.facial_actions
    }
    with appearing(data / shard_name(person)) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as container:
        container.writestr(zipfile.ZipInfo("header.json"), _json({"format": SHARD_FORMAT.decode(), "person": person}))
        for name in sorted(reads):
            container.writestr(zipfile.ZipInfo(name), seal(reads[name](), key, person, name))


def read_shard(data: Path, person: str, key: bytes, media: bool = True) -> Shard:
    """Opens a person's shard; with `media=False` only the record, the receipts, the digests and the looks are decrypted.

    Raises:
        IntegrityError: the file is not a shard of this person, or an entry does not authenticate.
    """
    with _container(data, person) as container:
        names = [info.filename for info in container.infolist() if info.file_size <= _ENTRY_BYTES_MAX]
        plain = {
            name: unseal(container.read(name), key, person, name)
            for name in names
            if name in ("subject", "consents", "digests", "looks") or (media and "/" in name)
        }
    if "subject" not in plain or "consents" not in plain:
        raise IntegrityError(f"shard of person {person} has no subject record; `bitface doctor` says how to restore it")
    subject = SubjectRecord(**json.loads(plain["subject"]))
    if subject.person != person:
        raise IntegrityError(
            f"the shard of person {person} belongs to another person; `bitface doctor` says how to restore it"
        )
    return Shard(
        subject=subject,
        samples=_below("samples/", plain),
        facial_actions=_below("facial_actions/", plain),
        consent_receipts=json.loads(plain["consents"]),
        content=json.loads(plain.get("digests", b"{}")),
        looks={name: tuple(map(bytes.fromhex, own)) for name, own in json.loads(plain.get("looks", b"{}")).items()},
    )


def media_in(data: Path, person: str, key: bytes, kind: Literal["samples", "facial_actions"] = "samples") -> LazyMedia:
    """What is in a person's shard, each part decrypted when it is asked for; that raises IntegrityError where it does not authenticate.

    Raises:
        IntegrityError: the file is not a shard.
    """
    with _container(data, person) as container:
        infos = [info for info in container.infolist() if info.file_size <= _ENTRY_BYTES_MAX]
    names = [info.filename for info in infos if info.filename.startswith(f"{kind}/")]
    return LazyMedia({name.removeprefix(f"{kind}/"): partial(_entry, data, person, key, name) for name in names})


def _entry(data: Path, person: str, key: bytes, name: str) -> bytes:
    with _container(data, person) as container:
        return unseal(container.read(name), key, person, name)


@contextmanager
def _container(data: Path, person: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(data / shard_name(person)) as container:
            yield container
    except (OSError, zipfile.BadZipFile) as error:
        raise IntegrityError(
            f"shard of person {person} is not readable; `bitface doctor` says how to restore it"
        ) from error


def digest_of(media: bytes, person: str, key: bytes) -> str:
    """The digest of a sample outside its shard, 64 hexadecimal digits: for a real person an HMAC-SHA256 by the person's key, since a
    plain digest would let owners of the same picture find the person. It is useless after the key is destroyed.
    """
    if is_synthetic(person):
        return hashlib.sha256(media).hexdigest()
    return hmac.new(key, b"bitface sample digest, 1\0" + media, hashlib.sha256).hexdigest()


def seal(plain: bytes, key: bytes, person: str, name: str) -> bytes:
    """AES-SIV of one entry, bound to the format, the person and the entry's name."""
    return AESSIV(key).encrypt(plain, [SHARD_FORMAT, person.encode(), name.encode()])


def unseal(sealed: bytes, key: bytes, person: str, name: str) -> bytes:
    """The plain bytes of `seal`; raises IntegrityError if they do not authenticate."""
    try:
        return AESSIV(key).decrypt(sealed, [SHARD_FORMAT, person.encode(), name.encode()])
    except InvalidTag as error:
        raise IntegrityError(f"entry '{name}' of person {person} fails authentication; restore the shard") from error


def _below(prefix: str, entries: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name.removeprefix(prefix): data for name, data in entries.items() if name.startswith(prefix)}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
