"""One SMTP conversation: what it says, in which order, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

import pytest

from shared.channels.smtp import Account, Conversation
from shared.deliveries import SendFailedError
from tests.smtp_server import DROP, MailServer, mail_server


@contextmanager
def conversation(server: MailServer, **account: str) -> Iterator[Conversation]:
    name, password = account.get("username", ""), account.get("password", "")
    line = Conversation(Account("127.0.0.1", server.port, name, password, timeout=0.5))
    yield line
    line.close()


def message(content: str = "你好\n") -> EmailMessage:
    written = EmailMessage()
    written["Subject"] = "x"
    written.set_content(content, cte="8bit")
    return written


def verbs(server: MailServer) -> list[str]:
    return [command.split(" ")[0].upper() for command in server.commands]


def test_the_phases_come_in_their_order_and_the_next_message_uses_the_same_line() -> None:
    with mail_server() as server, conversation(server) as line:
        line.open()
        for _ in range(2):
            line.address("bot@example.com", "a@example.com")
            line.data(message())
        line.close()
        assert verbs(server) == ["EHLO", "MAIL", "RCPT", "DATA", "MAIL", "RCPT", "DATA", "QUIT"]
        assert not line.is_open


def test_lines_that_begin_with_a_dot_arrive_as_they_are() -> None:
    content = ".\n..\n.hidden\nend\n"
    with mail_server() as server, conversation(server) as line:
        line.open()
        line.address("bot@example.com", "a@example.com")
        line.data(message(content))
        assert server.taken[0].get_content().replace("\r\n", "\n") == content


def test_after_a_refusal_the_line_is_clean_for_the_next_message() -> None:
    with mail_server(RCPT="550 no such user") as server, conversation(server) as line:
        line.open()
        with pytest.raises(SendFailedError):
            line.address("bot@example.com", "a@example.com")
        server.answers["RCPT"] = "250 ok"
        line.address("bot@example.com", "b@example.com")
        line.data(message())
        assert verbs(server) == ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize(("answers", "open_after"), [({"RCPT": "450 busy"}, True), ({"RCPT": "421 bye"}, False)])
def test_a_server_that_says_goodbye_is_not_spoken_to_again(answers: dict[str, str], open_after: bool) -> None:
    with mail_server(**answers) as server, conversation(server) as line:
        line.open()
        with pytest.raises(SendFailedError, match="rcpt"):
            line.address("bot@example.com", "a@example.com")
        assert line.is_open is open_after


def test_a_line_that_breaks_between_two_messages_is_noticed_before_anything_is_sent() -> None:
    with mail_server(DOT="250 taken") as server, conversation(server) as line:
        line.open()
        server.answers["MAIL"] = DROP
        with pytest.raises(SendFailedError) as failed:
            line.address("bot@example.com", "a@example.com")
        assert (failed.value.kind, failed.value.code) == ("transient", "disconnected")
        assert not line.is_open


def test_what_a_server_says_is_told_without_secrets_addresses_and_control_characters() -> None:
    with (
        mail_server(RCPT="550 <wang.fang@example.com> \x00\x1b[31m key=abc123 CANARY\n") as server,
        conversation(server, username="", password="CANARY") as line,
    ):
        line.open()
        with pytest.raises(SendFailedError) as failed:
            line.address("bot@example.com", "wang.fang@example.com")
        said = str(failed.value)
        assert said.startswith("rcpt: 550 <w***@example.com>")
        assert said.isprintable()
        assert not {"CANARY", "abc123", "wang.fang"} & set(said.replace("<", " ").replace("=", " ").split())


@pytest.mark.parametrize(
    ("answers", "kind", "code"),
    [
        ({"EHLO": "250-x\n250 AUTH GSSAPI"}, "config", "auth"),
        ({"EHLO": "250 x"}, "config", "auth"),
        ({"EHLO": "250-x\n250 AUTH PLAIN", "AUTH": "535 wrong"}, "config", "auth_535"),
        ({"EHLO": "250-x\n250 AUTH PLAIN", "AUTH": "454 later"}, "transient", "auth_454"),
        ({"EHLO": "250-x\n250 AUTH PLAIN", "AUTH": DROP}, "transient", "connect"),
    ],
)
def test_a_login_that_cannot_work_is_the_settings_fault_and_one_that_may_is_not(
    answers: dict[str, str], kind: str, code: str
) -> None:
    with mail_server(**answers) as server, conversation(server, username="bot", password="CANARY") as line:
        with pytest.raises(SendFailedError) as failed:
            line.open()
        assert (failed.value.kind, failed.value.code) == (kind, code)
        assert not line.is_open
