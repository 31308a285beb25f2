"""What a published message is, and the JSON body in which it is pushed."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Draft:
    """What a publisher hands in."""

    data: bytes
    attributes: Mapping[str, str]
    ordering_key: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What was published: the draft with the service's id and time (UTC)."""

    id: str
    published_at: datetime
    data: bytes
    attributes: Mapping[str, str]
    ordering_key: str = ""

    @property
    def size(self) -> int:
        """Bytes, as flow control counts them."""
        return len(self.data) + sum(len(key) + len(value) for key, value in self.attributes.items())


def dead_letter(message: Message, attempts: int, subscription: str) -> Draft:
    """The message as it goes to the dead letter topic: with where it came from, and how often it was tried."""
    _, project, _, name = subscription.split("/")
    epitaph = {
        "CloudPubSubDeadLetterSourceDeliveryCount": str(attempts),
        "CloudPubSubDeadLetterSourceSubscription": name,
        "CloudPubSubDeadLetterSourceSubscriptionProject": project,
        "CloudPubSubDeadLetterSourceTopicPublishTime": rfc3339(message.published_at),
    }
    return Draft(message.data, {**message.attributes, **epitaph}, message.ordering_key)


def push_body(subscription: str, message: Message, delivery_attempt: int) -> dict[str, Any]:
    """The wrapped push body of the real service (facts 3); `delivery_attempt` 0 = no dead letter policy, left out."""
    published = rfc3339(message.published_at)
    inner: dict[str, Any] = {
        "data": base64.b64encode(message.data).decode("ascii"),
        "attributes": dict(message.attributes),
        # The real service sends both spellings.
        "messageId": message.id,
        "message_id": message.id,
        "publishTime": published,
        "publish_time": published,
    }
    if message.ordering_key:
        inner["orderingKey"] = message.ordering_key
    body: dict[str, Any] = {"message": inner, "subscription": subscription}
    if delivery_attempt:
        body["deliveryAttempt"] = delivery_attempt
    return body


def rfc3339(moment: datetime) -> str:
    """Milliseconds and Z, as Google writes times in JSON."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
