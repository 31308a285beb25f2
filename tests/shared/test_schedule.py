"""The grid of a schedule: what the grammar takes, when it rings, and what the clocks' changes do to it."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.schedule import Schedule, ScheduleError, clock_changes, opens, window_offset

NEW_YORK, SHANGHAI = "America/New_York", "Asia/Shanghai"
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def walls(schedule: Schedule, after: str, count: int = 4) -> list[str]:
    """The next ticks as the local clock shows them, with its offset."""
    return [
        tick.astimezone(schedule.zone).isoformat(timespec="minutes")
        for tick in islice(schedule.ticks(at(after)), count)
    ]


@pytest.mark.parametrize(
    ("expression", "means"),
    [
        ("0 * * * *", "0 * * * *"),
        ("00 09 * * *", "0 9 * * *"),
        ("*/15 * * * *", "0,15,30,45 * * * *"),
        ("5-10/2,59 * * * *", "5,7,9,59 * * * *"),
        ("0 9 * * 1-5", "0 9 * * 1,2,3,4,5"),
        ("0 9 * * MON-fri", "0 9 * * 1,2,3,4,5"),
        ("0 9 * * 0", "0 9 * * 0"),
        ("0 9 * * 7", "0 9 * * 0"),
        ("0 9 * * 5-7", "0 9 * * 0,5,6"),
        ("0 9 * * sun,SAT", "0 9 * * 0,6"),
        ("0 0 1 jan,Dec *", "0 0 1 1,12 *"),
        ("0 0 * * */2", "0 0 * * 0,2,4,6"),
        ("0 0 29 2 *", "0 0 29 2 *"),
    ],
)
def test_an_expression_means_its_set_of_minutes(expression: str, means: str) -> None:
    assert Schedule(expression, SHANGHAI).cron.canonical == means


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "is not five fields"),
        ("* * * *", "is not five fields"),
        ("* * * * * *", "is not five fields"),
        ("0 0 * * * 2026", "is not five fields"),
        ("@daily", "is not five fields"),
        ("@reboot", "is not five fields"),
        ("every 5 minutes", "is not five fields"),
        ("0  * * * *", "is not five fields"),
        (" 0 * * * *", "is not five fields"),
        ("0\t* * * *", "is not five fields"),
        ("0 * * * *\n", "not understood"),
        ("0 * * *\u3000*", "is not five fields"),
        ("60 * * * *", "minute 60 is out of range"),
        ("-1 * * * *", "minute '-1' is not understood"),
        ("* 24 * * *", "hour 24"),
        ("* * 0 * *", "day-of-month 0"),
        ("* * 32 * *", "day-of-month 32"),
        ("* * * 0 *", "month 0"),
        ("* * * 13 *", "month 13"),
        ("* * * * 8", "day-of-week 8"),
        ("*/0 * * * *", "the step must be 1-59"),
        ("*/60 * * * *", "the step must be 1-59"),
        ("5/15 * * * *", "a step needs a range"),
        ("5-1 * * * *", "runs backwards"),
        ("* * * * FRI-SUN", "runs backwards"),
        ("* * L * *", "day-of-month 'L'"),
        ("* * * * 5L", "day-of-week '5L'"),
        ("* * * * 1#1", "day-of-week '1#1'"),
        ("* * LW * *", "day-of-month 'LW'"),
        ("* * 15W * *", "day-of-month '15W'"),
        ("? * * * *", "minute '?'"),
        ("H * * * *", "minute 'H'"),
        ("０ * * * *", "minute '０' is not understood"),
        ("٣ * * * *", "not understood"),
        ("0 * * * MONDAY", "'MONDAY'"),
        ("0 * * FEBR *", "'FEBR'"),
        ("0 * * MON *", "'MON'"),
        ("1,,2 * * * *", "not understood"),
        (", * * * *", "not understood"),
        ("1- * * * *", "not understood"),
        ("*-5 * * * *", "not understood"),
        ("1.5 * * * *", "not understood"),
        ("+1 * * * *", "not understood"),
        ("000 * * * *", "not understood"),
        ("* * * * ~", "not understood"),
        ("0 0 1 * 1", "both restricted"),
        ("0 0 */2 * 1", "both restricted"),
    ],
)
def test_what_unix_cron_does_not_know_is_refused_with_the_field(expression: str, says: str) -> None:
    with pytest.raises(ScheduleError, match=r".") as refused:
        Schedule(expression, SHANGHAI)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "zone", ["Beijing", "UTC+8", "", "GMT+25", "../etc/passwd", "Asia", "/usr/share/zoneinfo/UTC", "Asia/Shang\0hai"]
)
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(ScheduleError, match="no IANA time zone"):
        Schedule("0 * * * *", zone)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ScheduleError, match="without a zone"):
        Schedule("0 * * * *", SHANGHAI).next_tick(datetime(2026, 3, 2, 9))
    with pytest.raises(ScheduleError, match="without a zone"):
        Schedule("0 * * * *", SHANGHAI).floor_tick(datetime(2026, 3, 2, 9))


def test_ticks_are_utc_after_the_start_and_up_to_the_end() -> None:
    schedule = Schedule("0 8 * * *", SHANGHAI)
    assert list(schedule.ticks(at("2026-03-01T00:00Z"), at("2026-03-03T00:00Z"))) == [
        at("2026-03-02T00:00Z"),
        at("2026-03-03T00:00Z"),
    ]
    assert all(tick.tzinfo is UTC for tick in islice(schedule.ticks(at("2026-03-01T08:00+08:00")), 3))
    assert schedule.next_tick(at("2026-02-28T23:59:59.999999+00:00")) == at("2026-03-01T00:00Z")
    assert schedule.previous_tick(at("2026-03-01T00:00Z")) == at("2026-02-28T00:00Z")
    assert schedule.previous_tick(at("2026-03-01T00:00:00.000001Z")) == at("2026-03-01T00:00Z")


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("30 9 1 * *", "2026-01-31T12:00+08:00", ["2026-02-01T09:30+08:00", "2026-03-01T09:30+08:00"]),
        ("0 0 31 * *", "2026-01-31T12:00+08:00", ["2026-03-31T00:00+08:00", "2026-05-31T00:00+08:00"]),
        ("0 3 * * 0", "2026-03-02T00:00+08:00", ["2026-03-08T03:00+08:00", "2026-03-15T03:00+08:00"]),
        ("0 3 * * 7", "2026-03-02T00:00+08:00", ["2026-03-08T03:00+08:00", "2026-03-15T03:00+08:00"]),
        ("0 0 29 2 *", "2026-03-02T00:00+08:00", ["2028-02-29T00:00+08:00", "2032-02-29T00:00+08:00"]),
        ("*/30 * * * *", "2026-12-31T23:10+08:00", ["2026-12-31T23:30+08:00", "2027-01-01T00:00+08:00"]),
    ],
)
def test_the_grid_in_shanghai(expression: str, after: str, expected: list[str]) -> None:
    assert walls(Schedule(expression, SHANGHAI), after, 2) == expected


# New York 2026: 02:00 -> 03:00 on 8 March, 02:00 -> 01:00 on 1 November.
@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        # by the clock, in the gap: once, at its end; several in it are one tick; a real 03:00 beside them is the same
        ("30 2 * * *", "2026-03-07T12:00-05:00", ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"]),
        ("15,45 2 * * *", "2026-03-07T12:00-05:00", ["2026-03-08T03:00-04:00", "2026-03-09T02:15-04:00"]),
        ("0 2,3 * * *", "2026-03-07T12:00-05:00", ["2026-03-08T03:00-04:00", "2026-03-09T02:00-04:00"]),
        (
            "30 2,3 * * *",
            "2026-03-07T12:00-05:00",
            ["2026-03-08T03:00-04:00", "2026-03-08T03:30-04:00", "2026-03-09T02:30-04:00"],
        ),
        # by interval, in the gap: not that day; every hour is every real hour
        ("*/30 2 * * *", "2026-03-07T12:00-05:00", ["2026-03-09T02:00-04:00", "2026-03-09T02:30-04:00"]),
        (
            "0 * * * *",
            "2026-03-08T00:30-05:00",
            ["2026-03-08T01:00-05:00", "2026-03-08T03:00-04:00", "2026-03-08T04:00-04:00"],
        ),
        # the repeated hour: by the clock the first time only, by interval both times
        ("30 1 * * *", "2026-10-31T12:00-04:00", ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]),
        ("30 1 * * *", "2026-11-01T01:10-05:00", ["2026-11-02T01:30-05:00"]),
        (
            "0 * * * *",
            "2026-11-01T00:30-04:00",
            ["2026-11-01T01:00-04:00", "2026-11-01T01:00-05:00", "2026-11-01T02:00-05:00"],
        ),
        (
            "*/30 1 * * *",
            "2026-11-01T01:10-04:00",
            ["2026-11-01T01:30-04:00", "2026-11-01T01:00-05:00", "2026-11-01T01:30-05:00", "2026-11-02T01:00-05:00"],
        ),
    ],
)
def test_the_grid_when_new_york_changes_its_clocks(expression: str, after: str, expected: list[str]) -> None:
    assert walls(Schedule(expression, NEW_YORK), after, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "instant", "tick"),
    [
        ("0 9 * * *", "2026-03-02T09:00:00-05:00", "2026-03-02T09:00-05:00"),
        ("0 9 * * *", "2026-03-02T09:00:59.9-05:00", "2026-03-02T09:00-05:00"),
        ("0 9 * * *", "2026-03-02T08:59:59.9-05:00", None),
        ("0 9 * * *", "2026-03-02T09:01:00-05:00", None),
        ("30 2 * * *", "2026-03-08T03:00-04:00", "2026-03-08T03:00-04:00"),  # the end of the gap is the tick
        (
            "30 2 * * *",
            "2026-03-08T03:30-04:00",
            "2026-03-08T03:00-04:00",
        ),  # 02:30 read with the winter offset is the same tick
        ("30 2 * * *", "2026-03-08T03:31-04:00", None),
        ("30 2 * * *", "2026-03-09T03:30-04:00", None),  # only on that day
        ("30 2,3 * * *", "2026-03-08T03:30-04:00", "2026-03-08T03:30-04:00"),  # its own tick goes first
        ("30 1 * * *", "2026-11-01T01:30-04:00", "2026-11-01T01:30-04:00"),
        ("30 1 * * *", "2026-11-01T01:30-05:00", "2026-11-01T01:30-04:00"),  # the second 01:30 is the first one's tick
        ("*/30 1 * * *", "2026-11-01T01:30-05:00", "2026-11-01T01:30-05:00"),
        ("*/30 2 * * *", "2026-03-08T03:30-04:00", None),
    ],
)
def test_an_instant_stands_for_the_tick_of_its_minute(expression: str, instant: str, tick: str | None) -> None:
    assert Schedule(expression, NEW_YORK).floor_tick(at(instant)) == (at(tick) if tick else None)


def rings(schedule: Schedule, instant: datetime) -> bool:
    """The rule of the module's docstring, minute by minute and without cleverness."""

    def matches(wall: datetime) -> bool:
        allowed = (
            schedule.cron.minutes,
            schedule.cron.hours,
            schedule.cron.days,
            schedule.cron.months,
            schedule.cron.weekdays,
        )
        shown = wall.minute, wall.hour, wall.day, wall.month, wall.isoweekday() % 7
        return all(value in values for value, values in zip(shown, allowed, strict=True))

    local, before = instant.astimezone(schedule.zone), (instant - MINUTE).astimezone(schedule.zone)
    wall = local.replace(tzinfo=None)
    if not schedule.cron.by_the_clock:
        return matches(wall)
    skipped, passed = before.replace(tzinfo=None) + MINUTE, False
    while skipped < wall:
        passed, skipped = passed or matches(skipped), skipped + MINUTE
    return passed or (matches(wall) and not local.fold)


