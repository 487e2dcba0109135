"""docs/bring-your-own.md as a newcomer follows it: words are replaced literally, and what is wrong is said once, at once, with a remedy."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import bitface.usecases.people
from bitface.cli import main
from tests.builders import write_noise

NAMES = ("anna", "bo", "cem", "dora", "eli", "fay", "g\u00fcl", "hans", "ida", "j\u00fcrgen", "kai", "lena")
TODAY = datetime.now(UTC).date()
LATER = TODAY + timedelta(days=900)
FILLED = {
    "name": "Our photographs",
    "text": "Taken by us, with consent",
    "purposes": "train, evaluate, fairness_test, demo",
    "contexts": "research",
    "controller": "Example University, privacy@example.org",
    "recipients": "our group, and nobody else",
    "storage": "encrypted, in Germany",
    "jurisdiction": "DE",
    "withdrawal_method": "write to privacy@example.org",
    "age_band": "adult",
    **dict.fromkeys(("event_time", "valid_from", "last_interaction"), str(TODAY)),
    **dict.fromkeys(("valid_to", "delete_by"), str(LATER)),
}
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two pictures of each of twelve people, named as a camera's owner names them."""
    folder = tmp_path / "photos"
    for row, label in enumerate(("smiling", "neutral")):
        (folder / label).mkdir(parents=True)
        for seed, name in enumerate(NAMES):
            write_noise(folder / label / f"{name} 1.png", 100 * row + seed)
    return folder


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, project: Path) -> Say:
    """`say("data", "init", folder)` in this process, without --json: exit code, standard output, standard error."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bitface", *map(str, words)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return call


def replace_words(folder: Path, **other: str) -> None:
    """Every text with FILL IN is replaced, quotes and brackets stay as they are, and the notice's capitals go."""
    said = FILLED | other
    for name in ("licence.json", "consent-terms.json"):
        draft = json.loads((folder / name).read_text())
        text = (folder / name).read_text()
        for field in (field for field, value in draft.items() if "FILL IN" in str(value)):
            text = re.sub(rf'("{field}": )"FILL IN[^"]*"', rf'\1"{said[field]}"', text)
        (folder / name).write_text(text)
    notice = folder / "notices" / "notice-1.md"
    notice.write_text(re.sub(r"FILL IN: [A-Z_ ,;()]+", "as agreed", notice.read_text()))


def sign(folder: Path) -> None:
    (folder / "evidence").mkdir()
    (folder / "evidence" / "everyone.pdf").write_text("a list with every signature")


def test_init_filling_in_and_import_are_two_commands_without_an_error(bitface, photos: Path, tmp_path: Path) -> None:
    """As people run it, in a project of its own; nothing is initialised twice."""
    drafts = bitface(tmp_path / "fresh", "data", "init", str(photos))
    assert drafts.returncode == 0 and "24 pictures of 12 people;" in drafts.stdout
    assert "'j\u00fcrgen' has the id juergen" in drafts.stdout
    replace_words(photos)
    sign(photos)
    done = bitface(tmp_path / "fresh", "data", "import", str(photos))
    assert done.returncode == 0, done.stderr
    assert "12 people, 24 samples of 24 rows: 24 rows admitted, 0 unchanged, 0 quarantined" in done.stdout
    assert done.stdout.count("dates without a time are read strictly") == 1
    assert "data.dvc in" in done.stdout and done.stdout.endswith("Next: bitface retrain\n")
    assert "synthetic" not in done.stdout


def test_ages_that_are_filled_in_later_change_no_consent(run, photos: Path) -> None:
    run("data", "init", photos)
    replace_words(photos)
    sign(photos)
    assert run("data", "import", photos)[1]["admitted"] == 24
    manifest = photos / "manifest.csv"
    manifest.write_text(re.sub(r"(anna,\w+),,", r"\1,34,", manifest.read_text()))
    code, done, _ = run("data", "import", photos)
    assert (code, done["corrected"], done["quarantined"], done["consent_events"]) == (0, 2, [], 0)


@pytest.mark.parametrize("after", ["another scan", None])
def test_a_sheet_that_is_scanned_again_or_put_away_later_keeps_nobody_out(run, photos: Path, after: str | None) -> None:
    """The digest on record is that of the sheet as it was."""
    run("data", "init", photos)
    replace_words(photos)
    sign(photos)
    run("data", "import", photos)
    sheet = photos / "evidence" / "everyone.pdf"
    sheet.unlink() if after is None else sheet.write_text(after)
    code, done, _ = run("data", "import", photos)
    assert (code, done["unchanged"], done["quarantined"], done["consents"]["rejected"]) == (0, 24, [], [])


def test_terms_that_change_later_are_another_consent(run, photos: Path) -> None:
    """Nobody's recorded consent is extended by an editor."""
    run("data", "init", photos)
    replace_words(photos)
    sign(photos)
    run("data", "import", photos)
    terms = photos / "consent-terms.json"
    terms.write_text(terms.read_text().replace(str(LATER), str(LATER + timedelta(days=900))))
    code, _, error = run("data", "import", photos)
    assert code == 2 and "line 1 and 11 more lines: event_id: another event with this id is on record" in error


def test_a_new_agreement_is_recorded_with_the_same_sheet_of_terms(run, photos: Path) -> None:
    """`consent record` completes lines as an import does."""
    run("data", "init", photos)
    replace_words(photos)
    sign(photos)
    run("data", "import", photos)
    line = {"subject": "anna", "state": "reaffirmed", "event_id": "e2", "record_id": "r2", "purposes": "train"}
    (photos / "again.jsonl").write_text(json.dumps(line))
    code, done, error = run("consent", "record", photos / "again.jsonl")
    assert (code, done["new"]) == (0, 1), error


