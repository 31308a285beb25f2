"""What colour, score and record has each project, and which milestones are near? The rulebook over random rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection

from tests.oracles.reading import LEVELS, Found, Row, Rows, shifted, users

OPEN = ("PENDING", "ACKNOWLEDGED", "PROCESSING")
Reason = dict[str, Any]


def hundredths(number: Fraction) -> Decimal:
    return (Decimal(number.numerator) / Decimal(number.denominator)).quantize(Decimal("0.01"), ROUND_HALF_UP)


# ---------------------------------------------------------------- job 9
def reached(milestone: Row, day: date) -> bool:
    """Done, withdrawn, or done by its actual date whatever its status says."""
    over = milestone.status in ("COMPLETED", "CANCELLED")
    return over or (milestone.actual_date is not None and milestone.actual_date <= day)


def milestones(db: Connection, day: date) -> tuple[Found, int, int]:
    """Level and people of each milestone that is near or overdue; how many cannot be judged, how many are defects."""
    rows, found, broken, defects = Rows(db), dict[int, Any](), 0, 0
    for m in rows.project_milestones:
        if not rows.live(m.project_id):
            continue
        defects += m.status not in ("COMPLETED", "CANCELLED") and reached(m, day)
        if reached(m, day):
            continue
        if m.reminder_days is not None and m.reminder_days < 0:
            broken += 1
            continue
        late = (day - m.planned_date).days
        if late < -(3 if m.reminder_days is None else m.reminder_days):
            continue
        level = "WARNING" if late <= 0 else "CRITICAL" if late <= 7 else "URGENT"
        people = users(m.owner_id, rows.project(m.project_id).pm_id) | ({"ROLE:PMO"} if late > 0 else set())
        found[m.id] = shifted(level, 0 if m.is_key else -1), people
    return found, broken, defects


# ---------------------------------------------------------------- jobs 1 and 6
class Health:
    """One project's state on a day: every reason that speaks against it, by rulebook 6.1."""

    def __init__(self, rows: Rows, project: Row, day: date) -> None:
        self._rows, self.project, self._day = rows, project, day
        shortage = {rule.id for rule in rows.alert_rules if rule.rule_type == "MATERIAL_SHORTAGE"}
        self.alerts = self._own(rows.alert_records, lambda a: a.status in OPEN)
        short = [a for a in self.alerts if a.rule_id in shortage]
        self.issues = self._own(rows.issues, lambda i: i.status in ("OPEN", "PROCESSING"))
        self.blocking = [i for i in self.issues if i.is_blocking or i.issue_type == "BLOCKER"]
        self.urgent = [i for i in self.issues if i.priority in ("HIGH", "URGENT")]
        keys = self._own(rows.project_milestones, lambda m: m.is_key and not reached(m, day))
        self.late = [m for m in keys if m.planned_date < day]
        self.on_track = len(keys) - len(self.late)
        self.variance = self._variance()
        self.reasons = [
            reason for reason in (
                self._status(),
                _counted("ISSUE_BLOCKING", "H3", self.blocking, "issue_no"),
                _counted("TASK_BLOCKED", "H3", self._own(rows.project_tasks, lambda t: t.status == "BLOCKED"), "task_name"),
                _counted("SHORTAGE_CRITICAL", "H3", [a for a in short if LEVELS.index(a.base_level) >= 2], "target_name"),
                _counted("MILESTONE_LATE", "H2", self.late, "milestone_name"),
                _counted("ISSUE_URGENT", "H2", self.urgent, "issue_no"),
                _counted("SHORTAGE_WARNING", "H2", [a for a in short if a.base_level == "WARNING"], "target_name"),
                self._deadline(),
                None if self.variance is None or self.variance <= 10
                else {"code": "VARIANCE", "health": "H2", "value": float(hundredths(self.variance))},
            ) if reason
        ]  # fmt: skip

    @property
    def colour(self) -> str:
        return "H4" if self.project.health == "H4" else max((r["health"] for r in self.reasons), default="H1")

    def _own(self, table: Iterable[Row], wanted: Callable[[Row], bool]) -> list[Row]:
        return [row for row in table if row.project_id == self.project.id and wanted(row)]

    def _status(self) -> Reason | None:
        groups = {"H4": ("ST30", "ST99"), "H3": ("ST14", "ST19"), "H2": ("ST22", "ST26")}
        colour = next((c for c, statuses in groups.items() if self.project.status in statuses), None)
        return {"code": "STATUS", "health": colour, "value": self.project.status} if colour else None

    def _deadline(self) -> Reason | None:
        end = self.project.planned_end_date
        if end is None or (end - self._day).days > 7:
            return None
        return {"code": "DEADLINE", "health": "H2", "value": end.isoformat()}

    def _variance(self) -> Fraction | None:
        """Planned minus actual progress, in points; none where plan or progress contradict themselves."""
        start, end, actual = self.project.planned_start_date, self.project.planned_end_date, self.project.progress_pct
        if start is None or end is None or end <= start or not 0 <= actual <= 100:
            return None
        planned = Fraction((self._day - start).days * 100, (end - start).days)
        return max(Fraction(0), min(Fraction(100), planned)) - Fraction(actual)


