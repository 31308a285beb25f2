"""Which Pub/Subs the conformance tests are held against, and in what Google's emulator is known to differ.

The local one always; Google's emulator at PUBSUB_EMULATOR_CONFORMANCE=host:port, or started here where Java and the
Cloud SDK's emulator are installed.
"""

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.cloud import pubsub_v1
from google.pubsub_v1 import PublisherClient as PublisherApi
from google.pubsub_v1 import types

from infra.local.oidc import Signer
from tests.infra.pubsub_world import PATIENCE, PROJECT, running

NO_EMULATOR = (
    "Google's Pub/Sub emulator is not installed (no PUBSUB_EMULATOR_CONFORMANCE=host:port, no java with "
    "google-cloud-cli-pubsub-emulator): the conformance tests ran against the local Pub/Sub only"
)


class Difference(Enum):
    """In what Google's emulator differs from the service; each is asserted where the tests meet it."""

    IGNORES_FILTERS = "delivers every message, whatever the filter, and accepts malformed ones"
    NO_TOKENS = "accepts an OIDC token without a service account and sends none"
    NO_DELIVERY_ATTEMPT_ON_PUSH = "leaves deliveryAttempt out of the push body"
    SHORT_ACK_DEADLINES = "accepts an ack deadline under 10 s"
    LONG_EXTENSIONS = "accepts an extension of more than 600 s"
    SHORT_EXPIRATION = "accepts an expiration under a day"
    ANY_ATTRIBUTES = "does not limit number, length or name of attributes"
    LARGE_MESSAGES = "accepts messages of more than 10 MB"
    PULLS_FROM_PUSH = "lets a push subscription be pulled from"
    FOLLOWS_REDIRECTS = "follows a redirect of a push and lets the answer there decide"
    NO_DETACHING = "does not know DetachSubscription"
    NO_LABEL_UPDATE = "cannot change the labels of a topic"
    NO_EXPIRATION_DEFAULT = "leaves the default expiration policy out"
    NO_SNAPSHOT_UPDATE = "does not know UpdateSnapshot"
    NO_SNAPSHOT_NAMES = "does not name a snapshot that comes without a name"
    SNAPSHOTS_OF_ONE = "gives a subscription made after a snapshot nothing of what the snapshot holds"
    BACKLOG_AT_BIRTH = "gives a new subscription what its topic retains, without a seek"
    SNAPSHOTS_OF_NO_TOPIC = "lists the snapshots of a topic that is not there, and takes one of a deleted topic"
    NO_RETENTION_SHOWN = "does not show the topic's retention on its subscriptions"


