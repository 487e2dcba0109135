"""What an import says is what is stored, and a refused one leaves nothing: with the real command on a fresh installation."""

from __future__ import annotations

import csv
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bitface.dataset.index import read_index
from bitface.dataset.locks import exclusive
from tests.builders import NOW, begin_source, consent, write_noise

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, Any, str]]


class Source:
    """A folder that somebody brings. Picture `a3.png` is of seed 3, so that a name says whether two are alike."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        begin_source(folder)

    def rows(self, *rows: str, header: str = "path,subject_id,label") -> Path:
        """Writes the manifest, the pictures that it names, and a consent of everybody in it."""
        (self.folder / "manifest.csv").write_text("\n".join([header, *rows]) + "\n")
        named = [row.split(",")[:2] for row in rows]
        for name in {name for name, _ in named}:
            write_noise(self.folder / name, int("".join(filter(str.isdigit, name))))
        self.consents(*(consent(who) for who in sorted({who for _, who in named})))
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


def test_what_a_later_import_leaves_out_or_replaces_is_said_to_stay(run, bitface, source, project) -> None:
    """Whoever deletes a picture, or puts another one under its name, may believe the first one gone."""
    done = take(run, source.rows("a1.png,p1,fear", "a2.png,p2,neutral", "a3.png,p3,anger"))
    assert (done["staying_samples"], done["staying_people"]) == (0, 0)
    left_out = take(run, source.rows("a1.png,p1,fear", "a2.png,p2,neutral"))
    assert (left_out["staying_samples"], left_out["staying_people"]) == (1, 1)
    write_noise(source.folder / "a1.png", 99)
    replaced = take(run, source.folder)
    assert (replaced["admitted"], replaced["staying_samples"], replaced["staying_people"]) == (1, 2, 2)
    assert len(read_index(project / "data")) == 4
    said = bitface(project, "data", "import", str(source.folder), "--dry-run").stdout
    assert f"2 samples of 2 people from an earlier import of '{source.folder.name}' stay in the dataset" in said


def test_a_consent_that_contradicts_the_record_costs_nobody_but_its_person(run, source, project) -> None:
    take(run, source.rows("a1.png,p1,fear", "a2.png,p2,neutral"))
    known = run("consent", "show", "p1")[1]["events"]
    first, second = map(json.loads, (source.folder / "consents.jsonl").read_text().splitlines())
    source.rows("a1.png,p1,fear", "a2.png,p2,neutral", "a3.png,p3,anger")
    source.consents(first | {"storage": "elsewhere"}, second, consent("p3"))
    done = take(run, source.folder)
    assert (done["admitted"], done["unchanged"], [row["row"] for row in done["quarantined"]]) == (1, 1, [1])
    assert "consents.jsonl line 1: event_id" in done["quarantined"][0]["reason"]
    assert run("consent", "show", "p1")[1]["events"] == known


def test_who_is_refused_leaves_no_key_and_no_consent(run, source, project) -> None:
    source.rows("a1.png,p1,fear", "a2.png,p2,neutral")
    source.consents(consent("p1"), consent("p2", valid_to="2026-01-02T00:00:00Z"))
    done = take(run, source.folder)
    assert (done["people"], done["admitted"], done["consent_events"]) == (1, 1, 1)
    assert len(list((project / "home" / "keys" / "people").iterdir())) == 1
    assert len(list((project / "home" / "keys" / "index").iterdir())) == 1
    assert run("consent", "show", "p2")[0] == 2


def test_two_imports_at_once_lose_nobody(source, project, environment, run) -> None:
    """The second waits for the first, and both are pinned."""
    take(run, source.rows("a1.png,p1,fear"))
    command = [sys.executable, "-m", "bitface.cli", "data", "import"]
    started = []
    for number in (1, 2):
        other = Source(project / f"source{number}")
        other.rows(*(f"a{number}{one}.png,q{number}{one},fear" for one in range(8)))
        words = [*command, str(other.folder), "--format", "folder"]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(words, cwd=ROOT, env=environment(project), stdout=pipe, stderr=pipe, text=True))
    for process in started:
        out, error = process.communicate(timeout=300)
        assert process.returncode == 0, error
        assert "8 rows admitted" in out and "Traceback" not in error
    assert len({sample.person for sample in read_index(project / "data")}) == 17
    _, status, _ = run("data", "status")
    assert (status["people"], status["is_pinned"]) == (17, True)
    assert sorted(path.name for path in project.glob(".data*")) == []


def test_an_import_that_finds_another_writer_says_who_and_exits_2(run, source, project, monkeypatch) -> None:
    params = (ROOT / "params.yaml").read_text()
    (project / "params.yaml").write_text(re.sub(r"writer_wait_s: \d+", "writer_wait_s: 0", params))
    monkeypatch.setenv("BITFACE_PARAMS", str(project / "params.yaml"))
    with exclusive(project / "data", "bitface retrain", 0):
        code, _, error = run("data", "import", source.rows("a1.png,p1,fear"), "--format", "folder")
    assert code == 2 and "data is being written by bitface retrain" in error and "since 20" in error
    assert state(project) == {}


def test_what_contradicts_itself_is_counted_out_and_the_good_beside_it_taken(run, source, project) -> None:
    """One picture under two names and labels, one person of two ages, one picture of two people; somebody without a fault."""
    rows = ["a1.png,p1,fear,21", "b1.png,p1,anger,", "a2.png,p2,fear,21", "a3.png,p2,fear,50"]
    rows += ["a4.png,p3,fear,", "b4.png,p4,fear,", "a5.png,p5,fear,40", "b5.png,p5,fear,"]
    done = take(run, source.rows(*rows, header="path,subject_id,label,age"))
    assert (done["people"], done["admitted"]) == (1, 1)
    reasons = {row["row"]: row["reason"] for row in done["quarantined"]}
    assert list(reasons) == [1, 2, 3, 4, 5, 6, 8]
    for row, words in ((1, "two labels"), (3, "two different ages"), (5, "two people"), (8, "is in row 7")):
        assert words in reasons[row]
    assert len(list((project / "home" / "keys" / "people").iterdir())) == 1


def test_a_later_picture_without_age_keeps_it_and_the_word_unknown_takes_it_back(run, source) -> None:
    def slices() -> list[str]:
        found = run("data", "status")[1]["slices"]
        return [*found["age_band"], *found["gender"]]

    take(run, source.rows("a1.png,p1,fear,31,female", header="path,subject_id,label,age,gender"))
    take(run, source.rows("a2.png,p1,anger"))
    assert slices() == ["30_44", "female"]
    done = take(run, source.rows("a2.png,p1,anger,unknown,", header="path,subject_id,label,age,gender"))
    assert done["corrections"] == [{"row": 1, "change": "age 30_44 is now unknown"}]
    assert slices() == ["unknown", "female"]


def test_a_picture_that_is_on_record_as_another_s_is_refused(run, source, project) -> None:
    take(run, source.rows("a1.png,p1,fear"))
    done = take(run, source.rows("b1.png,p2,fear", "a2.png,p2,fear"))
    assert [(row["row"], row["reason"]) for row in done["quarantined"]] == [
        (1, "this picture is on record for another person")
    ]
    assert len(read_index(project / "data")) == 2


def test_another_licence_of_the_same_name_allows_less_and_never_more(run, source, project) -> None:
    """Of the pictures that are here: less counts at once, whoever else is taken; more is refused."""
    take(run, source.rows("a1.png,p1,fear"))
    before = state(project)
    licence = {"id": "own", "name": "ours", "text": "for anything", "purposes": ["train", "evaluate", "demo"]}
    (source.folder / "licence.json").write_text(json.dumps(licence))
    code, _, error = run("data", "import", source.folder, "--format", "folder")
    assert code == 2 and "licence 'own' is on record, and this one allows more" in error
    assert state(project) == before
    less = {"id": "own", "name": "ours", "text": "to judge models", "purposes": ["evaluate"], "contexts": ["research"]}
    (source.folder / "licence.json").write_text(json.dumps(less))
    assert run("data", "import", source.rows("b2.png,p2,nonsense"), "--format", "folder")[0] == 2
    code, _, error = run("data", "validate")
    assert code == 4 and "the licence does not allow purpose train" in error, error


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"lawful_basis": "6(1)(f)", "special_category_condition": "none"}, "a condition of GDPR Art. 9(2)"),
        ({"lawful_basis": "none"}, "does not go with basis none"),
        ({"given_by": "guardian"}, "needs an explicit consent"),
        ({"data_kinds": []}, "data kind image is not listed"),
        ({"data_kinds": ["embedding"]}, "data kind image is not listed"),
        ({"data_kinds": ["video", "landmarks"]}, "data kind image is not listed"),
        ({"jurisdiction": "Chicago, IL", "last_interaction": "2012-05-01T00:00:00Z"}, "740 ILCS 14/15(a)"),
        ({"notice_id": "n2"}, "the notice's id is on record with a different text"),
    ],
)
def test_a_consent_that_the_law_does_not_carry_lets_nobody_in(run, source, project, changes, why) -> None:
    """Others of the same folder are taken; alone it is a refusal."""
    source.rows("a1.png,p1,fear", "a2.png,p2,neutral")
    (source.folder / "notices" / "n2.md").write_text("Another notice.\n")
    source.consents(consent("p1", **changes), consent("p2"))
    done = take(run, source.folder)
    assert done["people"] == 1 and [row["row"] for row in done["quarantined"]] == [1]
    assert why in done["quarantined"][0]["reason"]
    source.rows("a1.png,p1,fear")
    source.consents(consent("p1", **changes))
    assert run("data", "import", source.folder, "--format", "folder")[0] == 4


def test_whoever_withdrew_is_on_the_list_of_those_who_must_go(bitface, source, tmp_path) -> None:
    """As people run it: a withdrawal closes, and until the erasure the person is listed; nobody else is."""
    source.rows("a1.png,p1,fear", "a2.png,p2,neutral")
    project = tmp_path / "fresh"
    assert bitface(project, "data", "import", str(source.folder), "--format", "folder").returncode == 0
    assert json.loads(bitface(project, "retention", "--json").stdout) == []
    kept = [path for place in ("home", "data") for path in (project / place, *(project / place).rglob("*"))]
    assert len(kept) > 20
    # DVC opens what it stores; the folder above keeps others out.
    own = [path for path in kept if not {"md5", "dvc-site"} & set(path.parts)]
    assert [path for path in own if path.stat().st_mode & 0o077] == []
    assert bitface(project, "consent", "withdraw", "p1", "--reason", "asked").returncode == 0
    (row,) = json.loads(bitface(project, "retention", "--json").stdout)
    assert (row["because"], row["samples"], row["overdue_days"]) == ("withdrawn and not erased", 1, 0)


def test_what_the_law_ends_is_named_among_what_ends_soon(run, source, project) -> None:
    source.rows("a1.png,p1,fear")
    talked = (NOW - timedelta(days=3 * 365 - 20)).isoformat()
    source.consents(consent("p1", jurisdiction="IL, USA", last_interaction=talked))
    take(run, source.folder)
    (row,) = run("consent", "expiring", "--days", "60")[1]
    assert row["because"] == "740 ILCS 14/15(a), BIPA"


def test_a_real_command_refuses_a_consent_without_a_ground(bitface, source, tmp_path) -> None:
    """As people run it: exit 4, one line, and nothing is stored."""
    source.rows("a1.png,p1,fear")
    source.consents(consent("p1", special_category_condition="none"))
    done = bitface(tmp_path / "fresh", "data", "import", str(source.folder), "--format", "folder")
    assert done.returncode == 4 and "a condition of GDPR Art. 9(2)" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "fresh" / "data").exists()


@pytest.mark.parametrize(("said", "why"), [("16 years", "under 18"), ("12", "under 18"), ("1998", "unreadable")])
def test_a_row_that_may_be_a_child_s_closes_the_person_for_every_other_row(run, source, project, said, why) -> None:
    source.rows(f"a1.png,p1,fear,{said}", "a2.png,p1,neutral,", "a3.png,p2,fear,", header="path,subject_id,label,age")
    done = take(run, source.folder)
    assert done["people"] == 1 and [row["row"] for row in done["quarantined"]] == [1, 2]
    assert why in done["quarantined"][1]["reason"]


@pytest.mark.parametrize("name", ["notices/n2.md", "licence.json", "manifest.csv", "consents.jsonl"])
@pytest.mark.parametrize("kind", ["link", "pipe", "large"])
def test_no_file_of_this_machine_gets_in_through_a_text_and_none_holds_it_up(run, source, project, name, kind) -> None:
    """A notice that was a link put what it led to into a ledger that forgets nothing; a pipe was waited for without end."""
    source.rows("a1.png,p1,fear")
    place = source.folder / name
    place.unlink(missing_ok=True)
    secret = source.folder.parent / "secret"
    secret.write_text("root:x:0:0")
    if kind == "link":
        place.symlink_to(secret)
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        with place.open("wb") as file:
            file.truncate(1 << 33)
    code, done, error = run("data", "import", source.folder, "--format", "folder")
    assert (code, done) == (2, None) and place.name in error
    assert not any(b"root:x" in path.read_bytes() for path in (project / "home").rglob("*") if path.is_file())


def test_a_folder_of_notices_that_is_a_link_is_not_followed(run, source, project) -> None:
    source.rows("a1.png,p1,fear")
    (source.folder / "notices").rename(source.folder.parent / "elsewhere")
    (source.folder / "notices").symlink_to(source.folder.parent / "elsewhere")
    code, done, error = run("data", "import", source.folder, "--format", "folder")
    assert (code, done) == (2, None) and "links are not followed" in error


def test_one_picture_in_forty_rows_fills_no_memory(bitface, source, tmp_path) -> None:
    """70 KB that open to 75 MB each, forty frames of one clip: three gigabytes once, and now no more than the clip may have."""
    rows = [f"a1.png,p1,fear,c,{number}" for number in range(40)]
    source.rows(*rows, "a2.png,p2,fear,,", header="path,subject_id,label,clip,frame")
    Image.new("RGB", (5000, 5000), "grey").save(source.folder / "a1.png")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = bitface(
        tmp_path / "fresh", "data", "import", str(source.folder), "--format", "folder", "--dry-run", "--json"
    )
    said = json.loads(done.stdout)
    assert said["people"] == 1 and len(said["quarantined"]) == 40
    assert "over 512 frames and 64000000 pixels" in said["quarantined"][0]["reason"]
    assert max(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - before, 0) < 1_000_000  # KiB


def test_no_text_of_a_source_speaks_to_the_terminal(bitface, source, tmp_path) -> None:
    """Neither the name of a file, nor a label, nor a column's name, in an error or in a table."""
    source.rows("a1.png,p1,fear", "a2.png,p2,fear")
    (source.folder / "manifest.csv").write_text("path,subject_id,label\na1.png,p1,fear\na2.png,p2,\x1b[2Jfear\x07\n")
    done = bitface(tmp_path / "fresh", "data", "import", str(source.folder), "--format", "folder")
    assert done.returncode == 0 and "unknown label" in done.stdout
    (source.folder / "manifest.csv").write_text("path,subject_id,label,\x1b]0;x\x07\na1.png,p1,fear,\n")
    refused = bitface(tmp_path / "fresh", "data", "import", str(source.folder), "--format", "folder")
    missing = bitface(tmp_path / "fresh", "data", "import", "no\x1b[31mfolder", "--format", "folder")
    assert (refused.returncode, missing.returncode) == (2, 2)
    for one in (done, refused, missing):
        assert not set("\x1b\x07\x9b\r") & set(one.stdout + one.stderr)


def test_a_folder_that_is_named_as_a_formula_is_a_name_in_the_index(run, source, project, tmp_path) -> None:
    source.rows("a1.png,p1,fear")
    place = source.folder.rename(tmp_path / "=1+1")
    code, _, error = run("data", "import", place, "--format", "folder")
    assert code == 0, error
    (row,) = csv.DictReader((project / "data" / "index.csv").read_text().splitlines())
    assert row["source"] == "'=1+1" and read_index(project / "data")[0].source == "=1+1"


def test_what_a_purpose_needs_is_asked_again_when_the_dataset_is_judged(run, source, project) -> None:
    """Taken in to be evaluated, which trains nothing."""
    source.rows("a1.png,p1,fear")
    source.consents(consent("p1", purposes=["evaluate"]))
    take(run, source.folder)
    code, _, error = run("data", "validate")
    assert code == 4 and "no consent event for purpose train" in error
