"""Writes the gate report and the model card with Jinja: pages that stand alone, print well, and believe no text they show."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from bitface.dataset.files import write_atomically
from bitface.documents import Fields
from bitface.errors import InputError
from bitface.page_ports import AuditPage, CardFacts, CardMetric, DataDocs, ExplanationPage, GateReport, StudyPage
from bitface.project import GLOSSARY, shipped

STATES: Final[Mapping[str, tuple[str, str]]] = {
    "FAIL": ("&#10005;", "shown to fail"),
    "INSUFFICIENT": ("?", "too few faces to decide"),
    "NOT-RUN": ("&ndash;", "could not be judged"),
    "PASS": ("&#10003;", "shown to pass"),
}
"""Sign and meaning of each state, worst first: a reader meets what needs them before what does not."""
CHECK_STATES: Final[Mapping[str, tuple[str, str]]] = {
    "FAIL": ("&#10005;", "does not hold, and stops the run"),
    "ADVICE": ("!", "does not hold; look at it, the run goes on"),
    "PASS": ("&#10003;", "holds"),
}
"""Sign and meaning of each state of a rule on data, worst first."""
DECISIONS: Final[Mapping[str, str]] = {
    "promote": "The model may go live: every required cell passes.",
    "hold": "The model waits: no required cell fails, but not all are shown to pass.",
    "block": "The model is blocked: a required cell fails or could not be judged, or no cell was required.",
}
EVIDENCE_SENTENCES: Final[Mapping[str, str]] = {
    "synthetic": "All figures come from synthetic faces. They show that the method works, not that it works on people.",
    "real": "All figures come from faces of real people.",
    "mixed": "Figures combine synthetic and real faces; check the slices before you trust an average.",
}


def write_explanation(page: ExplanationPage, path: Path) -> Path:
    """The explanation as one HTML file without outside resources; returns `path`.

    Raises:
        InputError: a page without caveats, which must not be shown.
    """
    if not page.caveats:
        raise InputError("an explanation page needs at least one caveat; add what it does not show")
    figures = [
        {words: base64.b64encode(file.read_bytes()).decode("ascii") for words, file in face.figures.items()}
        for face in page.faces
    ]
    return _written(_render("explanation.html.jinja", {"page": page, "figures": figures, "status": page.status}), path)


def write_audit_page(page: AuditPage, path: Path) -> Path:
    """Writes an HTML page without scripts that prints in landscape, table heads repeated on every sheet."""
    return _written(_render("audit.html.jinja", {"page": page, "status": page.status}), path)


def write_study_report(page: StudyPage, path: Path) -> Path:
    """The study as one HTML file without outside resources; returns `path`. Raises InputError for an unknown evidence."""
    _known(page.evidence, EVIDENCE_SENTENCES, "evidence")
    figures = {words: base64.b64encode(path.read_bytes()).decode("ascii") for words, path in page.figures.items()}
    values = {"page": page, "status": "", "figures": figures, "evidence_sentence": EVIDENCE_SENTENCES[page.evidence]}
    return _written(_render("study.html.jinja", values), path)


def write_data_docs(page: DataDocs, path: Path) -> Path:
    """The data gate as one HTML file without outside resources, what stops it first; returns `path`.

    Raises:
        InputError: a state that is unknown, or no rule at all: a gate that did not run is not a pass.
    """
    checks = [check for table in page.tables for check in table.checks]
    if not checks:
        raise InputError("the data gate checked nothing; give it at least one table")
    for check in checks:
        _known(check.state, CHECK_STATES, "state of a check")
    worst_first = list(CHECK_STATES)
    values = {
        "status": "",
        "states": CHECK_STATES,
        "counts": {state: sum(check.state == state for check in checks) for state in CHECK_STATES},
        "open": sorted((c for c in checks if c.state != "PASS"), key=lambda check: worst_first.index(check.state)),
        "tables": [
            (table, sorted(table.checks, key=lambda check: worst_first.index(check.state))) for table in page.tables
        ],
    }
    return _written(_render("data_docs.html.jinja", values), path)


def write_gate_report(report: GateReport, path: Path) -> Path:
    """The report as one HTML file without outside resources; returns `path`.

    Raises:
        InputError: a decision, a state or a kind of evidence that is unknown: it must not be shown as if it were fine.
    """
    _known(report.decision, DECISIONS, "decision")
    _known(report.evidence, EVIDENCE_SENTENCES, "evidence")
    for cell in report.cells:
        _known(str(cell["state"]), STATES, "state of a cell")
    counts = {state: sum(str(cell["state"]) == state for cell in report.cells) for state in STATES}
    values = {
        "report": report,
        "status": report.status,
        "sentence": DECISIONS[report.decision],
        "evidence_sentence": EVIDENCE_SENTENCES[report.evidence],
        "states": STATES,
        "counts": counts,
        "groups": _by_kind(report.cells),
        "open_cells": [cell for cell in report.cells if str(cell["state"]) == "INSUFFICIENT"],
    }
    return _written(_render("gate_report.html.jinja", values), path)


def write_model_card(facts: CardFacts, html: Path, markdown: Path) -> tuple[Path, Path]:
    """The model card as HTML and as Markdown of the same facts; returns both paths.

    Raises:
        InputError: a kind of evidence that is unknown, or a card that prohibits nothing or admits no limit.
    """
    _known(facts.evidence, EVIDENCE_SENTENCES, "evidence")
    if not facts.prohibited_contexts or not facts.limits:
        raise InputError("a model card needs at least one prohibited context and one limitation; add them")
    values = {"card": facts, "status": facts.status, "evidence_sentence": EVIDENCE_SENTENCES[facts.evidence]}
    page = _written(_render("model_card.html.jinja", values), html)
    return page, _written(_render("model_card.md.jinja", values), markdown)


@cache
def glossary() -> Mapping[str, Mapping[str, str]]:
    """The glossary that every page has at its end: heading -> term -> meaning."""
    found: dict[str, dict[str, str]] = {}
    for section in shipped(GLOSSARY).read_text(encoding="utf-8").split("\n## ")[1:]:
        heading, _, rest = section.partition("\n")
        paragraphs = (" ".join(part.split()) for part in rest.strip().split("\n\n"))
        terms = (part.removeprefix("**").partition(".** ") for part in paragraphs)
        found[heading] = {term: _plain(meaning) for term, _, meaning in terms}
    return found


def _plain(markdown: str) -> str:
    return markdown.replace("**", "").replace("`", "")


def _by_kind(cells: Sequence[Fields]) -> dict[str, list[Fields]]:
    kinds = dict.fromkeys(str(cell["kind"]) for cell in cells)
    worst_first = list(STATES)
    return {
        kind: sorted(
            (cell for cell in cells if cell["kind"] == kind),
            key=lambda cell: (not cell["required"], worst_first.index(str(cell["state"]))),
        )
        for kind in kinds
    }


def _known(word: str, words: Mapping[str, str] | Mapping[str, tuple[str, str]], what: str) -> None:
    if word not in words:
        raise InputError(f"{what} '{word}' is not one of {', '.join(words)}")


def _render(template: str, values: Mapping[str, object]) -> str:
    # Markdown has no escaping of its own that Jinja knows: HTML's is valid inside it, so both are escaped.
    environment = Environment(
        loader=PackageLoader("bitface.adapters", "report_templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"figure": _figure, "interval": _interval, "one_line": _one_line}
    environment.tests["code"] = _is_code
    environment.globals["glossary"] = glossary()
    return environment.get_template(template).render(values)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(cell: Fields | CardMetric) -> str:
    lo, hi = (cell.lo, cell.hi) if isinstance(cell, CardMetric) else (cell.get("lo"), cell.get("hi"))
    return "-" if lo is None or hi is None else f"{lo:.3f} to {hi:.3f}"


def _is_code(text: str) -> bool:
    """Whether a text is digests or paths, which may be broken anywhere."""
    words = text.split(", ")
    return not any(" " in word for word in words) and any("/" in word or len(word) > 31 for word in words)


def _one_line(text: str) -> str:
    """Text that cannot start a line or a table cell of its own in Markdown."""
    marks = {ord(mark): f"\\{mark}" for mark in "\\`*_[]|#"}
    return " ".join(str(text).split()).translate(marks)


def _written(document: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, document.encode())
    return path