# Sao Paulo and Havana change at midnight, Lord Howe by half an hour, Apia left out a day, Kathmandu moved by a quarter.
CHANGES = [
    (NEW_YORK, "2026-03-08T07:00Z"),
    (NEW_YORK, "2026-11-01T06:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00Z"),
    ("America/Sao_Paulo", "2018-02-18T02:00Z"),
    ("America/Havana", "2026-03-08T05:00Z"),
    ("America/Havana", "2026-11-01T05:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30Z"),
    ("Pacific/Apia", "2011-12-30T10:00Z"),
    ("Asia/Kathmandu", "1985-12-31T18:30Z"),
    ("Europe/London", "2026-10-25T01:00Z"),
    (SHANGHAI, "1986-05-03T18:00Z"),
    (SHANGHAI, "2026-03-01T00:00Z"),
]
minutes = st.sampled_from(["*", "*/7", "*/30", "0", "30", "0,15,59", "10-20/5"])
hours = st.sampled_from(["*", "*/2", "0", "1", "2", "3", "0-4", "1,2,23", "0,1,2"])
days = st.sampled_from(["* * *", "* * *", "1,8 * *", "* * 0", "* * SUN,MON", "30,31 12 *"])


@settings(max_examples=60, deadline=None)
@given(change=st.sampled_from(CHANGES), minute=minutes, hour=hours, day=days, start=st.integers(-1500, 300))
def test_the_ticks_are_the_minutes_that_ring_wherever_one_starts(
    change: tuple[str, str], minute: str, hour: str, day: str, start: int
) -> None:
    schedule = Schedule(f"{minute} {hour} {day}", change[0])
    after = at(change[1]) + start * MINUTE
    until = after + timedelta(hours=20)
    expected = [moment for moment in (after + number * MINUTE for number in range(1, 1201)) if rings(schedule, moment)]
    assert list(schedule.ticks(after, until)) == expected
    if expected:
        assert schedule.previous_tick(until + MINUTE) == expected[-1]
        assert all(schedule.floor_tick(tick) == tick for tick in expected[:3])


