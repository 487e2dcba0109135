"""A real Prefect server on a temporary database: deployments, what they react to, runs that a crash left, messages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bitface.adapters.prefect_service import (
    ZOMBIES,
    Deployment,
    Reaction,
    close_left_running,
    deploy,
    notify,
    running_server,
    scheduled,
)
from bitface.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings("default")
EXPIRE = Deployment(name="expire", entrypoint="flows/expire.py:expire", description="at night", cron="30 2 * * *")
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
    with pytest.raises(InputError, match="is no schedule"):
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


def test_people_are_told_through_the_block_of_their_choice(api) -> None:
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    heard: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Hook) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{listener.server_port}/"
        block = CustomWebhookNotificationBlock(
            name="test", url=url, json_data={"subject": "{{subject}}", "body": "{{body}}"}
        )
        block.save("ours", overwrite=True)
        notify("custom-webhook/ours", "bitface retrain", "PROMOTED")
        listener.shutdown()
    assert heard == [{"subject": "bitface retrain", "body": "PROMOTED"}]
    with pytest.raises(InputError, match="no Prefect block"):
        notify("custom-webhook/nobody", "a", "b")


def test_a_server_that_does_not_answer_is_not_running(tmp_path) -> None:
    assert running_server(tmp_path) is None
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "server.json").write_text('{"url": "http://127.0.0.1:9/api"}')
    assert running_server(tmp_path) is None
