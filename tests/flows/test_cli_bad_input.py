"""Bad input is one clear line and the right exit code, and leaves nothing behind."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitface.cli import main
from bitface.consent.events import SCHEMA_VERSION
from bitface.consent.known_sources import Notice

NOTICE = Notice(notice_id="n1", language="en", text="We train a model on your picture, for research.")


def in_process(
    *words: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    """Runs the command line in this process; returns exit code, standard output, last line of standard error."""
    monkeypatch.setattr(sys, "argv", ["bitface", *map(str, words)])
    capsys.readouterr()
    try:
        main()
        code = 0
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    streams = capsys.readouterr()
    return code, streams.out, (streams.err.strip().splitlines() or [""])[-1]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, project: Path):
    return lambda *words: in_process(*words, capsys=capsys, monkeypatch=monkeypatch)


def consent(subject: str, **changes: object) -> dict[str, object]:
    now = datetime.now(UTC)
    moment = (now - timedelta(days=10)).isoformat()
    return {
        "event_id": f"e-{subject}",
        "record_id": f"r-{subject}",
        "schema_version": SCHEMA_VERSION,
        "subject": subject,
        "state": "given",
        "given_by": "explicit",
        "lawful_basis": "6(1)(a)",
        "special_category_condition": "9(2)(a)",
        "purposes": ["train", "evaluate"],
        "contexts": ["research"],
        "data_kinds": ["image", "landmarks", "embedding"],
        "controller": "us",
        "recipients": ["nobody"],
        "storage": "here",
        "jurisdiction": "EU",
        "notice_id": NOTICE.notice_id,
        "notice_sha256": NOTICE.sha256,
        "notice_language": "en",
        "withdrawal_method": "write to us",
        "evidence_sha256": "0" * 64,
        "age_band": "30_44",
        "event_time": moment,
        "valid_from": moment,
        "valid_to": (now + timedelta(days=100)).isoformat(),
        "delete_by": (now + timedelta(days=100)).isoformat(),
        "last_interaction": moment,
        "recorded_at": moment,
    } | changes


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two people with a picture each, a licence, a notice and consents."""
    folder = tmp_path / "source"
    (folder / "notices").mkdir(parents=True)
    (folder / "notices" / "n1.md").write_text(NOTICE.text)
    rng = np.random.default_rng(1)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(folder / name)
    (folder / "manifest.csv").write_text("path,subject_id,label\na.png,p1,fear\nb.png,p2,neutral\n")
    licence = {"id": "own", "name": "our own pictures", "text": "for training", "purposes": ["train", "evaluate"]}
    (folder / "licence.json").write_text(json.dumps(licence))
    write_consents(folder, consent("p1"), consent("p2"))
    return folder


def write_consents(folder: Path, *events: dict[str, object]) -> None:
    (folder / "consents.jsonl").write_text("\n".join(map(json.dumps, events)))


def import_json(run, source: Path) -> dict:
    code, out, error = run("data", "import", source, "--format", "folder", "--json")
    assert code == 0, error
    return json.loads(out)


def nothing_written(project: Path) -> bool:
    return not (project / "data").exists() and not (project / "data.dvc").exists()


@pytest.mark.parametrize("against", ["int4", "fp32,nope", ","])
def test_an_unknown_rival_of_the_bench_is_named_and_exits_2(run, against: str, project: Path) -> None:
    code, out, error = run("bench", "--against", against)
    assert (code, out) == (2, "")
    assert "--against takes torch, " in error
    assert nothing_written(project)


