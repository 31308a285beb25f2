"""Do ticks and deliveries keep their promises whatever happens in whatever order? A machine tries (reliability 3, I1-I8)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import _forget_process_state
from tests.factories import Erp
from tests.shared.machine.delivery_rules import DeliveryRules
from tests.shared.machine.model import Model
from tests.shared.machine.tick_rules import TickRules
from tests.shared.machine.world import World

FULL = 200.0  # seconds for each machine under BELFRY_FULL_SWEEP


class Ticks(TickRules):
    """Three jobs and their ledger."""


class Deliveries(DeliveryRules):
    """Three readers and their messages."""


class Both(TickRules, DeliveryRules):
    """A job whose good runs tell three readers."""

    tells = True


@pytest.fixture
def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    settings = {
        "EMAIL_ENABLED": "true", "EMAIL_SMTP_SERVER": "127.0.0.1", "EMAIL_FROM": "bot@example.com",
        "WECHAT_ENABLED": "true", "WECHAT_WEBHOOK_URL": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=none", "SMS_ENABLED": "true",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    _forget_process_state()
    world = World(database_url)
    yield world
    world.close()


@pytest.fixture
def users(world: World) -> list[int]:
    """Who has every channel, who has quiet hours, and who has no mailbox."""
    erp = Erp(world.db)
    return [erp.user(wechat_userid="w1", phone="13800000001"), erp.user(wechat_userid="w2"), erp.user(email=None)]


@pytest.mark.parametrize(
    ("machine", "examples"), [(Ticks, 80), (Deliveries, 80), (Both, 40)], ids=["ticks", "deliveries", "both"]
)
def test_promises_are_kept_in_every_order(machine: type[Model], examples: int, world: World, users: list[int]) -> None:
    began, full = time.monotonic(), bool(os.environ.get("BELFRY_FULL_SWEEP"))
    machine.examples = 0
    while True:
        run_state_machine_as_test(
            lambda: machine(world, users),
            settings=settings(
                max_examples=500 if full else examples, stateful_step_count=40, deadline=None, database=None, derandomize=not full,
                suppress_health_check=list(HealthCheck), report_multiple_bugs=False, phases=[Phase.generate, Phase.shrink],
            ),
        )  # fmt: skip
        if not full or time.monotonic() - began > FULL:
            break
    print(f"{machine.__name__}: {machine.examples} examples in {time.monotonic() - began:.0f} s")
