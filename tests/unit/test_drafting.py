"""`data init` fills in what a folder says, marks what a person decides, overwrites nothing and passes over no file in silence."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitface.adapters.media_files import read_image
from bitface.consent.events import ConsentEvent, parse_events
from bitface.consent.policy import parse_licences
from bitface.consent.unfilled import CONSENT_EXAMPLE, LICENCE_EXAMPLE, MARK
from bitface.errors import InputError
from bitface.steps.bringing.drafting import Drafts, draft_import
from bitface.steps.bringing.first_look import Eyes
from bitface.steps.people.sources import FolderFiles, common_terms, read_notices
from tests.builders import read_manifest

ROOT = Path(__file__).resolve().parents[2]
PSEUDONYM = "r" * 16
WRITTEN_OUT = {**CONSENT_EXAMPLE, **dict.fromkeys(("notice_sha256", "evidence_sha256"), "0" * 64)}
COMMON = {
    name: value
    for name, value in CONSENT_EXAMPLE.items()
    if name not in ("subject", "state", "event_id", "record_id", "notice_sha256", "evidence_sha256")
}


def draft(folder: Path, purpose: str = "train") -> Drafts:
    return draft_import(folder, purpose, None, Eyes(read=read_image, report=lambda *_: None))


def picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two people, one of them in the file's name, and a picture of which nothing is said."""
    picture(tmp_path / "photos/anna/happy/1.png")
    picture(tmp_path / "photos/bo_sad_1.jpg", 1)
    picture(tmp_path / "photos/IMG_0001.jpg", 2)
    return tmp_path / "photos"


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def events(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "consents.jsonl").read_text().splitlines()]


def terms(folder: Path) -> dict[str, str]:
    return json.loads((folder / "consent-terms.json").read_text())


def complete(folder: Path):
    """What an import makes of a line."""
    return common_terms(FolderFiles(folder=folder)).complete


def papers(folder: Path) -> None:
    """The notice that people were shown, and a signed form of each."""
    for name, text in (("notices/notice-1.md", "We train."), ("evidence/anna.pdf", "anna"), ("evidence/bo.pdf", "bo")):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def test_what_a_folder_says_is_filled_in_and_the_rest_is_named_by_file_and_field(folder: Path) -> None:
    found = draft(folder)
    assert [tuple(row.values()) for row in rows(folder)] == [
        ("IMG_0001.jpg", "", "", "", "", ""),
        ("anna/happy/1.png", "anna", "happiness", "", "", ""),
        ("bo_sad_1.jpg", "bo", "sadness", "", "", ""),
    ]
    assert found.filled == {"subject_id": 2, "label": 2}
    assert {(one.file, one.field, one.where) for one in found.todo if one.file == "manifest.csv" and one.must} == {
        ("manifest.csv", "subject_id", "line 2"),
        ("manifest.csv", "label", "line 2"),
    }
    papers = {"licence.json", "notices/notice-1.md", "consent-terms.json", "evidence/"}
    assert {one.file for one in found.todo} == {"manifest.csv"} | papers
    assert found.next.startswith("bitface data import ") and "--dry-run" in found.text()
    assert set(found.written) == {"manifest.csv", "licence.json", "consent-terms.json", "consents.jsonl", "notices/"}
    assert "Fill in:" in found.text() and "line 2" in found.text()


def test_a_part_that_folders_name_is_a_column(tmp_path: Path) -> None:
    picture(tmp_path / "train/anna/happy/1.png")
    picture(tmp_path / "test/bo/happy/1.png", 1)
    draft(tmp_path)
    assert [(row["subject_id"], row["split"]) for row in rows(tmp_path)] == [("bo", "test"), ("anna", "train")]


