"""A real Prefect server on a temporary database: deployments, what they react to, runs that a crash left, messages."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from bitface.adapters import prefect_processes
from bitface.adapters.prefect_processes import (
    TemporaryServer,
    _application,
    client_settings,
    named_server,
    running_server,
    server,
)
from bitface.adapters.prefect_service import (
    ZOMBIES,
    Deployment,
    Reaction,
    close_left_running,
    deploy,
    notify,
    scheduled,
)
from bitface.adapters.servers.local_servers import Access
from bitface.errors import InputError
from bitface.surroundings import listening_anywhere

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings("default")
EXPIRE = Deployment(name="expire", entrypoint="bitface.flows.expire.expire", description="at night", cron="30 2 * * *")
AGAIN = Reaction(name="test: again", event="bitface.test", deployment="expire")


@pytest.fixture(scope="module")
def api() -> Iterator[None]:
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


def automations() -> list[str]:
    import asyncio

    from prefect.client.orchestration import get_client

    async def read() -> list[str]:
        async with get_client() as client:
            return sorted(one.name for one in await client.read_automations())

    return asyncio.run(read())


def test_the_same_deployments_again_change_nothing(api) -> None:
    first = deploy([EXPIRE], [AGAIN], ROOT, {"BITFACE_HOME": "/nowhere"}, ["home-1"])
    assert deploy([EXPIRE], [AGAIN], ROOT, {"BITFACE_HOME": "/nowhere"}, ["home-1"]) == first
    (shown,) = scheduled()
    assert (shown["name"], shown["schedules"]) == ("expire", ["30 2 * * * UTC"])
    assert automations() == sorted([AGAIN.name, ZOMBIES])


def test_a_schedule_is_replaced_and_not_added(api) -> None:
    deploy([EXPIRE], [], ROOT, {}, [])
    deploy([Deployment(**{**EXPIRE.__dict__, "cron": None, "every_s": 20.0})], [], ROOT, {}, [])
    assert [row["schedules"] for row in scheduled()] == [["every 20 s"]]


def test_what_is_no_schedule_is_refused(api) -> None:
    with pytest.raises(InputError, match="is not a valid schedule"):
        deploy([Deployment(**{**EXPIRE.__dict__, "cron": "on mondays"})], [], ROOT, {}, [])


def test_runs_that_a_crash_left_are_closed_and_only_ours(api) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.states import Running

    @flow(name="left")
    def left() -> None: ...

    with get_client(sync_client=True) as client:
        ours, theirs = (client.create_flow_run(left, tags=[tag], state=Running()) for tag in ("home-1", "home-2"))
        (said,) = close_left_running("left", "home-1")
        assert ours.name in said
        assert client.read_flow_run(ours.id).state_name == "Crashed"
        assert client.read_flow_run(theirs.id).state_name == "Running"
        assert close_left_running("left", "home-1") == ()


@pytest.fixture
def heard(api) -> Iterator[list[dict[str, str]]]:
    """What a block custom-webhook/ours has sent."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    said: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Hook) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{listener.server_port}/"
        words = {"subject": "{{subject}}", "body": "{{body}}"}
        CustomWebhookNotificationBlock(name="test", url=url, json_data=words).save("ours", overwrite=True)
        yield said
        listener.shutdown()


def test_people_are_told_through_the_block_of_their_choice(heard) -> None:
    notify("custom-webhook/ours", "bitface retrain", "PROMOTED")
    assert heard == [{"subject": "bitface retrain", "body": "PROMOTED"}]
    with pytest.raises(InputError, match="does not exist; create it"):
        notify("custom-webhook/nobody", "a", "b")


def test_a_flow_tells_how_it_ended(heard, tmp_path, monkeypatch) -> None:
    """The hook of the retrain, on flows that end as a retrain does: with a summary, or with a refusal."""
    from prefect import flow

    from bitface.errors import RefusedError
    from bitface.flows.notices import notify_of_end

    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["schedule"]["notify"] = "custom-webhook/ours"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.setenv("BITFACE_PARAMS", str(tmp_path / "params.yaml"))
    monkeypatch.setattr("bitface.flows.notices.summary_text", lambda summary: f"PROMOTED: bitface/{summary['version']}")

    @flow(name="good", on_completion=[notify_of_end], persist_result=True, result_serializer="json")
    def good() -> dict[str, int]:
        return {"version": 3}

    @flow(name="bad", on_failure=[notify_of_end])
    def bad() -> None:
        raise RefusedError("nobody is admitted")

    good()
    with pytest.raises(RefusedError):
        bad()
    assert heard[0]["subject"] == "bitface good: PROMOTED: bitface/3"
    assert "nobody is admitted" in heard[1]["body"] and heard[1]["subject"].startswith("bitface bad: failed")


