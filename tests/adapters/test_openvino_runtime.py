"""Claims about the runtime: every integer of the training graph, and no bundle that is not the one exported."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from bitface.adapters.openvino_runtime import OneBitRuntime, export_bundle
from bitface.errors import InputError, IntegrityError
from bitface.models import bundle_spec
from bitface.models.calibrator import Calibrator, logit_of
from bitface.models.extraction import graph_outputs
from bitface.models.landmark.landmark_codes import CodeScale
from bitface.models.landmark.landmark_net import LandmarkNet
from bitface.models.selftest import selftest_table
from tests.networks import landmark_spec, trained, with_gammas_of_both_signs

RNG = np.random.default_rng(5)
SCALE = CodeScale(
    centre=RNG.normal(0, 1, 1434).astype(np.float32), inverse_step=RNG.uniform(300, 1500, 1434).astype(np.float32)
)


def scale_on(landmarks):
    read = slice(None) if landmarks is None else list(landmarks)
    centre, step = (values.reshape(478, 3)[read].ravel() for values in (SCALE.centre, SCALE.inverse_step))
    return CodeScale(centre=centre, inverse_step=step, landmarks=landmarks)


def model(precision="one-bit", seed=0, channels=32, kernel=3, layers=2, landmarks=None):
    """A random network whose BatchNorms have run on noise and have gammas of both signs."""
    torch.manual_seed(seed)
    spec = landmark_spec(
        precision, channels=channels, temporal_kernel=kernel, binary_layers=layers, landmarks=landmarks
    )
    scale = scale_on(landmarks)
    network = with_gammas_of_both_signs(LandmarkNet(spec, scale))
    table = selftest_table(scale, seed, samples=60)
    network.train()(torch.from_numpy(table.landmarks), torch.from_numpy(table.lengths))
    return trained(network, precision, best_epoch=1)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    return model(), folder, export_bundle(model(), selftest_table(SCALE, 1), folder)


@pytest.fixture
def bundle(exported, tmp_path):
    shutil.copytree(exported[1], tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.mark.parametrize(
    ("seed", "channels", "kernel", "layers"),
    [(1, 32, 3, 2), (2, 64, 1, 1), (3, 96, 5, 3), (4, 128, 3, 2), (5, 32, 4, 2)],
)
def test_the_runtime_counts_every_integer_of_the_training_graph(tmp_path, seed, channels, kernel, layers):
    """Random nets, clips of 1 to 7 frames, first and last frames included; logits to 1e-4."""
    trained = model(seed=seed, channels=channels, kernel=kernel, layers=layers)
    export_bundle(trained, selftest_table(SCALE, seed), tmp_path)
    runtime = OneBitRuntime.load(tmp_path)
    table = selftest_table(SCALE, seed + 100, samples=50, frames=7)
    counts, _, logits = graph_outputs(trained.network, table)
    assert np.array_equal(runtime.counts(table.landmarks, table.lengths), counts)
    assert np.abs(runtime.logits(table.landmarks, table.lengths) - logits).max() < 1e-4


def test_a_net_of_few_landmarks_ships_and_computes_those_alone(tmp_path):
    """Its stem is a fifth as large, it answers as the training graph does, and what it does not read changes nothing."""
    read = tuple(range(0, 478, 5))
    few, whole = model(landmarks=read), model()
    facts = export_bundle(few, selftest_table(few.network.scale(), 1), tmp_path / "few")
    assert facts.size_bytes < export_bundle(whole, selftest_table(SCALE, 1), tmp_path / "whole").size_bytes
    assert json.loads((tmp_path / "few" / bundle_spec.SPEC).read_text())["landmarks"] == list(read)
    runtime = OneBitRuntime.load(tmp_path / "few")
    table = selftest_table(few.network.scale(), 9, samples=20)
    _, lengths, logits = graph_outputs(few.network, table)
    assert np.abs(runtime.logits(table.landmarks, lengths) - logits).max() < 1e-4
    other = table.landmarks + RNG.normal(size=table.landmarks.shape).astype(np.float32)
    other[:, :, read] = table.landmarks[:, :, read]
    assert np.array_equal(runtime.logits(other, lengths), runtime.logits(table.landmarks, lengths))


def test_a_bundle_that_names_other_landmarks_is_refused(tmp_path):
    """As many, but others: the centre of the codes would be that of other points, which the self-test finds."""
    few = model(landmarks=(3, 50, 200))
    export_bundle(few, selftest_table(few.network.scale(), 1), tmp_path)
    spec = json.loads((tmp_path / bundle_spec.SPEC).read_text())
    for landmarks in ([3, 50, 201], [3, 50], [50, 3, 200]):
        rewrite(tmp_path, bundle_spec.SPEC, bundle_spec.canonical({**spec, "landmarks": landmarks}))
        with pytest.raises(IntegrityError):
            OneBitRuntime.load(tmp_path)


def test_scores_do_not_depend_on_the_batch(exported):
    runtime = OneBitRuntime.load(exported[1])
    table = selftest_table(SCALE, 9, samples=70)
    together = runtime.scores(table.landmarks, table.lengths)
    alone = [runtime.scores(table.landmarks[row : row + 1], table.lengths[row : row + 1])[0] for row in range(70)]
    assert np.allclose(together, alone, atol=1e-6)
    assert together.dtype == np.float64 and (together >= 0).all() and (together <= 1).all()


def test_a_still_is_scored_as_a_constant_clip(exported):
    runtime = OneBitRuntime.load(exported[1])
    still = selftest_table(SCALE, 3, samples=4, frames=1)
    constant = still.landmarks.repeat(5, axis=1)
    assert np.array_equal(
        runtime.scores(constant, np.full(4, 5)), runtime.scores(still.landmarks, np.ones(4, np.int64))
    )


def test_no_clip_at_all_gives_no_scores(exported):
    runtime = OneBitRuntime.load(exported[1])
    assert runtime.scores(np.zeros((0, 1, 478, 3), np.float32), np.zeros(0, np.int64)).shape == (0, 2)


def test_a_bundle_says_what_it_answers(exported):
    runtime = OneBitRuntime.load(exported[1], name="bitface", version="7")
    assert (runtime.name, runtime.version, runtime.digest) == ("bitface", "7", exported[2].digest)
    assert runtime.emotions == ("happiness", "neutral") and runtime.thresholds.tolist() == [0.4, 0.6]


CALIBRATOR = Calibrator(
    slopes=(0.5, 2.0),
    intercepts=(0.3, -0.2),
    set_limits=(0.4, 0.0),
    set_size_max=1,
    confidence=0.9,
    remark="calibrated on 12 people of split test",
)


def test_a_calibrated_bundle_answers_probabilities_and_decides_as_before(exported, tmp_path):
    """Thresholds move along with the scores; the calibrator is the one that was exported."""
    export_bundle(replace(model(), calibrator=CALIBRATOR), selftest_table(SCALE, 1), tmp_path)
    runtime, before = OneBitRuntime.load(tmp_path), OneBitRuntime.load(exported[1])
    table = selftest_table(SCALE, 9, samples=70)
    scores = runtime.scores(table.landmarks, table.lengths)
    assert runtime.calibrator == CALIBRATOR
    assert np.array_equal(scores, CALIBRATOR.probabilities(runtime.logits(table.landmarks, table.lengths)))
    assert np.allclose(logit_of(runtime.thresholds), np.array([0.5, 2.0]) * logit_of([0.4, 0.6]) + [0.3, -0.2])
    decided = before.scores(table.landmarks, table.lengths) >= before.thresholds
    assert np.array_equal(scores >= runtime.thresholds, decided) and 0 < decided.mean() < 1
    assert np.array_equal(runtime.sets(scores)[:, 0], scores[:, 0] >= 0.4) and runtime.sets(scores)[:, 1].all()


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec.pop("calibration"),
        lambda spec: spec["calibration"].update(slopes=[1.0], intercepts=[0.0], set_limits=[0.5]),
        lambda spec: spec["calibration"].update(slopes=[1.0, -1.0]),
        lambda spec: spec["calibration"].update(set_limits=[0.5, 1.5]),
    ],
    ids=["none", "of another number of emotions", "that turns an order", "with a limit above 1"],
)
def test_a_calibration_that_cannot_be_one_is_refused(exported, change):
    spec = json.loads((exported[1] / bundle_spec.SPEC).read_text())
    change(spec)
    with pytest.raises(IntegrityError):
        bundle_spec.parse_spec(json.dumps(spec).encode())


def test_the_same_model_is_exported_to_the_same_bytes(exported, tmp_path):
    assert export_bundle(model(), selftest_table(SCALE, 1), tmp_path).digests == exported[2].digests


def test_filters_take_one_bit_each_on_disk(exported):
    """An int8 stem, two layers of 32 * 32 * 3 bits, and little else: thresholds and shape constants."""
    size = (exported[1] / "model.bin").stat().st_size
    packed = 1434 * 32 + 2 * 32 * 32 * 3 // 8
    assert packed <= size < packed + 2 * 32 * 4 + 512


@pytest.mark.parametrize("file", [*bundle_spec.FILES, bundle_spec.DIGESTS])
@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_one_flipped_byte_anywhere_is_refused(bundle, file, place):
    content = bytearray((bundle / file).read_bytes())
    content[int(len(content) * place)] ^= 0x10
    (bundle / file).write_bytes(content)
    with pytest.raises(IntegrityError):
        OneBitRuntime.load(bundle)


@pytest.mark.parametrize("file", [*bundle_spec.FILES, bundle_spec.DIGESTS])
def test_a_missing_file_is_refused(bundle, file):
    (bundle / file).unlink()
    with pytest.raises(IntegrityError, match=file):
        OneBitRuntime.load(bundle)


def rewrite(folder, file, content):
    """Replaces a file and records its new digest, as someone would who can write the whole folder."""
    (folder / file).write_bytes(content)
    files = {name: (folder / name).read_bytes() for name in bundle_spec.FILES}
    (folder / bundle_spec.DIGESTS).write_bytes(bundle_spec.digests_of(files))


def test_a_runtime_that_counts_otherwise_fails_its_selftest(bundle):
    """The last bit of a filter flipped, and the digest recorded anew: only the self-test can see it."""
    content = bytearray((bundle / "model.bin").read_bytes())
    graph = (bundle / "model.xml").read_text(encoding="utf-8")
    first = graph.split('element_type="u1"')[1].split('offset="')[1].split('"')[0]
    content[int(first)] ^= 1
    rewrite(bundle, "model.bin", bytes(content))
    with pytest.raises(IntegrityError, match="different counts"):
        OneBitRuntime.load(bundle)


def test_heads_that_answer_otherwise_fail_the_selftest(bundle):
    content = bytearray((bundle / "heads.safetensors").read_bytes())
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    start = 8 + int.from_bytes(content[:8], "little") + header["head_bias"]["data_offsets"][0]
    content[start : start + 4] = np.float32(9).tobytes()
    rewrite(bundle, "heads.safetensors", bytes(content))
    with pytest.raises(IntegrityError, match="logits are off"):
        OneBitRuntime.load(bundle)


def test_arrays_that_the_spec_does_not_name_are_refused(bundle):
    spec = json.loads((bundle / "spec.json").read_bytes())
    spec["arrays"]["heads.safetensors"]["bias"] = ["float32", [1]]
    rewrite(bundle, "spec.json", bundle_spec.canonical(spec))
    with pytest.raises(IntegrityError, match="not those"):
        OneBitRuntime.load(bundle)


def test_a_graph_that_cannot_be_read_is_refused(bundle):
    rewrite(bundle, "model.xml", b"<net/>")
    with pytest.raises(IntegrityError):
        OneBitRuntime.load(bundle)


def test_a_link_instead_of_a_file_is_refused(bundle, exported):
    (bundle / "model.bin").unlink()
    (bundle / "model.bin").symlink_to(exported[1] / "model.bin")
    with pytest.raises(IntegrityError, match="is missing file"):
        OneBitRuntime.load(bundle)


def test_the_twin_and_somebodys_landmarks_are_not_exported(tmp_path):
    with pytest.raises(InputError, match="one-bit"):
        export_bundle(model("float"), selftest_table(SCALE, 1), tmp_path)
    table = selftest_table(SCALE, 1)
    someone = type(table)(**{**vars(table), "persons": np.full(len(table), "a" * 16)})
    with pytest.raises(InputError, match="must not contain a real face"):
        export_bundle(model(), someone, tmp_path)


@pytest.mark.parametrize("shape", [(1, 478, 3), (1, 0, 478, 3), (1, 1, 468, 3)])
def test_other_shapes_are_refused(exported, shape):
    with pytest.raises(InputError, match="landmarks of shape"):
        OneBitRuntime.load(exported[1]).scores(np.zeros(shape, np.float32), np.ones(1, np.int64))