@pytest.mark.parametrize(
    ("expression", "never"),
    [
        ("0 0 31 2 *", True),
        ("0 0 30 2 *", True),
        ("0 0 31 4,6,9,11 *", True),
        ("0 0 29 2 *", False),
        ("0 0 31 2,3 *", False),
        ("0 0 30 2,4 *", False),
    ],
)
def test_a_day_that_no_month_has_never_fires(expression: str, never: bool) -> None:
    schedule = Schedule(expression, SHANGHAI)
    assert schedule.never_fires is never
    assert (schedule.next_tick(at("2026-01-01T00:00Z")) is None) is never
    assert (schedule.previous_tick(at("2026-01-01T00:00Z")) is None) is never


@pytest.mark.parametrize(
    ("expression", "gap"),
    [
        ("* * * * *", 1),
        ("*/15 * * * *", 15),
        ("0 * * * *", 60),
        ("0,50 * * * *", 10),
        ("0 9,11 * * *", 120),
        ("0 9 * * *", 1440),
        ("0 9 * * 1-5", 1440),
        ("0 9 * * 0", 10080),
        ("0 9 * * 1,5", 4320),
        ("0 9 1 * *", 28 * 1440),
        ("0 9 1,31 * *", 1440),
        ("50 23,0 * * *", 60),
    ],
)
def test_the_shortest_gap_between_two_ticks(expression: str, gap: int) -> None:
    assert Schedule(expression, SHANGHAI).cron.shortest_gap == gap


