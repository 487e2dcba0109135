"""Claims about bundles of random convolutions alone: no graph and no kernel is in them."""

import json

import pytest

from bitface.adapters.openvino_runtime import OneBitRuntime, export_bundle
from bitface.errors import IntegrityError
from bitface.models import bundle_spec
from bitface.models.extraction import selftest_of
from tests.networks import SEED, random_faces, random_landmarks, trained

NETWORKS = {"landmarks": random_landmarks, "crops": random_faces}


def model(net):
    return trained(net, net.spec.precision, variant="R-EMO")


@pytest.mark.parametrize("kind", ["landmarks", "crops"])
def test_a_bundle_ships_the_seed_and_no_kernel(tmp_path, kind):
    net = NETWORKS[kind]()
    export_bundle(model(net), selftest_of(net, 1), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*bundle_spec.FILES_OF_A_SEED, bundle_spec.DIGESTS}
    spec = json.loads((tmp_path / bundle_spec.SPEC).read_bytes())
    assert spec["sizes"]["seed"] == SEED
    assert not any("kernel" in name for name in spec["arrays"][bundle_spec.HEADS])


def test_a_graph_of_an_older_bundle_does_not_stay(tmp_path):
    (tmp_path / bundle_spec.GRAPH).write_text("<net/>")
    (tmp_path / bundle_spec.WEIGHTS).write_bytes(b"1")
    net = random_landmarks()
    export_bundle(model(net), selftest_of(net, 1), tmp_path)
    assert not (tmp_path / bundle_spec.GRAPH).exists()


def test_another_seed_fails_the_self_test(tmp_path):
    net = random_landmarks()
    export_bundle(model(net), selftest_of(net, 1), tmp_path)
    spec = json.loads((tmp_path / bundle_spec.SPEC).read_bytes())
    spec["sizes"]["seed"] += 1
    (tmp_path / bundle_spec.SPEC).write_bytes(bundle_spec.canonical(spec))
    files = {name: (tmp_path / name).read_bytes() for name in bundle_spec.FILES_OF_A_SEED}
    (tmp_path / bundle_spec.DIGESTS).write_bytes(bundle_spec.digests_of(files))
    with pytest.raises(IntegrityError, match="gives different counts"):
        OneBitRuntime.load(tmp_path)


@pytest.mark.parametrize("kind", ["landmarks", "crops"])
def test_kernels_that_do_not_fit_the_head_are_refused(tmp_path, kind):
    net = NETWORKS[kind]()
    export_bundle(model(net), selftest_of(net, 1), tmp_path)
    spec = json.loads((tmp_path / bundle_spec.SPEC).read_bytes())
    spec["sizes"]["kernels"] *= 2
    (tmp_path / bundle_spec.SPEC).write_bytes(bundle_spec.canonical(spec))
    files = {name: (tmp_path / name).read_bytes() for name in bundle_spec.FILES_OF_A_SEED}
    (tmp_path / bundle_spec.DIGESTS).write_bytes(bundle_spec.digests_of(files))
    with pytest.raises(IntegrityError, match="not the head of a random_"):
        OneBitRuntime.load(tmp_path)
