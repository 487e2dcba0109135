"""A model of synthetic people meets real ones: in memory, by consent, and reported as figures only."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bitface.adapters.media_files import encode_frames
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import LONDON_LICENCE, london_consents, packaged_notice
from bitface.dataset.incoming.import_rows import ImportRow
from bitface.dataset.index import write_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import Shard, digest_of, write_shard
from bitface.errors import InputError, RefusedError
from bitface.faces.media.same_picture import Marks, look_of, looks_kept
from bitface.faces.seen import SeenFaces
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.params import read_params
from bitface.steps.judging.transfer import Entry, Seeing, judge_on_real_people, london_folder
from bitface.steps.people.contents import sample_of
from bitface.steps.people.intake_decision import Intake
from bitface.steps.people.on_record import OnRecord
from bitface.steps.people.reentry import reentry
from bitface.steps.people.sources import Source
from tests.builders import adult

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PARAMS = read_params(Path(__file__).resolve().parents[2] / "params.yaml")
RUN = SimpleNamespace(evidence="synthetic", context="research", params=PARAMS)
BUNDLE = SimpleNamespace(folder=Path("bundle"))


def source(people: int = 6, age_band: str = "18_29") -> Source:
    rows = [
        ImportRow(
            row=2 * person + smile + 1,
            path=Path(f"{person}-{smile}.jpg"),
            subject_id=f"owner-{person}",
            label=("neutral", "happiness")[smile],
            age_band=age_band,
            gender="female",
            skin_tone=None,
            ancestry="unknown",
            clip="",
            frame=0,
            split="",
        )
        for person in range(people)
        for smile in (0, 1)
    ]
    notice = packaged_notice("london-1")
    intake = Intake(
        rows=rows,
        rejected=[],
        licence=LONDON_LICENCE,
        source="london",
        consents=lambda _, bands: london_consents(bands, evidence_sha256="0" * 64, recorded_at=NOW),
        known_notices={notice.sha256: notice.notice_id},
    )
    return Source(intake=intake, notices=(notice,))


def read(path: Path, _: str) -> np.ndarray:
    """A picture whose first pixel says whether it smiles, its second whether there is a face."""
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[0, 0, 0] = path.stem.endswith("1")
    picture[0, 1, 0] = not path.stem.startswith("5")
    return picture


class Looking:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def see(self, frames, _):
        shapes = {"landmarks": (478, 3), "blendshapes": (52,), "normalised": (478, 3), "quality": (5,)}
        seen = {name: np.zeros((1, *shape), np.float32) for name, shape in shapes.items()}
        seen["normalised"] += float(frames[0, 0, 0, 0])
        faces = frames[0, 0, 1].astype(np.int64)[:1]
        return SeenFaces(faces=faces, crops=np.zeros((1, 64, 64), np.uint8), **seen)


def load(_: Path):
    """A model that sees every smile and, of anger, nothing."""

    def scores(landmarks, _lengths):
        smile = landmarks[:, 0, 0, 0].astype(float)
        return np.stack([smile * 0.8 + 0.1, 0.9 - smile * 0.8, np.full(len(smile), 0.1)], axis=1)

    return SimpleNamespace(
        reads="landmarks", emotions=("happiness", "neutral", "anger"), thresholds=np.full(3, 0.5), scores=scores
    )


def judge(run=RUN, source=source(), keys=None, look=read, ledger=None, data=Path("no such folder")):  # noqa: B008 - frozen
    keys = keys or KeyStore(Path("no such folder"))
    entry = Entry(
        asked=reentry(keys, Path("no such folder")),
        encode=encode_frames,
        record=OnRecord(data, keys),
        ledger=ledger or Ledger("sqlite://"),
    )
    tools = Seeing(landmarker=Looking, read=look, load=load, report=lambda *_: None)
    return judge_on_real_people(run, BUNDLE, source, tools, NOW, entry)


def test_every_face_is_judged_once_and_pictures_without_one_are_counted() -> None:
    found = judge()
    assert (found.people, found.samples, found.skipped) == (5, 10, 2)
    assert {name: own.auc.value for name, own in found.scores.emotions.items()} == {"happiness": 1.0, "neutral": 1.0}
    assert found.scores.unjudged == ("anger",)
    assert "happiness AUC 1.000" in found.sentence()


def erased_ones(folder: Path, *subjects: str, pictures: tuple[Marks, ...] = ()) -> KeyStore:
    """Keys of an installation where these were erased, the first one with these pictures."""
    keys = KeyStore(folder)
    for number, subject in enumerate(subjects):
        person = keys.enrol(subject)
        keys.destroy(person, "e1", keys.remains_of(person, "e1", pictures=() if number else pictures))
    return keys


@pytest.mark.parametrize("subject", ["owner-1", "OWNER_1", "0wnerl"])
def test_of_somebody_who_was_erased_no_picture_is_read(tmp_path: Path, subject: str) -> None:
    """Under the same id, or another spelling of it."""
    seen: list[str] = []

    def looked(path: Path, where: str) -> np.ndarray:
        seen.append(path.name)
        return read(path, where)

    found = judge(keys=erased_ones(tmp_path, subject), look=looked)
    assert (found.people, found.left_out) == (4, 1) and not [name for name in seen if name.startswith("1-")]
    assert "1 person of london was excluded" in found.warnings()[0] and "owner" not in found.warnings()[0]


def test_somebody_with_a_picture_of_somebody_who_was_erased_is_not_judged(tmp_path: Path) -> None:
    own = {f"{person}-{smile}.jpg": person for person in range(6) for smile in (0, 1)}

    def distinct(path: Path, where: str) -> np.ndarray:
        picture = read(path, where)
        picture[3, 3, 0] = own[path.name]
        return picture

    erased = hashlib.sha256(encode_frames(distinct(Path("2-1.jpg"), "")[None], lossless=True)).hexdigest()
    found = judge(keys=erased_ones(tmp_path, "somebody", pictures=(Marks(sha256=erased),)), look=distinct)
    assert (found.people, found.left_out, found.document()["left_out"]) == (4, 1, 1)
    looked = np.random.default_rng(7).integers(0, 256, (34, 34, 3)).astype(np.uint8)
    alike = Marks(sha256="0" * 64, looks=(look_of(np.kron(looked, np.ones((2, 2, 1), np.uint8))),))
    stored_anew = erased_ones(tmp_path / "anew", "somebody", pictures=(alike,))
    assert judge(keys=stored_anew, look=lambda p, w: looked if p.name == "2-0.jpg" else read(p, w)).left_out == 1
    assert judge(keys=erased_ones(tmp_path / "none", "somebody"), look=distinct).left_out == 0


@pytest.mark.parametrize("purposes", [("evaluate",), ()])
def test_who_is_on_record_is_asked_here_whatever_the_source_says(tmp_path: Path, purposes: tuple[str, ...]) -> None:
    """By the id, before a picture is read; and by a picture that is on record under another id."""
    keys, data = KeyStore(tmp_path / "keys"), tmp_path / "data"
    ledger = Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOW)
    ledger.record_consents((), [packaged_notice("london-1")], [LONDON_LICENCE])
    people = {name: keys.enrol(name) for name in ("owner-1", "another-name")}
    pixels = np.random.default_rng(5).integers(0, 255, (34, 34, 3), dtype=np.uint8)
    own, key = people["another-name"], keys.key_of(people["another-name"])
    media = encode_frames([pixels], lossless=True)
    sample = sample_of(f"{own}-1", own, digest_of(media, own, key), "fear", 1, 0.0)
    record = adult(own, skin_tone=None, ancestry="unknown", self_reported=False)
    data.mkdir()
    looks = {sample.sample_id: looks_kept([pixels])}
    stored = {sample.sample_id: media}
    write_shard(data, Shard(subject=record, samples=stored, facial_actions={}, consent_receipts=[], looks=looks), key)
    write_index(data, [replace(sample, licence_id=LONDON_LICENCE.id)])
    given = london_consents(dict.fromkeys(people.values(), "18_29"), evidence_sha256="0" * 64, recorded_at=NOW)
    ledger.record_consents(given)

    def looked(path: Path, where: str) -> np.ndarray:
        if path.name.startswith("1-"):
            seen.append(path.name)
        picture = read(path, where)
        if path.name == "2-1.jpg":
            picture = np.kron(pixels, np.ones((2, 2, 1), np.uint8))
            picture[0, 0, 0], picture[0, 1, 0] = 1, 1
        return picture

    seen: list[str] = []
    assert judge(keys=keys, look=looked, ledger=ledger, data=data).left_out == 0 and seen
    for event in given:
        facts = event.model_dump() | {"event_id": f"w{event.subject}", "state": "withdrawn", "purposes": purposes}
        ledger.record_consents([ConsentEvent.model_validate(facts | {"event_time": NOW})])
    seen.clear()
    found = judge(keys=keys, look=looked, ledger=ledger, data=data)
    assert (found.people, found.left_out, seen) == (3, 2, [])


def test_a_licence_that_allows_less_by_now_counts_as_it_is_on_record(tmp_path: Path) -> None:
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOW) as ledger:
        ledger.record_consents((), (), [LONDON_LICENCE])
        assert judge(ledger=ledger).people == 5
        narrowed = LONDON_LICENCE.model_copy(update={"purposes": ("train",)})
        ledger.record_consents((), (), [narrowed])
        with pytest.raises(RefusedError, match=r"6 of 6 people.*licence does not allow purpose evaluate"):
            judge(ledger=ledger)


def test_what_is_reported_names_nobody() -> None:
    assert "owner" not in str(judge().document()) and "jpg" not in str(judge().document())


def test_people_whose_consent_does_not_hold_are_not_looked_at() -> None:
    with pytest.raises(RefusedError, match="6 of 6 people of 'london' cannot be judged"):
        judge(source=source(age_band="under_18"))


def test_a_model_of_real_people_is_not_judged_on_people_who_may_be_the_same() -> None:
    with pytest.raises(InputError, match="may be the same as those of 'london'"):
        judge(run=SimpleNamespace(**{**RUN.__dict__, "evidence": "real"}))


def test_a_configured_folder_that_is_not_there_is_an_error_and_none_asks_nobody(tmp_path: Path) -> None:
    assert london_folder(tmp_path, None) is None
    (tmp_path / "set").mkdir()
    assert london_folder(tmp_path, "set") == tmp_path / "set"
    with pytest.raises(InputError, match=r"transfer\.london names 'gone'"):
        london_folder(tmp_path, "elsewhere/gone")
