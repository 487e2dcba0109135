"""Tables of points as tools and people write them, checked against their own files and code: OpenFace 2, Py-Feat 2, MediaPipe."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitface.dataset.incoming.oddities import OddRowError
from bitface.dataset.points.point_columns import OF_FRAMES
from bitface.dataset.points.point_samples import joined, of_rows
from bitface.dataset.points.point_tables import AskedTable, PointTable, read_point_table
from bitface.errors import InputError
from bitface.faces.alignment import normalise_landmarks
from bitface.faces.media.frame_choice import around_apex
from bitface.faces.points import IBUG_68, MESH_468, MESH_468_FLAT, MESH_478, MESH_478_FLAT, seen_in
from tests.unit.test_points_without_pictures import HEIGHT, WIDTH, cells, face, faults, read, written

EMOTIONS_OF_PYFEAT_2 = ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger")


def beside_a_manifest(path: Path, by_face: bool = False) -> PointTable:
    """A table that says nothing of people, as tools write it."""
    group_of = (lambda row: row.values.get("face_id", "")) if by_face else (lambda _: "")
    return read_point_table(path, AskedTable(read=OF_FRAMES), group_of)


def in_axes(points: np.ndarray, axes: str, name: str) -> dict[str, float]:
    return {
        name.format(axis=axis, number=number): point["xyz".index(axis)]
        for axis in axes
        for number, point in enumerate(points)
    }


def openface_picture(faces: list[np.ndarray]) -> list[dict[str, Any]]:
    """FaceLandmarkImg's table of one picture: `face, confidence` and neither frame nor success."""
    return [
        {"face": number, "confidence": 0.975, "gaze_0_x": 0.1, "gaze_angle_x": 0.0, "eye_lmk_X_3": 1.0, "pose_Tx": 1.0}
        | cells(points, IBUG_68)
        | {"X_0": 1.0, "p_scale": 0.9, "p_rx": 0.1, "p_33": 0.1, "AU01_r": 0.2, "AU28_c": 0}
        for number, points in enumerate(faces)
    ]


def pyfeat_2(points: np.ndarray, frame: int, source: str) -> dict[str, Any]:
    """A row of Py-Feat 2's Detectorv2: 68 points, and the mesh that they are taken from with z in the unit of a crop."""
    box = {"FaceRectX": 1, "FaceRectY": 1, "FaceRectWidth": 90, "FaceRectHeight": 90, "FaceScore": 0.99}
    pose = {"Pitch": 0, "Roll": 0, "Yaw": 0, "X": 0, "Y": 0, "Z": 1, "AU01": 0.1, "AU43": 0.2}
    said = dict.fromkeys((*EMOTIONS_OF_PYFEAT_2, "valence", "arousal", "gaze_pitch", "gaze_yaw", "gaze_angle"), 0.1)
    mesh = in_axes(points / (1, 1, 90), "xyz", "mesh_{axis}_{number}")
    last = {"jawOpen": 0.1, "FrameHeight": HEIGHT, "FrameWidth": WIDTH, "input": source, "frame": frame}
    return {**box, **cells(points, IBUG_68), **pose, **said, "Identity_1": 0.3, **mesh, **last, "Identity": "Person_0"}


@pytest.mark.parametrize(
    ("name", "axes", "scheme"),
    [
        ("{axis}{number}", "xy", MESH_468_FLAT),
        ("face_{axis}_{number}", "xy", MESH_478_FLAT),
        ("face_{number}_{axis}", "xyz", MESH_478),
        ("p{number}_{axis}", "xyz", MESH_468),
        ("mesh_{axis}_{number}", "xyz", MESH_478),
    ],
)
def test_a_mesh_is_known_with_depth_and_without(name: str, axes: str, scheme: Any, tmp_path: Path) -> None:
    points = face()[list(scheme.mesh)]
    table = read(written(tmp_path / "a.csv", in_axes(points, axes, name)))
    assert faults(table) == [""] and table.points.scheme is scheme and table.points.tool == "MediaPipe"
    flat = scheme.on_mesh(points[None]) * (1, 1, "z" in axes)
    assert np.allclose(
        table.points.points, normalise_landmarks(flat.astype(np.float32))[:, list(scheme.mesh)], atol=1e-5
    )
    assert np.isnan(seen_in(table.points).quality[:, 4]).all() == (axes == "xy"), "the turn needs depth"