def test_without_its_packages_the_bench_says_what_installs_them(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line before anything is measured, and not a traceback after minutes."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    code, out, error = run("bench")
    assert (code, out) == (2, "")
    assert "ONNX Runtime is not installed; run `make bench`" in error


def test_a_good_folder_goes_in_and_counts_add_up(run, source: Path, project: Path) -> None:
    done = import_json(run, source)
    assert (done["people"], done["samples"], done["admitted"], done["quarantined"]) == (2, 2, 2, [])
    assert (project / "data" / "manifest.json").is_file()
    assert not list(project.glob("data.*/"))


def test_a_second_import_of_the_same_folder_changes_nothing(run, source: Path) -> None:
    first = import_json(run, source)
    assert import_json(run, source)["version"] == first["version"]


def test_a_dry_run_writes_nothing(run, source: Path, project: Path) -> None:
    code, _, _ = run("data", "import", source, "--format", "folder", "--dry-run")
    assert code == 0
    assert nothing_written(project)
    assert not (project / "home" / "keys").exists()


def test_a_missing_column_is_named_and_exits_2(run, source: Path, project: Path) -> None:
    (source / "manifest.csv").write_text("path,subject_id\na.png,p1\n")
    code, out, error = run("data", "import", source, "--format", "folder")
    assert (code, out) == (2, "")
    assert "column 'label' is missing" in error
    assert nothing_written(project)


def test_a_child_whose_age_stands_under_another_name_is_not_taken_in(run, source: Path, project: Path) -> None:
    (source / "manifest.csv").write_text("path,subject_id,label,Age\na.png,p1,fear,12\nb.png,p2,neutral,40\n")
    code, out, error = run("data", "import", source, "--format", "folder")
    assert (code, out) == (2, "") and "unknown column 'Age'; did you mean 'age'?" in error
    assert nothing_written(project)
    (source / "manifest.csv").write_text("path,subject_id,label,room\na.png,p1,fear,12\n")
    assert run("data", "import", source, "--format", "folder")[0] == 2
    code, out, _ = run("data", "import", source, "--format", "folder", "--ignore-column", "room", "--json")
    assert (code, json.loads(out)["admitted"]) == (0, 1)


@pytest.mark.parametrize("name", ["manifest.csv", "consents.jsonl", "licence.json", "notices/n1.md"])
@pytest.mark.parametrize("encoding", ["cp932", "cp1252", "gb18030"])
def test_a_text_in_another_encoding_is_named_and_exits_2(
    run, source: Path, project: Path, name: str, encoding: str
) -> None:
    word = {"cp932": "写真", "cp1252": "café", "gb18030": "照片"}[encoding]
    (source / name).write_bytes(word.encode(encoding))
    code, out, error = run("data", "import", source, "--format", "folder")
    assert (code, out) == (2, "")
    assert f"{Path(name).name} line 1: byte 0x" in error and "save the file as UTF-8" in error
    assert nothing_written(project)


def test_a_source_that_excel_on_windows_saved_is_taken_in_whole(run, source: Path) -> None:
    """Semicolons, UTF-16, CRLF, byte order marks, spare columns and rows: the same people."""
    manifest = "path;subject_id;label;age;\r\na.PNG;\uff501 ;Fear;31;\r\nb.png;p2;neutral;40;\r\n;;;;\r\n"
    (source / "manifest.csv").write_bytes(manifest.encode("utf-16"))
    for name in ("consents.jsonl", "licence.json", "notices/n1.md"):
        text = (source / name).read_text().rstrip("\n").replace("\n", "\r\n")
        (source / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    done = import_json(run, source)
    assert (done["people"], done["admitted"], done["quarantined"]) == (2, 2, [])


@pytest.mark.parametrize(
    ("licence", "says"),
    [
        ({"purpose": ["train"]}, "unknown field; did you mean 'purposes'"),
        ({"purposes": ["trian"]}, "licence.json: record 0.purposes.0: did you mean 'train'?"),
    ],
)
def test_a_licence_says_what_it_says_in_known_words(run, source: Path, project: Path, licence, says: str) -> None:
    known = json.loads((source / "licence.json").read_text())
    (source / "licence.json").write_text(json.dumps(known | licence))
    code, _, error = run("data", "import", source, "--format", "folder")
    assert code == 2 and says in error and nothing_written(project)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("path,subject_id,label\na.png,p1,joyful\n", "unknown label"),
        ("path,subject_id,label\n../a.png,p1,fear\n", "leaves the folder"),
        ("path,subject_id,label\nnotes.jpg,p1,fear\n", "row 1"),
        ("path,subject_id,label,split\na.png,p1,fear,train\nb.png,p1,fear,test\n", "two splits"),
    ],
)
def test_nothing_usable_is_one_line_and_exits_2(run, source: Path, project: Path, manifest: str, words: str) -> None:
    (source / "notes.jpg").write_text("this is no picture")
    (source / "manifest.csv").write_text(manifest)
    code, _, error = run("data", "import", source, "--format", "folder")
    assert code == 2
    assert words in error
    assert nothing_written(project)


