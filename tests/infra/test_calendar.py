"""Does belfry.biz_calendar hold the published holidays and make-up workdays, and does the linter know where they end?"""

from datetime import date

import chinese_calendar
from sqlalchemy import Connection, text

from shared import schedule

FIRST = date(2024, 1, 1)


def test_every_published_day_is_worked_or_not_as_the_state_council_says(db: Connection) -> None:
    days = db.execute(
        text(
            "select d::date as day, belfry.is_workday(d::date) as works from generate_series(:a, :b, interval '1 day') d"
        ),
        {"a": FIRST, "b": schedule.WORKDAYS_UNTIL},
    ).all()
    assert len(days) == 1096
    assert [row.day for row in days if row.works != chinese_calendar.is_workday(row.day)] == []


def test_only_exceptions_are_written_down_each_with_its_holiday(db: Connection) -> None:
    rows = db.execute(text("select day, is_workday, note from belfry.biz_calendar order by day")).all()
    assert all(row.is_workday == (row.day.isoweekday() > 5) and row.note for row in rows)
    notes = {row.day: row.note for row in rows}
    assert (notes[date(2026, 2, 17)], notes[date(2026, 2, 28)]) == ("春节", "春节调休上班")


def test_the_linter_warns_from_the_end_of_what_is_written(db: Connection) -> None:
    last = db.execute(text("select max(day) from belfry.biz_calendar")).scalar_one()
    assert date(last.year, 12, 31) == schedule.WORKDAYS_UNTIL
    assert last.year == max(chinese_calendar.holidays).year, "a new year is published: it wants a migration"


def test_a_day_beyond_the_published_years_rests_at_weekends_only(db: Connection) -> None:
    worked = [
        db.execute(text("select belfry.is_workday(:d)"), {"d": date(2027, 10, day)}).scalar_one()
        for day in (1, 2, 3, 4)
    ]
    assert worked == [True, False, False, True]
