"""What the pages show, in which words, and that a page costs the same number of statements whatever it shows."""

import ast
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Connection, event, text

from functions.console import moments
from functions.console.moments import utc_now
from shared import db as database
from shared import executions
from tests.conftest import ROOT, Perform, register
from tests.console import scenery
from tests.console.conftest import Readers
from tests.console.test_alerts import alert
from tests.console.test_inbox import message

CONSOLE = ROOT / "functions" / "console"
JOB = "check_overdue_issues"


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that the console sends meanwhile."""
    seen: list[str] = []

    def note(conn: object, cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(database.engine(), "before_cursor_execute", note)
    yield seen
    event.remove(database.engine(), "before_cursor_execute", note)


def jobs(db: Connection, first: int, last: int) -> None:
    """Jobs j<first>..j<last>, each with a summary and a run of its own."""
    db.execute(
        text("""insert into belfry.jobs (job_id, func, name, category, schedule)
                select 'j' || n, 'j', jsonb_build_object('zh', '任务' || n), 'issues', '0 * * * *' from generate_series(cast(:first as int), :last) n"""),
        {"first": first, "last": last},
    )
    db.execute(
        text("""insert into belfry.job_executions (job_id, run_at, biz_date, kind, state, overlap, finished_at, duration_ms)
                select 'j' || n, now(), current_date, 'scheduled', 'succeeded', 'skip', now(), n
                from generate_series(cast(:first as int), :last) n"""),
        {"first": first, "last": last},
    )


@pytest.mark.parametrize("path", ["/", "/jobs/j1", "/alerts", "/inbox", "/api/v1/jobs", "/api/v1/alerts"])
def test_more_rows_cost_no_more_statements(db: Connection, reader: Readers, path: str) -> None:
    someone = reader("admin")

    def more(first: int, last: int) -> None:
        jobs(db, first, last)
        for number in range(first, last + 1):
            alert(db, name=f"对象{number}", recipients=f"{{USER:{someone.user_id}}}")
            message(db, someone.user_id)

    more(1, 2)
    someone.get(path)
    with counted() as few:
        assert someone.get(path).status_code == 200
    more(3, 40)
    with counted() as many:
        page = someone.get(path).text
    assert "j40" in page or "对象40" in page or "T-1" in page or path == "/jobs/j1"
    assert len(many) == len(few) <= 9


def test_the_page_of_an_execution_costs_the_same_whatever_it_did(
    db: Connection, reader: Readers, perform: Perform
) -> None:
    from tests.factories import Erp

    erp, someone = Erp(db), reader("admin")
    lengths = []
    for number in (1, 15):
        for _ in range(number):
            erp.issue(due_date="2026-02-01")
        done = perform(JOB, at=f"2026-03-0{len(lengths) + 2}T09:00+08:00")
        with counted() as seen:
            assert someone.get(f"/executions/{done['execution_id']}").status_code == 200
        lengths.append(len(seen))
    assert lengths[0] == lengths[1] <= 8


def test_every_statement_is_a_literal() -> None:
    """Nothing of a request can become SQL: text() is given constants only."""
    for path in [*CONSOLE.rglob("*.py"), ROOT / "shared" / "kicks.py"]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "text" and node.args:
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}"


def test_the_jobs_page_never_reads_history(db: Connection, reader: Readers) -> None:
    jobs(db, 1, 3)
    someone = reader("viewer")
    someone.get("/")
    with counted() as seen:
        someone.get("/?live=1")
    for statement in seen:
        if "job_executions" in statement:
            assert statement.count("job_executions") == statement.count("state = 'running'")


def test_figures_and_filters_tell_the_same_story(db: Connection, reader: Readers) -> None:
    for job_id in (JOB, "check_delivery_delay", "daily_kit_check", "check_milestone_alerts", "sweep_runs"):
        register(db, job_id)
    db.execute(text("update belfry.jobs set paused = true where job_id = 'daily_kit_check'"))
    db.execute(text("update belfry.jobs set override_enabled = false where job_id = 'check_milestone_alerts'"))
    claim = executions.claim(
        db, "check_delivery_delay", utc_now().replace(second=0, microsecond=0), "manual", lease=90, owner="test"
    )
    executions.finish(db, claim.execution_id, claim.fence, "failed", reason="error", error_text="供应商接口无应答")
    executions.claim(db, JOB, utc_now().replace(second=0, microsecond=0), "manual", lease=90, owner="test")
    someone = reader("viewer")
    page = someone.get("/").text
    figures = {name: int(n) for name, n in re.findall(r'class="figure (\w+)[^>]*><b>(\d+)</b>', page)}
    assert figures == {"healthy": 1, "trouble": 1, "running": 1, "paused": 1, "disabled": 1}
    listed = {
        "healthy": [JOB],
        "trouble": ["check_delivery_delay"],
        "running": [JOB],
        "paused": ["daily_kit_check"],
        "disabled": ["check_milestone_alerts"],
        "orphan": [],
    }
    for state, expected in listed.items():
        assert rows(someone.get(f"/?state={state}").text) == expected
    assert "sweep_runs" not in page
    assert "sweep_runs" in rows(someone.get("/?platform=1").text)
    assert rows(someone.get("/?category=platform").text) == ["sweep_runs"]
    assert rows(someone.get("/?q=到货").text) == ["check_delivery_delay"]
    assert rows(someone.get("/?q=DELIVERY").text) == ["check_delivery_delay"]
    assert "没有符合条件的任务" in someone.get("/?q=没有这样的").text
    assert 'data-live="/?state=paused&amp;live=1"' in someone.get("/?state=paused").text


def rows(page: str) -> list[str]:
    return re.findall(r'<tr data-key="(\w+)"', page)


def test_a_pause_that_is_over_is_no_pause(db: Connection, reader: Readers) -> None:
    register(db, JOB)
    someone = reader("viewer")
    db.execute(text("update belfry.jobs set paused = true, paused_until = now() + interval '1 hour'"))
    assert rows(someone.get("/?state=paused").text) == [JOB]
    db.execute(text("update belfry.jobs set paused_until = now() - interval '1 minute'"))
    assert rows(someone.get("/?state=healthy").text) == [JOB]


def test_without_jobs_the_page_says_how_to_get_some(reader: Readers) -> None:
    assert "make reload" in reader("viewer").get("/").text


def test_history_that_is_being_played_shows_its_progress_until_it_is_done(db: Connection, reader: Readers) -> None:
    register(db, JOB)
    someone = reader("viewer")
    scenery.history(db, 40, 250)
    page = someone.get("/?live=1").text
    assert '<progress id="history" max="250" value="40">' in page
    assert "40 / 250" in page
    db.execute(text("update belfry.biz_config set value = value || '{\"finished\": true}' where key = 'local.history'"))
    assert "<progress" not in someone.get("/?live=1").text


def test_an_invariant_that_does_not_hold_is_said(db: Connection, reader: Readers) -> None:
    register(db, JOB)
    someone = reader("viewer")
    assert "数据一致性正常" in someone.get("/").text
    executions.claim(db, JOB, utc_now(), "manual", lease=90, owner="test")
    db.execute(text("update belfry.job_executions set lease_until = now() - interval '10 minutes'"))
    from functions.console.queries import health

    health.forget()
    assert "执行者失联未收回" in someone.get("/").text


def test_trouble_of_the_platforms_own_jobs_is_said_though_they_are_hidden(db: Connection, reader: Readers) -> None:
    register(db, "sweep_runs")
    register(db, JOB)
    db.execute(
        text("insert into belfry.job_summaries (job_id, trouble, trouble_since) values ('sweep_runs', 'missed', now())")
    )
    page = reader("viewer").get("/").text
    assert "平台任务异常：sweep_runs" in page


def test_the_next_run_skips_days_off_and_adds_the_jobs_own_offset(
    db: Connection, reader: Readers, viewing: object
) -> None:
    register(db, JOB)
    day = (utc_now() + timedelta(hours=8)).date()
    db.execute(
        text("""insert into belfry.biz_calendar (day, is_workday) select cast(:day as date) + n, n > 4 from generate_series(0, 20) n
                on conflict (day) do update set is_workday = excluded.is_workday"""),
        {"day": day},
    )
    db.execute(text("update belfry.jobs set schedule = '0 9 * * *', calendar = 'cn_workdays', offset_s = 180"))
    job = reader("viewer").get(f"/api/v1/jobs/{JOB}").json
    assert job["next_run_times"][0] == f"{day + timedelta(days=5)}T01:03:00+00:00"


@pytest.mark.parametrize("status", ["paused = true", "override_enabled = false", "orphan = true"])
def test_a_job_that_will_not_ring_shows_no_next_run(db: Connection, reader: Readers, status: str) -> None:
    register(db, JOB)
    db.execute(
        text("""update belfry.jobs set paused = :status = 'paused = true', orphan = :status = 'orphan = true',
                override_enabled = case when :status = 'override_enabled = false' then false end"""),
        {"status": status},
    )
    assert reader("viewer").get(f"/api/v1/jobs/{JOB}").json["next_run_time"] is None


def test_the_job_page_shows_overrides_runbook_and_policies_in_the_readers_language(
    db: Connection, reader: Readers
) -> None:
    scenery.register(db)
    db.execute(
        text("""update belfry.jobs set override_params = '{"warning_days": 2}', override_by = 'admin', override_reason = '试行', override_at = now()
                where job_id = 'check_overdue_issues'""")
    )
    someone = reader("viewer")
    zh, en = someone.get(f"/jobs/{JOB}").text, someone.get(f"/jobs/{JOB}?lang=en").text
    assert "由 admin 修改：试行" in zh
    assert re.search(
        r"warning_days</code> <span class=\"state paused\">已被人工修改</span></dt>\s*<dd><code>2</code> <span class=\"quiet\">原值 3",
        zh,
    )
    assert "跳过后到的执行" in zh
    assert "下一个整点会自动重算" in zh
    assert "The next full hour judges" not in zh
    assert "The next full hour judges" in en
    assert "下一个整点" not in en


def test_the_job_page_says_how_its_schedule_came_to_be_and_why(db: Connection, reader: Readers) -> None:
    jobs(db, 1, 2)
    db.execute(
        text("""insert into belfry.job_revisions (job_id, revision, schedule, time_zone, calendar, enabled, catchup,
                    catchup_window_s, grace_s, effective_at, created_by, reason)
                values ('j1', 1, '0 8 * * *', 'Asia/Shanghai', 'every_day', true, 'last', 3600, 300,
                        '2026-03-01 00:00+08', 'cron.yaml', null),
                       ('j1', 2, '30 8 * * 1-5', 'Asia/Shanghai', 'cn_workdays', false, 'last', 3600, 300,
                        '2026-03-02 09:00+08', 'wang', '八点一刻 <才> 过账'),
                       ('j2', 1, '0 8 * * *', 'Asia/Shanghai', 'every_day', true, 'last', 3600, 300,
                        '2026-03-01 00:00+08', 'cron.yaml', null)""")
    )
    page = reader("viewer").get("/jobs/j1").text
    section = page[page.index('data-key="revisions"') :]
    newest, first = re.findall(r"<tr>\s*<th scope=\"row\">(.*?)</tr>", section, re.S)[:2]
    assert "周一至周五 08:30（仅法定工作日）" in newest
    assert "八点一刻 &lt;才&gt; 过账" in newest
    assert "wang" in newest
    assert "已停用" in newest
    assert "每天 08:00" in first
    assert 'data-key="revisions"' not in reader("viewer").get("/jobs/j2").text  # the first one says nothing new


def test_a_language_that_was_chosen_stays_chosen(db: Connection, reader: Readers) -> None:
    someone = reader("viewer", language="zh")
    assert ">任务<" in someone.get("/").text.replace("\n", "").replace(" ", "")
    assert '<html lang="en"' in someone.get("/?lang=en").text
    assert '<html lang="en"' in someone.get("/alerts").text
    assert '<html lang="en"' in someone.get("/?lang=xx").text


def test_a_person_reads_their_own_language_and_zone_first(reader: Readers) -> None:
    page = reader("viewer", language="en", time_zone="Europe/Berlin").get("/").text
    assert '<html lang="en"' in page
    assert "Times are shown in Europe/Berlin" in page


def test_the_light_is_chosen_without_a_script(reader: Readers) -> None:
    someone = reader("viewer")
    assert 'data-theme="auto"' in someone.get("/").text
    assert 'data-theme="dark"' in someone.get("/?theme=dark").text
    assert 'data-theme="dark"' in someone.get("/inbox").text


def test_pages_that_are_not_there_are_pages_in_the_readers_language(reader: Readers) -> None:
    someone = reader("viewer")
    for path, said in [
        ("/nothing", "没有这个页面"),
        ("/jobs/no_such_job", "没有这个任务"),
        ("/alerts/12345", "没有这条预警"),
        ("/executions/7f2f6c1c-0000-4000-8000-000000000000", "没有这次执行"),
    ]:
        answer = someone.get(path)
        assert answer.status_code == 404
        assert said in answer.text
    assert someone.get("/?state=nonsense").status_code == 400


def test_the_bars_say_in_words_what_they_show(db: Connection, reader: Readers) -> None:
    register(db, JOB)
    strip = [
        {"id": None, "state": state, "run_at": "2026-03-02T01:00:00+00:00", "ms": 120}
        for state in ("failed", "succeeded", "succeeded")
    ]
    db.execute(
        text("insert into belfry.job_summaries (job_id, strip) values (:id, cast(:strip as jsonb))"),
        {"id": JOB, "strip": json.dumps(strip)},
    )
    page = reader("viewer").get("/").text
    assert 'aria-label="最近 3 次执行，其中 1 次异常"' in page
    assert re.findall(r'<i class="(\w+)"', page) == ["succeeded", "succeeded", "failed"]


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (None, "—"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1 s"),
        (1249, "1.2 s"),
        (59_900, "59.9 s"),
        (60_000, "1 min"),
        (200_000, "3 min 20 s"),
        (3_600_000, "1 h"),
        (7_500_000, "2 h 5 min"),
        (86_400_000, "24 h"),
    ],
)
def test_durations_are_short_and_exact_enough(milliseconds: int | None, said: str) -> None:
    assert moments.took(milliseconds) == said
