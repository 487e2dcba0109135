"""A number has one home: params.yaml is read whole, and a typo in it or on the command line is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitface.errors import InputError
from bitface.params import PROFILES, read_params

FILE = Path(__file__).resolve().parents[2] / "params.yaml"


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_of_the_checked_in_file_holds(profile: str) -> None:
    assert read_params(FILE, profile).seed > 0


def test_an_override_reaches_its_section_and_changes_only_that_digest() -> None:
    base, changed = read_params(FILE), read_params(FILE, "default", ["training.epochs=3"])
    assert changed.training.epochs == 3
    assert changed.training.digest() != base.training.digest()
    assert changed.quality.digest() == base.quality.digest()


@pytest.mark.parametrize("override", ["training.epoch=3", "epochs", "training.channels=33", "=3"])
def test_an_unknown_key_or_a_value_out_of_range_is_refused(override: str) -> None:
    with pytest.raises(InputError):
        read_params(FILE, "default", [override])


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="quick, default, full"):
        read_params(FILE, "fast")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no parameters"):
        read_params(tmp_path / "params.yaml")
