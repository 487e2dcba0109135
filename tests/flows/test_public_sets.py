"""Sets that were published without anybody's consent: in by a licence, judged to the end for benchmark, and nowhere else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bitface.dataset.index import read_index
from bitface.steps.formats.fer2013_table import EMOTIONS_BY_NUMBER

Run = Callable[..., tuple[int, Any, str]]
LICENCE = {"id": "own", "name": "ours", "text": "for comparison", "purposes": ["benchmark"], "contexts": ["research"]}
PARTS = ("Training", "PublicTest", "PrivateTest")


@pytest.fixture
def run(run_and_hear: Run) -> Run:
    """A command in this process, with all that it says on standard error."""
    return run_and_hear


def grey(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 48), dtype=np.uint8)


def line(seed: int, emotion: int = 3, part: str = "Training", more: str = "") -> str:
    return f"{emotion},{' '.join(map(str, grey(seed).ravel()))},{part}{more}"


def table(folder: Path, lines: Sequence[str], header: str = "emotion,pixels,Usage") -> Path:
    path = folder / "fer2013.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def folders(root: Path, *paths: str, licence: dict[str, Any] | None = None) -> Path:
    """A picture of its own at each path; `#3` at the end of a path is its seed."""
    for number, path in enumerate(paths):
        name, _, seed = path.partition("#")
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey(int(seed or 100 + number))).save(root / name)
    if licence:
        (root / "licence.json").write_text(json.dumps(licence))
    return root


def found(report: dict[str, Any]) -> dict[str, tuple[int, list[int]]]:
    return {one["name"]: (one["count"], one["rows"]) for one in report["findings"]}


def test_a_known_set_goes_in_by_its_published_licence_and_serves_benchmark_alone(run: Run, project: Path) -> None:
    source = table(project, [line(seed, seed % 7, PARTS[seed % 3]) for seed in range(9)])
    code, report, error = run("data", "import", source, "--format", "fer2013")
    assert code == 0, error
    assert (report["people"], report["admitted"], report["by_licence"]) == (9, 9, 9)
    assert report["licence"] == "fer2013-research" and report["quarantined"] == []
    assert found(report) == dict.fromkeys(("person_per_picture", "children_among_them"), (9, [1, 2, 3, 4, 5]))
    splits = sorted(sample.split for sample in read_index(project / "data"))
    assert splits == ["test"] * 3 + ["train"] * 3 + ["validation"] * 3
    (licence,) = json.loads((project / "data" / "licences.json").read_text())
    assert licence["purposes"] == ["benchmark"] and licence["contexts"] == ["research"]
    for purpose, context, why in (
        ("train", "research", "the licence does not allow purpose train"),
        ("benchmark", "consumer", "the licence does not allow context consumer"),
    ):
        code, _, error = run("retrain", "--purpose", purpose, "--context", context)
        assert code == 4 and f"none of 9 samples may be used: {why}" in error
    again = run("data", "import", source, "--format", "fer2013")[1]
    assert (again["admitted"], again["unchanged"], again["version"]) == (0, 9, report["version"])


def test_copies_across_parts_stay_in_the_training_part_and_two_labels_are_nobody_s(run: Run, project: Path) -> None:
    lines = [
        line(1, part="PrivateTest"),
        line(1, part="Training"),
        line(2, part="PublicTest"),
        line(2, part="PrivateTest"),
        line(3, emotion=0, part="Training"),
        line(3, emotion=4, part="PrivateTest"),
        line(4),
        "9," + line(5).partition(",")[2],
    ]
    code, report, error = run("data", "import", table(project, lines), "--format", "fer2013")
    assert code == 0, error
    reasons = {one["row"]: (one["finding"], one["reason"]) for one in report["quarantined"]}
    assert reasons[1] == ("same_picture", "the same picture is in row 2")
    assert reasons[4] == ("same_picture", "the same picture is in row 3")
    assert {reasons[row][0] for row in (5, 6)} == {"two_labels"} and "(anger, sadness)" in reasons[5][1]
    assert reasons[8][0] == "unknown_label" and len(reasons) == 5
    assert sorted(sample.split for sample in read_index(project / "data")) == ["train", "train", "validation"]
    assert found(report)["same_picture"] == (2, [1, 4]) and found(report)["two_labels"] == (2, [5, 6])


def test_class_folders_go_in_by_a_licence_beside_them(run: Run, project: Path) -> None:
    paths = ("train/angry/a.png", "train/HA/b.png#7", "test/joy/c.png#7", "valid/sad/d.png", "test/smug/e.png")
    source = folders(project / "faces", *paths, licence=LICENCE)
    code, report, error = run("data", "import", source, "--format", "classes")
    assert code == 0, error
    assert (report["people"], report["by_licence"], report["rows"]) == (3, 3, 5)
    assert found(report).keys() == {"person_per_picture", "same_picture", "unknown_label"}
    kept = {(sample.label, sample.split) for sample in read_index(project / "data")}
    assert kept == {("anger", "train"), ("happiness", "train"), ("sadness", "validation")}


def test_people_whom_a_pattern_names_are_people_and_none_stands_in_two_parts(run: Run, project: Path) -> None:
    paths = ("train/sad/S1_a.png", "train/joy/S1_b.png", "train/sad/S2_a.png", "test/sad/S2_b.png")
    source = folders(project / "faces", *paths, licence=LICENCE)
    words = ("data", "import", source, "--format", "classes", "--subject-pattern", "^(S[0-9]+)_")
    code, report, error = run(*words)
    assert code == 0, error
    assert (report["people"], report["samples"]) == (1, 2) and "person_per_picture" not in found(report)
    assert all("one person into two splits (test and train)" in one["reason"] for one in report["quarantined"])


def test_what_is_missing_is_named_with_an_example_the_option_and_the_page(run: Run, project: Path) -> None:
    source = folders(project / "faces", "sad/a.png")
    code, _, error = run("data", "import", source, "--format", "classes")
    assert code == 2
    for words in ("'licence.json' does not exist", '"purposes": ["benchmark"]', "--licence", "docs/datasets.md"):
        assert words in error
    (source / "licence.json").write_text(json.dumps({**LICENCE, "purposes": ["train"]}))
    code, _, error = run("data", "import", source, "--format", "classes")
    assert code == 2
    for words in ("'consents.jsonl' does not exist", '"state": "given"', "--consents", "docs/datasets.md"):
        assert words in error
    assert not (project / "data").exists()
    code, _, error = run("data", "import", project / "none.csv", "--format", "fer2013")
    assert code == 2 and "file 'none.csv' does not exist" in error
    code, _, error = run("data", "import", source, "--format", "fer2013")
    assert code == 2 and "file 'faces' does not exist or is a folder" in error


@pytest.mark.parametrize(
    ("format_", "option"),
    [
        ("classes", "--votes"),
        ("classes", "--manifest"),
        ("fer2013", "--subject-pattern"),
        ("folder", "--votes"),
        ("london", "--consents"),
        ("london", "--licence"),
        ("classes", "--ignore-column"),
    ],
)
def test_an_option_that_a_format_does_not_read_is_refused_and_not_passed_over(
    run: Run, project: Path, format_: str, option: str
) -> None:
    code, _, error = run("data", "import", project, "--format", format_, option, "x")
    assert code == 2 and f"{option} has no meaning for --format {format_}" in error


def test_a_dry_run_says_the_same_and_writes_nothing(run: Run, project: Path) -> None:
    source = table(project, [line(1), line(1), line(2)])
    code, dry, error = run("data", "import", source, "--format", "fer2013", "--dry-run")
    assert code == 0, error
    assert (dry["people"], dry["by_licence"], found(dry)["same_picture"]) == (2, 2, (1, [2]))
    assert not (project / "data").exists() and not (project / "home").exists()
    real = run("data", "import", source, "--format", "fer2013")[1]
    assert {**real, "version": None, "manifest_sha256": None, "dry_run": True} == {**dry, "forecast": None}
    assert dry["forecast"]["people"] == 2


def test_a_person_of_a_public_set_who_objects_is_erased_by_the_id_that_the_page_gives(run: Run, project: Path) -> None:
    """There is no consent to withdraw; the message says what there is instead, and it finds the person."""
    assert run("data", "import", table(project, [line(1), line(2)]), "--format", "fer2013")[0] == 0
    who = "fer2013-" + hashlib.sha256(b"1 " + grey(1).tobytes()).hexdigest()[:16]
    code, _, error = run("consent", "withdraw", who, "--reason", "asked")
    assert (
        code == 2 and "a licence alone admits a person without one; to take the person out use `bitface erase`" in error
    )
    code, found, error = run("erase", who, "--dry-run")
    assert code == 0 and len(found["subjects"]) == 1, error


def test_a_manifest_without_consents_goes_in_for_benchmark_where_its_licence_allows_that(
    run: Run, project: Path
) -> None:
    source = folders(project / "faces", "a.png", "b.png", licence={**LICENCE, "purposes": ["train", "benchmark"]})
    (source / "manifest.csv").write_text("path,subject_id,label\na.png,p1,fear\nb.png,p2,joy\n")
    code, report, error = run("data", "import", source, "--format", "folder")
    assert code == 0 and report["by_licence"] == 2, error
    code, _, error = run("retrain", "--purpose", "train", "--context", "research")
    assert code == 4 and "no consent event for purpose train" in error


def test_a_child_of_a_public_set_is_refused(run: Run, project: Path) -> None:
    lines = [line(1, more=",30"), line(2, more=",12"), line(3, more=",")]
    source = table(project, lines, "emotion,pixels,Usage,age")
    code, report, error = run("data", "import", source, "--format", "fer2013")
    assert code == 0, error
    (child,) = report["quarantined"]
    assert child["row"] == 2 and "under 18" in child["reason"] and report["people"] == 2
    assert found(report)["child"] == (1, [2])


def test_all_rows_of_a_child_are_refused_and_files_that_cannot_be_read_have_a_name(run: Run, project: Path) -> None:
    source = folders(project / "faces", "a.png", "b.png", "c.png", licence=LICENCE)
    (source / "d.png").write_bytes(b"no picture")
    rows = ("a.png,p1,fear,12", "b.png,p1,fear,", "c.png,p2,joy,30", "d.png,p3,joy,30")
    (source / "manifest.csv").write_text("\n".join(["path,subject_id,label,age", *rows]) + "\n")
    code, report, error = run("data", "import", source, "--format", "folder")
    assert code == 0 and report["people"] == 1, error
    assert found(report) == {"child": (2, [1, 2]), "unreadable_picture": (1, [4])}
    moved = folders(project / "others", "sad/c.png#102", "sad/e.png", licence=LICENCE)
    code, report, error = run("data", "import", moved, "--format", "classes")
    assert code == 0, error
    assert found(report)["on_record_elsewhere"] == (1, [1])


@pytest.mark.parametrize("parts", [("Training",), ("Training", "PublicTest")])
def test_a_set_without_a_part_to_judge_by_is_refused_before_anything_is_computed(
    run: Run, project: Path, parts: tuple[str, ...]
) -> None:
    lines = [line(seed, seed % 7, parts[seed % len(parts)]) for seed in range(16)]
    assert run("data", "import", table(project, lines), "--format", "fer2013")[0] == 0
    code, _, error = run("retrain", "--purpose", "benchmark", "--context", "research")
    assert code == 2 and "0 in gate" in error and "where a source names no gate, its test part judges" in error
    assert not (project / "home" / "runs").exists() and not (project / "home" / "stages").exists()


BRIEF = (
    "training.epochs=2",
    "explain.samples=14",
    "latency.rounds=100",
    "drift.permutations=999",
    "features.augmented_copies_image=0",
    "features.people_per_task=100",
    "quality.admitted_share_min=0.5",
)


@pytest.fixture(scope="module")
def rendered(done, stills: Path) -> list[str]:
    """Rows of FER2013's table: the faces of rendered people as 48 x 48 grey crops, eight of whom train, two choose and four judge."""
    rows = {row.sample_id: row for row in read_index(done[0] / "data") if row.split == "gate"}
    people = sorted({row.person for row in rows.values()})
    lines = []
    for path in sorted(stills.iterdir()):
        row = rows[path.stem]
        picture = Image.open(path).convert("L")
        margin = picture.width // 6
        crop = picture.crop((margin, margin, picture.width - margin, picture.height - margin)).resize((48, 48))
        part = PARTS[np.searchsorted((8, 10), people.index(row.person), side="right")]
        lines.append(f"{NUMBERS[row.label]},{' '.join(map(str, np.asarray(crop).ravel()))},{part}")
    return lines


