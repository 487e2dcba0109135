"""The first hour of a newcomer, as composed: each command's last line leads to one that works."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bitface.dataset.index import read_index
from bitface.faces.records import is_synthetic
from tests.builders import begin_source, consent, write_noise

SMALL = ("--people", "10", "--gate-people", "4", "--clips", "1")


@pytest.fixture(scope="module")
def drawn(bitface, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which synthetic people were rendered before anybody was imported."""
    project = tmp_path_factory.mktemp("drawn") / "project"
    done = bitface(project, "data", "synthesize", *SMALL)
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def rendered(drawn: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return shutil.copytree(drawn, tmp_path / "project", symlinks=True)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with a picture and a consent of two people."""
    folder = tmp_path / "own"
    begin_source(folder)
    (folder / "manifest.csv").write_text("path,subject_id,label\na1.png,p1,fear\na2.png,p2,neutral\n")
    (folder / "consents.jsonl").write_text("\n".join(json.dumps(consent(who)) for who in ("p1", "p2")))
    for seed in (1, 2):
        write_noise(folder / f"a{seed}.png", seed)
    return folder


def people_of(project: Path) -> list[bool]:
    """Of each person of the dataset, whether it is synthetic."""
    return [is_synthetic(person) for person in sorted({sample.person for sample in read_index(project / "data")})]


def test_people_who_are_imported_replace_synthetic_ones_unless_asked_to_keep_them(
    bitface, rendered: Path, own: Path
) -> None:
    foreseen = bitface(rendered, "data", "import", str(own), "--dry-run")
    assert "would replace 14 synthetic people" in foreseen.stdout and "--keep-synthetic" in foreseen.stdout
    assert all(people_of(rendered)) and "2 of 2 people usable" in foreseen.stdout
    done = bitface(rendered, "data", "import", str(own))
    assert done.returncode == 0, done.stderr
    assert "\nreplaced 14 synthetic people" in done.stdout and "mixed" not in done.stdout
    assert people_of(rendered) == [False, False]
    again = bitface(rendered, "data", "import", str(own))
    assert "2 unchanged" in again.stdout and "synthetic" not in again.stdout


def test_synthetic_people_who_are_kept_are_announced(bitface, rendered: Path, own: Path) -> None:
    done = bitface(rendered, "data", "import", str(own), "--keep-synthetic")
    assert "also holds 14 synthetic people, so that its evidence is mixed" in done.stdout
    assert sorted(people_of(rendered)) == [False] * 2 + [True] * 14


def test_an_import_that_takes_nobody_replaces_nobody(bitface, rendered: Path, own: Path) -> None:
    (own / "consents.jsonl").write_text(json.dumps(consent("p1", valid_to="2026-01-02T00:00:00Z")))
    assert bitface(rendered, "data", "import", str(own)).returncode != 0
    assert people_of(rendered) == [True] * 14


def test_a_public_set_goes_from_draft_to_retrain_by_the_commands_that_are_named(bitface, tmp_path: Path) -> None:
    """Drafted forms are no rows, and nobody is asked who is on 600 pictures of strangers."""
    folder, project = tmp_path / "public", tmp_path / "project"
    for seed, label in enumerate(("angry", "happy")):
        (folder / "train" / label).mkdir(parents=True)
        write_noise(folder / "train" / label / f"0{seed}.png", seed)
    drafted = bitface(project, "data", "init", str(folder), "--purpose", "benchmark")
    assert f"Next: bitface data import {folder} --format classes" in drafted.stdout
    assert "subject_id (" not in drafted.stdout
    licence = (folder / "licence.json").read_text().replace("FILL IN ", "")
    (folder / "licence.json").write_text(licence.replace("a short id, such as faces-2020", "faces-2020"))
    given = ("--format", "classes", "--licence", str(folder / "licence.json"))
    tried = bitface(project, "data", "import", str(folder), *given, "--dry-run")
    assert tried.stdout.endswith(f"Next: bitface data import {folder} {' '.join(given)}\n"), tried.stderr
    done = bitface(project, "data", "import", str(folder), "--format", "classes")
    assert done.returncode == 0, done.stderr
    assert "2 people, 2 samples of 2 rows: 2 rows admitted, 0 unchanged, 0 quarantined" in done.stdout
    assert done.stdout.endswith("Next: bitface retrain --purpose benchmark --context research\n")
    refused = bitface(project, "retrain")
    assert refused.returncode == 4 and "`bitface retrain --purpose benchmark --context research`" in refused.stderr


def test_a_second_draft_before_the_terms_are_filled_in_asks_no_person_again(bitface, tmp_path: Path) -> None:
    """Nobody can have agreed to terms that do not say when."""
    folder, project = tmp_path / "photos", tmp_path / "project"
    (folder / "happy").mkdir(parents=True)
    write_noise(folder / "happy" / "anna.png", 1)
    bitface(project, "data", "init", str(folder))
    write_noise(folder / "happy" / "bo.png", 2)
    again = bitface(project, "data", "init", str(folder))
    assert "state (" not in again.stdout and "not known of up to 2 people" in again.stdout
    states = {json.loads(line)["state"] for line in (folder / "consents.jsonl").read_text().splitlines()}
    assert states == {"given"}
