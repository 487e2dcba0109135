"""An auditor's questions, each answered from the ledger as a plain list of records with ids and digests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Final

from bitface.consent.admission import Use, admit_people
from bitface.counted_words import counted
from bitface.dataset.decryptions import HEAD, Head, decryptions_of, problems_of, read_head
from bitface.dataset.files import sha256_of
from bitface.dataset.keyring.run_and_day_keys import evidence_handed_out, evidence_read
from bitface.dataset.keys import KeyStore
from bitface.documents import Document
from bitface.errors import InputError
from bitface.faces.records import kind_asked
from bitface.ledger.entries import Checkpoint, ModelEntry, RunEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.questions import AliasPeriod
from bitface.steps.people.consents import standing_of
from bitface.steps.versions.contexts import context_rows
from bitface.steps.versions.model_choice import existing_versions

DECRYPTIONS: Final = "decryptions.jsonl"
"""In home: the log of who opened whose data."""
Records = list[Document]


def audit_subject(person: str, ledger: Ledger, home: Path, data: Path, at: datetime) -> Records:
    """Every dataset, run, model, alias period and file that depends on a person, with the consent events; each kind oldest first."""
    found = ledger.whereabouts(person)
    evidence = [name(run.run_id) for run in found.runs for name in (evidence_read, evidence_handed_out)]
    standing = standing_of(person, ledger, at)
    return [
        *({"kind": "consent", **event} for event in standing["events"]),
        {"kind": "standing", "admitted": standing["admitted"], "refused_because": standing["refused_because"]},
        *({"kind": "dataset", **asdict(one)} for one in found.holdings),
        *({"kind": "run", **asdict(one)} for one in found.runs),
        *(_model(one, ledger) for one in found.models),
        *({"kind": "alias", **asdict(one)} for one in found.periods),
        *({"kind": "own file", **one} for one in own_files(person, home, data)),
        *({"kind": "opened", **entry} for entry in decryptions_of(home / DECRYPTIONS, person, *evidence)),
        *(
            {"kind": f"file with others: {one.kind}", **_asset(one.run_id, one.path, one.sha256)}
            for one in found.assets
        ),
    ]


def own_files(person: str, home: Path, data: Path) -> Iterator[dict[str, str]]:
    """Files of only this person, all encrypted with that person's key: the shard, features, counts, references."""
    shard = data / "shards" / f"{person}.shard"
    found = [
        *([shard] if shard.is_file() else []),
        *home.glob(f"stages/features/{person}/*.sealed"),
        *home.glob(f"stages/*/*/counts/{person}.sealed"),
        *home.glob(f"runs/*/reference/{person}.sealed"),
    ]
    for path in sorted(found):
        root = home if path.is_relative_to(home) else data.parent
        yield {"path": path.relative_to(root).as_posix(), "sha256": sha256_of(path)}


def audit_run(run_id: str, ledger: Ledger, at: datetime) -> Records:
    """A run's dataset version with every member and the consent event that admitted it, its models, decisions and files,
    and the approvals of its context if it needs one.

    Raises:
        InputError: no such run.
    """
    run = ledger.run(run_id)
    dataset = ledger.dataset(run.dataset_version) if run else None
    if run is None or dataset is None:
        raise InputError(f"run '{run_id[:40]}' is not on record; {existing_versions(ledger)}")
    approvals = [row for row in context_rows(ledger, at) if row["context"] == run.context]
    models = [model for model in ledger.models() if run_id in {one.run_id for one in ledger.runs_of(model)}]
    return [
        {"kind": "run", **asdict(run)},
        {"kind": "dataset", **asdict(dataset)},
        *({"kind": "context approval", **row} for row in approvals),
        *(_model(model, ledger) for model in models),
        *_decisions(models, ledger),
        *({"kind": one.kind, **_asset(one.run_id, one.path, one.sha256)} for one in ledger.assets(run_id)),
        *({"kind": "member", **asdict(member)} for member in ledger.members(run.dataset_version)),
    ]


def audit_model(model: ModelEntry, run: RunEntry, ledger: Ledger, at: datetime) -> Records:
    """A version with its run, decisions, alias periods, and how many of its people consent no longer admits."""
    dataset = ledger.dataset(run.dataset_version)
    members = ledger.members(run.dataset_version)
    people = {one.person for one in members if one.consent_event_id is not None}
    now = ledger.moments(at)[-1]
    use = Use(purpose=run.purpose, context=run.context, kind=kind_asked(one.sample_id for one in members))
    answers = admit_people(ledger.consents(), people, use, now, ledger.notice_ids())
    not_admitted = sorted(person for person, answer in answers.items() if not answer.admitted)
    return [
        _model(model, ledger),
        {"kind": "run", **asdict(run)},
        *([{"kind": "dataset", **asdict(dataset)}] if dataset else []),
        *_decisions([model], ledger),
        *({"kind": "alias", **asdict(one)} for one in _periods_of(model, ledger.alias_periods())),
        *({"kind": one.kind, **_asset(one.run_id, one.path, one.sha256)} for one in ledger.assets(run.run_id)),
        {"kind": "consent now", "people": len(people), "no_longer_admitted": not_admitted},
    ]


