"""Who is booked for what? Allocations around the thresholds of the resource dimension, and two weeks of timesheets."""

from infra.local.demo.people import USER
from infra.local.demo.projects import PROJECT
from infra.local.demo.rows import Factory

# person, project, percent: together 160 % (a member of PJ01), 120 % (PJ02), exactly 110 % (PJ06), 80 %
ALLOCATIONS = (
    ("liuyang", "PJ01", 100), ("liuyang", "PJ03", 60), ("sunyue", "PJ02", 80), ("sunyue", "PJ04", 40),
    ("huanglei", "PJ06", 70), ("huanglei", "PJ05", 40), ("machao", "PJ06", 80),
)
ENGINEERS = ("liuyang", "sunyue", "huanglei", "machao")


def populate(factory: Factory) -> None:
    """Thirty days ahead, ten days back."""
    factory.insert(
        "erp.resource_allocations", "user_id project_id start_date end_date allocation_percent status",
        [(USER[name], PROJECT[project], factory.date(-10), factory.date(45), percent, "CONFIRMED")
         for name, project, percent in ALLOCATIONS],
    )
    factory.insert(
        "erp.timesheets", "user_id project_id work_date hours overtime_type status approved_at",
        [(USER[name], PROJECT[f"PJ{(number + back) % 6 + 1:02}"], factory.date(-back), 8, "NORMAL",
          "APPROVED" if back > 3 else "SUBMITTED", factory.instant(-1) if back > 3 else None)
         for number, name in enumerate(ENGINEERS) for back in range(1, 11)],
    )
