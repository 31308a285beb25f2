"""A reload makes the table and Cloud Scheduler equal to the file: real Postgres, the real Scheduler API."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import Connection, text

from shared import config, scheduler_api
from shared.cronfile.loading import load
from shared.db import new_engine
from shared.errors import Unavailable
from shared.operator import reload
from shared.pace import Pace
from shared.scheduler_api import Ring, SchedulerApi
from tests.scheduling import file, running

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)


@pytest.fixture(scope="module")
def scheduler_address() -> Iterator[str]:
    """One local Cloud Scheduler for this file, on a clock that stands still: nothing ever rings."""
    with running() as scheduler:
        yield scheduler.address


@pytest.fixture
def api(scheduler_address: str, db: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[SchedulerApi]:
    """Cloud Scheduler, empty, as this environment sees it."""
    monkeypatch.setenv("SCHEDULER_ADDRESS", scheduler_address)
    monkeypatch.setenv("BELFRY_URL", "http://127.0.0.1:8080")
    config.config.cache_clear()
    with scheduler_api.connect() as connected:
        for ring in connected.all().values():
            connected.remove(ring)
        yield connected


def rows(db: Connection, columns: str = "status, effective_schedule, revision") -> dict[str, tuple[Any, ...]]:
    found = db.execute(text(f"select job_id, {columns} from belfry.jobs order by job_id")).all()
    return {row[0]: tuple(row[1:]) for row in found}


def revisions(db: Connection, job: str) -> list[tuple[Any, ...]]:
    columns = "revision, schedule, enabled, effective_at, created_by"
    query = text(f"select {columns} from belfry.job_revisions where job_id = :job order by revision")
    return [tuple(row) for row in db.execute(query, {"job": job})]


def audit(db: Connection) -> list[tuple[Any, ...]]:
    return [
        tuple(row) for row in db.execute(text("select actor, action, after, reason from belfry.audit_log order by id"))
    ]


def test_the_shipped_file_is_registered_whole_and_a_second_time_nothing_is_done(
    db: Connection, api: SchedulerApi
) -> None:
    shipped = load(ROOT / "cron.yaml")
    planned = reload.plan(db, shipped, api)
    assert [change.job_id for change in planned.added] == list(shipped.jobs)
    assert rows(db) == {}
    assert reload.apply(db, shipped, api, now=NOW) == planned
    assert set(rows(db)) == set(shipped.jobs)
    assert all(status == "active" and revision == 1 for status, _, revision in rows(db).values())
    live = api.all()
    for job, spec in shipped.jobs.items():  # a window moves the minute, and nothing else
        minute, rest = spec.schedule.split(" ", 1)
        if spec.window:
            minute = str(int(minute) + spec.offset // timedelta(minutes=1))
        assert live[job].schedule == f"{minute} {rest}"
    shortage = live["generate_shortage_alerts"]
    assert (shortage.uri, shortage.deadline) == ("http://127.0.0.1:8080/functions/generate_shortage_alerts", 1260)
    waits = db.execute(text("select job_id, depends_on from belfry.job_dependencies")).all()
    assert ("generate_shortage_alerts", "daily_kit_check") in {tuple(row) for row in waits}
    assert {row.job_id for row in waits} == {job for job, spec in shipped.jobs.items() if spec.depends_on}
    assert len(audit(db)) == 1
    versions = rows(db, "version, updated_at")
    again = reload.apply(db, shipped, api, now=LATER)
    assert again.empty
    assert set(again.unchanged) == set(shipped.jobs)
    assert rows(db, "version, updated_at") == versions
    assert len(audit(db)) == 1


def test_every_field_of_a_job_reaches_its_row(db: Connection, api: SchedulerApi, tmp_path: Path) -> None:
    fields = """\
