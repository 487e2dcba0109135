"""What stands before every server that we start: a browser sends requests of any page that is open to ports of this machine too, so
each must come from the server's own pages or from no page, to a name of its own, and where it is asked for with the password.
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
"""What browsers say in Sec-Fetch-Site of a server's own pages and of an address that a person typed."""


class Guard:
    """An ASGI application that hands on what may come in, and refuses the rest before the application hears of it.

    A Host other than ours is 421 (the DNS rebinding of a stranger's name to 127.0.0.1), a page of another origin 403, whatever it
    asks for: browsers send basic authentication and cookies along with a stranger's form. Without the password: 401.
    """

    def __init__(self, app: ASGIApp, port: int, password: str | None) -> None:
        """`password` None: the application asks for one itself."""
        self._app = app
        # Browsers leave the scheme's own port out.
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
