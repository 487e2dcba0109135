"""A home that was put back is noticed by what lies elsewhere, whatever kind of place that is: with the real commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from bitface.bootstrap.places import open_ledger
from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.ledger.entries import DecisionEntry, ModelEntry, RunEntry
from bitface.ledger.promotion import Move
from bitface.workspace import open_workspace
from tests.builders import dataset_entry, member

PEOPLE = ["s" + f"{number}" * 15 for number in range(3)]
USE = ("predict", "nobody.png", "--purpose", "demo", "--context", "research")
AWS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def git(*words: str) -> str:
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True, env=own).stdout


def repository(folder: Path) -> Path:
    """A bare repository that takes nothing back."""
    git("init", "--quiet", "--bare", str(folder))
    for name in ("receive.denyNonFastForwards", "receive.denyDeletes"):
        git("-C", str(folder), "config", name, "true")
    return folder


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """The variables that lead to a local server that speaks S3, with the bucket `kept`."""
    server_of = pytest.importorskip("moto.server", reason="moto is not installed").ThreadedMotoServer
    boto3 = pytest.importorskip("boto3")
    server = server_of(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    told = AWS | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="kept")
    yield told
    server.stop()


@pytest.fixture(
    params=["folder", pytest.param("s3", marks=pytest.mark.long), pytest.param("git", marks=pytest.mark.long)]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The variables of a place of each kind."""
    if request.param == "folder":
        return {"BITFACE_CHECKPOINTS": str(tmp_path / "away")}
    if request.param == "git":
        return {"BITFACE_CHECKPOINTS": f"git+file://{repository(tmp_path / 'away.git')}"}
    return {"BITFACE_CHECKPOINTS": f"s3://kept/{tmp_path.name}", **request.getfixturevalue("s3")}


@pytest.fixture
def champion(project: Path) -> Callable[[], Path]:
    """Makes a home whose ledger has a champion, as the environment of then has it export its checkpoints."""

    def make() -> Path:
        with open_ledger(open_workspace(os.environ, project)) as ledger:
            fill(ledger)
        return project

    return make


def fill(ledger: Any) -> None:
    events = synthetic_consents(PEOPLE)
    ledger.record_notice(packaged_notice("synthetic-1"))
    ledger.record_consents(events)
    members = [member(event) for event in events]
    dataset = dataset_entry(len(members))
    ledger.record_dataset(dataset, members)
    codes = {"code_commit": "c0ffee", "params_sha256": "d" * 64, "constraints_sha256": "e" * 64}
    ledger.record_run(RunEntry(run_id="run1", dataset_version="d1", purpose="train", context="research", **codes))
    ledger.record_model(
        ModelEntry(bundle_sha256="b1", weights_sha256="w", run_id="run1", evidence="synthetic", purpose="train")
    )
    ledger.record_decision(
        DecisionEntry(decision_sha256="d1", bundle_sha256="b1", run_id="run1", decision="promote", reasons=())
    )
    ledger.promote(Move(to_version=1, expected_previous=None, decision_sha256="d1", actor="test"))


def set_all(patch: pytest.MonkeyPatch, told: dict[str, str]) -> None:
    for name, value in told.items():
        patch.setenv(name, value)


def put_back(project: Path) -> None:
    """The home as it was when `backup` was made of it."""
    shutil.rmtree(project / "home")
    shutil.copytree(project / "backup", project / "home")


def test_an_older_home_is_noticed_and_goes_on_only_by_a_step_on_record(place, champion, bitface, monkeypatch) -> None:
    set_all(monkeypatch, place)
    project = champion()
    shutil.copytree(project / "home", project / "backup")
    assert "the log was cut" not in bitface(project, *USE).stderr
    assert bitface(project, "consent", "withdraw", PEOPLE[0], "--reason", "asked").returncode == 0
    put_back(project)
    for words in (USE, ("promote", "1")):
        said = bitface(project, *words)
        assert said.returncode == 2, said.stderr
        assert "the log was cut" in said.stderr and "--continue-from latest" in said.stderr
    assert bitface(project, "audit", "log").returncode == 3
    gone_on = bitface(project, "audit", "log", "--continue-from", "latest", "--why", "the disk failed", "--json")
    assert gone_on.returncode == 0, gone_on.stderr
    (gap,) = (row for row in json.loads(gone_on.stdout) if row["kind"] == "continued after a gap")
    assert (gap["reason"], gap["missing_size"]) == ("the disk failed", 8)
    refused = bitface(project, *USE, "--model", "bitface/1")
    assert refused.returncode == 4 and "promote it again" in refused.stderr, refused.stderr
    put_back(project)  # and the home from before the gap is older than what was exported after it
    assert "the log was cut: 0 gaps in it, the checkpoint says 1" in bitface(project, *USE).stderr


