"""An SMTP conversation driven by phase, so that every failure says whether the message may have been taken.

smtplib's own `sendmail` hides a partial refusal and mixes "certainly not" with "perhaps" (facts 8): here each message
has one recipient, MAIL and RCPT come before the point of no return, DATA after it, and only what is lost between the
content and its answer is uncertain.
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from base64 import b64encode
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from ipaddress import ip_address

from shared.deliveries import SendFailedError
from shared.logs import redact

IMPLICIT_TLS = 465
# Says of the account, not of the message: authentication missing, wrong, too weak, or only over TLS.
_LOGIN_CODES = {530, 534, 535, 538}
_LOGINS = {"CRAM-MD5", "PLAIN", "LOGIN"}
_DOT = 2  # a server may look at a message for longer than it takes to answer a command


@dataclass(frozen=True)
class Account:
    """Where mail is handed over, and as whom; seconds for every answer of the server."""

    server: str
    port: int
    username: str
    password: str
    timeout: float


class Conversation:
    """One connection; after an error that ended it, `is_open` is false."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._smtp: smtplib.SMTP | None = None

    @property
    def is_open(self) -> bool:
        return self._smtp is not None and self._smtp.sock is not None

    def open(self) -> None:
        """Connect, greet, STARTTLS where it is offered, log in where a user is set."""
        a = self._account
        try:
            if a.port == IMPLICIT_TLS:
                self._smtp = smtplib.SMTP_SSL(a.server, a.port, timeout=a.timeout, context=ssl.create_default_context())
            else:
                self._smtp = smtplib.SMTP(a.server, a.port, timeout=a.timeout)
            self._smtp.ehlo_or_helo_if_needed()
            encrypted = a.port == IMPLICIT_TLS or self._start_tls(self._smtp)
            if a.username:
                self._log_in(self._smtp, encrypted)
        except SendFailedError:
            self._drop()
            raise
        except smtplib.SMTPAuthenticationError as error:
            self._drop()
            raise self._refused("auth", error.smtp_code, error.smtp_error) from None
        except ssl.SSLError as error:
            self._drop()
            raise SendFailedError("config", "tls", self._clean(f"no TLS with the server: {error}")) from None
        except smtplib.SMTPResponseException as error:
            self._drop()
            raise self._refused("connect", error.smtp_code, error.smtp_error) from None
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise SendFailedError("transient", "connect", self._clean(f"{type(error).__name__}: {error}")) from None

    def address(self, sender: str, recipient: str) -> None:
        """MAIL and RCPT: nothing is sent yet, every failure is certain."""
        smtp = self._smtp
        if smtp is None:
            raise SendFailedError("transient", "connect", "the connection is closed")
        try:
            code, answer = smtp.mail(sender)
            if code != 250:
                raise self._refused("mail", code, answer)
            code, answer = smtp.rcpt(recipient)
            if code not in (250, 251):
                raise self._refused("rcpt", code, answer)
        except SendFailedError:
            self._reset()
            raise
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise SendFailedError(
                "transient", "disconnected", self._clean(f"{type(error).__name__}: {error}")
            ) from None

    def data(self, message: EmailMessage) -> None:
        """DATA and the content. After the dot a missing answer is `uncertain`: the server may have the message."""
        smtp = self._smtp
        if smtp is None:
            raise SendFailedError("transient", "connect", "the connection is closed")
        content = _dotted(message.as_bytes(policy=SMTP_POLICY))
        try:
            code, answer = smtp.docmd("DATA")
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise SendFailedError(
                "transient", "disconnected", self._clean(f"{type(error).__name__}: {error}")
            ) from None
        if code != 354:
            self._reset()
            raise self._refused("data", code, answer)
        try:
            if smtp.sock is not None:
                smtp.sock.settimeout(self._account.timeout * _DOT)
            smtp.send(content)
            code, answer = smtp.getreply()
            if smtp.sock is not None:
                smtp.sock.settimeout(self._account.timeout)
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise SendFailedError("uncertain", "no_answer", self._clean(f"{type(error).__name__}: {error}")) from None
        if code == -1:
            self._drop()
            raise SendFailedError("uncertain", "no_answer", "the server answered something that is not SMTP")
        if code != 250:
            raise self._refused("dot", code, answer)

    def close(self) -> None:
        """QUIT; a server that is gone already has heard everything that counts."""
        if self._smtp is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._smtp.quit()
            self._drop()

    def _start_tls(self, smtp: smtplib.SMTP) -> bool:
        if not smtp.has_extn("starttls"):
            return False
        try:
            smtp.starttls(context=ssl.create_default_context())
        except smtplib.SMTPResponseException as error:
            raise self._refused("starttls", error.smtp_code, error.smtp_error) from None
        smtp.ehlo()
        return True

    def _log_in(self, smtp: smtplib.SMTP, encrypted: bool) -> None:
        if not encrypted and not _is_loopback(self._account.server):
            raise SendFailedError("config", "tls", "the server offers no TLS, and a password is not sent in clear")
        if not _LOGINS & set(smtp.esmtp_features.get("auth", "").upper().split()):
            raise SendFailedError("config", "auth", "the server does not take a login")
        smtp.login(self._account.username, self._account.password)

    def _reset(self) -> None:
        if self._smtp is not None:
            try:
                self._smtp.rset()
            except (smtplib.SMTPException, OSError):
                self._drop()

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    def _refused(self, phase: str, code: int, answer: bytes | str) -> SendFailedError:
        """4xx: later; 5xx: never; whatever concerns TLS or our login: the channel's own trouble."""
        if code == 421:  # the server said goodbye with it
            self._drop()
        words = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
        said = self._clean(f"{phase}: {code} {words}")
        if phase == "starttls" or (phase == "auth" and code >= 500) or code in _LOGIN_CODES:
            return SendFailedError("config", f"{phase}_{code}", said)
        if 500 <= code < 600 and phase != "connect":
            return SendFailedError("permanent", f"{phase}_{code}", said)
        return SendFailedError("transient", f"{phase}_{code}", said)

    def _clean(self, said: str) -> str:
        # A server may repeat what it was told, in clear or as it went over the wire.
        a = self._account
        for secret in (
            a.password,
            b64encode(a.password.encode()).decode(),
            b64encode(f"\0{a.username}\0{a.password}".encode()).decode(),
        ):
            if secret:
                said = said.replace(secret, "***")
        printable = "".join(c if c.isprintable() else " " for c in said)  # Postgres stores no NUL
        return redact(" ".join(printable.split()))[:500]


def _dotted(content: bytes) -> bytes:
    lines = content if content.endswith(b"\r\n") else content + b"\r\n"
    return (b"\r\n" + lines).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


def _is_loopback(server: str) -> bool:
    try:
        return ip_address(server).is_loopback
    except ValueError:
        return server == "localhost"
