"""Own photographs to a dataset, as people run it: drafts are refused until a person has filled them in, and then everything is taken."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bitface.consent.unfilled import CONSENT_EXAMPLE, LICENCE_EXAMPLE, MARK

NOW = datetime.now(UTC)
PEOPLE = ("anna", "bo", "cem", "dora", "eli", "fay")
EMOTIONS = ("happy", "sad")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two pictures of each person, in the most usual layout."""
    folder = tmp_path / "photos"
    for seed, (person, emotion) in enumerate((person, emotion) for person in PEOPLE for emotion in EMOTIONS):
        (folder / person / emotion).mkdir(parents=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / person / emotion / "1.png")
    return folder


def fill_licence(folder: Path) -> None:
    path = folder / "licence.json"
    path.write_text(
        json.dumps({**json.loads(path.read_text()), **{k: LICENCE_EXAMPLE[k] for k in ("name", "text", "purposes")}})
    )


def fill_terms(folder: Path) -> None:
    """What a person decides, once for everyone; digests are left to the program."""
    begun, ends = (NOW - timedelta(days=1)).isoformat(), (NOW + timedelta(days=100)).isoformat()
    times = dict.fromkeys(("event_time", "valid_from", "last_interaction"), begun) | dict.fromkeys(
        ("valid_to", "delete_by"), ends
    )
    said = {**CONSENT_EXAMPLE, **times}
    path = folder / "consent-terms.json"
    draft = json.loads(path.read_text())
    path.write_text(json.dumps({name: said[name] if MARK in str(value) else value for name, value in draft.items()}))


def fill_manifest(folder: Path) -> None:
    """Ages, genders and tones; everybody is young, which the forecast must notice."""
    path = folder / "manifest.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        for row in rows:
            at = PEOPLE.index(row["subject_id"])
            writer.writerow(row | {"age": "25", "gender": ("female", "male")[at % 2], "skin_tone": (2, 6, 9)[at % 3]})


def test_from_a_folder_of_pictures_to_a_dataset(bitface, photos: Path, tmp_path: Path) -> None:
    project = tmp_path / "fresh"

    def run(*words: str) -> tuple[int, dict[str, Any], str]:
        done = bitface(project, "data", *words, str(photos), "--json")
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr.strip().splitlines()[-1]

    code, drafts, error = run("init")
    assert code == 0, error
    assert (drafts["pictures"], drafts["people"], drafts["filled"]) == (12, 6, {"subject_id": 12, "label": 12})
    code, _, error = run("import", "--format", "folder", "--dry-run")
    assert code == 2 and "licence.json: still to be filled in (the words FILL IN go too): name, text, purposes" in error
    fill_licence(photos)
    code, _, error = run("import", "--format", "folder")
    assert code == 2 and "consent-terms.json: purposes, contexts, controller" in error
    assert "docs/bring-your-own.md, section Consents" in error and not (project / "data").exists()

    fill_manifest(photos)
    fill_terms(photos)
    template = photos / "notices" / "notice-1.md"
    template.write_text(template.read_text().replace(MARK, "filled in"))
    (photos / "evidence").mkdir()
    for person in PEOPLE:
        (photos / "evidence" / f"{person}.txt").write_text(f"signed by {person}")
    code, again, error = run("init")
    assert code == 0 and again["todo"] == [] and again["new_pictures"] == 0, error

    told = bitface(project, "data", "import", str(photos), "--format", "folder", "--dry-run")
    assert told.returncode == 0, told.stderr
    _, _, table = told.stdout.partition("Forecast for purpose train")
    assert 10 < len(table.splitlines()) < 30
    assert "take it out of gate.required_values.age_band" in table
    assert not (project / "data").exists()
    code, done, error = run("import", "--format", "folder")
    assert code == 0 and (done["admitted"], done["quarantined"], done["forecast"]) == (12, [], None), error

    _, foreseen, _ = run("import", "--format", "folder", "--dry-run")
    forecast = foreseen["forecast"]
    assert (forecast["usable"], forecast["judged"], forecast["judged_by"]) == (6, 6, "everyone, out of fold")
    rows = {(row["slice"]["attribute"], row["slice"]["value"]): row for row in forecast["rows"]}
    assert (
        rows["age_band", "18_29"]["slice"]["people"] == 6
        and rows["age_band", "60_plus"]["slice"]["verdict"] == "nobody"
    )
    assert rows["gender", "male"]["slice"]["verdict"] == "stays open" and rows["gender", "male"]["to_import"] > 20
    assert rows["emotion", "happiness"]["slice"]["samples"] == 6