def _counted(code: str, colour: str, rows: list[Row], name: str) -> Reason | None:
    if not rows:
        return None
    first = sorted(rows, key=lambda row: row.id)[:3]
    sample = [{"id": row.id, "name": getattr(row, name) or row.target_no} for row in first]
    return {"code": code, "health": colour, "count": len(rows), "sample": sample}


def judged(db: Connection, day: date) -> dict[int, Health]:
    """Every kept project."""
    rows = Rows(db)
    return {p.id: Health(rows, p, day) for p in rows.projects if rows.kept(p.id)}


def colours(db: Connection, day: date) -> dict[int, str]:
    return {project: health.colour for project, health in judged(db, day).items()}


# ---------------------------------------------------------------- job 2
def snapshots(db: Connection, day: date) -> dict[int, dict[str, Any]]:
    """The day's row of each kept project, and of those that closed when they were put away."""
    rows = Rows(db)
    return {p.id: _snapshot(rows, p, day) for p in rows.projects if rows.kept(p.id) or _just_closed(rows, p, day)}


def _just_closed(rows: Rows, project: Row, day: date) -> bool:
    earlier = [s for s in rows.project_health_snapshots if s.project_id == project.id and s.snapshot_date < day]
    last = max(earlier, key=lambda s: s.snapshot_date, default=None)
    return project.status in ("ST30", "ST99") and last is not None and last.overall_health != "H4"


def _snapshot(rows: Rows, project: Row, day: date) -> dict[str, Any]:
    health = Health(rows, project, day)
    costs = [c.amount for c in rows.project_costs if c.project_id == project.id]
    spent, budget = sum(costs) if costs else project.actual_cost, project.budget_amount
    used = None if spent is None or not budget else Fraction(spent) * 100 / Fraction(budget)
    loads = _loads(rows, project, day)
    latest = max(((day - m.planned_date).days for m in health.late), default=0)
    behind = health.variance or Fraction(0)
    red, yellow = (sum(r["health"] == colour for r in health.reasons) for colour in ("H3", "H2"))
    dimensions = {
        "schedule": _worse(latest > 14 or behind > 25, latest > 0 or behind > 10),
        "cost": None if used is None else _worse(used >= 120, used >= 90),
        "quality": _worse(bool(health.blocking), bool(health.urgent)),
        "resource": _worse(max(loads, default=0) > 150, max(loads, default=0) > 110),
    }
    grey = health.colour == "H4"
    risks = sorted(health.reasons, key=lambda r: r["health"], reverse=True)[:5]
    return {
        "overall_health": health.colour,
        **{f"{name}_health": "H4" if grey else colour for name, colour in dimensions.items()},
        "health_score": None if grey else max(0, 100 - 40 * bool(red) - 10 * min(3, yellow) - min(20, len(health.alerts))),
        "open_alerts": len(health.alerts), "blocking_issues": len(health.blocking),
        "milestone_delayed": len(health.late), "milestone_on_track": health.on_track,
        "schedule_variance": None if health.variance is None else hundredths(health.variance),
        "cost_variance": None if spent is None or budget is None else spent - budget,
        "budget_used_pct": None if used is None else hundredths(used),
        "kit_rate": _kit_rate(rows, project), "top_risks": [(r["code"], r["health"]) for r in risks],
    }  # fmt: skip


def _worse(red: bool, yellow: bool) -> str:
    return "H3" if red else "H2" if yellow else "H1"


def _loads(rows: Rows, project: Row, day: date) -> list[Decimal]:
    """What each member of the project is loaded with that day, over everything, in percent."""
    now = [a for a in rows.resource_allocations if a.start_date <= day <= a.end_date and a.status not in ("COMPLETED", "CANCELLED")]
    members = {a.user_id for a in now if a.project_id == project.id}
    return [sum((a.allocation_percent for a in now if a.user_id == member), Decimal(0)) for member in members]


def _kit_rate(rows: Rows, project: Row) -> Decimal | None:
    """The mean of the latest kit rates of the project's unfinished work orders."""
    orders = [o.id for o in rows.work_orders if o.project_id == project.id and o.status not in ("COMPLETED", "APPROVED", "CANCELLED")]
    latest = [
        max((k for k in rows.kit_checks if k.work_order_id == order), key=lambda k: (k.check_date, k.check_time), default=None)
        for order in orders
    ]
    rates = [Fraction(k.kit_rate) for k in latest if k is not None and k.kit_rate is not None]
    return hundredths(sum(rates, Fraction(0)) / len(rates)) if rates else None


def fallen(db: Connection, day: date) -> list[tuple[str, int, int]]:
    """Projects whose score fell by fifteen points or more within seven days: code, before, now; the deepest first."""
    rows = Rows(db)
    scores = {(s.project_id, s.snapshot_date): s.health_score for s in rows.project_health_snapshots}
    found = []
    for project in rows.projects:
        before, now = scores.get((project.id, day - timedelta(days=7))), scores.get((project.id, day))
        if before is not None and now is not None and before - now >= 15:
            found.append((project.project_code, before, now))
    return sorted(found, key=lambda one: (one[2] - one[1], one[0]))
