"""What must hold for every job? The promises of rulebook 9.1, each a sentence, over one small description per case.

A job's test module says how one row concerns it, in a module-level list, and nothing else is needed:
tests/functions/test_acceptance.py takes every job of cron.yaml, imports tests/functions/<category>/test_<job_id>.py and
runs every promise for every case it finds there::

    CASES = [
        AlertJob("check_overdue_issues", "ISSUE_OVERDUE", clock="09:00", violate=..., clear=..., worsen=..., spoil=...,
                 multiply=copies_of(tables.issues, "issue_no")),
    ]

One `AlertJob` a rule of a job that alerts; a `RowsJob` for a job that makes or changes rows, or only tells people. A job
that does both has both. Each promise gets a database of its own, so a case is a description and keeps no state.

**A promise that does not apply** needs a reason: `reasons={"<name of the promise>": "<kind>: <one sentence>"}`, the kind
one of EXCUSES, which also says which promises it may excuse. `"proved by test_name: ..."` excuses any promise and must
name a test of the same module that proves it in the job's own way. An empty, unknown or unneeded reason fails.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Table, text

from shared import i18n
from tests.conftest import ROOT, Perform, declared_job, load_function, register, request_to
from tests.evidence import alerts, counted_statements, events, everything, messages
from tests.factories import TODAY, Erp
from tests.telling import NINE, alert

STATEMENTS = 15  # the most that a tick may need, whatever it finds
# Rows that a tick must manage within the job's timeout: fifty thousand take a quarter of a minute a job and more,
# so they are asked by `make volume`; every other run asks a thousand.
WHOLE = os.environ.get("BELFRY_FULL_SWEEP") == "1"
MANY = 50_000 if WHOLE else 1_000


@dataclass(frozen=True, kw_only=True)
class _Ticks:
    """When the case's ticks are: `clock` (local time) of `day`, then every `every`.

    That must be a tick of the job's own schedule: a weekly or monthly job says which day, an hourly one another `every`. `around(db)` is entered around the whole promise: a server that must answer, settings, what the clock needs.
    `reasons` says per promise why it does not apply.
    """

    clock: str
    day: date = TODAY
    every: timedelta = timedelta(days=1)
    around: Callable[[Connection], AbstractContextManager[Any]] = lambda db: nullcontext()
    reasons: Mapping[str, str] = field(default_factory=dict)

    def at(self, tick: int = 0) -> str:
        """The case's tick, or the one so many ticks later."""
        return (datetime.fromisoformat(f"{self.day}T{self.clock}+08:00") + tick * self.every).isoformat()


@dataclass(frozen=True)
class AlertJob(_Ticks):
    """A job and one of its rules, and what happens to one row.

    `violate(erp, day)` makes a row that violates the rule from that day on, not the day before, and answers its target id.
    `clear(db, target)` and `worsen(db, target)` change that row: it violates no longer; its level rises.
    `spoil(erp, day)` makes a row that cannot be judged and answers its item type in execution_items.
    `multiply(db, target, n)` makes n more violating rows out of that one, in one statement: n may be 50,000.
    """

    job_id: str
    rule: str
    violate: Callable[[Erp, date], int]
    clear: Callable[[Connection, int], None]
    multiply: Callable[[Connection, int, int], None]
    worsen: Callable[[Connection, int], None] | None = None
    spoil: Callable[[Erp, date], str] | None = None

    def arrange(self, erp: Erp, day: date) -> int:
        return self.violate(erp, day)

    def made(self, db: Connection) -> Sequence[Any]:
        """The alerts of the rule, as they stand."""
        return [a for a in alerts(db) if a["rule_code"] == self.rule]

    def __str__(self) -> str:
        return f"{self.job_id}-{self.rule}"


