"""README's table of jobs is made from cron.yaml, and a stale one is noticed."""

import re
from pathlib import Path

import pytest

from infra import jobtable
from shared.cronfile.loading import load
from shared.cronfile.specs import JobSpec

ROOT = Path(__file__).parents[2]


def job(**fields: object) -> JobSpec:
    said = {
        "id": "bell",
        "category": "issues",
        "name": {"zh": "打铃", "en": "Ring"},
        "description": {"zh": "响。", "en": "It | rings."},
    }
    return JobSpec(**{**said, **fields})  # type: ignore[arg-type]


def test_the_table_in_the_readme_is_that_of_cron_yaml() -> None:
    assert jobtable.main(["--check"]) == 0, "run `python -m infra.jobtable`"


def test_every_job_has_its_row_with_names_times_and_owner() -> None:
    file = load(ROOT / "cron.yaml")
    rows = [line for line in jobtable.table(file).splitlines() if line.startswith("| [`")]
    assert len(rows) == len(file.jobs)
    overdue = next(row for row in rows if "check_overdue_issues" in row)
    assert "问题逾期预警 · Overdue issues" in overdue
    assert "| Every hour |" in overdue
    assert "issue-squad@example.com" in overdue
    assert "functions/issues/check_overdue_issues.py" in overdue


@pytest.mark.parametrize(("fields", "says"), [
    ({"schedule": "0 8 * * *"}, "Every day at 08:00"),
    ({"schedule": "5 * * * *"}, "At 5 minutes past the hour"),
    ({"schedule": "*/15 * * * *"}, "Every 15 minutes"),
    ({"schedule": "0 9 * * 1-5", "time_zone": "Europe/Berlin"}, "At 09:00, Monday through Friday (Europe/Berlin)"),
    ({"schedule": "0 2 1 * *", "calendar": "cn_workdays"}, "At 02:00, on day 1 of the month, on Chinese workdays"),
    ({"schedule": "0 7 * * *", "depends_on": ("a", "b")}, "Every day at 07:00, after `a` and `b`"),
    ({"depends_on": ("a",)}, "After each success of `a`"),
    ({"schedule": "0 8 * * *", "enabled": False}, "Every day at 08:00 (switched off)"),
])  # fmt: skip
def test_a_schedule_is_a_sentence(fields: dict[str, object], says: str) -> None:
    assert jobtable.when(job(**fields), "Asia/Shanghai") == says


def test_a_stale_table_is_said_and_then_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# Belfry\n\n{jobtable.BEGIN}\na stale row\n{jobtable.END}\n\nMore.\n", "utf-8")
    assert jobtable.main(["--check", "--readme", str(readme)]) == 1
    assert "stale" in capsys.readouterr().err
    assert jobtable.main(["--readme", str(readme)]) == 0
    assert jobtable.main(["--check", "--readme", str(readme)]) == 0
    text = readme.read_text("utf-8")
    assert text.startswith("# Belfry\n\n<!-- jobs:begin -->\nTimes are Asia/Shanghai.\n")
    assert text.endswith("<!-- jobs:end -->\n\nMore.\n")
    assert "a stale row" not in text


def test_a_readme_without_markers_is_refused(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# Belfry\n", "utf-8")
    with pytest.raises(SystemExit, match="jobs:begin"):
        jobtable.main(["--readme", str(readme)])


def test_a_bar_in_a_description_does_not_break_the_row() -> None:
    row = jobtable.table(
        load(ROOT / "cron.yaml").__class__(path="", jobs={"bell": job(schedule="0 8 * * *")})
    ).splitlines()[-1]
    assert row.count("|") == 5


def test_every_job_that_came_from_another_scheduler_says_where_it_went() -> None:
    """Each line's new name is a job of cron.yaml, and none of its business jobs is forgotten."""
    jobs = load(ROOT / "cron.yaml").jobs
    lines = (ROOT / "infra" / "moving-here.md").read_text("utf-8").splitlines()
    told = {name for line in lines if line.startswith("| ") for name in re.findall(r"`(\w+)`", line.split(" | ")[1])}
    assert {id_ for id_, spec in jobs.items() if spec.category != "platform"} - told == set()
    first = {line.split("`")[1] for line in lines if line.startswith("| `")}
    assert {name for name in first if name.startswith(("check_", "generate_", "daily_"))} <= set(jobs)
