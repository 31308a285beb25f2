"""What google.pubsub.v1.Publisher answers."""

from google.protobuf import empty_pb2, field_mask_pb2
from google.pubsub_v1 import types

from infra.local.pubsub.broker import Broker
from infra.local.pubsub.errors import failed_precondition, invalid
from infra.local.pubsub.messages import Draft
from infra.local.pubsub.no_store import NoStore
from infra.local.pubsub.paging import page
from infra.local.pubsub.settings import DELETED_TOPIC, check_name, check_project, checked_topic
from infra.local.pubsub.store import Store
from infra.local.pubsub.updates import merged

MAX_MESSAGES = 1000
MAX_BYTES = 10_000_000  # of a message, and of a request
_MUTABLE = frozenset({"labels", "message_retention_duration", "message_storage_policy"})


class Publisher:
    """One method for each RPC, by its name."""

    def __init__(self, broker: Broker, store: Store | NoStore) -> None:
        self._broker = broker
        self._store = store

    async def CreateTopic(self, request: types.Topic) -> types.Topic:  # noqa: N802
        topic = checked_topic(request)
        self._broker.create_topic(topic)
        await self._store.committed()
        return topic

    async def GetTopic(self, request: types.GetTopicRequest) -> types.Topic:  # noqa: N802
        check_name(request.topic, "topics")
        return self._broker.topic(request.topic).resource

    async def ListTopics(self, request: types.ListTopicsRequest) -> types.ListTopicsResponse:  # noqa: N802
        check_project(request.project)
        names = [name for name in self._broker.topics if name.startswith(f"{request.project}/")]
        chosen, token = page(names, request.page_size, request.page_token)
        return types.ListTopicsResponse(
            topics=[self._broker.topics[name].resource for name in chosen], next_page_token=token
        )

    async def UpdateTopic(self, request: types.UpdateTopicRequest) -> types.Topic:  # noqa: N802
        check_name(request.topic.name, "topics")
        mask: field_mask_pb2.FieldMask = request.update_mask
        present = self._broker.topic(request.topic.name).resource
        topic = checked_topic(merged(present, request.topic, mask, _MUTABLE))
        self._broker.update_topic(topic)
        await self._store.committed()
        return topic

    async def DeleteTopic(self, request: types.DeleteTopicRequest) -> empty_pb2.Empty:  # noqa: N802
        check_name(request.topic, "topics")
        self._broker.delete_topic(request.topic)
        await self._store.committed()
        return empty_pb2.Empty()

    async def Publish(self, request: types.PublishRequest) -> types.PublishResponse:  # noqa: N802
        check_name(request.topic, "topics")
        # The bare protobuf message: proto-plus would wrap every message and every attribute map of a thousand.
        raw = types.PublishRequest.pb(request)
        if not raw.messages:
            raise invalid("No messages to publish.")
        if len(raw.messages) > MAX_MESSAGES:
            raise invalid(f"Too many messages to publish: {len(raw.messages)}, the maximum is {MAX_MESSAGES}.")
        drafts = [Draft(message.data, dict(message.attributes), message.ordering_key) for message in raw.messages]
        if raw.ByteSize() > MAX_BYTES:
            raise invalid(f"The request is too large: {raw.ByteSize()} bytes, the maximum is {MAX_BYTES}.")
        for draft in drafts:
            _check_draft(draft)
        ids = self._broker.publish(request.topic, drafts)
        await self._store.committed()
        return types.PublishResponse(message_ids=ids)

    async def ListTopicSubscriptions(  # noqa: N802
        self, request: types.ListTopicSubscriptionsRequest
    ) -> types.ListTopicSubscriptionsResponse:
        check_name(request.topic, "topics")
        self._broker.topic(request.topic)
        names = [state.resource.name for state in self._broker.subscriptions_of(request.topic)]
        chosen, token = page(names, request.page_size, request.page_token)
        return types.ListTopicSubscriptionsResponse(subscriptions=chosen, next_page_token=token)

    async def ListTopicSnapshots(  # noqa: N802
        self, request: types.ListTopicSnapshotsRequest
    ) -> types.ListTopicSnapshotsResponse:
        check_name(request.topic, "topics")
        self._broker.topic(request.topic)
        chosen, token = page(self._broker.snapshots.names_of(request.topic), request.page_size, request.page_token)
        return types.ListTopicSnapshotsResponse(snapshots=chosen, next_page_token=token)

    async def DetachSubscription(  # noqa: N802
        self, request: types.DetachSubscriptionRequest
    ) -> types.DetachSubscriptionResponse:
        check_name(request.subscription, "subscriptions")
        if self._broker.subscription(request.subscription).resource.topic == DELETED_TOPIC:
            raise failed_precondition("The subscription's topic was deleted: there is nothing to detach from.")
        self._broker.detach_subscription(request.subscription)
        await self._store.committed()
        return types.DetachSubscriptionResponse()


def _check_draft(draft: Draft) -> None:
    if not draft.data and not draft.attributes:
        raise invalid("Some messages are empty: a message needs data or at least one attribute.")
    if len(draft.attributes) > 100:
        raise invalid("A message can have at most 100 attributes.")
    for key, value in draft.attributes.items():
        if not key or len(key.encode()) > 256 or key.startswith("goog"):
            raise invalid(f'Invalid attribute key {key[:64]!r}: 1 to 256 bytes, not starting with "goog".')
        if len(value.encode()) > 1024:
            raise invalid(f"The value of attribute {key!r} is longer than 1024 bytes.")
    if len(draft.ordering_key.encode()) > 1024:
        raise invalid("The ordering key is longer than 1024 bytes.")
