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

_WAIT = 10.0  # seconds for a whole batch; what is not confirmed by then is published again by the sweeper


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

    confirmed: list[str] = []
    try:
        client = _publisher()
        futures = [
            (
                m.id,
                client.publish(
                    client.topic_path(config().project, m.topic),
                    json.dumps(m.payload).encode(),
                    outbox_id=m.id,
                    **m.attributes,
                ),
            )
            for m in messages
        ]
        for outbox_id, future in futures:
            future.result(timeout=_WAIT)
            confirmed.append(outbox_id)
    except (GoogleAPIError, GoogleAuthError, FutureTimeout) as error:
        # The rows stay unpublished: the sweeper brings them within a minute (P4).
        logs.event(
            "publish_failed",
            level=40,
            unconfirmed=len(messages) - len(confirmed),
            error=f"{type(error).__name__}: {error}",
        )
    return confirmed