@dataclass(frozen=True)
class RowsJob(_Ticks):
    """A job that makes or changes rows, or tells people, without a rule of its own: A-2, A-3, A-4, A-8 are not asked.

    `arrange(erp, day)` makes one row on which the job must act from that day on, and answers its id (0: none).
    `made(db)` is a list, comparable and in a fixed order, of all that the job is to make or change, without volatile columns
    (execution ids, instants of writing): it differs after a run that had something to do, and only then.
    `multiply(db, target, n)` makes n more rows like the arranged one, in one statement: n may be 50,000.
    `spoil(erp, day)` makes a row that cannot be judged and answers its item type in execution_items.
    """

    job_id: str
    arrange: Callable[[Erp, date], int]
    multiply: Callable[[Connection, int, int], None]
    made: Callable[[Connection], Sequence[Any]]
    spoil: Callable[[Erp, date], str] | None = None

    def __str__(self) -> str:
        return f"{self.job_id}-rows"


Case = AlertJob | RowsJob
Promise = Callable[[Any, Connection, Perform], None]


# ---------------------------------------------------------------- what is promised
def the_same_slot_twice_writes_and_sends_nothing(job: Case, db: Connection, perform: Perform) -> None:
    """A-1, by the ledger and, for a second run by hand of the same time, by the body itself."""
    job.arrange(Erp(db), job.day)
    assert perform(job.job_id, job.at())["state"] == "succeeded"
    before, done = everything(db), (job.made(db), alerts(db), messages(db), events(db))
    again = perform(job.job_id, job.at())
    assert again["status"] == "duplicate", again
    assert everything(db) == before
    assert perform(job.job_id, job.at(), kind="manual")["state"] == "succeeded"
    assert (job.made(db), alerts(db), messages(db), events(db)) == done


def a_condition_that_clears_resolves_the_alert_without_a_message(
    job: AlertJob, db: Connection, perform: Perform
) -> None:
    """A-2"""
    target = job.violate(Erp(db), job.day)
    perform(job.job_id, job.at())
    told = messages(db)
    job.clear(db, target)
    perform(job.job_id, job.at(), kind="manual")
    assert [a["status"] for a in job.made(db)] == ["RESOLVED"]
    assert [m for m in messages(db) if m not in told and m["type"] == job.rule] == []


def an_acknowledged_alert_is_not_raised_again(job: AlertJob, db: Connection, perform: Perform) -> None:
    """A-3"""
    job.violate(Erp(db), job.day)
    perform(job.job_id, job.at())
    db.execute(text("update belfry.alert_records set status = 'ACKNOWLEDGED'"))
    perform(job.job_id, job.at(), kind="manual")
    assert [a["status"] for a in job.made(db)] == ["ACKNOWLEDGED"]


def a_worse_level_upgrades_the_same_alert_and_tells_once(job: AlertJob, db: Connection, perform: Perform) -> None:
    """A-4"""
    assert job.worsen is not None, "say how it gets worse, or why it cannot"
    target = job.violate(Erp(db), job.day)
    perform(job.job_id, job.at())
    before = job.made(db)
    job.worsen(db, target)
    for _ in range(2):
        perform(job.job_id, job.at(), kind="manual")
    (was,), (now,) = before, job.made(db)
    assert now["id"] == was["id"]
    assert now["rank"] > was["rank"], (was, now)
    assert [m["reason"] for m in messages(db) if m["alert_id"] == now["id"]] == ["NEW", "UPGRADED"]


def a_row_that_cannot_be_judged_is_listed_and_the_others_are_done(job: Case, db: Connection, perform: Perform) -> None:
    """A-5"""
    assert job.spoil is not None, "say what cannot be judged, or why everything can"
    target = job.arrange(Erp(db), job.day)
    item_type, before = job.spoil(Erp(db), job.day), job.made(db)
    assert perform(job.job_id, job.at())["state"] == "partial"
    (item,) = db.execute(
        text("select item_type, status, error from belfry.execution_items where status = 'failed'")
    ).all()
    assert item.item_type == item_type
    assert item.error
    if isinstance(job, AlertJob):
        assert [a["target_id"] for a in job.made(db)] == [target]
    else:
        assert job.made(db) != before


