"""What `explain` says of a picture: values that add up, two baselines, no pixel of the face unless it is asked for."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bitface.adapters import figures, report_html
from bitface.errors import InputError
from bitface.explain.region_mass import landmark_values
from bitface.faces.regions import REGIONS, region_of_landmark
from bitface.faces.seen import NOTHING_SEEN
from bitface.models.calibrator import Calibrator
from bitface.models.face.training_faces import TrainingFaces
from bitface.page_ports import ExplanationPage
from bitface.params import read_params
from bitface.steps.answers.explain_faces import (
    Explainer,
    explain_picture,
    picture_document,
    picture_text,
    region_values,
)
from bitface.steps.answers.explanation_page import CAVEATS, write_page
from bitface.steps.answers.face_answers import Reader
from bitface.steps.answers.frames import check_no_frame_lost
from bitface.steps.answers.predict import predictions
from bitface.steps.people.inputs import Input
from tests.builders import BLOCKED

PARAMS = read_params(Path(__file__).resolve().parents[2] / "params.yaml")
EMOTIONS = ("happiness", "surprise")
MOUTH = region_of_landmark() == list(REGIONS).index("mouth")
BROWS = region_of_landmark() == list(REGIONS).index("brows")
CALIBRATOR = Calibrator(
    slopes=(0.5, 2.0),
    intercepts=(0.25, 0.0),
    set_limits=(0.5, 0.4),
    set_size_max=1,
    confidence=0.9,
    remark="calibrated on 27 people",
)


def logits(inputs, _lengths):
    """Happiness is the mouth's height, surprise half the brows' and a tenth of the mouth's."""
    heights = inputs[:, 0, :, 1]
    mouth, brows = heights[:, MOUTH].sum(axis=1), heights[:, BROWS].sum(axis=1)
    return np.stack([mouth, 0.5 * brows + 0.1 * mouth], axis=1)


def runtime(**changes):
    mean = np.zeros((478, 3), np.float32)
    neutral = np.zeros((478, 3), np.float32)
    neutral[MOUTH, 1] = 0.05
    values = {
        "reads": "landmarks",
        "landmarks": 128,
        "name": "bitface",
        "version": "3",
        "digest": "0" * 64,
        "emotions": EMOTIONS,
        "calibrator": CALIBRATOR,
        "faces": TrainingFaces(mean=mean, neutral=neutral, deviation=np.ones((478, 3), np.float32)),
        "logits": logits,
        "scores": lambda inputs, lengths: CALIBRATOR.probabilities(logits(inputs, lengths)),
        "sets": CALIBRATOR.sets,
    }
    return SimpleNamespace(**{**values, **changes})


def face(mouth=0.03, brows=0.02):
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[MOUTH, 1], landmarks[BROWS, 1] = mouth, brows
    crop = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    return replace(NOTHING_SEEN, normalised=landmarks, crop=crop, box=np.array([1, 2, 3, 4], np.float32))


class Looking:
    faces = (face(),)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def see_all(self, _image, _params):
        return self.faces


class LookingInVain(Looking):
    faces = ()


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "somebody.png"
    Image.new("RGB", (8, 8)).save(path)
    return path


@pytest.fixture
def clip(tmp_path):
    """A folder of three frames."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (8, 8)).save(folder / f"{number}.png")
    return folder


def read(path, name):
    if path.name == "broken.png":
        raise InputError(f"{name!r} is not a readable image")


def explained(picture, model=None, looking=Looking, faces_max=2):
    explainer = Explainer(
        runtime=model or runtime(),
        graph=None,
        open_landmarker=looking,
        features=PARAMS.features,
        params=PARAMS.explain,
        seed=0,
        read=read,
        read_video=lambda *_: (None,) * 3,
        faces_max=faces_max,
    )
    return explain_picture(picture, explainer, lambda *_: None)


def test_values_are_calibrated_log_odds_and_add_up(picture):
    """Slope 0.5 times the mouth's sum for happiness; slope 2 times half the brows' and a tenth of the mouth's for surprise."""
    document = json.loads(json.dumps(picture_document(explained(picture), BLOCKED)))
    (found,) = document["faces"]
    mouth, brows = 0.03 * MOUTH.sum(), 0.02 * BROWS.sum()
    assert found["regions"]["mouth"]["happiness"] == pytest.approx(0.5 * mouth, abs=1e-5)
    assert found["regions"]["mouth"]["surprise"] == pytest.approx(0.2 * mouth, abs=1e-5)
    assert found["regions"]["brows"]["surprise"] == pytest.approx(brows, abs=1e-5)
    assert found["regions"]["chin"]["happiness"] == pytest.approx(0, abs=1e-6)
    for emotion in EMOTIONS:
        total = sum(values[emotion] for values in found["regions"].values())
        assert found["baseline_log_odds"][emotion] + total == pytest.approx(found["log_odds"][emotion], abs=1e-4)
    assert found["gap_max"] < 1e-4
    assert found["baseline"] == "mean landmarks of training people"
    assert "neutral" in found["second_baseline"]["baseline"]
    assert found["ig"] is None
    assert {"path", "faces", "more_faces", "lost", "model"} == set(document)
    assert document["lost"] == [] and document["more_faces"] is False
    assert document["model"]["status"]["line"] == BLOCKED.line
    assert {"emotions", "regions", "baseline", "gap_max", "ig", "seconds"} <= set(found)


