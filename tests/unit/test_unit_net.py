"""Claims about the net of action units: what it promises, that it repeats to the last bit, and what it refuses."""

from __future__ import annotations

import io
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bitface.dataset.files import sha256_of
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import Shard, seal, write_shard
from bitface.errors import InputError, IntegrityError
from bitface.evaluation.predictions import Predictions
from bitface.faces.action_units import units_to_actions
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable
from bitface.faces.quality import QUALITY_COLUMNS
from bitface.faces.synthetic.unit_intensities import READABLE_UNITS, proxy_units
from bitface.models.unit_net import UnitNet, UnitSpec, standardised
from bitface.params import read_params
from bitface.steps.judging.read_units import PROXY, TRUE, UnitSources, read_action_units, unit_table
from bitface.steps.retrain.featurise import FeatureRef
from bitface.steps.retrain.run_data import Data, Seen
from bitface.steps.versions.shown.tracked_metrics import unit_metrics
from bitface.training.loop import save_model, train_pair
from bitface.training.torchvision_cpu import load_torchvision
from bitface.training.units.resnet_encoder import find_weights, resnet_encoder
from bitface.training.units.trained_units import WEIGHTS, load_units, save_units
from bitface.training.units.unit_training import (
    UnitTable,
    best_levels,
    partner_columns,
    predict_units,
    shown_units,
    train_units,
)
from tests.builders import adult

SHIPPED = read_params(Path(__file__).parents[2] / "params.yaml")
PARAMS = SHIPPED.action_units.model_copy(
    update={"epochs": 1, "frames_per_clip": 1, "batch": 8, "code": 16, "hidden": 8, "threads": 1}
)
SHOWN = {"happiness": {12: 0.8}, "sadness": {15: 0.8, 4: 0.5}, "neutral": {}}
FRAMES = 3


def person_id(number: int) -> str:
    return f"s{number:015d}"


def clips(people: int = 4) -> ClipTable:
    """Per person a clip of each emotion, whose middle frame is the apex; a bright patch is the smile."""
    rng = np.random.default_rng(0)
    rows = [(person, label) for person in range(people) for label in SHOWN]
    n = len(rows)
    landmarks = rng.normal(0, 0.1, (n, FRAMES, 478, 3)).astype(np.float32)
    crops = rng.integers(60, 120, (n, FRAMES, 64, 64)).astype(np.uint8)
    for row, (_, label) in enumerate(rows):
        landmarks[row, 1] += {"happiness": 0.5, "sadness": -0.5, "neutral": 0.2}[label]
        crops[row, 1, 40:50, 20:44] += np.uint8({"happiness": 100, "sadness": 50, "neutral": 0}[label])
    quality = np.zeros((n, len(QUALITY_COLUMNS)), np.float32)
    good = {"faces": 1, "eye_distance_px": 60, "sharpness": 0.5, "brightness": 120, "yaw_deg": 0}
    for column, name in enumerate(QUALITY_COLUMNS):
        quality[:, column] = good[name]
    return ClipTable(
        landmarks=landmarks,
        blendshapes=rng.uniform(0, 1, (n, FRAMES, 52)).astype(np.float32),
        crops=crops,
        lengths=np.full(n, FRAMES, np.int64),
        labels=np.array([EMOTIONS.index(label) for _, label in rows], np.int64),
        persons=np.array([person_id(person) for person, _ in rows]),
        sample_ids=np.array([f"{person_id(person)}-{label}" for person, label in rows]),
        splits=np.array([("train", "train", "validation", "gate")[person % 4] for person, _ in rows]),
        quality=quality,
    )


def actions_of(label: str) -> np.ndarray:
    return np.linspace(0.5, 1, FRAMES, dtype=np.float32)[:, None] * units_to_actions(SHOWN[label])


def known_table(people: int = 4) -> UnitTable:
    table = clips(people)
    from bitface.faces.synthetic.unit_intensities import actions_to_units

    return UnitTable(
        clips=table,
        intensities=np.stack([actions_to_units(actions_of(EMOTIONS[label])) for label in table.labels]),
    )


@pytest.fixture(scope="module")
def trained():
    return train_units(known_table(), PARAMS, 7, None, lambda _: None)


def test_the_net_gives_a_picture_units_and_emotions_of_any_encoder() -> None:
    spec = UnitSpec(
        units=(4, 12), means=(0.1, 0.3), deviations=(0.2, 0.1), emotions=("anger",), encoded=16, code=8, hidden=4
    )
    net = UnitNet(torch.nn.Sequential(torch.nn.Conv2d(1, 1, 16, 16), torch.nn.Flatten()), spec)
    said = net(torch.zeros(3, 64, 64, dtype=torch.uint8))
    assert (said.rebuilt.shape, said.units.shape, said.emotion_logits.shape) == ((3, 64, 64), (3, 2), (3, 1))
    true = torch.tensor([[0.5, 0.25]])
    assert torch.allclose(net.intensities(net.targets(true)), true)
    said.emotion_logits.sum().backward()
    assert all(parameter.grad is None for parameter in net.units.parameters()), "an emotion must not bend a unit"


