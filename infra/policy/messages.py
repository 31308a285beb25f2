"""Does Pub/Sub keep every message until somebody has looked?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra.policy.plan import UNKNOWN, Plan

WEEK, MONTH = 7 * 86400, 31 * 86400


def topics_reach_back(plan: Plan) -> Iterator[str]:
    """A replay may go back 31 days, so topics keep that long what was acknowledged."""
    for one in plan.of("pubsub_topic"):
        if _seconds(one.get("message_retention_duration")) < MONTH:
            yield f"{one.address}: message_retention_duration is {one.get('message_retention_duration')}"


def subscriptions_last(plan: Plan) -> Iterator[str]:
    """An idle subscription never expires, and keeps a week of messages."""
    for one in plan.of("pubsub_subscription"):
        if not one.all("expiration_policy") or one.get("expiration_policy.ttl") != "":
            yield f"{one.address}: it would expire; expiration_policy needs an empty ttl"
        if _seconds(one.get("message_retention_duration")) < WEEK:
            yield f"{one.address}: message_retention_duration is {one.get('message_retention_duration')}"


def dead_letters_are_kept(plan: Plan) -> Iterator[str]:
    """What a push refuses goes to a topic for dead letters, and that topic has a subscription that keeps it."""
    letters = {one.get("id"): one for one in plan.of("pubsub_topic") if one.get("name") == "dead-letters"}
    names = {*letters, *(one.get("name") for one in letters.values())}
    kept = False
    for one in plan.of("pubsub_subscription"):
        topic = one.get("topic")
        if topic in names or (topic == UNKNOWN and not one.get("push_config")):
            kept = kept or _seconds(one.get("message_retention_duration")) >= MONTH
            continue
        target, attempts = (
            one.get("dead_letter_policy.dead_letter_topic"),
            one.get("dead_letter_policy.max_delivery_attempts"),
        )
        if not target or target not in {*names, UNKNOWN} or not attempts or not 5 <= attempts <= 100:
            yield f"{one.address}: no dead_letter_policy, or one that leads elsewhere"
        if not one.get("retry_policy.minimum_backoff"):
            yield f"{one.address}: no retry_policy: a refused message comes again at once"
    if letters and not kept:
        yield "google_pubsub_topic: no subscription keeps dead letters for 31 days: they would be lost"
    for one in plan.of("pubsub_subscription"):
        if one.get("dead_letter_policy") and not _held(plan, one.get("name"), letters):
            yield f"{one.address}: Pub/Sub's own account may not move its dead letters"


def _held(plan: Plan, subscription: str, letters: dict[Any, Any]) -> bool:
    takes = any(
        one.get("subscription") in (subscription, UNKNOWN)
        and one.get("role") == "roles/pubsub.subscriber"
        and "gcp-sa-pubsub" in str(one.get("member"))
        for one in plan.of("pubsub_subscription_iam_member")
    )
    gives = any(
        one.get("topic") in ("dead-letters", *letters, UNKNOWN)
        and one.get("role") == "roles/pubsub.publisher"
        and "gcp-sa-pubsub" in str(one.get("member"))
        for one in plan.of("pubsub_topic_iam_member")
    )
    return takes and gives


def _seconds(duration: Any) -> float:
    return float(str(duration or "0s").removesuffix("s")) if duration != UNKNOWN else float("inf")
