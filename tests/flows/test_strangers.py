"""The servers that commands start, as strangers meet them: a page in a browser of this machine, another user, another site's name.

No browser runs here: each request is sent with the headers that Chromium sends, and, as it does, with the credentials that it has cached.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from bitface.adapters.mlflow_tracking.ui_application import mlflow_ui
from bitface.adapters.prefect_processes import running_server
from bitface.adapters.servers.own_processes import MARK, group, has_port

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300
MASTER_KEY = "ab" * 32
SECRETS = {
    "BITFACE_MASTER_KEY": MASTER_KEY,
    "BITFACE_MASTER_KEY_NEXT": "cd" * 32,
    **dict.fromkeys(
        (
            "AWS_SECRET_ACCESS_KEY",
            "AZURE_CLIENT_SECRET",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "OPENLINEAGE_API_KEY",
            "MLFLOW_TRACKING_PASSWORD",
            "A_SECRET_OF_TOMORROW",
        ),
        "hush-hush",
    ),
}
TEMPORARY = """
import sys
from bitface.bootstrap.orchestrator import prepare_server, start_server
prepare_server()
access = start_server().access
print(access.sign_in, access.address, flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A command that serves: where, and for which user and password."""

    process: subprocess.Popen[str]
    port: int
    sign_in: str

    @property
    def credentials(self) -> dict[str, str]:
        """What a browser that somebody has signed in with adds to every request, whichever page sends it."""
        return {"Authorization": "Basic " + base64.b64encode(self.sign_in.encode()).decode()}

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, bytes, Any]:
        """Sends exactly these headers."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers

    def tell(self, method: str, path: str, document: Any) -> Any:
        """What its own page sends, and gets."""
        headers = {"Content-Type": "application/json", **self.own, **self.credentials}
        status, said, _ = self.ask(method, path, headers, json.dumps(document).encode())
        assert status < 300, said
        return json.loads(said) if said else None

    @property
    def own(self) -> dict[str, str]:
        host = f"127.0.0.1:{self.port}"
        return {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def servers(folder, environment) -> Iterator[dict[str, Running]]:
    """`ui`, `worker`, and what a flow command starts for itself, on one home, in an environment full of secrets."""
    commands = {
        "MLflow": ["-m", "bitface.cli", "ui", "--port", str(free_port())],
        "Prefect": ["-m", "bitface.cli", "worker", "--port", str(free_port())],
        "temporary": ["-c", TEMPORARY],
    }
    processes = {
        name: subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=environment(folder if name != "temporary" else folder / "temporary") | SECRETS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for name, words in commands.items()
    }
    try:
        yield {name: heard(process) for name, process in processes.items()}
    finally:
        for process in processes.values():
            os.killpg(process.pid, signal.SIGTERM)
        for process in processes.values():
            process.communicate(timeout=120)


def heard(process: subprocess.Popen[str]) -> Running:
    """What a person who starts it reads, once it answers."""
    said = ""
    while not (found := re.search(r"(user \w+, password |bitface:)(\S+)", said)) or "http://" not in said:
        line = process.stdout.readline()  # type: ignore[union-attr]
        assert line, f"it ended: {said}"
        said += line
    port = int(re.findall(r"http://127\.0\.0\.1:(\d+)", said)[0])
    running = Running(process=process, port=port, sign_in=f"bitface:{found[2]}")
    running.ask("GET", "/", running.own)
    return running


JSON = b'{"name": "stranger", "key": "stranger", "value": "stranger", "confirm": true, "run_id": "RUN", "experiment_id": "1"}'
WRITES = {
    "Prefect": [
        ("POST", "/api/deployments/"),
        ("POST", "/api/flows/"),
        ("POST", "/api/flow_runs/"),
        ("POST", "/api/variables/"),
        ("POST", "/api/block_documents/"),
        ("POST", "/api/automations/"),
        ("POST", "/api/work_pools/"),
        ("POST", "/api/events"),
        ("POST", "/api/admin/database/clear"),
        ("POST", "/api/admin/database/drop"),
        ("PATCH", "/api/work_pools/bitface"),
        ("DELETE", "/api/work_pools/bitface"),
        ("PUT", "/api/block_types/slug/secret"),
        ("GET", "/api/admin/settings"),
    ],
    "MLflow": [
        ("POST", "/ajax-api/2.0/mlflow/runs/set-tag"),
        ("POST", "/api/2.0/mlflow/runs/set-tag"),
        ("POST", "/api/2.0/mlflow/runs/delete"),
        ("POST", "/api/2.0/mlflow/experiments/delete"),
        ("POST", "/api/2.0/mlflow/registered-models/create"),
        ("POST", "/api/2.0/mlflow/registered-models/alias"),
        ("DELETE", "/api/2.0/mlflow/registered-models/delete"),
        ("PATCH", "/api/2.0/mlflow/registered-models/update"),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/stranger.txt"),
        ("POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=RUN&path=stranger.txt"),
        ("POST", "/graphql"),
        ("POST", "/v1/traces"),
        ("GET", "/get-artifact?path=model.bin&run_uuid=RUN"),
    ],
}
WRITES["temporary"] = WRITES["Prefect"]
SITE = {"Origin": "http://stranger.example", "Sec-Fetch-Site": "cross-site"}
PAGES: dict[str, dict[str, str]] = {
    "a form": {
        **SITE,
        "Content-Type": "application/x-www-form-urlencoded",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Upgrade-Insecure-Requests": "1",
    },
    "a form of plain text": {**SITE, "Content-Type": "text/plain", "Sec-Fetch-Mode": "navigate"},
    "a form with a file": {**SITE, "Content-Type": "multipart/form-data; boundary=x", "Sec-Fetch-Mode": "navigate"},
    "a script, no questions asked": {**SITE, "Content-Type": "text/plain", "Sec-Fetch-Mode": "no-cors"},
    "a script that names no type": {**SITE, "Sec-Fetch-Mode": "no-cors"},
    "a script with JSON": {**SITE, "Content-Type": "application/json", "Sec-Fetch-Mode": "cors"},
    "a beacon": {**SITE, "Content-Type": "text/plain;charset=UTF-8", "Sec-Fetch-Mode": "no-cors"},
    "a page of a service on another port": {
        "Origin": "http://127.0.0.1:3000",
        "Sec-Fetch-Site": "same-site",
        "Content-Type": "application/json",
    },
    "a page of a service under this machine's other name": {"Origin": "http://localhost:3000"},
    "a frame in a sandbox": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "a page in an old browser": {"Origin": "http://stranger.example"},
    "a picture": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "a frame": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
}
OWN = "http://127.0.0.1:"
NAMES = ["stranger.example:{}", "127.0.0.1.stranger.example:{}", "localhost.stranger.example:{}", "stranger.example"]


def changed(folder: Path) -> dict[str, list[Any]]:
    """All that a stranger could change, as the databases hold it: what grows by itself (signs of life, events) is looked through."""
    held: dict[str, list[Any]] = {"files": sorted(path.name for path in (folder / "home" / "artefacts").rglob("*"))}
    for name, home in (("worker", folder), ("temporary", folder / "temporary")):
        with closing(sqlite3.connect(home / "home" / "prefect" / "prefect.db")) as database:
            for table in ("flow", "deployment", "flow_run", "variable", "block_document", "block_type", "automation"):
                held[f"{name} {table}"] = sorted(database.execute(f"select id from {table}"))  # noqa: S608 - our names
            held[f"{name} pools"] = sorted(database.execute("select name, is_paused from work_pool"))
            held[f"{name} events"] = list(database.execute("select event from events where event like '%stranger%'"))
    with closing(sqlite3.connect(folder / "home" / "mlflow.db")) as database:
        held["mlflow"] = [line for line in database.iterdump() if line.startswith("INSERT")]
    return held


def is_refused(answer: tuple[int, bytes, Any], statuses: tuple[int, ...]) -> bool:
    status, _, headers = answer
    return status in statuses and headers.get("Access-Control-Allow-Origin", OWN).startswith(OWN)


@pytest.fixture(scope="module")
def run_id(servers) -> str:
    """A run in MLflow, made as its own page does: what is refused to strangers works for those who may."""
    made = servers["MLflow"].tell("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "1", "start_time": 1})
    servers["MLflow"].tell(
        "POST",
        "/ajax-api/2.0/mlflow/runs/set-tag",
        {"run_id": made["run"]["info"]["run_id"], "key": "seen", "value": "1"},
    )
    servers["Prefect"].tell("POST", "/api/flows/", {"name": "own"})
    servers["temporary"].tell("POST", "/api/flows/", {"name": "own"})
    end = time.monotonic() + PATIENCE_S
    while not servers["Prefect"].tell("POST", "/api/work_pools/filter", {}):  # the worker makes its pool
        assert time.monotonic() < end
        time.sleep(0.1)
    return str(made["run"]["info"]["run_id"])


def test_no_page_and_nobody_without_the_password_changes_or_reads_anything(servers, run_id, folder) -> None:
    before, sent, let_in = changed(folder), 0, []
    for name, server in servers.items():
        host = {"Host": f"127.0.0.1:{server.port}"}
        ways = [(page, {**host, **headers, **server.credentials}, (403,)) for page, headers in PAGES.items()]
        for other in NAMES:
            rebound = {"Host": other.format(server.port), "Content-Type": "application/json", **server.credentials}
            ways.append((other, rebound, (421,)))
            ways.append((other, {**rebound, "Origin": f"http://{rebound['Host']}"}, (421,)))
        ways.append(("a program without the password", {**host, "Content-Type": "application/json"}, (401,)))
        ways.append(("its own page without the password", {**server.own, "Content-Type": "application/json"}, (401,)))
        wrong = {"Authorization": "Basic " + base64.b64encode(b"bitface:guess").decode()}
        ways.append(("a guess", {**host, **wrong, "Content-Type": "application/json"}, (401,)))
        for method, path in WRITES[name]:
            there, body = path.replace("RUN", run_id), JSON.replace(b"RUN", run_id.encode())
            asks = {**host, **SITE, "Sec-Fetch-Mode": "cors", "Access-Control-Request-Method": method}
            if not is_refused(server.ask("OPTIONS", there, asks), (403,)):
                let_in.append((name, "OPTIONS", there))
            for way, headers, statuses in ways:
                sent += 1
                if not is_refused(server.ask(method, there, headers, body), statuses):
                    let_in.append((name, way, method, there))
    assert let_in == [] and sent > 30
    assert changed(folder) == before


@pytest.mark.parametrize("path", ["/api/events/in", "/api/events/out", "/api/logs/out"])
@pytest.mark.parametrize("name", ["Prefect", "temporary"])
def test_no_websocket_of_a_strangers_page_is_opened(servers, name, path) -> None:
    server = servers[name]
    own = f"127.0.0.1:{server.port}"
    pages = [("http://stranger.example", own), ("null", own), ("http://127.0.0.1:3000", own)]
    pages += [(f"http://stranger.example:{server.port}", f"stranger.example:{server.port}")]
    for origin, host in pages:
        there = socket.create_connection(("127.0.0.1", server.port))
        with pytest.raises(InvalidStatus), there:
            connect(
                f"ws://{host}{path}",
                sock=there,
                origin=origin,  # type: ignore[arg-type]
                subprotocols=["prefect"],  # type: ignore[list-item]
                additional_headers=server.credentials,
            )
    with pytest.raises(InvalidStatus):
        connect(f"ws://{own}{path}", proxy=None)  # as clients did before there were passwords
    for token in (None, "bitface:guess"):
        with connect(f"ws://{own}{path}", subprotocols=["prefect"], proxy=None) as socket_:  # type: ignore[list-item]
            socket_.send(json.dumps({"type": "auth", "token": token}))
            with pytest.raises(ConnectionClosed):
                socket_.recv()
    with connect(f"ws://{own}{path}", subprotocols=["prefect"], proxy=None) as known:  # type: ignore[list-item]
        known.send(json.dumps({"type": "auth", "token": server.sign_in}))
        assert json.loads(known.recv())["type"] == "auth_success"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="environments are read in /proc")
def test_no_server_has_a_secret_in_its_environment_and_the_worker_has_the_key(servers) -> None:
    """Only what serves, and what that starts: a process that is about to become another still has the command's environment."""
    for server in servers.values():
        command = psutil.Process(server.process.pid)
        serving = [process for process in command.children(recursive=True) if has_port(process.pid, server.port)]
        assert serving
        for process in [below for one in serving for below in (one, *one.children(recursive=True))]:
            assert not [
                secret for secret in {*SECRETS.values(), server.sign_in} if secret.encode() in handed_to(process)
            ]
    worker = psutil.Process(servers["Prefect"].process.pid)
    assert any(MASTER_KEY.encode() in handed_to(process) for process in worker.children(recursive=True))


def handed_to(process: psutil.Process) -> bytes:
    """Environment and words of a command, as the system shows them; nothing of one that has just ended."""
    try:
        return Path(f"/proc/{process.pid}/environ").read_bytes() + " ".join(process.cmdline()).encode()
    except (OSError, psutil.Error):
        return b""


def test_the_worker_runs_what_is_due_on_a_server_that_asks_for_a_password(servers, folder, bitface) -> None:
    """`schedule` finds the worker's server and its password by itself, and so does the flow that the worker starts."""
    noted = folder / "home" / "prefect" / "server.json"
    assert noted.stat().st_mode & 0o777 == 0o600
    deployed = bitface(folder, "schedule", "--json", **SECRETS)
    assert deployed.returncode == 0, deployed.stderr[-2000:]
    server = servers["Prefect"]
    expire = server.tell("GET", "/api/deployments/name/expire/expire", None)
    run = server.tell("POST", f"/api/deployments/{expire['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
    end, state = time.monotonic() + PATIENCE_S, ""
    while state not in ("COMPLETED", "FAILED", "CRASHED") and time.monotonic() < end:
        time.sleep(0.5)
        state = server.tell("GET", f"/api/flow_runs/{run['id']}", None)["state_type"]
    assert state == "COMPLETED", (folder / "home" / "prefect" / "worker.log").read_text()[-3000:]
    told = {*SECRETS.values(), server.sign_in.removeprefix("bitface:")}
    files = [path for path in (folder / "home").rglob("*") if path.is_file() and path != noted]
    assert not [path for path in files if any(secret.encode() in path.read_bytes() for secret in told)]
    assert len(files) > 3


def test_doctor_says_which_port_lets_strangers_in(servers, folder, bitface) -> None:
    """Ours do not; one of an older version, for which a plain web server stands here, does."""
    loose, port = folder / "loose", free_port()
    for path in ("api/admin/version", "index.html"):
        (loose / path).parent.mkdir(parents=True, exist_ok=True)
        (loose / path).write_text("3")
    words = ["http.server", str(port), "--bind", "127.0.0.1", "--directory", str(loose)]
    with group(words, dict(os.environ), subprocess.DEVNULL) as process:
        while not has_port(process.pid, port):
            time.sleep(0.1)
        done = bitface(folder, "doctor", "--json", **SECRETS)
    assert done.returncode == 2, done.stderr
    rows = {row["what"]: row for row in json.loads(done.stdout)}
    assert {rows[f"port {server.port}"]["state"] for server in servers.values()} == {"ok"}
    assert rows[f"port {port}"]["state"] == "fail"
    assert "without a password, from another site's page, under another host's name" in rows[f"port {port}"]["found"]
    assert f"stop process {process.pid}" in rows[f"port {port}"]["remedy"]
    assert "ports" not in rows


def test_a_process_that_has_the_port_by_chance_is_not_told_the_password(tmp_path) -> None:
    """A worker that was killed leaves its note; whoever listens there later is a stranger."""
    (tmp_path / "prefect").mkdir()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        note = {"port": other.getsockname()[1], "password": "hush", "process": os.getpid()}
        (tmp_path / "prefect" / "server.json").write_text(json.dumps(note))
        assert MARK not in " ".join(psutil.Process().cmdline())
        assert running_server(tmp_path) is None


@pytest.mark.parametrize("command", ["ui", "worker"])
def test_help_says_that_no_option_opens_it(command) -> None:
    from bitface.cli.app import app

    said = " ".join(CliRunner().invoke(app, [command, "--help"]).stdout.split())
    assert "No option exposes it to other machines or other sites' pages, or turns the password off." in said
    assert not re.findall(r"--(?!port|help)\w+", said)


def test_what_mlflow_is_told_has_its_names() -> None:
    """The names are MLflow's own, and could change with a version of it."""
    from mlflow.server import constants

    from bitface.adapters.servers.local_servers import Access

    told = mlflow_ui(
        "sqlite:///a", Path("/a"), Access(port=1, password=MASTER_KEY), {"MLFLOW_TRACKING_TOKEN": "hush"}
    ).settings
    names = {value for name, value in vars(constants).items() if name.endswith("_ENV_VAR")}
    assert {name for name in told if name.startswith("_MLFLOW_SERVER_")} <= names
    assert "hush" not in told.values()
