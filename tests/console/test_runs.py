"""Starting a job by hand: what is asked, what is refused, and that the row comes before the kick."""

import threading
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from functions.console.moments import utc_now
from shared import executions
from tests.conftest import ROOT, register
from tests.console.conftest import Listener, Program, Reader, Readers
from tests.processes import eventually, served

JOB = "check_overdue_issues"  # risk HIGH
CALM = "check_delivery_delay"  # risk MEDIUM
PATH = f"/api/v1/jobs/{CALM}/execute"


@pytest.fixture
def registered(db: Connection, listener: Listener) -> Listener:
    for job_id in (JOB, CALM):
        register(db, job_id)
    db.execute(text("update belfry.jobs set target_uri = :url"), {"url": listener.url})
    return listener


def rows(db: Connection) -> list[Any]:
    return list(db.execute(text("select * from belfry.job_executions order by created_at")))


def error(answer: Any) -> tuple[int, str, str | None]:
    return answer.status_code, answer.json["error"]["code"], answer.json["error"]["field"]


def test_the_row_waits_before_the_function_is_asked(db: Connection, registered: Listener, managing: Program) -> None:
    registered.patience.clear()
    answered: list[Any] = []
    asking = threading.Thread(
        target=lambda: answered.append(managing.post(PATH, {"params": {"urgent_days": 9}, "reason": "look"}))
    )
    asking.start()
    eventually(lambda: registered.asked, "the function is asked")
    (row,) = rows(db)
    assert (row.state, row.kind, row.attempt, row.fence) == ("pending", "manual", 0, None)
    assert (row.params, row.requested_by, row.request_reason) == ({"urgent_days": 9}, "token:manage", "look")
    assert row.kicked_at is not None
    registered.patience.set()
    asking.join(10)
    assert answered[0].status_code == 202
    assert answered[0].json["execution_id"] == str(row.id)
    assert registered.asked == [
        {"job": CALM, "run_at": row.run_at.isoformat(), "kind": "manual", "execution_id": str(row.id)}
    ]


@pytest.mark.parametrize("alias", ["execute", "run", "trigger"])
def test_all_three_names_of_the_older_systems_start_a_run(registered: Listener, managing: Program, alias: str) -> None:
    assert managing.post(f"/api/v1/jobs/{CALM}/{alias}").status_code == 202


def test_a_real_function_runs_what_was_asked(db: Connection, database_url: str, managing: Program) -> None:
    register(db, CALM)
    source = ROOT / "functions" / "purchasing" / f"{CALM}.py"
    with served(CALM, ROOT, {"DATABASE_URL": database_url, "PYTHONPATH": str(ROOT)}, source=source) as function:
        db.execute(text("update belfry.jobs set target_uri = :url"), {"url": function.url})
        answer = managing.post(PATH)
        assert answer.status_code == 202
        (row,) = rows(db)
        assert (row.id, row.state, row.kind) == (UUID(answer.json["execution_id"]), "succeeded", "manual")
        rehearsed = managing.post(PATH, {"dry_run": True})
        assert (rehearsed.status_code, rehearsed.json["status"]) == (200, "dry_run")
        assert len(rows(db)) == 1


def test_a_function_that_does_not_answer_leaves_the_row_to_the_sweep(
    db: Connection, registered: Listener, managing: Program
) -> None:
    db.execute(text("update belfry.jobs set target_uri = 'http://127.0.0.1:9/'"))
    assert managing.post(PATH).status_code == 202
    assert [row.state for row in rows(db)] == ["pending"]


def test_a_dry_run_answers_what_the_function_says_and_writes_no_run(
    db: Connection, registered: Listener, managing: Program
) -> None:
    registered.answer = b'{"status": "dry_run", "counters": {"checked": 3}, "would": {}}'
    answer = managing.post(PATH, {"dry_run": True, "params": {"urgent_days": 9}})
    assert (answer.status_code, answer.json) == (200, {"status": "dry_run", "counters": {"checked": 3}, "would": {}})
    assert rows(db) == []
    assert registered.asked[0] | {"run_at": ""} == {
        "job": CALM,
        "kind": "manual",
        "dry_run": True,
        "params": {"urgent_days": 9},
        "run_at": "",
    }


