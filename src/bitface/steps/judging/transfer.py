"""Asks a model that learned from synthetic people about real ones: rendered faces prove nothing by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from bitface.consent.admission import Use, admit_people
from bitface.consent.policy import under_licence
from bitface.counted_words import counted, counted_people
from bitface.dataset.incoming.import_rows import ImportRow
from bitface.errors import InputError, RefusedError
from bitface.evaluation.scores import ModelScores, score_model
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable
from bitface.faces.seen import SeenFaces
from bitface.ledger.ledger import Ledger
from bitface.ports import EncodeFrames, Frames, Landmarker, LoadRuntime, ReadImage, Report
from bitface.steps.judging.evaluate import runtime_predictions
from bitface.steps.people.on_record import OnRecord, marks_asked
from bitface.steps.people.reentry import Reentry
from bitface.steps.people.sources import Source
from bitface.steps.retrain.export import Exported
from bitface.steps.retrain.plan import Run

PURPOSE = "evaluate"


@dataclass(frozen=True, kw_only=True)
class Transferred:
    """How the deployed model does on people of another kind than it learned from. `skipped`: pictures without one face; `left_out`:
    people who were erased here or do not allow it, whatever they are called in the source.
    """

    source: str
    people: int
    samples: int
    skipped: int
    scores: ModelScores
    left_out: int = 0

    def warnings(self) -> list[str]:
        """What the run has to say beside the figures."""
        of = (
            f"{counted(self.left_out, f'person of {self.source} was', f'people of {self.source} were')} excluded: erased, without "
            "permission, or possibly the same as such a person"
        )
        return [of] if self.left_out else []

    def sentence(self) -> str:
        """One line for the summary."""
        figures = ", ".join(
            f"{emotion} AUC {own.auc.value:.3f} ({own.auc.lo:.3f} to {own.auc.hi:.3f})"
            for emotion, own in self.scores.emotions.items()
        )
        return f"{figures} on {counted_people(self.people)} of {self.source}, unseen in training ({counted(self.samples, 'sample')})"

    def document(self) -> dict[str, object]:
        """The figures for the run's summary."""
        return {
            "source": self.source,
            "people": self.people,
            "samples": self.samples,
            "skipped": self.skipped,
            "left_out": self.left_out,
            "emotions": {emotion: {"auc": round(own.auc.value, 4)} for emotion, own in self.scores.emotions.items()},
            "sentence": self.sentence(),
        }


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is asked of everyone of a source: ids before a picture is read, pictures before one is looked at. Who is on record here is
    asked what they allow now, whatever their source says.
    """

    asked: Reentry
    encode: EncodeFrames
    record: OnRecord
    ledger: Ledger

    @property
    def has_nothing_to_match(self) -> bool:
        """Whether no picture can be of a person who left, or is on record."""
        return not self.asked.erased.people and not self.record.samples

    def known(self, rows: Sequence[ImportRow], context: str) -> list[ImportRow]:
        """The rows of people who may be judged, by their ids; different spellings of an id do not matter here."""
        subjects = {row.subject_id for row in rows}
        gone = {*self.asked.refused(subjects), *(one for one in subjects if self._refuses(one, context))}
        return [row for row in rows if row.subject_id not in gone]

    def may_judge(self, row: ImportRow, picture: Frames, context: str) -> bool:
        """Whether a picture is of nobody who was erased, and of nobody on record who does not allow it."""
        marks = marks_asked([picture], self.encode)
        if self.asked.seen((row.subject_id, one) for one in marks):
            return False
        return all(
            self._allows(sample.person, sample.licence_id, context) for sample in self.record.samples_like(marks)
        )

    def _refuses(self, subject: str, context: str) -> bool:
        person = self.asked.keys.pseudonym_of(subject)
        return person is not None and bool(self.ledger.consents(person)) and not self._allows(person, None, context)

    def _allows(self, person: str, licence_id: str | None, context: str) -> bool:
        try:
            self.ledger.check_picture(person, licence_id, Use(purpose=PURPOSE, context=context, kind="image"))
        except RefusedError:
            return False
        return True


@dataclass(frozen=True, kw_only=True)
class Seeing:
    """How pictures are read, faces found in them, and a model loaded that is asked about them."""

    landmarker: Callable[[], Landmarker]
    read: ReadImage
    load: LoadRuntime
    report: Report


def judge_on_real_people(
    run: Run, bundle: Exported, source: Source, tools: Seeing, at: datetime, entry: Entry
) -> Transferred:
    """Scores the deployed model on the pictures of a source, in memory: nothing of these people is kept but figures. Of people who were
    erased, or who are on record and do not allow it now, no picture is read, or looked at where it is known by its marks alone; they are
    counted.

    Raises:
        RefusedError: a person's consent or the licence does not allow this use.
        InputError: the run learned from real people, who could be the same; or no picture shows exactly one face.
    """
    if run.evidence != "synthetic":
        raise InputError(
            f"evidence of this run is {run.evidence}: its people may be the same as those of '{source.intake.source}'"
        )
    rows = entry.known(source.intake.rows, run.context)
    _check_consents(source, rows, run.context, at, entry.ledger)
    rows = _unseen(rows, tools.read, entry, run.context)
    table, skipped = _seen(rows, run, tools)
    predictions = runtime_predictions(table, tools.load(bundle.folder))
    return Transferred(
        source=source.intake.source,
        people=len(np.unique(table.persons)),
        samples=len(table),
        skipped=skipped,
        scores=score_model(predictions, run.params.evaluation, run.params.seed),
        left_out=len({row.subject_id for row in source.intake.rows} - {row.subject_id for row in rows}),
    )


def _numbered(rows: Sequence[ImportRow]) -> dict[str, str]:
    """Owner's id -> a number in the order of appearance: ids stay where they are."""
    return {subject: f"t{number:015d}" for number, subject in enumerate(dict.fromkeys(row.subject_id for row in rows))}


