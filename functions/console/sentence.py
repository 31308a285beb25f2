"""When does a job ring, as a sentence? Common schedules in plain words; any other is shown as it is written."""

from __future__ import annotations

from collections.abc import Iterable

from flask import g

from functions.console.language import named, say
from functions.console.queries.jobs import Job
from shared.unix_cron import Expression, ScheduleError


def of_job(job: Job, names: dict[str, dict[str, str]] | None = None) -> str:
    """The sentence of a job, in the language of this request; the zone is said beside it."""
    language = g.language
    if job.effective_schedule is None:
        upstream = [named((names or {}).get(id_), id_) for id_ in job.depends_on]
        return say(language, "schedule.after", jobs=_and(language, upstream))
    text = sentence(job.effective_schedule, language)
    if job.calendar == "cn_workdays":
        text = say(language, "schedule.workdays_only", sentence=text)
    return text


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
        return say(language, "schedule.days_times", days=days, times=times)
    return (
        times
        if days == say(language, "schedule.daily")
        else say(language, "schedule.days_all_along", days=days, times=times)
    )


def _times(cron: Expression, language: str) -> tuple[str, bool] | None:
    """The times of a day, and whether they are single ones (then "daily" is said too)."""
    minutes, hours = sorted(cron.minutes), sorted(cron.hours)
    every_hour = len(hours) == 24
    if len(minutes) == 60:
        if every_hour:
            return say(language, "schedule.every_minute"), False
        return _within(language, say(language, "schedule.every_minute"), hours, 59)
    if len(minutes) > 1:
        if len(minutes) * len(hours) <= 4:
            return _clock(language, hours, minutes), True
        step = _step(minutes, 60)
        if step is None:
            listed = _and(language, [f"{m:02}" for m in minutes])
            base = say(language, "schedule.hourly_at", minute=listed)
        elif minutes[0] == 0:
            base = say(language, "schedule.every_minutes", n=step)
        else:
            base = say(language, "schedule.every_minutes_from", n=step, minute=f"{minutes[0]:02}")
        return (base, False) if every_hour else _within(language, base, hours, minutes[-1])
    minute = minutes[0]
    if every_hour:
        return say(language, "schedule.hourly" if minute == 0 else "schedule.hourly_at", minute=f"{minute:02}"), False
    if len(hours) <= 4:
        return _clock(language, hours, minutes), True
    step = _step(hours, 24)
    if step is not None:
        return say(language, "schedule.every_hours", n=step, time=f"{hours[0]:02}:{minute:02}"), False
    key = "schedule.hourly" if minute == 0 else "schedule.hourly_at"
    return _within(language, say(language, key, minute=f"{minute:02}"), hours, minute)


def _within(language: str, base: str, hours: list[int], last_minute: int) -> tuple[str, bool] | None:
    if hours[-1] - hours[0] != len(hours) - 1:
        return None
    first, last = f"{hours[0]:02}:00", f"{hours[-1]:02}:{last_minute:02}"
    return say(language, "schedule.within", times=base, first=first, last=last), False


def _clock(language: str, hours: Iterable[int], minutes: Iterable[int]) -> str:
    return _and(language, [f"{hour:02}:{minute:02}" for hour in hours for minute in minutes])


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
        return say(language, "schedule.daily") if len(months) == 12 else None
    if len(days) > 4:
        return None
    listed = _and(language, [str(day) for day in days])
    if len(months) == 12:
        return say(language, "schedule.monthly", days=listed)
    if len(months) > 4:
        return None
    names = _and(language, [say(language, f"schedule.month_{month}") for month in months])
    return say(language, "schedule.yearly", months=names, days=listed)


def _weekdays(language: str, days: list[int]) -> str:
    days = sorted(days)  # Monday = 0
    names = [say(language, f"schedule.weekday_{day}") for day in days]
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return say(language, "schedule.weekly_range", first=names[0], last=names[-1])
    return say(language, "schedule.weekly", days=_and(language, names))


def _and(language: str, words: list[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    separator, last = say(language, "schedule.comma"), say(language, "schedule.and")
    return separator.join(words[:-1]) + last + words[-1]
