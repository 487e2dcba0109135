"""A number has one home: params.yaml is read whole, and a typo in it or on the command line is refused by name."""

from __future__ import annotations

import re
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


@pytest.mark.parametrize(
    ("pruned", "words"),
    [
        ("[32, 64]", "2 widths for 3 stages; give one to each stage"),
        ("[64, 64, 64]", "64 channels of stage 1 in pruned; use a multiple of 32 from 32 to 32"),
        ("[32, 48, 64]", "48 channels of stage 2 in pruned; use a multiple of 32 from 32 to 64"),
        ("[32, 32, 96]", "96 channels of stage 3 in pruned; use a multiple of 32 from 32 to 64"),
        ("[0, 32, 32]", "0 channels of stage 1"),
    ],
)
def test_widths_that_a_net_cannot_be_pruned_to_are_refused_in_one_line(pruned: str, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as found:
        read_params(FILE, "default", [f"training.face_net.pruned={pruned}"])
    assert "\n" not in str(found.value)
    assert "params.yaml: training.face_net: " in str(found.value)


def test_separate_nets_are_not_pruned() -> None:
    words = ["training.architecture=face_net", "training.heads=separate", "training.face_net.pruned=[32, 32, 32]"]
    with pytest.raises(InputError, match="separate heads are not pruned"):
        read_params(FILE, "default", words)


def test_only_a_trained_face_net_is_pruned() -> None:
    pruned = "training.face_net.pruned=[32, 64, 64]"
    assert read_params(FILE, "default", [pruned]).training.pruned is None
    faces = read_params(FILE, "default", [pruned, "training.architecture=face_net"]).training
    assert faces.pruned == (32, 64, 64)
    assert faces.epochs_of("float") == faces.face_net.epochs
    assert faces.epochs_of("one-bit") == faces.face_net.one_bit_epochs + faces.face_net.pruned_epochs


def test_only_a_trained_face_net_that_its_twin_starts_trains_for_longer() -> None:
    for words, one_bit in (
        ([], "epochs"),
        (["training.architecture=face_net"], "one_bit_epochs"),
        (["training.architecture=face_net", "training.variant=R-EMO", "training.r_emo.head=lstm"], "epochs"),
    ):
        training = read_params(FILE, "default", words).training
        source = training.face_net if training.architecture == "face_net" else training
        assert (
            training.epochs_of("one-bit") == getattr(source, one_bit) and training.epochs_of("float") == source.epochs
        )
