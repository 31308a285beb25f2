"""Job 31: alerts that nobody handles climb one level a run at most, and the next people up are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.acceptance.cases import RowsJob
from tests.acceptance.many import copies_of_alerts, old_alert
from tests.conftest import Perform
from tests.factories import Erp
from tests.shared.escalation_cases import CALENDAR, Case, moment
from tests.shared.escalation_cases import CASES as LADDER
from tests.telling import NINE, alert, at

JOB = "check_alert_escalation"


def record(db: Connection, alert_id: int) -> Any:
    return db.execute(text("select * from belfry.alert_records where id = :id"), {"id": alert_id}).one()


CASES = [
    RowsJob(
        JOB, clock="09:10", every=timedelta(hours=1),
        arrange=old_alert,
        multiply=copies_of_alerts,
        made=lambda db: db.execute(
            text("select id, alert_level, escalation_count, escalated_at from belfry.alert_records order by id")
        ).all(),
        reasons={
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done":
                "all can be judged: every alert has a level and the instant it got it",
            "the_business_day_begins_at_local_midnight": "no day: the ladder counts hours",
        },
    ),
]  # fmt: skip


def told(db: Connection, alert_id: int) -> list[Any]:
    """The escalation messages of an alert, oldest first, each with the people it went to."""
    return list(
        db.execute(
            text("""select n.*, array(select distinct d.user_id from belfry.notification_deliveries d
                                      where d.notification_id = n.id order by 1) as people
                    from belfry.notifications n where n.alert_id = :id order by n.id"""),
            {"id": alert_id},
        )
    )


def test_the_sql_agrees_with_the_rule_on_every_case(db: Connection, perform: Perform) -> None:
    for day, works in CALENDAR.items():
        db.execute(
            text("""insert into belfry.biz_calendar (day, is_workday) values (:d, :w)
                    on conflict (day) do update set is_workday = excluded.is_workday"""),
            {"d": day, "w": works},
        )
    handler = Erp(db).user()
    for case in LADDER:
        alert_id = alert(db, recipients=[f"USER:{handler}"], **case.columns())
        _repeated_before(db, alert_id, case)
        answer = perform(JOB, moment(case.now).isoformat(), params=case.params or None)
        assert (answer["http_status"], answer["status"]) == (200, "succeeded"), case.name
        _check(case, record(db, alert_id), told(db, alert_id))
        db.execute(text("update belfry.alert_records set status = 'CLOSED' where id = :id"), {"id": alert_id})


def _repeated_before(db: Connection, alert_id: int, case: Case) -> None:
    for repeat in case.repeats:
        db.execute(
            text("""insert into belfry.alert_events (alert_id, event, from_level, to_level, at)
                    values (:id, 'ESCALATED', 'URGENT', 'URGENT', :at)"""),
            {"id": alert_id, "at": moment(repeat)},
        )


def _check(case: Case, after: Any, messages: list[Any]) -> None:
    if case.steps_to is None:
        assert (after.alert_level, after.escalation_count, messages) == (case.level, 0, []), case.name
        return
    assert (after.alert_level, after.escalation_count) == (case.steps_to, 1), case.name
    assert (after.escalated_at, after.base_level) == (moment(case.now), case.level), case.name
    rises = case.level != case.steps_to
    assert after.level_changed_at == moment(case.now if rises else case.since), case.name
    assert [(m.reason, m.severity, m.type) for m in messages] == [("ESCALATED", case.steps_to, "ISSUE_OVERDUE")]
    assert messages[0].facts["escalation"]["from"] == case.level


class House:
    """A handler, the people above, and a project."""

    def __init__(self, db: Connection) -> None:
        erp = Erp(db)
        self.boss = erp.user("部门经理")
        self.manager = erp.user("主管")
        department = erp.department(manager_user_id=self.boss)
        self.handler = erp.user("经办", manager_id=self.manager, department_id=department)
        self.pm = erp.user("项目经理")
        self.project = erp.project(pm_id=self.pm)
        self.pmo = erp.user("PMO", roles=["PMO"])
        self.gm = erp.user("总经理", roles=["GM"])


def step(db: Connection, perform: Perform, level: str, **columns: Any) -> tuple[Any, list[int]]:
    """Let an alert of that level climb; its record and who was told."""
    alert_id = alert(db, alert_level=level, level_changed_at=NINE - timedelta(days=30), **columns)
    perform(JOB)
    return record(db, alert_id), told(db, alert_id)[0].people


def test_each_step_tells_the_next_people_up(db: Connection, perform: Perform) -> None:
    house = House(db)
    own = {"recipients": [f"USER:{house.handler}"], "project_id": house.project}
    steps = {level: step(db, perform, level, **own) for level in ("INFO", "WARNING", "CRITICAL")}
    again = step(db, perform, "URGENT", **own, escalated_at=NINE - timedelta(hours=5))
    h = house
    assert steps["INFO"][1] == [h.handler]
    assert steps["WARNING"][1] == sorted([h.handler, h.manager, h.pm])
    assert steps["CRITICAL"][1] == sorted([h.handler, h.manager, h.pm, h.pmo, h.boss])
    assert again[1] == sorted([h.handler, h.manager, h.pm, h.pmo, h.boss, h.gm])
    assert [steps[level][0].escalated_to for level in steps] == [h.handler, h.manager, h.boss]
    assert again[0].escalated_to == h.boss


def test_a_chain_without_a_manager_ends_at_the_general_manager(db: Connection, perform: Perform) -> None:
    house = House(db)
    lonely = Erp(db).user("独立")
    assert step(db, perform, "WARNING", recipients=[f"USER:{lonely}"])[1] == sorted([lonely, house.gm])


def test_the_departments_manager_stands_in_for_a_missing_one(db: Connection, perform: Perform) -> None:
    house = House(db)
    db.execute(text("update erp.users set manager_id = null where id = :id"), {"id": house.handler})
    assert step(db, perform, "WARNING", recipients=[f"USER:{house.handler}"])[1] == sorted([house.handler, house.boss])


@pytest.mark.parametrize("recipients", [["USER:{gone}", "MGR:{handler}"], ["ROLE:NOBODY", "USER:{manager}"]])
def test_without_a_handler_the_first_recipient_who_is_there_is_it(
    db: Connection, perform: Perform, recipients: list[str]
) -> None:
    house = House(db)
    gone = Erp(db).user(is_active=False)
    tokens = [r.format(gone=gone, handler=house.handler, manager=house.manager) for r in recipients]
    assert step(db, perform, "INFO", recipients=tokens)[0].escalated_to == house.manager


def test_a_handler_who_left_is_replaced_by_the_first_recipient(db: Connection, perform: Perform) -> None:
    house = House(db)
    gone = Erp(db).user(is_active=False)
    assert step(db, perform, "INFO", handler_id=gone, recipients=[f"USER:{house.pm}"])[1] == [house.pm]


def test_a_handler_is_told_rather_than_the_recipients(db: Connection, perform: Perform) -> None:
    house = House(db)
    assert step(db, perform, "INFO", handler_id=house.handler, recipients=[f"USER:{house.pm}"])[1] == [house.handler]


def test_one_run_takes_one_step_and_the_next_waits_for_its_own_limit(db: Connection, perform: Perform) -> None:
    old = alert(db, alert_level="INFO", level_changed_at=NINE - timedelta(days=60))
    perform(JOB)
    assert record(db, old).alert_level == "WARNING"
    perform(JOB, at(60).isoformat())
    assert record(db, old).alert_level == "WARNING"
    perform(JOB, at(8 * 60).isoformat())
    assert (record(db, old).alert_level, record(db, old).escalation_count) == ("CRITICAL", 2)
    assert [m.dedupe_key for m in told(db, old)] == [f"ALERT|{old}|ESCALATED|{n}" for n in (1, 2)]


def test_the_same_tick_again_changes_nothing(db: Connection, perform: Perform) -> None:
    old = alert(db, level_changed_at=NINE - timedelta(days=60))
    tick = at(10).isoformat()
    assert perform(JOB, tick)["duplicate"] is False
    before = record(db, old)
    assert perform(JOB, tick)["duplicate"] is True
    assert record(db, old) == before


def test_muted_alerts_closed_ones_and_rules_that_do_not_escalate_stay(db: Connection, perform: Perform) -> None:
    long_ago = {"level_changed_at": NINE - timedelta(days=60)}
    db.execute(text("update belfry.alert_rules set escalates = false where rule_code = 'KIT_NO_BOM'"))
    db.execute(text("update belfry.alert_rules set is_enabled = false where rule_code = 'KIT_RATE_LOW'"))
    stay = [
        alert(db, **long_ago, mute_until=NINE + timedelta(days=1)),
        alert(db, **long_ago, status="IGNORED"),
        alert(db, **long_ago, status="RESOLVED"),
        alert(db, **long_ago, rule="KIT_NO_BOM"),
        alert(db, **long_ago, rule="KIT_RATE_LOW"),
    ]
    muted_once = alert(db, **long_ago, mute_until=NINE)
    perform(JOB)
    assert [record(db, i).alert_level for i in stay] == ["WARNING"] * 5
    assert record(db, muted_once).alert_level == "CRITICAL"


def test_a_step_is_an_event_of_the_alert(db: Connection, perform: Perform) -> None:
    old = alert(db, level_changed_at=NINE - timedelta(days=60))
    answer = perform(JOB)
    (event,) = db.execute(text("select * from belfry.alert_events where alert_id = :id"), {"id": old})
    assert (event.event, event.from_level, event.to_level, event.at) == ("ESCALATED", "WARNING", "CRITICAL", NINE)
    assert str(event.execution_id) == answer["execution_id"]


def test_a_dry_run_counts_and_writes_nothing(db: Connection, perform: Perform) -> None:
    old = alert(db, level_changed_at=NINE - timedelta(days=60))
    assert perform(JOB, dry_run=True)["counters"]["escalated"] == 1
    assert record(db, old).alert_level == "WARNING"
    assert told(db, old) == []


def test_the_working_hours_are_the_configured_ones(db: Connection, perform: Perform) -> None:
    db.execute(text("""update belfry.biz_config set value = '{"start": "00:00", "end": "24:00"}'
                       where key = 'working_hours'"""))  # fmt: skip
    # Sunday is no workday: nine hours of Monday and of no other day.
    young, old = (alert(db, level_changed_at=moment(t)) for t in ("03-02 02:00", "03-02 01:00"))
    perform(JOB)
    assert [record(db, i).alert_level for i in (young, old)] == ["WARNING", "CRITICAL"]


def test_ten_thousand_alerts_climb_in_one_statement(db: Connection, perform: Perform) -> None:
    handler = Erp(db).user()
    one = alert(db, recipients=[f"USER:{handler}"], level_changed_at=NINE - timedelta(days=60))
    db.execute(
        text("""insert into belfry.alert_records (alert_no, rule_id, dedupe_key, target_type, target_id, base_level,
                  alert_level, recipients, triggered_at, level_changed_at)
                select 'MANY-' || i, rule_id, 'MANY|' || i, target_type, i, base_level, alert_level, recipients,
                       triggered_at, level_changed_at
                from belfry.alert_records, generate_series(1, 9999) i where id = :id"""),
        {"id": one},
    )
    assert perform(JOB)["counters"]["escalated"] == 10_000