def test_a_dry_run_of_a_function_that_is_away_is_503(db: Connection, registered: Listener, managing: Program) -> None:
    db.execute(text("update belfry.jobs set target_uri = 'http://127.0.0.1:9/'"))
    assert managing.post(PATH, {"dry_run": True}).status_code == 503


def test_an_unknown_job_is_404(managing: Program) -> None:
    assert error(managing.post("/api/v1/jobs/no_such_job/execute"))[:2] == (404, "unknown_job")


def test_a_job_without_an_address_is_409(db: Connection, registered: Listener, managing: Program) -> None:
    db.execute(text("update belfry.jobs set target_uri = null"))
    assert error(managing.post(PATH))[:2] == (409, "handler_missing")
    assert error(managing.post(PATH, {"dry_run": True}))[:2] == (409, "handler_missing")


def test_a_running_job_is_409_with_its_execution_unless_queued(
    db: Connection, registered: Listener, managing: Program
) -> None:
    claim = executions.claim(db, CALM, utc_now().replace(second=0, microsecond=0), "scheduled", lease=90, owner="test")
    refused = managing.post(PATH)
    assert error(refused) == (409, "already_running", "execution_id")
    assert refused.json["error"]["allowed"]["execution_id"] == str(claim.execution_id)
    assert managing.post(PATH, {"queue": True}).status_code == 202


def test_a_run_by_hand_that_waits_counts_as_running(db: Connection, registered: Listener, managing: Program) -> None:
    first = managing.post(PATH).json["execution_id"]
    refused = managing.post(PATH)
    assert error(refused)[:2] == (409, "already_running")
    assert refused.json["error"]["allowed"]["execution_id"] == first


@pytest.mark.parametrize("column", ["paused = true", "override_enabled = false"])
def test_a_job_that_is_paused_or_disabled_runs_and_the_reply_warns(
    db: Connection, registered: Listener, managing: Program, column: str
) -> None:
    if column.startswith("paused"):
        db.execute(text("update belfry.jobs set paused = true"))
    else:
        db.execute(text("update belfry.jobs set override_enabled = false"))
    answer = managing.post(PATH)
    assert answer.status_code == 202
    assert answer.json["warnings"] == ["paused" if column.startswith("paused") else "disabled"]


@pytest.mark.parametrize(
    "params", [{"urgent_days": "x"}, {"urgent_days": 0}, {"urgent_days": 1.5}, {"nothing_we_know": 1}], ids=str
)
def test_params_against_the_schema_are_400_and_named(
    registered: Listener, managing: Program, params: dict[str, Any]
) -> None:
    assert error(managing.post(PATH, {"params": params})) == (400, "invalid_params", f"params.{next(iter(params))}")
    assert registered.asked == []


@pytest.mark.parametrize(
    ("reason", "status"), [(None, 400), ("", 400), ("  ", 400), ("x" * 501, 400), ("供应商补录", 202)]
)
def test_a_risky_job_needs_a_reason(registered: Listener, managing: Program, reason: str | None, status: int) -> None:
    assert (
        managing.post(f"/api/v1/jobs/{JOB}/execute", {} if reason is None else {"reason": reason}).status_code == status
    )


def test_a_dry_run_of_a_risky_job_needs_none(registered: Listener, managing: Program) -> None:
    assert managing.post(f"/api/v1/jobs/{JOB}/execute", {"dry_run": True}).status_code == 200


def today() -> date:
    return utc_now().astimezone(ZoneInfo("Asia/Shanghai")).date()


@pytest.mark.parametrize(("days", "status"), [(1, 422), (0, 202), (-1, 202), (-35, 202), (-36, 422)])
def test_the_business_day_lies_within_35_days(registered: Listener, managing: Program, days: int, status: int) -> None:
    assert managing.post(PATH, {"biz_date": (today() + timedelta(days=days)).isoformat()}).status_code == status


