"""Somebody downloads the London Set as its makers publish it, and imports the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bitface.dataset.index import read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import read_shard
from tests.builders import write_noise
from tests.flows.conftest import Bitface


@pytest.mark.parametrize("numbered", ["X{:03}", "{:03}", "{}"])
def test_ages_are_known_however_the_table_numbers_people(bitface: Bitface, tmp_path: Path, numbered: str) -> None:
    """X001 in first versions, 001 in later ones, 1 once a spreadsheet has saved it; without ages a child would be taken."""
    source = tmp_path / "london"
    for number, (person, place) in enumerate((one, place) for one in (1, 2, 31) for place in ("neutral", "smiling")):
        (source / f"{place}_front").mkdir(parents=True, exist_ok=True)
        write_noise(source / f"{place}_front" / f"{person:03}_0{3 if place == 'neutral' else 8}.jpg", number)
    people = ((1, "48", "female", "black"), (2, "17", "male", "white"), (31, "", "male", "white"))
    lines = [",".join((numbered.format(who), *facts)) for who, *facts in people]
    (source / "london_faces_info.csv").write_text("\n".join(["face_id,face_age,face_sex,face_eth", *lines]) + "\n")
    done = bitface(tmp_path, "data", "import", str(source), "--format", "london", "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert (report["people"], report["admitted"], len(report["quarantined"])) == (2, 4, 2)
    assert all("under 18" in one["reason"] for one in report["quarantined"])
    keys = KeyStore(tmp_path / "home" / "keys")
    taken = {one.person for one in read_index(tmp_path / "data")}
    known = [read_shard(tmp_path / "data", person, keys.key_of(person), media=False).subject for person in taken]
    assert {(one.age_band, one.gender, one.ancestry) for one in known} == {
        ("45_59", "female", "black"),
        ("unknown", "male", "white"),
    }
