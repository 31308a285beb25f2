"""E-mail: one message per person, with an identity that is the same whenever it is sent again (P7)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from sqlalchemy import Connection

from shared import i18n, schedule
from shared.channels import outside
from shared.channels.smtp import Account, Conversation
from shared.config import Config, config
from shared.deliveries import Claimed, SendFailedError

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDR_SPEC = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_SUBJECT_LENGTH = 200


def deliver(db: Connection, ids: Sequence[int]) -> Mapping[str, int]:
    """Send these deliveries by SMTP."""
    return outside.send(db, ids, "email", Email(config()))


class Email:
    """The e-mail side of `outside.Sender`."""

    def __init__(self, settings: Config) -> None:
        self._settings = settings
        self._conversation = Conversation(
            Account(
                settings.email_server,
                settings.email_port,
                settings.email_username,
                settings.email_password,
                settings.email_timeout,
            )
        )
        self._message = EmailMessage()

    @property
    def is_open(self) -> bool:
        return self._conversation.is_open

    def open(self) -> None:
        """Reach the mail server."""
        self._conversation.open()

    def prepare(self, delivery: Claimed) -> None:
        """Write the message and announce sender and recipient."""
        self._message = compose(delivery, self._settings)
        self._conversation.address(parseaddr(self._settings.email_from)[1], delivery.target)

    def transmit(self) -> str:
        """Hand the message over; answers its Message-ID."""
        self._conversation.data(self._message)
        return str(self._message["Message-ID"])

    def close(self) -> None:
        """Say goodbye."""
        self._conversation.close()


def compose(delivery: Claimed, settings: Config) -> EmailMessage:
    """The message of one delivery: text and HTML, in the reader's language.

    Raises SendFailedError when the address is not exactly one addr-spec, or the text cannot be made.
    """
    from jinja2 import TemplateError

    if len(delivery.target) > 254 or not _ADDR_SPEC.fullmatch(delivery.target):
        raise SendFailedError("permanent", "invalid_address", "the address is not one plain mail address")
    name, sender = parseaddr(settings.email_from)
    if not _ADDR_SPEC.fullmatch(sender):
        raise SendFailedError("config", "invalid_sender", "EMAIL_FROM is not a mail address")
    language = i18n.language_of(delivery.language)
    facts = {"level": delivery.severity, **delivery.facts, "time_zone": delivery.time_zone}
    try:
        words = i18n.render(delivery.type, language, facts, reason=delivery.reason)
    except (TemplateError, ArithmeticError, ValueError, TypeError, KeyError) as error:
        raise SendFailedError("permanent", "no_text", f"no text for {delivery.type}: {type(error).__name__}") from error
    link = f"{settings.belfry_url}/alerts/{delivery.alert_id}" if delivery.alert_id else None
    level = i18n.level_name(delivery.severity, "zh") if language == "zh" else delivery.severity
    message = EmailMessage()
    message["Subject"] = f"[{level}] {words.title}"[:_SUBJECT_LENGTH]
    message["From"] = Address(name, addr_spec=sender)
    message["To"] = Address(addr_spec=delivery.target)
    message["Date"] = format_datetime(schedule.now())
    message["Message-ID"] = f"<{delivery.id}.{delivery.generation}@{sender.partition('@')[2]}>"
    message["X-Belfry-Delivery"] = str(delivery.id)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(words.body + (f"\n\n{link}" if link else "") + "\n", cte="base64")
    message.add_alternative(
        i18n.render_html(language, words, level=delivery.severity, link=link, reference=delivery.facts.get("alert_no")),
        subtype="html",
        cte="base64",
    )
    return message
