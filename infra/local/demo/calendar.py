"""Which days does the factory work? The State Council's holidays and make-up workdays, as far as they are published."""

from datetime import date, timedelta

import chinese_calendar

from infra.local.demo.rows import Factory

LAST_PUBLISHED = max(chinese_calendar.constants.holidays).year
FIRST_PUBLISHED = min(chinese_calendar.constants.holidays).year


def populate(factory: Factory) -> None:
    """The year of the day and the ones beside it. A year that is not published has no rows: its weekends rest."""
    years = range(max(factory.day.year - 1, FIRST_PUBLISHED), min(factory.day.year + 1, LAST_PUBLISHED) + 1)
    factory.insert(
        "belfry.biz_calendar", "day is_workday note",
        [(day, chinese_calendar.is_workday(day), _note(day)) for year in years for day in _days(year)],
    )


def works(day: date) -> bool:
    """Whether the factory works that day, by the same rule as belfry.is_workday."""
    published = FIRST_PUBLISHED <= day.year <= LAST_PUBLISHED
    return bool(chinese_calendar.is_workday(day)) if published else day.isoweekday() < 6


def _days(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(n) for n in range((date(year + 1, 1, 1) - first).days)]


def _note(day: date) -> str | None:
    rests, name = chinese_calendar.get_holiday_detail(day)
    if name is None:
        return None
    holiday: str = chinese_calendar.Holiday(name).chinese
    return holiday + ("" if rests else "调休上班")
