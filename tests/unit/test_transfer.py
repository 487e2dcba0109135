"""A model of synthetic people meets real ones: in memory, by consent, and reported as figures only."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bitface.consent.known_sources import LONDON_LICENCE, london_consents, packaged_notice
from bitface.dataset.import_rows import ImportRow
from bitface.errors import InputError, RefusedError
from bitface.faces.seen import SeenFaces
from bitface.params import read_params
from bitface.steps.intake_decision import Intake
from bitface.steps.sources import Source
from bitface.steps.transfer import judge_on_real_people, london_folder

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


def judge(run=RUN, source=source()):  # noqa: B008 - frozen
    return judge_on_real_people(run, BUNDLE, source, Looking, read, load, NOW, lambda *_: None)


def test_every_face_is_judged_once_and_pictures_without_one_are_counted() -> None:
    found = judge()
    assert (found.people, found.samples, found.skipped) == (5, 10, 2)
    assert {name: own.auc.value for name, own in found.scores.emotions.items()} == {"happiness": 1.0, "neutral": 1.0}
    assert found.scores.unjudged == ("anger",)
    assert "happiness AUC 1.000" in found.sentence()


def test_what_is_reported_names_nobody() -> None:
    assert "owner" not in str(judge().document()) and "jpg" not in str(judge().document())


def test_people_whose_consent_does_not_hold_are_not_looked_at() -> None:
    with pytest.raises(RefusedError, match="6 of 6 people of 'london' may not be judged"):
        judge(source=source(age_band="under_18"))


def test_a_model_of_real_people_is_not_judged_on_people_who_may_be_the_same() -> None:
    with pytest.raises(InputError, match="may be those of 'london'"):
        judge(run=SimpleNamespace(**{**RUN.__dict__, "evidence": "real"}))


def test_a_configured_folder_that_is_not_there_is_an_error_and_none_asks_nobody(tmp_path: Path) -> None:
    assert london_folder(tmp_path, None) is None
    (tmp_path / "set").mkdir()
    assert london_folder(tmp_path, "set") == tmp_path / "set"
    with pytest.raises(InputError, match=r"transfer\.london names 'gone'"):
        london_folder(tmp_path, "elsewhere/gone")
