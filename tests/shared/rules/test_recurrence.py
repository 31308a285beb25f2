"""Occurrences by the calendar; the jobs' own tests run the same cases in SQL."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.recurrence import FREQUENCIES, Recurrence, duty_day, next_on_or_after
from tests.shared.rules.recurrence_cases import LATEST, NEXT, REST

FESTIVAL = {date(2026, 2, 16) + timedelta(days=n) for n in range(8)} | {date(2026, 1, n) for n in (1, 2)}
WORKED = {date(2026, 1, 4), date(2026, 2, 14), date(2026, 2, 28)}


def is_workday(day: date) -> bool:
    return day in WORKED or (day not in FESTIVAL and day.isoweekday() < 6)


@pytest.mark.parametrize(("frequency", "days", "day", "found"), NEXT)
def test_the_next_occurrence_rolls_into_the_next_week_month_and_year(
    frequency: str, days: dict[str, int], day: date, found: date
) -> None:
    assert next_on_or_after(frequency, day, **days) == found
    assert duty_day(frequency, day, None, **days) == found


@pytest.mark.parametrize(("frequency", "days", "day", "found"), REST)
def test_a_duty_on_a_day_of_rest_moves_to_the_next_workday(
    frequency: str, days: dict[str, int], day: date, found: date
) -> None:
    assert duty_day(frequency, day, is_workday, **days) == found


@pytest.mark.parametrize(("recurrence", "start", "now", "latest"), LATEST)
def test_the_latest_occurrence_since_a_start(
    recurrence: Recurrence, start: datetime, now: datetime, latest: datetime | None
) -> None:
    assert recurrence.latest(start, now) == latest


@given(
    st.builds(Recurrence, st.sampled_from(FREQUENCIES), st.integers(1, 5), st.none() | st.integers(1, 7)),
    st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31)),
    st.timedeltas(timedelta(days=-5), timedelta(days=800)),
)
def test_no_occurrence_lies_between_the_latest_and_now(
    recurrence: Recurrence, start: datetime, ahead: timedelta
) -> None:
    """Walking through every period from the start on finds the same."""
    now = start + ahead
    walked = (recurrence._occurrence(start, n) for n in range(0, 900, recurrence.every))
    assert recurrence.latest(start, now) == max((o for o in walked if start < o <= now), default=None)


def test_a_week_has_seven_days() -> None:
    assert Recurrence("WEEKLY", day=7).makes_sense
    assert not Recurrence("WEEKLY", day=8).makes_sense
    assert Recurrence("MONTHLY", day=31).makes_sense
