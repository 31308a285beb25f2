"""How do WeCom and the SMS gateway answer? As the real ones: WeCom says 200 to everything and means its errcode."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from aiohttp import web

from infra.local.sinks.faults import HttpFaults
from infra.local.sinks.letters import Letter, Letters

WECHAT_TEXT_LIMIT = 2048  # bytes (facts 8)


class PhoneSinks:
    """`POST /sinks/wechat/cgi-bin/webhook/send?key=` and `POST /sinks/sms/send`."""

    def __init__(self, letters: Letters, clock: Callable[[], datetime]) -> None:
        self.wechat_faults = HttpFaults()
        self.sms_faults = HttpFaults()
        self._letters = letters
        self._clock = clock
        self._healed = asyncio.Event()

    def fail(self, wechat: HttpFaults, sms: HttpFaults) -> None:
        self.wechat_faults, self.sms_faults = wechat, sms
        self._healed.set()
        self._healed = asyncio.Event()

    def release(self) -> None:
        """Let go of whoever hangs."""
        self._healed.set()

    async def wechat(self, request: web.Request) -> web.Response:
        if self.wechat_faults.http_status:
            return web.Response(status=self.wechat_faults.http_status, text="not today")
        if self.wechat_faults.errcode:
            return _errcode(self.wechat_faults.errcode, "told to fail")
        if not request.query.get("key"):
            return _errcode(93000, "invalid webhook url")
        asked = await _object(request)
        kind = asked.get("msgtype")
        content = asked.get(str(kind))
        if kind not in ("text", "markdown") or not isinstance(content, dict):
            return _errcode(40008, "invalid message type")
        text = str(content.get("content") or "")
        if not text:
            return _errcode(44004, "empty content")
        if kind == "text" and len(text.encode()) > WECHAT_TEXT_LIMIT:
            return _errcode(40058, "content exceed max length")
        mentioned = [*(content.get("mentioned_list") or ()), *(content.get("mentioned_mobile_list") or ())]
        to = ",".join(map(str, mentioned)) or request.query["key"]
        self._keep("wechat", request, to, text.split("\n", 1)[0], text)
        await self._hang(self.wechat_faults)
        return _errcode(0, "ok")

    async def sms(self, request: web.Request) -> web.Response:
        if self.sms_faults.http_status:
            return web.json_response({"code": "ERROR", "message": "not today"}, status=self.sms_faults.http_status)
        if self.sms_faults.errcode:
            return web.json_response({"code": str(self.sms_faults.errcode), "message": "told to fail"})
        asked = await _object(request)
        to, text = str(asked.get("to") or ""), str(asked.get("text") or "")
        if not to or not text:
            return web.json_response({"code": "INVALID", "message": "to and text are needed"}, status=400)
        self._keep("sms", request, to, "", text)
        await self._hang(self.sms_faults)
        return web.json_response({"code": "OK", "message": "accepted"})

    def _keep(self, channel: str, request: web.Request, to: str, subject: str, body: str) -> None:
        delivery = request.headers.get("X-Belfry-Delivery")
        self._letters.add(channel, [Letter(self._clock(), to, subject, body, delivery)])

    async def _hang(self, faults: HttpFaults) -> None:
        if faults.hang:
            await self._healed.wait()


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.read())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _errcode(code: int, message: str) -> web.Response:
    return web.json_response({"errcode": code, "errmsg": message})
