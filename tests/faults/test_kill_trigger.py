"""kill -9 of a function at the statements of its trigger path: nothing is lost, nothing happens twice (P1, P2, P8)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Connection, text

from tests.conftest import ROOT, register
from tests.factories import Erp
from tests.faults.invariants import assert_invariants
from tests.faults.order import Order, chosen
from tests.processes import Served, eventually, served

LEASE = 0.6  # seconds; what the sweep waits for at every point
FIRST = datetime(2026, 3, 2, 1, tzinfo=UTC)
SOURCE = ROOT / "functions" / "issues" / "check_overdue_issues.py"


class World:
    """One function process that can be told where to die, and the ledger that judges what it did."""

    def __init__(self, db: Connection, function: Served) -> None:
        self.db, self.function = db, function
        self.erp = Erp(db)
        self.owner = self.erp.user("陈工")
        self.day = 0

    def overdue(self, title: str) -> int:
        return self.erp.issue(title=title, due_date=date(2026, 2, 20), assignee_id=self.owner)

    def tick(self) -> dict[str, Any] | None:
        """The next day's tick; None when the function died on it."""
        self.day += 1
        try:
            return self._post(self._at())
        except requests.ConnectionError:
            return None

    def recover(self) -> str:
        """Ask for the tick again until it is over, as Cloud Scheduler's retries and the sweeper do; its state."""
        seconds = iter(range(1, 10_000))

        def over() -> str:
            self._post(self._at() + timedelta(seconds=next(seconds)))
            state = self.db.execute(
                text("select state from belfry.job_executions where job_id = 'check_overdue_issues' and run_at = :t"),
                {"t": self._at()},
            ).scalar_one()
            return "" if state in ("running", "retry_wait", "pending") else str(state)

        return eventually(over, f"the tick of {self._at()} is over")

    def _at(self) -> datetime:
        return FIRST + timedelta(days=self.day)

    def _post(self, now: datetime) -> dict[str, Any]:
        body = {"job": "check_overdue_issues", "run_at": self._at().isoformat(), "kind": "scheduled"}
        answer = requests.post(self.function.url, json=body, headers={"X-Belfry-Now": now.isoformat()}, timeout=20)
        return dict(answer.json())


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(tmp_path)


@pytest.fixture
def world(db: Connection, database_url: str, order: Order) -> Iterator[World]:
    register(db, "check_overdue_issues")
    db.execute(text("update belfry.jobs set backoff_s = '{0}', timeout_s = 50, max_attempts = 6"))
    environment = {
        "DATABASE_URL": database_url,
        "BELFRY_LOCAL_CLOCK": "1",
        "BELFRY_LEASE": str(LEASE),
        "PUBSUB_EMULATOR_HOST": os.environ["PUBSUB_EMULATOR_HOST"],
    }
    with served("check_overdue_issues", ROOT, {**environment, **order.environment}, source=SOURCE) as function:
        yield World(db, function)


@pytest.mark.fault(row=1, injected="kill -9 at the statements of the trigger path", expected="one effect, nothing lost")
def test_a_run_killed_at_any_statement_has_one_effect_and_loses_nothing(world: World, order: Order) -> None:
    world.overdue("计数")
    points = order.count(world.tick)
    assert len(points) > 14, points
    for number, name in chosen(points, 2):
        issue = world.overdue(f"第 {number} 点")
        order.die_at(number)
        world.tick()
        assert order.obeyed(), f"point {number} was not reached: {name}"
        assert world.recover() == "succeeded", name
        alerts = world.db.execute(text("select id from belfry.alert_records where target_id = :i"), {"i": issue})
        (alert,) = alerts.scalars().all()
        told = world.db.execute(
            text("""select count(distinct n.id), count(*), count(distinct d.user_id)
                    from belfry.notification_deliveries d join belfry.notifications n on n.id = d.notification_id
                    where n.alert_id = :a and d.channel = 'system' and n.reason = 'NEW'"""),
            {"a": alert},
        ).one()
        assert tuple(told) == (1, 2, 2), name  # whoever works on it, and the project manager
    assert_invariants(world.db)
