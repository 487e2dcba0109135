"""An auditor's answers as a page to read and print: a table per kind of record, and the end of the log at that time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bitface.counted_words import counted
from bitface.ledger.ledger import Ledger
from bitface.page_ports import AuditPage, Pages, ReportTable
from bitface.steps.audits.audit import Records, status_lines

_COLUMNS_MAX: Final = 7
_EMPTY: Final[tuple[object, ...]] = (None, "", [], (), {})
_DONE: Final = {
    "erasure_id": "erasure id",
    "subjects": "people",
    "began": "began",
    "ended": "ended",
    "keys_destroyed": "keys destroyed for",
    "evidence_destroyed": "gate evidence destroyed for runs",
    "keys_published": "published demo keys, of",
    "keys_missing": "no key existed at the start, for",
    "files_deleted": "files deleted",
    "dvc_objects_deleted": "DVC objects deleted",
    "mlflow_runs_emptied": "MLflow runs emptied",
    "dataset_version": "dataset version without them",
    "in_dataset_now": "still in the dataset",
    "found": "found by searching every file in the places below",
    "not_searched": "configured, but not written by bitface and not searched",
    "earlier_erasures": "earlier erasures",
    "interrupted": "steps repeated after an interruption (counts are from the last attempt)",
    "proof_sha256": "SHA-256 of the proof, as recorded",
    "proof_intact": "the proof matches the recorded digest",
}
"""What a page shows of an erasure's proof, and under which headings."""
_FINDINGS: Final = {"in_dataset_now": "none", "found": "nothing"}
"""For these, an empty list is itself a finding."""


def audit_page(title: str, lead: str, records: Records, ledger: Ledger, at: datetime, pages: Pages, path: Path) -> Path:
    """Writes the records as a page; `pages` is the adapter."""
    found = ledger.verify_chain()
    end = f"The log had {counted(found.checkpoint.size, 'entry', 'entries')}, the last with SHA-256 {found.checkpoint.head_sha256}"
    about = status_lines(records)
    page = AuditPage(
        status=about[0] if len(about) == 1 else "",
        title=title,
        lead=lead,
        asked_at=_display(at.isoformat()),
        standing=f"{end}; it {'is intact' if found.intact else 'FAILS verification'}.",
        tables=[_table(kind, records) for kind in dict.fromkeys(record["kind"] for record in records)],
    )
    return pages.write_audit_page(page, path)


def erasure_sections(proofs: Records) -> Records:
    """The proofs of an erasure split up, so that each list in them becomes a table: what was done, what was reached, what remains."""
    return [record for proof in proofs for record in _sections(proof)]


def _sections(proof: Mapping[str, Any]) -> Records:
    radius: Mapping[str, Any] = proof.get("radius", {})
    done = {words: proof.get(name) or _FINDINGS.get(name) for name, words in _DONE.items()}
    return [
        {"kind": "what was done", **done},
        {"kind": "the retrain without them", **proof.get("retrain", {})},
        *({"kind": "dataset version that held them", "version": one} for one in radius.get("datasets", ())),
        *({"kind": "run on them, emptied", "run": one, **_auc(radius, one)} for one in radius.get("runs", ())),
        *({"kind": "model made with them, retired", **one} for one in radius.get("models", ())),
        *({"kind": "alias period of such a model", **one} for one in radius.get("aliases", ())),
        *({"kind": "file with only their data", **one} for one in radius.get("own_files", ())),
        *(
            {**one, "kind": f"{one['kind']} with their and other people's data"}
            for one in radius.get("files_with_others", ())
        ),
        *({"kind": "place searched", **one} for one in proof.get("searched", ())),
        *({"kind": "kept for another dataset", **one} for one in proof.get("kept_for_others", ())),
        *({"kind": "digest searched for and absent", "sha256": one} for one in proof.get("digests_absent", ())),
        *({**one, "kind": "unencrypted copy that was exported"} for one in proof.get("evidence_handed_out", ())),
        *({"kind": "what remains", "what": one} for one in proof.get("residual", ())),
        {"kind": "seconds", **{name: f"{value:.1f}" for name, value in proof.get("seconds", {}).items()}},
    ]


def _auc(radius: Mapping[str, Any], run: str) -> dict[str, object]:
    """How well membership in training could be inferred from the losses of a run's model, by precision."""
    found = (radius.get("membership_auc") or {}).get(run) or {}
    return {f"membership AUC, {name}": value for name, value in found.items()}


def _table(kind: str, records: Records) -> ReportTable:
    own = [record for record in records if record["kind"] == kind]
    names = [name for name in dict.fromkeys(name for record in own for name in record) if name != "kind"]
    filled = [name for name in names if any(record.get(name) not in _EMPTY for record in own)]
    heads = [name.replace("_", " ") for name in filled]
    rows = [[_display(record.get(name)) for name in filled] for record in own]
    if len(filled) > 1 and (len(rows) == 1 or len(heads) > _COLUMNS_MAX >= len(rows)):
        # A page is too narrow for them: fields become rows, records columns.
        rows = [[head, *values] for head, *values in zip(heads, *rows, strict=True)]
        heads = ["", *("" if len(own) == 1 else f"record {number}" for number in range(1, len(own) + 1))]
    caption = "" if len(own) == 1 else counted(len(own), "record")
    return ReportTable(heading=_capital(kind), caption=caption, columns=heads, rows=rows)


def _display(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_display(one)}" for name, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_display, value))
    return "" if value is None else _moment(str(value))


def _moment(text: str) -> str:
    """A time to the second in UTC, if the text is one; the text itself otherwise."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment.tzinfo else text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
