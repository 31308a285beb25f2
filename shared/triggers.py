"""How an interval or a single date becomes cron: Cloud Scheduler has nothing else."""

from datetime import datetime, timedelta

from shared.schedule import Schedule, ScheduleError

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LONGEST = 366 * DAY
WITHIN_A_DAY = tuple(
    [timedelta(minutes=minutes) for minutes in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)]
    + [timedelta(hours=hours) for hours in (1, 2, 3, 4, 6, 8, 12)]
)


def every(interval: timedelta, start: datetime, time_zone: str) -> Schedule:
    """The schedule that rings every `interval`; its phase and its time of day are those of `start`.

    Minutes must divide an hour and hours a day, so that the grid is the same every day; longer ones are whole days,
    and the days between leave no row. Others are refused with the two nearest that are taken.
    """
    local = start.astimezone(Schedule("* * * * *", time_zone).zone)
    if interval in WITHIN_A_DAY:
        step = interval // MINUTE
        if step <= 30:
            return Schedule(f"{_cycle(local.minute, step, 60)} * * * *", time_zone)
        return Schedule(f"{local.minute} {_cycle(local.hour, step // 60, 24)} * * *", time_zone)
    if DAY <= interval <= LONGEST and interval % DAY == timedelta():
        return Schedule(
            f"{local.minute} {local.hour} * * *", time_zone, every_days=interval // DAY, anchor=local.date()
        )
    lower, upper = _nearest(interval)
    raise ScheduleError(
        f"every {_words(interval)} does not divide an hour or a day; the nearest are {lower} and {upper}"
    )


def once(moment: datetime, time_zone: str) -> Schedule:
    """The schedule that rings at one moment: cron for its minute, and a gate for its year."""
    local = moment.astimezone(Schedule("* * * * *", time_zone).zone)
    if local.second or local.microsecond:
        raise ScheduleError(f"{moment.isoformat()} is not a full minute")
    return Schedule(f"{local.minute} {local.hour} {local.day} {local.month} *", time_zone, year=local.year)


def _cycle(phase: int, step: int, length: int) -> str:
    phase %= step
    if step == 1 or not phase:
        return "*" if step == 1 else f"*/{step}"
    return f"{phase}-{length - 1}/{step}"


def _nearest(interval: timedelta) -> tuple[str, str]:
    days = max(interval // DAY, 1) * DAY
    taken = sorted({*WITHIN_A_DAY, min(days, LONGEST - DAY), min(days + DAY, LONGEST)})
    below = [one for one in taken if one < interval] or taken[:1]
    above = [one for one in taken if one > interval and one > below[-1]] or taken[-1:]
    if above[0] == below[-1]:
        below = taken[-2:-1]
    return _words(below[-1]), _words(above[0])


def _words(interval: timedelta) -> str:
    for unit, name in ((DAY, "d"), (timedelta(hours=1), "h"), (MINUTE, "min")):
        if interval and interval % unit == timedelta():
            return f"{interval // unit} {name}"
    return f"{interval.total_seconds():g} s"