def test_everything_that_is_left_to_fill_in_is_said_once_in_one_run(run, photos: Path, project: Path) -> None:
    run("data", "init", photos)
    (photos / "manifest.csv").write_text("path;who\n")
    code, _, error = run("data", "import", photos, "--dry-run")
    assert code == 2 and not (project / "data").exists()
    for fault in (
        "licence.json: still to be filled in (the words FILL IN go too): name, text, purposes",
        "manifest.csv: unknown column",
        "consent-terms.json: purposes, contexts, controller",
        "consents.jsonl line 1 and 11 more lines: notice_sha256: the notice is still to be filled in",
        "consents.jsonl line 1 and 11 more lines: evidence_sha256: put what the person signed",
        "consents.jsonl line 1 and 11 more lines: age_band: nothing shows an adult",
    ):
        assert error.count(fault) == 1, fault


@pytest.mark.parametrize("is_licence_filled", [True, False])
def test_a_slip_in_a_row_is_said_beside_forms_that_are_open(run, photos: Path, is_licence_filled: bool) -> None:
    """Nobody corrects the forms to learn of the label afterwards."""
    run("data", "init", photos)
    draft = (photos / "consent-terms.json").read_text()
    if is_licence_filled:
        replace_words(photos)
        (photos / "consent-terms.json").write_text(draft)
    manifest = photos / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("anna,neutral", "anna,nuetral"))
    code, _, error = run("data", "import", photos)
    assert code == 2 and error.count("did you mean 'neutral'?") == 1
    assert error.count("consent-terms.json: purposes, contexts") >= 1 and ("licence.json" in error) != is_licence_filled


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("purposes", "train, evalute", "did you mean 'evaluate'?"),
        ("contexts", "reserch", "did you mean 'research'?"),
        ("age_band", "adlut", "did you mean 'adult'?"),
        ("valid_to", "31 January 2029", "not ISO 8601"),
        ("valid_to", "2029-02-30", "not ISO 8601"),
    ],
)
def test_a_slip_in_a_form_is_bad_input_and_not_a_refusal(run, photos: Path, field: str, value: str, says: str) -> None:
    """Exit 4 is for what people and policies refuse."""
    run("data", "init", photos)
    replace_words(photos, **{field: value})
    (photos / "licence.json").write_text((photos / "licence.json").read_text().replace("evalute", "evaluate"))
    sign(photos)
    code, _, error = run("data", "import", photos)
    assert code == 2 and says in error
    assert f"consent-terms.json: {field}" in error and "row 1 (line 2: " in error


def test_who_has_no_line_is_named_with_the_remedy(say: Say, photos: Path) -> None:
    say("data", "init", photos)
    replace_words(photos)
    sign(photos)
    lines = (photos / "consents.jsonl").read_text().splitlines()
    (photos / "consents.jsonl").write_text("\n".join(lines[1:]) + "\n")
    code, text, _ = say("data", "import", photos)
    assert code == 0 and text.count("no consent event for purpose") == 1
    assert re.search(
        r"row \d+ \(line \d+: anna, anna 1.png\): no usable consent: .*`bitface data init`.*; the same in 1 more row",
        text,
    )
    assert "a row reads as in" not in text and "2 rows were not taken: correct what is said above" in text


def test_a_form_named_by_a_name_that_is_no_id_is_not_guessed_to_be_that_person_s(run, photos: Path) -> None:
    run("data", "init", photos)
    replace_words(photos)
    (photos / "evidence").mkdir()
    for name in NAMES:
        (photos / "evidence" / f"{name}.pdf").write_text(name)
    code, done, _ = run("data", "import", photos)
    assert (code, done["people"]) == (0, 10)
    assert "j\u00fcrgen.pdf is named by no id; rename it to juergen.pdf" in done["consents"]["rejected"][1]["reason"]


def test_a_mistyped_label_and_a_picture_in_another_format_are_named(say: Say, photos: Path) -> None:
    say("data", "init", photos)
    replace_words(photos)
    sign(photos)
    (photos / "smiling" / "bo 1.png").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 80)
    manifest = photos / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("anna,neutral", "anna,nuetral"))
    code, text, _ = say("data", "import", photos)
    assert code == 0 and "anna, anna 1.png): unknown label 'nuetral'; did you mean 'neutral'?" in text
    assert "bo, bo 1.png): the picture is in the format HEIC; export it as JPEG" in text


def test_an_import_beside_synthetic_people_says_so(say: Say, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were rendered by a retrain that came first, and a model would learn from both."""
    monkeypatch.setattr(bitface.usecases.people, "is_synthetic", lambda person: True)
    say("data", "init", photos)
    replace_words(photos)
    sign(photos)
    code, text, _ = say("data", "import", photos)
    assert code == 0 and "also holds 12 synthetic people" in text and "BITFACE_DATA" in text


def test_a_retrain_before_any_import_says_at_once_that_it_renders(
    say: Say, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    def stop() -> Any:
        raise bitface.errors.InputError("far enough")

    monkeypatch.setattr("bitface.bootstrap.orchestrator.start_server", stop)
    code, _, error = say("retrain")
    assert code == 2 and error.splitlines()[0].startswith("no people were imported: rendering synthetic ones")
    assert "bitface data init FOLDER" in error and "far enough" in error
