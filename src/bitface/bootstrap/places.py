"""Opens the stores of an installation: dataset versions, keys, the ledger, and its checkpoints elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from bitface.adapters.dvc_store import DvcStore
from bitface.dataset.decryptions import HEAD, DecryptionLog
from bitface.dataset.keys import KeyStore
from bitface.dataset.master_key import given_master_keys
from bitface.errors import InputError
from bitface.ledger.ledger import Ledger
from bitface.ledger.moments import utc_now
from bitface.ledger.trust import Trust
from bitface.ports import CheckpointPlace, Door
from bitface.project import project_root
from bitface.steps.audits.audit import DECRYPTIONS
from bitface.steps.audits.checkpoints import STAMP, Checkpoints
from bitface.surroundings import user_name
from bitface.terminal_text import shown
from bitface.workspace import Workspace, open_workspace

_NAMED: Final = {"BITFACE_HOME", "BITFACE_DATA"}


def workspace() -> Workspace:
    """The workspace that the environment names; where it is elsewhere, and nothing named it, that is said once."""
    root = project_root()
    if not Path.cwd().is_relative_to(root) and not _NAMED & os.environ.keys():
        _say_where(root)
    return open_workspace(os.environ, root)


@cache
def _say_where(root: Path) -> None:
    sys.stderr.write(f"note: this folder is in no project, so the command works on the one in {shown(str(root))}\n")


def open_store(place: Workspace) -> DvcStore:
    """The versions of the dataset folder; nothing is opened yet."""
    return DvcStore(place.data, place.root, place.home)


def open_keys(place: Workspace) -> KeyStore:
    """The key store: its master key from the environment or a command, if set; every opening of a real person's key is logged."""
    purpose = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])
    log = DecryptionLog(place.home / DECRYPTIONS, place.keys / HEAD, user_name(), purpose, utc_now)
    given = cache(partial(given_master_keys, os.environ))  # a command that prints it may be slow
    return KeyStore(place.keys, given, log.opened, beside=place.data)


def open_doors() -> tuple[Door, ...]:
    """Every port that a process of ours listens on now, and how it lets unauthorized clients in."""
    from bitface.adapters.servers.port_probe import open_ports

    return open_ports(os.environ.get("PREFECT_API_URL"))


def open_ledger(place: Workspace) -> Ledger:
    """The ledger: SQLite in the workspace, or the SQLAlchemy URL in BITFACE_LEDGER_URL; signed ends of its log in home and in
    BITFACE_CHECKPOINTS, and the book of the erased, which reveals a ledger that is older than an erasure.
    """
    trust = Trust(
        note=place.home / "ledger.verified",
        key=place.keys / "ledger.key",
        ends=open_checkpoints(place),
        erased=open_keys(place).erased_of,
    )
    return Ledger(os.environ.get("BITFACE_LEDGER_URL") or place.ledger_url, trust=trust)


def open_checkpoints(place: Workspace) -> Checkpoints:
    """Signed ends of the log, in home and in BITFACE_CHECKPOINTS, dated by BITFACE_TIMESTAMPS; nothing is opened yet."""
    return Checkpoints(
        home=place.home,
        place=_checkpoint_place(os.environ.get("BITFACE_CHECKPOINTS", ""), place.home),
        learn=lambda book, name: open_keys(place).learn_suppressed(book, name),
        warn=lambda text: sys.stderr.write(f"warning: {shown(text)}\n"),
        now=utc_now,
        stamp=_stamp(os.environ.get("BITFACE_TIMESTAMPS", "")),
    )


def places_elsewhere() -> dict[str, str]:
    """The variables that make a later flow compare with the same place; its credentials (AWS_..., an ssh key) are not passed on."""
    names = ("BITFACE_CHECKPOINTS", "BITFACE_TIMESTAMPS", "BITFACE_TIMESTAMPS_CA")
    return {name: os.environ[name] for name in names if name in os.environ}


def stamp_of(checkpoint: Path) -> list[dict[str, Any]]:
    """When a checkpoint existed according to its time stamp, a record for an auditor; empty if there is no stamp.

    Raises:
        InputError: BITFACE_TIMESTAMPS_CA names no certificate. IntegrityError: the stamp is not that authority's or not of these bytes.
    """
    stamp = checkpoint.with_suffix(STAMP)
    if not stamp.is_file():
        return []
    from bitface.adapters.time_stamps import stamped_at

    at = stamped_at(stamp.read_bytes(), checkpoint.read_bytes(), os.environ.get("BITFACE_TIMESTAMPS_CA", ""))
    return [{"kind": "time stamp", "file": stamp.name, "at": at.isoformat()}]


def _stamp(authority: str) -> Callable[[bytes], bytes] | None:
    """Requests time stamps from an authority; None if none is named."""

    def stamp(data: bytes) -> bytes:
        from bitface.adapters.time_stamps import stamp_over

        return stamp_over(data, authority)

    return stamp if authority else None


def _checkpoint_place(setting: str, home: Path) -> CheckpointPlace | None:
    """A folder, s3://bucket/prefix, git+file:///repository or git+ssh://host/repository; None if nothing is set."""
    if not setting:
        return None
    if setting.startswith("s3://"):
        from bitface.adapters.checkpoint_places.s3 import S3Place

        return S3Place(setting)
    if setting.startswith(("git+file://", "git+ssh://")):
        from bitface.adapters.checkpoint_places.git import GitPlace

        return GitPlace(setting.removeprefix("git+"), home / "checkpoints.git")
    if "://" in setting:
        raise InputError(
            f"BITFACE_CHECKPOINTS begins with '{setting.partition('://')[0][:20]}://'; name a folder, s3://bucket/prefix, "
            "git+file:///folder/repository.git or git+ssh://host/repository.git"
        )
    from bitface.adapters.checkpoint_places.folder import FolderPlace

    return FolderPlace(Path(setting).expanduser().absolute())
