"""Somebody trains without any face: a table of points goes in, a model is made and judged, and answers for a photograph."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitface.dataset.index import read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.points.point_container import unpack_points
from bitface.dataset.shards import read_shard, unseal
from bitface.faces.emotions import EMOTIONS
from bitface.faces.points import IBUG_68
from tests.builders import begin_source, consent, write_consents, write_noise
from tests.flows.conftest import SETS, Bitface, Trained

Run = Callable[..., tuple[int, Any, str]]
WIDTH, HEIGHT, EYES_PX = 640, 480, 60
AGES = {"18_29": 25, "30_44": 35, "45_59": 50, "60_plus": 70}
FRAME_SIZE = ("--frame-size", f"{WIDTH}x{HEIGHT}")
SETS_OF_POINTS = [
    word for one in SETS if not one.startswith(("synthetic", "counterfactual")) for word in ("--set", one)
]
POINTS = [f"{axis}_{number}" for number in range(478) for axis in "xyz"]


def drawn_people(project: Path) -> Iterator[tuple[Any, Any]]:
    """The subject record and the features of each synthetic person of a project that was trained."""
    keys = KeyStore(project / "none")
    for folder in sorted((project / "home" / "stages" / "features").iterdir()):
        person, key, (sealed,) = folder.name, keys.key_of(folder.name), list(folder.glob("*.sealed"))
        with np.load(io.BytesIO(unseal(sealed.read_bytes(), key, person, "features"))) as arrays:
            yield read_shard(project / "data", person, key, media=False).subject, dict(arrays)


def rows_of(project: Path) -> list[dict[str, Any]]:
    """A row for each frame of each clip, its points as shares of a frame; gate people are named as such."""
    rows = []
    for number, (subject, seen) in enumerate(drawn_people(project)):
        for clip, label in enumerate(seen["labels"]):
            for frame, points in enumerate(seen["landmarks"][clip, : seen["lengths"][clip]]):
                shares = (points * EYES_PX + (320, 200, 0)) / (WIDTH, HEIGHT, WIDTH)
                own = {"subject_id": f"p{number}", "label": EMOTIONS[label], "age": AGES[subject.age_band]}
                own |= {
                    "gender": subject.gender,
                    "skin_tone": subject.skin_tone,
                    "clip": f"{number}-{clip}",
                    "frame": frame,
                }
                own |= {"split": "gate" if seen["splits"][clip] == "gate" else ""}
                rows.append(own | dict(zip(POINTS, shares.round(6).ravel().tolist(), strict=True)))
    return rows


def source(folder: Path, rows: list[dict[str, Any]], kinds: tuple[str, ...] = ("landmarks",)) -> Path:
    begin_source(folder)
    people = {row["subject_id"] for row in rows}
    write_consents(folder, [consent(who, data_kinds=list(kinds)) for who in sorted(people)])
    return table(folder / "points.csv", rows)


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def rows(trained: Trained) -> list[dict[str, Any]]:
    return rows_of(trained[0])


@pytest.fixture
def few(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of one person."""
    return [row for row in rows if row["subject_id"] == "p0"]