def test_a_bad_row_is_quarantined_and_the_good_one_taken(run, source: Path) -> None:
    (source / "notes.jpg").write_text("this is no picture")
    (source / "manifest.csv").write_text("path,subject_id,label\na.png,p1,fear\nnotes.jpg,p2,neutral\n")
    done = import_json(run, source)
    assert (done["admitted"], [row["row"] for row in done["quarantined"]]) == (1, [2])


def test_an_expired_consent_is_refused_with_exit_4(run, source: Path, project: Path) -> None:
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    write_consents(source, consent("p1", valid_to=past), consent("p2", valid_to=past))
    code, _, error = run("data", "import", source, "--format", "folder")
    assert code == 4
    assert "expired" in error
    assert nothing_written(project)


def test_a_person_without_consent_is_quarantined(run, source: Path) -> None:
    write_consents(source, consent("p2"))
    done = import_json(run, source)
    assert done["admitted"] == 1
    assert "no usable consent" in done["quarantined"][0]["reason"]


def test_no_subject_id_is_left_in_the_dataset_or_ledger(run, source: Path, project: Path) -> None:
    (source / "manifest.csv").write_text("path,subject_id,label\na.png,Xq7subjectXq7,fear\n")
    write_consents(source, consent("Xq7subjectXq7", event_id="e1", record_id="r1"))
    import_json(run, source)
    files = [path for folder in ("data", "home") for path in (project / folder).rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"Xq7subjectXq7" in path.read_bytes() or "Xq7" in path.name]


def test_pictures_without_a_face_are_quarantined_and_fail_the_data_gate(run, source: Path) -> None:
    """The source's pictures are noise: they decode, nobody is in them, and nothing is left to train on."""
    import_json(run, source)
    code, out, error = run("data", "validate", "--json")
    report = json.loads(out)
    assert code == 3 and "data gate failed" in error
    assert (report["kept"], len(report["quarantined"])) == (0, 2)
    assert all("face" in row["reason"] for row in report["quarantined"])


def test_unknown_words_are_usage_errors(run, source: Path) -> None:
    assert run("data", "import", source, "--format", "zip")[0] == 2
    assert run("data", "import", source / "nowhere", "--format", "folder")[0] == 2
    assert run("data", "status")[0] == 2
    assert run("no-such-command")[0] == 2
    assert run("predict", source, "--purpose", "Demo", "--context", "research")[0] == 2
    assert run("retrain", "--context", "school")[0] == 2


