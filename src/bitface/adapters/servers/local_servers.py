"""Starts servers on 127.0.0.1 that nobody but their starter can use: a password per start, a guard before them, a port that is ours
from the first moment, and nothing in their environment that is worth reading.
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
"""The only one there is."""
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
"""All that a server's environment may hold, with the language (LC_*). A list of what is let in: nobody knows every secret's name."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """Where a server answers, and what it asks for."""

    port: int
    password: str = field(repr=False)

    @property
    def address(self) -> str:
        """What a browser opens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def user(self) -> str:
        """Whom the password is for."""
        return USER

    @property
    def sign_in(self) -> str:
        """User and password, as basic authentication joins them."""
        return f"{self.user}:{self.password}"


@dataclass(frozen=True, kw_only=True)
class Application:
    """An ASGI application "module:name", or the factory of one, and the settings that it is imported with."""

    tool: str
    name: str
    factory: bool
    asks_itself: bool
    """Whether it asks for the password, so that the guard need not."""
    settings: Mapping[str, str] = field(repr=False)


def access_to(listener: socket.socket) -> Access:
    """A new password for whoever will serve this port."""
    return Access(port=int(listener.getsockname()[1]), password=secrets.token_urlsafe(24))


@contextmanager
def local_server(
    application: Application, listener: socket.socket, access: Access, out: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A server on a socket that listens, while the block runs; the socket is its own from then on."""
    orders = {
        "app": application.name,
        "factory": application.factory,
        "password": None if application.asks_itself else access.password,
        "settings": dict(application.settings),
    }
    ends = os.pipe()
    with listener, os.fdopen(ends[0], "rb") as theirs, os.fdopen(ends[1], "wb") as ours:
        files = (listener.fileno(), theirs.fileno())
        words = ["bitface.adapters.servers.guarded_server", application.tool, *map(str, files)]
        environment = {**plain(os.environ), "PYTHONWARNINGS": "ignore"}  # a tool's own, which would talk over our lines
        with group(words, environment, out, files) as process:
            listener.close()
            theirs.close()
            with contextlib.suppress(BrokenPipeError):  # it ended already, as whoever waits for it finds out
                ours.write(json.dumps(orders).encode())
                ours.close()
            yield process


def plain(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment a server gets: no key, no password, no token."""
    return {name: value for name, value in environment.items() if name in _PLAIN or name.startswith("LC_")}