@pytest.mark.tools
def test_people_who_consent_to_points_alone_train_a_model_that_reads_photographs(
    bitface: Bitface, tmp_path: Path, rows: list[dict[str, Any]], stills: Path, served: dict[str, str]
) -> None:
    imported = bitface(
        tmp_path,
        "data",
        "import",
        str(source(tmp_path / "brought", rows)),
        "--format",
        "landmarks",
        *FRAME_SIZE,
        "--json",
    )
    assert imported.returncode == 0, imported.stderr[-2000:]
    report = json.loads(imported.stdout)
    assert (report["people"], report["samples"], report["admitted"]) == (44, 308, len(rows))
    kinds = {(one.kind, one.frames) for one in read_index(tmp_path / "data")}
    assert {kind for kind, _ in kinds} == {"landmarks"} and {frames for _, frames in kinds} == {1, 3}

    done = bitface(tmp_path, "retrain", "--context", "research", *SETS_OF_POINTS, "--json", **served)
    assert done.returncode == 3, done.stderr[-3000:]
    summary = json.loads(done.stdout)
    assert (summary["evidence"], summary["dataset"]["admitted"], summary["dataset"]["quarantined"]) == ("real", 308, 0)
    assert summary["models"][0]["macro_auc"] > 0.75
    assert any("points of faces without pictures" in note and "not measured" in note for note in summary["notes"])
    assert summary["counterfactual"] is summary["action_units"] is None
    assert summary["status"]["lapsed"] == 0, "they allow their points, and nobody has their picture"

    cells = json.loads(bitface(tmp_path, "gate", "show", summary["run_id"], "--json").stdout)["cells"]
    states = {cell["name"]: cell["state"] for cell in cells}
    assert states["consent/admitted"] == "PASS" and not any("sharp" in name or "bright" in name for name in states)

    purpose = summary["status"]["purposes"][0]
    asked = ("--model", "bitface/1", "--purpose", purpose, "--context", "research", "--json")
    said = bitface(tmp_path, "predict", str(next(stills.iterdir())), *asked)
    assert said.returncode == 0, said.stderr[-2000:]
    (answer,) = json.loads(said.stdout)
    assert set(answer["faces"][0]["emotions"]) == set(EMOTIONS) - {"contempt"}


def test_what_is_kept_are_points_as_they_came_under_the_persons_key(
    run: Run, project: Path, few: list[dict[str, Any]]
) -> None:
    code, report, error = run("data", "import", source(project / "brought", few), "--format", "landmarks", *FRAME_SIZE)
    assert code == 0, error
    (person,) = {one.person for one in read_index(project / "data")}
    key = KeyStore(project / "home" / "keys").key_of(person)
    shard = read_shard(project / "data", person, key)
    kept = [unpack_points(media) for media in shard.samples.values()]
    assert sorted(map(len, kept)) == sorted(one.frames for one in read_index(project / "data"))
    assert all(points.eye_distance_px == pytest.approx(EYES_PX, abs=12) for points in kept)
    again, report, _ = run("data", "import", project / "brought" / "points.csv", "--format", "landmarks", *FRAME_SIZE)
    assert (again, report["admitted"], report["unchanged"]) == (0, 0, len(few))


def test_consent_for_pictures_does_not_cover_points(run: Run, project: Path, few: list[dict[str, Any]]) -> None:
    path = source(project / "brought", few, kinds=("image", "video", "embedding"))
    code, _, error = run("data", "import", path, "--format", "landmarks", *FRAME_SIZE)
    assert code == 4 and "data kind landmarks is not listed" in error


def test_points_and_pictures_are_datasets_of_their_own(run: Run, project: Path, few: list[dict[str, Any]]) -> None:
    """Whichever came first; and 68 points are another kind than 478."""
    points = ("data", "import", source(project / "brought", few), "--format", "landmarks", *FRAME_SIZE)
    begin_source(project / "faces")
    write_noise(project / "faces" / "a.png", 1)
    (project / "faces" / "manifest.csv").write_text("path,subject_id,label\na.png,q1,fear\n")
    write_consents(project / "faces", [consent("q1")])
    pictures = ("data", "import", project / "faces", "--format", "folder")
    assert run(*points)[0] == 0
    code, _, error = run(*pictures)
    assert code == 2 and "the dataset has points of scheme mesh_478 and this import pictures" in error
    flat = [{name: row[name] for name in row if name not in POINTS} | ibug(row) for row in few]
    code, _, error = run("data", "import", source(project / "flat", flat), "--format", "landmarks")
    assert code == 2 and "points of scheme ibug_68" in error and "BITFACE_DATA" in error


def test_pictures_first_keep_points_out(run: Run, project: Path, few: list[dict[str, Any]]) -> None:
    begin_source(project / "faces")
    write_noise(project / "faces" / "a.png", 1)
    (project / "faces" / "manifest.csv").write_text("path,subject_id,label\na.png,q1,fear\n")
    write_consents(project / "faces", [consent("q1")])
    assert run("data", "import", project / "faces", "--format", "folder")[0] == 0
    path = source(project / "brought", few)
    code, _, error = run("data", "import", path, "--format", "landmarks", *FRAME_SIZE)
    assert code == 2 and "the dataset has pictures and this import points of scheme mesh_478" in error


