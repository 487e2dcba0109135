"""What the runtime promises of every architecture: the integers of the training graph, in any batch, from the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitface.adapters.openvino_runtime import OneBitRuntime, export_bundle
from bitface.errors import InputError
from bitface.faces.features import ClipTable
from bitface.models.extraction import graph_outputs, selftest_of
from bitface.training.trained import TrainedModel, load_model, save_model
from tests.networks import face_net, landmark_net, pruned_net, random_faces, random_landmarks, separate, trained


@dataclass(frozen=True)
class Kind:
    """An architecture in some sizes: `make(precision)` gives its network."""

    make: Callable[..., Any]
    variant: str = "T-EMO"

    def model(self, precision: str = "one-bit") -> TrainedModel:
        return trained(self.make(precision), precision, variant=self.variant)


KINDS = {
    "landmarks, one layer": Kind(partial(landmark_net, channels=64, temporal_kernel=1, binary_layers=1)),
    "landmarks, three layers": Kind(partial(landmark_net, channels=96, temporal_kernel=5, binary_layers=3)),
    "landmarks, wide": Kind(partial(landmark_net, channels=128)),
    "landmarks, even window": Kind(partial(landmark_net, temporal_kernel=4)),
    "few landmarks": Kind(partial(landmark_net, landmarks=tuple(range(0, 478, 5)))),
    "crops, one stage": Kind(partial(face_net, stages=1)),
    "crops, three stages": Kind(partial(face_net, stages=3, blocks=2)),
    "crops, pruned": Kind(pruned_net),
    "random kernels of landmarks": Kind(random_landmarks, "R-EMO"),
    "random kernels of landmarks, clips": Kind(partial(random_landmarks, lstm_units=4), "R-EMO"),
    "random kernels of crops": Kind(random_faces, "R-EMO"),
    "random kernels of crops, clips": Kind(partial(random_faces, lstm_units=4), "R-EMO"),
    "a net per emotion, landmarks": Kind(partial(separate, landmark_net)),
    "a net per emotion, crops": Kind(partial(separate, partial(face_net, stages=1))),
}


def shown(network: Any) -> ClipTable:
    """Clips of 1 to several frames, first and last frames included, that no self-test holds."""
    return selftest_of(network, 99)


@dataclass(frozen=True)
class Shipped:
    model: TrainedModel
    runtime: OneBitRuntime
    digests: dict[str, str]

    @property
    def network(self) -> Any:
        return self.model.network


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS.keys())
def shipped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    folder, model = tmp_path_factory.mktemp("bundle"), request.param.model()
    facts = export_bundle(model, selftest_of(model.network, 1), folder)
    return Shipped(model=model, runtime=OneBitRuntime.load(folder), digests=facts.digests)


def test_the_runtime_counts_every_integer_of_the_training_graph(shipped: Shipped) -> None:
    table = shown(shipped.network)
    counts, lengths, logits = graph_outputs(shipped.network, table)
    inputs = table.column(shipped.network.reads)
    assert lengths.max() > 1 and len(np.unique(counts)) > 2 - (shipped.model.variant == "R-EMO")
    assert np.array_equal(shipped.runtime.counts(inputs, table.lengths), counts)
    found = shipped.runtime.logits(inputs, table.lengths)
    assert np.abs(found - logits).max() < 1e-4 and not np.allclose(found[:, 0], found[:, 1])


def test_scores_do_not_depend_on_the_batch(shipped: Shipped) -> None:
    table, runtime = shown(shipped.network), shipped.runtime
    inputs = table.column(shipped.network.reads)
    together = runtime.scores(inputs, table.lengths)
    alone = [runtime.scores(inputs[[row]], table.lengths[[row]])[0] for row in range(len(inputs))]
    assert np.allclose(together, alone, atol=1e-6)
    assert together.dtype == np.float64 and (together >= 0).all() and (together <= 1).all()


def test_a_still_is_scored_as_a_constant_clip(shipped: Shipped) -> None:
    still = shown(shipped.network).column(shipped.network.reads)[:, :1]
    one, five = np.ones(len(still), np.int64), np.full(len(still), 5)
    assert np.array_equal(shipped.runtime.scores(still.repeat(5, axis=1), five), shipped.runtime.scores(still, one))


def test_no_clip_at_all_gives_no_scores(shipped: Shipped) -> None:
    none = shown(shipped.network).column(shipped.network.reads)[:0]
    assert shipped.runtime.scores(none, np.zeros(0, np.int64)).shape == (0, 2)


def test_the_same_model_is_exported_to_the_same_bytes(shipped: Shipped, tmp_path: Path) -> None:
    assert export_bundle(shipped.model, selftest_of(shipped.network, 1), tmp_path).digests == shipped.digests


def test_a_saved_network_answers_the_same_after_loading(shipped: Shipped, tmp_path: Path) -> None:
    save_model(shipped.model, tmp_path)
    loaded, table = load_model(tmp_path).network, shown(shipped.network)
    assert np.array_equal(graph_outputs(loaded, table)[2], graph_outputs(shipped.network, table)[2])


def test_what_a_network_does_not_read_is_refused(shipped: Shipped) -> None:
    other = np.zeros((1, 1, 64, 64), np.uint8) if shipped.runtime.reads == "landmarks" else np.zeros((1, 1, 478, 3))
    with pytest.raises(InputError):
        shipped.runtime.scores(other, np.ones(1, np.int64))


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind != "crops, pruned"]
)  # a pruned net's twin is the whole net's
def test_a_twin_is_saved_and_never_shipped(kind: str, tmp_path: Path) -> None:
    twin = KINDS[kind].model("float")
    save_model(twin, tmp_path)
    table = shown(twin.network)
    assert np.array_equal(graph_outputs(load_model(tmp_path).network, table)[2], graph_outputs(twin.network, table)[2])
    with pytest.raises(InputError, match="one-bit"):
        export_bundle(twin, selftest_of(twin.network, 1), tmp_path / "shipped")
