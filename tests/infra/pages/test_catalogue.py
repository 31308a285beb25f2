"""The catalogue tells business readers what runs when, why, and whose it is, in Chinese and in English."""

from pathlib import Path

import pytest

from infra.pages import catalogue
from shared.cronfile.loading import load
from shared.cronfile.specs import CronFile, JobSpec

ROOT = Path(__file__).parents[3]
DAILY = "0 8 * * *"


def job(job_id: str = "bell", **fields: object) -> JobSpec:
    said = {
        "id": job_id,
        "category": "issues",
        "name": {"zh": "打铃", "en": "Ring"},
        "description": {"zh": "响。", "en": "It rings."},
        "owner": "pmo@example.com",
    }
    return JobSpec(**{**said, **fields})  # type: ignore[arg-type]


def page(*jobs: JobSpec) -> tuple[str, str]:
    """The Chinese half and the English one."""
    text = catalogue.page(CronFile(path="", jobs={one.id: one for one in jobs}))
    zh, en = text.split("\n# Business catalogue\n")
    return zh, en


def test_every_job_stands_in_both_halves_under_its_area() -> None:
    file = load(ROOT / "cron.yaml")
    zh, en = catalogue.page(file).split("\n# Business catalogue\n")
    for half, language in ((zh, "zh"), (en, "en")):
        assert half.count("\n### ") == len(file.jobs)
        for spec in file.jobs.values():
            assert f"\n### {spec.name[language]}\n\n`{spec.id}`\n\n{spec.description[language]}\n" in half
    assert zh.index("\n## 项目\n") < zh.index("`check_milestone_alerts`") < zh.index("\n## 问题\n")


def test_a_job_is_told_whole() -> None:
    bell = job(
        schedule=DAILY,
        risk="HIGH",
        reads=("erp.issues", "erp.projects"),
        writes=("alert_records",),
        runbook="看日志\nRead the log",
    )
    zh, en = page(bell)
    assert zh.endswith("""### 打铃

`bell`

响。

- 调度计划：每天 08:00
- 负责人：pmo@example.com
- 风险：高
- 读取：`erp.issues`、`erp.projects`
- 写入：`alert_records`
- 处理手册：看日志
""")
    assert (
        "- Schedule: Daily at 08:00\n- Owner: pmo@example.com\n- Risk: high\n- Reads: `erp.issues`, `erp.projects`\n"
        in en
    )
    assert en.endswith("- Runbook: Read the log\n")


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        ({"schedule": DAILY}, "| 08:00 | Ring |"),
        ({"schedule": "0 8,20 * * *"}, "| 08:00 | Ring |\n| 20:00 | Ring |"),
        ({"schedule": "0 8 * * 1"}, "| 08:00 | Ring (Every Monday at 08:00) |"),
        ({"schedule": "0 8 * 3 *"}, "| 08:00 | Ring (0 8 * 3 *) |"),
        ({"schedule": DAILY, "calendar": "cn_workdays"}, "| 08:00 | Ring (Daily at 08:00 (Chinese workdays only)) |"),
        ({"schedule": DAILY, "enabled": False}, "| 08:00 | Ring (Daily at 08:00 (switched off)) |"),
        ({"schedule": "*/15 * * * *"}, "| All day | Every 15 minutes: Ring |"),
        ({"schedule": DAILY, "name": {"zh": "打|铃", "en": "Ring|Bell"}}, "| 08:00 | Ring&#124;Bell |"),
    ],
)  # fmt: skip
def test_the_day_by_the_clock(fields: dict[str, object], row: str) -> None:
    assert f"| --- | --- |\n{row}\n\n## Issues" in page(job(**fields))[1]


def test_jobs_of_one_minute_share_a_row_and_those_of_all_day_their_sentence() -> None:
    jobs = [
        job("a", schedule=DAILY),
        job("b", schedule=DAILY),
        job("c", schedule="0 * * * *"),
        job("d", schedule="0 * * * *"),
        job("e", depends_on=("a",)),
    ]
    zh, en = page(*jobs)
    assert "| 08:00 | Ring<br>Ring |\n| All day | Hourly on the hour: Ring, Ring<br>After Ring succeeded: Ring |" in en
    assert "| 08:00 | 打铃<br>打铃 |\n| 全天 | 每小时整点：打铃、打铃<br>打铃成功之后：打铃 |" in zh


def test_another_zone_is_said() -> None:
    jobs = [job("a", schedule=DAILY), job("b", schedule=DAILY), job("c", schedule=DAILY, time_zone="Europe/Berlin")]
    assert "| 08:00 | Ring<br>Ring<br>Ring (Daily at 08:00 (Europe/Berlin)) |" in page(*jobs)[1]