@pytest.mark.parametrize("scheme", [MESH_478, MESH_468, IBUG_68], ids=lambda one: one.name)
def test_points_that_are_numbered_from_1_are_the_same_points(scheme: Any, tmp_path: Path) -> None:
    from_0 = cells(face(), scheme)
    from_1 = {re.sub(r"\d+", lambda found: str(int(found[0]) + 1), name): value for name, value in from_0.items()}
    one, other = (read(written(tmp_path / "a.csv", row)).points for row in (from_0, from_1))
    assert one.scheme is other.scheme is scheme and np.array_equal(one.points, other.points)


def test_how_visible_points_are_is_passed_over_where_it_is_said_of_each(tmp_path: Path) -> None:
    """A single `v7` is no such column, and may say anything."""
    row = cells(face()[:468], MESH_468)
    assert faults(read(written(tmp_path / "a.csv", row | {f"v{number}": 0 for number in range(1, 469)}))) == [""]
    with pytest.raises(InputError, match="unknown column 'v7'"):
        read(written(tmp_path / "b.csv", row | {"v7": 12}))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("Frame,Landmark_ID,X,Y,Z", "a row for each point; write a row for each face"),
        ("0,1,2,3,label_of_no_kind", "has no columns of points"),
        ("0,1,2,3", "numbers for names; name its columns of points"),
        ("frame,face_id,success,AU01_r,AU45_c", "no columns of points; .*-2Dfp"),
    ],
)
def test_a_table_without_columns_of_points_is_told_what_it_is(header: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n{','.join('1' for _ in header.split(','))}\n")
    with pytest.raises(InputError, match=message):
        beside_a_manifest(path)


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        ("emotion", "label"),
        ("target", "label"),
        ("participant", "subject_id"),
        ("edad", "age"),
        ("image_name", "input"),
        ("width", "frame_width"),
    ],
)
def test_an_unknown_column_is_told_what_was_probably_meant(column: str, meant: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"unknown column '{column}'; did you mean '{meant}'"):
        read(written(tmp_path / "a.csv", cells(face()) | {column: 7}))


@pytest.mark.parametrize("separator", [";", "\t", "; "])
def test_fields_are_parted_by_semicolons_or_tabs_as_well(separator: str, tmp_path: Path) -> None:
    rows = [cells(face(seed)) | {"frame": seed} for seed in (1, 2)]
    parted = read(written(tmp_path / "a.csv", *rows, separator=separator)).points
    assert np.array_equal(parted.points, read(written(tmp_path / "b.csv", *rows)).points.points)


def test_a_spreadsheets_decimal_commas_are_the_same_numbers(tmp_path: Path) -> None:
    row = cells(face(1)) | {"frame": 1, "timestamp": 0.5, "confidence": 0.9}
    commas = {name: str(value).replace(".", ",") for name, value in row.items()}
    table = read(written(tmp_path / "a.csv", commas, separator=";"))
    assert faults(table) == [""] and table.rows[0].time_s == 0.5
    assert np.array_equal(table.points.points, read(written(tmp_path / "b.csv", row)).points.points)


def test_z_that_was_left_a_share_beside_pixels_is_read_where_the_frame_is_known(tmp_path: Path) -> None:
    rows = [cells(face(seed) / (1, 1, WIDTH)) for seed in (1, 2)]
    own = [row | {"frame_width": WIDTH, "frame_height": HEIGHT} for row in rows]
    whole = read(written(tmp_path / "a.csv", *[cells(face(seed)) for seed in (1, 2)])).points
    for table in (
        read(written(tmp_path / "b.csv", *rows), frame_size=(WIDTH, HEIGHT)),
        read(written(tmp_path / "c.csv", *own)),
    ):
        assert faults(table) == ["", ""] and np.allclose(table.points.points, whole.points, atol=1e-3)
    assert set(faults(read(tmp_path / "b.csv"))) == {"other_depth_unit"}


