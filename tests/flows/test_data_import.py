"""What an import says is what is stored, and a refused one leaves nothing: with the real command on a fresh installation."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bitface.cli import main
from bitface.consent.known_sources import synthetic_consents
from bitface.dataset.index import read_index

NOTICE = b"We train a model on your picture, for research.\n"
Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, project: Path) -> Run:
    """`run("data", "status")` in this process: exit code, the JSON document if there is one, the last line of standard error."""

    def call(*words: object) -> tuple[int, Any, str]:
        monkeypatch.setattr(sys, "argv", ["bitface", *map(str, words), "--json"])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        streams = capsys.readouterr()
        return code, json.loads(streams.out) if streams.out else None, streams.err.strip().splitlines()[-1:] or [""]

    return call


def event(subject: str, **changes: object) -> dict[str, object]:
    """A consent of somebody for research, as a source writes it."""
    now = datetime.now(UTC)
    (model,) = synthetic_consents(["s" * 16])
    return model.model_dump(mode="json") | {
        "event_id": f"e-{subject}",
        "record_id": f"r-{subject}",
        "subject": subject,
        "lawful_basis": "6(1)(a)",
        "special_category_condition": "9(2)(a)",
        "purposes": ["train", "evaluate"],
        "contexts": ["research"],
        "notice_id": "n1",
        "notice_sha256": hashlib.sha256(NOTICE).hexdigest(),
        "valid_to": (now + timedelta(days=100)).isoformat(),
        "delete_by": (now + timedelta(days=100)).isoformat(),
        "last_interaction": (now - timedelta(days=10)).isoformat(),
        **changes,
    }


class Source:
    """A folder that somebody brings. Picture `a3.png` is of seed 3, so that a name says whether two are alike."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "notices").mkdir(parents=True)
        (folder / "notices" / "n1.md").write_bytes(NOTICE)
        licence = {"id": "own", "name": "ours", "text": "for training", "purposes": ["train", "evaluate"]}
        (folder / "licence.json").write_text(json.dumps(licence))

    def rows(self, *rows: str, header: str = "path,subject_id,label") -> Path:
        """Writes the manifest, the pictures that it names, and a consent of everybody in it."""
        (self.folder / "manifest.csv").write_text("\n".join([header, *rows]) + "\n")
        named = [row.split(",")[:2] for row in rows]
        for name in {name for name, _ in named}:
            seed = int("".join(filter(str.isdigit, name)))
            pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(self.folder / name)
        self.consents(*(event(who) for who in sorted({who for _, who in named})))
        return self.folder

    def consents(self, *events: dict[str, object]) -> None:
        (self.folder / "consents.jsonl").write_text("\n".join(map(json.dumps, events)))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source")


def take(run: Run, folder: Path, *words: str) -> dict[str, Any]:
    """Imports a folder, which must succeed; the counts must be those of a dry run before it, and add up."""
    code, told, error = run("data", "import", folder, "--format", "folder", "--dry-run")
    assert code == 0, error
    code, done, error = run("data", "import", folder, "--format", "folder", *words)
    assert code == 0, error
    counts = ("rows", "admitted", "unchanged", "corrected", "quarantined", "people", "samples", "corrections")
    assert {name: told[name] for name in counts} == {name: done[name] for name in counts}
    with (folder / "manifest.csv").open() as lines:
        assert done["rows"] == len(list(csv.DictReader(lines)))
    assert done["admitted"] + done["unchanged"] + len(done["quarantined"]) == done["rows"]
    assert done["corrected"] <= done["admitted"]
    return dict(done)


def state(project: Path) -> dict[str, bytes]:
    """Every file of keys, dataset and pin."""
    roots = [project / "data", project / "home" / "keys"]
    files = [path for root in roots for path in root.rglob("*") if path.is_file()] + [*project.glob("data.dvc")]
    return {str(path.relative_to(project)): path.read_bytes() for path in files}


def test_a_second_import_counts_unchanged_rows_corrections_and_news_apart(run, source, project) -> None:
    take(run, source.rows("a1.png,p1,fear", "a2.png,p2,neutral"))
    again = take(run, source.folder)
    assert (again["admitted"], again["unchanged"], again["consent_events"]) == (0, 2, 0)
    text = source.folder / "manifest.csv"
    text.write_text(text.read_text().replace("p1,fear", "p1,surprise"))
    corrected = take(run, source.folder)
    assert (corrected["admitted"], corrected["corrected"], corrected["unchanged"]) == (1, 1, 1)
    assert corrected["corrections"] == [{"row": 1, "change": "label fear is now surprise"}]
    assert corrected["version"] != again["version"]
    assert sorted(sample.label for sample in read_index(project / "data")) == ["neutral", "surprise"]


def test_a_consent_that_contradicts_the_record_costs_nobody_but_its_person(run, source, project) -> None:
    take(run, source.rows("a1.png,p1,fear", "a2.png,p2,neutral"))
    known = run("consent", "show", "p1")[1]["events"]
    first, second = map(json.loads, (source.folder / "consents.jsonl").read_text().splitlines())
    source.rows("a1.png,p1,fear", "a2.png,p2,neutral", "a3.png,p3,anger")
    source.consents(first | {"storage": "elsewhere"}, second, event("p3"))
    done = take(run, source.folder)
    assert (done["admitted"], done["unchanged"], [row["row"] for row in done["quarantined"]]) == (1, 1, [1])
    assert "consents.jsonl line 1: event_id" in done["quarantined"][0]["reason"]
    assert run("consent", "show", "p1")[1]["events"] == known


def test_who_is_refused_leaves_no_key_and_no_consent(run, source, project) -> None:
    source.rows("a1.png,p1,fear", "a2.png,p2,neutral")
    source.consents(event("p1"), event("p2", valid_to="2026-01-02T00:00:00Z"))
    done = take(run, source.folder)
    assert (done["people"], done["admitted"], done["consent_events"]) == (1, 1, 1)
    assert len(list((project / "home" / "keys" / "people").iterdir())) == 1
    assert len(list((project / "home" / "keys" / "index").iterdir())) == 1
    assert run("consent", "show", "p2")[0] == 2