def an_exception_fails_the_run_after_its_last_attempt_and_raises_an_incident(
    job: Case, db: Connection, perform: Perform
) -> None:
    """A-6: every table that cron.yaml says the job reads or writes is gone while it is tried, but for the ledger's own."""
    register(db, job.job_id)
    job.arrange(Erp(db), job.day)
    attempts = db.execute(
        text("select max_attempts from belfry.jobs where job_id = :id"), {"id": job.job_id}
    ).scalar_one()
    now = datetime.fromisoformat(job.at())
    with _without_tables(db, job.job_id):
        for attempt in range(1, attempts + 1):
            answer = perform(job.job_id, job.at(), now=now.isoformat())
            assert answer["state"] == ("retry_wait" if attempt < attempts else "failed"), answer
            now += timedelta(minutes=10)
    (row,) = db.execute(
        text("""select e.state, e.attempt, e.error, s.failure_count, s.success_count from belfry.job_executions e
                join belfry.job_summaries s using (job_id) where job_id = :id"""),
        {"id": job.job_id},
    )
    assert (row.state, row.attempt, row.failure_count, row.success_count) == ("failed", attempts, 1, 0)
    assert row.error
    perform("sweep_runs", now.isoformat())
    incidents = [(a["target_no"], a["status"]) for a in alerts(db) if a["rule_code"] == "JOB_FAILED"]
    assert (job.job_id, "PENDING") in incidents


