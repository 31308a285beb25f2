"""Moves subscriptions back to a time or to a snapshot: the Pub/Sub side of a replay, imported by whoever replays.

Pub/Sub itself is imported when it is first asked: it costs 200 ms (facts 10).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from shared.config import config
from shared.errors import InvalidRequest, Unavailable

PATIENCE = 10.0  # seconds for one call with all its retries
SNAPSHOT_LIFE = timedelta(days=7)  # less the age of the oldest message in it


class Seeker:
    """Pub/Sub's answers, by the short names of this project. Raises Unavailable when it does not answer."""

    def __init__(self, client: Any, publisher: Any) -> None:
        self._client, self._publisher = client, publisher

    def subscriptions(self, topic: str) -> list[str]:
        """Who is attached to the topic. Raises InvalidRequest 404 when there is no topic."""
        request = {"topic": f"projects/{config().project}/topics/{topic}"}
        with _heard("topic", topic):
            return [
                name.rpartition("/")[2] for name in self._publisher.list_topic_subscriptions(request, **_patience())
            ]

    def reach(self, snapshot: str) -> tuple[str, datetime]:
        """The snapshot's topic, and the time of the oldest message that it can hold. Raises InvalidRequest 404."""
        with _heard("snapshot", snapshot):
            found = self._client.get_snapshot({"snapshot": _snapshot(snapshot)}, **_patience())
        return str(found.topic).rpartition("/")[2], found.expire_time - SNAPSHOT_LIFE

    def to_time(self, subscription: str, moment: datetime) -> None:
        """What was published since then comes again."""
        with _heard("subscription", subscription):
            self._client.seek({"subscription": _subscription(subscription), "time": moment}, **_patience())

    def to_snapshot(self, subscription: str, snapshot: str) -> None:
        """What was not acknowledged when the snapshot was made, and all that came later, comes again."""
        request = {"subscription": _subscription(subscription), "snapshot": _snapshot(snapshot)}
        with _heard("snapshot", snapshot):
            self._client.seek(request, **_patience())


@contextmanager
def connected() -> Iterator[Seeker]:
    """Pub/Sub at PUBSUB_EMULATOR_HOST, or the cloud's."""
    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

    with _heard("project", config().project):
        client, publisher = SubscriberClient(), PublisherClient()
    try:
        yield Seeker(client, publisher)
    finally:
        client.close()
        publisher.stop()
        publisher.transport.close()


@contextmanager
def _heard(kind: str, name: str) -> Iterator[None]:
    from google.api_core.exceptions import GoogleAPIError, NotFound
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except NotFound as error:
        raise InvalidRequest(404, f"unknown_{kind}", f"Pub/Sub has no {kind} {name}", field=kind) from error
    except (GoogleAPIError, GoogleAuthError) as error:
        raise Unavailable(f"Pub/Sub does not do it: {type(error).__name__}: {str(error)[:300]}") from error


def _patience() -> dict[str, Any]:
    from google.api_core.retry import Retry

    return {"retry": Retry(initial=0.2, maximum=2.0, timeout=PATIENCE), "timeout": PATIENCE}


def _subscription(name: str) -> str:
    return f"projects/{config().project}/subscriptions/{name}"


def _snapshot(name: str) -> str:
    return f"projects/{config().project}/snapshots/{name}"
