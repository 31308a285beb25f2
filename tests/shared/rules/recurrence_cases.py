"""Occurrences on both sides of every edge of the calendar; the rules and the jobs are tested by the same tables."""

from datetime import date, datetime, time
from typing import Any

from shared.rules.recurrence import Recurrence

D = date.fromisoformat
T = datetime.fromisoformat

# frequency, its days, the day asked about, the next occurrence on or after it
NEXT: list[tuple[str, dict[str, int], date, date]] = [
    ("DAILY", {}, D("2026-02-28"), D("2026-02-28")),
    ("WEEKLY", {"of_week": 1}, D("2026-03-02"), D("2026-03-02")),
    ("WEEKLY", {"of_week": 1}, D("2026-03-03"), D("2026-03-09")),
    ("WEEKLY", {"of_week": 7}, D("2026-03-02"), D("2026-03-08")),
    ("WEEKLY", {"of_week": 5}, D("2026-12-31"), D("2027-01-01")),
    ("MONTHLY", {"of_month": 2}, D("2026-03-02"), D("2026-03-02")),
    ("MONTHLY", {"of_month": 1}, D("2026-03-02"), D("2026-04-01")),
    ("MONTHLY", {"of_month": 1}, D("2026-01-29"), D("2026-02-01")),
    ("MONTHLY", {"of_month": 31}, D("2026-02-01"), D("2026-02-28")),
    ("MONTHLY", {"of_month": 31}, D("2028-02-01"), D("2028-02-29")),
    ("MONTHLY", {"of_month": 31}, D("2026-02-28"), D("2026-02-28")),
    ("MONTHLY", {"of_month": 30}, D("2026-01-31"), D("2026-02-28")),
    ("MONTHLY", {"of_month": 31}, D("2026-04-30"), D("2026-04-30")),
    ("MONTHLY", {"of_month": 5}, D("2026-12-06"), D("2027-01-05")),
    ("YEARLY", {"month": 3, "of_month": 2}, D("2026-03-02"), D("2026-03-02")),
    ("YEARLY", {"month": 3, "of_month": 1}, D("2026-03-02"), D("2027-03-01")),
    ("YEARLY", {"month": 2, "of_month": 29}, D("2026-03-01"), D("2027-02-28")),
    ("YEARLY", {"month": 2, "of_month": 29}, D("2027-03-01"), D("2028-02-29")),
    ("YEARLY", {"month": 1, "of_month": 1}, D("2026-12-29"), D("2027-01-01")),
]

# frequency, its days, the day asked about, the workday that the duty is for (Spring Festival: 16 to 23 February 2026, but
# Saturday 14 and Saturday 28 are worked; 15 and 21, 22 are weekends)
REST: list[tuple[str, dict[str, int], date, date]] = [
    ("DAILY", {}, D("2026-03-02"), D("2026-03-02")),
    ("DAILY", {}, D("2026-03-07"), D("2026-03-09")),
    ("DAILY", {}, D("2026-02-28"), D("2026-02-28")),
    ("DAILY", {}, D("2026-02-15"), D("2026-02-24")),
    ("WEEKLY", {"of_week": 6}, D("2026-03-06"), D("2026-03-09")),
    ("WEEKLY", {"of_week": 6}, D("2026-03-08"), D("2026-03-09")),
    ("WEEKLY", {"of_week": 6}, D("2026-03-09"), D("2026-03-09")),
    ("WEEKLY", {"of_week": 6}, D("2026-03-10"), D("2026-03-16")),
    ("WEEKLY", {"of_week": 6}, D("2026-02-28"), D("2026-02-28")),
    ("MONTHLY", {"of_month": 17}, D("2026-02-10"), D("2026-02-24")),
    ("MONTHLY", {"of_month": 17}, D("2026-02-23"), D("2026-02-24")),
    ("MONTHLY", {"of_month": 17}, D("2026-02-24"), D("2026-02-24")),
    ("MONTHLY", {"of_month": 17}, D("2026-02-25"), D("2026-03-17")),
    ("MONTHLY", {"of_month": 31}, D("2026-02-20"), D("2026-02-28")),
    ("MONTHLY", {"of_month": 1}, D("2026-02-28"), D("2026-03-02")),
    ("MONTHLY", {"of_month": 1}, D("2026-03-02"), D("2026-03-02")),
    ("MONTHLY", {"of_month": 1}, D("2026-03-03"), D("2026-04-01")),
    ("YEARLY", {"month": 1, "of_month": 1}, D("2025-12-30"), D("2026-01-04")),
]


