"""A mail server that says what a test tells it to: real SMTP over TCP, every answer scripted, a ledger of what came."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

DROP, HANG = "drop", "hang"
ANSWERS = {
    "BANNER": "220 mail.example.com",
    "EHLO": "250 mail.example.com",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 welcome",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    "DOT": "250 taken",
    "RSET": "250 ok",
    "NOOP": "250 ok",
    "QUIT": "221 bye",
}


class MailServer(socketserver.ThreadingTCPServer):
    """Answers by `answers`; DROP closes the connection instead, HANG says nothing until the server stops.

    `taken` is what arrived up to the final dot, whatever was answered then; `commands` is everything that clients said.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Line)
        self.answers = {**ANSWERS, **answers}
        self.taken: list[EmailMessage] = []
        self.commands: list[str] = []
        self.stopping = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Line(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        if not self._say("BANNER"):
            return
        while line := self.rfile.readline():
            words = line.decode("utf-8", "replace").strip()
            self.server.commands.append(words)
            verb = words.split(" ")[0].upper()
            verb = "EHLO" if verb == "HELO" else verb
            if not self._say(verb) or verb == "QUIT":
                return
            if verb == "DATA" and self.server.answers["DATA"].startswith("354"):
                self._take()
                if not self._say("DOT"):
                    return

    def _say(self, verb: str) -> bool:
        answer = self.server.answers.get(verb, "502 what")
        if answer == HANG:
            self.server.stopping.wait(30)
        if answer in (DROP, HANG):
            return False
        self.wfile.write(answer.replace("\n", "\r\n").encode() + b"\r\n")
        return True

    def _take(self) -> None:
        content = b""
        while (line := self.rfile.readline()) and line != b".\r\n":
            content += line[1:] if line.startswith(b"..") else line
        message: Any = message_from_bytes(content, policy=policy.default)
        self.server.taken.append(message)


@contextmanager
def mail_server(**answers: str) -> Iterator[MailServer]:
    """A running server; `answers` by verb, and BANNER and DOT."""
    server = MailServer(answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
