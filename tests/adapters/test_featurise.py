"""Features are the same bytes whoever makes them, and whoever ends the work leaves no process behind."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from PIL import Image

from bitface.adapters.media_files import decode_frames, encode_frames, read_image
from bitface.adapters.mediapipe_landmarks import FaceLandmarks
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import Shard, shard_name, write_shard
from bitface.errors import IntegrityError
from bitface.faces.records import SubjectRecord
from bitface.params import read_params
from bitface.steps.retrain import featurise
from bitface.steps.retrain.featurise import Featuriser, Sight, featurise_people, people_of, read_features
from bitface.training.image_augmentation import augmented
from tests.builders import sample

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml")
PEOPLE = 6


@pytest.fixture(scope="module")
def data(tmp_path_factory, london_images):
    """Six people of one small portrait and one picture without a face each, and a note of what is reported."""
    folder, keys = tmp_path_factory.mktemp("data"), KeyStore(tmp_path_factory.mktemp("keys"))
    rows = []
    for number in range(PEOPLE):
        person = f"s{number:015d}"
        portrait = Image.fromarray(read_image(london_images[17 * number])).resize((64, 64))
        noise = np.random.default_rng(number).integers(0, 255, (48, 48, 3), np.uint8)
        media = {
            f"{person}-{index}": encode_frames([np.asarray(picture)], lossless=True)
            for index, picture in enumerate((portrait, noise))
        }
        subject = SubjectRecord(
            person=person,
            age_band="30_44",
            gender="female",
            skin_tone=2,
            ancestry="european",
            self_reported=True,
            evidence="synthetic",
        )
        write_shard(
            folder, Shard(subject=subject, consent_receipts=[], samples=media, facial_actions={}), keys.key_of(person)
        )
        rows += [sample(name, person, label="neutral", split="train") for name in media]
    return folder, keys, people_of(rows)


def tools_of(data, place, landmarker_file, workers):
    folder, keys, _ = data
    told = []
    sight = Sight(
        data=folder,
        params=PARAMS,
        decode=decode_frames,
        augment=augmented,
        landmarker=partial(FaceLandmarks, landmarker_file),
    )
    tools = Featuriser(
        sight=sight,
        features=place,
        keys=keys,
        asset_sha256="0" * 64,
        workers=workers,
        report=lambda *words: told.append(words),
    )
    return tools, told


@pytest.fixture
def eager(monkeypatch):
    """Processes however little there is to do."""
    monkeypatch.setattr(featurise, "_FRAMES_WORTH_PROCESSES", 0)


def test_features_by_processes_are_the_bytes_of_features_by_one(data, tmp_path, landmarker_file, eager, capfd):
    """In the order of the people, with progress by person; a second call reuses all, and asks for no process.

    Landmarkers of processes are closed before these end: closed later, MediaPipe fails with a page of lines.
    """
    found = {}
    for workers in (1, 2):
        tools, told = tools_of(data, tmp_path / str(workers), landmarker_file, workers)
        found[workers] = featurise_people(data[2], tools)
        assert told == [("seeing faces", done, PEOPLE) for done in range(1, PEOPLE + 1)]
    assert [one.person for one in found[2]] == [samples[0].person for samples in data[2]]
    assert [one.sha256 for one in found[2]] == [one.sha256 for one in found[1]]
    table = read_features(found[2], data[1])
    assert (table.quality[:, 0] > 0).sum() >= PEOPLE
    again = featurise_people(data[2], replace(tools, sight=replace(tools.sight, landmarker=None)))
    assert all(one.reused for one in again)
    assert [one.sha256 for one in again] == [one.sha256 for one in found[2]]
    assert not multiprocessing.active_children()
    assert capfd.readouterr().err == ""


def test_what_was_seen_before_an_error_is_kept_and_no_process_stays(data, tmp_path, landmarker_file, eager):
    """The last person's shard is another's: the error is the one that one process would have told."""
    folder = tmp_path / "data"
    (folder / "shards").mkdir(parents=True)
    for samples in data[2]:
        name = shard_name(samples[0].person)
        (folder / name).write_bytes((data[0] / name).read_bytes())
    last = data[2][-1][0].person
    (folder / shard_name(last)).write_bytes(b"no shard")
    tools, told = tools_of((folder, *data[1:]), tmp_path / "features", landmarker_file, 2)
    tools = replace(tools, sight=replace(tools.sight, augment=np.roll))
    with pytest.raises(IntegrityError, match=f"shard of person {last} is not readable"):
        featurise_people(data[2], tools)
    # The pool's own thread waits for them too: of two that wait for one process, one learns a moment later that it has ended.
    end = monotonic() + 60
    while multiprocessing.active_children() and monotonic() < end:
        sleep(0.05)
    assert not multiprocessing.active_children()
    assert len(list((tmp_path / "features").rglob("*.sealed"))) == PEOPLE - 1
    assert len(told) < PEOPLE


def test_a_key_is_looked_up_when_its_persons_turn_comes(data, tmp_path, landmarker_file, monkeypatch):
    """Each look is noted: who was not seen has no note."""
    asked = []

    class Keys:
        def key_of(self, person):
            asked.append(person)
            return data[1].key_of(person)

    def fails(person, *_):
        raise IntegrityError("not this one")

    tools, _ = tools_of(data, tmp_path, landmarker_file, 1)
    monkeypatch.setattr(featurise, "_keep", fails)
    with pytest.raises(IntegrityError, match="not this one"):
        featurise_people(data[2], replace(tools, keys=Keys()))
    assert asked == [data[2][0][0].person]


def test_a_few_frames_are_seen_without_a_further_process(data, tmp_path, landmarker_file, monkeypatch):
    """Starting processes takes longer than so few frames."""

    def never(*_):
        raise AssertionError("no process is needed")

    monkeypatch.setattr(featurise, "worker_processes", never)
    tools, _ = tools_of(data, tmp_path, landmarker_file, 2)
    assert len(featurise_people(data[2], tools)) == PEOPLE
