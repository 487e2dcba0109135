"""The process of one of our servers: any ASGI application behind the guard, on a socket that the parent process has bound.

Its instructions come through a pipe, since every user can read a process's arguments, and its owner its environment.
"""

from __future__ import annotations

import json
import os
import pkgutil
import socket
import sys

import uvicorn

from bitface.adapters.servers.guard import Guard


def main() -> None:
    """Serves until it is stopped; the arguments are the tool's name and the numbers of two open files, socket and pipe."""
    listener = socket.socket(fileno=int(sys.argv[2]))
    with os.fdopen(int(sys.argv[3]), "rb") as pipe:
        orders = json.load(pipe)
    os.environ.update(orders["settings"])  # before the application is imported, which reads them
    app = pkgutil.resolve_name(orders["app"])
    config = uvicorn.Config(
        Guard(app() if orders["factory"] else app, listener.getsockname()[1], orders["password"]),
        interface="asgi3",
        lifespan="on",
        log_level="error",
        proxy_headers=False,  # there is no proxy: such headers would only fake another client
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
