"""A face that is on record is shown, and comes back after an erasure, only where that person allows: with the real commands."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bitface.consent.known_sources import synthetic_consents
from bitface.dataset.keys import KeyStore

NOTICE = b"We train a model on your picture, for research, and may show it.\n"
NOW = datetime.now(UTC)
SHOWN = ("train", "evaluate", "publish_image")


def picture(number: int) -> Image.Image:
    spots = np.random.default_rng(number).integers(0, 255, (14, 14, 3), dtype=np.uint8)
    return Image.fromarray(spots).resize((128, 128), Image.Resampling.BICUBIC)


def consent(subject: str, purposes: tuple[str, ...]) -> dict[str, Any]:
    (model,) = synthetic_consents(["s" * 16])
    begun, ends = (NOW - timedelta(days=10)).isoformat(), (NOW + timedelta(days=100)).isoformat()
    return model.model_dump(mode="json") | {
        "event_id": f"e-{subject}",
        "record_id": f"r-{subject}",
        "subject": subject,
        "lawful_basis": "6(1)(a)",
        "special_category_condition": "9(2)(a)",
        "purposes": purposes,
        "contexts": ["research"],
        "notice_id": "n1",
        "notice_sha256": hashlib.sha256(NOTICE).hexdigest(),
        "event_time": begun,
        "valid_from": begun,
        "valid_to": ends,
        "delete_by": ends,
        "last_interaction": begun,
    }


def source(folder: Path, people: dict[str, tuple[str, ...]], pictures: dict[str, str]) -> Path:
    """A folder to import: subject id -> purposes, and -> the picture's file."""
    (folder / "notices").mkdir(parents=True, exist_ok=True)
    (folder / "notices" / "n1.md").write_bytes(NOTICE)
    licence = {"id": "own", "name": "ours", "text": "as said", "purposes": SHOWN}
    (folder / "licence.json").write_text(json.dumps(licence))
    rows = "".join(f"{pictures[who]},{who},anger\n" for who in people)
    (folder / "manifest.csv").write_text(f"path,subject_id,label\n{rows}")
    (folder / "consents.jsonl").write_text("\n".join(json.dumps(consent(*one)) for one in people.items()))
    return folder


def test_nobody_on_record_is_shown_or_comes_back_against_their_will(bitface, served, tmp_path: Path) -> None:
    """Four people: one allows `publish_image`, one does not, one withdraws, one is erased; and somebody who is not on record.

    There is no model: who may be shown goes on to that, exit 2, and who may not ends before, exit 4.
    """
    project, folder = tmp_path / "fresh", tmp_path / "source"
    folder.mkdir()
    for number in range(5):
        picture(number).save(folder / f"{number}.png")
    named = {"p0": SHOWN, "p1": SHOWN[:2], "p2": SHOWN, "p3": SHOWN}
    brought = source(folder, named, {who: f"{who[1]}.png" for who in named})

    def run(*words: str, code: int = 0) -> Any:
        done = bitface(project, *words, "--json", **served)
        assert done.returncode == code, (words, done.returncode, done.stderr[-2000:])
        return json.loads(done.stdout) if code == 0 else done.stderr

    def shown(path: Path, *words: str, code: int) -> str:
        out = tmp_path / "page.html"
        use = ("--purpose", "evaluate", "--context", "research", "--out", str(out))
        error = run("explain", str(path), *use, *words, code=code)
        assert not out.exists() and error.count("\n") == 1
        return str(error)

    assert run("data", "import", str(brought), "--format", "folder")["people"] == 4
    people = KeyStore(project / "home" / "keys").pseudonyms()
    run("consent", "withdraw", "p2", "--reason", "asked")
    run("erase", "p3")
    picture(3).resize((100, 100)).crop((2, 2, 98, 98)).save(folder / "anew.jpg", quality=70)
    for allowed in ("0.png", "4.png"):
        assert "champion" in shown(folder / allowed, "--show-face", code=2)
    for closed, why in (
        ("1.png", "publish_image"),
        ("2.png", "withdrawn"),
        ("3.png", "erased"),
        ("anew.jpg", "erased"),
    ):
        said = shown(folder / closed, "--show-face", code=4)
        assert why in said and "--show-face" in said
        assert not [who for who in (*people, "p1", "p2", "p3", closed) if who in said]
        assert "champion" in shown(folder / closed, code=2), "without the face, it is the model's turn"
    (folder / "film.mp4").write_text("ffconcat version 1.0\nfile 1.png\n")
    assert "not a readable video" in shown(folder / "film.mp4", "--show-face", code=2), "it leads to a picture"
    back = source(folder, {"new": SHOWN}, {"new": "anew.jpg"})
    said = run("data", "import", str(back), "--format", "folder", code=2)
    assert "looks like a re-saved or cropped picture of a person who was erased" in said and "--reviewed" in said
    assert run("data", "import", str(back), "--format", "folder", "--reviewed", "new")["people"] == 1
