"""Whose face is put on a page: nobody's who is on record and does not allow it now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bitface.adapters.media_files import encode_frames
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import LONDON_LICENCE, london_consents, packaged_notice
from bitface.dataset.index import write_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import Shard, digest_of, write_shard
from bitface.errors import RefusedError
from bitface.faces.media.same_picture import Marks, looks_kept
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.answers.showing import Album, check_shown
from bitface.steps.people.contents import sample_of
from bitface.steps.people.on_record import OnRecord
from bitface.steps.people.reentry import reentry
from tests.builders import adult

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def picture(seed: int) -> np.ndarray:
    spots = np.random.default_rng(seed).integers(0, 255, (34, 34, 3), dtype=np.uint8)
    return np.kron(spots, np.ones((2, 2, 1), np.uint8))


class House:
    """People with a sample each, a ledger, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.home, self.data, self.now = folder, folder / "data", NOW
        self.keys = KeyStore(folder / "keys")
        self.ledger = Ledger(sqlite_url(folder / "ledger.db"), clock=lambda: self.now)
        self.ledger.record_consents((), [packaged_notice("london-1")], [LONDON_LICENCE])
        self.data.mkdir()
        self.samples: list = []

    def person(self, name: str, *frames: np.ndarray, licence: str = LONDON_LICENCE.id, **changes: object) -> str:
        person = self.keys.enrol(name)
        key, media = self.keys.key_of(person), encode_frames(frames, lossless=True)
        record = adult(person, gender="unknown", skin_tone=None, ancestry="unknown", self_reported=False)
        sample = sample_of(f"{person}-1", person, digest_of(media, person, key), "fear", len(frames), 25.0)
        self.samples.append(sample.__class__(**{**sample.__dict__, "licence_id": licence}))
        looks = {f"{person}-1": looks_kept(frames)}
        write_shard(
            self.data,
            Shard(subject=record, samples={f"{person}-1": media}, facial_actions={}, consent_receipts=[], looks=looks),
            key,
        )
        write_index(self.data, self.samples)
        (event,) = london_consents({person: "30_44"}, evidence_sha256="e" * 64, recorded_at=NOW)
        facts = event.model_dump() | {"data_kinds": ("image", "video")} | changes
        self.ledger.record_consents([ConsentEvent.model_validate(facts)])
        return person

    def refusal(self, *pictures: np.ndarray, context: str = "research") -> str:
        """Why these frames are not shown; empty where they are."""
        gone = reentry(self.keys, self.home)
        try:
            record = OnRecord(self.data, self.keys)
            check_shown(pictures, context, Album(record=record, erased=gone, ledger=self.ledger, encode=encode_frames))
        except RefusedError as error:
            return str(error)
        return ""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.ledger.close()


def test_who_allows_it_and_who_is_not_on_record_is_shown(house: House) -> None:
    assert house.refusal(picture(1)) == "", "no person is on record"
    house.person("anna", picture(1))
    assert house.refusal(picture(1)) == "" and house.refusal(picture(2)) == ""


@pytest.mark.parametrize(
    ("changes", "context", "why"),
    [
        ({"purposes": ("train", "evaluate")}, "research", "no consent event"),
        ({"valid_to": NOW - timedelta(seconds=1)}, "research", "expired"),
        ({"delete_by": NOW}, "research", "retention"),
        ({"jurisdiction": "Illinois", "last_interaction": datetime(2020, 1, 1, tzinfo=UTC)}, "research", "BIPA"),
        ({"state": "refused", "purposes": ("publish_image",)}, "research", "refused"),
        ({"data_kinds": ("landmarks",)}, "research", "image"),
        ({}, "consumer", "licence"),
    ],
)
def test_who_does_not_allow_it_now_is_not_shown(house: House, changes, context: str, why: str) -> None:
    house.person("bert", picture(1))
    house.person("anna", picture(2), **changes)
    assert why in house.refusal(picture(2), context=context)
    assert house.refusal(picture(3), context=context) == ""


def test_it_is_asked_anew_each_time(house: House) -> None:
    person = house.person("anna", picture(1), valid_to=NOW + timedelta(days=1))
    assert house.refusal(picture(1)) == ""
    house.now = NOW + timedelta(days=1)
    assert house.refusal(picture(1))
    house.now = NOW
    (event,) = house.ledger.consents(person)
    facts = event.model_dump() | {"event_id": "w", "state": "withdrawn", "purposes": (), "event_time": NOW}
    house.ledger.record_consents([ConsentEvent.model_validate(facts)])
    assert "withdrawn" in house.refusal(picture(1))


def test_a_frame_of_a_clip_a_picture_among_others_and_one_stored_anew_are_known(house: House) -> None:
    frames = [picture(seed) for seed in range(5)]
    house.person("anna", *frames, purposes=("train",))
    house.person("bert", picture(9), purposes=("train",))
    assert house.refusal(*frames), "the clip"
    assert house.refusal(frames[0]) and house.refusal(frames[2]), "a still of it"
    assert house.refusal(picture(7), picture(9)), "one of several"
    assert house.refusal(picture(9)[::2, ::2]) and house.refusal(picture(9)[1:-1, 1:-1]), "smaller; trimmed"
    assert house.refusal(picture(9)[:, ::-1]) == "", "as said in --help: known by pictures alone"


def test_a_licence_that_does_not_allow_it_closes(house: House) -> None:
    house.person("anna", picture(1), licence="another one")
    assert "licence" in house.refusal(picture(1))


def test_who_was_erased_is_not_shown_by_the_picture_or_one_like_it(house: House) -> None:
    person = house.keys.enrol("anna")
    media = encode_frames([picture(1)], lossless=True)
    marks = Marks(sha256=hashlib.sha256(media).hexdigest(), looks=looks_kept([picture(1)]))
    house.keys.destroy(person, "e1", house.keys.remains_of(person, "e1", pictures=[marks]))
    assert "erased" in house.refusal(picture(1)) and "erased" in house.refusal(picture(1)[1:-1, 1:-1])
    assert house.refusal(picture(2)) == ""


def test_the_refusal_says_what_to_do_and_names_nobody(house: House) -> None:
    person = house.person("anna", picture(1), purposes=("train",))
    why = house.refusal(picture(1))
    assert why.endswith("; run it without --show-face") and person not in why and "anna" not in why


def test_where_a_key_is_missing_nobody_is_shown(house: House) -> None:
    """Whoever cannot be looked for may be the one: a check that cannot run is no pass."""
    person = house.person("anna", picture(1))
    (house.home / "keys" / "people" / f"{person}.json").unlink()
    assert "no key on this installation" in house.refusal(picture(2))
