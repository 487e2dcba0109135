"""The text at the top of MLflow's pages: the decision, why, and the few facts that a reviewer needs in ten seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bitface.counted_words import counted, counted_people
from bitface.ports import TrackedOutcome, TrackedReport, TrackedVersion

_VERDICTS: Final = {
    "promote": "PROMOTE: every required cell of the gate passes.",
    "hold": "HOLD: no required cell fails, but some need more evidence.",
    "block": "BLOCK: a required cell fails or could not be judged.",
}
_EVIDENCE: Final = {
    "synthetic": "Judged on **synthetic people only**: may be used only in context research, for purpose demo or evaluate.",
    "real": "Judged on real people who consented.",
    "mixed": "Judged on synthetic people and on real people who consented.",
}
_MEASURED: Final = {
    "synthetic": "Measured on **synthetic people only**.",
    "real": "Measured on real people who consented.",
    "mixed": "Measured on synthetic people and on real people who consented.",
}
REGISTERED_MODEL_NOTE: Final = """One-bit, explainable facial-expression models.

* `champion` answers by default, `previous` was champion before it, `challenger` waits for approval.
* `demo` is a held version judged on synthetic people, for purpose demo only, while there is no champion.
* A version without an alias was held, blocked or replaced; its tags `status` and `gate.reasons` explain why.
* Numbers and aliases are copied from the ledger; an alias moved by hand in MLflow is moved back and reported.
* Files are plain (OpenVINO IR, safetensors, JSON). Load them through `bitface`, which verifies them.
"""


def run_note(tags: Mapping[str, str], outcome: TrackedOutcome) -> str:
    """The description of a retrain, from the tags of its run and its outcome, as Markdown."""
    people, samples = int(tags["dataset.people"]), int(tags["dataset.samples"])
    data = (
        f"Dataset `{tags['dataset.version'][:12]}`: {counted_people(people)}, {counted(samples, 'sample')}"
        f", admitted for {tags['purpose']} in {tags['context']}."
    )
    look = "**Where to look:** `figures/`, `reports/` under Artifacts; one child run per trained model."
    return _joined(
        _verdict(outcome.decision, outcome.reasons),
        _plain(outcome.status),
        _facts(outcome.headline),
        _EVIDENCE.get(tags["evidence"], ""),
        data,
        look,
    )


def report_note(report: TrackedReport) -> str:
    """The description of a study or a benchmark, as Markdown."""
    look = "**Where to look:** `figures/`, `reports/` under Artifacts."
    return _joined(_facts(report.headline), _MEASURED.get(report.evidence, ""), look)


def version_note(version: TrackedVersion) -> str:
    """The description of a registered version, as Markdown."""
    origin = (
        f"Retrain `{version.run_id}` on dataset `{version.dataset_version[:12]}`, for {version.purpose} in "
        f"{version.context}. Bundle `{version.bundle_sha256[:12]}`, decision `{version.decision_sha256[:12]}`."
    )
    return _joined(
        _verdict(version.decision, version.reasons),
        _plain(version.status),
        _facts(version.headline),
        _EVIDENCE.get(version.evidence, ""),
        origin,
    )


def _verdict(decision: str, reasons: Sequence[str]) -> str:
    # No Markdown at the start: lists of versions show the first words as plain text.
    why = "" if decision == "promote" else " " + "; ".join(_plain(reason) for reason in reasons)
    return _VERDICTS.get(decision, f"{decision.upper()}.") + why


def _facts(facts: Mapping[str, str]) -> str:
    # One paragraph, not a table: a run's page folds its description after a few lines.
    return " · ".join(f"**{_plain(name)}** {_plain(value)}" for name, value in facts.items())


def _plain(text: str) -> str:
    return text.replace("\n", " ").replace("*", "")


def _joined(*paragraphs: str) -> str:
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