schedule: "0 9 * * 1-5"
time_zone: Europe/Berlin
calendar: cn_workdays
enabled: false
timeout: 60
overlap: buffer_one
catchup: all
catchup_window: 7d
grace: 600
max_attempts: 2
backoff: [10s, 5m]
breaker: {failures: 2, open: 10m}
priority: low
window: 10m
risk: HIGH
runbook: look
sla: {max_duration: 30, finish_by: "10:30"}
params: {days: 3}
params_schema: {properties: {days: {type: integer}}}
reads: [erp.issues]
writes: [alert_records]
depends_on: [up]
wait: 30m
on_wait_over: skip"""
    said = file(tmp_path, up='schedule: "0 8 * * *"', bell=fields)
    reload.apply(db, said, api, now=NOW)
    row = db.execute(text("select to_jsonb(j) from belfry.jobs j where job_id = 'bell'")).scalar_one()
    offset = int(said.jobs["bell"].offset.total_seconds())
    expected = {
        "func": "bell", "origin": "builtin", "name": {"zh": "打铃", "en": "Ring"}, "time_zone": "Europe/Berlin",
        "calendar": "cn_workdays", "enabled": False, "timeout_s": 60, "overlap": "buffer_one", "catchup": "all",
        "catchup_window_s": 604800, "grace_s": 600, "max_attempts": 2, "backoff_s": [10, 300], "breaker_threshold": 2,
        "breaker_open_s": 600, "priority": "low", "window_s": 600, "offset_s": offset, "risk": "HIGH",
        "runbook": "look", "sla_max_duration_s": 30, "sla_finish_by": "10:30:00", "params": {"days": 3},
        "reads": ["erp.issues"], "writes": ["alert_records"], "depends_on": ["up"], "depends_wait_s": 1800,
        "on_wait_over": "skip", "status": "disabled", "target_uri": "http://127.0.0.1:8080/functions/bell",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    ring = api.all()["bell"]
    assert (ring.schedule, ring.time_zone, ring.paused) == (f"{offset // 60} 9 * * 1-5", "Europe/Berlin", True)
    assert offset % 60 == 0
    assert 0 < offset < 600


def test_a_changed_schedule_begins_now_and_is_not_retroactive(
    db: Connection, api: SchedulerApi, tmp_path: Path
) -> None:
    reload.apply(db, file(tmp_path, bell='schedule: "0 9 * * *"'), api, now=NOW)
    swept = rows(db, "swept_through")
    made = reload.apply(db, file(tmp_path, bell='schedule: "0 10 * * *"'), api, actor="wang", reason="later", now=LATER)
    (change,) = made.updated
    assert (change.table, change.live) == (
        {"schedule": ("0 9 * * *", "0 10 * * *")},
        {"schedule": ("0 9 * * *", "0 10 * * *")},
    )
    assert revisions(db, "bell") == [(1, "0 9 * * *", True, NOW, "cron.yaml"), (2, "0 10 * * *", True, LATER, "wang")]
    assert rows(db) == {"bell": ("active", "0 10 * * *", 2)}
    assert (
        rows(db, "swept_through") == swept == {"bell": (NOW,)}
    )  # the sweep still judges what was due before, by revision 1
    assert api.all()["bell"].schedule == "0 10 * * *"
    assert audit(db)[-1][0] == "wang"
    assert audit(db)[-1][3] == "later"


def test_the_file_s_reason_goes_to_the_revision_and_the_audit_log(
    db: Connection, api: SchedulerApi, tmp_path: Path
) -> None:
    nine, ten = 'schedule: "0 9 * * *"', 'schedule: "0 10 * * *"'
    reasons = text("select job_id, revision, reason from belfry.job_revisions order by 1, 2")
    reload.apply(db, file(tmp_path, bell=nine, gong=nine), api, reason="first day", now=NOW)
    late = f"{ten}\nreason: late lorries"
    reload.apply(db, file(tmp_path, bell=late, gong=ten), api, reason="winter", now=LATER)
    assert [tuple(row) for row in db.execute(reasons)] == [
        ("bell", 1, "first day"), ("bell", 2, "late lorries"), ("gong", 1, "first day"), ("gong", 2, "winter"),
    ]  # fmt: skip
    said = {one["job_id"]: one.get("reason") for one in audit(db)[-1][2]["updated"]}
    assert said == {"bell": "late lorries", "gong": None}
    owner = file(tmp_path, bell=f"{ten}\nreason: moved to sales", gong=ten)
    assert reload.apply(db, owner, api).empty  # a reason alone changes nothing


def test_an_operator_s_override_is_not_explained_by_the_file(
    db: Connection, api: SchedulerApi, tmp_path: Path
) -> None:
    said = file(tmp_path, bell='schedule: "0 9 * * *"\nreason: late lorries')
    reload.apply(db, said, api, now=NOW)
    db.execute(text("update belfry.jobs set override_schedule = '30 9 * * *', override_by = 'li'"))
    reload.apply(db, said, api, reset_overrides=True, reason="winter is over", now=LATER)
    assert "late lorries" not in json.dumps(audit(db)[-1][2])
    assert audit(db)[-1][3] == "winter is over"


def test_what_is_no_schedule_makes_no_revision(db: Connection, api: SchedulerApi, tmp_path: Path) -> None:
    reload.apply(db, file(tmp_path, bell='schedule: "0 9 * * *"'), api, now=NOW)
    made = reload.apply(db, file(tmp_path, bell='schedule: "0 9 * * *"\ntimeout: 30\nrunbook: look'), api, now=LATER)
    assert set(made.updated[0].table) == {"timeout_s", "runbook"}
    assert made.updated[0].live == {"deadline": (360, 90)}
    assert len(revisions(db, "bell")) == 1
    assert api.all()["bell"].deadline == 90


def test_overrides_and_pauses_stay_unless_told_otherwise(db: Connection, api: SchedulerApi, tmp_path: Path) -> None:
    fields = 'schedule: "0 9 * * *"\nparams: {days: 3}\nparams_schema: {properties: {days: {type: integer}}}'
    reload.apply(db, file(tmp_path, bell=fields, gong=fields), api, now=NOW)
    db.execute(
        text("""update belfry.jobs
                set override_schedule = '30 9 * * *', override_params = '{"days": 5}', override_by = 'li'
                       where job_id = 'bell'""")
    )
    db.execute(text("update belfry.jobs set paused = true, paused_by = 'li' where job_id = 'gong'"))
    made = reload.apply(db, file(tmp_path, bell=fields.replace("0 9", "0 7"), gong=fields), api, now=LATER)
    assert {change.job_id: dict(change.live) for change in made.updated} == {
        "bell": {"schedule": ("0 9 * * *", "30 9 * * *")},
        "gong": {"paused": (False, True)},
    }
    assert rows(db) == {"bell": ("active", "30 9 * * *", 2), "gong": ("paused", "0 9 * * *", 1)}
    assert (api.all()["bell"].schedule, api.all()["gong"].paused) == ("30 9 * * *", True)
    reload.apply(db, file(tmp_path, bell=fields, gong=fields), api, reset_overrides=True)
    assert rows(db, "effective_schedule, override_by, effective_params") == {
        "bell": ("0 9 * * *", None, {"days": 3}),
        "gong": ("0 9 * * *", None, {"days": 3}),
    }
    assert rows(db)["gong"][0] == "paused"  # a pause is no override
    assert api.all()["bell"].schedule == "0 9 * * *"


def test_a_pause_with_an_end_goes_on_ringing_so_that_it_ends_by_itself(
    db: Connection, api: SchedulerApi, tmp_path: Path
) -> None:
    said = file(tmp_path, bell='schedule: "0 9 * * *"')
    reload.apply(db, said, api)
    db.execute(text("update belfry.jobs set paused = true, paused_until = '2100-01-01'"))
    assert reload.apply(db, said, api).empty
    db.execute(text("update belfry.jobs set paused_until = null"))
    assert reload.apply(db, said, api).updated[0].live == {"paused": (False, True)}
    db.execute(text("update belfry.jobs set paused = false"))
    reload.apply(db, said, api)
    assert api.all()["bell"].paused is False


def test_a_job_that_left_the_file_is_kept_as_an_orphan_and_comes_back_from_then_on(
    db: Connection, api: SchedulerApi, tmp_path: Path
) -> None:
    both = {"bell": 'schedule: "0 9 * * *"', "gong": 'schedule: "0 8 * * *"\ndepends_on: [bell]'}
    reload.apply(db, file(tmp_path, **both), api, now=NOW)
    made = reload.apply(db, file(tmp_path, bell=both["bell"]), api, now=LATER)
    assert made.removed == ("gong",)
    assert rows(db) == {"bell": ("active", "0 9 * * *", 1), "gong": ("orphan", "0 8 * * *", 2)}
    assert set(api.all()) == {"bell"}
    assert db.execute(text("select count(*) from belfry.job_dependencies")).scalar_one() == 0
    assert revisions(db, "gong")[-1][2:4] == (False, LATER)
    assert reload.apply(db, file(tmp_path, bell=both["bell"]), api).empty
    back = LATER + timedelta(days=3)
    made = reload.apply(db, file(tmp_path, **both), api, now=back)
    assert made.updated[0].table == {"orphan": (True, False)}
    assert rows(db, "status, revision, swept_through")["gong"] == ("active", 3, back)  # no old tick is made up for
    assert set(api.all()) == {"bell", "gong"}


def test_one_invalid_entry_and_nothing_is_changed(db: Connection, api: SchedulerApi, tmp_path: Path) -> None:
    fields = (
        'schedule: "0 9 * * *"\nparams: {days: 3}\nparams_schema: {properties: {days: {type: integer, maximum: 9}}}'
    )
    reload.apply(db, file(tmp_path, bell=fields, gong=fields, tower='schedule: "0 9 * * *"'), api, now=NOW)
    db.execute(text("update belfry.jobs set override_params = '{\"days\": 8}' where job_id = 'bell'"))
    db.execute(text("update belfry.jobs set override_schedule = '55 9 * * *' where job_id = 'tower'"))
    before, live = rows(db, "version, swept_through"), api.all()
    new = file(tmp_path, bell=fields.replace("9}}}", "7}}}"), gong=fields.replace("0 9", "0 8"),
               chime='schedule: "0 1 * * *"',
               tower='schedule: "0 9 * * *"\nwindow: 30m')  # fmt: skip
    planned = reload.plan(db, new, api)
    assert {job for job, _ in planned.invalid} == {"bell", "tower"}
    with pytest.raises(
        reload.InvalidReload,
        match=r"bell: the override of params does not fit: days 8 is greater than the maximum of 7",
    ):
        reload.apply(db, new, api, now=LATER)
    assert rows(db, "version, swept_through") == before
    assert api.all() == live
    assert len(audit(db)) == 1
    made = reload.apply(db, new, api, reset_overrides=True, now=LATER)  # without the overrides all of it fits
    assert [change.job_id for change in made.added] == ["chime"]


def test_what_drifted_in_cloud_scheduler_is_brought_back(db: Connection, api: SchedulerApi, tmp_path: Path) -> None:
    said = file(tmp_path, bell='schedule: "0 9 * * *"', gong='schedule: "0 8 * * *"')
    reload.apply(db, said, api, now=NOW)
    (bell, gong) = api.all()["bell"], api.all()["gong"]
    api.change(bell, Ring(**{**vars(bell), "schedule": "0 1 * * *", "paused": True, "uri": "http://127.0.0.1:9/x"}))
    api.remove(gong)
    stray = Ring("stray", "0 9 * * *", "UTC", "http://127.0.0.1:8080/functions/stray", 60, api.account, paused=False)
    foreign = Ring(
        "foreign", "0 9 * * *", "UTC", "http://127.0.0.1:8080/other", 60, "someone@example.com", paused=False
    )
    api.create(stray)
    api.create(foreign)
    made = reload.apply(db, said, api, now=LATER)
    assert {change.job_id: (dict(change.table), set(change.live)) for change in made.updated} == {
        "bell": ({}, {"schedule", "paused", "uri"}),
        "gong": ({}, {"job"}),
    }
    assert made.removed == ("stray",)
    assert set(api.all()) == {"bell", "gong", "foreign"}
    assert api.all()["bell"] == bell
    assert rows(db, "version") == {"bell": (1,), "gong": (1,)}
    assert reload.plan(db, said, api).empty


def test_a_custom_job_rings_beside_the_file_and_moves_with_its_function(
    db: Connection, api: SchedulerApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = file(tmp_path, bell='schedule: "0 9 * * *"')
    reload.apply(db, said, api, now=NOW)
    db.execute(
        text("""insert into belfry.jobs (job_id, origin, func, name, category, schedule)
                       values ('bell_at_night', 'custom', 'bell', '{"zh": "夜", "en": "Night"}', 'issues',
                               '0 23 * * *')""")
    )
    made = reload.apply(db, said, api, now=LATER)
    assert [change.job_id for change in made.updated] == ["bell_at_night"]
    assert api.all()["bell_at_night"].uri == "http://127.0.0.1:8080/functions/bell"
    monkeypatch.setenv("BELFRY_URL", "http://127.0.0.1:9090")
    config.config.cache_clear()
    reload.apply(db, said, api)
    assert {ring.uri for ring in api.all().values()} == {"http://127.0.0.1:9090/functions/bell"}
    assert rows(db, "origin, status")["bell_at_night"] == ("custom", "active")
    clash = file(tmp_path, bell='schedule: "0 9 * * *"', bell_at_night='schedule: "0 9 * * *"')
    assert reload.plan(db, clash, api).invalid == (("bell_at_night", "a custom job has this id; rename one of them"),)


def test_the_whole_scheduler_is_switched_by_the_file(db: Connection, api: SchedulerApi, tmp_path: Path) -> None:
    def switch() -> Any:
        return db.execute(text("select value from belfry.biz_config where key = 'scheduler.enabled'")).scalar_one()

    off = file(tmp_path, "enabled: false", bell='schedule: "0 9 * * *"')
    assert reload.apply(db, off, api).switch == (True, False)
    assert switch() is False
    assert api.all()["bell"].paused is False  # ticks still come, and each is a recorded skip
    assert reload.apply(db, off, api).empty
    assert reload.apply(db, file(tmp_path, bell='schedule: "0 9 * * *"'), api).switch == (False, True)
    assert switch() is True


def test_a_job_without_a_schedule_is_in_the_table_alone(db: Connection, api: SchedulerApi, tmp_path: Path) -> None:
    said = file(tmp_path, bell='schedule: "0 9 * * *"', after="depends_on: [bell]")
    reload.apply(db, said, api)
    assert set(api.all()) == {"bell"}
    assert rows(db)["after"] == ("active", None, 1)
    assert reload.plan(db, said, api).empty


def test_without_cloud_scheduler_the_table_alone_is_written(db: Connection, api: SchedulerApi, tmp_path: Path) -> None:
    said = file(tmp_path, bell='schedule: "0 9 * * *"')
    reload.apply(db, said, None)
    assert rows(db) == {"bell": ("active", "0 9 * * *", 1)}
    assert api.all() == {}
    assert reload.plan(db, said, None).empty


def test_in_the_cloud_targets_are_terraforms_and_only_schedules_are_written(
    db: Connection, api: SchedulerApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = SchedulerApi(api._client, "belfry-local", "local", owns_targets=False)
    said = file(tmp_path, bell='schedule: "0 9 * * *"')
    targets = {"bell": "https://bell-abc.a.run.app"}
    assert reload.plan(db, said, cloud, targets=targets).invalid == (
        ("bell", "Cloud Scheduler has no such job; Terraform makes it"),
    )
    api.create(Ring("bell", "0 0 1 1 *", "UTC", targets["bell"], 555, "own@example.com", paused=True))
    api.create(Ring("somebody_elses", "0 0 1 1 *", "UTC", "https://example.com/", 60, cloud.account, paused=False))
    reload.apply(db, said, cloud, targets=targets)
    bell = api.all()["bell"]
    assert (bell.schedule, bell.time_zone, bell.paused, bell.deadline, bell.account) == (
        "0 9 * * *",
        "Asia/Shanghai",
        False,
        555,
        "own@example.com",
    )
    assert set(api.all()) == {"bell", "somebody_elses"}  # taken over, not made a second time
    job = cloud._client.get_job(name="projects/belfry-local/locations/local/jobs/bell")
    assert (job.http_target.uri, job.http_target.oidc_token.audience) == (targets["bell"], targets["bell"])
    assert reload.plan(db, said, cloud, targets=targets).empty
    assert rows(db, "target_uri") == {"bell": (targets["bell"],)}
    in_the_cloud(monkeypatch)
    assert reload.plan(db, said, cloud).empty  # the table remembers where the function listens


def test_when_cloud_scheduler_fails_half_way_the_next_reload_does_the_rest(
    db: Connection, api: SchedulerApi, tmp_path: Path, scheduler_address: str
) -> None:
    class Fails(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
        """From the second creation on, so many find Cloud Scheduler gone."""

        created, times = 0, 1

        def intercept_unary_unary(self, go_on: Callable[..., Any], details: Any, request: Any) -> Any:
            self.created += details.method.endswith("CreateJob")
            if details.method.endswith("CreateJob") and 2 <= self.created < 2 + self.times:
                with grpc.insecure_channel("127.0.0.1:9") as nowhere:
                    return nowhere.unary_unary(details.method, lambda message: b"")(request, timeout=5)
            return go_on(details, request)

    from google.cloud.scheduler_v1 import CloudSchedulerClient
    from google.cloud.scheduler_v1.services.cloud_scheduler.transports import CloudSchedulerGrpcTransport

    said = file(tmp_path, bell='schedule: "0 9 * * *"', gong='schedule: "0 8 * * *"')
    with grpc.insecure_channel(scheduler_address) as channel:
        transport = CloudSchedulerGrpcTransport(channel=grpc.intercept_channel(channel, fails := Fails()))
        patient = Pace(450, wait=lambda seconds: None)
        failing = SchedulerApi(
            CloudSchedulerClient(transport=transport), "belfry-local", "local", owns_targets=True, writes=patient
        )
        fails.times = 1 + scheduler_api.BLINKS
        with pytest.raises(Unavailable, match="does not answer"):
            reload.apply(db, said, failing, now=NOW)
    assert set(api.all()) == {"bell"}
    made = reload.apply(db, said, api, now=LATER)
    assert [(change.job_id, set(change.table), set(change.live)) for change in made.updated] == [
        ("gong", set(), {"job"})
    ]
    assert set(api.all()) == {"bell", "gong"}
    for ring in api.all().values():
        api.remove(ring)
    with grpc.insecure_channel(scheduler_address) as channel:
        transport = CloudSchedulerGrpcTransport(channel=grpc.intercept_channel(channel, Fails()))
        blinks = SchedulerApi(
            CloudSchedulerClient(transport=transport), "belfry-local", "local", owns_targets=True, writes=patient
        )
        reload.apply(db, said, blinks)  # one call without an answer is made again
    assert set(api.all()) == {"bell", "gong"}


def test_two_reloads_at_once_write_each_row_once(
    db: Connection, api: SchedulerApi, database_url: str, tmp_path: Path
) -> None:
    said = file(tmp_path, **{f"bell_{number}": 'schedule: "0 9 * * *"' for number in range(20)})
    start, answers = threading.Barrier(4), list[reload.Plan]()

    def one() -> None:
        engine = new_engine(database_url, socket_timeout=30)
        with engine.connect() as connection:
            start.wait(10)
            answers.append(reload.apply(connection, said, None))
        engine.dispose()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(len(answer.added) for answer in answers) == [0, 0, 0, 20]
    assert rows(db, "version, revision") == {f"bell_{number}": (1, 1) for number in range(20)}
    assert len(audit(db)) == 1


def test_the_statements_of_a_reload_do_not_grow_with_its_jobs(
    db: Connection, database_url: str, tmp_path: Path
) -> None:
    from sqlalchemy import event

    engine = new_engine(database_url, socket_timeout=30)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    counts = []
    with engine.connect() as connection:
        for size in (1, 60):
            statements.clear()
            reload.apply(
                connection, file(tmp_path, **{f"bell_{size}_{n}": 'schedule: "0 9 * * *"' for n in range(size)}), None
            )
            counts.append(len(statements))
    engine.dispose()
    assert counts[0] == counts[1] <= 12


def test_the_answer_is_json_and_has_the_older_names_too(db: Connection, api: SchedulerApi, tmp_path: Path) -> None:
    reload.apply(db, file(tmp_path, bell='schedule: "0 9 * * *"', gong='schedule: "0 9 * * *"'), api)
    made = reload.apply(db, file(tmp_path, bell='schedule: "0 8 * * *"', chime='schedule: "0 9 * * *"'), api)
    answer = json.loads(json.dumps(made.as_dict()))
    moved = ["0 9 * * *", "0 8 * * *"]
    assert answer == {
        "added": ["chime"], "removed": ["gong"], "unchanged": [], "invalid": [],
        "updated": [{"job_id": "bell", "table": {"schedule": moved}, "live": {"schedule": moved}}],
        "deleted": ["gong"], "reloaded": ["chime", "bell"], "deleted_count": 1, "reloaded_count": 2,
    }  # fmt: skip


def test_in_the_cloud_a_job_without_a_target_stops_the_reload_instead_of_its_bell(
    db: Connection, api: SchedulerApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = SchedulerApi(api._client, "belfry-local", "local", owns_targets=False)
    targets = {"bell": "https://bell-abc.a.run.app", "gong": "https://gong-abc.a.run.app"}
    for job, uri in targets.items():
        api.create(Ring(job, "0 0 1 1 *", "UTC", uri, 555, "own@example.com", paused=True))
    in_the_cloud(monkeypatch)
    said = file(tmp_path, bell='schedule: "0 9 * * *"', gong='schedule: "0 8 * * *"')
    with pytest.raises(reload.InvalidReload, match="gong: nobody said where its function listens"):
        reload.apply(db, said, cloud, targets={"bell": targets["bell"]})
    assert rows(db) == {}
    reload.apply(db, said, cloud, targets=targets)
    assert reload.apply(db, said, cloud, targets={"bell": "https://bell-new.a.run.app"}).updated[0].table == {
        "target_uri": (targets["bell"], "https://bell-new.a.run.app")
    }
    assert rows(db, "target_uri")["gong"] == (targets["gong"],)


def test_in_the_cloud_a_job_that_left_the_file_is_silenced_and_terraform_takes_it_away(
    db: Connection, api: SchedulerApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = SchedulerApi(api._client, "belfry-local", "local", owns_targets=False)
    targets = {"bell": "https://bell-abc.a.run.app", "gong": "https://gong-abc.a.run.app"}
    for job, uri in targets.items():
        api.create(Ring(job, "0 0 1 1 *", "UTC", uri, 555, "own@example.com", paused=True))
    in_the_cloud(monkeypatch)
    bell = 'schedule: "0 9 * * *"'
    reload.apply(db, file(tmp_path, bell=bell, gong=bell), cloud, targets=targets)
    made = reload.apply(db, file(tmp_path, bell=bell), cloud)
    assert made.removed == ("gong",)
    assert (api.all()["gong"].paused, api.all()["bell"].paused) == (True, False)
    assert rows(db)["gong"][0] == "orphan"
    assert reload.plan(db, file(tmp_path, bell=bell), cloud).empty


def in_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"K_SERVICE": "console", "BELFRY_CALLERS": "a@b", "BELFRY_AUDIENCE": "/projects/1"}.items():
        monkeypatch.setenv(name, value)
    for name in ("BELFRY_LOCAL_CLOCK", "BELFRY_URL"):
        monkeypatch.delenv(name)
    config.config.cache_clear()
