"""README's table of jobs is made from cron.yaml, and a stale one is noticed."""

import re
from pathlib import Path

import pytest

from infra.pages import __main__ as pages
from infra.pages import jobtable
from infra.pages.timing import when
from shared.cronfile.loading import load
from shared.cronfile.specs import JobSpec

ROOT = Path(__file__).parents[3]


def job(**fields: object) -> JobSpec:
    said = {
        "id": "bell",
        "category": "issues",
        "name": {"zh": "打铃", "en": "Ring"},
        "description": {"zh": "响。", "en": "It | rings."},
    }
    return JobSpec(**{**said, **fields})  # type: ignore[arg-type]


def test_the_pages_in_the_repository_are_those_of_cron_yaml() -> None:
    assert pages.main(["--check"]) == 0, "run `make pages`"


def test_every_job_has_its_row_with_names_times_and_owner() -> None:
    file = load(ROOT / "cron.yaml")
    rows = [line for line in jobtable.table(file).splitlines() if line.startswith("| [`")]
    assert len(rows) == len(file.jobs)
    overdue = next(row for row in rows if "check_overdue_issues" in row)
    assert "问题逾期预警 · Overdue issues" in overdue
    assert "| Hourly on the hour |" in overdue
    assert "issue-squad@example.com" in overdue
    assert "functions/issues/check_overdue_issues.py" in overdue


@pytest.mark.parametrize(("fields", "en", "zh"), [
    ({"schedule": "0 8 * * *"}, "Daily at 08:00", "每天 08:00"),
    ({"schedule": "*/15 * * * *"}, "Every 15 minutes", "每 15 分钟"),
    ({"schedule": "0 9 * * 1-5", "time_zone": "Europe/Berlin"}, "Monday to Friday at 09:00 (Europe/Berlin)", "周一至周五 09:00（Europe/Berlin）"),
    ({"schedule": "0 2 1 * *", "calendar": "cn_workdays"}, "Monthly on day 1 at 02:00 (Chinese workdays only)", "每月 1 日 02:00（仅法定工作日）"),
    ({"schedule": "0 7 * * *", "depends_on": ("a", "b")}, "Daily at 07:00, after `a` and `b`", "每天 07:00，等待`a`、`b`成功"),
    ({"depends_on": ("a",)}, "After `a` succeeded", "`a`成功之后"),
    ({"schedule": "0 8 * * *", "enabled": False}, "Daily at 08:00 (switched off)", "每天 08:00（已停用）"),
])  # fmt: skip
def test_a_page_says_when_a_job_runs(fields: dict[str, object], en: str, zh: str) -> None:
    said = [when(job(**fields), "Asia/Shanghai", language, "`{}`".format) for language in ("en", "zh")]
    assert said == [en, zh]


def test_stale_pages_are_named_and_then_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme, folder = tmp_path / "README.md", tmp_path / "infra"
    readme.write_text(f"# Belfry\n\n{jobtable.BEGIN}\na stale row\n{jobtable.END}\n\nMore.\n", "utf-8")
    folder.mkdir()
    arguments = ["--root", str(tmp_path)]
    assert pages.main(["--check", *arguments]) == 1
    assert [line.split(" ")[0] for line in capsys.readouterr().err.splitlines()] == ["README.md", "infra/catalogue.md"]
    assert not (folder / "catalogue.md").exists()
    assert pages.main(arguments) == 0
    assert pages.main(["--check", *arguments]) == 0
    text = readme.read_text("utf-8")
    assert text.startswith("# Belfry\n\n<!-- jobs:begin -->\nTimes are Asia/Shanghai.\n")
    assert text.endswith("<!-- jobs:end -->\n\nMore.\n")
    assert "a stale row" not in text
    (folder / "catalogue.md").write_text("old", "utf-8")
    assert pages.main(["--check", *arguments]) == 1
    assert capsys.readouterr().err == "infra/catalogue.md is stale; `make pages` writes it anew\n"


def test_a_readme_without_markers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Belfry\n", "utf-8")
    with pytest.raises(SystemExit, match="jobs:begin"):
        pages.main(["--root", str(tmp_path)])


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
