"""What becomes of an alert when its row changes, a person takes it, or its rule is switched off? A-2, A-3, A-4, A-8."""

from __future__ import annotations

from sqlalchemy import Connection, text

from tests.acceptance.cases import AlertJob
from tests.conftest import Perform
from tests.evidence import messages
from tests.factories import Erp


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
    assert perform(job.job_id, job.at(1))["state"] == job.ends
    assert job.made(db) == before