NUMBERS = {name: str(number) for number, name in enumerate(EMOTIONS_BY_NUMBER)}


@pytest.mark.long
def test_a_public_set_is_judged_to_the_end_and_goes_nowhere(
    tmp_path: Path, rendered: list[str], bitface, served
) -> None:
    """Import and retrain as people type them: no consent, no demographics, parts of the source, 48 pixels a side."""
    source = table(tmp_path, rendered)
    taken = bitface(tmp_path, "data", "import", str(source), "--format", "fer2013")
    assert taken.returncode == 0, taken.stderr[-2000:]
    assert (
        "98 of these people have no consent event: licence 'fer2013-research' admits them for benchmark alone"
        in taken.stdout
    )
    sets = [word for one in BRIEF for word in ("--set", one)]
    judged = bitface(tmp_path, "retrain", "--purpose", "benchmark", "--context", "research", "--json", *sets, **served)
    assert judged.returncode in (0, 3), judged.stderr[-3000:]
    summary = json.loads(judged.stdout)
    assert (summary["purpose"], summary["context"], summary["evidence"]) == ("benchmark", "research", "real")
    assert summary["gate"]["cells"]["not_run"] == 0 and summary["gate"]["cells"]["pass"] > 0
    assert summary["alias"] is None and summary["status"]["purposes"] == ["benchmark"]
    assert "never to be promoted" in summary["status"]["line"]
    assert "unseen people" in summary["judged_on"] and 20 <= int(summary["judged_on"].split()[0]) <= 28
    notes = "; ".join(summary["notes"])
    for words in (
        "purpose benchmark, context research: never promoted",
        "its test part judges; validation people also calibrate",
        "age_band, gender, skin_tone of the judged people are not known: cells that need them advise",
        "98 people are in it by a licence alone",
    ):
        assert words in notes
    assert "people of split validation, who also chose the model" in summary["calibration"]["calibrated_on"]
    shown = bitface(tmp_path, "gate", "show", summary["run_id"], "--json")
    cells = json.loads(shown.stdout)["cells"]
    assert not [cell for cell in cells if cell["required"] and cell["kind"] in ("slice", "disparity")]
    assert [cell for cell in cells if cell["required"] and cell["kind"] == "emotion"]
    replayed = bitface(tmp_path, "gate", "replay", summary["gate"]["bundle"], "--json")
    assert json.loads(replayed.stdout)["identical"]
