"""bitface as a library, as its page says it: on a real installation, the same answers and the same refusals as the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bitface import library, load
from bitface.dataset.index import read_index
from bitface.errors import InputError, RefusedError
from tests.clips import encoded

pytestmark = pytest.mark.trains
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def here(done, environment, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The process works in the project that was retrained."""
    for name, value in environment(done[0]).items():
        monkeypatch.setenv(name, value)
    return Path(done[0])


@pytest.fixture
def photo(london: Path) -> Path:
    return min((london / "images").glob("*_smiling.jpg"))


def opened(reference: str | None = "bitface/1") -> library.Model:
    return load(reference, purpose="demo", context="research")


def test_the_page_s_examples_run(here: Path, photo: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    """Without a champion the demo would answer; here neither is there, so that the version is named."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(photo.read_bytes())
    for block in blocks:
        exec(block.replace("bitface.load(", 'bitface.load("bitface/1", '), {})  # noqa: S102 - our own page
    assert "bitface/1" in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "answers.csv")) == 1


def test_a_program_gets_what_the_command_prints(here: Path, photo: Path, tmp_path: Path, bitface) -> None:
    place = tmp_path / "mixed"
    place.mkdir()
    (place / "a.jpg").write_bytes(photo.read_bytes())
    (place / "b.jpg").write_bytes(photo.read_bytes()[:2000])
    still = np.asarray(Image.open(photo).convert("RGB").resize((320, 320)))
    encoded(place / "c.mp4", [still] * 12)
    use = ("--model", "bitface/1", "--purpose", "demo", "--context", "research")
    printed = bitface(here, "predict", str(place), *use, "--json", "--csv", str(tmp_path / "out.csv"))
    assert printed.returncode == 2, printed.stderr
    documents = json.loads(printed.stdout)
    with opened() as model:
        answers = model.predict(place)
        assert documents[0]["model"]["status"] == model.standing.document()
        assert [(str(one.path), one.frame, one.time_s, one.status, one.reason) for one in answers] == [
            (row["path"], row["frame"], row["time_s"], row["status"], row["reason"]) for row in documents
        ]
        for one, row in zip(answers, documents, strict=True):
            assert [dict(face.probabilities) for face in one.faces] == [face["emotions"] for face in row["faces"]]
            assert [set(face.likely) for face in one.faces] == [set(face["set"]) for face in row["faces"]]
            assert [face.track for face in one.faces] == [face.get("track") for face in row["faces"]]
        table = answers.to_pandas()
        table.to_csv(tmp_path / "own.csv", index=False)
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "own.csv"), pd.read_csv(tmp_path / "out.csv"))
        of_pixels = model.predict(np.asarray(Image.open(photo).convert("RGB")))[0]
        assert of_pixels.path is None and of_pixels.faces[0].probabilities == answers[0].faces[0].probabilities
        assert model.predict(Image.open(photo).convert("L"))[0].faces, "grey, and of Pillow"


HEAVY = (
    *(
        "boto3",
        "dvc",
        "evidently",
        "great_expectations",
        "matplotlib",
        "mlflow",
        "pandas",
        "prefect",
        "pyarrow",
        "scipy.stats",
    ),
    *("sigstore", "sklearn", "sounddevice", "torch"),
)


def test_a_first_answer_imports_nothing_that_it_does_not_need(here: Path, photo: Path, environment) -> None:
    """By the command and by a program: of 7 seconds of a cold prediction 3 went into these."""
    used = ["--model", "bitface/1", "--purpose", "demo", "--context", "research"]
    of_command = (
        f"import sys, bitface.cli; sys.argv = {['bitface', 'predict', str(photo), *used]!r}; bitface.cli.main()"
    )
    of_program = (
        f"import bitface; bitface.load('bitface/1', purpose='demo', context='research').predict({str(photo)!r})"
    )
    heavy = f"print(*(one for one in {HEAVY!r} if one in sys.modules), file=sys.stderr)"
    for code in (of_command, of_program):
        words = [sys.executable, "-c", f"import atexit, sys; atexit.register(lambda: {heavy}); {code}"]
        done = subprocess.run(words, env=environment(here), capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stderr.splitlines()[-1]) == (0, ""), done.stderr


def test_frames_are_taken_one_by_one_and_never_before_they_are_asked_for(here: Path, photo: Path) -> None:
    still = np.asarray(Image.open(photo).convert("RGB").resize((320, 320)))
    taken: list[int] = []

    def camera():
        for number in range(10**9):
            taken.append(number)
            yield still

    with opened() as model:
        stream = model.stream(camera(), every_s=0.2)
        first, second = next(stream), next(stream)
    assert (first.time_s, second.time_s) == (0.0, 0.2) and len(taken) == 6
    assert first.faces[0].track == second.faces[0].track == 1


def test_what_is_no_picture_is_said(here: Path) -> None:
    with opened() as model:
        for wrong, says in [
            (np.zeros((8, 8, 3)), "float64"),
            (np.zeros((8, 8, 4), np.uint8), r"\(8, 8, 4\)"),
            (5, "a int cannot be predicted"),
        ]:
            with pytest.raises(InputError, match=says):
                model.predict(wrong)
        still = np.zeros((8, 8, 3), np.uint8)
        with pytest.raises(InputError, match="not after the frame before it"):
            model.predict([(0.0, still), (0.0, still)])
        with pytest.raises(InputError, match="fps is 0"):
            model.predict([still], fps=0)
        for wrong in ({"faces": 0}, {"faces": 101}, {"every_s": -1}, {"every_s": float("nan")}):
            with pytest.raises(InputError, match=f"{next(iter(wrong))} is"):
                model.predict("gone.jpg", **wrong)
        assert [one.status for one in model.predict("gone.jpg")] == ["unreadable"]
        assert [str(one.path) for one in model.predict(["gone.jpg", Path("far.png")])] == ["gone.jpg", "far.png"]


def test_a_use_that_is_refused_is_refused_to_programs_too(here: Path) -> None:
    with pytest.raises(RefusedError):
        load("bitface/1", purpose="demo", context="workplace")
    with pytest.raises(InputError, match="bitface/9"):
        load("bitface/9", purpose="demo", context="research")


def test_an_open_model_is_closed_to_everyone_a_minute_after_somebody_in_it_withdrew(
    copied: Path, environment, monkeypatch: pytest.MonkeyPatch, photo: Path, bitface
) -> None:
    for name, value in environment(copied).items():
        monkeypatch.setenv(name, value)
    now = [0.0]
    monkeypatch.setattr(library, "monotonic", lambda: now[0])
    with opened() as model:
        assert model.predict(photo)
        person = next(sample.person for sample in read_index(copied / "data") if sample.split != "gate")
        assert bitface(copied, "consent", "withdraw", person, "--reason", "asked").returncode == 0
        now[0] = 59.0
        assert model.predict(photo), "not asked again yet"
        still = np.asarray(Image.open(photo).convert("RGB"))
        camera = model.stream(still for _ in range(9))
        assert next(camera), "not asked again yet"
        now[0] = 61.0
        with pytest.raises(RefusedError):
            next(camera)
        with pytest.raises(RefusedError):
            model.predict(photo)