def test_a_clip_whose_times_all_are_0_is_in_the_order_of_its_frames(tmp_path: Path) -> None:
    """So OpenFace writes a folder of pictures; by their times, the first frame alone would be the apex."""
    rows = [cells(face(seed), IBUG_68) | {"frame": seed, "timestamp": "0.000", "success": 1} for seed in range(1, 41)]
    table = beside_a_manifest(written(tmp_path / "a.csv", *rows, separator=", "))
    clip = of_rows(table, table.rows)
    assert clip.times_s == tuple(pytest.approx(seed / 25) for seed in range(1, 41))
    assert clip.remarks == ("one_timestamp",)
    assert len(joined([clip], partial(around_apex, window_s=1.0, count=5)).points) == 5
    moving = [row | {"timestamp": row["frame"] / 50} for row in rows]
    table = beside_a_manifest(written(tmp_path / "b.csv", *moving))
    assert of_rows(table, table.rows).times_s[-1] == pytest.approx(0.8) and not of_rows(table, table.rows).remarks


def test_faces_of_one_picture_are_several_people_and_no_clip(tmp_path: Path) -> None:
    """OpenFace's pictures have no frames; tables of several pictures in one file begin with face 0 again."""
    alone = beside_a_manifest(written(tmp_path / "a.csv", *openface_picture([face(1)]), separator=", "))
    assert faults(alone) == [""] and alone.points.tool == "OpenFace"
    two = openface_picture([face(1), face(2)])
    assert faults(beside_a_manifest(written(tmp_path / "b.csv", *two))) == ["several_faces"] * 2
    assert faults(beside_a_manifest(written(tmp_path / "b.csv", *two), by_face=True)) == ["", ""]
    three = [*two, *openface_picture([face(3)])]
    assert faults(beside_a_manifest(written(tmp_path / "c.csv", *three))) == ["several_faces", "several_faces", ""]


def test_pyfeat_2_writes_two_sets_of_points_and_its_mesh_is_read_without_depth(tmp_path: Path) -> None:
    table = beside_a_manifest(written(tmp_path / "a.csv", pyfeat_2(face(1), 0, "a.mp4")))
    assert faults(table) == [""] and table.points.scheme is MESH_478_FLAT and table.points.tool == "Py-Feat"
    expected = normalise_landmarks((face(1) * (1, 1, 0)).astype(np.float32)[None])
    assert np.allclose(table.points.points, expected, atol=1e-4)


def test_pyfeats_other_mesh_has_depth_in_a_crop_and_is_read_without_it_too(tmp_path: Path) -> None:
    box = {"FaceRectX": 1, "FaceRectY": 1, "FaceRectWidth": 90, "FaceRectHeight": 90, "FaceScore": 0.99}
    table = beside_a_manifest(written(tmp_path / "a.csv", {**box, **cells(face(1)), "frame": 0}))
    assert table.points.scheme is MESH_478_FLAT and not table.points.points[..., 2].any()


def test_numbers_under_the_wrong_names_are_no_face(tmp_path: Path) -> None:
    """Three numbers for each point, written below a header that names all x, then all y, then all z."""
    rows = []
    for seed in range(40):
        names, numbers = in_axes(face(seed), "xyz", "{axis}{number}"), face(seed).ravel()
        rows.append(dict(zip(names, numbers.tolist(), strict=True)))
    found = faults(read(written(tmp_path / "a.csv", *rows)))
    assert found.count("") < 4 and {"no_face_shape", "turned_over"} & set(found)


def test_frames_of_several_files_are_not_one_anothers(tmp_path: Path) -> None:
    rows = [pyfeat_2(face(seed), seed % 2, "v/a.mp4" if seed < 2 else "v/b.mp4") for seed in range(4)]
    table = beside_a_manifest(written(tmp_path / "a.csv", *rows))
    assert faults(table) == [""] * 4 and not any(row.remark for row in table.rows)
    with pytest.raises(OddRowError, match="several files; name one in a column input") as error:
        of_rows(table, table.rows)
    assert error.value.finding == "several_inputs"
    assert len(of_rows(table, table.rows[2:]).points) == 2


def test_rows_without_a_face_are_left_out_of_pyfeats_tables(tmp_path: Path) -> None:
    nobody = {name: "" for name in pyfeat_2(face(1), 1, "a.mp4") if name not in ("frame", "input")}
    rows = [pyfeat_2(face(1), 0, "a.mp4"), {**pyfeat_2(face(1), 1, "a.mp4"), **nobody}]
    assert faults(beside_a_manifest(written(tmp_path / "a.csv", *rows))) == ["", "unsure_points"]
