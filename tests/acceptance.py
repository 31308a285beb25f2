"""What must hold for every job that alerts? The promises of rulebook 9.1, each a sentence, over a small table per job.

A job's test says how one row violates its rule, and runs the promises::

    JOB = AlertJob("check_overdue_issues", "ISSUE_OVERDUE", clock="09:00", violate=..., clear=..., worsen=..., multiply=...)

    @pytest.mark.parametrize("promise", promises(JOB), ids=sentence)
    def test_the_job_keeps_its_promise(promise: Promise, db: Connection, perform: Perform) -> None:
        promise(JOB, db, perform)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import Connection, Table, text

from shared import i18n
from tests.conftest import Perform, register
from tests.evidence import alerts, counted_statements, events, everything, messages
from tests.factories import TODAY, Erp

STATEMENTS = 15  # the most that a tick may need, whatever it finds


@dataclass(frozen=True)
class AlertJob:
    """A job, its rule, the local time of its tick, and what happens to one row.

    `violate(erp, day)` makes a row that violates the rule from that day on, not the day before, and answers its target id.
    `clear` and `worsen` change that row; `spoil(erp, day)` makes one that cannot be judged and answers its item type;
    `multiply(db, target, n)` makes n more violating rows. `reasons` says per promise why it does not apply.
    """

    job_id: str
    rule: str
    clock: str
    violate: Callable[[Erp, date], int]
    clear: Callable[[Connection, int], None]
    multiply: Callable[[Connection, int, int], None]
    worsen: Callable[[Connection, int], None] | None = None
    spoil: Callable[[Erp, date], str] | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)

    def at(self, day: date = TODAY, clock: str | None = None) -> str:
        return f"{day}T{clock or self.clock}+08:00"


Promise = Callable[[AlertJob, Connection, Perform], None]


def promises(job: AlertJob) -> list[Promise]:
    """Every promise but those for which the job gives a reason."""
    unknown = set(job.reasons) - {promise.__name__ for promise in PROMISES}
    if unknown:
        raise ValueError(f"{job.job_id} excuses itself from {unknown}, which nobody asks of it")
    return [promise for promise in PROMISES if promise.__name__ not in job.reasons]


def sentence(promise: Promise) -> str:
    return promise.__name__


def the_same_slot_twice_writes_and_sends_nothing(job: AlertJob, db: Connection, perform: Perform) -> None:
    """A-1, by the ledger and, for a second run by hand of the same time, by the body itself."""
    job.violate(Erp(db), TODAY)
    assert perform(job.job_id, job.at())["state"] == "succeeded"
    before, told = everything(db), (alerts(db), messages(db), events(db))
    again = perform(job.job_id, job.at())
    assert again["status"] == "duplicate", again
    assert everything(db) == before
    assert perform(job.job_id, job.at(), kind="manual")["state"] == "succeeded"
    assert (alerts(db), messages(db), events(db)) == told


def a_condition_that_clears_resolves_the_alert_without_a_message(
    job: AlertJob, db: Connection, perform: Perform
) -> None:
    """A-2"""
    target = job.violate(Erp(db), TODAY)
    perform(job.job_id, job.at())
    told = messages(db)
    job.clear(db, target)
    perform(job.job_id, job.at(), kind="manual")
    assert [a["status"] for a in alerts(db) if a["rule_code"] == job.rule] == ["RESOLVED"]
    assert [m for m in messages(db) if m not in told and m["type"] == job.rule] == []


def an_acknowledged_alert_is_not_raised_again(job: AlertJob, db: Connection, perform: Perform) -> None:
    """A-3"""
    job.violate(Erp(db), TODAY)
    perform(job.job_id, job.at())
    db.execute(text("update belfry.alert_records set status = 'ACKNOWLEDGED'"))
    perform(job.job_id, job.at(), kind="manual")
    assert [a["status"] for a in alerts(db) if a["rule_code"] == job.rule] == ["ACKNOWLEDGED"]


def a_worse_level_upgrades_the_same_alert_and_tells_once(job: AlertJob, db: Connection, perform: Perform) -> None:
    """A-4"""
    assert job.worsen is not None
    target = job.violate(Erp(db), TODAY)
    perform(job.job_id, job.at())
    before = alerts(db)
    job.worsen(db, target)
    for _ in range(2):
        perform(job.job_id, job.at(), kind="manual")
    (was,), (now,) = before, alerts(db)
    assert now["id"] == was["id"]
    assert now["rank"] > was["rank"], (was, now)
    assert [m["reason"] for m in messages(db) if m["alert_id"] == now["id"]] == ["NEW", "UPGRADED"]


def a_row_that_cannot_be_judged_is_listed_and_the_others_are_done(
    job: AlertJob, db: Connection, perform: Perform
) -> None:
    """A-5"""
    assert job.spoil is not None
    target = job.violate(Erp(db), TODAY)
    item_type = job.spoil(Erp(db), TODAY)
    assert perform(job.job_id, job.at())["state"] == "partial"
    (item,) = db.execute(text("select item_type, status, error from belfry.execution_items")).all()
    assert (item.item_type, item.status) == (item_type, "failed")
    assert item.error
    assert [a["target_id"] for a in alerts(db) if a["rule_code"] == job.rule] == [target]


def a_rule_that_is_switched_off_says_nothing_and_touches_no_alert(
    job: AlertJob, db: Connection, perform: Perform
) -> None:
    """A-8"""
    erp = Erp(db)
    target = job.violate(erp, TODAY)
    perform(job.job_id, job.at())
    before = [a for a in alerts(db) if a["rule_code"] == job.rule]
    db.execute(text("update belfry.alert_rules set is_enabled = false where rule_code = :code"), {"code": job.rule})
    job.clear(db, target)
    job.violate(erp, TODAY)
    assert perform(job.job_id, job.at(TODAY + timedelta(days=1)))["state"] == "succeeded"
    assert [a for a in alerts(db) if a["rule_code"] == job.rule] == before


def a_dry_run_counts_and_lists_but_changes_no_row(job: AlertJob, db: Connection, perform: Perform) -> None:
    """A-9"""
    register(db, job.job_id)
    job.violate(Erp(db), TODAY)
    before = everything(db)
    answer = perform(job.job_id, job.at(), dry_run=True)
    assert answer["status"] == "dry_run", answer
    assert answer["counters"]["created"] == 1
    assert [a["rule_code"] for a in answer["would"]["alerts"]] == [job.rule]
    assert everything(db) == before


def the_number_of_statements_does_not_depend_on_the_rows(job: AlertJob, db: Connection, perform: Perform) -> None:
    """A-10"""
    perform(job.job_id, job.at(TODAY - timedelta(days=2)))  # opens the connection
    target = job.violate(Erp(db), TODAY)
    job.multiply(db, target, 9)
    with counted_statements(db) as few:
        assert perform(job.job_id, job.at())["counters"]["created"] == 10
    job.multiply(db, target, 990)
    with counted_statements(db) as many:
        assert perform(job.job_id, job.at(TODAY + timedelta(days=1)))["counters"]["created"] == 990
    assert few == many
    assert len(many) <= STATEMENTS, many


def the_business_day_begins_at_local_midnight(job: AlertJob, db: Connection, perform: Perform) -> None:
    """A-11: five past midnight in Shanghai is still yesterday in UTC."""
    target = job.violate(Erp(db), TODAY)
    perform(job.job_id, job.at(TODAY - timedelta(days=1), "23:55"), kind="manual")
    assert [a for a in alerts(db) if a["rule_code"] == job.rule] == []
    perform(job.job_id, job.at(TODAY, "00:05"), kind="manual")
    assert [a["target_id"] for a in alerts(db) if a["rule_code"] == job.rule] == [target]


def its_messages_can_be_read_in_both_languages(job: AlertJob, db: Connection, perform: Perform) -> None:
    """What the job writes as facts is what its texts need."""
    job.violate(Erp(db), TODAY)
    for day in range(2):  # the second day brings what is only told again
        perform(job.job_id, job.at(TODAY + timedelta(days=day)))
    told = messages(db)
    assert told
    for message in told:
        for language in i18n.LANGUAGES:
            i18n.render(
                message["type"], language, {"level": message["severity"], **message["facts"]}, reason=message["reason"]
            )


PROMISES: list[Promise] = [
    the_same_slot_twice_writes_and_sends_nothing,
    a_condition_that_clears_resolves_the_alert_without_a_message,
    an_acknowledged_alert_is_not_raised_again,
    a_worse_level_upgrades_the_same_alert_and_tells_once,
    a_row_that_cannot_be_judged_is_listed_and_the_others_are_done,
    a_rule_that_is_switched_off_says_nothing_and_touches_no_alert,
    a_dry_run_counts_and_lists_but_changes_no_row,
    the_number_of_statements_does_not_depend_on_the_rows,
    the_business_day_begins_at_local_midnight,
    its_messages_can_be_read_in_both_languages,
]


def copies_of(table: Table, number: str) -> Callable[[Connection, int, int], None]:
    """A `multiply` for a table whose rows differ only in the text of one unique column."""
    names = [column.name for column in table.columns if column.name not in ("id", number)]

    def multiply(db: Connection, target: int, n: int) -> None:
        db.execute(
            text(f"""insert into {table.fullname} ({number}, {", ".join(names)})
              select {number} || '-' || count || '-' || g, {", ".join(names)} from {table.fullname},
                (select count(*) from {table.fullname}) c, generate_series(1, :n) g where id = :id"""),
            {"n": n, "id": target},
        )

    return multiply
