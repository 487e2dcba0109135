"""Tables of points: which columns are points, what is wrong with a row, which frames are a sample, and what is known of them alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitface.dataset.incoming.oddities import OddRowError
from bitface.dataset.points import point_tables
from bitface.dataset.points.point_columns import ABOUT_PEOPLE, OF_FRAMES, point_columns
from bitface.dataset.points.point_container import pack_points, unpack_points
from bitface.dataset.points.point_samples import joined, of_rows
from bitface.dataset.points.point_tables import AskedTable, PointTable, frame_size_of, read_point_table
from bitface.errors import InputError, OverLimitError
from bitface.faces.alignment import normalise_landmarks
from bitface.faces.features import flattened
from bitface.faces.geometry import GEOMETRY_NAMES, face_geometry
from bitface.faces.media.frame_choice import around_apex
from bitface.faces.points import IBUG_68, MESH_468, MESH_478, SCHEMES, FacePoints, points_of_pixels, seen_in
from bitface.faces.quality import quality_reasons
from bitface.models.landmark.landmark_codes import encode, scale_of
from bitface.params import LandmarkChoice, QualityParams, read_params
from bitface.training.landmarks import landmark_choice
from bitface.training.landmarks.landmark_choice import choose_landmarks, known_landmarks
from bitface.training.landmarks.mirror import mirror_order

QUALITY: QualityParams = read_params(Path(__file__).resolve().parents[2] / "params.yaml").quality
READ = (*ABOUT_PEOPLE, *OF_FRAMES)
WIDTH, HEIGHT = 640, 480


def face(seed: int = 0) -> np.ndarray:
    """Points (478, 3) in pixels: eyes 60 px apart in their places, lips and chin below them, everything else anywhere on a head."""
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 30, (478, 3)) + np.array([320, 240, 0])
    for landmark, x in {33: -40, 133: -20, 362: 20, 263: 40}.items():
        points[landmark] = (320 + x, 200 + rng.normal(), 5)
    points[[13, 14, 152]] = [(320, 270, 0), (320, 280 + rng.normal(), 0), (320, 330, 0)]
    return np.asarray(points.round(3))


def cells(points: np.ndarray, scheme: Any = MESH_478) -> dict[str, float]:
    chosen = points[list(scheme.mesh)]
    axes = "xyz" if scheme.has_depth else "xy"
    return {f"{axis}_{number}": one[column] for number, one in enumerate(chosen) for column, axis in enumerate(axes)}


def written(path: Path, *rows: dict[str, Any], separator: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [separator.join(rows[0]), *(separator.join(str(row[name]) for name in rows[0]) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def read(path: Path, group: Any = lambda _: "", **asked: Any) -> PointTable:
    return read_point_table(path, AskedTable(read=READ, **asked), group)


def faults(table: PointTable) -> list[str]:
    return [row.fault for row in table.rows]


@pytest.mark.parametrize(
    "name", ["{axis}_{number}", "{axis}{number}", "{number}_{axis}", "lm_{axis}_{number}", "landmark_{number}_{axis}"]
)
def test_points_are_found_under_the_names_that_people_give_them(name: str, tmp_path: Path) -> None:
    points = face()
    row = {name.format(axis="xyz"[at], number=number): one[at] for number, one in enumerate(points) for at in range(3)}
    table = read(written(tmp_path / "a.csv", row))
    assert faults(table) == [""] and table.points.scheme is MESH_478 and table.points.tool == "MediaPipe"
    assert np.allclose(table.points.landmarks[0], normalise_landmarks(points.astype(np.float32)), atol=1e-5)
    assert table.points.eye_distance_px[0] == pytest.approx(60, abs=1)


@pytest.mark.parametrize("scheme", [MESH_478, MESH_468, IBUG_68], ids=lambda scheme: scheme.name)
def test_a_scheme_is_known_by_its_points_and_reads_those_alone(scheme: Any, tmp_path: Path) -> None:
    table = read(written(tmp_path / "a.csv", cells(face(), scheme)))
    known = np.flatnonzero(table.points.landmarks.any(axis=(0, 2)))
    assert table.points.scheme is scheme and set(known) <= set(scheme.mesh) and len(known) > len(scheme.mesh) - 3
    assert table.points.landmarks[..., 2].any() == scheme.has_depth


def test_the_68_points_are_one_each_and_mirror_each_other() -> None:
    assert len(set(IBUG_68.mesh)) == 68 and set(mirror_order()[list(IBUG_68.mesh)].tolist()) == set(IBUG_68.mesh)
    assert {IBUG_68.mesh[corner] for corner in (36, 39, 42, 45)} == {33, 133, 362, 263}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda row: {f"{name[0]}_{int(name[2:]) + 2}": value for name, value in row.items()},
            "a point number 479",
        ),
        (lambda row: {name: value for name, value in row.items() if name != "z_7"}, "column 'z_7' is missing"),
        (lambda row: {name: value for name, value in row.items() if name[0] != "y"}, "column 'y_0' is missing"),
        (lambda row: row | {"x_900": 1}, "a point number 900"),
        (lambda row: row | {"x5": 1}, "columns 'x_5' and 'x5' are one coordinate"),
        (lambda row: {"frame": 1}, "has no columns of points"),
        (lambda row: row | {"alter": 12}, "unknown column 'alter'.*--ignore-column 'alter'"),
    ],
)
def test_a_header_that_is_none_of_a_table_of_points_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read(written(tmp_path / "a.csv", change(cells(face()))))


def test_an_age_beside_a_manifest_is_not_passed_over() -> None:
    columns = [*cells(face()), "age"]
    with pytest.raises(InputError, match="column 'age' is not read beside a manifest"):
        point_columns("a.csv", columns, (), OF_FRAMES)
    assert point_columns("a.csv", columns, ("age",), OF_FRAMES).scheme is MESH_478


def test_shares_of_a_frame_need_its_size_and_then_are_the_same_face(tmp_path: Path) -> None:
    pixels, shares = face(), face() / (WIDTH, HEIGHT, WIDTH)
    path = written(tmp_path / "shares.csv", cells(shares))
    with pytest.raises(InputError, match=r"line 2.*--frame-size 1280x720"):
        read(path)
    own = {"frame_width": WIDTH, "frame_height": HEIGHT}
    found = [
        read(written(tmp_path / "pixels.csv", cells(pixels))),
        read(path, frame_size=(WIDTH, HEIGHT)),
        read(written(tmp_path / "own.csv", cells(shares) | own)),
    ]
    first = found[0].points
    assert all(np.allclose(one.points.landmarks, first.landmarks, atol=1e-4) for one in found)
    assert all(np.allclose(one.points.eye_distance_px, first.eye_distance_px, atol=0.01) for one in found)
    assert not np.allclose(read(path, frame_size=(WIDTH, WIDTH)).points.landmarks, first.landmarks, atol=1e-2)
    with pytest.raises(InputError, match="not WIDTHxHEIGHT"):
        frame_size_of("640*480")


UPSIDE = face() * (1, -1, 1) + (0, 480, 0)
MIRRORED = face() * (-1, 1, 1) + (640, 0, 0)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (cells(face(1)) | {"x_3": ""}, "point_missing"),
        (cells(face(1)) | {"x_3": "nan"}, "point_missing"),
        (cells(face(1)) | {"z_477": "inf"}, "point_missing"),
        (cells(face(1)) | {"x_3": "0,5"}, "damaged_row"),
        (cells(face(1)) | {"success": 0}, "not_tracked"),
        (cells(face(1)) | {"success": "False"}, "not_tracked"),
        (cells(face(1)) | {"confidence": 0.49}, "unsure_points"),
        (cells(face(1)) | {"confidence": ""}, "unsure_points"),
        (cells(face(1) / (WIDTH, HEIGHT, WIDTH)), "other_unit"),
        (cells(face(1) / (1, 1, WIDTH)), "other_depth_unit"),
        (cells(face(1) * 0 + 7), "other_unit"),
        (cells(UPSIDE), "turned_over"),
        (cells(MIRRORED), "turned_over"),
    ],
)
def test_a_row_that_makes_no_face_keeps_its_place_and_has_a_name(
    row: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    """In pixels, between two rows that are right."""
    beside = {"success": 1, "confidence": 0.9}
    good = [cells(face(seed)) | beside for seed in (2, 3)]
    table = read(written(tmp_path / "a.csv", good[0], {**good[0], **beside, **row}, good[1]))
    assert faults(table) == ["", fault, ""]
    with pytest.raises(OddRowError) as error:
        of_rows(table, [table.rows[1]])
    assert error.value.finding == fault


def test_eyes_at_one_point_make_no_face(tmp_path: Path) -> None:
    """Of points as shares a face without size is not of another unit."""
    flat = face() / (WIDTH, HEIGHT, WIDTH) * (0, 0, 1)
    rows = [cells(one) for one in (face() / (WIDTH, HEIGHT, WIDTH), flat)]
    assert faults(read(written(tmp_path / "a.csv", *rows), frame_size=(WIDTH, HEIGHT))) == ["", "eyes_at_one_point"]


def test_two_faces_in_one_frame_are_both_left_and_one_that_stands_twice_is_taken_once(tmp_path: Path) -> None:
    one, other = cells(face(1)), cells(face(2))
    rows = [one | {"frame": 1}, one | {"frame": 1}, one | {"frame": 2}, other | {"frame": 2}, other | {"frame": 3}]
    assert faults(read(written(tmp_path / "a.csv", *rows))) == ["", "frame_again", "several_faces", "several_faces", ""]
    faces = [row | {"face_id": face_id} for row, face_id in zip(rows, (0, 0, 0, 1, 0), strict=True)]
    path = written(tmp_path / "b.csv", *faces)
    assert faults(read(path)) == ["", "frame_again", "several_faces", "several_faces", ""]
    assert faults(read(path, lambda row: row.values["face_id"])) == ["", "frame_again", "", "", ""]
    two_takes = [row | {"subject_id": name} for row, name in zip(rows, "aabcd", strict=True)]
    assert faults(read(written(tmp_path / "c.csv", *two_takes), lambda row: row.values["subject_id"]))[2:] == [""] * 3


def test_openface_writes_spaces_and_failed_frames(tmp_path: Path) -> None:
    rows = [
        cells(face(seed), IBUG_68) | {"frame": seed, "success": int(seed != 2), "AU01_r": 0.3, "pose_Tx": 1}
        for seed in (1, 2, 3)
    ]
    table = read(written(tmp_path / "a.csv", *rows, separator=", "))
    assert faults(table) == ["", "not_tracked", ""] and table.points.tool == "OpenFace"
    (spaced,) = table.findings
    assert (spaced.name, spaced.count) == ("spaced_header", len(rows[0]) - 1)


def test_a_clip_is_in_the_order_of_time_and_says_what_was_left_out(tmp_path: Path) -> None:
    times = (0.0, 0.2, 0.1, 0.3)
    rows = [cells(face(seed)) | {"timestamp": time, "success": int(seed != 3)} for seed, time in enumerate(times)]
    table = read(written(tmp_path / "a.csv", *rows))
    clip = of_rows(table, table.rows)
    assert clip.times_s == (0.0, 0.1, 0.2) and set(clip.remarks) == {"not_tracked", "time_backwards"}
    assert np.array_equal(clip.points.landmarks, table.points.landmarks[[0, 2, 1]])
    few = joined([clip], partial(around_apex, window_s=0.1, count=2))
    assert len(few.points) == len(few.times_s) == 2 and few.fps == pytest.approx(10)
    with pytest.raises(OddRowError, match="no row for this frame"):
        of_rows(table, [])


def test_times_in_milliseconds_leave_one_frame_and_say_so(tmp_path: Path) -> None:
    rows = [cells(face(seed)) | {"timestamp": 40 * seed} for seed in range(4)]
    table = read(written(tmp_path / "a.csv", *rows))
    clip = joined([of_rows(table, table.rows)], partial(around_apex, window_s=1.0, count=5))
    assert (len(clip.points), clip.remarks) == (1, ("frames_far_apart",))


def test_one_frame_is_one_however_its_number_is_written(tmp_path: Path) -> None:
    rows = [cells(face(1)) | {"frame": "7"}, cells(face(1)) | {"frame": "7.0"}, cells(face(1)) | {"frame": "8"}]
    assert faults(read(written(tmp_path / "a.csv", *rows))) == ["", "frame_again", ""]


def test_no_more_of_a_row_is_kept_than_is_read(tmp_path: Path) -> None:
    row = cells(face(), IBUG_68) | {"frame": 1, "AU01_r": 0.2, "FaceScore": 0.9, "X_3": 5, "": 0}
    (kept,) = read(written(tmp_path / "a.csv", row)).rows
    assert set(kept.values) == {"frame", "FaceScore"}


def sample(scheme: Any = MESH_478, frames: int = 2) -> FacePoints:
    points = np.stack([face(seed)[list(scheme.mesh)] for seed in range(frames)])
    return points_of_pixels(points, scheme, "MediaPipe")


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES.keys())
def test_what_is_stored_is_the_same_bytes_and_comes_back(scheme: Any) -> None:
    points = sample(scheme)
    data = pack_points(points)
    assert data == pack_points(sample(scheme)) and b"nan" not in data.lower()[:200]
    back = unpack_points(data)
    assert back.scheme is scheme and back.tool == "MediaPipe"
    assert np.array_equal(back.landmarks, points.landmarks) and np.array_equal(
        back.eye_distance_px, points.eye_distance_px
    )


@pytest.mark.parametrize(
    "data", [b"", b"PK\3\4", pack_points(sample())[:-8], pack_points(sample()).replace(b"mesh_478", b"mesh_479")]
)
def test_bytes_that_are_no_points_are_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="no points of a face"):
        unpack_points(data)


def test_what_a_picture_alone_shows_is_not_measured_and_neither_passes_nor_fails() -> None:
    seen = seen_in(sample())
    assert np.isnan(seen.blendshapes).all() and not seen.crops.any() and np.isnan(seen.quality[:, 2:4]).all()
    row = seen.quality[0]
    assert quality_reasons(row, QUALITY, are_points=True) == ()
    assert quality_reasons(row, QUALITY), "a picture whose sharpness is not a number is never admitted"
    small = row.copy()
    small[1] = QUALITY.eye_distance_px_min - 1
    assert [reason.partition(" ")[0] for reason in quality_reasons(small, QUALITY, are_points=True)] == ["eye"]
    small[1] = np.nan
    assert quality_reasons(small, QUALITY, are_points=True), "their size is measured, or they are not taken"


def test_of_points_without_depth_the_turn_and_most_distances_are_not_measured() -> None:
    seen = seen_in(sample(IBUG_68))
    assert np.isnan(seen.quality[:, 4]).all()
    measured = dict(zip(GEOMETRY_NAMES, face_geometry(seen.landmarks)[0], strict=True))
    assert {name for name, value in measured.items() if not np.isnan(value)} == {
        *("mouth_width", "mouth_opening", "mouth_slant", "mouth_corners_raised"),
        *("brow_gap", "face_width"),
    }
    assert (
        not np.isnan(face_geometry(sample().landmarks)).any()
        and not face_geometry(np.zeros((478, 3), np.float32)).any()
    )


def test_a_model_of_flat_points_reads_neither_depth_nor_other_points() -> None:
    """Wherever these lie in a photograph, its codes are the same."""
    train = np.concatenate([sample(IBUG_68, frames=20).landmarks])
    scale = scale_of(train)
    photo = normalise_landmarks(face(99).astype(np.float32))
    elsewhere = photo.copy()
    elsewhere[..., 2] += 5
    elsewhere[[at for at in range(478) if at not in IBUG_68.mesh]] += 3
    assert scale.is_flat and not scale_of(sample(frames=20).landmarks).is_flat
    one, other = (encode(flattened(landmarks)[None, None], scale) for landmarks in (photo, elsewhere))
    assert np.array_equal(one, other) and one.any()


def test_flat_landmarks_have_their_eyes_one_apart_whichever_way_a_head_is_turned() -> None:
    turned = face().astype(np.float32)
    turned[..., 2] += 0.8 * (turned[..., 0] - 320)
    flat = flattened(normalise_landmarks(turned))
    right, left = flat[[33, 133]].mean(axis=0), flat[[263, 362]].mean(axis=0)
    assert not flat[..., 2].any() and np.linalg.norm(left - right) == pytest.approx(1, abs=1e-5)
    assert np.allclose(flattened(flat), flat, atol=1e-5)


@pytest.mark.parametrize("choice", LandmarkChoice.__args__)  # type: ignore[attr-defined]
def test_only_points_that_the_people_have_are_chosen(choice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmark_choice, "HALVES", 3)
    stills = sample(IBUG_68, frames=24).landmarks
    targets, persons = np.eye(2, dtype=np.float32)[np.arange(24) % 2], np.array([f"p{row // 2}" for row in range(24)])
    chosen = choose_landmarks(choice, 40, stills, targets, persons, 1)
    assert len(chosen) == 40 and set(chosen) <= set(known_landmarks(stills).tolist()) <= set(IBUG_68.mesh)


def test_a_long_table_is_read_in_parts_and_one_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with a row, and its points, do not depend on where the parts end."""
    rows = [cells(face(seed)) for seed in range(5)]
    rows[3] = cells(face(3) / (WIDTH, HEIGHT, WIDTH))
    path = written(tmp_path / "a.csv", *rows)
    whole = read(path)
    monkeypatch.setattr(point_tables, "_CHUNK", 2)
    parts = read(path)
    assert faults(parts) == faults(whole) == ["", "", "", "other_unit", ""]
    assert np.array_equal(parts.points.points, whole.points.points)
    monkeypatch.setattr(point_tables, "ROWS_MAX", 4)
    with pytest.raises(OverLimitError, match="over 4 rows; import it in parts"):
        read(path)


def test_a_table_in_which_no_face_was_found_says_so(tmp_path: Path) -> None:
    rows = [cells(face(seed)) | {"success": 0} for seed in range(3)]
    with pytest.raises(OddRowError, match=r"none of its 3 rows can be taken.*success 0") as error:
        read(written(tmp_path / "a.csv", *rows))
    assert error.value.finding == "not_tracked"
    with pytest.raises(InputError, match="a header but no rows"):
        read(header_alone(tmp_path / "b.csv"))


def header_alone(path: Path) -> Path:
    path.write_text(",".join(cells(face())) + "\n")
    return path