def two_deliveries_of_one_tick_at_once_are_one_run(job: Case, db: Connection, perform: Perform) -> None:
    """A-7: two threads, two connections, one tick."""
    perform(job.job_id, job.at(-1))  # registered, and warm
    job.arrange(Erp(db), job.day)
    before, gate, answers = job.made(db), threading.Barrier(2), list[dict[str, Any]]()
    function, headers = load_function(job.job_id), {"X-Belfry-Now": job.at(), "X-CloudScheduler-JobName": job.job_id}

    def deliver() -> None:
        request = request_to({"job": job.job_id, "run_at": job.at(), "kind": "scheduled"}, headers=headers)
        gate.wait(30)
        answers.append(json.loads(function(request).get_data()))

    threads = [threading.Thread(target=deliver) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 2, "one of them did not answer"
    first, second = sorted((a.get("status") for a in answers), key=lambda status: status != "succeeded")
    assert first == "succeeded", answers
    assert second in ("duplicate", "in_progress"), answers
    runs = db.execute(
        text("select count(*) from belfry.job_executions where job_id = :id and run_at = :at"),
        {"id": job.job_id, "at": job.at()},
    )
    assert runs.scalar_one() == 1
    assert job.made(db) != before
    if isinstance(job, AlertJob):
        assert len(job.made(db)) == 1


def a_rule_that_is_switched_off_says_nothing_and_touches_no_alert(
    job: AlertJob, db: Connection, perform: Perform
) -> None:
    """A-8"""
    erp = Erp(db)
    target = job.violate(erp, job.day)
    perform(job.job_id, job.at())
    before = job.made(db)
    db.execute(text("update belfry.alert_rules set is_enabled = false where rule_code = :code"), {"code": job.rule})
    job.clear(db, target)
    job.violate(erp, job.day)
    assert perform(job.job_id, job.at(1))["state"] == "succeeded"
    assert job.made(db) == before


def a_dry_run_counts_and_lists_but_changes_no_row(job: Case, db: Connection, perform: Perform) -> None:
    """A-9"""
    register(db, job.job_id)
    job.arrange(Erp(db), job.day)
    before = everything(db)
    answer = perform(job.job_id, job.at(), dry_run=True)
    assert answer["status"] == "dry_run", answer
    assert any(answer["counters"].values()), "it counts nothing"
    if isinstance(job, AlertJob):
        assert answer["counters"]["created"] == 1
        assert [a["rule_code"] for a in answer["would"]["alerts"]] == [job.rule]
    assert everything(db) == before


def the_number_of_statements_does_not_depend_on_the_rows(job: Case, db: Connection, perform: Perform) -> None:
    """A-10"""
    perform(job.job_id, job.at(-2))  # opens the connection
    target = job.arrange(Erp(db), job.day)
    taken = []
    for tick, more in enumerate((9, 9990)):
        job.multiply(db, target, more)
        db.execute(text("analyze"))
        before = job.made(db)
        with counted_statements(db) as statements:
            answer = perform(job.job_id, job.at(tick))
        assert job.made(db) != before
        if isinstance(job, AlertJob):
            assert answer["counters"]["created"] == (10, 9990)[tick]
        taken.append(statements)
    few, many = taken
    assert few == many
    assert len(many) <= STATEMENTS, many


def the_business_day_begins_at_local_midnight(job: Case, db: Connection, perform: Perform) -> None:
    """A-11: five past midnight in Shanghai is still yesterday in UTC."""
    target = job.arrange(Erp(db), job.day)
    perform(job.job_id, f"{job.day - timedelta(days=1)}T23:55+08:00", kind="manual")
    before = job.made(db)
    perform(job.job_id, f"{job.day}T00:05+08:00", kind="manual")
    if isinstance(job, AlertJob):
        assert before == []
        assert [a["target_id"] for a in job.made(db)] == [target]
    assert job.made(db) != before


def fifty_thousand_rows_are_done_within_the_jobs_timeout(job: Case, db: Connection, perform: Perform) -> None:
    """A-12"""
    target = job.arrange(Erp(db), job.day)
    job.multiply(db, target, MANY - 1)
    if WHOLE:  # as autovacuum would have by then
        erp = "select oid::regclass::text from pg_class where relnamespace = 'erp'::regnamespace and relkind = 'r'"
        for table in db.execute(text(erp)).scalars().all():
            db.execute(text(f"analyze {table}"))
    before, begun = job.made(db), time.monotonic()
    answer = perform(job.job_id, job.at())
    took = time.monotonic() - begun
    assert answer["state"] == "succeeded", answer
    assert job.made(db) != before
    if isinstance(job, AlertJob):
        assert answer["counters"]["created"] == MANY
    assert took < declared_job(job.job_id).timeout, f"{took:.0f} s"


def its_messages_can_be_read_in_both_languages(job: Case, db: Connection, perform: Perform) -> None:
    """What the job writes as facts is what its texts need."""
    job.arrange(Erp(db), job.day)
    for tick in range(2):  # the second day brings what is only told again
        perform(job.job_id, job.at(tick))
    told = messages(db)
    assert told or isinstance(job, RowsJob)
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
    an_exception_fails_the_run_after_its_last_attempt_and_raises_an_incident,
    two_deliveries_of_one_tick_at_once_are_one_run,
    a_rule_that_is_switched_off_says_nothing_and_touches_no_alert,
    a_dry_run_counts_and_lists_but_changes_no_row,
    the_number_of_statements_does_not_depend_on_the_rows,
    the_business_day_begins_at_local_midnight,
    fifty_thousand_rows_are_done_within_the_jobs_timeout,
    its_messages_can_be_read_in_both_languages,
]
OF_ALERTS = [
    a_condition_that_clears_resolves_the_alert_without_a_message,
    an_acknowledged_alert_is_not_raised_again,
    a_worse_level_upgrades_the_same_alert_and_tells_once,
    a_rule_that_is_switched_off_says_nothing_and_touches_no_alert,
]


# ---------------------------------------------------------------- what does not apply, and why
EXCUSES: Mapping[str, Sequence[Promise]] = {
    # the level has one value, whatever happens to the row
    "one level": [a_worse_level_upgrades_the_same_alert_and_tells_once],
    # what happened stays true: no change of the row takes it back
    "never clears": [a_condition_that_clears_resolves_the_alert_without_a_message],
    # the schema leaves no row that the rule could not decide
    "all can be judged": [a_row_that_cannot_be_judged_is_listed_and_the_others_are_done],
    # hours or states decide, no business day
    "no day": [the_business_day_begins_at_local_midnight],
    # it looks at no rows, or at a handful by nature (databases, sources, shards)
    "few rows": [
        the_number_of_statements_does_not_depend_on_the_rows,
        fifty_thousand_rows_are_done_within_the_jobs_timeout,
    ],
    # a transaction a step, so the statements grow with the steps
    "works in steps": [
        the_number_of_statements_does_not_depend_on_the_rows,
        a_row_that_cannot_be_judged_is_listed_and_the_others_are_done,
    ],
}
_PROVED = re.compile(r"proved by (test_\w+): \S")


