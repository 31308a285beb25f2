"""How does a sink fail, when it is told to? Faults by channel, switched over HTTP, gone after a restart."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from shared.errors import BelfryError


class FaultError(BelfryError):
    """No sink can fail like that."""


@dataclass(frozen=True)
class EmailFaults:
    """In the order in which a mail server can let its client down. Codes are SMTP's, delays are seconds."""

    refuse_connect: bool = False  # nobody listens
    banner_delay_s: float = 0
    rcpt_reject: int = 0
    data_reject: int = 0  # after the text, instead of 250
    drop_after_data: bool = False  # kept, then the line breaks before 250: the client cannot know
    delay_dot_s: float = 0  # kept, then 250 comes late


@dataclass(frozen=True)
class HttpFaults:
    """Of WeCom and of the SMS gateway."""

    http_status: int = 0  # instead of 200; nothing is kept
    errcode: int = 0  # HTTP says 200, the answer says no; nothing is kept
    hang: bool = False  # kept, then no answer: the client cannot know


@dataclass(frozen=True)
class Faults:
    email: EmailFaults = EmailFaults()
    wechat: HttpFaults = HttpFaults()
    sms: HttpFaults = HttpFaults()

    def switched(self, asked: Mapping[str, Any]) -> "Faults":
        """These faults, with those of every channel in `asked` replaced; `{}` heals a channel.

        Raises FaultError naming the field and what is allowed; then nothing is switched.
        """
        kinds = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        for channel, faults in asked.items():
            if channel not in kinds:
                raise FaultError(f"{channel}: there is no such sink; allowed: {', '.join(kinds)}")
            if not isinstance(faults, Mapping):
                raise FaultError(f"{channel}: an object of faults is expected; {{}} heals the sink")
        chosen = {name: kind(**_checked(name, kind, asked[name])) for name, kind in kinds.items() if name in asked}
        return Faults(**{name: chosen.get(name, getattr(self, name)) for name in kinds})

    def json(self) -> dict[str, dict[str, Any]]:
        return asdict(self)


def _checked(channel: str, kind: type[EmailFaults] | type[HttpFaults], asked: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.name: type(field.default) for field in fields(kind)}
    for name, value in asked.items():
        if name not in known:
            raise FaultError(f"{channel}.{name}: there is no such fault; allowed: {', '.join(known)}")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (isinstance(value, bool) if known[name] is bool else number):
            raise FaultError(f"{channel}.{name}: {'true or false' if known[name] is bool else 'a number'} is expected")
        if name in ("rcpt_reject", "data_reject") and value and value not in range(400, 600):
            raise FaultError(f"{channel}.{name}: an SMTP code from 400 to 599 is expected, or 0")
        if name == "http_status" and value and value not in range(300, 600):
            raise FaultError(f"{channel}.{name}: an HTTP status from 300 to 599 is expected, or 0")
        if name.endswith("_s") and not 0 <= value <= 600:
            raise FaultError(f"{channel}.{name}: seconds from 0 to 600 are expected")
    return dict(asked)
