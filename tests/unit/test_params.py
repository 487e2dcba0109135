"""A number has one home: params.yaml is read whole, and a typo in it or on the command line is refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from bitface import hand_written_yaml
from bitface.errors import InputError
from bitface.hand_written_yaml import read_yaml
from bitface.params import PROFILES, Params, read_params
from bitface.params.params_file import _merged, _override, _read_document
from bitface.params.section import Section

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
    with pytest.raises(InputError, match="parameter file"):
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
    with pytest.raises(InputError, match="networks with separate heads cannot be pruned"):
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


def _changed(tmp_path: Path, old: str, new: str) -> Path:
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"seed: [1\n", "params.yaml, line 2, column 1: "),
        (b"seed: 1\n\tepochs: 2\n", "params.yaml, line 2, column 1: "),
        (b"seed: 1\nseed: 2\n", "params.yaml, line 2, column 1: 'seed' is given twice"),
        (b"a: {b: 1, b: 2}\n", "params.yaml, line 1, column 11: 'b' is given twice"),
        (b"seed: *nowhere\n", "params.yaml, line 1, column 7: "),
        (b"seed: !!python/object:os.system {}\n", "params.yaml, line 1, column 7: "),
        (b"? [1, 2]\n: 3\n", "params.yaml, line 1, column 3: "),
        ("seed: 1\nnote: größe\n".encode("latin-1"), "params.yaml, line 2, column 9: byte 0xf6 is not UTF-8"),
        ("seed: 1\n".encode("utf-16"), "params.yaml, line 1, column 1: byte 0xff is not UTF-8"),
        (b"seed: 1\nnote: a\x00b\n", "params.yaml, line 2: a character that YAML does not allow"),
        (b"when: 2024-13-45\n", "params.yaml: month must be in 1..12"),
        (
            b"seed: 1\nat: 12:30\n",
            "params.yaml, line 2, column 5: YAML reads 12:30 as the number 750; write a number without",
        ),
        (b"at: [1, -0:30.5]\n", "params.yaml, line 1, column 9: YAML reads -0:30.5 as the number -30.5; "),
        (b"seed: 010\n", "params.yaml, line 1, column 7: YAML reads 010 as the number 8; "),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as found:
        read_params(path)
    assert str(found.value).startswith(words) and "\n" not in str(found.value)


@pytest.mark.parametrize(
    "content",
    ["", "# only a comment\n", "train: {lr: 0.1}\n", "- a\n- list\n", "42\n", "profiles: {default: {}}\n", "seed: 1\n"],
)
def test_another_programs_params_yaml_is_told_from_ours(content: str, tmp_path: Path) -> None:
    """Every DVC project has a file of that name."""
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=r"this params\.yaml is not bitface's"):
        read_params(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed: 20240714", "sead: 20240714", "params.yaml: seed: this parameter is missing"),
        ("seed: 20240714", "seed: -1", "params.yaml: seed: Input should be greater than or equal to 0"),
        ("  default: {}", "  default:", None),
        ("  default: {}", "  default: 3", "params.yaml: profiles: give each of quick, default, full its overrides"),
        ("  speech_share:", "  speach_share:", "params.yaml: synthetic.speech_share: this parameter is missing"),
        ("transfer: ", "transfers: {}\ntransfer: ", "params.yaml: transfers: unknown parameter"),
    ],
)
def test_a_slip_of_the_hand_in_our_own_file_is_named(old: str, new: str, words: str | None, tmp_path: Path) -> None:
    path = _changed(tmp_path, old, new)
    if words is None:
        assert read_params(path) == read_params(FILE)
        return
    with pytest.raises(InputError, match=re.escape(words)):
        read_params(path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  learning_rate: 0.005 ", "  learning_rate: 0,005 ", "0,005"),
        ("training: {epochs: 60}", "training: {epochs: 6e1}", "6e1"),
        ("  retrain: 0 3 * * 1", "  retrain: 2026-01-31", "2026-01-31"),
        ('age_band: ["18_29",', "age_band: [18_29,", "1829"),
    ],
)
def test_a_value_that_is_refused_is_told_with_its_line_also_in_a_profile(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    path = _changed(tmp_path, old, new)
    line = next(at for at, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1) if new in text)
    with pytest.raises(InputError, match=f"line {line} says {says}$"):
        read_params(path, "full")


def test_what_is_quoted_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("at: '12:30'\nof: \"010\"\nn: 0\nhex: 0x1F\n")
    assert read_yaml(tmp_path / "params.yaml") == {"at": "12:30", "of": "010", "n": 0, "hex": 31}


def test_a_byte_order_mark_is_no_fault_and_a_folder_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + FILE.read_bytes())
    assert read_params(path) == read_params(FILE)
    with pytest.raises(InputError, match="is not a file"):
        read_params(tmp_path)


@pytest.mark.parametrize("override", ["training.epochs=[1", "training=3", "training.epochs={a: 1, a: 2}", "profiles=3"])
def test_an_override_that_says_nothing_usable_is_refused_in_one_line(override: str) -> None:
    with pytest.raises(InputError) as found:
        read_params(FILE, "default", [override])
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("deep", ["[" * 999, "- " * 999])
def test_a_file_that_is_nested_deeper_than_python_recurses_is_one_line(deep: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(deep)
    with pytest.raises(InputError, match=r"recursion|expected|not bitface"):
        read_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("mark", ["[", "{", "- ", "? ", "a: [", "[{a: "])
def test_a_file_that_is_nested_without_end_is_one_line(mark: str, tmp_path: Path) -> None:
    """A parser that recurses in C would end the process; and the first levels say enough."""
    (tmp_path / "params.yaml").write_text(mark * 100_000)
    with pytest.raises(InputError, match="more than 200 levels are nested; close the brackets"):
        read_params(tmp_path / "params.yaml")


def test_a_long_file_that_is_flat_is_read_by_the_fast_loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which takes a tenth of the time; length alone is no reason for the other one."""
    (tmp_path / "table.yaml").write_text("".join(f"k{number}: [{number}, {{a: 1}}]\n" for number in range(3000)))
    monkeypatch.setattr(hand_written_yaml, "_Loader", None)
    assert len(read_yaml(tmp_path / "table.yaml")) == 3000


def test_a_key_that_is_given_twice_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("a: 1\nb: 2\na: 3\n")
    with pytest.raises(InputError, match="line 3, column 1: 'a' is given twice"):
        read_params(tmp_path / "params.yaml")


def _numbers_of(section: Section, place: str = "") -> Iterator[tuple[str, float]]:
    for name, value in section:
        if isinstance(value, Section):
            yield from _numbers_of(value, f"{place}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{place}{name}", value


@pytest.mark.parametrize("word", ["nan", ".inf", "-1e400", "1e400", "yes", "true", "off"])
def test_no_number_is_endless_no_number_or_a_word(word: str) -> None:
    """A limit that is not a number is never crossed, and `on` would count as 1."""
    names = [name for name, _ in _numbers_of(read_params(FILE))]
    assert len(names) > 150
    document = _read_document(FILE)
    document.pop("profiles")
    for name in names:
        with pytest.raises(ValidationError):
            Params.model_validate(_merged(document, _override(f"{name}={word}")))


def test_a_link_that_leads_nowhere_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.symlink_to(tmp_path / "gone.yaml")
    with pytest.raises(InputError, match="is a link that leads to no file"):
        read_params(path)