def test_a_line_and_the_common_terms_have_every_field_and_none_is_imported_so(folder: Path) -> None:
    draft(folder)
    drafts, common = events(folder), terms(folder)
    assert [one["subject"] for one in drafts] == ["anna", "bo"]
    digests = {"notice_sha256", "evidence_sha256"}  # those of the papers, when they are there
    for one in drafts:
        assert one.keys() | common.keys() | digests == ConsentEvent.model_fields.keys() - {"recorded_at"}
    assert not any("anna" in str(one[name]) for one in drafts for name in ("event_id", "record_id"))
    text = (folder / "consents.jsonl").read_text()
    parsed = parse_events(text, pseudonym_of=lambda _: PSEUDONYM, complete=complete(folder))
    assert parsed.events == () and {line.line for line in parsed.rejected} == {1, 2}
    of_terms = next(line for line in parsed.rejected if line.file == "consent-terms.json")
    assert "purposes, contexts, controller" in of_terms.field and "event_time" in of_terms.field
    assert {line.field for line in parsed.rejected if line.has_remedy} == digests | {"age_band"}
    with pytest.raises(InputError, match=r"licence\.json: still to be filled in .*: name, text, purposes; for example"):
        parse_licences(f"[{(folder / 'licence.json').read_text()}]", "licence.json")
    assert read_notices(folder / "notices") == ()


@pytest.mark.parametrize("field", ["purposes", "controller", "valid_to", "age_band", "evidence_sha256"])
def test_one_field_that_is_not_filled_in_is_enough(field: str) -> None:
    filled = WRITTEN_OUT | {"recorded_at": "2026-06-01T00:00:00Z"}
    good = parse_events(json.dumps(filled), pseudonym_of=lambda _: PSEUDONYM)
    assert len(good.events) == 1 and good.rejected == ()
    left = f"{MARK} later" if isinstance(filled[field], str) else [*filled[field], f"{MARK} more"]
    bad = parse_events(json.dumps(filled | {field: left}), pseudonym_of=lambda _: PSEUDONYM)
    assert bad.events == () and (bad.rejected[0].field, bad.rejected[0].may_close) == (field, False)


def test_a_draft_that_is_turned_into_a_withdrawal_may_be_one(folder: Path) -> None:
    draft(folder)
    withdrawn = json.dumps(events(folder)[0] | {"state": "withdrawn"})
    parsed = parse_events(withdrawn, pseudonym_of=lambda _: PSEUDONYM, complete=complete(folder))
    assert parsed.rejected[0].may_close


def test_digests_are_those_of_the_papers_that_are_there(folder: Path) -> None:
    papers(folder)
    found = draft(folder)
    anna, bo = (complete(folder)(one).document for one in events(folder))
    assert anna["notice_sha256"] == hashlib.sha256(b"We train.").hexdigest()
    assert anna["evidence_sha256"] == hashlib.sha256(b"anna").hexdigest() != bo["evidence_sha256"]
    assert "notices/" not in found.written and not any(one.file in ("notices/", "evidence/") for one in found.todo)
    assert [row["path"] for row in rows(folder)] == ["IMG_0001.jpg", "anna/happy/1.png", "bo_sad_1.jpg"]


def test_one_sheet_that_everyone_signed_stands_for_who_has_no_form(folder: Path) -> None:
    papers(folder)
    (folder / "evidence/bo.pdf").rename(folder / "evidence/everyone.pdf")
    (folder / "evidence/everyone.pdf").write_text("all")
    draft(folder)
    found = [complete(folder)(one).document["evidence_sha256"] for one in events(folder)]
    assert found == [hashlib.sha256(word).hexdigest() for word in (b"anna", b"all")]