def test_status_tells_version_people_and_slices(run, source: Path) -> None:
    import_json(run, source)
    code, out, _ = run("data", "status", "--json")
    status = json.loads(out)
    assert code == 0
    assert (status["people"], status["samples"], status["is_pinned"], status["evidence"]) == (2, 2, True, "real")


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_a_path_that_is_not_there_is_said_before_the_missing_model(run, tmp_path: Path, command: str) -> None:
    """Somebody who typed a wrong folder was told to train a model."""
    words = ("--purpose", "demo", "--context", "research")
    code, out, error = run(command, tmp_path / "no", *words)
    assert (code, out) == (2, "")
    assert error.index("no' cannot be opened") < error.index("there is no champion yet")
    (tmp_path / "empty").mkdir()
    if command == "predict":
        assert (
            "is an empty folder; name one with pictures; and there is no champion"
            in run(command, tmp_path / "empty", *words)[2]
        )
    (tmp_path / "face.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert run(command, tmp_path / "face.png", *words)[2].startswith("bitface: there is no champion yet")


def test_explain_obeys_policy_before_it_looks_at_anything(run, tmp_path: Path) -> None:
    """A prohibited context is refused with exit 4 even where neither picture nor model exist, and no report is written."""
    words = ("explain", tmp_path / "no.png", "--out", tmp_path / "r.html", "--purpose", "demo")
    code, out, error = run(*words, "--context", "workplace")
    assert (code, out) == (4, "") and "prohibited" in error
    code, out, error = run(*words, "--context", "research", "--model", "bitface/9")
    assert (code, out) == (2, "") and "bitface" in error
    assert run("explain", tmp_path / "no.png", "--purpose", "demo", "--context", "research")[0] == 2
    assert not (tmp_path / "r.html").exists()


def test_an_approved_reason_opens_work_to_both_ends_until_it_is_revoked(
    run, source: Path, tmp_path: Path, project: Path, bitface
) -> None:
    """Training and prediction then stop for another reason: nobody's consent is for work, and there is no model yet."""
    import_json(run, source)
    look = ("explain", tmp_path / "no.png", "--purpose", "infer", "--context", "workplace")

    def is_prohibited() -> bool:
        (trained, _, why), (looked, _, also) = run("retrain", "--context", "workplace"), run(*look)
        return (trained, looked) == (4, 4) and "Art. 5(1)(f)" in why and "Art. 5(1)(f)" in also

    assert is_prohibited()
    key, paper = tmp_path / "c.pem", tmp_path / "assessment.txt"
    paper.write_text("Who drives falls asleep.")
    assert run("keys", "add", "--person", "Cora", "--role", "compliance", "--out", key)[0] == 0
    words = ("context", "approve", "--context", "workplace", "--reason", "safety", "--record", paper)
    span = ("--from", "2026-01-01T00:00:00Z", "--to", "2099-01-01T00:00:00Z", "--key", key)
    code, out, error = run(*words, *span, "--json")
    assert code == 0, error
    # In a process of its own: Prefect's engine does not leave one as it found it.
    trained = bitface(project, "retrain", "--profile", "quick", "--context", "workplace")
    assert trained.returncode == 4
    assert "none of 2 samples may be used: context workplace is not allowed" in trained.stderr
    assert "there is no champion yet" in run(*look)[2]
    assert "in force, by Cora" in run("context", "list")[1]
    assert run("context", "revoke", json.loads(out)["approval_id"], "--key", key)[0] == 0
    assert is_prohibited()
    assert "revoked, by Cora" in run("context", "list")[1]
    for words, said in ((("log",), "intact"), (("as-of", "2099-06-01T00:00:00Z"), "Context approval")):
        page = tmp_path / f"{words[0]}.html"
        assert run("audit", *words, "--html", page)[0] == 0
        assert said in page.read_text() and "it is intact." in page.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("promote", "1"), "no version 1"),
        (("rollback",), "no previous champion"),
        (("approve", "1", "--role", "reviewer", "--key", "none.pem"), "no version 1"),
        (("keys", "add", "--person", "Mara", "--role", "king", "--out", "mara.pem"), "unknown role 'king'"),
    ],
)
def test_nothing_is_promoted_where_nothing_is_registered(words, said, run, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("BITFACE_PARAMS", str(Path.cwd() / "params.yaml"))
    monkeypatch.chdir(tmp_path)
    code, out, error = run(*words)
    assert (code, out) == (2, "") and said in error, error
    assert not list(tmp_path.glob("*.pem"))


def test_keys_are_added_and_listed(run, tmp_path) -> None:
    mara = ("keys", "add", "--person", "Mara", "--role", "reviewer", "--out", tmp_path / "m.pem", "--json")
    assert run(*mara)[0] == 4, "this key is not endorsed"
    assert run("keys", "add", "--person", "Cora", "--role", "compliance", "--out", tmp_path / "c.pem")[0] == 0
    code, out, _ = run(*mara, "--by", tmp_path / "c.pem")
    assert code == 0 and json.loads(out)["person"] == "Mara"
    code, out, _ = run("keys", "list", "--json")
    assert code == 0 and [key["role"] for key in json.loads(out)] == ["compliance", "reviewer"]
    assert "PRIVATE" not in out
