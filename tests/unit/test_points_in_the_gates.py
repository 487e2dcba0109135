"""What is not measured of points without pictures raises no alarm and passes no check: copies, doubts, drift, studies, architectures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bitface.dataset.index import read_index, write_index
from bitface.errors import InputError
from bitface.faces.features import ClipTable
from bitface.faces.measures import MEASURE_NAMES, family_of
from bitface.faces.records import kind_asked
from bitface.params import read_params
from bitface.steps.judging.face_rows import rows_of_samples
from bitface.steps.retrain.doubts import doubts_of
from bitface.steps.retrain.validate import usable_rows
from bitface.steps.retrain.without_pictures import are_points, check_kinds, check_pictured
from tests.builders import sample
from tests.unit.test_doubts import real_people

PARAMS = read_params(Path(__file__).resolve().parents[2] / "params.yaml")
ROW = sample(
    f"{'r' * 16}-points-{'a' * 12}",
    "r" * 16,
    kind="landmarks",
    frames=3,
    fps=12.5,
    split="train",
    source="points",
    licence_id="own",
)
PICTURE = replace(ROW, kind="image", sample_id="r1", frames=1, fps=0.0)


def without_pictures(table: ClipTable) -> ClipTable:
    quality = table.quality.copy()
    quality[:, 2:4] = np.nan
    return replace(
        table, blendshapes=np.full_like(table.blendshapes, np.nan), crops=np.zeros_like(table.crops), quality=quality
    )


@pytest.fixture(scope="module")
def people() -> Any:
    return real_people(60, 3)


def test_black_crops_are_no_copies_of_each_other(people: Any) -> None:
    found = doubts_of(without_pictures(people.table), people.slices, 0)
    assert not found.of_another_person and not any("one picture" in sentence for sentence in found.sentences)
    assert not any("were not held against faces" in sentence for sentence in found.sentences)


def test_drift_is_looked_for_in_what_is_measured(people: Any) -> None:
    rows = rows_of_samples(without_pictures(people.table), people.slices)
    assert not rows.isna().any().any()
    measured = {name for name in rows if name in MEASURE_NAMES}
    assert {family_of(name) for name in measured} == {"geometry", "quality"}
    assert "quality/sharpness" not in measured and "quality/eye_distance_px" in measured
    assert set(MEASURE_NAMES) <= set(rows_of_samples(people.table, people.slices))


def test_rows_of_points_are_usable_and_rows_of_pictures_without_measures_are_not(people: Any) -> None:
    table = replace(people.table, quality=np.tile(np.array([1, 60, 0.7, 120, 5], np.float32), (len(people.table), 1)))
    kept = frozenset(map(str, table.sample_ids))
    points = without_pictures(table)
    assert len(usable_rows(points, kept, PARAMS.quality)) == len(table)
    broken = replace(table, quality=points.quality)
    assert not len(usable_rows(broken, kept, PARAMS.quality))


def test_the_index_keeps_the_kind(tmp_path: Path) -> None:
    write_index(tmp_path, [ROW, PICTURE])
    assert set(read_index(tmp_path)) == {ROW, PICTURE}
    assert kind_asked([ROW.sample_id]) == "landmarks" and kind_asked([PICTURE.sample_id]) is None


def test_a_run_is_of_one_kind() -> None:
    assert are_points([ROW]) and not are_points([PICTURE]) and not are_points([])
    with pytest.raises(InputError, match="holds pictures, and points without pictures"):
        are_points([ROW, PICTURE])


def changed(section: str, **values: object) -> Any:
    return PARAMS.model_copy(update={section: getattr(PARAMS, section).model_copy(update=values)})


def test_what_reads_pixels_is_refused_with_what_to_write_instead() -> None:
    check_kinds([ROW], PARAMS)
    pixels, units = changed("training", architecture="face_net"), changed("action_units", enabled=True)
    with pytest.raises(InputError, match=r"face_net reads pixels.*training\.architecture=landmark_net"):
        check_kinds([ROW], pixels)
    with pytest.raises(InputError, match=r"--set action_units\.enabled=false"):
        check_kinds([ROW], units)
    check_kinds([PICTURE], pixels)
    check_kinds([PICTURE], units)
    with pytest.raises(InputError, match="--variants without 'faces T'"):
        check_pictured({"--variants without 'faces T'": SimpleNamespace(architecture="face_net")})  # type: ignore[dict-item]