def test_a_second_run_adds_what_is_new_and_changes_nothing_else(folder: Path) -> None:
    draft(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    again = draft(folder)
    assert (again.new_pictures, again.written, again.changed) == (0, (), ())
    assert {name: (folder / name).read_bytes() for name in before} == before
    picture(folder / "cem/fear/1.png", 3)
    third = draft(folder)
    assert third.new_pictures == 1 and third.changed == (
        "manifest.csv: added 1 picture",
        "consents.jsonl: added a draft for 1 person",
    )
    for name in ("manifest.csv", "consents.jsonl"):
        assert (folder / name).read_bytes().startswith(before[name])
    assert (rows(folder)[-1]["subject_id"], events(folder)[-1]["subject"]) == ("cem", "cem")


def test_digests_of_written_out_drafts_are_refreshed_and_a_persons_word_stays_to_the_byte(folder: Path) -> None:
    """As earlier versions drafted them: every line with everything."""
    papers(folder)
    marked = {"subject": "bo", "event_id": "e2", "storage": MARK, "notice_sha256": f"{MARK} the digest"}
    lines = [json.dumps(WRITTEN_OUT), json.dumps(WRITTEN_OUT | marked)]
    (folder / "consents.jsonl").write_text("\n".join(lines) + "\n")
    found = draft(folder)
    now = (folder / "consents.jsonl").read_text().splitlines()
    assert now[0] == lines[0] and json.loads(now[1])["notice_sha256"] == hashlib.sha256(b"We train.").hexdigest()
    assert found.changed == ("consents.jsonl: refreshed the digests of 1 draft (line 2)",)
    assert found.notes == ("consents.jsonl line 1 names a notice that is not in notices/",)
    assert not (folder / "consent-terms.json").exists()


def test_a_template_that_is_completed_needs_no_second_run(folder: Path) -> None:
    draft(folder)
    template = folder / "notices" / "notice-1.md"
    (one, _), use = events(folder), "notice_sha256"
    assert "notices/notice-1.md line" in complete(folder)(one).lacking[use]
    text = template.read_text().replace(MARK, "done")
    for word in ("controller", "Art. 13", "14/15", "withdraw", "complain", "biometric"):
        assert word.lower() in text.lower()
    template.write_text(text)
    assert complete(folder)(one).document[use] == hashlib.sha256(template.read_bytes()).hexdigest()
    assert use not in complete(folder)(one).lacking


def test_of_two_notices_a_person_chooses(folder: Path) -> None:
    papers(folder)
    (folder / "notices" / "notice-2.md").write_text("We test.")
    draft(folder)
    assert MARK in terms(folder)["notice_id"] and "notice-1, notice-2" in terms(folder)["notice_id"]
    (folder / "consent-terms.json").write_text(json.dumps(terms(folder) | {"notice_id": "notice-2"}))
    found = complete(folder)(events(folder)[0]).document
    assert found["notice_sha256"] == hashlib.sha256(b"We test.").hexdigest()


def test_common_terms_are_drafted_for_new_people_alone_and_a_line_comes_first(folder: Path) -> None:
    papers(folder)
    draft(folder)
    (folder / "consent-terms.json").write_text(json.dumps(terms(folder) | {"storage": "here", "age_band": "adult"}))
    own = complete(folder)(events(folder)[0] | {"storage": "there"})
    assert own.document["storage"] == "there" and "storage" not in own.files
    assert own.document["age_band"] == "adult" and own.files["age_band"] == "consent-terms.json"


def test_who_comes_later_is_asked_for_although_terms_and_sheet_are_complete(folder: Path) -> None:
    """Nobody is admitted by a sheet that was signed before."""
    papers(folder)
    draft(folder)
    (folder / "consent-terms.json").write_text(json.dumps({**terms(folder), **COMMON}))
    (folder / "evidence/everyone.pdf").write_text("all")
    picture(folder / "cem/fear/1.png", 3)
    found = draft(folder)
    assert [(one.file, one.field) for one in found.todo if one.must][-1] == ("consents.jsonl", "state")
    text = (folder / "consents.jsonl").read_text()
    at = datetime(2026, 6, 1, tzinfo=UTC)
    parsed = parse_events(text, recorded_at=at, pseudonym_of=lambda who: who[0] * 16, complete=complete(folder))
    assert [event.subject[0] for event in parsed.events] == ["a", "b"]
    assert [(line.line, line.field) for line in parsed.rejected] == [(3, "state")]


def test_a_closing_line_is_not_dated_nor_narrowed_by_the_common_terms(folder: Path) -> None:
    papers(folder)
    draft(folder)
    (folder / "consent-terms.json").write_text(json.dumps({**terms(folder), **COMMON}))
    closed = complete(folder)(events(folder)[0] | {"state": "Withdrawn"}).document
    assert closed["purposes"] == [] and "event_time" not in closed and closed["storage"] == COMMON["storage"]


def test_an_adult_is_shown_by_an_age_in_the_manifest_and_a_child_is_one(folder: Path) -> None:
    papers(folder)
    draft(folder)
    for age, band in (("34", "adult"), ("17", "under_18"), ("old", None), ("", None)):
        text = f"path,subject_id,label,age\nanna/happy/1.png,anna,happiness,{age}\n"
        (folder / "manifest.csv").write_text(text)
        found = complete(folder)(events(folder)[0])
        assert found.document.get("age_band") == band and ("age_band" in found.lacking) == (band is None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"purposes": "train",}', "consent-terms.json line 1 is not JSON"),
        ("[]", "not one JSON object"),
        ('{"purpose": "train"}', "did you mean 'purposes'"),
        ('{"subject": "anna"}', "belongs to one person"),
        ('{"storage": "a", "storage": "b"}', "unique fields"),
    ],
)
def test_a_sheet_of_terms_that_cannot_be_used_says_why(folder: Path, text: str, says: str) -> None:
    (folder / "consent-terms.json").write_text(text)
    with pytest.raises(InputError, match=says):
        complete(folder)


