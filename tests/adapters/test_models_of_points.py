"""A model of points without pictures, trained and shipped: it reads what its people's points have and nothing else of a photograph."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bitface.adapters.openvino_runtime import OneBitRuntime, export_bundle
from bitface.dataset.keys import KeyStore
from bitface.dataset.points.point_container import pack_points
from bitface.dataset.shards import Shard, write_shard
from bitface.faces.alignment import normalise_landmarks
from bitface.faces.features import ClipTable, flattened
from bitface.faces.points import IBUG_68, MESH_468, MESH_478, MESH_478_FLAT, FacePoints, PointScheme, points_of_pixels
from bitface.faces.records import SubjectRecord
from bitface.models.extraction import graph_outputs, selftest_of
from bitface.params import read_params
from bitface.steps.retrain.featurise import Featuriser, Sight, featurise_people, originals, read_features
from bitface.steps.versions.rival import reads_what_is_known
from bitface.training.landmarks.landmark_domain import LandmarkDomain
from tests.builders import sample
from tests.networks import trained, with_gammas_of_both_signs

PARAMS = read_params(Path(__file__).resolve().parents[2] / "params.yaml")


def points(scheme: PointScheme, count: int, seed: int = 0) -> FacePoints:
    rng = np.random.default_rng(seed)
    pixels = rng.normal(0, 30, (count, 478, 3)) + np.array([320, 240, 0])
    for landmark, x in {33: 280, 133: 300, 362: 340, 263: 360}.items():
        pixels[:, landmark] = np.stack([np.full(count, x), 200 + rng.normal(size=count), np.full(count, 5)], axis=-1)
    return points_of_pixels(pixels[:, list(scheme.mesh)], scheme, "MediaPipe")


def table_of(scheme: PointScheme, count: int = 24) -> ClipTable:
    """Two stills of each of 12 people, as featurising leaves them."""
    return ClipTable(
        landmarks=points(scheme, count).landmarks[:, None],
        blendshapes=np.full((count, 1, 52), np.nan, np.float32),
        crops=np.zeros((count, 1, 64, 64), np.uint8),
        lengths=np.ones(count, np.int64),
        labels=np.arange(count) % 2 + 2,
        persons=np.array([f"r{row // 2:015d}" for row in range(count)]),
        sample_ids=np.array([f"s{row}" for row in range(count)]),
        splits=np.full(count, "train"),
        quality=np.ones((count, 5), np.float32),
    )


def shipped(scheme: PointScheme, folder: Path) -> tuple[OneBitRuntime, ClipTable]:
    """A network with the scale and the landmarks that training on these points gives, exported and loaded."""
    table = table_of(scheme)
    torch.manual_seed(3)
    sizes = PARAMS.training.model_copy(update={"channels": 32, "lstm_units": 8})
    network = with_gammas_of_both_signs(LandmarkDomain.of(table, sizes, 1).network("one-bit", 2, 1))
    network.train()(torch.from_numpy(table.landmarks), torch.from_numpy(table.lengths))
    model = trained(network)
    export_bundle(model, selftest_of(model.network, 1), folder)
    runtime = OneBitRuntime.load(folder)
    counts, _, logits = graph_outputs(model.network, table)
    assert np.array_equal(runtime.counts(table.column(runtime.reads), table.lengths), counts)
    assert np.abs(runtime.logits(table.column(runtime.reads), table.lengths) - logits).max() < 1e-4
    return runtime, table


@pytest.mark.parametrize(
    ("scheme", "reads", "most"),
    [
        (MESH_478, "landmarks", 128),
        (MESH_468, "landmarks", 128),
        (MESH_478_FLAT, "flat_landmarks", 128),
        (IBUG_68, "flat_landmarks", 68),
    ],
)
def test_it_reads_what_the_points_have(scheme: PointScheme, reads: str, most: int, tmp_path: Path) -> None:
    runtime, _ = shipped(scheme, tmp_path)
    assert (runtime.reads, runtime.landmarks) == (reads, most)
    photo = normalise_landmarks(np.random.default_rng(9).normal(size=(5, 1, 478, 3)).astype(np.float32))
    elsewhere = photo.copy()
    elsewhere[..., [at for at in range(478) if at not in scheme.mesh], :] += 2
    elsewhere[..., 2] += 0 if scheme.has_depth else 3
    one, other = (
        runtime.logits(shown if scheme.has_depth else flattened(shown), np.ones(5, np.int64))
        for shown in (photo, elsewhere)
    )
    assert np.array_equal(one, other) and len(np.unique(one)) > 1


@pytest.mark.parametrize(
    ("champion", "points_here", "is_fair"),
    [
        (MESH_478, MESH_478, True),
        (IBUG_68, IBUG_68, True),
        (MESH_478, IBUG_68, False),
        (IBUG_68, MESH_478, True),
        (MESH_468, IBUG_68, False),
        (MESH_478_FLAT, MESH_478, True),
        (MESH_478, MESH_478_FLAT, False),
        (IBUG_68, MESH_478_FLAT, True),
    ],
)
def test_a_champion_is_compared_where_all_that_it_reads_is_known(
    champion: PointScheme, points_here: PointScheme, is_fair: bool, tmp_path: Path
) -> None:
    runtime, _ = shipped(champion, tmp_path)
    assert reads_what_is_known(runtime, table_of(points_here)) is is_fair


def test_a_champion_of_pixels_is_compared_on_pictures_alone() -> None:
    pictures = SimpleNamespace(are_points=np.zeros(3, np.bool_))
    assert reads_what_is_known(SimpleNamespace(reads="crops"), pictures)
    assert not reads_what_is_known(SimpleNamespace(reads="crops"), table_of(MESH_478))


class NoLandmarker:
    """Fails where somebody looks at a picture."""

    def __enter__(self) -> NoLandmarker:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def see(self, *_: object) -> None:
        raise AssertionError("there is no picture to look at")


def test_points_are_featurised_without_any_look_at_a_picture(tmp_path: Path) -> None:
    """As they were stored, with no changed copies, and encrypted as features of pictures are."""
    person, keys = "s" + "0" * 15, KeyStore(tmp_path / "keys")
    kept = points(IBUG_68, 3)
    subject = SubjectRecord(
        person=person,
        age_band="30_44",
        gender="other",
        skin_tone=2,
        ancestry="x",
        self_reported=True,
        evidence="synthetic",
    )
    media = {f"{person}-points-{'0' * 12}": pack_points(kept)}
    write_shard(
        tmp_path, Shard(subject=subject, consent_receipts=[], samples=media, facial_actions={}), keys.key_of(person)
    )
    (name,) = media
    row = sample(name, person, kind="landmarks", frames=3, fps=25.0, split="train")
    sight = Sight(data=tmp_path, params=PARAMS, decode=None, augment=None, landmarker=NoLandmarker)  # type: ignore[arg-type]
    tools = Featuriser(
        sight=sight, features=tmp_path / "features", keys=keys, asset_sha256="0" * 64, workers=2, report=lambda *_: None
    )
    references = featurise_people([(row,)], tools)
    table = read_features(references, keys)
    assert table.are_points.all() and len(table) == len(originals(table)) == 1
    assert np.array_equal(table.landmarks[0], kept.landmarks) and not table.crops.any()
    assert kept.landmarks.tobytes() not in references[0].path.read_bytes()
