"""Starts servers on 127.0.0.1 that only their starter can use: a new password at each start, a guard in front, a port that is
reserved from the beginning, and no secrets in their environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from bitface.adapters.servers.own_processes import group

USER: Final = "bitface"
"""The only user name."""
_PLAIN: Final = frozenset(
    {
        "DO_NOT_TRACK",
        "HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "PATH",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
    }
)
"""All that a server's environment may contain, besides the language (LC_*). An allowlist: names of secrets cannot all be known."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """The address of a server, and its password."""

    port: int
    password: str = field(repr=False)

    @property
    def address(self) -> str:
        """The address to open in a browser."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def user(self) -> str:
        """The user name that goes with the password."""
        return USER

    @property
    def sign_in(self) -> str:
        """User and password, as basic authentication joins them."""
        return f"{self.user}:{self.password}"


@dataclass(frozen=True, kw_only=True)
class Application:
    """An ASGI application "module:name", or the factory of one, and the environment variables that it is imported with."""

    tool: str
    name: str
    factory: bool
    checks_password: bool
    """Whether it checks the password itself, so that the guard need not."""
    settings: Mapping[str, str] = field(repr=False)


def access_to(listener: socket.socket) -> Access:
    """The address of this port, with a new password."""
    return Access(port=int(listener.getsockname()[1]), password=secrets.token_urlsafe(24))


@contextmanager
def local_server(
    application: Application, listener: socket.socket, access: Access, out: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server on a listening socket while the block runs; it takes over the socket."""
    orders = {
        "app": application.name,
        "factory": application.factory,
        "password": None if application.checks_password else access.password,
        "settings": dict(application.settings),
    }
    ends = os.pipe()
    with listener, os.fdopen(ends[0], "rb") as reader, os.fdopen(ends[1], "wb") as writer:
        files = (listener.fileno(), reader.fileno())
        words = ["bitface.adapters.servers.guarded_server", application.tool, *map(str, files)]
        environment = {
            **plain(os.environ),
            "PYTHONWARNINGS": "ignore",
        }  # the tool's own output, which would mix with ours
        with group(words, environment, out, files) as process:
            listener.close()
            reader.close()
            with contextlib.suppress(BrokenPipeError):  # it has ended already, which its waiter will notice
                writer.write(json.dumps(orders).encode())
                writer.close()
            yield process


def plain(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that a server gets: no key, no password, no token."""
    return {name: value for name, value in environment.items() if name in _PLAIN or name.startswith("LC_")}
