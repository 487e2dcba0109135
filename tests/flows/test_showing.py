"""A face that is on record is shown, and comes back after an erasure, only where that person allows: with the real commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bitface.dataset.keys import KeyStore
from tests.builders import begin_source, consent, write_consents, write_rows

NOTICE = b"We train a model on your picture, for research, and may show it.\n"
SHOWN = ("train", "evaluate", "publish_image")


def picture(number: int) -> Image.Image:
    spots = np.random.default_rng(number).integers(0, 255, (14, 14, 3), dtype=np.uint8)
    return Image.fromarray(spots).resize((128, 128), Image.Resampling.BICUBIC)


def source(folder: Path, people: dict[str, tuple[str, ...]], pictures: dict[str, str]) -> Path:
    """A folder to import: subject id -> purposes, and -> the picture's file."""
    begin_source(folder, NOTICE, SHOWN)
    write_rows(folder, (f"{pictures[who]},{who},anger" for who in people))
    write_consents(folder, (consent(who, NOTICE, purposes=purposes) for who, purposes in people.items()))
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
    assert "not a video despite its name" in shown(folder / "film.mp4", "--show-face", code=2), "it leads to a picture"
    back = source(folder, {"new": SHOWN}, {"new": "anew.jpg"})
    said = run("data", "import", str(back), "--format", "folder", code=2)
    assert "looks like a re-saved or cropped picture of a person who was erased" in said and "--reviewed" in said
    assert run("data", "import", str(back), "--format", "folder", "--reviewed", "new")["people"] == 1