def test_predict_says_the_same_where_it_is_asked(picture):
    def asked(explain):
        reader = Reader(
            runtime=runtime(),
            open_landmarker=Looking,
            features=PARAMS.features,
            watch=None,
            every_s=0.0,
            smoothing_s=0.0,
            read=lambda *_: None,
            faces_max=1,
            explain=explain,
        )
        (row,) = predictions([Input(path=picture)], reader, lambda *_: None)
        return row.faces[0]

    exact = region_values(runtime(), face())
    found = asked(True)
    assert found["regions"]["mouth"]["happiness"] == pytest.approx(
        exact.values[0, list(exact.regions).index("mouth")], abs=1e-6
    )
    assert found["timings_ms"]["explain"] > 0
    assert asked(False)["regions"] == {}


def test_a_person_reads_what_leads_and_where_the_baseline_decides(picture):
    """The neutral face's mouth is higher than this one's: against it the same region leads, the other way."""
    text = picture_text(explained(picture), BLOCKED)
    assert "mouth +" in text
    assert "against the other baseline mouth leads with -" in text
    (found,) = explained(picture).faces
    assert found.depends_on_baseline(0)
    (even,) = explained(picture, runtime(faces=replace(runtime().faces, neutral=runtime().faces.mean))).faces
    assert not even.depends_on_baseline(0)
    assert "not what the person feels" in text
    assert text.splitlines()[-1] == BLOCKED.line


class _Mesh:
    vertices = np.random.default_rng(0).normal(size=(478, 3)).astype(np.float32) * 5
    triangles = np.random.default_rng(1).integers(0, 478, (200, 3))


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """The page of a picture, drawn once: that takes half a second."""
    folder = tmp_path_factory.mktemp("page")
    Image.new("RGB", (8, 8)).save(folder / "somebody.png")
    return page(folder / "somebody.png", folder)


def page(picture, tmp_path, **options):
    out = tmp_path / "page.html"
    write_page(explained(picture), BLOCKED.line_today, figures, _Mesh(), report_html, out, **options)
    return out.read_text(encoding="utf-8")


def test_the_page_stands_alone_adds_up_and_says_what_it_does_not_mean(html):
    assert not re.search(r"(?:src|href)=[\"'](?!data:)", html)
    first = " ".join(re.sub(r"<[^>]+>", "", html.partition("<main>")[2]).split())
    assert first.startswith(f"{BLOCKED.line_today} What the scores"), "how the model stands comes before what it says"
    assert "evidence synthetic" in first
    assert "http" not in html.replace("http-equiv", "")
    assert "<script" not in html
    for words in (*CAVEATS, "mean landmarks of training people", "no map: this model's training graph"):
        assert words.replace("'", "&#39;") in html or words in html, words
    shown = [float(value) for value in re.findall(r'<span class="figure">([+-]\d+\.\d+)</span>', html)]
    total = float(re.findall(r'<strong class="figure">([+-]\d+\.\d+)</strong>', html)[0])
    assert sum(shown[: 1 + len(REGIONS)]) == pytest.approx(total, abs=0.06)
    assert html.count("<img") == html.count('alt="')


def test_the_page_says_how_many_landmarks_the_model_reads(html):
    assert "128 of the 478 landmarks of a face" in html


def test_no_pixel_of_the_face_is_on_the_page_unless_it_is_asked_for(html, picture, tmp_path):
    """With --show-face there is one picture more, and it says that it is biometric data."""
    shown = page(picture, tmp_path, show_face=True)
    assert "The face as the model sees it" not in html
    assert shown.count("<img") == html.count("<img") + 1


def test_a_page_without_caveats_is_refused(tmp_path):
    empty = ExplanationPage(status="s", title="t", model="m", facts={}, faces=(), caveats=())
    with pytest.raises(InputError, match="at least one caveat"):
        report_html.write_explanation(empty, tmp_path / "page.html")


class LookingTwice(Looking):
    """A face in the first and third frame, another one's beside it, and none in the second."""

    def __init__(self):
        self.seen = iter([(face(0.03), face(0.5)), (), (face(0.05),)])

    def see_all(self, _image, _params):
        return next(self.seen)


def of_a_clip():
    return runtime(logits=lambda x, n: logits(x.mean(axis=1, keepdims=True), n))


def test_a_clip_is_the_largest_face_of_its_frames_read_as_one(clip):
    found = explained(clip, of_a_clip(), LookingTwice)
    (only,) = found.faces
    assert only.frames == 2
    at = list(only.exact.regions).index("mouth")
    assert only.exact.values[0, at] == pytest.approx(0.5 * 0.04 * MOUTH.sum(), abs=1e-5)
    assert "(2 frames)" in picture_text(found, BLOCKED) and "frames of one clip, of one person" in picture_text(
        found, BLOCKED
    )
    assert picture_document(found, BLOCKED)["faces"][0]["frames"] == 2


