"""The life of an alert: raised once, refreshed only where it differs, upgraded, muted, resolved and told to the right
people."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import BigInteger, Connection, Numeric, Text, cast, column, literal, select, text, values
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared import db as shared_db
from shared.alerts import raise_alerts
from shared.jobs import Run, job
from shared.notifications import notify
from tests.conftest import request_to
from tests.factories import Erp
from tests.processes import eventually
from tests.shared.test_jobs import add_job, post

Found = dict[int, str]  # target -> level
RULE = "ISSUE_OVERDUE"


class Rule:
    """A job whose violations a test sets, on a virtual clock of a minute a tick."""

    def __init__(self, db: Connection) -> None:
        self.db = db
        add_job(db, "watch", schedule="* * * * *")
        self.minute = 0
        self.people = Erp(db)
        self.owner = self.people.user("陈工")
        self.found: Found = {}
        self.scanned: set[int] = set()
        self.present: set[int] | None = None

        @job
        def watch(run: Run) -> None:
            raise_alerts(
                run,
                RULE,
                self._violations(),
                scanned=self._targets(self.scanned),
                present=None if self.present is None else self._targets(self.present),
            )

        self.watch = watch

    def _violations(self) -> Any:
        rows = values(column("id", BigInteger), column("level", Text), name="v").data(
            list(self.found.items()) or [(0, "INFO")]
        )
        return select(
            rows.c.id.label("target_id"),
            literal("ISS-1").label("target_no"),
            literal("焊接缺陷").label("target_name"),
            cast(None, BigInteger).label("project_id"),
            rows.c.level,
            cast([f"USER:{self.owner}"], ARRAY(Text)).label("recipients"),
            cast({"title": "焊接缺陷"}, JSONB).label("facts"),
            cast(3, Numeric).label("trigger_value"),
            cast(1, Numeric).label("threshold_value"),
        ).where(rows.c.id > 0)

    @staticmethod
    def _targets(ids: set[int]) -> Any:
        rows = values(column("id", BigInteger), name="t").data([(i,) for i in sorted(ids)] or [(0,)])
        return select(rows.c.id.label("target_id"))

    def run(
        self, found: Found, *, scanned: set[int] | None = None, hours: float = 0, dry_run: bool = False
    ) -> dict[str, Any]:
        self.minute += 1 + int(hours * 60)
        self.found, self.scanned = found, set(found) | (scanned or set())
        at = f"2026-03-{2 + self.minute // 1440:02d}T{self.minute // 60 % 24:02d}:{self.minute % 60:02d}:00+00:00"
        answer = post(self.watch, {"job": "watch", "dry_run": dry_run}, at=at, X_Belfry_Now=at)
        assert answer["http_status"] == 200, answer
        assert answer["status"] in ("succeeded", "dry_run"), answer
        return answer

    def alerts(self) -> list[tuple[int, str, str, str]]:
        return [
            tuple(r)
            for r in self.db.execute(
                text("select target_id, base_level, alert_level, status from belfry.alert_records order by id")
            )
        ]

    def told(self) -> list[tuple[str, str, str]]:
        return [
            tuple(r)
            for r in self.db.execute(
                text(
                    """select n.reason, d.channel, d.state from belfry.notification_deliveries d
                       join belfry.notifications n on n.id = d.notification_id order by d.id"""
                )
            )
        ]


@pytest.fixture
def rule(db: Connection) -> Rule:
    return Rule(db)


def test_a_violation_is_raised_once_and_an_unchanged_one_is_not_written(rule: Rule) -> None:
    first = rule.run({7: "WARNING"})
    assert (first["counters"]["created"], first["counters"]["deliveries"]) == (1, 1)
    before = rule.db.execute(text("select xmin::text, id from belfry.alert_records")).all()
    again = rule.run({7: "WARNING"})
    assert (again["counters"]["created"], again["counters"]["updated"]) == (0, 0)
    assert rule.db.execute(text("select xmin::text, id from belfry.alert_records")).all() == before
    assert rule.told() == [("NEW", "system", "queued")]


def test_an_acknowledged_alert_is_not_raised_again(rule: Rule) -> None:
    rule.run({7: "WARNING"})
    rule.db.execute(
        text("update belfry.alert_records set status = 'ACKNOWLEDGED', acknowledged_by = :u"), {"u": rule.owner}
    )
    assert rule.run({7: "WARNING"})["counters"]["created"] == 0
    assert len(rule.alerts()) == 1


def test_a_worse_level_upgrades_the_same_alert_and_tells_once(rule: Rule) -> None:
    rule.run({7: "INFO"})
    rule.run({7: "CRITICAL"})
    rule.run({7: "CRITICAL"})
    assert rule.alerts() == [(7, "CRITICAL", "CRITICAL", "PENDING")]
    assert [t for t in rule.told() if t[1] == "system"] == [
        ("NEW", "system", "queued"),
        ("UPGRADED", "system", "queued"),
    ]


def test_a_better_level_never_lowers_an_open_alert(rule: Rule) -> None:
    rule.run({7: "CRITICAL"})
    rule.run({7: "INFO"})
    assert rule.alerts() == [(7, "INFO", "CRITICAL", "PENDING")]


def test_a_cleared_condition_resolves_what_was_scanned_and_leaves_the_rest(rule: Rule) -> None:
    rule.run({7: "WARNING", 8: "WARNING"})
    counters = rule.run({}, scanned={7})["counters"]
    assert counters["resolved"] == 1
    assert {a[0]: a[3] for a in rule.alerts()} == {7: "RESOLVED", 8: "PENDING"}
    assert [t for t in rule.told() if t[0] == "RESOLVED"] == []


def test_whoever_acknowledged_is_told_in_the_inbox_that_it_is_over(rule: Rule) -> None:
    rule.run({7: "WARNING"})
    rule.db.execute(
        text("update belfry.alert_records set status = 'ACKNOWLEDGED', acknowledged_by = :u"), {"u": rule.owner}
    )
    rule.run({}, scanned={7})
    assert [t for t in rule.told() if t[0] == "RESOLVED"] == [("RESOLVED", "system", "queued")]


def test_an_alert_whose_target_has_gone_expires(rule: Rule) -> None:
    rule.run({7: "WARNING", 8: "WARNING"})
    rule.present = {8}
    rule.run({8: "WARNING"})
    assert {a[0]: a[3] for a in rule.alerts()} == {7: "EXPIRED", 8: "PENDING"}


def test_an_ignored_alert_is_muted_until_it_gets_worse(rule: Rule) -> None:
    rule.run({7: "WARNING"})
    rule.db.execute(
        text("update belfry.alert_records set status = 'IGNORED', mute_until = timestamptz '2026-03-09T00:00Z'")
    )
    assert rule.run({7: "WARNING"})["counters"]["created"] == 0
    assert rule.run({7: "CRITICAL"})["counters"]["created"] == 1


def test_an_alert_that_comes_back_within_a_day_only_reaches_the_inbox(rule: Rule) -> None:
    rule.run({7: "CRITICAL"})
    rule.run({}, scanned={7})
    rule.run({7: "CRITICAL"}, hours=2)
    last = rule.db.execute(
        text("select id, previous_alert_id from belfry.alert_records order by id desc limit 1")
    ).one()
    assert last.previous_alert_id is not None
    assert rule.told()[-1] == ("NEW", "system", "queued")
    assert {t[1] for t in rule.told()} == {"system", "email", "wechat"}


def test_a_rule_that_is_switched_off_touches_nothing(rule: Rule) -> None:
    rule.run({7: "WARNING"})
    rule.db.execute(text("update belfry.alert_rules set is_enabled = false where rule_code = :r"), {"r": RULE})
    assert rule.run({8: "URGENT"}, scanned={7})["status"] == "succeeded"
    assert rule.alerts() == [(7, "WARNING", "WARNING", "PENDING")]


def test_a_dry_run_lists_whom_it_would_tell_and_keeps_nothing(rule: Rule) -> None:
    would = rule.run({7: "WARNING"}, dry_run=True)["would"]
    assert [(a["event"], a["alert_level"]) for a in would["alerts"]] == [("CREATED", "WARNING")]
    assert [(t["user_name"], t["channel"]) for t in would["told"]] == [("陈工", "system")]
    assert rule.alerts() == []
    assert rule.told() == []


def test_an_alert_nobody_is_named_for_goes_to_the_administrators(rule: Rule) -> None:
    admin = rule.people.user("管理员")
    rule.people.role("SYS_ADMIN", users=[admin])
    rule.db.execute(text("update erp.users set is_active = false where id = :u"), {"u": rule.owner})
    assert rule.run({7: "WARNING"})["counters"]["no_recipient"] == 1
    assert rule.db.execute(text("select distinct user_id from belfry.notification_deliveries")).scalars().all() == [
        admin
    ]


QUIET = [  # user's zone, start, end, tick (UTC), level, expected state of e-mail, next attempt (UTC)
    ("Asia/Shanghai", "22:00", "08:00", "2026-03-02T14:00", "CRITICAL", "deferred", "2026-03-03T00:00"),
    ("Asia/Shanghai", "22:00", "08:00", "2026-03-02T13:59", "CRITICAL", "queued", None),
    ("Asia/Shanghai", "22:00", "08:00", "2026-03-03T00:00", "CRITICAL", "queued", None),
    ("Asia/Shanghai", "22:00", "08:00", "2026-03-02T14:00", "URGENT", "queued", None),
    ("Asia/Shanghai", "12:00", "14:00", "2026-03-02T05:59", "CRITICAL", "deferred", "2026-03-02T06:00"),
    ("Asia/Shanghai", "09:00", "09:00", "2026-03-02T01:00", "CRITICAL", "queued", None),
    ("America/New_York", "22:00", "07:00", "2026-03-08T06:30", "CRITICAL", "deferred", "2026-03-08T11:00"),
]


@pytest.mark.parametrize(("zone", "start", "end", "tick", "level", "state", "until"), QUIET)
def test_quiet_hours_delay_in_the_user_s_own_zone(
    db: Connection,
    monkeypatch: pytest.MonkeyPatch,
    zone: str,
    start: str,
    end: str,
    tick: str,
    level: str,
    state: str,
    until: str | None,
) -> None:
    monkeypatch.setenv("EMAIL_ENABLED", "true")
    monkeypatch.setenv("EMAIL_SMTP_SERVER", "127.0.0.1")
    monkeypatch.setenv("EMAIL_FROM", "belfry@example.com")
    rule = Rule(db)
    db.execute(
        text(
            """insert into belfry.notification_settings (user_id, quiet_start, quiet_end, time_zone)
               values (:u, :s, :e, :z)"""
        ),
        {"u": rule.owner, "s": start, "e": end, "z": zone},
    )
    rule.found, rule.scanned = {7: level}, {7}
    rule.watch(
        request_to(None, headers={"X-CloudScheduler-ScheduleTime": tick + ":00Z", "X-Belfry-Now": tick + ":00Z"})
    )
    row = db.execute(
        text("""select state, to_char(next_attempt_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI') as next
                             from belfry.notification_deliveries where channel = 'email'""")
    ).one()
    assert row.state == state
    if until:
        assert row.next == until


def test_channels_follow_level_rule_preference_and_address(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_ENABLED", "true")
    monkeypatch.setenv("EMAIL_SMTP_SERVER", "127.0.0.1")
    monkeypatch.setenv("EMAIL_FROM", "belfry@example.com")
    rule = Rule(db)
    db.execute(text("update erp.users set email = null, phone = '13800000000' where id = :u"), {"u": rule.owner})
    rule.run({7: "URGENT"})
    seen = {
        r.channel: (r.state, r.reason)
        for r in db.execute(text("select channel, state, reason from belfry.notification_deliveries"))
    }
    assert seen == {
        "system": ("queued", None),
        "email": ("suppressed", "no_address"),
        "wechat": ("suppressed", "channel_disabled"),
        "sms": ("suppressed", "channel_disabled"),
    }


def test_the_number_of_statements_does_not_depend_on_the_rows(rule: Rule) -> None:
    from shared import db as database
    from tests.statements import statements_of

    counts: list[int] = []
    for found in ({1: "WARNING"}, dict.fromkeys(range(2, 902), "WARNING")):
        with statements_of(database.engine()) as statements:
            rule.run(found)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    boxes = (
        rule.db.execute(
            text("select jsonb_array_length(payload->'delivery_ids') from belfry.outbox order by created_at, 1 desc")
        )
        .scalars()
        .all()
    )
    assert boxes == [1, *[100] * 9]


def test_a_late_older_tick_leaves_alone_what_a_later_one_has_judged(rule: Rule) -> None:
    rule.run({7: "WARNING", 8: "INFO"}, hours=5)
    rule.minute -= 240
    late = rule.run({8: "CRITICAL", 9: "INFO"}, scanned={7})["counters"]
    assert (late["created"], late["updated"], late["resolved"]) == (1, 0, 0)
    assert sorted((a[0], a[2], a[3]) for a in rule.alerts()) == [
        (7, "WARNING", "PENDING"),
        (8, "INFO", "PENDING"),
        (9, "INFO", "PENDING"),
    ]


def test_a_report_names_its_own_channels(db: Connection) -> None:
    reader = Erp(db).user("郑凯")
    add_job(db, "report", schedule="* * * * *")

    @job
    def report(run: Run) -> None:
        for channels in (["system", "email"], None):
            notify(
                run,
                "TEST",
                select(
                    cast(f"report|{channels}", Text).label("dedupe_key"),
                    literal("INFO").label("severity"),
                    cast([f"USER:{reader}"], ARRAY(Text)).label("recipients"),
                    cast({}, JSONB).label("facts"),
                    cast(channels, ARRAY(Text)).label("channels"),
                ),
            )

    report(request_to({"job": "report", "run_at": "2026-03-02T09:00+08:00"}))
    told = db.execute(
        text("""select n.dedupe_key, array_agg(d.channel order by d.channel) from belfry.notifications n
        join belfry.notification_deliveries d on d.notification_id = n.id group by 1 order by 1""")
    ).all()
    assert [tuple(row) for row in told] == [
        ("report|None", ["system"]),
        ("report|['system', 'email']", ["email", "system"]),
    ]


def test_a_first_scan_reads_its_growing_table_no_oftener_than_it_writes_it(rule: Rule) -> None:
    """Statistics that say "empty" are true when the statement is planned and false when it has written its first rows."""
    count, table = 4000, "belfry.alert_records"
    rule.run({1: "WARNING"}, dry_run=True)  # opens the connection
    with rule.db.engine.connect() as other:
        other.exec_driver_sql(f"vacuum analyze {table}")
    blocks = text("select heap_blks_hit + heap_blks_read from pg_statio_all_tables where relid = cast(:t as regclass)")
    before = rule.db.execute(blocks, {"t": table}).scalar_one()
    assert rule.run(dict.fromkeys(range(1, count + 1), "WARNING"))["counters"]["created"] == count
    shared_db.forget_engine()  # a backend that ends hands in its statistics
    eventually(lambda: rule.db.execute(blocks, {"t": table}).scalar_one() > before + count, "the statistics come in")
    assert rule.db.execute(blocks, {"t": table}).scalar_one() - before < 20 * count
