"""Do the sinks keep what they are given, show it, and fail as they are told?"""

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from infra.local.sinks import Sinks

MORNING = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
HOOK = "/sinks/wechat/cgi-bin/webhook/send"


class Outside:
    """The sinks behind an HTTP server, and a mail client."""

    def __init__(self, url: str, smtp: str, session: aiohttp.ClientSession) -> None:
        self.url, self.session = url, session
        self.smtp_host, self.smtp_port = smtp.split(":")

    async def get(self, path: str) -> Any:
        async with self.session.get(self.url + path) as answer:
            return await answer.json()

    async def post(self, path: str, body: Any, **options: Any) -> Any:
        async with self.session.post(self.url + path, json=body, **options) as answer:
            return await answer.json()

    async def mail(self, *to: str, within: float = 5.0, text: str = "钟声：Great Tom\n.\n第三行") -> Any:
        """Send one message the way smtplib does; answers smtplib's own result."""
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = (
            "[CRITICAL] 齐套 – kit",
            "belfry@example.com",
            ", ".join(to),
        )
        message["X-Belfry-Delivery"] = "41"
        message.set_content(text)

        def send() -> Any:
            with smtplib.SMTP(self.smtp_host, int(self.smtp_port), timeout=within) as client:
                return client.send_message(message, to_addrs=list(to))

        return await asyncio.to_thread(send)


@asynccontextmanager
async def outside(
    folder: Path | None = None, clock: Callable[[], datetime] = lambda: MORNING
) -> AsyncIterator[Outside]:
    sinks = Sinks(folder, clock)
    smtp = await sinks.start()
    app = web.Application()
    app.add_routes(sinks.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            host, port = runner.addresses[0]
            yield Outside(f"http://{host}:{port}", smtp, session)
    finally:
        await sinks.stop()
        await runner.cleanup()


def test_mail_is_kept_decoded_one_letter_a_recipient() -> None:
    async def scene() -> Any:
        async with outside() as there:
            assert await there.mail("a@example.com", "b@example.com") == {}
            return await there.get("/sinks/email")

    kept = asyncio.run(scene())
    assert kept["count"] == 2
    assert [letter["to"] for letter in kept["messages"]] == ["a@example.com", "b@example.com"]
    assert kept["messages"][0] == {
        "at": "2026-03-02T01:00:00+00:00",
        "to": "a@example.com",
        "subject": "[CRITICAL] 齐套 – kit",
        "body": "钟声：Great Tom\n.\n第三行\n",
        "delivery_id": 41,
    }


def test_letters_outlive_a_restart(tmp_path: Path) -> None:
    async def scene() -> Any:
        async with outside(tmp_path) as there:
            await there.mail("a@example.com")
        async with outside(tmp_path) as there:
            return await there.get("/sinks/email")

    assert asyncio.run(scene())["count"] == 1


def test_since_and_limit_choose_the_latest_letters() -> None:
    moments = [MORNING + timedelta(hours=hour) for hour in range(3)]
    clock = iter(moments)

    async def scene() -> None:
        async with outside(clock=lambda: next(clock)) as there:
            for name in ("a", "b", "c"):
                await there.mail(f"{name}@example.com")
            later = await there.get("/sinks/email?since=2026-03-02T10:00:00%2B08:00")
            assert [letter["to"] for letter in later["messages"]] == ["b@example.com", "c@example.com"]
            last = await there.get("/sinks/email?limit=1")
            assert (last["count"], [letter["to"] for letter in last["messages"]]) == (3, ["c@example.com"])
            assert "since" in (await there.get("/sinks/email?since=yesterday"))["error"]["message"]
            assert "limit" in (await there.get("/sinks/email?limit=0"))["error"]["message"]

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"rcpt_reject": 550}, smtplib.SMTPRecipientsRefused),
        ({"data_reject": 451}, smtplib.SMTPDataError),
        ({"refuse_connect": True}, ConnectionRefusedError),
        ({"banner_delay_s": 5}, smtplib.SMTPServerDisconnected),
    ],
)
def test_a_mail_server_told_to_fail_fails_so_keeps_nothing_and_heals(
    faults: dict[str, Any], expected: type[Exception]
) -> None:
    async def scene() -> None:
        async with outside() as there:
            assert (await there.post("/sinks/faults", {"email": faults}))["email"].items() >= faults.items()
            with pytest.raises(expected):
                await there.mail("a@example.com", within=0.3)
            assert (await there.get("/sinks/email"))["count"] == 0
            await there.post("/sinks/faults", {"email": {}})
            await there.mail("a@example.com")
            assert (await there.get("/sinks/email"))["count"] == 1

    asyncio.run(scene())