def test_one_import_is_of_one_kind(run: Run, project: Path, few: list[dict[str, Any]]) -> None:
    folder = project / "mixed"
    begin_source(folder)
    write_consents(folder, [consent("p0", data_kinds=["landmarks"])])
    table(folder / "mesh.csv", [{name: row[name] for name in POINTS} for row in few[:1]])
    table(folder / "flat.csv", [ibug(row) for row in few[1:2]])
    (folder / "manifest.csv").write_text("path,subject_id,label\nmesh.csv,p0,fear\nflat.csv,p0,fear\n")
    code, _, error = run("data", "import", folder, "--format", "landmarks", *FRAME_SIZE)
    assert code == 2 and "this import has points of scheme ibug_68 and points of scheme mesh_478" in error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.architecture=face_net", "a face_net reads pixels, and this dataset has points without pictures"),
        ("action_units.enabled=true", "leave them out with --set action_units.enabled=false"),
    ],
)
def test_what_needs_pictures_is_refused_before_anything_is_computed(
    run: Run, project: Path, rows: list[dict[str, Any]], change: str, message: str
) -> None:
    stills_alone = [row for row in rows if row["frame"] == 0]
    path = source(project / "brought", stills_alone)
    assert run("data", "import", path, "--format", "landmarks", *FRAME_SIZE)[0] == 0
    code, _, error = run("retrain", "--context", "research", "--set", change)
    assert code == 2 and message in error


def ibug(row: dict[str, Any]) -> dict[str, float]:
    """The 68 points of a row in pixels, as OpenFace calls them."""
    xs = {f"x_{at}": round(row[f"x_{mesh}"] * WIDTH, 1) for at, mesh in enumerate(IBUG_68.mesh)}
    return xs | {f"y_{at}": round(row[f"y_{mesh}"] * HEIGHT, 1) for at, mesh in enumerate(IBUG_68.mesh)}


def openface(path: Path, rows: list[dict[str, Any]], failed: int) -> None:
    """A table as OpenFace writes it of one video: spaces in its header, a row that it calls no success."""
    lines = [
        {
            "frame": number,
            "face_id": 0,
            "timestamp": number * 0.04,
            "confidence": 0.98,
            "success": int(number != failed),
        }
        | ibug(row)
        for number, row in enumerate(rows, start=1)
    ]
    table(path, [dict(zip((f" {name}" for name in line), line.values(), strict=True)) for line in lines])


def test_openface_tables_come_in_by_a_manifest_and_every_oddity_has_a_name(
    run: Run, project: Path, few: list[dict[str, Any]]
) -> None:
    folder = project / "openface"
    begin_source(folder)
    write_consents(folder, [consent("p0", data_kinds=["landmarks"])])
    clips = [[row for row in few if row["clip"] == clip] for clip in dict.fromkeys(row["clip"] for row in few)]
    for number, own in enumerate(clips[:3]):
        openface(folder / "tables" / f"{number}.csv", own, failed=2 if number == 1 else 0)
    (folder / "tables" / "note.csv").write_text("frame,text\n1,nothing\n")
    rows = [
        f"tables/0.csv,p0,{clips[0][0]['label']},,",
        f"tables/1.csv,p0,{clips[1][0]['label']},,",
        f"tables/2.csv,p0,{clips[2][0]['label']},2,",
        f"tables/2.csv,p0,{clips[2][0]['label']},7,",
        f"tables/1.csv,p0,{clips[1][0]['label']},2,",
        f"tables/note.csv,p0,{clips[1][0]['label']},,",
        f"tables/gone.csv,p0,{clips[1][0]['label']},,",
        f"tables/2.csv,p0,{clips[2][0]['label']},,0.05",
    ]
    (folder / "manifest.csv").write_text("\n".join(["path,subject_id,label,frame,start_s", *rows]) + "\n")
    code, report, error = run("data", "import", folder, "--format", "landmarks")
    assert code == 0, error
    found = {one["name"]: one["rows"] for one in report["findings"]}
    assert found["spaced_header"] == [1, 2, 3, 8] and found["not_tracked"] == [2, 5]
    assert (found["frame_missing"], found["unreadable_table"], found["missing_picture"]) == ([4], [6], [7])
    kept = sorted(one.frames for one in read_index(project / "data"))
    assert kept == [1, 1, 2, 3] and report["admitted"] == 4