def test_a_window_gives_each_job_a_place_of_its_own_for_ever() -> None:
    places = {
        job: window_offset(job, 600)
        for job in ("check_overdue_issues", "calculate_project_health", "check_task_delay_alerts")
    }
    assert places == {
        "check_overdue_issues": 8 * MINUTE,
        "calculate_project_health": 2 * MINUTE,
        "check_task_delay_alerts": 6 * MINUTE,
    }
    assert window_offset("check_overdue_issues", 0) == timedelta()
    spread = [window_offset(f"job_{number}", 600) // MINUTE for number in range(1000)]
    assert set(spread) == set(range(10))


def test_a_shifted_schedule_rings_later_within_its_hour() -> None:
    assert Schedule("0 9 * * 1-5", SHANGHAI).shifted(7 * MINUTE) == "7 9 * * 1-5"
    assert Schedule("*/5 * * * *", SHANGHAI).shifted(timedelta()) == "*/5 * * * *"
    for expression in ("55 9 * * *", "0,30 9 * * *"):
        with pytest.raises(ScheduleError, match="stays within its hour"):
            Schedule(expression, SHANGHAI).shifted(7 * MINUTE)


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        ("2026-02-16", False),
        ("2026-02-14", True),
        ("2026-02-21", False),
        ("2026-02-24", True),
        ("2030-05-04", False),
        ("2030-05-06", True),
    ],
)
def test_chinese_workdays_follow_the_calendar_and_beyond_it_the_week(day: str, worked: bool) -> None:
    known = {
        date(2026, 2, 16): False,
        date(2026, 2, 14): True,
        date(2026, 2, 24): True,
    }  # holiday, make-up Saturday, workday
    assert opens("cn_workdays", date.fromisoformat(day), known) is worked
    assert opens("every_day", date.fromisoformat(day), known)


def test_the_clock_changes_of_a_year_are_found() -> None:
    year = at("2026-01-01T00:00Z"), at("2027-01-01T00:00Z")
    assert list(clock_changes(ZoneInfo(NEW_YORK), *year)) == [
        (at("2026-03-08T07:00Z"), timedelta(hours=1)),
        (at("2026-11-01T06:00Z"), -timedelta(hours=1)),
    ]
    assert list(clock_changes(ZoneInfo(SHANGHAI), *year)) == []


def test_importing_the_schedule_stays_cheap() -> None:
    heavy = {"yaml", "sqlalchemy", "jsonschema", "grpc", "flask", "hashlib"}
    program = (
        f"import sys; import shared.schedule; found = {heavy} & set(sys.modules); sys.exit(str(found) if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