@pytest.mark.parametrize("faults", [{"drop_after_data": True}, {"delay_dot_s": 5}])
def test_a_mail_server_can_keep_a_letter_and_not_say_so(faults: dict[str, Any]) -> None:
    async def scene() -> None:
        async with outside() as there:
            await there.post("/sinks/faults", {"email": faults})
            with pytest.raises(smtplib.SMTPServerDisconnected):
                await there.mail("a@example.com", within=0.3)
            assert (await there.get("/sinks/email"))["count"] == 1

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"pigeon": {}}, "pigeon"),
        ({"email": {"rcpt_reject": 250}}, "email.rcpt_reject"),
        ({"email": {"explode": True}}, "email.explode"),
        ({"email": {"banner_delay_s": "long"}}, "email.banner_delay_s"),
        ({"email": {"banner_delay_s": -1}}, "email.banner_delay_s"),
        ({"wechat": {"hang": 1}}, "wechat.hang"),
        ({"sms": {"http_status": 200}}, "sms.http_status"),
        ({"sms": 7}, "sms"),
        ([], "object"),
    ],
)
def test_a_fault_that_is_none_is_refused_and_nothing_is_switched(faults: Any, said: str) -> None:
    async def scene() -> None:
        async with outside() as there:
            before = await there.get("/sinks/faults")
            assert said in (await there.post("/sinks/faults", faults))["error"]["message"]
            assert await there.get("/sinks/faults") == before

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("path", "body", "errcode"),
    [
        (f"{HOOK}?key=k1", {"msgtype": "text", "text": {"content": "缺料\n两行", "mentioned_list": ["zhang"]}}, 0),
        (f"{HOOK}?key=k1", {"msgtype": "markdown", "markdown": {"content": "# 缺料"}}, 0),
        (HOOK, {"msgtype": "text", "text": {"content": "缺料"}}, 93000),
        (f"{HOOK}?key=k1", {"msgtype": "text", "text": {"content": ""}}, 44004),
        (f"{HOOK}?key=k1", {"msgtype": "text", "text": {"content": "缺" * 683}}, 40058),
        (f"{HOOK}?key=k1", {"msgtype": "carrier pigeon"}, 40008),
        (f"{HOOK}?key=k1", ["no object"], 40008),
    ],
)
def test_wecom_answers_by_errcode_and_keeps_only_what_it_took(path: str, body: Any, errcode: int) -> None:
    async def scene() -> None:
        async with outside() as there:
            assert (await there.post(path, body, headers={"X-Belfry-Delivery": "7"}))["errcode"] == errcode
            kept = await there.get("/sinks/wechat")
            assert kept["count"] == (errcode == 0)
            if kept["count"]:
                assert kept["messages"][0]["delivery_id"] == 7
                assert "缺料" in kept["messages"][0]["subject"]

    asyncio.run(scene())


def test_the_sms_gateway_keeps_a_text() -> None:
    async def scene() -> None:
        async with outside() as there:
            assert (await there.post("/sinks/sms/send", {"to": "+8613800000000", "text": "缺料"}))["code"] == "OK"
            assert (await there.post("/sinks/sms/send", {"to": "+8613800000000"}))["code"] == "INVALID"
            kept = await there.get("/sinks/sms")
            assert [(letter["to"], letter["body"]) for letter in kept["messages"]] == [("+8613800000000", "缺料")]

    asyncio.run(scene())


@pytest.mark.parametrize(("sink", "path"), [("wechat", f"{HOOK}?key=k1"), ("sms", "/sinks/sms/send")])
def test_phones_fail_as_they_are_told(sink: str, path: str) -> None:
    body = {"to": "+8613800000000", "text": "缺料", "msgtype": "text"} | {
        "text": "缺料" if sink == "sms" else {"content": "缺料"}
    }

    async def scene() -> None:
        async with outside() as there:
            await there.post("/sinks/faults", {sink: {"http_status": 503}})
            async with there.session.post(there.url + path, json=body) as answer:
                assert answer.status == 503
            await there.post("/sinks/faults", {sink: {"errcode": 45009}})
            answered = await there.post(path, body)
            assert 45009 in (answered.get("errcode"), int(answered.get("code", 0)))
            assert (await there.get(f"/sinks/{sink}"))["count"] == 0

            await there.post("/sinks/faults", {sink: {"hang": True}})
            with pytest.raises(TimeoutError):
                await there.post(path, body, timeout=aiohttp.ClientTimeout(total=0.3))
            assert (await there.get(f"/sinks/{sink}"))["count"] == 1

    asyncio.run(scene())


def test_the_page_shows_letters_in_both_languages_and_escapes_them() -> None:
    async def scene() -> None:
        async with outside() as there:
            await there.mail("a@example.com", text="<script>alert(1)</script>")
            await there.post("/sinks/faults", {"email": {"rcpt_reject": 550}})
            for language, title in (("zh", "已送达外部的消息"), ("en", "What the outside received")):
                async with there.session.get(f"{there.url}/sinks?lang={language}") as answer:
                    page = await answer.text()
                assert title in page
                assert "a@example.com" in page
                assert "rcpt_reject = 550" in page
                assert "<script>" not in page

    asyncio.run(scene())