def test_a_first_row_with_other_fields_is_left_alone(run: Run, project: Path, few: list[dict[str, Any]]) -> None:
    path = source(project / "brought", few)
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, "a,b,c", *lines]) + "\n")
    code, report, error = run("data", "import", path, "--format", "landmarks", *FRAME_SIZE)
    assert code == 0, error
    assert {one["name"]: one["rows"] for one in report["findings"]} == {"damaged_row": [1]}
    assert report["admitted"] == len(few)


def test_ages_of_rows_without_points_close_a_child_out(run: Run, project: Path, few: list[dict[str, Any]]) -> None:
    """The one row that says so has no usable points."""
    child = few[0] | {"age": 12, "x_5": ""}
    path = source(project / "brought", [child, *few[1:]])
    code, _, error = run("data", "import", path, "--format", "landmarks", *FRAME_SIZE)
    assert code == 2 and "no row can be imported" in error and "18" in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--frame-size", "big"), "is not WIDTHxHEIGHT"),
        ((), "name it with --frame-size 1280x720"),
        (("--votes", "v.csv"), "--votes has no meaning for --format landmarks"),
    ],
)
def test_bad_words_are_one_line(
    run: Run, project: Path, few: list[dict[str, Any]], words: tuple[str, ...], message: str
) -> None:
    path = source(project / "brought", few)
    code, _, error = run("data", "import", path, "--format", "landmarks", *words)
    assert code == 2 and message in error


def test_a_table_that_says_nobodys_name_asks_for_a_manifest(run: Run, project: Path, few: list[dict[str, Any]]) -> None:
    path = source(project / "brought", few)
    table(path, [{name: row[name] for name in POINTS} for row in few])
    code, _, error = run("data", "import", path, "--format", "landmarks", *FRAME_SIZE)
    assert code == 2 and "column 'subject_id' is missing" in error and "--manifest" in error


@pytest.mark.tools
def test_points_of_a_person_who_was_erased_come_back_under_no_id(
    bitface: Bitface, tmp_path: Path, rows: list[dict[str, Any]], served: dict[str, str]
) -> None:
    """They are biometric data too: key and shard are gone, and the same points are asked about."""

    def command(*words: str) -> Any:
        done = bitface(tmp_path, *words, "--json", **served)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    two = [row for row in rows if row["subject_id"] in ("p0", "p1")]
    command("data", "import", str(source(tmp_path / "brought", two)), "--format", "landmarks", *FRAME_SIZE)
    proof = command("erase", "p0")
    (gone,) = proof["subjects"]
    assert proof["keys_destroyed"] == 1 and {one.person for one in read_index(tmp_path / "data")}.isdisjoint({gone})
    again = [row | {"subject_id": "q7"} for row in two if row["subject_id"] == "p0"] + two[-1:]
    path = source(tmp_path / "again", again)
    said = command("data", "import", str(path), "--format", "landmarks", *FRAME_SIZE)
    reasons = {row["reason"].partition(";")[0] for row in said["quarantined"]}
    assert said["people"] == 1 and any("also of a person who was erased" in reason for reason in reasons)


def test_a_dry_run_forecasts_the_gate_and_keeps_nothing(run: Run, project: Path, rows: list[dict[str, Any]]) -> None:
    path = source(project / "brought", [row for row in rows if row["frame"] == 0])
    code, report, error = run("data", "import", path, "--format", "landmarks", *FRAME_SIZE, "--dry-run")
    assert code == 0, error
    assert report["forecast"]["usable"] == 44 and not (project / "data").exists()
