"""What do both halves of the state machine share? How an example begins, what must hold after each step, and how it comes to
rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlalchemy import text

from tests.shared.machine.world import MINUTE, MOVING, OPEN, World

ROUNDS = 80
_DUE = text("""
  select min(at) from (
    select greatest(coalesce(retry_at, kicked_at + interval '50 seconds'), kicked_at + interval '50 seconds') as at
    from belfry.job_executions where state in ('pending', 'retry_wait', 'waiting')
    union all
    select next_attempt_at from belfry.notification_deliveries where state in ('deferred', 'retry_wait', 'uncertain')) x
  where at > belfry.clock()""")


class Model(RuleBasedStateMachine):
    """One emptied database; its rules come from the halves, which add to begin, check, let_go, sweep_all and work_off."""

    examples = 0
    began = False

    def __init__(self, world: World, users: list[int]) -> None:
        super().__init__()
        self.world, self.users = world, users
        type(self).examples += 1
        world.begin()
        self.begin()
        world.picture()

    def begin(self) -> None:
        """Nothing is on its way yet."""

    def check(self) -> None:
        """What must hold beside the product's own invariants."""

    def let_go(self) -> None:
        """Whoever held something is gone, and what was on its way is lost."""

    def sweep_all(self) -> None:
        """The sweeps of one minute, when everything is well."""

    def work_off(self) -> None:
        """Every message arrives, every run and every send succeeds."""

    def time_goes_by(self, span: timedelta) -> None:
        self.world.set_clock(self.world.now + span)

    @invariant()
    def what_must_hold(self) -> None:
        self.world.picture()
        broken = self.world.broken()
        assert not broken, broken
        self.check()

    def teardown(self) -> None:
        """Everything is well again, and time goes by: nothing that was open stays open."""
        self.let_go()
        self.world.picture()
        left: set[Any] = {row.id for row in self.world.rows.values() if row.state in OPEN}
        left |= {row.id for row in self.world.deliveries.values() if row.state in MOVING}
        for _ in range(ROUNDS):
            left = {key for key in left if self._is_open(key)}
            if not left:
                return
            self.sweep_all()
            self.work_off()
            self.what_must_hold()
            due = self.world.db.execute(_DUE).scalar_one_or_none()
            self.time_goes_by(max(MINUTE, min(due - self.world.now if due else 30 * MINUTE, 180 * MINUTE)))
        stuck = [row for row in (*self.world.rows.values(), *self.world.deliveries.values()) if row.id in left]
        raise AssertionError(f"stuck: {stuck}")

    def _is_open(self, key: Any) -> bool:
        """An SMS of which nobody knows is a person's to decide."""
        if key in self.world.rows:
            return self.world.rows[key].state in OPEN
        row = self.world.deliveries.get(key)
        return row is not None and row.state in MOVING and not (row.state == "uncertain" and row.channel == "sms")
