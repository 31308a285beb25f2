"""One table of cases for the health of a project: the rule in Python and the same rule in SQL must agree."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Date, Integer, Numeric, Text, literal, select

from shared.erp.health_snapshots import dimension, score
from shared.erp.project_health import judged
from shared.rules import health, health_scores
from shared.rules.health import Limits
from shared.rules.health_scores import ScoreLimits

LIMITS = Limits(deadline_days=7, variance_points=10, kit_rate_enabled=True, kit_rate_blocked=50, kit_rate_at_risk=70)
SCORES = ScoreLimits(
    variance_points=10,
    schedule_late_days=14,
    schedule_blocked_points=25,
    cost_at_risk_percent=90,
    cost_blocked_percent=120,
    load_at_risk_percent=110,
    load_blocked_percent=150,
)
CALM: dict[str, Any] = {
    "status": "ST08",
    "health": "H1",
    "planned_end_date": date(2026, 6, 30),
    "days_left": 120,
    "variance": Decimal(0),
    "kit_rate": Decimal(100),
    "blocking_issues": 0,
    "urgent_issues": 0,
    "blocked_tasks": 0,
    "late_milestones": 0,
    "critical_shortages": 0,
    "warning_shortages": 0,
}
CASES: list[tuple[str, dict[str, Any], str, set[str]]] = [
    ("all is well", {}, "H1", set()),
    ("closed", {"status": "ST30", "blocking_issues": 2}, "H4", {"STATUS", "ISSUE_BLOCKING"}),
    ("cancelled", {"status": "ST99"}, "H4", {"STATUS"}),
    ("grey stays grey", {"health": "H4", "blocking_issues": 1}, "H4", {"ISSUE_BLOCKING"}),
    ("material blocked", {"status": "ST14"}, "H3", {"STATUS"}),
    ("technical block", {"status": "ST19"}, "H3", {"STATUS"}),
    ("rework after factory acceptance", {"status": "ST22"}, "H2", {"STATUS"}),
    ("rework after site acceptance", {"status": "ST26"}, "H2", {"STATUS"}),
    ("blocking issue", {"blocking_issues": 1}, "H3", {"ISSUE_BLOCKING"}),
    ("blocked task", {"blocked_tasks": 1}, "H3", {"TASK_BLOCKED"}),
    ("critical shortage", {"critical_shortages": 1}, "H3", {"SHORTAGE_CRITICAL"}),
    ("warning shortage", {"warning_shortages": 1}, "H2", {"SHORTAGE_WARNING"}),
    ("urgent issue", {"urgent_issues": 1}, "H2", {"ISSUE_URGENT"}),
    ("late key milestone", {"late_milestones": 1}, "H2", {"MILESTONE_LATE"}),
    ("ends in 7 days", {"days_left": 7}, "H2", {"DEADLINE"}),
    ("ends in 8 days", {"days_left": 8}, "H1", set()),
    ("ended yesterday", {"days_left": -1}, "H2", {"DEADLINE"}),
    ("no end", {"days_left": None, "planned_end_date": None}, "H1", set()),
    ("variance 10.0", {"variance": Decimal("10.0")}, "H1", set()),
    ("variance 10.1", {"variance": Decimal("10.1")}, "H2", {"VARIANCE"}),
    ("variance not known", {"variance": None}, "H1", set()),
    ("kit rate 49.99", {"kit_rate": Decimal("49.99")}, "H3", {"KIT_RATE"}),
    ("kit rate 50", {"kit_rate": Decimal(50)}, "H2", {"KIT_RATE"}),
    ("kit rate 70", {"kit_rate": Decimal(70)}, "H1", set()),
    ("no kit check", {"kit_rate": None}, "H1", set()),
    ("red wins over yellow", {"blocked_tasks": 1, "urgent_issues": 3}, "H3", {"TASK_BLOCKED", "ISSUE_URGENT"}),
    ("red turns green", {"health": "H3"}, "H1", set()),
]
IDS = [name for name, *_ in CASES]
TYPES = {"status": Text, "health": Text, "planned_end_date": Date, "variance": Numeric, "kit_rate": Numeric}


@pytest.mark.parametrize(("name", "figures", "colour", "reasons"), CASES, ids=IDS)
def test_the_rule_gives_the_colour_and_the_reasons(
    name: str, figures: dict[str, Any], colour: str, reasons: set[str]
) -> None:
    assert health.colour(CALM | figures, LIMITS) == colour
    assert set(health.found(CALM | figures, LIMITS)) == reasons


@pytest.mark.parametrize(("name", "figures", "colour", "reasons"), CASES, ids=IDS)
def test_sql_gives_the_same(name: str, figures: dict[str, Any], colour: str, reasons: set[str], db: Connection) -> None:
    known = select(*(literal(value, TYPES.get(key, Integer)).label(key) for key, value in (CALM | figures).items()))
    row = db.execute(judged(known, LIMITS)).one()
    asked = health.found(CALM | figures, LIMITS)
    assert row.new_health == colour
    assert {reason["code"]: reason["health"] for reason in row.reasons} == asked
    assert (row.red_reasons, row.yellow_reasons) == (list(asked.values()).count("H3"), list(asked.values()).count("H2"))


def test_the_kit_rate_counts_only_when_it_is_switched_on() -> None:
    off = Limits(**{**vars(LIMITS), "kit_rate_enabled": False})
    assert health.colour(CALM | {"kit_rate": Decimal(10)}, off) == "H1"


DIMENSIONS = [
    ("schedule", {"milestone_late_days": 0, "variance": Decimal(10)}, "H1"),
    ("schedule", {"milestone_late_days": 1, "variance": Decimal(0)}, "H2"),
    ("schedule", {"milestone_late_days": 14, "variance": None}, "H2"),
    ("schedule", {"milestone_late_days": 15, "variance": None}, "H3"),
    ("schedule", {"milestone_late_days": 0, "variance": Decimal("10.1")}, "H2"),
    ("schedule", {"milestone_late_days": 0, "variance": Decimal(25)}, "H2"),
    ("schedule", {"milestone_late_days": 1, "variance": Decimal("25.1")}, "H3"),
    ("cost", {"budget_used_pct": Decimal("89.99")}, "H1"),
    ("cost", {"budget_used_pct": Decimal(90)}, "H2"),
    ("cost", {"budget_used_pct": Decimal("119.99")}, "H2"),
    ("cost", {"budget_used_pct": Decimal(120)}, "H3"),
    ("cost", {"budget_used_pct": None}, None),
    ("quality", {"blocking_issues": 0, "urgent_issues": 0}, "H1"),
    ("quality", {"blocking_issues": 0, "urgent_issues": 1}, "H2"),
    ("quality", {"blocking_issues": 1, "urgent_issues": 1}, "H3"),
    ("resource", {"highest_load": Decimal(110)}, "H1"),
    ("resource", {"highest_load": Decimal("110.1")}, "H2"),
    ("resource", {"highest_load": Decimal(150)}, "H2"),
    ("resource", {"highest_load": Decimal("150.1")}, "H3"),
]


@pytest.mark.parametrize(("name", "figures", "colour"), DIMENSIONS)
def test_a_dimension_has_the_colour_of_its_worst_figure(name: str, figures: dict[str, Any], colour: str | None) -> None:
    assert health_scores.dimension(figures, health_scores.dimensions(SCORES)[name]) == colour


def test_sql_gives_every_dimension_the_same_colour(db: Connection) -> None:
    asked = health_scores.dimensions(SCORES)
    answers = [
        dimension(literal("H1", Text), {key: literal(value, Numeric) for key, value in figures.items()}, asked[name])
        for name, figures, _ in DIMENSIONS
    ]
    assert list(db.execute(select(*answers)).one()) == [colour for *_, colour in DIMENSIONS]


def test_every_dimension_of_a_closed_project_is_grey(db: Connection) -> None:
    figures = {"budget_used_pct": literal(None, Numeric)}
    assert (
        db.execute(
            select(dimension(literal("H4", Text), figures, health_scores.dimensions(SCORES)["cost"]))
        ).scalar_one()
        == "H4"
    )


SCORED = [
    ("H1", 0, 0, 0, 100),
    ("H2", 0, 1, 0, 90),
    ("H2", 0, 3, 0, 70),
    ("H2", 0, 5, 0, 70),
    ("H3", 1, 0, 0, 60),
    ("H3", 4, 0, 0, 60),
    ("H1", 0, 0, 7, 93),
    ("H1", 0, 0, 500, 80),
    ("H3", 2, 9, 99, 10),
    ("H4", 1, 1, 1, None),
]


@pytest.mark.parametrize(("colour", "red", "yellow", "alerts", "points"), SCORED)
def test_red_costs_40_each_yellow_10_each_alert_1(
    colour: str, red: int, yellow: int, alerts: int, points: int | None
) -> None:
    assert health_scores.score(colour, red_reasons=red, yellow_reasons=yellow, open_alerts=alerts) == points


def test_sql_gives_the_same_score(db: Connection) -> None:
    answers = [
        score(literal(c, Text), *(literal(n, Integer) for n in (red, yellow, alerts)))
        for c, red, yellow, alerts, _ in SCORED
    ]
    assert list(db.execute(select(*answers)).one()) == [points for *_, points in SCORED]
