"""The plan of synthetic adults: balanced, adult, and the same for the same seed."""

from collections import Counter
from pathlib import Path

import pytest

from bitface.faces.records import check_pseudonym, skin_tone_group
from bitface.faces.synthetic.synthetic_people import AGE_RANGES, ANCESTRIES, TONE_WEIGHTS, SyntheticPerson, plan_people
from bitface.params import SyntheticParams, read_params

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def params() -> SyntheticParams:
    return read_params(ROOT / "params.yaml").synthetic


@pytest.fixture(scope="module")
def people(params: SyntheticParams) -> tuple[SyntheticPerson, ...]:
    return plan_people(params, 7)


def of_role(people: tuple[SyntheticPerson, ...], role: str) -> list[SyntheticPerson]:
    return [person for person in people if person.role == role]


def test_each_role_has_the_number_of_people_asked_for(
    people: tuple[SyntheticPerson, ...], params: SyntheticParams
) -> None:
    assert len(of_role(people, "train")) == params.training_people
    assert len(of_role(people, "gate")) == params.gate_people


@pytest.mark.parametrize("role", ["train", "gate"])
def test_age_gender_and_tone_are_balanced_together(people: tuple[SyntheticPerson, ...], role: str) -> None:
    """The 24 cells of age band x gender x tone group differ by one person at most, so no slice is starved."""
    cells = Counter(
        (p.record.age_band, p.record.gender, skin_tone_group(p.record.skin_tone)) for p in of_role(people, role)
    )
    assert len(cells) == 24
    assert max(cells.values()) - min(cells.values()) <= 1


@pytest.mark.parametrize("role", ["train", "gate"])
def test_every_ancestry_has_people_in_every_role(people: tuple[SyntheticPerson, ...], role: str) -> None:
    counts = Counter(p.record.ancestry for p in of_role(people, role))
    assert set(counts) == set(ANCESTRIES)
    assert min(counts.values()) >= 0.1 * sum(counts.values())


def test_tone_does_not_give_ancestry_away(people: tuple[SyntheticPerson, ...]) -> None:
    """In every tone group at least three ancestries occur."""
    pairs = {(skin_tone_group(p.record.skin_tone), p.record.ancestry) for p in people}
    groups = Counter(group for group, _ in pairs)
    assert set(groups) == {"monk_1_4", "monk_5_7", "monk_8_10"}
    assert min(groups.values()) >= 3


def test_everybody_is_an_adult_of_the_recorded_age_band(people: tuple[SyntheticPerson, ...]) -> None:
    for person in people:
        low, high = AGE_RANGES[person.record.age_band]
        assert 18 <= low <= person.age_years < high <= 81


def test_records_are_synthetic_and_not_self_reported(people: tuple[SyntheticPerson, ...]) -> None:
    assert {(p.record.evidence, p.record.self_reported) for p in people} == {("synthetic", False)}


def test_pseudonyms_are_valid_and_nobody_shares_one(people: tuple[SyntheticPerson, ...]) -> None:
    pseudonyms = [check_pseudonym(p.record.person) for p in people]
    assert len(set(pseudonyms)) == len(pseudonyms)
    assert all(name.startswith("s") for name in pseudonyms)
    assert len({p.seed for p in people}) == len(people)


def test_the_plan_follows_from_the_seed_alone(people: tuple[SyntheticPerson, ...], params: SyntheticParams) -> None:
    assert plan_people(params, 7) == people
    assert {p.record.person for p in plan_people(params, 8)}.isdisjoint(p.record.person for p in people)


def test_phenotypes_lie_in_their_ranges(people: tuple[SyntheticPerson, ...]) -> None:
    for person in people:
        assert sum(person.ancestry_mix) == pytest.approx(1.0)
        assert all(0.0 <= value <= 1.0 for value in (person.gender_value, person.weight, person.muscle))


def test_the_face_of_an_ancestry_is_mostly_of_that_ancestry(people: tuple[SyntheticPerson, ...]) -> None:
    for person in people:
        if person.record.ancestry != "mixed":
            share = person.ancestry_mix[ANCESTRIES.index(person.record.ancestry)]
            assert share > 0.4


def test_every_tone_is_possible_for_every_ancestry() -> None:
    assert set(TONE_WEIGHTS) == set(ANCESTRIES)
    assert all(len(weights) == 10 and min(weights) > 0 for weights in TONE_WEIGHTS.values())