def test_skin_and_light_are_not_what_the_net_sees() -> None:
    crop = torch.from_numpy(np.random.default_rng(0).integers(40, 200, (1, 64, 64)).astype(np.uint8))
    darker = (crop.float() * 0.5 + 10).to(torch.uint8)
    assert (standardised(crop) - standardised(darker)).abs().max() < 0.25
    assert torch.isfinite(standardised(torch.zeros(1, 64, 64, dtype=torch.uint8))).all()


@pytest.mark.trains
def test_the_same_seed_gives_the_same_net_and_another_seed_another(trained, tmp_path: Path) -> None:
    digests = []
    for number, model in enumerate(
        [trained, *(train_units(known_table(), PARAMS, seed, None, lambda _: None) for seed in (7, 8))]
    ):
        (tmp_path / str(number)).mkdir()
        digests.append(save_units(model, tmp_path / str(number)))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.trains
def test_only_units_that_are_shown_are_learned_and_readings_are_intensities(trained) -> None:
    assert trained.network.spec.units == (4, 12, 15)
    units, logits = predict_units(trained.network, clips().crops[:, 1])
    assert units.shape == (12, 3) and logits.shape == (12, 3)
    assert units.min() >= 0 and units.max() <= 1 and np.isfinite(logits).all()


@pytest.mark.trains
def test_units_without_truth_are_left_out_of_the_loss() -> None:
    table = known_table()
    table.intensities[::2, :, READABLE_UNITS.index(12)] = np.nan
    model = train_units(table, PARAMS, 7, None, lambda _: None)
    assert all(np.isfinite(parameter.detach().numpy()).all() for parameter in model.network.parameters())


def test_nobody_who_moves_is_refused() -> None:
    table = known_table()
    with pytest.raises(InputError, match="no action unit is shown in 2% of training frames"):
        train_units(replace(table, intensities=np.zeros_like(table.intensities)), PARAMS, 7, None, lambda _: None)


@pytest.mark.trains
def test_a_net_comes_back_from_disk_as_it_was_and_an_altered_one_does_not(trained, tmp_path: Path) -> None:
    save_units(trained, tmp_path)
    crops = clips().crops[:, 1]
    assert np.array_equal(
        predict_units(load_units(tmp_path).network, crops)[0], predict_units(trained.network, crops)[0]
    )
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match=r"does not match units.json"):
        load_units(tmp_path)


def test_the_level_of_a_unit_is_where_f1_is_best() -> None:
    said = np.array([[0.05], [0.12], [0.18], [0.5]])
    shown = np.array([[False], [False], [True], [True]])
    assert 0.12 < best_levels(shown, said, np.ones_like(shown))[0] <= 0.18


def test_a_unit_that_turns_sideways_is_learned_with_its_partner_or_not_at_all() -> None:
    assert partner_columns((12, 61, 62)).tolist() == [0, 2, 1]
    table = known_table()
    table.intensities[:, :, READABLE_UNITS.index(61)] = 0.5
    assert [READABLE_UNITS[column] for column in shown_units(table, 0.2, 0.02)] == [4, 12, 15]
    table.intensities[:, :, READABLE_UNITS.index(62)] = 0.5
    assert [READABLE_UNITS[column] for column in shown_units(table, 0.2, 0.02)] == [4, 12, 15, 61, 62]


def test_weights_that_are_asked_for_and_missing_are_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert find_weights("none", tmp_path) is None
    for wanted in ("cache", "missing.pth"):
        with pytest.raises(InputError, match=r"set action_units\.weights to none to train from scratch"):
            find_weights(wanted, tmp_path)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    cached = tmp_path / "hub" / "checkpoints" / "resnet50-11ad3fa6.pth"
    cached.write_bytes(b"no weights")
    assert find_weights("cache", tmp_path) == cached


@pytest.mark.trains
def test_a_file_of_other_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.pth").write_bytes(b"no weights")
    with pytest.raises(InputError, match="does not hold torchvision resnet50 weights"):
        resnet_encoder(tmp_path / "other.pth")


@pytest.mark.trains
def test_an_encoder_starts_from_weights_of_colour_pictures(tmp_path: Path) -> None:
    """A grey picture through the encoder is a picture of three equal colours through torchvision's network."""
    load_torchvision()
    from torchvision.models import resnet50

    torch.manual_seed(1)
    theirs = resnet50(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "resnet.pth")
    ours = resnet_encoder(tmp_path / "resnet.pth").eval()
    theirs.fc = torch.nn.Identity()
    grey = torch.rand(1, 1, 64, 64)
    assert torch.allclose(ours(grey).flatten(1), theirs(grey.expand(1, 3, 64, 64)), atol=1e-4)


