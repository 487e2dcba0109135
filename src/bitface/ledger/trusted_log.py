"""The log behind the ledger: opened at first use, appended to in transactions, trusted only while it contains every end that was signed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, Select, Table, select

from bitface.consent.events import utc_text
from bitface.errors import IntegrityError
from bitface.ledger import chain, tables
from bitface.ledger import lost_logs as gaps
from bitface.ledger.engine import empty_engine, file_of, is_new_file, open_engine, reading, writing
from bitface.ledger.entries import ChainProblem, ChainReport, Checkpoint
from bitface.ledger.moments import moments_at, utc_now
from bitface.ledger.rows import is_new
from bitface.ledger.trust import Erased, FileState, Trust, none_erased, state_of

_SIGNED: Final = frozenset({"consents", "licence", "context", "erasure", "policy", "promotion", "gap"})
"""After entries of these kinds, which allow or end something, the end of the log is signed."""
_RESTORE: Final = "restore it from a backup"
GO_ON: Final = "restore the newer one; if that is lost for good, `bitface audit log --continue-from latest --why WHY` continues without it"


class TrustedLog:
    """A log of entries behind an SQLAlchemy URL; its subclasses record values in it and answer from it."""

    def __init__(self, url: str, clock: Callable[[], datetime] = utc_now, trust: Trust | None = None) -> None:
        """Only stores the URL; nothing is opened or created before the first use. `trust`: what is known about the ledger outside it."""
        self._url = url
        self._clock = clock
        self._trust = trust
        self._file = file_of(url)
        self._verified: FileState | None = None
        self._holds_ends = False
        self._left: Checkpoint | None = None
        self._opened: Engine | None = None
        self._empty: Engine | None = None

    def __enter__(self) -> Self:
        """The ledger itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the ledger."""
        self.close()

    def close(self) -> None:
        """Closes every connection; the next use opens the ledger again. The verification of its file is kept."""
        for engine in (self._opened, self._empty):
            if engine is not None:
                engine.dispose()
        self._opened = self._empty = None
        if self._trust is not None and self._verified is not None and self._verified != self._trust.noted():
            time.sleep(self._verified.settles_in_s)
            if self._verified == self._state():
                self._trust.note(self._verified)

    def sign_end(self) -> None:
        """Signs the current end of the log and exports it, if this ledger has places for that."""
        if self._trust is not None:
            self._trust.ends.sign(self.checkpoint(), self.holds)

    def holds(self, kept: Checkpoint) -> bool:
        """Whether the log contains what a checkpoint from elsewhere states."""
        with reading(self._to_read) as connection:
            return not chain.against(connection, kept)

    def kept_ends(self) -> Sequence[Checkpoint]:
        """The signed ends of the log, here and elsewhere. Raises InputError if the other place cannot be read."""
        return self._trust.ends.kept() if self._trust is not None else ()

    def continue_after(self, gap: gaps.Gap) -> bool:
        """Continues after a newer log was lost for good. Raises what `gaps.continue_after` raises."""
        with self._appending() as connection:
            return gaps.continue_after(connection, gap, self._clock())

    def gaps(self) -> tuple[gaps.Gap, ...]:
        """The gaps that this log was continued after, oldest first."""
        with reading(self._to_read) as connection:
            return gaps.recorded(connection)

    def check_intact(self) -> None:
        """Called before any access is granted: raises IntegrityError if the log or a row that it covers was altered, or if the
        log does not contain a checkpoint that was signed, here or elsewhere.
        """
        with self._trusting():
            pass

    def checkpoint(self) -> Checkpoint:
        """The current end of the log; kept elsewhere, it lets `verify_chain` detect a cut or a rewrite."""
        with reading(self._to_read) as connection:
            return chain.checkpoint(connection)

    def verify_chain(self, kept: Checkpoint | None = None) -> ChainReport:
        """Recomputes every digest of the log and its rows, and compares with a kept checkpoint."""
        with reading(self._to_read) as connection:
            return chain.verify(connection, kept)

    def latest_entry_at(self) -> datetime | None:
        """The latest timestamp of any entry of the log, None if there is none."""
        with reading(self._to_read) as connection:
            return chain.latest_at(connection)

    def moments(self, at: datetime) -> tuple[datetime, ...]:
        """The moments at which a consent or an approval must hold to count at `at`: that one and, if the log has a later time, then that
        one as well. So a clock that is set back revives nothing that had ended, and a fast one starts nothing early.
        """
        with reading(self._to_read) as connection:
            return moments_at(connection, at)

    @property
    def _engine(self) -> Engine:
        if self._opened is None:
            self._opened = open_engine(self._url)
        return self._opened

    @property
    def _to_read(self) -> Engine:
        """The engine; an empty one in memory if nothing was ever recorded, so that a query creates no file."""
        if self._opened is not None or not is_new_file(self._url):
            return self._engine
        if self._empty is None:
            self._empty = empty_engine()
        return self._empty

    @property
    def _erased(self) -> Erased:
        return self._trust.erased if self._trust is not None else none_erased

    @contextmanager
    def _trusting(self) -> Iterator[Connection]:
        """A transaction that reads one state of a ledger whose integrity was checked."""
        kept = self._ends_to_compare()  # before anything is locked: the other place may be slow
        before = self._state()
        try:
            with reading(self._to_read) as connection:
                connection.execute(select(tables.schema.c.version)).first()  # from here on, one state is read
                self._check(connection, before, kept)
                yield connection
        finally:
            self._sign_left()
            self._report_compared()

    @contextmanager
    def _appending(self) -> Iterator[Connection]:
        """The right to append. A verified file stays verified if no other process wrote meanwhile."""
        before: FileState | None = None
        ended: Checkpoint | None = None

        def written(is_only_writer: bool) -> None:
            self._verified = self._state() if is_only_writer and self._is_known(before) else None

        try:
            with writing(self._engine, written) as connection:
                before, size = self._state(), chain.checkpoint(connection).size
                yield connection
                ended, self._left = self._to_sign(connection, size), None
        finally:
            self._sign_left()  # if the write is refused
        if self._trust is not None and ended is not None:
            self._trust.ends.sign(ended, self.holds)
        elif self._trust is not None:
            self._trust.ends.settle(self.holds)
        self._report_compared()

    def _ends_to_compare(self) -> Sequence[Checkpoint] | None:
        """The signed ends of the log; None if it was compared with them recently and has not been touched since."""
        if self._trust is None or (self._is_known(self._state()) and self._trust.ends.is_compared()):
            return None
        return self._trust.ends.kept()

    def _to_sign(self, connection: Connection, size: int) -> Checkpoint | None:
        """The current end of the log, if something was allowed or ended since length `size` or since the last end signed here: a command
        may have been killed before signing. A log that does not contain what was signed here signs nothing: it is an older one that was
        restored, and would be taken for the newest once it is longer.
        """
        signed_end = self._trust.ends.latest_in_home() if self._trust else None
        since = size if signed_end is None else min(size, signed_end.size)
        is_older = signed_end is not None and bool(chain.against(connection, signed_end))
        if is_older or not chain.kinds_after(connection, since) & _SIGNED:
            return None
        return chain.checkpoint(connection)

    def _check(self, connection: Connection, before: FileState | None, kept: Sequence[Checkpoint] | None) -> None:
        now = self._state()
        is_known = now == before and self._is_known(now)
        if not is_known:
            _refuse(chain.verify(connection).problems, _RESTORE)
            kept = self.kept_ends() if kept is None else kept
        for checkpoint in kept or ():
            _refuse(chain.against(connection, checkpoint), GO_ON)
        self._holds_ends = kept is not None
        if is_known:
            return
        # An end that is not signed yet is not noted: if this command is killed too, the next one finds it again.
        self._left = self._to_sign(connection, 0)
        if now is not None and now == before == self._state():
            self._verified = now
            if self._trust is not None and self._left is None:
                self._trust.note(now)

    def _sign_left(self) -> None:
        """Signs and exports an end of the log that a killed command left unsigned; only if the log contains the signed ends."""
        left, self._left = self._left, None
        if self._trust is not None and left is not None:
            with suppress(OSError):  # if home is read-only now, a later command signs
                self._trust.ends.sign(left, self.holds)

    def _report_compared(self) -> None:
        """Outside of transactions: exports that failed before are tried again, and may be slow."""
        if self._trust is not None and self._holds_ends:
            self._trust.ends.compared()
        self._holds_ends = False

    def _is_known(self, state: FileState | None) -> bool:
        """Whether the file was verified in this state, by this process or an earlier one."""
        if state is None:
            return False
        return state == self._verified or (self._trust is not None and state == self._trust.noted())

    def _state(self) -> FileState | None:
        return None if self._file is None else state_of(self._file)

    def _record_once(self, kind: str, table: Table, row: Mapping[str, Any], stamp: str) -> bool:
        with self._appending() as connection:
            if not is_new(connection, table, row):
                return False
            stamped = {**row, stamp: utc_text(self._clock())}
            chain.append(connection, kind, row, {table: [stamped]}, self._clock())
        return True

    def _rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        with reading(self._to_read) as connection:
            return connection.execute(query).mappings().all()

    def _row(self, table: Table, condition: ColumnElement[bool]) -> RowMapping | None:
        return next(iter(self._rows(select(table).where(condition))), None)


def _refuse(problems: Sequence[ChainProblem], remedy: str) -> None:
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise IntegrityError(
            f"the ledger is not as bitface wrote it: entry {problems[0].seq} {problems[0].what}{more}; bitface refuses to use it. "
            f"`bitface audit log` lists every problem; {remedy}"
        )
