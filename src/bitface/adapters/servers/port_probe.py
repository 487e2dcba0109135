"""Probes every port that this user's bitface listens on, without credentials, and reports the ways in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import closing
from http import HTTPStatus
from http.client import HTTP_PORT, HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

from bitface.adapters.servers.own_processes import listeners
from bitface.ports import Door

_TOOLS: Final = ("MLflow", "Prefect")
_DATA: Final = ("/api/admin/version", "/ajax-api/2.0/mlflow/experiments/search?max_results=1")
"""Addresses where Prefect and MLflow return data to authorized clients; requests change nothing."""
_OTHER_SITE: Final = "http://stranger.example"
_THIS_MACHINE: Final = ("127.0.0.1", "localhost", "::1")
_WAIT_S: Final = 5


def open_ports(named: str | None) -> tuple[Door, ...]:
    """Every port that is open now, in order, and the server that PREFECT_API_URL names, if it is a different one on this machine."""
    found = {port: (address, process) for process, address, port in listeners()}
    ours = [
        _door(address, port, _tool(process.cmdline()), process.pid)
        for port, (address, process) in sorted(found.items())
    ]
    server = urlsplit(named or "")
    port = server.port or HTTP_PORT
    if server.hostname not in _THIS_MACHINE or port in found:
        return tuple(ours)
    return (*ours, _door("127.0.0.1", port, "the server in PREFECT_API_URL", None))


def _door(address: str, port: int, tool: str, process: int | None) -> Door:
    try:
        return Door(tool=tool, port=port, process=process, open_to=tuple(_ways_in(address, port)))
    except TimeoutError:
        return Door(tool=tool, port=port, process=process, open_to=None)


def _tool(words: list[str]) -> str:
    return next((tool for tool in _TOOLS if tool.lower() in " ".join(words).lower()), "a server")


def _ways_in(address: str, port: int) -> Iterator[str]:
    host = {"Host": f"127.0.0.1:{port}"}
    other_page = {**host, "Origin": _OTHER_SITE, "Sec-Fetch-Site": "cross-site"}
    if not ipaddress.ip_address(address).is_loopback:
        yield "from other machines"
    if any(_is_let_in(port, path, host) for path in _DATA):
        yield "without a password"
    if any(_is_let_in(port, path, other_page) for path in ("/", *_DATA)):
        yield "from another site's page"
    if any(_is_let_in(port, path, {"Host": f"stranger.example:{port}"}) for path in ("/", *_DATA)):
        yield "under another host's name"


def _is_let_in(port: int, path: str, headers: Mapping[str, str]) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=_WAIT_S)) as connection:
        try:
            connection.request("GET", path, headers=dict(headers))
            answer = connection.getresponse()
        except TimeoutError:
            raise
        except (OSError, HTTPException):
            return False
    return answer.status < HTTPStatus.BAD_REQUEST or answer.headers.get("Access-Control-Allow-Origin") in (
        "*",
        _OTHER_SITE,
    )
