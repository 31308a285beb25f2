"""Where does one look at what arrived? `GET /sinks` for people, `/sinks/email|wechat|sms` for programs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import jinja2
from aiohttp import web

from infra.local.sinks.faults import FaultError, Faults
from infra.local.sinks.letters import CHANNELS, Letters
from infra.local.sinks.mail import MailSink
from infra.local.sinks.phones import PhoneSinks

SHOWN, LIMIT = 50, 10_000  # letters of a channel on the page; in one answer


class Sinks:
    """The three sinks. `start` listens for mail and answers its address; the rest are `routes` of the gateway.

    `folder` None keeps letters in memory only; `clock` says when a letter arrived.
    """

    def __init__(self, folder: Path | None, clock: Callable[[], datetime], smtp_port: int = 0) -> None:
        self.letters = Letters(folder / "letters.sqlite" if folder else None)
        self._faults = Faults()
        self._mail = MailSink(self.letters, clock, smtp_port)
        self._phones = PhoneSinks(self.letters, clock)
        pages = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True)
        self._page = pages.get_template("page.html")

    async def start(self) -> str:
        return await self._mail.start()

    async def stop(self) -> None:
        self._phones.release()
        await self._mail.stop()
        self.letters.close()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sinks", self._show),
            web.get("/sinks/faults", self._show_faults),
            web.post("/sinks/faults", self._switch_faults),
            web.get("/sinks/{channel:email|wechat|sms}", self._list),
            web.post("/sinks/wechat/cgi-bin/webhook/send", self._phones.wechat),
            web.post("/sinks/sms/send", self._phones.sms),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        try:
            since = _moment(request.query.get("since"))
            limit = _limit(request.query.get("limit"))
        except ValueError as error:
            return web.json_response({"error": {"code": "invalid_query", "message": str(error)}}, status=400)
        channel = request.match_info["channel"]
        letters = self.letters.latest(channel, limit, since)
        return web.json_response(
            {"count": self.letters.count(channel, since), "messages": [letter.json() for letter in letters]},
            dumps=lambda content: json.dumps(content, ensure_ascii=False),
        )

    async def _show(self, request: web.Request) -> web.Response:
        language = request.query.get("lang", request.headers.get("Accept-Language", "zh"))
        page = self._page.render(
            zh=not language.lower().startswith("en"),
            sinks=[(channel, self.letters.count(channel), self.letters.latest(channel, SHOWN)) for channel in CHANNELS],
            faults=self._faults.json(),
        )
        policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def _show_faults(self, request: web.Request) -> web.Response:
        return web.json_response(self._faults.json())

    async def _switch_faults(self, request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read())
            if not isinstance(asked, dict):
                raise FaultError('an object is expected, such as {"email": {"rcpt_reject": 550}}')
            faults = self._faults.switched(asked)
        except (ValueError, FaultError) as error:
            return web.json_response({"error": {"code": "invalid_fault", "message": str(error)}}, status=400)
        self._faults = faults
        await self._mail.fail(faults.email)
        self._phones.fail(faults.wechat, faults.sms)
        return web.json_response(faults.json())


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("since: an RFC 3339 time is expected, such as 2026-03-02T09:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT
    if not text.isdecimal() or not 1 <= int(text) <= LIMIT:
        raise ValueError(f"limit: a number from 1 to {LIMIT} is expected")
    return int(text)
