"""What a newcomer forgets or gives later is named, with a way on that works: as composed, in fresh folders."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.builders import begin_source, consent, write_noise, write_rows

OWN = ("event_id", "record_id", "subject", "state", "evidence_sha256")
"""What a line of consents.jsonl says where common terms say the rest."""


def common(**changes: object) -> dict[str, object]:
    return {
        name: value for name, value in consent("p1", **changes).items() if name not in OWN and name != "recorded_at"
    }


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """Two people whose lines leave everything to consent-terms.json, which was forgotten."""
    folder = tmp_path / "short"
    begin_source(folder)
    for seed, who in enumerate(("p1", "p2")):
        write_noise(folder / f"{who}.png", seed)
    write_rows(folder, ("p1.png,p1,fear", "p2.png,p2,neutral"))
    lines = [{name: consent(who)[name] for name in OWN} for who in ("p1", "p2")]
    (folder / "consents.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """Pictures under people's whole names, one of a single word, one by its folder."""
    folder = tmp_path / "named"
    for seed, name in enumerate(("Anna Keller.png", "Bo Lind.png", "Cem.png")):
        (folder / "happy").mkdir(parents=True, exist_ok=True)
        write_noise(folder / "happy" / name, seed)
    return folder


def people_of(folder: Path) -> dict[str, str]:
    with (folder / "manifest.csv").open() as file:
        return {Path(row["path"]).stem: row["subject_id"] for row in csv.DictReader(file)}


def test_forgotten_terms_are_named_and_data_init_writes_them_anew(bitface, short: Path, tmp_path: Path) -> None:
    said = bitface(tmp_path, "data", "import", str(short))
    assert said.returncode == 2
    assert "consent-terms.json is missing in folder 'short'" in said.stderr and "bitface data init" in said.stderr
    assert "Field required" not in said.stderr and "and 1 more line" in said.stderr
    drafted = bitface(tmp_path, "data", "init", str(short))
    assert "wrote consent-terms.json" in drafted.stdout and "consent-terms.json: purposes" in drafted.stdout
    (short / "consent-terms.json").write_text(json.dumps(common()))
    done = bitface(tmp_path, "data", "import", str(short))
    assert done.returncode == 0 and "2 people" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["consent_terms.json", "Consent-Terms.JSON.txt"])
def test_terms_under_a_name_that_is_almost_right_are_pointed_at(
    bitface, short: Path, tmp_path: Path, name: str
) -> None:
    (short / name).write_text(json.dumps(common()))
    assert f"(rename '{name}' if that is it)" in bitface(tmp_path, "data", "import", str(short)).stderr


def test_terms_that_lack_a_field_are_named_with_it(bitface, short: Path, tmp_path: Path) -> None:
    terms = {name: value for name, value in common().items() if name != "storage"}
    (short / "consent-terms.json").write_text(json.dumps(terms))
    said = bitface(tmp_path, "data", "import", str(short)).stderr
    assert "storage: neither this line nor consent-terms.json says it" in said


def test_terms_beside_recorded_consents_are_named_too(bitface, short: Path, tmp_path: Path) -> None:
    (short / "consent-terms.json").write_text(json.dumps(common()))
    assert bitface(tmp_path, "data", "import", str(short)).returncode == 0
    alone = tmp_path / "elsewhere" / "more.jsonl"
    alone.parent.mkdir()
    alone.write_text(json.dumps({name: consent("p1", event_id="e9")[name] for name in OWN}))
    said = bitface(tmp_path, "consent", "record", str(alone))
    assert said.returncode == 2 and "consent-terms.json is missing in folder 'elsewhere'" in said.stderr


def test_a_pattern_for_whole_names_is_offered_and_fills_the_cells_that_were_left_empty(
    bitface, named: Path, tmp_path: Path
) -> None:
    first = bitface(tmp_path, "data", "init", str(named))
    assert r"use --subject-pattern '^(.+)\.' for the whole name" in first.stdout
    assert people_of(named) == {"Anna Keller": "", "Bo Lind": "", "Cem": "Cem"}
    text = (named / "manifest.csv").read_text().replace("Bo Lind.png,,", "Bo Lind.png,bl,")
    (named / "manifest.csv").write_text(text)
    again = bitface(tmp_path, "data", "init", str(named), "--subject-pattern", r"^(.+)\.")
    assert people_of(named) == {"Anna Keller": "Anna-Keller", "Bo Lind": "bl", "Cem": "Cem"}
    assert "filled in subject_id of 1 row that had none (line 2)" in again.stdout
    assert "1 row (line 3) kept the subject_id that was there" in again.stdout
    assert "added drafts for 2 people" in again.stdout and "subject_id (" not in again.stdout
    assert (named / "manifest.csv").read_text() == text.replace("Keller.png,,", "Keller.png,Anna-Keller,")
    third = bitface(tmp_path, "data", "init", str(named), "--subject-pattern", r"^(Z.+)\.")
    assert "filled in" not in third.stdout and people_of(named)["Anna Keller"] == "Anna-Keller"


