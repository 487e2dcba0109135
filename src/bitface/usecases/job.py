"""One request in progress: its tools, its purpose, and its course so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from bitface.errors import BitfaceError
from bitface.ledger.leases import Lease
from bitface.steps.people.lease import holding
from bitface.steps.people.names_removed import names_removed
from bitface.steps.retrain.course import Course
from bitface.steps.retrain.plan import Run
from bitface.steps.versions.shown.tracked_run import traced
from bitface.usecases.reconciling import close_interrupted, reconciled
from bitface.usecases.tools import Tools


@dataclass(frozen=True, kw_only=True)
class Job:
    """The last argument of every stage; `course` records how it went."""

    tools: Tools
    purpose: str
    context: str
    course: Course = field(default_factory=Course)
    lease: list[Lease] = field(default_factory=list)
    begun: list[Run] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Opens progress and the ledger for a run, and closes both."""
        with self.tools.progress, self.tools.ledger:
            yield

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """The same for work that only one process may do at a time; cleans up after a killed one and corrects the registry.

        Raises:
            LeaseHeldError: another process is doing it.
        """
        lasts = timedelta(seconds=self.tools.params.schedule.lease_s)
        with self.tools.progress, self.tools.ledger, holding(self.tools.ledger, "retrain", lasts) as lease:
            self.lease.append(lease)
            self.course.warnings.extend([*close_interrupted(self.tools), *reconciled(self.tools)])
            try:
                with names_removed():
                    yield
            except BaseException as error:
                self._failed(error)
                raise

    def _failed(self, error: BaseException) -> None:
        """Records on the run's page, and in other catalogues, why it failed; a defect is reported by its type only."""
        tools = self.tools
        why = (
            " ".join(str(error).split()) if isinstance(error, BitfaceError) else f"{type(error).__name__}, see the log"
        )
        for run in self.begun:
            tools.ports.tracking().fail(run.run_id, why)
            tools.ports.lineage(self.course.warnings.append).failed(traced(run), why, tools.now())
