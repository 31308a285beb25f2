"""What somebody may ask to be replayed: one delivery, one execution, or subscriptions since a time or a snapshot.

The same rules for the console and for the operator's command; a refusal names the field and what is allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from shared.config import CHANNELS
from shared.errors import InvalidRequest

LONGEST = timedelta(days=31)  # how long Pub/Sub keeps a message at most
MAX_REASON = 500
DEPENDENTS = "dispatch-dependents"
SUBSCRIPTIONS = (*(f"notify-{channel}" for channel in CHANNELS), DEPENDENTS)
_ID = r"[A-Za-z][A-Za-z0-9_.~+%-]{2,254}"


@dataclass(frozen=True)
class Asked:
    """Times are zone-aware; `since` and `until` also narrow an execution. Names may be short or full."""

    delivery: int | None = None
    execution: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    channel: str | None = None
    subscription: str | None = None
    snapshot: str | None = None
    resend: bool = False
    reason: str = ""

    @property
    def scope(self) -> Literal["delivery", "execution", "subscription"]:
        """What is replayed: only a subscription's replay asks Pub/Sub for anything."""
        if self.delivery is not None:
            return "delivery"
        return "execution" if self.execution is not None else "subscription"


def checked(asked: Asked, now: datetime, project: str) -> Asked:
    """The same with the short names of this project. Raises InvalidRequest naming the first field that is wrong."""
    _one_scope(asked)
    _window(asked, now)
    if asked.delivery is not None and not 0 < asked.delivery < 2**63:
        raise _wrong("delivery", "a delivery's id is a positive number", "1 to 9223372036854775807")
    if asked.channel is not None and asked.channel not in CHANNELS:
        raise _wrong("channel", "there is no such channel", list(CHANNELS))
    _reason(asked)
    short = replace(
        asked,
        subscription=_short("subscription", asked.subscription, project),
        snapshot=_short("snapshot", asked.snapshot, project),
    )
    if short.subscription is not None and short.subscription not in SUBSCRIPTIONS:
        raise _wrong("subscription", "there is no such push subscription", list(SUBSCRIPTIONS))
    if short.resend and short.subscription == DEPENDENTS:
        raise _wrong("resend", "only notifications can be sent again", "a channel's subscription")
    return short


def _one_scope(asked: Asked) -> None:
    scopes = {
        "delivery": asked.delivery is not None,
        "execution": asked.execution is not None,
        "channel": asked.channel is not None,
        "subscription": asked.subscription is not None,
    }
    given = [name for name, there in scopes.items() if there]
    if len(given) > 1:
        raise _wrong(given[1], f"{given[0]} is given as well", "one of delivery, execution, channel, subscription")
    if asked.snapshot is not None:
        if asked.scope != "subscription":
            raise _wrong("snapshot", f"a snapshot is of a subscription, not of one {asked.scope}", "no snapshot")
        for name in ("since", "until"):
            if getattr(asked, name) is not None:
                raise _wrong("snapshot", f"{name} is given as well", "a snapshot or a time")
    elif asked.scope == "subscription" and asked.since is None:
        raise _wrong("since", "nothing says from when on", "a time, or a snapshot, an execution, a delivery")


def _window(asked: Asked, now: datetime) -> None:
    for name in ("since", "until"):
        at = getattr(asked, name)
        if at is not None and at.tzinfo is None:
            raise _wrong(name, "the time has no offset", "a time with its offset, such as 2026-03-02T09:00+08:00")
        if at is not None and at > now:
            raise _wrong(name, "the time is in the future", f"up to {now.isoformat(timespec='seconds')}", 422)
    if asked.until is not None and asked.since is None:
        raise _wrong("until", "since is missing", "since and until")
    if asked.since is None:
        return
    if asked.until is not None and asked.until <= asked.since:
        raise _wrong("until", "it is not after since", f"after {asked.since.isoformat()}", 422)
    if asked.since < now - LONGEST:
        oldest = (now - LONGEST).isoformat(timespec="seconds")
        raise _wrong("since", "Pub/Sub keeps nothing longer than 31 days", f"from {oldest} on", 422)


def _reason(asked: Asked) -> None:
    if asked.resend and not asked.reason.strip():
        raise _wrong("reason", "what was sent is sent again only with a reason", f"up to {MAX_REASON} characters")
    if len(asked.reason) > MAX_REASON:
        raise _wrong("reason", "the reason is too long", f"up to {MAX_REASON} characters")
    if "\0" in asked.reason or any("\ud800" <= character <= "\udfff" for character in asked.reason):
        raise _wrong("reason", "the reason is not text", "text without NUL and lone surrogates")


def _short(kind: str, name: str | None, project: str) -> str | None:
    if name is None:
        return None
    full = re.fullmatch(rf"projects/(?P<project>[^/]+)/{kind}s/(?P<id>{_ID})", name)
    if full is not None and full["project"] != project:
        raise _wrong(kind, f"the {kind} is of another project", f"projects/{project}/{kind}s/ID")
    if full is None and not re.fullmatch(_ID, name):
        raise _wrong(kind, f"this is no {kind}'s name", f"ID, or projects/{project}/{kind}s/ID")
    return full["id"] if full is not None else name


def _wrong(field: str, message: str, allowed: Any, status: int = 400) -> InvalidRequest:
    return InvalidRequest(status, "invalid_field", message, field=field, allowed=allowed)
