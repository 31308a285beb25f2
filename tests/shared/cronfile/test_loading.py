"""cron.yaml: what is taken, what is refused with which words, and what is only odd."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.check import command as check
from shared.cronfile.loading import load
from shared.cronfile.positions import Problem
from shared.cronfile.specs import CronFile, CronFileError

ROOT = Path(__file__).parents[3]
CORPUS = [
    json.loads(line) for line in Path(__file__).with_name("corpus.jsonl").read_text("utf-8").splitlines()
]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
BELL = """\
version: 1
jobs:
  ring_bell:
    name: {zh: 打铃, en: Ring the bell}
    description: {zh: 打铃。, en: Rings.}
    category: issues
    owner: pmo@example.com
    schedule: "0 9 * * *"
"""


def bell(**fields: str | None) -> str:
    """The smallest valid file with some fields written otherwise, or (None) left out."""
    lines = BELL.splitlines()
    for field, text in fields.items():
        written = [] if text is None else [f"    {field}: {text}"]
        at = next((number for number, line in enumerate(lines) if line.startswith(f"    {field}:")), len(lines))
        lines[at : at + 1] = written
    return "\n".join(lines) + "\n"


def read(folder: Path, text: str | bytes, **options: Any) -> CronFile:
    path = folder / "cron.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(path, **options)


def errors(folder: Path, text: str | bytes, **options: Any) -> list[str]:
    with pytest.raises(CronFileError) as refused:
        read(folder, text, **options)
    assert str(refused.value) == "\n".join(map(str, refused.value.errors))
    return [str(error) for error in refused.value.errors]


@pytest.mark.parametrize("row", CORPUS, ids=[row["name"] for row in CORPUS])
def test_each_row_of_the_corpus_says_what_it_should(row: dict[str, Any], tmp_path: Path) -> None:
    text = row["file"] if "file" in row else bell(**row["set"])
    expected = [f"cron.yaml:{line}" for line in row["errors"]]
    if expected:
        assert errors(tmp_path, text, at=NEW_YEAR) == expected
    else:
        found = [str(warning) for warning in read(tmp_path, text, at=NEW_YEAR).warnings]
        assert found == [f"cron.yaml:{line}" for line in row.get("warnings", [])]


def test_the_corpus_holds_rows_that_pass_and_rows_that_do_not() -> None:
    assert len(CORPUS) > 150
    assert sum(bool(row["errors"]) for row in CORPUS) > 140
    assert any(not row["errors"] and not row.get("warnings") for row in CORPUS)


def test_our_own_file_has_neither_errors_nor_warnings() -> None:
    file = load(ROOT / "cron.yaml", at=NEW_YEAR)
    assert [str(warning) for warning in file.warnings] == []
    assert len(file.jobs) >= 12
    assert file.jobs["generate_shortage_alerts"].depends_on == ("daily_kit_check",)
    health = [
        file.jobs[job].params["health"]
        for job in ("calculate_project_health", "daily_health_snapshot", "check_blocking_issues")
    ]
    assert health[0] == health[1] == health[2]  # three jobs judge by one rule


def test_a_job_gets_the_file_s_defaults_and_ours_and_its_own_win(tmp_path: Path) -> None:
    text = (
        bell(timeout="45", backoff="[5s]")
        + "defaults: {timeout: 90, grace: 600, time_zone: Europe/Berlin, backoff: [1m], pool: 4}\n"
    )
    job = read(tmp_path, text + "functions: {notify_email: {category: notify}}\n").jobs["ring_bell"]
    assert (job.timeout, job.backoff, job.grace, job.time_zone, job.pool) == (45, (5,), 600, "Europe/Berlin", 4)
    assert (job.overlap, job.max_attempts, job.priority, job.risk, job.enabled) == ("skip", 3, "normal", "MEDIUM", True)
    function = load(tmp_path / "cron.yaml").functions["notify_email"]
    assert (function.timeout, function.pool, function.source) == (90, 4, "functions/notify/notify_email.py")


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("*/5 * * * *", 3600),
        ("0 * * * *", 3600),
        ("0 */6 * * *", 86400),
        ("0 9 * * *", 86400),
        ("0 9 * * 1-5", 86400),
        ("0 9 * * 1", 7 * 86400),
        ("0 9 1 * *", 7 * 86400),
    ],
)
def test_missed_ticks_are_made_up_for_as_far_back_as_the_schedule_is_wide(
    schedule: str, seconds: int, tmp_path: Path
) -> None:
    assert read(tmp_path, bell(schedule=f'"{schedule}"')).jobs["ring_bell"].catchup_window == seconds
    assert read(tmp_path, bell(schedule=f'"{schedule}"', catchup_window="2h")).jobs["ring_bell"].catchup_window == 7200


def test_everything_written_arrives(tmp_path: Path) -> None:
    row = next(row for row in CORPUS if row["name"] == "everything a job may say")
    job = read(tmp_path, bell(**row["set"])).jobs["ring_bell"]
    assert (job.enabled, job.calendar, job.catchup, job.catchup_window) == (False, "cn_workdays", "all", 7 * 86400)
    assert (job.backoff, job.breaker_failures, job.breaker_open, job.window) == ((10, 300), 2, 600, 600)
    assert (job.sla_max_duration, job.sla_finish_by, job.runbook) == (30, time(10, 30), "看日志\nRead the log")
    assert job.reason == "late lorries"
    assert job.params == {"days": 3, "note": "no"}
    assert job.params_schema["type"] == "object"
    assert job.params_schema["additionalProperties"] is False
    assert timedelta() <= job.offset < timedelta(minutes=10)
    assert job.timetable is not None
    assert job.timetable.time_zone == "Europe/Berlin"


def test_each_entry_field_and_default_says_where_it_stands(tmp_path: Path) -> None:
    places = read(tmp_path, bell(timeout="45") + "defaults: {grace: 600}\nfunctions:\n  notify_email: {category: notify}\n").places
    assert (places["ring_bell"], places["ring_bell.schedule"], places["ring_bell.timeout"]) == ((3, 3), (8, 15), (9, 14))
    assert (places["defaults.grace"], places["notify_email"]) == ((10, 12), (12, 3))
    assert "ring_bell.grace" not in places


def test_all_functions_at_once_may_open_so_many_connections(tmp_path: Path) -> None:
    functions = "functions:\n  notify_email: {category: notify, max_instances: 5, pool: 3}\n"
    assert read(tmp_path, bell(max_instances="1", pool="4") + functions).connections_used == 19


def test_a_spec_does_not_change() -> None:
    job = load(ROOT / "cron.yaml").jobs["check_overdue_issues"]
    with pytest.raises(AttributeError):
        job.timeout = 1  # type: ignore[misc]
    assert replace(job, timeout=1).timeout == 1


def test_a_job_without_a_schedule_hangs_on_one_upstream(tmp_path: Path) -> None:
    follower = (
        BELL[BELL.index("  ring_bell") :]
        .replace("ring_bell", "after_bell")
        .replace('schedule: "0 9 * * *"', "depends_on: [ring_bell]")
    )
    job = read(tmp_path, BELL + follower).jobs["after_bell"]
    assert job.timetable is None
    assert job.depends_on == ("ring_bell",)


def test_a_file_that_is_not_there_or_not_text_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CronFileError, match="cannot be read: No such file"):
        load(tmp_path / "absent.yaml")
    assert errors(tmp_path, b"version: 1\nname: \xff\n") == ["cron.yaml:2:7 this is not UTF-8; save the file as UTF-8"]
    assert errors(tmp_path, b"#" * (32 << 20)) == [
        "cron.yaml:1:1 the file has 33554432 bytes; at most 1048576 are read"
    ]
    assert read(tmp_path, b"\xef\xbb\xbf" + BELL.encode()).jobs  # a byte order mark is harmless


def test_a_secret_is_never_printed(tmp_path: Path) -> None:
    said = "\n".join(
        errors(tmp_path, bell(runbook='"postgresql://belfry:hunter2@db/erp"', params="{api_key: hunter3}"))
    )
    assert "secret" in said
    assert "hunter" not in said


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (None, "ring_bell.category: the file functions/issues/ring_bell.py does not exist"),
        ("def other(): pass", "ring_bell: functions/issues/ring_bell.py defines no function ring_bell"),
        ("ring_bell = 3", "ring_bell: functions/issues/ring_bell.py defines no function ring_bell"),
        (
            "async def ring_bell(run): pass",
            "ring_bell: ring_bell in functions/issues/ring_bell.py must be a plain function, neither async nor a class",
        ),
        (
            "class ring_bell: pass",
            "ring_bell: ring_bell in functions/issues/ring_bell.py must be a plain function, neither async nor a class",
        ),
        (
            "def ring_bell(run:",
            "ring_bell: functions/issues/ring_bell.py is no Python: '(' was never closed (<unknown>, line 1)",
        ),
    ],
)
def test_the_function_must_be_there(source: str | None, says: str, tmp_path: Path) -> None:
    folder = tmp_path / "functions" / "issues"
    folder.mkdir(parents=True)
    if source:
        (folder / "ring_bell.py").write_text(source)
    found = errors(tmp_path, BELL, sources=tmp_path)
    assert [line.split(" ", 1)[1] for line in found] == [says]


def test_a_function_in_another_folder_is_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "functions" / "tasks").mkdir(parents=True)
    (tmp_path / "functions" / "tasks" / "ring_bell.py").write_text("def ring_bell(run): pass")
    assert errors(tmp_path, BELL, sources=tmp_path)[0].endswith("does not exist; there is one in functions/tasks")


@pytest.mark.parametrize(("day", "warned"), [("2026-10-31", False), ("2026-11-22", True), ("2027-05-01", True)])
def test_the_end_of_the_published_workdays_is_announced(day: str, warned: bool, tmp_path: Path) -> None:
    at, until = datetime.fromisoformat(f"{day}T00:00+08:00"), date(2026, 12, 31)
    found = read(tmp_path, bell(calendar="cn_workdays"), at=at, workdays_until=until).warnings
    assert [warning.where for warning in found] == (["ring_bell.calendar"] if warned else [])
    assert read(tmp_path, BELL, at=at, workdays_until=until).warnings == ()


def test_the_command_prints_every_line_and_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cron.yaml"
    path.write_text(bell(schedule='"60 * * * *"', timeout="5m"), "utf-8")
    assert check.main([str(path), "--without-sources"]) == 2
    out = capsys.readouterr()
    assert [line.split(" ")[3] for line in out.err.splitlines()] == [f"{path.name}:8:15", f"{path.name}:9:14"]
    assert json.loads(out.out.splitlines()[-1])["ok"] is False
    path.write_text(bell(schedule='"0 0 31 2 *"'), "utf-8")
    assert check.main([str(path), "--without-sources"]) == 0
    out = capsys.readouterr()
    assert "warning cron.yaml:8:15 ring_bell.schedule" in out.err
    answer = json.loads(out.out.splitlines()[-1])
    assert (answer["ok"], answer["jobs"], len(answer["warnings"])) == (True, 1, 1)


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, len(BELL)), length=st.integers(0, 40), put=st.text(max_size=20))
def test_a_damaged_file_is_refused_with_lines_or_read_but_never_breaks(
    cut: int, length: int, put: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = BELL[:cut] + put + BELL[cut + length :]
    folder = tmp_path_factory.getbasetemp()
    try:
        found = list(read(folder, text.encode("utf-8", "surrogatepass"), at=NEW_YEAR).warnings)
    except CronFileError as refused:
        found = refused.errors or [Problem(0, 0, "", "refused without a word")]
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in found)
