"""Where the signed ends of the log are: at home, and in a place elsewhere that gets every end and reveals a log that lacks one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypedDict

from bitface.counted_words import counted
from bitface.dataset.files import write_atomically, write_once
from bitface.errors import InputError, IntegrityError
from bitface.ledger.entries import Checkpoint
from bitface.ports import CheckpointPlace
from bitface.steps.audits.checkpoint_files import (
    ERASED,
    FOLDER,
    NAME,
    generation_of,
    keep_checkpoint,
    latest_in,
    names_in,
    read_checkpoint,
    verified,
)

VARIABLE: Final = "BITFACE_CHECKPOINTS"
STAMP: Final = ".tsr"
"""Suffix of the file beside a checkpoint that proves when it existed."""
_LATER: Final = "the latest checkpoint is signed but not exported yet; the next command tries again"
_STATE: Final = "checkpoints-elsewhere.json"
_BELIEVED: Final = timedelta(minutes=10)
"""How long a use of a model need not compare with the other place again: a remote bucket is read once, and may be down for a while."""


class _State(TypedDict):
    """State of the place elsewhere: the last checkpoint exported to it, when, and when the log was last compared with it."""

    place: str
    last: str
    exported_at: str
    compared_at: str


_NOTHING: Final = _State(place="", last="", exported_at="", compared_at="")


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """Signed ends of an installation's log, in its home and in a place elsewhere, if there is one; implements `trust.SignedEnds`.

    `learn` adopts the erased people from a book and the name of the checkpoint that contains it; `warn` prints a line to the user of
    the command; `stamp`, if given, has an authority date a checkpoint.
    """

    home: Path
    place: CheckpointPlace | None
    learn: Callable[[Any, str], int]
    warn: Callable[[str], object]
    now: Callable[[], datetime]
    stamp: Callable[[bytes], bytes] | None = None
    _warned: set[str] = field(default_factory=set, compare=False, repr=False)

    def kept(self) -> Sequence[Checkpoint]:
        """The latest one that this installation signed, in its home or elsewhere.

        Other files are skipped: write access alone is not enough to make one, and additions cannot hide one.
        Erased people in one from elsewhere are adopted from then on: that can only restrict use.

        Raises:
            InputError: the place elsewhere cannot be read, or lacks what was exported to it.
        """
        elsewhere = self.latest_elsewhere()
        return tuple(one for one in (self.latest_in_home(), elsewhere) if one is not None)

    def latest_in_home(self) -> Checkpoint | None:
        """The latest one in home."""
        return latest_in(self.home / FOLDER, self.home)

    def latest_elsewhere(self) -> Checkpoint | None:
        """The latest one elsewhere; None if there is none. Raises what `kept` raises."""
        found = self.statement_elsewhere()
        return None if found is None else found[0]

    def statement_elsewhere(self) -> tuple[Checkpoint, dict[str, Any]] | None:
        """The same with its whole content."""
        if self.place is None:
            return None
        last = self._state()["last"]
        with self._named():
            names = [name for name in self.place.names(last) if NAME.fullmatch(name)]
        if last and last not in names:
            raise InputError(
                f"{VARIABLE} ({self.place.name}) lacks {last}, which was exported there; mount or restore that place, or name another"
            )
        for name in reversed(names):
            found = self._own(name)
            if found is not None:
                if name != last and ERASED in found[1]:
                    self.learn(found[1][ERASED], name)
                return found
        return None

    def _own(self, name: str) -> tuple[Checkpoint, dict[str, Any]] | None:
        """The content of a file elsewhere, if it is a checkpoint of this installation under its own name."""
        if self.place is None:
            return None
        with self._named():
            data = self.place.read(name)
        with suppress(InputError, IntegrityError):
            found = verified(data, name, self.home)
            return found if found[0].name == name else None
        return None

    def learn_elsewhere(self) -> None:
        """Adopts erasures recorded elsewhere; if they cannot be read, this is reported, and does not stop anything that restricts use."""
        try:
            self.latest_elsewhere()
        except InputError as error:
            self._warn_once(f"exported records of erasures could not be checked: {error}")

    def is_compared(self) -> bool:
        """Whether the log was compared with the place elsewhere in the last ten minutes; true if there is none."""
        if self.place is None:
            return True
        at = self._state()["compared_at"]
        return bool(at) and timedelta(0) <= self.now() - datetime.fromisoformat(at) < _BELIEVED

    def compared(self) -> None:
        """Records it, and makes up failed exports, now that the log is known to contain what is there."""
        if self.place is None:
            return
        self._remember(self.place, compared_at=self.now().isoformat(timespec="seconds"))
        try:
            self._export(self.place)
        except InputError as error:
            self._warn_once(f"{_LATER}: {error}")

    def sign(self, ended: Checkpoint, holds: Callable[[Checkpoint], bool]) -> Path:
        """Signs where the log ended, here and elsewhere; returns the file at home.

        A log that does not contain what is there exports nothing: it would hide it.
        """
        path = keep_checkpoint(ended, self.home, self.now())
        self._stamp(path)
        if self.place is not None:
            self._send(self.place, holds)
        return path

    def settle(self, holds: Callable[[Checkpoint], bool]) -> None:
        """Exports what was signed here and not exported yet, for example after a kill."""
        own = names_in(self.home / FOLDER)
        if self.place is not None and own and own[-1] > self._state()["last"]:
            self._send(self.place, holds)

    def _send(self, place: CheckpointPlace, holds: Callable[[Checkpoint], bool]) -> None:
        try:
            latest = self.latest_elsewhere()
            if latest is None or holds(latest):
                self._export(place)
            else:
                self._warn_once(
                    f"not exported, since {VARIABLE} has a different log: {counted(latest.size, 'entry', 'entries')} that this ledger lacks"
                )
        except InputError as error:
            self._warn_once(f"{_LATER}: {error}")

    def exported(self) -> str:
        """When a checkpoint was last exported to the place elsewhere; empty if none was."""
        return self._state()["exported_at"]

    def forgotten(self) -> str:
        """The place that this home exported to before, if none is configured now; empty if there was none."""
        return "" if self.place is not None else self._remembered()["place"]

    def check_writing(self) -> None:
        """Exports what is pending, and adds the latest once more, which changes nothing; only for a log that contains what is there.

        Raises:
            InputError: nothing can be written elsewhere.
        """
        own = names_in(self.home / FOLDER)
        if self.place is not None and own:
            self._export(self.place)
            with self._named():
                self.place.add(own[-1], (self.home / FOLDER / own[-1]).read_bytes())

    def _export(self, place: CheckpointPlace) -> None:
        """Exports what was signed here since the last export; only the latest if nothing was exported there before."""
        state = self._state()
        names = names_in(self.home / FOLDER)
        after = [name for name in names if name > state["last"]] if state["last"] else names[-1:]
        # What an older log signed before it was continued after a gap is not exported.
        new = [name for name in after if generation_of(name) == generation_of(names[-1])]
        for name in new:
            for path in (self.home / FOLDER / name, (self.home / FOLDER / name).with_suffix(STAMP)):
                if path.is_file():
                    with self._named():
                        place.add(path.name, path.read_bytes())
            self._check_there(place, name)
        at = self.now().isoformat(timespec="seconds")
        if new:
            self._remember(place, last=new[-1], exported_at=at, compared_at=at)

    def _check_there(self, place: CheckpointPlace, name: str) -> None:
        """Raises InputError if a place has other content under the name of our checkpoint, which it then did not keep."""
        found = self._own(name)
        if found is not None and found[0] == read_checkpoint(self.home / FOLDER / name, self.home):
            return
        raise InputError(
            f"{VARIABLE} ({place.name}) already has a different {name}; name a place that no other installation exports to"
        )

    def _remember(self, place: CheckpointPlace, **news: str) -> None:
        with suppress(OSError):  # with a read-only home, it is compared again each time
            write_atomically(self.home / _STATE, json.dumps({**self._state(), "place": place.name, **news}).encode())

    def _state(self) -> _State:
        found = self._remembered()
        return found if self.place is not None and found["place"] == self.place.name else _State(**_NOTHING)

    def _remembered(self) -> _State:
        try:
            found: _State = {**_NOTHING, **json.loads((self.home / _STATE).read_text(encoding="utf-8"))}
        except (OSError, ValueError, TypeError):
            return _State(**_NOTHING)
        return found

    def _stamp(self, path: Path) -> None:
        stamped = path.with_suffix(STAMP)
        if self.stamp is None or stamped.is_file():
            return
        try:
            write_once(stamped, self.stamp(path.read_bytes()))
        except InputError as error:
            self._warn_once(f"{path.name} has no time stamp; the next one covers it: {error}")

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self.warn(text)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Adds the name of the place to errors."""
        try:
            yield
        except InputError as error:
            name = self.place.name if self.place else ""
            raise InputError(f"{VARIABLE} ({name}) is not usable: {error}") from error
