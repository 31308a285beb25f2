"""How is a project in schedule, cost, quality and resource, and how many points is that worth? (rulebook 6.1)"""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import ge, gt
from typing import Any

from shared.rules.health import GREEN, GREY, RED, YELLOW
from shared.rules.ladder import Ladder, Step

RED_POINTS, YELLOW_POINTS, YELLOW_COUNTED, ALERTS_COUNTED = 40, 10, 3, 20


@dataclass(frozen=True)
class ScoreLimits:
    """Parameters of daily_health_snapshot: days, points, percent."""

    variance_points: int
    schedule_late_days: int
    schedule_blocked_points: int
    cost_at_risk_percent: int
    cost_blocked_percent: int
    load_at_risk_percent: int
    load_blocked_percent: int


def dimensions(limits: ScoreLimits) -> dict[str, dict[str, Ladder]]:
    """Per dimension the figures that speak for it; the worst of them is the dimension's colour."""

    def counted(colour: str) -> Ladder:
        return Ladder((Step(gt, 0, colour),), GREEN)

    def above(red: int, yellow: int) -> Ladder:
        return Ladder((Step(gt, red, RED), Step(gt, yellow, YELLOW)), GREEN)

    cost = Ladder((Step(ge, limits.cost_blocked_percent, RED), Step(ge, limits.cost_at_risk_percent, YELLOW)), GREEN)
    return {
        "schedule": {
            "milestone_late_days": above(limits.schedule_late_days, 0),
            "variance": above(limits.schedule_blocked_points, limits.variance_points),
        },
        "cost": {"budget_used_pct": cost},
        "quality": {"blocking_issues": counted(RED), "urgent_issues": counted(YELLOW)},
        "resource": {"highest_load": above(limits.load_blocked_percent, limits.load_at_risk_percent)},
    }


def dimension(figures: Mapping[str, Any], ladders: Mapping[str, Ladder]) -> str | None:
    """The worst colour of one dimension; None when none of its figures is known."""
    return max(filter(None, (ladder.answer(figures.get(figure)) for figure, ladder in ladders.items())), default=None)


def score(health: str, *, red_reasons: int, yellow_reasons: int, open_alerts: int) -> int | None:
    """100 minus 40 for red, 10 for each of three yellow reasons, 1 for each of twenty open alerts; grey has none."""
    if health == GREY:
        return None
    lost = (
        RED_POINTS * bool(red_reasons)
        + YELLOW_POINTS * min(YELLOW_COUNTED, yellow_reasons)
        + min(ALERTS_COUNTED, open_alerts)
    )
    return max(0, 100 - lost)
