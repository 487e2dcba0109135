"""Reports: hostile text stays text, states are words and not only colours, and nothing is fetched from anywhere."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bitface.adapters import report_html
from bitface.adapters.report_html import (
    glossary,
    write_gate_report,
    write_model_card,
)
from bitface.errors import InputError
from bitface.evaluation.intervals import Interval
from bitface.gate.cells import Question, at_most, judged, not_run
from bitface.page_ports import AuditPage, CardFacts, CardMetric, GateReport, ReportTable

STATUS = "bitface/7 · HELD, alias demo · evidence synthetic · for demo in research · not live"
HOSTILE = "<script>alert('x')</script>\n| [a](javascript:alert(1)) \"&"


def cell(**changes):
    values = {
        "name": "emotion/fear",
        "kind": "emotion",
        "emotion": "fear",
        "metric": "balanced_accuracy",
        "slice": "",
        "required": True,
        "n": 120,
        "persons": 40,
        "value": 0.78,
        "lo": 0.71,
        "hi": 0.84,
        "floor": 0.75,
        "state": "INSUFFICIENT",
        "reason": "the interval holds the floor",
        "n_needed": 610,
    }
    return values | changes


def report(*cells, decision="hold"):
    return GateReport(
        status=STATUS,
        title="Gate of bitface 7",
        decision=decision,
        outcome="1 required cell does not pass: 1 is undecided",
        reasons=("one required cell is open",),
        evidence="synthetic",
        facts={"dataset": "v3"},
        cells=cells or (cell(),),
    )


def card(**changes):
    metric = CardMetric(group="emotion", name="fear", metric="AUC", value=0.91, lo=0.87, hi=0.95, n=840, persons=120)
    facts = CardFacts(
        status=STATUS,
        name="bitface",
        version="7",
        digest="ab" * 32,
        evidence="synthetic",
        summary="Recognises expressions.",
        intended_use=("research",),
        prohibited_contexts=("workplace", "education"),
        data={"people": "140"},
        training={"epochs": "30"},
        metrics=(metric,),
        slices=(),
        probabilities=("sets at 90% contain the true emotion in 92%",),
        explanation=("approximate, not additive",),
        limits=("an expression is not a feeling",),
    )
    return replace(facts, **changes)


def written(report_, tmp_path):
    return write_gate_report(report_, tmp_path / "gate.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Opened and closed tags, so that a page that is not well formed shows."""

    VOID = ("meta", "br")

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags_of(page):
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    return tags


def test_a_gate_report_says_its_decision_first(tmp_path):
    """One sentence, before any table, and the kind of evidence with it."""
    page = written(report(), tmp_path)
    assert page.index("HOLD") < page.index("The model waits") < page.index("Evidence: synthetic") < page.index("<table")


def test_what_would_decide_an_open_cell_is_said(tmp_path):
    """120 samples now, about 610 needed; a figure on its limit and a cell without a figure are told apart from it."""
    page = written(report(cell(), cell(n_needed=None), cell(n_needed=None, value=None)), tmp_path)
    needed = re.findall(r'<td class="number">(about 610|not by more samples alone|unknown)</td>', page)
    assert needed == ["about 610", "not by more samples alone", "unknown"]


@pytest.mark.parametrize("state", ["PASS", "FAIL", "INSUFFICIENT", "NOT-RUN"])
def test_a_state_is_a_word_and_a_sign_and_not_only_a_colour(tmp_path, state):
    """In print and to colour-blind readers the badge still speaks."""
    page = written(report(cell(state=state)), tmp_path)
    assert re.search(rf'<span class="badge {state}"><span aria-hidden="true">[^<]+</span> {state}</span></td>', page)


def test_cells_are_grouped_by_kind_with_the_worst_first(tmp_path):
    """A failed cell must not hide below twenty that passed."""
    page = written(
        report(cell(name="fine", state="PASS"), cell(name="poor", state="FAIL"), cell(kind="slice")), tmp_path
    )
    assert page.index("poor") < page.index("fine")
    assert page.index("<h2>Emotion</h2>") < page.index("<h2>Slice</h2>")


def test_a_gate_s_own_cells_are_shown_as_they_are(tmp_path):
    """Documents of judged cells carry `limit` and `bound`; one that was not run has no figures."""
    question = Question(name="latency/p50", kind="latency", metric="p50_ms", required=True)
    interval = Interval(value=0.4, lo=0.3, hi=0.5, n=200, persons=0)
    cells = (judged(question, interval, at_most(2.0)), not_run(question, "no runtime"))
    page = written(report(*(each.document() for each in cells)), tmp_path)
    assert "at most 2.000" in page
    assert "0.300 to 0.500" in page
    assert "not judged: no runtime" in page


def test_a_gate_without_cells_does_not_look_like_a_pass(tmp_path):
    """An empty table would."""
    page = written(replace(report(), cells=(), decision="block"), tmp_path)
    assert "a gate that did not run is not a pass" in page


@pytest.mark.parametrize("field", ["name", "reason", "metric", "kind"])
def test_hostile_text_of_a_cell_stays_text(tmp_path, field):
    """Names come from file columns: none may become an element."""
    page = written(report(cell(**{field: HOSTILE})), tmp_path)
    assert "script" not in tags_of(page).seen
    assert "&lt;script&gt;" in page.lower()


