"""What answers on http://127.0.0.1:8080? Functions under /functions/<id>, the sinks, and the console for the rest."""

import socket
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from io import BytesIO
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from infra.local.host import FunctionHost, UnknownFunction
from shared.errors import Unavailable

LIMIT = 32 * 1024 * 1024  # bytes of a request, as on Cloud Run
PROXY_ONLY = ("proxy-authenticate", "proxy-authorization", "proxy-connection")
NOT_PASSED_ON = {*PROXY_ONLY, "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def listen(port: int) -> socket.socket:
    """The gateway's place: taken before anybody is told its URL. Port 0 takes a free one."""
    return socket.create_server(("127.0.0.1", port), backlog=512)


class Gateway:
    """The one address of the local cloud. `routes` are answered here instead of by a function.

    `now` is the virtual clock: a request that brings no time of its own is given this one.
    """

    def __init__(
        self,
        host: FunctionHost,
        routes: Iterable[web.RouteDef] = (),
        *,
        listener: socket.socket | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._host = host
        self._routes = list(routes)
        self._listener = listener or listen(0)
        self._now = now
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> str:
        self._session = aiohttp.ClientSession(
            # A connection a request: one kept open may close while a request is under way, and nobody would know what
            # became of that request. On the loopback a new one costs next to nothing.
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None, connect=10),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
        )
        app = web.Application(middlewares=[_only_this_machine], client_max_size=LIMIT)
        app.add_routes(self._routes)
        app.router.add_route("*", "/functions/{function}{rest:(/.*)?}", self._function)
        app.router.add_route("*", "/{rest:.*}", self._console)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, auto_decompress=False)
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener, backlog=512).start()
        host, port = self._runner.addresses[0]
        return f"{host}:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _function(self, request: web.Request) -> web.StreamResponse:
        function = request.match_info["function"]
        path = request.rel_url.raw_path.removeprefix(f"/functions/{function}") or "/"
        return await self._pass_on(request, function, path)

    async def _console(self, request: web.Request) -> web.StreamResponse:
        return await self._pass_on(request, "console", request.rel_url.raw_path)

    async def _pass_on(self, request: web.Request, function: str, path: str) -> web.StreamResponse:
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        body = await request.read()
        refused = ""
        for _ in range(2):
            try:
                async with self._host.serving(function) as url:
                    return await self._ask(request, URL(f"{url}{path}{query}", encoded=True), body)
            except UnknownFunction as error:
                return _problem(404, "unknown_function", str(error))
            except Unavailable as error:
                return _problem(503, "unavailable", str(error))
            except aiohttp.ClientConnectorError as error:
                # Not a byte was sent: the process died between two requests. Asked again, the host starts another.
                refused = str(error)
            except aiohttp.ClientError as error:
                # It may have done its work before it died: whoever asked decides, as with Cloud Run.
                return _problem(502, "function_died", f"{function} ended in the middle of the request: {error}")
        return _problem(503, "unavailable", f"{function} takes no connections: {refused}")

    async def _ask(self, request: web.Request, url: URL, body: bytes) -> web.StreamResponse:
        assert self._session is not None
        headers = _passed_on(request.headers)
        headers.popall("Content-Length", None)
        if self._now is not None:
            headers.setdefault("X-Belfry-Now", self._now().isoformat())
        asked = self._session.request(
            request.method, url, headers=headers, data=BytesIO(body) if body else None, allow_redirects=False
        )
        async with asked as answer:
            response = web.StreamResponse(
                status=answer.status, reason=answer.reason, headers=_passed_on(answer.headers)
            )
            await response.prepare(request)
            try:
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            except ConnectionResetError:
                return response  # whoever asked is gone; the function was heard to its end all the same
            except aiohttp.ClientPayloadError:
                # Half an answer is out: only a broken connection can still say that it is not the whole.
                if request.transport is not None:
                    request.transport.abort()
            return response


def _passed_on(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers that concern both ends; the rest concern one connection."""
    kept = CIMultiDict(headers)
    named = {name.strip().lower() for value in kept.getall("Connection", ()) for name in value.split(",")}
    for name in {name for name in kept if name.lower() in NOT_PASSED_ON | named}:
        kept.popall(name, None)
    return kept


@web.middleware
async def _only_this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Functions trust whoever reaches them on this machine, so no web page may: by name (DNS rebinding) or by form."""
    if URL(f"http://{request.host}").host not in LOOPBACK:
        return _problem(403, "forbidden", "this is the local cloud: ask 127.0.0.1 or localhost")
    origin = request.headers.get("Origin")
    writes = request.method not in ("GET", "HEAD", "OPTIONS")
    if writes and origin is not None and urlsplit(origin).netloc != request.host:
        return _problem(403, "forbidden", "a page of another origin may not write here")
    return await handler(request)


def _problem(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)
