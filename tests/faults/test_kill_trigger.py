"""kill -9 of a function at every statement of its trigger path: nothing is lost, nothing happens twice (P1, P2, P4,
P8)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Connection, text

from tests.conftest import ROOT, Perform, register
from tests.factories import Erp
from tests.processes import Served, eventually, served

FULL = bool(os.environ.get("BELFRY_FULL_SWEEP"))
LEASE = 0.6  # seconds; what the sweep waits for at every point
FIRST = datetime(2026, 3, 2, 1, tzinfo=UTC)


class World:
    """One function process that can be told where to die, and the ledgers that judge what it did."""

    def __init__(self, db: Connection, perform: Perform, function: Served, order: Path) -> None:
        self.db, self.perform, self.function, self.order = db, perform, function, order
        self.erp = Erp(db)
        self.owner = self.erp.user("陈工")
        self.hour = 0

    def tick(self) -> dict[str, Any] | None:
        """The next hour's tick; None when the function died on it."""
        self.hour += 1
        at = (FIRST + timedelta(hours=self.hour)).isoformat()
        try:
            return dict(
                requests.post(
                    self.function.url,
                    json={"job": "check_overdue_issues", "run_at": at, "kind": "scheduled"},
                    headers={"X-Belfry-Now": at},
                    timeout=20,
                ).json()
            )
        except requests.ConnectionError:
            return None

    def recover(self) -> str:
        """Sweep until the tick is over, as Cloud Scheduler's next minutes would; its state."""
        at = FIRST + timedelta(hours=self.hour)
        minutes = iter(range(1, 10_000))

        def over() -> str:
            now = (at + timedelta(seconds=next(minutes))).isoformat()
            requests.post(
                self.function.url,
                json={"job": "check_overdue_issues", "run_at": at.isoformat(), "kind": "scheduled"},
                headers={"X-Belfry-Now": now},
                timeout=20,
            )
            state = self.db.execute(
                text("select state from belfry.job_executions where job_id = 'check_overdue_issues' and run_at = :t"),
                {"t": at},
            ).scalar_one()
            return "" if state in ("running", "retry_wait", "pending") else str(state)

        return eventually(over, f"the tick of {at} is over")


@pytest.fixture
def world(db: Connection, database_url: str, perform: Perform, tmp_path: Path) -> Iterator[World]:
    register(db, "check_overdue_issues")
    db.execute(text("update belfry.jobs set backoff_s = '{0}', timeout_s = 50, max_attempts = 6"))
    order = tmp_path / "order"
    environment = {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'faults' / 'crash'}",
        "DATABASE_URL": database_url,
        "BELFRY_CRASH": str(order),
        "BELFRY_LOCAL_CLOCK": "1",
        "BELFRY_LEASE": str(LEASE),
        "PUBSUB_EMULATOR_HOST": os.environ["PUBSUB_EMULATOR_HOST"],
        "GOOGLE_CLOUD_PROJECT": "belfry-local",
    }
    source = ROOT / "functions" / "issues" / "check_overdue_issues.py"
    with served("check_overdue_issues", ROOT, environment, source=source) as function:
        yield World(db, perform, function, order)


def test_a_run_killed_at_any_statement_has_one_effect_and_loses_nothing(world: World) -> None:
    world.order.write_text("count")
    world.erp.issue(title="计数", due_date=datetime(2026, 2, 20).date(), assignee_id=world.owner)
    counted = world.tick()
    assert counted is not None
    assert counted.get("status") == "succeeded", counted
    points = world.order.with_suffix(".points").read_text().splitlines()
    world.order.unlink()
    assert len(points) > 14, points
    numbers = range(1, len(points) + 1) if FULL else sorted({*range(1, len(points) + 1, 2), len(points)})
    for number in numbers:
        issue = world.erp.issue(title=f"第 {number} 点", due_date=datetime(2026, 2, 20).date(), assignee_id=world.owner)
        world.order.write_text(f"{number} {issue}")
        world.tick()
        assert not world.order.exists(), f"point {number} was not reached: {points[number - 1]}"
        assert world.recover() in ("succeeded", "partial"), points[number - 1]
        about = f"killed {points[number - 1]!r}"
        alerts = (
            world.db.execute(text("select id from belfry.alert_records where target_id = :i"), {"i": issue})
            .scalars()
            .all()
        )
        assert len(alerts) == 1, about
        told = world.db.execute(
            text("""select count(distinct n.id), count(*), count(distinct d.user_id)
                    from belfry.notification_deliveries d join belfry.notifications n on n.id = d.notification_id
                    where n.alert_id = :a and d.channel = 'system' and n.reason = 'NEW'"""),
            {"a": alerts[0]},
        ).one()
        assert tuple(told) == (1, 2, 2), about  # whoever works on it, and the project manager
    # What a crash left unpublished is the sweeper's, and nothing is without an owner.
    assert (
        world.db.execute(
            text("select count(*) from belfry.job_executions where state not in ('succeeded', 'partial')")
        ).scalar_one()
        == 0
    )
    for view in (
        world.db.execute(
            text("select viewname from pg_views where schemaname = 'belfry' and viewname like 'v\\_invariant%'")
        )
        .scalars()
        .all()
    ):
        assert world.db.execute(text(f"select * from belfry.{view}")).all() == [], view
