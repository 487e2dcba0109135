"""What single steps promise: datasets found and never re-pinned, members admitted, stages reused, splits made."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import LONDON_LICENCE, SYNTHETIC_LICENCE, packaged_notice, synthetic_consents
from bitface.consent.policy import LicenceRecord
from bitface.dataset.manifest import write_manifest
from bitface.errors import IntegrityError, RefusedError
from bitface.faces.features import ClipTable
from bitface.faces.records import Sample
from bitface.params import SplitParams
from bitface.steps.judging.explain_models import spread_over_labels
from bitface.steps.people.admit import admit_members, choose_members
from bitface.steps.retrain.reuse import key_of, unless_made
from bitface.steps.retrain.train import centred, with_folds
from bitface.steps.retrain.version import find_dataset
from tests.builders import sample

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SPLITS = SplitParams(train=0.7, validation=0.15, test=0.15, cross_fit_below_people=50, folds=5)
NOTICE = packaged_notice("synthetic-1")


def samples(people: int, licence: str = "synthetic", split: str = "") -> tuple[Sample, ...]:
    return tuple(
        sample(
            f"s{p:015d}-{i}",
            f"s{p:015d}",
            label=label,
            split=split,
            licence_id=licence,
            sha256=f"{p:032d}{i:032d}",
        )
        for p in range(people)
        for i, label in enumerate(("happiness", "neutral"))
    )


def admit(
    rows: tuple[Sample, ...], events: tuple[ConsentEvent, ...], licence: LicenceRecord = SYNTHETIC_LICENCE, **kind: str
):
    purpose, context = kind.get("purpose", "train"), kind.get("context", "research")
    return admit_members(rows, events, {licence.id: licence}, {NOTICE.sha256: NOTICE.notice_id}, purpose, context, NOW)


class Store:
    """A dataset store in memory, by the digest of one file."""

    def __init__(self, data: Path, pinned: str | None, remote: bool) -> None:
        self.data, self._pinned, self.remote, self.kept = data, pinned, remote, False

    def pinned(self) -> str | None:
        return self._pinned

    def version(self) -> str:
        return (self.data / "index.csv").read_text()

    def pin(self) -> str:
        raise AssertionError("a retrain never pins")

    def keep(self) -> str:
        self.kept = True
        return self.version()

    def restorable(self) -> bool:
        return self.kept or self.remote

    def pull(self) -> bool:
        if self.remote:
            write(self.data, str(self._pinned))
        return self.remote


def write(data: Path, version: str) -> None:
    data.mkdir(exist_ok=True)
    (data / "index.csv").write_text(version)
    write_manifest(data)


@pytest.mark.parametrize(
    ("present", "pinned", "remote", "origin", "warned"),
    [
        (None, "v1", True, "pulled", False),
        (None, "v1", False, "synthesised", True),
        (None, None, False, "synthesised", False),
        ("v1", "v1", False, "present", False),
        ("v2", "v1", True, "present", True),
    ],
)
def test_a_dataset_is_present_pulled_or_rendered_and_the_run_says_which(
    tmp_path: Path, present: str | None, pinned: str | None, remote: bool, origin: str, warned: bool
) -> None:
    data = tmp_path / "data"
    if present:
        write(data, present)
    store = Store(data, pinned, remote)
    found = find_dataset(data, store, lambda: write(data, "rendered"), "default", tmp_path / "marker")
    assert (found.origin, found.warning is not None) == (origin, warned)
    assert store.kept == (origin != "pulled" and (found.version != pinned or not remote))
    assert store.restorable()


def test_a_quick_dataset_is_rendered_again_for_the_default_profile(tmp_path: Path) -> None:
    data, marker = tmp_path / "data", tmp_path / "marker"
    store = Store(data, None, False)
    assert find_dataset(data, store, lambda: write(data, "small"), "quick", marker).version == "small"
    assert find_dataset(data, store, lambda: write(data, "large"), "quick", marker).version == "small"
    assert find_dataset(data, store, lambda: write(data, "large"), "default", marker).version == "large"
    assert find_dataset(data, store, lambda: write(data, "small"), "quick", marker).version == "large"


def test_what_a_killed_retrain_had_rendered_is_known_by_its_profile(tmp_path: Path) -> None:
    """Killed before it could write down what for: the default profile is not content with a quick dataset."""
    data, marker = tmp_path / "data", tmp_path / "marker"
    store = Store(data, None, False)

    def dies() -> None:
        write(data, "small")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_dataset(data, store, dies, "quick", marker)
    assert find_dataset(data, store, lambda: write(data, "large"), "quick", marker).origin == "present"
    assert find_dataset(data, store, lambda: write(data, "large"), "default", marker).version == "large"


def test_a_half_pulled_dataset_is_pulled_again(tmp_path: Path, monkeypatch) -> None:
    data, marker = tmp_path / "data", tmp_path / "marker"
    store = Store(data, "v1", True)
    pull = store.pull

    def dies() -> bool:
        pull()
        (data / "index.csv").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "pull", dies)
    with pytest.raises(KeyboardInterrupt):
        find_dataset(data, store, lambda: None, "default", marker)
    monkeypatch.undo()
    assert find_dataset(data, store, lambda: None, "default", marker).origin == "pulled"
    (data / "index.csv").write_text("altered by hand")
    with pytest.raises(IntegrityError, match="altered"):
        find_dataset(data, store, lambda: None, "default", marker)


def test_altered_data_stops_a_run_before_anything_learns_from_it(tmp_path: Path) -> None:
    write(tmp_path / "data", "v1")
    (tmp_path / "data" / "index.csv").write_text("v2")
    store = Store(tmp_path / "data", "v1", False)
    with pytest.raises(IntegrityError, match="altered"):
        find_dataset(tmp_path / "data", store, lambda: None, "default", tmp_path / "marker")


def test_admitted_and_refused_add_up_and_an_end_of_consent_is_a_reason() -> None:
    rows = samples(4)
    events = list(synthetic_consents([f"s{p:015d}" for p in range(3)]))
    events[0] = events[0].model_copy(update={"valid_to": NOW - timedelta(days=1)})
    admitted, refused = admit(rows, tuple(events))
    assert len(admitted) + len(refused) == len(rows)
    assert {row.reason for row in refused} == {"consent has expired", "no consent event for purpose train"}


def test_a_licence_limits_what_consent_allows() -> None:
    rows = samples(1, LONDON_LICENCE.id)
    admitted, refused = admit(rows, synthetic_consents([rows[0].person]), LONDON_LICENCE, context="consumer")
    assert not admitted
    assert "licence" in refused[0].reason


def test_nobody_admitted_is_a_refusal_that_names_the_reason() -> None:
    rows = samples(2)
    admitted, refused = admit(rows, ())
    with pytest.raises(RefusedError, match="no consent event"):
        choose_members(rows, admitted, refused, SPLITS, 1)


def test_a_small_set_is_cross_fitted_and_a_large_one_held_out() -> None:
    for people, folds in ((20, 5), (60, 0)):
        rows = samples(people)
        admitted, refused = admit(rows, synthetic_consents({row.person for row in rows}))
        members = choose_members(rows, admitted, refused, SPLITS, 1)
        assert len(set(members.folds.values())) == folds
        assert {row.split for row in members.samples} == ({"train"} if folds else {"train", "validation", "gate"})


def test_gate_people_of_the_source_stay_gate_people() -> None:
    gate = tuple(replace(row, split="gate") for row in samples(60)[:20])
    rows = gate + samples(60)[20:]
    admitted, refused = admit(rows, synthetic_consents({row.person for row in rows}))
    members = choose_members(rows, admitted, refused, SPLITS, 1)
    assert {row.person for row in members.samples if row.split == "gate"} == {row.person for row in gate}
    assert "test" in {row.split for row in members.samples}


def test_a_stage_is_made_once_and_a_failed_one_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with unless_made(tmp_path / "stage") as folder:
            (folder / "half").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not (tmp_path / "stage").exists()
    with unless_made(tmp_path / "stage") as folder:
        assert folder is not None and not list(folder.iterdir())
    assert (tmp_path / "stage").is_dir()
    with unless_made(tmp_path / "stage") as folder:
        assert folder is None


def test_a_key_follows_every_part_and_not_their_identity() -> None:
    assert key_of("a", [1, 2]) == key_of("a", (1, 2))
    assert key_of("a", [1, 2]) != key_of("a", [2, 1])


def table(people: int, each: int, labels: int = 2) -> ClipTable:
    n = people * each
    return ClipTable(
        landmarks=np.zeros((n, 1, 478, 3), np.float32),
        blendshapes=np.random.default_rng(0).random((n, 1, 52)).astype(np.float32),
        crops=np.zeros((n, 1, 64, 64), np.uint8),
        lengths=np.ones(n, np.int64),
        labels=np.arange(n) % labels,
        persons=np.repeat([f"s{p:015d}" for p in range(people)], each),
        sample_ids=np.array([f"{i:04d}" for i in range(n)]),
        splits=np.full(n, "train", dtype="<U12"),
        quality=np.ones((n, 5), np.float32),
    )


def test_each_person_is_judged_once_and_never_by_a_model_that_saw_them() -> None:
    rows = table(10, 2)
    folds = {str(person): index % 5 for index, person in enumerate(np.unique(rows.persons))}
    judged = []
    for fold in range(5):
        part = with_folds(rows, folds, judged=fold, validation=(fold + 1) % 5)
        gate, rest = set(part.of_split("gate").persons), set(part.of_split("train", "validation").persons)
        assert not gate & rest
        judged += sorted(gate)
    assert sorted(judged) == sorted(folds)


def test_centring_keeps_every_decision_and_puts_each_threshold_at_one_half() -> None:
    rng = np.random.default_rng(3)
    scores, limits = rng.random((200, 3)), np.array([0.2, 0.5, 0.9])
    assert ((centred(scores, limits) >= 0.5) == (scores >= limits)).all()
    assert centred(limits[None], limits) == pytest.approx(0.5)


def test_explained_samples_are_spread_over_labels() -> None:
    labels = spread_over_labels(table(20, 4, labels=4), 12).labels
    assert np.bincount(labels).tolist() == [3, 3, 3, 3]
