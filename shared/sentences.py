"""When does a schedule ring, as a sentence? Common ones in plain words; any other is shown as it is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.unix_cron import Expression, ScheduleError

_WORDS = {
    "zh": {
        "every_minute": "每分钟",
        "every_minutes": "每 {n} 分钟",
        "every_minutes_from": "每 {n} 分钟（自第 {minute} 分起）",
        "hourly": "每小时整点",
        "hourly_at": "每小时第 {minute} 分",
        "every_hours": "每 {n} 小时（自 {time} 起）",
        "within": "{first}–{last} {times}",
        "daily": "每天",
        "days_times": "{days} {times}",
        "days_all_along": "{days} {times}",
        "weekly": "每{days}",
        "weekly_range": "{first}至{last}",
        "monthly": "每月 {days} 日",
        "yearly": "每年 {months} {days} 日",
        "workdays_only": "{sentence}（仅法定工作日）",
        "after": "{jobs}成功之后",
        "comma": "、",
        "and": "、",
        "weekdays": "周一|周二|周三|周四|周五|周六|周日",
        "months": "1 月|2 月|3 月|4 月|5 月|6 月|7 月|8 月|9 月|10 月|11 月|12 月",
    },
    "en": {
        "every_minute": "every minute",
        "every_minutes": "every {n} minutes",
        "every_minutes_from": "every {n} minutes from :{minute}",
        "hourly": "hourly on the hour",
        "hourly_at": "hourly at :{minute}",
        "every_hours": "every {n} hours from {time}",
        "within": "{times}, {first}–{last}",
        "daily": "daily",
        "days_times": "{days} at {times}",
        "days_all_along": "{days}, {times}",
        "weekly": "every {days}",
        "weekly_range": "{first} to {last}",
        "monthly": "monthly on day {days}",
        "yearly": "every {months} {days}",
        "workdays_only": "{sentence} (Chinese workdays only)",
        "after": "after {jobs} succeeded",
        "comma": ", ",
        "and": " and ",
        "weekdays": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
        "months": "January|February|March|April|May|June|July|August|September|October|November|December",
    },
}


def of_job(schedule: str | None, calendar: str, upstreams: Sequence[str], language: str) -> str:
    """The sentence of a job: of its schedule with its calendar, or of what fires it; the zone is said beside it."""
    if schedule is None:
        return _say(language, "after", jobs=listed(language, upstreams))
    said = sentence(schedule, language)
    return _say(language, "workdays_only", sentence=said) if calendar == "cn_workdays" else said


def sentence(expression: str, language: str) -> str:
    """`0 8 * * 1-5` -> 周一至周五 08:00; the expression itself where no sentence is plainer."""
    try:
        cron = Expression.parse(expression)
    except ScheduleError:
        return expression
    time = _times(cron, language)
    if time is None:
        return expression
    times, by_the_clock = time
    days = _days(cron, language)
    if days is None:
        return expression
    if by_the_clock:
        return _say(language, "days_times", days=days, times=times)
    return times if days == _say(language, "daily") else _say(language, "days_all_along", days=days, times=times)


def listed(language: str, words: Sequence[str]) -> str:
    """`a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return _say(language, "comma").join(words[:-1]) + _say(language, "and") + words[-1]


def _say(language: str, key: str, **values: object) -> str:
    return _WORDS[language][key].format(**values)


def _times(cron: Expression, language: str) -> tuple[str, bool] | None:
    """The times of a day, and whether they are single ones (then "daily" is said too)."""
    minutes, hours = sorted(cron.minutes), sorted(cron.hours)
    every_hour = len(hours) == 24
    if len(minutes) == 60:
        if every_hour:
            return _say(language, "every_minute"), False
        return _within(language, _say(language, "every_minute"), hours, 59)
    if len(minutes) > 1:
        if len(minutes) * len(hours) <= 4:
            return _clock(language, hours, minutes), True
        step = _step(minutes, 60)
        if step is None:
            base = _say(language, "hourly_at", minute=listed(language, [f"{m:02}" for m in minutes]))
        elif minutes[0] == 0:
            base = _say(language, "every_minutes", n=step)
        else:
            base = _say(language, "every_minutes_from", n=step, minute=f"{minutes[0]:02}")
        return (base, False) if every_hour else _within(language, base, hours, minutes[-1])
    minute = minutes[0]
    hourly = _say(language, "hourly" if minute == 0 else "hourly_at", minute=f"{minute:02}")
    if every_hour:
        return hourly, False
    if len(hours) <= 4:
        return _clock(language, hours, minutes), True
    step = _step(hours, 24)
    if step is not None:
        return _say(language, "every_hours", n=step, time=f"{hours[0]:02}:{minute:02}"), False
    return _within(language, hourly, hours, minute)


def _within(language: str, base: str, hours: list[int], last_minute: int) -> tuple[str, bool] | None:
    if hours[-1] - hours[0] != len(hours) - 1:
        return None
    first, last = f"{hours[0]:02}:00", f"{hours[-1]:02}:{last_minute:02}"
    return _say(language, "within", times=base, first=first, last=last), False


def _clock(language: str, hours: Iterable[int], minutes: Iterable[int]) -> str:
    return listed(language, [f"{hour:02}:{minute:02}" for hour in hours for minute in minutes])


def _step(values: list[int], length: int) -> int | None:
    """The step of values that go round evenly: 0, 15, 30, 45."""
    step = values[1] - values[0]
    even = values == list(range(values[0], length, step))
    return step if even and values[0] < step and length % step == 0 else None


def _days(cron: Expression, language: str) -> str | None:
    weekdays, days, months = sorted(cron.weekdays), sorted(cron.days), sorted(cron.months)
    if len(weekdays) < 7:
        if len(months) < 12:
            return None
        return _weekdays(language, [(day - 1) % 7 for day in weekdays])
    if len(days) == 31:
        return _say(language, "daily") if len(months) == 12 else None
    if len(days) > 4:
        return None
    numbered = listed(language, [str(day) for day in days])
    if len(months) == 12:
        return _say(language, "monthly", days=numbered)
    if len(months) > 4:
        return None
    names = _say(language, "months").split("|")
    return _say(language, "yearly", months=listed(language, [names[month - 1] for month in months]), days=numbered)


def _weekdays(language: str, days: list[int]) -> str:
    days = sorted(days)  # Monday = 0
    week = _say(language, "weekdays").split("|")
    names = [week[day] for day in days]
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return _say(language, "weekly_range", first=names[0], last=names[-1])
    return _say(language, "weekly", days=listed(language, names))
