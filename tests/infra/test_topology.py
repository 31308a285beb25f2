"""Do the topics and push subscriptions stand as Terraform would make them, and follow the port of the day?"""

import asyncio
from datetime import timedelta
from pathlib import Path

import grpc
from google.pubsub_v1 import SubscriberAsyncClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport
from google.pubsub_v1.types import Subscription

from infra.local import topology
from infra.local.oidc import Signer
from infra.local.pubsub import LocalPubSub
from shared.cronfile.specs import FunctionSpec

FUNCTIONS = [
    FunctionSpec(id="notify_email", category="notify", timeout=120),
    FunctionSpec(id="dead_letters", category="notify"),
    FunctionSpec(id="console", category="console"),
]


def created(folder: Path, *urls: str) -> dict[str, Subscription]:
    """What stands after one start at each URL."""

    async def scene() -> dict[str, Subscription]:
        pubsub = LocalPubSub(None, Signer(folder))
        address = await pubsub.start()
        try:
            for url in urls:
                await topology.create(address, FUNCTIONS, url)
            async with grpc.aio.insecure_channel(address) as channel:
                client = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
                found = await client.list_subscriptions(project=f"projects/{topology.PROJECT}")
                return {each.name.rpartition("/")[2]: each async for each in found}
        finally:
            await pubsub.stop()

    return asyncio.run(scene())


def test_each_channel_has_a_filtered_push_with_identity_retries_and_dead_letters(tmp_path: Path) -> None:
    found = created(tmp_path, "http://127.0.0.1:1")
    assert found.keys() == {"notify-email", "dead-letters"}
    email = found["notify-email"]
    assert email.filter == 'attributes.channel = "email"'
    assert email.push_config.push_endpoint == "http://127.0.0.1:1/functions/notify_email"
    assert email.push_config.oidc_token.audience == "http://127.0.0.1:1/functions/notify_email"
    assert email.push_config.oidc_token.service_account_email == "pubsub@belfry-local.iam.gserviceaccount.com"
    assert email.ack_deadline_seconds == 120
    assert email.message_retention_duration == timedelta(days=7)
    assert not email.expiration_policy.ttl
    assert email.dead_letter_policy.dead_letter_topic.endswith("/topics/dead-letters")
    assert email.dead_letter_policy.max_delivery_attempts == 20
    assert email.retry_policy.minimum_backoff == timedelta(seconds=10)
    assert not found["dead-letters"].push_config.push_endpoint


def test_a_start_on_another_port_moves_the_pushes_and_makes_nothing_anew(tmp_path: Path) -> None:
    found = created(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2")
    assert found.keys() == {"notify-email", "dead-letters"}
    assert found["notify-email"].push_config.push_endpoint == "http://127.0.0.1:2/functions/notify_email"
    assert found["notify-email"].push_config.oidc_token.audience == "http://127.0.0.1:2/functions/notify_email"
