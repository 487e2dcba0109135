"""A dry run counts who would judge: who is here and who comes, who may be used, in the parts that a retrain would make."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bitface.cli import main
from bitface.consent.unfilled import CONSENT_EXAMPLE

NOW = datetime.now(UTC)
NOTICE = b"We train a model on your picture, for research.\n"
Dry = Callable[[Path], dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, project: Path) -> Callable[..., Any]:
    def call(*words: object) -> Any:
        monkeypatch.setattr(sys, "argv", ["bitface", *map(str, words), "--json"])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return json.loads(capsys.readouterr().out)

    return call


@pytest.fixture
def dry(run) -> Dry:
    """The forecast of a folder."""
    return lambda folder: run("data", "import", folder, "--format", "folder", "--dry-run")["forecast"]


def source(
    folder: Path, rows: Iterable[str], licence: tuple[str, ...] = ("train", "evaluate"), **changes: object
) -> Path:
    """A folder that somebody brings: two pictures of each person, `who,age,gender,split`, happy and sad; `changes` of every consent."""
    (folder / "notices").mkdir(parents=True, exist_ok=True)
    (folder / "notices" / "notice-1.md").write_bytes(NOTICE)
    record = {"id": "-".join(licence), "name": "ours", "text": "for research", "purposes": licence}
    (folder / "licence.json").write_text(json.dumps(record))
    lines, people = ["path,subject_id,label,age,gender,split"], []
    for row in rows:
        who, _, facts = row.partition(",")
        people.append(who)
        for label in ("happy", "sad"):
            name = f"{who}_{label}.png"
            seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
            pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name)
            lines.append(f"{name},{who},{label},{facts}")
    (folder / "manifest.csv").write_text("\n".join(lines))
    begun, ends = (NOW - timedelta(days=1)).isoformat(), (NOW + timedelta(days=100)).isoformat()
    times = dict.fromkeys(("event_time", "valid_from", "last_interaction"), begun)
    times |= dict.fromkeys(("valid_to", "delete_by"), ends)
    digests = {"notice_sha256": hashlib.sha256(NOTICE).hexdigest(), "evidence_sha256": "0" * 64}
    said = [
        CONSENT_EXAMPLE | times | digests | {"subject": who, "event_id": f"e-{who}", "record_id": f"r-{who}"} | changes
        for who in people
    ]
    (folder / "consents.jsonl").write_text("\n".join(map(json.dumps, said)))
    return folder


def people_of(forecast: dict[str, Any], value: str) -> tuple[int, int]:
    """Of a value, who is usable and who judges."""
    (row,) = (row for row in forecast["rows"] if row["slice"]["value"] == value)
    return row["usable"], row["slice"]["people"]


def test_people_who_are_here_count_too_and_whoever_withdrew_does_not(run, dry, tmp_path: Path) -> None:
    here = source(tmp_path / "first", [f"p{i},25,female," for i in range(6)])
    run("data", "import", here, "--format", "folder")
    coming = source(tmp_path / "second", [f"q{i},65,male," for i in range(4)])
    forecast = dry(coming)
    assert (forecast["people"], forecast["usable"], forecast["judged"]) == (10, 10, 10)
    assert [people_of(forecast, value) for value in ("female", "male", "18_29", "60_plus", "happiness")] == [
        (6, 6),
        (4, 4),
        (6, 6),
        (4, 4),
        (10, 10),
    ]
    run("consent", "withdraw", "p1", "--reason", "asked")
    forecast = dry(coming)
    assert (forecast["people"], forecast["usable"]) == (10, 9) and people_of(forecast, "female") == (5, 5)


def test_parts_that_the_source_names_judge(dry, tmp_path: Path) -> None:
    rows = [f"p{i},25,female,{('train', 'validation', 'gate')[i % 3]}" for i in range(9)]
    forecast = dry(source(tmp_path / "source", rows))
    assert (forecast["usable"], forecast["judged"], forecast["judged_by"]) == (9, 3, "as the source's splits say")
    assert people_of(forecast, "female") == (9, 3)


def test_of_a_large_set_a_share_judges_and_more_must_be_imported_for_it(dry, tmp_path: Path, monkeypatch) -> None:
    root = Path(__file__).resolve().parents[2]
    text = (root / "params.yaml").read_text().replace("cross_fit_below_people: 250", "cross_fit_below_people: 5")
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.setenv("BITFACE_PARAMS", str(tmp_path / "params.yaml"))
    forecast = dry(
        source(tmp_path / "source", [f"p{i},{25 + 40 * (i % 2)},{('female', 'male')[i % 2]}," for i in range(20)])
    )
    assert (forecast["usable"], forecast["judged"]) == (20, 3)
    open_ = [row for row in forecast["rows"] if row["slice"]["more"]]
    assert open_ and all(row["to_import"] > 6 * row["slice"]["more"] for row in open_)


def test_what_is_impossible_names_the_parameter_and_what_is_unknown_is_counted(dry, tmp_path: Path) -> None:
    forecast = dry(source(tmp_path / "source", [f"p{i},,male," for i in range(6)]))
    said = " ".join((*forecast["impossible"], *forecast["notes"]))
    for words in (
        "gender female",
        "gate.required_values.gender",
        "age_band is unknown for 6 of 6 people",
        "gate.unknown_share_max",
    ):
        assert words in said
    assert "more people make every required row likely" in said
    assert "raise splits.cross_fit_below_people" in said


def test_two_emotions_are_not_called_hopeless_and_every_word_of_the_table_is_explained(
    tmp_path: Path, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"p{i},{25 + 15 * (i % 3)},{('female', 'male')[i % 2]}," for i in range(99)]
    folder = source(tmp_path / "source", rows)
    monkeypatch.setattr(sys, "argv", ["bitface", "data", "import", str(folder), "--format", "folder", "--dry-run"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().out
    assert not ended.value.code
    table = said[said.index("Forecast for") :].splitlines()
    for emotion in ("happiness", "sadness"):
        (line,) = (one for one in table if one.startswith(f"  emotion {emotion}"))
        assert "can pass" in line and "0.813" in line and "no number" not in line
    assert "right 85% of the time" in said and "with 2 emotions" in said
    for word in ("passes from", "gap up to", "binarization"):
        assert sum(word in line for line in table) >= 2, f"'{word}' is used and not explained"
    assert len(table) < 30 and max(map(len, table[:20])) <= 110


def test_too_few_people_for_a_model_are_said_before_one_is_trained(dry, tmp_path: Path) -> None:
    forecast = dry(source(tmp_path / "source", ["p1,25,female,", "p2,65,male,"]))
    assert "training needs at least 5" in forecast["impossible"][0]


@pytest.mark.parametrize(
    ("licence", "purposes", "purpose", "usable"),
    [(("benchmark",), ["benchmark"], "benchmark", 5), (("train", "evaluate"), ["evaluate"], "train", 0)],
)
def test_only_people_who_may_be_used_count(
    dry, tmp_path: Path, licence: tuple[str, ...], purposes: list[str], purpose: str, usable: int
) -> None:
    """Of people who agreed to a benchmark that is forecast; whoever agreed to neither is taken in and judges nothing."""
    rows = [f"p{i},25,female," for i in range(5)]
    forecast = dry(source(tmp_path / "source", rows, licence, purposes=purposes))
    assert (forecast["purpose"], forecast["people"], forecast["usable"]) == (purpose, 5, usable)
    assert bool(forecast["rows"]) == bool(usable) and (
        usable or "none of 10 samples may be used" in forecast["impossible"][0]
    )