@dataclass
class Peer:
    """A Pub/Sub with the unmodified client joined to it."""

    name: str
    publisher: pubsub_v1.PublisherClient
    subscriber: pubsub_v1.SubscriberClient
    signer: Signer | None
    differences: frozenset[Difference]

    def differs(self, difference: Difference) -> bool:
        """Whether this peer is known to; the test then asserts the other behaviour."""
        return difference in self.differences

    def refuses(self, error: type[Exception], unless: Difference | None = None) -> Any:
        """Expect the error; from a peer that differs, expect that there is none."""
        return nullcontext() if unless and self.differs(unless) else pytest.raises(error)

    def topic(self, **fields: Any) -> str:
        """A fresh topic's name."""
        name = f"{PROJECT}/topics/t-{uuid.uuid4().hex}"
        self.publisher.create_topic(request={"name": name, **fields}, retry=None, timeout=PATIENCE)
        return name

    def subscription(self, topic: str, **fields: Any) -> str:
        """A fresh subscription's name."""
        request = {"name": f"{PROJECT}/subscriptions/s-{uuid.uuid4().hex}", "topic": topic, **fields}
        return self.subscriber.create_subscription(request=request, retry=None, timeout=PATIENCE).name

    def publish(self, topic: str, *messages: dict[str, Any]) -> list[str]:
        """One Publish call with exactly these messages: the client's own publish() would batch and retry."""
        request = types.PublishRequest(topic=topic, messages=messages)
        answer = PublisherApi.publish(self.publisher, request=request, retry=None, timeout=PATIENCE)
        return list(answer.message_ids)

    def snapshot(self, subscription: str, **fields: Any) -> types.Snapshot:
        """A fresh snapshot."""
        request = {"name": f"{PROJECT}/snapshots/s-{uuid.uuid4().hex}", "subscription": subscription, **fields}
        return self.subscriber.create_snapshot(request=request, retry=None, timeout=PATIENCE)

    def seek(self, subscription: str, **target: Any) -> None:
        """To a `time` or a `snapshot`'s name."""
        self.subscriber.seek(request={"subscription": subscription, **target}, retry=None, timeout=PATIENCE)

    def pull(self, subscription: str, most: int = 100, wait: float = 5.0) -> list[types.ReceivedMessage]:
        """One pull that waits for at least one message."""
        request = {"subscription": subscription, "max_messages": most}
        return list(self.subscriber.pull(request=request, retry=None, timeout=wait).received_messages)

    def pull_now(self, subscription: str) -> list[types.ReceivedMessage]:
        """What is there at this moment."""
        request = {"subscription": subscription, "max_messages": 100, "return_immediately": True}
        return list(self.subscriber.pull(request=request, retry=None, timeout=PATIENCE).received_messages)

    def acknowledge(self, subscription: str, *messages: types.ReceivedMessage) -> None:
        self.subscriber.acknowledge(subscription=subscription, ack_ids=[message.ack_id for message in messages])

    def extend(self, subscription: str, message: types.ReceivedMessage, seconds: int) -> None:
        """Seconds from now; 0 is a nack."""
        self.subscriber.modify_ack_deadline(
            subscription=subscription, ack_ids=[message.ack_id], ack_deadline_seconds=seconds
        )


@contextmanager
def joined(name: str, address: str, signer: Signer | None, differences: frozenset[Difference]) -> Iterator[Peer]:
    """The clients find the peer as every program does: through PUBSUB_EMULATOR_HOST."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PUBSUB_EMULATOR_HOST", address)
        publisher, subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
    try:
        yield Peer(name, publisher, subscriber, signer, differences)
    finally:
        publisher.stop()
        publisher.transport.close()
        subscriber.close()


@contextmanager
def local_peer(folder: Path) -> Iterator[Peer]:
    """Ours: no differences allowed."""
    signer = Signer(folder / "oidc")
    with running(folder / "pubsub", signer) as address, joined("local", address, signer, frozenset()) as peer:
        yield peer


def emulator_is_installed() -> bool:
    """Whether `google_peer` can be had on this machine."""
    return "PUBSUB_EMULATOR_CONFORMANCE" in os.environ or bool(shutil.which("java") and _jar())


@contextmanager
def google_peer() -> Iterator[Peer]:
    """Google's emulator."""
    with emulator() as address, joined("google", address, None, frozenset(Difference)) as peer:
        yield peer


@contextmanager
def emulator() -> Iterator[str]:
    """Google's emulator; yields its address."""
    if address := os.environ.get("PUBSUB_EMULATOR_CONFORMANCE"):
        yield address
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["java", "-Xmx256m", "-jar", str(_jar()), "--host=127.0.0.1", f"--port={port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                grpc.channel_ready_future(channel).result(timeout=60)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


def _jar() -> Path | None:
    roots = [Path("/usr/lib/google-cloud-sdk"), Path("/usr/share/google-cloud-sdk"), Path.home() / "google-cloud-sdk"]
    if gcloud := shutil.which("gcloud"):
        roots.append(Path(gcloud).resolve().parents[1])
    jars = [jar for root in roots for jar in root.glob("platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar")]
    return jars[0] if jars else None
