"""Claims about bundles: what they say and hold, and that none is loaded but the one exported."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from bitface.adapters.openvino_runtime import OneBitRuntime, export_bundle
from bitface.adapters.openvino_runtime.networks import NETWORKS
from bitface.errors import InputError, IntegrityError
from bitface.models import bundle_spec
from bitface.models.calibrator import Calibrator, logit_of
from bitface.models.extraction import graph_outputs, selftest_of
from bitface.models.selftest import selftest_table
from tests.networks import landmark_net, scale_on, separate, trained

RNG = np.random.default_rng(5)
SCALE = scale_on()


def model(precision="one-bit", **sizes):
    return trained(landmark_net(precision, **sizes), precision)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    return model(), folder, export_bundle(model(), selftest_table(SCALE, 1), folder)


@pytest.fixture
def bundle(exported, tmp_path):
    shutil.copytree(exported[1], tmp_path / "bundle")
    return tmp_path / "bundle"


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


def test_a_bundle_of_one_network_per_emotion_that_lacks_a_head_is_refused(tmp_path):
    joined = separate(landmark_net)
    export_bundle(trained(joined), selftest_of(joined, 1), tmp_path)
    spec = bundle_spec.parse_spec((tmp_path / bundle_spec.SPEC).read_bytes())
    files = {name: (tmp_path / name).read_bytes() for name in bundle_spec.FILES}
    arrays = bundle_spec.parse_arrays(bundle_spec.HEADS, files[bundle_spec.HEADS], spec)
    del arrays["1.heads"]
    with pytest.raises((TypeError, KeyError, IntegrityError)):
        NETWORKS[spec.network].load(files, spec, arrays, 1)