def test_names_that_are_no_ids_get_one_each_and_a_form_of_another_name_is_noted(tmp_path: Path) -> None:
    for seed, name in enumerate(("j\u00fcrgen", "juergen", "ju\u0308rgen/2", "\u674e\u660e", "jos\u00e9")):
        picture(tmp_path / f"{name} 1.png" if "/" not in name else tmp_path / "happy" / "ju\u0308rgen 2.png", seed)
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence/jos\u00e9.pdf").write_text("signed")
    found = draft(tmp_path)
    ids = {row["path"]: row["subject_id"] for row in rows(tmp_path)}
    assert (ids["j\u00fcrgen 1.png"], ids["juergen 1.png"], ids["jos\u00e9 1.png"]) == ("jurgen", "juergen", "jose")
    assert ids["happy/ju\u0308rgen 2.png"] == "jurgen" and ids["\u674e\u660e 1.png"].startswith("person-")
    assert (found.people, found.nameless) == (4, 0) and "'j\u00fcrgen' has the id jurgen" in found.text()
    assert any("rename it to jose.pdf" in note for note in found.notes)
    picture(tmp_path / "j\u00fcrgen 3.png", 9)
    draft(tmp_path)
    assert rows(tmp_path)[-1]["subject_id"] == "jurgen"


def test_a_name_whose_id_is_written_for_another_picture_is_left_to_a_person(folder: Path) -> None:
    draft(folder)
    text = (folder / "manifest.csv").read_text().replace("IMG_0001.jpg,,", "IMG_0001.jpg,juergen,fear")
    (folder / "manifest.csv").write_text(text)
    picture(folder / "j\u00fcrgen/fear/1.png", 5)
    found = draft(folder)
    assert rows(folder)[-1]["subject_id"] == "" and found.nameless == 1
    assert "and of 1 it is not clear who" in found.text()


def test_every_file_that_is_no_picture_is_listed(folder: Path) -> None:
    (folder / ".hidden.png").write_bytes((folder / "IMG_0001.jpg").read_bytes())
    (folder / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 80)
    (folder / "cut.png").write_bytes((folder / "anna/happy/1.png").read_bytes()[:90])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / " space.png ").write_bytes((folder / "anna/happy/1.png").read_bytes())
    picture(folder / "=cmd|'" / "c calc'!A0.png")
    (folder / "notes.txt").write_text("notes")
    (folder / "link.jpg").symlink_to(folder / "IMG_0001.jpg")
    (folder / "outside").symlink_to(folder.parent, target_is_directory=True)
    found = draft(folder)
    said = {one.path: one.reason for one in found.skipped}
    names = {
        ".hidden.png",
        "clip.mp4",
        "cut.png",
        "empty.jpg",
        " space.png ",
        "notes.txt",
        "link.jpg",
        "outside",
        "=cmd|'/c calc'!A0.png",
    }
    assert said.keys() == names
    for name, word in (
        ("clip.mp4", "video"),
        ("link.jpg", "link"),
        ("cut.png", "not a readable image"),
        (".hidden.png", "hidden"),
    ):
        assert word in said[name]
    assert len(rows(folder)) == 3 and "9 files left out" in found.text()
    usable, rejected = read_manifest(folder / "manifest.csv", folder)
    assert (len(usable), len(rejected)) == (2, 1) and rejected[0].reason.startswith("subject_id and label are empty")


