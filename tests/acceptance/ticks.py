"""What does one tick of a job do, whatever it is about? A-1, A-5, A-7, A-9, A-11, and texts for all that it tells."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

from shared import i18n
from tests.acceptance.cases import AlertJob, Case, RowsJob
from tests.conftest import Perform, load_function, register, request_to
from tests.evidence import alerts, events, everything, messages
from tests.factories import Erp


def the_same_slot_twice_writes_and_sends_nothing(job: Case, db: Connection, perform: Perform) -> None:
    """A-1, by the ledger and, for a second run by hand of the same time, by the body itself."""
    job.arrange(Erp(db), job.day)
    assert perform(job.job_id, job.at())["state"] == job.ends
    before, done = everything(db), (job.made(db), alerts(db), messages(db), events(db))
    again = perform(job.job_id, job.at())
    assert again["status"] == "duplicate", again
    assert everything(db) == before
    assert perform(job.job_id, job.at(), kind="manual")["state"] == job.ends
    assert (job.made(db), alerts(db), messages(db), events(db)) == done


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
    first, second = sorted((a.get("status") for a in answers), key=lambda status: status != job.ends)
    assert first == job.ends, answers
    assert second in ("duplicate", "in_progress"), answers
    runs = db.execute(
        text("select count(*) from belfry.job_executions where job_id = :id and run_at = :at"),
        {"id": job.job_id, "at": job.at()},
    )
    assert runs.scalar_one() == 1
    assert job.made(db) != before
    if isinstance(job, AlertJob):
        assert len(job.made(db)) == 1


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
