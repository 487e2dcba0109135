"""Somebody brings a table as OpenFace 2 or Py-Feat 2 wrote it, with a manifest that says who is in it, and changes nothing in the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bitface.dataset.index import read_index
from bitface.faces.points import IBUG_68
from tests.builders import begin_source
from tests.flows.conftest import Bitface
from tests.unit.test_points_without_pictures import cells, face, written
from tests.unit.test_tables_of_other_tools import openface_picture, pyfeat_2


def imported(bitface: Bitface, project: Path, source: Path, manifest: list[str]) -> dict[str, Any]:
    begin_source(source, purposes=["benchmark"])
    (source / "manifest.csv").write_text("\n".join(manifest) + "\n")
    done = bitface(project, "data", "import", str(source), "--format", "landmarks", "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_pyfeats_table_of_several_videos_needs_no_more_than_their_names(bitface: Bitface, tmp_path: Path) -> None:
    rows = [pyfeat_2(face(seed), seed % 3, f"videos/{'ab'[seed // 3]}.mp4") for seed in range(6)]
    written(tmp_path / "brought" / "all.csv", *rows)
    manifest = [
        "path,subject_id,label,input,frame",
        "all.csv,anna,happiness,a.mp4,",
        "all.csv,bob,fear,videos/b.mp4,",
        "all.csv,bob,neutral,b.mp4,0",
        "all.csv,cid,anger,,",
        "all.csv,cid,anger,c.mp4,",
    ]
    report = imported(bitface, tmp_path, tmp_path / "brought", manifest)
    assert (report["people"], report["samples"], report["admitted"]) == (2, 3, 3)
    found = {one["name"]: one["rows"] for one in report["findings"]}
    assert found == {"several_inputs": [4], "frame_missing": [5]}
    assert sorted(one.frames for one in read_index(tmp_path / "data")) == [1, 3, 3]


def test_openfaces_folder_of_pictures_is_a_clip_and_its_picture_of_two_people_names_them(
    bitface: Bitface, tmp_path: Path
) -> None:
    """A folder of pictures has 0.000 for every time, and a single picture `face` in the place of frame, time and success."""
    begun = {"face_id": 0, "timestamp": "0.000", "confidence": 0.98, "success": 1}
    clip = [{"frame": seed} | begun | cells(face(seed), IBUG_68) for seed in range(1, 41)]
    written(tmp_path / "brought" / "clip.csv", *clip, separator=", ")
    written(tmp_path / "brought" / "picture.csv", *openface_picture([face(51), face(52)]), separator=", ")
    manifest = [
        "path,subject_id,label,face_id",
        "clip.csv,anna,happiness,",
        "picture.csv,bob,fear,0",
        "picture.csv,cid,anger,1",
    ]
    report = imported(bitface, tmp_path, tmp_path / "brought", manifest)
    found = {one["name"]: one["rows"] for one in report["findings"]}
    assert found["one_timestamp"] == [1] and report["admitted"] == 3
    assert sorted(one.frames for one in read_index(tmp_path / "data")) == [1, 1, 5]


def test_faces_of_one_picture_are_not_taken_for_one_person(bitface: Bitface, tmp_path: Path) -> None:
    source = tmp_path / "brought"
    written(source / "two.csv", *openface_picture([face(51), face(52)]), separator=", ")
    written(source / "one.csv", *openface_picture([face(53)]), separator=", ")
    report = imported(
        bitface, tmp_path, source, ["path,subject_id,label", "two.csv,anna,happiness", "one.csv,bob,fear"]
    )
    found = {one["name"]: one["rows"] for one in report["findings"]}
    assert found["several_faces"] == [1] and report["admitted"] == 1