def _check_consents(source: Source, rows: Sequence[ImportRow], context: str, at: datetime, ledger: Ledger) -> None:
    """By what the source says of its people, and by its licence, also as it is on record: one that allows less by now counts."""
    intake, names = source.intake, _numbered(rows)
    bands = {names[row.subject_id]: row.age_band for row in rows}
    events = intake.consents(names, bands)
    people, notices = list(bands), intake.known_notices
    answers = [
        admit_people(events, people, Use(purpose=PURPOSE, context=context), now, notices) for now in ledger.moments(at)
    ]
    licences = (intake.licence, ledger.licences().get(intake.licence.id, intake.licence))
    judged = [
        under_licence(one, answer, PURPOSE, context) for one in licences for own in answers for answer in own.values()
    ]
    refused = [answer.reason for answer in judged if not answer.admitted]
    if refused:
        raise RefusedError(
            f"{min(len(refused), len(bands))} of {counted_people(len(bands))} of '{intake.source}' cannot be judged: {refused[0]}"
        )


def _unseen(rows: Sequence[ImportRow], read: ReadImage, entry: Entry, context: str) -> list[ImportRow]:
    """The rows of people all of whose pictures may be judged. Pictures are read one at a time: they are large."""
    if entry.has_nothing_to_match:
        return list(rows)
    gone = {row.subject_id for row in rows if not entry.may_judge(row, read(row.path, f"row {row.row}"), context)}
    return [row for row in rows if row.subject_id not in gone]


def _seen(rows: Sequence[ImportRow], run: Run, tools: Seeing) -> tuple[ClipTable, int]:
    names, usable = _numbered(rows), list[tuple[ImportRow, SeenFaces]]()
    with tools.landmarker() as looking:
        for done, row in enumerate(rows, start=1):
            seen = looking.see(tools.read(row.path, f"row {row.row}")[None], run.params.features)
            usable += [(row, seen)] if seen.faces[0] == 1 else []
            tools.report("judging on real people", done, len(rows))
    if not usable:
        raise InputError(
            f"none of {counted(len(rows), 'picture')} shows exactly one face; check that this is the right folder"
        )
    return _table(usable, names), len(rows) - len(usable)


def _table(usable: Sequence[tuple[ImportRow, SeenFaces]], names: dict[str, str]) -> ClipTable:
    return ClipTable(
        landmarks=np.stack([seen.normalised for _, seen in usable]),
        blendshapes=np.stack([seen.blendshapes for _, seen in usable]),
        crops=np.stack([seen.crops for _, seen in usable]),
        lengths=np.ones(len(usable), dtype=np.int64),
        labels=np.array([EMOTIONS.index(row.label) for row, _ in usable], dtype=np.int64),
        persons=np.array([names[row.subject_id] for row, _ in usable]),
        sample_ids=np.array([f"row-{row.row}" for row, _ in usable]),
        splits=np.full(len(usable), "gate"),
        quality=np.stack([seen.quality[0] for _, seen in usable]),
    )


def london_folder(root: Path, configured: str | None) -> Path | None:
    """The configured folder, from the project's root; raises InputError where it is not there."""
    if configured is None:
        return None
    folder = root / configured
    if not folder.is_dir():
        raise InputError(
            f"transfer.london names '{folder.name}', which does not exist; name the folder or set it to null"
        )
    return folder
