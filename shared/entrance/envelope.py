"""What a Pub/Sub push says, understood strictly: which deliveries of which channel somebody should look at now.

A message that can never be understood is poison: it is put away with its reason, because bringing it again for a week
would not help.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.config import CHANNELS, config
from shared.entrance import trigger
from shared.errors import BelfryError, InvalidRequest

MAX_IDS = 1000


class PoisonError(BelfryError):
    """The message can never be understood; bringing it again will not help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Message:
    """Look at these deliveries of this channel. `now` is the local cloud's virtual clock, None the real one."""

    channel: str
    delivery_ids: tuple[int, ...]
    now: datetime | None


@dataclass(frozen=True)
class Finished:
    """A job of the topic `job-events` has succeeded; its dependents may look now."""

    job_id: str
    now: datetime | None


def parse(raw: bytes, function: str) -> Message:
    """Which deliveries a push to this channel function names; raises what `_unwrap` raises."""
    payload, now = _unwrap(raw, function)
    return Message(*_payload(payload), now)


def parse_event(raw: bytes, function: str) -> Finished:
    """Which job a push of `job-events` says has finished; raises what `_unwrap` raises."""
    payload, now = _unwrap(raw, function)
    if payload.get("v") != 1 or isinstance(payload.get("v"), bool):
        raise PoisonError("unknown_version")
    if payload.get("event") != "job.finished":
        raise PoisonError("unknown_event")
    if not isinstance(payload.get("job"), str):
        raise PoisonError("no_job")
    return Finished(payload["job"], now)


def _unwrap(raw: bytes, function: str) -> tuple[dict[str, Any], datetime | None]:
    """The payload of a push to this function (`notify_email` serves `notify-email`), and the local cloud's clock.

    Raises PoisonError with the reason, or InvalidRequest 403 when the message belongs to another subscription.
    """
    envelope = _object(raw, "envelope")
    message = envelope.get("message")
    if not isinstance(message, dict):
        raise PoisonError("no_message")
    subscription = envelope.get("subscription")
    if not isinstance(subscription, str):
        raise PoisonError("no_subscription")
    if subscription != f"projects/{config().project}/subscriptions/{function.replace('_', '-')}":
        raise InvalidRequest(403, "wrong_subscription", "this subscription is not served here", field="subscription")
    attempt = envelope.get("deliveryAttempt", 1)
    if not isinstance(attempt, int) or isinstance(attempt, bool):
        raise PoisonError("bad_delivery_attempt")
    attributes = message.get("attributes", {})
    if not isinstance(attributes, dict) or not all(isinstance(value, str) for value in attributes.values()):
        raise PoisonError("bad_attributes")
    data = message.get("data")
    if not isinstance(data, str):
        raise PoisonError("no_data")
    try:
        decoded = base64.b64decode(data, validate=True)
    except ValueError:
        raise PoisonError("bad_base64") from None
    return _object(decoded, "data"), _virtual_now(attributes)


def _payload(payload: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    if payload.get("v") != 1 or isinstance(payload.get("v"), bool):
        raise PoisonError("unknown_version")
    if payload.keys() - {"v", "channel", "delivery_ids", "execution_id"}:
        raise PoisonError("unknown_field")
    if payload.get("channel") not in CHANNELS:
        raise PoisonError("unknown_channel")
    try:
        if payload.get("execution_id") is not None:
            UUID(payload["execution_id"])
    except (ValueError, AttributeError, TypeError):
        raise PoisonError("bad_execution_id") from None
    ids = payload.get("delivery_ids")
    if not isinstance(ids, list) or not ids:
        raise PoisonError("no_delivery_ids")
    if len(ids) > MAX_IDS:
        raise PoisonError("too_many_deliveries")
    if not all(isinstance(i, int) and not isinstance(i, bool) and 0 < i < 2**63 for i in ids):
        raise PoisonError("bad_delivery_id")
    return payload["channel"], tuple(dict.fromkeys(ids))


def _object(raw: bytes, name: str) -> dict[str, Any]:
    try:
        return trigger.read_json(raw)
    except InvalidRequest as error:
        raise PoisonError(f"{name}_{error.code}") from None


def _virtual_now(attributes: Mapping[str, str]) -> datetime | None:
    if "now" not in attributes or not config().local_clock:
        return None
    try:
        now = datetime.fromisoformat(attributes["now"])
    except ValueError:
        raise PoisonError("bad_now") from None
    if now.tzinfo is None:
        raise PoisonError("bad_now")
    return now