def test_a_video_is_a_clip_by_its_bytes_whatever_its_name(tmp_path):
    (tmp_path / "clip").write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0")
    assert explained(tmp_path / "clip", of_a_clip(), LookingTwice).faces[0].frames == 2
    (tmp_path / "clip.mp4").write_bytes(b"any")
    with pytest.raises(InputError, match=r"not a video despite its name; convert it to MP4"):
        explained(tmp_path / "clip.mp4", of_a_clip(), LookingTwice)


def test_frames_that_cannot_be_read_are_told_and_cost_no_other(clip):
    """Hidden files and notes are no frames; what may be one is lost by name and reason."""
    for name in ("broken.png", "later.heic"):
        (clip / name).write_bytes((clip / "0.png").read_bytes() if name == "broken.png" else b"\1\2\3")
    (clip / "._0.png").write_bytes(b"\0\5\x16\7")
    (clip / "notes.txt").write_text("shot in May")
    found = explained(clip, of_a_clip(), LookingTwice)
    assert found.faces[0].frames == 2
    lost = {Path(one["path"]).name: (one["status"], one["reason"]) for one in picture_document(found, BLOCKED)["lost"]}
    assert lost["broken.png"] == ("unreadable", "is not a readable image")
    assert lost["later.heic"][0] == "not_supported"
    assert set(lost) == {"broken.png", "later.heic"}
    with pytest.raises(InputError, match="2 frames could not be read, the rest could; first: 'later"):
        check_no_frame_lost(found.lost)
    check_no_frame_lost(())


def test_folders_of_several_clips_are_not_read_as_one(clip):
    (clip / "other").mkdir()
    (clip / "other" / "0.png").write_bytes((clip / "0.png").read_bytes())
    with pytest.raises(InputError, match="in 2 folders; name the one folder of the clip"):
        explained(clip)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("gone.png", None, "cannot be opened"),
        ("empty.png", b"", "is empty"),
        ("scan.bmp", b"BM" + bytes(12) + b"\x28\0\0\0" + bytes(80), "is in the format BMP; export it"),
        ("notes.txt", b"text", "is not a picture"),
        ("broken.png", b"\x89PNG\r\n\x1a\n", "is not a readable image"),
    ],
)
def test_a_file_that_is_no_picture_is_said_in_one_line(tmp_path, name, data, says):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=f"'{name}' {says}"):
        explained(tmp_path / name)


def test_a_folder_without_a_single_frame_says_why(tmp_path):
    (tmp_path / "clip").mkdir()
    with pytest.raises(InputError, match="no frames in folder 'clip'"):
        explained(tmp_path / "clip")
    (tmp_path / "clip" / "notes.txt").write_text("shot in May")
    with pytest.raises(InputError, match="no frames in folder 'clip'; name one"):
        explained(tmp_path / "clip")
    (tmp_path / "clip" / "a.png").touch()
    with pytest.raises(InputError, match=r"no frames in folder 'clip'; 'a.png' is empty"):
        explained(tmp_path / "clip")


class LookingAtMany(Looking):
    faces = (face(0.05), face(0.04), face(0.03))


def test_of_more_faces_than_are_explained_the_largest_are_and_it_is_said(picture):
    found = explained(picture, looking=LookingAtMany, faces_max=2)
    assert len(found.faces) == 2 and picture_document(found, BLOCKED)["more_faces"] is True
    assert "more than 2 faces" in picture_text(found, BLOCKED)
    assert not explained(picture, looking=LookingAtMany, faces_max=3).more_faces


def test_a_clip_without_any_face_is_said_in_one_line(clip):
    with pytest.raises(InputError, match="'clip': no face found"):
        explained(clip, looking=LookingInVain)


def test_what_cannot_be_explained_is_said_in_one_line(picture):
    with pytest.raises(InputError, match=r"'somebody.png': no face found"):
        explained(picture, looking=LookingInVain)
    with pytest.raises(InputError, match="has no mean face"):
        explained(picture, runtime(faces=None))


def test_each_landmark_has_its_region_s_value():
    values = landmark_values(np.array([[*range(9), 99.0]]), (*REGIONS, "outside"))
    assert np.array_equal(values[0], region_of_landmark())


def test_a_baseline_that_already_speaks_for_the_emotion_is_said_on_the_page_and_in_text(html, picture):
    """Of two emotions the average face had 0.93 for happiness, and nothing said so."""
    found = explained(picture)
    said = " ".join(picture_text(found, BLOCKED).split())
    assert "log odds from +0.25 (mean landmarks of training people) to" in said and "(this face)" in said
    assert "The baseline alone (mean landmarks of training people) already gets happiness 0.56" in said
    assert "already gets happiness 0.56" in html
    against = runtime(calibrator=replace(CALIBRATOR, intercepts=(-5.0, -5.0)))
    assert "baseline alone" not in picture_text(explained(picture, against), BLOCKED)
