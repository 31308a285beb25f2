"""Which colour has a project, and why? Green H1, yellow H2, red H3, grey H4 (rulebook 6.1).

Every reason looks at one figure of the project. The worst reason gives the colour.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import gt, le, lt
from typing import Any

from shared.rules.ladder import Ladder, Step

GREEN, YELLOW, RED, GREY = "H1", "H2", "H3", "H4"
STATUS_COLOURS = {
    "ST30": GREY,
    "ST99": GREY,  # closed, cancelled
    "ST14": RED,
    "ST19": RED,  # blocked by material, by technology
    "ST22": YELLOW,
    "ST26": YELLOW,  # rework after factory, after site acceptance
}


@dataclass(frozen=True)
class Limits:
    """The job's `params.health`. Days, points, percent."""

    deadline_days: int
    variance_points: int
    kit_rate_enabled: bool
    kit_rate_blocked: int
    kit_rate_at_risk: int


@dataclass(frozen=True)
class Reason:
    """A figure and the colours it asks for; `shows` names the figure that a reader sees."""

    code: str
    figure: str
    ladder: Ladder
    shows: str


def _counted(code: str, colour: str, figure: str) -> Reason:
    return Reason(code, figure, Ladder((Step(gt, 0, colour),)), shows=figure)


def reasons(limits: Limits) -> tuple[Reason, ...]:
    """Everything that can make a project red or yellow beside its status, red first."""
    listed = (
        _counted("ISSUE_BLOCKING", RED, "blocking_issues"),
        _counted("TASK_BLOCKED", RED, "blocked_tasks"),
        _counted("SHORTAGE_CRITICAL", RED, "critical_shortages"),
        _counted("MILESTONE_LATE", YELLOW, "late_milestones"),
        _counted("ISSUE_URGENT", YELLOW, "urgent_issues"),
        _counted("SHORTAGE_WARNING", YELLOW, "warning_shortages"),
        Reason("DEADLINE", "days_left", Ladder((Step(le, limits.deadline_days, YELLOW),)), shows="planned_end_date"),
        Reason("VARIANCE", "variance", Ladder((Step(gt, limits.variance_points, YELLOW),)), shows="variance"),
    )
    kit = Ladder((Step(lt, limits.kit_rate_blocked, RED), Step(lt, limits.kit_rate_at_risk, YELLOW)))
    return (*listed, Reason("KIT_RATE", "kit_rate", kit, shows="kit_rate")) if limits.kit_rate_enabled else listed


def found(figures: Mapping[str, Any], limits: Limits) -> dict[str, str]:
    """The reasons that hold and the colour each asks for; a figure that is None speaks for nothing."""
    asked = {"STATUS": STATUS_COLOURS.get(figures["status"])}
    asked |= {reason.code: reason.ladder.answer(figures.get(reason.figure)) for reason in reasons(limits)}
    return {code: colour for code, colour in asked.items() if colour}


def colour(figures: Mapping[str, Any], limits: Limits) -> str:
    """The worst colour that a reason asks for. A closed project is grey whatever else holds, and grey stays grey."""
    return GREY if figures["health"] == GREY else max(found(figures, limits).values(), default=GREEN)