@pytest.mark.parametrize("value", ["yesterday", "2026-13-01", "20260301", "2026-03-01T00:00", "２０２６-03-01"])
def test_what_is_no_day_is_400(registered: Listener, managing: Program, value: str) -> None:
    assert error(managing.post(PATH, {"biz_date": value})) == (400, "invalid_field", "biz_date")


def test_a_past_business_day_runs_for_its_own_tick(db: Connection, registered: Listener, managing: Program) -> None:
    day = today() - timedelta(days=3)
    managing.post(PATH, {"biz_date": day.isoformat()})
    (row,) = rows(db)
    assert row.biz_date == day
    assert f"{row.run_at.astimezone(ZoneInfo('Asia/Shanghai')):%H:%M}" == "14:00"


def test_more_than_ten_a_minute_are_429(registered: Listener, managing: Program) -> None:
    answers = [managing.post(PATH, {"dry_run": True}).status_code for _ in range(11)]
    assert answers == [200] * 10 + [429]


def test_every_run_by_hand_is_audited(db: Connection, registered: Listener, managing: Program) -> None:
    managing.post(PATH, {"params": {"urgent_days": 9}, "reason": "look"})
    managing.post(PATH, {"dry_run": True})
    done = list(db.execute(text("select actor, action, job_id, after, reason from belfry.audit_log order by id")))
    assert [(row.actor, row.action, row.job_id, row.reason) for row in done] == [
        ("token:manage", "job.execute", CALM, "look"),
        ("token:manage", "job.dry_run", CALM, None),
    ]
    assert done[0].after["params"] == {"urgent_days": 9}


def test_the_schedule_does_not_notice(db: Connection, registered: Listener, managing: Program) -> None:
    before = managing.get(f"/api/v1/jobs/{CALM}").json["next_run_times"]
    managing.post(PATH)
    assert managing.get(f"/api/v1/jobs/{CALM}").json["next_run_times"] == before


# The page


def press(someone: Reader, job_id: str, **form: str) -> Any:
    someone.get(f"/jobs/{job_id}/run")
    return someone.post(f"/jobs/{job_id}/run", form)


def test_the_button_leads_to_the_new_execution(db: Connection, registered: Listener, reader: Readers) -> None:
    answer = press(reader("owner"), JOB, reason="补录", dry_run="0")
    (row,) = rows(db)
    assert (answer.status_code, answer.location) == (303, f"/executions/{row.id}")
    assert row.request_reason == "补录"


def test_a_refused_form_comes_back_with_what_was_typed(registered: Listener, reader: Readers) -> None:
    answer = press(reader("owner"), JOB, reason="", params='{"warning_days": "<x>"}', dry_run="0")
    assert answer.status_code == 400
    assert "必须填写原因" in answer.text
    assert "&lt;x&gt;" in answer.text


def test_params_that_are_no_json_are_said_so(registered: Listener, reader: Readers) -> None:
    answer = press(reader("owner"), CALM, params="{nope", dry_run="0")
    assert answer.status_code == 400
    assert "JSON" in answer.text


def test_the_dry_run_page_shows_what_would_happen(registered: Listener, reader: Readers) -> None:
    registered.answer = """{"status": "dry_run", "counters": {"checked": 3}, "would": {
      "alerts": [{"event": "CREATED", "alert_level": "URGENT", "target_no": "PO-1", "target_name": "导轨"}],
      "told": [{"user_name": "孙磊", "channel": "system", "state": "queued", "reason": null}],
      "written": {"belfry.alert_records": {"inserted": 1, "updated": 0, "deleted": 0}}}}""".encode()
    page = press(reader("owner"), CALM, dry_run="1").text
    for expected in ("没有写入任何数据", "PO-1", "紧急", "孙磊", "belfry.alert_records"):
        assert expected in page


def test_a_function_that_is_away_is_said_on_the_form(db: Connection, registered: Listener, reader: Readers) -> None:
    db.execute(text("update belfry.jobs set target_uri = 'http://127.0.0.1:9/'"))
    answer = press(reader("owner"), CALM, dry_run="1")
    assert answer.status_code == 503
    assert "没有应答" in answer.text
