"""How the local Pub/Sub is reached: google.pubsub.v1 over gRPC, on the port that PUBSUB_EMULATOR_HOST names."""

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.pubsub_v1 import types

from infra.local.oidc import Signer
from infra.local.pubsub.broker import Broker
from infra.local.pubsub.clock import Clock, RealClock
from infra.local.pubsub.errors import RefusedError
from infra.local.pubsub.no_store import NoStore
from infra.local.pubsub.publisher import Publisher
from infra.local.pubsub.push import PushSender
from infra.local.pubsub.replayer import Replayer
from infra.local.pubsub.store import Store
from infra.local.pubsub.streaming import streaming_pull
from infra.local.pubsub.subscriber import Subscriber

_OPTIONS = (
    # A request of 10 MB must reach us to be refused in the API's words; clients ping every 30 s.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 0),
)
_PUBLISHER: dict[str, Any] = {
    "CreateTopic": types.Topic,
    "GetTopic": types.GetTopicRequest,
    "ListTopics": types.ListTopicsRequest,
    "UpdateTopic": types.UpdateTopicRequest,
    "DeleteTopic": types.DeleteTopicRequest,
    "Publish": types.PublishRequest,
    "ListTopicSubscriptions": types.ListTopicSubscriptionsRequest,
    "ListTopicSnapshots": types.ListTopicSnapshotsRequest,
    "DetachSubscription": types.DetachSubscriptionRequest,
}
_SUBSCRIBER: dict[str, Any] = {
    "CreateSubscription": types.Subscription,
    "GetSubscription": types.GetSubscriptionRequest,
    "ListSubscriptions": types.ListSubscriptionsRequest,
    "UpdateSubscription": types.UpdateSubscriptionRequest,
    "DeleteSubscription": types.DeleteSubscriptionRequest,
    "ModifyPushConfig": types.ModifyPushConfigRequest,
    "Acknowledge": types.AcknowledgeRequest,
    "ModifyAckDeadline": types.ModifyAckDeadlineRequest,
}
_REPLAYER: dict[str, Any] = {
    "Seek": types.SeekRequest,
    "CreateSnapshot": types.CreateSnapshotRequest,
    "GetSnapshot": types.GetSnapshotRequest,
    "ListSnapshots": types.ListSnapshotsRequest,
    "UpdateSnapshot": types.UpdateSnapshotRequest,
    "DeleteSnapshot": types.DeleteSnapshotRequest,
}


class LocalPubSub:
    """Pub/Sub for one machine. Without a folder nothing outlives `stop`; without a signer no push carries a token."""

    def __init__(self, folder: Path | None, signer: Signer | None, port: int = 0, clock: Clock | None = None) -> None:
        self._folder = folder
        self._signer = signer
        self._port = port
        self._clock = clock or RealClock()

    async def start(self) -> str:
        """Read back what the folder holds, listen, push; returns "127.0.0.1:port"."""
        self._server = grpc.aio.server(options=_OPTIONS)
        # Before anything else: a port that is taken must leave nothing open behind.
        port = self._server.add_insecure_port(f"127.0.0.1:{self._port}")
        self._store = Store(self._folder) if self._folder else NoStore()
        self._broker = Broker(self._clock, self._store)
        self._store.load(self._broker)
        self._push = PushSender(self._broker, self._signer)
        publisher = Publisher(self._broker, self._store)
        subscriber = Subscriber(self._broker, self._store, self._push, self._signer)
        replayer = Replayer(self._broker, self._store)
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    "google.pubsub.v1.Publisher",
                    {name: _unary(getattr(publisher, name), kind) for name, kind in _PUBLISHER.items()},
                ),
                grpc.method_handlers_generic_handler(
                    "google.pubsub.v1.Subscriber",
                    {name: _unary(getattr(subscriber, name), kind) for name, kind in _SUBSCRIBER.items()}
                    | {name: _unary(getattr(replayer, name), kind) for name, kind in _REPLAYER.items()}
                    | {"Pull": _unary(subscriber.Pull, types.PullRequest, with_context=True)}
                    | {"StreamingPull": self._streaming()},
                ),
            )
        )
        await self._push.start()
        self._broker.wake()
        await self._server.start()
        return f"127.0.0.1:{port}"

    async def stop(self) -> None:
        """Break open calls and pushes, write the journal to its end."""
        await self._server.stop(grace=None)
        await self._push.stop()
        self._broker.close()
        await self._store.close()

    def _streaming(self) -> grpc.RpcMethodHandler:
        async def call(_requests: object, context: grpc.aio.ServicerContext) -> None:
            try:
                await streaming_pull(self._broker, context)
            except RefusedError as refused:
                await context.abort(refused.code, refused.message)

        return grpc.stream_stream_rpc_method_handler(
            call, types.StreamingPullRequest.deserialize, types.StreamingPullResponse.serialize
        )


def _unary(method: Callable[..., Awaitable[Any]], request_type: Any, with_context: bool = False) -> Any:
    async def call(request: Any, context: grpc.aio.ServicerContext) -> Any:
        try:
            return await (method(request, context) if with_context else method(request))
        except RefusedError as refused:
            await context.abort(refused.code, refused.message)
        except sqlite3.Error as error:
            # Not on disk = not published: the client retries UNAVAILABLE.
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"The local Pub/Sub cannot write its store: {error}")

    return grpc.unary_unary_rpc_method_handler(call, request_type.deserialize, _serialize)


def _serialize(answer: Any) -> bytes:
    if isinstance(answer, empty_pb2.Empty):
        wire: bytes = answer.SerializeToString()
    else:
        wire = type(answer).serialize(answer)
    return wire