def promises(job: Case) -> list[Promise]:
    """Every promise that the case does not excuse itself from; a RowsJob is asked nothing about alerts."""
    asked = PROMISES if isinstance(job, AlertJob) else [p for p in PROMISES if p not in OF_ALERTS]
    return [promise for promise in asked if promise.__name__ not in job.reasons]


def bad_reasons(job: Case, module: ModuleType) -> list[str]:
    """What is wrong with the reasons that the case gives."""
    asked = {p.__name__: p for p in PROMISES if isinstance(job, AlertJob) or p not in OF_ALERTS}
    wrong = []
    for name, reason in job.reasons.items():
        kind, _, why = reason.partition(": ")
        proof = _PROVED.match(reason)
        if name not in asked:
            wrong.append(f"{name}: nobody asks that of a {type(job).__name__}; the promises are {sorted(asked)}")
        elif proof:
            if not hasattr(module, proof[1]):
                wrong.append(f"{name}: {module.__name__} has no {proof[1]}")
        elif kind not in EXCUSES or len(why.split()) < 2:
            wrong.append(f"{name}: say '<kind>: <one sentence>', kind one of {sorted(EXCUSES)} or 'proved by test_...'")
        elif asked[name] not in EXCUSES[kind]:
            wrong.append(f"{name}: '{kind}' is no reason for it, only for {[p.__name__ for p in EXCUSES[kind]]}")
    return wrong


_LEDGER = {  # what a run needs even to fail
    "jobs", "job_executions", "job_summaries", "job_revisions", "job_dependencies", "execution_items", "outbox",
    "biz_calendar", "biz_config",
}  # fmt: skip


@contextmanager
def _without_tables(db: Connection, job_id: str) -> Iterator[None]:
    spec = declared_job(job_id)
    names = {".".join(n.split(".")[:2]) if n.startswith("erp.") else f"belfry.{n}" for n in (*spec.reads, *spec.writes)}
    gone = sorted(n for n in names if n.removeprefix("belfry.") not in _LEDGER)
    assert gone, f"{job_id} reads and writes nothing but the ledger, by cron.yaml"
    for name in gone:
        db.execute(text(f"alter table {name} rename to gone_{name.split('.')[1]}"))
    try:
        yield
    finally:
        for name in gone:
            schema, table = name.split(".")
            db.execute(text(f"alter table {schema}.gone_{table} rename to {table}"))


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


def old_alert(erp: Erp, day: date) -> int:
    """An `arrange`: an open alert that a person was to hear of and nobody ever handled."""
    facts = json.loads((ROOT / "tests/shared/template_facts.json").read_text("utf-8"))["ISSUE_OVERDUE"][0]
    since = NINE - timedelta(days=60)
    return alert(
        erp.conn, recipients=[f"USER:{erp.user()}"], facts=json.dumps(facts), triggered_at=since, level_changed_at=since
    )


def copies_of_alerts(db: Connection, target: int, n: int) -> None:
    """A `multiply` for open alerts."""
    db.execute(
        text("""insert into belfry.alert_records (alert_no, rule_id, dedupe_key, target_type, target_id, target_no, base_level,
                  alert_level, recipients, facts, triggered_at, level_changed_at)
                select alert_no || '-' || c.n || '-' || g, rule_id, dedupe_key || '|' || c.n || '|' || g, target_type, target_id + c.n + g,
                       target_no, base_level, base_level, recipients, facts, triggered_at, c.since - interval '60 days'
                from belfry.alert_records, generate_series(1, :n) g,
                     (select count(*) as n, min(level_changed_at) as since from belfry.alert_records) c
                where id = :id"""),
        {"n": n, "id": target},
    )