@pytest.mark.parametrize("kind", ["folder", "s3", "git"])
def test_what_closes_is_recorded_while_the_place_is_down_and_exported_later(
    kind: str, champion, bitface, tmp_path: Path, monkeypatch
) -> None:
    project, target = champion(), tmp_path / "away.git"
    told = {
        "folder": {"BITFACE_CHECKPOINTS": str(target)},
        "git": {"BITFACE_CHECKPOINTS": f"git+file://{target}"},
        "s3": {"BITFACE_CHECKPOINTS": "s3://kept", **AWS, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
    }[kind]
    if kind == "s3":
        pytest.importorskip("boto3")
    if kind == "folder":
        target.write_text("a file is in the way")
    withdrawn = bitface(project, "consent", "withdraw", PEOPLE[0], "--reason", "asked", **told)
    assert withdrawn.returncode == 0 and withdrawn.stderr.count("\n") == 1
    assert "not exported yet; the next command tries again" in withdrawn.stderr
    used = bitface(project, *USE, **told)
    assert used.returncode == 2 and used.stderr.count("\n") == 1 and "is not usable" in used.stderr
    doctor = json.loads(bitface(project, "doctor", "--json", **told).stdout)
    (row,) = (row for row in doctor if row["what"] == "checkpoints")
    assert row["state"] == "fail" and "BITFACE_CHECKPOINTS" in row["found"] and row["remedy"]
    if kind == "s3":
        return
    target.unlink(missing_ok=True)
    if kind == "git":
        repository(target)
    assert "cannot be used" not in bitface(project, *USE, **told).stderr
    here = (
        git("-C", str(target), "ls-tree", "--name-only", "bitface-checkpoints")
        if kind == "git"
        else "\n".join(path.name for path in target.iterdir())
    )
    assert here.split() == ["00000008.json"]


def test_doctor_says_when_a_checkpoint_was_exported_and_which_erasure_is_unfinished(
    place, champion, bitface, monkeypatch
) -> None:
    set_all(monkeypatch, place)
    project = champion()
    begun = {"step": "begun", "state": "done", "found": {"subjects": [PEOPLE[0]]}, "before": "0" * 64}
    (project / "home" / "erasures").mkdir()
    (project / "home" / "erasures" / "e1.jsonl").write_text(json.dumps(begun) + "\n")
    rows = {row["what"]: row for row in json.loads(bitface(project, "doctor", "--json").stdout)}
    assert (
        rows["checkpoints"]["state"] == "ok"
        and f"last exported on {datetime.now(UTC):%Y}" in rows["checkpoints"]["found"]
    )
    assert rows["erasures"]["state"] == "fail" and "1 unfinished" in rows["erasures"]["found"]
    assert rows["erasures"]["remedy"] == "finish with `bitface erase --resume`"


def test_a_place_that_no_adapter_is_for_is_named(bitface, tmp_path: Path) -> None:
    said = bitface(tmp_path, "audit", "log", BITFACE_CHECKPOINTS="git+ext::sh -c id://")
    assert said.returncode == 2 and "name a folder, s3://bucket/prefix, git+file:///" in said.stderr


class Authority(BaseHTTPRequestHandler):
    """A time-stamping authority of OpenSSL, with the key and certificates in `folder`."""

    folder: Path

    def do_POST(self) -> None:
        (self.folder / "query.tsq").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        openssl(self.folder, "ts", "-reply", "-config", "ts.cnf", "-queryfile", "query.tsq", "-out", "reply.tsr")
        self.send_response(200)
        self.end_headers()
        self.wfile.write((self.folder / "reply.tsr").read_bytes())

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


CONFIG = """
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[tsa_cert]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = own
[own]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables that lead to an authority of the test's own."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path / "tsa"
    folder.mkdir()
    (folder / "ts.cnf").write_text(CONFIG)
    (folder / "serial").write_text("01\n")
    elliptic = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "ts.cnf", "-days", "3")
    openssl(
        folder, "req", "-x509", *elliptic, "-subj", "/CN=ca", "-extensions", "ca", "-keyout", "ca.key", "-out", "ca.pem"
    )
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-extensions", "tsa_cert")
    openssl(folder, "req", "-x509", *elliptic, "-subj", "/CN=tsa", *signed, "-keyout", "tsa.key", "-out", "tsa.pem")
    server = HTTPServer(("127.0.0.1", 0), type("Own", (Authority,), {"folder": folder}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {
        "BITFACE_TIMESTAMPS": f"http://127.0.0.1:{server.server_port}/",
        "BITFACE_TIMESTAMPS_CA": str(folder / "ca.pem"),
    }
    server.shutdown()
    server.server_close()


def test_a_checkpoint_is_dated_by_an_authority_and_another_s_stamp_is_refused(
    authority, champion, bitface, tmp_path: Path, monkeypatch
) -> None:
    set_all(monkeypatch, authority | {"BITFACE_CHECKPOINTS": str(tmp_path / "away")})
    project = champion()
    kept = project / "away" / "00000007.json"
    told = bitface(project, "audit", "log", "--checkpoint", str(kept), "--json")
    assert told.returncode == 0, told.stderr
    (row,) = (row for row in json.loads(told.stdout) if row["kind"] == "time stamp")
    assert datetime.fromisoformat(row["at"]).year == datetime.now(UTC).year
    other = project / "away" / "00000002.tsr"
    shutil.copy(other, kept.with_suffix(".tsr"))
    assert "the time stamp fails verification" in bitface(project, "audit", "log", "--checkpoint", str(kept)).stderr
    monkeypatch.setenv("BITFACE_TIMESTAMPS", "http://127.0.0.1:9/")
    said = bitface(project, "consent", "withdraw", PEOPLE[0], "--reason", "asked")
    assert said.returncode == 0 and "has no time stamp; the next one covers it" in said.stderr
