"""How an open pull works: messages out as they come, acknowledgements and deadlines in, within the client's limits."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import grpc
from google.pubsub_v1 import types

from infra.local.pubsub.broker import Broker, SubscriptionState
from infra.local.pubsub.errors import invalid, not_found
from infra.local.pubsub.settings import check_name
from infra.local.pubsub.subscriber import acknowledge, extend, pullable, received

LARGEST_ANSWER = 500  # messages
LARGEST_BYTES = 3_000_000  # of an answer; clients in the emulator mode take no more than 4 MiB at once

Read = Callable[[], Awaitable[types.StreamingPullRequest | None]]
Write = Callable[[types.StreamingPullResponse], Awaitable[None]]


class StreamingPull:
    """One stream of one client; `run` returns when the client closes its side."""

    def __init__(self, broker: Broker, read: Read, write: Write) -> None:
        self._broker = broker
        self._read = read
        self._write = write
        self._changed = asyncio.Event()
        self._out: dict[tuple[str, int], int] = {}  # (message id, lease) -> bytes that count against the limits

    async def run(self) -> None:
        """Serve until the client is done; raises `RefusedError` when the stream must break."""
        first = await self._read()
        if first is None:
            return
        check_name(first.subscription, "subscriptions")
        if not 10 <= first.stream_ack_deadline_seconds <= 600:
            raise invalid("stream_ack_deadline_seconds must be between 10 and 600.")
        state = self._broker.subscription(first.subscription)
        pullable(state)
        self._deadline = timedelta(seconds=first.stream_ack_deadline_seconds)
        self._take(state, first)
        state.listeners.add(self._changed.set)
        listening = asyncio.create_task(self._listen(state))
        sending = asyncio.create_task(self._send(state, first.max_outstanding_messages, first.max_outstanding_bytes))
        try:
            await asyncio.wait({listening, sending}, return_when=asyncio.FIRST_COMPLETED)
            for task in (listening, sending):
                if task.done():
                    await task
        finally:
            state.listeners.discard(self._changed.set)
            listening.cancel()
            sending.cancel()
            await asyncio.gather(listening, sending, return_exceptions=True)

    async def _listen(self, state: SubscriptionState) -> None:
        while (request := await self._read()) is not None:
            if request.subscription:
                raise invalid("Only the first request of a stream names the subscription.")
            if request.stream_ack_deadline_seconds:
                if not 10 <= request.stream_ack_deadline_seconds <= 600:
                    raise invalid("stream_ack_deadline_seconds must be between 10 and 600.")
                self._deadline = timedelta(seconds=request.stream_ack_deadline_seconds)
            self._take(state, request)

    def _take(self, state: SubscriptionState, request: types.StreamingPullRequest) -> None:
        if len(request.modify_deadline_seconds) != len(request.modify_deadline_ack_ids):
            raise invalid("modify_deadline_seconds and modify_deadline_ack_ids must have the same length.")
        if request.ack_ids:
            acknowledge(self._broker, state, request.ack_ids)
        if request.modify_deadline_ack_ids:
            deadlines = zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=True)
            extend(self._broker, state, deadlines)

    async def _send(self, state: SubscriptionState, most: int, most_bytes: int) -> None:
        while True:
            self._changed.clear()
            if self._broker.subscriptions.get(state.resource.name) is not state:
                raise not_found(state.resource.name)
            pullable(state)
            room, room_bytes = self._room(state, most, most_bytes)
            # A message larger than the whole limit still goes out, alone.
            too_large = bool(self._out) and state.backlog.next_size > room_bytes
            if room <= 0 or too_large or not state.backlog.has_ready:
                await self._changed.wait()
                continue
            limit, limit_bytes = min(room, LARGEST_ANSWER), min(room_bytes, LARGEST_BYTES)
            taken = state.backlog.lease(limit, self._broker.clock.now(), self._deadline, limit_bytes)
            for delivery in taken:
                self._out[delivery.message.id, delivery.lease] = delivery.message.size
            # Written out before the next await: by then the lease may have changed hands.
            answer = types.StreamingPullResponse(received_messages=received(state, taken))
            self._broker.touched(state)
            await self._write(answer)

    def _room(self, state: SubscriptionState, most: int, most_bytes: int) -> tuple[int, int]:
        """How many messages and bytes the client still takes; 0 or less in its request means any number."""
        self._out = {key: size for key, size in self._out.items() if state.backlog.holds(*key)}
        room = most - len(self._out) if most > 0 else LARGEST_ANSWER
        return room, most_bytes - sum(self._out.values()) if most_bytes > 0 else LARGEST_BYTES


async def streaming_pull(broker: Broker, context: grpc.aio.ServicerContext) -> None:
    """Serve one StreamingPull call over gRPC."""

    async def read() -> types.StreamingPullRequest | None:
        request = await context.read()
        return None if request is grpc.aio.EOF else request

    await StreamingPull(broker, read, context.write).run()
