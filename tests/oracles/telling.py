"""Who is told what over which channel, and what does the hourly audit repair? Rulebook 5 and 36, row by row."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from tests.oracles.escalation import people
from tests.oracles.reading import LEVELS, Row, Rows

OPEN = ("PENDING", "ACKNOWLEDGED", "PROCESSING")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SWITCHED_ON = ("system", "email")
BY_LEVEL = {
    "INFO": {"system"}, "WARNING": {"system"}, "CRITICAL": {"system", "wechat", "email"},
    "URGENT": {"system", "wechat", "email", "sms"},
}  # fmt: skip
FAILED = ("dead", "suppressed", "expired")
Plan = dict[tuple[int, str], str]  # person and channel: queued, deferred, or why it is suppressed


def rank(level: str) -> int:
    return LEVELS.index(level)


def forgotten(db: Connection, now: datetime, most: int) -> dict[int, tuple[str, set[str]]]:
    """Open alerts that nobody heard of: level and people; the oldest when there are more than one run repairs."""
    rows = Rows(db)
    enabled = {rule.id for rule in rows.alert_rules if rule.is_enabled}
    known = {notification.alert_id for notification in rows.notifications}
    found = [
        a for a in rows.alert_records
        if a.status in OPEN and a.rule_id in enabled and a.id not in known and (a.mute_until is None or a.mute_until <= now)
    ]  # fmt: skip
    found.sort(key=lambda a: (a.triggered_at, a.id))
    return {a.id: (a.alert_level, set(a.recipients)) for a in found[:most]}


def deliveries(db: Connection, alert_id: int, now: datetime) -> Plan:
    """What a new message of an alert becomes for everybody whom it concerns (rulebook 3.5 and 5.1)."""
    rows = Rows(db)
    alert = next(a for a in rows.alert_records if a.id == alert_id)
    rule = next(r for r in rows.alert_rules if r.id == alert.rule_id)
    active = {user.id for user in rows.users if user.is_active}
    tokens = [*alert.recipients, *(f"ROLE:{r}" for r in rule.notify_roles), *(f"USER:{u}" for u in rule.notify_user_ids)]
    channels: dict[int, set[str]] = {}
    for person in {p for token in tokens for p in people(rows, token)} & active:
        channels[person] = {*rule.notify_channels} | BY_LEVEL[alert.alert_level]
    subscribed: dict[int, set[str]] = defaultdict(set)
    for s in rows.alert_subscriptions:
        matches = s.rule_type in (None, rule.rule_type) and s.project_id in (None, alert.project_id)
        if s.is_active and matches and rank(alert.alert_level) >= rank(s.min_level) and s.user_id in active:
            subscribed[s.user_id] |= {*s.channels}
    channels = dict(subscribed) | channels
    if not channels:
        admins = {p for p in people(rows, "ROLE:SYS_ADMIN") if p in active}
        channels = {p: {*rule.notify_channels} | BY_LEVEL[alert.alert_level] for p in admins if p}
    settings = {s.user_id: s for s in rows.notification_settings}
    users = {user.id: user for user in rows.users}
    return {
        (person, channel): _outlook(users[person], settings.get(person), channel, alert.alert_level, now)
        for person, theirs in channels.items() for channel in theirs
    }  # fmt: skip


def _outlook(user: Row, wishes: Any, channel: str, level: str, now: datetime) -> str:
    address = {"system": str(user.id), "email": user.email, "wechat": user.wechat_userid, "sms": user.phone}[channel]
    if channel not in SWITCHED_ON:
        return "channel_disabled"
    if not address:
        return "no_address"
    grave = channel == "system" and rank(level) >= 2  # cannot be switched off
    if not grave and not (channel != "sms" if wishes is None else getattr(wishes, f"{channel}_enabled")):
        return "preference"
    if not grave and wishes is not None and rank(level) < rank(wishes.min_level):
        return "min_level"
    passes = level == "URGENT" or (level == "CRITICAL" and wishes is not None and wishes.critical_bypass)
    return "deferred" if wishes is not None and not passes and _quiet(wishes, now) else "queued"


def _quiet(wishes: Row, now: datetime) -> bool:
    """Half-open, over midnight when the start is later than the end, off when they are equal."""
    start, end, here = wishes.quiet_start, wishes.quiet_end, now.astimezone(ZoneInfo(wishes.time_zone)).time()
    if start is None or end is None or start == end:
        return False
    return start <= here < end if start < end else here >= start or here < end


def failing_channels(db: Connection, now: datetime) -> dict[str, tuple[str, int]]:
    """Channels that are closed, or over which somebody was not told within a day: level, and how many were not."""
    rows = Rows(db)
    messages = {notification.id: notification for notification in rows.notifications}
    found = {}
    for channel in rows.channel_states:
        untold = grave = 0
        for d in rows.notification_deliveries:
            message = messages[d.notification_id]
            if d.channel != channel.channel or d.state != "dead" or d.next_attempt_at <= now - DAY or message.type == "NOTIFY_FAILED":
                continue
            reached = any(
                x.notification_id == d.notification_id and x.user_id == d.user_id and x.state not in FAILED for x in rows.notification_deliveries
            )
            untold += rank(message.severity) >= 2 or not reached
            grave += rank(message.severity) >= 2
        twice = channel.opened_at is not None and channel.opened_before is not None and channel.last_opened_at - channel.opened_before <= HOUR
        if channel.opened_at is not None or untold:
            found[channel.channel] = "CRITICAL" if grave or twice else "WARNING", untold
    return found


def released(db: Connection, now: datetime) -> tuple[dict[int, str], dict[tuple[int, str], int]]:
    """What becomes of each delivery whose window is over, and how many each person's digests hold."""
    rows = Rows(db)
    messages = {notification.id: notification for notification in rows.notifications}
    closed = {alert.id for alert in rows.alert_records if alert.status not in OPEN}
    shut = {c.channel: c.open_until for c in rows.channel_states if c.opened_at is not None}
    users, wishes = {u.id: u for u in rows.users}, {s.user_id: s for s in rows.notification_settings}
    due = [
        d for d in rows.notification_deliveries
        if d.state == "deferred" and d.next_attempt_at <= now and not (d.reason == "breaker" and d.channel in shut)
    ]  # fmt: skip
    for channel, until in shut.items():  # one probe
        waiting = [d for d in rows.notification_deliveries if d.channel == channel and d.state == "deferred" and d.reason == "breaker"]
        if waiting and until <= now:
            due.append(min(waiting, key=lambda d: (d.priority, d.id)))
    fate: dict[int, str] = {}
    for d in due:
        message, user = messages[d.notification_id], users[d.user_id]
        if d.not_after <= now:
            fate[d.id] = "expired"
        elif d.channel not in SWITCHED_ON:
            fate[d.id] = "channel_disabled"
        elif message.reason != "RESOLVED" and message.alert_id in closed:
            fate[d.id] = "alert_closed"
        elif not user.is_active:
            fate[d.id] = "user_inactive"
        else:
            fate[d.id] = _outlook(user, wishes.get(d.user_id), d.channel, message.severity, now)
    minor = [
        d for d in due
        if fate[d.id] == "queued" and rank(messages[d.notification_id].severity) <= 1 and messages[d.notification_id].reason != "DIGEST"
    ]  # fmt: skip
    many = {key: n for key, n in Counter((d.user_id, d.channel) for d in minor).items() if n >= 5}
    return fate | {d.id: "digest" for d in minor if (d.user_id, d.channel) in many}, many


def counted(db: Connection, now: datetime) -> dict[str, int]:
    """The deliveries of the hour before the tick by channel and state."""
    names = {"delivered": "sent"}
    lately = [d for d in Rows(db).notification_deliveries if now - HOUR <= d.created_at < now]
    return dict(Counter(f"{d.channel}_{names.get(d.state, d.state)}" for d in lately))