def test_a_benchmark_has_no_consents(folder: Path) -> None:
    found = draft(folder, "benchmark")
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [
        *("IMG_0001.jpg", "bo_sad_1.jpg", "licence.json", "manifest.csv"),
    ]
    assert not (folder / "notices").exists()
    licence = json.loads((folder / "licence.json").read_text())
    assert licence["purposes"] == ["benchmark"] and {one.file for one in found.todo} == {"manifest.csv", "licence.json"}


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_manifest_that_excel_saved_is_added_to_in_its_own_way(folder: Path, end: str) -> None:
    line = end or "\n"
    text = "\ufeff" + line.join(["path;label;subject_id;clip", "IMG_0001.jpg;fear;cem;"]) + end
    (folder / "manifest.csv").write_bytes(text.encode())
    draft(folder)
    data = (folder / "manifest.csv").read_bytes()
    assert data.startswith(text.encode())
    assert data.decode().split(line)[2:4] == ["anna/happy/1.png;happiness;anna;", "bo_sad_1.jpg;sadness;bo;"]
    assert [one["subject"] for one in events(folder)] == ["cem", "anna", "bo"]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (
            lambda folder: (folder / "manifest.csv").write_bytes(
                "path,subject_id,label\na.png,a,fear".encode("utf-16")
            ),
            "UTF-8",
        ),
        (lambda folder: (folder / "manifest.csv").write_text("file,who\n"), "unknown column"),
        (lambda folder: (folder / "manifest.csv").symlink_to(folder / "none"), "manifest"),
    ],
)
def test_what_cannot_be_added_to_is_refused_and_left_alone(folder: Path, make, why: str) -> None:
    make(folder)
    with pytest.raises(InputError, match=why):
        draft(folder)
    assert {path.name for path in folder.iterdir()} == {"anna", "bo_sad_1.jpg", "IMG_0001.jpg", "manifest.csv"}


@pytest.mark.parametrize("purpose", ["demo", ""])
def test_another_purpose_is_refused(folder: Path, purpose: str) -> None:
    with pytest.raises(InputError, match="--purpose"):
        draft(folder, purpose)


def test_a_folder_without_a_picture_is_refused_and_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(InputError, match=r"holds no picture that can be read \(1 other file; notes.txt"):
        draft(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        draft(tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_examples_in_messages_are_true() -> None:
    """Whoever copies one gets what an import takes, digests aside."""
    digests = dict.fromkeys(("notice_sha256", "evidence_sha256"), "0" * 64)
    at = {"recorded_at": "2026-06-01T00:00:00Z"}
    assert len(parse_events(json.dumps(CONSENT_EXAMPLE | digests | at), pseudonym_of=lambda _: PSEUDONYM).events) == 1
    assert parse_licences(json.dumps([LICENCE_EXAMPLE]))
    assert CONSENT_EXAMPLE.keys() == ConsentEvent.model_fields.keys() - {"recorded_at"}


def test_the_examples_on_the_page_are_true(folder: Path) -> None:
    """A newcomer copies them as they stand."""
    page = (ROOT / "docs" / "bring-your-own.md").read_text()
    line, common, licence = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    papers(folder)
    (folder / "consent-terms.json").write_text(json.dumps(common))
    at = datetime(2026, 6, 1, tzinfo=UTC)
    text = json.dumps(line)
    found = parse_events(text, pseudonym_of=lambda _: PSEUDONYM, recorded_at=at, complete=complete(folder))
    assert found.rejected == () and "demo" in found.events[0].purposes
    (record,) = parse_licences(json.dumps([licence])).values()
    assert set(record.purposes) == set(found.events[0].purposes) == set(CONSENT_EXAMPLE["purposes"])
    assert record.purposes == parse_licences(json.dumps([LICENCE_EXAMPLE]))[record.id].purposes
