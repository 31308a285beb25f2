"""How does another system answer? `GET /sources/<system>` page by page since a time, `POST` takes rows by key.

`POST /sources/<system>/faults` makes it fail, `GET /sources/<system>/received` shows what was pushed to it.
"""

import asyncio
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from infra.local.sinks.faults import FaultError
from infra.local.sources.faults import SourceFaults, asked

MOST = 10_000  # rows of a page
Row = dict[str, Any]  # key, changed_at (ISO, perhaps without a zone), data or deleted


class Sources:
    """Systems by name. Whoever asks shows `token`; `faults` of a system may be set from the start."""

    def __init__(
        self, token: str, rows: Mapping[str, Iterable[Row]], faults: Mapping[str, SourceFaults] | None = None
    ) -> None:
        self._token = token
        self.rows: dict[str, list[Row]] = {name: list(own) for name, own in rows.items()}
        self.faults: dict[str, SourceFaults] = dict(faults or {})
        self.received: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self._healed = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sources/{system}", self._page),
            web.post("/sources/{system}", self._take),
            web.get("/sources/{system}/received", self._show),
            web.post("/sources/{system}/faults", self._switch),
        ]

    def release(self) -> None:
        """Let go of whoever hangs."""
        self._healed.set()

    async def _page(self, request: web.Request) -> web.StreamResponse:
        system, refusal = self._known(request)
        if refusal:
            return refusal
        faults = self.faults.get(system, SourceFaults())
        query = request.query
        start, limit = int(query.get("cursor", 0)), min(int(query.get("limit", 500)), MOST)
        if (failure := self._failure(faults, start // max(limit, 1))) is not None:
            return failure
        if faults.hang:
            await self._healed.wait()
        rows = self._since(system, query.get("since"), faults)
        page = [_spoiled(row, number, faults) for number, row in enumerate(rows[start : start + limit], start)]
        following = str(start + limit) if start + limit < len(rows) else None
        content = json.dumps({"rows": page, "next": following}, ensure_ascii=False)
        if faults.cut:
            content = content[: len(content) // 2]
        return web.Response(text=content, content_type="application/json")

    async def _take(self, request: web.Request) -> web.StreamResponse:
        system, refusal = self._known(request)
        if refusal:
            return refusal
        faults = self.faults.get(system, SourceFaults())
        if (failure := self._failure(faults, 0)) is not None:
            return failure
        rows = json.loads(await request.read())["rows"]
        refused = rows[: len(rows) * faults.reject_percent // 100]
        kept = self.received.setdefault(system, {})
        kept.update({row["key"]: row["data"] for row in rows[len(refused) :]})
        if faults.hang:
            await self._healed.wait()
        return web.json_response({
            "accepted": [row["key"] for row in rows[len(refused) :]],
            "rejected": [{"key": row["key"], "error": "told to refuse"} for row in refused],
        })  # fmt: skip

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self.received.get(request.match_info["system"], {}))

    async def _switch(self, request: web.Request) -> web.Response:
        system = request.match_info["system"]
        try:
            content = json.loads(await request.read())
            if not isinstance(content, dict):
                raise FaultError('an object is expected, such as {"http_status": 503}')
            self.faults[system] = asked(content)
        except (ValueError, FaultError) as error:
            return web.json_response({"error": {"code": "invalid_fault", "message": str(error)}}, status=400)
        self._healed.set()
        self._healed = asyncio.Event()
        return web.json_response(self.faults[system].json())

    def _known(self, request: web.Request) -> tuple[str, web.Response | None]:
        system = request.match_info["system"]
        self.requests.append((request.method, system, dict(request.query)))
        if not hmac.compare_digest(request.headers.get("Authorization", ""), f"Bearer {self._token}"):
            return system, web.json_response({"error": "who are you?"}, status=401)
        if system not in self.rows and request.method == "GET":
            return system, web.json_response({"error": "no such system"}, status=404)
        return system, None

    def _failure(self, faults: SourceFaults, page: int) -> web.Response | None:
        if page < faults.after_pages:
            return None
        if faults.retry_after:
            return web.Response(status=429, headers={"Retry-After": str(faults.retry_after)})
        return web.Response(status=faults.http_status) if faults.http_status else None

    def _since(self, system: str, since: str | None, faults: SourceFaults) -> list[Row]:
        rows = self.rows[system]
        gone = len(rows) * faults.vanish_percent // 100
        skew = timedelta(minutes=faults.skew_minutes)
        shown = [{**row, "changed_at": (_moment(row) + skew).isoformat()} for row in rows[gone:]]
        shown.sort(key=lambda row: (_aware(row), row["key"]))
        return [row for row in shown if since is None or _aware(row) >= datetime.fromisoformat(since)]


def _moment(row: Row) -> datetime:
    return datetime.fromisoformat(row["changed_at"])


def _aware(row: Row) -> datetime:
    """A time without a zone is the factory's."""
    moment = _moment(row)
    return moment if moment.tzinfo else datetime.fromisoformat(f"{row['changed_at']}+08:00")


def _spoiled(row: Row, number: int, faults: SourceFaults) -> Row:
    if number % 100 < faults.bad_percent and "data" in row:
        return {**row, "data": {**row["data"], "code": None}}
    return row
