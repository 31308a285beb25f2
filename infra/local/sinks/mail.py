"""How does mail arrive? Over real SMTP, one letter a recipient, faults included."""

import asyncio
import email.policy
import weakref
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session

from infra.local.sinks.faults import EmailFaults
from infra.local.sinks.letters import Letter, Letters


class MailSink:
    """An SMTP server on 127.0.0.1 without authentication; `faults` may be replaced at any time by `fail`."""

    def __init__(self, letters: Letters, clock: Callable[[], datetime], port: int = 0) -> None:
        self.faults = EmailFaults()
        self._letters = letters
        self._clock = clock
        self._port = port
        self._server: asyncio.Server | None = None
        self._lines: weakref.WeakSet[_Line] = weakref.WeakSet()

    async def start(self) -> str:
        await self._listen()
        return f"127.0.0.1:{self._port}"

    async def stop(self) -> None:
        self._deafen()
        for line in self._lines:
            line.hang_up()

    async def fail(self, faults: EmailFaults) -> None:
        self.faults = faults
        if faults.refuse_connect:
            self._deafen()
        elif self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        server = await asyncio.get_running_loop().create_server(self._answer, "127.0.0.1", self._port)
        self._server, self._port = server, server.sockets[0].getsockname()[1]

    def _answer(self) -> "_Line":
        line = _Line(self)
        self._lines.add(line)
        return line

    def _deafen(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    # What aiosmtpd asks its handler, by these names.

    async def handle_RCPT(  # noqa: N802
        self, line: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.faults.rcpt_reject:
            return f"{self.faults.rcpt_reject} no mailbox here by that name"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, line: "_Line", session: Session, envelope: Envelope) -> str:  # noqa: N802
        faults = self.faults
        if faults.data_reject:
            return f"{faults.data_reject} not this text"
        self._letters.add("email", _letters(envelope, self._clock()))
        await asyncio.sleep(faults.delay_dot_s)
        if faults.drop_after_data:
            line.hang_up()
        return "250 OK"


class _Line(SMTP):
    """One connection."""

    def __init__(self, sink: MailSink) -> None:
        super().__init__(sink, hostname="sink.belfry-local", enable_SMTPUTF8=True)
        self._sink = sink

    async def _handle_client(self) -> None:
        await asyncio.sleep(self._sink.faults.banner_delay_s)  # the greeting is the first thing that it sends
        await super()._handle_client()

    def hang_up(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()


def _letters(envelope: Envelope, at: datetime) -> list[Letter]:
    content: bytes = envelope.original_content or b""
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    part = message.get_body(preferencelist=("plain", "html"))
    body = str(part.get_content()).replace("\r\n", "\n") if part is not None else ""
    subject, delivery = str(message["Subject"] or ""), message["X-Belfry-Delivery"]
    return [Letter(at, to, subject, body, str(delivery) if delivery else None) for to in envelope.rcpt_tos]
