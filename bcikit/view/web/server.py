"""The one web app: a page on 127.0.0.1, for whoever has its token. There is no setting that opens it to the network.

Every request must bear the token (in the address once, then in a cookie that no other site can send) and name this machine
as its host, so that neither another user's browser nor a page of the internet reaches it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...core.errors import WrongUse
from .live import Live

HERE = Path(__file__).parent
FILES = {"style.css": "text/css", **dict.fromkeys(("panels.js", "scene.js", "eeg.js", "app.js"), "text/javascript")}
COOKIE = "bcikit"
BEHIND = 25  # frames that a slow page may be behind before it misses some
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"


def app(live: Live, token: str, hosts: tuple[str, ...]) -> Any:
    """The application (ASGI). hosts: what a request may name as its host."""
    from starlette.applications import Starlette
    from starlette.requests import HTTPConnection
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect

    pages: set[asyncio.Queue[str]] = set()

    def known(c: HTTPConnection) -> bool:
        given = c.query_params.get("token") or c.cookies.get(COOKIE) or ""
        origin = c.headers.get("origin", "")
        here = c.headers.get("host", "") in hosts and (not origin or origin.removeprefix("http://") in hosts)
        return here and secrets.compare_digest(given.encode(), token.encode())

    def guarded(give: Callable[[], Response]) -> Callable[[Any], Any]:
        async def answer(request: Any) -> Response:
            if not known(request):
                return PlainTextResponse("This page needs the address that `bcikit demo` printed.", 403)
            response = give()
            response.headers["Content-Security-Policy"] = POLICY
            response.headers["Cache-Control"] = "no-store"
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict")
            return response

        return answer

    def file(name: str, kind: str) -> Callable[[], Response]:
        return lambda: Response((HERE / name).read_text(encoding="utf-8"), media_type=kind)

    async def talk(ws: WebSocket) -> None:
        if not known(ws):
            await ws.close(4403)
            return
        await ws.accept()
        queue: asyncio.Queue[str] = asyncio.Queue(BEHIND)
        pages.add(queue)

        async def send() -> None:
            while True:
                await ws.send_text(await queue.get())

        sender = asyncio.ensure_future(send())
        try:
            while True:
                _heard(live, await ws.receive_text())
        except WebSocketDisconnect:
            pass
        finally:
            pages.discard(queue)
            sender.cancel()
            live.leave()

    async def begin() -> None:
        turn = asyncio.get_running_loop()

        def spread(text: str) -> None:
            for queue in pages:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(text)

        def tell(frame: dict[str, Any]) -> None:
            text = json.dumps(frame, separators=(",", ":"))
            if not turn.is_closed():
                turn.call_soon_threadsafe(spread, text)

        live.tell = tell
        live.start()

    class Life:
        """Starlette's lifespan: the loop begins with the server and ends with it."""

        def __init__(self, _: Any) -> None: ...

        async def __aenter__(self) -> None:
            await begin()

        async def __aexit__(self, *_: object) -> None:
            live.tell = lambda frame: None
            await asyncio.to_thread(live.close)

    routes: list[Any] = [Route("/", guarded(file("index.html", "text/html")))]
    routes += [Route(f"/{name}", guarded(file(name, kind))) for name, kind in FILES.items()]
    return Starlette(routes=[*routes, WebSocketRoute("/live", talk)], lifespan=Life)


def _heard(live: Live, text: str) -> None:
    """What a page says: {do: NAME} or {hand: [x, y, pressed]}. What is neither is let pass."""
    try:
        said = json.loads(text)
        if "hand" in said:
            x, y, pressed = said["hand"]
            live.hand(float(x), float(y), bool(pressed))
        else:
            live.do(str(said["do"]))
    except (ValueError, TypeError, KeyError):
        return


def serve(live: Live, port: int = 0, browser: bool = True, say: Callable[[str], None] = print) -> None:
    """Serve until the demo's seconds are over or somebody ends it. Raises WrongUse where a library is missing."""
    try:
        import uvicorn
        import websockets  # noqa: F401  (without it uvicorn has no sockets)
        from starlette.applications import Starlette  # noqa: F401
    except ModuleNotFoundError as error:
        raise WrongUse(
            f"The page needs the library {error.name!r}, which is not installed.",
            do='pip install "bcikit[web]"    (in the terminal, without it: bcikit stream --board synthetic)',
        ) from error
    try:
        door = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise WrongUse(
            f"Port {port} is not free ({error.strerror}).", do="Leave --port out, and any free one is taken."
        ) from error
    number, token = door.getsockname()[1], secrets.token_urlsafe(18)
    hosts = (f"127.0.0.1:{number}", f"localhost:{number}")
    config = uvicorn.Config(app(live, token, hosts), log_level="error", lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    live.ended = lambda: setattr(server, "should_exit", True)
    address = f"http://127.0.0.1:{number}/?token={token}"
    say(f"The page (simulated; Ctrl-C ends it):  {address}")
    if browser:
        webbrowser.open(address)
    with door:
        server.run(sockets=[door])
    if live.error is not None:
        raise live.error
    say(live.last_word())