def sealed(table: ClipTable, folder: Path, keys: KeyStore) -> list[FeatureRef]:
    """The rows of each person as the featurise step keeps them."""
    references = []
    for person in np.unique(table.persons).tolist():
        own, packed = table.where(table.persons == person), io.BytesIO()
        np.savez(packed, **{field.name: getattr(own, field.name) for field in fields(ClipTable)})
        path = folder / f"{person}.sealed"
        path.write_bytes(seal(packed.getvalue(), keys.key_of(person), person, "features"))
        references.append(FeatureRef(person=person, path=path, sha256=sha256_of(path), reused=False))
    return references


def written(table: ClipTable, data: Path, keys: KeyStore, with_actions: bool) -> None:
    """Shards of the people, with or without the facial actions that moved them."""
    for person in np.unique(table.persons).tolist():
        actions = {}
        for row in np.flatnonzero(table.persons == person) if with_actions else ():
            packed = io.BytesIO()
            np.save(packed, actions_of(EMOTIONS[table.labels[row]]))
            actions[str(table.sample_ids[row])] = packed.getvalue()
        record = adult(
            person, age_band="18_29", skin_tone=5, ancestry="unknown", self_reported=False, evidence="synthetic"
        )
        write_shard(
            data,
            Shard(subject=record, samples={}, facial_actions=actions, consent_receipts=[]),
            keys.key_of(person),
        )


def test_units_are_the_facial_actions_where_they_are_known_and_the_proxy_elsewhere(tmp_path: Path) -> None:
    keys, table = KeyStore(tmp_path / "keys"), clips()
    written(table, tmp_path, keys, with_actions=True)
    found, is_known = unit_table(table, tmp_path, keys)
    assert is_known.all()
    smile = found.intensities[:, :, READABLE_UNITS.index(12)]
    assert smile[table.labels == EMOTIONS.index("happiness")] == pytest.approx(np.tile([0.4, 0.6, 0.8], (4, 1)))
    written(table, tmp_path, keys, with_actions=False)
    found, is_known = unit_table(table, tmp_path, keys)
    assert not is_known.any()
    assert np.array_equal(found.intensities, proxy_units(table.blendshapes), equal_nan=True)


@pytest.fixture(scope="module")
def emotion_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    params = SHIPPED.training.model_copy(update={"epochs": 1, "batch": 8, "channels": 32, "steps_per_epoch_min": 1})
    for model in train_pair(clips(), params, 7, lambda *_: None):
        save_model(model, folder / model.precision)
    return folder


def judged_by(table: ClipTable) -> Predictions:
    gate = table.of_split("gate")
    rng = np.random.default_rng(0)
    return Predictions(
        sample_ids=gate.sample_ids,
        persons=gate.persons,
        labels=np.array([EMOTIONS[label] for label in gate.labels]),
        emotions=tuple(emotion for emotion in EMOTIONS if emotion in SHOWN),
        scores=rng.uniform(0.1, 0.9, (len(gate), 3)),
        thresholds=np.full(3, 0.5),
        folds=np.zeros(len(gate), np.int64),
    )


@pytest.mark.trains
@pytest.mark.parametrize("is_rendered", [True, False])
def test_the_step_reads_computes_and_reports_and_names_a_proxy_as_one(
    tmp_path: Path, emotion_models: Path, is_rendered: bool
) -> None:
    keys, table = KeyStore(tmp_path / "keys"), clips()
    written(table, tmp_path, keys, with_actions=is_rendered)
    params = SHIPPED.model_copy(
        update={
            "action_units": PARAMS,
            "evaluation": SHIPPED.evaluation.model_copy(update={"bootstrap_resamples": 100}),
        }
    )
    run = SimpleNamespace(
        params=params,
        members=SimpleNamespace(folds={}),
        dataset=SimpleNamespace(manifest_sha256="0" * 64),
    )
    words = (
        SimpleNamespace(networks=SimpleNamespace(folder=emotion_models)),
        SimpleNamespace(predictions=dict.fromkeys(("one-bit", "float"), judged_by(table))),
        Data(
            seen=Seen(features=sealed(table, tmp_path, keys), keys=keys),
            validation=SimpleNamespace(kept=frozenset(table.sample_ids.tolist())),
            quality=params.quality,
        ),
        UnitSources(shards=tmp_path, weights=None, stages=tmp_path / "stages"),
        lambda *_: None,
    )
    found = read_action_units(run, *words)
    again = read_action_units(run, *words)
    assert (found.reused, again.reused) == (False, True)
    assert found.document() == again.document()
    assert found.against == (TRUE if is_rendered else PROXY)
    metrics = unit_metrics(found)
    root = "action_units" if is_rendered else "action_units_proxy"
    assert {f"{root}/AU12/correlation", f"{root}/AU12/f1.lo", "action_units/fusion/one-bit/auc_gain.hi"} <= set(metrics)
    assert np.isfinite(list(metrics.values())).all()
    assert "from scratch" in found.sentence()
    names = " ".join(path.name for path in found.folder.rglob("*")) + (found.folder / "units.json").read_text()
    assert not any(person in names + str(found.document()) for person in np.unique(table.persons))
