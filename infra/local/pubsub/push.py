"""How messages reach a push endpoint: one POST each, so many at a time, with a token, and what counts as ack.

A window starts small, grows by one with every acknowledged push and halves with every failed one, so that an endpoint
that scales from zero is not buried and one that fails is asked little.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from functools import partial

import aiohttp

from infra.local.oidc import Signer
from infra.local.pubsub.backlog import Delivery
from infra.local.pubsub.broker import Broker, SubscriptionState
from infra.local.pubsub.messages import push_body
from infra.local.pubsub.settings import Push

ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})  # facts 2: nothing else, so 302 and 206 are failures
FIRST_WINDOW = 4
LARGEST_WINDOW = 32

_log = logging.getLogger(__name__)


class PushSender:
    """Posts the messages of every push subscription it was told to watch."""

    def __init__(self, broker: Broker, signer: Signer | None) -> None:
        self._broker = broker
        self._signer = signer
        self._session: aiohttp.ClientSession | None = None
        self._windows: dict[str, int] = {}
        self._open: dict[str, set[asyncio.Task[None]]] = {}
        self._listeners: dict[str, Callable[[], None]] = {}
        self._pumping: set[str] = set()

    async def start(self) -> None:
        """Open the HTTP side; watch the subscriptions that are there."""
        # Servers under gunicorn close an idle connection after 2 s: let go of it before they do.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=1)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        for state in tuple(self._broker.subscriptions.values()):
            self.watch(state)

    async def stop(self) -> None:
        """Abandon what is under way: it was not acknowledged and comes again."""
        tasks = [task for tasks in self._open.values() for task in tasks]
        for name in tuple(self._listeners):
            self._forget(name)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    def watch(self, state: SubscriptionState) -> None:
        """Serve the subscription whenever it has a push endpoint, now or after an update."""
        name = state.resource.name
        if name not in self._listeners:
            self._windows[name] = FIRST_WINDOW
            self._open[name] = set()
            self._listeners[name] = partial(self._wake, state)
            state.listeners.add(self._listeners[name])
        self._wake(state)

    def _forget(self, name: str) -> None:
        listener = self._listeners.pop(name)
        if name in self._broker.subscriptions:
            self._broker.subscriptions[name].listeners.discard(listener)
        self._windows.pop(name)
        self._open.pop(name)

    def _wake(self, state: SubscriptionState) -> None:
        """Pump soon, once, however often a burst of changes calls."""
        name = state.resource.name
        if self._broker.subscriptions.get(name) is not state:
            if name in self._listeners:
                self._forget(name)
            return
        if state.backlog.settings.push and name not in self._pumping:
            self._pumping.add(name)
            asyncio.get_running_loop().call_soon(self._pump, state)

    def _pump(self, state: SubscriptionState) -> None:
        name, settings = state.resource.name, state.backlog.settings
        self._pumping.discard(name)
        if name not in self._listeners or settings.push is None:
            return
        room = self._windows[name] - len(self._open[name])
        if room <= 0:
            return
        leased = state.backlog.lease(room, self._broker.clock.now(), settings.ack_deadline)
        for delivery in leased:
            task = asyncio.get_running_loop().create_task(self._deliver(state, settings.push, delivery, delivery.lease))
            self._open[name].add(task)
            task.add_done_callback(partial(self._done, state))
        if leased:  # else it would wake itself for ever
            self._broker.touched(state)

    async def _deliver(self, state: SubscriptionState, push: Push, delivery: Delivery, lease: int) -> None:
        name, backlog = state.resource.name, state.backlog
        acknowledged = await self._post(state, push, delivery)
        message_id = delivery.message.id
        if acknowledged:
            backlog.acknowledge(message_id, lease)
        else:
            now = self._broker.clock.now()
            backlog.extend(message_id, lease, now, now - now)
        if name in self._windows:
            window = self._windows[name]
            self._windows[name] = min(window + 1, LARGEST_WINDOW) if acknowledged else max(window // 2, 1)

    async def _post(self, state: SubscriptionState, push: Push, delivery: Delivery) -> bool:
        assert self._session is not None
        subscription, settings = state.resource.name, state.backlog.settings
        attempt = delivery.attempt if settings.dead_letter else 0
        body = push_body(subscription, delivery.message, attempt)
        headers = {"Content-Type": "application/json", "User-Agent": "CloudPubSub-Google", "From": "noreply@google.com"}
        if push.service_account and self._signer:
            headers["Authorization"] = f"Bearer {self._signer.token(push.audience, push.service_account)}"
        try:
            async with self._session.post(
                push.endpoint,
                data=json.dumps(body, ensure_ascii=False).encode(),
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=settings.ack_deadline.total_seconds()),
            ) as response:
                if response.status not in ACKNOWLEDGED:
                    _log.info(
                        "push of %s to %s answered %d, attempt %d",
                        delivery.message.id,
                        subscription,
                        response.status,
                        delivery.attempt,
                    )
                return response.status in ACKNOWLEDGED
        except (aiohttp.ClientError, TimeoutError) as error:
            _log.info("push of %s to %s failed: %r, attempt %d", delivery.message.id, subscription, error, attempt)
            return False

    def _done(self, state: SubscriptionState, task: asyncio.Task[None]) -> None:
        name = state.resource.name
        if name in self._open:
            self._open[name].discard(task)
        if not task.cancelled():
            task.result()
            if self._broker.subscriptions.get(name) is state:
                self._broker.touched(state)
