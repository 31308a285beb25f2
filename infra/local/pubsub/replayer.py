"""What google.pubsub.v1.Subscriber answers to Seek and to the calls about snapshots."""

import uuid
from datetime import UTC, datetime, timedelta

from google.protobuf import empty_pb2
from google.pubsub_v1 import types

from infra.local.pubsub import seek
from infra.local.pubsub.broker import Broker
from infra.local.pubsub.errors import failed_precondition, invalid
from infra.local.pubsub.no_store import NoStore
from infra.local.pubsub.paging import page
from infra.local.pubsub.settings import DELETED_TOPIC, check_name, check_project
from infra.local.pubsub.store import Store
from infra.local.pubsub.updates import merged

_MUTABLE = frozenset({"labels"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Replayer:
    """One method for each RPC, by its name."""

    def __init__(self, broker: Broker, store: Store | NoStore) -> None:
        self._broker = broker
        self._store = store

    async def Seek(self, request: types.SeekRequest) -> types.SeekResponse:  # noqa: N802
        check_name(request.subscription, "subscriptions")
        target = types.SeekRequest.pb(request).WhichOneof("target")
        if target is None:
            raise invalid("No target was specified in the SeekRequest. Specify either a time or a snapshot.")
        if target == "snapshot":
            check_name(request.snapshot, "snapshots")
            state = self._broker.subscription(request.subscription)
            seek.to_snapshot(self._broker, state, self._broker.snapshots.named(request.snapshot))
        else:
            moment = _moment(request)
            seek.to_time(self._broker, self._broker.subscription(request.subscription), moment)
        await self._store.committed()
        return types.SeekResponse()

    async def CreateSnapshot(self, request: types.CreateSnapshotRequest) -> types.Snapshot:  # noqa: N802
        check_name(request.subscription, "subscriptions")
        project = "/".join(request.subscription.split("/")[:2])
        name = request.name or f"{project}/snapshots/s-{uuid.uuid4().hex}"
        check_name(name, "snapshots")
        state = self._broker.subscription(request.subscription)
        if state.resource.detached or state.resource.topic == DELETED_TOPIC:
            raise failed_precondition("The subscription has no topic any more: nothing could be seeked to a snapshot.")
        snapshot = types.Snapshot(name=name, topic=state.resource.topic, labels=request.labels)
        self._broker.create_snapshot(snapshot, state)
        await self._store.committed()
        return snapshot

    async def GetSnapshot(self, request: types.GetSnapshotRequest) -> types.Snapshot:  # noqa: N802
        check_name(request.snapshot, "snapshots")
        return self._broker.snapshots.named(request.snapshot).resource

    async def ListSnapshots(self, request: types.ListSnapshotsRequest) -> types.ListSnapshotsResponse:  # noqa: N802
        check_project(request.project)
        names = self._broker.snapshots.names(f"{request.project}/")
        chosen, token = page(names, request.page_size, request.page_token)
        return types.ListSnapshotsResponse(
            snapshots=[self._broker.snapshots.named(name).resource for name in chosen], next_page_token=token
        )

    async def UpdateSnapshot(self, request: types.UpdateSnapshotRequest) -> types.Snapshot:  # noqa: N802
        check_name(request.snapshot.name, "snapshots")
        present = self._broker.snapshots.named(request.snapshot.name).resource
        snapshot = merged(present, request.snapshot, request.update_mask, _MUTABLE)
        self._broker.snapshots.update(snapshot)
        await self._store.committed()
        return snapshot

    async def DeleteSnapshot(self, request: types.DeleteSnapshotRequest) -> empty_pb2.Empty:  # noqa: N802
        check_name(request.snapshot, "snapshots")
        self._broker.snapshots.delete(request.snapshot)
        await self._store.committed()
        return empty_pb2.Empty()


def _moment(request: types.SeekRequest) -> datetime:
    # From the wire: proto-plus would raise its own error for a year that datetime cannot hold.
    wire = types.SeekRequest.pb(request).time
    try:
        return _EPOCH + timedelta(seconds=wire.seconds, microseconds=wire.nanos // 1000)
    except OverflowError:
        raise invalid("The time of the SeekRequest is outside of the years 1 to 9999.") from None
