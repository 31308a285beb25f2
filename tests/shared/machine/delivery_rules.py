"""What can happen to a delivery: pushed twice, late or never; its sender dies, freezes or is refused; readers change their minds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from sqlalchemy import text

from shared import deliveries, outbox
from shared.deliveries import Claimed, SendFailedError
from shared.fan_out import fan_out_waiting
from tests.shared.machine.model import Model
from tests.shared.machine.world import DELIVERED, GIVEN_UP, MINUTE

LATEST = 6  # pushes that may come again
MANY = 20  # deliveries; more only take time
WHICH = st.integers(0, 5)
SEVERITIES = st.sampled_from(["WARNING", "CRITICAL", "URGENT"])
FAILURES = ("transient", "permanent", "config")
ENDS = (
    "commits",
    "commits and freezes",
    "commits and freezes",
    "sends",
    "sends",
    "sends and dies",
    "loses the link",
    "loses the link and what it sent",
    "dies",
    "freezes",
    *FAILURES,
)

_TELL = text("""
  insert into belfry.notifications (dedupe_key, type, severity, recipients, not_after)
  values (:key, 'TEST', :severity, cast(:recipients as text[]), belfry.clock() + make_interval(hours => :hours))""")
_MINUTE = text("""
  update belfry.outbox o set next_try_at = x.at, created_at = created_at - interval '1 minute'
  from (select id, timestamptz '2026-01-01' + row_number() over (order by id) * interval '1 second' as at from belfry.outbox
        where published_at is null) x
  where o.id = x.id""")
_EXPIRE = text("""update belfry.notification_deliveries set lease_until = clock_timestamp() - interval '1 second'
  where id = :id and attempt = :attempt and state = 'sending'""")
_ALL_EXPIRE = text(
    "update belfry.notification_deliveries set lease_until = clock_timestamp() - interval '1 second' where state = 'sending'"
)
_SETTINGS = text("""
  insert into belfry.notification_settings (user_id, sms_enabled, quiet_start, quiet_end) values (:first, true, null, null),
  (:second, false, '09:00', '10:30')""")
_PREFER = text("""
  insert into belfry.notification_settings (user_id, email_enabled) values (:user, :on)
  on conflict (user_id) do update set email_enabled = excluded.email_enabled""")


@dataclass
class Sender:
    """A function that has claimed a delivery; `beyond`: it has said that the point of no return comes next."""

    delivery: Claimed
    channel: str
    beyond: bool = False


class DeliveryRules(Model):
    """Rules over claim_deliveries, delivery_committing, delivery_sent, deliveries_failed and the sweep of deliveries."""

    def begin(self) -> None:
        super().begin()
        self.pushes: list[dict[str, Any]] = []
        self.senders: list[Sender] = []
        self.copies: Counter[int] = Counter()
        self.world.db.execute(_SETTINGS, {"first": self.users[0], "second": self.users[1]})

    def check(self) -> None:
        """I5 and P7; in-app deliveries are rows and cannot be sent twice."""
        super().check()
        for delivery, copies in self.copies.items():
            row = self.world.deliveries[delivery]
            assert copies <= min(2, 1 + row.uncertain_count), f"{row} was sent {copies} times"

    # ------------------------------------------------------------------------------------------- coming to rest
    def let_go(self) -> None:
        super().let_go()
        self.pushes, self.senders = [], []

    def sweep_all(self) -> None:
        super().sweep_all()
        self.world.db.execute(_ALL_EXPIRE)
        self.the_sweep_of_deliveries(digest_min=5)

    def work_off(self) -> None:
        super().work_off()
        self.everything_is_published_and_pushed(twice=False)
        self.the_same_happens_to_all_senders("sends")

    # ------------------------------------------------------------------------------------------- helpers

    def _take(self, limit: int, *, marked: bool) -> int:
        messages = sorted(deliveries.take_outbox(self.world.db, limit), key=lambda message: message.id)
        self.pushes += [message.payload for message in messages if message.topic == "notifications"]
        if marked:
            outbox.mark_published(self.world.db, [message.id for message in messages])
        return len(messages)

    def _push(self, payload: dict[str, Any]) -> None:
        ids, channel = payload["delivery_ids"], payload["channel"]
        if channel == "system":
            deliveries.deliver_in_app(self.world.db, ids)
            return
        while held := deliveries.claim(self.world.db, ids, channel):
            for delivery in held:
                known = self.world.deliveries[delivery.id]
                assert known.state not in DELIVERED + GIVEN_UP, f"{known} was claimed again"
                assert delivery.attempt == known.attempt + 1
            self.senders += [Sender(delivery, channel) for delivery in held]

    def _has_lease(self, sender: Sender) -> bool:
        row = self.world.deliveries[sender.delivery.id]
        return row.state == "sending" and row.attempt == sender.delivery.attempt

    def _commit(self, sender: Sender) -> None:
        row = self.world.deliveries[sender.delivery.id]
        sender.beyond = deliveries.committing(self.world.db, sender.delivery)
        assert sender.beyond == (self._has_lease(sender) and row.phase == "connecting")

    # ------------------------------------------------------------------------------------------- telling and publishing
    @initialize(severity=SEVERITIES)
    def there_is_news(self, severity: str) -> None:
        self._tell(severity, 24)

    @precondition(lambda self: len(self.world.deliveries) < MANY)
    @rule(severity=SEVERITIES, hours=st.sampled_from([1, 24]))
    def somebody_is_told(self, severity: str, hours: int) -> None:
        self._tell(severity, hours)

    def _tell(self, severity: str, hours: int) -> None:
        told = {
            "key": str(self.world.new_id()),
            "severity": severity,
            "hours": hours,
            "recipients": [f"USER:{user}" for user in self.users],
        }
        with self.world.transaction() as db:
            db.execute(_TELL, told)
            fan_out_waiting(db)

    @rule(limit=st.sampled_from([1, 100]), marked=st.booleans(), late=st.booleans())
    def a_publisher_works(self, limit: int, marked: bool, late: bool) -> None:
        """`late`: a minute of real time has gone by. Not `marked`: it dies between Pub/Sub's answer and its own note."""
        if late:
            self.world.db.execute(_MINUTE)
        self._take(limit, marked=marked)

    @precondition(lambda self: self.pushes)
    @rule(which=WHICH, kept=st.booleans())
    def a_push_arrives(self, which: int, kept: bool) -> None:
        place = which % len(self.pushes)
        self._push(self.pushes[place] if kept else self.pushes.pop(place))

    @rule(twice=st.booleans())
    def everything_is_published_and_pushed(self, twice: bool) -> None:
        """`twice`: all of it will come again."""
        self.world.db.execute(_MINUTE)
        self._take(100, marked=True)
        pushes, self.pushes = self.pushes, []
        if twice:
            self.pushes = pushes[-LATEST:]
        for payload in pushes:
            self._push(payload)
            self.world.picture()

    @rule(minutes=st.sampled_from([1, 16, 61]))
    def minutes_are_swept_and_everything_arrives(self, minutes: int) -> None:
        """What waits for its time gets on: swept before and after the minutes have passed."""
        for span in (0, minutes):
            self.time_goes_by(span * MINUTE)
            self.the_sweep_of_deliveries(digest_min=5)
            self.everything_is_published_and_pushed(twice=False)

    @precondition(lambda self: self.pushes)
    @rule()
    def all_pushes_are_lost(self) -> None:
        self.pushes = []

    # ------------------------------------------------------------------------------------------- sending
    @precondition(lambda self: self.senders)
    @rule(which=WHICH, what=st.sampled_from(ENDS))
    def something_happens_to_a_sender(self, which: int, what: str) -> None:
        self._goes_on(self.senders[which % len(self.senders)], what)

    @precondition(lambda self: self.senders)
    @rule(what=st.sampled_from(ENDS))
    def the_same_happens_to_all_senders(self, what: str) -> None:
        for sender in list(self.senders):
            self._goes_on(sender, what)
            self.world.picture()

    def _goes_on(self, sender: Sender, what: str) -> None:
        if what in (
            "commits",
            "commits and freezes",
            "sends",
            "sends and dies",
            "loses the link",
            "loses the link and what it sent",
        ):
            if not sender.beyond:
                self._commit(sender)
                self.world.picture()
            if not sender.beyond:
                self.senders.remove(sender)
                return
        if what in ("freezes", "commits and freezes", "dies", "sends and dies"):
            self._lose_delivery_lease(sender)
        if what not in ("commits", "commits and freezes", "freezes"):
            self.senders.remove(sender)
        if what in ("sends", "sends and dies", "loses the link"):
            self.copies[sender.delivery.id] += 1
        if what == "sends":
            row = self.world.deliveries[sender.delivery.id]
            known = row.state in ("sending", "uncertain") and row.attempt == sender.delivery.attempt
            assert deliveries.mark_sent(self.world.db, sender.delivery, "model") == known
        elif what.startswith("loses"):
            self._fails(sender, "uncertain")
        elif what in FAILURES:
            self._fails(sender, what)

    def _fails(self, sender: Sender, kind: Any) -> None:
        moved = deliveries.mark_failed(self.world.db, [sender.delivery], SendFailedError(kind, "model", "no"))
        assert moved == self._has_lease(sender)

    def _lose_delivery_lease(self, sender: Sender) -> None:
        self.world.db.execute(_EXPIRE, {"id": sender.delivery.id, "attempt": sender.delivery.attempt})

    # ------------------------------------------------------------------------------------------- the sweep, the readers
    @rule(digest_min=st.sampled_from([2, 5]))
    def the_sweep_of_deliveries(self, digest_min: int) -> None:
        execution = str(self.world.new_id())
        with self.world.transaction() as db:
            deliveries.requeue(db, execution)
            deliveries.expire(db)
            deliveries.retry(db, execution)
            deliveries.release(db, execution, digest_min=digest_min)
        self.world.picture()
        left = [row for row in self.world.deliveries.values() if row.state == "sending" and row.expired]
        assert not left, f"nobody took these back: {left}"

    @rule(minutes=st.sampled_from([1, 6, 16, 61, 180]))
    def time_passes_for_deliveries(self, minutes: int) -> None:
        self.time_goes_by(minutes * MINUTE)

    @rule(user=st.integers(0, 2), on=st.booleans())
    def somebody_changes_a_preference(self, user: int, on: bool) -> None:
        self.world.db.execute(_PREFER, {"user": self.users[user], "on": on})