def test_a_server_that_does_not_answer_is_not_running(tmp_path) -> None:
    assert running_server(tmp_path) is None
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "server.json").write_text('{"port": 9, "password": "a", "process": 1}')
    assert running_server(tmp_path) is None
    (tmp_path / "prefect" / "server.json").write_text(
        '{"url": "http://127.0.0.1:9/api"}'
    )  # of a version before passwords
    assert running_server(tmp_path) is None


@pytest.mark.parametrize(
    ("profiles", "environment", "url"),
    [
        (None, {}, None),
        (None, {"PREFECT_API_URL": "http://a/api"}, "http://a/api"),
        ('active = "own"\n[profiles.own]\nPREFECT_API_URL = "http://b/api"', {}, "http://b/api"),
        (
            'active = "own"\n[profiles.own]\nPREFECT_API_URL = "http://b/api"',
            {"PREFECT_API_URL": "http://a/api"},
            "http://a/api",
        ),
        (
            'active = "own"\n[profiles.own]\n[profiles.team]\nPREFECT_API_URL = "http://b/api"',
            {"PREFECT_PROFILE": "team"},
            "http://b/api",
        ),
        ('active = "own"\n[profiles.own]', {}, None),
        ('active = "gone"\n[profiles]', {}, None),
        ("no toml", {}, None),
    ],
)
def test_a_server_is_named_by_the_environment_or_by_the_active_profile(tmp_path, profiles, environment, url) -> None:
    if profiles is not None:
        (tmp_path / "profiles.toml").write_text(profiles)
    assert named_server({"PREFECT_HOME": str(tmp_path), **environment}) == url


def test_a_server_is_told_its_own_settings_and_none_of_its_clients(monkeypatch) -> None:
    given = {"PREFECT_SERVER_DATABASE_TIMEOUT": "9", "https_proxy": "http://user:hush@proxy.example"}
    clients = ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_API_URL", "PREFECT_CLIENT_CUSTOM_HEADERS")
    for name, value in {**given, **dict.fromkeys((*clients, "BITFACE_MASTER_KEY", "PGPASSWORD"), "hush")}.items():
        monkeypatch.setenv(name, value)
    access = Access(port=4200, password=given["PREFECT_SERVER_DATABASE_TIMEOUT"])
    told = _application(access, {}).settings
    assert given.items() <= told.items() and "hush" not in told.values()
    assert told["PREFECT_SERVER_API_AUTH_STRING"] == client_settings(access)["PREFECT_API_AUTH_STRING"]
    assert access.password not in repr(access) and "hush" not in repr(_application(access, {}))


@pytest.mark.parametrize("kind", ["temporary", "a worker's"])
def test_the_first_server_s_migrations_are_every_home_s(tmp_path: Path, monkeypatch, kind: str) -> None:
    """Half of a start on a new home; the database is in its place before the server looks, and none is kept of one that has runs."""
    had: list[bool] = []

    @contextmanager
    def started(*_: object) -> Iterator[SimpleNamespace]:
        database = Path(os.environ["PREFECT_HOME"]) / "prefect.db"
        had.append(database.is_file())
        with closing(sqlite3.connect(database)) as made:
            made.executescript(
                "CREATE TABLE IF NOT EXISTS alembic_version (name); CREATE TABLE IF NOT EXISTS flow_run (name)"
            )
        yield SimpleNamespace(poll=lambda: None, pid=1)

    monkeypatch.setattr(prefect_processes, "local_server", started)
    monkeypatch.setattr(prefect_processes, "_wait_for", lambda *_: None)

    def start(home: Path, cache: Path) -> None:
        home.mkdir(exist_ok=True)
        monkeypatch.setenv("PREFECT_HOME", str(home))
        if kind == "temporary":
            TemporaryServer(home, cache).wait()
        else:
            with closing(listening_anywhere()) as free:
                port = free.getsockname()[1]
            with server(home, port, cache):
                pass

    for name in ("first", "second", "second"):
        start(tmp_path / name, tmp_path / "cache")
    assert had == [False, True, True]
    with closing(sqlite3.connect(tmp_path / "second" / "prefect.db")) as used:
        used.executescript("INSERT INTO flow_run VALUES ('of people')")
    start(tmp_path / "second", tmp_path / "other cache")
    assert not list((tmp_path / "other cache").rglob("*.db"))
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "sqlite+aiosqlite:////elsewhere.db")
    start(tmp_path / "third", tmp_path / "cache")
    assert had[-1] is False, "its data are told to lie elsewhere"
