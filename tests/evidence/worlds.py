"""What tests of whole histories stand on: a quick stand-in for DVC, commands in processes that are killed for real, drawn pictures, and
the order of an erasure without its retrain.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image
from sqlalchemy import Engine, event

from bitface.adapters.media_files import encode_frames
from bitface.consent.known_sources import Notice
from bitface.dataset.swap import version_of
from bitface.errors import BitfaceError
from bitface.ports import Forgotten, StorePlaces
from bitface.steps.audits import erase, erasure_begun, erasure_proof
from bitface.steps.people.writing import Stores, writing
from bitface.workspace import Workspace

NOTICE = Notice(notice_id="n1", language="en", text="We train a model on your picture.")
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - syncing a disk is not what is tested
WRITES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate")


class Store:
    """A stand-in for DVC that is quick: a version is the manifest's digest, the pin a file beside the folder."""

    def __init__(self, data: Path) -> None:
        self.data, self.pin_file = data, data.with_name("data.dvc")

    def pinned(self) -> str | None:
        return self.pin_file.read_text() if self.pin_file.is_file() else None

    def version(self) -> str:
        return version_of(self.data)

    def pin(self) -> str:
        self.pin_file.write_text(self.version())
        return self.version()

    keep = version

    def pull(self) -> bool:
        return False

    def restorable(self) -> bool:
        return True

    def forget(self, people: object) -> Forgotten:
        return Forgotten(objects=0)

    def places(self) -> StorePlaces:
        return StorePlaces(folders={}, of_others=frozenset(), not_searched=())


def workspace_in(root: Path) -> Workspace:
    """An installation from nothing."""
    return Workspace(
        root=root, home=root / "home", cache=root / "cache", data=root / "data", params=root / "params.yaml"
    )


def draw_pictures(folder: Path, number: int) -> dict[str, int]:
    """Draws pictures `0.png` and so on; the SHA-256 of what is stored of each -> its number."""
    folder.mkdir()
    found = {}
    for one in range(number):
        pixels = np.random.default_rng(one).integers(0, 255, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{one}.png")
        found[hashlib.sha256(encode_frames(pixels[None], lossless=True)).hexdigest()] = one
    return found


def finish_erasure(opened: erasure_begun.Opened, stores: Stores, place: Workspace, at: datetime) -> None:
    """The rest of an erasure that has begun, in the order of its flow."""
    with writing(stores, "test", 30) as writer:
        version = erase.leave_dataset(opened, writer)
    retrained = opened.journal.once("retrain", lambda: {"not_needed": "a test"})
    with writing(stores, "test", 30) as writer:
        erase.leave_dataset(opened, writer)
        tracking = SimpleNamespace(purge=lambda *_: 0)
        done = erase.destroy(opened, place, stores.keys, stores.store, tracking, ())
        removed = erasure_proof.Removed(destroyed=done, dataset_version=version, retrained=retrained)
        erasure_proof.prove(opened, removed, place, stores.store, stores.ledger, at)


def in_a_process_of_its_own(command: Callable[[], object], kill: int | None) -> int:
    """The exit code of a command, or minus the signal's number; `kill` is how many writes it may do."""
    return at_once([command], [kill])[0]


def at_once(commands: list[Callable[[], object]], kills: list[int | None]) -> list[int]:
    """The same of several commands, each in a process of its own."""
    children = [begun(command, kill) for command, kill in zip(commands, kills, strict=True)]
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def begun(command: Callable[[], object], kill: int | None) -> int:
    """The process of a command."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            dies_before_write(kill)
            command()
            code = 0
        except BitfaceError as error:
            code = error.exit_code
        except BaseException as error:  # noqa: BLE001 - a defect, which the exit code tells
            sys.excepthook(type(error), error, error.__traceback__)
        finally:
            sys.stderr.flush()
            os._exit(code)
    return child


def dies_before_write(number: int | None) -> None:
    """Counts what this process writes; it is killed before the write of that number."""
    left = [number if number is not None else 1_000_000]

    def count(*_: object) -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    def seen(name: str, words: tuple[object, ...]) -> None:
        if name in WRITES or (name == "open" and isinstance(words[2], int) and words[2] & (os.O_WRONLY | os.O_RDWR)):
            count()

    sys.addaudithook(seen)
    event.listen(Engine, "commit", count)
