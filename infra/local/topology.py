"""Which topics and subscriptions does Belfry have? The same locally as Terraform makes them in the cloud."""

from collections.abc import Awaitable, Iterable
from datetime import timedelta
from typing import Any

import grpc
from google.api_core.exceptions import AlreadyExists
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport
from google.pubsub_v1.types import DeadLetterPolicy, ExpirationPolicy, PushConfig, RetryPolicy, Subscription, Topic

from shared.cronfile.specs import FunctionSpec

PROJECT = "belfry-local"
PUSHER = f"pubsub@{PROJECT}.iam.gserviceaccount.com"
NOTIFICATIONS, EVENTS, LETTERS = (
    f"projects/{PROJECT}/topics/{name}" for name in ("notifications", "job-events", "dead-letters")
)
TOPIC_RETENTION, RETENTION = timedelta(days=31), timedelta(days=7)
FIRST_RETRY, LAST_RETRY = timedelta(seconds=10), timedelta(seconds=600)
ATTEMPTS = 20  # then a message is a dead letter


async def create(address: str, functions: Iterable[FunctionSpec], url: str) -> None:
    """Make what is missing at the Pub/Sub on `address`, and point every push at `<url>/functions/<id>`."""
    async with grpc.aio.insecure_channel(address) as channel:
        publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
        subscriber = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
        for name in (NOTIFICATIONS, EVENTS, LETTERS):
            await _once(publisher.create_topic(Topic(name=name, message_retention_duration=TOPIC_RETENTION)))
        await _once(subscriber.create_subscription(dead_letters()))
        for function in functions:
            wanted = push(function, url)
            if wanted and not await _once(subscriber.create_subscription(wanted)):
                # Its port may be another one today; its filter could not change.
                await subscriber.modify_push_config(subscription=wanted.name, push_config=wanted.push_config)


def dead_letters() -> Subscription:
    """Without it the topic would lose what it is given."""
    return _lasting(Subscription(name=f"projects/{PROJECT}/subscriptions/dead-letters", topic=LETTERS))


def push(function: FunctionSpec, url: str) -> Subscription | None:
    """The subscription that pushes one channel's messages, or the ends of jobs, to a function; None: no push."""
    channel = function.id.removeprefix("notify_")
    if function.id == "dispatch_dependents":
        topic, wanted = EVENTS, 'attributes.event = "job.finished"'
    elif function.category == "notify" and channel != function.id:
        topic, wanted = NOTIFICATIONS, f'attributes.channel = "{channel}"'
    else:
        return None
    endpoint = f"{url}/functions/{function.id}"
    caller = PushConfig.OidcToken(service_account_email=PUSHER, audience=endpoint)
    return _lasting(
        Subscription(
            name=f"projects/{PROJECT}/subscriptions/{function.id.replace('_', '-')}",
            topic=topic,
            filter=wanted,
            push_config=PushConfig(push_endpoint=endpoint, oidc_token=caller),
            ack_deadline_seconds=min(600, max(10, function.timeout)),  # the push's own time limit, too
            retry_policy=RetryPolicy(minimum_backoff=FIRST_RETRY, maximum_backoff=LAST_RETRY),
            dead_letter_policy=DeadLetterPolicy(dead_letter_topic=LETTERS, max_delivery_attempts=ATTEMPTS),
        )
    )


def _lasting(subscription: Subscription) -> Subscription:
    subscription.message_retention_duration = RETENTION
    subscription.expiration_policy = ExpirationPolicy()  # no ttl: an idle one would vanish after 31 days
    return subscription


async def _once(creation: Awaitable[Any]) -> bool:
    """Whether it was made now."""
    try:
        await creation
    except AlreadyExists:
        return False
    return True
