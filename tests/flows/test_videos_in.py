"""Videos of people come in as clips by the real command: which frames, what is refused, and that each oddity is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bitface.adapters.media_files import decode_frames
from bitface.dataset.index import read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import read_shard
from tests.clips import POINTER, acted, crema_tables, damaged, encoded, shown

Run = Callable[..., tuple[int, Any, str]]
LICENCE = {"id": "own", "name": "ours", "text": "for comparison", "purposes": ["benchmark"], "contexts": ["research"]}


def source(folder: Path, *rows: str, columns: str = "path,subject_id,label") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "licence.json").write_text(json.dumps(LICENCE))
    (folder / "manifest.csv").write_text("\n".join([columns, *rows]) + "\n")
    return folder


def found(report: Any) -> dict[str, list[int]]:
    return {one["name"]: one["rows"] for one in report["findings"]}


def stored(project: Path) -> dict[str, np.ndarray]:
    """Label -> frames of the one sample of it, as a retrain would read them."""
    keys = KeyStore(project / "home" / "keys")
    samples = read_index(project / "data")
    shards = {one.person: read_shard(project / "data", one.person, keys.key_of(one.person)) for one in samples}
    return {one.label: decode_frames(shards[one.person].samples[one.sample_id]) for one in samples}


def test_a_folder_of_videos_goes_in_as_people_type_it(tmp_path: Path, bitface) -> None:
    """Every container and two parts of one file, in a new process and a folder of its own."""
    folder = tmp_path / "clips"
    names = ("a.mp4", "b.mov", "c.webm", "d.flv", "e.mkv", "f.avi")
    for seed, name in enumerate(names):
        encoded(folder / name, acted(seed))
    rows = [f"{name},p{number},joy,30,,," for number, name in enumerate(names)]
    rows += ["long.mp4,p7,neutral,41,train,0,0.5", "long.mp4,p7,fear,41,train,0.6,"]
    encoded(folder / "long.mp4", acted(9, 60, apex=50))
    source(folder, *rows, columns="path,subject_id,label,age,split,start_s,end_s")
    done = bitface(tmp_path, "data", "import", str(folder), "--format", "video", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["people"], report["samples"], report["admitted"], report["findings"]) == (7, 8, 8, [])
    kinds = {(one.kind, one.frames <= 5, one.fps > 1) for one in read_index(tmp_path / "data")}
    assert kinds == {("clip", True, True)}
    again = json.loads(bitface(tmp_path, "data", "import", str(folder), "--format", "video", "--json").stdout)
    assert (again["admitted"], again["unchanged"]) == (0, 8)


def test_the_stored_frames_are_those_around_the_apex_upright(run: Run, project: Path) -> None:
    path = encoded(project / "clips" / "a.mp4", acted(1, 50, apex=40), rotation=-90)
    code, _, error = run("data", "import", source(project / "clips", "a.mp4,p1,joy"), "--format", "video")
    assert code == 0, error
    frames = stored(project)["happiness"]
    by_time = {round(time, 2): frame for time, frame in shown(path)}
    wanted = [by_time[round(0.04 * number, 2)] for number in (24, 30, 36, 43, 49)]
    assert (frames == np.stack(wanted)).all()


def test_what_cannot_be_read_costs_its_row_or_its_second_and_has_a_name(run: Run, project: Path) -> None:
    folder = project / "clips"
    encoded(folder / "whole.mp4", acted(1))
    damaged(encoded(folder / "hurt.mp4", acted(2)), range(5, 9))
    encoded(folder / "one.mp4", acted(3, 1))
    (folder / "text.mp4").write_bytes(b"no video")
    (folder / "gone.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(400))
    (folder / "pointer.mp4").write_bytes(POINTER)
    names = ("whole", "hurt", "one", "text", "gone", "pointer", "nowhere", "whole")
    rows = [f"{name}.mp4,p{number},joy,," for number, name in enumerate(names)]
    rows[-1] = "whole.mp4,p9,joy,90,"
    rows += ["whole.mp4,p0,joy,3,2", "long.mp4,p10,sad,0,9"]
    encoded(folder / "long.mp4", acted(4))
    source(folder, *rows, columns="path,subject_id,label,start_s,end_s")
    code, report, error = run("data", "import", folder, "--format", "video")
    assert code == 0, error
    assert found(report) == {
        "unreadable_clip": [4, 5, 8],
        "lfs_pointer": [6],
        "broken_seconds": [2],
        "ends_early": [10],
        "still_clip": [3],
        "missing_picture": [7],
    }
    reasons = {one["row"]: one["reason"] for one in report["quarantined"]}
    assert reasons.keys() == {4, 5, 6, 7, 8, 9} and report["rows"] == 10 and report["admitted"] == 4
    assert "the video is not a readable video; convert it to MP4 or WebM" in reasons[4]
    assert "correct start_s and end_s" in reasons[8] and "end_s 2 is not after start_s 3" in reasons[9]
    assert not any(".mp4" in one for one in reasons.values())


def test_a_picture_that_git_lfs_left_as_text_is_named_so(run: Run, project: Path) -> None:
    """The same kind in another format: a set of pictures that was copied without LFS."""
    folder = project / "faces" / "sad"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(POINTER)
    (folder / "b.png").write_bytes(b"no picture")
    (project / "faces" / "licence.json").write_text(json.dumps(LICENCE))
    code, _, error = run("data", "import", project / "faces", "--format", "classes")
    assert code == 2 and "no row can be imported" in error
    from PIL import Image

    Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(folder / "c.png")
    code, report, error = run("data", "import", project / "faces", "--format", "classes")
    assert code == 0, error
    assert found(report)["lfs_pointer"] == [1] and found(report)["unreadable_picture"] == [2]


def test_one_part_of_a_file_under_two_labels_is_refused_and_two_parts_are_not(run: Run, project: Path) -> None:
    folder = project / "clips"
    encoded(folder / "a.mp4", acted(1, 60))
    rows = ("a.mp4,p1,joy,0,1", "a.mp4,p1,sad,0,1", "a.mp4,p1,fear,1.2,2")
    source(folder, *rows, columns="path,subject_id,label,start_s,end_s")
    code, report, error = run("data", "import", folder, "--format", "video")
    assert code == 0, error
    assert [one["row"] for one in report["quarantined"]] == [1, 2] and report["samples"] == 1


def test_a_manifest_of_videos_has_columns_of_its_own(run: Run, project: Path) -> None:
    encoded(project / "clips" / "a.mp4", acted(1))
    folder = source(project / "clips", "a.mp4,p1,joy,0", columns="path,subject_id,label,frame")
    code, _, error = run("data", "import", folder, "--format", "video")
    assert code == 2 and "unknown column 'frame'" in error and "start_s, end_s" in error
    folder = source(project / "clips", "a.mp4,p1,joy,0", columns="path,subject_id,label,onset")
    code, _, error = run("data", "import", folder, "--format", "video")
    assert code == 2 and "unknown column 'onset'; did you mean 'start_s'?" in error
    folder = source(project / "clips", "a.mp4,p1,joy,0", columns="path,subject_id,label,start_s")
    code, _, error = run("data", "import", folder, "--format", "folder")
    assert code == 2 and "unknown column 'start_s'" in error


def test_a_dry_run_of_crema_d_tells_its_oddities_and_writes_nothing(tmp_path: Path, bitface) -> None:
    names = (
        "1001_DFA_ANG_XX",
        "1001_IEO_HAP_HI",
        "1002_TIE_NEU_XX",
        "1003_DFA_SAD_XX",
        "1064_IEO_DIS_MD",
        "1002_WSI_FEA_XX",
    )
    folder = tmp_path / "CREMA-D"
    crema_tables(folder, names, face={names[0]: "A:D", names[2]: "S"})
    for seed, name in enumerate(names[:3]):
        encoded(folder / "VideoFlash" / f"{name}.flv", acted(seed))
    (folder / "VideoFlash" / f"{names[3]}.flv").write_bytes(POINTER)
    encoded(folder / "VideoFlash" / f"{names[4]}.flv", acted(9))
    done = bitface(tmp_path, "data", "import", str(folder), "--format", "cremad", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["people"], report["samples"], report["by_licence"], report["rows"]) == (2, 3, 2, 6)
    assert report["licence"] == "cremad-odbl" and not (tmp_path / "data").exists()
    assert (
        found(report).items()
        >= {
            "lfs_pointer": [4],
            "bad_clip": [5],
            "missing_clip": [6],
            "tied_face_votes": [1],
            "other_face_vote": [3],
            "stated_level": [2],
        }.items()
    )
    assert {"label_as_acted", "fewer_clips", "absent_emotion", "no_part"} <= found(report).keys()


def test_a_dry_run_of_ravdess_takes_a_take_once_and_refuses_sound_and_calm(tmp_path: Path, bitface) -> None:
    folder = tmp_path / "ravdess"
    names = ("01-01-06-01-02-01-12", "02-01-06-01-02-01-12", "02-01-03-01-02-01-12", "02-01-02-01-02-01-12")
    for seed, name in enumerate(names):
        encoded(folder / "Actor_12" / f"{name}.mp4", acted(min(seed, 1)))
    (folder / "Actor_12" / "03-01-06-01-02-01-12.wav").write_bytes(b"RIFF")
    done = bitface(tmp_path, "data", "import", str(folder), "--format", "ravdess", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["licence"] == "ravdess-cc-by-nc-sa-4" and not (tmp_path / "data").exists()
    assert {name: found(report)[name] for name in ("same_take", "calm", "sound_only")} == {
        "same_take": [4],
        "calm": [2],
        "sound_only": [5],
    }
    assert report["people"] == 1 and report["rows"] == 5
