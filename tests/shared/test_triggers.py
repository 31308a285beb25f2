"""Intervals and dates as cron: what rings, what is refused, and with which neighbours."""

from datetime import datetime, timedelta
from itertools import islice, pairwise

import pytest

from shared.schedule import ScheduleError
from shared.triggers import WITHIN_A_DAY, every, once

SHANGHAI = "Asia/Shanghai"
START = datetime.fromisoformat("2026-03-02T09:07+08:00")


@pytest.mark.parametrize("interval", WITHIN_A_DAY, ids=str)
def test_an_interval_that_divides_the_day_rings_at_that_distance_for_ever(interval: timedelta) -> None:
    ticks = list(islice(every(interval, START, SHANGHAI).ticks(START - timedelta(minutes=1)), 100))
    assert ticks[0] == START
    assert {later - sooner for sooner, later in pairwise(ticks)} == {interval}


@pytest.mark.parametrize("days", [1, 2, 3, 7, 10, 30, 366])
def test_days_ring_at_the_time_of_day_they_started(days: int) -> None:
    ticks = list(islice(every(timedelta(days=days), START, SHANGHAI).ticks(START - timedelta(days=1000)), 5))
    assert ticks == [START + timedelta(days=days * number) for number in range(5)]


@pytest.mark.parametrize(
    ("interval", "nearest"),
    [
        (timedelta(minutes=7), "6 min and 10 min"),
        (timedelta(minutes=45), "30 min and 1 h"),
        (timedelta(minutes=90), "1 h and 2 h"),
        (timedelta(hours=5), "4 h and 6 h"),
        (timedelta(hours=18), "12 h and 1 d"),
        (timedelta(hours=36), "1 d and 2 d"),
        (timedelta(seconds=90), "1 min and 2 min"),
        (timedelta(seconds=30), "1 min and 2 min"),
        (timedelta(0), "1 min and 2 min"),
        (timedelta(days=-1), "1 min and 2 min"),
        (timedelta(days=400), "365 d and 366 d"),
    ],
    ids=str,
)
def test_other_intervals_are_refused_with_the_two_nearest(interval: timedelta, nearest: str) -> None:
    with pytest.raises(ScheduleError, match=nearest):
        every(interval, START, SHANGHAI)


def test_a_date_rings_once() -> None:
    moment = datetime.fromisoformat("2028-02-29T06:30+08:00")
    assert list(once(moment, SHANGHAI).ticks(START)) == [moment]
    assert list(once(moment, SHANGHAI).ticks(moment)) == []


def test_a_date_between_two_minutes_is_refused() -> None:
    with pytest.raises(ScheduleError, match="full minute"):
        once(datetime.fromisoformat("2028-02-29T06:30:01+08:00"), SHANGHAI)
