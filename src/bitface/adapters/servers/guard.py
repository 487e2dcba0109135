"""Guards every server that we start: any page open in a browser can send requests to ports of this machine, so each request must
come from the server's own pages or from no page, to one of its own host names, and with the password if one is required.
"""

from __future__ import annotations

import base64
import hmac
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from bitface.adapters.servers.local_servers import USER

_NO_PAGE: Final = ("same-origin", "none")
"""Values of Sec-Fetch-Site that browsers send for a server's own pages and for a typed address."""


class Guard:
    """An ASGI application that passes allowed requests on, and refuses all others before the application sees them.

    A Host other than ours gets 421 (DNS rebinding of a foreign name to 127.0.0.1), a page of another origin 403 for any request:
    browsers send basic authentication and cookies along with a foreign form. Without the password: 401.
    """

    def __init__(self, app: ASGIApp, port: int, password: str | None) -> None:
        """`password` None: the application checks one itself."""
        self._app = app
        # Browsers omit the scheme's default port.
        self._hosts = tuple(f"{name}:{port}".removesuffix(":80") for name in ("127.0.0.1", "localhost"))
        self._sign_in = password and f"{USER}:{password}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None if scope["type"] == "lifespan" else self._refusal(Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(code=1008)(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, headers: Headers) -> PlainTextResponse | None:
        host = headers.getlist("host")
        if len(host) != 1 or host[0] not in self._hosts:
            return PlainTextResponse(
                f"This server is {' or '.join(self._hosts)}. Requests for other host names are refused.\n", 421
            )
        if any(origin != f"http://{host[0]}" for origin in headers.getlist("origin")) or any(
            site not in _NO_PAGE for site in headers.getlist("sec-fetch-site")
        ):
            return PlainTextResponse(
                "Requests from other sites' pages are refused. To open this page, type its address.\n", 403
            )
        if self._sign_in and not _is_signed_in(headers, self._sign_in):
            asks = {"WWW-Authenticate": 'Basic realm="bitface", charset="UTF-8"'}
            return PlainTextResponse("The password was printed when the server started.\n", 401, asks)
        return None


def _is_signed_in(headers: Headers, sign_in: str) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    try:
        return scheme.lower() == "basic" and hmac.compare_digest(base64.b64decode(given), sign_in.encode())
    except ValueError:
        return False