def audit_as_of(at: datetime, ledger: Ledger) -> Records:
    """What was on record, and what was live, at a moment."""
    events = ledger.consents_as_of(at)
    live = [one for one in ledger.alias_periods(at) if one.until is None]
    return [
        {"kind": "consents", "events": len(events), "people": len({event.subject for event in events})},
        *({"kind": "dataset", "version": version} for version in ledger.datasets_by(at)),
        *({"kind": "alias", **asdict(one)} for one in live),
        *({"kind": "context approval", **row} for row in context_rows(ledger, at)),
    ]


def audit_log(ledger: Ledger, kept: Checkpoint | None) -> Records:
    """Verifies the whole log, and compares it with the signed ends here and elsewhere, and with a named checkpoint.

    Gaps after which it was continued are always listed.
    """
    report = ledger.verify_chain(kept)
    against = counted(kept.size, "entry", "entries") if kept else None
    lost = [end for end in ledger.kept_ends() if not ledger.holds(end)]
    return [
        {"kind": "checkpoint", **asdict(report.checkpoint), "intact": report.intact and not lost, "against": against},
        *({"kind": "problem", **asdict(problem)} for problem in report.problems),
        *({"kind": "problem", "seq": 0, "what": _lacking(end)} for end in lost),
        *({"kind": "continued after a gap", **asdict(gap)} for gap in ledger.gaps()),
    ]


def _lacking(end: Checkpoint) -> str:
    return f"the log lacks the end that was signed after {counted(end.size, 'entry', 'entries')}: it was truncated or rolled back"


def audit_openings(keys: KeyStore, home: Path, kept: Sequence[Head]) -> Records:
    """Verifies the log of who opened whose data; given `kept`, an earlier end, it also detects a cut end and a missing log."""
    path, head = home / DECRYPTIONS, read_head(home / "keys" / HEAD)
    ends = [*([head] if head else []), *kept]
    if not path.is_file() and not ends:
        return []
    is_known = keys.place_of_master() != "nowhere"
    problems = (
        problems_of(path, keys.access_key(), *ends)
        if is_known
        else ["the key that authenticates it is missing; restore it"]
    )
    summary = {"kind": "log of openings", "entries": max((one.size for one in ends), default=0), "intact": not problems}
    return [summary, *({"kind": "problem", "what": problem} for problem in problems)]


def records_text(records: Sequence[Document], limit: int = 40) -> str:
    """A line per record for a terminal, grouped by kind; long groups are cut and counted."""
    lines = status_lines(records)
    for kind in dict.fromkeys(record["kind"] for record in records):
        own = [record for record in records if record["kind"] == kind]
        lines.append(f"{kind} ({len(own)})")
        lines += [f"  {_words(record)}" for record in own[:limit]]
        lines += [f"  and {len(own) - limit} more, see --json"] if len(own) > limit else []
    return "\n".join(lines)


def status_lines(records: Sequence[Document]) -> list[str]:
    """The current status of the models in the records, a line each."""
    return [str(record["status"]) for record in records if record["kind"] == "model" and "status" in record]


def _words(record: Document) -> str:
    fields = {name: value for name, value in record.items() if name not in ("kind", "status")}
    shown = {name: value for name, value in fields.items() if value not in (None, "", (), [])}
    return ", ".join(f"{name} {_short(value)}" for name, value in shown.items())


def _short(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"{len(value)} of them" if len(value) > 3 else " ".join(map(_short, value))
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text


def _asset(run_id: str, path: str, sha256: str) -> dict[str, str]:
    return {"path": path, "sha256": sha256, "run_id": run_id}


def _model(model: ModelEntry, ledger: Ledger) -> Document:
    """A version with its current status line."""
    return {"kind": "model", "status": ledger.status(model).line, **asdict(model)}


def _decisions(models: Sequence[ModelEntry], ledger: Ledger) -> Iterator[Document]:
    for model in models:
        for decision in ledger.decisions(model.bundle_sha256):
            yield {"kind": "decision", **asdict(decision)}


def _periods_of(model: ModelEntry, periods: Sequence[AliasPeriod]) -> list[AliasPeriod]:
    return [one for one in periods if (one.name, one.version) == (model.name, model.version)]
