"""The data gate: the suites must hold, and each sample must show one good face; what fails is quarantined with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from bitface.consent.events import ConsentEvent, utc_text
from bitface.counted_words import some_of
from bitface.errors import GateError
from bitface.faces.features import ClipTable
from bitface.faces.quality import POINT_COLUMNS, QUALITY_COLUMNS, limits_missed, quality_reasons
from bitface.faces.records import Sample, SubjectRecord
from bitface.params import QualityParams
from bitface.ports import TableChecks
from bitface.steps.people.admit import Members, Quarantined
from bitface.steps.retrain.doubts import doubts_of
from bitface.steps.retrain.featurise import AUGMENTED
from bitface.steps.retrain.judged_tables import judged_tables, schema_sentences
from bitface.steps.retrain.plan import Run

CONSENT_COLUMNS = ("person", "event_id", "state", "purpose", "context", "valid_from", "valid_to", "notice_sha256")


@dataclass(frozen=True, kw_only=True)
class Validation:
    """What the data gate found. `admitted` + `quarantined` = `samples`; `failures` is empty when the gate holds; `advice` stops nothing,
    and `review` lists the samples that somebody should look at.
    """

    samples: int
    admitted: int
    kept: frozenset[str]
    quarantined: tuple[Quarantined, ...]
    failures: tuple[str, ...]
    advice: tuple[str, ...]
    review: Path
    expectations: int
    docs_index: Path

    def check(self) -> None:
        """Raises GateError naming the first failure, when there is one."""
        if self.failures:
            more = f" (and {len(self.failures) - 1} more)" if len(self.failures) > 1 else ""
            raise GateError(f"the data gate failed: {self.failures[0]}{more}; see {self.docs_index}")


def validate_samples(run: Run, table: ClipTable, checks: TableChecks) -> Validation:
    """Runs the suites over what is known of samples and people, then the row-level quality rule.

    `table` holds the original rows (no augmented copies) of all members.
    """
    members, params = run.members, run.params.quality
    doubts = doubts_of(table, run.slices(), run.params.seed)
    judged = judged_tables(run, doubts)
    used = {answer.event_id for answer in members.admissions.values()}
    # Whom licences alone admit, for benchmark, has no consent to show; a run of anybody else without consents fails.
    by_licence = run.purpose == "benchmark" and used == {None}
    consents = _consents([event for event in run.events if event.event_id in used], run.purpose, run.context)
    report = checks(
        {
            "index": _frame([asdict(sample) for sample in members.samples], [f.name for f in fields(Sample)]),
            "subjects": _frame(
                [asdict(record) for record in run.subjects.values()], [f.name for f in fields(SubjectRecord)]
            ),
            **({} if by_licence else {"consents": consents}),
            **_quality_tables(table),
            **judged,
        },
        params,
        run.folder / "data_docs",
    )
    poor = tuple(
        Quarantined(sample_id=str(name), reason="; ".join(reasons))
        for name, row, are_points in zip(table.sample_ids, table.quality, table.are_points, strict=True)
        if (reasons := quality_reasons(row, params, bool(are_points)))
    )
    kept = frozenset(map(str, table.sample_ids)) - {row.sample_id for row in poor}
    return Validation(
        samples=len(members.samples) + len(members.quarantined),
        admitted=len(kept),
        kept=kept,
        quarantined=(*members.quarantined, *poor),
        failures=(*_shares(members, kept, table, params), *report.failures),
        advice=(*report.advice, *_not_measured(table), *schema_sentences(judged["schema"]), *doubts.sentences),
        review=doubts.write(report.docs_index.parent),
        expectations=report.expectations,
        docs_index=report.docs_index,
    )


def usable_rows(table: ClipTable, kept: frozenset[str], params: QualityParams) -> ClipTable:
    """The kept originals and those of their augmented copies that show a good face themselves."""
    base = np.array([str(name).partition(AUGMENTED)[0] for name in table.sample_ids])
    good = np.array([name in kept for name in base])
    fine = np.array(
        [
            not quality_reasons(row, params, bool(points))
            for row, points in zip(table.quality, table.are_points, strict=True)
        ]
    )
    return table.where(good & fine)


def _shares(members: Members, kept: frozenset[str], table: ClipTable, params: QualityParams) -> tuple[str, ...]:
    """One sentence, first of all: suites name columns, and whoever reads it needs the parameter and what to do."""
    share = len(kept) / len(members.samples)
    if share >= params.admitted_share_min:
        return ()
    limit = f"{params.admitted_share_min:.0%}"
    missed = ", ".join(limits_missed(table.quality, params)) if len(table) else "no sample was seen"
    return (
        f"only {share:.0%} of the admitted samples show one good face, under {limit} (quality.admitted_share_min): {missed}; bring "
        "pictures that show one face each, larger or sharper ones, or move the limit that does not fit this source with --set",
    )


def _quality_tables(table: ClipTable) -> dict[str, pd.DataFrame]:
    """A table of pictures and one of points, each where there are such; of points only what is measured without a picture."""
    seen = pd.DataFrame(table.quality, columns=list(QUALITY_COLUMNS)).assign(sample_id=table.sample_ids)
    found = {
        "quality": seen[~table.are_points][["sample_id", *QUALITY_COLUMNS]],
        "points": seen[table.are_points][["sample_id", *POINT_COLUMNS]],
    }
    return {name: rows for name, rows in found.items() if len(rows)} or {"quality": found["quality"]}


def _not_measured(table: ClipTable) -> tuple[str, ...]:
    count = int(table.are_points.sum())
    if not count:
        return ()
    samples = some_of(count, len(table), ("is", "are"), what=("sample", "samples"))
    return (
        f"{samples} points of a face without its picture: sharpness, brightness, blendshapes and copies of pictures were not measured, "
        "and no limit of them was applied",
    )


def _frame(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


def _consents(events: Sequence[ConsentEvent], purpose: str, context: str) -> pd.DataFrame:
    rows = [
        {
            "person": event.subject,
            "event_id": event.event_id,
            "state": event.state,
            "purpose": purpose if purpose in event.purposes else "",
            "context": context if context in event.contexts else "",
            "valid_from": utc_text(event.valid_from),
            "valid_to": utc_text(event.valid_to),
            "notice_sha256": event.notice_sha256,
        }
        for event in events
    ]
    return _frame(rows, CONSENT_COLUMNS)
