"""The guard before our servers: what a browser says of a request decides, whatever the request asks for."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from bitface.adapters.servers.guard import Guard
from bitface.adapters.servers.local_servers import plain

OWN = {"Host": "127.0.0.1:4200"}
PASSWORD = {"Authorization": "Basic " + base64.b64encode(b"bitface:open sesame").decode()}


def asked(headers: dict[str, str] | list[tuple[str, str]], kind: str = "http", password: str | None = None) -> Any:
    """The status of the guard's answer, "in" where the application was reached; a websocket's close code."""
    said: list[Any] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        said.append("in")

    async def send(message: Any) -> None:
        said.extend(message[key] for key in ("status", "code") if key in message)

    async def receive() -> Any:
        return {"type": "http.request"}

    pairs = headers.items() if isinstance(headers, dict) else headers
    scope = {
        "type": kind,
        "method": "POST",
        "path": "/api/flows/",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
    }
    asyncio.run(Guard(inside, 4200, password)(scope, receive, send))
    return said[0]


@pytest.mark.parametrize(
    "headers",
    [
        OWN,
        {"Host": "localhost:4200"},
        {**OWN, "Origin": "http://127.0.0.1:4200", "Sec-Fetch-Site": "same-origin"},
        {"Host": "localhost:4200", "Origin": "http://localhost:4200"},
        {**OWN, "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_own_pages_typed_addresses_and_programs_come_in(headers, kind) -> None:
    assert asked(headers, kind) == "in"


@pytest.mark.parametrize(
    "host",
    [
        "stranger.example:4200",
        "127.0.0.1.stranger.example:4200",
        "localhost.stranger.example:4200",
        "stranger.example",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:42000",
        "127.0.0.1:4200:4200",
        "localhost",
        "0.0.0.0:4200",
        "[::1]:4200",
        "127.0.0.2:4200",
        "user@127.0.0.1:4200",
        "",
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_another_name_is_refused_even_with_the_password(host, kind) -> None:
    refused = {"http": 421, "websocket": 1008}[kind]
    for origin in ({}, {"Origin": f"http://{host}"}):
        assert asked({"Host": host, **origin, **PASSWORD}, kind, "open sesame") == refused


def test_no_name_and_two_names_are_refused() -> None:
    assert asked({}) == 421
    assert asked([("Host", "127.0.0.1:4200"), ("Host", "stranger.example")]) == 421


@pytest.mark.parametrize(
    "page",
    [
        {"Origin": "http://stranger.example"},
        {"Origin": "https://127.0.0.1:4200"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://localhost:4200"},
        {"Origin": "http://127.0.0.1:4200.stranger.example"},
        {"Origin": "chrome-extension://abc"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "of tomorrow"},
        {"Origin": "http://127.0.0.1:4200", "Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_another_page_is_refused_even_with_the_password(page, kind) -> None:
    refused = {"http": 403, "websocket": 1008}[kind]
    assert asked({**OWN, **page, **PASSWORD}, kind, "open sesame") == refused


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Basic",
        "Basic !",
        "Basic é",
        "Basic " + base64.b64encode(b"bitface:").decode(),
        "Basic " + base64.b64encode(b"bitface:open sesam").decode(),
        "Basic " + base64.b64encode(b"admin:open sesame").decode(),
        "Bearer " + base64.b64encode(b"bitface:open sesame").decode(),
        "Bearer open sesame",
    ],
)
def test_another_password_is_refused(given) -> None:
    assert asked({**OWN, "Authorization": given}, "http", "open sesame") == 401
    assert asked({**OWN, "Authorization": given}, "websocket", "open sesame") == 1008


def test_the_password_opens() -> None:
    assert asked({**OWN, **PASSWORD}, "http", "open sesame") == "in"


def test_the_schemes_own_port_is_left_out_as_browsers_do() -> None:
    assert Guard(None, 80, None)._hosts == ("127.0.0.1", "localhost")  # type: ignore[arg-type]


def test_a_servers_environment_holds_no_secret() -> None:
    secrets = dict.fromkeys(
        (
            "BITFACE_MASTER_KEY",
            "BITFACE_MASTER_KEY_NEXT",
            "BITFACE_MASTER_KEY_COMMAND",
            "BITFACE_LEDGER_URL",
            "AWS_SECRET_ACCESS_KEY",
            "AZURE_CLIENT_SECRET",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GITHUB_TOKEN",
            "OPENLINEAGE_API_KEY",
            "MLFLOW_TRACKING_PASSWORD",
            "PREFECT_API_KEY",
            "PREFECT_API_AUTH_STRING",
            "PREFECT_SERVER_DATABASE_PASSWORD",
            "PGPASSWORD",
            "A_SECRET_OF_TOMORROW",
        ),
        "hush",
    )
    kept = {"PATH": "/bin", "HOME": "/home/a", "LC_ALL": "C", "PYTHONPATH": "src"}
    assert plain({**secrets, **kept}) == kept