def test_hostile_text_of_a_card_stays_text_in_both_forms(tmp_path):
    """HTML escapes it; Markdown also keeps it on its line, with no link and no column of its own."""
    html, markdown = write_model_card(
        card(summary=HOSTILE, limits=(HOSTILE,), data={HOSTILE: HOSTILE}), tmp_path / "c.html", tmp_path / "c.md"
    )
    assert "script" not in tags_of(html.read_text()).seen
    text = markdown.read_text()
    assert "<script" not in text
    assert "[a](" not in text
    assert not any(line.startswith("| [a]") for line in text.splitlines())


def test_pages_fetch_nothing(tmp_path):
    """No address, no script, no source: a report on a closed network is whole, and tells nobody that it is read."""
    html, _ = write_model_card(card(), tmp_path / "c.html", tmp_path / "c.md")
    for page in (html.read_text(), written(report(), tmp_path)):
        tags = tags_of(page)
        assert not {"script", "link", "img", "iframe", "a"} & set(tags.seen)
        assert not [name for name, _ in tags.attributes if name in ("src", "href")]
        assert "url(" not in page
        assert "@media print" in page


def test_a_card_says_evidence_and_prohibited_contexts_before_its_figures(tmp_path):
    """Who reads only the top must not take synthetic evidence for real."""
    for path in write_model_card(card(), tmp_path / "c.html", tmp_path / "c.md"):
        page = path.read_text()
        assert page.index("Evidence: synthetic") < page.index("workplace") < page.index("0.870 to 0.950")
        assert "an expression is not a feeling" in page


def test_a_markdown_card_has_whole_tables(tmp_path):
    """Every row of a table follows its head without a gap."""
    _, markdown = write_model_card(card(), tmp_path / "c.html", tmp_path / "c.md")
    text = markdown.read_text()
    assert "|---|---|---|---:|---:|---:|---:|\n| emotion | fear | AUC | 0.910 | 0.870 to 0.950 | 840 | 120 |\n" in text
    assert "\n- workplace\n- education\n" in text


@pytest.mark.parametrize("changes", [{"prohibited_contexts": ()}, {"limits": ()}, {"evidence": "plenty"}])
def test_a_card_that_hides_its_limits_is_refused(tmp_path, changes):
    """A card without a prohibited context or a limit, or with unknown evidence, is not written at all."""
    with pytest.raises(InputError):
        write_model_card(card(**changes), tmp_path / "c.html", tmp_path / "c.md")
    assert not (tmp_path / "c.html").exists()


@pytest.mark.parametrize("changes", [{"decision": "ship"}, {"evidence": "plenty"}, {"cells": (cell(state="OK"),)}])
def test_words_that_no_gate_says_are_refused(tmp_path, changes):
    """An unknown decision or state must not be dressed as a known one."""
    with pytest.raises(InputError):
        written(replace(report(), **changes), tmp_path)


def test_an_audit_page_shows_every_cell_escaped_and_without_scripts(tmp_path):
    table = ReportTable(heading="Run", caption="1 record", columns=["id", "sha256"], rows=[["<b>r1</b>", "a" * 64]])
    page = AuditPage(
        status=STATUS,
        title="What run r1 used and produced",
        lead="All of it.",
        asked_at="2026-06-01",
        standing="It holds.",
        tables=[table],
    )
    text = report_html.write_audit_page(page, tmp_path / "audit.html").read_text()
    assert "&lt;b&gt;r1" in text and "a" * 64 in text and "It holds." in text
    assert "<script" not in text and "landscape" in text
    about_nobody = report_html.write_audit_page(replace(page, status=""), tmp_path / "none.html").read_text()
    assert first_words(text).startswith(STATUS) and 'class="status"' not in about_nobody


def first_words(page):
    """What a reader of the page's body meets first, without its marks."""
    words = re.sub(r"<[^>]+>", "", page.partition("<main>")[2])
    return " ".join(words.split())


def test_a_gate_report_and_a_card_begin_with_how_the_model_stands(tmp_path):
    gate = write_gate_report(report(), tmp_path / "gate.html").read_text()
    html, markdown = write_model_card(card(), tmp_path / "card.html", tmp_path / "card.md")
    assert first_words(gate).startswith(f"{STATUS} Gate of") and first_words(html.read_text()).startswith(STATUS)
    first = next(line for line in markdown.read_text().splitlines() if line.startswith(">"))
    assert first == f"> {STATUS}"


def test_hostile_text_of_a_status_stays_text(tmp_path):
    page = write_gate_report(replace(report(), status=f"bitface/1 · {HOSTILE}"), tmp_path / "gate.html").read_text()
    assert "<script>" not in page


def test_every_page_ends_with_the_glossary(tmp_path):
    """Each term has a meaning, in plain words without Markdown's marks."""
    terms = {term: meaning for own in glossary().values() for term, meaning in own.items()}
    assert {"Conformal set", "Slice", "Non-inferiority", "Abstention"} <= terms.keys()
    assert all(len(meaning) > 20 and not set("*`#") & set(meaning + term) for term, meaning in terms.items())
    page = write_gate_report(report(), tmp_path / "gate.html").read_text(encoding="utf-8")
    assert all(f"<dt>{term}</dt>" in page for term in terms)
