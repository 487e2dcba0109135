"""Fixes what a run is before anything is computed: which people, which consent, which code; equal inputs give one run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from bitface.consent.admission import Admission
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.consent.policy import PROHIBITED_CONTEXTS, check_training, not_allowed
from bitface.consent.vocabulary import CONTEXTS
from bitface.counted_words import counted
from bitface.dataset.files import sha256_of
from bitface.dataset.index import read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.swap import version_of
from bitface.errors import InputError, RefusedError
from bitface.faces.enough_people import check_enough
from bitface.faces.records import SubjectRecord, is_synthetic
from bitface.ledger.entries import DatasetEntry, MemberEntry, RunEntry
from bitface.ledger.ledger import Ledger
from bitface.params import Params
from bitface.steps.people.admit import Members, Quarantined, admit_members, choose_members
from bitface.steps.people.contents import content_of
from bitface.steps.people.dataset_status import evidence_of, subjects_of
from bitface.steps.people.synthesis import not_drawn_here
from bitface.steps.retrain.reuse import code_digest, key_of
from bitface.steps.retrain.version import DatasetRef
from bitface.steps.retrain.without_pictures import check_kinds
from bitface.workspace import Workspace

_Judged = tuple[Mapping[str, Admission], Sequence[Quarantined]]
NOT_FOR_TRAINING: Final = not_allowed("train")
NOT_DRAWN: Final = "it claims to be synthetic, but differs from what is rendered with these parameters"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One retrain, named by a digest of everything that goes into it. `folder` is where its results lie."""

    run_id: str
    folder: Path
    profile: str
    purpose: str
    context: str
    dataset: DatasetRef
    members: Members
    subjects: Mapping[str, SubjectRecord]
    events: tuple[ConsentEvent, ...]
    evidence: str
    params: Params
    code_commit: str
    code_sha256: str
    constraints_sha256: str
    started_at: datetime

    @property
    def summary_path(self) -> Path:
        """The summary, written last: where it is, the run is finished."""
        return self.folder / "summary.json"

    def slices(self) -> dict[str, dict[str, str]]:
        """Person -> slice attribute -> value."""
        return {person: record.slices() for person, record in self.subjects.items()}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a model is asked for, and when: whoever is admitted allows this purpose in this context at this time."""

    purpose: str
    context: str
    at: datetime
    params: Params


def plan_run(
    dataset: DatasetRef, place: Workspace, asked: Request, profile: str, keys: KeyStore, ledger: Ledger
) -> Run:
    """Admits the members, records the dataset version and the run in the ledger, and makes the run's folder.

    Raises:
        RefusedError: the policy refuses purpose or context, or nobody is admitted.
        InputError, IntegrityError: the dataset cannot be read.
    """
    undrawn = not_drawn_here(place.data, ledger)
    members, events = members_of(place.data, asked, keys, ledger, undrawn)
    subjects = subjects_of(place.data, set(members.admissions), keys)
    if version_of(place.data) != dataset.manifest_sha256:
        raise InputError(
            "another command changed the dataset while this run was being planned; run the same command again"
        )
    constraints = place.root / "constraints.txt"
    constraints_sha256 = sha256_of(constraints) if constraints.is_file() else "0" * 64
    snapshot = members.consent_snapshot_sha256
    code = code_digest()
    digests = (asked.params.digest(), asked.purpose, asked.context, code, constraints_sha256)
    run_id = key_of(dataset.manifest_sha256, snapshot, *digests)[:16]
    run = Run(
        run_id=run_id,
        folder=place.runs / run_id,
        profile=profile,
        purpose=asked.purpose,
        context=asked.context,
        dataset=dataset,
        members=members,
        subjects=subjects,
        events=events,
        evidence=evidence_of(subjects),
        params=asked.params,
        code_commit=code_commit(place.root),
        code_sha256=code,
        constraints_sha256=constraints_sha256,
        started_at=asked.at,
    )
    _record(run, ledger)
    run.folder.mkdir(parents=True, exist_ok=True)
    return run


def members_of(
    data: Path,
    asked: Request,
    keys: KeyStore | None,
    ledger: Ledger,
    undrawn: Collection[str] = (),
) -> tuple[Members, tuple[ConsentEvent, ...]]:
    """Who of the dataset folder may be used, and the consent events that say so; `undrawn` people are not what they claim to be.
    Without `keys` nobody's data are opened, and splits are as many as they will be, and others.

    Raises:
        RefusedError: the policy refuses purpose or context, or nobody is admitted.
        InputError, IntegrityError: the dataset cannot be read.
    """
    ledger.check_intact()
    params, purpose, context = asked.params, asked.purpose, asked.context
    moments = ledger.moments(asked.at)
    for now in moments:
        check_training(purpose, context, now, ledger.context_approvals())
    samples = read_index(data)
    _learn_published_consents({sample.person for sample in samples}, ledger)
    events, licences, notices = ledger.consents(), ledger.licences(), ledger.notice_ids()
    judged = [admit_members(samples, events, licences, notices, purpose, context, now) for now in moments]
    refused = {one.sample_id: one for _, own in judged for one in own}.values()
    admitted = {name: answer for name, answer in judged[0][0].items() if name in judged[-1][0]}
    claimed = [sample.sample_id for sample in samples if sample.person in undrawn and sample.sample_id in admitted]
    drawn = {name: answer for name, answer in admitted.items() if name not in set(claimed)}
    left_out = [*refused, *(Quarantined(sample_id=name, reason=NOT_DRAWN) for name in claimed)]
    kept = [sample for sample in samples if sample.sample_id in drawn]
    content = content_of(kept, data, keys) if keys else {}
    if not drawn and NOT_FOR_TRAINING in {one.reason for one in left_out}:
        admits = partial(admit_members, samples, events, licences, notices, "benchmark")
        raise RefusedError(_not_for_training(len(samples), _benchmarks(admits, context, moments)))
    return choose_members(samples, drawn, left_out, params.splits, params.seed, content), events


def _benchmarks(
    admits: Callable[[str, datetime], _Judged], context: str, moments: Sequence[datetime]
) -> dict[str, int]:
    """Context -> how many samples a benchmark may use there, of the context that was asked for and those that need no approved reason."""
    contexts = dict.fromkeys((context, *(one for one in CONTEXTS if one not in PROHIBITED_CONTEXTS)))
    counts = {one: min(len(admits(one, at)[0]) for at in moments) for one in contexts}
    return {one: count for one, count in counts.items() if count}


def _not_for_training(samples: int, benchmarks: Mapping[str, int]) -> str:
    """The way that is open to these samples, if there is one: a licence that allows no benchmark leads to no other refusal."""
    none = f"none of {counted(samples, 'sample')} may be used: {NOT_FOR_TRAINING}"
    if not benchmarks:
        return (
            f"{none}, nor benchmark; import them under another licence, with another id, or see `bitface data validate`"
        )
    context, count = next(iter(benchmarks.items()))
    which = "such people" if count == samples else f"{count} of them"
    return (
        f"{none}; `bitface retrain --purpose benchmark --context {context}` judges a model of {which}, and `bitface data validate` says "
        "more"
    )


def check_people(members: Members, params: Params) -> None:
    """Refuses people of whom no model could be made; raises InputError with the number that is needed, or with what needs pictures."""
    check_enough(members.samples, members.folds, params.splits.folds)
    check_kinds(members.samples, params)


def code_commit(root: Path) -> str:
    """The commit that is checked out, with `+changes` where tracked files differ from it; `unknown` without git."""
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+changes" if changes else "")


def dataset_entry_version(run: Run) -> str:
    """The dataset version as the ledger, MLflow and every report name it: the content, and who was admitted for what."""
    key = key_of(
        run.members.consent_snapshot_sha256, run.purpose, run.context, run.params.splits.digest(), run.params.seed
    )
    return f"{run.dataset.version.removesuffix('.dir')}-{key[:12]}"


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True, text=True, timeout=30)  # noqa: S603, S607 - constant words
    return done.stdout.strip()


def _learn_published_consents(people: set[str], ledger: Ledger) -> None:
    """What is on record of synthetic people is what this program says of everyone whom it draws; what a shard says counts for nothing,
    of them or of anyone else. Real people's events come into the ledger at intake only, where a person answers for them.
    """
    ledger.record_notice(packaged_notice("synthetic-1"))
    known = {event.subject for event in ledger.consents()}
    ledger.record_consents(synthetic_consents(sorted(filter(is_synthetic, people - known))))


def _record(run: Run, ledger: Ledger) -> None:
    admissions = run.members.admissions
    entry = DatasetEntry(
        version=dataset_entry_version(run),
        manifest_sha256=run.dataset.manifest_sha256,
        consent_snapshot_sha256=run.members.consent_snapshot_sha256,
        purpose=run.purpose,
        context=run.context,
        evidence=run.evidence,
        people=len(admissions),
        samples=len(run.members.samples),
    )
    members = [
        MemberEntry(
            sample_id=sample.sample_id,
            person=sample.person,
            sample_sha256=sample.sha256,
            split=sample.split,
            licence_id=sample.licence_id,
            consent_event_id=admissions[sample.person].event_id,
            consent_event_sha256=admissions[sample.person].event_sha256,
        )
        for sample in run.members.samples
    ]
    ledger.record_dataset(entry, members)
    # A run is one by its code and not by its commit, of which several can hold the same code: the first stays on record.
    known = ledger.run(run.run_id)
    ledger.record_run(
        RunEntry(
            run_id=run.run_id,
            dataset_version=entry.version,
            purpose=run.purpose,
            context=run.context,
            code_commit=known.code_commit if known else run.code_commit,
            params_sha256=run.params.digest(),
            constraints_sha256=run.constraints_sha256,
        )
    )
