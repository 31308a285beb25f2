"""What google.pubsub.v1.Subscriber answers to single requests; `streaming` holds the open pulls."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import grpc
from google.protobuf import empty_pb2
from google.pubsub_v1 import types

from infra.local.oidc import Signer
from infra.local.pubsub.backlog import Delivery
from infra.local.pubsub.broker import Broker, SubscriptionState
from infra.local.pubsub.errors import failed_precondition, invalid, not_found
from infra.local.pubsub.no_store import NoStore
from infra.local.pubsub.paging import page
from infra.local.pubsub.push import PushSender
from infra.local.pubsub.settings import check_name, check_project, checked_subscription
from infra.local.pubsub.store import Store
from infra.local.pubsub.updates import merged

LONGEST_PULL = 20.0  # seconds that an empty pull waits for a message
_MUTABLE = frozenset(
    {
        "ack_deadline_seconds",
        "dead_letter_policy",
        "enable_exactly_once_delivery",
        "expiration_policy",
        "labels",
        "message_retention_duration",
        "push_config",
        "retain_acked_messages",
        "retry_policy",
    }
)


class Subscriber:
    """One method for each unary RPC, by its name."""

    def __init__(self, broker: Broker, store: Store | NoStore, push: PushSender, signer: Signer | None) -> None:
        self._broker = broker
        self._store = store
        self._push = push
        self._signer = signer

    async def CreateSubscription(self, request: types.Subscription) -> types.Subscription:  # noqa: N802
        check_name(request.topic, "topics")
        subscription = self._signable(checked_subscription(request))
        self._push.watch(self._broker.create_subscription(subscription))
        await self._store.committed()
        return subscription

    async def GetSubscription(self, request: types.GetSubscriptionRequest) -> types.Subscription:  # noqa: N802
        return self._named(request.subscription).resource

    async def ListSubscriptions(  # noqa: N802
        self, request: types.ListSubscriptionsRequest
    ) -> types.ListSubscriptionsResponse:
        check_project(request.project)
        names = [name for name in self._broker.subscriptions if name.startswith(f"{request.project}/")]
        chosen, token = page(names, request.page_size, request.page_token)
        return types.ListSubscriptionsResponse(
            subscriptions=[self._broker.subscriptions[name].resource for name in chosen], next_page_token=token
        )

    async def UpdateSubscription(self, request: types.UpdateSubscriptionRequest) -> types.Subscription:  # noqa: N802
        present = self._named(request.subscription.name).resource
        changed = merged(present, request.subscription, request.update_mask, _MUTABLE)
        subscription = self._signable(checked_subscription(changed))
        self._broker.update_subscription(subscription)
        await self._store.committed()
        return subscription

    async def DeleteSubscription(self, request: types.DeleteSubscriptionRequest) -> empty_pb2.Empty:  # noqa: N802
        check_name(request.subscription, "subscriptions")
        self._broker.delete_subscription(request.subscription)
        await self._store.committed()
        return empty_pb2.Empty()

    async def ModifyPushConfig(self, request: types.ModifyPushConfigRequest) -> empty_pb2.Empty:  # noqa: N802
        changed = types.Subscription(self._named(request.subscription).resource)
        changed.push_config = request.push_config
        self._broker.update_subscription(self._signable(checked_subscription(changed)))
        await self._store.committed()
        return empty_pb2.Empty()

    async def Pull(  # noqa: N802
        self, request: types.PullRequest, context: grpc.aio.ServicerContext
    ) -> types.PullResponse:
        if request.max_messages <= 0:
            raise invalid("max_messages must be at least 1.")
        state = self._named(request.subscription)
        remaining = context.time_remaining()
        # Answer just before the caller gives up: an empty answer, as the real service, not a deadline exceeded.
        patience = LONGEST_PULL if remaining is None else max(0.0, min(LONGEST_PULL, remaining - 0.5))
        give_up = asyncio.get_running_loop().time() + (0.0 if request.return_immediately else patience)
        changed = asyncio.Event()
        state.listeners.add(changed.set)
        try:
            while True:
                changed.clear()
                pullable(state)
                if self._broker.subscriptions.get(request.subscription) is not state:
                    raise not_found(request.subscription)
                deadline = state.backlog.settings.ack_deadline
                taken = state.backlog.lease(request.max_messages, self._broker.clock.now(), deadline)
                if taken:
                    self._broker.touched(state)
                    return types.PullResponse(received_messages=received(state, taken))
                try:
                    async with asyncio.timeout_at(give_up):
                        await changed.wait()
                except TimeoutError:
                    return types.PullResponse()
        finally:
            state.listeners.discard(changed.set)

    async def Acknowledge(self, request: types.AcknowledgeRequest) -> empty_pb2.Empty:  # noqa: N802
        if not request.ack_ids:
            raise invalid("No ack ids specified.")
        acknowledge(self._broker, self._named(request.subscription), request.ack_ids)
        return empty_pb2.Empty()

    async def ModifyAckDeadline(self, request: types.ModifyAckDeadlineRequest) -> empty_pb2.Empty:  # noqa: N802
        if not request.ack_ids:
            raise invalid("No ack ids specified.")
        pairs = [(ack_id, request.ack_deadline_seconds) for ack_id in request.ack_ids]
        extend(self._broker, self._named(request.subscription), pairs)
        return empty_pb2.Empty()

    def _named(self, name: str) -> SubscriptionState:
        check_name(name, "subscriptions")
        return self._broker.subscription(name)

    def _signable(self, subscription: types.Subscription) -> types.Subscription:
        if "oidc_token" in subscription.push_config and self._signer is None:
            raise failed_precondition("This Pub/Sub was started without a key: it cannot sign OIDC tokens.")
        return subscription


def pullable(state: SubscriptionState) -> None:
    """Raise FAILED_PRECONDITION for a subscription that is pushed or detached."""
    if state.resource.detached:
        raise failed_precondition(f"The subscription is detached from its topic (resource={state.resource.name}).")
    if state.backlog.settings.push:
        raise failed_precondition("This method is not supported for this subscription type.")


def received(state: SubscriptionState, deliveries: Iterable[Delivery]) -> list[types.ReceivedMessage]:
    """What a puller is handed; the delivery attempt only where there is a dead letter policy."""
    counted = state.backlog.settings.dead_letter is not None
    return [
        types.ReceivedMessage(
            ack_id=f"{delivery.message.id}:{delivery.lease}",
            message=types.PubsubMessage(
                data=delivery.message.data,
                attributes=dict(delivery.message.attributes),
                message_id=delivery.message.id,
                publish_time=delivery.message.published_at,
                ordering_key=delivery.message.ordering_key,
            ),
            delivery_attempt=delivery.attempt if counted else 0,
        )
        for delivery in deliveries
    ]


def acknowledge(broker: Broker, state: SubscriptionState, ack_ids: Iterable[str]) -> None:
    """Settle what the ids stand for; an id whose message went to somebody else since is let pass, as at Google's."""
    for message_id, lease in [_parsed(ack_id) for ack_id in ack_ids]:
        state.backlog.acknowledge(message_id, lease)
    broker.touched(state)


def extend(broker: Broker, state: SubscriptionState, deadlines: Iterable[tuple[str, int]]) -> None:
    """Move leases' ends to so many seconds from now, 0-600; 0 is a nack."""
    now = broker.clock.now()
    parsed = [(*_parsed(ack_id), seconds) for ack_id, seconds in deadlines]
    for *_, seconds in parsed:
        if not 0 <= seconds <= 600:
            raise invalid(f"ack_deadline_seconds must be between 0 and 600, not {seconds}.")
    for message_id, lease, seconds in parsed:
        state.backlog.extend(message_id, lease, now, timedelta(seconds=seconds))
    broker.touched(state)


def _parsed(ack_id: str) -> tuple[str, int]:
    message_id, separator, lease = ack_id.partition(":")
    if not (separator and message_id.isdecimal() and lease.isdecimal()):
        raise invalid(f"Invalid ack id (ack_id={ack_id[:100]})")
    return message_id, int(lease)
