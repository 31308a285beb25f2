"""Publish outbox messages: the one place that holds a Pub/Sub client, made when the first message leaves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from functools import cache
from typing import Any

from shared import logs
from shared.config import config
from shared.outbox import OutboxMessage

# Seconds without a confirmation. The messages are safe in the outbox and the sweep brings them within a minute, so a
# tick whose Pub/Sub is out of reach is not kept waiting, and pays for no more.
PATIENCE = 3.0


@cache
def _publisher() -> Any:
    # 200 ms of imports that a tick without notifications never pays (facts 10).
    from google.cloud.pubsub_v1 import PublisherClient
    from google.cloud.pubsub_v1.types import BatchSettings

    return PublisherClient(batch_settings=BatchSettings(max_messages=1000, max_latency=0.01))


def publish(messages: Sequence[OutboxMessage]) -> list[str]:
    """Publish and wait; the ids of the messages that Pub/Sub confirmed, at most all of them."""
    if not messages:
        return []
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    futures: list[tuple[str, Any]] = []
    try:
        client = _publisher()
        limits = _limits()
        for m in messages:
            topic, data = client.topic_path(config().project, m.topic), json.dumps(m.payload).encode()
            futures.append((m.id, client.publish(topic, data, outbox_id=m.id, **limits, **m.attributes)))
        for _, future in futures:
            future.result(timeout=PATIENCE)
    except (GoogleAPIError, GoogleAuthError, FutureTimeout) as error:
        confirmed = [outbox_id for outbox_id, future in futures if future.done() and future.exception() is None]
        # The rows stay unpublished: the sweeper brings them within a minute (P4).
        logs.event(
            "publish_failed",
            level=40,
            unconfirmed=len(messages) - len(confirmed),
            error=f"{type(error).__name__}: {error}",
        )
        return confirmed
    return [m.id for m in messages]


def _limits() -> dict[str, Any]:
    """The client tries no longer than we wait: a message that left after we gave up would be published twice."""
    from google.api_core import exceptions as passing
    from google.api_core.retry import Retry, if_exception_type

    again = if_exception_type(
        passing.Aborted,
        passing.DeadlineExceeded,
        passing.InternalServerError,
        passing.ResourceExhausted,
        passing.ServiceUnavailable,
        passing.Unknown,
    )
    return {"retry": Retry(again, initial=0.1, maximum=1.0, timeout=PATIENCE), "timeout": PATIENCE}