def weekly(**columns: Any) -> Recurrence:
    return Recurrence("WEEKLY", **columns)


# how it comes back, the start of the current cycle, now, the latest occurrence
LATEST: list[tuple[Recurrence, datetime, datetime, datetime | None]] = [
    (weekly(), T("2026-02-23T09:00"), T("2026-03-02T08:00"), None),
    (weekly(), T("2026-02-23T09:00"), T("2026-03-02T08:59"), None),
    (weekly(), T("2026-02-23T09:00"), T("2026-03-02T09:00"), T("2026-03-02T09:00")),
    (weekly(), T("2026-02-02T09:00"), T("2026-03-02T09:00"), T("2026-03-02T09:00")),
    (weekly(), T("2026-02-02T09:00"), T("2026-03-02T08:00"), T("2026-02-23T09:00")),
    (weekly(), T("2026-03-02T09:00"), T("2026-03-02T09:00"), None),
    (weekly(), T("2026-04-02T09:00"), T("2026-03-02T09:00"), None),
    (weekly(day=1), T("2026-02-26T09:00"), T("2026-03-02T09:00"), T("2026-03-02T09:00")),
    (weekly(day=5), T("2026-02-23T09:00"), T("2026-03-02T09:00"), T("2026-02-27T09:00")),
    (weekly(day=1, at=time(2)), T("2026-02-23T09:00"), T("2026-03-02T02:00"), T("2026-03-02T02:00")),
    (weekly(at=time(18)), T("2026-03-02T09:00"), T("2026-03-02T18:00"), T("2026-03-02T18:00")),
    (weekly(every=2), T("2026-02-16T09:00"), T("2026-03-02T09:00"), T("2026-03-02T09:00")),
    (weekly(every=2), T("2026-02-23T09:00"), T("2026-03-02T09:00"), None),
    (weekly(every=2), T("2026-02-09T09:00"), T("2026-03-02T09:00"), T("2026-02-23T09:00")),
    (weekly(every=2, day=7), T("2026-02-16T09:00"), T("2026-03-02T09:00"), T("2026-02-22T09:00")),
    (Recurrence("DAILY"), T("2026-03-01T09:00"), T("2026-03-02T08:59"), None),
    (Recurrence("DAILY"), T("2026-03-01T09:00"), T("2026-03-02T09:00"), T("2026-03-02T09:00")),
    (Recurrence("DAILY"), T("2026-02-20T09:00"), T("2026-03-02T02:00"), T("2026-03-01T09:00")),
    (Recurrence("DAILY", every=3), T("2026-02-24T09:00"), T("2026-03-02T09:00"), T("2026-03-02T09:00")),
    (Recurrence("DAILY", every=3), T("2026-02-25T09:00"), T("2026-03-02T09:00"), T("2026-02-28T09:00")),
    (Recurrence("DAILY", every=3), T("2026-02-28T09:00"), T("2026-03-02T09:00"), None),
    (Recurrence("MONTHLY"), T("2026-01-31T09:00"), T("2026-02-27T09:00"), None),
    (Recurrence("MONTHLY"), T("2026-01-31T09:00"), T("2026-02-28T09:00"), T("2026-02-28T09:00")),
    (Recurrence("MONTHLY", day=31), T("2026-02-28T09:00"), T("2026-03-31T09:00"), T("2026-03-31T09:00")),
    (Recurrence("MONTHLY", day=1), T("2026-02-28T09:00"), T("2026-03-02T09:00"), T("2026-03-01T09:00")),
    (Recurrence("MONTHLY", every=3), T("2025-12-02T09:00"), T("2026-03-02T09:00"), T("2026-03-02T09:00")),
    (Recurrence("MONTHLY", every=3), T("2025-11-30T09:00"), T("2026-03-02T09:00"), T("2026-02-28T09:00")),
    (Recurrence("MONTHLY", every=2), T("2026-01-02T09:00"), T("2026-02-20T09:00"), None),
    (Recurrence("YEARLY"), T("2024-02-29T09:00"), T("2025-02-28T08:00"), None),
    (Recurrence("YEARLY"), T("2024-02-29T09:00"), T("2026-03-02T09:00"), T("2026-02-28T09:00")),
    (Recurrence("YEARLY", month=3, day=2), T("2026-02-01T09:00"), T("2026-03-02T09:00"), T("2026-03-02T09:00")),
    (Recurrence("YEARLY", every=2), T("2024-03-02T09:00"), T("2026-03-02T09:00"), T("2026-03-02T09:00")),
    (Recurrence("YEARLY", every=2), T("2025-03-02T09:00"), T("2026-03-02T09:00"), None),
]
