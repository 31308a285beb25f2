"""What a topic or subscription resource asks for: checked against the API's limits, defaults filled in, then frozen.

The checks take the protobuf resource and answer with the complete one; `settings_of` reads what the broker acts on.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import grpc
from google.pubsub_v1 import types

from infra.local.pubsub.errors import RefusedError, invalid, unimplemented
from infra.local.pubsub.filters import Filter, compile_filter

DELETED_TOPIC = "_deleted-topic_"
_NAME = re.compile(r"projects/[a-z0-9][a-z0-9.:-]*/(?P<kind>[a-z]+)/(?P<id>[A-Za-z][A-Za-z0-9_.~+%-]{2,254})")
_DAY = 24 * 3600


@dataclass(frozen=True)
class Backoff:
    """Exponential, from `minimum` to `maximum`, doubling with every failure."""

    minimum: timedelta
    maximum: timedelta

    def after(self, failures: int) -> timedelta:
        """How long a message rests after its n-th failure."""
        # 2**30 s is past any maximum; the bound keeps a long-failing message from overflowing timedelta.
        doubled = self.minimum * 2 ** min(failures - 1, 30) if self.minimum else self.minimum
        return min(doubled, self.maximum)


@dataclass(frozen=True)
class DeadLetter:
    """Where a message goes that failed `max_attempts` times."""

    topic: str
    max_attempts: int


@dataclass(frozen=True)
class Push:
    """Where messages are posted, and as whom (`service_account` empty = without a token)."""

    endpoint: str
    service_account: str
    audience: str


@dataclass(frozen=True)
class Settings:
    """What the broker and the push sender need to know of a subscription."""

    ack_deadline: timedelta
    retention: timedelta
    retain_acked: bool
    matches: Filter
    backoff: Backoff | None
    dead_letter: DeadLetter | None
    push: Push | None


def check_name(name: str, kind: str) -> None:
    """`projects/P/<kind>/ID`; ID 3-255 characters, a letter first, not "goog"."""
    match = _NAME.fullmatch(name)
    if match is None or match["kind"] != kind or match["id"].lower().startswith("goog"):
        raise invalid(f"Invalid [{kind}] name: (name={name})")


def check_project(project: str) -> None:
    """`projects/P`."""
    if not re.fullmatch(r"projects/[a-z0-9][a-z0-9.:-]*", project):
        raise invalid(f"Invalid project name: (name={project})")


def checked_topic(topic: types.Topic) -> types.Topic:
    """The topic as it will be stored."""
    check_name(topic.name, "topics")
    for field in ("schema_settings", "ingestion_data_source_settings", "message_transforms", "kms_key_name"):
        if field in topic:
            raise unimplemented(f"Topic.{field}")
    if "message_retention_duration" in topic:
        _between(_seconds(topic, "message_retention_duration"), 600, 31 * _DAY, "message_retention_duration")
    _raw(topic).state = types.Topic.State.ACTIVE
    return topic


def topic_retention(topic: types.Topic) -> timedelta | None:
    """How long the topic itself keeps what was published, for a later seek."""
    if "message_retention_duration" not in topic:
        return None
    return timedelta(seconds=_seconds(topic, "message_retention_duration"))


def checked_subscription(subscription: types.Subscription) -> types.Subscription:
    """The subscription as it will be stored: every default written out."""
    check_name(subscription.name, "subscriptions")
    for field in ("bigquery_config", "cloud_storage_config", "bigtable_config", "message_transforms"):
        if field in subscription:
            raise unimplemented(f"Subscription.{field}")
    for flag in ("enable_message_ordering", "enable_exactly_once_delivery"):
        if getattr(subscription, flag):
            raise unimplemented(f"Subscription.{flag}")
    subscription.ack_deadline_seconds = subscription.ack_deadline_seconds or 10
    _between(subscription.ack_deadline_seconds, 10, 600, "ack_deadline_seconds")
    raw = _raw(subscription)
    if "message_retention_duration" not in subscription:
        raw.message_retention_duration.seconds = 7 * _DAY
    _between(_seconds(subscription, "message_retention_duration"), 600, 31 * _DAY, "message_retention_duration")
    if "expiration_policy" not in subscription:
        raw.expiration_policy.ttl.seconds = 31 * _DAY
    # An empty policy means never; the local Pub/Sub keeps an idle subscription either way.
    elif "ttl" in subscription.expiration_policy:
        _between(_seconds(subscription.expiration_policy, "ttl"), _DAY, 365 * _DAY, "expiration_policy.ttl")
    compile_filter(subscription.filter)
    _check_retry(subscription)
    _check_dead_letter(subscription)
    _check_push(subscription.push_config)
    if "push_config" not in subscription:
        raw.push_config.SetInParent()
    raw.state = types.Subscription.State.ACTIVE
    return subscription


def settings_of(subscription: types.Subscription) -> Settings:
    """The frozen reading of a checked subscription."""
    backoff = dead_letter = push = None
    if "retry_policy" in subscription:
        policy = subscription.retry_policy
        backoff = Backoff(
            timedelta(seconds=_seconds(policy, "minimum_backoff")),
            timedelta(seconds=_seconds(policy, "maximum_backoff")),
        )
    if subscription.dead_letter_policy.dead_letter_topic:
        letter = subscription.dead_letter_policy
        dead_letter = DeadLetter(letter.dead_letter_topic, letter.max_delivery_attempts)
    if subscription.push_config.push_endpoint:
        config = subscription.push_config
        audience = config.oidc_token.audience or config.push_endpoint
        push = Push(config.push_endpoint, config.oidc_token.service_account_email, audience)
        # Without a retry policy the real service spaces failed pushes out by itself, 100 ms to 60 s.
        backoff = backoff or Backoff(timedelta(milliseconds=100), timedelta(seconds=60))
    return Settings(
        ack_deadline=timedelta(seconds=subscription.ack_deadline_seconds),
        retention=timedelta(seconds=_seconds(subscription, "message_retention_duration")),
        retain_acked=subscription.retain_acked_messages,
        matches=compile_filter(subscription.filter),
        backoff=backoff,
        dead_letter=dead_letter,
        push=push,
    )


def _check_retry(subscription: types.Subscription) -> None:
    if "retry_policy" not in subscription:
        return
    policy, raw = subscription.retry_policy, _raw(subscription).retry_policy
    if "minimum_backoff" not in policy:
        raw.minimum_backoff.seconds = 10
    if "maximum_backoff" not in policy:
        raw.maximum_backoff.seconds = 600
    minimum, maximum = _seconds(policy, "minimum_backoff"), _seconds(policy, "maximum_backoff")
    _between(minimum, 0, 600, "minimum_backoff")
    _between(maximum, 0, 600, "maximum_backoff")
    if minimum > maximum:
        raise invalid("The value for minimum_backoff must not be greater than maximum_backoff.")


def _check_dead_letter(subscription: types.Subscription) -> None:
    if "dead_letter_policy" not in subscription:
        return
    policy = subscription.dead_letter_policy
    check_name(policy.dead_letter_topic, "topics")
    policy.max_delivery_attempts = policy.max_delivery_attempts or 5
    if not 5 <= policy.max_delivery_attempts <= 100:
        # Google answers OUT_OF_RANGE here and INVALID_ARGUMENT for the other limits.
        raise RefusedError(
            grpc.StatusCode.OUT_OF_RANGE,
            f"The value for max_delivery_attempts is out of bounds. You passed {policy.max_delivery_attempts} "
            "in the request, but the value must be between 5 and 100.",
        )


def _check_push(config: types.PushConfig) -> None:
    if "no_wrapper" in config:
        raise unimplemented("PushConfig.no_wrapper")
    if not config.push_endpoint:
        if "oidc_token" in config:
            raise invalid("push_config.oidc_token needs a push_endpoint.")
        return
    parts = urlsplit(config.push_endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise invalid(f"Unsupported push_endpoint: {config.push_endpoint} is not an http or https URL.")
    if "oidc_token" in config and not config.oidc_token.service_account_email:
        raise invalid("push_config.oidc_token.service_account_email must be set.")


def _between(value: float, low: float, high: float, field: str) -> None:
    if not low <= value <= high:
        raise invalid(
            f"The value for {field} is out of bounds. You passed {value:g} s in the request, "
            f"but the value must be between {low:g} s and {high:g} s."
        )


def _seconds(message: Any, field: str) -> float:
    """A Duration as it is on the wire: proto-plus would turn an out-of-range one into an OverflowError."""
    duration = getattr(_raw(message), field)
    return float(duration.seconds) + float(duration.nanos) / 1e9


def _raw(message: Any) -> Any:
    return type(message).pb(message)