def test_rows_for_which_a_later_pattern_finds_nothing_stay_in_doubt(bitface, named: Path, tmp_path: Path) -> None:
    bitface(tmp_path, "data", "init", str(named))
    again = bitface(tmp_path, "data", "init", str(named), "--subject-pattern", "^(Anna.*)[.]")
    assert "Bo Lind.png: subject_id: --subject-pattern finds nothing" in again.stdout


def test_how_dates_are_read_is_said_where_a_date_may_be_the_reason_and_nowhere_else(
    bitface, short: Path, tmp_path: Path
) -> None:
    (short / "consent-terms.json").write_text(json.dumps(common(delete_by="2026-12-31")))
    read = "dates without a time are read strictly"
    (short / "manifest.csv").write_text("path,subject_id,label,colour\np1.png,p1,fear,x\n")
    for other in (
        bitface(tmp_path, "data", "import", str(short)),
        bitface(tmp_path, "data", "import", str(short), "--licence", str(tmp_path / "none.json")),
        bitface(tmp_path, "data", "import", str(short), "--manifest", str(tmp_path / "none.csv")),
    ):
        assert other.returncode == 2 and read not in other.stderr
    write_rows(short, ("p1.png,p1,fear",))
    ended = common(valid_to="2026-01-02", valid_from="2026-01-01", event_time="2026-01-01")
    (short / "consent-terms.json").write_text(json.dumps(ended))
    refused = bitface(tmp_path, "data", "import", str(short))
    assert refused.returncode == 4 and read in refused.stderr
    (short / "consent-terms.json").write_text(json.dumps(ended | {"valid_to": "2025-01-02"}))
    wrong = bitface(tmp_path, "data", "import", str(short))
    assert wrong.returncode == 2 and "valid_to: must be later" in wrong.stderr and read in wrong.stderr


def test_a_new_project_names_both_ways_on_and_the_folder_to_be_in(bitface, tmp_path: Path) -> None:
    said = bitface(tmp_path, "init", str(tmp_path / "my faces")).stdout
    assert f"Next: cd '{tmp_path}/my faces', then" in said
    assert "bitface data init FOLDER" in said and "--purpose benchmark" in said
    assert "bitface retrain --profile quick" in said


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """A public set in class folders, of whose people nothing is known."""
    folder = tmp_path / "public"
    for seed in range(6):
        label = ("angry", "happy")[seed % 2]
        (folder / label).mkdir(parents=True, exist_ok=True)
        write_noise(folder / label / f"{seed}.png", seed)
    return folder


def licence(folder: Path, **changes: object) -> None:
    said = {"id": "faces-2020", "name": "Faces", "address": "https://example.org", "purposes": ["benchmark"]}
    (folder / "licence.json").write_text(json.dumps({**said, "contexts": ["research"], **changes}))


def test_a_forecast_of_a_benchmark_asks_for_nobody_whose_cells_only_advise(
    bitface, public: Path, tmp_path: Path
) -> None:
    licence(public)
    said = bitface(tmp_path, "data", "import", str(public), "--format", "classes", "--dry-run").stdout
    assert "Forecast for purpose benchmark" in said and "In a benchmark these cells only advise" in said
    assert "import such people" not in said and "60_plus" not in said and "ask them" not in said


def test_a_missing_licence_of_a_public_set_leads_to_one(bitface, public: Path, tmp_path: Path) -> None:
    said = bitface(tmp_path, "data", "import", str(public), "--format", "classes").stderr
    assert "of a public set: with --purpose benchmark" in said and '"id": "faces-2020"' in said
    bitface(tmp_path, "data", "init", str(public), "--purpose", "benchmark")
    said = bitface(tmp_path, "data", "import", str(public), "--format", "classes").stderr
    assert '"id": "faces-2020"' in said and "own-2026" not in said
    licence(public, id="my set")
    said = bitface(tmp_path, "data", "import", str(public), "--format", "classes").stderr
    assert '"id": "faces-2020"' in said and "own-2026" not in said


@pytest.mark.parametrize(
    ("purposes", "contexts", "way"),
    [
        (["benchmark"], ["consumer"], "`bitface retrain --purpose benchmark --context consumer`"),
        (["benchmark"], ["education", "medical"], "`bitface retrain --purpose benchmark --context medical`"),
        (["evaluate"], ["research"], "nor benchmark"),
    ],
)
def test_a_benchmark_is_advised_where_the_licence_allows_one(
    bitface, short: Path, tmp_path: Path, purposes: list[str], contexts: list[str], way: str
) -> None:
    licence(short, purposes=purposes, contexts=contexts)
    by_consent = common(purposes=["benchmark", "evaluate"], contexts=contexts)
    (short / "consent-terms.json").write_text(json.dumps(by_consent))
    done = bitface(tmp_path, "data", "import", str(short))
    assert done.returncode == 0, done.stderr
    refused = bitface(tmp_path, "retrain")
    assert refused.returncode == 4 and way in refused.stderr
    assert ("--purpose benchmark" in refused.stderr) == (purposes == ["benchmark"])


def test_the_retrain_that_an_import_names_is_not_refused_for_its_context(bitface, public: Path, tmp_path: Path) -> None:
    licence(public, contexts=["education", "medical"])
    done = bitface(tmp_path, "data", "import", str(public), "--format", "classes")
    assert done.stdout.endswith("Next: bitface retrain --purpose benchmark --context medical\n"), done.stderr
