"""A schedule reads like a sentence, in both languages; what has no plain sentence stays as it is written."""

import pytest

from shared.sentences import of_job, sentence
from tests.conftest import ROOT

SAID = [
    ("* * * * *", "每分钟", "every minute"),
    ("*/5 * * * *", "每 5 分钟", "every 5 minutes"),
    ("2-59/15 * * * *", "每 15 分钟（自第 02 分起）", "every 15 minutes from :02"),
    ("0 * * * *", "每小时整点", "hourly on the hour"),
    ("5 * * * *", "每小时第 05 分", "hourly at :05"),
    ("5,35 * * * *", "每 30 分钟（自第 05 分起）", "every 30 minutes from :05"),
    ("5,20 * * * *", "每小时第 05、20 分", "hourly at :05 and 20"),
    ("0 */4 * * *", "每 4 小时（自 00:00 起）", "every 4 hours from 00:00"),
    ("30 1-23/2 * * *", "每 2 小时（自 01:30 起）", "every 2 hours from 01:30"),
    ("0 8-18 * * *", "08:00–18:00 每小时整点", "hourly on the hour, 08:00–18:00"),
    ("*/15 8-18 * * *", "08:00–18:45 每 15 分钟", "every 15 minutes, 08:00–18:45"),
    ("* 9-17 * * *", "09:00–17:59 每分钟", "every minute, 09:00–17:59"),
    ("0 8 * * *", "每天 08:00", "daily at 08:00"),
    ("0 8,20 * * *", "每天 08:00、20:00", "daily at 08:00 and 20:00"),
    ("0,30 8 * * *", "每天 08:00、08:30", "daily at 08:00 and 08:30"),
    ("0 8 * * 1-5", "周一至周五 08:00", "Monday to Friday at 08:00"),
    ("0 8 * * MON-FRI", "周一至周五 08:00", "Monday to Friday at 08:00"),
    ("0 8 * * 1,3", "每周一、周三 08:00", "every Monday and Wednesday at 08:00"),
    ("0 8 * * 0", "每周日 08:00", "every Sunday at 08:00"),
    ("0 8 * * 7", "每周日 08:00", "every Sunday at 08:00"),
    ("0 8 * * 6,0", "每周六、周日 08:00", "every Saturday and Sunday at 08:00"),
    ("0 * * * 1-5", "周一至周五 每小时整点", "Monday to Friday, hourly on the hour"),
    ("0 2 1 * *", "每月 1 日 02:00", "monthly on day 1 at 02:00"),
    ("0 2 1,15 * *", "每月 1、15 日 02:00", "monthly on day 1 and 15 at 02:00"),
    ("0 2 1 1 *", "每年 1 月 1 日 02:00", "every January 1 at 02:00"),
]
UNSAID = ["0 8 */2 * *", "7,11,23 3,9,14,22,23 * * *", "0 8 1-9 * *", "0 8 * 1-6 *", "0 1,2,9,15,20 * * *", "not cron"]


@pytest.mark.parametrize(("expression", "zh", "en"), SAID)
def test_common_schedules_are_sentences(expression: str, zh: str, en: str) -> None:
    assert (sentence(expression, "zh"), sentence(expression, "en")) == (zh, en)


@pytest.mark.parametrize("expression", UNSAID)
def test_rare_schedules_stay_as_they_are_written(expression: str) -> None:
    assert sentence(expression, "zh") == sentence(expression, "en") == expression


def test_every_schedule_of_ours_has_a_sentence() -> None:
    from shared.cronfile.loading import load

    jobs = load(ROOT / "cron.yaml").jobs.values()
    written = [job.schedule for job in jobs if job.schedule and sentence(job.schedule, "en") == job.schedule]
    assert written == []


@pytest.mark.parametrize(
    ("schedule", "calendar", "upstreams", "zh", "en"),
    [
        ("0 8 * * *", "every_day", (), "每天 08:00", "daily at 08:00"),
        ("0 8 * * *", "cn_workdays", (), "每天 08:00（仅法定工作日）", "daily at 08:00 (Chinese workdays only)"),
        (None, "every_day", ("a",), "a成功之后", "after a succeeded"),
        (None, "every_day", ("a", "b", "c"), "a、b、c成功之后", "after a, b and c succeeded"),
    ],
)
def test_a_job_s_sentence_says_its_calendar_or_what_fires_it(
    schedule: str | None, calendar: str, upstreams: tuple[str, ...], zh: str, en: str
) -> None:
    assert (of_job(schedule, calendar, upstreams, "zh"), of_job(schedule, calendar, upstreams, "en")) == (zh, en)
