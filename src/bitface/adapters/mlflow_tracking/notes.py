"""What stands on top of MLflow's pages: the decision, why, and the few facts that a reviewer needs in ten seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bitface.ports import TrackedOutcome, TrackedVersion

_VERDICTS: Final = {
    "promote": "✅ **Promote**: every required cell of the gate passes.",
    "hold": "⏸️ **Hold**: the gate cannot say yes yet.",
    "block": "⛔ **Block**: the gate says no.",
}
_EVIDENCE: Final = {
    "synthetic": "Judged on **synthetic people only**: predicts in research, for demo or evaluate, and nowhere else.",
    "real": "Judged on real people who consented.",
    "mixed": "Judged on synthetic and on real people who consented.",
}
REGISTERED_MODEL_NOTE: Final = """One-bit, explainable facial-expression models.

* `champion` is the version that predicts, `previous` the one before it, `challenger` waits for approval.
* A version without an alias was held or blocked: its tag `gate.reasons` says why.
* Numbers and aliases are projected from the ledger; an alias that is moved here by hand is moved back and reported.
* Files are plain (OpenVINO IR, safetensors, JSON): load them through `bitface`, which verifies them.
"""


def run_note(tags: Mapping[str, str], outcome: TrackedOutcome) -> str:
    """The description of a retrain, from the tags of its run and its outcome, as Markdown."""
    data = (
        f"Dataset `{tags['dataset.version'][:12]}`: {tags['dataset.people']} people, {tags['dataset.samples']} samples"
        f", admitted for {tags['purpose']} in {tags['context']}."
    )
    look = "**Where to look:** `figures/`, `reports/` under Artifacts; one child run per trained model."
    return _joined(
        _verdict(outcome.decision, outcome.reasons),
        _table(outcome.headline),
        _EVIDENCE.get(tags["evidence"], ""),
        data,
        look,
    )


def version_note(version: TrackedVersion) -> str:
    """The description of a registered version, as Markdown."""
    origin = (
        f"Retrain `{version.run_id}` on dataset `{version.dataset_version[:12]}`, for {version.purpose} in "
        f"{version.context}. Bundle `{version.bundle_sha256[:12]}`, decision `{version.decision_sha256[:12]}`."
    )
    return _joined(
        _verdict(version.decision, version.reasons),
        _table(version.headline),
        _EVIDENCE.get(version.evidence, ""),
        origin,
    )


def _verdict(decision: str, reasons: Sequence[str]) -> str:
    lines = [_VERDICTS.get(decision, f"**{decision}**")]
    if decision != "promote":
        lines += [f"* {_plain(reason)}" for reason in reasons]
    return "\n".join(lines)


def _table(facts: Mapping[str, str]) -> str:
    if not facts:
        return ""
    rows = [f"| {_plain(name)} | {_plain(value)} |" for name, value in facts.items()]
    return "\n".join(["| | |", "|---|---|", *rows])


def _plain(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")


def _joined(*paragraphs: str) -> str:
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
