"""Drift shows file, table and Cloud Scheduler side by side, and who meant it: real Postgres, the real Scheduler API."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.cloud import scheduler_v1
from sqlalchemy import Connection, text

from shared import config, scheduler_api
from shared.cronfile.specs import CronFile
from shared.operator import operations, reload
from shared.operator.drift import drift
from shared.scheduler_api import SchedulerApi
from tests.scheduling import file, running

DAILY = 'schedule: "0 9 * * *"'


@pytest.fixture
def api(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SchedulerApi]:
    with running() as scheduler:
        monkeypatch.setenv("SCHEDULER_ADDRESS", scheduler.address)
        config.config.cache_clear()
        with scheduler_api.connect() as connected:
            yield connected


@pytest.fixture
def said(db: Connection, api: SchedulerApi, tmp_path: Path) -> CronFile:
    """A file that was reloaded: nothing differs."""
    made = file(tmp_path, bell=DAILY, gong=DAILY, tower=DAILY)
    reload.apply(db, made, api)
    found = drift(db, made, api)
    assert found["counts"] == {"in_step": 3}
    return made


def of(db: Connection, file: CronFile, api: SchedulerApi, job: str) -> dict[str, Any]:
    (found,) = (item for item in drift(db, file, api)["items"] if item["id"] == job)
    return dict(found)


def by_hand(api: SchedulerApi) -> Any:
    """Cloud Scheduler as somebody uses it in Google's own console, past Belfry."""
    return api._client


def name(job: str) -> str:
    return f"projects/belfry-local/locations/local/jobs/{job}"


def test_a_job_that_somebody_paused_in_cloud_scheduler_is_told_and_a_reload_wakes_it(
    db: Connection, api: SchedulerApi, said: CronFile
) -> None:
    by_hand(api).pause_job(name=name("bell"))
    seen = of(db, said, api, "bell")
    assert (seen["state"], seen["live"]["paused"], seen["pause"]) == ("live", True, None)
    assert seen["differences"] == [{"where": "cloud_scheduler", "field": "paused", "is": True, "shall_be": False}]
    reload.apply(db, said, api)
    assert of(db, said, api, "bell")["state"] == "in_step"


def test_a_schedule_that_somebody_changed_in_cloud_scheduler_is_told_with_both(
    db: Connection, api: SchedulerApi, said: CronFile
) -> None:
    job = scheduler_v1.Job(name=name("gong"), schedule="30 3 * * 1", time_zone="UTC")
    by_hand(api).update_job(job=job, update_mask={"paths": ["schedule", "time_zone"]})
    seen = of(db, said, api, "gong")
    assert seen["declared"]["schedule"] == seen["stored"]["schedule"] == "0 9 * * *"
    assert (seen["live"]["schedule"], seen["live"]["time_zone"]) == ("30 3 * * 1", "UTC")
    assert {one["field"]: (one["is"], one["shall_be"]) for one in seen["differences"]} == {
        "schedule": ("30 3 * * 1", "0 9 * * *"),
        "time_zone": ("UTC", "Asia/Shanghai"),
    }


def test_a_job_that_somebody_deleted_in_cloud_scheduler_has_no_live_side(
    db: Connection, api: SchedulerApi, said: CronFile
) -> None:
    by_hand(api).delete_job(name=name("tower"))
    seen = of(db, said, api, "tower")
    assert (seen["state"], seen["live"]) == ("live", None)
    assert seen["differences"] == [{"where": "cloud_scheduler", "field": "job", "is": None, "shall_be": "0 9 * * *"}]


def test_an_override_and_a_pause_are_told_with_who_why_and_until_when(
    db: Connection, api: SchedulerApi, said: CronFile
) -> None:
    db.execute(
        text("""update belfry.jobs set override_schedule = '0 7 * * *', override_by = 'li', override_reason = '年底盘点',
                       override_at = '2026-03-01T08:00+08:00' where job_id = 'bell'""")
    )
    operations.pause(db, "gong", actor="wang", reason="检修", until=None)
    bell, gong = of(db, said, api, "bell"), of(db, said, api, "gong")
    assert bell["state"] == "live"  # not rung by the override yet: the next reload sees to it
    assert {key: bell["override"][key] for key in ("schedule", "by", "reason")} == {
        "schedule": "0 7 * * *", "by": "li", "reason": "年底盘点",
    }  # fmt: skip
    assert bell["override"]["at"].startswith("2026-03-01T00:00")
    assert gong["pause"] == {"by": "wang", "until": None, "reason": "检修"}
    assert of(db, said, api, "tower")["override"] is None
    reload.apply(db, said, api)
    bell, gong = of(db, said, api, "bell"), of(db, said, api, "gong")
    assert (bell["state"], bell["declared"]["schedule"], bell["live"]["schedule"]) == (
        "in_step",
        "0 9 * * *",
        "0 7 * * *",
    )
    assert (gong["state"], gong["live"]["paused"], gong["live"]["next_at"]) == ("in_step", True, None)


def test_what_an_edited_file_would_change_is_told_before_anybody_reloads(
    db: Connection, api: SchedulerApi, said: CronFile, tmp_path: Path
) -> None:
    edited = file(tmp_path, bell='schedule: "0 8 * * *"', gong=DAILY + "\nrunbook: 看日志", chime=DAILY)
    found = {item["id"]: item for item in drift(db, edited, api)["items"]}
    assert {job: item["state"] for job, item in found.items()} == {
        "bell": "both", "gong": "declared", "chime": "new", "tower": "gone",
    }  # fmt: skip
    assert found["chime"]["stored"] is None
    assert found["tower"]["declared"] is None
    assert found["tower"]["live"]["schedule"] == "0 9 * * *"
    db.execute(text("update belfry.jobs set override_schedule = '55 9 * * *' where job_id = 'bell'"))
    wrong = file(tmp_path, bell='schedule: "0 9 * * *"\nwindow: 30m', gong=DAILY, tower=DAILY)
    seen = of(db, wrong, api, "bell")
    assert seen["state"] == "invalid"
    assert "does not fit" in seen["message"]
