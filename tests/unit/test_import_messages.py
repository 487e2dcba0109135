"""Errors of an import name the file, the line or row, the field, an example and the page of the docs where it is described."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bitface.consent.policy import parse_licences
from bitface.consent.unfilled import CONSENT_EXAMPLE, LICENCE_EXAMPLE, PAGE
from bitface.dataset.incoming.import_rows import manifest_table
from bitface.dataset.keys import KeyStore
from bitface.errors import InputError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.people.brought_consents import read_consents
from bitface.steps.people.sources import FolderFiles, Here, consents_beside, read_notices
from tests.builders import read_manifest

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 6, 1, tzinfo=UTC)


def check(message: str, section: str, *words: str) -> None:
    assert f"({PAGE}, section {section})" in message, message
    assert f"## {section}" in (ROOT / PAGE).read_text()
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ("manifest.csv", "data init", "path,subject_id,label")),
        ("a,b\n1,2\n", ("manifest.csv", "path,subject_id,label", "faces/anna_1.jpg,anna,happiness")),
        ("path,subject_id\na.png,anna\n", ("manifest.csv", "'label'", "faces/anna_1.jpg,anna,happiness")),
        ("path,subject_id,label,years\na.png,a,fear,1\n", ("manifest.csv", "'years'", "'age'")),
        ("path,subject_id,label\n", ("manifest.csv", "faces/anna_1.jpg,anna,happiness")),
    ],
)
def test_of_a_manifest(tmp_path: Path, text: str | None, words: tuple[str, ...]) -> None:
    if text is not None:
        (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(InputError) as error:
        manifest_table(tmp_path / "manifest.csv")
    check(str(error.value), "Manifest", *words)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a.png,,fear", "subject_id is empty"),
        ("a.png,anna,", "label is empty"),
        (",anna,fear", "path is empty"),
        ("a.png,,", "subject_id and label are empty"),
    ],
)
def test_a_row_names_the_fields_that_it_leaves_empty(tmp_path: Path, row: str, words: str) -> None:
    (tmp_path / "manifest.csv").write_text(f"path,subject_id,label\n{row}\n")
    _, (refused,) = read_manifest(tmp_path / "manifest.csv", tmp_path)
    assert refused.place == "row 1 (line 2)" and words in refused.reason


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"valid_to": "soon"}, "valid_to"), ({"purposes": ["everything"]}, "purposes"), ({"age_band": "17"}, "age_band")],
)
def test_of_a_consent(tmp_path: Path, changes: dict[str, object], field: str) -> None:
    digests = dict.fromkeys(("notice_sha256", "evidence_sha256"), "0" * 64)
    path = tmp_path / "consents.jsonl"
    path.write_text("\n" + json.dumps({**CONSENT_EXAMPLE, **digests, **changes}))
    with Ledger(sqlite_url(tmp_path / "ledger.sqlite")) as ledger:
        found = read_consents(path, KeyStore(tmp_path), ledger, AT)
    for message in (found.faults["anna"], found.text(dry_run=True)[-1]):
        check(message, "Consents", "consents.jsonl line 2", field, json.dumps({field: CONSENT_EXAMPLE[field]})[1:-1])


def test_of_consents_that_are_not_there(tmp_path: Path) -> None:
    with Ledger(sqlite_url(tmp_path / "ledger.sqlite")) as ledger, pytest.raises(InputError) as error:
        consents_beside(
            FolderFiles(folder=tmp_path, consents=tmp_path / "consents.jsonl"),
            Here(keys=KeyStore(tmp_path), ledger=ledger, at=AT),
        )
    check(str(error.value), "Consents", "consents.jsonl", "--consents", "data init")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[{]", ("line 1", '"purposes"')),
        ('[{"id": "a", "id": "b"}]', ('"purposes"',)),
        (json.dumps([LICENCE_EXAMPLE | {"purposes": ["all"]}]), ("purposes", '"train"')),
        (json.dumps([LICENCE_EXAMPLE | {"id": "my set"}]), ("id", '"own-2026"')),
        (json.dumps([LICENCE_EXAMPLE | {"purpose": "x"}]), ("purpose", "did you mean 'purposes'")),
        (json.dumps([{"id": "a"}]), ("name", "Our own photographs")),
    ],
)
def test_of_a_licence(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as error:
        parse_licences(text, "licence.json")
    check(str(error.value), "Licence", "licence.json", *words)


def test_a_notice_that_is_still_a_draft_was_shown_to_no_one(tmp_path: Path) -> None:
    (tmp_path / "notices").mkdir()
    (tmp_path / "notices" / "one.md").write_text("We train. FILL IN: WHO")
    (tmp_path / "notices" / "two.md").write_text("We train.")
    assert [notice.notice_id for notice in read_notices(tmp_path / "notices")] == ["two"]
